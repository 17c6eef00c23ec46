"""Which candidates are taken: the tolerance, the budget and the loop.

Strategies only say in which order candidates are tried; what fits is decided here, by `bounds`, so none can cheat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.exact.cancellation import InversePair, freed, needed
from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.integer_program import solved
from qprune.selection.strategies.base import Proposal, Proposer

TRIED_ALONE = 8  # candidates that a sharper bound is asked about one by one when no run of them fits
EXACT_SEARCH_NODES = 2000  # branch-and-bound nodes of the budget problem before the best set found is taken


def within_tolerance(
    candidates: Sequence[Candidate], tolerances: FloatArray, pairs: Sequence[InversePair] = ()
) -> list[Candidate]:
    """Every gate that has a representative with d_q ≤ ε_k, with its best one (T1).

    The identity is preferred, as the gate then disappears; else the largest gain, then the nearest.

    Args:
        candidates: All candidates.
        tolerances: ε_k by site.
        pairs: Gates that cancel once others are gone; what cancels exactly is not replaced.
    """
    best: dict[int, Candidate] = {}
    for candidate in candidates:
        if candidate.distance <= tolerances[candidate.place]:
            rival = best.get(candidate.place)
            if rival is None or _preference(candidate) < _preference(rival):
                best[candidate.place] = candidate
    return settled(list(best.values()), pairs)


def _preference(candidate: Candidate) -> tuple[bool, float, float]:
    return (not candidate.removes, -candidate.gain, candidate.distance)


def settled(
    chosen: Sequence[Candidate],
    pairs: Sequence[InversePair],
    fits: Callable[[Sequence[Candidate]], bool] = lambda chosen: True,
) -> list[Candidate]:
    """The chosen candidates by site, without gates that, left alone, cancel exactly: no half of a ladder goes.

    Args:
        chosen: At most one candidate per site.
        pairs: Gates that cancel once others are gone.
        fits: Whether a smaller choice keeps to the budget: a gate put back may widen a light cone.
    """
    by_site = {c.place: c for c in chosen}
    left = needed(pairs, *_removed_and_changed(chosen), lambda rest: fits([by_site[k] for k in sorted(rest)]))
    return [by_site[k] for k in sorted(left)]


ConeOf = Callable[[set[int]], NDArray[np.bool_]]


def within_budget(
    candidates: Sequence[Candidate],
    largest_angles: FloatArray,
    cone_of: ConeOf,
    strategy: Proposer,
    sites: Sequence[Site],
    pairs: Sequence[InversePair] = (),
) -> list[Candidate]:
    """A set of candidates whose proven bound stays within the budget.

    The budget is a linear constraint per output r and sample i: Σ_k θ_{k,i} ≤ Θmax_{r,i} over the chosen gates inside
    the light cone of r (T2). Without an order from the strategy, the set of largest total gain is found by integer
    programming; chosen gates that the smaller circuit's light cone has lost no longer count, so the search goes on
    until nothing more fits.

    Args:
        candidates: All candidates.
        largest_angles: Θmax_{r,i}, shape (R, M).
        cone_of: Separated sites to the (R, number of sites) mask of sites that still lie in each output's light cone.
        strategy: Gives sets and an order, or leaves it to the search.
        sites: The gates.
        pairs: Gates that cancel once others are gone.
    """

    def left(chosen: Sequence[Candidate]) -> tuple[FloatArray, NDArray[np.bool_]]:
        cone = cone_of({c.place for c in chosen if c.separates})
        return largest_angles - angles_used(chosen, cone, largest_angles.shape), cone

    proposal = strategy.propose(candidates, sites)
    sets, ordered = _proposed(proposal, candidates)
    taken = next((some for some in sets if np.all(left(some)[0] >= 0)), [])
    while True:
        gone = gone_with(taken, pairs)
        present = [c for c in ordered if c.place not in gone]
        more = (_largest_gain if proposal is None else _in_order)(present, *left(taken))
        if not more:
            return taken
        taken = settled([*taken, *more], pairs, lambda chosen: bool(np.all(left(chosen)[0] >= 0)))


def extended(
    taken: Sequence[Candidate],
    candidates: Sequence[Candidate],
    fits: Callable[[Sequence[Candidate]], bool],
    strategy: Proposer,
    sites: Sequence[Site],
    pairs: Sequence[InversePair] = (),
) -> list[Candidate]:
    """Add more candidates as long as a sharper bound than the sum of angles allows.

    They come in the strategy's order, or by the least angle per gain where it has none.

    Args:
        taken: What the sum admits already.
        candidates: All candidates.
        fits: Whether the sharper bound of a whole set stays within the budget.
        strategy: As in `within_budget`.
        sites: The gates.
        pairs: As in `within_budget`.
    """
    current = list(taken)
    proposal = strategy.propose(candidates, sites)
    sets, ranked = _proposed(proposal, candidates)
    if (larger := next((some for some in sets if fits(some)), None)) is not None:
        current = max(current, larger, key=lambda chosen: sum(c.gain for c in chosen))
    if proposal is None:
        ranked = [c for c in ranked if c.gain > 0]
        ranked.sort(key=lambda c: (np.sqrt(np.mean(c.angles**2)) / c.gain, c.place))
    while True:
        gone = gone_with(current, pairs)
        order = [c for c in ranked if c.place not in gone]
        firsts = list({c.place: c for c in reversed(order)}.values())[::-1]
        count = longest_prefix(len(firsts), lambda m: fits([*current, *firsts[:m]]))  # noqa: B023
        more = firsts[:count] or next(([c] for c in firsts[:TRIED_ALONE] if fits([*current, c])), [])
        if not more:
            return sorted(current, key=lambda c: c.place)
        current = settled([*current, *more], pairs, fits)


def _proposed(
    proposal: Proposal | None, candidates: Sequence[Candidate]
) -> tuple[list[list[Candidate]], list[Candidate]]:
    """Sets to try, each gate but once in one of them, and the order; all candidates where there is no proposal."""
    if proposal is None:
        return [], list(candidates)
    sets = [[candidates[j] for j in some] for some in proposal.sets]
    whole = [some for some in sets if len({c.place for c in some}) == len(some)]
    return whole, [candidates[j] for j in proposal.order]


def gone_with(chosen: Sequence[Candidate], pairs: Sequence[InversePair]) -> set[int]:
    """The sites that are replaced, and those that cancel then."""
    removed, changed = _removed_and_changed(chosen)
    return removed | changed | freed(pairs, removed, changed)


def _removed_and_changed(chosen: Sequence[Candidate]) -> tuple[set[int], set[int]]:
    return {c.place for c in chosen if c.removes}, {c.place for c in chosen if not c.removes}


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
        total += cone[:, candidate.place, None] * candidate.angles
    return total


def _in_order(candidates: Sequence[Candidate], left: FloatArray, cone: NDArray[np.bool_]) -> list[Candidate]:
    taken: list[Candidate] = []
    gone: set[int] = set()
    used = np.zeros_like(left)
    for candidate in candidates:
        after = used + cone[:, candidate.place, None] * candidate.angles
        if gone.isdisjoint(candidate.takes) and np.all(after <= left):
            taken.append(candidate)
            gone |= candidate.takes
            used = after
    return taken


def _largest_gain(candidates: Sequence[Candidate], left: FloatArray, cone: NDArray[np.bool_]) -> list[Candidate]:
    """Maximise the total gain under the angle constraints; each gate goes but once, replaced or freed."""
    needs = np.array([cone[:, c.place, None] * c.angles for c in candidates]).reshape(len(candidates), left.size)
    limits = left.reshape(-1)
    usable = [j for j in range(len(candidates)) if candidates[j].gain > 0 and np.all(needs[j] <= limits)]
    if not usable:
        return []
    chosen_from = [candidates[j] for j in usable]
    needs, gains = needs[usable], np.array([c.gain for c in chosen_from])
    # Only rows that could bind; scaled to one, where the solver's own tolerance is meant.
    rows = (needs.sum(axis=0) > limits) & (limits > 0)
    greedy = _in_order(sorted(chosen_from, key=lambda c: (np.max(c.angles) / c.gain, c.place)), left, cone)
    if not rows.any():
        by_gain = sorted(chosen_from, key=lambda c: (-c.gain, c.distance, c.place))
        return _in_order(by_gain, left, cone)
    constraints = [scipy.optimize.LinearConstraint(np.unique((needs[:, rows] / limits[rows]).T, axis=0), -np.inf, 1.0)]
    takers = Counter(site for c in chosen_from for site in c.takes)
    if shared := sorted(site for site, count in takers.items() if count > 1):
        one_each = np.array([[site in c.takes for c in chosen_from] for site in shared], dtype=float)
        constraints.append(scipy.optimize.LinearConstraint(one_each, -np.inf, 1.0))
    # A sliver of gain per small angle makes the optimum unique where costs tie.
    worst = needs[:, rows].max(axis=1)
    objective = -(gains - 1e-6 * gains.min() * worst / max(worst.max(), 1e-300))
    solution = solved(
        objective,
        integrality=np.ones(len(chosen_from)),
        bounds=scipy.optimize.Bounds(0, 1),
        constraints=constraints,
        options={"node_limit": EXACT_SEARCH_NODES, "mip_rel_gap": 1e-7},
    )
    if solution.x is None:
        return greedy
    picked = [c for c, x in zip(chosen_from, solution.x, strict=True) if x > 0.5]
    # The solver's feasibility tolerance is not ours: what does not fit exactly is left out again, cheapest first.
    exact = _in_order(sorted(picked, key=lambda c: (-c.gain, c.place)), left, cone)
    exact += _in_order(
        [c for c in chosen_from if not any(c.takes & t.takes for t in exact)],
        left - angles_used(exact, cone, left.shape),
        cone,
    )
    return max(exact, greedy, key=lambda chosen: sum(c.gain for c in chosen))
