"""The benchmark commands run, their rows say where they come from, and tables and plots follow from the rows."""

from __future__ import annotations

import json
from multiprocessing import get_context

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from benchmarks import refit, scaling
from benchmarks.__main__ import main
from benchmarks.peers.sides import REFITTED
from benchmarks.records import append, can_measure_memory, peak_memory, provenance, read, rows_of
from benchmarks.refit_page import page as refit_page
from benchmarks.scaling import Config, network, plain_pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the row of one small size."""
    target = tmp_path_factory.mktemp("results")
    size = ["--qubits", "3", "--samples", "2", "--repeat", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "OFTEN", 1)
        # A copy of this process has imported everything already.
        patch.setattr(scaling, "get_context", lambda kind: get_context("fork"))
        assert main(["scaling", *size, "--out", str(target / "scaling.jsonl")]) == 0
    return target


def rows_in(folder):
    return [json.loads(line) for line in (folder / "scaling.jsonl").read_text().splitlines()]


def test_a_row_has_ratios_parts_and_provenance(folder):
    (row,) = rows_in(folder)
    assert row["benchmark"] == "scaling"
    assert set(row["config"]) == {"qubits", "samples", "layers", "threads"}
    assert (row["config"]["qubits"], row["config"]["samples"]) == (3, 2)
    assert row["repeat"] % 2 == 0
    for part in ("prune", "prefix", "windows", "final", "rest"):
        spread = row["over_plain"][part]
        assert 0 < spread["low"] <= spread["median"] <= spread["high"]
    for part in ("plain", "prune", "prefix", "final"):
        assert row["seconds"][part]["low"] > 0
    assert row["seconds"]["prune"]["low"] > row["seconds"]["prefix"]["low"]
    assert row["gates"] >= row["gates_simplified"] >= row["gates_left"] > 0
    assert row["expectations"] > 0
    assert set(row["machine"]) == {"cpu", "cores", "memory_gib", "system"}
    assert {"python", "qprune", "qiskit", "qiskit-aer", "numpy"} <= set(row["versions"])
    assert all(key in row for key in ("seed", "commit", "date", "load_1min"))


def test_tables_and_plots_are_made_from_the_rows(folder):
    assert main(["tables", "--results", str(folder)]) == 0
    (row,) = rows_in(folder)
    table = (folder / "scaling.md").read_text()
    assert f"**{row['over_plain']['prune']['median']:.3g}**" in table
    assert row["machine"]["cpu"] in table
    assert main(["plots", "--results", str(folder)]) == 0
    assert (folder / "scaling.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.soak
def test_wide_circuits_have_rows_and_a_table_of_their_own(tmp_path):
    folder = tmp_path
    assert main(["scaling", "--quick", "--out", str(folder / "scaling.jsonl")]) == 0
    row = json.loads((folder / "wide.jsonl").read_text())
    assert row["measured"] <= row["bound"] <= 0.05
    assert row["gates_left"] < row["gates"]
    assert main(["tables", "--results", str(folder)]) == 0
    assert f"{row['seconds']['prune']['median']:.3g} s" in (folder / "wide.md").read_text()


def test_the_latest_row_of_a_size_counts(folder, tmp_path):
    (row,) = rows_in(folder)
    for year, repeat in (("2031", 4), ("2030", 3)):
        append(tmp_path / "scaling.jsonl", {**row, "date": year + row["date"][4:], "repeat": repeat})
    assert [r["repeat"] for r in read(tmp_path, "scaling")] == [4]


def test_without_rows_nothing_is_made(tmp_path, capsys):
    assert main(["tables", "--results", str(tmp_path)]) == 2
    assert "no rows" in capsys.readouterr().err


@pytest.mark.parametrize("samples", [1, 3])
def test_the_plain_pass_gives_the_outputs(samples):
    """The yardstick computes what it should: compared with dense state vectors."""
    task = network(Config(qubits=4, samples=samples, layers=2, threads=1))
    expected = [Statevector(task.bound_circuit(i)).expectation_value(task.observables[0]).real for i in range(samples)]
    found = [row["0"] for row in plain_pass(task, 1)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_memory_of_a_call_is_seen():
    if not can_measure_memory():
        pytest.skip("needs Linux")
    peak = peak_memory(lambda: np.ones(2**23).sum())  # 64 MiB, gone again when the call is over
    assert 60 < peak < 200


@pytest.mark.parametrize("lost", [1, 5, 40])
def test_a_row_that_was_cut_off_is_passed_over_and_measured_again(lost, tmp_path):
    """As by a kill while it was written: with a note; what is appended later stands on a line of its own."""
    path = tmp_path / "scaling.jsonl"
    rows = [{"benchmark": "scaling", "config": {"qubits": k}, "date": str(k), "value": 0.5} for k in range(3)]
    append(path, rows[0])
    append(path, rows[1])
    path.write_bytes(path.read_bytes()[:-lost])
    append(path, rows[2])
    if lost == 1:  # only the end of its line
        assert rows_of(path) == rows
        return
    with pytest.warns(UserWarning, match=r"scaling.jsonl: line 2 is no whole row and is passed over"):
        assert rows_of(path) == [rows[0], rows[2]]
    with pytest.warns(UserWarning, match="passed over"):
        assert [row["config"]["qubits"] for row in read(tmp_path, "scaling")] == [0, 2]


def test_threads_have_a_column_where_they_were_measured():
    made = {**provenance(0), "processor_seconds": [0.002]}
    jacobian = {"config": {"what": "jacobian", "network": "a", "side": refit.OURS}, **made}
    threads = {
        "config": {"what": "threads", "network": "a", "side": refit.OURS},
        "seconds": [[3, 4], [2, 2], [6, 4]],
        **made,
    }
    assert "two threads" not in refit_page([jacobian])
    line = next(line for line in refit_page([jacobian, threads]).splitlines() if line.startswith("| a |"))
    assert line.endswith("| 1.75 | 1.50 |")


def test_refit_over_a_plain_pass_is_told_from_the_rows_of_peers():
    sides = [{"config": {"tool": REFITTED}, "over_plain": {"median": times}} for times in (100, 200, 149)]
    sides += [{"config": {"tool": REFITTED}}, {"config": {"tool": "another"}, "over_plain": {"median": 1}}]
    made = {"config": {"what": "jacobian", "network": "a", "side": refit.OURS}, **provenance(0)}
    rows = [made | {"processor_seconds": [0.002]}]
    text = " ".join(refit_page(rows, sides).split())
    assert "3 circuits of up to six qubits): 100 to 200 times, median 149; below the aim of 150 on 2." in text
    assert "plain pass" not in refit_page(rows)


def test_searches_of_several_seeds_have_a_line_of_means():
    def row(side, seed, seconds, gates, cpu="one"):
        config = {"what": "search", "network": "a", "seed": seed, "side": side}
        found = {**provenance(0), "config": config, "processor_seconds": seconds, "gates": gates, "two_qubit_gates": 1}
        return {**found, "machine": found["machine"] | {"cpu": cpu}}

    rows = [row(refit.OTHER, 0, 40.0, 9), row(refit.OURS, 0, 2.0, 8), row(refit.OTHER, 1, 20.0, 12)]
    assert "mean" not in refit_page([*rows, row(refit.OURS, 1, 1.0, 1, "another")])
    text = refit_page([*rows, row(refit.OURS, 1, 4.0, 9), row(refit.OURS, 2, 99.0, 99)])
    assert "| a | mean of 2 | 30 s → 3 s | 10 | 10.5 → 8.5 | 1 → 1 |" in text


@pytest.mark.parametrize(("cpu", "ratio"), [("one", "5"), ("another", "")])
def test_times_on_other_processors_give_no_ratio(cpu, ratio):
    config = {"what": "search", "network": "a", "seed": 0}
    found = {**provenance(0), "gates": 3, "two_qubit_gates": 1}
    ours = {**found, "machine": found["machine"] | {"cpu": "one"}, "processor_seconds": 2.0}
    other = {**found, "machine": found["machine"] | {"cpu": cpu}, "processor_seconds": 10.0}
    rows = [{"config": config | {"side": side}, **row} for side, row in ((refit.OURS, ours), (refit.OTHER, other))]
    line = next(line for line in refit_page(rows).splitlines() if line.startswith("| a |"))
    assert [cell.strip() for cell in line.split("|")[3:5]] == ["10 s → 2 s", ratio]
