"""Which candidates are taken: the tolerance, the budget and the loop.

Strategies only say in which order candidates are tried; what fits is decided here, by `bounds`, so none can cheat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction
from scipy.optimize import Bounds, LinearConstraint, milp

from qprune.gates import Site
from qprune.strategies.base import Strategy
from qprune.task import FloatArray

TRIED_ALONE = 8  # candidates that a sharper bound is asked about one by one when no run of them fits
EXACT_SEARCH_NODES = 2000  # branch-and-bound nodes of the budget problem before the best set found is taken


@dataclass(frozen=True)
class Candidate:
    """One way to replace one gate.

    Attributes:
        site: Index of the gate.
        by: What stands in its place; () is the identity: the gate disappears.
        label: The representative in words.
        distance: d_q aggregated over the ensemble; from measured expectations its upper limit.
        angles: Undeformed angle θ per sample, radians, shape (M,).
        gain: Cost saved.
        turn: How far the gate itself is from the representative, whatever the state: difference of group coordinates
            folded to [0, half a period], radians.
        distance_low: Lower limit of d_q, from measured expectations.
    """

    site: int
    by: tuple[tuple[Instruction, tuple[int, ...]], ...]
    label: str
    distance: float
    angles: FloatArray
    gain: float
    turn: float
    distance_low: float | None = None

    @property
    def removes(self) -> bool:
        return not self.by


def within_tolerance(candidates: Sequence[Candidate], tolerances: FloatArray) -> list[Candidate]:
    """Every gate that has a representative with d_q ≤ ε_k, with its best one (T1).

    The identity is preferred, as the gate then disappears; else the nearest representative.

    Args:
        candidates: All candidates.
        tolerances: ε_k by site.
    """
    best: dict[int, Candidate] = {}
    for candidate in candidates:
        if candidate.distance <= tolerances[candidate.site]:
            rival = best.get(candidate.site)
            if rival is None or _preference(candidate) < _preference(rival):
                best[candidate.site] = candidate
    return [best[site] for site in sorted(best)]


def _preference(candidate: Candidate) -> tuple[bool, float]:
    return (not candidate.removes, candidate.distance)


ConeOf = Callable[[set[int]], NDArray[np.bool_]]


def within_budget(
    candidates: Sequence[Candidate],
    largest_angles: FloatArray,
    cone_of: ConeOf,
    strategy: Strategy,
    sites: Sequence[Site],
) -> list[Candidate]:
    """A set of candidates whose proven bound stays within the budget.

    The budget is a linear constraint per output r and sample i: Σ_k θ_{k,i} ≤ Θmax_{r,i} over the chosen gates inside
    the light cone of r (T2). Without an order from the strategy, the set of largest total gain is found by integer
    programming; chosen gates that the smaller circuit's light cone has lost no longer count, so the search goes on
    until nothing more fits.

    Args:
        candidates: All candidates.
        largest_angles: Θmax_{r,i}, shape (R, M).
        cone_of: Removed sites to the (R, number of sites) mask of sites that still lie in each output's light cone.
        strategy: Gives the order, or leaves it to the search.
        sites: The gates.
    """
    order = strategy.order(candidates, sites)
    taken: list[Candidate] = []
    while True:
        cone = cone_of({c.site for c in taken if c.removes})
        left = largest_angles - angles_used(taken, cone, largest_angles.shape)
        free = {c.site for c in taken}
        open_candidates = [c for c in candidates if c.site not in free]
        more = (
            _largest_gain(open_candidates, left, cone)
            if order is None
            else _in_order([c for c in (candidates[j] for j in order) if c.site not in free], left, cone)
        )
        if not more:
            return sorted(taken, key=lambda c: c.site)
        taken += more


def extended(
    taken: Sequence[Candidate],
    candidates: Sequence[Candidate],
    fits: Callable[[Sequence[Candidate]], bool],
    strategy: Strategy,
    sites: Sequence[Site],
) -> list[Candidate]:
    """Add more candidates as long as a sharper bound than the sum of angles allows.

    They come in the strategy's order, or by the least angle per gain where it has none.

    Args:
        taken: What the sum admits already.
        candidates: All candidates.
        fits: Whether the sharper bound of a whole set stays within the budget.
        strategy: As in `within_budget`.
        sites: The gates.
    """
    current = list(taken)
    given = strategy.order(candidates, sites)
    ranked = [c for c in candidates if c.gain > 0] if given is None else [candidates[j] for j in given]
    if given is None:
        ranked.sort(key=lambda c: (np.sqrt(np.mean(c.angles**2)) / c.gain, c.site))
    while True:
        gone = {c.site for c in current}
        order = [c for c in ranked if c.site not in gone]
        firsts = list({c.site: c for c in reversed(order)}.values())[::-1]
        count = longest_prefix(len(firsts), lambda m: fits([*current, *firsts[:m]]))  # noqa: B023
        more = firsts[:count] or next(([c] for c in firsts[:TRIED_ALONE] if fits([*current, c])), [])
        if not more:
            return sorted(current, key=lambda c: c.site)
        current += more


def longest_prefix(size: int, fits: Callable[[int], bool]) -> int:
    """The largest m ≤ size with fits(m) that bisection finds, taking it that what fits still fits when shortened."""
    low, high = 0, size
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def angles_used(chosen: Sequence[Candidate], cone: NDArray[np.bool_], shape: tuple[int, ...]) -> FloatArray:
    """Σ_k θ_{k,i} over the chosen gates inside each output's light cone, shape (R, M)."""
    total = np.zeros(shape)
    for candidate in chosen:
        total += cone[:, candidate.site, None] * candidate.angles
    return total


def _in_order(candidates: Sequence[Candidate], left: FloatArray, cone: NDArray[np.bool_]) -> list[Candidate]:
    taken: dict[int, Candidate] = {}
    used = np.zeros_like(left)
    for candidate in candidates:
        after = used + cone[:, candidate.site, None] * candidate.angles
        if candidate.site not in taken and np.all(after <= left):
            taken[candidate.site], used = candidate, after
    return list(taken.values())


def _largest_gain(candidates: Sequence[Candidate], left: FloatArray, cone: NDArray[np.bool_]) -> list[Candidate]:
    """Maximise the total gain under the angle constraints, at most one candidate per site."""
    needs = np.array([cone[:, c.site, None] * c.angles for c in candidates]).reshape(len(candidates), left.size)
    limits = left.reshape(-1)
    usable = [j for j in range(len(candidates)) if candidates[j].gain > 0 and np.all(needs[j] <= limits)]
    if not usable:
        return []
    chosen_from = [candidates[j] for j in usable]
    needs, gains = needs[usable], np.array([c.gain for c in chosen_from])
    # Only rows that could bind; scaled to one, where the solver's own tolerance is meant.
    rows = (needs.sum(axis=0) > limits) & (limits > 0)
    greedy = _in_order(sorted(chosen_from, key=lambda c: (np.max(c.angles) / c.gain, c.site)), left, cone)
    if not rows.any():
        by_gain = sorted(chosen_from, key=lambda c: (-c.gain, c.distance, c.site))
        return _in_order(by_gain, left, cone)
    constraints = [LinearConstraint(np.unique((needs[:, rows] / limits[rows]).T, axis=0), -np.inf, 1.0)]
    sites = sorted({c.site for c in chosen_from})
    if len(sites) < len(chosen_from):
        one_each = np.array([[c.site == site for c in chosen_from] for site in sites], dtype=float)
        constraints.append(LinearConstraint(one_each, -np.inf, 1.0))
    # A sliver of gain per small angle makes the optimum unique where costs tie.
    worst = needs[:, rows].max(axis=1)
    objective = -(gains - 1e-6 * gains.min() * worst / max(worst.max(), 1e-300))
    solution = milp(
        objective,
        integrality=np.ones(len(chosen_from)),
        bounds=Bounds(0, 1),
        constraints=constraints,
        options={"node_limit": EXACT_SEARCH_NODES, "mip_rel_gap": 1e-7},
    )
    if solution.x is None:
        return greedy
    picked = [c for c, x in zip(chosen_from, solution.x, strict=True) if x > 0.5]
    # The solver's feasibility tolerance is not ours: what does not fit exactly is left out again, cheapest first.
    exact = _in_order(sorted(picked, key=lambda c: (-c.gain, c.site)), left, cone)
    exact += _in_order(
        [c for c in chosen_from if c.site not in {t.site for t in exact}],
        left - angles_used(exact, cone, left.shape),
        cone,
    )
    return max(exact, greedy, key=lambda chosen: sum(c.gain for c in chosen))
