"""Circuits that a search with refit looks at by the thousand, and how their weights are fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.limits.refit import fit
from qprune.limits.removal import Reduced
from qprune.simulators.engine import Network

FIT_STEPS, POWER_STEPS = 60, 20
FIT_GAIN = 1e-3  # share by which a step must lower the mean square where higher powers follow
POWERS = (4, 8, 16, 32)  # of the norms on the way from the mean square to the largest deviation
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
        deviation: Largest |Δ| of any output on any sample that is judged.
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


class Fitter:
    """Fits weights such that a circuit gives the outputs of the original.

    Args:
        original: The circuit to reproduce, on the ensemble that weights are fitted on.
        samples: That ensemble, as indices.
        judged: How many of these, from the first on, the deviation is measured on.
        check: Called before every fit; may raise to end the search.
        threads: Most threads that share the samples; no result depends on them.
    """

    def __init__(
        self, original: Reduced, samples: NDArray[np.intp], judged: int, check: Callable[[], None], threads: int = 1
    ) -> None:
        self.samples, self.judged, self.check, self.threads = samples, judged, check, threads
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
        weights, square = fit(trial.network, trial.weights, wanted, steps=steps, **options)
        return replace(trial, weights=weights, square=square, deviation=self.deviation(trial.network, weights))

    def fitted_within(self, trial: Trial, budget: float) -> Trial:
        """Weights fitted to the mean square, then to ever higher powers until the largest deviation is within."""
        best = current = self.fitted(trial, FIT_STEPS, reach=HOPELESS[0] * budget, gain=FIT_GAIN)
        for power, hopeless in zip(POWERS, HOPELESS, strict=True):
            if best.deviation <= budget or best.deviation > hopeless * budget:
                break
            current = self.fitted(current, POWER_STEPS, power=power, enough=budget)
            best = min(best, current, key=lambda t: t.deviation)
        return best

    def deviation(self, network: Network, weights: FloatArray) -> float:
        """Largest |Δ| of any output on any judged sample; total variation of distributions."""
        change = np.abs(network.values(weights) - self.target)[:, : self.judged]
        return float(change.sum(axis=0).max() / 2 if self.is_distribution else change.max())
