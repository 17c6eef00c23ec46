"""q-iPrune: the set of largest total gain that the bound admits (arXiv:2512.24019; THEORY T1, T2)."""

from __future__ import annotations

from collections.abc import Sequence

from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.strategies.base import Strategy


class QIPrune(Strategy):
    """Leaves the order to the search over task-conditioned angles."""

    name = "q-iprune"

    def order(self, candidates: Sequence[Candidate], sites: Sequence[Site]) -> None:
        return None
