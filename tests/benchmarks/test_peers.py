"""The comparison with other tools: what judges them is right, moved qubits are followed, absent tools skipped."""

from __future__ import annotations

import json
from multiprocessing import get_context

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Operator, Statevector

import qprune
from benchmarks.__main__ import main
from benchmarks.peers import chains, measure, sides, tools
from benchmarks.peers.circuits import FAMILIES, ansatz
from benchmarks.peers.measure import Compiled
from benchmarks.peers.run import FAIR, SIDES, Worker


def network(observables=("IIZ", "ZIY")):
    """Asymmetric, with inputs first and in the middle, and a swap that compilers elide."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 4)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.rx(w[0], 1)
    circuit.cx(0, 1)
    circuit.rz(w[1] + 2 * w[2], 1)
    circuit.swap(1, 2)
    circuit.ry(w[3] * x[1], 2)
    circuit.crx(w[2], 2, 0)
    circuit.h(1)
    circuit.cx(0, 2)
    for pair in [(0, 1), (1, 0), (0, 1)]:
        circuit.cx(*pair)
    rows = np.array([[0.3, 1.1], [-0.7, 0.4], [1.9, 2.3]])
    return qprune.Task(circuit, list(observables), inputs=rows, input_params=list(x), weights=[0.4, -1.2, 0.8, 1.7])


def expected(task):
    """By Qiskit's own state vectors, sample by sample."""
    vectors = [Statevector(task.bound_circuit(i)) for i in range(task.num_samples)]
    return np.array([[v.expectation_value(o).real for v in vectors] for o in task.observables])


def test_outputs_are_those_of_state_vectors():
    task = network()
    found = measure.outputs(task, Compiled.unmoved(task.circuit))
    np.testing.assert_allclose(found, expected(task), atol=1e-12)


def test_moved_qubits_are_read_where_they_are():
    task = network()
    moved = task.circuit.copy_empty_like()
    where = (2, 0, 1)
    for instruction in task.circuit.data:
        moved.append(instruction.operation, [where[task.circuit.find_bit(q).index] for q in instruction.qubits])
    np.testing.assert_allclose(measure.outputs(task, Compiled(moved, where)), expected(task), atol=1e-12)
    assert measure.deviation(task, Compiled.unmoved(moved)) > 0.1


def test_new_weights_count():
    task = network()
    values = dict(zip((p.name for p in task.weight_params), [0.1, 0.2, 0.3, 0.4], strict=True))
    other = qprune.Task(
        task.circuit, list(task.observables), inputs=task.inputs, input_params=task.input_params, weights=values
    )
    np.testing.assert_allclose(
        measure.outputs(task, Compiled.unmoved(task.circuit, values)), expected(other), atol=1e-12
    )


def test_distance_of_unitaries():
    """√(1 − |Tr|²/d²) of an added rz(0.6) is sin 0.3; a permutation that is followed costs nothing."""
    task = network()
    turned, moved = task.circuit.copy(), task.circuit.copy()
    turned.rz(0.6, 2)
    moved.swap(0, 1)
    whole = Compiled.unmoved(task.circuit)
    assert measure.unitary_distance(task, whole, Compiled.unmoved(turned)) == pytest.approx(np.sin(0.3))
    assert measure.unitary_distance(task, whole, Compiled(moved, (1, 0, 2))) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("gate", "qubits", "count"),
    [("cx", 2, 1), ("cz", 2, 1), ("swap", 2, 3), ("iswap", 2, 2), ("ccx", 3, 6), ("h", 1, 0)],
)
def test_cx_that_a_gate_needs(gate, qubits, count):
    circuit = QuantumCircuit(3)
    getattr(circuit, gate)(*range(qubits))
    circuit.barrier()
    assert measure.cx_count(circuit) == count


def test_cx_that_a_gate_with_a_free_angle_needs():
    circuit = QuantumCircuit(2)
    circuit.crx(Parameter("a"), 0, 1)
    circuit.rzz(2 * Parameter("b"), 0, 1)
    assert measure.cx_count(circuit) == 4


# -- the tools --------------------------------------------------------------------------------------------------------

EXACT = [
    ("qiskit", lambda task, c: tools.o3(task, c)),
    ("qiskit", lambda task, c: tools.light_cone(task, c)),
    ("qiskit", lambda task, c: tools.light_cone(task, tools.o3(task, tools.light_cone(task, c)))),
    ("pennylane", lambda task, c: tools.pennylane(task, c)),
    ("pytket", lambda task, c: tools.pytket(task, c)),
    ("pytket", lambda task, c: tools.light_cone(task, tools.pytket(task, tools.o3(task, c)))),
]


@pytest.mark.parametrize("observables", [("IIZ", "ZIZ"), ("YIX",), ("IIZ", "ZIY")], ids=["diagonal", "word", "mixed"])
@pytest.mark.parametrize(("package", "tool"), EXACT)
def test_an_exact_tool_changes_no_output(package, tool, observables):
    """They elide the swap, so that reading the old qubits would be wrong; LightCone must look where they went."""
    if not tools.installed(package):
        pytest.skip(f"{package} is not installed")
    task = network(observables)
    assert measure.deviation(task, tool(task, tools.bound(task))) < 1e-7


def test_the_trap_is_there():
    """Qiskit's O3 and pytket do move qubits here: read at their old places, outputs would be wrong."""
    task = network()
    for package, tool in [("qiskit", tools.o3), ("pytket", tools.pytket)]:
        if tools.installed(package):
            compiled = tool(task, tools.bound(task))
            assert compiled.where != (0, 1, 2)
            assert measure.deviation(task, Compiled.unmoved(compiled.circuit)) > 0.1


def test_identity_equivalents_go_by_average_fidelity():
    """rz(δ) has average fidelity 1 − (2/3) sin²(δ/2) with the identity."""
    circuit = QuantumCircuit(1)
    for angle in (0.02, 0.3):
        circuit.rz(angle, 0)
        circuit.rx(1.0, 0)
    task = qprune.Task(circuit, "Z")
    for lost, left in ((1e-5, 4), (1e-3, 3), (2e-2, 2)):
        assert tools.identity_equivalents(task, tools.bound(task), 1 - lost).circuit.size() == left


def test_parts_without_inputs_are_as_long_as_they_can_be():
    """Encoding gates stay what they are, and a tool that moves qubits is followed from part to part."""
    task, sizes = network(), []

    def turned(circuit):
        sizes.append(circuit.size())
        new, where = QuantumCircuit(3), (1, 2, 0)
        new.compose(circuit, qubits=range(3), inplace=True)
        new.swap(0, 1)
        new.swap(0, 2)
        # What each wire holds afterwards, read off the matrix, not assumed
        found = np.argmax(np.abs(Operator(new).data @ Operator(circuit).data.conj().T), axis=0)
        assert [int(found[1 << q]) for q in range(3)] == [1 << where[q] for q in range(3)]
        return new, where

    compiled = tools.by_parts(tools.bound(task), turned)
    np.testing.assert_allclose(measure.outputs(task, compiled), expected(task), atol=1e-12)
    assert sizes == [1, 4, 5]  # rx; cx rz swap h; crx cx and the three of the swap


def test_a_redundant_weight_is_found():
    circuit, w = QuantumCircuit(2), ParameterVector("w", 4)
    circuit.ry(w[0], 0)
    circuit.rz(w[1], 1)  # on |0⟩ it does nothing
    circuit.cx(0, 1)
    circuit.ry(w[2], 1)
    circuit.ry(w[3], 1)  # the same as the one before
    task = qprune.Task(circuit, "ZZ", weights=[0.3, 0.5, 0.8, 1.1])
    gone = tools.by_fisher_rank(task, samples=5, threshold=1e-7)
    assert len(gone) == 2
    assert 1 in gone
    assert {2, 3} & set(gone)


# -- tuning, rows and tables ------------------------------------------------------------------------------------------


def test_the_best_point_keeps_the_budget():
    def point(gates, deviation, weights=0):
        return chains.Point("x", None, gates, weights, deviation)

    points = [point(3, 0.2), point(5, 0.01), point(5, 0.001, 2), point(9, 0.0)]
    assert chains.best(points, 0.1) == points[2]  # of equals the one that keeps weights
    assert chains.best(points, 1e-4) == points[3]
    assert chains.best(points[:1], 0.1) is None


def test_a_threshold_is_tuned_to_every_budget():
    """Planted: rotations whose removal costs 1 − cos δ; a chain must find all that a budget admits."""
    angles = np.array([1e-4, 0.03, 0.1, 0.2, 0.35])
    circuit = QuantumCircuit(len(angles))
    for q, angle in enumerate(angles):
        circuit.rx(float(angle), q)
    task = qprune.Task(circuit, ["I" * (len(angles) - 1 - q) + "Z" + "I" * q for q in range(len(angles))])
    seen = []

    def judge(compiled, setting):
        left = compiled.circuit.size()
        seen.append((left, measure.deviation(task, compiled)))
        return chains.Point("x", setting, left, 0, seen[-1][1])

    list(chains._tuned(lambda t: [tools.identity_equivalents(task, tools.bound(task), 1 - t)], judge, (-14, 0)))
    for budget in chains.BUDGETS:
        assert min(left for left, deviation in seen if deviation <= budget) == np.sum(1 - np.cos(angles) > budget)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_of_an_ansatz_is_small(family):
    task = ansatz(family, 4, data=True, seed=1)
    assert np.sum(np.abs(task.weights) < 0.1) >= len(task.weights) // 2
    assert task.num_samples > 1
    np.testing.assert_array_equal(task.weights, ansatz(family, 4, data=True, seed=1).weights)


def test_rows_and_tables(tmp_path):
    out = tmp_path / "peers.jsonl"
    some = ["Qiskit O3", "RIE 0.999", "sQUlearn", "qprune, proven", "qprune, proven, 0.05"]
    assert main(["peers", "--quick", "--out", str(out), "--tool", *some]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    status = {(r["benchmark"], r["config"]["tool"]): r["status"] for r in rows}
    assert set(status.values()) == {"done"}  # sQUlearn is left out of the quick run
    assert (SIDES, "qprune, proven, 0.05") in status
    assert (FAIR, "qprune, proven") in status
    for row in rows:
        assert {"machine", "load_1min", "versions", "seed", "commit", "date"} <= set(row)
    (side,) = [r for r in rows if r["config"]["tool"] == "qprune, proven, 0.05"]
    assert side["held"] is True
    assert side["deviation"] <= side["stated"] <= sides.BUDGET
    assert main(["peers", "--quick", "--out", str(out), "--tool", *some, "--missing"]) == 0
    assert len(out.read_text().splitlines()) == len(rows)
    assert main(["tables", "--results", str(tmp_path)]) == 0
    table = (tmp_path / "peers.md").read_text()
    assert "| qprune, proven, 0.05 | 1 of 1 |" in table
    assert "qprune / best single chain" in table


def test_what_takes_too_long_is_stopped_and_what_is_absent_is_named(tmp_path, monkeypatch):
    # A copy of this process has imported everything already.
    monkeypatch.setattr("benchmarks.peers.run.get_context", lambda kind: get_context("fork"))
    with Worker() as worker:
        assert worker.run((FAIR, "quick-3", "Qiskit O3"), 0)[:2] == ([], "not run: over 0 s")
    monkeypatch.delenv(sides.SQULEARN, raising=False)
    assert not sides.available("squlearn")
    assert not tools.installed("nothing.of.the.sort")
