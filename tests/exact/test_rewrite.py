"""Exact simplifications: for every value of every parameter, by dense simulation; and what they must leave alone."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import (
    ARITY,
    CATALOGUE,
    INPUTS,
    STANDARD,
    WEIGHTS,
    circuits,
    examples,
    observables,
    outputs,
    state,
    subsets,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate, PermutationGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qprune import Task, Threshold, prune
from qprune.exact.simplify import apply, light_cones, simplify
from qprune.gates.sites import circuit_of, sites_of

x, y = INPUTS
w, v = WEIGHTS[:2]


def task_of(circuit, measured=None, values=None):
    """Weights not zero unless said, two samples where there are inputs."""
    used = [p for p in INPUTS if p in circuit.parameters]
    weights = {p: 0.3 + 0.4 * j for j, p in enumerate(q for q in circuit.parameters if q not in INPUTS)}
    weights.update({p: value for p, value in (values or {}).items() if p in weights})
    rows = np.array([[0.4, 1.3], [-0.9, 2.2]])[:, : len(used)] if used else None
    return Task(circuit, measured, inputs=rows, input_params=used, weights=weights)


def simplified(circuit, measured=None, values=None):
    """Names left, and the exact changes."""
    task = task_of(circuit, measured, values)
    sites, changes = simplify(task, sites_of(task))
    return sites, changes


def names(circuit, measured=None, values=None):
    return [site.name for site in simplified(circuit, measured, values)[0]]


def kinds(circuit, measured=None, values=None):
    return [change.kind for change in simplified(circuit, measured, values)[1]]


def same_for_all_values(task, sites, rng, times=4):
    """Outputs of the original and of the sites at random values of every parameter."""
    after = circuit_of(task, sites)
    for _ in range(times):
        point = {p: rng.uniform(-7, 7) for p in task.circuit.parameters}
        before = state(task.circuit.assign_parameters(point))
        left = state(after.assign_parameters({p: point[p] for p in after.parameters}))
        np.testing.assert_allclose(outputs(task, left), outputs(task, before), atol=1e-11)


@settings(
    max_examples=examples(120), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(st.data())
def test_outputs_stay_for_all_parameter_values(data):
    """Random circuits over the whole catalogue, with repeated and inverted gates so that something cancels."""
    circuit = data.draw(circuits(max_qubits=4, max_gates=7))
    body = [item for item in circuit.data if item.operation.name != "barrier"]
    for item in data.draw(st.lists(st.sampled_from(body), max_size=4)) if body else ():
        invert = data.draw(st.booleans())
        circuit.append(item.operation.inverse() if invert else item.operation, item.qubits)
    task = task_of(circuit, data.draw(observables(circuit.num_qubits)))
    sites, changes = simplify(task, sites_of(task))
    same_for_all_values(task, sites, np.random.default_rng(0), times=2)
    accounted = [k for s in sites for k in s.origins] + [k for c in changes if c.kind != "merged" for k in c.origins]
    assert set(accounted) == set(range(len(sites_of(task))))


# -- every kind of change ------------------------------------------------------------------------------------------


def test_gates_outside_the_light_cone_go():
    """Nothing downstream of them is measured."""
    circuit = QuantumCircuit(3)
    circuit.ry(w, 0)
    circuit.cx(0, 1)
    circuit.ry(v, 1)
    circuit.u(0.1, 0.2, 0.3, 2)
    circuit.cx(1, 2)
    assert names(circuit, "IIX") == ["ry", "cx"]
    assert kinds(circuit, "IIX") == ["light cone"] * 3
    assert names(circuit, ["IIX", "ZII"]) == ["ry", "cx", "ry", "u", "cx"]


@pytest.mark.parametrize(
    ("measured", "left"),
    [("Z", ["ry"]), ("X", ["ry", "rz"]), (["Z", "X"], ["ry", "rz"]), (None, ["ry"]), (SparsePauliOp("I"), [])],
    ids=str,
)
def test_gates_that_commute_with_the_outputs_go(measured, left):
    """A final rz is unseen by ⟨Z⟩ and by probabilities, not by ⟨X⟩."""
    circuit = QuantumCircuit(1)
    circuit.ry(w, 0)
    circuit.rz(v, 0)
    assert names(circuit, measured) == left


def test_commuting_gates_pass_those_they_commute_with():
    """rz before a control, and rzz between: they reach the end."""
    circuit = QuantumCircuit(2)
    circuit.ry(w, 0)
    circuit.ry(v, 1)
    circuit.rz(0.4, 0)
    circuit.cx(0, 1)
    circuit.rzz(0.3, 0, 1)
    assert names(circuit, "IZ") == ["ry"]
    assert names(circuit, "ZZ") == ["ry", "ry", "cx"]
    assert "commutes with the outputs" in kinds(circuit, "ZZ")
    circuit.ry(0.3, 0)
    assert names(circuit, "IZ") == ["ry", "ry", "rz", "cx", "rzz", "ry"]


def test_a_sum_of_words_may_commute_where_its_words_do_not():
    """Exchange interaction: swap commutes with XX + YY + ZZ."""
    circuit = QuantumCircuit(2)
    circuit.ry(w, 0)
    circuit.swap(0, 1)
    assert names(circuit, SparsePauliOp(["XX", "YY", "ZZ"], [1, 1, 1])) == ["ry"]
    assert names(circuit, SparsePauliOp(["XX", "ZZ"], [1, 0.5])) == ["ry"]
    assert names(circuit, SparsePauliOp(["XX", "ZI"], [1, 0.5])) == ["ry", "swap"]


def test_identities_go():
    """id and full turns."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.id(0)
    circuit.rx(2 * pi, 0)
    circuit.rzz(-4 * pi, 0, 1)
    circuit.cp(2 * pi, 0, 1)
    circuit.u(0.3, 0.2, 0.1, [0, 1])
    assert names(circuit, ["XX", "ZZ"]) == ["h", "h", "u", "u"]
    assert kinds(circuit, ["XX", "ZZ"]) == ["identity"] * 4


def test_a_controlled_rotation_turns_twice_as_far():
    """crx(2π) is a Z on the control; crx(4π) is the identity."""
    for turns, left in ((2 * pi, ["h", "crx"]), (4 * pi, [])):
        circuit = QuantumCircuit(2)
        circuit.h(0)
        circuit.crx(turns, 0, 1)
        assert names(circuit, "IX") == (left or ["h"])
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.crx(pi, 0, 1)
    circuit.crx(pi, 0, 1)
    assert names(circuit, "IX") == ["h", "crx"]
    circuit.crx(2 * pi, 0, 1)
    assert names(circuit, "IX") == ["h"]


@pytest.mark.parametrize("name", ["x", "y", "z", "h", "cx", "cy", "cz", "ch", "ccx", "ccz", "swap"])
def test_self_inverse_gates_cancel(name):
    """Their generator has t = π twice: 2π is the identity."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.u(0.4 + q, 0.2, 0.1, q)
    once = circuit.copy()
    getattr(once, name)(*range({"c": 2, "s": 2}.get(name[0], 1) + (name[:2] == "cc")))
    twice = once.copy()
    getattr(twice, name)(*range({"c": 2, "s": 2}.get(name[0], 1) + (name[:2] == "cc")))
    assert names(once, ["XYZ", "ZXY", "YZX"])[3:] == [name]
    assert names(twice, ["XYZ", "ZXY", "YZX"])[3:] == []
    assert kinds(twice, ["XYZ", "ZXY", "YZX"]) == ["inverse pair"]


FOUR, EIGHT = UnitaryGate(random_unitary(4, seed=1)), UnitaryGate(random_unitary(8, seed=1))


@pytest.mark.parametrize(
    "pair",
    [
        lambda c: (c.s(0), c.sdg(0)),
        lambda c: (c.sx(0), c.sxdg(0)),
        lambda c: (c.cs(0, 1), c.csdg(1, 0)),
        lambda c: (c.rx(w, 0), c.rx(-w, 0)),
        lambda c: (c.rzz(0.4, 0, 1), c.rzz(-0.4, 1, 0)),
        lambda c: (c.crz(w / 2, 0, 1), c.crz(-w / 2, 0, 1)),
        lambda c: (c.u(0.1, 0.2, 0.3, 0), c.u(-0.1, -0.3, -0.2, 0)),
        lambda c: (c.u(w, 0.2, v, 0), c.u(-w, -v, -0.2, 0)),
        lambda c: (c.append(FOUR, [0, 1]), c.append(FOUR.inverse(), [0, 1])),
        lambda c: (c.append(EIGHT, [2, 0, 1]), c.append(EIGHT.inverse(), [2, 0, 1])),
        lambda c: (c.append(PermutationGate([2, 0, 1]), [0, 1, 2]), c.append(PermutationGate([1, 2, 0]), [0, 1, 2])),
        lambda c: (c.rx(x, 0), c.rx(-x, 0)),
        lambda c: (c.rx(x * w, 0), c.rx(-w * x, 0)),
    ],
)  # fmt: skip
def test_inverse_pairs_cancel(pair):
    """Numbers, symbols, products of input and weight, gates outside the catalogue."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.u(0.4 + q, 0.2, 0.1, q)
    pair(circuit)
    sites, changes = simplified(circuit, ["XYZ", "ZXY", "YZX"])
    assert [site.name for site in sites] == ["u"] * 3
    assert [change.kind for change in changes] == ["inverse pair"]
    assert changes[0].origins == (3, 4)


def test_rotations_merge():
    """Coordinates add, symbols too, across gates they commute with; the origins of both are kept."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.rz(w, 0)
    circuit.cz(0, 1)
    circuit.p(0.4, 0)
    circuit.cx(0, 1)
    circuit.rz(v / 2, 0)
    circuit.h([0, 1])
    sites, changes = simplified(circuit, ["ZI", "IZ"])
    merged = next(site for site in sites if len(site.origins) > 1)
    assert merged.origins == (2, 4, 6)
    assert merged.name == "rz"
    assert merged.role == "trainable"
    assert merged.coordinate.bind({w: 1.0, v: 1.0}).numeric() == pytest.approx(1.9)
    assert [(c.kind, c.origins, c.into) for c in changes] == [("merged", (4,), (2,)), ("merged", (6,), (2, 4))]


@pytest.mark.parametrize(
    ("append", "left"),
    [
        (lambda c: (c.cp(w, 0, 1), c.cp(0.3, 1, 0)), "cp"),
        (lambda c: (c.cry(w, 0, 1), c.cry(0.3, 0, 1)), "cry"),
        (lambda c: (c.rzx(w, 1, 0), c.rzx(0.3, 1, 0)), "rzx"),
        (lambda c: (c.s(0), c.t(0)), "rz"),
        (lambda c: (c.cz(0, 1), c.cp(w, 0, 1)), "cp"),
        (lambda c: (c.sx(0), c.rx(w, 0)), "rx"),
        (lambda c: (evolve(c, w), evolve(c, 0.3)), "PauliEvolution"),
    ],
)
def test_members_of_one_class_merge(append, left):
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.t(range(3))
    circuit.sx(range(3))
    append(circuit)
    for q in range(3):
        circuit.u(0.3, 0.2, 0.1, q)
    sites, changes = simplified(circuit, ["XYZ", "ZXY"])
    assert left in [site.name for site in sites]
    assert sum(change.kind == "merged" for change in changes) >= 1
    task = task_of(circuit, ["XYZ", "ZXY"])
    same_for_all_values(task, sites, np.random.default_rng(1))


def evolve(circuit, time):
    circuit.append(PauliEvolutionGate(SparsePauliOp("XYZ", 0.7), time=time), [0, 2, 1])


def test_a_cx_and_its_generator_disagree_by_a_phase_only():
    """cx is exp(−iπΠ) exactly: cx beside csx (t = −π/2 of the same class) has no gate of its own and stays."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.t([0, 1])
    circuit.csx(0, 1)
    circuit.csx(0, 1)
    circuit.u(0.3, 0.2, 0.1, 0)
    assert names(circuit, ["XZ", "ZX"])[4:] == ["cx", "u"]
    circuit = circuit.copy_empty_like()
    circuit.h([0, 1])
    circuit.t([0, 1])
    circuit.csx(0, 1)
    circuit.cx(0, 1)
    circuit.u(0.3, 0.2, 0.1, 0)
    sites, _ = simplified(circuit, ["XZ", "ZX"])
    assert [site.name for site in sites][4:] == ["csx", "cx", "u"]
    same_for_all_values(task_of(circuit, ["XZ", "ZX"]), sites, np.random.default_rng(2), times=1)


# -- what must not happen ------------------------------------------------------------------------------------------


def test_encoding_never_merges_with_trainable():
    """A weight must not be tied to an input; encoding gates merge among themselves, and cancel as pairs."""
    circuit = QuantumCircuit(1)
    for angle in (x, w, 0.3, y, v):
        circuit.rx(angle, 0)
    sites, _ = simplified(circuit, "Z")
    assert sorted(site.role for site in sites) == ["encoding", "trainable"]
    for site in sites:
        free = {p.name[0] for p in site.coordinate.parameters}
        assert free == {"x"} or free == {"w"}
    circuit = QuantumCircuit(1)
    circuit.rx(x, 0)
    circuit.rx(w - x, 0)
    assert names(circuit, "Z") == ["rx"]  # both are encoding gates, and the input cancels


def test_gates_of_one_word_on_other_qubits_do_not_meet():
    """And cx in the two directions, rzx in its two orders, crz and cp."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.t([0, 1])
    circuit.cx(0, 1)
    circuit.cx(1, 0)
    circuit.rzx(0.3, 0, 1)
    circuit.rzx(-0.3, 1, 0)
    circuit.crz(0.2, 0, 1)
    circuit.cp(-0.2, 0, 1)
    circuit.h([0, 1])
    assert names(circuit, ["XZ", "ZX"])[4:-2] == ["cx", "cx", "rzx", "rzx", "crz", "cp"]


def test_a_trainable_gate_at_zero_is_left_for_removal():
    """It is no identity for other values; merging would carry its weight along where removal drops it for free."""
    circuit = QuantumCircuit(1)
    circuit.ry(0.7, 0)
    circuit.rx(w, 0)
    circuit.rx(v, 0)
    circuit.rz(0.4, 0)
    circuit.rx(WEIGHTS[2], 0)
    task = task_of(circuit, ["Z", "X"], {w: 0.0, WEIGHTS[2]: 2 * pi})
    sites, changes = simplify(task, sites_of(task))
    assert [site.name for site in sites] == ["ry", "rx", "rx", "rz", "rx"]
    assert changes == ()
    result = prune(task, Threshold(1e-9))
    assert [entry.action for entry in result.plan] == ["keep", "remove", "keep", "keep", "remove"]
    assert result.weight_map == (None, 0, None)
    np.testing.assert_allclose(result.weights, [task.weights[1]])


def test_a_cx_ladder_cancels_once_the_rotations_between_are_gone():
    """Removal is approximate, what follows is exact and reported as such."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.7, range(3))
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.rz(w, 2)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.ry(0.3, range(3))
    assert names(circuit, "ZZZ", {w: 0.4}).count("cx") == 4
    result = prune(task_of(circuit, "ZZZ", {w: 1e-4}), Threshold(0.01))
    assert result.circuit.count_ops() == {"ry": 3}  # both layers of ry have met as well
    actions = {entry.index: (entry.action, entry.detail) for entry in result.plan}
    assert actions[5] == ("remove", "identity")
    assert all(actions[k] == ("simplify", "inverse pair") for k in (3, 4, 6, 7))
    assert [entry.gate for entry in result.certificate.replaced] == ["rz"]


def test_weights_ride_along():
    """Names, values and the map from old to new; what merged is still free."""
    a, b, c = (Parameter(name) for name in "abc")
    circuit = QuantumCircuit(2)
    circuit.ry(a, 0)
    circuit.rz(b, 1)  # acts on |0⟩
    circuit.ry(c, 0)
    circuit.cx(0, 1)
    task = Task(circuit, "ZZ", weights=[0.3, 0.5, 0.7], weight_params=[c, b, a])
    result = prune(task, Threshold(1e-6))
    assert [p.name for p in result.task.weight_params] == ["c", "a"]
    assert result.weight_map == (0, None, 1)
    np.testing.assert_array_equal(result.weights, [0.3, 0.7])
    assert set(result.circuit.parameters) == {a, c}
    moved = result.circuit.assign_parameters({a: 1.0, c: -0.4})
    expected = circuit.assign_parameters({a: 1.0, b: 0.5, c: -0.4})
    np.testing.assert_allclose(outputs(task, state(moved)), outputs(task, state(expected)), atol=1e-12)


def test_global_phase_registers_and_name_stay():
    circuit = QuantumCircuit(2, name="net", global_phase=1.1)
    circuit.ry(w, 0)
    circuit.x(1)
    circuit.x(1)
    result = prune(task_of(circuit, "ZZ"), Threshold(0.0))
    assert (result.circuit.name, result.circuit.global_phase) == ("net", 1.1)
    assert result.circuit.qregs == circuit.qregs
    np.testing.assert_allclose(
        state(result.task.bound_circuit(0)), state(task_of(circuit).bound_circuit(0)), atol=1e-12
    )


# -- replacements and light cones ---------------------------------------------------------------------------------


def test_apply_puts_representatives_in_place():
    """() removes; several gates may stand for one; origins are those of the gate replaced."""
    circuit = QuantumCircuit(2)
    circuit.rx(w, 0)
    circuit.cx(0, 1)
    circuit.rx(v, 1)
    task = task_of(circuit)
    sites = sites_of(task)
    gate = UnitaryGate(np.eye(2))
    new = apply(task, sites, {0: (), 1: ((gate, (0,)), (gate, (1,))), 2: ((sites[0].operation, (1,)),)})
    assert [(s.name, s.qubits, s.origins) for s in new] == [
        ("unitary", (0,), (1,)),
        ("unitary", (1,), (1,)),
        ("rx", (1,), (2,)),
    ]
    assert new[2].coordinate == w
    assert apply(task, sites, {}) == sites


def test_light_cones_against_brute_force():
    """In the cone exactly if a chain of later gates leads from it to the output; made forwards here."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        circuit = QuantumCircuit(5)
        for _ in range(7):
            circuit.cx(*map(int, rng.permutation(5)[:2]))
        task = Task(circuit, ["IIIIZ", "IXIII", "IIIII"])
        sites = sites_of(task)
        for removed in list(subsets(range(7)))[::9]:
            mask = light_cones(task, sites, set(removed))
            for r, support in enumerate(task.output_supports):
                for k in range(7):
                    reached = set(sites[k].qubits)
                    for j in range(k + 1, 7):
                        if j not in removed and reached & set(sites[j].qubits):
                            reached |= set(sites[j].qubits)
                    assert mask[r, k] == bool(reached & set(support)), (removed, r, k)


def test_no_row_of_the_catalogue_is_forgotten():
    """g and its inverse leave nothing, wherever Qiskit's inverse is a gate of the catalogue too."""
    tried = 0
    for name in CATALOGUE:
        width, count = ARITY[name]
        gate = STANDARD[name](*(0.3 + 0.4 * j for j in range(count)))
        if gate.inverse().name not in CATALOGUE:
            continue
        tried += 1
        circuit = QuantumCircuit(3)
        for q in range(3):
            circuit.u(0.4 + q, 0.2, 0.1, q)
        circuit.append(gate, range(width))
        circuit.append(gate.inverse(), range(width))
        assert names(circuit, ["XYZ", "ZXY", "YZX"]) == ["u"] * 3, name
    assert tried >= len(CATALOGUE) - 3
