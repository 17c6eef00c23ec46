"""Results whose circuit has lost an input that the data still have."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import Measured, Task, absorb, load, prune, save, verify


def network(observables):
    """x_0 turns a qubit that nothing is read from."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2, 1)
    circuit.ry(x[0], 0)
    circuit.ry(x[1], 1)
    circuit.rx(w[0], 1)
    circuit.ry(w[1], 1)
    if observables is None:
        circuit.measure(1, 0)
    rows = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    return Task(circuit, observables, inputs=rows, input_params=list(x), weights=[0.02, 0.7], holdout=0.3)


@pytest.mark.parametrize("observables", [None, "ZI"])
def test_it_is_stored_and_read_as_it_is(observables, tmp_path):
    task = absorb(network(observables)).task
    assert len(task.circuit.parameters) < 4  # x_0 is gone
    result = prune(task, Measured(0.1), progress=False)
    save(result, tmp_path / "out", drawings=False)
    read = load(tmp_path / "out")
    np.testing.assert_array_equal(read.original.inputs, task.inputs)
    assert read.original.named_weights == task.named_weights
    assert read.certificate == result.certificate
    verify(read, progress=False)
