"""`qprune.pennylane`: every template and measurement against PennyLane's own execution of the original QNode.

The oracle is the original QNode on `default.qubit`; gradients are compared with finite differences of the pruned one.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qnodes import (
    CASES,
    SAME,
    SLACK,
    data,
    deviations,
    make,
    node,
    results,
    small,
)

from qprune import Measured, Proven, TaskError, Threshold

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml

    import qprune.pennylane as qpp
from qprune.pennylane.tape import GATES, PreparedState, _append, expand, slots_of

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.thinned(15)
@pytest.mark.parametrize(("circuit", "measurement"), CASES)
def test_within_the_certificate(circuit, measurement):
    """On the ensemble every deviation is within its bound; on the hold-out it is what T5 was told."""
    original, X, w = make(circuit, measurement)
    pruned = qpp.prune(original, Threshold(0.12), inputs=X, weights=w, holdout=0.4, seed=3)
    task, claim = pruned.result.original, pruned.certificate.holdout
    assert pruned.certificate.replaced
    on_ensemble = deviations(original, pruned, X[task.selected], w)
    for measured, bound in zip(on_ensemble, pruned.bounds, strict=True):
        assert np.all(measured <= bound + SLACK)
    held = deviations(original, pruned, X[task.heldout], w)
    again = qpp.recertify(pruned)
    np.testing.assert_allclose(again.deviations, on_ensemble, atol=SAME)
    assert again.certified_weights
    assert again.holdout.mean == pytest.approx(held.max(axis=0).mean(), abs=SAME)
    if X.dtype.kind == "f":
        unseen = data(20, *X.shape[1:], seed=9)  # of the same distribution; the claim is about the expectation
        assert deviations(original, pruned, unseen, w).max(axis=0).mean() <= again.holdout.expected_upper
    assert claim.samples == len(held[0])


@pytest.mark.thinned(10)
@pytest.mark.parametrize(("circuit", "measurement"), CASES)
def test_exact_simplifications_change_nothing(circuit, measurement):
    original, X, w = make(circuit, measurement)
    w = w + 0.3 * np.sign(w)
    pruned = qpp.prune(original, Proven(0.0), inputs=X[:6], weights=w)
    np.testing.assert_allclose(results(pruned, X, w), results(original, X, w), atol=SAME)
    assert pruned.certificate.largest_bound <= SLACK


def test_adjoint_cancels_exactly():
    """The two embeddings in the middle of `kernel` are each other's inverse for every input."""
    original, X, w = make("kernel", "Z")
    pruned = qpp.prune(original, Threshold(0), inputs=X, weights=w + 0.4)
    embedding = [entry for entry in pruned.result.plan if entry.role == "encoding" and entry.gate == "rx"]
    assert [entry.action for entry in embedding] == ["simplify"] * 6


@pytest.mark.parametrize("name", [*GATES, "PauliRot", "MultiRZ", "IsingXY", "SingleExcitation"])
def test_gate_table(name):
    """Each row by its matrix."""
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import Operator

    angles = [0.3, 0.7, -1.1]
    if name == "PauliRot":
        op = qml.PauliRot(0.3, "XIZY", range(4))
    elif name.startswith("Adjoint"):
        op = qml.adjoint(getattr(qml, name[8:-1])(0))
    else:
        cls = getattr(qml, name)
        op = cls(*angles[: cls.num_params], wires=range(cls.num_wires or 3))
    assert expand([op]) == [op]
    circuit = QuantumCircuit(len(op.wires))
    _append(circuit, op, 0, slots_of(op), list(op.wires))
    ours, theirs = Operator(circuit.reverse_bits()).data, qml.matrix(op)
    assert abs(abs(np.trace(ours.conj().T @ theirs)) - len(ours)) < 1e-12


@pytest.mark.parametrize("basis", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_prepared_state(n, basis):
    """Definition and matrix agree, and the first column is the state."""
    from qiskit.quantum_info import Operator

    rng = np.random.default_rng(n)
    state = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    angles = rng.normal(size=n) if basis else slots_of(qml.StatePrep(state, range(n), normalize=True))
    gate = PreparedState(list(angles), n, basis, 0)
    np.testing.assert_allclose(np.asarray(gate), Operator(gate.definition).data, atol=1e-12)
    if not basis:
        column = Operator(gate.definition).reverse_qargs().data[:, 0]
        assert abs(abs(np.vdot(column, state)) - np.linalg.norm(state)) < 1e-12


# -- options of qprune.prune ------------------------------------------------------------------------------------------


@pytest.mark.thinned(8)
@pytest.mark.parametrize("representatives", ["identity", "clifford", "class"])
@pytest.mark.parametrize("circuit", ["angle+strong", "hand-written", "re-uploading"])
def test_representatives(circuit, representatives):
    original, X, w = make(circuit, "several")
    middle = 0.8 if representatives == "class" else np.pi / 2
    w = np.where(np.abs(w) > 0.1, middle + w / 50, w)
    pruned = qpp.prune(
        original, Threshold(0.2), inputs=X, weights=w, representatives=representatives, prune_encoding=True, noise=0.99
    )
    kinds = {entry.by == "identity" for entry in pruned.certificate.replaced}
    assert False in kinds or representatives == "identity" or circuit == "hand-written"
    for measured, bound in zip(deviations(original, pruned, X, w), pruned.bounds, strict=True):
        assert np.all(measured <= bound + SLACK)
    assert pruned.verify()


def test_tied_gates_share_a_weight():
    def circuit(inputs, weights):
        qml.RX(inputs, 0)
        qml.RY(weights[0], 0)
        qml.CNOT([0, 1])
        qml.RY(weights[1], 0)
        qml.CNOT([0, 1])
        qml.RX(inputs, 1)
        qml.RY(weights[2], 0)
        return qml.expval(qml.Z(0))  # Z on both would not see the second weight

    X, w = data(8), np.array([0.8, 0.81, 0.79])
    pruned = qpp.prune(node(circuit), Threshold(0.05), inputs=X, weights=w, representatives="class")
    assert pruned.trainable_mask.sum() == 1
    moved = w + np.where(pruned.trainable_mask, 0, 1.0)
    np.testing.assert_allclose(results(pruned, X, moved), results(pruned, X, w), atol=1e-12)


def test_refit_beside_var_and_probs():
    original, X, w = make("angle+strong", "several")
    X, w = X[:6], w[:1]
    pruned = qpp.prune(original, Measured(0.3, refit=True), inputs=X, weights=w)
    assert np.abs(pruned.weights - w).max() > 0.1
    measured = deviations(original, lambda x, _: pruned(x, pruned.weights), X, w)
    assert measured[[0, 3]].max() <= 0.3 + SLACK
    np.testing.assert_allclose(qpp.recertify(pruned).deviations, measured, atol=SAME)


def test_budget_holds():
    original, X, w = make("hand-written", "word")
    pruned = qpp.prune(original, Proven(0.3), inputs=X, weights=w)
    assert len(pruned.certificate.replaced) > 1
    assert deviations(original, pruned, X, w).max() <= pruned.bounds[0].max() <= 0.3


# -- signatures ----------------------------------------------------------------------------------------------------


def test_argument_orders_and_several_arrays():
    X, Y = data(6, 2), data(6, seed=4)
    a, b = small(2, seed=2), small(2, 2, seed=3)

    def circuit(a, x, *, b, y, depth=1, sign):
        for _ in range(depth):
            qml.AngleEmbedding(x, wires=[0, 1])
            qml.RY(sign * y, 0)
            qml.RX(a[0], 0)
            qml.RX(a[1], 1)
            qml.CZ([0, 1])
            qml.BasicEntanglerLayers(b, wires=[0, 1])
        return qml.expval(qml.Z(0))

    original = node(circuit)
    options = {"depth": 2, "sign": -1}
    pruned = qpp.prune(original, Threshold(0.1), inputs={"x": X, "y": Y}, weights={"a": a, "b": b}, kwargs=options)
    for x, y in zip(X, Y, strict=True):
        gap = abs(pruned(a, x, b=b, y=y, **options) - original(a, x, b=b, y=y, **options))
        assert gap <= pruned.certificate.largest_bound
    assert set(pruned.weights) == {"a", "b"}
    assert {k: v.shape for k, v in pruned.trainable_mask.items()} == {"a": (2,), "b": (2, 2)}
    with pytest.raises(TaskError, match="prune each variant"):
        pruned(a, X[0], b=b, y=Y[0], depth=3, sign=-1)
    with pytest.raises(TaskError, match="had"):  # the sign is a constant of every angle it multiplies
        qpp.prune(original, inputs={"x": X}, weights={"a": a, "b": b}, kwargs={"y": 0.3, "sign": 1})(
            a, X[0], b=b, y=0.4, sign=1
        )


@pytest.mark.parametrize("names", [("w", "x"), ("q", "params"), ("features", "v")])
def test_arguments_are_told_apart(names):
    first, second = names
    space = {"qml": qml}
    is_input = {"x": 1, "q": 0, "features": 0}
    k = next(is_input[n] for n in names if n in is_input)
    x, w = names[k], names[1 - k]
    exec(f"def circuit({first}, {second}):\n qml.RX({x}, 0)\n qml.RY({w}[0], 0)\n return qml.expval(qml.Z(0))", space)
    pruned = qpp.prune(node(space["circuit"]), Threshold(0), inputs=data(4), weights=np.array([0.4]))
    assert list(pruned.network.inputs) == [x]
    assert list(pruned.network.weights) == [w]


def test_no_input_vqe():
    hamiltonian = qml.Hamiltonian([0.5, -0.4, 0.2], [qml.Z(0) @ qml.Z(1), qml.X(0), qml.Y(2) @ qml.Z(3)])

    @qml.qnode(qml.device("default.qubit"))
    def circuit(params):
        qml.BasisState([1, 1, 0, 0], wires=range(4))
        qml.DoubleExcitation(params[0], range(4))
        qml.SingleExcitation(params[1], [0, 2])
        qml.FermionicSWAP(params[2], [1, 3])
        return qml.expval(hamiltonian)

    w = np.array([0.2, 0.01, -0.4])
    pruned = qpp.prune(circuit, Threshold(0.05), weights=w)
    assert abs(pruned(w) - circuit(w)) <= pruned.certificate.largest_bound
    assert pruned.result.original.weight_params.__len__() < 20  # the eight RY of a double excitation are one weight
    assert pruned.verify()
    with pytest.raises(TaskError, match=r"another circuit|had"):
        qpp.prune(
            node(lambda params, occupied: circuit.func(params) if occupied else qml.expval(qml.Z(0))),
            weights=w,
            kwargs={"occupied": True},
        )(w, False)


def test_generative_without_input():
    @qml.qnode(qml.device("default.qubit", wires=4))
    def born(weights):
        qml.StronglyEntanglingLayers(weights, wires=range(4))
        return qml.probs()

    w = small(2, 4, 3)
    pruned = qpp.prune(born, Threshold(0.1), weights=w)
    assert np.abs(pruned(w) - born(w)).sum() / 2 <= pruned.bounds[0][0] + SLACK


@pytest.mark.parametrize("device_wires", [None, ["b", 7, "a", "spare"]])
@pytest.mark.parametrize(
    "measurement", [lambda: qml.probs(), lambda: qml.probs(wires=["a", 7]), lambda: qml.expval(qml.Z("a"))]
)
def test_wire_labels(device_wires, measurement):
    def circuit(x, w):
        qml.RX(x, "a")
        qml.RY(w[0], 7)
        qml.CNOT(["a", 7])
        qml.RZ(w[1], "b")
        qml.CRX(w[2], ["b", "a"])
        qml.RX(0.3, "b")
        return measurement()

    original = node(circuit, wires=device_wires)
    X, w = data(5), np.array([0.9, 0.02, 0.01])
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    assert results(pruned, X, w).shape == results(original, X, w).shape
    gaps = np.abs(results(pruned, X, w) - results(original, X, w))
    assert np.all((gaps.sum(axis=1) / 2 if gaps.shape[1] > 1 else gaps[:, 0]) <= pruned.bounds[0] + SLACK)


def test_everything_goes():
    def circuit(x, w):
        qml.RZ(x, "a")
        qml.RX(w, "a")
        return qml.expval(qml.Z("a")), qml.probs(wires=["b"])

    pruned = qpp.prune(node(circuit), Threshold(0.1), inputs=data(3), weights=np.array(1e-3))
    assert qml.workflow.construct_tape(pruned)(0.1, 0.3).operations == []
    np.testing.assert_allclose(np.hstack(pruned(0.1, 0.3)), [1, 1, 0], atol=1e-12)
    assert not pruned.trainable_mask


def test_inputs_without_weights():
    @qml.qnode(qml.device("default.qubit"))
    def circuit(x, **others):
        qml.AngleEmbedding(x, wires=[0, 1])
        qml.RX(others["angle"], 0)
        qml.CNOT([0, 1])
        return qml.expval(qml.Z(1))

    X = data(5, 2) * [1, 0.02]
    options = {"angle": 0.7}
    pruned = qpp.prune(circuit, Threshold(0.05), inputs=X, kwargs=options, prune_encoding=True)
    assert [entry.by for entry in pruned.certificate.replaced] == ["identity"]
    assert max(abs(pruned(x, **options) - circuit(x, **options)) for x in X) <= pruned.certificate.largest_bound
    assert pruned.weights == pruned.trainable_mask == {}


def test_probabilities_keep_their_order_when_gates_go():
    """`probs()` of all wires on a device without wires must not follow the shorter tape."""

    def circuit(x, w):
        qml.RY(w, 1)
        qml.RX(x, 0)
        qml.RX(2 * x, 2)
        return qml.probs()

    original, X = node(circuit), data(4)
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=np.array(1e-3))
    assert "RY" not in qml.specs(pruned)(X[0], 1e-3)["resources"].gate_types
    np.testing.assert_allclose(results(pruned, X, 1e-3), results(original, X, 1e-3), atol=1e-2)
