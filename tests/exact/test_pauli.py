"""Pauli form: words and signs, what merges and what no output sees, and every way in which it is written back."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import INPUTS, WEIGHTS, circuits, examples, observables, outputs_at, task_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Clifford, Operator, Pauli, SparsePauliOp, random_clifford
from small_networks import entangler

import qprune
from qprune import Measured, Proven, Task
from qprune.exact.light_cone import without_idle
from qprune.exact.pauli import Region, form_of, in_pauli_form, regions, total_cost, written
from qprune.exact.pauli_form import is_inside, pauli_form
from qprune.exact.simplify import GONE, output_sums, simplify
from qprune.gates.sites import circuit_of, sites_of

w, v = WEIGHTS[:2]
x = INPUTS[0]


def gradient(task, circuit, point, step=1e-5):
    """Central differences of all outputs in every parameter of the task."""
    rows = []
    for p in task.circuit.parameters:
        sides = [outputs_at(task, circuit, point | {p: point[p] + h}) for h in (step, -step)]
        rows.append((sides[0] - sides[1]) / (2 * step))
    return np.array(rows)


def same(task, sites, rng, gradients=False):
    after = circuit_of(task, tuple(sites))
    point = {p: float(rng.uniform(-7, 7)) for p in task.circuit.parameters}
    np.testing.assert_allclose(
        outputs_at(task, after, point), outputs_at(task, task.circuit, point), rtol=0, atol=1e-12
    )
    if gradients:
        before = gradient(task, task.circuit, point)
        np.testing.assert_allclose(gradient(task, after, point), before, rtol=0, atol=1e-8)


def every_way(task, sites, couplings):
    """The circuit with one region written in each of the ways there are, cheaper or not."""
    parts = regions(task, sites, lambda site: 0.0, couplings)
    for k, part in enumerate(parts):
        for new in written(part, form_of(part)) if isinstance(part, Region) else ():
            flat = [p.sites if isinstance(p, Region) else p for p in parts]
            yield [site for run in (*flat[:k], new, *flat[k + 1 :]) for site in run]


def check_every_way(data):
    circuit = data.draw(circuits(min_qubits=2, max_qubits=4, max_gates=8))
    task = task_of(circuit, data.draw(observables(circuit.num_qubits)))
    sites = simplify(task, sites_of(task))[0]
    rng = np.random.default_rng(0)
    couplings = data.draw(st.sampled_from(["circuit", "any"]))
    for new in every_way(task, sites, couplings):
        same(task, new, rng)
    seen, gone = without_idle(task, sites)
    same(task, seen, rng)
    assert len(seen) <= len(sites) - bool(gone)
    chosen, changes = in_pauli_form(task, sites, None, couplings)
    same(task, chosen, rng, gradients=True)
    assert total_cost(chosen, None) <= total_cost(sites, None)
    assert bool(changes) == (chosen != sites)


@settings(
    max_examples=examples(16), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(st.data())
def test_every_way_to_write_it_leaves_all_outputs(data):
    """Random circuits over the whole catalogue, at random parameter values; gates without a Pauli form cut them."""
    check_every_way(data)


@pytest.mark.soak
@settings(max_examples=1000, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_every_way_to_write_it_leaves_all_outputs_of_many_circuits(data):
    check_every_way(data)


@pytest.mark.parametrize("seed", range(6))
def test_words_and_signs_are_those_of_the_clifford_group(seed):
    """C†PC of every rotation by dense matrices, C being all Clifford gates before it; and F†OF of the output."""
    rng = np.random.default_rng(seed)
    circuit, turned = QuantumCircuit(3), []
    clifford = QuantumCircuit(3)
    for k in range(4):
        part = random_clifford(3, seed=int(rng.integers(2**31))).to_circuit()
        for target in (circuit, clifford):
            target.compose(part, inplace=True)
        word = "".join(rng.choice(list("XYZ"), 3))
        circuit.append(PauliEvolutionGate(Pauli(word), time=Parameter(f"w{k}")), range(3))
        before = Operator(clifford).data
        turned.append(before.conj().T @ Pauli(word).to_matrix() @ before)
    task = task_of(circuit, ["XYZ"])
    form = pauli_form(task, sites_of(task), output_sums(task))
    assert len(form.rotations) == 4
    for k, (site, matrix) in enumerate(zip(form.rotations, turned, strict=True)):
        point = dict.fromkeys(site.coordinate.parameters, 1.0)
        assert {p.name for p in point} == {f"w{k}"}
        sign = float(site.coordinate.bind(point).numeric()) / 2
        np.testing.assert_allclose(sign * as_matrix(site.word, 3), matrix, atol=1e-12)
    ((image, sign),) = form.outputs[0].items()
    frame = Operator(clifford).data
    measured = frame.conj().T @ Pauli("XYZ").to_matrix() @ frame
    np.testing.assert_allclose(sign * as_matrix(image, 3), measured, atol=1e-12)
    assert Clifford(form.frame) == Clifford(clifford)


def as_matrix(word, n):
    letters = dict(word)
    return Pauli("".join(letters.get(q, "I") for q in reversed(range(n)))).to_matrix()


def cx(circuit):
    return circuit.count_ops().get("cx", 0)


@pytest.mark.parametrize("couplings", ["circuit", "any"])
def test_layers_of_a_basic_entangler_need_half_their_gates(couplings):
    """What goes with its weight is what no output depends on; every other weight has its slope as before."""
    circuit = entangler(4, 4)
    task = Task(circuit, "IIIZ", weights=np.random.default_rng(1).uniform(-3, 3, 16))
    sites, changes = in_pauli_form(task, sites_of(task), None, couplings)
    after = circuit_of(task, sites)
    assert cx(after) <= 8 < cx(circuit) == 16
    same(task, sites, np.random.default_rng(2), gradients=True)
    gone = set(circuit.parameters) - set(after.parameters)
    assert len(gone) >= 7
    idle = {o for change in changes if change.kind in GONE for o in change.origins}
    assert {p for o in idle for angle in sites_of(task)[o].operation.params for p in angle.parameters} == gone
    if couplings == "circuit":
        pairs = {site.qubits for site in sites_of(task) if site.name == "cx"}
        assert {site.qubits for site in sites if len(site.qubits) > 1} <= pairs


def test_weights_that_no_output_sees_go_even_where_no_gate_can_be_saved():
    """On a ring of eight the network is no shorter, but most rotations of the last layers do nothing."""
    circuit = entangler(8, 3)
    task = Task(circuit, "I" * 7 + "Z", weights=np.random.default_rng(1).uniform(-3, 3, 24))
    sites, _ = in_pauli_form(task, sites_of(task), None)
    same(task, sites, np.random.default_rng(2), gradients=True)
    point = {p: 0.3 + k for k, p in enumerate(circuit.parameters)}
    slopes = np.abs(gradient(task, circuit, point))[:, 0]
    flat = {p for p, slope in zip(task.circuit.parameters, slopes, strict=True) if slope < 1e-9}
    assert set(circuit.parameters) - set(circuit_of(task, sites).parameters) <= flat
    assert len(circuit_of(task, sites).parameters) < 24


def test_nothing_is_spent_on_what_no_output_sees():
    """Planted: without the drop of words a proof would pay for these rotations, one by one."""
    circuit = entangler(6, 3)
    task = Task(circuit, "IIIIIZ", weights=np.random.default_rng(1).uniform(0.4, 2, 18))
    result = qprune.prune(task, Proven(0.0), couplings="circuit")
    point = {p: 0.3 + k for k, p in enumerate(circuit.parameters)}
    slopes = np.abs(gradient(task, circuit, point))[:, 0]
    flat = {p.name for p, slope in zip(circuit.parameters, slopes, strict=True) if slope < 1e-9}
    gone = {p.name for p in circuit.parameters} - {p.name for p in result.simplified.parameters}
    assert gone
    assert gone <= flat
    assert not result.certificate.replaced
    told = {entry.index: entry for entry in result.plan if entry.action == "simplify"}
    assert gone <= {p.name for k in told for a in sites_of(task)[k].operation.params for p in a.parameters}
    qprune.verify(task, result)


def test_equal_words_merge_though_other_gates_stand_between():
    """Planted: the ladder is a rotation about ZZ, and so is the gate behind gates that commute with it."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.cx(0, 1)
    circuit.rz(w, 1)
    circuit.cx(0, 1)
    circuit.rxx(0.3, 0, 1)
    circuit.cx(1, 0)
    circuit.rz(v, 0)
    circuit.cx(1, 0)
    circuit.rx(0.4, 0)
    task = task_of(circuit, ["ZI", "IX"])
    sites, changes = in_pauli_form(task, sites_of(task), None)
    assert [change.kind for change in changes].count("merged") == 1
    turns = [site for site in sites if site.role == "trainable"]
    assert len(turns) == 1
    assert {p.name for p in turns[0].coordinate.parameters} == {w.name, v.name}
    assert set(turns[0].origins) >= {3, 7}
    same(task, sites, np.random.default_rng(0), gradients=True)


@pytest.mark.parametrize(
    "angle", [pi / 2, pi, 2 * pi, 3 * pi, 4 * pi, -2 * pi, 2 * pi + 1e-9, 1e16, 1e16 * pi, 1e-300, 0.1, pi / 2 + 1e-12]
)
def test_angles_of_any_size_and_periods_under_a_control(angle):
    """Multiples of π/2 are Clifford gates; under a control the period is 4π; numbers near them stay what they are."""
    circuit = QuantumCircuit(3)
    circuit.ry(w, [0, 1, 2])
    circuit.crx(angle, 0, 1)
    circuit.cp(angle, 1, 2)
    circuit.rzz(angle, 0, 2)
    circuit.crz(angle, 2, 0)
    if abs(angle) < 100:  # beyond, a task refuses a gate that adds its angles
        circuit.u(angle, 0.3, -angle, 1)
    circuit.cx(0, 2)
    circuit.ry(v, [0, 1, 2])
    task = task_of(circuit, ["ZZI", "IXY"])
    rng = np.random.default_rng(0)
    for new in every_way(task, sites_of(task), "circuit"):
        same(task, new, rng)


def test_gates_of_inputs_are_not_split_and_large_gates_cut():
    """Half-angles would double the degree of an output in the input, on which claims for every input rest."""
    circuit = QuantumCircuit(3)
    circuit.crx(x, 0, 1)
    circuit.ccx(0, 1, 2)
    circuit.rx(x, 1)
    circuit.crx(w, 0, 1)
    task = task_of(circuit, ["ZII"])
    assert [is_inside(site) for site in sites_of(task)] == [False, False, True, True]
    *before, last = regions(task, sites_of(task), None, "circuit")
    assert not any(isinstance(part, Region) for part in before)
    assert (last.first, last.last) == (False, True)
    whole = task_of(entangler(3, 2))
    (only,) = regions(whole, sites_of(whole), None, "circuit")
    assert (only.first, only.last) == (True, True)


def test_device_gates_stay_device_gates():
    """CZ where all were CZ; CX in the direction that the circuit has."""
    circuit = QuantumCircuit(4)
    for layer in range(3):
        for q in range(4):
            circuit.ry(Parameter(f"w{layer}{q}"), q)
        for q in range(4):
            for p in range(q):
                circuit.cz(q, p)
    task = Task(circuit, "IIIZ", weights=np.random.default_rng(1).uniform(-3, 3, 12))
    sites, changes = in_pauli_form(task, sites_of(task), None)
    assert changes
    assert {site.name for site in sites if len(site.qubits) == 2} == {"cz"}
    same(task, sites, np.random.default_rng(0))


def test_nothing_changes_where_nothing_is_saved():
    circuit = QuantumCircuit(3)
    for k in range(6):
        circuit.ry(Parameter(f"w{k}"), k % 3)
        if k == 2:
            circuit.cx(0, 1)
            circuit.cx(1, 2)
    task = task_of(circuit, ["ZZZ", "XII"])
    sites = sites_of(task)
    assert in_pauli_form(task, sites, None) == (sites, ())
    assert in_pauli_form(task, sites, lambda site: 0.0) == (sites, ())


@pytest.mark.thinned(9)
@pytest.mark.parametrize("limit", [Proven(0.0), Measured(0.02)])
def test_a_result_tells_every_fate_and_is_verified(limit, tmp_path):
    circuit = entangler(4, 3)
    weights = np.random.default_rng(3).uniform(-3, 3, 12)
    task = Task(circuit, SparsePauliOp.from_list([("IIIZ", 0.7)]), weights=weights)
    result = qprune.prune(task, limit, couplings="circuit")
    assert cx(result.circuit) < 12
    left = {p.name for p in result.circuit.parameters}
    assert [k is None for k in result.weight_map] == [p.name not in left for p in task.weight_params]
    for entry in result.plan:
        if entry.gate == "rx" and entry.action == "keep":
            assert {p.name for p in sites_of(task)[entry.index].operation.params[0].parameters} <= left
    told = {entry.detail for entry in result.plan if entry.action == "simplify"}
    gone = [entry for entry in result.plan if entry.gate == "cx" and entry.action != "keep"]
    assert len(gone) >= 12 - cx(result.circuit)
    assert told & {"commutes with the outputs", "light cone"}
    qprune.verify(task, result)
    qprune.save(result, tmp_path / "result")
    qprune.verify(qprune.load(tmp_path / "result"))
    assert qprune.prune(task, limit, couplings="circuit").certificate.pruned_hash == result.certificate.pruned_hash
