"""What the rows of the noise benchmark look like."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from benchmarks.noise.estimates import SHOTS
from benchmarks.noise.report import cases
from benchmarks.noise.sets import BASELINE, OURS, RIVALS
from benchmarks.records import Row

MARKERS = "osv^<>DPXph*d"
MARGIN = 1.25  # times the outermost points, around a picture


def drawable(rows: Sequence[Row]) -> list[str]:
    """Noise models that there are rows of."""
    return sorted({case.model for case in cases(rows)})


def pareto(rows: Sequence[Row], model: str) -> Figure:
    """Shots for a standard error of 0.01 against the deviation that correction leaves, one panel per network."""
    mine = [case for case in cases(rows) if case.model == model]
    figure, axes = pyplot.subplots(1, len(mine), figsize=(4 * len(mine), 4.6), layout="constrained", squeeze=False)
    for case, axis in zip(mine, axes[0], strict=True):
        shown: list[tuple[float, float]] = []
        for j, pruner in enumerate((BASELINE, *RIVALS, OURS)):
            points = sorted(case.of(pruner), key=lambda p: p.mean("gates", "shots"))
            found = [(p.mean("gates", "shots"), p.mean("gates", "corrected", "mean")) for p in points]
            shown += found
            style = {"color": f"C{j % 10}", "marker": MARKERS[j % len(MARKERS)], "markersize": 5, "linewidth": 0.7}
            if pruner == OURS:
                style |= {"color": "k", "marker": "*", "markersize": 14}
            axis.plot(*(zip(*found, strict=True) if found else ((), ())), label=pruner, **style)
        axis.set_title(f"{case.bundle}, two-qubit error {case.two_qubit_error:.2%}", fontsize=9)
        # Networks of which nothing goes have one point, to rounding: no range that a logarithm could show.
        (left, right), (low, high) = ((min(ends) / MARGIN, max(ends) * MARGIN) for ends in zip(*shown, strict=True))
        axis.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
        axis.set_xlabel("shots for a standard error of 0.01")
        for each in (axis.xaxis, axis.yaxis):
            each.set_major_locator(LogLocator(subs=(1, 2, 5)))
            each.set_minor_locator(NullLocator())
            each.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes[0, 0].set_ylabel("mean deviation from the ideal original, corrected\n(without inputs: as it is)")
    figure.suptitle(f"{model}: below and to the left is better")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def predicted(rows: Sequence[Row]) -> Figure:
    """Predicted on training inputs against measured on test inputs, readout included, every row."""
    figure, axes = pyplot.subplots(1, 2, figsize=(8.4, 4.2), layout="constrained")
    known = [row for row in rows if row["predicted"] is not None]
    for j, model in enumerate(sorted({row["config"]["model"] for row in known})):
        mine = [row for row in known if row["config"]["model"] == model]
        style = {"linestyle": "", "marker": MARKERS[j % len(MARKERS)], "markersize": 3, "label": model}
        axes[0].plot([r["predicted"]["error"] for r in mine], [r["read"]["rms_at_shots"] for r in mine], **style)
        axes[1].plot([r["predicted"]["contrast"] for r in mine], [1 / (r["read"]["slope"] or 1) for r in mine], **style)
    for axis, what in zip(axes, (f"error at {SHOTS} shots", "contrast"), strict=True):
        ends = [min(axis.get_xlim()[0], axis.get_ylim()[0]), max(axis.get_xlim()[1], axis.get_ylim()[1])]
        axis.plot(ends, ends, color="0.6", linewidth=0.8)
        axis.set(xlabel=f"{what}, predicted", ylabel=f"{what}, measured on test inputs")
    axes[1].legend(fontsize=8)
    return figure
