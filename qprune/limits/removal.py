"""Remove, simplify, measure, and keep what the budget admits on every sample.

The deviation is measured by exact simulation, so the claim on the ensemble is exact; beyond it only T5 speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from qprune.exact.simplify import ExactChange, apply, simplify
from qprune.gates.sites import Site, circuit_of
from qprune.limits.progress import Watch
from qprune.selection.candidate import Candidate
from qprune.selection.select import longest_prefix
from qprune.selection.strategies.base import Proposer, taken_in_turn
from qprune.task.task import Task

LEAST_COST = 1e-9  # share of the largest cost that a gate counts with at least
Measure: TypeAlias = "Callable[[Reduced], float]"  # how far a smaller circuit is from the original


@dataclass(frozen=True)
class Screen:
    """Judges removals without simplifying, so more cheaply than a `Measure`.

    Attributes:
        of: For a circuit: how far it is from the original without some of its gates.
        decides: Whether what it lets pass counts as kept while sets are compared, and is measured only when taken.
            Else it spares what it shows to break the budget, and the rest is measured.
    """

    of: Callable[[Reduced], Callable[[Sequence[int]], float]]
    decides: bool = True


@dataclass(frozen=True)
class Reduced:
    """A smaller circuit on the way.

    Attributes:
        task: The circuit with its weights, on the fitting ensemble.
        sites: Its gates.
        deviation: Largest |Δ| of any output on any selected sample, or what else is judged by; infinite while it is
            not known.
        gone: Original gates that were removed approximately.
        changes: Exact simplifications on the way.
        cut: Why the search for it ended early: "time limit", "interrupted", or None.
    """

    task: Task
    sites: tuple[Site, ...]
    deviation: float = np.inf
    gone: frozenset[int] = frozenset()
    changes: tuple[ExactChange, ...] = ()
    cut: str | None = None

    def without(self, gone: Sequence[int]) -> Reduced:
        """The circuit with some of its gates removed, simplified; its deviation is not known yet."""
        sites, changes = simplify(self.task, apply(self.task, self.sites, dict.fromkeys(gone, ())))
        origins = self.gone.union(*(self.sites[k].origins for k in gone))
        task = self.task.with_circuit(circuit_of(self.task, sites))
        return Reduced(task=task, sites=sites, gone=origins, changes=self.changes + changes)


def remove_verified(
    start: Reduced,
    budget: float,
    candidates: Callable[[Reduced], list[Candidate]],
    deviation: Measure,
    strategy: Proposer,
    watch: Watch[Reduced],
    screen: Screen | None = None,
) -> Reduced:
    """Remove gates while the measured deviation stays within the budget.

    Each round orders the gates by their distance on the present circuit, or as the strategy says, finds by bisection
    how many of the first can go, and measures again; the last rounds try gates one by one.

    Args:
        start: The simplified original.
        budget: Largest deviation to allow.
        candidates: Compares the gates of a circuit with the identity.
        deviation: Measures a circuit against the original.
        strategy: Gives sets and an order, or leaves it to the distance per gain.
        watch: Told of every circuit that keeps the budget, and asked whether to go on.
        screen: Compares first, so that only what it lets pass is measured.

    Raises:
        OutOfTime: The watch's time is up; it has the best circuit so far.
    """

    current = start
    while True:
        watch.look(current)
        trials = _Trials(current, budget, deviation, watch, screen)
        found = candidates(current)
        proposal = strategy.propose(found, current.sites, current.task)
        tried: Iterable[list[int]]
        if proposal is None:
            ranked = by_distance(found)
            most = longest_prefix(len(ranked), partial(trials.fit_first, ranked))
            tried = (ranked[:most], *([k] for k in ranked))
        else:
            chosen = taken_in_turn(proposal, [c.place for c in found], trials.fits)
            # What a screen lets pass may fail once measured, by rounding: then all but the last.
            tried = (chosen[:count] for count in range(len(chosen), 0, -1))
        for gone in tried:
            if gone and trials.fits(gone) and (smaller := trials.measured(gone)).deviation <= budget:
                current = smaller
                break
        else:
            return current


class _Trials:
    """A circuit without some of its gates, measured."""

    def __init__(
        self,
        current: Reduced,
        budget: float,
        deviation: Measure,
        watch: Watch[Reduced],
        screen: Screen | None,
    ) -> None:
        self.current, self.budget, self.deviation, self.watch = current, budget, deviation, watch
        self.screen = None if screen is None else screen.of(current)
        self.screen_decides = screen is not None and screen.decides
        self._known: dict[tuple[int, ...], Reduced] = {}

    def fits(self, gone: Sequence[int]) -> bool:
        """Whether the budget is kept, as far as has to be known."""
        self.watch.check()
        if self.screen is not None and self.screen(gone) > self.budget:
            return False
        return self.screen_decides or self.measured(gone).deviation <= self.budget

    def fit_first(self, ranked: Sequence[int], count: int) -> bool:
        return self.fits(ranked[:count])

    def measured(self, gone: Sequence[int]) -> Reduced:
        key = tuple(gone)
        if key not in self._known:
            smaller = self.current.without(gone)
            self._known[key] = replace(smaller, deviation=self.deviation(smaller))
        return self._known[key]


def by_distance(candidates: Sequence[Candidate]) -> list[int]:
    """Sites by squared distance per gain, least first."""
    least = LEAST_COST * max((c.gain for c in candidates), default=0) or 1.0
    return [c.place for c in sorted(candidates, key=lambda c: (c.distance**2 / max(c.gain, least), c.place))]
