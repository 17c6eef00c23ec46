"""The dense oracle of all other tests, gate by gate, beside Qiskit's own statevector."""

import numpy as np
import pytest
from oracles import outputs_on, state, states_on
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Statevector

from qprune import Task

x, y, w = (Parameter(name) for name in "xyw")


@pytest.mark.parametrize("seed", range(8))
def test_states_are_those_of_qiskit(seed):
    circuit = random_circuit(4, 8, max_operands=3, seed=seed)
    circuit.global_phase = 0.3
    np.testing.assert_allclose(state(circuit), Statevector(circuit).data, rtol=0, atol=1e-13)


def test_many_inputs_at_once():
    """Controls on 0, one parameter in several angles, a composite gate, a phase that inputs turn, a barrier."""
    circuit = QuantumCircuit(3, global_phase=x)
    circuit.ry(x * y, 0)
    circuit.crx(2 * x + w, 0, 2, ctrl_state=0)
    circuit.u(x, y, 0.2, 1)
    circuit.rzz(w, 1, 2)
    circuit.append(circuit.to_gate(), [2, 0, 1])
    circuit.barrier()
    rows = np.random.default_rng(0).uniform(-3, 3, (12, 2))
    task = Task(circuit, ["XYZ", "ZZI"], inputs=rows, input_params=[x, y], weights=[0.7])
    exact = [Statevector(circuit.assign_parameters({x: a, y: b, w: 0.7})) for a, b in rows]
    np.testing.assert_allclose(states_on(task, rows), exact, rtol=0, atol=1e-13)
    means = [[s.expectation_value(o).real for o in task.observables] for s in exact]
    np.testing.assert_allclose(outputs_on(task, rows), means, rtol=0, atol=1e-13)
