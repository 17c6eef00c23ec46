"""Gates that cancel exactly once those between them are gone: the two halves of an entangling ladder, above all.

CX RZ CX is a rotation about ZZ. Whoever removes its RZ removes the ladder too, and gains two CX; whoever removes one
CX as well has paid for it and keeps the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from qprune.gates.sites import Site
from qprune.gates.subgroups import Subgroup, commute, subgroup_of


@dataclass(frozen=True)
class InversePair:
    """Two gates of one class whose product is the identity.

    Attributes:
        first, second: Their places.
        between: The gates between them on their qubits.
        blockers: Those of them that keep the two apart, as they do not commute with them.
    """

    first: int
    second: int
    between: frozenset[int]
    blockers: frozenset[int]


def inverse_pairs(sites: Sequence[Site]) -> tuple[InversePair, ...]:
    """All pairs of neighbours in one class that cancel at fixed angles once their blockers are gone; shortest first."""
    last: dict[Subgroup, int] = {}
    pairs = []
    for j, site in enumerate(sites):
        group = subgroup_of(site)
        if group is None or group.family == "special":
            continue
        i = last.get(group)
        last[group] = j
        if i is not None and _are_inverse(sites[i], site, group):
            between = [k for k in range(i + 1, j) if not set(site.qubits).isdisjoint(sites[k].qubits)]
            blockers = (k for k in between if not commute(group, subgroup_of(sites[k])))
            pairs.append(InversePair(i, j, frozenset(between), frozenset(blockers)))
    return tuple(sorted(pairs, key=lambda pair: pair.second - pair.first))


def freed(
    pairs: Sequence[InversePair], removed: AbstractSet[int], changed: AbstractSet[int] = frozenset()
) -> frozenset[int]:
    """The gates that cancel in pairs once others are gone: ladders from the inside out.

    Args:
        pairs: From `inverse_pairs`.
        removed: Gates replaced by the identity.
        changed: Gates replaced by something else, which may commute with less.
    """
    partner: dict[int, int] = {}

    def is_gone(k: int, pair: InversePair) -> bool:
        # Only what cancels inside the pair counts: two pairs that interleave would each wait for the other.
        return k in removed or pair.first < partner.get(k, -1) < pair.second

    for pair in pairs:
        ends = {pair.first, pair.second}
        if (
            ends.isdisjoint(partner)
            and ends.isdisjoint(removed)
            and changed.isdisjoint(ends | pair.between)
            and all(is_gone(k, pair) for k in pair.blockers)
        ):
            partner |= {pair.first: pair.second, pair.second: pair.first}
    return frozenset(partner)


def freed_alone(pairs: Sequence[InversePair]) -> dict[int, frozenset[int]]:
    """What the removal of a single gate frees, by gate; gates that free nothing are left out."""
    keys = {k for pair in pairs if len(pair.blockers) == 1 for k in pair.blockers}
    return {k: gates for k in sorted(keys) if (gates := freed(pairs, {k}))}


def needed(
    pairs: Sequence[InversePair],
    removed: AbstractSet[int],
    changed: AbstractSet[int] = frozenset(),
    admissible: Callable[[AbstractSet[int]], bool] = lambda rest: True,
) -> AbstractSet[int]:
    """The replaced gates without those that, left alone, cancel exactly.

    Args:
        pairs: From `inverse_pairs`.
        removed: Gates replaced by the identity.
        changed: Gates replaced by something else.
        admissible: Whether so many of them may stand for all.
    """
    left, spared = removed | changed, set[int]()
    for pair in pairs:
        ends = {pair.first, pair.second}
        rest = left - ends
        if len(rest) < len(left) and spared | ends <= freed(pairs, rest & removed, rest & changed) and admissible(rest):
            left, spared = rest, spared | ends
    return left


def _are_inverse(first: Site, second: Site, group: Subgroup) -> bool:
    angles = [t for t in (first.coordinate, second.coordinate) if isinstance(t, float)]
    return len(angles) == 2 and group.is_identity(group.sum_of(*angles))
