"""What each part of λ does to the error, seed by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.noise.estimates import SHOTS
from benchmarks.noise.pruners import PRUNERS
from benchmarks.noise.report import CONFIDENCE, Case, Table, cases, half_width
from benchmarks.records import Row

SAME = 1e-9  # relative difference of two errors that count as the same circuit's


@dataclass
class Compared:
    """A variant beside the first, over networks and noise models.

    Attributes:
        means: Of the logarithm of the errors' ratio over seeds, one for each network and noise model.
        same: On how many of all draws the error, and so the circuit, is the same.
        draws: How many these are.
    """

    means: list[float] = field(default_factory=list)
    same: int = 0
    draws: int = 0

    def add(self, logs: np.ndarray) -> None:
        self.means.append(float(logs.mean()))
        self.same += int(np.sum(np.abs(logs) <= SAME))
        self.draws += len(logs)


def table(rows: Sequence[Row], variants: Sequence[str]) -> Table:
    """Error at 1,000 shots over that of the first variant; the last line over networks and devices.

    Args:
        rows: Of the benchmark.
        variants: Pruners, at their middle settings; the first is the one to compare with.
    """
    lines = []
    for case, errors in _errors(rows, variants):
        cells = [_ratio(np.log(theirs / errors[0])) for theirs in errors[1:]]
        lines.append((case.bundle, case.model, str(len(errors[0])), f"{errors[0].mean():.3g}", *cells))
    if lines:
        everywhere = _compared(rows, variants)
        lines.append(("all", "", "", "", *(_ratio(np.array(everywhere[name].means)) for name in variants[1:])))
    return ("network", "noise", "seeds", variants[0], *variants[1:]), lines


def findings(rows: Sequence[Row], variants: Sequence[str]) -> list[str]:
    """What each variant does beside the first, in words, with the interval that they follow from."""
    lines = []
    for name, found in _compared(rows, variants).items():
        middle, reach = np.mean(found.means), half_width(np.array(found.means))
        verdict = f"no effect within {CONFIDENCE:.0%} confidence"
        if found.same == found.draws:
            verdict = "no effect, as it never leaves another circuit"
        elif len(found.means) < 2:
            verdict = "one network and noise model, no interval"
        elif abs(middle) > reach:
            verdict = "less error" if middle < 0 else "more error"
        ratio = _ratio(np.array(found.means))
        lines.append(
            f"- *{name}* beside *{variants[0]}*: error at {SHOTS} shots {ratio} times as large, the same circuit in "
            f"{found.same} of {found.draws} draws: {verdict}."
        )
    return lines


def _compared(rows: Sequence[Row], variants: Sequence[str]) -> dict[str, Compared]:
    found: dict[str, Compared] = defaultdict(Compared)
    for _, errors in _errors(rows, variants):
        for name, theirs in zip(variants[1:], errors[1:], strict=True):
            found[name].add(np.log(theirs / errors[0]))
    return found


def _errors(rows: Sequence[Row], variants: Sequence[str]) -> Iterator[tuple[Case, list[np.ndarray]]]:
    """Of each network and noise model that all variants were run on: each variant's errors by the seeds all have."""
    for case in cases(rows):
        if not case.has(variants):
            continue
        points = [case.of(name, PRUNERS[name].middle) for name in variants]
        errors = [{row["config"]["seed"]: row["gates"]["rms_at_shots"] for row in found[0].rows} for found in points]
        seeds = sorted(set(errors[0]).intersection(*errors[1:]))
        yield case, [np.array([each[seed] for seed in seeds]) for each in errors]


def _ratio(logs: np.ndarray) -> str:
    """A geometric mean, and its 95 % interval where there are several."""
    middle, reach = logs.mean(), half_width(logs)
    if len(logs) < 2:
        return f"{np.exp(middle):.3f}"
    return f"{np.exp(middle):.3f} ({np.exp(middle - reach):.3f} to {np.exp(middle + reach):.3f})"
