"""Small circuits grown from nothing: entangling gates come back one by one, all weights fitted each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from qprune._threads import one_thread
from qprune.limits.compressor import LOOK_AHEAD, Compressor
from qprune.limits.refit import GAIN
from qprune.limits.removal import Reduced
from qprune.limits.trial import FIT_GAIN, FIT_STEPS, HOPELESS, Trial

ADDITIONS = 1.5  # at most, times the number of entangling gates
STUCK = 0.97  # of the mean square before: an addition that leaves more has helped too little
PLATEAU = 8  # such additions in a row, at which a growth without restarts is given up
# Ways of growing: steps of the fits that compare, whether gates go again, and whether fits start again where stuck.
WAYS = ((12, False, False), (6, True, False), (12, True, False))
RESTARTED = (12, False, True)  # where the first of these finds nothing, or looking ahead is dear


class Growth:
    """Grows circuits of the gates of an original.

    Args:
        search: Fits them, and knows what gates cost and how good the best circuit so far is.
        seed: Of the weights that fits start again from.
    """

    def __init__(self, search: Compressor, seed: int) -> None:
        self.search, self.rng = search, np.random.default_rng((seed, 1))
        self.fitter, self.scout = search.fitter, search.scout
        self.start = self.fitter.start(search.original)
        self.ahead = search.ahead(self.start)
        sites = enumerate(search.original.sites)
        self.cost = {k: search.cost(s) for k, s in sites if search.prunable(s) and len(s.qubits) > 1}

    def ways(self, budget: float) -> Iterator[Reduced]:
        """What every way that is worth its time comes to.

        Where the first finds nothing, its like hardly ever do, and fits that start again are tried; these alone where
        looking ahead is dear.

        Raises:
            OutOfTime: The watch's time is up; it has the best circuit so far.
        """
        first = self.grown(budget, *WAYS[0]) if self.search.looks_at_all else None
        if first is not None:
            yield first
        for way in WAYS[1:] if first is not None else [RESTARTED]:
            if (found := self.grown(budget, *way)) is not None:
                yield found

    def grown(self, budget: float, steps: int, floating: bool = False, restarts: bool = False) -> Reduced | None:
        """From no entangling gate on, add back the one that helps most, all weights fitted, until the budget is kept.

        The cheap way to small circuits. Ends without a result where the entangling gates cost as much as those of the
        best circuit known.

        Args:
            budget: As in `Compressor.compress`.
            steps: Of the fits by which gates are compared.
            floating: Whether gates go again whenever fewer of them fit better than as few did before. What is best
                differs between networks.
            restarts: Whether fits start again from weights moved at random where an addition helps little. Without,
                growing is given up on such a plateau.

        Raises:
            OutOfTime: The watch's time is up.

        Source: Pudil, Novovičová and Kittler, Pattern Recognition Letters 15, 1119 (1994).
        """
        search = self.search
        budget -= search.doubt
        most = sum(self.cost.values())
        if search.watch.best is not None:
            best = (s for s in search.watch.best.sites if search.prunable(s) and len(s.qubits) > 1)
            most = min(most, sum(map(search.cost, best)))
        least: dict[int, float] = {}  # square by number of gates
        with one_thread():
            current, stuck = self.fitter.fitted(self.start.without(list(self.cost)), FIT_STEPS), 0
            if restarts:
                current = self._restarted(current)
            for _ in range(int(ADDITIONS * len(self.cost))):
                if current.deviation <= HOPELESS[0] * budget:
                    within = self.fitter.fitted_within(current, budget)
                    if within.deviation <= budget:
                        search.watch.look(within.reduced)
                        return within.reduced
                kept = sum(self.cost[k] for k in set(self.cost) - set(current.gone))
                if not current.gone or kept >= most + (search.least_cost if floating else -search.least_cost):
                    return None
                more, before = [[j for j in current.gone if j != k] for k in current.gone], current.square
                current = self._best_of(current, more, LOOK_AHEAD, steps)
                current = self.fitter.fitted(current, FIT_STEPS, gain=FIT_GAIN if floating else GAIN)
                stuck = stuck + 1 if current.square > STUCK * before else 0
                if stuck and restarts:
                    current = self._restarted(current)
                elif stuck == PLATEAU:
                    return None
                if floating:
                    current = self._with_fewer(current, least, steps)
        return None

    def _restarted(self, current: Trial) -> Trial:
        """From weights moved at random, where that fits better: no gate helps where a fit ended in a poor valley."""
        moved = self.scout.restarted(self.ahead.without(current.gone, current.weights), self.rng).weights
        found = self.fitter.fitted(self.start.without(current.gone, moved), FIT_STEPS, gain=FIT_GAIN)
        return min(current, found, key=lambda trial: trial.square)

    def _with_fewer(self, current: Trial, least: dict[int, float], steps: int) -> Trial:
        """Without gates, one by one, while that fits better than as few gates ever did."""
        while True:
            kept = [k for k in self.cost if k not in current.gone]
            least[len(kept)] = min(current.square, least.get(len(kept), np.inf))
            if len(kept) - 1 not in least:
                return current
            fewer = self._best_of(current, [[*current.gone, k] for k in kept], LOOK_AHEAD // 2, steps)
            fewer = self.fitter.fitted(fewer, FIT_STEPS, gain=FIT_GAIN)
            if fewer.square >= (1 - FIT_GAIN) * least[len(kept) - 1]:
                return current
            current = fewer

    def _best_of(self, current: Trial, sets: Sequence[list[int]], few: int, steps: int) -> Trial:
        """Without one of these sets of gates, that which fits best: by first order, then by short fits of a few."""
        trials = [self.ahead.without(gone, current.weights) for gone in sets]
        squares = [self.scout.predicted_square(trial) for trial in trials]
        tried = [trials[j] for j in np.argsort(squares, kind="stable")[:few]]
        best = min((self.scout.fitted(trial, steps) for trial in tried), key=lambda trial: trial.square)
        return self.start.without(best.gone, best.weights)
