"""Strategies by name: q-iPrune and the methods it is compared with."""

from __future__ import annotations

from qprune.strategies.base import Strategy
from qprune.strategies.magnitude import Magnitude
from qprune.strategies.q_iprune import QIPrune
from qprune.strategies.random import Random

STRATEGIES: dict[str, type[Strategy]] = {s.name: s for s in (QIPrune, Magnitude, Random)}

__all__ = ["STRATEGIES", "Magnitude", "QIPrune", "Random", "Strategy"]
