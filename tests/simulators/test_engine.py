"""The compiled engine against dense states and finite differences, gate by gate, and windows made of it (T6)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from helpers import ARITY, CATALOGUE, INPUTS, STANDARD, WEIGHTS, outputs, state, state_angle, tasks
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import CSwapGate, PauliEvolutionGate, PauliGate, PermutationGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qprune import Task
from qprune.gates.sites import circuit_of, sites_of
from qprune.gates.subgroups import subgroup_of
from qprune.selection.windows import Windows, window_ends
from qprune.simulators import engine
from qprune.simulators.engine import Network, outputs_at

OTHERS = {
    "evolution": lambda: PauliEvolutionGate(SparsePauliOp("XYZ", 0.7), time=WEIGHTS[0]),
    "evolution with identities": lambda: PauliEvolutionGate(SparsePauliOp("XIZ", 0.7), time=WEIGHTS[0]),
    "evolution of one letter": lambda: PauliEvolutionGate(SparsePauliOp("IX"), time=INPUTS[0]),
    "pauli with identities": lambda: PauliGate("IYI"),
    "unitary": lambda: UnitaryGate(random_unitary(4, seed=1)),
    "unitary on three": lambda: UnitaryGate(random_unitary(8, seed=2)),
    "permutation": lambda: PermutationGate([2, 0, 1]),
    "cswap": CSwapGate,
}
SYMBOLS = [("weight", WEIGHTS[0]), ("input", INPUTS[0]), ("both", INPUTS[0] * WEIGHTS[0])]
CASES = [(name, kind) for name in CATALOGUE if ARITY[name][1] for kind, _ in SYMBOLS]
CASES += [(name, "number") for name in (*CATALOGUE, *OTHERS)]


def operation_of(name, kind):
    if name in OTHERS:
        return OTHERS[name]()
    symbol = dict(SYMBOLS).get(kind, 0.4)
    return STANDARD[name](*(symbol + 0.3 * j if j else symbol for j in range(ARITY[name][1])))


def prepared(num_qubits=3):
    """A generic product state, entangled."""
    circuit = QuantumCircuit(num_qubits)
    for q in range(num_qubits):
        circuit.u(0.4 + q, 0.3 - q, 0.2, q)
    for q in range(num_qubits - 1):
        circuit.cx(q, q + 1)
    return circuit


def task_of(circuit, observables=("ZII", "XYZ", "IXX"), samples=3):
    used = [p for p in INPUTS if p in circuit.parameters]
    inputs = np.array([[0.8, 0.1], [2.1, -0.7], [-1.3, 0.4]])[:samples, : len(used)] if used else None
    weights = {p: 0.9 - 0.7 * j for j, p in enumerate(WEIGHTS) if p in circuit.parameters}
    return Task(circuit, observables and list(observables), inputs=inputs, input_params=used, weights=weights)


def finite_differences(network, task, step=1e-5):
    """(R, M, F), central differences of dense outputs in the weights that move the circuit."""
    columns = [np.zeros((len(network.values(task.weights)), task.num_samples, 0))]
    for p in network.free:
        move = step * (np.arange(len(task.weights)) == p)
        ends = [dense_values(task, task.weights + sign * move) for sign in (1, -1)]
        columns.append(((ends[0] - ends[1]) / (2 * step))[:, :, None])
    return np.concatenate(columns, axis=2)


def check_outputs(task):
    network = Network(task, sites_of(task), task.selected)
    dense = np.array([outputs(task, state(task.bound_circuit(i))) for i in range(task.num_samples)]).T
    np.testing.assert_allclose(network.values(task.weights), dense, atol=1e-12)


@pytest.mark.thinned(9)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_gate_with_weights_and_inputs(name, kind):
    """Outputs equal the dense ones with the gate's qubits in every order, on several samples."""
    operation = operation_of(name, kind)
    for qubits in permutations(range(3), operation.num_qubits):
        circuit = prepared()
        circuit.append(operation, qubits)
        circuit.rx(0.9, 0)
        circuit.ry(0.5, 2)
        task = task_of(circuit)
        check_outputs(task)
        network = Network(task, sites_of(task))
        if kind == "weight":
            np.testing.assert_allclose(network.jacobian(task.weights)[1], finite_differences(network, task), atol=1e-8)


@pytest.mark.parametrize("measured", [None, (0,), (2, 0), (1, 2, 0)])
def test_probabilities(measured):
    """One row per outcome, in the order of the classical bits."""
    circuit = prepared()
    circuit.ry(INPUTS[0], 1)
    if measured:
        circuit.add_bits(QuantumCircuit(3, 3).clbits)
        for c, q in enumerate(measured):
            circuit.measure(q, c)
    check_outputs(task_of(circuit, None))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", [*CATALOGUE, *OTHERS])
def test_a_window_has_the_angle_of_its_states(name):
    """One window is exact, for a gate that is removed and for one that is replaced by its like."""
    operation = operation_of(name, "number")
    other = UnitaryGate(random_unitary(2**operation.num_qubits, seed=3)) if operation.num_qubits < 3 else None
    for qubits in permutations(range(3), operation.num_qubits):
        circuit = prepared()
        place = circuit.size()
        circuit.append(operation, qubits)
        circuit.cx(2, 0)
        task = task_of(circuit)
        sites = sites_of(task)
        if len(sites) != place + 2:  # taken apart
            return
        windows = Windows(task, sites, [len(sites)])
        for by in ((), ((other or operation.inverse(), qubits),)):
            changed = circuit.copy_empty_like()
            for k, item in enumerate(circuit.data):
                if k != place:
                    changed.append(item)
                for new, where in by if k == place else ():
                    changed.append(new, where)
            found = windows.window_angles({place: by})
            for i in range(task.num_samples):
                before, after = state(task.bound_circuit(i)), state(task.with_circuit(changed).bound_circuit(i))
                exact = state_angle(before, after)
                assert exact - 1e-12 <= found[i] <= exact + 1e-11, (qubits, by)


def test_windows_add_up_to_more_than_the_whole():
    """Every cut of the gate list bounds the exact angle from above; one window meets it; the cuts keep to the size."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        circuit = QuantumCircuit(4)
        for _ in range(12):
            circuit.ry(rng.normal(), rng.integers(4))
            circuit.rzz(rng.normal(), *map(int, rng.permutation(4)[:2]))
        task = Task(circuit, "ZZZZ")
        sites = sites_of(task)
        gone = [int(k) for k in rng.choice(len(sites), 5, replace=False)]
        changed = circuit.copy_empty_like()
        for k, item in enumerate(circuit.data):
            if k not in gone:
                changed.append(item)
        exact = state_angle(state(circuit), state(changed))
        for size in (1, 2, 3, 4):
            ends = window_ends(sites, size)
            assert ends == sorted(set(ends))
            assert ends[-1] == len(sites)
            for first, end in zip([0, *ends], ends, strict=False):
                touched = {q for site in sites[first:end] for q in site.qubits}
                assert len(touched) <= size or end - first == 1
            total = Windows(task, sites, ends).window_angles(dict.fromkeys(gone, ()))[0]
            assert total >= exact - 1e-12
            if size == 4:
                assert ends == [len(sites)]
                assert total <= exact + 1e-11


# -- any circuit --------------------------------------------------------------------------------------------------


def centres(task):
    """The identity's part of each output, which the engine leaves out."""
    return np.array([s.centre for s in task.spectra] or [0.0])


def dense_values(task, weights=None, circuit=None):
    """(R, M) by Qiskit, at other weights or of another circuit."""
    moved = task.with_circuit(task.circuit if circuit is None else circuit)
    if weights is not None:
        moved = moved.with_weights(weights)
    found = np.array([outputs(moved, state(moved.bound_circuit(i))) for i in range(task.num_samples)]).T
    return found - np.reshape(centres(task), (-1, 1))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(task=tasks(max_gates=10, max_qubits=4), shift=st.floats(-2, 2))
def test_any_circuit_and_its_derivatives(task, shift):
    """Over the whole catalogue, with inputs, shared weights and probabilities: values, states, Jacobian."""
    network = Network(task, sites_of(task), np.arange(task.num_samples))
    weights = task.weights + np.where(network.movable, shift, 0)
    np.testing.assert_allclose(network.values(weights), dense_values(task, weights), atol=1e-11)
    values, jacobian = network.jacobian(weights)
    np.testing.assert_allclose(values, dense_values(task, weights), atol=1e-11)
    moved = task.with_weights(weights)
    np.testing.assert_allclose(jacobian, finite_differences(network, moved), atol=1e-7)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(task=tasks(max_gates=10, max_qubits=4), data=st.data())
def test_gates_go_and_are_turned_down_without_being_built_again(task, data):
    """Against circuits written out anew; the network that was edited stays as it was."""
    sites, everywhere = sites_of(task), np.arange(task.num_samples)
    network = Network(task, sites, everywhere)
    before = network.values(task.weights)
    gone = data.draw(st.sets(st.integers(0, len(sites) - 1)))
    left = tuple(site for k, site in enumerate(sites) if k not in gone)
    smaller = network.without(sorted(gone))
    exact = dense_values(task, circuit=circuit_of(task, left))
    np.testing.assert_allclose(smaller.values(task.weights), exact, atol=1e-11)
    turned = [k for k, s in enumerate(sites) if network.has_coordinate(k) and subgroup_of(s).member(s.coordinate)]
    if turned:
        k = data.draw(st.sampled_from(turned))
        scale, shift = data.draw(st.sampled_from([(0.5, 0.0), (0.25, 3.0), (0.0, 0.0)]))
        group = subgroup_of(sites[k])
        for i in range(task.num_samples):
            t = scale * float(np.broadcast_to(task.values(sites[k].coordinate), task.num_samples)[i]) + shift
            bound = task.bound_circuit(i)
            other = QuantumCircuit(*bound.qregs)
            for j, site in enumerate(sites):
                if j == k:
                    other.unitary(group.matrix(t), list(group.qubits))
                else:
                    other.append(task.bound_operation(site.operation, task.inputs[i]), site.qubits)
            lower = network.turned_down({k: (scale, shift)})
            found = lower.values(task.weights)[:, i]
            exact = outputs(task, state(other)) - centres(task)
            np.testing.assert_allclose(found, exact, atol=1e-11)
        _, slopes = lower.jacobian(task.weights)  # from the states that the values left
        for j, weight in enumerate(lower.free):
            step = 1e-5 / lower.reach[weight] * np.eye(len(task.weights))[weight]
            change = lower.values(task.weights + step) - lower.values(task.weights - step)
            np.testing.assert_allclose(slopes[:, :, j] * step[weight], change / 2, atol=1e-11)
    np.testing.assert_array_equal(network.values(task.weights), before)


@pytest.mark.parametrize("samples", [1, 7, 8, 9, 61])
def test_threads_change_nothing(samples, monkeypatch):
    """Values, Jacobian and states are the same to the last bit for 1, 2 and 4 threads, and for each sample alone."""
    monkeypatch.setattr(engine, "PER_THREAD", 1)
    circuit = prepared()
    circuit.ry(INPUTS[0], 0)
    circuit.rx(WEIGHTS[0], 0)
    circuit.crz(INPUTS[1], 0, 2)
    circuit.rzz(WEIGHTS[1], 1, 2)
    circuit.append(UnitaryGate(random_unitary(4, seed=5)), [2, 0])
    circuit.ry(WEIGHTS[0], 1)
    inputs = np.random.default_rng(samples).normal(size=(samples, 2))
    task = Task(circuit, ["ZII", "XYZ"], inputs=inputs, input_params=list(INPUTS), weights=[0.4, -0.3])
    one, *others = (Network(task, sites_of(task), threads=threads) for threads in (1, 2, 4))
    for other in others:
        for first, second in zip(one.jacobian(task.weights), other.jacobian(task.weights), strict=True):
            np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(one.values(task.weights), other.values(task.weights))
        np.testing.assert_array_equal(one.states(task.weights), other.states(task.weights))
    alone = Network(task, sites_of(task), np.array([samples - 1]))
    np.testing.assert_array_equal(alone.jacobian(task.weights)[1][:, 0], one.jacobian(task.weights)[1][:, -1])
    np.testing.assert_array_equal(one.values(task.weights), outputs_at(task, sites_of(task), inputs, threads=2))


def test_kernels_are_compiled_for_one_kind_of_weights():
    """Read-only, in steps, of integers: for another kind numba would take seconds more; of a wrong number, refused."""
    circuit = QuantumCircuit(1)
    circuit.rx(WEIGHTS[0], 0)
    circuit.ry(WEIGHTS[1], 0)
    task = Task(circuit, "Z", weights=[0.4, -0.3])
    network = Network(task, sites_of(task))
    given = task.weights, np.array(task.weights), np.repeat(task.weights, 2)[::2], np.array([1, 2])
    assert not task.weights.flags.writeable
    for weights in given:
        network.jacobian(weights), network.values(weights), network.states(weights), network.coordinates(weights)
    kernels = engine.kernels()
    for kernel in (kernels.jacobian, kernels.values, kernels.advance, kernels.angles):
        assert len(kernel.signatures) == 1
    with pytest.raises(ValueError, match="reshape"):
        network.values(np.zeros(3))


def test_an_interruption_leaves_no_half_made_states(monkeypatch):
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.ry(WEIGHTS[0], 0)
    task = Task(circuit, "X", weights=[0.4])
    network = Network(task, sites_of(task))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Network, "_share", interrupted)
        with pytest.raises(KeyboardInterrupt):
            network.values(task.weights)
    np.testing.assert_allclose(network.values(task.weights), [[np.cos(0.4)]], atol=1e-12)


def test_states_are_those_of_quantum_info():
    """In the register's order, from |0…0⟩ and from states given."""
    circuit = prepared()
    circuit.swap(0, 2)
    circuit.crx(0.3, 2, 1)
    task = task_of(circuit)
    sites = sites_of(task)
    network = Network(task, sites)
    exact = state(task.bound_circuit(0))
    found = network.states(task.weights)
    overlap = np.vdot(exact, found[:, 0])
    np.testing.assert_allclose(found[:, 0], overlap * exact, atol=1e-12)
    half = len(sites) // 2
    first = network.without(range(half, len(sites))).states(task.weights)
    second = network.without(range(half)).states(task.weights, first)
    np.testing.assert_allclose(second, found, atol=1e-12)


def test_outputs_at_any_inputs_in_chunks(monkeypatch):
    """The task's own inputs do not enter, and chunks change nothing."""
    circuit = prepared()
    circuit.u(INPUTS[0], WEIGHTS[0], INPUTS[0] * INPUTS[1], 1)
    circuit.cu(INPUTS[1], 0.2, INPUTS[0], 0.1, 0, 2)
    task = task_of(circuit)
    rows = np.random.default_rng(3).normal(size=(45, 2))
    other = Task(circuit, ["ZII", "XYZ", "IXX"], inputs=rows, input_params=list(INPUTS), weights=task.weights)
    found = outputs_at(task, sites_of(task), rows)
    np.testing.assert_allclose(found, dense_values(other), atol=1e-12)
    monkeypatch.setattr(engine, "CHUNK_BYTES", 1)
    np.testing.assert_array_equal(outputs_at(task, sites_of(task), rows), found)
