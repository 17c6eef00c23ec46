"""Predicted noisy outputs against Aer's density matrices, and the stopping rule that rests on them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from noisy_networks import depolarising, exact, networks, outputs_of, predictor, redundant
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import CXGate, RZGate, SXGate
from qiskit.quantum_info import SparsePauliOp, StabilizerState, random_clifford
from qiskit.transpiler import InstructionProperties, QubitProperties, Target
from qiskit_aer.noise import NoiseModel
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qprune import CertificateViolation, OptionError, Task, UnderNoise, calibrate, prune, verify
from qprune.gates.sites import sites_of
from qprune.noise import forecast
from qprune.noise.channels import noise_of

# -- the chain ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_exact_on_clifford_circuits(seed):
    """One path per word: the damped mean is the noisy one, letter by letter, for any word and routed qubits alike."""
    circuit = QuantumCircuit(4)
    circuit.compose(random_clifford(3, seed=seed).to_circuit(), [2, 0, 3], inplace=True)
    circuit.cx(1, 2)
    circuit.sdg(1)
    words = [label[1:] for label in StabilizerState(circuit).clifford.to_labels(mode="S")]  # means of ±1
    task = Task(circuit, words)
    found, calibration = predictor(task, depolarising())
    survival = found.survival(task, sites_of(task))
    ideal, noisy = outputs_of(task).means[:, 0], exact(task, calibration, depolarising())[:, 0]
    left = np.array([survival.of(word) for word in words])
    np.testing.assert_allclose(left * ideal, noisy, atol=1e-9)
    np.testing.assert_allclose(np.abs(ideal), 1, atol=1e-9)
    assert left.min() < 0.95


def test_readout_error_damps_each_letter():
    task = Task(QuantumCircuit(3), ["IIZ", "ZIZ", "III"])
    found, _ = predictor(task, depolarising(readout=0.1))
    survival = found.survival(task, ())
    assert [survival.of(word) for word in ("IIZ", "ZIZ", "III")] == pytest.approx([0.8, 0.64, 1.0])


def test_qubits_that_wait_relax():
    """Qubit 0 waits for the 300 ns of the second cx: Z on it is left with λ of the first cx and of that relaxation."""
    t1, t2 = 50e-6, 30e-6
    target = Target(num_qubits=3, qubit_properties=[QubitProperties(t1=t1, t2=t2)] * 3)
    pairs = {pair: InstructionProperties(duration=300e-9, error=0.01) for pair in ((0, 1), (1, 2))}
    target.add_instruction(CXGate(), pairs)
    target.add_instruction(RZGate(Parameter("t")), {(q,): InstructionProperties(duration=0.0) for q in range(3)})
    target.add_instruction(SXGate(), {(q,): InstructionProperties(duration=50e-9) for q in range(3)})
    circuit = QuantumCircuit(3)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    task = Task(circuit, ["IIZ", "ZII"])
    found, placed = predictor(task, target, [0, 1, 2])
    survival = found.survival(task, sites_of(task))
    gate = placed.noises.of(CXGate(), (0, 1)).coherence
    kept = np.sqrt((2 * np.exp(-2 * 300e-9 / t2) + np.exp(-2 * 300e-9 / t1)) / 3)
    assert survival.of("IIZ") == pytest.approx(gate * kept)
    assert survival.of("IIZ") > survival.of("ZII")


def test_words_by_their_qubits(monkeypatch):
    """Beyond a few qubits letters count as random: cx keeps Z on its control alone one time in three, and so on."""
    task = Task(QuantumCircuit(2), "ZZ")
    found, _ = predictor(task, depolarising())
    matrix = found._transfer(task, CXGate(), 0, 2)
    np.testing.assert_allclose(matrix[1], [0, 1 / 3, 0, 2 / 3], atol=1e-12)  # control alone: Z stays, X and Y spread
    np.testing.assert_allclose(matrix[2], [0, 0, 1 / 3, 2 / 3], atol=1e-12)
    np.testing.assert_allclose(matrix[3], [0, 2 / 9, 2 / 9, 5 / 9], atol=1e-12)
    for task in networks():
        fine = predictor(task, depolarising())[0].deviation(task, sites_of(task), outputs_of(task), outputs_of(task))
        monkeypatch.setattr(forecast, "LETTER_QUBITS", 1)
        coarse = predictor(task, depolarising())[0].deviation(task, sites_of(task), outputs_of(task), outputs_of(task))
        monkeypatch.undo()
        assert fine != coarse
        assert abs(fine - coarse) < 0.4 * fine


def test_only_what_outputs_see_is_followed():
    """Forty qubits of which two are measured; and thirty that all matter, which are too many."""
    circuit = QuantumCircuit(40)
    circuit.ry(0.3, range(40))
    circuit.cx(3, 5)
    task = Task(circuit, SparsePauliOp.from_sparse_list([("ZZ", [3, 5], 1.0)], 40))
    found, _ = predictor(task, depolarising())
    sites = [site for site in sites_of(task) if set(site.qubits) <= {3, 5}]
    assert found.survival(task, sites).left.ndim == 2
    ladder = QuantumCircuit(30)
    for q in range(29):
        ladder.cx(q, q + 1)
    task = Task(ladder, "Z" * 30)
    assert predictor(task, depolarising())[0].survival(task, sites_of(task)) is None


# -- against density matrices -------------------------------------------------------------------------------------


def true_deviation(task, calibration, model):
    return np.abs(exact(task, calibration, model) - outputs_of(task).means).mean()


def rivals(task, calibration):
    """Mean deviation if nothing were damped, or each output by λ of every native gate, or of those it depends on."""
    gates, ends = calibration.noises.whole(task.circuit, calibration.layout)
    device, ideal = calibration.noises.device, outputs_of(task).means
    centre = np.array([s.centre for s in task.spectra])[:, None]
    kept = [1.0 if (c := device.channel(g.name, q)) is None else noise_of(c).coherence for g, q in gates]
    products = {"nothing": 1.0, "every gate": float(np.prod(kept))}
    cone, seen = 1.0, {ends[q] for support in task.output_supports for q in support}
    for (_, qubits), coherence in reversed(list(zip(gates, kept, strict=True))):
        if seen & set(qubits):
            seen |= set(qubits)
            cone *= coherence
    return {name: np.abs((1 - a) * (ideal - centre)).mean() for name, a in (products | {"light cone": cone}).items()}


@pytest.mark.parametrize("noise", ["depolarising", "FakeManilaV2"])
def test_prediction_beats_trivial_ones(noise):
    """Over several networks the forecast of the mean deviation is nearer to exact density matrices than its rivals."""
    # readout error is not in the density matrix: the model is taken without
    model = NoiseModel.from_backend(FakeManilaV2(), readout_error=False) if noise != "depolarising" else depolarising()
    calibration, errors = calibrate(model), defaultdict(list)
    for task in networks():
        found, placed = predictor(task, calibration)
        truth, outputs = true_deviation(task, placed, model), outputs_of(task)
        guesses = rivals(task, placed) | {"forecast": found.deviation(task, sites_of(task), outputs, outputs)}
        for name, guess in guesses.items():
            errors[name].append(abs(guess - truth) / truth)
    mean = {name: np.mean(values) for name, values in errors.items()}
    assert mean["forecast"] < 0.6 * min(value for name, value in mean.items() if name != "forecast"), mean


def test_distributions_are_damped_subset_by_subset():
    """Outcome probabilities of qubits measured out of order, against the density matrix; a Clifford circuit exactly."""
    circuit = QuantumCircuit(3, 2)
    circuit.x(0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 2)
    circuit.measure(2, 0)
    circuit.measure(0, 1)
    task = Task(circuit)
    found, calibration = predictor(task, depolarising())
    noisy = exact(task, calibration, depolarising())[:, 0]
    survival = found.survival(task, sites_of(task))
    ideal = outputs_of(task).distribution
    np.testing.assert_allclose(found.damped(ideal.T, survival)[:, 0], noisy, atol=1e-9)
    deviation = found.deviation(task, sites_of(task), outputs_of(task), outputs_of(task))
    assert deviation == pytest.approx(np.abs(noisy - ideal[0]).sum() / 2)


def test_what_is_needed_is_what_noise_makes_right():
    for task in networks():
        found, _ = predictor(task, depolarising())
        sites, wanted = sites_of(task), outputs_of(task).centred
        survival = found.survival(task, sites)
        needed = found.needed(task, sites, wanted)
        inside = np.array([(n > s.low) & (n < s.high) for n, s in zip(needed, task.spectra, strict=True)])
        assert inside.any()
        with_it, without = (found.damped(outputs, survival) - wanted for outputs in (needed, wanted))
        np.testing.assert_allclose(with_it[inside], 0, atol=1e-12)
        assert np.all(np.abs(with_it) <= np.abs(without) + 1e-12)
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    task = Task(circuit)
    found, _ = predictor(task, depolarising())
    needed = found.needed(task, sites_of(task), outputs_of(task).distribution.T)
    assert np.all(needed >= 0)
    assert needed.sum() == pytest.approx(1)


# -- stopping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [False, True, "noise"])
def test_stops_where_noise_and_deviation_are_least_together(refit):
    """On the device, as density matrices say, the pruned circuit is nearer to the original without noise."""
    task, model = redundant(), depolarising()
    calibration = calibrate(model)
    result = prune(task, UnderNoise(refit=refit), noise=calibration)
    noise, options = result.certificate.noise, result.certificate.options
    budget, least = min(noise.tried, key=lambda pair: pair[1])
    assert options["limit"]["budget"] == budget
    assert noise.predicted[1] <= least  # with refit it counts what changes on inputs that were not fitted on, too
    assert refit or noise.predicted[1] == least
    assert noise.predicted[0] >= noise.tried[0][1]  # nothing removed, exact resynthesis may still save noise
    assert result.certificate.largest_measured <= options["limit"]["budget"] + 1e-9
    assert options["limit"]["refit"] == refit
    assert f"{noise.predicted[0]:.4g} → {noise.predicted[1]:.4g}" in str(result)
    verify(task, result)
    placed, ideal = calibration.placed(task.circuit), outputs_of(task).means
    before, after = (np.abs(exact(t, placed, model) - ideal).mean() for t in (task, result.task))
    assert after < 0.7 * before
    assert noise.predicted == pytest.approx((before, after), rel=0.35)


def test_fitting_for_the_noise_pays_on_the_device():
    task, noise = redundant(), depolarising(0.01, 0.1)
    plain, fitted = (prune(task, UnderNoise(refit=refit), noise=noise) for refit in (True, "noise"))
    assert fitted.certificate.noise.predicted[1] < plain.certificate.noise.predicted[1]
    assert verify(task, fitted).checks  # its budget is what was measured, if that is more


def test_next_to_no_noise_stops_next_to_nothing():
    """The weaker the noise, the less may be spent."""
    task = redundant()
    budgets = [prune(task, UnderNoise(), noise=depolarising(p / 10, p)).certificate.budget for p in (1e-6, 1e-3, 0.05)]
    assert budgets == sorted(budgets)
    assert budgets[0] < 1e-5 < budgets[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": UnderNoise(), "noise": 0.9}, "λ = 0.9"),
        ({"limit": UnderNoise()}, "a noise model or a device"),
        ({"limit": UnderNoise("combined"), "noise": "over-rotation"}, "noise is given twice"),
    ],
)
def test_options_that_do_not_go_together(options, words):
    with pytest.raises(OptionError, match=words):
        prune(redundant(), **options)


def test_another_budget_than_the_best_is_caught():
    task = redundant()
    result = prune(task, UnderNoise(), noise=depolarising())
    limit = result.certificate.options["limit"] | {"budget": result.certificate.budget + 0.1}
    options = result.certificate.options | {"limit": limit}
    with pytest.raises(CertificateViolation, match="least predicted"):
        verify(task, replace(result, certificate=replace(result.certificate, options=options)))
