"""Pruning under a limit for every input: by removal alone, and by refit that counterexamples guide.

A circuit that was fitted to some inputs keeps a budget on those and may break it between them. So where the limit for
every input is broken, the worst inputs join the ensemble, and the weights are fitted again; where no weights keep the
budget on the ensemble, gates are looked for anew. What is accepted is decided by the proven upper limit alone.

Source: THEORY T9, pruning under it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Protocol

import numpy as np

from qprune._arrays import FloatArray
from qprune.geometry.regions import Region
from qprune.limits.claim_everywhere import EveryInputComparison
from qprune.limits.on_inputs import Check, unlimited
from qprune.limits.removal import Reduced
from qprune.task.task import Task

SHARES = (0.9, 0.9, 0.9, 0.75)  # of the budget that each fit may spend on the ensemble, to which counterexamples come
EXCHANGES = 12  # fits of the weights alone after each of these, at most, with more and more counterexamples
AT_ONCE = 8  # gates taken at once at first from a circuit that keeps the budget, then half of that and so on
IN_A_ROW = 12  # gates tried by themselves, one after another, until one goes
TRADES = 5  # fits of the weights alone after each of these
MOST_WORST = 25  # worst inputs added a round
SPREAD = 150  # points of the domain in the first ensemble
MOST_CORNERS = 64  # of the domain's boxes
SMALLER = 0.9  # share of the budget above which a local maximum is a counterexample


class Fits(Protocol):
    """Circuits with weights fitted to the outputs of the original on inputs that a task lists: an ensemble."""

    def pruned(self, task: Task, budget: float) -> Reduced:
        """The smallest circuit that keeps a budget on the ensemble."""
        ...

    def again(self, task: Task, reduced: Reduced, budget: float) -> Reduced:
        """A smaller circuit, its weights fitted again; its gates stay."""
        ...

    def order(self, task: Task, reduced: Reduced) -> Sequence[int]:
        """Gates of a smaller circuit that may go, those first that the others are expected to make up for."""
        ...

    def lowered(self, task: Task, reduced: Reduced, gone: Sequence[int], budget: float) -> Reduced:
        """A smaller circuit without some of its gates, the weights of the others fitted."""
        ...


class UpperEverywhere:
    """Measures a smaller circuit by its proven limit for every input, in place of its deviation on the samples.

    The search stops as soon as it is known whether the budget is kept. Inputs that broke it are looked at first from
    then on, so that most circuits that break it cost no search.

    Args:
        comparison: The original and the domain.
        budget: The limit to be kept.
        check: Called every second or so; ends it by raising.
        left: Seconds until it raises.

    Attributes:
        worst: Inputs that broke the budget, shape (P, n).
    """

    def __init__(
        self,
        comparison: EveryInputComparison,
        budget: float,
        check: Check = unlimited,
        left: Callable[[], float] = lambda: np.inf,
    ) -> None:
        self.comparison, self.budget, self.check, self.left = comparison, budget, check, left
        self.worst = comparison.original.inputs[:0]
        self._ensemble: Task | None = None

    def __call__(self, reduced: Reduced) -> float:
        upper, worst = self.comparison.upper(
            reduced.task, reduced.sites, self.budget, self.worst[-MOST_WORST:], self.check, self.left()
        )
        self.check()  # a search that time has cut short says nothing of the circuit
        if upper > self.budget:
            self.worst = np.concatenate([self.worst, worst])
        return upper

    def searched(self, reduced: Reduced) -> float:
        """The same, where local maxima that come near the budget or break it join the worst inputs, too."""
        upper = self(reduced)
        if self.budget < upper < np.inf:
            self.worst = np.concatenate([self.worst, self._maxima(reduced)])
        return upper

    @cached_property
    def _known(self) -> FloatArray:
        original, rng = self.comparison.original, np.random.default_rng(self.comparison.seed)
        return np.concatenate([original.inputs[original.selected], spread(self.comparison.region, rng)])

    @property
    def ensemble(self) -> Task:
        """The original on inputs that weights are fitted to: its samples, a spread of the domain, the worst inputs.

        The same task until more inputs have joined.
        """
        if self._ensemble is None or len(self._ensemble.inputs) < len(self._known) + len(self.worst):
            self._ensemble = self.comparison.original.with_inputs(np.concatenate([self._known, self.worst]))
        return self._ensemble

    def _maxima(self, reduced: Reduced) -> FloatArray:
        found = [
            pair
            for difference in self.comparison.differences(reduced.task, reduced.sites, self.check)
            for pair in difference.maxima(self.worst[-MOST_WORST:], MOST_WORST)
        ]
        worst = sorted((pair for pair in found if pair[1] > SMALLER * self.budget), key=lambda pair: -pair[1])
        return np.array([point for point, _ in worst[:MOST_WORST]]).reshape(-1, self.worst.shape[1])


def exchanged(measure: UpperEverywhere, fitted: Reduced, fits: Fits, most: int) -> tuple[Reduced | None, list[float]]:
    """A circuit that keeps the budget everywhere by weights that are fitted again to what broke it, as long as they do.

    Args:
        measure: Its budget, and the ensemble that counterexamples join.
        fitted: Within the budget on that ensemble.
        fits: Whose `again` is used.
        most: Fits of the weights, ≥ 0.

    Returns:
        The circuit with its proven limit as deviation, None where there is none, and the limits on the way.
    """
    limits = list[float]()
    while True:
        limits.append(measure.searched(fitted))
        if limits[-1] <= measure.budget:
            return replace(fitted, deviation=limits[-1]), limits
        if len(limits) > most or not np.isfinite(limits[-1]):
            return None, limits
        fitted = fits.again(measure.ensemble, fitted, SMALLER * measure.budget)
        if fitted.deviation > measure.budget:  # these gates cannot keep it on these inputs
            return None, limits


def descended(measure: UpperEverywhere, start: Reduced, fits: Fits, look: Callable[[Reduced], None]) -> Reduced:
    """Gates taken from a circuit that keeps the budget everywhere, a few at once or one by one, weights following.

    Every step is proven, so that it is of use where a fit of the whole breaks the budget again and again between the
    inputs that are known: on domains of many inputs.

    Args:
        measure: The budget, and the ensemble.
        start: Within the budget, its deviation the proven limit.
        fits: Makes smaller circuits.
        look: Told of each that keeps the budget.
    """
    current, size, failed = start, AT_ONCE, set[tuple[int, ...]]()
    while size and (order := fits.order(measure.ensemble, current)):
        tried = [order[:size]] if size > 1 else [[k] for k in order if current.sites[k].origins not in failed]
        for gone in tried[:IN_A_ROW]:
            fitted = fits.lowered(measure.ensemble, current, gone, SMALLER * measure.budget)
            smaller = exchanged(measure, fitted, fits, TRADES)[0] if fitted.deviation <= measure.budget else None
            if smaller is not None:
                look(smaller)
                current = smaller
                break
            if size == 1:
                failed.add(current.sites[gone[0]].origins)
        else:
            size //= 2
    return current


@dataclass(frozen=True)
class Round:
    """One circuit that was fitted, and what came of it.

    Attributes:
        share: Of the budget, that the fit was given.
        samples: Inputs it was fitted on.
        gates: That it left.
        limits: Its proven limits for every input, as its weights were fitted again, as sharp as it took to judge it.
    """

    share: float
    samples: int
    gates: int
    limits: tuple[float, ...]


@dataclass(frozen=True)
class Led:
    """What refit led by counterexamples came to.

    Attributes:
        reduced: The circuit; its `deviation` is the proven limit for every input.
        rounds: Every fit, in order.
    """

    reduced: Reduced
    rounds: tuple[Round, ...]


def led_by_counterexamples(
    measure: UpperEverywhere,
    start: Reduced,
    fits: Fits,
    cost: Callable[[Reduced], float],
    shares: Sequence[float] = SHARES,
) -> Led:
    """Prune with refit until the proven limit for every input is within a budget.

    Args:
        measure: The budget, ≥ 0, and the ensemble.
        start: A circuit within the budget, at worst the original; it is the answer if no fit gives a cheaper one.
        fits: Prunes the original on the ensemble, and fits the weights of what that gave once more, where some input
            broke the budget, as long as the ensemble itself can be kept within it.
        cost: Of a circuit; the cheapest that keeps the budget wins.
        shares: Of the budget that fits may spend on their ensemble; the next is tried where the last breaks the budget.

    Source: THEORY T9, pruning under it.
    """
    made = list[Round]()
    for share in shares:
        ensemble = measure.ensemble
        fitted = fits.pruned(ensemble, share * measure.budget)
        if cost(fitted) >= cost(start):  # more inputs or a smaller share let no more go
            break
        found, limits = exchanged(measure, fitted, fits, EXCHANGES)
        made.append(Round(share, len(ensemble.inputs), len(fitted.sites), tuple(limits)))
        if found is not None:
            return Led(min(start, found, key=cost), tuple(made))
        if not np.isfinite(limits[-1]):  # nothing can be said of it, so that no input counts against it
            break
    return Led(start, tuple(made))


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
