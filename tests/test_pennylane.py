"""`qprune.pennylane`: every template and measurement against PennyLane's own execution of the original QNode.

The oracle is the original QNode on `default.qubit`; gradients are compared with finite differences of the pruned one.
"""

from __future__ import annotations

from qprune import Measured, Proven, Threshold
import json
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

import qprune
from qprune import BundleError, CertificateError, OptionError, QpruneError, TaskError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml
    from pennylane import numpy as pnp

    import qprune.pennylane as qpp
from qprune.pennylane.tape import GATES, PreparedState, _append, expand, slots_of

pytestmark = pytest.mark.filterwarnings("ignore")
SAME = 1e-9  # two exact simulations of one circuit
SLACK = 1e-8  # rounding by which a measured deviation may exceed a bound near zero


def needs(module):
    return pytest.mark.skipif(find_spec(module) is None, reason=f"{module} is not installed")


def data(samples, *shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.5, 1.5, (samples, *shape))


def small(*shape, seed=1):
    """Weights of which about half are small enough to go at the tests' tolerance."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * rng.choice([0.03, 0.7], size=shape)


def node(circuit, device="default.qubit", wires=None, **options):
    return qml.QNode(circuit, qml.device(device, wires=wires), **options)


def results(qnode, X, *rest):
    """All measurements of all samples, flattened: shape (M, numbers)."""
    rows = X if X is not None else [None]
    calls = [qnode(*(() if x is None else (x,)), *rest) for x in rows]
    return np.array([np.concatenate([np.ravel(v) for v in (r if isinstance(r, tuple) else (r,))]) for r in calls])


# -- the table of circuits ---------------------------------------------------------------------------------------------


def angle_layers(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(3), rotation="Y")
    qml.StronglyEntanglingLayers(weights, wires=range(3))


def iqp(inputs, weights):
    qml.IQPEmbedding(inputs, wires=range(3), n_repeats=2, pattern=[[0, 1], [1, 2]])
    qml.BasicEntanglerLayers(weights, wires=range(3))


def amplitude(inputs, weights):
    qml.AmplitudeEmbedding(inputs, wires=[2, 0, 1], normalize=True, pad_with=0.3)
    qml.BasicEntanglerLayers(weights, wires=range(3), rotation=qml.RY)


def complex_state(inputs, weights):
    state = inputs[:4] + 1j * inputs[4:]
    qml.MottonenStatePreparation(state / qml.math.linalg.norm(state), wires=[1, 0])
    qml.SimplifiedTwoDesign(weights[:2], weights[2:].reshape(-1, 1, 2), wires=range(2))
    qml.RX(0.1, 2)
    qml.CNOT([0, 2])


def basis(inputs, weights):
    qml.BasisEmbedding(inputs, wires=range(3))
    qml.BasicEntanglerLayers(weights, wires=range(3))


def reuploading(inputs, weights):
    for layer in weights:
        for wire in range(3):
            qml.RX(layer[wire, 0] * inputs[wire] + layer[wire, 1], wire)
            qml.Rot(*layer[wire, 1:4], wire)
        qml.CZ([0, 1])
        qml.CNOT([2, 1])


def hand_written(inputs, weights):
    for wire in range(3):
        qml.Hadamard(wire)
        qml.RZ(inputs[wire], wire)
    qml.Rot(weights[0], weights[1], weights[2], 0)
    qml.CRX(weights[3], [1, 0])
    qml.CRY(weights[4], [0, 2])
    qml.CRZ(inputs[1] * weights[5], [2, 1])
    qml.IsingZZ(weights[6], [0, 2])
    qml.IsingXX(weights[7], [1, 0])
    qml.IsingYY(weights[8], [1, 2])
    qml.PauliRot(weights[9], "XZY", [2, 0, 1])
    qml.PauliRot(weights[10], "ZIX", [0, 1, 2])
    qml.MultiRZ(weights[11], [0, 1, 2])
    qml.ControlledPhaseShift(weights[12], [2, 0])
    qml.PhaseShift(weights[13], 1)
    qml.U3(weights[14], weights[15], 0.3, 2)
    qml.U2(weights[16], 0.2, 0)
    qml.IsingXY(weights[17], [2, 1])
    qml.SingleExcitation(weights[18], [0, 1])
    qml.CRot(weights[19], weights[20], weights[21], [1, 2])


def adjoint_and_control(inputs, weights):
    qml.AngleEmbedding(inputs, wires=range(3))
    qml.adjoint(qml.StronglyEntanglingLayers)(weights[0], wires=range(3))
    qml.adjoint(qml.PauliRot(weights[1, 0, 0, 0], "YX", [0, 2]))
    qml.ctrl(qml.RX(weights[1, 0, 0, 1], 2), control=[0, 1])
    qml.ctrl(qml.RY(weights[1, 0, 0, 2], 1), control=0, control_values=[0])
    qml.ctrl(qml.Rot(*weights[1, 0, 1], 0), control=[2, 1], control_values=[1, 0])
    qml.ctrl(qml.MultiRZ(weights[1, 0, 2, 0], [1, 2]), control=0)
    qml.ctrl(qml.S(1), control=2)
    qml.ctrl(qml.X(0), control=[1, 2], control_values=[0, 1])
    qml.adjoint(qml.T(0))
    qml.adjoint(qml.SX(1))
    qml.pow(qml.RX(weights[1, 0, 2, 1], 0), 2)
    qml.exp(qml.X(0) @ qml.Y(1), 1j * weights[1, 0, 2, 2])


def fixed_gates(inputs, weights):
    qml.BasisState([1, 0, 1], wires=range(3))
    qml.AngleEmbedding(inputs, wires=range(3))
    for gate in (qml.SX(0), qml.Y(1), qml.CY([0, 1]), qml.CH([1, 2]), qml.ISWAP([0, 2]), qml.ECR([2, 1]), qml.T(1)):
        qml.apply(gate)
    qml.QubitUnitary(qml.matrix(qml.SingleExcitation(0.4, [0, 1]) @ qml.RX(0.2, 0)), [2, 0])
    qml.BasicEntanglerLayers(weights, wires=range(3))
    qml.Toffoli([2, 0, 1])
    qml.CCZ([0, 1, 2])
    qml.SWAP([0, 1])
    qml.Barrier(range(3))
    qml.GlobalPhase(0.3)
    qml.QFT(wires=[1, 2])
    qml.DiagonalQubitUnitary(np.exp([0.1j, 0.2j]), 0)


def kernel(inputs, weights):
    """The middle is nothing: the adjoint must cancel exactly."""
    angle_layers(inputs, weights)
    qml.adjoint(qml.AngleEmbedding)(inputs, wires=range(3))
    qml.AngleEmbedding(inputs, wires=range(3))
    qml.BasicEntanglerLayers(weights[0], wires=range(3))


CIRCUITS = {
    "angle+strong": (angle_layers, data(14, 3), small(3, 3, 3)),
    "iqp+basic": (iqp, data(14, 3), small(3, 3)),
    "amplitude": (amplitude, data(14, 6), small(4, 3)),
    "complex state": (complex_state, data(14, 8), small(8)),
    "basis": (basis, np.random.default_rng(0).integers(0, 2, (14, 3)), small(4, 3)),
    "re-uploading": (reuploading, data(14, 3), small(2, 3, 4)),
    "hand-written": (hand_written, data(14, 3), small(22)),
    "adjoint+ctrl": (adjoint_and_control, data(14, 3), small(2, 1, 3, 3)),
    "fixed gates": (fixed_gates, data(14, 3), small(3, 3)),
    "kernel": (kernel, data(14, 3), small(1, 3, 3)),
}

HERMITIAN = np.array([[1, 0.5j, 0, 0.2], [-0.5j, -0.3, 0.1, 0], [0, 0.1, 0.7, 1], [0.2, 0, 1, -2]])
MEASUREMENTS = {
    "Z": lambda: qml.expval(qml.Z(1)),
    "word": lambda: qml.expval(qml.X(2) @ qml.Y(0)),
    "sum": lambda: qml.expval(0.5 * qml.Z(0) + 1.5 * qml.X(1) @ qml.Z(2) - 0.25 * qml.Identity(0)),
    "Hermitian": lambda: qml.expval(qml.Hermitian(HERMITIAN, [2, 0])),
    "Hamiltonian": lambda: qml.expval(qml.Hamiltonian([0.3, -1.2], [qml.Z(0) @ qml.Z(2), qml.Y(1)])),
    "Hermitian×Z": lambda: qml.expval(qml.Hermitian(HERMITIAN, [0, 2]) @ qml.Z(1)),
    "Hadamard": lambda: qml.expval(qml.Hadamard(0)),
    "Projector": lambda: qml.expval(qml.Projector([1, 0], [2, 1])),
    "probs": lambda: qml.probs(wires=[2, 0]),
    "probs of all": lambda: qml.probs(),
    "var of Z": lambda: qml.var(qml.Z(2)),
    "var of sum": lambda: qml.var(qml.Z(0) + 2 * qml.X(2)),
    "several": lambda: (
        qml.expval(qml.Z(0)),
        qml.var(qml.Y(1) + qml.Z(0)),
        qml.probs(wires=[2, 1]),
        qml.expval(qml.X(2)),
    ),
}
CASES = [*((c, "sum") for c in CIRCUITS), *(("hand-written", m) for m in MEASUREMENTS if m != "sum")]


def make(circuit, measurement="sum", **options):
    function, X, w = CIRCUITS[circuit]

    def qnode(inputs, weights):
        function(inputs, weights)
        return MEASUREMENTS[measurement]()

    return node(qnode, **options), X, w


def deviations(original, pruned, X, w):
    """Per measurement |Δ| or total variation, by sample, from executing both QNodes."""
    each = []
    for x in X:
        pairs = [r if isinstance(r, tuple) else (r,) for r in (original(x, w), pruned(x, w))]
        each.append(
            [np.abs(b - a) if np.ndim(b) == 0 else np.abs(b - a).sum() / 2 for b, a in zip(*pairs, strict=True)]
        )
    return np.array(each).T


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


@pytest.mark.parametrize("representatives", ["identity", "clifford", "class"])
@pytest.mark.parametrize("circuit", ["angle+strong", "hand-written", "re-uploading"])
def test_representatives(circuit, representatives):
    original, X, w = make(circuit, "several")
    middle = 0.8 if representatives == "class" else np.pi / 2
    w = np.where(np.abs(w) > 0.1, middle + w / 50, w)
    pruned = qpp.prune(original, Threshold(0.2), inputs=X, weights=w, representatives=representatives, prune_encoding=True, noise=0.99)
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
        return qml.expval(qml.Z(0) @ qml.Z(1))

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
    assert qml.workflow.construct_tape(pruned.qnode)(0.1, 0.3).operations == []
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
    assert "RY" not in qml.specs(pruned.qnode)(X[0], 1e-3)["resources"].gate_types
    np.testing.assert_allclose(results(pruned, X, 1e-3), results(original, X, 1e-3), atol=1e-2)


# -- devices, gradients, interfaces -----------------------------------------------------------------------------------


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


@needs("qiskit_aer")
@pytest.mark.parametrize("measurement", ["Z", "probs"])
@pytest.mark.parametrize("circuit", ["angle+strong", "hand-written", "amplitude"])
def test_aer(circuit, measurement):
    original, X, w = make(circuit, measurement, device="qiskit.aer", wires=3, shots=20_000)
    pruned = qpp.prune(original, Threshold(0.1), inputs=X[:5], weights=w)
    exact = qpp.prune(make(circuit, measurement)[0], Threshold(0.1), inputs=X[:5], weights=w)
    np.testing.assert_allclose(results(pruned, X[:1], w), results(exact, X[:1], w), atol=0.05)


def test_shots():
    original, X, w = make("hand-written", "several")
    pruned = qpp.prune(qml.set_shots(original, 40_000), Threshold(0.1), inputs=X, weights=w)
    np.testing.assert_allclose(results(pruned, X[:2], w), results(original, X[:2], w), atol=0.2)
    exact = qml.set_shots(pruned.qnode, None)
    np.testing.assert_allclose(results(pruned, X[:2], w), results(exact, X[:2], w), atol=0.1)
    counts = qml.set_shots(pruned.qnode, 10)
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
        batch = jax.vmap(pruned.qnode, in_axes=(0, None))(jx[:3], jw)
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
    layer = qml.qnn.TorchLayer(pruned.qnode, {"weights": w.shape})
    assert layer(tx).shape == (len(X),)
    assert qpp.recertify(pruned, tw + 0.1).largest > 0


def test_draw_specs_repr_report():
    original, X, w = make("angle+strong", "several")
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    removed = len(pruned.certificate.replaced)
    before, after = pruned.result.flat.size(), pruned.result.circuit.size()
    assert after <= before - removed
    tape = qml.workflow.construct_tape(pruned.qnode)(X[0], w)
    assert sum(3 if op.name == "Rot" else 1 for op in tape.operations) == after
    assert "Rot" not in qml.draw(pruned.qnode)(X[0], w) or "Rot" in {op.name for op in tape.operations}
    assert qml.specs(pruned.qnode)(X[0], w)["resources"].num_gates == len(tape.operations)
    assert f"{before} → {after}" in repr(pruned)
    assert "certified" in repr(pruned)
    assert str(pruned.result) in pruned.report()
    assert "var(" in pruned.report()
    assert "probs(" in pruned.report()


def test_rot_survives_as_rot():
    original, X, w = make("angle+strong")
    pruned = qpp.prune(original, Threshold(0), inputs=X, weights=w + 0.5)
    names = [op.name for op in qml.workflow.construct_tape(pruned.qnode)(X[0], w).operations]
    assert names.count("Rot") >= 4
    np.testing.assert_allclose(results(pruned, X, w + 0.7), results(original, X, w + 0.7), atol=SAME)


def test_trainable_parameters_of_the_tape():
    """Only angles that depend on the weights are shifted or differentiated."""
    original, X, w = make("hand-written", "sum")
    pruned = qpp.prune(original, Threshold(0.1), inputs=X, weights=w)
    tape = qml.workflow.construct_tape(pruned.qnode)(X[0], pnp.array(w, requires_grad=True))
    assert 0 < len(tape.trainable_params) <= pruned.trainable_mask.sum() + 1


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
    if find_spec("jax"):
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
        (lambda w: (qml.RX(w, 0), qml.var(qml.Z(0)))[1], {"weights": 0.1, "labels": [1]}, "labels"),
    ],
)
def test_unusable(circuit, arguments, error):
    with pytest.raises(QpruneError, match=error):
        qpp.prune(node(circuit), **arguments)


def test_unusable_options():
    original, X, w = make("angle+strong")
    with pytest.raises(OptionError, match="tolerence is no option"):
        qpp.prune(original, inputs=X, weights=w, tolerence=0.1)
    with pytest.raises(TaskError, match="must be a PennyLane QNode"):
        qpp.prune(original.func, inputs=X, weights=w)
    with pytest.raises(TaskError, match="labels"):
        qpp.prune(original, inputs=X, weights=w, labels=[1, 2])


# -- files ------------------------------------------------------------------------------------------------------------


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


def test_the_saved_report_takes_the_curve(tmp_path):
    original, X, w = make("hand-written", "several")
    pruned = qpp.prune(original, Proven(0.1), inputs=X, weights=w)
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
    with pytest.raises(BundleError, match="pennylane"):
        qpp.load(tmp_path / "out", build(0.3, 0, qml.Z(1)))
    with pytest.raises(BundleError):
        qpp.load(tmp_path / "nowhere", build(0.3, 0, qml.Z(1)))


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
