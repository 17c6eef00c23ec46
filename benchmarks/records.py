"""What every benchmark shares: rows as JSON lines, where they come from, and summaries of repeated measurements."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from qprune._files import parse_json
from qprune.errors import BundleError

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MEASURED_PACKAGES = ("qprune", "qiskit", "qiskit-aer", "numpy", "scipy")

Row = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one quantity: their median, smallest and largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """The spread of above/below, each repetition divided by its own neighbour in time."""
    return asdict(Spread.of([a / b for a, b in zip(above, below, strict=True)]))


def timed(call: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


# -- provenance ---------------------------------------------------------------------------------------------------


def provenance(seed: int) -> Row:
    """Where and with what a row was measured; the load is that of the last minute, before the row's own work."""
    return {
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": platform.system(),
        },
        "load_1min": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in MEASURED_PACKAGES}},
        "seed": seed,
        "commit": commit_of(ROOT),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit_of(checkout: Path) -> str:
    """The commit of a working tree, with "+" where the measured code differs from it."""
    try:
        commit = _git(checkout, "rev-parse", "--short=12", "HEAD")
        changed = _git(checkout, "status", "--porcelain", "--", "qprune", "benchmarks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _git(checkout: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()


# -- memory -------------------------------------------------------------------------------------------------------


def peak_memory(call: Callable[[], Any]) -> float:
    """MiB by which the peak of resident memory during one call exceeds what was resident before it.

    Linux only: the kernel's high-water mark is reset first, which `getrusage` cannot do, and a fresh process inherits
    the mark of the one that started it. To be called in a fresh process.
    """
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status_mib("VmRSS")
    call()
    return _status_mib("VmHWM") - before


def can_measure_memory() -> bool:
    """Whether `peak_memory` works here."""
    return os.access("/proc/self/clear_refs", os.W_OK)


def _status_mib(key: str) -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {key}")


# -- files --------------------------------------------------------------------------------------------------------


def append(path: Path, row: Row) -> None:
    """Add one row to a file of JSON lines, on a line of its own also where the last one was cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as stream:
        if stream.tell() and stream.seek(-1, os.SEEK_END) >= 0 and stream.read(1) != b"\n":
            stream.write(b"\n")
        stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def read(folder: Path, benchmark: str) -> list[Row]:
    """The latest row of each configuration of one benchmark, from all result files of a folder.

    Rows are of one configuration when their entries "config" agree.
    """
    return read_all(folder).get(benchmark, [])


def read_all(folder: Path) -> dict[str, list[Row]]:
    """The same of every benchmark that has rows, by its name."""
    latest: dict[str, dict[str, Row]] = {}
    rows = [row for path in sorted(folder.glob("*.jsonl")) for row in rows_of(path)]
    for row in sorted(rows, key=lambda row: row["date"]):
        latest.setdefault(row["benchmark"], {})[json.dumps(row["config"], sort_keys=True)] = row
    return {benchmark: list(found.values()) for benchmark, found in latest.items()}


def rows_of(path: Path) -> list[Row]:
    """All whole rows of one file, none where there is no file.

    A row that was cut off, as when a benchmark is killed while it writes, is passed over with a note: its configuration
    counts as not measured and is measured again.
    """
    lines = path.read_bytes().splitlines() if path.exists() else []
    rows = [(number, _row(line)) for number, line in enumerate(lines, 1) if line.strip()]
    for number, row in rows:
        if row is None:
            warnings.warn(f"{path}: line {number} is no whole row and is passed over", stacklevel=2)
    return [row for _, row in rows if row is not None]


def _row(line: bytes) -> Row | None:
    try:
        row = parse_json(line.decode(), "row")
    except (UnicodeDecodeError, BundleError):
        return None
    return row if isinstance(row, dict) else None


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---:"] * len(header), *lines)]


def origins(rows: Sequence[Row]) -> list[str]:
    """Machines, versions, commits, dates and load of the rows, each once."""

    def each(values: Sequence[str]) -> str:
        return "; ".join(sorted(set(values)))

    machines = [
        f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['system']}"
        for m in (row["machine"] for row in rows)
    ]
    loads = [row["load_1min"] for row in rows]
    return [
        f"- machine: {each(machines)}",
        f"- load of the minute before each row: {min(loads)} to {max(loads)}",
        f"- versions: {each([', '.join(f'{k} {v}' for k, v in row['versions'].items()) for row in rows])}",
        f"- repetitions: {each([str(row.get('repeat', 1)) for row in rows])}",
        f"- seed: {each([str(row['seed']) for row in rows])}",
        f"- commit: {each([row['commit'] for row in rows])}; dates: {each([row['date'][:10] for row in rows])}",
    ]
