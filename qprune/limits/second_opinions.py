"""Sets of gates that no order of single gates leads to: what the search without refit tries besides, where it is cheap.

Two gates on several qubits that undo each other, or a part of the circuit that does nothing as a whole, are each beyond
the budget gate by gate. Measured: docs/strategies.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from qprune.limits.prepared import Prepared
from qprune.selection.strategies import Elimination, IntegerProgram, Strategy

AMPLITUDES = 2**14  # of the whole ensemble, 2^n · M, up to which a look costs less than a tenth of a second or so
CONSTRAINTS = 50_000  # numbers in the integer program's constraints, likewise
CANDIDATES, HYPOTHESES = 20, 1000  # of the search over sets by falling saving


@dataclass(frozen=True)
class _Glance(Elimination):
    """Elimination that is known to be cut short."""

    def cut(self, why: str) -> None:
        return


def second_opinions(prepared: Prepared) -> list[Strategy]:
    """Strategies whose proposals are tried besides the search's own; none on large ensembles."""
    outputs = prepared.prefix.outputs
    rows = outputs.means if outputs.distribution is None else outputs.distribution.T
    qubits = len({q for site in prepared.sites for q in site.qubits})
    if 2**qubits * len(prepared.task.selected) > AMPLITUDES:
        return []
    found: list[Strategy] = [_Glance(exact=CANDIDATES, leaves=HYPOTHESES)]
    if rows.size * len(prepared.prunable) <= CONSTRAINTS:
        found.append(IntegerProgram())
    return found
