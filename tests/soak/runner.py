"""Many cases on several processes: rows appended as they come, failures kept as files, cut short and taken up again."""

from __future__ import annotations

import json
import multiprocessing
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import count, islice
from pathlib import Path
from typing import Any, TextIO

from .run_case import KINDS, kind_of, run_case

CHUNK = 20  # cases of one task of a process
CHUNKS_OF_A_PROCESS = 250  # then a fresh one takes over, so that no leak adds up
ROWS, FAILURES = "rows.jsonl", "failures"
SHOWN = ("trace", "situation")  # in a failure's file only

Case = tuple[int, str]


def run(
    folder: Path,
    cases: int,
    *,
    jobs: int = 1,
    first_seed: int = 0,
    kinds: Sequence[str] = tuple(KINDS),
    time_limit: float | None = None,
) -> int:
    """Run what is still missing of `cases` cases from a seed on; returns how many failed, earlier ones included.

    Args:
        folder: Where rows and failures are; made anew, or taken up again.
        cases: How many seeds.
        jobs: Processes; with one it is this process.
        first_seed: The first of them.
        kinds: Kinds to draw from.
        time_limit: Seconds after which nothing new is started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = {(row["seed"], row["kind"]) for row in read_rows(folder)}
    seeds = range(first_seed, first_seed + cases)
    missing = (case for case in ((seed, kind_of(seed, kinds)) for seed in seeds) if case not in done)
    ends = time.monotonic() + (time_limit or 1e9)
    with _open_rows(folder) as stream:
        for row in _rows(missing, jobs, ends):
            keep(row, folder, stream)
    return sum("claim" in row for row in read_rows(folder))


def _open_rows(folder: Path) -> TextIO:
    """For appending; what a killed run left of a line is ended first."""
    path = folder / ROWS
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    if torn:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write("\n")
    return open(path, "a", encoding="utf-8")


def keep(row: dict[str, Any], folder: Path, stream: TextIO) -> None:
    """Append a row, and write a file for a failure."""
    stream.write(
        json.dumps({name: value for name, value in row.items() if name not in SHOWN}, ensure_ascii=False) + "\n"
    )
    stream.flush()
    if "claim" in row:
        (folder / FAILURES).mkdir(exist_ok=True)
        path = folder / FAILURES / f"{row['kind'].replace(' ', '-')}-{row['seed']}.json"
        path.write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows that were written whole."""
    path = folder / ROWS
    if not path.exists():
        return
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                row = json.loads(line)
            except ValueError:  # cut off when a run was killed
                continue
            if isinstance(row, dict) and {"seed", "kind"} <= set(row):
                yield row


def case_of(what: str, kinds: Sequence[str]) -> Case:
    """Seed and kind of a failure's file, or of a seed in a run over `kinds`."""
    if Path(what).is_file():
        row = json.loads(Path(what).read_text(encoding="utf-8"))
        return int(row["seed"]), row["kind"]
    return int(what), kind_of(int(what), kinds)


def replay(what: str, kinds: Sequence[str]) -> dict[str, Any]:
    """Once more."""
    return run_case(*case_of(what, kinds))


# -- processes -----------------------------------------------------------------------------------------------------


def _rows(cases: Iterator[Case], jobs: int, ends: float) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        for seed, kind in cases:
            if time.monotonic() > ends:
                return
            yield run_case(seed, kind)
        return
    left = cases
    while True:
        lost: list[list[Case]] = []
        yield from _pooled(left, jobs, ends, lost)
        if not lost:
            return
        for chunk in lost:  # one of them killed its process: each alone says which
            yield from _one_by_one(chunk)


def run_chunk(chunk: list[Case]) -> list[dict[str, Any]]:
    return [run_case(seed, kind) for seed, kind in chunk]


def _pool(jobs: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork copies Aer's locks as they are
    return ProcessPoolExecutor(jobs, context, _quiet, max_tasks_per_child=CHUNKS_OF_A_PROCESS)


def _quiet() -> None:
    warnings.simplefilter("ignore")


def _pooled(cases: Iterator[Case], jobs: int, ends: float, lost: list[list[Case]]) -> Iterator[dict[str, Any]]:
    """Rows as processes finish chunks; chunks of a pool that broke go to `lost`."""
    waiting: dict[Future[list[dict[str, Any]]], list[Case]] = {}
    with _pool(jobs) as pool:
        for _ in count():
            while len(waiting) < 2 * jobs and time.monotonic() < ends and not lost:
                if not (chunk := list(islice(cases, CHUNK))):
                    break
                waiting[pool.submit(run_chunk, chunk)] = chunk
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                chunk = waiting.pop(future)
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    lost.append(chunk)


def _one_by_one(chunk: list[Case]) -> Iterator[dict[str, Any]]:
    """Each case a task of its own, so that the one that kills its process is known."""
    left = list(chunk)
    while left:
        with _pool(1) as pool:
            try:
                while left:
                    yield from pool.submit(run_chunk, left[:1]).result()
                    left.pop(0)
            except BrokenProcessPool:
                seed, kind = left.pop(0)
                yield {"seed": seed, "kind": kind, "claim": "the process died", "message": "killed or crashed"}
