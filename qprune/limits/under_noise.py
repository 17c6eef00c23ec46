"""Noise-calibrated stopping: go on removing while the deviation added is less than the noise saved (THEORY section 6).

A rule, no bound: a prediction chooses the circuit, and what is claimed of it is what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune._checks import checked_integer, plain
from qprune._threads import one_thread
from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.limits.base import Limit, Rewritten, checked_window, option, set_checked
from qprune.limits.between_samples import claim_between_samples
from qprune.limits.claims import deviations_at_most
from qprune.limits.compressor import Compressor
from qprune.limits.finished import Finished, at_shots, finished, forecast_of, predicted
from qprune.limits.measuring import (
    check_removal,
    compressor_of,
    deviation_of,
    judged,
    removed,
    start_of,
    watch_of,
)
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.progress import Watch
from qprune.limits.refit import alike
from qprune.limits.removal import Reduced
from qprune.limits.settings import Settings
from qprune.limits.trial import FIT_STEPS
from qprune.noise.calibration import Noise, calibrate
from qprune.noise.forecast import Forecast
from qprune.results.every_input import EveryInput
from qprune.simulators.values import Outputs
from qprune.task.task import Task

# Budgets tried, in units of the mean deviation that noise is predicted to cause in the original.
SHARES = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
PATIENCE = 2  # budgets in a row that may bring nothing before the search ends
INPUTS_PER_WEIGHT = 4  # of the ensemble that weights are fitted on, where there are not as many samples
UNSEEN = 200  # inputs, not fitted on, that a circuit with refit is judged on besides
ROTATIONS = 4  # likewise, when rotations go one by one: compiled, one often saves nothing and the next a whole pulse


@dataclass(frozen=True)
class UnderNoise(Limit):
    """Removal goes on until it would add more deviation than it saves noise, on a given device.

    Of the circuit of each rising budget the mean deviation of its noisy outputs from the original's noiseless ones is
    predicted, coherent deviation and noise together; the least wins. With `shots`, what is predicted is the error that
    is left of outputs estimated from so many shots, after the correction by a slope and a shift that anyone can fit on
    inputs whose outputs are known: pruning then counts for what no correction gives, fewer shots and less residue. The
    certificate has the budget that was best and what was measured: a prediction chooses, nothing is claimed by it.

    Args:
        device: A noise model, a device, or the name of one: whatever `calibrate` takes, except a single λ. None takes
            what `prune` is given as `noise`.
        refit: True moves the surviving weights to make up for what went; entangling gates go one by one, always that
            without which the compiled circuit is predicted to be off least, on the samples and on inputs like them.
            "noise" moves weights at last so that the noisy outputs, as predicted, are the original's; for that device
            alone, as without its noise outputs are then too large. With `shots` outputs are corrected anyway, and it is
            refused.
        shots: Shots for each output and input, ≥ 1, or None: as if there were no end of them, and no correction.
        window: Qubits of a window of the bound that is reported beside, as in `Threshold`.

    Raises:
        OptionError: A value is out of its range, or there is no noise model to predict with.

    Source: THEORY section 6.

    Example:
        >>> UnderNoise("FakeManilaV2", refit=True).refit
        True
    """

    device: Noise = None
    refit: bool | str = option(False, "move surviving weights to make up for what goes")
    shots: int | None = option(
        None, "least error of outputs from so many shots, corrected by slope and shift", type=int
    )
    window: int | str = option("auto", "qubits per window of the bound, 0 for none, or auto")
    name: ClassVar[str] = "under_noise"
    main: ClassVar[str] = "device"
    judged_by: ClassVar[str] = "measured"
    words: ClassVar[str] = "until removing more adds more error than it saves noise, on this device"
    metavar: ClassVar[str] = "FILE|NAME"

    def __post_init__(self) -> None:
        refit = plain(self.refit)
        if not (isinstance(refit, bool) or (isinstance(refit, str) and refit == "noise")):
            raise OptionError(f'refit must be True, False or "noise", got {refit!r}')
        shots = None if self.shots is None else checked_integer(self.shots, "shots", 1)
        if shots is not None and refit == "noise":
            raise OptionError(
                'refit="noise" makes up for what shots= corrects afterwards, got both; use refit=True with shots'
            )
        device = None if self.device is None else calibrate(plain(self.device))
        set_checked(self, device=device, refit=refit, shots=shots, window=checked_window(self.window))

    @property
    def comparison(self) -> Comparison:
        return Comparison(window=self.window)

    def with_noise(self, settings: Settings) -> Settings:
        if self.device is None:
            return settings
        if settings.noise not in (None, self.device) and settings.calibration.coherence != 1:
            raise OptionError("noise is given twice, to UnderNoise and as noise=; give it once")
        return replace(settings, noise=self.device)

    def check(self, task: Task, settings: Settings) -> None:
        check_removal("UnderNoise", settings, bool(self.refit))
        if settings.calibration.noises is None:
            raise OptionError(
                "UnderNoise needs a noise model or a device to predict with, such as UnderNoise('FakeTorino'), got "
                f"{settings.calibration.source}"
            )
        if self.shots is not None and task.observables is None:
            raise OptionError(
                f"shots corrects observables by slope and shift, got shots={self.shots} for a task of probabilities; "
                "leave it out"
            )

    def record(self) -> dict[str, Any]:
        # λ, β, γ and the device's name stand beside.
        found = {"name": self.name, "judged_by": self.judged_by, "refit": self.refit}
        return found | {"shots": self.shots, "window": self.window}

    def claimed(self, prepared: Prepared, task: Task, sites: Sequence[Site]) -> EveryInput | None:
        return claim_between_samples(prepared, task, sites)

    def choose(self, prepared: Prepared) -> Rewritten:
        search = _Search(prepared, forecast_of(prepared), self.shots)
        found = search.run(self.refit)
        return judged(prepared, found, search.budget, tuple(search.tried))


@dataclass
class _Search:
    """The best circuit found so far.

    Attributes:
        prepared: The original.
        forecast: Predicts outputs under the noise.
        shots: For which the error is predicted; None: the mean deviation.
        reduced: The circuit, None before the first.
        budget: What it was made with, or its measured deviation where that is more.
        predicted: Its predicted error or mean deviation under noise.
        tried: These two numbers of every circuit looked at.
        change: Of the last circuit looked at, from the original, both without noise, in the same mean.
        unseen: Inputs like the samples that weights are not fitted on, and the original's outputs there.
    """

    prepared: Prepared
    forecast: Forecast | None
    shots: int | None = None
    reduced: Reduced | None = None
    budget: float = 0.0
    predicted: float = float("inf")
    tried: list[tuple[float, float]] = field(default_factory=list)
    change: float = 0.0
    unseen: tuple[FloatArray, Outputs] | None = None

    def run(self, refit: bool | str) -> Reduced:
        """The circuit of least predicted deviation under noise, on the way from nothing removed to much.

        Raises:
            OptionError: The compiled circuit has too many qubits for the prediction.
        """
        compressor = self.compressor() if refit else None
        start = start_of(self.prepared) if compressor is None else compressor.original
        with watch_of(self.prepared) if compressor is None else compressor.watch as watch:
            watch.look(start)
            self.look_at(start)
            if compressor is not None and compressor.searches:
                self.dismantle(compressor, refit)
            else:
                self.raise_budgets(start, compressor, watch, refit)
        return replace(self.reduced or start, cut=watch.cut)

    def compressor(self) -> Compressor:
        """Fits on inputs like the samples too, where these are few for so many weights; others are set apart."""
        prepared, task = self.prepared, self.prepared.task
        seed = prepared.settings.seed
        if len(task.selected) < 2 or not task.inputs.shape[1]:
            return compressor_of(prepared)
        rows = alike(task, UNSEEN, seed + 1)
        self.unseen = rows, self.outputs_on(rows, task, prepared.sites)
        return compressor_of(
            prepared, more=alike(task, max(0, INPUTS_PER_WEIGHT * len(task.weights) - len(task.selected)), seed)
        )

    def outputs_on(self, rows: FloatArray, task: Task, sites: Sequence[Site]) -> Outputs:
        there = task.with_inputs(rows)
        return self.prepared.runner.outputs(there, sites, there.selected)

    def dismantle(self, compressor: Compressor, refit: bool | str) -> None:
        """Entangling gates one by one, always that without which least is predicted; from the best, then, rotations.

        It ends where the change alone, without any noise, is as much as the best circuit is off with it.
        """
        with one_thread():
            for reduced in compressor.dismantled(self.look_at):
                self.look_at_fits(compressor, reduced, refit)
                if self.change > self.predicted:
                    break
            idle = 0
            for trial in compressor.without_rotations(compressor.fitter.start(self.reduced or compressor.original)):
                idle = 0 if self.look_at_fits(compressor, trial.reduced, refit) else idle + 1
                if idle == ROTATIONS:
                    break

    def look_at_fits(self, compressor: Compressor, reduced: Reduced, refit: bool | str, budget: float = 0.0) -> bool:
        """Look at a circuit, and with refit="noise" at the same with weights fitted for it; whether one is the best."""
        compressor.watch.look(reduced)
        best = self.predicted
        if refit == "noise":
            self.look_at(fitted_for_noise(self.prepared, self.forecast, compressor, reduced), budget)
        self.look_at(reduced, budget)
        return self.predicted < best

    def raise_budgets(
        self, current: Reduced, compressor: Compressor | None, watch: Watch[Reduced], refit: bool | str
    ) -> None:
        """What budgets leave that rise until two in a row bring nothing: without refit, or in a strategy's order."""
        prepared = self.prepared
        idle, scale = 0, self.predicted
        for budget in (share * scale for share in SHARES):
            if compressor is None:
                best = self.predicted
                current = removed(prepared, budget, partial(deviation_of, prepared), current, watch)
                better = self.look_at(current, budget) < best
            else:
                # From the whole circuit: rotations that a smaller budget removed cannot make up for entanglers.
                current = compressor.compress(budget)
                better = self.look_at_fits(compressor, current, refit, budget)
            idle = 0 if better else idle + 1
            if idle == PATIENCE:
                break

    def look_at(self, reduced: Reduced, budget: float = 0.0) -> float:
        """Measure a circuit, predict it under noise, and keep it if it is better than the best; what is predicted."""
        prepared = self.prepared
        end = finished(prepared, reduced)
        outputs = prepared.runner.outputs(end.task, end.sites, prepared.task.selected)
        if self.shots is None:
            found = predicted(prepared, self.forecast, end.task, end.sites, outputs)
        else:
            at = at_shots(prepared, self.forecast, end.task, end.sites, outputs, self.shots)
            found = None if at is None else at.error
        if found is None:
            raise OptionError("UnderNoise needs a circuit that compiles to fewer qubits to predict; use Measured")
        exact = not prepared.settings.simulated.approximates
        found = self.with_unseen(found, end, outputs)
        most = deviations_at_most(prepared.task, prepared.prefix.outputs, outputs, exact)
        needed = max(budget, float(most.max()))
        self.tried.append((needed, found))
        if found < self.predicted:
            self.reduced, self.budget, self.predicted = reduced, needed, found
        return found

    def with_unseen(self, found: float, end: Finished, outputs: Outputs) -> float:
        """A prediction on the samples with what the change is larger on inputs that weights were not fitted on."""
        weights = self.prepared.task.selection_weights()
        self.change = seen = self.mean(self.prepared.prefix.outputs, outputs, weights)
        if self.unseen is None:
            return found
        rows, before = self.unseen
        after = self.outputs_on(rows, end.task, end.sites)
        self.change = max(seen, self.mean(before, after, np.full(len(rows), 1 / len(rows))))
        if self.shots is None:
            return found + self.change - seen
        return float(np.sqrt(found**2 + self.change**2 - seen**2))

    def mean(self, before: Outputs, after: Outputs, weights: FloatArray) -> float:
        """The mean change that a prediction would be without noise and correction."""
        if before.distribution is not None and after.distribution is not None:
            return float(np.abs(after.distribution.T - before.distribution.T).sum(axis=0) @ weights / 2)
        change = after.centred - before.centred
        if self.shots is None:
            return float((np.abs(change) @ weights).mean())
        return float(np.sqrt((change**2 @ weights).mean()))


def fitted_for_noise(
    prepared: Prepared, forecast: Forecast | None, compressor: Compressor, reduced: Reduced
) -> Reduced:
    """Weights moved so that what noise leaves of the outputs is what the original gives without noise.

    Args:
        prepared: The original.
        forecast: Predicts outputs; without it nothing moves.
        compressor: Holds the outputs to reproduce, and the samples they are for.
        reduced: The circuit.
    """
    if forecast is None:
        return reduced
    end, fitter = finished(prepared, reduced), compressor.fitter
    target = forecast.needed(end.task, end.sites, fitter.target)
    return fitter.fitted(fitter.start(reduced), FIT_STEPS, target=target).reduced
