"""Pruned QNodes on devices, under shots and broadcasting, with gradients and in other interfaces."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qnodes import (
    CIRCUITS,
    SAME,
    data,
    make,
    needs,
    node,
    results,
)

from qprune import TaskError, Threshold

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml
    from pennylane import numpy as pnp

    import qprune.pennylane as qpp

pytestmark = pytest.mark.filterwarnings("ignore")


# -- devices, gradients, interfaces -----------------------------------------------------------------------------------


@pytest.mark.thinned(9)
@pytest.mark.parametrize("circuit", ["angle+strong", "re-uploading", "amplitude", "hand-written"])
@pytest.mark.parametrize("method", ["backprop", "adjoint", "parameter-shift"])
def test_gradient_equals_finite_differences(circuit, method):
    # The adjoint method of default.qubit 0.45.1 is wrong for any QNode with U2 among the gates, pruned or not.
    device = "lightning.qubit" if (circuit, method) == ("hand-written", "adjoint") else "default.qubit"
    original, X, w = make(circuit, "sum", diff_method=method, device=device, wires=3)
    pruned = qpp.prune(original, Threshold(0.1), inputs=X[:5], weights=w)
    weights = pnp.array(w, requires_grad=True)
    gradient = qml.grad(pruned, argnums=1)(pnp.array(X[0], requires_grad=False), weights)
    plain, h = qpp.prune(make(circuit, "sum")[0], Threshold(0.1), inputs=X[:5], weights=w), 1e-5
    flat, numeric = w.ravel(), []
    for k in range(w.size):
        step = h * (np.arange(w.size) == k)
        ends = [float(plain(X[0], (flat + s * step).reshape(w.shape))) for s in (1, -1)]
        numeric.append((ends[0] - ends[1]) / (2 * h))
    np.testing.assert_allclose(gradient.ravel(), numeric, atol=1e-7)
    assert np.all(gradient[~pruned.trainable_mask] == 0)
    assert not pruned.trainable_mask.all()


@pytest.mark.parametrize("circuit", ["angle+strong", "hand-written", "amplitude"])
def test_lightning(circuit):
    original, X, w = make(circuit, "several", device="lightning.qubit", wires=3)
    pruned = qpp.prune(original, Threshold(0.1), inputs=X[:5], weights=w)
    exact = qpp.prune(make(circuit, "several")[0], Threshold(0.1), inputs=X[:5], weights=w)
    np.testing.assert_allclose(results(pruned, X[:2], w), results(exact, X[:2], w), atol=SAME)


def test_shots():
    original, X, w = make("hand-written", "several")
    pruned = qpp.prune(qml.set_shots(original, 40_000), Threshold(0.1), inputs=X, weights=w)
    np.testing.assert_allclose(results(pruned, X[:2], w), results(original, X[:2], w), atol=0.2)
    exact = qml.set_shots(pruned, None)
    np.testing.assert_allclose(results(pruned, X[:2], w), results(exact, X[:2], w), atol=0.1)
    counts = qml.set_shots(pruned, 10)
    assert len(counts(X[0], w)) == 4


@pytest.mark.parametrize("circuit", ["angle+strong", "iqp+basic"])
def test_broadcasting(circuit):
    original, X, w = make(circuit, "several")
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    batch, single = pruned(X, w), [pruned(x, w) for x in X]
    for k, value in enumerate(batch):
        np.testing.assert_allclose(value, [row[k] for row in single], atol=SAME)


@pytest.mark.parametrize("circuit", ["amplitude", "re-uploading"])
def test_broadcasting_states_and_mixed_gates(circuit):
    function, X, w = CIRCUITS[circuit]

    def batched(inputs, weights):
        function(inputs if circuit == "amplitude" else qml.math.T(inputs), weights)
        return qml.expval(qml.Z(0) @ qml.X(1))

    pruned = qpp.prune(node(batched), Threshold(0.1), inputs=X, weights=w)
    np.testing.assert_allclose(pruned(X, w), [pruned(x, w) for x in X], atol=SAME)


def two_wires(inputs, weights):
    """Few gates, as JAX compiles each."""
    qml.AngleEmbedding(inputs, wires=[0, 1])
    qml.Rot(*weights[:3], 0)
    qml.CRX(weights[3] * inputs[1], [0, 1])
    qml.RY(weights[4], 1)
    return qml.expval(qml.Z(0) @ qml.X(1))


@needs("jax")
def test_jax():
    import jax

    with jax.enable_x64(True):
        X, w = data(4, 2), np.array([0.4, 0.3, 0.01, -0.7, 0.02])
        jw, jx = jax.numpy.array(w), jax.numpy.array(X)
        pruned = qpp.prune(node(two_wires), Threshold(0.1), inputs=jx, weights=jw)
        reference = qpp.prune(node(two_wires), Threshold(0.1), inputs=X, weights=w)
        assert pruned.certificate.replaced
        theirs = qml.grad(reference, argnums=1)(X[0], pnp.array(w, requires_grad=True))
        np.testing.assert_allclose(jax.grad(pruned, argnums=1)(jx[0], jw), theirs, atol=SAME)
        np.testing.assert_allclose(jax.jit(jax.grad(pruned, argnums=1))(jx[0], jw), theirs, atol=SAME)
        np.testing.assert_allclose(jax.jit(pruned)(jx[0], jw), reference(X[0], w), atol=SAME)
        batch = jax.vmap(pruned, in_axes=(0, None))(jx[:3], jw)
        np.testing.assert_allclose(batch, [reference(x, w) for x in X[:3]], atol=SAME)
        assert isinstance(pruned.weights, jax.Array)
        assert qpp.recertify(pruned, jw + 0.1).largest > 0


@needs("jax")
def test_jax_in_single_precision():
    import jax

    original, X, w = node(two_wires), data(4, 2), np.array([0.4, 0.3, 0.01, -0.7, 0.02])
    pruned = qpp.prune(original, Threshold(0.1), inputs=jax.numpy.array(X), weights=jax.numpy.array(w))
    gaps = [
        abs(float(pruned(x, pruned.weights) - original(x, pruned.weights))) for x in pruned.network.inputs["inputs"]
    ]
    assert max(gaps) <= pruned.certificate.largest_bound


@needs("jax")
def test_constants_cannot_be_traced():
    import jax

    def circuit(x, w, c):
        qml.RX(x, 0)
        qml.RZ(c, 0)
        qml.RY(w, 0)
        return qml.expval(qml.Z(0))

    pruned = qpp.prune(node(circuit), Threshold(0), inputs=data(3), weights=np.array(0.5), kwargs={"c": 0.3})
    with pytest.raises(TaskError, match="traced"):
        jax.jit(pruned)(0.1, 0.5, 0.3)
    with pytest.raises(TaskError, match=r"RZ.*0\.31.*0\.3"):
        pruned(0.1, 0.5, c=0.31)


@needs("torch")
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_torch(precision):
    import torch

    original, X, w = make("angle+strong", "sum", interface="torch")
    X, w = X[:6], w[:1]
    dtype = getattr(torch, precision)
    tw, tx = torch.tensor(w, requires_grad=True, dtype=dtype), torch.tensor(X, dtype=dtype)
    pruned = qpp.prune(original, Threshold(0.1), inputs=tx, weights=tw)
    pruned(tx, tw).sum().backward()
    reference = qpp.prune(make("angle+strong")[0], Threshold(0.1), inputs=X, weights=w)
    theirs = qml.grad(lambda v: qml.math.sum(reference(X, v)))(pnp.array(w, requires_grad=True))
    np.testing.assert_allclose(tw.grad, theirs, atol=1e-7 if precision == "float64" else 1e-4)
    layer = qml.qnn.TorchLayer(pruned, {"weights": w.shape})
    assert layer(tx).shape == (len(X),)
    assert qpp.recertify(pruned, tw + 0.1).largest > 0


def test_draw_specs_repr_report():
    original, X, w = make("angle+strong", "several")
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    removed = len(pruned.certificate.replaced)
    before, after = pruned.result.flat.size(), pruned.result.circuit.size()
    assert after <= before - removed
    tape = qml.workflow.construct_tape(pruned)(X[0], w)
    assert sum(3 if op.name == "Rot" else 1 for op in tape.operations) == after
    assert "Rot" not in qml.draw(pruned)(X[0], w) or "Rot" in {op.name for op in tape.operations}
    assert qml.specs(pruned)(X[0], w)["resources"].num_gates == len(tape.operations)
    assert f"{before} → {after}" in repr(pruned)
    assert "certified" in repr(pruned)
    assert str(pruned.result) in pruned.report()
    assert "var(" in pruned.report()
    assert "probs(" in pruned.report()


def test_rot_survives_as_rot():
    original, X, w = make("angle+strong")
    pruned = qpp.prune(original, Threshold(0), inputs=X, weights=w + 0.5)
    names = [op.name for op in qml.workflow.construct_tape(pruned)(X[0], w).operations]
    assert names.count("Rot") >= 4
    np.testing.assert_allclose(results(pruned, X, w + 0.7), results(original, X, w + 0.7), atol=SAME)


def test_trainable_parameters_of_the_tape():
    """Only angles that depend on the weights are shifted or differentiated."""
    original, X, w = make("hand-written", "sum")
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    tape = qml.workflow.construct_tape(pruned)(X[0], pnp.array(w, requires_grad=True))
    assert 0 < len(tape.trainable_params) <= pruned.trainable_mask.sum() + 1
