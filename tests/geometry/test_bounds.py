"""The inequalities of `bounds`, attacked by search over states within the angle."""

from __future__ import annotations

from itertools import product
from math import pi

import numpy as np
import pytest
from helpers import (
    INPUTS,
    dense,
    examples,
    random_state,
    replaced_circuit,
    state,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qprune import Task, Threshold, calibrate, prune
from qprune.geometry import bounds

# -- the inequalities of `bounds` by search -----------------------------------------------------------------------


Z = Task(QuantumCircuit(1), "Z").spectra[0]


def farthest(observable, vector, theta, rng, tries=4000):
    """The largest |Δ⟨O⟩| found over states at angle ≤ theta: random directions and the best plane."""
    matrix = dense(observable)
    mean = np.vdot(vector, matrix @ vector).real
    best = 0.0
    directions = [matrix @ vector, *(np.linalg.eigh(matrix)[1].T), *(random_state(1, rng) for _ in range(0))]
    size = len(vector)
    directions += list(rng.normal(size=(tries // 20, size)) + 1j * rng.normal(size=(tries // 20, size)))
    for direction in directions:
        normal = direction - np.vdot(vector, direction) * vector
        if np.linalg.norm(normal) < 1e-12:
            continue
        normal /= np.linalg.norm(normal)
        for t, sign in product(np.linspace(0, theta, 20), (1, -1)):
            other = np.cos(t) * vector + sign * np.sin(t) * normal
            best = max(best, abs(np.vdot(other, matrix @ other).real - mean))
    return best


@pytest.mark.thinned(8)
@pytest.mark.parametrize(
    "observable",
    [
        SparsePauliOp("ZX"),
        SparsePauliOp(["XI", "ZI"], [0.5**0.5, 0.5**0.5]),
        SparsePauliOp(["ZZ", "XI", "IY"], [0.7, -0.4, 1.1]),
        SparsePauliOp(["II", "ZI"], [0.5, 0.5]),
        SparsePauliOp(["II"], [0.3]),
    ],
    ids=["word", "involution", "sum", "projector", "constant"],
)
@pytest.mark.parametrize("theta", [1e-6, 0.05, 0.4, 0.9, 1.4, pi / 2])
def test_no_state_within_the_angle_exceeds_the_bound(observable, theta):
    """T2, and for O² = 1 some state meets it."""
    rng = np.random.default_rng(7)
    task = Task(QuantumCircuit(2), observable)
    matrix = dense(observable)
    extreme = np.linalg.eigh(matrix)[1].T
    for vector in [*(random_state(2, rng) for _ in range(6)), extreme[0], extreme[-1]]:
        mean = np.vdot(vector, matrix @ vector).real
        variance = np.vdot(vector, matrix @ matrix @ vector).real - mean**2
        spread = np.sqrt(max(variance, 0))
        centred = np.array(mean - task.spectra[0].centre)
        bound = float(bounds.observable_bound(np.array(theta), centred, np.array(spread), task.spectra[0]))
        found = farthest(observable, vector, theta, rng)
        assert found <= bound + 1e-12
        # Met for ±1 to the accuracy that σ has in double precision; away from eigenstates every form is in reach.
        if task.spectra[0].is_two_valued and variance > 1e-6:
            assert found > 0.98 * bound


@pytest.mark.thinned(12)
@pytest.mark.parametrize("error", [1e-12, 1e-3, 0.08, 0.5])
@pytest.mark.parametrize(
    "observable",
    [
        SparsePauliOp("ZX"),
        SparsePauliOp(["XI", "ZI"], [0.5**0.5, 0.5**0.5]),
        SparsePauliOp(["ZZ", "XI", "IY"], [0.7, -0.4, 1.1]),
    ],
    ids=["word", "involution", "sum"],
)
@pytest.mark.parametrize("theta", [1e-3, 0.3, 1.0, 1.5])
def test_the_bound_from_measured_means_holds_for_the_exact_ones(observable, theta, error):
    """Means wrong by up to `error` per word, as by shots, and σ as it follows from them: T2 holds nevertheless."""
    rng = np.random.default_rng(3)
    spectrum, matrix = Task(QuantumCircuit(2), observable).spectra[0], dense(observable)
    extreme = np.linalg.eigh(matrix)[1].T
    for vector in [*(random_state(2, rng) for _ in range(3)), extreme[0], extreme[-1]]:
        exact = np.vdot(vector, matrix @ vector).real
        found = farthest(observable, vector, theta, rng)
        for sign in (-1, 0, 1):
            mean = exact + sign * error * spectrum.weight
            spread = np.sqrt(max((spectrum.high - mean) * (mean - spectrum.low), 0))
            arguments = np.array(theta), np.array(mean), np.array(spread), spectrum, error
            assert found <= float(bounds.observable_bound(*arguments)) + 1e-12
            if bounds.predictions_certified(np.array(theta), np.array(mean), spectrum, error):
                assert not spectrum.predicts_sign or found < abs(exact) + 1e-12


@pytest.mark.parametrize(
    "observable",
    [
        SparsePauliOp("ZX"),
        SparsePauliOp(["ZZ", "XI", "IY"], [0.7, -0.4, 1.1]),
        SparsePauliOp(["II", "ZI"], [-2.5, 0.5]),
    ],
    ids=["word", "sum", "far from zero"],
)
@pytest.mark.parametrize("theta", [1e-6, 0.05, 0.4, 1.4])
def test_no_state_within_the_angle_exceeds_what_follows_for_variance_and_outcomes(observable, theta):
    """Var O from the bounds on O and O²; total variation of the two outcomes on one qubit. The cap of the variance is
    met by an even mixture of the extreme eigenvectors."""
    rng = np.random.default_rng(8)
    matrix = dense(observable)
    observables = [SparsePauliOp.from_operator(m) for m in (matrix, matrix @ matrix)]
    projectors = [SparsePauliOp(["II", "ZI"], [0.5, sign / 2]) for sign in (1, -1)]
    spectra = Task(QuantumCircuit(2), [*observables, *projectors]).spectra
    operators = [*map(dense, observables), *map(dense, projectors)]

    def moments(vector):
        return [np.vdot(vector, m @ vector).real for m in operators]

    def variance(vector):
        values, vectors = np.linalg.eigh(matrix)
        return np.cov(values, aweights=np.abs(vectors.conj().T @ vector) ** 2, ddof=0)

    for _ in range(40):
        vector, other = random_state(2, rng), random_state(2, rng)
        other -= np.vdot(vector, other) * vector
        moved = np.cos(theta) * vector + np.sin(theta) * other / np.linalg.norm(other)
        before, after = moments(vector), moments(moved)
        limits = []
        for mean, operator, spectrum in zip(before, operators, spectra, strict=True):
            spread = np.linalg.norm(operator @ vector - mean * vector)
            mean_ = np.array([mean - spectrum.centre])
            limits.append(bounds.observable_bound(np.array([theta]), mean_, np.array([spread]), spectrum))
        change = abs(variance(moved) - variance(vector))
        bound = bounds.variance_bound(limits[0], limits[1], np.array(before[:1]), spectra[0])[0]
        assert change <= bound + 1e-12
        distance = np.abs(np.subtract(before, after))[2:].sum() / 2
        assert distance <= bounds.outcomes_bound(np.array([theta]), np.array(limits[2:]))[0] + 1e-12
    low, high = np.linalg.eigh(matrix)[1].T[[0, -1]]
    assert bounds.largest_variance(spectra[0]) == pytest.approx(variance((low + 1j * high) / 2**0.5))


@given(st.floats(-1, 1), st.floats(0, pi / 2), st.floats(0, pi / 2))
@settings(max_examples=examples(100), derandomize=True, database=None, deadline=None)
def test_bounds_grow_with_the_angle(mean, theta, other):
    """The budget search relies on it."""
    low, high = sorted((theta, other))
    for task in (Task(QuantumCircuit(1), "Z"), Task(QuantumCircuit(1), SparsePauliOp(["Z", "I"], [0.6, 0.4]))):
        spectrum = task.spectra[0]
        mean_ = np.array(spectrum.low + (mean + 1) / 2 * (spectrum.high - spectrum.low))
        spread = np.sqrt(np.maximum((spectrum.high - mean_) * (mean_ - spectrum.low), 0))
        values = [float(bounds.observable_bound(np.array(t), mean_, spread, spectrum)) for t in (low, high)]
        assert values[0] <= values[1] + 1e-12


@pytest.mark.parametrize("mean", [-1.0, -0.8, -0.3, 0.0, 1e-9, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("budget", [0.0, 1e-6, 0.1, 0.7, 1.5, 2.0, 5.0])
def test_largest_angle_is_the_largest(mean, budget):
    """It stays within the budget, and a little more would not."""
    spectrum = Task(QuantumCircuit(1), "Z").spectra[0]
    mean_, spread = np.array([mean]), np.sqrt(np.array([1 - mean**2]))
    angle_ = bounds.largest_angle(budget, mean_, spread, spectrum)
    assert angle_[0] >= 0
    if angle_[0] > 0:
        within = bounds.observable_bound(np.minimum(angle_, pi / 2), mean_, spread, spectrum)
        assert within[0] <= budget
    if angle_[0] < pi / 2:
        assert bounds.observable_bound(angle_ + 1e-9, mean_, spread, spectrum)[0] > budget


@pytest.mark.parametrize("budget", [0.0, 0.2, 0.999, 1.0, 3.0])
def test_largest_angle_of_a_distribution(budget):
    """sin Θ ≤ budget; a budget of one allows everything."""
    angle_ = bounds.largest_distribution_angle(budget, 3)
    assert angle_.shape == (3,)
    if budget >= 1:
        assert np.all(angle_ >= pi / 2)
    else:
        np.testing.assert_allclose(np.sin(angle_), budget, atol=1e-15)


@pytest.mark.parametrize("mean", [-0.9, -0.2, 0.05, 0.6, 1.0])
def test_predictions_are_certified_up_to_the_flip_and_not_beyond(mean):
    """T4 is exact on the great circle through the state and the decision boundary."""
    start = np.arccos(mean) / 2  # ⟨Z⟩ of (cos a, sin a) is cos 2a
    flip = abs(pi / 4 - start)
    for theta, expected in ((flip - 1e-6, True), (flip + 1e-6, False)):
        certified = bool(bounds.predictions_certified(np.array(theta), np.array(mean), Z))
        assert certified is expected
        moved = start + np.sign(mean) * theta
        assert (np.sign(np.cos(2 * moved)) == np.sign(mean)) is np.bool_(expected)


def test_an_undecided_prediction_is_never_certified():
    """⟨O⟩ = 0 has no sign to keep."""
    assert not bounds.predictions_certified(np.array(0.0), np.array(0.0), Z)


def test_closed_form_from_tolerances_covers_the_angles():
    """With the aggregate "max", Θ of every sample is at most Σ 2 arcsin(κε/2) (T2)."""
    rng = np.random.default_rng(3)
    for trial in range(20):
        circuit = QuantumCircuit(3)
        circuit.h([0, 1, 2])
        for _ in range(12):
            circuit.ry(rng.normal(scale=0.1), rng.integers(3))
            circuit.rzz(rng.normal(scale=0.1), *rng.permutation(3)[:2])
            circuit.cx(*rng.permutation(3)[:2])
        noise = calibrate(0.7, beta=3.0, gamma=0.0) if trial % 2 else None
        result = prune(Task(circuit, "ZZZ"), Threshold(0.08, aggregate="max"), noise=noise)
        closed = result.certificate.angle_from_tolerances
        assert closed is not None
        assert np.max(result.certificate.angle) <= closed + 1e-6
    assert prune(Task(circuit, "ZZZ"), Threshold(0.08, aggregate="rms")).certificate.angle_from_tolerances is None


def test_mean_state_error_bounds_the_ensemble():
    """(E‖Δψ‖²)^½ ≤ Σ_k (E d²)^½, with the best phase for every sample (T2, Minkowski)."""
    rng = np.random.default_rng(5)
    for trial in range(15):
        circuit = QuantumCircuit(2)
        for q, p in enumerate(INPUTS):
            circuit.ry(p, q)
        for _ in range(5):
            circuit.rx(rng.normal(scale=0.2), rng.integers(2))
            circuit.cx(0, 1)
            circuit.rz(rng.normal(scale=0.2), rng.integers(2))
        inputs = rng.uniform(0, pi, (5, 2))
        probabilities = rng.dirichlet(np.ones(5))
        task = Task(circuit, ["ZI", "XY"], inputs=inputs, input_params=INPUTS, probabilities=probabilities)
        result = prune(task, Threshold(0.15))
        square = 0.0
        for i, p in enumerate(probabilities):
            before = state(task.with_circuit(result.simplified).bound_circuit(i))
            square += p * (2 - 2 * abs(np.vdot(before, state(replaced_circuit(task, result, i)))))
        assert np.sqrt(max(square, 0)) <= result.certificate.mean_state_error + 1e-7, f"trial {trial}"


def test_mean_state_error_is_not_that_of_the_final_state():
    """A removed gate was all that joined qubit 1 to the output: what stood there goes too, and the state with it."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.ry(1.0, 1)
    circuit.crx(0.01, 1, 0)
    result = prune(Task(circuit, "IZ"), Threshold(0.05))
    error = np.sqrt(2 - 2 * abs(np.vdot(state(circuit), state(result.circuit))))
    assert result.certificate.mean_state_error < 0.01 < 0.4 < error
    assert result.certificate.largest_measured <= result.certificate.largest_bound < 0.02
