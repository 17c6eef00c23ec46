"""Pruning under a limit for every input: by removal alone, and by refit that counterexamples guide.

A circuit that was fitted to some inputs keeps a budget on those and may break it between them. So where the limit for
every input is broken, the worst inputs join the ensemble, and the weights are fitted again; where no weights keep the
budget on the ensemble, gates are looked for anew. What is accepted is decided by the proven upper limit alone.

Source: THEORY T9, pruning under it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np

from qprune._arrays import FloatArray
from qprune.geometry.regions import Region
from qprune.limits.claim_everywhere import EveryInputComparison
from qprune.limits.on_inputs import Check, unlimited
from qprune.limits.removal import Reduced
from qprune.task.task import Task

Refit: TypeAlias = Callable[[Task, float], Reduced]
"""Prunes a task, on the inputs it lists, to a budget: the smaller circuit with its weights."""
Again: TypeAlias = Callable[[Task, Reduced, float], Reduced]
"""Fits the weights of a smaller circuit again, on the inputs that a task lists, to a budget; its gates stay."""

SHARES = (0.8, 0.65, 0.5)  # of the budget that the fit may spend on the ensemble, one after the other
ROUNDS = 6  # fits at each share, with more and more counterexamples
EXCHANGES = 12  # fits of the weights alone after each of these, at most, with more and more counterexamples
MOST_WORST = 25  # worst inputs added a round
SPREAD = 150  # points of the domain in the first ensemble
MOST_CORNERS = 64  # of the domain's boxes
SMALLER = 0.9  # share of the budget above which a local maximum is a counterexample


class UpperEverywhere:
    """Measures a smaller circuit by its proven limit for every input, in place of its deviation on the samples.

    The search stops as soon as it is known whether the budget is kept. Inputs that broke it are looked at first from
    then on, so that most circuits that break it cost no search.

    Args:
        comparison: The original and the domain.
        budget: The limit to be kept.
        check: Called every second or so; ends it by raising.
    """

    def __init__(self, comparison: EveryInputComparison, budget: float, check: Check = unlimited) -> None:
        self.comparison, self.budget, self.check = comparison, budget, check
        self.worst = comparison.original.inputs[:0]

    def __call__(self, reduced: Reduced) -> float:
        upper, worst = self.comparison.upper(
            reduced.task, reduced.sites, self.budget, self.worst[-MOST_WORST:], self.check
        )
        if upper > self.budget:
            self.worst = np.concatenate([self.worst, worst])
        return upper


@dataclass(frozen=True)
class Round:
    """One fit.

    Attributes:
        share: Of the budget, that the fit was given.
        samples: Inputs it was fitted on.
        gates: That it left.
        cost: Of those.
        upper: Its proven limit for every input, as sharp as it took to judge it.
    """

    share: float
    samples: int
    gates: int
    cost: float
    upper: float


@dataclass(frozen=True)
class Led:
    """What refit led by counterexamples came to.

    Attributes:
        reduced: The circuit; its `deviation` is the proven limit for every input.
        rounds: Every fit, in order.
        worst: The counterexamples that were found, shape (P, n).
    """

    reduced: Reduced
    rounds: tuple[Round, ...]
    worst: FloatArray


def led_by_counterexamples(
    comparison: EveryInputComparison,
    start: Reduced,
    refit: Refit,
    again: Again,
    budget: float,
    cost: Callable[[Reduced], float],
    *,
    rounds: int = ROUNDS,
    shares: Sequence[float] = SHARES,
) -> Led:
    """Prune with refit until the proven limit for every input is within a budget.

    Args:
        comparison: The original and the domain.
        start: A circuit within the budget, at worst the original; it is the answer if no fit gives a cheaper one.
        refit: Prunes the original on an ensemble. It is called with the original on more inputs than its own.
        again: Fits the weights of what that gave once more, where some input broke the budget, on an ensemble that this
            input has joined; as long as the ensemble itself can be kept within the budget.
        budget: Largest change of any output for any input of the domain, ≥ 0.
        cost: Of a circuit; the cheapest that keeps the budget wins.
        rounds: Fits at each share.
        shares: Of the budget that fits may spend on their ensemble. The next is tried where the last still breaks the
            budget after all its rounds.

    Source: THEORY T9, pruning under it.
    """
    original, rng = comparison.original, np.random.default_rng(comparison.seed)
    ensemble = np.concatenate([original.inputs[original.selected], spread(comparison.region, rng)])
    best, made, found = start, list[Round](), original.inputs[:0]
    for share in shares:
        for _ in range(rounds):
            fitted = refit(original.with_inputs(np.concatenate([ensemble, found])), share * budget)
            if not fitted.gone:  # nothing fits these inputs, and more inputs or a smaller share let no more go
                return Led(best, tuple(made), found)
            for exchange in range(1 + EXCHANGES):
                if exchange:
                    joined = original.with_inputs(np.concatenate([ensemble, found]))
                    fitted = again(joined, fitted, SMALLER * budget)
                    if fitted.deviation > budget:  # these gates cannot keep it on these inputs
                        break
                upper, worst = comparison.upper(fitted.task, fitted.sites, budget, found[-MOST_WORST:])
                made.append(Round(share, len(ensemble) + len(found), len(fitted.sites), cost(fitted), upper))
                if upper <= budget:
                    candidate = replace(fitted, deviation=upper)
                    return Led(min(best, candidate, key=cost), tuple(made), found)
                if not np.isfinite(upper):  # nothing can be said of it, so that no input counts against it
                    break
                found = np.concatenate([found, worst, _counterexamples(comparison, fitted, budget, found)])
            if not np.isfinite(upper):
                break
    return Led(best, tuple(made), found)


def spread(region: Region, rng: np.random.Generator) -> FloatArray:
    """Corners of a domain, as many as are few, and points drawn from it."""
    corners = [
        np.where(ends, high, low)
        for low, high in zip(region.low, region.high, strict=True)
        for ends in _corners(len(low), MOST_CORNERS // len(region.low), rng)
    ]
    drawn = region.drawn(SPREAD, rng)
    points = np.concatenate([np.array(corners).reshape(-1, drawn.shape[1]), drawn])
    return points[region.contains(points)]


def _corners(inputs: int, most: int, rng: np.random.Generator) -> list[tuple[bool, ...]]:
    """Which end of every input a corner has: all, or some drawn ones."""
    if 2**inputs <= most:
        return list(product((False, True), repeat=inputs))
    return [tuple(row) for row in rng.integers(0, 2, (most, inputs)).astype(bool).tolist()]


def _counterexamples(comparison: EveryInputComparison, fitted: Reduced, budget: float, known: FloatArray) -> FloatArray:
    """The worst local maxima of the deviation that come near the budget or break it."""
    found = [
        pair
        for difference in comparison.differences(fitted.task, fitted.sites)
        for pair in difference.maxima(known[-MOST_WORST:], MOST_WORST)
    ]
    worst = sorted((pair for pair in found if pair[1] > SMALLER * budget), key=lambda pair: -pair[1])
    return np.array([point for point, _ in worst[:MOST_WORST]]).reshape(-1, known.shape[1])
