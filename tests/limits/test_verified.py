"""Verified mode: the budget is kept exactly, by dense simulation, and re-fitting moves only what may move."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    BOUND_SLACK,
    INPUTS,
    PLAIN,
    WEIGHTS,
    asked,
    complex_matrix,
    deviation,
    examples,
    outputs,
    replaced_circuit,
    state,
    state_angle,
    tasks,
    up_to_phase,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression, ParameterVector
from qiskit.circuit.library import efficient_su2, zz_feature_map

from qprune import Measured, OptionError, Statevector, Task, prune, verify
from qprune.exact.simplify import simplify
from qprune.gates.sites import circuit_of, sites_of
from qprune.limits.measuring import compressor_of
from qprune.limits.prepared import prepare
from qprune.limits.progress import Watch
from qprune.limits.refit import with_mixtures
from qprune.limits.removal import Reduced, remove_verified
from qprune.limits.settings import Settings
from qprune.selection.candidate import Candidate
from qprune.selection.strategies import STRATEGIES
from qprune.simulators import engine, team

x, y = INPUTS
w0, w1, w2, w3 = WEIGHTS
MODES = [
    {"refit": False},
    {"refit": True},
    {"refit": True, "strategy": "random"},
    {"strategy": "magnitude"},
]


def classifier(samples=4, **options):
    feature_map, ansatz = zz_feature_map(2, reps=1), efficient_su2(2, su2_gates=["ry"], reps=2)
    rng = np.random.default_rng(1)
    return Task(
        feature_map.compose(ansatz),
        ["ZI", "XX"],
        inputs=rng.uniform(0.2, 2.5, (samples, 2)),
        input_params=feature_map.parameters,
        weights=rng.normal(scale=0.5, size=6),
        weight_params=ansatz.parameters,
        **options,
    )


def born_machine():
    circuit = efficient_su2(3, su2_gates=["ry"], reps=1)
    return Task(circuit, weights=np.linspace(-0.6, 0.9, 6))


def mixed():
    """Weights in encoding gates and in SU(2), numbers, an expression and a shared weight."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.rx(y * w0, 1)
    circuit.rzz(w1, 0, 1)
    circuit.u(w2, 0.2, 0.1, 0)
    circuit.ry(0.21, 1)
    circuit.cx(0, 1)
    circuit.rx(w1 / 2 + w3, 0)
    circuit.ry(w3, 1)
    circuit.crx(-0.4, 1, 0)
    return Task(
        circuit,
        ["ZZ", "IX"],
        inputs=[[0.4, 1.3], [-0.9, 2.2], [1.7, 0.1]],
        input_params=[x, y],
        weights={w0: 0.8, w1: 0.15, w2: 0.6, w3: -0.3},
    )


NETWORKS = {f.__name__: f for f in (classifier, born_machine, mixed)}


def deviations(result):
    """Dense |Δ| per output and selected sample."""
    task = result.original
    each = [
        deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))
        for i in task.selected.tolist()
    ]
    return np.array(each).T


# -- the budget ---------------------------------------------------------------------------------------------------


@pytest.mark.thinned(18)
@pytest.mark.parametrize("options", MODES, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.parametrize("name", NETWORKS)
def test_the_budget_is_kept_on_every_sample(name, options):
    """Measured densely; the certificate's own measurement is the same number, and `verify` agrees."""
    for budget in (0.0, 0.1, 2.0):
        result = prune(NETWORKS[name](), **asked(budget=budget, measured=True, **options))
        real = deviations(result)
        assert real.max() <= budget + 1e-12
        np.testing.assert_allclose(result.certificate.measured, real, atol=1e-12)
        assert np.all(real <= np.array(result.certificate.bound) + BOUND_SLACK)
        verify(result.original, result)


@settings(
    max_examples=examples(60), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    tasks(max_gates=6, max_qubits=3),
    st.sampled_from((0.01, 0.1, 0.5, 1.0)),
    st.sampled_from(MODES),
    st.booleans(),
)
def test_random_circuits(task, budget, options, prune_encoding):
    """Never beyond the budget, and the proven bound of the moved and removed gates holds too (T2)."""
    result = prune(task, **asked(budget=budget, measured=True, prune_encoding=prune_encoding, **options))
    certificate = result.certificate
    for i in range(task.num_samples):
        before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
        real = deviation(task, before, after)
        assert real.max() <= budget + BOUND_SLACK
        np.testing.assert_allclose(real, np.array(certificate.measured)[:, i], atol=BOUND_SLACK)
        assert np.all(real <= np.array(certificate.bound)[:, i] + BOUND_SLACK)
        # what the certificate says stands in each gate's place makes a circuit with the same outputs
        again = outputs(task, state(replaced_circuit(task, result, i)))
        np.testing.assert_allclose(again, outputs(task, after), atol=1e-9)


def test_nothing_to_prune():
    circuit = QuantumCircuit(1)
    circuit.rx(x, 0)
    for options in MODES:
        result = prune(
            Task(circuit, "Z", inputs=[0.3, 0.4], input_params=[x]), **asked(budget=0.1, measured=True, **options)
        )
        assert result.circuit.size() == 1
        assert result.certificate.largest_measured == 0


# -- what re-fitting buys -----------------------------------------------------------------------------------------


def redundant():
    """Five rotations about two axes, where three make any rotation (Euler): two are redundant, but none is small."""
    a = ParameterVector("a", 5)
    circuit = QuantumCircuit(1)
    circuit.rx(x, 0)
    for j, p in enumerate(a):
        (circuit.ry if j % 2 else circuit.rz)(p, 0)
    return Task(circuit, ["X", "Y", "Z"], inputs=[0.3, 1.4, -0.8], input_params=[x], weights=[0.7, 0.9, 0.5, -0.6, 0.8])


def test_refit_finds_the_planted_answer():
    """Three rotations do the same; without moving weights not one can go."""
    result = prune(redundant(), Measured(1e-6, refit=True))
    assert result.circuit.size() == 4
    assert deviations(result).max() <= 1e-6
    assert prune(redundant(), Measured(1e-6)).circuit.size() == 6


def test_refit_removes_an_entangling_gate_that_others_make_up_for():
    """rzz(t) before and after a gate that keeps them apart: one can do it all."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, [0, 1])
    circuit.rzz(w0, 0, 1)
    circuit.cp(0.0 * w2 + 1e-3, 0, 1)
    circuit.rzz(w1, 0, 1)
    circuit.rx(0.4, [0, 1])
    task = Task(circuit, ["ZI", "XY", "YZ"], weights={w0: 0.5, w1: 0.4, w2: 0.1})
    plain = prune(task, Measured(0.01))
    fitted = prune(task, Measured(0.01, refit=True))
    assert fitted.circuit.num_nonlocal_gates() <= 1 <= plain.circuit.num_nonlocal_gates()
    assert deviations(fitted).max() <= 0.01


@pytest.mark.thinned(3)
@pytest.mark.parametrize("budget", [0.05, 0.3])
@pytest.mark.parametrize("name", [*reversed(NETWORKS)])
def test_refit_admits_no_less(name, budget):
    """Compared by cost on the networks of this file."""
    plain, fitted = (prune(NETWORKS[name](), Measured(budget, refit=refit)) for refit in (False, True))
    costs = [sum(10 if len(i.qubits) > 1 else 1 for i in r.circuit.data) for r in (plain, fitted)]
    assert costs[1] <= costs[0] + 1


# -- what re-fitting must leave alone -----------------------------------------------------------------------------


def numbers(circuit):
    """Numeric gates as (name, qubits, angles)."""
    found = []
    for item in circuit.data:
        if not any(isinstance(p, ParameterExpression) and p.parameters for p in item.operation.params):
            where = tuple(circuit.find_bit(q).index for q in item.qubits)
            found.append((item.operation.name, where, tuple(map(float, item.operation.params))))
    return found


@pytest.mark.thinned(2)
@pytest.mark.parametrize("budget", [0.01, 0.1, 0.4])
def test_only_weights_move_and_only_those_that_may(budget):
    """Numbers stay numbers, inputs inputs; weights in encoding gates and in SU(2) keep their values."""
    task = mixed()
    result = prune(task, Measured(budget, refit=True))
    assert set(numbers(result.circuit)) <= set(numbers(task.circuit))
    assert set(result.circuit.parameters) <= set(task.circuit.parameters)
    values = {p.name: v for p, v in zip(result.task.weight_params, result.weights, strict=True)}
    for name, value in (("w0", 0.8), ("w2", 0.6)):
        assert values.get(name, value) == value
    shared = {str(item.operation.params[0]) for item in result.circuit.data if item.operation.params}
    assert shared <= {str(item.operation.params[0]) for item in task.circuit.data if item.operation.params}
    moved = [e for e in result.certificate.replaced if e.by == "refit"]
    assert all(e.matrix is not None for e in moved)
    np.testing.assert_array_equal(result.original.weights, mixed().weights)


def test_moved_gates_are_members_of_their_subgroup_at_the_new_weights():
    """On record: the matrix of the gate at the result's weights, and its angle to the original (T2)."""
    result = prune(redundant(), Measured(0.01, refit=True))
    moved = [e for e in result.certificate.replaced if e.by == "refit"]
    assert moved
    values = {p.name: v for p, v in zip(result.task.weight_params, result.weights, strict=True)}
    for entry in moved:
        operation = result.simplified.data[entry.site].operation
        gate = operation.base_class(values[operation.params[0].name])
        assert up_to_phase(complex_matrix(entry.matrix), gate.to_matrix()) < 1e-12
    for i in range(3):
        before = state(result.original.with_circuit(result.simplified).bound_circuit(i))
        after = state(replaced_circuit(result.original, result, i))
        assert state_angle(before, after) <= sum(e.largest_angle for e in result.certificate.replaced) + 1e-10


def test_threads_move_no_bit_of_a_refit(monkeypatch):
    run, threads_of_calls = team.run, set()

    def counted(kernel, arguments, blocks, threads):
        threads_of_calls.add(threads)
        run(kernel, arguments, blocks, threads)

    monkeypatch.setattr(engine, "PER_THREAD", 1)  # small as it is, shared out
    monkeypatch.setattr(team, "run", counted)
    one, two = (
        prune(classifier(samples=9, seed=3), Measured(0.5, refit=True), simulator=Statevector(threads=threads))
        for threads in (1, 2)
    )
    assert threads_of_calls == {1, 2}
    assert one.certificate.pruned_hash == two.certificate.pruned_hash
    np.testing.assert_array_equal(one.weights, two.weights)


def test_held_out_samples_play_no_part():
    """Other data there, the same circuit and weights; T5 speaks of them."""
    task = classifier(samples=6, holdout=0.4, seed=2)
    rows = task.inputs.copy()
    rows[task.heldout] = 0.123
    other = task.with_inputs(rows, holdout=task.heldout)
    first, second = (prune(t, Measured(0.1, refit=True)) for t in (task, other))
    assert first.certificate.pruned_hash == second.certificate.pruned_hash
    np.testing.assert_array_equal(first.weights, second.weights)
    assert first.certificate.replaced == second.certificate.replaced
    claim = first.certificate.holdout
    real = [
        deviation(task, state(task.bound_circuit(i)), state(first.task.bound_circuit(i))).max() for i in task.heldout
    ]
    assert (claim.samples, claim.largest, claim.mean) == (
        len(real),
        pytest.approx(max(real)),
        pytest.approx(np.mean(real)),
    )


@pytest.mark.thinned(4)
@pytest.mark.parametrize("options", MODES, ids=lambda o: "-".join(map(str, o.values())))
def test_again_the_same(options):
    """Byte for byte; random strategies by their seed."""
    first, second = (prune(classifier(), **asked(budget=0.15, measured=True, seed=4, **options)) for _ in range(2))
    assert first.certificate.to_json() == second.certificate.to_json()
    np.testing.assert_array_equal(first.weights, second.weights)


def test_costs_say_what_goes_first():
    """With entangling gates for free, they are not what the budget is spent on."""
    dear = prune(classifier(), Measured(0.3, refit=True))
    free = prune(classifier(), Measured(0.3, refit=True), costs={"cx": 0.0, "ry": 5.0})
    rotations = [r.circuit.count_ops().get("ry", 0) for r in (dear, free)]
    assert rotations[1] <= rotations[0]
    assert deviations(free).max() <= 0.3


# -- options and limits -------------------------------------------------------------------------------------------


def test_too_many_outcomes_to_fit_one_by_one():
    circuit = QuantumCircuit(7)
    circuit.ry(w0, range(7))
    task = Task(circuit, weights=[0.3])
    with pytest.raises(OptionError, match="at most 6 measured qubits, got 7; measure fewer, or give observables"):
        prune(task, Measured(0.1, refit=True))
    assert deviations(prune(task, Measured(0.1))).max() <= 0.1


# -- the parts ----------------------------------------------------------------------------------------------------


def reduced_of(task):
    sites, _ = simplify(task, sites_of(task))
    return Reduced(task.with_circuit(circuit_of(task, sites)), sites, 0.0)


def test_a_smaller_circuit_remembers_what_went_and_why():
    """Removed gates by their origin, what cancels afterwards as an exact change; the larger one stays as it was."""
    circuit = QuantumCircuit(2)
    circuit.ry(w0, 0)
    circuit.cx(0, 1)
    circuit.rz(w1, 1)
    circuit.cx(0, 1)
    circuit.ry(w2, 1)
    start = reduced_of(Task(circuit, "ZZ", weights=[0.1, 0.2, 0.3]))
    smaller = start.without([2])
    assert [s.name for s in smaller.sites] == ["ry", "ry"]
    assert smaller.gone == {2}
    assert [(c.kind, c.origins) for c in smaller.changes] == [("inverse pair", (1, 3))]
    assert smaller.task.named_weights == {"w0": 0.1, "w2": 0.3}
    assert len(start.sites) == 5
    assert smaller.without([0]).gone == {0, 2}


@pytest.mark.parametrize("name", PLAIN)
def test_removal_goes_on_until_nothing_more_fits(name):
    """On a made-up deviation, the sum of fixed prices: within the budget, and no single gate more."""
    prices = {0: 0.2, 1: 0.5, 2: 0.05, 3: 0.4, 4: 0.3, 5: 0.11}
    circuit = QuantumCircuit(6)
    circuit.rx(0.3, range(6))
    start = reduced_of(Task(circuit, "Z" * 6))

    def price(reduced):
        return sum(prices[k] for k in reduced.gone)

    def candidates(reduced):
        return [
            Candidate(k, (), "identity", prices[s.origins[0]], np.zeros(1), 1.0, prices[s.origins[0]])
            for k, s in enumerate(reduced.sites)
        ]

    for budget in (0.0, 0.04, 0.3, 0.7, 10.0):
        watch = Watch(lambda reduced: len(reduced.sites))
        left = remove_verified(start, budget, candidates, price, STRATEGIES[name]().seeded(2), watch)
        assert price(left) <= budget
        assert left.deviation == price(left)
        rest = set(prices) - left.gone
        assert not any(price(left) + prices[k] <= budget for k in rest)


@pytest.mark.parametrize("seed", range(3))
def test_only_samples_count_not_the_mixtures_that_weights_are_fitted_on(seed):
    """The deviation that decides is the dense one on the selected samples."""
    task = classifier(samples=2)
    compressor = compressor_of(prepare(task, Settings(seed=seed), Measured(0.3, refit=True).comparison))
    assert len(compressor.fitter.samples) > 2
    for budget in (0.1, 0.5):
        reduced = compressor.compress(budget)
        smaller = task.with_circuit(reduced.task.circuit, reduced.task.named_weights)
        real = [deviation(task, state(task.bound_circuit(i)), state(smaller.bound_circuit(i))).max() for i in range(2)]
        assert reduced.deviation == pytest.approx(max(real), abs=1e-12)
        assert 0 < reduced.deviation <= budget


def test_mixtures_lie_between_the_samples():
    """Convex pairs of selected rows after the rows themselves, equally likely; the seed decides."""
    task = classifier(samples=6, holdout=0.34)
    rows = task.inputs[task.selected]
    wide = with_mixtures(task, 20, 3)
    np.testing.assert_array_equal(wide.inputs[: len(rows)], rows)
    assert len(wide.inputs) == len(rows) + 20
    np.testing.assert_allclose(wide.probabilities, 1 / len(wide.inputs))
    assert wide.selected.tolist() == list(range(len(wide.inputs)))
    assert len(wide.heldout) == 0
    for row in wide.inputs[len(rows) :]:
        near = [
            np.linalg.norm(s * a + (1 - s) * b - row)
            for a in rows
            for b in rows
            for s in [1.0 if np.allclose(a, b) else float((row - b) @ (a - b) / ((a - b) @ (a - b)))]
            if -1e-9 <= s <= 1 + 1e-9
        ]
        assert min(near) < 1e-9
    np.testing.assert_array_equal(wide.inputs, with_mixtures(task, 20, 3).inputs)
    assert not np.array_equal(wide.inputs, with_mixtures(task, 20, 4).inputs)
