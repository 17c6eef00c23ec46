"""The trade-off between gates and error: the same task pruned at a dozen settings."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from qprune._progress import bar, is_shown
from qprune.errors import OptionError, QpruneWarning
from qprune.limits.progress import INTERRUPTED
from qprune.limits.pruning import prune
from qprune.limits.registry import LIMITS, limit_of
from qprune.limits.threshold import Threshold
from qprune.noise.calibration import NoiseCalibration
from qprune.results.result import PruneResult, checked_result, two_qubit_gates
from qprune.results.tradeoff import TradeOffPoint
from qprune.selection.strategies import strategy_from_record
from qprune.simulators.choices import SIMULATORS

SPAN = 1e-3  # the smallest budget tried, as a share of the largest that means anything
LARGEST_TOLERANCE = 1.0
KEPT = ("representatives", "prune_encoding", "resynthesis", "couplings", "form", "seed")


def trade_off_point(result: PruneResult) -> TradeOffPoint:
    """A result as a point of the curve; a `Frontier` makes one too: `[trade_off_point(r) for r in front]`."""
    used = result.certificate.options["limit"]
    setting = "budget" if used.get("budget") is not None else "tolerance"
    return TradeOffPoint(
        setting=setting,
        value=used[setting],
        gates=int(result.circuit.size()),
        two_qubit_gates=two_qubit_gates(result.circuit),
        bound=result.certificate.largest_bound,
        measured=result.certificate.largest_measured,
    )


def trade_off(
    result: PruneResult, *, points: int = 12, progress: bool | None = None, **settings: Any
) -> tuple[TradeOffPoint, ...]:
    """Prune a result's task again under the same limit, at other values of its budget, or tolerance.

    Each point takes about as long as the result did.

    Args:
        result: What `prune` returned, or `qprune.load`.
        points: Number of settings, ≥ 2, evenly spaced on a logarithmic scale; one pruning each.
        progress: Show a bar once the work has taken seconds; default: where a person watches.
        settings: What `prune` takes besides the limit and the certificate does not record (`costs` if a callable,
            `noise` if a noise model, `simulator` if an estimator, `executor`), or that shall differ.

    Returns:
        One point per setting, in ascending order, what `qprune.report(…, tradeoff=…)` takes; after an interrupt
        (Ctrl-C) those found by then.

    Raises:
        OptionError: `points` is too small, a noise model or estimator that the result was pruned with is not given, or
            its limit has no budget or tolerance to vary.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> points = trade_off(result, points=3)
        >>> [point.gates for point in points]
        [2, 2, 0]
    """
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise OptionError(f"points must be an integer ≥ 2, got {points!r}; a curve needs two ends")
    checked_result(result)
    task, used = result.original, result.certificate.options["limit"]
    if not (used["name"] in LIMITS and LIMITS[used["name"]].quick):
        raise OptionError(
            f"a trade-off varies a budget or tolerance, and the limit {used['name']!r} sets that itself; use frontier"
        )
    largest = LARGEST_TOLERANCE if used["name"] == Threshold.name else task.largest_change or 1.0
    again = {**_settings_of(result, settings), **settings}
    found = []
    values = np.geomspace(SPAN * largest, largest, points).tolist()
    try:
        for value in bar("trade-off", "pruning", is_shown(progress), of=values):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", QpruneWarning)  # that large budgets do not pay is what a curve shows
                point = prune(task, limit_of(used, value), **{"progress": False, **again})
            if point.certificate.options.get("cut_short") == INTERRUPTED:
                break
            found.append(trade_off_point(point))
    except KeyboardInterrupt:
        if not found:
            raise
    return tuple(found)


def _settings_of(result: PruneResult, given: dict[str, Any]) -> dict[str, Any]:
    """What the certificate tells of the settings a result was pruned with."""
    used = result.certificate.options
    kept: dict[str, Any] = {name: used[name] for name in KEPT}
    if isinstance(used["costs"], dict):
        kept["costs"] = used["costs"]
    if used["coherence"] is not None:
        kept["noise"] = NoiseCalibration(used["coherence"], used["beta"], used["gamma"], used.get("shots"))
    elif "noise" not in given and result.certificate.noise is not None:
        source = result.certificate.noise.source
        raise OptionError(f"noise must be given again, as the certificate only names it: {source}")
    simulator = dict(used["simulator"])
    kind = SIMULATORS.get(simulator.pop("name"))
    found = {
        "simulator": None if kind is None else kind(**simulator),
        "strategy": strategy_from_record(used["strategy"]),
    }
    for name, value in found.items():
        if value is not None:
            kept[name] = value
        elif name not in given:
            raise OptionError(f"{name} must be given again, as the certificate only names it: {used[name]['name']}")
    return kept
