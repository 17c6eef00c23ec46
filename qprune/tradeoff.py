"""The trade-off between gates and error: the same task pruned at a dozen settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from qprune.errors import OptionError
from qprune.noise import NoiseCalibration
from qprune.pruning import prune
from qprune.report import TradeOffPoint, two_qubit_gates
from qprune.result import PruneResult

SPAN = 1e-3  # the smallest budget tried, as a share of the largest that means anything
LARGEST_TOLERANCE = 1.0
KEPT_OPTIONS = ("aggregate", "window", "representatives", "strategy", "prune_encoding", "seed")


def trade_off(result: PruneResult, *, points: int = 12, **options: Any) -> tuple[TradeOffPoint, ...]:
    """Prune a result's task again at other settings of what limited it: the budget, else the tolerance.

    Args:
        result: What `prune` returned, or `PruneResult.load`.
        points: Number of settings, ≥ 2, evenly spaced on a logarithmic scale; one pruning each.
        options: Options of `prune` that the certificate does not record (`costs`, `threads`) or that shall differ.

    Returns:
        One point per setting, in ascending order; what `PruneResult.report(tradeoff=…)` takes.

    Raises:
        OptionError: `points` is too small.
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise OptionError(f"points must be an integer ≥ 2, got {points!r}; a curve needs two ends")
    task, used = result.original, result.certificate.options
    settings = {name: used[name] for name in KEPT_OPTIONS if name in used}
    settings["noise"] = NoiseCalibration(*(used.get(n, 1.0) for n in ("coherence", "beta", "gamma")))
    if used["budget"] is not None:
        setting, settings["tolerance"] = "budget", used["tolerance"]
        largest = 1.0 if task.observables is None else max(s.high - s.low for s in task.spectra) or 1.0
    else:
        setting, largest = "tolerance", LARGEST_TOLERANCE
    found = []
    for value in np.geomspace(SPAN * largest, largest, points).tolist():
        again = prune(task, **{**settings, **options, setting: value})
        found.append(
            TradeOffPoint(
                setting=setting,
                value=value,
                gates=again.circuit.size(),
                two_qubit_gates=two_qubit_gates(again.circuit),
                bound=again.certificate.largest_bound,
                measured=again.certificate.largest_measured,
            )
        )
    return tuple(found)
