"""Result files to PNG plots. No number is typed anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import between, scaling
from benchmarks.noise import figures as noise
from benchmarks.noise.run import NAME as NOISE
from benchmarks.records import Row, read
from benchmarks.strategies import report as strategies
from benchmarks.strategies.run import LIMITS
from benchmarks.strategies.run import NAME as STRATEGIES

DPI = 150


def run(folder: Path) -> list[Path]:
    """Draw the plots of every benchmark that has rows; returns the files written."""
    written = []
    if rows := read(folder, scaling.NAME):
        figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
        plot_scaling(axes, rows)
        written.append(_save(figure, folder / f"{scaling.NAME}.png"))
    if rows := read(folder, between.NAME):
        figure, axes = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
        between.draw(axes, sorted(rows, key=lambda row: -row["upper"]))
        written.append(_save(figure, folder / f"{between.NAME}.png"))
    rows = read(folder, NOISE)
    for model in noise.drawable(rows):
        written.append(_save(noise.pareto(rows, model), folder / f"{NOISE}-{model}.png"))
    if rows:
        written.append(_save(noise.predicted(rows), folder / f"{NOISE}-predicted.png"))
    for limit in LIMITS:
        if (figure := strategies.draw(read(folder, STRATEGIES), limit)) is not None:
            written.append(_save(figure, folder / f"{STRATEGIES}-{limit.replace(', ', '-')}.png"))
    return written


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    pyplot.close(figure)
    return path


def plot_scaling(axes: Axes, rows: Sequence[Row]) -> None:
    """Pruning time over one plain pass against the number of qubits, one line per number of samples."""
    kinds = sorted({(row["config"]["samples"], row["config"]["threads"]) for row in rows})
    for samples, threads in kinds:
        mine = [r for r in rows if (r["config"]["samples"], r["config"]["threads"]) == (samples, threads)]
        mine.sort(key=lambda row: row["config"]["qubits"])
        qubits = [row["config"]["qubits"] for row in mine]
        spreads = [row["over_plain"]["prune"] for row in mine]
        middle = [s["median"] for s in spreads]
        reach = [[s["median"] - s["low"] for s in spreads], [s["high"] - s["median"] for s in spreads]]
        label = f"{samples} sample{'s' if samples > 1 else ''}, {threads} thread{'s' if threads > 1 else ''}"
        axes.errorbar(qubits, middle, yerr=reach, marker="o", capsize=3, label=label)
    aim = scaling.AIM
    axes.axhline(aim, color="0.5", linestyle="--", linewidth=1)
    axes.annotate(f"aim {aim}", (0.88, aim), xycoords=("axes fraction", "data"), ha="center", va="bottom", color="0.35")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xticks(sorted({row["config"]["qubits"] for row in rows}))
    axes.set_xlabel("qubits")
    axes.set_ylabel("pruning time / one plain pass")
    axes.legend()
