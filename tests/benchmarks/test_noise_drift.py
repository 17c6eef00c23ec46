"""Extrapolation to no noise at its true cost, and devices whose calibrations have moved on."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Parameter
from qiskit.quantum_info import Operator
from qiskit_aer.noise import NoiseModel, depolarizing_error

import qprune
from benchmarks.noise import drift, extrapolation
from benchmarks.noise.outputs import noisy_outputs
from benchmarks.noise.regimes import Regime, regime_of
from benchmarks.noise.sets import BASELINE, OURS


def turned() -> QuantumCircuit:
    """Native gates, an input, and a qubit that waits."""
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(Parameter("x"), 0)
    circuit.append(Delay(100, "dt"), [1])
    circuit.sx(0)
    circuit.cx(0, 1)
    return circuit


@pytest.mark.parametrize("scale", [1, 3, 5])
def test_folding_repeats_the_gates_and_changes_nothing(scale):
    circuit = turned()
    found = extrapolation.folded(circuit, scale)
    assert found.count_ops()["cx"] == found.count_ops()["delay"] == scale
    assert set(found.count_ops()) == set(circuit.count_ops())
    values = [Operator(_without_delays(c.assign_parameters([0.7]))) for c in (circuit, found)]
    assert values[0].equiv(values[1])


def _without_delays(circuit: QuantumCircuit) -> QuantumCircuit:
    left = circuit.copy_empty_like()
    for item in circuit.data:
        if item.operation.name != "delay":
            left.append(item)
    return left


def test_a_line_through_three_scales_costs_what_least_squares_says(monkeypatch):
    """Weights of the intercept from the normal equations, instead of mitiq's; the shots of every scale count."""
    scales = np.array(extrapolation.SCALES, dtype=float)
    shares = np.linalg.pinv(np.stack([np.ones(3), scales], axis=1))[0]
    monkeypatch.setattr(extrapolation, "shares", lambda: shares)
    model = NoiseModel(basis_gates=["rz", "sx", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx"])
    regime = Regime("uniform", (0, 1), model, None)
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    task = qprune.Task(circuit, "ZZ")
    found = extrapolation.extrapolated_outputs(circuit, (0, 1), task, regime).gates
    means = 0.9**scales
    assert found.means[0, 0] == pytest.approx(shares @ means)
    assert found.covariance[0, 0, 0] == pytest.approx(3 * shares**2 @ (1 - means**2))
    assert noisy_outputs(circuit, (0, 1), task, regime).gates.means[0, 0] < found.means[0, 0] < 1


def test_the_weights_are_those_of_least_squares():
    pytest.importorskip("mitiq")
    scales = np.array(extrapolation.SCALES, dtype=float)
    expected = np.linalg.pinv(np.stack([np.ones(3), scales], axis=1))[0]
    np.testing.assert_allclose(extrapolation.shares(), expected, atol=1e-10)


def test_a_drifted_device_has_other_rates_on_the_same_couplings():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    regime = regime_of("FakeManilaV2", circuit)
    same, other, again = regime.drifted(1, 0.0), regime.drifted(1, 0.4), regime.drifted(1, 0.4)
    assert same.two_qubit_error == pytest.approx(regime.two_qubit_error)
    assert other.two_qubit_error == again.two_qubit_error != regime.two_qubit_error
    assert set(other.target.build_coupling_map()) == set(regime.target.build_coupling_map())
    assert other.readout != regime.readout
    assert regime.drifted(1, 20.0).two_qubit_error < 1  # a channel still


def test_drift_counts_the_days_on_which_the_pruned_circuit_is_better():
    def row(day, before, after):
        sides = {BASELINE: {"shots": before, "rms_at_shots": 0.1}, OURS: {"shots": after, "rms_at_shots": 0.2}}
        return {"config": {"bundle": "b", "model": "m", "day": day}, "two_qubit_error": 0.01 * day, **sides}

    _, (line,) = drift.table([row(0, 1, 9), row(1, 100, 50), row(2, 100, 200)])
    assert line[:3] == ("b", "m", "1.00% to 2.00%")
    assert line[3:] == ("1 of 2", "1.25 (0.50 to 2.00)", "0 of 2", "0.50 (0.50 to 0.50)")
