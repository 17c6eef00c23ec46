"""A task with inputs, weights and labels, and how to build it with some arguments changed."""

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import (
    Task,
)

X, W = ParameterVector("x", 2), ParameterVector("w", 3)


def network():
    circuit = QuantumCircuit(3)
    circuit.ry(X[0], 0)
    circuit.rx(2 * X[1], 1)
    circuit.ry(W[0], 0)
    circuit.cx(0, 1)
    circuit.rz(W[1] + 0.1, 2)
    circuit.ry(X[0] * W[2], 2)
    return circuit


GOOD = {
    "observables": "ZII",
    "inputs": np.array([[0.1, 0.2], [0.3, 0.4]]),
    "input_params": list(X),
    "weights": [0.1, 0.2, 0.3],
}


def build(**changes):
    arguments = {"circuit": network(), **GOOD, **changes}
    return Task(arguments.pop("circuit"), arguments.pop("observables"), **arguments)
