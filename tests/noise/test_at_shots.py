"""The error at a number of shots: simulated outputs, Propositions 5 and 6, tolerances, `UnderNoise`, warnings."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from noisy_networks import depolarising, exact, networks, outputs_of, predictor, redundant
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Delay, Measure, Parameter
from qiskit.circuit.library import CXGate, RZGate, SXGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import DensityMatrix, SparsePauliOp
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer.noise import NoiseModel, depolarizing_error, thermal_relaxation_error
from scipy.optimize import minimize

from qprune import (
    CertificateViolation,
    Measured,
    OptionError,
    QpruneWarning,
    Task,
    Threshold,
    UnderNoise,
    calibrate,
    prune,
    verify,
)
from qprune.gates.sites import sites_of
from qprune.noise import at_shots
from qprune.noise.at_shots import ErrorAtShots


def predicted(task, noise, shots=1000, layout=None):
    forecast, calibration = predictor(task, noise, layout)
    outputs = outputs_of(task)
    return ErrorAtShots(forecast).of(task, sites_of(task), outputs, outputs, shots), calibration


def simulated(task, noise, layout=None):
    """Outputs under noise as qprune simulates them, shape (R, M)."""
    forecast, calibration = predictor(task, noise, layout)
    rows, found, _ = ErrorAtShots(forecast)._noisy(task, sites_of(task), outputs_of(task))
    assert rows.tolist() == list(range(task.num_samples))
    return found + np.array([s.centre for s in task.spectra])[:, None], calibration


# -- simulation ---------------------------------------------------------------------------------------------------


def test_simulated_outputs_are_those_of_density_matrices():
    """Uniform noise, inputs in compiled rotations, observables of several letters; readout error in closed form."""
    task = next(networks())
    found, calibration = simulated(task, depolarising())
    np.testing.assert_allclose(found, exact(task, calibration, depolarising()), atol=1e-12)
    read, _ = simulated(Task(task.circuit, "ZIZ", **_data(task)), depolarising(readout=0.1))
    plain, _ = simulated(Task(task.circuit, "ZIZ", **_data(task)), depolarising())
    np.testing.assert_allclose(read, 0.8**2 * plain, atol=1e-12)


def _data(task):
    return {"inputs": task.inputs, "input_params": task.input_params, "weights": task.named_weights}


def test_inputs_in_gates_that_are_no_pauli_rotations():
    """A native controlled phase by an input is bound input by input."""
    x = Parameter("x")
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.ry(0.9, 1)
    circuit.cp(x, 0, 1)
    circuit.rx(2 * x + 0.1, 1)
    model = NoiseModel(basis_gates=["ry", "rx", "cp"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cp"])
    task = Task(circuit, ["ZI", "YZ"], inputs=[[0.3], [1.1], [-2.0]], input_params=[x])
    found, calibration = simulated(task, model)
    np.testing.assert_allclose(found, exact(task, calibration, model), atol=1e-12)


def test_waiting_qubits_relax_as_qiskit_schedules_them():
    """On a target with times: the compiled circuit with the delays of Qiskit's own scheduling, channel by channel."""
    t1, t2 = (50e-6, 70e-6, 40e-6), (30e-6, 60e-6, 80e-6)
    properties = [QubitProperties(t1=a, t2=b) for a, b in zip(t1, t2, strict=True)]
    target = Target(num_qubits=3, qubit_properties=properties, dt=1e-9)
    pairs = {pair: InstructionProperties(duration=d, error=0.01) for pair, d in (((0, 1), 300e-9), ((1, 2), 500e-9))}
    target.add_instruction(CXGate(), pairs)
    target.add_instruction(RZGate(Parameter("t")), {(q,): InstructionProperties(duration=0.0) for q in range(3)})
    target.add_instruction(SXGate(), {(q,): InstructionProperties(duration=50e-9, error=1e-3) for q in range(3)})
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.4 + q, q)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.ry(0.3, 0)
    circuit.cx(1, 2)
    task = Task(circuit, ["IIZ", "ZXI"])
    forecast, calibration = predictor(task, target, [0, 1, 2])
    compiled = forecast.compiled(task, sites_of(task))
    native = QuantumCircuit(3)
    for gate, qubits in compiled.gates:
        native.append(gate, qubits)
    timed = target
    timed.add_instruction(Delay(Parameter("d")), {(q,): None for q in range(3)})
    timed.add_instruction(Measure(), {(q,): InstructionProperties(duration=1e-6) for q in range(3)})
    options = {"optimization_level": 0, "initial_layout": [0, 1, 2], "scheduling_method": "alap"}
    scheduled = transpile(native, target=timed, **options)
    state, started = DensityMatrix.from_label("000"), set()
    device = calibration.noises.device
    for item in scheduled.data:
        here = [scheduled.find_bit(q).index for q in item.qubits]
        if item.operation.name == "delay":
            if started >= set(here):  # |0> before a qubit's first gate stays |0>
                seconds = item.operation.duration * timed.dt
                state = state.evolve(thermal_relaxation_error(t1[here[0]], t2[here[0]], seconds), here)
            continue
        started |= set(here)
        state = state.evolve(item.operation, here)
        channel = device.channel(item.operation.name, tuple(here))
        state = state if channel is None else state.evolve(channel, here)
    found, _ = simulated(task, target, [0, 1, 2])
    assert "delay" in scheduled.count_ops()
    expected = [state.expectation_value(o).real for o in task.observables]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-10)


def test_too_many_numbers_leave_it_to_the_chain(monkeypatch):
    task = next(networks())
    monkeypatch.setattr(at_shots, "MOST_NUMBERS", 1)
    forecast, _ = predictor(task, depolarising())
    survival = forecast.survival(task, sites_of(task))
    found, _ = simulated(task, depolarising())
    centre = np.array([s.centre for s in task.spectra])[:, None]
    np.testing.assert_allclose(found - centre, forecast.damped(outputs_of(task).centred, survival), atol=1e-12)


# -- Proposition 5 ------------------------------------------------------------------------------------------------


def test_the_error_is_the_least_over_slopes_and_shifts():
    """SciPy finds no better two numbers, and as many shots as said give the standard error they are counted for."""
    whole = next(networks())
    task = Task(whole.circuit, "IIZ", **_data(whole))
    made, calibration = predicted(task, depolarising(), 50)
    ideal, noisy = outputs_of(task).means[0], exact(task, calibration, depolarising())[0]

    def square(numbers, shots=50):
        slope, shift = numbers
        return np.mean((ideal - slope * noisy - shift) ** 2) + slope**2 * np.mean(1 - noisy**2) / shots

    assert made.error == pytest.approx(np.sqrt(minimize(square, [1, 0], tol=1e-14).fun), rel=1e-6)
    line = np.polyfit(noisy, ideal, 1)
    assert made.residue == pytest.approx(np.sqrt(square(line, np.inf)), rel=1e-9)
    assert made.contrast == pytest.approx(np.polyfit(ideal, noisy, 1)[0], rel=1e-9)
    assert line[0] ** 2 * np.mean(1 - noisy**2) / made.shots == pytest.approx(0.01**2, rel=1e-9)


def test_a_fit_to_measured_outputs_finds_that_slope():
    rng = np.random.default_rng(3)
    ideal = rng.uniform(-1, 1, 200_000)
    noisy = 0.6 * ideal + 0.1 * np.cos(5 * ideal)
    shots = 20
    measured = 2 * rng.binomial(shots, (1 + noisy) / 2) / shots - 1
    slope, _ = np.polyfit(measured, ideal, 1)
    best = np.cov(ideal, noisy)[0, 1] / (noisy.var() + np.mean(1 - noisy**2) / shots)
    assert slope == pytest.approx(best, rel=0.01)


def test_without_inputs_nothing_is_fitted():
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.cx(0, 1)
    made, calibration = predicted(task := Task(circuit, "ZI"), depolarising())
    noisy = exact(task, calibration, depolarising())[0, 0]
    assert made.residue == pytest.approx(abs(np.cos(0.4) - noisy), rel=1e-9)
    assert made.error == pytest.approx(np.sqrt((np.cos(0.4) - noisy) ** 2 + (1 - noisy**2) / 1000), rel=1e-9)


def shot_variances(task, noise):
    return ErrorAtShots(predictor(task, noise)[0])._noisy(task, sites_of(task), outputs_of(task))[2]


def test_words_that_no_setting_reads_together_share_the_shots():
    """Two settings, half the shots each; the parts' variances from Aer's means of parts and of their squares."""
    whole, model = next(networks()), depolarising()
    parts = [SparsePauliOp(["ZZI", "IZZ"], [0.5, 0.8]), SparsePauliOp(["XII"], [0.3])]
    task = Task(whole.circuit, [parts[0] + parts[1] + SparsePauliOp(["III"], [0.7])], **_data(whole))
    apart = Task(whole.circuit, [o for part in parts for o in (part, (part @ part).simplify())], **_data(whole))
    means = exact(apart, calibrate(model).placed(task.circuit), model)
    expected = 2 * (means[1] - means[0] ** 2 + means[3] - means[2] ** 2)
    np.testing.assert_allclose(shot_variances(task, model)[0], expected, atol=1e-12)


def test_the_variance_of_one_shot_as_it_is_read():
    """Two words of one setting, read wrong: the spread of the values that bits have, over their probabilities."""
    whole, wrong = next(networks()), 0.1
    observable = SparsePauliOp(["ZZI", "IZZ"], [0.5, 0.8])
    task = Task(whole.circuit, [observable], **_data(whole))
    measured = whole.circuit.copy()
    measured.measure_all()
    model = depolarising()
    probabilities = exact(Task(measured, **_data(whole)), calibrate(model).placed(task.circuit), model)
    confusion = np.array([[1 - wrong, wrong], [wrong, 1 - wrong]])
    read = np.kron(np.kron(confusion, confusion), confusion) @ probabilities
    values = np.diag(observable.to_matrix()).real
    expected = values**2 @ read - (values @ read) ** 2
    np.testing.assert_allclose(shot_variances(task, depolarising(readout=wrong))[0], expected, atol=1e-12)


@pytest.mark.parametrize("observable", ["ZIZ", SparsePauliOp(["ZIZ", "XII", "IYI"], [0.5, -0.8, 0.3])])
def test_where_means_alone_are_known_the_variance_is_limited(observable, monkeypatch):
    whole = next(networks())
    task = Task(whole.circuit, [observable], **_data(whole))
    known = shot_variances(task, model := depolarising(0.0, 1e-4))
    monkeypatch.setattr(at_shots, "MOST_NUMBERS", 1)
    assert np.all(shot_variances(task, model) >= known - 1e-3)


# -- Proposition 6 ------------------------------------------------------------------------------------------------


def test_contrast_grows_by_what_hits_the_gate():
    """Two paths, uncorrelated over a grid of inputs, Z Z cos w and X sin w; the noise of rx is on the first alone."""
    w, strength = 0.8, 0.2
    x = [Parameter("x0"), Parameter("x1")]
    circuit = QuantumCircuit(2)
    circuit.ry(x[0], 0)
    circuit.rx(x[1], 1)
    circuit.cx(1, 0)
    circuit.ry(-w, 0)
    grid = 2 * np.pi * np.arange(5) / 5
    inputs = np.array(np.meshgrid(grid, grid)).reshape(2, -1).T
    task = Task(circuit, "IZ", inputs=inputs, input_params=x)
    first, second = np.cos(w) ** 2 / 4, np.sin(w) ** 2 / 2  # variances of cos cos and of sin
    found = {}
    for noisy in (False, True):
        model = NoiseModel(basis_gates=["rx", "ry", "cx"])
        model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx"])
        if noisy:
            model.add_all_qubit_quantum_error(depolarizing_error(strength, 1), ["rx"])
        found[noisy] = predicted(task, model)[0].contrast
    hit = first * (1 - strength) / (first * (1 - strength) + second)
    assert found[True] == pytest.approx(0.9 * (first * (1 - strength) + second) / (first + second), rel=1e-9)
    assert found[False] / found[True] == pytest.approx(1 + hit * (1 / (1 - strength) - 1), rel=1e-9)
    assert found[True] < found[False] < found[True] / (1 - strength)


def test_tolerance_at_shots():
    task, shots = redundant(), 1
    noise = calibrate(depolarising(), gamma=0.7, shots=shots)
    result = prune(task, Threshold(0.001), noise=noise)
    record, replaced = result.certificate.noise, result.certificate.replaced
    a = record.at_shots.contrast[0]
    assert replaced
    for entry in replaced:
        saved = (1 - record.coherence[entry.site] ** 2) / (4 * a**2 * shots)
        assert entry.tolerance**2 == pytest.approx(1e-6 + 0.7 * saved)
    verify(task, result)
    more = prune(task, Threshold(0.001), noise=calibrate(depolarising(), gamma=0.7, shots=10**9))
    assert len(more.certificate.replaced) < len(replaced)
    forged = replace(record, at_shots=replace(record.at_shots, contrast=(a / 2, a)))
    with pytest.raises(CertificateViolation, match="tolerance of a gate"):
        verify(task, replace(result, certificate=replace(result.certificate, noise=forged)))


def test_a_single_coherence_has_full_contrast():
    entry = prune(redundant(), Threshold(0.1), noise=calibrate(0.9, shots=100)).certificate.replaced[0]
    assert entry.tolerance**2 == pytest.approx(0.01 + 0.19 / 400)


# -- UnderNoise at shots ------------------------------------------------------------------------------------------


def test_the_circuit_of_least_error_at_these_shots():
    """What the certificate says is what density matrices say of both circuits; more shots allow less change."""
    task, model = redundant(), depolarising()
    placed, ideal, budgets = calibrate(model).placed(task.circuit), outputs_of(task).means[0], []
    for shots in (100, 10**7):
        result = prune(task, UnderNoise(model, shots=shots))
        noise = result.certificate.noise
        assert noise.at_shots.error[1] == pytest.approx(min(error for _, error in noise.tried), rel=1e-9)
        assert noise.at_shots.shots == result.certificate.options["limit"]["shots"] == shots
        verify(task, result)
        for circuit, error in zip(
            (task.with_circuit(result.simplified), result.task), noise.at_shots.error, strict=True
        ):
            noisy = exact(circuit, placed, model)[0]
            variance = np.mean(1 - noisy**2) / shots
            slope = np.cov(ideal, noisy, bias=True)[0, 1] / (noisy.var() + variance)
            residue = ideal - ideal.mean() - slope * (noisy - noisy.mean())
            assert error == pytest.approx(np.sqrt(np.mean(residue**2) + slope**2 * variance), rel=1e-6)
        assert f"at {shots} shots" in str(result)
        budgets.append(result.certificate.budget)
    assert budgets[0] >= budgets[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": 0}, "shots must be an integer ≥ 1, got 0"),
        ({"shots": 100, "refit": "noise"}, "use refit=True with shots"),
    ],
)
def test_what_does_not_go_together(options, words):
    with pytest.raises(OptionError, match=words):
        UnderNoise("depolarizing-1e-2", **options)


def test_distributions_have_no_slope():
    circuit = QuantumCircuit(1, 1)
    circuit.ry(0.3, 0)
    circuit.measure(0, 0)
    with pytest.raises(OptionError, match="task of probabilities"):
        prune(Task(circuit), UnderNoise(depolarising(), shots=100))


# -- warnings -----------------------------------------------------------------------------------------------------


def test_a_word_where_pruning_does_not_pay():
    """A budget far beyond what so little noise is worth; and none under the limit that looks at it."""
    with pytest.warns(QpruneWarning, match="pruning is predicted not to pay on Aer noise model: at 1000 shots"):
        prune(redundant(), Measured(1.0), noise=depolarising(1e-5, 1e-4))
    with warnings.catch_warnings():
        warnings.simplefilter("error", QpruneWarning)
        prune(redundant(), UnderNoise(depolarising(1e-5, 1e-4), shots=1000))


def test_a_word_on_an_old_calibration():
    backend = GenericBackendV2(2, seed=0)
    for days, expected in ((3.0, "3.0 days ago"), (0.5, None), (None, "does not say when")):
        date = None if days is None else datetime.now(UTC) - timedelta(days=days)
        backend.properties = lambda date=date: SimpleNamespace(last_update_date=date)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            calibrate(backend, max_age=1)
        found = [str(w.message) for w in caught if w.category is QpruneWarning]
        assert len(found) == (expected is not None)
        assert expected is None or expected in found[0]
    with pytest.raises(OptionError, match="max_age must be a number of days > 0, got 0"):
        calibrate(backend, max_age=0)
