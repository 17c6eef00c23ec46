"""Rows: one task, one seed, one way of removing gates, with every circuit on its way and controls of the best."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

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
JOBS = 2  # tasks at a time, a process each
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
    patience: float | None = None,
    searches: int = SEARCHES,
    jobs: int = JOBS,
    step: Callable[[str], None] = print,
) -> None:
    """Add the rows that the file does not hold yet, seed after seed, so that every task has a row early.

    Args:
        out: File to which rows are added.
        quick: One seed, and one small task unless others are named.
        tasks, ways: Only these; default all.
        seeds: How many: of the original's training, of pruning, of what is drawn.
        patience: Seconds of each search of qprune; default: the task's own.
        searches: Of it, beyond the first from the original.
        jobs: Tasks at a time; more than there are cores cut searches short.
        step: Told of every row.
    """
    tasks = tasks or (QUICK if quick else tuple(TASKS))
    seeds, jobs = (1, 1) if quick else (seeds, jobs)
    done = {json.dumps(row["config"], sort_keys=True) for row in rows_of(out)}
    asked = []
    for seed in range(seeds):
        for name in tasks:
            configs = [{"task": name, "seed": seed, "way": way} for way in ways or WAYS]
            configs = [config for config in configs if json.dumps(config, sort_keys=True) not in done]
            first = {"task": name, "seed": seed}
            unknown = TASKS[name].data is not None and json.dumps(first, sort_keys=True) not in done
            if configs or unknown:
                asked.append((name, seed, configs, unknown, patience, searches))
    for rows in _in_turn(asked) if jobs == 1 else _at_once(asked, jobs):
        for row in rows:
            append(out, row)
            if row["benchmark"] == NAME:
                step(f"{row['config']}: {len(row['points'])} circuits, {row['seconds']:.0f} s")


Asked: TypeAlias = tuple[str, int, list[dict[str, Any]], bool, float | None, int]


def _in_turn(asked: Sequence[Asked]) -> Iterator[Iterator[Row]]:
    """Rows as they are made."""
    return (_rows(*each) for each in asked)


def _at_once(asked: Sequence[Asked], jobs: int) -> Iterator[list[Row]]:
    """Rows of a task and seed when all of them are there."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(_listed, *each) for each in asked]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)  # of those that have not begun, where one failed or was interrupted


def _listed(*asked: Any) -> list[Row]:
    return list(_rows(*asked))


def _rows(
    name: str, seed: int, configs: Sequence[dict[str, Any]], unknown: bool, patience: float | None, searches: int
) -> Iterator[Row]:
    """Of one task and seed: of every way, and before, where it is asked for, what is known before pruning."""
    known = TASKS[name]
    original = begun(known, known.original(seed))
    if unknown:
        seen = known_beforehand(known, original.task)
        yield {"benchmark": BEFOREHAND, "config": {"task": name, "seed": seed}, **seen, **provenance(seed)}
    for config in configs:
        yield _row(known, original, config, known.patience if patience is None else patience, searches)


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
    if config["way"] == OURS:
        found = {points.index(p): p for level, p in levels.items() if level in CONTROLLED and p is not original}
        row["controls"] = {str(place): controls(known, point) for place, point in found.items()}
    row["seconds"], row["processor_seconds"] = time.perf_counter() - wall, time.process_time() - processor
    return row
