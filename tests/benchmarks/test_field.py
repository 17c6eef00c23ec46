"""Tools of the field: what a chain that changes the observables is credited with, and where it stands in the tables."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import size
from benchmarks.peers import chains, field, report, sides, tools
from benchmarks.peers.chains import CHAINS
from benchmarks.peers.circuits import ansatz, cases
from benchmarks.peers.measure import cx_count, deviation
from benchmarks.peers.run import is_asked_for
from benchmarks.records import provenance
from qprune.simulators.values import chain_memory, statevector_memory


@pytest.mark.parametrize("budget", [0.0, 1e-2])
def test_backpropagation_keeps_its_budget_on_every_state(budget):
    """What is measured stays within what the dense matrices allow for any state, and that within the budget."""
    pytest.importorskip("qiskit_addon_obp", reason="needs pip install qiskit-addon-obp")
    task = ansatz("n-local-sca", 4, data=True, seed=3)
    made = field.backpropagated(task, tools.bound(task), budget, 16)
    assert cx_count(made.circuit) < cx_count(task.circuit)
    assert deviation(task, made) <= made.any_state + 1e-9 <= budget + 1e-6
    assert field.settings(made.observables) <= 16 * field.settings(task.observables)


def test_settings_are_counted_by_bases_of_qubits():
    from qiskit.quantum_info import SparsePauliOp

    assert field.settings([SparsePauliOp(["ZI", "IZ", "ZZ"]), SparsePauliOp(["XI", "II"])]) == 2
    assert field.settings([SparsePauliOp(["II"])]) == 0


def test_chains_that_change_what_is_measured_stand_apart():
    """They count as no peer at equal deviation, and bring their settings."""

    def row(tool, gates, **more):
        point = {"line": tool, "setting": 0.01, "two_qubit_gates": gates, "weights": 0, "deviation": 1e-9, **more}
        config = {"group": "ansätze", "circuit": "one", "tool": tool}
        return {"config": config, "status": "done", "two_qubit_gates": 10, "weights": 5, "points": [point]}

    dear = next(c.name for c in chains.CHAINS if c.package == "qiskit_addon_obp")
    absorbed = "qprune, exact, absorbed"
    rows = [row("Qiskit O3", 9), row("qprune, proven", 6), row(dear, 1, settings=[1, 12])]
    rows.append(row(absorbed, 2, settings=[2, 3]))
    fair = report.Fair(rows)
    assert set(fair.measuring) == {dear, absorbed}
    assert fair.best_single(fair.ours, 1e-2) == 4
    assert fair.best_single(fair.peers, 1e-2) == 1
    assert {dear, absorbed}.isdisjoint(line for line, *_ in report.at_equal_deviation(rows)[1])
    found = {line: cells for line, *cells in report.at_the_price_of_measuring(rows)[1]}
    assert found[dear][-1].startswith("× 12")
    assert found[absorbed][-1].startswith("× 1.5")
    assert found["qprune, proven"][-1] == "as before"


def test_guoq_is_left_out_by_name_without_its_environment(monkeypatch):
    monkeypatch.delenv(field.WISQ, raising=False)
    assert not sides.available("wisq")
    monkeypatch.setenv(field.WISQ, "/some/python")
    assert sides.available("wisq")


def test_memory_is_predicted_from_what_a_state_needs():
    """Two statevectors; a chain by its bonds, which grow with the square."""
    assert size.predicted(size.Config("statevector", 24, 1, 4)) == statevector_memory(24) == 2 * 16 * 2**24
    assert np.log2(chain_memory(40, 256) / chain_memory(40, 128)) == pytest.approx(2, abs=0.2)
    assert chain_memory(2, 256) == (1 + 1 + 32) * 16 * 2 * 2  # two tensors of 1 × 2 × 2, and one decomposed


def test_the_page_of_real_size_says_whether_clusters_agree():
    def row(who, seconds, value="a"):
        config = {"what": "cluster", "qubits": 2, "samples": 3, "layers": 1, "options": {"by": who}}
        return {
            **{"config": config, "gates": [9, 5], "bound": 0.1, "measured": 0.1, "error": 0.0, "largest_bond": None},
            **{"seconds": {"clock": seconds, "processor": 1.0}, "predicted_mib": 1.0, "peak_mib": None},
            **{"hash": "h", "values_hash": value, **provenance(0)},
        }

    page = size.table([row("here", 6.0), row("1 worker", 8.0), row("4 workers", 4.0)])
    assert "the same to the last bit" in page
    assert "without it, on" in page
    assert "1 worker 0.75; 4 workers 1.5." in page
    assert "one worker, on" in page
    assert "here 1.3; 4 workers 2." in page
    page = size.table([row("here", 6.0), row("4 workers", 4.0, "b")])
    assert "**not the same**" in page


def test_a_table_of_the_circuits_that_a_tool_was_run_on():
    rows = [
        {"config": {"circuit": circuit, "tool": tool}, "points": points}
        for circuit, tool, points in [
            ("one", "GUOQ → LightCone → O3", [{}]),
            ("one", "qprune, proven", [{}]),
            ("two", "GUOQ → LightCone → O3", []),
            ("two", "qprune, proven", [{}]),
        ]
    ]
    assert {row["config"]["circuit"] for row in report.where_ran(rows, "GUOQ")} == {"one"}
    assert len(report.where_ran(rows, "GUOQ")) == 2


def test_the_time_that_a_search_took_is_told():
    rows = [
        {"config": {"circuit": name, "tool": "GUOQ → LightCone → O3"}, "points": [{"setting": epsilon}], **more}
        for name, epsilon, more in [
            ("one", 1e-6, {"processor_seconds": 30.0}),
            ("two", 1e-6, {"processor_seconds": 50.0}),
            ("three", 1e-6, {}),
            ("one", 1e-2, {}),
        ]
    ]
    long = next(chain.name for chain in CHAINS if chain.when_named)
    rows.append({"config": {"circuit": "four", "tool": long}, "points": [{"setting": 1e-2, "two_qubit_gates": 7}]})
    rows[-1]["two_qubit_gates"] = 9
    rows.append({"config": {"circuit": "four", "tool": "GUOQ"}, "points": [{"setting": 1e-2, "two_qubit_gates": 8}]})
    told = report.searched(rows)
    assert "on each of 3 circuits; the chains in all median 40 s, at most 50 s in the 2 rows that say so" in told
    assert "- ε = 0.01: 60 s on each of 2 circuits\n" in told
    assert told.endswith("- ε = 0.01: 600 s on four: 7 of 9 two-qubit gates left, 8 in 60 s")


def test_who_was_not_run_on_a_circuit_is_named():
    """Ours and theirs apart: a table that counts only circuits that both ran must not hide the others."""
    names = [case.name for case in cases()]
    rows = [
        {"config": {"circuit": name, "tool": tool}, "status": status}
        for name in names[2:]
        for tool, status in (("qprune, proven", "done"), ("Qiskit O3", "done"))
    ]
    rows.append({"config": {"circuit": names[0], "tool": "qprune, proven"}, "status": "done"})
    rows.append({"config": {"circuit": names[1], "tool": "Qiskit O3"}, "status": "stopped after 1 s"})
    other = {"config": {"circuit": names[0], "tool": "operator backpropagation"}, "status": "done"}
    rows.append({**other, "points": [{"settings": 4}]})  # asks for other measurements: stands in no such table
    assert report.not_run(rows) == [
        "- Qiskit O3, 1 circuit: stopped after 1 s",
        f"- qprune on {names[1]}: not run to its end",
        f"- any other tool on {names[0]}, {names[1]}: not run to its end",
    ]


def test_what_takes_long_runs_only_by_its_name():
    long = next(chain for chain in CHAINS if chain.when_named)
    minute = next(chain for chain in CHAINS if "GUOQ, larger" in chain.name and not chain.when_named)
    assert not is_asked_for(long, ())
    assert not is_asked_for(long, ["GUOQ"])
    assert is_asked_for(long, [long.name])
    assert is_asked_for(minute, ())
    assert is_asked_for(minute, ["GUOQ"])
    assert not is_asked_for(minute, [long.name])


def test_guoq_gets_the_part_without_inputs_and_all_the_time(monkeypatch):
    """With a search that finds nothing the outputs stay as they are."""
    asked = []

    def search(text, epsilon, seconds):
        asked.append((text, epsilon, seconds))
        return text

    task = ansatz("real-amplitudes", 3, data=True, seed=5)
    monkeypatch.setattr(field, "_searched", search)
    made = field.guoq(task, tools.bound(task), 1e-6, 40)
    assert [(epsilon, seconds) for _, epsilon, seconds in asked] == [(1e-6, 40)]
    assert deviation(task, made) < 1e-9
