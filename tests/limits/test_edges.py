"""The smallest circuits there are, and kinds of gates that come with a circuit inside: each works, or says why not."""

import numpy as np
import pytest
from helpers import deviation, state
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import GlobalPhaseGate, LinearFunction
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.noise import NoiseModel, depolarizing_error

from qprune import Measured, Proven, Task, TaskError, Threshold, UnderNoise, prune, verify

x, w = Parameter("x"), Parameter("w")


def circuit_of(num_qubits, *gates, num_clbits=0):
    circuit = QuantumCircuit(num_qubits, num_clbits)
    for name, *arguments in gates:
        getattr(circuit, name)(*arguments)
    return circuit


def linear():
    circuit = circuit_of(2, ("h", 0), ("rx", w, 1))
    circuit.append(LinearFunction([[1, 1], [0, 1]]), [0, 1])
    circuit.append(LinearFunction(circuit_of(2, ("cx", 1, 0), ("swap", 0, 1))), [1, 0])
    return Task(circuit, "ZX", weights=[0.02])


def phase_only():
    circuit = QuantumCircuit(1)
    circuit.append(GlobalPhaseGate(0.3), [])
    return Task(circuit, "Z")


TASKS = {
    "linear functions": linear,
    "no gates": lambda: Task(QuantumCircuit(2), "ZI"),
    "no gates, probabilities": lambda: Task(QuantumCircuit(2)),
    "only barriers": lambda: Task(circuit_of(2, ("barrier",)), "ZI"),
    "only measurements": lambda: Task(circuit_of(2, ("barrier",), ("measure", [0, 1], [0, 1]), num_clbits=2)),
    "only identities": lambda: Task(circuit_of(1, ("id", 0)), "Z"),
    "only a phase": phase_only,
    "a constant": lambda: Task(circuit_of(2, ("rx", w, 0), ("cx", 0, 1)), "II", weights=[0.3]),
    "zero": lambda: Task(circuit_of(2, ("rx", w, 0), ("cx", 0, 1)), SparsePauliOp("ZZ", 0.0), weights=[0.3]),
    "all gates go": lambda: Task(circuit_of(2, ("rz", w, 0), ("rx", 1e-3 * w, 1), ("cx", 0, 1)), "ZZ", weights=[0.3]),
    "one qubit, one sample": lambda: Task(
        circuit_of(1, ("rx", x, 0), ("ry", w, 0)), "Z", inputs=[0.3], input_params=[x], weights=[0.01]
    ),
    "one sample left": lambda: Task(
        circuit_of(1, ("rx", x, 0), ("ry", w, 0)),
        "Z",
        inputs=[0.3, 0.4],
        input_params=[x],
        weights=[0.01],
        holdout=[1],
    ),
    "an idle output": lambda: Task(circuit_of(4, ("rx", w, 2)), "ZIII", weights=[0.3]),
    "idle qubits, probabilities": lambda: Task(circuit_of(4, ("rx", w, 2)), weights=[0.3]),
    "an idle qubit measured": lambda: Task(circuit_of(2, ("rx", w, 0), ("measure", 1, 0), num_clbits=1), weights=[0.3]),
}


def noise():
    model = NoiseModel(basis_gates=["sx", "rz", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.001, 1), ["sx"])
    return model


MODES = {
    "tolerance": lambda: (Threshold(0.05), {}),
    "budget": lambda: (Proven(0.05), {"representatives": "local"}),
    "refit": lambda: (Measured(0.05, refit=True), {}),
    "chains": lambda: (Threshold(0.05), {"simulator": "matrix_product_state"}),
    "noise model": lambda: (Threshold(0.05), {"noise": noise()}),
    "device": lambda: (Threshold(0.05), {"noise": "FakeManilaV2"}),
    "under noise": lambda: (UnderNoise(noise()), {}),
    "refit for noise": lambda: (UnderNoise(noise(), refit=True), {}),
}


@pytest.mark.thinned(8)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", TASKS)
def test_the_smallest_circuits(name, mode):
    task = TASKS[name]()
    limit, options = MODES[mode]()
    result = prune(task, limit, **options)
    verify(task, result)
    for column, i in enumerate(task.selected):
        found = deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))
        assert np.all(found <= np.array(result.certificate.bound)[:, column] + 1e-10)
    str(result)


@pytest.mark.parametrize("observables", [None, SparsePauliOp([""], [1.0])])
def test_no_qubits_are_refused(observables):
    with pytest.raises(TaskError, match="no qubits"):
        Task(QuantumCircuit(0), observables)


def test_a_linear_function_hashes_the_same_in_every_circuit():
    """Its definition bears a number that counts up; the hash must not."""
    first, second = (prune(linear(), Threshold(0.05)).certificate for _ in "12")
    assert first.original_hash == second.original_hash
