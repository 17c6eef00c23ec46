"""Magnitude pruning: smallest rotation angle first, whatever the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.strategies.base import Strategy


@dataclass(frozen=True)
class Magnitude(Strategy):
    """Orders by the distance of the gate itself to its representative, no state involved."""

    name: ClassVar[str] = "magnitude"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site], rng: np.random.Generator) -> list[int]:
        return sorted(range(len(candidates)), key=lambda j: (candidates[j].turn, j))
