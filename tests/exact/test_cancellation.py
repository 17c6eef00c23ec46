"""What cancels once a gate is gone, against the simplifier and dense matrices; no half of a ladder is left."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import PLAIN, STANDARD, deviation, prepared_for, state, subsets, up_to_phase
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import CXGate, HGate
from qiskit.quantum_info import Operator

from qprune import Measured, Proven, Task, Threshold, prune, verify
from qprune.exact.cancellation import InversePair, freed, freed_alone, inverse_pairs, needed
from qprune.exact.simplify import apply, simplify
from qprune.gates.costs import default_cost
from qprune.gates.sites import circuit_of, sites_of
from qprune.limits.proof import bound_of
from qprune.selection.candidate import Candidate
from qprune.selection.representatives import identities, identity
from qprune.selection.select import extended, within_budget
from qprune.selection.strategies import STRATEGIES

w = Parameter("w")


def simplified(task):
    return simplify(task, sites_of(task))[0]


def task_of(circuit, values=None, observables=("ZII", "IXX", "YZY")):
    """Rotations in front and behind, so that nothing is out of sight or commutes with an output."""
    whole = QuantumCircuit(circuit.num_qubits)
    for q in range(circuit.num_qubits):
        whole.u(0.5 + q, 0.2, 0.1, q)
    whole.compose(circuit, inplace=True)
    for q in range(circuit.num_qubits):
        whole.u(0.3 + q, 0.2, 0.1, q)
    free = list(whole.parameters)
    values = np.linspace(0.2, 1.1, len(free)) if values is None else values
    return Task(whole, list(observables), weights=dict(zip(free, values, strict=True)))


def cost(sites):
    return sum(map(default_cost, sites))


# -- what a single removal frees ----------------------------------------------------------------------------------


def random_ladders(seed, size=5):
    """Gates, each with its inverse some places later: nested, next to each other, interleaved."""
    rng = np.random.default_rng(seed)
    placed = []
    for j in range(size):
        a, b = map(int, rng.permutation(3)[:2])
        kind = str(rng.choice(["cx", "cx", "cz", "h", "sx", "s", "rx", "rz"]))
        gate = STANDARD[kind](*([Parameter(f"a{j}")] if kind in ("rx", "rz") else []))
        qubits = [a, b][: gate.num_qubits]
        place = int(rng.integers(len(placed) + 1))
        placed.insert(place, (gate, qubits))
        if not gate.params:
            placed.insert(min(place + int(rng.integers(2, 6)), len(placed)), (gate.inverse(), qubits))
    circuit = QuantumCircuit(3)
    for gate, qubits in placed:
        circuit.append(gate, qubits)
    return task_of(circuit)


def test_what_is_freed_is_what_the_simplifier_cancels():
    """Every gate of many circuits removed by itself, and then the whole simplification."""
    ladders = 0
    for seed in range(60):
        task = random_ladders(seed)
        sites = simplified(task)
        alone = freed_alone(inverse_pairs(sites))
        for k in range(len(sites)):
            _, changes = simplify(task, apply(task, sites, {k: ()}))
            cancelled = {o for change in changes if change.kind == "inverse pair" for o in change.origins}
            assert cancelled == {o for j in alone.get(k, ()) for o in sites[j].origins}
            ladders += bool(cancelled)
    assert ladders > 40


@pytest.mark.parametrize("seed", range(8))
def test_what_several_removals_free_cancels_densely(seed):
    """The product of what is left is the same with and without the freed gates."""
    rng = np.random.default_rng(seed)
    task = random_ladders(100 + seed)
    sites = simplified(task)
    pairs = inverse_pairs(sites)
    for _ in range(6):
        removed = {k for k in range(len(sites)) if rng.random() < 0.5}
        gone = freed(pairs, removed)
        assert gone.isdisjoint(removed)
        point = {p: 0.3 + 0.2 * j for j, p in enumerate(task.circuit.parameters)}
        circuits = [circuit_of(task, apply(task, sites, dict.fromkeys(some, ()))) for some in (removed, removed | gone)]
        whole, less = (Operator(c.assign_parameters({p: point[p] for p in c.parameters})).data for c in circuits)
        assert up_to_phase(whole, less) < 1e-12


def ladder(kind):
    """A rotation about a Pauli word of three qubits, its rotation's place, and how many gates go with it."""
    circuit = QuantumCircuit(3)
    if kind in ("chain", "basis"):
        sides = [(CXGate(), (2, 0)), (CXGate(), (0, 1))]
    else:
        sides = [(CXGate(), (2, 1)), (CXGate(), (0, 1))]
    if kind == "basis":
        sides = [(HGate(), (2,)), (STANDARD["rx"](pi / 2), (0,)), *sides]
    for gate, qubits in sides:
        circuit.append(gate, qubits)
    circuit.rz(w, 1)
    for gate, qubits in reversed(sides):
        circuit.append(gate.inverse(), qubits)
    return circuit, 2 * len(sides)


@pytest.mark.parametrize("kind", ["chain", "star", "basis"])
def test_a_ladder_goes_with_its_rotation(kind):
    """The gain is the cost of all that is gone in the end, by the simplifier; the angle that of the whole rotation."""
    circuit, count = ladder(kind)
    task = task_of(circuit, [0.3])
    stage = prepared_for(task, budget=0.5)
    k = next(k for k, site in enumerate(stage.sites) if site.role == "trainable")
    (found,) = identities(stage.offers, [k])
    assert identity(stage.offers, k).frees == found.frees
    left, _ = simplify(task, apply(task, stage.sites, {k: ()}))
    assert len(found.frees) == count
    assert found.gain == pytest.approx(cost(stage.sites) - cost(left))
    before = state(task.circuit.assign_parameters({w: 0.3}))
    after = state(circuit_of(task, left))
    assert np.cos(found.angles[0]) == pytest.approx(abs(np.vdot(before, after)), abs=1e-9)


def test_what_commutes_in_between_does_not_matter_and_what_does_not_does():
    circuit = QuantumCircuit(3)
    circuit.cx(2, 0)
    circuit.rz(0.4, 2)
    circuit.cx(2, 1)
    circuit.rz(w, 0)
    circuit.rx(0.7, 0)
    circuit.cx(2, 0)
    (pair,) = inverse_pairs(sites_of(Task(circuit, "ZII", weights=[0.3])))
    assert pair == InversePair(0, 5, frozenset({1, 2, 3, 4}), frozenset({3}))
    assert freed([pair], {3}) == {0, 5}
    assert freed([pair], {4}) == freed([pair], {3, 5}) == freed([pair], set()) == frozenset()
    assert freed([pair], {3}, changed={2}) == frozenset()  # what stands there now may not commute


def test_pairs_that_wait_for_each_other_free_nothing():
    """a b a b: each pair is kept apart by the other; of two removed gates at most one is put back."""
    pairs = [
        InversePair(0, 2, frozenset({1}), frozenset({1})),
        InversePair(1, 3, frozenset({2}), frozenset({2})),
    ]
    assert freed(pairs, set()) == frozenset()
    assert freed(pairs, {1}) == {0, 2}
    assert needed(pairs, {1, 2}) == {1}


# -- no half of a ladder ------------------------------------------------------------------------------------------


def network(seed):
    """Rotations about words of two qubits and others, all small; entangling gates often near the identity."""
    rng = np.random.default_rng(seed)
    circuit, values = QuantumCircuit(3), []
    free = iter(ParameterVector("a", 12))
    for q in range(3):
        circuit.ry(rng.choice([0.02, 0.3]), q)
    for _ in range(4):
        a, b = map(int, rng.permutation(3)[:2])
        circuit.cx(a, b)
        circuit.rz(next(free), b)
        values.append(rng.choice([0.02, 0.1, 0.5]) * rng.normal())
        if rng.random() < 0.6:
            circuit.cx(a, b)
        circuit.ry(next(free), a)
        values.append(rng.choice([0.02, 0.1]) * rng.normal())
    parameters = list(circuit.parameters)
    weights = dict(zip(sorted(parameters, key=lambda p: p.index), values, strict=True))
    return Task(circuit, ["ZII", "IXX"], weights=weights)


def is_no_half(task, result, budget):
    """Of the replaced gates none can be kept so that as much or more goes, and the bound still holds (brute force)."""
    stage = prepared_for(task, budget=budget, window=result.certificate.options["limit"]["window"])
    gone = [e.site for e in result.certificate.replaced]
    after = cost(simplify(task, apply(task, stage.sites, dict.fromkeys(gone, ())))[0])
    for k in gone:
        rest = [j for j in gone if j != k]
        left = simplify(task, apply(task, stage.sites, dict.fromkeys(rest, ())))[0]
        if cost(left) < after:
            bound = bound_of(stage, [identity(stage.offers, j) for j in rest]).max()
            assert bound > budget, f"gate {k} is half of a ladder"


@pytest.mark.thinned(6)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("window", [0, "auto"])
def test_no_half_of_a_ladder_is_left_under_a_budget(seed, name, window):
    task, budget = network(seed), (0.02, 0.1, 0.4)[seed % 3]
    result = prune(task, Proven(budget, window=window), strategy=name, seed=seed)
    assert result.certificate.largest_bound <= budget
    is_no_half(task, result, budget)
    assert deviation(task, state(task.bound_circuit(0)), state(result.task.bound_circuit(0))).max() <= budget + 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_the_search_knows_what_goes_along(seed):
    """The best of all subsets, where a gate may go but once: replaced, or freed by another."""
    rng = np.random.default_rng(seed)
    frees = [frozenset(map(int, rng.permutation(10)[:2])) - {k} if k % 3 == 0 else frozenset() for k in range(10)]
    found = [
        Candidate(k, (), "", 0.1, rng.uniform(0, 0.3, 2), rng.choice([1, 10]) + 10.0 * len(frees[k]), 0.1, frees[k])
        for k in range(10)
    ]
    limits, cone = rng.uniform(0.1, 0.5, (1, 2)), np.ones((1, 10), dtype=bool)
    best = max(
        sum(c.gain for c in some)
        for some in subsets(found)
        if sum(len(c.takes) for c in some) == len(frozenset().union(*(c.takes for c in some)))
        and np.all(sum(c.angles for c in some) <= limits)
    )
    chosen = within_budget(found, limits, lambda separated: cone, STRATEGIES["q-iprune"]().seeded(0), ())
    assert sum(c.gain for c in chosen) >= best - 1e-9
    assert np.all(sum(c.angles for c in chosen) <= limits)


def test_a_ladder_is_worth_more_than_a_gate_alone():
    """The budget has room for one: three gates at a larger angle, or a CX at a smaller one."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.07, 2)
    circuit.u(0.8, 0.4, 0.1, [0, 1])
    circuit.cx(2, 1)
    circuit.rz(0.3, 1)
    circuit.cx(0, 1)
    circuit.rz(w, 1)
    circuit.cx(0, 1)
    for q in range(3):
        circuit.u(0.3 + q, 0.2, 0.1, q)
    task = Task(circuit, ["ZZZ", "XYX"], weights=[0.1])
    assert [e.gate for e in prune(task, Proven(0.07, window=0)).certificate.replaced] == ["cx"]
    result = prune(task, Proven(0.09, window=0))
    assert [e.gate for e in result.certificate.replaced] == ["rz"]
    assert result.circuit.count_ops()["cx"] == 1


def three_gates(angles):
    """A ladder: the first and the last gate cancel once the second is gone, and the second knows it."""
    gains, frees = (10.0, 20.1, 10.0), (frozenset(), frozenset({0, 2}), frozenset())
    found = [
        Candidate(k, (), "", 0.1, np.array([angle]), gain, 0.1, free)
        for k, (angle, gain, free) in enumerate(zip(angles, gains, frees, strict=True))
    ]
    return found, [InversePair(0, 2, frozenset({1}), frozenset({1}))]


def test_half_of_a_ladder_is_put_back_when_the_rest_goes():
    """By either search; with the rotation gone, the CX that went before it has been paid for in vain."""
    found, pairs = three_gates([0.1, 0.3, 0.9])
    limits = np.array([[0.5]])

    def fits(chosen):
        return sum(c.angles[0] for c in chosen) <= 0.5

    for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1]):
        ordered = [found[k] for k in order]
        strategy = STRATEGIES["magnitude"]().seeded(0)
        chosen = within_budget(ordered, limits, lambda gone: np.ones((1, 3), dtype=bool), strategy, (), pairs)
        assert chosen == [found[1]]
    assert extended([found[0]], found, fits, STRATEGIES["q-iprune"]().seeded(0), (), pairs) == [found[1]]


def test_half_of_a_ladder_stays_gone_where_putting_it_back_would_break_the_budget():
    """With the last gate back, the light cone takes in the fourth, at an angle that does not fit."""
    found, pairs = three_gates([0.9, 0.1, 0.1])
    found.append(Candidate(3, (), "", 0.1, np.array([0.8]), 1.0, 0.1))

    def cone_of(separated):
        return np.array([[True, True, True, 2 not in separated]])

    ordered = [found[k] for k in (2, 3, 1, 0)]
    chosen = within_budget(ordered, np.array([[0.5]]), cone_of, STRATEGIES["magnitude"]().seeded(0), (), pairs)
    assert chosen == [found[1], found[2], found[3]]


def half_way():
    """One CX near the identity, its partner not: the target is turned in between, by little."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.9, 0)
    circuit.h(1)
    circuit.cx(0, 1)  # |+⟩ on the target: nothing happens
    circuit.rz(w, 1)
    circuit.cx(0, 1)
    circuit.ry(0.7, 1)
    circuit.ry(0.4, 0)
    return Task(circuit, ["ZZ", "XI"], weights=[0.02])


def test_in_tolerance_mode_the_other_half_goes_too():
    """Both the first CX and the rotation are within tolerance, the second CX is not; all three are gone."""
    task = half_way()
    result = prune(task, Threshold(0.03))
    stage = prepared_for(task, tolerance=0.03)
    within = [k for k in stage.prunable if identity(stage.offers, k).distance <= 0.03]
    names = [stage.sites[k].name for k in within]
    assert names == ["cx", "rz", "cx"] or names == ["cx", "rz"]
    assert [e.gate for e in result.certificate.replaced] == ["rz"]
    assert "cx" not in result.circuit.count_ops()
    assert {e.action for e in result.plan if e.gate == "cx"} == {"simplify"}
    verify(task, result)


def test_in_verified_mode_the_other_half_follows():
    """The CX on |+⟩ costs nothing and goes first; with the rotation gone, so does its partner."""
    for name in PLAIN:
        result = prune(half_way(), Measured(0.03), strategy=name)
        assert "cx" not in result.circuit.count_ops(), name
        verify(half_way(), result)
