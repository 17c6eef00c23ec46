"""Small networks on which tests of several files agree."""

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

OBSERVABLES = (SparsePauliOp("IIIZ"), SparsePauliOp.from_list([("XIZI", 0.5), ("ZZII", -1.0), ("IIYY", 0.3)]))


def entangler(n, layers):
    """A layer of RX, then a ring of CX, as PennyLane's BasicEntanglerLayers."""
    weights = ParameterVector("w", n * layers)
    circuit = QuantumCircuit(n)
    for k, weight in enumerate(weights):
        circuit.rx(weight, k % n)
        if k % n == n - 1:
            for q in range(n):
                circuit.cx(q, (q + 1) % n)
    return circuit


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
