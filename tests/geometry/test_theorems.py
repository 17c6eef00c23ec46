"""T1, T2 and T4 on random circuits over the whole catalogue, by dense simulation (THEORY section 5).

`make test` runs PARTS × EXAMPLES cases of `test_random_circuits`, the same in every run; tests/soak draws new ones.
"""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import (
    BOUND_SLACK,
    CATALOGUE,
    INPUTS,
    KEPT,
    ROUNDING,
    SQUARE_SLACK,
    Case,
    asked,
    cases,
    complex_matrix,
    deform,
    deviation,
    examples,
    gates,
    is_symbolic,
    outputs,
    reduced,
    replaced_circuit,
    squared_distance,
    state,
    state_angle,
    trace_distance,
    up_to_phase,
    walk,
)
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp
from scipy.stats import binom

from qprune import Proven, Task, Threshold, calibrate, prune, verify
from qprune.geometry import bounds

MODES = ("tolerance", "budget", "representatives", "any")
PARTS, EXAMPLES = 8, examples(30)  # 40 cases in `make test`, beside the soak's fresh slice
COMMON = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@pytest.mark.parametrize("part", range(PARTS))
def test_random_circuits(part):
    """Not one violation of T1, T2 or T4 on circuits, ensembles, outputs and options of every kind."""

    @seed(part)
    @settings(max_examples=EXAMPLES, derandomize=True, **COMMON)
    @given(cases(MODES[part % len(MODES)]))
    def run(case):
        check(case)

    run()


def test_every_kind_of_gate_is_drawn():
    """The strategy reaches each row of the catalogue and each gate outside it."""
    seen = set()

    @seed(0)
    @settings(max_examples=60, derandomize=True, **COMMON)
    @given(st.lists(gates(4), min_size=20, max_size=20))
    def collect(drawn):
        seen.update(operation.name for operation, *_ in drawn)

    collect()
    others = {"pauli", "PauliEvolution", "unitary", "id", "cx_o0", "ch_o0", "cry_o0", "cswap", "rccx", "mcx", "outer"}
    assert set(CATALOGUE) | others <= seen


# -- the check ----------------------------------------------------------------------------------------------------


def check(case: Case):
    """Everything that must hold for one pruned network."""
    task, options = case.task, dict(case.options)
    noise = case.noise
    if noise is not None:
        options["noise"] = calibrate(noise[0], beta=noise[1], gamma=noise[2])
    result = prune(task, **asked(**options))
    coherence, beta, gamma = noise or (1.0, 1.0, 1.0)
    deviations_stay_within_the_bound(task, result, options)
    replaced = {entry.site: entry for entry in result.certificate.replaced}
    samples = [walk(task, result.simplified, i) for i in range(task.num_samples)]
    distances, farthest_square, angles = {}, {}, np.zeros(task.num_samples)
    for k, entry in replaced.items():
        member = np.eye(2 ** len(entry.qubits)) if entry.matrix is None else complex_matrix(entry.matrix)
        steps = [steps_of_sample[k] for steps_of_sample in samples]
        assert all(step.qubits == tuple(sorted(entry.qubits)) for step in steps)
        squares = deformed_squares(steps, member, coherence, beta)
        distances[k], farthest_square[k] = aggregated(squares, task, options), squares.max()
        theta = np.array([angle(step, member) for step in steps])
        assert np.max(theta) <= entry.largest_angle + BOUND_SLACK
        angles += theta
    soundness(replaced, distances, farthest_square, options, coherence, gamma)
    if "budget" not in options:
        completeness(task, result, samples, set(replaced), options, coherence, beta, gamma)
    for i, (steps, total) in enumerate(zip(samples, angles, strict=True)):
        # Angles on the original prefixes add up to more than the real angle (T2: triangle inequality).
        before = state(task.with_circuit(result.simplified).bound_circuit(i))
        after = state(replaced_circuit(task, result, i))
        assert state_angle(before, after) <= total + BOUND_SLACK, f"sample {i}, {len(steps)} gates"
        for row, support in zip(result.certificate.angle, task.output_supports, strict=True):
            distance = trace_distance(reduced(before, support), reduced(after, support)) if support else 0.0
            assert distance <= np.sin(row[i]) + BOUND_SLACK, f"sample {i}, what the output sees"


def deviations_stay_within_the_bound(task, result, options):
    """T2 on every output and sample, T4, and the certificate's own measurement."""
    certificate = result.certificate
    budget = options.get("budget", np.inf)
    for i in range(task.num_samples):
        before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
        real = deviation(task, before, after)
        for r, change in enumerate(real):
            bound = certificate.bound[r][i]
            assert change <= bound + BOUND_SLACK, f"output {r}, sample {i}: measured {change}, proven {bound}"
            assert abs(change - certificate.measured[r][i]) <= BOUND_SLACK
            assert bound <= budget + BOUND_SLACK
            row = certificate.certified_predictions[r]
            if row is not None and row[i]:
                assert np.sign(outputs(task, before)[r]) == np.sign(outputs(task, after)[r])


def deformed_squares(steps, member, coherence, beta):
    """Squared d_q per sample, densely."""
    return np.array([squared_distance(deform(step.rho, coherence, beta), step.gate, member) for step in steps])


def aggregated(squares, task, options):
    """Squared d_q over the ensemble."""
    return squares.max() if options["aggregate"] == "max" else squares @ task.probabilities


def angle(step, member):
    """Undeformed θ: the angle of the whole states after the gate and after what replaces it.

    Not from the reduced state: it knows an amplitude of 1e-9 by its square only, and the angle to 1e-8.
    """
    after = [step.before.evolve(Operator(matrix), list(step.qubits)).data for matrix in (step.gate, member)]
    return state_angle(*after)


def tolerance_of(options, num_qubits, coherence, gamma):
    """ε_k, or infinity where only the budget limits."""
    base = options.get("tolerance", None if "budget" in options else 0.05)
    if base is None:
        return np.inf
    return np.sqrt(base**2 + gamma * (1 - coherence) * (1 - 2.0**-num_qubits))


def soundness(replaced, distances, farthest_square, options, coherence, gamma):
    """T1: what was replaced is within its tolerance, and the certificate's d_q is the dense one."""
    for k, entry in replaced.items():
        tolerance = tolerance_of(options, len(entry.qubits), coherence, gamma)
        assert distances[k] <= tolerance**2 + SQUARE_SLACK
        # near √2 (on some sample) the package takes |o| from 1 − |o|², which halves its digits
        digits = SQUARE_SLACK if farthest_square[k] < 1.9 else 1e-7
        assert abs(distances[k] - entry.distance**2) <= digits


def completeness(task, result, samples, replaced, options, coherence, beta, gamma):
    """T1: no prunable gate that the identity could replace is left, unless it cancels with another that is."""
    for k, item in enumerate(result.simplified.data):
        name, width = item.operation.name, len(item.qubits)
        outside = name in KEPT or (name == "unitary" and width > 2) or name == "id"
        encoding = any(task.has_inputs(p) for p in item.operation.params) if is_symbolic(item.operation) else False
        if k in replaced or outside or (encoding and not options["prune_encoding"]):
            continue
        steps = [steps_of_sample[k] for steps_of_sample in samples]
        square = aggregated(deformed_squares(steps, np.eye(2**width), coherence, beta), task, options)
        tolerance = tolerance_of(options, width, coherence, gamma)
        if square < max(0.0, tolerance - 1e-9) ** 2:
            assert cancels(task, result, k, replaced), f"{name} (gate {k}) should have gone"


def cancels(task, result, k, replaced):
    """Whether, after the replacements, gate k and one other do nothing together, densely."""
    others = [j for j in range(len(result.simplified.data)) if j != k and j not in replaced]
    whole = Operator(replaced_circuit(task, result, 0)).data
    pairs = (Operator(replaced_circuit(task, result, 0, without={k, j})).data for j in others)
    return any(up_to_phase(whole, pair) < BOUND_SLACK for pair in pairs)


# -- the bound is met ---------------------------------------------------------------------------------------------


def aligned(count, total):
    """A rotation and `count` small ones that turn the state back along the same great circle.

    The CZs act on |0⟩ and do nothing, but no exact simplification knows that; they keep the rotations apart.
    """
    circuit = QuantumCircuit(2)
    circuit.ry(1.1, 0)
    for _ in range(count):
        circuit.cz(0, 1)
        circuit.ry(-total / count, 0)
    return circuit


@pytest.mark.thinned(3)
@pytest.mark.parametrize("count", [1, 2, 8, 40])
@pytest.mark.parametrize(
    ("observable", "total"),
    [("IZ", 0.4), ("IZ", 0.02), (SparsePauliOp(["IZ", "II"], [1.5, 0.2]), 0.005)],
    ids=["±1, large", "±1, small", "other spectrum"],
)
@pytest.mark.parametrize("mode", ["tolerance", "budget"])
def test_aligned_errors_meet_the_bound(count, observable, total, mode):
    """Errors about one axis add up to the bound: it cannot be made smaller, whatever the number of gates."""
    circuit = aligned(count, total)
    # A window knows the exact angle and lets the large rotation go too, against the small ones.
    options = {"tolerance": 0.51 * total / count} if mode == "tolerance" else {"budget": 2 * total, "window": 0}
    result = prune(Task(circuit, observable), **asked(**options))
    gone = [entry for entry in result.certificate.replaced if entry.gate == "ry" and entry.site > 0]
    assert len(gone) == count
    real = deviation(result.original, state(circuit), state(result.circuit))[0]
    assert 0.99 * result.certificate.bound[0][0] < real <= result.certificate.bound[0][0] + ROUNDING


def test_angles_that_do_not_add_would_be_wrong():
    """Adding infidelities, as other tools do, is no bound: here it is short by more than a factor of five."""
    count, small = 40, 0.01
    infidelity = 1 - (1 - np.sin(small / 2) ** 2) ** count
    circuit = QuantumCircuit(1)
    circuit.ry(count * small, 0)
    real = np.sin(state_angle(state(circuit), state(QuantumCircuit(1)))) ** 2
    assert real > 5 * infidelity


# -- unseen inputs (T5) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [1, 7, 100])
@pytest.mark.parametrize("successes", [0, 1, 5])
def test_clopper_pearson_by_its_definition(successes, trials):
    """At the limit p, so few successes have probability δ."""
    if successes > trials:
        pytest.skip("more successes than trials")
    limit = bounds.clopper_pearson(successes, trials, 0.05)
    if successes == trials:
        assert limit == 1
    else:
        assert binom.cdf(successes, trials, limit) == pytest.approx(0.05)


SPLITS, DELTA, CEILING = 2000, 0.05, 2.0
# Of that many right statements at confidence 1 − δ, more than these fail once in a million.
FAILURES = int(binom.ppf(1 - 1e-6, SPLITS, DELTA))
POPULATIONS = {
    "rare and large": np.repeat([0.0, CEILING], [97, 3]),
    "coin": np.array([0.0, CEILING]),
    "uniform": np.linspace(0, CEILING, 1001),
    "skewed": CEILING * np.linspace(0, 1, 1001) ** 8,
    "all alike": np.array([0.3]),
}


@pytest.mark.thinned(4)
@pytest.mark.parametrize("size", [2, 30, 300])
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_expected_deviation_is_below_its_limit_often_enough(name, size):
    """Hold-outs drawn from a population whose mean is known (T5)."""
    population, rng = POPULATIONS[name], np.random.default_rng(11)
    claims = (bounds.holdout_claim(rng.choice(population, size), CEILING, None, DELTA) for _ in range(SPLITS))
    failures = sum(claim.expected_upper < population.mean() - 1e-12 for claim in claims)
    assert failures <= FAILURES


def test_the_smaller_of_two_limits_is_taken():
    """Bernstein's where the spread is small, Hoeffding's where it is not, never more than can be."""
    narrow, wide = np.full(2000, 0.01), np.tile([0.0, CEILING], 15)
    for values, smaller in ((narrow, bounds.empirical_bernstein), (wide, bounds.hoeffding)):
        claim = bounds.holdout_claim(values, CEILING, None, DELTA)
        assert claim.expected_upper == smaller(values, CEILING, DELTA / 2) < CEILING
    assert bounds.holdout_claim(np.full(2, 1.9), CEILING, None, DELTA).expected_upper == CEILING


@pytest.mark.parametrize("rate", [0.0, 0.004, 0.05, 0.3, 0.5, 0.98, 1.0])
@pytest.mark.parametrize("size", [1, 30, 300])
def test_the_flip_rate_is_below_its_limit_often_enough(rate, size):
    """Flips drawn at a known rate (T5)."""
    flips = np.random.default_rng(12).binomial(size, rate, SPLITS)
    limits = {int(k): bounds.clopper_pearson(int(k), size, DELTA) for k in np.unique(flips)}
    assert sum(limits[int(k)] < rate for k in flips) <= FAILURES


def test_statements_on_unseen_inputs_hold_often_enough():
    """From hold-out to certificate, where everything is known: the state is cos(x/2 + 0.15), sin(x/2 + 0.15), pruning
    takes the 0.15 away, and x is uniform on the circle."""
    splits, size, turn, rng = 100, 80, 0.3, np.random.default_rng(13)
    expected, rate = 2 * np.sin(turn / 2) * 2 / pi, 2 * turn / (2 * pi)
    x = INPUTS[0]
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    circuit.ry(turn, 0)
    failures = np.zeros(2, dtype=int)
    for _ in range(splits):
        inputs = np.append(0.7, rng.uniform(0, 2 * pi, size))
        task = Task(circuit, "Z", inputs=inputs, input_params=[x], holdout=np.arange(1, size + 1))
        result = prune(task, Threshold(turn))
        assert result.circuit.size() == 1
        claim = result.certificate.holdout
        failures += claim.expected_upper < expected, claim.flip_rate_upper < rate
    assert np.all(failures <= binom.ppf(1 - 1e-6, splits, DELTA))


def test_holdout_is_never_seen_by_selection():
    """Selection on some samples, T5 on the others, both as the dense oracle has them."""
    rng = np.random.default_rng(2)
    x = INPUTS[0]
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.cx(0, 1)
    circuit.rx(0.04, 1)
    circuit.ry(0.03, 0)
    inputs = rng.uniform(-pi, pi, 40)
    task = Task(circuit, "ZI", inputs=inputs, input_params=[x], holdout=0.5, seed=1)
    other = Task(circuit, "ZI", inputs=np.where(np.isin(np.arange(40), task.heldout), 0.123, inputs),
                 input_params=[x], holdout=0.5, seed=1)  # fmt: skip
    result, same = prune(task, Threshold(0.03)), prune(other, Threshold(0.03))
    assert result.certificate.replaced == same.certificate.replaced
    assert result.certificate.samples == tuple(task.selected)
    real = np.array(
        [deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))[0] for i in task.heldout]
    )
    claim = result.certificate.holdout
    assert (claim.samples, claim.mean, claim.largest) == (20, pytest.approx(real.mean()), pytest.approx(real.max()))
    assert claim.expected_upper >= claim.mean
    assert (claim.flips, claim.flip_rate_upper) == (0, pytest.approx(1 - 0.05 ** (1 / 20)))


def test_appended_test_data_are_the_hold_out():
    """Selection goes as if they were not there; T5 speaks of them and of nothing else, in whatever order they come."""
    rng = np.random.default_rng(4)
    x = INPUTS[0]
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.cx(0, 1)
    circuit.rx(0.04, 1)
    circuit.ry(0.3, 0)
    train, test = rng.uniform(-pi, pi, 9), rng.uniform(0, 0.5, 5)
    alone = prune(Task(circuit, "ZI", inputs=train, input_params=[x]), Proven(0.06))
    task = Task(
        circuit, "ZI", inputs=np.append(train, test), input_params=[x], holdout=rng.permutation(np.arange(9, 14))
    )
    result = prune(task, Proven(0.06))
    assert (list(task.selected), list(task.heldout)) == ([*range(9)], [*range(9, 14)])
    assert result.certificate.replaced == alone.certificate.replaced != ()
    assert result.certificate.bound == alone.certificate.bound
    real = [deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))[0] for i in range(9, 14)]
    claim = result.certificate.holdout
    assert (claim.samples, claim.mean, claim.largest) == (5, pytest.approx(np.mean(real)), pytest.approx(max(real)))
    assert verify(task, result)
