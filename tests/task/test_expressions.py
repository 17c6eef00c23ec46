"""Angles whose sums, derivatives or equality Qiskit 2.3 gets wrong: no exact step may rest on them."""

from __future__ import annotations

from itertools import product
from math import pi

import numpy as np
import pytest
from helpers import BOUND_SLACK, deviation, outputs, state
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate, RXGate
from qiskit.quantum_info import Operator, SparsePauliOp

from qprune import Task, Threshold, load, prune, save, verify
from qprune.task.expressions import are_equal, slopes_of, sum_of

x, w = Parameter("x"), Parameter("w")
ROWS = np.array([[0.3], [0.9]])

ANGLES = {
    "w + 1": w + 1,
    "w - 1": w - 1,
    "1 - w": 1 - w,
    "-1 - w": -1 - w,
    "sin(w) + pi": w.sin() + pi,
    "sin(w) - pi": w.sin() - pi,
    "w": w,
    "(1 - w) / 2": 0.5 * (1 - w),
    "w + x": w + x,
    "(w + 1)(w - 1)": (w + 1) * (w - 1),
    "3": 3.0,
}


def number(angle):
    """All at once, which Qiskit does with plain numbers."""
    values = {x: -0.81, w: 0.37}
    return float(angle.bind({p: values[p] for p in angle.parameters}).numeric()) if angle != 3.0 else 3.0


@pytest.mark.parametrize(("first", "second"), [*product(ANGLES, ANGLES)])
def test_sums_and_equality_are_those_of_numbers(first, second):
    a, b = ANGLES[first], ANGLES[second]
    total = sum_of(a, b)
    if total is not None:
        found = number(total) if hasattr(total, "bind") else total
        assert found == pytest.approx(number(a) + number(b), abs=1e-12)
    assert are_equal(a, b) == (first == second)


def test_only_affine_angles_have_slopes():
    assert slopes_of((x + 1) * (x - 1)) is None
    assert slopes_of(3 - 2 * x + w / 4) == {x: -2, w: 0.25}


def same_coordinate(circuit):
    circuit.rx(w + 1, 0)
    circuit.rx(w - 1, 0)


def quadratic_input(circuit):
    circuit.rx((x + 1) * (x - 1), 0)
    circuit.rx(w, 0)


def seeming_inverse(circuit):
    circuit.r(-w, 0.3, 0)
    circuit.r(0.5 * (1 - w), 0.3, 0)


a, b = Parameter("a"), Parameter("b")


def test_angles_are_bound_at_once():
    circuit = QuantumCircuit(2)
    circuit.rx((a + x) + (b + x), 0)
    circuit.ry((a + x) * (b + x), 1)
    task = Task(circuit, "YI", inputs=ROWS, input_params=[x], weights={a: 1.0, b: -1.0})
    for row, i in ((0.3, 0), (0.9, 1)):
        expected = [2 * row, (1 + row) * (row - 1)]
        assert [item.operation.params[0] for item in task.bound_circuit(i).data] == pytest.approx(expected)
    assert task.values((a + x) + (b + x)) == pytest.approx(2 * ROWS[:, 0])
    assert task.values((a + x) * (b + x)) == pytest.approx((1 + ROWS[:, 0]) * (ROWS[:, 0] - 1))
    result = prune(task, Threshold(0))
    change = [deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i))) for i in (0, 1)]
    assert np.max(change) < 1e-12


def test_gates_of_every_kind_are_bound_as_qiskit_does():
    inner = QuantumCircuit(2, global_phase=a)
    inner.rx(a * x, 0)
    inner.cry(b, 0, 1)
    circuit = QuantumCircuit(3, global_phase=b)
    circuit.append(inner.to_gate().control(1, ctrl_state=0), [0, 2, 1])
    circuit.append(inner.to_gate().inverse(), [2, 0])
    circuit.append(RXGate(a).control(2, ctrl_state=1), [2, 0, 1])
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XYI", "IZZ"], [1, 0.5]), time=a + b * x), [1, 0, 2])
    circuit.cp(x, 0, 1)
    task = Task(circuit, "IZZ", inputs=ROWS, input_params=[x], weights={a: 0.4, b: 0.3})
    for i, row in enumerate(ROWS[:, 0]):
        expected = Operator(circuit.assign_parameters({a: 0.4, b: 0.3, x: row}).decompose(reps=4))
        np.testing.assert_allclose(Operator(task.bound_circuit(i).decompose(reps=4)).data, expected.data, atol=1e-12)


def test_an_evolution_whose_time_loses_a_parameter():
    """Qiskit's own binding fails here: "circuit parameter table is inconsistent"."""
    circuit = QuantumCircuit(2)
    circuit.append(PauliEvolutionGate(SparsePauliOp("X"), time=a + b * x), [0])
    circuit.cx(0, 1)
    task = Task(circuit, "ZI", inputs=ROWS, input_params=[x], weights={a: 0.4, b: 0.0})
    assert verify(task, prune(task, Threshold(0.01)))
    np.testing.assert_allclose(outputs(task, state(task.bound_circuit(1))), np.cos(0.8), atol=1e-12)


def test_an_evolution_inside_a_gate_whose_definition_was_read():
    """It keeps the symbols of its definition when its time is bound: verify called the certificate damaged."""
    inner = QuantumCircuit(2)
    inner.append(PauliEvolutionGate(SparsePauliOp(["XZ", "ZY"], [0.3, 0.2]), time=a * x), [0, 1])
    circuit = QuantumCircuit(2)
    circuit.ry(0.3, 0)
    circuit.append(inner.to_instruction(), [1, 0])
    task = Task(circuit, ["ZI", "IZ"], inputs=ROWS, input_params=[x], weights=[0.7])
    assert verify(task, prune(task, Threshold(0.01)))
    for i, row in enumerate(ROWS[:, 0]):
        expected = Operator(circuit.decompose(reps=3).assign_parameters({a: 0.7, x: row}))
        np.testing.assert_allclose(Operator(task.bound_circuit(i).decompose(reps=3)).data, expected.data, atol=1e-12)


def test_an_angle_that_does_not_depend_on_its_parameter_is_saved(tmp_path):
    """As of a cost Hamiltonian with a coefficient 0: Qiskit writes such an angle to QPY and cannot read it."""
    circuit = QuantumCircuit(1)
    circuit.rx(x, 0)
    circuit.ry(0 * w, 0)
    task = Task(circuit, "Z", inputs=ROWS, input_params=[x], weights=[0.7])
    save(prune(task), tmp_path / "out", drawings=False)
    again = load(tmp_path / "out")
    assert [p.name for p in again.original.weight_params] == ["w"]
    assert verify(again.original, again)


@pytest.mark.parametrize("build", [same_coordinate, quadratic_input, seeming_inverse])
def test_bounds_hold_where_the_symbols_do_not(build):
    circuit = QuantumCircuit(1)
    build(circuit)
    inputs = {"inputs": ROWS, "input_params": [x]} if x in circuit.parameters else {}
    task = Task(circuit, ["Y", "Z"], weights=[0.02], **inputs)
    result = prune(task, Threshold(0.03))
    for i in range(task.num_samples):
        change = deviation(task, *(state(t.bound_circuit(i)) for t in (task, result.task)))
        assert np.all(change <= np.array(result.certificate.bound)[:, i] + BOUND_SLACK)
        np.testing.assert_allclose(change, np.array(result.certificate.measured)[:, i], atol=1e-11)
    assert verify(task, result)
