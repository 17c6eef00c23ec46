"""Expectation values by measurement: what is claimed of them holds as often as is claimed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from helpers import deviation, state
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BackendEstimatorV2, StatevectorEstimator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import DensityMatrix, Kraus, SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_aer.primitives import EstimatorV2
from scipy.stats import binom

from qprune import (
    CertificateViolation,
    Measured,
    OnDevice,
    OptionError,
    Proven,
    Task,
    TaskError,
    Threshold,
    prune,
    trade_off,
    verify,
)
from qprune.gates.sites import sites_of
from qprune.gates.subgroups import subgroup_of
from qprune.simulators.choices import Statevector as Simulator
from qprune.simulators.estimator import measured_pass

X, W = ParameterVector("x", 2), ParameterVector("w", 8)


def network(samples=3):
    """Three qubits, asymmetric, with inputs in gates whose bound parameters Aer would ignore."""
    circuit, rng = QuantumCircuit(3), np.random.default_rng(1)
    circuit.ry(X[0], 0)
    circuit.h(1)
    circuit.crx(X[1], 1, 2)
    for k in range(2):
        for q in range(3):
            circuit.ry(W[4 * k + q], q)
        circuit.cx(k, 2)
        circuit.rzz(W[4 * k + 3], 0, 1)
    return Task(
        circuit,
        ["IZX", SparsePauliOp(["ZII", "IYZ", "III"], [0.8, -0.5, 0.3])],
        inputs=rng.uniform(0.2, 2.5, (samples, 2)),
        input_params=list(X),
        weights=rng.normal(0, 0.3, 8) * rng.choice([0.1, 1], 8),
        weight_params=list(W),
    )


class Shots(EstimatorV2):
    """Aer's estimator with the noise of so many shots; every circuit draws its own."""

    def __init__(self, number, seed):
        super().__init__(options={"default_precision": number**-0.5, "run_options": {}})
        self.seeds = iter(np.random.default_rng(seed).integers(2**31, size=10**4).tolist())

    def _run_pub(self, pub):
        self.options.run_options["seed_simulator"] = next(self.seeds)
        return super()._run_pub(pub)


def words(sites):
    return [() if (group := subgroup_of(site)) is None else group.words for site in sites]


def passes(task, estimator, delta):
    sites = sites_of(task)
    exact = Simulator().run(task, sites, words(sites), task.selected)
    return measured_pass(estimator, delta, task, sites, words(sites), task.selected, False), exact


def farthest(measured, exact, task):
    """The largest error of a measured word, or of an output over Σ|c|, in units of the claimed radius."""
    scale = np.array([spectrum.weight for spectrum in task.spectra])[:, None]
    words, means = measured.values - exact.values, (measured.outputs.means - exact.outputs.means) / scale
    return max(np.abs(words).max(), np.abs(means).max()) / measured.outputs.rounding


@pytest.mark.thinned(9)
@pytest.mark.parametrize("delta", [0.5, 0.02])
def test_all_values_keep_within_the_radius_as_often_as_claimed(delta):
    """Coverage over repeated runs at least 1 − δ, and a radius that is not much too wide."""
    circuit = QuantumCircuit(2)
    circuit.ry(X[0], 0)
    circuit.rzz(0.9, 0, 1)
    circuit.rx(0.3, 1)
    task, runs = Task(circuit, ["ZX", "IY"], inputs=np.linspace(0.1, 3, 20), input_params=X[0]), 70
    errors = [farthest(*passes(task, Shots(400, seed), delta), task) for seed in range(runs)]
    assert binom.cdf(np.sum(np.less_equal(errors, 1)), runs, 1 - delta) > 1e-3  # else coverage 1 − δ is refuted
    assert max(errors) > 0.7


def test_counted_shots_of_a_backend():
    """Outcomes ±1 rather than a normal error, on a device with a coupling map and gates of its own."""
    task = network()
    device = GenericBackendV2(4, coupling_map=[[3, 1], [1, 0], [0, 2]], noise_info=False, seed=3)
    estimator = BackendEstimatorV2(backend=device, options={"default_precision": 0.02, "seed_simulator": 5})
    measured, exact = passes(task, estimator, 0.05)
    assert farthest(measured, exact, task) <= 1
    assert 0.02 < measured.outputs.rounding < 0.12
    simulator = BackendEstimatorV2(backend=AerSimulator(), options={"default_precision": 0.05, "seed_simulator": 5})
    assert farthest(*passes(task, simulator, 0.05), task) <= 1


@pytest.mark.thinned(3)
@pytest.mark.parametrize("representatives", ["identity", "clifford", "class", "local"])
@pytest.mark.parametrize(
    "options", [{"limit": Proven(0.5)}, {"limit": Threshold(0.2)}, {"limit": Threshold(0.2, aggregate="max")}]
)
def test_bounds_hold_for_the_exact_states(options, representatives):
    """T2 and T8 from shots: bounds, angles and distances are limits of the exact ones, and `verify` agrees."""
    task = network()
    result = prune(task, simulator=Shots(2000, 7), representatives=representatives, **options)
    certificate = result.certificate
    assert certificate.replaced
    for i in range(task.num_samples):
        change = deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))
        assert np.all(change <= np.array(certificate.bound)[:, i])
    exact = prune(task, Threshold(np.sqrt(2), aggregate=options["limit"].comparison.aggregate, window=0))
    distances = {entry.index: entry.distance for entry in exact.plan}
    for entry in result.plan:
        if entry.distance is not None and entry.action != "replace" and entry.subgroup:
            assert entry.distance_low <= distances[entry.index] + 1e-12 <= entry.distance + 2e-12
    for entry in certificate.replaced:
        assert entry.tolerance is None or entry.distance <= entry.tolerance
    assert certificate.options["simulator"]["estimator"] == "Shots"
    assert certificate.expectations.failure == certificate.options["simulator"]["delta"] == 0.05
    assert "probability 0.95 (T8)" in str(result)
    assert type(certificate).from_json(certificate.to_json()) == certificate
    verify(task, result)


def test_an_exact_estimator_gives_the_result_of_a_statevector():
    task = network()
    plain = prune(task, Proven(0.3, window=0))
    for estimator in (StatevectorEstimator(), EstimatorV2()):
        result = prune(task, Proven(0.3), simulator=estimator)
        assert [entry.action for entry in result.plan] == [entry.action for entry in plain.plan]
        np.testing.assert_allclose(result.certificate.bound[0], plain.certificate.bound[0], atol=1e-9)
        assert np.all(np.array(result.certificate.bound[1]) >= plain.certificate.bound[1])  # σ is not measured
        assert result.certificate.expectations.failure == 0
        verify(task, result)


def test_more_shots_admit_more():
    task = network()
    results = [prune(task, Threshold(0.05), simulator=Shots(number, 3)) for number in (100, 10**4, 10**8)]
    errors = [result.certificate.expectations.error for result in results]
    assert errors[0] > 5 * errors[1] > 100 * errors[2]
    removed = [len(result.certificate.replaced) for result in results]
    assert removed == sorted(removed)


def test_a_smaller_failure_probability_costs_a_wider_radius():
    task = network()
    errors = [
        prune(task, Proven(0.5), simulator=OnDevice(Shots(500, 2), delta=delta)).certificate.expectations.error
        for delta in (0.5, 0.05, 1e-6)
    ]
    assert errors[0] < errors[1] < errors[2] < 3 * errors[0]


def test_bounds_hold_on_a_noisy_device():
    """Measured on noisy states, T2 bounds the noisy outputs, if each gate that goes leaves its noise behind (T8)."""
    noise = {1: Kraus(depolarizing_error(0.03, 1)), 2: Kraus(depolarizing_error(0.08, 2))}
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.03, 1), ["ry", "h", "rx", "rz"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.08, 2), ["cx", "rzz"])
    circuit, rng = QuantumCircuit(3), np.random.default_rng(2)
    for k in range(3):
        for q in range(3):
            circuit.ry(rng.normal(0.3, 0.2), q)
            circuit.rz(rng.normal(0.1, 0.1), q)
        circuit.cx(k, (k + 1) % 3)
        circuit.rzz(rng.normal(0, 0.1), 2, (k + 1) % 2)
    circuit.ry(0.4, 0)
    task = Task(circuit, ["IIZ", "XZI"])
    estimator = EstimatorV2(options={"backend_options": {"method": "density_matrix", "noise_model": model}})
    result = prune(task, Proven(0.4), simulator=estimator)
    gone = {entry.site for entry in result.certificate.replaced}
    assert len(gone) >= 3
    means = []
    for without in (set(), gone):
        rho = DensityMatrix.from_int(0, 8)
        for k, item in enumerate(result.simplified.data):
            qubits = [result.simplified.find_bit(q).index for q in item.qubits]
            rho = rho if k in without else rho.evolve(item.operation, qubits)
            rho = rho.evolve(noise[len(qubits)], qubits)
        means.append([rho.expectation_value(observable).real for observable in task.observables])
    assert np.all(np.abs(np.subtract(*means)) <= np.array(result.certificate.bound)[:, 0] + 1e-12)
    assert np.abs(np.subtract(*means)).max() > 0.02


def test_tampered_claims_are_caught():
    task = network()
    result = prune(task, Proven(0.5), simulator=Shots(2000, 7))
    certificate = result.certificate
    near = tuple(replace(e, distance=e.distance / 4, distance_low=0.0) for e in certificate.replaced)
    far = tuple(replace(e, distance_low=2 * e.distance, distance=2 * e.distance) for e in certificate.replaced)
    for change, claim in (
        ({"replaced": near}, "q-overlap distance"),
        ({"replaced": far}, "q-overlap distance"),
        ({"expectations": replace(certificate.expectations, failure=0.2)}, "failure probability"),
    ):
        with pytest.raises(CertificateViolation, match=claim):
            verify(task, replace(result, certificate=replace(certificate, **change)))


def test_what_an_estimator_cannot_do_is_said():
    task, estimator = network(), Shots(100, 0)
    with pytest.raises(OptionError, match="measured with shots are limited by nothing"):
        prune(task, Measured(0.1), simulator=estimator)
    with pytest.raises(OptionError, match="leave the executor out"):
        prune(task, simulator=estimator, executor=ThreadPoolExecutor(1))
    with pytest.raises(OptionError, match="windows work on statevectors"):
        prune(task, Threshold(window=2), simulator=estimator)
    with pytest.raises(OptionError, match="delta must be a probability"):
        prune(task, simulator=OnDevice(estimator, delta=0.0))
    held = Task(task.circuit, list(task.observables), inputs=task.inputs, input_params=list(X),
                weights=task.weights, weight_params=list(W), holdout=0.4)  # fmt: skip
    with pytest.raises(TaskError, match="hold-out needs a simulator"):
        prune(held, simulator=estimator)
    with pytest.raises(TaskError, match="give it observables"):
        prune(Task(QuantumCircuit(1)), simulator=estimator)


def test_an_estimator_that_keeps_its_precision_to_itself_is_refused():
    class Silent(StatevectorEstimator):
        def _run_pub(self, pub):
            found = super()._run_pub(pub)
            found._metadata = {}
            return found

    with pytest.raises(OptionError, match="target_precision"):
        prune(network(), simulator=Silent())


def test_a_curve_is_made_by_the_same_simulator():
    """Names come from the certificate; an estimator must be given again."""
    task = network()
    result = prune(task, Proven(0.5), simulator="matrix_product_state")
    points = trade_off(result, points=2)
    assert points[1].gates == prune(task, Proven(points[1].value), simulator="matrix_product_state").circuit.size()
    measured = prune(task, Proven(0.5), simulator=Shots(2000, 7))
    with pytest.raises(OptionError, match="simulator must be given again"):
        trade_off(measured, points=2)
    assert len(trade_off(measured, points=2, simulator=Shots(2000, 7))) == 2
