"""The trade-off between gates and error: the same task pruned at a dozen settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

from qprune.errors import OptionError
from qprune.limits.pruning import prune
from qprune.noise.calibration import NoiseCalibration
from qprune.results.result import PruneResult, two_qubit_gates
from qprune.results.tradeoff import TradeOffPoint
from qprune.simulators.values import SIMULATORS

SPAN = 1e-3  # the smallest budget tried, as a share of the largest that means anything
LARGEST_TOLERANCE = 1.0
KEPT_OPTIONS = (
    *("certify", "refit", "aggregate", "window", "representatives", "strategy", "prune_encoding", "resynthesis"),
    *("seed", "delta"),
)


def trade_off_point(result: PruneResult) -> TradeOffPoint:
    """A result as a point of the curve; a `Frontier` makes one too: `[trade_off_point(r) for r in front]`."""
    options = result.certificate.options
    setting = "tolerance" if options["budget"] is None else "budget"
    return TradeOffPoint(
        setting=setting,
        value=options[setting],
        gates=int(result.circuit.size()),
        two_qubit_gates=two_qubit_gates(result.circuit),
        bound=result.certificate.largest_bound,
        measured=result.certificate.largest_measured,
    )


def trade_off(
    result: PruneResult, *, points: int = 12, progress: bool = False, **options: Any
) -> tuple[TradeOffPoint, ...]:
    """Prune a result's task again in the same mode, at other settings of its budget, or else tolerance.

    Each point takes about as long as the result did; `frontier`, which goes on from point to point, is faster in
    verified mode.

    Args:
        result: What `prune` returned, or `PruneResult.load`.
        points: Number of settings, ≥ 2, evenly spaced on a logarithmic scale; one pruning each.
        progress: Show a progress bar on stderr, where that is a terminal.
        options: Options of `prune` that the certificate does not record (`threads`, `costs` if a callable, `noise` if
            a noise model, `simulator` if an estimator) or that shall differ.

    Returns:
        One point per setting, in ascending order; what `qprune.report(…, tradeoff=…)` takes.

    Raises:
        OptionError: `points` is too small, or a noise model or estimator that the result was pruned with is not given.
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise OptionError(f"points must be an integer ≥ 2, got {points!r}; a curve needs two ends")
    if not isinstance(result, PruneResult):
        raise OptionError(
            f"result must be what qprune.prune returned, got {type(result).__name__}; a pruned QNode has it as .result"
        )
    task, used = result.original, result.certificate.options
    settings = {name: used[name] for name in KEPT_OPTIONS if name in used}
    if isinstance(used.get("costs"), dict):
        settings["costs"] = used["costs"]
    if used["coherence"] is not None:
        settings["noise"] = NoiseCalibration(used["coherence"], used["beta"], used["gamma"])
    elif "noise" not in options and result.certificate.noise is not None:
        source = result.certificate.noise.source
        raise OptionError(f"noise must be given again, as the certificate only names it: {source}")
    if used["simulator"] in SIMULATORS:
        settings["simulator"] = used["simulator"]
    elif "simulator" not in options:
        raise OptionError(f"simulator must be given again, as the certificate only names it: {used['simulator']}")
    if used["budget"] is not None:
        setting, settings["tolerance"] = "budget", used["tolerance"]
        largest = 1.0 if task.observables is None else max(s.high - s.low for s in task.spectra) or 1.0
    else:
        setting, largest = "tolerance", LARGEST_TOLERANCE
    found = []
    values = np.geomspace(SPAN * largest, largest, points).tolist()
    for value in tqdm(values, desc="trade-off", unit="pruning", disable=None if progress else True):
        found.append(trade_off_point(prune(task, **{**settings, **options, setting: value})))
    return tuple(found)
