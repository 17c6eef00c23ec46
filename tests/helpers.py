"""What tests share: oracles, random circuits, and a few small things."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from oracles import *  # noqa: F403
from qiskit.circuit import Instruction, ParameterExpression
from random_circuits import *  # noqa: F403

ROOT = Path(__file__).parents[1]  # of the clone
CIRCUITS = ROOT / "circuits"


def subsets(items):
    """All subsets of a sequence."""
    return (chosen for size in range(len(items) + 1) for chosen in combinations(items, size))


def is_symbolic(operation: Instruction) -> bool:
    """Whether a gate has a free parameter."""
    return any(isinstance(p, ParameterExpression) and p.parameters for p in operation.params)
