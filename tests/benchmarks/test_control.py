"""An ansatz grown beside pruning, and what limits for every input take: rows and tables."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from benchmarks import claims, control
from qprune import Task


def network():
    circuit, (x, y) = QuantumCircuit(2), (Parameter(name) for name in "xy")
    circuit.ry(x, 0)
    circuit.ry(y, 1)
    circuit.rx(0.4, 0)
    circuit.cx(0, 1)
    circuit.ry(0.7, 1)
    return Task(circuit, "ZI", inputs=np.random.default_rng(0).uniform(0, 2, (8, 2)), input_params=[x, y])


def test_a_grown_circuit_has_a_limit_for_every_input(monkeypatch):
    monkeypatch.setattr(control, "ROUNDS", 1)
    rows = list(control.Growth(network()).rows(1, 100.0))
    assert [row["two_qubit_gates"] for row in rows] == [0, 1]
    for row in rows:
        assert row["lower"] <= row["upper"]
        assert row["measured"] <= row["upper"] + 1e-12
        assert row["gates"] > 2


def test_the_table_says_what_limits():
    rows = [
        {"config": {"network": "iris-4q", "cx": cx}, "upper": 0.2 / (1 + cx), "gates": 16 + 5 * cx} for cx in (0, 1, 4)
    ]
    ours = {
        "config": {"network": "iris-4q", "mode": "verified, refit", "budget": 0.05},
        "two_qubit_gates": [9, 9, 4],
        "gates": [40, 30, 20],
    }
    spare = [{"config": {"network": name}, "weights": 48, "directions": 20} for name in ("iris-4q", "wine-6q")]
    lines = control.text(rows, [{**ours, "every_input": {"upper": 0.09}}, {**ours, "every_input": None}], spare)
    others = [
        {**ours, "config": {**ours["config"], "mode": mode}, "every_input": {"upper": 0.01}}
        for mode in control.ELSEWHERE
    ]
    assert lines == control.text(rows, [{**ours, "every_input": {"upper": 0.09}}, *others], spare)
    assert "| iris-4q | 0.05 | 4 |  | the search |" in lines
    assert "| iris-4q | 0.1 | 1 | 4 | the search |" in lines
    assert "| iris-4q | 4 | 36 | 0.04 | 20 | 0.09 |" in lines
    assert "| iris-4q | 48 | 20 | 30 → 20 | 9 → 4 |" in lines
    assert not any(line.startswith("| wine-6q") for line in lines)


def test_missed_aims_are_bold():
    row = {"config": {"what": "pruning", "network": "iris-4q"}, "runs": 81, "beside": 1.0, "aim": 3.0, "gates": [4, 5]}
    lines = claims.text([{**row, "processor_seconds": 4.0}])
    assert "| iris-4q | 81 | 4.00 s | 1.00 s | **4** | 3 | 4 : 5 |" in lines
