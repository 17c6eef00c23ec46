"""What cannot be pruned in PennyLane; results on disk; training on after pruning."""

from __future__ import annotations

import json
import warnings
from functools import partial

import numpy as np
import pytest
from qnodes import (
    SAME,
    data,
    has,
    make,
    node,
    results,
)

import qprune
from qprune import BundleError, CertificateError, OptionError, Proven, QpruneError, TaskError, Threshold
from qprune.results.manifest import seal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml
    from pennylane import numpy as pnp

    import qprune.pennylane as qpp

pytestmark = pytest.mark.filterwarnings("ignore")


# -- errors -----------------------------------------------------------------------------------------------------------


def branching(x, w):
    qml.RX(x, 0)
    if x > 0:
        qml.CNOT([0, 1])
    qml.RY(w, 0)
    return qml.expval(qml.Z(0))


def test_structure_that_depends_on_data():
    w = np.array(0.4)
    with pytest.raises(TaskError, match="must not depend on the values"):
        qpp.prune(node(branching), inputs=data(8), weights=w)

    def late(x, w):
        qml.RX(x, 0)
        if x > 50:
            qml.RZ(0.1, 0)
        qml.RY(w, 0)
        return qml.expval(qml.Z(0)) if x < 90 else qml.expval(qml.X(0))

    pruned = qpp.prune(node(late), inputs=data(8), weights=w)
    pruned(49.0, w)
    with pytest.raises(TaskError, match="gate 1 is RZ"):
        pruned(60.0, w)
    measured_else = qpp.prune(node(lambda x, w: late(x - 99, w)), inputs=data(8), weights=w)
    with pytest.raises(TaskError, match="another circuit"):
        measured_else(190.0, w)


def test_one_weight_in_several_places_of_a_gate():
    def circuit(x, w):
        qml.RX(x, 0)
        qml.U3(w, w, -w, 0)
        qml.CRX(w, [0, 1])
        return qml.expval(qml.Z(0) @ qml.X(1))

    original, X = node(circuit), data(4)
    pruned = qpp.prune(original, Threshold(0), inputs=X, weights=np.array(0.7))
    assert len(pruned.result.weights) == 1
    np.testing.assert_allclose(results(pruned, X, 0.2), results(original, X, 0.2), atol=SAME)


def test_ties_are_checked():
    """|x| follows x on positive data; it must not be taken for it elsewhere."""

    def circuit(x, w):
        qml.RX(x, 0)
        qml.RY(w[0], 0)
        qml.RX(qml.math.abs(x - 30), 1)
        qml.CNOT([0, 1])
        qml.RX(qml.math.abs(x - 30), 0)
        qml.RX(x - 30, 1)
        return qml.expval(qml.Z(0) @ qml.Z(1))

    original, w = node(circuit), np.array([0.3])
    pruned = qpp.prune(original, Threshold(0), inputs=data(6), weights=w)
    assert abs(pruned(0.4, w) - original(0.4, w)) < SAME
    with pytest.raises(TaskError, match="followed another angle"):
        pruned(31.0, w)
    if has("jax"):
        import jax

        with jax.enable_x64(True):
            assert abs(jax.jit(pruned)(0.4, w) - original(0.4, w)) < SAME
            assert np.isnan(jax.jit(pruned)(31.0, w))


@pytest.mark.parametrize(
    ("circuit", "arguments", "error"),
    [
        (lambda a, b: qml.expval(qml.Z(0)), {"inputs": [1.0], "weights": [1.0]}, "cannot tell .* carries the inputs"),
        (lambda *a: qml.expval(qml.Z(0)), {"weights": [1.0]}, r"takes \*args"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [1.0], "weights": {"v": [1.0]}}, "names 'v'"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [1.0], "weights": {"x": [1.0], "w": 1.0}}, "cannot tell|both"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [1.0]}, "argument w .* no value"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [1.0], "weights": [1.0]}, "move no gate"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": 1.0, "weights": [1.0]}, "leading axis"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [np.nan], "weights": [1.0]}, "not finite"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [1.0], "weights": ["a"]}, "array of numbers"),
        (lambda x, w: qml.expval(qml.Z(0)), {"inputs": [1.0], "weights": [[1.0], [1.0, 2.0]]}, "one array of numbers"),
        (lambda w: (qml.RX(w[0], 0), qml.state())[1], {"weights": [1.0]}, "certifies"),
        (lambda w: (qml.RX(w[0], 0), qml.probs(op=qml.X(0)))[1], {"weights": [1.0]}, "certifies"),
        (
            lambda w: (qml.RX(w[0], 0), (qml.probs(wires=range(5)), qml.expval(qml.Z(0))))[1],
            {"weights": [1.0]},
            "projectors",
        ),
        (lambda w: (qml.AmplitudeDamping(w[0], 0), qml.expval(qml.Z(0)))[1], {"weights": [0.1]}, "AmplitudeDamping"),
        (lambda w: (qml.RX(w[0], 0), qml.measure(0), qml.expval(qml.Z(0)))[2], {"weights": [0.1]}, "must be unitary"),
        (
            lambda w: (qml.RX(w[0], 0), qml.StatePrep([0, 1], 0), qml.expval(qml.Z(0)))[2],
            {"weights": [0.1]},
            "put it first",
        ),
        (
            lambda w: (qml.QubitUnitary(qml.matrix(qml.RX(w[0], 0)), 0), qml.expval(qml.Z(0)))[1],
            {"weights": [0.1]},
            "QubitUnitary",
        ),
        (lambda w: (qml.RX(w, 0), qml.expval(qml.Z(0)))[1], {"weights": [0.1, 0.2]}, "angle of shape"),
        (lambda w: (qml.RX(w, 0), qml.var(qml.Z(0)))[1], {"weights": 0.1, "labels": [1]}, r"this one returns var\("),
        (lambda w: (qml.RX(w, 0), qml.probs(0))[1], {"weights": 0.1, "labels": [1]}, r"this one returns probs\("),
    ],
)
def test_unusable(circuit, arguments, error):
    with pytest.raises(QpruneError, match=error):
        qpp.prune(node(circuit), **arguments)


def test_unusable_options():
    original, X, w = make("angle+strong")
    with pytest.raises(TypeError, match="tolerence"):
        qpp.prune(original, inputs=X, weights=w, tolerence=0.1)
    with pytest.raises(OptionError, match="limit must say how far"):
        qpp.prune(original, 0.1, inputs=X, weights=w)
    with pytest.raises(TaskError, match="must be a PennyLane QNode"):
        qpp.prune(original.func, inputs=X, weights=w)
    with pytest.raises(TaskError, match="labels"):
        qpp.prune(original, inputs=X, weights=w, labels=[1, 2])


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.thinned(8)
@pytest.mark.parametrize("circuit", ["hand-written", "amplitude", "fixed gates", "basis"])
@pytest.mark.parametrize("measurement", ["several", "probs"])
def test_save_and_load(circuit, measurement, tmp_path):
    original, X, w = make(circuit, measurement)
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w, holdout=[0, len(X) - 1])
    assert list(pruned.result.original.heldout) == [0, len(X) - 1]
    pruned.save(tmp_path / "out", drawings=False)
    again = qpp.load(tmp_path / "out", original)
    np.testing.assert_allclose(results(again, X, w), results(pruned, X, w), atol=1e-12)
    assert again.certificate == pruned.certificate
    np.testing.assert_array_equal(again.trainable_mask, pruned.trainable_mask)
    np.testing.assert_array_equal(again.weights, w)
    assert again.verify()
    assert again.report() == pruned.report()
    assert qprune.load(tmp_path / "out").certificate == pruned.certificate
    with pytest.raises(BundleError):
        pruned.save(tmp_path / "out", drawings=False)
    other = make("angle+strong" if circuit != "basis" else "iqp+basic", measurement)[0]
    with pytest.raises(CertificateError):
        qpp.load(tmp_path / "out", other)


@pytest.mark.usefixtures("without_drawings")
def test_the_saved_report_takes_the_curve(tmp_path):
    original, X, w = make("iqp+basic", "sum")
    pruned = qpp.prune(original, Proven(0.1), inputs=X[:3], weights=w)
    pruned.save(tmp_path / "out", tradeoff=qprune.trade_off(pruned.result, points=2))
    assert "2 settings of budget" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert qpp.load(tmp_path / "out", original).certificate == pruned.certificate


def test_load_refuses_what_does_not_fit(tmp_path):
    def build(angle, wire, observable):
        def circuit(x, w):
            qml.RX(x, 0)
            qml.RZ(angle, 0)
            qml.RY(w, wire)
            qml.CNOT([0, 1])
            return qml.expval(observable)

        return node(circuit)

    pruned = qpp.prune(build(0.3, 0, qml.Z(1)), Threshold(0), inputs=data(4), weights=np.array(0.5))
    pruned.save(tmp_path / "out", drawings=False)
    for wrong in (build(0.3, 1, qml.Z(1)), build(0.4, 0, qml.Z(1)), build(0.3, 0, qml.X(1))):
        with pytest.raises((CertificateError, TaskError), match=r"not the one|had"):
            qpp.load(tmp_path / "out", wrong)
    (tmp_path / "out" / "pennylane.json").write_text(json.dumps({"format": "?"}))
    with pytest.raises(CertificateError, match=r"pennylane\.json was changed"):
        qpp.load(tmp_path / "out", build(0.3, 0, qml.Z(1)))
    seal(tmp_path / "out", pruned.result.certificate)
    with pytest.raises(BundleError, match="pennylane"):
        qpp.load(tmp_path / "out", build(0.3, 0, qml.Z(1)))
    with pytest.raises(BundleError):
        qpp.load(tmp_path / "nowhere", build(0.3, 0, qml.Z(1)))


def test_a_pruned_qnode_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    """The last of its files, the arrays, cannot be written."""
    original, X, w = make("hand-written", "several")
    pruned = qpp.prune(original, Threshold(0), inputs=X, weights=w)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(BundleError, match="No space left on device"):
        pruned.save(tmp_path / "out", drawings=False)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    pruned.save(tmp_path / "out", drawings=False)
    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(BundleError, match="No space left on device"):
        pruned.save(tmp_path / "out", drawings=False, overwrite=True)
    assert qpp.load(tmp_path / "out", original).certificate == pruned.certificate
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# -- training on ------------------------------------------------------------------------------------------------------


def test_finetune_and_prune_again():
    original, X, w = make("angle+strong", "Z")
    labels = np.where(X[:, 0] > 0, 1, -1)
    pruned = qpp.prune(original, Threshold(0.15), inputs=X, weights=w, labels=labels, holdout=0.2)

    def loss(network, weights):
        return qml.math.mean((network(X, weights) - labels) ** 2)

    tuned = qpp.finetune(pruned, loss, qml.AdamOptimizer(0.1), 12, every=4, progress=False)
    history = tuned.history
    assert [entry.step for entry in history] == list(range(13))
    assert history[-1].loss < 0.9 * history[0].loss
    assert history[0].deviation == pytest.approx(pruned.certificate.largest_measured, abs=SAME)
    assert [entry.deviation is not None for entry in history] == [k % 4 == 0 for k in range(13)]
    assert [entry.certificate_valid for entry in history] == [True] + [False] * 12
    assert pruned.certificate_valid
    assert not tuned.pruned.certificate_valid
    np.testing.assert_array_equal(np.asarray(tuned.weights)[~pruned.trainable_mask], w[~pruned.trainable_mask])
    for claim in (lambda p: p.certificate, lambda p: p.bounds, lambda p: p.verify()):
        with pytest.raises(CertificateError, match="void"):
            claim(tuned.pruned)
    assert "VOID" in tuned.pruned.report()
    assert "void" in repr(tuned.pruned)
    measured = qpp.recertify(pruned, tuned.weights)
    ours = [abs(tuned.pruned(x, tuned.weights) - original(x, w)) for x in X[pruned.result.original.selected]]
    np.testing.assert_allclose(measured.deviations[0], ours, atol=SAME)
    assert measured.largest == history[-1].deviation
    assert "nothing is proven" in str(measured)
    assert measured.accuracy is not None
    assert measured.holdout is not None
    smaller = qpp.prune(tuned.pruned, Threshold(0.15), inputs=X, weights=tuned.weights)
    assert smaller.result.circuit.size() <= pruned.result.circuit.size()
    assert smaller.certificate_valid


def test_void_weights_survive_files(tmp_path):
    original, X, w = make("angle+strong", "Z")
    pruned = qpp.prune(original, Threshold(0.15), inputs=X, weights=w).with_weights(w + 0.1)
    pruned.save(tmp_path / "out", drawings=False)
    again = qpp.load(tmp_path / "out", original)
    assert not again.certificate_valid
    np.testing.assert_array_equal(again.weights, w + 0.1)


def test_finetune_several_arrays():
    def circuit(x, a, b):
        qml.RX(x, 0)
        qml.RY(a, 0)
        qml.RX(b[0], 1)
        qml.CNOT([0, 1])
        return qml.expval(qml.Z(1))

    X = data(6)
    pruned = qpp.prune(node(circuit), Threshold(0.01), inputs=X, weights={"a": np.array(0.3), "b": np.array([0.4])})
    tuned = qpp.finetune(
        pruned,
        lambda network, weights: qml.math.sum(network(X, **weights)),
        qml.GradientDescentOptimizer(0.05),
        4,
        every=0,
        progress=False,
    )
    assert tuned.history[-1].loss < tuned.history[0].loss
    assert tuned.history[0].deviation is None
    assert set(tuned.weights) == {"a", "b"}


@pytest.mark.parametrize("steps", [-1, 2.5, True])
def test_finetune_options(steps):
    original, X, w = make("angle+strong", "Z")
    pruned = qpp.prune(original, inputs=X[:2], weights=w)
    with pytest.raises(OptionError, match="steps"):
        qpp.finetune(pruned, lambda n, v: 0.0, qml.AdamOptimizer(), steps)
    with pytest.raises(OptionError, match="step_and_cost"):
        qpp.finetune(pruned, lambda n, v: 0.0, "adam", 1)
    with pytest.raises(TaskError, match="shape"):
        qpp.recertify(pruned, w[:1])


def test_own_loops_work():
    original, X, w = make("angle+strong", "Z")
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    optimizer, weights = qml.GradientDescentOptimizer(0.2), pnp.array(w, requires_grad=True)
    start = pruned(X[0], weights)
    for _ in range(3):
        weights = optimizer.step(lambda v: pruned(X[0], v), weights)
    assert pruned(X[0], weights) < start


def test_functions_without_a_name(tmp_path):
    """A partial function has none."""
    original, X, w = make("angle+strong", "Z")
    node = qml.QNode(partial(original.func), qml.device("default.qubit", wires=original.device.wires))
    pruned = qpp.prune(node, Threshold(0.1), inputs=X, weights=w)
    assert "PrunedQNode circuit(" in repr(pruned)
    pruned.save(tmp_path / "saved", drawings=False)
    np.testing.assert_allclose(qpp.load(tmp_path / "saved", node)(X[0], w), pruned(X[0], w), atol=1e-12)
