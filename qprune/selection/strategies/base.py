"""What a strategy is: an opinion on which gates should go first, nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate


@dataclass(frozen=True)
class Strategy(ABC):
    """Orders candidates by preference; it cannot exceed a limit, as selection decides what fits.

    A strategy is a small frozen record of its own hyper-parameters and holds no state: what it draws comes from the
    generator that it is handed.
    """

    name: ClassVar[str]

    @abstractmethod
    def order(
        self, candidates: Sequence[Candidate], sites: Sequence[Site], rng: np.random.Generator
    ) -> list[int] | None:
        """Indices of candidates, first to go first; None leaves it to the search for the largest gain."""

    def record(self) -> dict[str, Any]:
        """What a certificate keeps of it: its name and hyper-parameters."""
        return {"name": self.name, **asdict(self)}

    def seeded(self, seed: int) -> Order:
        """The strategy with a generator of its own, for one run."""
        return Order(self, np.random.default_rng(seed))


class Order:
    """A strategy at work: the same seed gives the same orders, one call after the other."""

    def __init__(self, strategy: Strategy, rng: np.random.Generator) -> None:
        self.strategy, self.rng = strategy, rng

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> list[int] | None:
        return self.strategy.order(candidates, sites, self.rng)
