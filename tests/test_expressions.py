"""Angles whose sums, derivatives or equality Qiskit 2.3 gets wrong: no exact step may rest on them."""

from __future__ import annotations

from itertools import product
from math import pi

import numpy as np
import pytest
from helpers import BOUND_SLACK, deviation, state
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qprune import Task, prune, verify
from qprune.expressions import are_equal, slopes_of, sum_of

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


@pytest.mark.parametrize(("first", "second"), product(ANGLES, ANGLES))
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


@pytest.mark.parametrize("build", [same_coordinate, quadratic_input, seeming_inverse])
def test_bounds_hold_where_the_symbols_do_not(build):
    circuit = QuantumCircuit(1)
    build(circuit)
    inputs = {"inputs": ROWS, "input_params": [x]} if x in circuit.parameters else {}
    task = Task(circuit, ["Y", "Z"], weights=[0.02], **inputs)
    result = prune(task, tolerance=0.03)
    for i in range(task.num_samples):
        change = deviation(task, *(state(t.bound_circuit(i)) for t in (task, result.task)))
        assert np.all(change <= np.array(result.certificate.bound)[:, i] + BOUND_SLACK)
        np.testing.assert_allclose(change, np.array(result.certificate.measured)[:, i], atol=1e-11)
    assert verify(task, result)
