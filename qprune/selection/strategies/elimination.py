"""Elimination: the costliest set that the budget admits, by branch and bound over keeping and removing each gate."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields


@dataclass(frozen=True)
class Elimination(Strategy):
    """max Σ_{k ∈ S} cost_k subject to deviation(S) ≤ budget, exactly, for up to `exact` candidates.

    Hypotheses (which gates stay) branch by one more gate, or a costlier one in place of the last, so that none saves
    more than the one it comes from: visited by falling saving, the first that keeps the budget is the optimum, and all
    that save less are cut. With more candidates, those of least deviation per cost are decided exactly and the others
    come after; after `leaves` hypotheses the search ends without a set. Both are warned of.

    Deviation is that of the samples, so that the optimum is that of `Measured` without refit; what further gates merge
    or cancel afterwards comes on top.

    Args:
        exact: Most candidates among which the optimum is sought, 1 to 30.
        leaves: Most hypotheses whose deviation is asked, ≥ 1.

    Source: pruning of hypotheses in hybrid factor graphs (GTSAM); at the level of gates ours.

    Example:
        >>> Elimination(exact=12)
        Elimination(exact=12, leaves=1048576)
    """

    exact: int = 14
    leaves: int = 2**20
    name: ClassVar[str] = "elimination"

    def __post_init__(self) -> None:
        set_fields(self, exact=(1, 30), leaves=(1, np.inf))

    def propose(self, evidence: Evidence) -> Proposal:
        size = len(evidence.candidates)
        alone = np.array([evidence.deviation([k]) for k in range(size)])
        ranked = evidence.ascending(alone**2 / np.maximum(evidence.costs, 1e-12 * evidence.costs.max(initial=0) or 1.0))
        chosen = sorted(ranked[: self.exact])
        if size > self.exact:
            self.cut(f"{size} candidates, of which the {self.exact} of least deviation per cost were decided exactly")
        for asked, gone in enumerate(by_falling_cost(evidence.costs[chosen]), 1):
            some = [chosen[j] for j in gone]
            if evidence.deviation(some) <= evidence.budget:
                return Proposal(order=ranked, sets=[some])
            if asked == self.leaves:
                self.cut(f"{asked} hypotheses asked without one that keeps the budget")
                break
        return Proposal(order=ranked)

    def cut(self, why: str) -> None:
        """Say that the set is no optimum."""
        warnings.warn(f"elimination had to cut: {why}; its set is no optimum", stacklevel=3)


def by_falling_cost(costs: FloatArray) -> Iterator[list[int]]:
    """Every subset once, the costliest first, ties in a fixed order; those of what stays come by rising cost."""
    cheapest = np.argsort(costs, kind="stable").tolist()
    everything = list(range(len(costs)))
    waiting: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]  # what stays, as positions in `cheapest`
    while waiting:
        total, stay = heapq.heappop(waiting)
        kept = {cheapest[j] for j in stay}
        yield [k for k in everything if k not in kept]
        # Each set but the empty one has one parent: without its last member's successor, or with the one before it.
        following = stay[-1] + 1 if stay else 0
        if following < len(cheapest):
            cost = float(costs[cheapest[following]])
            heapq.heappush(waiting, (total + cost, (*stay, following)))
            if stay:
                heapq.heappush(waiting, (total + cost - float(costs[cheapest[stay[-1]]]), (*stay[:-1], following)))
