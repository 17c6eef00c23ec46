"""A QNode that is fed with images as amplitudes, and with angles beside: every image at once (T9, step 9)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from qprune import Domain, Everywhere, Measured, everywhere, verify

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml

    import qprune.pennylane as qpp
from qprune.pennylane.tape import PreparedState

pytestmark = pytest.mark.filterwarnings("ignore")
QUBITS = 3


@qml.qnode(qml.device("default.qubit", wires=QUBITS))
def images(x, w):
    """Eight pixels as amplitudes of three qubits, then, where there is a ninth number, an angle."""
    qml.AmplitudeEmbedding(x[:8], wires=range(QUBITS), normalize=True)
    for layer in range(2):
        for q in range(QUBITS):
            qml.RY(w[layer, q], q)
        for q in range(QUBITS):
            qml.CNOT([q, (q + 1) % QUBITS])
        if layer == 0 and len(x) == 9:
            qml.RX(x[8], 1)
    return qml.expval(qml.Z(0)), qml.expval(qml.X(1))


def trained(angles, seed=0):
    rng = np.random.default_rng(seed)
    weights = 0.5 * rng.normal(size=(2, QUBITS))
    weights[0, 1], weights[1, 0] = 0.01, 0.02
    return np.abs(rng.normal(size=(8, 8 + angles))), weights


@pytest.mark.parametrize("angles", [0, 1])
def test_the_budget_holds_for_every_image(angles):
    rows, weights = trained(angles)
    pruned = qpp.prune(images, Everywhere(0.1), inputs={"x": rows}, weights={"w": weights})
    result, claim = pruned.result, pruned.certificate.every_input
    assert result.circuit.size() < result.original.circuit.size()
    assert claim.lower <= claim.upper <= 0.1
    assert claim.outputs[0].method == "largest eigenvalue, real states"
    verify(result.original, result)
    rng = np.random.default_rng(1)
    others = np.abs(rng.normal(size=(30, 8 + angles)))
    others[:, 8:] = rng.uniform(rows[:, 8:].min(axis=0), rows[:, 8:].max(axis=0), (30, angles))
    change = [np.subtract(images(x, weights), pruned(x, weights)) for x in others]
    assert np.abs(change).max() <= claim.upper + 1e-9


def test_the_worst_image_is_no_better_than_the_data():
    rows, weights = trained(0)
    pruned = qpp.prune(images, Measured(0.05), inputs={"x": rows}, weights={"w": weights})
    claim = everywhere(pruned.result, domain=Domain.box(-2 * np.pi, 2 * np.pi)).certificate.every_input
    changes = np.abs([np.subtract(images(x, weights), pruned(x, weights)) for x in rows]).max(axis=0)
    for output, measured in zip(claim.outputs, changes.tolist(), strict=True):
        assert output.method == "largest eigenvalue, all states"
        assert measured - 1e-9 <= output.lower <= output.upper


def test_refit_keeps_it_too():
    rows, weights = trained(0)
    pruned = qpp.prune(images, Everywhere(0.2, refit=True), inputs={"x": rows}, weights={"w": weights})
    assert pruned.certificate.every_input.upper <= 0.2
    verify(pruned.result.original, pruned.result)


def test_a_state_that_moves_to_other_wires_as_cx_go():
    """Of the two CX of a swap with an empty qubit one is left, and the state begins where the swap took it."""

    @qml.qnode(qml.device("default.qubit", wires=2))
    def moved(x, w):
        qml.AmplitudeEmbedding(x, wires=[0], normalize=True)
        qml.CNOT([1, 0])
        qml.CNOT([0, 1])
        qml.CRX(w[0], [1, 0])
        qml.RY(w[1], 0)
        return qml.expval(qml.Y(0) @ qml.Z(1)), qml.expval(qml.X(0))

    rows, weights = np.random.default_rng(0).normal(size=(3, 2)), np.array([0.7, -1.2])
    pruned = qpp.prune(moved, Measured(0.0), inputs={"x": rows}, weights={"w": weights})
    assert pruned.result.circuit.num_nonlocal_gates() < pruned.result.original.circuit.num_nonlocal_gates()
    np.testing.assert_allclose(pruned(-rows[0], weights), moved(-rows[0], weights), rtol=0, atol=1e-9)


@pytest.mark.parametrize("qubits", [1, 2, 3])
def test_the_angles_of_a_state_prepare_it(qubits):
    rng = np.random.default_rng(qubits)
    state = rng.normal(size=2**qubits) + 1j * rng.normal(size=2**qubits)
    state /= np.linalg.norm(state)
    gate = PreparedState([0.0] * (2 * (2**qubits - 1)), qubits, False, 0)
    made = PreparedState(list(gate.angles_for(state)), qubits, False, 0).__array__()[:, 0]
    assert abs(np.vdot(made, state)) == pytest.approx(1)
