"""Random pruning: the control every method must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy


@dataclass(frozen=True)
class Random(Strategy):
    """A uniformly random order, reproducible by its seed.

    Example:
        >>> Random()
        Random()
    """

    name: ClassVar[str] = "random"
    replaces: ClassVar[bool] = True

    def propose(self, evidence: Evidence) -> Proposal:
        return Proposal(order=[int(j) for j in evidence.rng.permutation(len(evidence.candidates))])
