"""One setting of a trade-off of gates against error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TradeOffPoint:
    """One pruning of the same task: what it saved and what it cost.

    Attributes:
        setting: "budget" or "tolerance".
        value: Its value.
        gates: Gates left.
        two_qubit_gates: Two-qubit gates left.
        bound: Largest proven deviation.
        measured: Largest measured deviation, same unit.
    """

    setting: str
    value: float
    gates: int
    two_qubit_gates: int
    bound: float
    measured: float
