"""Random pruning: the control every method must beat."""

from __future__ import annotations

from collections.abc import Sequence

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.strategies.base import Strategy


class Random(Strategy):
    """A uniformly random order, reproducible by its seed."""

    name = "random"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> list[int]:
        return [int(j) for j in self.rng.permutation(len(candidates))]
