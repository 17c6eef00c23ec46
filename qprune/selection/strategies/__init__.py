"""Strategies: opinions on which gates should go, one file each."""

from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.brain_surgeon import BrainSurgeon
from qprune.selection.strategies.centrality import Centrality
from qprune.selection.strategies.class_aware import ClassAware
from qprune.selection.strategies.coarse_to_fine import CoarseToFine
from qprune.selection.strategies.discrete_layers import DiscreteLayers
from qprune.selection.strategies.elimination import Elimination
from qprune.selection.strategies.equilibrium import Equilibrium
from qprune.selection.strategies.integer_program import IntegerProgram
from qprune.selection.strategies.l0 import L0
from qprune.selection.strategies.magnitude import Magnitude
from qprune.selection.strategies.portfolio import Portfolio
from qprune.selection.strategies.q_iprune import QIPrune
from qprune.selection.strategies.qubo import Qubo
from qprune.selection.strategies.random import Random
from qprune.selection.strategies.registry import STRATEGIES, strategy_from_record, strategy_names, strategy_of
from qprune.selection.strategies.shapley import Shapley
from qprune.selection.strategies.spanning_tree import SpanningTree

__all__ = [
    "L0",
    "STRATEGIES",
    "BrainSurgeon",
    "Centrality",
    "ClassAware",
    "CoarseToFine",
    "DiscreteLayers",
    "Elimination",
    "Equilibrium",
    "Evidence",
    "IntegerProgram",
    "Magnitude",
    "Portfolio",
    "Proposal",
    "QIPrune",
    "Qubo",
    "Random",
    "Shapley",
    "SpanningTree",
    "Strategy",
    "strategy_from_record",
    "strategy_names",
    "strategy_of",
]

STRATEGIES[Portfolio.name] = Portfolio
