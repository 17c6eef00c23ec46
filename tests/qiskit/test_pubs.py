"""What a compiled circuit gives primitives: inputs by name, every output of every input."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Statevector

from qprune import Measured, Task, TaskError, prune
from qprune.qiskit import compiled

BACKEND = GenericBackendV2(3, seed=0)
ROWS = np.array([[0.3, -1.1], [0.9, 0.2], [-0.4, 1.7]])


def circuit() -> tuple[QuantumCircuit, list[Parameter]]:
    """Columns in another order than Qiskit sorts the parameters."""
    later, earlier = Parameter("z"), Parameter("a")
    found = QuantumCircuit(2)
    found.ry(later, 0)
    found.cx(0, 1)
    found.rx(2 * earlier, 1)
    return found, [later, earlier]


def test_an_estimator_takes_it():
    given, columns = circuit()
    task = Task(given, ["ZI", "XX"], inputs=ROWS, input_params=columns)
    found = compiled(prune(task, Measured(1e-6)), BACKEND)
    for inputs in (None, ROWS[1:]):
        rows = ROWS if inputs is None else inputs
        values = StatevectorEstimator().run([found.pub(inputs)]).result()[0].data.evs
        states = [Statevector(given.assign_parameters(dict(zip(columns, row, strict=True)))) for row in rows]
        expected = [[s.expectation_value(o).real for s in states] for o in task.observables]
        np.testing.assert_allclose(values, expected, atol=1e-6)
    with pytest.raises(TaskError, match="inputs"):
        found.pub(ROWS[:, :1])


def test_a_sampler_takes_it():
    given, columns = circuit()
    given.measure_all()
    task = Task(given, inputs=ROWS, input_params=columns)
    found = compiled(prune(task, Measured(1e-6)), BACKEND)
    assert len(found.pub()) == 2
    (outcome,) = StatevectorSampler(seed=0).run([found.pub()], shots=10).result()
    (register,) = outcome.data.values()
    assert register.shape == (len(ROWS),)
