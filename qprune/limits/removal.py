"""Verified mode: remove, simplify, measure, and keep what the budget admits on every sample.

The deviation is measured by exact simulation, so the claim on the ensemble is exact; beyond it only T5 speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from qprune.exact.simplify import ExactChange, apply, simplify
from qprune.gates.sites import Site, circuit_of
from qprune.selection.candidate import Candidate
from qprune.selection.select import longest_prefix
from qprune.selection.strategies.base import Order
from qprune.task.task import Task

LEAST_COST = 1e-9
Measure: TypeAlias = "Callable[[Reduced], float]"  # how far a smaller circuit is from the original


@dataclass(frozen=True)
class Reduced:
    """A smaller circuit on the way.

    Attributes:
        task: The circuit with its weights, on the fitting ensemble.
        sites: Its gates.
        deviation: Largest |Δ| of any output on any selected sample; infinite while it is not known.
        gone: Original gates that were removed approximately.
        changes: Exact simplifications on the way.
    """

    task: Task
    sites: tuple[Site, ...]
    deviation: float = np.inf
    gone: frozenset[int] = frozenset()
    changes: tuple[ExactChange, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        return dict(zip((p.name for p in self.task.weight_params), self.task.weights.tolist(), strict=True))

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
    strategy: Order,
    progress: bool,
) -> Reduced:
    """Remove gates while the measured deviation stays within the budget.

    Each round orders the gates by their distance on the present circuit, finds by bisection how many of the first can
    go, and measures again; the last rounds try gates one by one.

    Args:
        start: The simplified original.
        budget: Largest deviation to allow.
        candidates: Compares the gates of a circuit with the identity.
        deviation: Measures a circuit against the original.
        strategy: Gives the order, or leaves it to the distance per gain.
        progress: Show a progress bar.
    """
    current = start
    with tqdm(desc="pruning", unit="gate", disable=None if progress else True) as bar:
        while True:
            found = candidates(current)
            order = strategy.order(found, current.sites)
            ranked = by_distance(found) if order is None else [found[j].site for j in order]
            smaller = _most_that_fit(current, ranked, budget, deviation) or _first_that_fits(
                current, ranked, budget, deviation
            )
            if smaller is None:
                return current
            bar.update(len(current.sites) - len(smaller.sites))
            current = smaller


def by_distance(candidates: Sequence[Candidate]) -> list[int]:
    """Sites by squared distance per gain, least first."""
    return [c.site for c in sorted(candidates, key=lambda c: (c.distance**2 / max(c.gain, LEAST_COST), c.site))]


def _most_that_fit(current: Reduced, ranked: list[int], budget: float, deviation: Measure) -> Reduced | None:
    tried: dict[int, Reduced] = {}

    def fits(count: int) -> bool:
        smaller = current.without(ranked[:count])
        tried[count] = replace(smaller, deviation=deviation(smaller))
        return tried[count].deviation <= budget

    return tried.get(longest_prefix(len(ranked), fits))


def _first_that_fits(current: Reduced, ranked: list[int], budget: float, deviation: Measure) -> Reduced | None:
    for k in ranked:
        smaller = current.without([k])
        if (measured := deviation(smaller)) <= budget:
            return replace(smaller, deviation=measured)
    return None
