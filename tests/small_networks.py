"""A small network on which tests of the Qiskit face agree."""

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

OBSERVABLES = (SparsePauliOp("IIIZ"), SparsePauliOp.from_list([("XIZI", 0.5), ("ZZII", -1.0), ("IIYY", 0.3)]))


def network(name="v", measured=None):
    """Four qubits entangled all to all, so that routing on a line must swap; some gates nearly idle."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 12)
    circuit = QuantumCircuit(QuantumRegister(4, name))
    for layer in range(3):
        for q in range(4):
            circuit.ry(w[4 * layer + q] + (x[q % 2] if layer == 1 and q < 2 else 0), q)
        for a in range(4):
            for b in range(a):
                circuit.cx(a, b) if (a + b + layer) % 2 else circuit.cz(a, b)
        circuit.swap(0, 2)
    if measured:
        circuit.add_register(ClassicalRegister(len(measured), "c"))
        circuit.measure(measured, range(len(measured)))
    return circuit


def weights():
    rng = np.random.default_rng(5)
    values = rng.uniform(-1.5, 1.5, 12)
    values[[1, 6, 7, 10]] = [0.01, -0.02, 0.015, 0.005]
    return values
