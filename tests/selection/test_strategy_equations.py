"""The equation that each strategy names is what its code computes: brute force, dense matrices, other libraries."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations, product
from math import factorial
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import subsets
from planted import beside_the_classes, evidence_of, layers_that_cancel, mixed, small, trained
from qiskit.quantum_info import Statevector, mutual_information, partial_trace

from qprune import MissingExtraError, OptionError, strategies
from qprune.limits.progress import OutOfTime
from qprune.selection.strategies import integer_program
from qprune.selection.strategies.brain_surgeon import saliencies
from qprune.selection.strategies.class_aware import margins
from qprune.selection.strategies.clients import Client, Clients, client_of
from qprune.selection.strategies.elimination import by_falling_cost
from qprune.selection.strategies.l0 import STRETCH, open_probability
from qprune.selection.strategies.spanning_tree import _pair


def weighted(evidence, effects):
    return evidence.vectors(effects) / evidence.scale


def test_brain_surgeon_takes_the_least_step_that_shuts_a_gate():
    """By constrained least squares, written down: step_k = 1, all others free, with the damping as a ridge."""
    evidence = evidence_of(small(0))
    rows = weighted(evidence, evidence.effects)
    ridge = 0.02 * np.mean(np.sum(rows**2, axis=1))
    for k, found in enumerate(saliencies(evidence, 0.02)):
        others = [j for j in range(len(rows)) if j != k]
        system = np.vstack([rows[others].T, np.sqrt(ridge) * np.eye(len(others))])
        wanted = np.concatenate([-rows[k], np.zeros(len(others))])
        steps = np.linalg.lstsq(system, wanted, rcond=None)[0]
        assert found == pytest.approx(0.5 * (np.sum((system @ steps - wanted) ** 2) + ridge), rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_integer_program_is_solved(seed):
    """The costliest of all subsets whose effects add up to within the budget, for every share of it."""
    evidence = evidence_of(small(seed))
    effects, costs = evidence.exact_effects, evidence.costs
    strategy = strategies.IntegerProgram()
    found = strategy.propose(evidence)
    for gone, share in zip(found.sets, strategy.tighten, strict=True):
        limit = share * evidence.budget
        best = max(
            costs[list(some)].sum()
            for some in subsets(range(len(costs)))
            if np.abs(effects[list(some)].sum(axis=0)).max() <= limit
        )
        assert np.abs(effects[gone].sum(axis=0)).max() <= limit * (1 + 1e-6)
        assert costs[gone].sum() == pytest.approx(best, rel=1e-5)
    layered = strategies.IntegerProgram(largest=1).propose(evidence)
    assert np.abs(effects[layered.sets[0]].sum(axis=0)).max() <= evidence.budget * (1 + 1e-6)


def test_mip_ends_when_the_search_must(monkeypatch):
    """The solver gets the seconds that are left, and is not asked where none are."""
    asked = []

    def solved(*_, options, **__):
        asked.append(options)
        return SimpleNamespace(x=None)

    monkeypatch.setattr(integer_program, "solved", solved)
    evidence = evidence_of(mixed())
    strategies.IntegerProgram().propose(evidence)
    assert all("time_limit" not in options for options in asked)
    asked.clear()
    strategies.IntegerProgram().propose(replace(evidence, around=replace(evidence.around, left=lambda: 5.0)))
    assert asked
    assert all(options["time_limit"] == 5.0 for options in asked)

    def up():
        raise OutOfTime

    asked.clear()
    with pytest.raises(OutOfTime):
        strategies.IntegerProgram().propose(replace(evidence, around=replace(evidence.around, check=up)))
    assert not asked


@pytest.mark.parametrize("seed", range(3))
def test_elimination_is_the_best_of_all_subsets(seed):
    """By deviation of every subset; with a smaller limit it says that it had to cut."""
    evidence = evidence_of(small(seed))
    costs = evidence.costs
    allowed = [s for s in subsets(range(len(costs))) if evidence.deviation(s) <= evidence.budget]
    best = max(costs[list(s)].sum() for s in allowed)
    found = strategies.Elimination().propose(evidence)
    assert evidence.deviation(found.sets[0]) <= evidence.budget
    assert costs[found.sets[0]].sum() == pytest.approx(best)
    with pytest.warns(UserWarning, match=r"had to cut: \d+ candidates, of which the 4 of least deviation"):
        fewer = strategies.Elimination(exact=4).propose(evidence)
    assert costs[fewer.sets[0]].sum() <= best
    assert sorted(fewer.order) == list(range(len(costs)))
    with pytest.warns(UserWarning, match="2 hypotheses asked"):
        assert not strategies.Elimination(leaves=2).propose(evidence).sets


def test_hypotheses_come_by_falling_cost_and_each_once():
    costs = np.array([10.0, 1.0, 0.1, 10.0, 0.0, 1.0])
    found = list(by_falling_cost(costs))
    assert len(set(map(tuple, found))) == len(found) == 2**6
    sums = [costs[gone].sum() for gone in found]
    assert all(a >= b - 1e-12 for a, b in pairwise(sums))


def test_mutual_information_and_coherence_of_pairs():
    """By quantum_info, of random states; the mean over the ensemble."""
    rng = np.random.default_rng(0)
    states = rng.normal(size=(8, 3)) + 1j * rng.normal(size=(8, 3))
    states /= np.linalg.norm(states, axis=0)
    weights = np.array([0.2, 0.5, 0.3])
    for pair in ((0, 1), (0, 2), (1, 2)):
        (other,) = {0, 1, 2} - set(pair)
        reduced = [partial_trace(Statevector(column), [other]) for column in states.T]
        information = [mutual_information(rho, base=np.e) for rho in map(_two_qubits, reduced)]
        coherence = [np.abs(rho.data).sum() - np.abs(np.diag(rho.data)).sum() for rho in reduced]
        found = _pair(states, 3, pair, weights)
        np.testing.assert_allclose(found, (weights @ information, weights @ coherence), atol=1e-12)


def _two_qubits(rho):
    return type(rho)(rho.data, dims=(2, 2))


def test_centrality_is_the_leading_eigenvector():
    """By dense eigenvectors, component by component; nodes without edges have none."""
    rng = np.random.default_rng(4)
    weights = np.zeros((7, 7))
    for block in ((0, 2, 5), (1, 3, 6)):
        for k, j in product(block, block):
            if k < j:
                weights[k, j] = weights[j, k] = rng.uniform(0.4, 1)
    weights[4, 0] = weights[0, 4] = 0.2  # below the threshold
    found = strategies.Centrality(threshold=0.3).of(weights)
    assert found[4] == 0
    for block in ((0, 2, 5), (1, 3, 6)):
        values, vectors = np.linalg.eigh(weights[np.ix_(block, block)])
        np.testing.assert_allclose(found[list(block)], values[-1] * np.abs(vectors[:, -1]), rtol=1e-4)


@pytest.mark.parametrize("by", ["number", "cost"])
def test_the_qubo_is_annealed_to_its_minimum(by):
    """Of all bit strings, at several μ; capacities are met exactly; energies are the equation's."""
    evidence = evidence_of(small(1))
    strategy = strategies.Qubo(alpha=0.7, beta=0.4, gamma=0.9, by=by)
    linear, quadratic, sizes = strategy.model(evidence)
    taylor = np.sqrt(np.einsum("krm,m->k", evidence.effects**2, evidence.weights))
    fisher = np.einsum("krm,m->k", evidence.effects**2, evidence.weights) / 2
    np.testing.assert_allclose(linear, -0.7 * taylor / taylor.max() - 0.4 * fisher / fisher.max())
    np.testing.assert_allclose(quadratic, 0.9 * np.abs(evidence.similarity(evidence.effects)))
    strings = np.array(list(product((0, 1), repeat=len(linear))))
    for mu in (0.0, 0.2, 0.5):
        energy = strings @ (linear + mu * sizes) + np.einsum("bk,kj,bj->b", strings, np.triu(quadratic, 1), strings)
        z = strategy._annealed(linear + mu * sizes, quadratic, np.random.default_rng(0)).astype(int)
        assert z @ (linear + mu * sizes) + z @ np.triu(quadratic, 1) @ z == pytest.approx(energy.min())
    if by == "number":
        for kept in range(len(linear) + 1):
            proposal = strategies.Qubo(capacity=kept / len(linear)).propose(evidence)
            assert sum(map(len, proposal.sets)) == len(linear) - kept
    for share in (0.05, 0.5, 0.77):  # between two gates, too
        gone = strategies.Qubo(capacity=share, by=by, reads=2, sweeps=20).propose(evidence).sets
        left = sizes.sum() - sum(sizes[k] for some in gone for k in some)
        assert abs(left - share * sizes.sum()) <= sizes.max() / 2 + 1e-9


def test_at_equilibrium_no_player_gains():
    """Slopes by differences of the utility as written; then nobody is better off with any other share."""
    evidence = evidence_of(trained())
    strategy = strategies.Equilibrium(beta=0.3, eta=0.1, steps=100)
    similarity = np.abs(evidence.similarity(evidence.effects))
    prices = evidence.costs / evidence.costs.max()

    def utility(k, shares):
        change = (evidence.participation.values(shares) - evidence.target) / evidence.scale
        deviation = np.einsum("rm,m->", change**2, evidence.weights)
        return -deviation / 2 - 0.3 * prices[k] * shares[k] - 0.1 * shares[k] * (similarity[k] @ shares)

    middle = np.linspace(0.2, 0.9, len(prices))
    slopes, _ = strategy.slopes(evidence, middle, similarity)
    for k in range(len(prices)):
        step = 1e-5 * np.eye(len(prices))[k]
        assert slopes[k] == pytest.approx((utility(k, middle + step) - utility(k, middle - step)) / 2e-5, rel=1e-4)
    shares = strategy.play(evidence)
    for k in range(len(prices)):
        for nearby in (-1e-3, 1e-3):
            other = shares.copy()
            other[k] = np.clip(other[k] + nearby, 0, 1)
            assert utility(k, other) <= utility(k, shares) + 1e-5


def test_hard_concrete_gates_and_their_shards():
    """P(z ≠ 0) by sampling; the gradient by differences; shards add up to the whole ensemble."""
    rng = np.random.default_rng(0)
    for location in (-1.0, 0.5):
        u = rng.random(200_000)
        raw = STRETCH[0] + 1.2 / (1 + np.exp(-(np.log(u / (1 - u)) + location) * 1.5))
        assert np.mean(raw > 0) == pytest.approx(open_probability(np.array(location)), abs=0.005)
    evidence = evidence_of(trained())
    shares = np.linspace(0.1, 0.95, len(evidence.candidates))
    with Clients(evidence, 1) as clients:
        square, slope = clients.gradient(shares)
        for k in (0, 3):
            step = 1e-5 * np.eye(len(shares))[k]
            difference = (clients.gradient(shares + step)[0] - clients.gradient(shares - step)[0]) / 2e-5
            assert slope[k] == pytest.approx(difference, rel=1e-5)
    shards = [client_of(evidence, j, 3) for j in range(3)]
    told = [Client(*shard).gradient(shares) for shard in shards]
    assert sum(s for s, _ in told) == pytest.approx(square)
    np.testing.assert_allclose(sum(g for _, g in told), slope, rtol=1e-9)


def test_the_density_comes_down_to_what_was_asked():
    evidence = evidence_of(trained())
    strategy = strategies.L0(density=0.3, steps=400)
    with Clients(evidence, 1) as clients:
        location = strategy.learn(evidence, clients.gradient)
    costs = evidence.costs / evidence.costs.sum()
    assert costs @ open_probability(location) <= 0.3 + 0.05


def test_no_input_leaves_its_client():
    """Shards are apart, and an answer is one number and one slope per gate, whatever the inputs are."""
    evidence = evidence_of(trained())
    shards = [client_of(evidence, j, 2) for j in range(2)]
    rows = [{tuple(row) for task in (s[0], s[3][0]) for row in task.inputs.tolist()} for s in shards]
    assert rows[0].isdisjoint(rows[1])
    assert rows[0] | rows[1] == {tuple(row) for row in evidence.task.inputs.tolist()}
    for shard in shards:
        square, slope = Client(*shard).gradient(np.ones(len(evidence.candidates)))
        assert np.ndim(square) == 0
        assert np.shape(slope) == (len(evidence.candidates),)


@pytest.mark.soak
def test_clients_in_processes_of_their_own_say_the_same(monkeypatch):
    """What passes between the processes is recorded: no input is in it, and the proposal is that of one process."""
    passed = []
    whole, apart = evidence_of(trained()), evidence_of(trained())
    alone = strategies.L0(steps=5, clients=1).propose(whole)
    with Clients(apart, 2) as clients:
        for line in clients._lines:
            for name in ("send", "recv"):
                monkeypatch.setattr(line, name, _recorded(getattr(line, name), passed), raising=False)
        _, slope = clients.gradient(np.full(len(apart.candidates), 0.5))
    with Clients(whole, 1) as clients:
        np.testing.assert_allclose(slope, clients.gradient(np.full(len(apart.candidates), 0.5))[1], rtol=1e-9)
    numbers = np.concatenate([np.ravel(part) for message in passed for part in np.atleast_1d(message)])
    assert not set(numbers.tolist()) & set(whole.task.inputs.ravel().tolist())
    together = strategies.L0(steps=5, clients=2).propose(evidence_of(trained()))
    assert list(together.order) == list(alone.order)


def _recorded(call, passed):
    def wrapped(*arguments):
        answer = call(*arguments)
        passed.extend(arguments)
        if isinstance(answer, tuple):
            passed.extend(answer)
        return answer

    return wrapped


def values_by_definition(value, size, index):
    """Shapley or Banzhaf values from every set."""
    found = np.zeros(size)
    for k in range(size):
        others = [j for j in range(size) if j != k]
        for some in subsets(others):
            weight = 0.5 ** (size - 1)
            if index == "shapley":
                weight = factorial(len(some)) * factorial(size - len(some) - 1) / factorial(size)
            found[k] += weight * (value({*some, k}) - value(set(some)))
    return found


@pytest.mark.parametrize("index", ["shapley", "banzhaf"])
def test_values_of_gates(index):
    """Within five standard errors of the definition; Shapley values add up to the whole exactly."""
    evidence = evidence_of(layers_that_cancel())
    evidence = type(evidence)(evidence.candidates[:6], evidence.sites, evidence.rng, evidence.task, evidence.around)

    def value(kept):
        return -evidence.deviation([k for k in range(6) if k not in kept]) / evidence.scale

    mean, error = strategies.Shapley(index, samples=200).estimate(evidence)
    want = values_by_definition(value, 6, index)
    assert np.all(np.abs(mean - want) <= 5 * error + 1e-9)
    assert error.max() < np.abs(want).max()
    if index == "shapley":
        assert mean.sum() == pytest.approx(value(set(range(6))) - value(set()))


def test_scores_of_classes_are_ratios_of_variances():
    """By scikit-learn's one-way analysis of variance, which is the same ratio up to degrees of freedom."""
    selection = pytest.importorskip("sklearn.feature_selection")
    evidence = evidence_of(beside_the_classes())
    labels = evidence.classes
    change = margins(evidence.exact_effects, evidence.target, labels)
    for i, label in enumerate(labels):
        margin = evidence.exact_effects[:, label, i] - evidence.exact_effects[:, 1 - label, i]
        np.testing.assert_allclose(change[:, i], margin)
    seen = np.abs(change).max(axis=1) > 1e-9
    ratio, _ = selection.f_classif(change[seen].T, labels)
    found = strategies.ClassAware().scores(evidence)
    np.testing.assert_allclose(found[seen], ratio / (len(labels) - 2), rtol=1e-6)
    assert np.all(found[~seen] == 0)
    signs = margins(evidence.exact_effects[:, :1], evidence.target[:1], np.where(labels > 0, 1, -1))
    np.testing.assert_allclose(signs, np.where(labels > 0, 1, -1) * evidence.exact_effects[:, 0])


def test_a_step_of_the_group_penalty_is_its_proximal_map():
    """Optimality of every layer: shrunk along itself by hρ√|g|, or zero where the gradient step is shorter."""
    evidence = evidence_of(trained())
    strategy = strategies.DiscreteLayers()
    groups = {int(g): np.flatnonzero(evidence.layers == g) for g in np.unique(evidence.layers)}
    shares = np.linspace(0.3, 1, len(evidence.candidates))
    values, derivative = evidence.participation.jacobian(shares)
    rows = weighted(evidence, derivative)
    change = weighted(evidence, (values - evidence.target)[None])[0]
    length = 1 / max(np.abs(rows @ rows.T).sum(axis=1).max(), 1)
    stepped = np.clip(shares - length * rows @ change, 0, 1)
    for price in (0.01 / length, 0.3 / length, 10 / length):
        found = strategy.step(evidence, shares, groups, price)
        for members in groups.values():
            new, old, reach = found[members], stepped[members], length * price * np.sqrt(len(members))
            if new.any():
                np.testing.assert_allclose(old - new, reach * new / np.linalg.norm(new), atol=1e-12)
            else:
                assert np.linalg.norm(old) <= reach + 1e-12


# -- what is refused ----------------------------------------------------------------------------------------------


def test_what_is_missing_is_named(monkeypatch):
    """Labels, inputs to share among clients, libraries."""
    unlabelled = trained().with_inputs(trained().inputs)
    with pytest.raises(OptionError, match="'class-aware' needs labels: give the task labels"):
        strategies.ClassAware().check(unlabelled)
    with pytest.raises(OptionError, match="shares the samples out to 9 clients, and the task has 5 samples"):
        strategies.L0(clients=9).check(unlabelled)
    with pytest.raises(OptionError, match="to 2 clients, and the task has no inputs"):
        strategies.L0(clients=2).check(layers_that_cancel())
    for library, strategy, extra in (
        ("dimod", strategies.Qubo(), "strategies"),
        ("networkx", strategies.Centrality(), "strategies"),
        ("networkx", strategies.SpanningTree(), "strategies"),
        ("protes", strategies.Qubo(refine=True), "protes"),
    ):
        monkeypatch.setitem(__import__("sys").modules, library, None)
        with pytest.raises(MissingExtraError, match=rf"needs {library}, which is not installed.*qprune\[{extra}\]"):
            strategy.propose(evidence_of(small(0)))
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: strategies.Qubo(alpha=-1), "alpha must be a number from 0 to inf, got -1"),
        (lambda: strategies.Qubo(by="weight"), "by must be one of"),
        (lambda: strategies.Qubo(capacity=2), "capacity must be a number from 0 to 1"),
        (lambda: strategies.Elimination(exact=31), "exact must be an integer from 1 to 30"),
        (lambda: strategies.Elimination(exact=2.5), "exact must be an integer"),
        (lambda: strategies.IntegerProgram(tighten=[]), "tighten must be a list of at least one number"),
        (lambda: strategies.IntegerProgram(exact=1), "exact must be True or False"),
        (lambda: strategies.L0(density="half"), "density must be a number from 0 to 1"),
        (lambda: strategies.Shapley("core"), "index must be one of"),
        (lambda: strategies.ClassAware(shots=1), "shots must be an integer ≥ 2"),
        (lambda: strategies.Portfolio([]), "members must be a list of at least one"),
        (lambda: strategies.Portfolio("mip"), "members must be a list of at least one"),
        (lambda: strategies.Portfolio([strategies.Portfolio()]), "members must be strategies other than portfolios"),
    ],
)
def test_hyper_parameters_are_checked(make, why):
    with pytest.raises(OptionError, match=why):
        make()


def test_permutations_are_what_shapley_draws():
    """Over all orders of three gates the mean of marginal contributions is the definition's value."""
    evidence = evidence_of(layers_that_cancel())
    evidence = type(evidence)(evidence.candidates[:3], evidence.sites, evidence.rng, evidence.task, evidence.around)

    class Fixed:
        def __init__(self, order):
            self.order = order

        def permutation(self, size):
            return np.array(self.order)

    drawn = []
    for order in permutations(range(3)):
        fixed = type(evidence)(evidence.candidates, evidence.sites, Fixed(order), evidence.task, evidence.around)
        drawn.append(strategies.Shapley()._along_permutation(fixed, 3))

    def value(kept):
        return -evidence.deviation([k for k in range(3) if k not in kept])

    np.testing.assert_allclose(np.mean(drawn, axis=0), values_by_definition(value, 3, "shapley"), atol=1e-12)
