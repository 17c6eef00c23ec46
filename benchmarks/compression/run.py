"""Rows: one task, one seed, one way of removing gates, with every circuit on its way and controls of the best."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compression.beforehand import NAME as BEFOREHAND
from benchmarks.compression.beforehand import known_beforehand
from benchmarks.compression.controls import controls
from benchmarks.compression.points import (
    SEARCHES,
    Point,
    at_random,
    baseline,
    begun,
    by_magnitude,
    cheapest,
    compressed,
)
from benchmarks.records import Row, append, provenance, rows_of
from benchmarks.tasks.catalogue import TASKS, Known

NAME = "compression"
SEEDS = 5
PATIENCE = 15.0  # seconds of a search
QUICK = ("h2-uccsd-4q",)
OURS = "qprune"
CONTROLLED = ("1 point", "chemical accuracy")  # levels whose circuit gets controls, which are most of the training
WAYS: dict[str, Callable[[Known, Point, int, float, int], list[Point]]] = {
    OURS: compressed,
    "magnitude": lambda known, original, seed, *_: baseline(known, original, seed, by_magnitude),
    "random": lambda known, original, seed, *_: baseline(known, original, seed, at_random(seed)),
}


def run(
    out: Path,
    *,
    quick: bool = False,
    tasks: Sequence[str] = (),
    ways: Sequence[str] = (),
    seeds: int = SEEDS,
    patience: float = PATIENCE,
    searches: int = SEARCHES,
    step: Callable[[str], None] = print,
) -> None:
    """Add the rows that the file does not hold yet, seed after seed, so that every task has a row early.

    Args:
        out: File to which rows are added.
        quick: One seed, and one small task unless others are named.
        tasks, ways: Only these; default all.
        seeds: How many: of the original's training, of pruning, of what is drawn.
        patience: Seconds of each search of qprune.
        searches: Of it, beyond the first from the original.
        step: Told of every row.
    """
    tasks = tasks or (QUICK if quick else tuple(TASKS))
    seeds = 1 if quick else seeds
    done = {json.dumps(row["config"], sort_keys=True) for row in rows_of(out)}
    for seed in range(seeds):
        for name in tasks:
            first = {"task": name, "seed": seed}
            asked = [{"task": name, "seed": seed, "way": way} for way in ways or WAYS]
            asked = [config for config in asked if json.dumps(config, sort_keys=True) not in done]
            unknown = TASKS[name].data is not None and json.dumps(first, sort_keys=True) not in done
            if not asked and not unknown:
                continue
            original = begun(TASKS[name], TASKS[name].original(seed))
            if unknown:
                seen = known_beforehand(TASKS[name], original.task)
                append(out, {"benchmark": BEFOREHAND, "config": first, **seen, **provenance(seed)})
            for config in asked:
                row = _row(TASKS[name], original, config, patience, searches)
                append(out, row)
                step(f"{config}: {len(row['points'])} circuits, {row['seconds']:.0f} s")


def _row(known: Known, original: Point, config: dict[str, Any], patience: float, searches: int) -> Row:
    wall, processor = time.perf_counter(), time.process_time()
    row: Row = {"benchmark": NAME, "config": config, "unit": known.unit, "patience": patience, "searches": searches}
    row |= provenance(config["seed"])
    points = WAYS[config["way"]](known, original, config["seed"], patience, searches)
    limits = known.limits(original.scores["selection"])
    levels = {level: cheapest(points, least) for level, least in limits.items()}
    row |= {
        "points": [point.record() for point in points],
        "levels": {level: points.index(point) for level, point in levels.items()},
    }
    silent = [point for point in points if not point.labels]
    row["levels_without_labels"] = {level: points.index(cheapest(silent, least)) for level, least in limits.items()}
    if config["way"] == OURS:
        found = {points.index(p): p for level, p in levels.items() if level in CONTROLLED and p is not original}
        row["controls"] = {str(place): controls(known, point) for place, point in found.items()}
    row["seconds"], row["processor_seconds"] = time.perf_counter() - wall, time.process_time() - processor
    return row
