"""Clifford gates at the end become part of what is measured: the same outputs from fewer gates."""

from __future__ import annotations

from itertools import product
from math import pi

import numpy as np
import pytest
from helpers import WEIGHTS, circuits, dense, examples, observables, outputs, state, task_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate, PauliEvolutionGate, RXGate, RZGate, SwapGate
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, random_clifford

from qprune import Proven, Task, TaskError, absorb, load_network, prune, verify

w, v = WEIGHTS[:2]


def at(task, point):
    return outputs(task, state(task.circuit.assign_parameters({p: point[p.name] for p in task.circuit.parameters})))


def slopes(task, names, point, step=1e-5):
    return np.array([(at(task, point | {n: point[n] + step}) - at(task, point | {n: point[n] - step})) for n in names])


@settings(max_examples=examples(80), derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_outputs_and_gradients_stay(data):
    """Random circuits over the whole catalogue with random Clifford gates in them and behind them, by dense algebra."""
    circuit = data.draw(circuits(min_qubits=2, max_qubits=4, max_gates=6))
    n = circuit.num_qubits
    inner, tail = (random_clifford(n, seed=data.draw(st.integers(0, 10**6))).to_circuit() for _ in range(2))
    if data.draw(st.booleans()):
        circuit = circuit.compose(inner).compose(data.draw(circuits(min_qubits=n, max_qubits=n, max_gates=4)))
    measured = data.draw(observables(circuit.num_qubits))
    if measured is None:
        measured = ["Z" * circuit.num_qubits]
    task = task_of(circuit.compose(tail), measured)
    absorbed = absorb(task)
    point = {p.name: x for p, x in zip(task.circuit.parameters, np.linspace(-5, 6, 40), strict=False)}
    np.testing.assert_allclose(at(absorbed.task, point), at(task, point), rtol=0, atol=1e-12)
    names = list(point)[: len(task.circuit.parameters)]
    np.testing.assert_allclose(slopes(absorbed.task, names, point), slopes(task, names, point), rtol=0, atol=1e-12)
    assert absorbed.gates >= tail.size()
    for before, after in zip(task.observables, absorbed.task.observables, strict=True):
        np.testing.assert_allclose(np.linalg.eigvalsh(dense(after)), np.linalg.eigvalsh(dense(before)), atol=1e-12)


def test_what_is_measured_is_conjugated_by_the_gates_that_went():
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.3 + q, q)
    tail = random_clifford(3, seed=5).to_circuit()
    given = SparsePauliOp(["ZXI", "IYZ", "III"], [0.5, -2.0, 3.0])
    absorbed = absorb(Task(circuit.compose(tail), given))
    c = Operator(tail).data
    np.testing.assert_allclose(dense(absorbed.task.observables[0]), c.conj().T @ dense(given) @ c, atol=1e-12)
    assert absorbed.task.circuit.size() == 3


def test_a_ring_at_the_end_goes_and_the_bits_that_are_read_stay():
    """Z letters become Z letters: one setting before and after, one CX less for each of the ring."""
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.rx(WEIGHTS[q % 4], q)
        circuit.ry(0.2, q)
    for q in range(4):
        circuit.cx(q, (q + 1) % 4)
    absorbed = absorb(task_of(circuit, ["IIIZ", "ZIII"]))
    assert (absorbed.gates, absorbed.two_qubit_gates, absorbed.groups) == (4, 4, (1, 1))
    assert all(set("".join(o.paulis.to_labels())) <= set("IZ") for o in absorbed.task.observables)


def test_gates_go_from_behind_others_that_commute_with_them_or_that_no_output_sees():
    circuit = QuantumCircuit(2)
    circuit.ry(w, 0)
    circuit.ry(v, 1)
    circuit.cx(0, 1)
    circuit.rz(1.1, 0)  # about Z, measured by Z
    circuit.rx(0.4, 1)  # commutes with the target of the CX
    absorbed = absorb(task_of(circuit, ["ZZ", "IZ"]))
    assert absorbed.task.circuit.count_ops() == {"ry": 2, "rx": 1}
    assert absorbed.two_qubit_gates == 1


@pytest.mark.parametrize("measured", ["XX", "ZY"])
def test_gates_do_not_pass_what_outputs_see_only_once_others_are_measured(measured):
    """CRX is two rotations, and XX commutes with one of them: what a quarter turn before makes of XX does not."""
    for turned in ("".join(pair) for pair in product("XYZ", repeat=2)):
        circuit = QuantumCircuit(2)
        circuit.u(0.7, 0.4, 0.2, [0, 1])
        circuit.append(PauliEvolutionGate(Pauli(turned), time=pi / 4), [0, 1])
        circuit.crx(w, 0, 1)
        task = task_of(circuit, [measured])
        absorbed, point = absorb(task).task, {w.name: 2.1}
        np.testing.assert_allclose(at(absorbed, point), at(task, point), rtol=0, atol=1e-12)


def test_numbers_that_are_quarter_turns_are_clifford_gates_and_weights_are_not():
    def ended(angle):
        circuit = QuantumCircuit(2)
        circuit.ry(w, 0)
        circuit.rx(0.7, 1)
        circuit.rzz(angle, 0, 1)
        return task_of(circuit, ["IX"])

    assert absorb(ended(-pi / 2)).two_qubit_gates == 1
    assert absorb(ended(5 * pi / 2)).two_qubit_gates == 1
    for angle in (0.3, v, pi / 2 + 1e-3):
        task = ended(angle)
        assert absorb(task).task is task


def test_more_settings_are_reported():
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.ry(0.5, 1)
    circuit.cx(0, 1)
    circuit.h(0)  # Bell states: both words on both qubits
    assert absorb(Task(circuit, ["IZ", "ZI"])).groups == (1, 2)


def test_part_of_a_swap_is_not_measured_where_renaming_qubits_takes_it_whole():
    """The last CX passes the rotation, the others do not; of those, one would be left."""
    circuit = QuantumCircuit(2)
    circuit.ry(w, 0)
    circuit.ry(v, 1)
    for pair in ((0, 1), (1, 0), (0, 1)):
        circuit.cx(*pair)
    circuit.rz(0.7, 0)
    task = task_of(circuit, ["IX", "ZI"])
    absorbed = absorb(task)
    assert absorbed.two_qubit_gates == 3
    point = {w.name: 0.6, v.name: 2.1}
    np.testing.assert_allclose(at(absorbed.task, point), at(task, point), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("seed", "couplings"), [*((seed, None) for seed in range(6)), (0, "circuit"), (1, "any"), (2, "any")]
)
def test_absorbing_never_loses_against_not_absorbing(seed, couplings):
    """Random circuits with SWAPs on the way; only gates on two qubits cost."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.3 + q, q)
    for k in range(10):
        a, b = rng.permutation(3)[:2].tolist()
        circuit.append(*((SwapGate(), [a, b]) if k % 3 == 0 else (CXGate(), [a, b])))
        circuit.append((RZGate, RXGate)[k % 2](0.3 + k), [a])
    task = task_of(circuit, ["".join(rng.choice(list("IXYZ"), 3)) for _ in range(2)])

    def left(absorb):
        costs = {"costs": lambda site: float(len(site.qubits) > 1), "couplings": couplings}
        result = prune(task, Proven(0.0), absorb=absorb, **costs)
        return sum(len(item.qubits) > 1 for item in result.circuit.data)

    assert left(True) <= left(False)


def test_outcomes_of_a_distribution_are_permuted():
    """By dense states: a gate at the end that permutes outcomes goes, one that joins an unmeasured qubit stays."""
    rng, counts = np.random.default_rng(0), []
    for seed in range(12):
        circuit = QuantumCircuit(4, 3)
        for q in range(4):
            circuit.ry(0.4 + q + seed, q)
        circuit.cx(0, 1)
        circuit.ry(0.3, 1)
        for _ in range(8):
            name = str(rng.choice(["x", "y", "cx", "cy", "swap", "s", "cz", "t"]))
            width = 1 if name in ("x", "y", "s", "t") else 2
            getattr(circuit, name)(*rng.choice(4 if seed % 2 else 3, width, replace=False).tolist())
        circuit.measure([2, 0, 1], [0, 1, 2])
        task = Task(circuit)
        absorbed = absorb(task)
        before, after = (outputs(each, state(each.circuit)).ravel() for each in (task, absorbed.task))
        np.testing.assert_allclose(after, before[list(absorbed.outcomes)], rtol=0, atol=1e-14)
        counts.append(absorbed.task.circuit.size())
    assert set(counts[::2]) == {5}  # the rotations of what is measured, and the first CX
    assert max(counts[1::2]) > 6


def test_probabilities_are_refused_by_prune_with_the_way_out():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    with pytest.raises(TaskError, match="give it observables"):
        prune(Task(circuit), Proven(0.1), absorb=True)


def test_an_absorbed_network_is_pruned_certified_and_verified():
    task = load_network("iris-4q")
    absorbed = absorb(task)
    results = [prune(each, Proven(1e-9), progress=False) for each in (task, absorbed.task)]
    entangling = [sum(len(i.qubits) > 1 for i in result.circuit.data) for result in results]
    assert absorbed.two_qubit_gates == 4
    assert entangling[1] < entangling[0]
    assert absorbed.groups == (1, 1)
    verify(results[1])


def test_a_result_is_no_task():
    with pytest.raises(TaskError, match=r"task must be a qprune.Task, got PruneResult; .*take \.task"):
        absorb(prune(load_network("iris-4q"), Proven(0.1)))
