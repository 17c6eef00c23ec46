"""The benchmark of exact rewriting: its circuits are what they are called, its rows are measured, its tables add up."""

from __future__ import annotations

import json

import numpy as np
import pennylane as qml
import pytest
from helpers import qiskit_before, state

from benchmarks import exact
from benchmarks.tables import exact_table


@pytest.mark.skipif(qiskit_before("2.4"), reason="Rustiq comes with Qiskit 2.4")
def test_rows_are_measured_and_tables_add_up(tmp_path):
    out = tmp_path / "exact.jsonl"
    exact.run(out, quick=True)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["config"]["tool"] for row in rows] == list(exact.TOOLS)
    done = [row for row in rows if row["status"] == "done"]
    assert len(done) >= len(rows) - 1  # pytket need not be there
    assert max(row["deviation"] for row in done) < 1e-12
    left = {row["config"]["tool"]: row["two_qubit_gates"] for row in done}
    assert {before for before, _ in left.values()} == {16}
    assert left["qprune"][1] <= left["qprune, no Pauli form"][1]
    text = exact_table(rows)
    for _, after in left.values():
        assert f" {after} ({100 * (16 - after) / 16:.0f} %) |" in text
    exact.run(out, quick=True)  # what is there is not measured again
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(rows)


@pytest.mark.parametrize("n", [4, 6])
def test_entanglers_are_those_of_pennylane(n):
    circuit = exact.basic_entangler(n)
    values = np.random.default_rng(0).uniform(-3, 3, (exact.ENTANGLER_LAYERS, n))

    @qml.qnode(qml.device("default.qubit", wires=n))
    def network():
        qml.BasicEntanglerLayers(values, wires=range(n))
        return qml.probs(wires=range(n))

    ours = np.abs(state(circuit.assign_parameters(values.ravel()))) ** 2
    axes = list(reversed(range(n)))  # Qiskit's first qubit is the last of the index
    np.testing.assert_allclose(ours.reshape((2,) * n).transpose(axes).ravel(), network(), atol=1e-12)
