"""What the rows of the noise benchmark say: tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from benchmarks.noise.estimates import SHOTS
from benchmarks.noise.pruners import PRUNERS
from benchmarks.noise.sets import BASELINE, EXTRAPOLATED, OURS, RIVALS, Part
from benchmarks.records import Row

NOISY, FEWER = 0.008, 1.5  # two-qubit error above which so many times fewer shots are the aim
ROUNDING = 1 + 1e-9  # what the same circuit may differ by from one order of its gates to another
CONFIDENCE = 0.95
NO_LABELS = "no labels"
UNKNOWN = "unknown"  # durations of models that have none

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


@dataclass(frozen=True)
class Point:
    """One pruner at one setting: every row of it, one per seed.

    Attributes:
        pruner: Its name.
        setting: What it was run with.
        rows: By seed.
    """

    pruner: str
    setting: Mapping[str, Any]
    rows: tuple[Row, ...]

    def values(self, *path: str) -> np.ndarray:
        """A number of each row; NaN where it is not known."""
        found = []
        for row in self.rows:
            value: Any = row
            for key in path:
                value = value[key]
            found.append(np.nan if value is None else value)
        return np.array(found, dtype=float)

    def mean(self, *path: str) -> float:
        return float(self.values(*path).mean())

    @property
    def right(self) -> np.ndarray | None:
        """Each test input's chance to be classified right at 1,000 shots, mean over seeds; None without labels."""
        found = [row["gates"].get("right") for row in self.rows]
        return None if None in found else np.mean(found, axis=0)

    def beats(self, other: Point) -> bool:
        """No more shots and no larger deviation, one of them less."""
        mine, theirs = ((p.mean("gates", "shots"), p.mean("gates", "corrected", "mean")) for p in (self, other))
        pairs = list(zip(mine, theirs, strict=True))
        return all(a <= ROUNDING * b for a, b in pairs) and any(ROUNDING * a < b for a, b in pairs)


@dataclass(frozen=True)
class Case:
    """One network under one noise model."""

    bundle: str
    model: str
    two_qubit_error: float
    points: tuple[Point, ...]

    def of(self, pruner: str, setting: Mapping[str, Any] | None = None) -> list[Point]:
        return [p for p in self.points if p.pruner == pruner and setting in (None, p.setting)]

    def has(self, pruners: Sequence[str], seeds: int = 1) -> bool:
        """Whether all of these were run at their middle settings, with as many seeds or all that they have."""
        return all(
            any(len(p.rows) >= min(seeds, PRUNERS[name].seeds) for p in self.of(name, PRUNERS[name].middle))
            for name in pruners
        )


def cases(rows: Sequence[Row]) -> list[Case]:
    """Rows by network and noise model, the seeds of each setting together."""
    grouped: dict[tuple[str, str], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        config = row["config"]
        grouped[config["bundle"], config["model"]][f"{config['pruner']} {config['setting']}"].append(row)
    return [Case(*key, _error(found), tuple(map(_point, found.values()))) for key, found in sorted(grouped.items())]


def _error(found: Mapping[str, Sequence[Row]]) -> float:
    return float(next(iter(found.values()))[0]["two_qubit_error"])


def _point(rows: Sequence[Row]) -> Point:
    config = rows[0]["config"]
    return Point(config["pruner"], config["setting"], tuple(sorted(rows, key=lambda row: row["config"]["seed"])))


def half_width(values: np.ndarray) -> float:
    """Of the 95 % confidence interval of a mean; 0 for one value."""
    count = len(values)
    if count < 2:
        return 0.0
    return float(student.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(values, ddof=1) / count**0.5)


# -- pruned against unpruned --------------------------------------------------------------------------------------


def against_unpruned(rows: Sequence[Row]) -> Table:
    """The original compiled at level 3 and the circuit pruned for the device, and whether the aims are met."""
    header = (
        *("network", "noise", "two-qubit error", "two-qubit gates", "depth", "µs", "raw", "corrected", "shots"),
        *("times fewer", "with readout", "error", "accuracy", "fewer shots", "no further", "less error", "as accurate"),
    )
    lines, met = [], defaultdict(list)
    for case, before, after, found in _judged(rows):
        for aim, is_met in found.items():
            met[aim] += [] if is_met is None else [is_met]
        lines.append(
            (
                case.bundle,
                case.model,
                f"{case.two_qubit_error:.2%}",
                _change(before, after, "compiled", "two_qubit_gates", form="{:.3g}"),
                _change(before, after, "compiled", "depth", form="{:.3g}"),
                _change(before, after, "compiled", "seconds", form="{:.3g}", unit=1e-6),
                _change(before, after, "gates", "raw", "mean"),
                _change(before, after, "gates", "corrected", "mean"),
                _change(before, after, "gates", "shots", form="{:.0f}"),
                *(f"{before.mean(k, 'shots') / after.mean(k, 'shots'):.2f}" for k in ("gates", "read")),
                _change(before, after, "gates", "rms_at_shots"),
                NO_LABELS
                if before.right is None
                else _change(before, after, "gates", "accuracy", "at_shots", form="{:.3f}"),
                *(_verdict(is_met) for is_met in found.values()),
            )
        )
    total = ("all", *[""] * 12, *(f"{sum(met[aim])} of {len(met[aim])}" for aim in header[-4:]))
    return header, [*lines, total] if lines else lines


def misses(rows: Sequence[Row]) -> list[str]:
    """Each aim with the networks and noise models where it is missed, and by how much."""
    judged = list(_judged(rows))
    noisy = [
        found["fewer shots"]
        for case, before, _, found in judged
        if case.two_qubit_error > NOISY and before.right is not None
    ]
    lines = [
        f"- Networks with labels where the two-qubit error is above {NOISY:.1%}: {FEWER:g} times fewer shots in "
        f"{sum(map(bool, noisy))} of {len(noisy)}."
    ]
    for aim in judged[0][-1] if judged else ():
        counted = [entry for entry in judged if entry[-1][aim] is not None]
        missed = [
            f"{case.bundle} on {case.model} ({_by_how_much(aim, case, before, after)})"
            for case, before, after, found in counted
            if not found[aim]
        ]
        lines.append(f"- *{aim}*, missed in {len(missed)} of {len(counted)}: {'; '.join(missed) or 'none'}.")
    return lines


def _by_how_much(aim: str, case: Case, before: Point, after: Point) -> str:
    if aim == "fewer shots":
        times = before.mean("gates", "shots") / after.mean("gates", "shots")
        return f"{times:.2f} times, aim {_times_fewer(case.two_qubit_error):g}"
    if aim == "as accurate":
        return _change(before, after, "gates", "accuracy", "at_shots", form="{:.3f}")
    return _change(before, after, "gates", *(("corrected", "mean") if aim == "no further" else ("rms_at_shots",)))


def _judged(rows: Sequence[Row]) -> Iterator[tuple[Case, Point, Point, dict[str, bool | None]]]:
    for case in cases(rows):
        for before, after in zip(case.of(BASELINE), case.of(OURS), strict=False):
            yield case, before, after, verdicts(case.two_qubit_error, before, after)


def _times_fewer(two_qubit_error: float) -> float:
    """The aim."""
    return FEWER if two_qubit_error > NOISY else 1.0


def not_run(rows: Sequence[Row], part: Part, fits: Callable[[str, str], bool]) -> list[str]:
    """Networks and noise models of a part of the default set on which not all of its pruners and seeds have been run.

    Args:
        rows: Of the benchmark.
        part: Of the default set.
        fits: Whether a device, named first, has qubits enough for a network.
    """
    ready = {(case.bundle, case.model) for case in cases(rows) if case.has(part.pruners, part.seeds)}
    lines = []
    for bundle in part.bundles:
        models = [model for model in part.models if fits(model, bundle)]
        left = [model for model in models if (bundle, model) not in ready]
        if left:
            lines.append(f"{bundle} on {'any' if left == models else ', '.join(left)}")
    return lines


def verdicts(two_qubit_error: float, before: Point, after: Point) -> dict[str, bool | None]:
    """Aims after correction: shots, deviation, error at 1,000 shots, accuracy; the last None without labels."""
    aim = _times_fewer(two_qubit_error)
    chances = before.right, after.right
    accurate = None
    if chances[0] is not None and chances[1] is not None:
        change = chances[1] - chances[0]
        accurate = bool(change.mean() + half_width(change) >= 0)
    return {
        "fewer shots": aim * after.mean("gates", "shots") <= ROUNDING * before.mean("gates", "shots"),
        "no further": after.mean("gates", "corrected", "mean") <= ROUNDING * before.mean("gates", "corrected", "mean"),
        "less error": after.mean("gates", "rms_at_shots") <= ROUNDING * before.mean("gates", "rms_at_shots"),
        "as accurate": accurate,
    }


def _verdict(is_met: bool | None) -> str:
    return NO_LABELS if is_met is None else "yes" if is_met else "**no**"


def _change(before: Point, after: Point, *path: str, form: str = "{:.3g}", unit: float = 1.0) -> str:
    values = [p.mean(*path) / unit for p in (before, after)]
    return UNKNOWN if np.isnan(values).any() else " → ".join(form.format(value) for value in values)


# -- everybody ----------------------------------------------------------------------------------------------------


def against_others(rows: Sequence[Row]) -> Table:
    """Each other pruner's error over ours, at its middle setting, and which of the two beats the other; then counts.

    On networks and noise models that all were run on.
    """
    lines, ratios, verdicts = [], defaultdict(list), defaultdict(Counter)
    for case in cases(rows):
        if not case.has((OURS, *RIVALS)):
            continue
        cells, (ours, *_) = [], case.of(OURS)
        for rival in RIVALS:
            (theirs,) = case.of(rival, PRUNERS[rival].middle)
            words = "beaten" if ours.beats(theirs) else "**beats**" if theirs.beats(ours) else ""
            ratio = theirs.mean("gates", "rms_at_shots") / ours.mean("gates", "rms_at_shots")
            cells.append(f"{ratio:.2f} {words}".strip())
            ratios[rival].append(ratio)
            verdicts[rival][words] += 1
        lines.append((case.bundle, case.model, *cells))
    total = [
        f"{np.exp(np.mean(np.log(ratios[rival]))):.2f}, beaten in {verdicts[rival]['beaten']}, beats in "
        f"{verdicts[rival]['**beats**']} of {len(lines)}"
        for rival in RIVALS
        if lines
    ]
    return ("network", "noise", *RIVALS), [*lines, ("all", "", *total)] if lines else lines


def everybody(case: Case) -> Table:
    """Every pruner and setting on one network and noise model."""
    header = (
        *("pruner", "setting", "seeds", "two-qubit gates", "depth", "µs", "raw", "corrected", "shots", "error"),
        *("accuracy", "raw, read", "corrected, read", "shots, read", "accuracy, read"),
    )
    lines = []
    for point in sorted(case.points, key=lambda p: (list(PRUNERS).index(p.pruner), str(p.setting))):
        seconds = point.mean("compiled", "seconds")
        cells = [f"{point.mean('compiled', key):.4g}" for key in ("two_qubit_gates", "depth")]
        cells.append(UNKNOWN if np.isnan(seconds) else f"{1e6 * seconds:.3g}")
        for kind in ("gates", "read"):
            cells += [f"{point.mean(kind, key, 'mean'):.3g}" for key in ("raw", "corrected")]
            cells.append(f"{point.mean(kind, 'shots'):.0f}")
            cells += [_with_reach(point.values(kind, "rms_at_shots"))] if kind == "gates" else []
            cells.append(_accuracy(point, kind))
        setting = ", ".join(f"{key} {value}" for key, value in point.setting.items()) or "none"
        lines.append((point.pruner, setting, str(len(point.rows)), *cells))
    return header, lines


def _accuracy(point: Point, kind: str) -> str:
    if "accuracy" not in point.rows[0][kind]:
        return "no labels"
    found = [point.mean(kind, "accuracy", key) for key in ("at_shots", "low", "high")]
    return "{:.3f} ({:.3f} to {:.3f})".format(*found)


def _with_reach(values: np.ndarray) -> str:
    reach = f" ± {half_width(values):.2g}" if len(values) > 1 else ""
    return f"{values.mean():.3g}{reach}"


# -- zero-noise extrapolation -------------------------------------------------------------------------------------


def extrapolation(rows: Sequence[Row]) -> Table:
    """Deviation, shots and error of both circuits as they are and extrapolated, readout included."""
    lines, names = [], (BASELINE, EXTRAPOLATED[0], OURS, EXTRAPOLATED[1])
    for case in cases(rows):
        found = [case.of(name) for name in names]
        if all(found):
            points = [points[0] for points in found]
            for what, path, form in (
                ("raw", ("raw", "mean"), "{:.3g}"),
                ("corrected", ("corrected", "mean"), "{:.3g}"),
                ("shots", ("shots",), "{:.0f}"),
                ("error", ("rms_at_shots",), "{:.3g}"),
            ):
                lines.append((case.bundle, case.model, what, *(form.format(p.mean("read", *path)) for p in points)))
    return ("network", "noise", "what", *names), lines


# -- what was predicted -------------------------------------------------------------------------------------------


def predictions(rows: Sequence[Row]) -> Table:
    """Predicted over measured on test inputs, readout included, per noise model: median and where nine in ten lie."""
    lines = []
    for model in dict.fromkeys(row["config"]["model"] for row in sorted(rows, key=lambda r: r["config"]["model"])):
        mine = [row for row in rows if row["config"]["model"] == model and row["predicted"] is not None]
        cells = []
        for value, measured in (
            ("error", lambda row: row["read"]["rms_at_shots"]),
            ("shots", lambda row: row["read"]["shots"]),
        ):
            cells.append(_spread([row["predicted"][value] / measured(row) for row in mine if measured(row) > 0]))
        for value in ("contrast", "chain"):
            cells.append(_spread([row["predicted"][value] * row["read"]["slope"] for row in mine]))
        lines.append((model, str(len(mine)), *cells))
    return ("noise", "rows", f"error at {SHOTS} shots", "shots", "contrast", "contrast by the chain"), lines


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "none"
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
