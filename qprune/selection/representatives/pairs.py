"""Pairs of one-qubit gates in the place of a two-qubit gate."""

from __future__ import annotations

from qprune.gates.sites import Replacement
from qprune.selection.candidate import Candidate
from qprune.selection.offers import Offers
from qprune.selection.product_pairs import best_pairs, mean_overlap, product_of, written

WORTH = 0.9  # what a dearer pair must leave of d², for one gate more to be worth it
EQUAL = 1e-12  # mean overlaps, in [0, 1], that differ by no more are rounding of the same


def local_pairs(offers: Offers, k: int) -> list[Candidate]:
    """Pairs of one-qubit gates in the place of a two-qubit gate, at most one on each qubit.

    Of all that the search finds, for each cost the nearest, if nearer by a tenth in d² than all that is cheaper,
    the identity among them.

    Source: THEORY section 4.
    """
    group, gate, weights = offers.distances.group(k).whole, offers.distances.matrix(k), offers.distances.weights
    states = offers.distances.states(k, group)
    pairs, reached = best_pairs(states, gate, weights)
    by_cost: dict[float, list[tuple[float, Replacement]]] = {}
    for pair, value in zip(pairs, reached.tolist(), strict=True):
        by = written(pair, group.qubits)
        by_cost.setdefault(offers.cost_instead(k, by), []).append((value, by))
    best, chosen = mean_overlap(states, gate, weights), []
    for cost, alike in sorted(by_cost.items()):
        top = max(value for value, _ in alike)
        if 1 - top < WORTH * (1 - best) - EQUAL and cost < offers.cost(k):
            chosen.append(next(by for value, by in alike if value > top - EQUAL))
            best = top
    relatives = [gate.conj().T @ product_of(by, group.qubits) for by in chosen]
    compared = offers.distances.to_matrices(k, relatives, group)
    return [offers.replacement(k, by, _label(by), found) for by, found in zip(chosen, compared, strict=True)]


def _label(by: Replacement) -> str:
    return " and ".join(f"{operation.name} on {q}" for operation, (q,) in by)
