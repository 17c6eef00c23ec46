"""Pruned gates back on the registers of the circuit that was given, with its measurements and its layout."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import ParameterVector
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp, Statevector

from qprune import Measured, OptionError, Task, prune
from qprune.qiskit import as_given, compiled

X, W = ParameterVector("x", 2), ParameterVector("w", 3)
INPUTS, WEIGHTS, BUDGET = np.array([[0.3, -0.8], [0.9, 0.1], [-0.4, 0.6]]), [0.02, 0.3, 0.4], 0.1


def measured():
    registers = QuantumRegister(3, "data"), ClassicalRegister(2, "out"), ClassicalRegister(1, "spare")
    circuit = QuantumCircuit(*registers, name="mine")
    circuit.ry(X[0], 0)
    circuit.ry(X[1], 1)
    circuit.rx(W[0], 2)
    circuit.cx(0, 1)
    circuit.rz(W[1], 1)
    circuit.cx(1, 2)
    circuit.ry(W[2], 2)
    circuit.measure([2, 0], [0, 1])
    return circuit


def task(circuit, observables=None):
    return Task(circuit, observables, inputs=INPUTS, input_params=X, weights=WEIGHTS)


def wiring(circuit):
    """What is measured into what."""
    found = [(item.qubits[0], item.clbits[0]) for item in circuit.data if item.operation.name == "measure"]
    return circuit.qregs, circuit.cregs, circuit.name, found


def probabilities(circuit, row, weights):
    """Of the bits of "out", by Qiskit alone."""
    values = {p.name: v for p, v in zip(X, row, strict=True)} | weights
    bound = circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
    qubits = [bound.find_bit(item.qubits[0]).index for item in bound.data if item.operation.name == "measure"]
    return Statevector(bound.remove_final_measurements(inplace=False)).probabilities(qubits)


def test_measurements_registers_and_name_come_back():
    circuit = measured()
    result = prune(task(circuit), Measured(BUDGET))
    found = as_given(result, circuit)
    assert wiring(found) == wiring(circuit)
    assert found.size() == result.circuit.size() + 2
    before, after = (each.named_weights for each in (result.original, result.task))
    for row in INPUTS:
        change = probabilities(found, row, after) - probabilities(circuit, row, before)
        assert np.abs(change).sum() / 2 <= BUDGET + 1e-9


def test_a_compiled_circuit_keeps_its_layout():
    circuit = measured()
    options = {"optimization_level": 1, "initial_layout": [3, 1, 4], "seed_transpiler": 1}
    isa = transpile(circuit, GenericBackendV2(5, seed=1), **options)
    observable = SparsePauliOp("IIZ").apply_layout(isa.layout)
    result = prune(task(isa, observable), Measured(BUDGET))
    found = as_given(result, isa)
    assert found.layout is not None
    assert found.layout.final_index_layout() == isa.layout.final_index_layout()
    assert wiring(found) == wiring(isa)


@pytest.mark.parametrize("other", [QuantumCircuit(3, 2), "circuit", 7])
def test_another_circuit_is_refused(other):
    result = prune(task(measured()), Measured(BUDGET))
    with pytest.raises(OptionError, match="circuit must be the"):
        as_given(result, other)


def test_what_is_compiled_for_counts_has_a_register_whose_name_does_not_count_up():
    result = prune(task(measured()), Measured(BUDGET))
    found = [compiled(result, GenericBackendV2(3, seed=1)).circuit for _ in range(2)]
    assert [c.name for circuit in found for c in circuit.cregs] == ["meas", "meas"]
    assert {circuit.name for circuit in found} == {"mine"}
