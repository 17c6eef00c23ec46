"""Random pruning: the control every method must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qprune.gates import Site
from qprune.strategies.base import Strategy

if TYPE_CHECKING:
    from qprune.selection import Candidate


class Random(Strategy):
    """A uniformly random order, reproducible by its seed."""

    name = "random"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> list[int]:
        return [int(j) for j in self.rng.permutation(len(candidates))]
