"""What the rows of the noise benchmark say: tables and curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure
from scipy.stats import t as student

from benchmarks.noise.run import MODELS
from benchmarks.records import Row
from qprune import UnderNoise

OURS = "q-iPrune, λ, refit"
TO_NOISE = "q-iPrune, λ, refit to the noise"
CONTROL = "none, refit to the noise"
RIVALS = (
    *("exact", "RemoveIdentityEquivalent", "magnitude", "random", "q-iPrune", "q-iPrune, λ"),
    *("random, refit", "q-iPrune, refit", "random, λ, refit to the noise", CONTROL),
)
VARIANTS = ("q-iPrune, refit", "q-iPrune, λ in geometry, refit", "q-iPrune, λ in costs, refit", OURS)
ONE_SHOT = ("one-shot", "one-shot, λ in geometry", "one-shot, λ in tolerance", "one-shot, λ")
STOPPED: Mapping[str, Any] = {"limit": UnderNoise()}
NOISY = 0.008  # two-qubit error above which half the deviation is the aim
CONFIDENCE = 0.95

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


@dataclass(frozen=True)
class Point:
    """One pruner at one setting, means over its seeds.

    Attributes:
        gates: Two-qubit gates after compiling.
        deviation: Mean over test inputs and outputs of the change from the ideal original, readout left out.
        read: The same with readout errors.
        accuracy: On noisy outputs; NaN without labels.
        half_widths: Of the 95 % intervals of deviation and accuracy over the seeds; 0 for one seed.
    """

    pruner: str
    setting: Mapping[str, Any]
    gates: float
    deviation: float
    read: float
    accuracy: float
    half_widths: tuple[float, float]

    def beats(self, other: Point) -> bool:
        """Closer with no more two-qubit gates."""
        return self.gates <= other.gates and self.deviation < other.deviation


@dataclass(frozen=True)
class Case:
    """One network under one noise model."""

    bundle: str
    model: str
    two_qubit_error: float
    points: tuple[Point, ...]

    def of(self, pruner: str, setting: Mapping[str, Any] | None = None) -> list[Point]:
        return [p for p in self.points if p.pruner == pruner and setting in (None, p.setting)]


def cases(rows: Sequence[Row]) -> list[Case]:
    """Rows by network and noise model, the seeds of each setting together."""
    grouped: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        config = row["config"]
        grouped[config["bundle"], config["model"]][f"{config['pruner']} {config['setting']}"].append(row)
    return [
        Case(*key, next(iter(found.values()))[0]["two_qubit_error"], tuple(map(_point, found.values())))
        for key, found in sorted(grouped.items())
    ]


def _point(rows: Sequence[Row]) -> Point:
    accuracies = [np.nan if row["accuracy"]["noisy"] is None else row["accuracy"]["noisy"] for row in rows]
    deviations = [row["noisy"]["mean"] for row in rows]
    return Point(
        pruner=rows[0]["config"]["pruner"],
        setting=rows[0]["config"]["setting"],
        gates=float(np.mean([row["compiled"]["two_qubit_gates"] for row in rows])),
        deviation=float(np.mean(deviations)),
        read=float(np.mean([row["noisy_and_read"]["mean"] for row in rows])),
        accuracy=float(np.mean(accuracies)),
        half_widths=(_half_width(deviations), _half_width(accuracies)),
    )


def _half_width(values: Sequence[float]) -> float:
    count = len(values)
    if count == 1:
        return 0.0
    return float(student.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / count**0.5)


# -- tables -----------------------------------------------------------------------------------------------------


def against_unpruned(rows: Sequence[Row], pruner: str = OURS) -> Table:
    """The unpruned circuit and the one pruned until noise stops it, and whether the aims are met."""
    header = ("network", "noise", "two-qubit error", "two-qubit gates", "deviation", "ratio", "ratio, read")
    header += ("accuracy", "closer", "half", "as accurate")
    lines, met = [], defaultdict(list)
    for case in cases(rows):
        for before in case.of("none"):
            for after in case.of(pruner, STOPPED):
                ratio = after.deviation / before.deviation
                found = {
                    "closer": ratio < 1,
                    "half": ratio <= 0.5 if case.two_qubit_error > NOISY else None,
                    "as accurate": None if np.isnan(after.accuracy) else after.accuracy >= before.accuracy,
                }
                for aim, is_met in found.items():
                    met[aim] += [is_met] if is_met is not None else []
                accuracy = "" if np.isnan(after.accuracy) else f"{before.accuracy:.3f} → {after.accuracy:.3f}"
                lines.append(
                    (
                        case.bundle,
                        case.model,
                        f"{case.two_qubit_error:.2%}",
                        f"{before.gates:g} → {after.gates:g}",
                        f"{before.deviation:.3g} → {after.deviation:.3g}",
                        f"{ratio:.2f}",
                        f"{after.read / before.read:.2f}",
                        accuracy,
                        *("" if is_met is None else "yes" if is_met else "**no**" for is_met in found.values()),
                    )
                )
    total = ("all", *[""] * 7, *(f"{sum(met[aim])} of {len(met[aim])}" for aim in header[-3:]))
    return header, [*lines, total] if lines else lines


def against_others(rows: Sequence[Row]) -> Table:
    """How many points of each other pruner ours beats, and how many of ours it beats."""
    lines = []
    for case in cases(rows):
        ours = case.of(OURS)
        cells = []
        for rival in RIVALS:
            theirs = case.of(rival)
            won = sum(any(p.beats(q) for p in ours) for q in theirs)
            lost = sum(any(q.beats(p) for q in theirs) for p in ours)
            cells.append(f"{won}/{len(theirs)} : {lost}/{len(ours)}" if ours and theirs else "")
        if any(cells):
            lines.append((case.bundle, case.model, *cells))
    return ("network", "noise", *RIVALS), lines


def ablation(rows: Sequence[Row], variants: Sequence[str], setting: Mapping[str, Any]) -> Table:
    """Two-qubit gates and deviation at one setting, λ switched on part by part."""
    lines = []
    for case in cases(rows):
        found = [case.of(variant, setting) for variant in variants]
        if all(found):
            cells = [f"{p.gates:g}, {p.deviation:.3g}" for (p,) in found]
            lines.append((case.bundle, case.model, *cells))
    return ("network", "noise", *variants), lines


# -- curves -----------------------------------------------------------------------------------------------------


def drawable(rows: Sequence[Row]) -> list[str]:
    """Networks with rows under a noise model that has a panel."""
    return sorted({case.bundle for case in cases(rows) if case.model in MODELS})


def draw(rows: Sequence[Row], bundle: str) -> Figure:
    """Deviation and accuracy against two-qubit gates, one column per noise model."""
    mine = [case for case in cases(rows) if case.bundle == bundle and case.model in MODELS]
    figure, axes = pyplot.subplots(
        2, len(mine), figsize=(3 * len(mine), 5.6), layout="constrained", squeeze=False, sharex="col", sharey="row"
    )
    for case, (above, below) in zip(mine, axes.T, strict=True):
        above.set_title(f"{case.model}\ntwo-qubit error {case.two_qubit_error:.2%}", fontsize=9)
        below.set_xlabel("two-qubit gates, compiled")
        for color, pruner in enumerate((*RIVALS, OURS, TO_NOISE)):
            points = sorted(case.of(pruner), key=lambda p: p.gates)
            if not any(other.of(pruner) for other in mine):
                continue
            style = {"color": f"C{color}", "linewidth": 1.2, "marker": "o", "markersize": 3}
            if pruner in (OURS, TO_NOISE):
                style |= {
                    "color": "k" if pruner == TO_NOISE else "0.4",
                    "linewidth": 2.2,
                    "marker": "D",
                    "markersize": 6,
                }
            for axis, quantity, width in ((above, "deviation", 0), (below, "accuracy", 1)):
                gates, middle = [p.gates for p in points], np.array([getattr(p, quantity) for p in points])
                reach = np.array([p.half_widths[width] for p in points])
                axis.plot(gates, middle, label=pruner, **style)
                axis.fill_between(gates, middle - reach, middle + reach, color=style["color"], alpha=0.2, linewidth=0)
        for point in case.of("none"):
            above.plot(point.gates, point.deviation, "k*", markersize=9, label="unpruned")
            below.plot(point.gates, point.accuracy, "k*", markersize=9)
    axes[0, 0].set_ylabel("mean deviation\nfrom the ideal original")
    axes[1, 0].set_ylabel("test accuracy\nunder noise")
    figure.suptitle(bundle)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure
