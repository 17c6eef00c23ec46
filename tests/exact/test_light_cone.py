"""Light cones of words: what goes is what no output sees or what leaves the state alone, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import INPUTS, WEIGHTS, circuits, dense, examples, observables, outputs_at, task_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, Statevector, random_clifford, random_unitary

import qprune
from qprune import Proven, Task
from qprune.exact.light_cone import Ahead, Behind, without_idle
from qprune.exact.pauli import in_pauli_form
from qprune.exact.simplify import simplify
from qprune.gates.sites import circuit_of, sites_of

w, v, u = WEIGHTS[:3]


def check_outputs_and_slopes(task, sites):
    """At random values of all parameters and to either side of each, by dense matrices."""
    after, rng = circuit_of(task, tuple(sites)), np.random.default_rng(0)
    point = {p: float(rng.uniform(-7, 7)) for p in task.circuit.parameters}
    near = [point | {p: point[p] + h} for p in point for h in (1e-3, -1e-3)]
    for where in (point, *near):  # alike there, within rounding, differences of both are alike too
        np.testing.assert_allclose(
            outputs_at(task, after, where), outputs_at(task, task.circuit, where), rtol=0, atol=1e-12
        )


def idle(circuit, measured):
    """Names of the gates that are left."""
    task = task_of(circuit, measured)
    sites, _ = without_idle(task, sites_of(task))
    check_outputs_and_slopes(task, sites)
    return [site.name for site in sites]


@settings(
    max_examples=examples(60), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(st.data())
def test_outputs_and_slopes_stay(data):
    """Random circuits over the whole catalogue, also behind Clifford gates or before them; distributions too."""
    circuit = data.draw(circuits(min_qubits=2, max_qubits=4, max_gates=8))
    clifford = random_clifford(circuit.num_qubits, seed=data.draw(st.integers(0, 10**6))).to_circuit()
    circuit = data.draw(st.sampled_from([circuit, circuit.compose(clifford), clifford.compose(circuit)]))
    task = task_of(circuit, data.draw(observables(circuit.num_qubits)))
    sites, changes = without_idle(task, sites_of(task))
    assert bool(changes) == (sites != sites_of(task))
    check_outputs_and_slopes(task, sites)


def test_a_gate_that_does_not_commute_with_a_later_one_goes_all_the_same():
    """The last CX makes Z0 of Z0; the other one, behind it on qubit 1, makes another word of what is measured."""
    circuit = QuantumCircuit(3)
    circuit.ry(w, [0, 1, 2])
    circuit.cx(1, 2)  # fixes Z0 Z1, which is what Z1 was behind the last CX
    circuit.cx(0, 1)
    assert idle(circuit, ["IZI"]) == ["ry", "ry", "cx"]
    assert idle(circuit, ["IZI", "ZII"]) == ["ry"] * 3 + ["cx"] * 2  # another output sees it


def test_what_the_simplifier_misses_between_two_gates_that_stay():
    """Planted: CX that commute with the observable as it is there, with neither of the gates around them."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(WEIGHTS[q], q)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.ry(0.3, 0)
    task = task_of(circuit, ["IIZ"])
    plain, _ = simplify(task, sites_of(task))
    seen, changes = without_idle(task, plain)
    assert len(seen) < len(plain)
    assert {change.kind for change in changes} <= {"commutes with the outputs", "light cone"}
    check_outputs_and_slopes(task, seen)


def test_gates_outside_the_catalogue_are_passed_and_dropped():
    """A Toffoli and any unitary hide nothing but words on their qubits."""
    circuit = QuantumCircuit(4)
    circuit.ry(w, range(4))
    circuit.rz(v, 0)  # commutes with the control, and with all that is measured
    circuit.ccx(0, 1, 2)
    circuit.append(UnitaryGate(random_unitary(4, seed=1)), [1, 2])
    circuit.cx(2, 3)
    circuit.append(UnitaryGate(random_unitary(2, seed=2)), [3])
    assert "rz" not in idle(circuit, ["IIZI"])
    assert idle(circuit, ["IIZI"])[-1] == "unitary"
    assert idle(circuit, ["ZIII"])[-2:] == ["cx", "unitary"]


@pytest.mark.parametrize(
    ("gate", "qubits", "prepared"),
    [
        ("cx", (0, 1), ""),
        ("cx", (1, 0), "h0"),
        ("cz", (0, 1), "rx1"),
        ("swap", (0, 1), ""),
        ("swap", (0, 1), "h0 h1"),
        ("ccx", (0, 1, 2), "rx1 rx2"),
        ("rzz", (0, 1), ""),
        ("crx", (0, 1), "ry1"),
        ("cp", (0, 1), "ry1"),
        ("ch", (0, 1), "ry1"),
    ],
)
def test_gates_that_only_turn_the_phase_go(gate, qubits, prepared):
    circuit = QuantumCircuit(3)
    for step in prepared.split():
        getattr(circuit, step[:-1])(*([v] if step[0] == "r" else []), int(step[-1]))
    angles = [w] if gate in ("rzz", "crx", "cp") else []
    getattr(circuit, gate)(*angles, *qubits)
    circuit.ryy(u, 0, 1)
    circuit.ryy(u, 1, 2)
    circuit.h(0)
    assert gate not in idle(circuit, ["XZY", "ZXX"])


@pytest.mark.parametrize("seed", range(6))
def test_a_rotation_is_seen_exactly_where_it_moves_what_the_outputs_have_become(seed):
    """Random words and Clifford gates at random angles, by dense matrices from the end: both ways round."""
    rng, n = np.random.default_rng(seed), 3
    circuit = QuantumCircuit(n)
    for k in range(6):
        word = "".join(rng.choice(list("IXYZ"), n, p=[0.55, 0.15, 0.15, 0.15]))
        if set(word) != {"I"}:
            circuit.append(PauliEvolutionGate(Pauli(word), time=Parameter(f"p{k}")), range(n))
        circuit.cx(*rng.permutation(n)[:2].tolist())
    task = Task(circuit, ["IIZ"], weights=rng.uniform(0.3, 1.2, circuit.num_parameters))
    behind, measured = Behind([((0, "Z"),)], n), dense(SparsePauliOp("IIZ"))
    values = dict(zip(task.weight_params, task.weights.tolist(), strict=True))
    for site, instruction in zip(reversed(sites_of(task)), reversed(circuit.data), strict=True):
        alone = QuantumCircuit(n)
        alone.append(instruction.operation, [circuit.find_bit(q).index for q in instruction.qubits])
        gate = Operator(alone.assign_parameters({p: values[p] for p in alone.parameters})).data
        before = gate.conj().T @ measured @ gate
        assert behind.sees(site) == (not np.allclose(before, measured, rtol=0, atol=1e-9))
        if behind.sees(site):
            behind.add(site)
        measured = before


@pytest.mark.parametrize("seed", range(5))
def test_words_ahead_stabilise_the_state_at_all_parameter_values(seed):
    rng = np.random.default_rng(seed)
    circuit = random_clifford(4, seed=seed).to_circuit()
    circuit.rzz(w, 0, 1)
    circuit.crx(v, 2, 3)
    circuit.compose(random_clifford(4, seed=seed + 50).to_circuit(), inplace=True)
    task = task_of(circuit, ["ZZZZ"])
    ahead = Ahead(4)
    for site in sites_of(task):
        ahead.add(site)
    assert len(ahead.stabilisers) >= 1
    bound = circuit.assign_parameters({p: float(rng.uniform(-3, 3)) for p in circuit.parameters})
    for word in ahead.stabilisers:
        assert Statevector(bound).expectation_value(word).real == pytest.approx(1, abs=1e-12)


def test_probabilities_of_some_qubits():
    circuit = QuantumCircuit(3, 2)
    for q in range(3):
        circuit.ry(WEIGHTS[q], q)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.rz(0.3, 0)
    circuit.measure([0, 1], [0, 1])
    task = task_of(circuit)
    sites, _ = without_idle(task, sites_of(task))
    assert [site.name for site in sites] == ["ry", "ry", "cx"]
    check_outputs_and_slopes(task, sites)


class Named(Gate):
    """Any unitary under any name, which is all that Qiskit knows of it."""

    def __init__(self, name, matrix):
        super().__init__(name, int(np.log2(len(matrix))), [])
        self.matrix = matrix

    def inverse(self, annotated=False):
        return Named(self.name, self.matrix.conj().T)

    def __array__(self, dtype=None, copy=None):
        return self.matrix


@pytest.mark.parametrize(("name", "width"), [("h", 1), ("swap", 2)])
def test_a_gate_of_the_users_is_not_taken_for_one_of_the_library_by_its_name(name, width):
    gate, circuit = Named(name, random_unitary(2**width, seed=3).data), QuantumCircuit(2)
    circuit.ry(w, [0, 1])
    circuit.append(gate, range(width))
    circuit.rx(0.2, 0)
    circuit.cx(0, 1)
    circuit.append(gate, range(width))
    task = task_of(circuit, ["ZZ", "XI"])
    for other in (qprune.absorb(task).task, qprune.prune(task, Proven(0.0), couplings="circuit", form="pauli").task):
        np.testing.assert_allclose(
            outputs_at(other, other.circuit, {w: 1.1}), outputs_at(task, circuit, {w: 1.1}), atol=1e-12
        )
    task = task_of(circuit)
    absorbed = qprune.absorb(task)
    outcomes = outputs_at(absorbed.task, absorbed.task.circuit, {w: 1.1})
    np.testing.assert_allclose(outcomes, outputs_at(task, circuit, {w: 1.1})[list(absorbed.outcomes)], atol=1e-12)


def test_a_result_tells_every_fate_and_is_verified(tmp_path):
    """A CX and the weights behind it, which only words show to be idle."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(INPUTS[q % 2], q)
        circuit.ry(WEIGHTS[q], q)
    circuit.cx(0, 2)
    circuit.rz(Parameter("idle"), 0)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    task = task_of(circuit, ["IZI"])
    result = qprune.prune(task, Proven(0.0), couplings="circuit")
    assert [p.name for p in task.weight_params if p not in set(result.circuit.parameters)] == ["idle", WEIGHTS[2].name]
    left = {p.name for p in result.circuit.parameters}
    assert [k is None for k in result.weight_map] == [p.name not in left for p in task.weight_params]
    assert sorted(entry.index for entry in result.plan) == list(range(len(sites_of(task))))
    assert [entry.index for entry in result.plan if entry.action == "keep"] == [0, 1, 2, 3, 9]
    qprune.verify(task, result)
    qprune.save(result, tmp_path / "result")
    qprune.verify(qprune.load(tmp_path / "result"))


def test_rewriting_in_pauli_form_starts_without_idle_gates():
    circuit = QuantumCircuit(3)
    circuit.ry(w, [0, 1, 2])
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    task = task_of(circuit, ["IZI"])
    sites, changes = in_pauli_form(task, sites_of(task), None)
    assert sum(len(site.qubits) == 2 for site in sites) <= 1
    assert changes
