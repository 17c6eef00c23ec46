"""What is taken: tolerance, budget by brute force over all subsets, strategies, costs (THEORY T1, T2)."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import INPUTS, PLAIN, STANDARD, WEIGHTS, deviation, outputs, overlap, state, subsets, walk
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qprune import Measured, OptionError, Proven, Task, Threshold, prune
from qprune.exact.simplify import light_cones
from qprune.gates.costs import default_cost
from qprune.gates.sites import sites_of
from qprune.selection.candidate import Candidate
from qprune.selection.select import angles_used, extended, longest_prefix, within_budget, within_tolerance
from qprune.selection.strategies import STRATEGIES

EVERYWHERE = 1e9
SOMETHING = ((STANDARD["x"](), (0,)),)


def candidate(site, angles, gain=1.0, *, by=(), distance=0.1, turn=0.1):
    return Candidate(site, by, "", distance, np.asarray(angles, dtype=float), gain, turn)


def whole_cone(outputs_, sites_):
    """Every gate in every light cone, whatever goes."""
    return lambda removed: np.ones((outputs_, sites_), dtype=bool)


def total(chosen):
    return sum(c.gain for c in chosen)


def fits(chosen, limits, cone):
    return len({c.place for c in chosen}) == len(chosen) and np.all(angles_used(chosen, cone, limits.shape) <= limits)


# -- tolerance ----------------------------------------------------------------------------------------------------


def test_every_gate_within_its_tolerance_goes():
    """T1: d_q ≤ ε_k, equality included; each gate has its own ε_k."""
    found = [candidate(k, [0.0], distance=d) for k, d in enumerate((0.05, 0.1, 0.1 + 1e-15, 0.3))]
    assert [c.place for c in within_tolerance(found, np.array([0.1, 0.1, 0.1, 0.4]))] == [0, 1, 3]


def test_the_identity_comes_first_then_the_nearest():
    """A gate that can disappear does, even where another representative is nearer."""
    gone, near, nearer = (
        candidate(0, [0.0], distance=0.09),
        candidate(0, [0.0], by=SOMETHING, distance=0.04),
        candidate(0, [0.0], by=SOMETHING, distance=0.01),
    )
    assert within_tolerance([near, gone, nearer], np.array([0.1])) == [gone]
    assert within_tolerance([near, gone, nearer], np.array([0.05])) == [nearer]
    assert within_tolerance([near, gone, nearer], np.array([0.001])) == []


# -- budget, on candidates made up --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_the_budget_is_spent_in_the_best_way(seed):
    """The largest total gain of all subsets, with several outputs and samples, and rivals for one gate."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 5)))
    gains = rng.choice([1.0, 10.0, 0.1], 11) if seed % 2 else rng.uniform(0.1, 10, 11)
    found = [
        candidate(
            k if seed % 3 else k // 2,
            rng.uniform(0, 0.3, shape[1]) * rng.choice([1, 0.01]),
            gain,
            by=SOMETHING * (k % 2),
        )
        for k, gain in enumerate(gains.tolist())
    ]
    limits = rng.uniform(0.1, 0.9, shape)
    cone = rng.random((shape[0], 11)) < 0.8
    chosen = within_budget(found, limits, lambda removed: cone, STRATEGIES["q-iprune"]().seeded(0), ())
    assert fits(chosen, limits, cone)
    best = max(total(some) for some in subsets(found) if fits(some, limits, cone))
    assert total(chosen) == pytest.approx(best)


def test_ties_are_broken_by_the_smaller_angle():
    """Of two gates of one cost the one that costs less of the budget goes."""
    found = [candidate(0, [0.5]), candidate(1, [0.3]), candidate(2, [0.4])]
    chosen = within_budget(found, np.array([[0.75]]), whole_cone(1, 3), STRATEGIES["q-iprune"]().seeded(0), ())
    assert [c.place for c in chosen] == [1, 2]


def test_nothing_to_choose_from():
    for name in PLAIN:
        assert within_budget([], np.array([[0.3]]), whole_cone(1, 0), STRATEGIES[name]().seeded(0), ()) == []
        assert (
            within_budget([candidate(0, [1.0])], np.array([[0.3]]), whole_cone(1, 1), STRATEGIES[name]().seeded(0), ())
            == []
        )
    worthless = [candidate(0, [0.0], gain=0.0)]
    assert within_budget(worthless, np.array([[0.3]]), whole_cone(1, 1), STRATEGIES["q-iprune"]().seeded(0), ()) == []


def test_what_costs_nothing_goes_at_no_budget():
    """An angle of zero under a budget of zero."""
    found = [candidate(0, [0.0, 0.0]), candidate(1, [0.0, 1e-9]), candidate(2, [0.0, 0.0])]
    chosen = within_budget(found, np.zeros((2, 2)), whole_cone(2, 3), STRATEGIES["q-iprune"]().seeded(0), ())
    assert [c.place for c in chosen] == [0, 2]


@pytest.mark.parametrize("seed", range(6))
def test_rounds_after_the_light_cone_has_shrunk_only_improve(seed):
    """Gates that the smaller circuit does not connect any more are free; the first round alone would miss them."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(4)
    for _ in range(5):
        circuit.cx(*map(int, rng.permutation(4)[:2]))
        circuit.ry(0.1, int(rng.integers(4)))
    task = Task(circuit, ["IIIZ", "IIZI"])
    sites = sites_of(task)
    found = [candidate(k, rng.uniform(0, 0.2, 1), default_cost(site)) for k, site in enumerate(sites)]
    limits = np.full((2, 1), 0.3)
    first = light_cones(task, sites, set())

    def cone_of(removed):
        return light_cones(task, sites, removed)

    chosen = within_budget(found, limits, cone_of, STRATEGIES["q-iprune"]().seeded(0), sites)
    assert fits(chosen, limits, cone_of({c.place for c in chosen}))
    alone = max(total(some) for some in subsets(found) if fits(some, limits, first))
    best = max(total(some) for some in subsets(found) if fits(some, limits, cone_of({c.place for c in some})))
    assert alone - 1e-9 <= total(chosen) <= best + 1e-9


def test_a_gate_freed_by_the_removal_of_another_goes_at_no_cost():
    """Without the small cx nothing connects the large rotation to the output."""
    circuit = QuantumCircuit(2)
    circuit.ry(1.0, 1)
    circuit.cx(1, 0)
    sites = sites_of(Task(circuit, "IZ"))
    found = [candidate(0, [1.0]), candidate(1, [0.1], gain=10.0)]
    for name in PLAIN:
        chosen = within_budget(
            found,
            np.array([[0.2]]),
            lambda removed: light_cones(Task(circuit, "IZ"), sites, removed),
            STRATEGIES[name]().seeded(0),
            sites,
        )
        assert chosen == found


@pytest.mark.parametrize("name", PLAIN)
def test_the_limit_is_exact(name):
    """Equal to the budget fits, the next number above does not."""
    strategy, cone = STRATEGIES[name]().seeded(0), whole_cone(1, 2)
    for first, second in ((0.25, 0.5), (0.75, 0.0)):
        whole = [candidate(0, [first]), candidate(1, [second])]
        assert len(within_budget(whole, np.array([[0.75]]), cone, strategy, ())) == 2
        over = [candidate(0, [np.nextafter(first, 1)]), candidate(1, [np.nextafter(second, 1)])]
        assert len(within_budget(over, np.array([[0.75]]), cone, strategy, ())) == 1


def test_angles_add_up_inside_each_light_cone():
    found = [candidate(0, [0.1, 0.2]), candidate(2, [0.3, 0.5])]
    cone = np.array([[True, True, False], [True, False, True]])
    np.testing.assert_allclose(angles_used(found, cone, (2, 2)), [[0.1, 0.2], [0.4, 0.7]])


# -- going on with a sharper bound --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 7, 64])
def test_longest_prefix(size):
    """The last length that fits, in a logarithmic number of questions."""
    for last in range(size + 1):
        asked = []
        found = longest_prefix(size, lambda m: asked.append(m) or m <= last)  # noqa: B023
        assert found == last
        assert len(asked) <= np.log2(size + 1) + 1
        assert all(1 <= m <= size for m in asked)


@pytest.mark.parametrize("name", PLAIN)
def test_more_is_taken_while_the_sharper_bound_allows(name):
    """Never more than it allows, never less than was taken, and in the end nothing more fits."""
    rng = np.random.default_rng(4)
    found = [candidate(k // 2, [angle], gain=1 + k, by=SOMETHING * (k % 2), turn=angle)
             for k, angle in enumerate(rng.uniform(0.1, 1, 12).tolist())]  # fmt: skip

    def allowed(chosen):
        return np.sqrt(sum(c.angles[0] ** 2 for c in chosen)) <= 1.0

    taken = [found[3]]
    chosen = extended(taken, found, allowed, STRATEGIES[name]().seeded(1), ())
    assert found[3] in chosen
    assert allowed(chosen)
    assert len({c.place for c in chosen}) == len(chosen) > 1
    left = [c for c in found if c.place not in {t.place for t in chosen}]
    assert not any(allowed([*chosen, c]) for c in left)


# -- budget, end to end -------------------------------------------------------------------------------------------


def ladder(seed, layers=3):
    """Small rotations among entangling gates, one input."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(2)
    circuit.ry(INPUTS[0], 0)
    circuit.rx(0.8, 1)
    weights = {}
    for layer in range(layers):
        circuit.cx(0, 1)
        for q, gate in ((0, circuit.ry), (1, circuit.rx)):
            p = WEIGHTS[0] if not weights else type(WEIGHTS[0])(f"a{layer}{q}")
            weights[p] = rng.choice([0.03, 0.1, 0.3]) * rng.normal()
            gate(p, q)
    return Task(circuit, ["ZZ", "IX"], inputs=[0.4, 1.9], input_params=[INPUTS[0]], weights=weights)


def thetas(task, circuit):
    """θ_{k,i} of every gate against the identity, dense, shape (gates, M)."""
    rows = []
    for i in range(task.num_samples):
        row = []
        for step in walk(task, circuit, i):
            one = np.eye(len(step.gate))
            kept = overlap(step.rho, step.gate, one)
            change = step.gate.conj().T - kept * one
            row.append(np.arctan2(np.sqrt(np.trace(change @ step.rho @ change.conj().T).real), abs(kept)))
        rows.append(row)
    return np.array(rows).T


def change_allowed(mean, theta):
    """The farthest ⟨O⟩ of a ±1 observable within the angle (T2)."""
    start = np.arccos(mean) / 2
    ends = np.cos(np.minimum(pi, 2 * start + 2 * theta)), np.cos(np.maximum(0, 2 * start - 2 * theta))
    return np.maximum(np.abs(ends[0] - mean), np.abs(ends[1] - mean))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budget", [0.02, 0.1, 0.4])
def test_prune_takes_the_best_of_all_subsets(seed, budget):
    """Gates, angles and bounds by dense simulation; cost 10 and 1; nothing shared with the package but the cost."""
    task = ladder(seed)
    result = prune(task, Proven(budget, window=0))
    circuit = result.simplified
    cost = [10.0 if len(item.qubits) == 2 else 1.0 for item in circuit.data]
    angle = thetas(task, circuit)
    means = np.array([outputs(task, state(task.bound_circuit(i))) for i in range(task.num_samples)]).T
    free = [k for k, item in enumerate(circuit.data) if not any(map(task.has_inputs, item.operation.params))]
    best = 0.0
    for some in subsets(free):
        if (value := sum(cost[k] for k in some)) > best:
            theta = np.minimum(angle[list(some)].sum(axis=0), pi / 2)
            if np.all(change_allowed(means, theta) <= budget * (1 - 1e-9)):
                best = value
    assert sum(cost[entry.site] for entry in result.certificate.replaced) == pytest.approx(best)


@pytest.mark.thinned(12)
@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("window", [0, 1, "auto"])
@pytest.mark.parametrize("kind", [Proven, Measured])
def test_the_budget_is_never_exceeded(name, window, kind):
    """By the bound where that is asked for, and by the dense deviation always; a larger budget removes no less."""
    costs = []
    for budget in (0.0, 0.01, 0.1, 0.5, 2.0):
        task = ladder(7)
        result = prune(task, kind(budget, window=window), strategy=name, seed=3)
        if kind is Proven:
            assert result.certificate.largest_bound <= budget
        for i in range(task.num_samples):
            before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
            assert deviation(task, before, after).max() <= budget + 1e-12
        costs.append(result.circuit.size())
    assert costs[-1] < costs[0]
    if name == "q-iprune" and kind is Proven and window == 0:
        assert costs == sorted(costs, reverse=True)


def test_tolerance_and_budget_together():
    """Both hold: no gate beyond its ε_k, no output beyond the budget; each can be the one that binds."""
    task = ladder(5)
    both = prune(task, Proven(0.05, tolerance=0.08))
    assert all(entry.distance <= 0.08 for entry in both.certificate.replaced)
    assert both.certificate.largest_bound <= 0.05
    by_tolerance = {e.site for e in prune(task, Threshold(0.08)).certificate.replaced}
    by_budget = {e.site for e in prune(task, Proven(0.05)).certificate.replaced}
    assert {e.site for e in both.certificate.replaced} <= by_tolerance
    assert {e.site for e in prune(task, Proven(1.9, tolerance=0.08)).certificate.replaced} == by_tolerance
    assert {e.site for e in prune(task, Proven(0.05, tolerance=1.4)).certificate.replaced} == by_budget
    assert prune(task, Proven(1.9, tolerance=0.0)).certificate.largest_bound <= 1e-5


# -- strategies ---------------------------------------------------------------------------------------------------


def independent(values):
    """Rotations on qubits of their own, each seen by the output."""
    circuit = QuantumCircuit(len(values))
    circuit.rx(0.9, range(len(values)))
    for q, value in enumerate(values):
        circuit.ry(value, q)
    return Task(circuit, "Z" * len(values))


def test_magnitude_takes_the_smallest_angle_first():
    """Whatever the task thinks of it: angles modulo the period, and what does not fit is passed over."""
    values = [0.5, -0.02, 2 * pi + 0.1, 0.3, -0.04]
    task = independent(values)
    size = np.abs(np.remainder(np.array(values) + pi, 2 * pi) - pi)
    for budget in (0.01, 0.03, 0.08, 0.2, 0.5):
        result = prune(task, Proven(budget, window=0), strategy="magnitude")
        angle = thetas(task, task.circuit)[:, 0]
        mean = outputs(task, state(task.circuit))[0]
        taken, used = set(), 0.0
        turns = dict.fromkeys(range(5), 0.9) | {5 + q: size[q] for q in range(5)}
        for k in sorted(turns, key=lambda k: (turns[k], k)):
            if change_allowed(mean, min(used + angle[k], pi / 2)) <= budget:
                taken.add(k)
                used += angle[k]
        assert {entry.site for entry in result.certificate.replaced} == taken


def test_random_follows_its_seed():
    """The same set for one seed, whatever NumPy's global state; other sets for others; each as its order says."""
    task = independent([0.1] * 6)
    sets = {}
    for seed in range(8):
        np.random.seed(seed)  # noqa: NPY002
        found = {e.site for e in prune(task, Proven(0.15), strategy="random", seed=seed).certificate.replaced}
        again = {e.site for e in prune(task, Proven(0.15), strategy="random", seed=seed).certificate.replaced}
        assert found == again
        sets[seed] = frozenset(found)
    assert len(set(sets.values())) > 3
    orders = [
        STRATEGIES["random"]().seeded(seed).propose([candidate(k, [0.1]) for k in range(6)], ()).order
        for seed in range(8)
    ]
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert len(set(map(tuple, orders))) > 5


def test_q_iprune_beats_the_others_where_the_state_matters():
    """Large rotations about the axis their qubit lies on cost nothing; magnitude keeps them."""
    circuit = QuantumCircuit(2)
    circuit.rz(2.0, 0)  # on |0⟩
    circuit.ry(0.2, 0)
    circuit.cx(0, 1)
    circuit.rx(0.3, 1)
    circuit.ry(0.2, 1)
    task = Task(circuit, ["ZZ", "XX"])
    kept = {name: prune(task, Proven(0.15), strategy=name).circuit.size() for name in PLAIN}
    assert kept["q-iprune"] <= min(kept.values())
    gone = [e.gate for e in prune(task, Proven(1e-5), strategy="q-iprune").certificate.replaced]
    assert gone == ["rz"]


# -- costs --------------------------------------------------------------------------------------------------------


def rivals():
    """The budget has room for one of two gates."""
    circuit = QuantumCircuit(2)
    circuit.ry(1.1, 0)
    circuit.rx(0.8, 1)
    circuit.rzz(0.2, 0, 1)
    circuit.ry(0.15, 0)
    return Task(circuit, ["XI", "IX", "ZZ"])


@pytest.mark.parametrize(
    ("costs", "gone"),
    [
        (None, "rzz"),
        ({"ry": 100}, "ry"),
        ({"ry": 9.9}, "rzz"),
        ({"rzz": 0.5}, "ry"),
        (lambda site: 5.0 if site.name == "ry" else 1.0, "ry"),
        (lambda site: len(site.qubits), "rzz"),
    ],
    ids=["default", "mapping", "mapping below", "others keep theirs", "callable", "callable on qubits"],
)
def test_costs_decide_what_the_budget_is_spent_on(costs, gone):
    result = prune(rivals(), Proven(0.2, window=0), costs=costs)
    assert [e.gate for e in result.certificate.replaced] == [gone]
    recorded = result.certificate.options["costs"]
    assert recorded == (costs if costs is None or isinstance(costs, dict) else "callable")


def test_default_costs():
    """10 for two qubits, 60 for three, 1 for a rotation, 0.1 about Z."""
    circuit = QuantumCircuit(3)
    for add in ("rx", "ry", "rz", "p"):
        getattr(circuit, add)(0.1, 0)
    circuit.h(0)
    circuit.s(0)
    circuit.u(1, 2, 3, 0)
    circuit.rzz(0.1, 0, 1)
    circuit.cx(0, 1)
    circuit.ccx(0, 1, 2)
    found = [default_cost(site) for site in sites_of(Task(circuit))]
    assert found == [1, 1, 0.1, 0.1, 1, 0.1, 1, 10, 10, 60]


@pytest.mark.parametrize(
    "costs",
    [
        5,
        "cx",
        {"ry": -1},
        {"ry": float("nan")},
        {"ry": "much"},
        {"ry": None},
        lambda site: float("inf"),
        lambda site: (),
    ],
    ids=lambda value: "a callable" if callable(value) else repr(value),
)
def test_costs_that_are_none(costs):
    """A mapping or callable that gives a finite number ≥ 0, or one clear error."""
    with pytest.raises(OptionError, match="costs must"):
        prune(rivals(), Proven(0.2), costs=costs)


def test_a_cost_of_zero_keeps_the_gate_under_a_budget():
    """Nothing is gained by removing it; in tolerance mode it goes all the same."""
    free = {"rzz": 0, "ry": 0, "rx": 0}
    assert prune(rivals(), Proven(1.9), costs=free).certificate.replaced == ()
    assert prune(rivals(), Threshold(0.3), costs=free).certificate.replaced != ()


def test_an_observable_that_is_a_constant_limits_nothing():
    """Its change is zero whatever goes."""
    circuit = QuantumCircuit(1)
    circuit.ry(1.0, 0)
    result = prune(Task(circuit, SparsePauliOp("I", 0.7)), Proven(0.0))
    assert result.circuit.size() == 0
    assert result.certificate.largest_bound == 0
