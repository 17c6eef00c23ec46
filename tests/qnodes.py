"""QNodes that the tests of PennyLane prune: templates, measurements, and what they return."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import pytest
from packaging.version import Version

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml


SAME = 1e-9  # two exact simulations of one circuit
SLACK = 1e-8  # rounding by which a measured deviation may exceed a bound near zero


def has(module):
    """Whether a library is installed, and JAX no older than the extra "test" asks for."""
    return find_spec(module) is not None and (module != "jax" or Version(version("jax")) >= Version("0.8"))


def needs(module):
    return pytest.mark.skipif(not has(module), reason=f"{module} is not installed, or too old")


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
