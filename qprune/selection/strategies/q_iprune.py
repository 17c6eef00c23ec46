"""q-iPrune: the set of largest total gain that the bound admits (arXiv:2512.24019; THEORY T1, T2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.strategies.base import Strategy


@dataclass(frozen=True)
class QIPrune(Strategy):
    """Leaves the order to the search over task-conditioned angles."""

    name: ClassVar[str] = "q-iprune"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site], rng: np.random.Generator) -> None:
        return None
