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
CANDIDATES = 20  # of the search over sets by falling saving
FEW, HYPOTHESES = 2**9, (8000, 1000)  # sets asked on ensembles of so few amplitudes, and on larger ones


@dataclass(frozen=True)
class _Glance(Elimination):
    """Elimination that is known to be cut short."""

    def cut(self, why: str) -> None:
        return


def second_opinions(prepared: Prepared) -> list[Strategy]:
    """Strategies whose proposals are tried besides the search's own; none on large ensembles, or beside another's."""
    if not prepared.settings.ordering.searches:
        return []
    outputs = prepared.prefix.outputs
    rows = outputs.means if outputs.distribution is None else outputs.distribution.T
    if _amplitudes(prepared) > AMPLITUDES:
        return []
    found: list[Strategy] = [_Glance(exact=CANDIDATES, leaves=HYPOTHESES[not is_small(prepared)])]
    if rows.size * len(prepared.prunable) <= CONSTRAINTS:
        found.append(IntegerProgram())
    return found


def is_small(prepared: Prepared) -> bool:
    """Whether a look takes a second at most: a few qubits and samples."""
    return _amplitudes(prepared) <= FEW


def _amplitudes(prepared: Prepared) -> int:
    return 2 ** len({q for site in prepared.sites for q in site.qubits}) * len(prepared.task.selected)
