"""q-iPrune: the set of largest total gain that the limit admits (arXiv:2512.24019; THEORY T1, T2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Strategy


@dataclass(frozen=True)
class QIPrune(Strategy):
    """Leaves the choice to the limit's own search over task-conditioned distances.

    Under `Proven` that is an integer program over angles; under the limits that measure the order of d_q² per gain, on
    small ensembles besides what `mip` and a short `elimination` propose; with refit look-ahead, growing and saliency.

    Example:
        >>> QIPrune()
        QIPrune()
    """

    name: ClassVar[str] = "q-iprune"
    searches: ClassVar[bool] = True
    replaces: ClassVar[bool] = True

    def propose(self, evidence: Evidence) -> None:
        return None
