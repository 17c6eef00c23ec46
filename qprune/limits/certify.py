"""From the circuit that a limit allowed to a certified result: measure, claim, gather."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune.errors import QpruneWarning
from qprune.gates.sites import Site, circuit_of
from qprune.limits.base import Limit, Rewritten
from qprune.limits.claims import Basis, Measurements, accuracy, make_certificate, plan_of
from qprune.limits.finished import Finished, at_shots, finished, forecast_of, predicted
from qprune.limits.measuring import start_of
from qprune.limits.prepared import Prepared
from qprune.limits.proof import angle_of
from qprune.noise.at_shots import SHOTS, AtShots
from qprune.results.certificate import NoiseRecord, ShotsRecord
from qprune.results.result import PruneResult, recorded
from qprune.simulators.values import Outputs
from qprune.task.task import Task

NOTICEABLE = 0.01  # share by which an error must grow to be worth a word: what is predicted is no better


def certify(prepared: Prepared, limit: Limit, rewritten: Rewritten, end: Finished | None = None) -> PruneResult:
    """Measure the circuit that a limit allowed, and state what is proven and measured of it.

    Args:
        prepared: The simplified original.
        limit: What was asked for.
        rewritten: The smaller circuit, and what it replaces.
        end: Its last form, where that is known already.

    Source: THEORY T2, T4, T5.
    """
    task, chosen = prepared.task, rewritten.chosen
    simplified = circuit_of(task, prepared.sites)
    end = finished(prepared, rewritten.reduced) if end is None else end
    before = Measurements(prepared.prefix.outputs, _outputs(prepared, task, prepared.sites, task.heldout))
    selected = prepared.runner.outputs(end.task, end.sites, task.selected, prepared.settings.shown)
    after = Measurements(selected, _outputs(prepared, end.task, end.sites, task.heldout))
    basis = Basis(
        task=task,
        sites=prepared.told_sites,
        simplified=simplified,
        comparison=prepared.comparison,
        tolerances=prepared.tolerances,
        noise=prepared.noise,
        options=_options(prepared, limit, rewritten),
        record=_noise_record(prepared, end, selected, rewritten.tried, getattr(limit, "shots", None)),
        every_input=limit.claimed(prepared, end.task, end.sites),
    )
    changes, turned = prepared.told(rewritten.reduced.changes + end.changes), prepared.turned_by(end.sites)
    result = PruneResult(
        original=task,
        flat=circuit_of(task, prepared.original),
        simplified=simplified,
        task=end.task,
        plan=plan_of(basis, prepared.original, prepared.exact, changes, rewritten.compared, chosen, turned),
        certificate=make_certificate(basis, end.task, chosen, angle_of(prepared, chosen), before, after),
        accuracy=accuracy(task, before, after),
    )
    _warn_where_noise_gains(result)
    return recorded(result)


def _warn_where_noise_gains(result: PruneResult) -> None:
    """Say so where the pruned circuit is predicted to do worse on the device than the original."""
    noise = result.certificate.noise
    if noise is None or noise.at_shots is None:
        return
    before, after = noise.at_shots.error
    if after > before * (1 + NOTICEABLE):
        warnings.warn(
            f"pruning is predicted not to pay on {noise.source}: at {noise.at_shots.shots} shots, corrected by slope "
            f"and shift, the error of an output is {before:.3g} before and {after:.3g} after; use "
            f"UnderNoise(…, shots={noise.at_shots.shots}), a smaller budget, or leave the circuit as it is there",
            QpruneWarning,
            stacklevel=5,
        )


def options_under(prepared: Prepared, limit: Limit) -> dict[str, Any]:
    """What a certificate says was asked for, with the window that is used."""
    asked = limit.record()
    if "window" in asked:
        asked["window"] = prepared.window
    return {"limit": asked, **prepared.settings.record()}


def _options(prepared: Prepared, limit: Limit, rewritten: Rewritten) -> dict[str, Any]:
    """What was asked for, with what stood open: the budget that came out, an early end."""
    options = options_under(prepared, limit)
    if rewritten.budget is not None:
        options["limit"]["budget"] = rewritten.budget
    cut = rewritten.reduced.cut
    return {**options, **({"cut_short": cut} if cut else {})}


def _noise_record(
    prepared: Prepared, end: Finished, outputs: Outputs, tried: tuple[tuple[float, float], ...], shots: int | None
) -> NoiseRecord | None:
    calibration, noise = prepared.calibration, prepared.noise
    if calibration.coherence == 1:
        return None
    forecast = forecast_of(prepared)
    simplified = start_of(prepared)
    circuits = ((simplified.task, simplified.sites, prepared.prefix.outputs), (end.task, end.sites, outputs))
    shots = shots or calibration.shots or SHOTS
    # one circuit after the other, as the forecast keeps the last that it compiled
    (before, first), (after, second) = (
        (predicted(prepared, forecast, *circuit), at_shots(prepared, forecast, *circuit, shots)) for circuit in circuits
    )
    return NoiseRecord(
        source=calibration.source,
        layout=calibration.layout,
        noiseless=calibration.noiseless,
        coherence=tuple(noise.coherence.tolist()),
        infidelity=tuple(noise.infidelity.tolist()),
        accumulated=tuple(noise.accumulated.tolist()),
        totals=(calibration.of(prepared.original).total, noise.total, calibration.of(end.sites).total),
        predicted=None if before is None or after is None else (before, after),
        tried=tried,
        at_shots=_shots_record(shots, first, second),
    )


def _shots_record(shots: int, before: AtShots | None, after: AtShots | None) -> ShotsRecord | None:
    if before is None or after is None:
        return None
    return ShotsRecord(
        shots=shots,
        error=(before.error, after.error),
        residue=(before.residue, after.residue),
        contrast=(before.contrast, after.contrast),
        needed=(before.shots, after.shots),
    )


def _outputs(prepared: Prepared, task: Task, sites: Sequence[Site], samples: NDArray[np.intp]) -> Outputs | None:
    return prepared.runner.outputs(task, sites, samples) if len(samples) else None
