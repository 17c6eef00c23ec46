"""Many samples in one Aer state, read block by block: against dense states, in pieces of every size."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from helpers import INPUTS, WEIGHTS, examples, expectations, outputs, state, tasks
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterVector
from qiskit.circuit.library import DiagonalGate, GlobalPhaseGate, RXGate, UnitaryGate
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, Statevector, random_statevector, random_unitary
from qiskit_aer.quantum_info.states.aer_state import AerState

from qprune import Task
from qprune.errors import TaskError
from qprune.gates.sites import circuit_of, make_site, sites_of
from qprune.simulators import choices
from qprune.simulators import statevector as ensemble
from qprune.simulators.blocks import LARGEST, Blocks
from qprune.simulators.choices import Statevector as Simulator
from qprune.simulators.statevector import Ensemble, _Part
from qprune.simulators.values import expectation_rounding

ROUNDING = 1e-12


def words_on(num_qubits, labels):
    """Labels, first letter on qubit 0, as words."""
    cut = {label[:num_qubits] for label in labels}
    return sorted(tuple((q, p) for q, p in enumerate(label) if p != "I") for label in cut if set(label) != {"I"})


def prefix_states(task, sites, sample):
    """The dense state before every site, which is one gate of the circuit each."""
    bound = task.bound_circuit(sample)
    current = Statevector.from_int(0, 2**bound.num_qubits)
    states, gates = [], [item for item in bound.data if item.operation.name != "barrier"]
    assert len(gates) == len(sites)
    for item in gates:
        states.append(current.data)
        current = current.evolve(Operator(item.operation), [bound.find_bit(q).index for q in item.qubits])
    return states


def flat(task):
    """The task with its circuit in elementary gates, one per site."""
    return task.with_circuit(circuit_of(task, sites_of(task)))


labels = st.lists(st.text("IXYZ", min_size=5, max_size=5), min_size=1, max_size=4)


@given(task=tasks(max_gates=14, max_qubits=5), wanted=labels, at_once=st.sampled_from((1, 2, 8, 2**15)))
@settings(max_examples=examples(70), derandomize=True, database=None, deadline=None)
def test_all_words_and_outputs_are_those_of_the_dense_state(task, wanted, at_once):
    """Words of any length anywhere, one sample or several at a time, states in one piece or in many."""
    task = flat(task)
    sites = sites_of(task)
    seen = {q for site in sites for q in site.qubits} | {q for support in task.output_supports for q in support}
    words = [word for word in words_on(task.num_qubits, wanted) if seen.issuperset(q for q, _ in word)]
    with patch.object(ensemble, "AT_ONCE", at_once):
        found = Simulator().run(task, sites, [words] * len(sites), task.selected)
    for i in range(task.num_samples):
        for k, vector in enumerate(prefix_states(task, sites, i)):
            rho = np.outer(vector, vector.conj())
            for word in words:
                dense = expectations(rho, range(task.num_qubits))(word)[0]
                assert found.expectation(k, word)[i] == pytest.approx(dense, abs=ROUNDING), (k, word)
        final = state(task.bound_circuit(i))
        if task.observables is None:
            np.testing.assert_allclose(found.outputs.distribution[i], outputs(task, final), atol=ROUNDING)
        else:
            np.testing.assert_allclose(found.outputs.means[:, i], outputs(task, final), atol=ROUNDING)


def layered(samples, seed=3, num_qubits=4):
    """Two layers, inputs in each; every angle of its own."""
    rng, x, w = np.random.default_rng(seed), ParameterVector("x", num_qubits), ParameterVector("w", 4 * num_qubits)
    circuit, free = QuantumCircuit(num_qubits), iter(w)
    for _ in range(2):
        for q in range(num_qubits):
            circuit.ry(x[q] * (q + 1), q)
            circuit.rz(next(free), q)
            circuit.rx(next(free), q)
        for q in range(num_qubits):
            circuit.cx(q, (q + 1) % num_qubits)
    return Task(
        circuit,
        ["Z" + "I" * (num_qubits - 1), SparsePauliOp(["XYZI"[:num_qubits], "ZZXX"[:num_qubits]], [0.4, 1.3])],
        inputs=rng.uniform(-2, 2, (samples, num_qubits)),
        input_params=list(x),
        weights=rng.normal(0, 1, len(w)),
    )


def everything(task, samples):
    sites = sites_of(task)
    words = words_on(task.num_qubits, ["ZIII", "XYII", "IZXY", "YYZX"])
    found = Simulator().run(task, sites, [words] * len(sites), np.array(samples))
    return np.vstack([found.values, found.outputs.means, found.outputs.deviations])


@pytest.mark.parametrize("some", [[0], [12], [4, 3], [1, 2, 3, 5, 8], list(range(12, -1, -1))])
def test_no_result_depends_on_the_other_samples_to_the_last_bit(some):
    """So that sharding an ensemble changes nothing."""
    task = layered(13)
    assert np.array_equal(everything(task, range(13))[:, some], everything(task, some))


def test_pieces_are_cut_from_samples_and_from_large_states_alike(monkeypatch):
    task = layered(5)
    whole = everything(task, range(5))
    for at_once in (2, 16, 64):
        monkeypatch.setattr(ensemble, "AT_ONCE", at_once)
        np.testing.assert_allclose(everything(task, range(5)), whole, atol=1e-14)


def test_many_threads_take_the_circuit_pass_with_the_same_result(monkeypatch):
    task = layered(3)
    one = everything(task, range(3))
    used = []
    real = choices.CircuitPass.run
    monkeypatch.setattr(choices, "AT_ONCE", 1)
    monkeypatch.setattr(choices, "MANY_THREADS", 1)
    monkeypatch.setattr(choices.CircuitPass, "run", lambda *a: used.append(1) or real(*a))
    np.testing.assert_allclose(everything(task, range(3)), one, atol=1e-13)
    assert used


@pytest.mark.parametrize("at_once", [4, 2**15])
def test_moments_of_a_sum_on_many_qubits(at_once, monkeypatch):
    """Shared and different flips, letters on the highest and on the lowest qubits, a constant."""
    monkeypatch.setattr(ensemble, "AT_ONCE", at_once)
    rng = np.random.default_rng(5)
    labels = ["".join(rng.choice(list("IXYZ"), 5)) for _ in range(12)] + ["ZZIII", "IIIZZ", "YIIIY", "IIIII"]
    operator = SparsePauliOp(labels, rng.normal(size=len(labels)))
    states = np.array([random_statevector(32, seed=s).data for s in (1, 2)])
    means, squares = _Part(tuple(range(5)), states).moments(operator)
    dense = operator.to_matrix()
    for vector, mean, square in zip(states, means, squares, strict=True):
        assert mean == pytest.approx(np.vdot(vector, dense @ vector).real, abs=1e-13)
        assert square == pytest.approx(np.linalg.norm(dense @ vector) ** 2, abs=1e-12)


def test_blocks_hold_runs_of_gates_on_few_qubits():
    """A layer of rotations and a ring of CX: about two CX per block, and the rotations in them."""
    task = layered(2, num_qubits=4)
    blocks = Blocks(task, task.selected)
    for site in sites_of(task):
        blocks.append(site)
    fixed = [block for block in blocks.steps if block.diagonals is None]
    assert all(len(block.qubits) <= LARGEST for block in fixed)
    assert len([block for block in fixed if len(block.qubits) > 1]) <= 6  # 8 CX
    assert len(blocks.steps) - len(fixed) == 8  # one per input gate


def test_what_no_value_needs_is_not_done():
    """Behind the last reading, on the qubits it looks at and on others."""
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.ry(0.3 + q, q)
    circuit.cx(0, 1)
    circuit.cx(2, 3)
    task = Task(circuit, "IIIZ")
    blocks = Blocks(task, task.selected)
    for site in sites_of(task):
        blocks.append(site)
    blocks.save_word(((0, "Z"),))
    (last,) = blocks.steps_to_the_last_reading()
    assert (last.qubits, last.matrix, last.rows) == ((0, 1), None, [0])
    values = np.empty((1, 1))
    with Ensemble(range(4), 1) as states:
        states.run(last, np.array([0]), values)
    assert values[0, 0] == pytest.approx(np.cos(0.3), abs=1e-14)


def test_a_gate_on_many_qubits_does_not_make_large_reduced_states():
    circuit = QuantumCircuit(6)
    circuit.append(UnitaryGate(random_unitary(64, seed=2)), [3, 0, 5, 1, 4, 2])
    circuit.rx(WEIGHTS[0], 4)
    task = Task(circuit, "ZIIIII", weights=[0.4])
    sites = sites_of(task)
    with patch.object(_Part, "reduced", autospec=True, side_effect=_Part.reduced) as reduced:
        found = Simulator().run(task, sites, [(), (((4, "X"),),)], task.selected)
    assert all(len(call.args[1]) <= LARGEST for call in reduced.call_args_list)
    vector = prefix_states(task, sites, 0)[1]
    dense = Statevector(vector).expectation_value(SparsePauliOp("X"), [4]).real
    assert found.expectation(1, ((4, "X"),))[0] == pytest.approx(dense, abs=1e-13)


def test_aer_gives_its_hold_on_the_memory_back(monkeypatch):
    """Else both would free it, and the process would die at its end."""
    task = layered(3)
    everything(task, range(3))
    assert not AerState._data_in_use
    monkeypatch.setattr(_Part, "reduced", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        everything(task, range(3))
    assert not AerState._data_in_use


def test_rounding_stays_within_its_limit_in_a_deep_circuit():
    """Against the same gates in extended precision; what is allowed to short circuits would not do."""
    rng, depth = np.random.default_rng(3), 20000
    circuit, exact = QuantumCircuit(2), np.array([1, 0, 0, 0], dtype=np.clongdouble)
    gates = {"rx": [[0, 1], [1, 0]], "ry": [[0, -1j], [1j, 0]], "rz": [[1, 0], [0, -1]]}
    for _ in range(depth):
        if rng.random() < 0.3:
            circuit.cx(0, 1)
            exact = exact[[0, 3, 2, 1]]
            continue
        name, angle, q = str(rng.choice(list(gates))), float(rng.uniform(-3, 3)), int(rng.integers(2))
        getattr(circuit, name)(angle, q)
        half = np.longdouble(angle) / 2
        gate = np.cos(half) * np.eye(2) - 1j * np.sin(half) * np.array(gates[name], dtype=np.clongdouble)
        view = exact.reshape(2, 2)  # axes: qubit 1, qubit 0
        exact = (view @ gate.T if q == 0 else gate @ view).reshape(-1)
    labels = [a + b for a in "IXYZ" for b in "IXYZ"][1:]
    task = Task(circuit, labels)
    found = Simulator().run(task, sites_of(task), [()] * depth, task.selected).outputs
    true = [float((exact.conj() @ Pauli(label).to_matrix() @ exact).real) for label in labels]
    wrong = np.max(np.abs(found.means[:, 0] - true))
    assert expectation_rounding(2, 0) / 2 < wrong <= found.rounding == expectation_rounding(2, depth)


def test_a_diagonal_gate_has_its_entries_in_the_order_of_its_qubits():
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.4 + q, q)
    circuit.append(DiagonalGate(np.exp(1j * np.arange(8) ** 2)), [2, 0, 1])
    task = Task(circuit, ["XIY", "IXX", "YZI"])
    found = Simulator().run(task, sites_of(task), [()] * 4, task.selected).outputs.means
    np.testing.assert_allclose(found[:, 0], outputs(task, state(circuit)), atol=1e-14)


def test_inputs_meet_in_one_gate():
    """Products and sums of inputs, several in one gate, gates of several parameters."""
    circuit = QuantumCircuit(3)
    circuit.u(INPUTS[0] * INPUTS[1], INPUTS[0] - 0.2, INPUTS[1].sin(), 1)
    circuit.r(INPUTS[1], INPUTS[0] + WEIGHTS[0], 2)
    circuit.cx(1, 0)
    circuit.cu(INPUTS[0], INPUTS[1], 0.3, INPUTS[0] + INPUTS[1], 2, 1)
    circuit.rzz(INPUTS[0] * INPUTS[1], 0, 2)
    inputs = np.random.default_rng(1).uniform(-2, 2, (7, 2))
    task = Task(circuit, ["XYZ", "IZX"], inputs=inputs, input_params=INPUTS, weights={WEIGHTS[0]: 0.6})
    found = Simulator().run(task, sites_of(task), [()] * len(sites_of(task)), task.selected).outputs.means
    dense = np.array([outputs(task, state(task.bound_circuit(i))) for i in range(7)]).T
    np.testing.assert_allclose(found, dense, atol=1e-13)


class Opaque(Gate):
    """A rotation that has a matrix and no definition."""

    def __init__(self, angle):
        super().__init__("opaque", 1, [angle])

    def __array__(self, dtype=None, copy=None):
        return RXGate(float(self.params[0])).to_matrix()


def test_an_input_in_a_gate_without_definition_is_refused_by_name():
    circuit = QuantumCircuit(1)
    circuit.append(Opaque(INPUTS[0]), [0])
    task = Task(circuit, "Z", inputs=[0.3], input_params=[INPUTS[0]])
    with pytest.raises(TaskError, match=r"opaque on qubits \[0\] takes inputs and has no definition"):
        Simulator().run(task, sites_of(task), [()], task.selected)


def test_a_gate_that_has_a_matrix_alone_runs():
    circuit = QuantumCircuit(2)
    circuit.h(1)
    circuit.append(Opaque(WEIGHTS[0]), [1])
    circuit.append(Opaque(0.4), [0])
    task = Task(circuit, ["IZ", "YI"], weights=[0.7])
    found = Simulator().run(task, sites_of(task), [()] * 3, task.selected).outputs.means
    np.testing.assert_allclose(found[:, 0], [np.cos(0.4), 0], atol=1e-14)


def test_a_global_phase_on_no_qubits_is_no_step():
    task = Task(QuantumCircuit(1), "Z")
    blocks = Blocks(task, task.selected)
    blocks.append(make_site(task, GlobalPhaseGate(0.4), (), ()))
    assert not blocks.steps
