"""Magnitude pruning: smallest rotation angle first, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy


@dataclass(frozen=True)
class Magnitude(Strategy):
    """Orders by the distance of the gate itself to its representative, no state involved.

    Example:
        >>> Magnitude()
        Magnitude()
    """

    name: ClassVar[str] = "magnitude"
    replaces: ClassVar[bool] = True

    def propose(self, evidence: Evidence) -> Proposal:
        return Proposal(order=evidence.ascending([c.turn for c in evidence.candidates]))
