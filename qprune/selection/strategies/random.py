"""Random pruning: the control every method must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.strategies.base import Strategy


@dataclass(frozen=True)
class Random(Strategy):
    """A uniformly random order, reproducible by its seed."""

    name: ClassVar[str] = "random"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site], rng: np.random.Generator) -> list[int]:
        return [int(j) for j in rng.permutation(len(candidates))]
