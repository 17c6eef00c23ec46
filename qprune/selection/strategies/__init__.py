"""Strategies: opinions on which gates should go, one file each."""

from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.brain_surgeon import BrainSurgeon
from qprune.selection.strategies.coarse_to_fine import CoarseToFine
from qprune.selection.strategies.elimination import Elimination
from qprune.selection.strategies.integer_program import IntegerProgram
from qprune.selection.strategies.magnitude import Magnitude
from qprune.selection.strategies.q_iprune import QIPrune
from qprune.selection.strategies.random import Random
from qprune.selection.strategies.registry import STRATEGIES, strategy_from_record, strategy_names, strategy_of
from qprune.selection.strategies.spanning_tree import SpanningTree

__all__ = [
    "STRATEGIES",
    "BrainSurgeon",
    "CoarseToFine",
    "Elimination",
    "Evidence",
    "IntegerProgram",
    "Magnitude",
    "Proposal",
    "QIPrune",
    "Random",
    "SpanningTree",
    "Strategy",
    "strategy_from_record",
    "strategy_names",
    "strategy_of",
]
