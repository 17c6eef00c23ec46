"""Strategies by name: q-iPrune and the methods it is compared with."""

from __future__ import annotations

from qprune.selection.strategies.base import Strategy
from qprune.selection.strategies.magnitude import Magnitude
from qprune.selection.strategies.q_iprune import QIPrune
from qprune.selection.strategies.random import Random

STRATEGIES: dict[str, type[Strategy]] = {s.name: s for s in (QIPrune, Magnitude, Random)}

__all__ = ["STRATEGIES", "Magnitude", "QIPrune", "Random", "Strategy"]
