"""Circuits as drawings: columns, colours, and wires that stand where the original's do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import Measured, Task, prune
from qprune.report.alignment import aligned_wires
from qprune.report.diagram import FARTHEST, NEAREST, DrawnGate, circuit_svg, colour, columns, position


def gate(name, *qubits, distance=None, fate="keep"):
    return DrawnGate(name, qubits, distance, fate, name)


def test_gates_stand_as_early_as_their_span_allows():
    gates = [gate("h", 0), gate("h", 2), gate("cx", 0, 2), gate("h", 1), gate("rz", 0), gate("cx", 2, 1)]
    assert columns(gates) == [0, 0, 1, 2, 2, 3]


def test_no_two_gates_of_a_column_touch():
    rng = np.random.default_rng(1)
    gates = [gate("g", *rng.permutation(6)[: rng.integers(1, 4)]) for _ in range(200)]
    taken = set()
    for g, column in zip(gates, columns(gates), strict=True):
        cells = {(column, q) for q in range(min(g.qubits), max(g.qubits) + 1)}
        assert taken.isdisjoint(cells)
        taken |= cells


def test_colours_run_from_light_to_dark_and_end_at_the_scale():
    distances = np.geomspace(NEAREST, FARTHEST, 30)
    brightness = [sum(int(colour(d)[k : k + 2], 16) for k in (1, 3, 5)) for d in distances]
    assert brightness[0] > 2 * brightness[-1]
    assert position(0) == position(NEAREST) == 0
    assert position(FARTHEST) == position(2.0) == pytest.approx(1)
    assert colour(0.0) == colour(NEAREST)
    assert colour(2.0) == colour(FARTHEST)


def test_only_wires_in_use_are_drawn():
    svg = circuit_svg([gate("cx", 7, 3)], [20], "a few of many")
    assert re.findall(r">q(\d+)<", svg) == ["3", "7", "20"]


@pytest.mark.parametrize("gates", [[], [gate("global_phase")], [gate("averyveryverylongname", 0, 1, 2)]])
def test_unusual_gates_can_be_drawn(gates):
    svg = circuit_svg(gates, [0], "unusual")
    assert svg.count("data-gate") == len(gates)
    assert "averyveryverylongname:" not in svg


def relabelled():
    """Rotations of inputs on three qubits with a SWAP of CX between them, which a shorter network does by renaming."""
    circuit, x = QuantumCircuit(3), ParameterVector("x", 3)
    for q in range(3):
        circuit.ry(x[q], q)
    for a, b in ((0, 1), (1, 0), (0, 1)):
        circuit.cx(a, b)
    circuit.rx(0.7, 0)
    rows = np.random.default_rng(0).uniform(0.3, 1, (4, 3))
    return prune(Task(circuit, ["IIZ", "IZI"], inputs=rows, input_params=list(x)), Measured(0))


def test_wires_stand_where_the_originals_do():
    """By the parameters of their gates: what enters at the top before does so after."""
    result = relabelled()
    places = aligned_wires(result.flat, result.circuit)
    before, after = (
        {
            p.name: c.find_bit(item.qubits[0]).index
            for item in c.data
            for p in item.operation.params
            if hasattr(p, "name")
        }
        for c in (result.flat, result.circuit)
    )
    assert any(before[name] != after[name] for name in after)  # the network did rename
    assert all(places[after[name]] == before[name] for name in after)
    assert sorted(places) == sorted(places.values()) == list(range(3))
    plain = QuantumCircuit(2)
    plain.h(0)
    assert aligned_wires(plain, plain) == {0: 0, 1: 1}
