"""q-iPrune: the set of largest total gain that the bound admits (arXiv:2512.24019; THEORY T1, T2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qprune.gates import Site
from qprune.strategies.base import Strategy

if TYPE_CHECKING:
    from qprune.selection import Candidate


class QIPrune(Strategy):
    """Leaves the order to the search over task-conditioned angles."""

    name = "q-iprune"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> None:
        return None
