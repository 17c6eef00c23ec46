"""Strategies: opinions on the order of removal, one file each."""

from qprune.errors import OptionError
from qprune.selection.strategies.base import Order, Strategy
from qprune.selection.strategies.magnitude import Magnitude
from qprune.selection.strategies.q_iprune import QIPrune
from qprune.selection.strategies.random import Random

__all__ = ["STRATEGIES", "Magnitude", "Order", "QIPrune", "Random", "Strategy", "strategy_of"]

STRATEGIES: dict[str, type[Strategy]] = {s.name: s for s in (QIPrune, Magnitude, Random)}


def strategy_of(given: object) -> Strategy:
    """A strategy, from itself or its name.

    Raises:
        OptionError: It is neither.
    """
    if isinstance(given, Strategy):
        return given
    if not isinstance(given, str) or given not in STRATEGIES:
        names = ", ".join(map(repr, STRATEGIES))
        raise OptionError(f"strategy must be one of {names}, or an object of qprune.strategies, got {given!r}")
    return STRATEGIES[given]()
