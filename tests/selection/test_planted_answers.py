"""Every strategy finds a planted answer that random orders miss."""

from __future__ import annotations

import numpy as np
import pytest
from planted import (
    beside_the_classes,
    evidence_of,
    idle,
    layers_that_cancel,
    places,
    redundant,
    rivals_that_cancel,
    weak_link,
)

import qprune
from benchmarks.peers.circuits import ansatz
from qprune import Measured, strategies
from qprune.gates.costs import default_cost
from qprune.gates.sites import sites_of
from qprune.selection.strategies.base import taken_in_turn

SEEDS = range(8)


def taken(strategy, evidence):
    """Places of the gates that go when a limit on the deviation decides."""
    proposal = strategy.propose(evidence)
    gone = taken_in_turn(
        proposal, range(len(evidence.candidates)), lambda some: evidence.deviation(some) <= evidence.budget
    )
    return set(places(evidence, gone))


def by_chance(task, planted):
    """How many random orders find it."""
    return sum(planted <= taken(strategies.Random(), evidence_of(task, seed=seed)) for seed in SEEDS)


TOGETHER = [
    strategies.IntegerProgram(),
    strategies.Elimination(),
    strategies.Equilibrium(),
]


@pytest.mark.parametrize("strategy", TOGETHER, ids=repr)
def test_gates_that_undo_each_other_go_together(strategy):
    """Each alone is ten budgets away; taken together they do nothing."""
    task = rivals_that_cancel()
    evidence = evidence_of(task)
    pair = {k for k in evidence.places if evidence.sites[k].name == "ry" and evidence.sites[k].qubits == (0,)}
    assert len(pair) == 2
    assert pair <= taken(strategy, evidence)
    assert by_chance(task, pair) < len(SEEDS) / 2


def test_a_tensor_train_finds_what_annealing_cannot():
    """The second stage of the QUBO works on measured deviations, of which the first knows single effects."""
    pytest.importorskip("protes")
    evidence = evidence_of(rivals_that_cancel())
    pair = {k for k in evidence.places if evidence.sites[k].name == "ry" and evidence.sites[k].qubits == (0,)}
    assert pair <= taken(strategies.Qubo(refine=True, evaluations=300), evidence)


@pytest.mark.parametrize("strategy", [strategies.CoarseToFine(), strategies.DiscreteLayers()], ids=repr)
def test_layers_that_undo_each_other_go_together(strategy):
    """Six rotations, all far beyond the budget by themselves."""
    task = layers_that_cancel()
    evidence = evidence_of(task)
    both = {k for k in evidence.places if evidence.sites[k].name == "rx"}
    assert len(both) == 6
    assert both <= taken(strategy, evidence)
    assert by_chance(task, both) == 0


def test_a_block_that_goes_at_once_saves_the_fine_look():
    """Fewer questions than there are gates."""
    evidence = evidence_of(layers_that_cancel(), budget=3.0)
    assert len(strategies.CoarseToFine(blocks=1, levels=1).propose(evidence).sets[0]) == len(evidence.candidates)
    assert evidence.calls == 1


def test_the_entangler_off_the_tree_goes_first():
    evidence = evidence_of(weak_link())
    order = places(evidence, strategies.SpanningTree().propose(evidence).order)
    entanglers = [k for k in order if len(evidence.sites[k].qubits) == 2]
    assert set(evidence.sites[entanglers[0]].qubits) == {0, 2}
    assert order[0] == entanglers[0]
    assert order[-2:] == entanglers[1:]
    first = [strategies.Random().propose(evidence_of(weak_link(), seed=s)).order[0] for s in SEEDS]
    assert np.mean([evidence.places[k] == entanglers[0] for k in first]) < 0.5


def test_gates_that_are_alike_are_central():
    """Both ends: the pair that undoes itself, and what is between, are most central, so that they go first or last."""
    evidence = evidence_of(rivals_that_cancel())
    alike = {k for k in evidence.places if evidence.sites[k].qubits == (0,)}
    assert len(alike) == 4
    first = places(evidence, strategies.Centrality(first="most").propose(evidence).order)
    last = places(evidence, strategies.Centrality().propose(evidence).order)
    assert set(first[:4]) == alike
    assert set(last[-4:]) == alike


def test_one_of_two_alike_is_not_worth_keeping():
    """Taylor alone drops the smallest gate; with redundancy one of the pair goes, and refit makes up for it."""
    evidence = evidence_of(redundant())
    names = {k: (evidence.sites[p].name, evidence.sites[p].qubits) for k, p in enumerate(evidence.places)}
    pair = {k for k, found in names.items() if found == ("ry", (0,))}
    share = (len(names) - 2) / len(names)  # the rotation next to nothing goes in any case
    with_it = set(strategies.Qubo(gamma=3.0, capacity=share).propose(evidence).sets[0])
    without = set(strategies.Qubo(gamma=0.0, capacity=share).propose(evidence).sets[0])
    assert len(with_it) == len(without) == 2
    assert with_it & pair
    assert not without & pair
    surgeon = strategies.BrainSurgeon(damping=1e-6).propose(evidence).order
    assert set(surgeon[:3]) >= pair


@pytest.mark.parametrize(
    "strategy",
    [strategies.L0(density=0.3), strategies.Shapley(), strategies.Shapley("banzhaf"), strategies.BrainSurgeon()],
    ids=repr,
)
def test_large_gates_that_do_nothing_go_first(strategy):
    """Whatever else is there; magnitude keeps them, random orders rarely begin with them."""
    evidence = evidence_of(idle())
    planted = {k for k in evidence.places if evidence.sites[k].name in ("rx", "rz")}
    assert set(places(evidence, strategy.propose(evidence).order)[: len(planted)]) == planted
    chance = [strategies.Random().propose(evidence_of(idle(), seed=s)).order[: len(planted)] for s in SEEDS]
    assert not any(set(places(evidence, order)) == planted for order in chance)
    assert set(places(evidence, strategies.Magnitude().propose(evidence).order)[: len(planted)]) != planted


def test_a_gate_that_no_class_notices_goes_first():
    """Its effect is the largest of all, but margins do not see it."""
    evidence = evidence_of(beside_the_classes())
    planted = [k for k in evidence.places if evidence.sites[k].qubits == (2,)]
    for strategy in (strategies.ClassAware(), strategies.ClassAware(shots=3)):
        assert places(evidence, strategy.propose(evidence).order)[:1] == planted
    sizes = np.abs(evidence.exact_effects).max(axis=(1, 2))
    assert places(evidence, [int(np.argmax(sizes))]) == planted
    first = [strategies.Random().propose(evidence_of(beside_the_classes(), seed=s)).order[0] for s in SEEDS]
    assert np.mean([evidence.places[k] in planted for k in first]) < 0.5


def test_the_default_finds_entanglers_that_do_little_together(monkeypatch):
    """Sixteen candidates of a library ansatz: as good as the best of all sets, where single gates in order are not."""
    task = ansatz("real-amplitudes", 3, data=True, seed=(7, 0))
    evidence = evidence_of(task, budget=0.1)
    best = strategies.Elimination(exact=len(evidence.candidates)).propose(evidence).sets[0]
    assert evidence.deviation(best) <= 0.1
    left = sum(default_cost(s) for k, s in enumerate(evidence.sites) if k not in places(evidence, best))
    assert cost(qprune.prune(task, Measured(0.1))) <= left + 1e-9
    monkeypatch.setattr("qprune.limits.measuring.second_opinions", lambda prepared: [])
    assert cost(qprune.prune(task, Measured(0.1))) > 2 * left


def test_a_portfolio_is_as_good_as_its_best_member():
    """The cheapest circuit of any; its record names the members."""
    task = qprune.load_network("h2-vqe-4q")
    names = ["random", "q-iprune"]
    costs = {name: cost(qprune.prune(task, Measured(0.05), strategy=name)) for name in names}
    result = qprune.prune(task, Measured(0.05), strategy=strategies.Portfolio(names))
    assert cost(result) == min(costs.values())
    record = result.certificate.options["strategy"]
    assert strategies.strategy_from_record(record) == strategies.Portfolio(names)
    assert len(set(costs.values())) > 1


def cost(result):
    return round(sum(map(default_cost, sites_of(result.task))), 6)
