"""Unitaries of gates on qubits in any order, against whole circuits by `quantum_info`."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import CCXGate, CUGate, CXGate, RXGate, RZXGate, UnitaryGate
from qiskit.quantum_info import Operator, random_unitary

from qprune import Task, TaskError
from qprune.gates.matrices import unitary_of


@pytest.mark.parametrize("seed", range(8))
def test_unitary_of_gates_in_a_row(seed):
    """The qubits may have any numbers and any order; the first listed is the least significant."""
    rng = np.random.default_rng(seed)
    qubits = rng.permutation(20)[: rng.integers(1, 5)].tolist()
    gates = [CXGate(), CUGate(0.1, 0.2, 0.3, 0.4), RXGate(0.7), CCXGate(), RZXGate(0.5), UnitaryGate(random_unitary(4))]
    chosen = [g for g in (gates[j] for j in rng.integers(len(gates), size=6)) if g.num_qubits <= len(qubits)]
    placed = [(gate, tuple(rng.permutation(qubits)[: gate.num_qubits].tolist())) for gate in chosen]
    circuit = QuantumCircuit(len(qubits))
    for gate, where in placed:
        circuit.append(gate, [qubits.index(q) for q in where])
    np.testing.assert_allclose(unitary_of(placed, qubits), Operator(circuit).data, atol=1e-14)


def test_one_gate_keeps_every_bit():
    gate = CUGate(0.1, 0.2, 0.3, 0.4)
    np.testing.assert_array_equal(unitary_of([(gate, (3, 1))], (3, 1)), Operator(gate).data)
    np.testing.assert_array_equal(unitary_of([], (3, 1)), np.eye(4))


def test_bound_operations_are_those_of_the_bound_circuit():
    """Composite gates and definitions that were read before binding included."""
    x, w = ParameterVector("x", 1), ParameterVector("w", 2)
    inner = QuantumCircuit(2, name="own")
    inner.cx(0, 1)
    inner.rz(w[0] * w[1], 1)
    circuit = QuantumCircuit(2)
    circuit.append(inner.to_gate(), [1, 0])
    circuit.crx(w[1] + x[0] ** 2, 0, 1)
    assert circuit.data[1].operation.definition is not None
    task = Task(circuit, "ZZ", inputs=[0.3, 0.8], input_params=list(x), weights=[0.4, -1.3])
    with pytest.raises(TaskError, match=r"x\[0\]\*\*2 has no value without one of x\[0\]; give the inputs"):
        task.bound_operation(task.circuit.data[1].operation)
    for sample in range(2):
        values = {x[0]: task.inputs[sample, 0], w[0]: 0.4, w[1]: -1.3}
        for item, bound in zip(task.circuit.data, task.bound_circuit(sample).data, strict=True):
            alone = task.bound_operation(item.operation, task.inputs[sample])
            wanted = QuantumCircuit(2)
            wanted.append(item.operation, [0, 1])
            wanted = Operator(wanted.assign_parameters(values, strict=False))
            assert Operator(alone).equiv(wanted)
            assert Operator(alone.definition).equiv(wanted)
            np.testing.assert_array_equal(Operator(bound.operation).data, Operator(alone).data)
