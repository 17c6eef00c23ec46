"""The batched simulator behind windows and re-fitting against dense states, gate by gate (THEORY T6)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from helpers import ARITY, CATALOGUE, INPUTS, STANDARD, WEIGHTS, outputs, state, state_angle
from qiskit import QuantumCircuit
from qiskit.circuit.library import CSwapGate, PauliEvolutionGate, PauliGate, PermutationGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qprune import Task
from qprune.gates.sites import sites_of
from qprune.selection.windows import window_ends
from qprune.simulators.adjoint import AdjointNetwork
from qprune.simulators.dense import BatchedNetwork

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


def check_outputs(task):
    network = AdjointNetwork(task, sites_of(task), task.selected)
    dense = np.array([outputs(task, state(task.bound_circuit(i))) for i in range(task.num_samples)]).T
    np.testing.assert_allclose(network.values(task.weights), dense, atol=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_gate_with_weights_and_inputs(name, kind):
    """Outputs equal the dense ones with the gate's qubits in every order, on several samples."""
    operation = operation_of(name, kind)
    for qubits in permutations(range(3), operation.num_qubits):
        circuit = prepared()
        circuit.append(operation, qubits)
        circuit.rx(0.9, 0)
        circuit.ry(0.5, 2)
        check_outputs(task_of(circuit))


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
        network = BatchedNetwork(task, sites, task.selected)
        for by in ((), ((other or operation.inverse(), qubits),)):
            changed = circuit.copy_empty_like()
            for k, item in enumerate(circuit.data):
                if k != place:
                    changed.append(item)
                for new, where in by if k == place else ():
                    changed.append(new, where)
            found = network.window_angles({place: by}, [len(sites)])
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
        network = BatchedNetwork(task, sites, task.selected)
        for size in (1, 2, 3, 4):
            ends = window_ends(sites, size)
            assert ends == sorted(set(ends))
            assert ends[-1] == len(sites)
            for first, end in zip([0, *ends], ends, strict=False):
                touched = {q for site in sites[first:end] for q in site.qubits}
                assert len(touched) <= size or end - first == 1
            total = network.window_angles(dict.fromkeys(gone, ()), ends)[0]
            assert total >= exact - 1e-12
            if size == 4:
                assert ends == [len(sites)]
                assert total <= exact + 1e-11
