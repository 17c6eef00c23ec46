"""Circuits that a search with refit looks at by the thousand, and how their weights are fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.gates.subgroups import subgroup_of
from qprune.limits.refit import fit, predicted_square
from qprune.limits.removal import Reduced
from qprune.simulators.engine import Network
from qprune.task.task import Task

# How far from the original, by the changes of all outputs on the selected samples, shape (R, M).
Judge: TypeAlias = "Callable[[FloatArray], float]"

FIT_STEPS, POWER_STEPS = 60, 20
FIT_GAIN = 1e-3  # share by which a step must lower the mean square where higher powers follow
POWERS = (4, 8, 16, 32)  # of the norms on the way from the mean square to the largest deviation
HOMOTOPY = 6  # steps from a gate to the identity, the weights following
SCREEN_STEPS, FOLLOW_STEPS = 6, 2  # steps of a fit that only compares, and of one on the way to the identity
RESTARTS, RESTART_STEPS = 8, 20  # fits that start anew, and steps of each
RESTART_SPREAD = 1.0  # radians, standard deviation, by which weights are moved before
HOPELESS = (4.0, 2.5, 1.6, 1.2)  # times the budget: what the norm of each power, and those after it, hardly ever mend


@dataclass(frozen=True)
class Trial:
    """A circuit without some of its gates, not yet simplified.

    Attributes:
        base: The circuit.
        network: What is left of it, compiled.
        gone: Indices of the gates that are not.
        weights: Where they are by now, shape (P,).
        square: Σ Δ² over outputs and samples.
        deviation: Largest |Δ| of any output on any sample that is judged, or what else judges.
    """

    base: Reduced
    network: Network
    gone: tuple[int, ...]
    weights: FloatArray
    square: float = np.inf
    deviation: float = np.inf

    def without(self, gone: Sequence[int], weights: FloatArray | None = None) -> Trial:
        """The whole circuit without some gates."""
        left = self.weights if weights is None else weights
        return Trial(self.base, self.network.without(gone), tuple(gone), left)

    @property
    def reduced(self) -> Reduced:
        """Written out and simplified."""
        moved = replace(self.base, task=self.base.task.with_weights(self.weights))
        return replace(moved.without(self.gone), deviation=self.deviation)


def largest(task: Task) -> Judge:
    """Largest |Δ| of any output on any sample; total variation of probabilities."""
    if task.observables is None:
        return lambda change: float(np.abs(change).sum(axis=0).max() / 2)
    return lambda change: float(np.abs(change).max())


class Fitter:
    """Fits weights such that a circuit gives the outputs of the original.

    Args:
        original: The circuit to reproduce, on the ensemble that weights are fitted on.
        samples: That ensemble, as indices.
        judged: How many of these, from the first on, the deviation is measured on.
        check: Called before every fit and at its every step; may raise to end the search.
        threads: Most threads that share the samples; no result depends on them.
        judge: Says how far from the original a circuit is; default: by its largest deviation, to which weights are then
            fitted. By anything else they are judged as the least mean square leaves them.
    """

    def __init__(
        self,
        original: Reduced,
        samples: NDArray[np.intp],
        judged: int,
        check: Callable[[], None],
        threads: int = 1,
        judge: Judge | None = None,
    ) -> None:
        self.samples, self.judged, self.check, self.threads = samples, judged, check, threads
        self.by_deviation = judge is None
        self.judge = largest(original.task) if judge is None else judge
        self.is_distribution = original.task.observables is None
        start = self.start(original)
        self.target = start.network.values(start.weights)

    def start(self, reduced: Reduced) -> Trial:
        """A circuit as it is."""
        network = Network(reduced.task, reduced.sites, self.samples, threads=self.threads)
        return Trial(reduced, network, (), reduced.task.weights, deviation=reduced.deviation)

    def fitted(self, trial: Trial, steps: int, target: FloatArray | None = None, **options: Any) -> Trial:
        """Weights fitted by at most so many steps, to the original's outputs or others; the deviation measured.

        Args:
            trial: Where to start.
            steps: At most.
            target: Outputs to reproduce; default: the original's.
            options: As in `fit`.
        """
        self.check()
        if self.is_distribution:  # a total variation is no largest entry
            options |= {"enough": 0.0, "reach": np.inf}
        wanted = self.target if target is None else target
        weights, square = fit(trial.network, trial.weights, wanted, steps=steps, check=self.check, **options)
        return replace(trial, weights=weights, square=square, deviation=self.deviation(trial.network, weights))

    def fitted_within(self, trial: Trial, budget: float) -> Trial:
        """Weights fitted to the mean square, then to ever higher powers until the largest deviation is within.

        Where something else judges, the mean square is all, unless that judges the weights worse than they were.
        """
        if not self.by_deviation:
            before = replace(trial, deviation=self.deviation(trial.network, trial.weights))
            return min(self.fitted(trial, FIT_STEPS, gain=FIT_GAIN), before, key=lambda t: t.deviation)
        best = current = self.fitted(trial, FIT_STEPS, reach=HOPELESS[0] * budget, gain=FIT_GAIN)
        for power, hopeless in zip(POWERS, HOPELESS, strict=True):
            if best.deviation <= budget or best.deviation > hopeless * budget:
                break
            current = self.fitted(current, POWER_STEPS, power=power, enough=budget)
            best = min(best, current, key=lambda t: t.deviation)
        return best

    def predicted_square(self, trial: Trial) -> float:
        """Σ Δ² after one step of a fit, to first order."""
        self.check()  # a Jacobian of a wide circuit takes seconds, and there is one for every gate
        return predicted_square(trial.network, trial.weights, self.target)

    def turned_down(self, start: Trial, gone: Sequence[int], turns: Sequence[int]) -> Trial:
        """Gates turned into the identity in small steps, down or on through a full period, the weights following."""
        weights, periods = start.weights, {}
        for k, turn in zip(gone, turns, strict=True):
            group = subgroup_of(start.base.sites[k])
            if group is not None and start.network.has_coordinate(k):
                periods[k] = turn * group.period
        for step in range(1, HOMOTOPY if periods else 0):
            share = step / HOMOTOPY
            network = start.network.turned_down({k: (1 - share, period * share) for k, period in periods.items()})
            weights, _ = fit(network, weights, self.target, steps=FOLLOW_STEPS, check=self.check)
        return self.fitted(start.without(gone, weights), SCREEN_STEPS)

    def restarted(self, trial: Trial, rng: np.random.Generator) -> Trial:
        """The best of a few short fits, each from weights moved at random from the best so far."""
        best, free = self.fitted(trial, 0), trial.network.free
        for _ in range(RESTARTS):
            weights = best.weights.copy()
            weights[free] += rng.normal(scale=RESTART_SPREAD, size=len(free)) / trial.network.reach[free]
            best = min(best, self.fitted(replace(trial, weights=weights), RESTART_STEPS), key=lambda t: t.square)
        return best

    def promise(self, trial: Trial) -> float:
        """How likely a circuit that was fitted a little keeps the budget: the less, the likelier."""
        return trial.deviation if self.by_deviation else trial.square

    def deviation(self, network: Network, weights: FloatArray) -> float:
        """How far from the original, on the judged samples."""
        return self.judge((network.values(weights) - self.target)[:, : self.judged])
