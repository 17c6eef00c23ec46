"""Inputs in very different units, a thousand million and a thousand millionth: limits for every input of them."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import Domain, Task, Threshold, everywhere, prune, verify

UNITS = np.array([1e9, 1e-9])
WEIGHTS = (0.7, 0.15, 0.1, 0.2)


def network(angle, units):
    rng, x, w = np.random.default_rng(1), ParameterVector("x", 2), ParameterVector("w", 4)
    circuit = QuantumCircuit(2)
    both = angle(x[0] / units[0], x[1] / units[1])
    circuit.ry(both, 0)
    circuit.rx(0.5 * x[1] / units[1], 1)
    circuit.ry(w[0], 0)
    circuit.cx(0, 1)
    circuit.rx(w[1], 0)
    circuit.rz(w[2], 0)
    circuit.ry(both, 0)
    circuit.rz(w[3], 1)
    circuit.cx(1, 0)
    rows, weights = rng.normal(size=(20, 2)) * units, dict(zip(w, WEIGHTS, strict=True))
    return Task(circuit, ["IZ", "XZ"], inputs=rows, input_params=list(x), weights=weights)


@pytest.mark.parametrize("angle", [lambda a, b: 0.7 * a + 0.9 * b, lambda a, b: 0.8 * a * b], ids=["sum", "product"])
def test_units_decide_no_limit_on_a_box(angle):
    """What the inputs of one gate are measured in stands in the way of no search, and of no `verify`."""
    found = []
    for units in (UNITS, np.ones(2)):
        task = network(angle, units)
        result = everywhere(prune(task, Threshold(0.3), progress=False))
        verify(task, result, progress=False)
        found.append(result.certificate.every_input.outputs)
    for ours, plain in zip(*found, strict=True):
        assert ours.upper == pytest.approx(plain.upper, rel=1e-6)
        assert ours.lower == pytest.approx(plain.lower, rel=1e-3)


@pytest.mark.parametrize("angle", [lambda a, b: 0.7 * a + 0.9 * b, lambda a, b: 0.8 * a * b], ids=["sum", "product"])
def test_and_none_on_an_ellipsoid(angle):
    task = network(angle, UNITS)
    result = everywhere(prune(task, Threshold(0.3), progress=False), domain=Domain.ellipsoid(), gap=0.01)
    verify(task, result, progress=False)
    assert all(0.99 * each.upper <= each.lower <= each.upper for each in result.certificate.every_input.outputs)
