"""What a strategy is: an opinion on the order of removal, nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate


class Strategy(ABC):
    """Orders candidates for removal under a budget; the selection decides what fits.

    Args:
        seed: For strategies that draw.
    """

    name: ClassVar[str]

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> list[int] | None:
        """Indices of candidates, first to go first; None leaves it to the search for the largest gain."""
