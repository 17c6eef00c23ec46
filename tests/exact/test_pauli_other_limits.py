"""Limits in labels and on devices, in Pauli form and with absorbed gates: by dense states, and verified."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import outputs, state
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import Accuracy, Task, UnderNoise, prune, verify

ANGLES = (1.1, 0.02, -0.7, 0.9, -0.03)


def classifier():
    """Controlled rotations, of which Pauli form makes two each, a ladder, and a ring at the end."""
    x, w, circuit = ParameterVector("x", 2), ParameterVector("w", 5), QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x[q % 2], q)
    circuit.crx(w[0], 0, 1)
    circuit.crx(w[1], 1, 2)
    circuit.rzz(w[2], 0, 2)
    circuit.cx(0, 1)
    circuit.ry(w[3], 1)
    circuit.rx(w[4], 0)
    for q in range(3):
        circuit.cx(q, (q + 1) % 3)
    rows = np.random.default_rng(4).uniform(-2, 2, (6, 2))
    given = {"inputs": rows, "input_params": list(x), "weights": dict(zip(w, ANGLES, strict=True))}
    means = outputs_of(Task(circuit, "IIZ", **given))
    labels = np.where(means > 0, 1, -1)
    labels[:2] *= -1  # not all right before
    return Task(circuit, "IIZ", labels=labels, **given)


def outputs_of(task):
    return np.array([outputs(task, state(task.bound_circuit(k))).item() for k in range(task.num_samples)])


@pytest.mark.parametrize("absorb", [False, True])
@pytest.mark.parametrize("form", ["pauli", "auto"])
@pytest.mark.parametrize("limit", [Accuracy(0.1), UnderNoise("depolarizing-1e-2")], ids=["accuracy", "noise"])
def test_what_is_said_holds_and_is_verified(limit, form, absorb):
    task = classifier()
    result = prune(task, limit, form=form, absorb=absorb, progress=False)
    before, after = outputs_of(task), outputs_of(result.task)
    assert np.abs(after - before).max() == pytest.approx(result.certificate.largest_measured, abs=1e-12)
    right = [np.mean((means > 0) == (task.labels > 0)) for means in (before, after)]
    assert result.accuracy == pytest.approx(right, abs=1e-12)
    if limit.name == "accuracy":
        assert right[1] >= right[0] - 0.1 - 1e-9
    movers = [
        {p.name for angle in item.operation.params for p in getattr(angle, "parameters", ())}
        for item in result.flat.data
    ]
    for entry, names in zip(result.plan, movers, strict=True):
        if entry.action == "remove":  # but for weights that move other gates, too
            alone = names - set().union(*(other for other in movers if other is not names))
            assert alone.isdisjoint(p.name for p in result.circuit.parameters)
    verify(task, result)


def turned_away(labels):
    """⟨Z⟩ = −sin w cos x, zero for every input without the last rotation."""
    x, w, circuit = ParameterVector("x", 1), ParameterVector("w", 1), QuantumCircuit(1)
    circuit.h(0)
    circuit.rz(x[0], 0)
    circuit.ry(w[0], 0)
    rows = np.linspace(-1.2, 1.2, len(labels))[:, None]
    return Task(circuit, "Z", inputs=rows, input_params=list(x), weights=[0.6], labels=labels)


def test_signs_of_rounding_are_no_predictions():
    """Planted: without its last rotation the output is zero for every input, and rounding would give it a sign."""
    task = turned_away([-1] * 9)
    for limit in (Accuracy(0.6), Accuracy(0.9)):
        result = prune(task, limit, absorb=True, form="auto", progress=False)
        assert np.mean(outputs_of(result.task) < -1e-9) >= 1 - limit.loss


def test_nor_are_they_on_any_sample():
    """Half of the labels are what any one sign says, yet rounding may be wrong on each."""
    result = prune(turned_away([-1, 1] * 4), Accuracy(0), progress=False)
    assert np.all(np.abs(outputs_of(result.task)) > 1e-9)
