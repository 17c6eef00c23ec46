"""Ranks and critical differences of strategies, and rows that resume."""

from __future__ import annotations

import numpy as np
import pytest

import qprune
from benchmarks.records import rows_of
from benchmarks.strategies import report, run, sets


def row(circuit, strategy, cost, limit="measured", budget=0.05, seed=0, **more):
    config = {"circuit": circuit, "limit": limit, "budget": budget, "strategy": strategy, "seed": seed}
    values = {"cost": cost, "cost_before": 100.0, "two_qubit_gates": 3, "processor_seconds": 1.0, "calls": 5}
    return {"benchmark": run.NAME, "config": config, **values, **more}


def test_ranks_count_a_circuit_once():
    """Means over seeds and budgets first; ties share a rank; a strategy that is not on all circuits is left out."""
    rows = [row(c, "a", cost) for c, cost in (("x", 10), ("y", 20))]
    rows += [row(c, "b", cost, seed=s) for c, cost in (("x", 10), ("y", 40)) for s in (0, 1)]
    rows += [row("x", "c", 30), row("x", "c", 50, budget=0.1), row("y", "c", 30)]
    rows += [row("x", "d", 1), row("x", "optimum", 5)]
    found = report.ranking(rows, "measured")
    assert found.names == ("a", "b", "c")
    assert found.ranks == (1.25, 2.25, 2.5)
    assert found.circuits == 2
    assert found.cost["c"][0] == pytest.approx(0.35)
    assert report.ranking(rows, "proven") is None


def test_the_critical_difference_is_demsars():
    """By his table of q at 5 %: 2.728 for five classifiers."""
    rng = np.random.default_rng(0)
    rows = [row(f"c{j}", name, float(rng.uniform(1, 99))) for j in range(30) for name in "abcde"]
    found = report.ranking(rows, "measured")
    assert found.critical == pytest.approx(2.728 * np.sqrt(5 * 6 / (6 * 30)), abs=1e-3)
    assert 0 <= found.friedman <= 1
    assert sum(found.ranks) == pytest.approx(15)


def test_the_distance_to_the_optimum():
    """Shares above it, without those whose search was cut."""
    rows = [row("small-0", "optimum", 10), row("small-0", "a", 12), row("small-0", "a", 10, seed=1)]
    rows += [row("small-1", "optimum", 10, cut=True), row("small-1", "a", 90)]
    assert report.above_optimum(rows) == {"a": [pytest.approx(0.2), 0.0]}
    text = report.tables([*rows, row("small-0", "b", 10), row("small-1", "b", 9), row("small-0", "c", 11)])
    assert "| `a` | 10.0 % | 20.0 % |" in text


def test_rows_resume_and_count_calls(tmp_path):
    """One small circuit, two strategies: what is there is not measured again; the oracle's calls are counted."""
    out, told = tmp_path / "rows.jsonl", []
    asked = {"quick": True, "limits": ["measured"], "budgets": [0.1], "seeds": 1, "everywhere": False}
    run.run(out, chosen=["mip"], step=told.append, **asked)
    first = len(rows_of(out))
    run.run(out, chosen=["mip", "coarse-to-fine"], step=told.append, **asked)
    rows = {r["config"]["strategy"]: r for r in rows_of(out)}
    assert len(rows_of(out)) == first + 1
    assert len(told) == 2 + first + 1
    assert [line for line in told if "rows to measure" in line] == ["2 of 2 rows to measure", "1 of 3 rows to measure"]
    assert rows["coarse-to-fine"]["calls"] > 0
    assert rows["mip"]["calls"] == 0
    assert rows["optimum"]["cost"] <= min(r["cost"] for r in rows.values())
    assert all(r["measured"] <= 0.1 for r in rows.values())


def test_the_page_says_what_was_measured_where():
    rows = [
        row("small-0", "a", 10),
        row("small-0", "l0", 10),
        row("small-0", "l0", 10, seed=1),
        row("h2-vqe-4q", "a", 9),
    ]
    rows += [row("iris-4q", "a", 9)]
    text = report.measured_on(rows)
    assert text == "h2-vqe-4q, iris-4q at 0.05, 1 seed; small-0 at 0.05, 2 seeds"


def test_what_is_proven_for_every_input_is_compared_where_all_have_it():
    rows = [row(c, name, 10, every_input=0.1) for c in ("x", "y") for name in "ab"]
    rows += [row("x", "c", 20, every_input=0.2), row("x", "c", 20, seed=1, every_input=0.3)]
    rows.append(row("y", "c", 30, every_input=None))  # no proof
    rows += [row("x", name, 10, budget=0.1, every_input=0.9) for name in "ab"]  # not of all
    assert report.everywhere(rows, "abc") == {("x", 0.05): {"a": [0.1], "b": [0.1], "c": [0.2, 0.3]}}
    text = report.tables(rows)
    assert "mean over x at 0.05." in text
    assert "| `c` | 3.00 | 25.0 % ± 63.5 | 3.00 | 0.250 |" in text
    assert "| `a` | 1.50 | 10.0 % ± 0.0 | 3.00 | 0.100 |" in text


def test_sets_have_each_row_once_and_the_default_is_a_part_of_everything():
    known = tuple(run.STRATEGIES)
    whole = sets.DEFAULT, sets.EVERYTHING
    default, everything = ([tuple(config.values()) for config in sets.configs_of(parts, known)] for parts in whole)
    assert len(set(default)) == len(default)
    assert set(default) < set(everything)
    seeds = [c["seed"] for c in sets.Part(("a",), ("measured", "measured, refit"), budgets=(1,)).configs(["mip", "l0"])]
    assert seeds == [0, *range(5), *range(5), *range(5)]  # mip draws nothing without refit


def test_what_the_default_set_does_not_have_is_said_with_the_way_out(tmp_path):
    with pytest.raises(qprune.OptionError, match=r"left nothing; add --full"):
        run.run(tmp_path / "rows.jsonl", names=["digits-6q"], limits=["proven"])


def test_the_page_says_what_is_missing():
    text = report.tables([row("iris-4q", "mip", 10, processor_seconds=7200.0)])
    assert "were not run; the others took 2.0 hours of a processor" in text
    configs = sets.configs_of(sets.DEFAULT, tuple(run.STRATEGIES))
    rows = [{"config": config, "processor_seconds": 3600 / len(configs)} for config in configs]
    assert "all were run, and took 1.0 hours of a processor" in report._takes(rows)
