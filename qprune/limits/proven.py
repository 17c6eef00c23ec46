"""A budget that the proven bound keeps on every sample, known before anything is simulated again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune.exact.simplify import apply, light_cones, simplify
from qprune.gates.costs import cost_of
from qprune.geometry import bounds
from qprune.limits.base import (
    AGGREGATES,
    Limit,
    Rewritten,
    checked_aggregate,
    checked_budget,
    checked_tolerance,
    checked_window,
    option,
    set_checked,
)
from qprune.limits.candidates import candidates_of, rewritten
from qprune.limits.measuring import surroundings
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.proof import bound_of
from qprune.selection.candidate import Candidate
from qprune.selection.select import extended, within_budget


@dataclass(frozen=True)
class Proven(Limit):
    """No output of any selected sample changes by more than the budget: proven, before anything is simulated again.

    For every sample the states differ by an angle Θ ≤ Σ_k θ_k, and every output by at most what Θ allows. The set of
    gates with the largest total cost whose bound stays within the budget goes.

    Args:
        budget: Largest change allowed, ≥ 0, in the observables' unit; total variation for probabilities.
        tolerance: Optional threshold ε₀ in [0, √2] on d_q of each single gate, besides.
        aggregate: d_q over the samples: "rms" (√Σ p_i d²) or "max".
        window: As in `Threshold`; the budget is spent on the sharper bound.

    Raises:
        OptionError: A value is out of its range.

    Source: THEORY T2, T6, T8.

    Example:
        >>> Proven(0.05)
        Proven(budget=0.05, tolerance=None, aggregate='rms', window='auto')
    """

    budget: float
    tolerance: float | None = option(None, "threshold on d_q of a single gate besides, 0 to √2", type=float)
    aggregate: str = option("rms", "d_q over the samples", choices=AGGREGATES)
    window: int | str = option("auto", "qubits per window of the bound, 0 for none, or auto")
    name: ClassVar[str] = "proven"
    main: ClassVar[str] = "budget"
    judged_by: ClassVar[str] = "bound"
    words: ClassVar[str] = "largest change of any output of any sample, proven beforehand"
    quick: ClassVar[bool] = True

    def __post_init__(self) -> None:
        set_checked(
            self,
            budget=checked_budget(self.budget),
            tolerance=None if self.tolerance is None else checked_tolerance(self.tolerance),
            aggregate=checked_aggregate(self.aggregate),
            window=checked_window(self.window),
        )

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.tolerance, self.aggregate, self.window)

    def choose(self, prepared: Prepared) -> Rewritten:
        compared = candidates_of(prepared)
        admissible = [c for c in compared if c.distance <= prepared.tolerances[c.place]]
        removals = [c for c in admissible if c.removes]
        # More to choose from is no promise of a better choice where a search is greedy: removals alone, too.
        choices = [removals] if len(removals) == len(admissible) else [admissible, removals]
        found = [_within(prepared, some, self.budget) for some in choices]
        chosen = found[0] if len(found) == 1 else min(found, key=lambda some: _cost_left(prepared, some))
        return rewritten(prepared, chosen, compared)


def _within(prepared: Prepared, candidates: Sequence[Candidate], budget: float) -> list[Candidate]:
    task, sites, pairs = prepared.task, prepared.sites, prepared.offers.pairs
    proposer = prepared.settings.ordering.seeded(prepared.settings.seed, surroundings(prepared, budget))
    taken = within_budget(
        candidates,
        _largest_angles(prepared, budget),
        lambda separated: light_cones(task, sites, separated),
        proposer,
        sites,
        pairs,
    )
    if prepared.windows is None:
        return taken
    return extended(
        taken, candidates, lambda chosen: bool(np.all(bound_of(prepared, chosen) <= budget)), proposer, sites, pairs
    )


def _largest_angles(prepared: Prepared, budget: float) -> FloatArray:
    """Θ up to which a bound stays within the budget, shape (R, M)."""
    task, outputs = prepared.task, prepared.prefix.outputs
    if task.observables is None:
        return bounds.largest_distribution_angle(budget, len(task.selected))[None]
    return np.array(
        [
            bounds.largest_angle(budget, outputs.centred[r], outputs.deviations[r], spectrum, outputs.rounding)
            for r, spectrum in enumerate(task.spectra)
        ]
    )


def _cost_left(prepared: Prepared, chosen: Sequence[Candidate]) -> float:
    left, _ = simplify(prepared.task, apply(prepared.task, prepared.sites, {c.place: c.by for c in chosen}))
    return sum(cost_of(site, prepared.costs) for site in left)
