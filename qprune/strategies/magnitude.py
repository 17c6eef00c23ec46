"""Magnitude pruning: smallest rotation angle first, whatever the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qprune.gates import Site
from qprune.strategies.base import Strategy

if TYPE_CHECKING:
    from qprune.selection import Candidate


class Magnitude(Strategy):
    """Orders by the distance of the gate itself to its representative, no state involved."""

    name = "magnitude"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> list[int]:
        return sorted(range(len(candidates)), key=lambda j: (candidates[j].turn, j))
