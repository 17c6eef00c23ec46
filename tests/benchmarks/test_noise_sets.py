"""What the noise benchmark runs by default, narrowed, and how long that takes."""

from __future__ import annotations

import pytest

import qprune
from benchmarks.noise import run, sets
from benchmarks.noise.pruners import PRUNERS
from benchmarks.noise.sets import Part, hours, jobs_of, key_of


def none_left_out(config):
    return False


def test_the_default_set_has_every_column_of_its_tables_and_no_row_twice():
    configs = [config for job in jobs_of(sets.DEFAULT, 64, none_left_out) for config in job]
    assert len(set(map(key_of, configs))) == len(configs)
    cells = {(c["pruner"], c["bundle"], c["model"]) for c in configs if c["setting"] == PRUNERS[c["pruner"]].middle}
    for bundle in sets.BUNDLES:
        for model in sets.MODELS:
            assert {(name, bundle, model) for name in (sets.OURS, sets.BASELINE, *sets.RIVALS)} <= cells
    for name in (*sets.PLAIN, *sets.ONE_SHOT, *sets.REFIT):
        seeds = {c["seed"] for c in configs if c["pruner"] == name and c["bundle"] == "iris-4q"}
        assert seeds == set(range(sets.SEEDS))


def test_circuits_that_do_not_look_at_the_noise_are_pruned_once_for_all_models():
    part = Part(("random", sets.OURS), ("iris-4q",), ("a", "b"), seeds=2)
    found = jobs_of([part, part], 8, lambda config: config["pruner"] == "random" and config["seed"] == 1)
    assert [(job[0]["pruner"], job[0]["seed"], [c["model"] for c in job]) for job in found] == [
        ("random", 0, ["a", "b"]),
        *((sets.OURS, seed, [model]) for seed in (0, 1) for model in ("a", "b")),
    ]


def test_hours_are_those_of_rows_that_are_most_alike():
    def row(pruner, bundle, pruning, running):
        processor = {"pruning": pruning, "running": running}
        return {"config": {"pruner": pruner, "bundle": bundle}, "processor": processor}

    part = Part(("random", sets.OURS), ("iris-4q",), ("a", "b"))
    jobs = jobs_of([part], 8, none_left_out)
    rows = [row("random", "iris-4q", 5, 2), row("random", "iris-4q", 7, 4), {"config": {}}]
    assert hours(jobs[:1], rows) == pytest.approx((6 + 2 * 3) / 3600)
    rows.append(row(sets.OURS, "cancer-4q", 100, 10))
    assert hours(jobs, rows) == pytest.approx((12 + 2 * 110) / 3600)
    assert hours(jobs, rows[:2]) == pytest.approx((12 + 2 * 9) / 3600)
    assert hours(jobs, rows[2:3]) is None


def test_what_the_default_set_does_not_have_is_said_with_the_way_out(tmp_path):
    with pytest.raises(qprune.OptionError, match=r"left nothing; add --full"):
        run.run(tmp_path / "noise.jsonl", pruners=("UnderNoise, mean deviation",))
