"""A small task that several tests change one argument of."""

from __future__ import annotations

import numpy as np
from helpers import INPUTS, WEIGHTS
from qiskit import QuantumCircuit

from qprune import Task
from qprune.gates.sites import sites_of
from qprune.simulators.choices import final_outputs

x, y = INPUTS
w, v = WEIGHTS[:2]


def network():
    """Two inputs, two weights, two qubits."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.rx(y * w, 1)
    circuit.cx(0, 1)
    circuit.rz(v, 1)
    circuit.ry(0.3, 0)
    return circuit


GOOD = {"inputs": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "input_params": [x, y], "weights": [0.7, 0.8]}


def make(circuit=None, observables="ZZ", **changes):
    return Task(network() if circuit is None else circuit, observables, **{**GOOD, **changes})


def final(task):
    """Outputs by the package's own pass, for every sample."""
    found = final_outputs(task, sites_of(task), np.arange(task.num_samples))
    return found.distribution if task.observables is None else found.means.T
