"""Pruning under a limit for every input: by removal, and by refit that its worst inputs guide."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from every_input_cases import falling
from helpers import prepared_for
from oracles import outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from scipy.optimize import minimize

from qprune import Task
from qprune.gates.sites import sites_of
from qprune.limits.claim_everywhere import EveryInputComparison
from qprune.limits.counterexamples import UpperEverywhere, descended, led_by_counterexamples, spread
from qprune.limits.fits import FitsOn
from qprune.limits.measuring import watch_of
from qprune.limits.progress import OutOfTime
from qprune.limits.removal import Reduced
from qprune.task.domain import Domain
from qprune.verify.every_input import confirm


def network(seed=0, qubits=3, samples=12):
    rng = np.random.default_rng(seed)
    x, w = ParameterVector("x", qubits), ParameterVector("w", 4 * qubits)
    circuit = QuantumCircuit(qubits)
    for q in range(qubits):
        circuit.ry(x[q], q)
    for layer in range(2):
        for q in range(qubits):
            circuit.rz(w[2 * (layer * qubits + q)], q)
            circuit.ry(w[2 * (layer * qubits + q) + 1], q)
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
    weights = rng.normal(size=len(w)) * rng.choice([0.02, 0.8], len(w))
    rows = rng.uniform(0, 2.5, (samples, qubits))
    return Task(
        circuit, "Z" + "I" * (qubits - 1), inputs=rows, input_params=list(x), weights=dict(zip(w, weights, strict=True))
    )


def largest(first, second, low, high, rng):
    """The largest change that a multi-start search on dense states finds."""

    def changes(rows):
        return np.abs(outputs_on(second, rows) - outputs_on(first, rows))[:, 0]

    rows = rng.uniform(low, high, (60, len(low)))
    values = changes(rows)
    best = float(values.max())
    for k in np.argsort(-values)[:2]:
        found = minimize(falling, rows[k], (changes,), jac=True, bounds=np.stack([low, high], axis=1))
        best = max(best, changes([np.clip(found.x, low, high)])[0])
    return best


def test_the_measure_is_a_limit_and_remembers_what_broke_it():
    task = network()
    sites = sites_of(task)
    comparison = EveryInputComparison(task, sites)
    start = Reduced(task, sites, 0.0)
    rng, (low, high) = np.random.default_rng(1), (task.inputs.min(axis=0), task.inputs.max(axis=0))
    trainable = [k for k, site in enumerate(sites) if site.role == "trainable"]
    kept = broken = 0
    for k in trainable[:8]:
        smaller = start.without([k])
        true = largest(task, smaller.task, low, high, rng)
        measure = UpperEverywhere(comparison, 0.05)
        upper = measure(smaller)
        assert true <= upper + 1e-12
        if upper <= 0.05:
            kept += 1
        else:
            broken += 1
            assert len(measure.worst) == 1
            assert true > 0.05 * 0.97  # not refused without a reason
    assert kept
    assert broken


def fitted(task, budget):
    """Drops the smallest rotations while the inputs it was given stay within a budget, and knows of no others."""
    sites = sites_of(task)
    start = Reduced(task, sites, 0.0)
    target = outputs_on(task, task.inputs)
    best = start
    for count in range(1, 6):
        order = np.argsort([abs(float(task.values(s.coordinate))) if s.role == "trainable" else np.inf for s in sites])
        smaller = start.without(sorted(order[:count].tolist()))
        if np.abs(outputs_on(smaller.task, task.inputs) - target).max() <= budget:
            best = smaller
    return best


def as_it_is(task, reduced, budget):
    """Finds no better weights: the deviation stays unknown, so that no more is asked of this circuit."""
    return reduced


def test_weights_are_fitted_again_before_gates_are():
    """On the inputs that broke the budget, too; what keeps it then is taken."""
    task = network(2)
    sites = sites_of(task)
    comparison = EveryInputComparison(task, sites)
    start, asked = Reduced(task, sites, 0.0), []

    def moved(given, budget):
        asked.append("gates")
        return replace(start, task=task.with_weights(task.weights + 0.3), gone=frozenset({0}))

    def again(given, reduced, budget):
        asked.append(len(given.inputs))
        share = 0.2 if len(asked) < 4 else 0.0  # better, then right
        return replace(start, task=task.with_weights(task.weights + share), deviation=0.0)

    measure, fits = UpperEverywhere(comparison, 1e-3), SimpleNamespace(pruned=moved, again=again)
    led = led_by_counterexamples(measure, start, fits, lambda r: -len(r.gone))
    assert asked[0] == "gates"
    assert len(asked) == 4
    assert all(a < b for a, b in pairwise(asked[1:]))  # counterexamples joined
    limits = led.rounds[-1].limits
    assert limits[-1] <= 1e-3 < min(limits[:-1])
    assert led.reduced.task.weights == pytest.approx(task.weights)


def test_where_nothing_goes_more_inputs_are_not_asked():
    task = network(2)
    sites = sites_of(task)
    start, asked = Reduced(task, sites, 0.0), []

    def nothing(given, budget):
        asked.append(budget)
        return start

    measure = UpperEverywhere(EveryInputComparison(task, sites), 0.0)
    led = led_by_counterexamples(measure, start, SimpleNamespace(pruned=nothing), lambda r: len(r.sites))
    assert led.reduced is start
    assert len(asked) == 1


@pytest.mark.thinned(9)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_accepted_keeps_the_budget_on_the_whole_domain(seed):
    task = network(seed, samples=2)
    sites, budget = sites_of(task), 0.08
    comparison = EveryInputComparison(task, sites, Domain.box(0, 3))
    measure, fits = UpperEverywhere(comparison, budget), SimpleNamespace(pruned=fitted, again=as_it_is)
    led = led_by_counterexamples(measure, Reduced(task, sites, 0.0), fits, lambda r: len(r.sites))
    reduced = led.reduced
    assert len(reduced.sites) < len(sites)
    assert reduced.deviation <= budget
    found = largest(task, reduced.task, np.zeros(3), np.full(3, 3.0), np.random.default_rng(2))
    assert found <= reduced.deviation + 1e-12
    confirm(task, reduced.task, comparison.claim(reduced.task, reduced.sites))
    assert led.rounds[-1].limits[-1] <= budget


def test_a_fit_that_never_keeps_the_budget_leaves_the_start():
    task = network(3)
    sites = sites_of(task)
    comparison = EveryInputComparison(task, sites)
    start, seen = Reduced(task, sites, 0.0), []

    def careless(given, budget):
        seen.append((len(given.inputs), budget))
        return start.without([k for k, site in enumerate(sites) if site.name == "cx"])

    measure, fits = UpperEverywhere(comparison, 1e-3), SimpleNamespace(pruned=careless, again=as_it_is)
    led = led_by_counterexamples(measure, start, fits, lambda r: len(r.sites), shares=(0.8, 0.8, 0.5, 0.5))
    assert led.reduced is start
    assert [budget for _, budget in seen] == pytest.approx([8e-4, 8e-4, 5e-4, 5e-4])
    assert all(a < b for (a, _), (b, _) in pairwise(seen))  # counterexamples joined
    assert len(measure.worst)
    low, high = task.inputs.min(axis=0), task.inputs.max(axis=0)
    assert np.all((measure.worst >= low) & (measure.worst <= high))


@pytest.mark.parametrize("seed", [0, 1])
def test_every_step_of_a_descent_keeps_the_budget_on_the_whole_domain(seed):
    task, looked = network(seed, qubits=2, samples=2), []
    sites, prepared = sites_of(task), prepared_for(task)
    measure = UpperEverywhere(EveryInputComparison(task, sites, Domain.box(0, 3)), 0.1)
    reduced = descended(measure, Reduced(task, sites, 0.0), FitsOn(prepared, watch_of(prepared)), looked.append)
    assert len(reduced.sites) < len(sites)
    assert looked[-1] is reduced
    assert all(len(more.sites) > len(less.sites) for more, less in pairwise(looked))
    for step in (looked[0], reduced):
        found = largest(task, step.task, np.zeros(2), np.full(2, 3.0), np.random.default_rng(2))
        assert found <= step.deviation + 1e-12
        assert step.deviation <= measure.budget


def test_a_descent_moves_the_weights_of_others():
    """Of two rotations about one axis either makes up for the other; removal alone can take neither."""
    x, w = ParameterVector("x", 1), ParameterVector("w", 2)
    circuit = QuantumCircuit(1)
    circuit.ry(w[0], 0)
    circuit.ry(x[0], 0)
    circuit.ry(w[1], 0)
    task = Task(circuit, "Z", inputs=[[0.1], [2.0]], input_params=list(x), weights={w[0]: 0.7, w[1]: 0.6})
    start = Reduced(task, sites_of(task), 0.0)
    measure = UpperEverywhere(EveryInputComparison(task, start.sites), 1e-6)
    assert all(measure(start.without([k])) > 0.1 for k in (0, 2))
    prepared = prepared_for(task)
    reduced = descended(measure, start, FitsOn(prepared, watch_of(prepared)), lambda step: None)
    assert [site.role for site in reduced.sites].count("trainable") == 1
    assert reduced.deviation <= 1e-6
    np.testing.assert_allclose(outputs_on(reduced.task, [[1.3]]), outputs_on(task, [[1.3]]), atol=1e-6)


def test_a_search_that_time_cuts_short_says_nothing():
    task = network()

    def late():
        raise OutOfTime

    measure = UpperEverywhere(EveryInputComparison(task, sites_of(task)), 0.05, left=lambda: 0.0)
    start = Reduced(task, sites_of(task), 0.0)
    measure(start)
    measure.check = late
    with pytest.raises(OutOfTime):
        measure(start)
    assert not len(measure.worst)


def test_the_first_ensemble_holds_corners_and_points_of_the_domain():
    task = network()
    points = spread(EveryInputComparison(task, sites_of(task), Domain.box(0, 1)).region, np.random.default_rng(0))
    assert {tuple(map(float, f"{k:03b}")) for k in range(8)} <= {tuple(row) for row in points.tolist()}
    assert np.all((points >= 0) & (points <= 1))
    assert len(points) > 100


@pytest.mark.parametrize("seed", [0, 1])
def test_a_claim_says_on_which_side_of_a_limit_it_is_however_close(seed):
    """Pruning with refit ends next to its budget; the certificate must not then stand above it."""
    task = network(seed, samples=5)
    sites, smaller = sites_of(task), task.with_weights(task.weights * 0.97)
    comparison = EveryInputComparison(task, sites, Domain.ellipsoid())
    sharp = comparison.claim(smaller, sites, gap=1e-6)
    for limit in (sharp.upper * (1 + 1e-4), sharp.upper * (1 + 1e-5)):
        assert comparison.claim(smaller, sites, limit=limit).upper <= limit
    limit = sharp.lower * (1 - 1e-5)
    assert comparison.claim(smaller, sites, limit=limit).lower > limit
