"""Runs every tool and chain on every circuit, each in a process that can be stopped, and appends rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from benchmarks.peers import chains, sides
from benchmarks.peers.circuits import SEED, Case, cases
from benchmarks.peers.measure import cx_count
from benchmarks.records import Row, append, provenance, rows_of

SIDES, FAIR = "peers side by side", "peers at equal deviation"
SIDE_QUBITS = 6  # circuits up to which tools are compared at their own settings
QUICK_SKIPPED = ("BQSKit", "sQUlearn")  # take too long for a check that everything works
TICK = 1.0  # seconds between looks at the clock
PATIENCE = 10  # seconds to end in by itself
THREADS = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "QISKIT_PARALLEL": "false"}  # all tools alike


def run(
    out: Path,
    *,
    quick: bool,
    limit: float,
    circuits: Sequence[str] = (),
    only: Sequence[str] = (),
    missing: bool = False,
) -> None:
    """Measure and append one row for each tool or chain on each circuit.

    Args:
        out: File of JSON lines.
        quick: One small circuit, without the slowest tools.
        limit: Seconds of processor time that a tool, or a chain with all its tuning, may take on one circuit.
        circuits: Names of circuits; default all.
        only: Names of tools and chains, or parts of them; default all.
        missing: Leave out what the file already holds, run to its end or to the limit.
    """
    there = {
        (row["benchmark"], *row["config"].values()) for row in rows_of(out) if "is not installed" not in row["status"]
    }
    jobs = [
        (benchmark, case, entry)
        for case in cases(quick=quick)
        if not circuits or case.name in circuits
        for benchmark, entries in ((SIDES, sides.TOOLS), (FAIR, chains.CHAINS))
        for entry in entries
        if (benchmark == FAIR or case.qubits <= SIDE_QUBITS)
        and is_asked_for(entry, only)
        and not (missing and (benchmark, case.group, case.name, entry.name) in there)
        and not (quick and any(name in entry.name for name in QUICK_SKIPPED))
    ]
    with Worker() as worker:
        for benchmark, case, entry in tqdm(jobs, desc="peers", unit="run", disable=None):
            row = {
                "benchmark": benchmark,
                "config": {"group": case.group, "circuit": case.name, "tool": entry.name},
                **provenance(SEED),
            }
            absent = [p for p in (case.package, entry.package) if not sides.available(p)]
            if absent:
                append(out, {**row, "status": f"not run: {absent[0]} is not installed"})
                continue
            found, status, spent = worker.run((benchmark, case.name, entry.name), limit)
            append(out, {**row, "status": status, "processor_seconds": round(spent, 1), **_gathered(benchmark, found)})


def is_asked_for(entry: sides.Tool | chains.Chain, only: Sequence[str]) -> bool:
    """By its name, or by a part of it that is no other's name; by no name at all, unless it takes too long for that."""
    if entry.name in only:
        return True
    if isinstance(entry, chains.Chain) and entry.when_named:
        return False
    names = {each.name for each in (*sides.TOOLS, *chains.CHAINS)}
    return not only or any(part in entry.name for part in only if part not in names)


def _gathered(benchmark: str, found: list[Row]) -> Row:
    if benchmark == SIDES:
        return found[0] if found else {}
    shape, *points = found or [{}]
    return {**shape, "points": points}


def _results(benchmark: str, case_name: str, entry_name: str) -> Iterator[Row]:
    """What one job yields, in the worker."""
    case: Case = next(c for c in (*cases(), *cases(quick=True)) if c.name == case_name)
    task = case.make()
    if benchmark == SIDES:
        yield from sides.run(next(t for t in sides.TOOLS if t.name == entry_name), task)
        return
    yield {"two_qubit_gates": cx_count(task.circuit), "weights": len(task.weights), "qubits": task.num_qubits}
    for point in chains.run(next(c for c in chains.CHAINS if c.name == entry_name), task):
        yield asdict(point)


# -- a process that can be stopped ------------------------------------------------------------------------------------


class Worker:
    """One process that takes jobs; whatever is over time is killed with all it started, and a new one takes over."""

    def __enter__(self) -> Worker:
        self._process: Any = None
        os.environ.update(THREADS)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._pipe.send(None)
            self._process.join(PATIENCE)
        self._stop()

    def run(self, job: tuple[str, str, str], limit: float) -> tuple[list[Row], str, float]:
        """What the job yielded within the limit, "done" or why there is no more, and processor seconds it took."""
        if self._process is None:
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,))
            self._process.start()
            self._pipe.recv()  # imports are over
        self._pipe.send(job)
        found: list[Row] = []
        start, spent = _processor_seconds(self._process.pid), 0.0
        while (spent := max(spent, _processor_seconds(self._process.pid) - start)) < limit:
            if not self._pipe.poll(TICK):
                continue
            try:
                kind, value = self._pipe.recv()
            except EOFError:
                self._stop()
                return found, "not run: the process died", spent
            if kind == "end":
                return found, value, max(spent, _processor_seconds(self._process.pid) - start)
            found.append(value)
        self._stop()
        return found, f"stopped after {limit:g} s" if found else f"not run: over {limit:g} s", spent

    def _stop(self) -> None:
        if self._process is None:
            return
        mine = psutil.Process(self._process.pid) if psutil.pid_exists(self._process.pid) else None
        for process in [*mine.children(recursive=True), mine] if mine else []:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.join()
        self._process = None


def _processor_seconds(pid: int) -> float:
    """Of a process and all it started, those that have ended included."""
    total = 0.0
    try:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    except psutil.NoSuchProcess:
        pass
    return total


def _serve(pipe: Connection) -> None:
    pipe.send("ready")
    while (job := pipe.recv()) is not None:
        try:
            for value in _results(*job):
                pipe.send(("value", value))
            pipe.send(("end", "done"))
        except Exception as error:  # a peer may fail in any way; the row says so
            pipe.send(
                ("end", f"not run: {type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}")
            )
