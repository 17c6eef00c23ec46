"""What tests share: oracles, random circuits, and a few small things."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path

import qiskit
from oracles import *  # noqa: F403
from qiskit.circuit import Instruction, ParameterExpression
from random_circuits import *  # noqa: F403

from qprune import Measured, Proven, Threshold
from qprune.limits.prepared import prepare
from qprune.limits.settings import Settings

ROOT = Path(__file__).parents[1]  # of the clone
CIRCUITS = ROOT / "circuits"


PLAIN = ("q-iprune", "magnitude", "random")  # strategies that look at candidates alone


def asked(tolerance=None, budget=None, measured=False, refit=False, aggregate=None, window=None, **settings):
    """Arguments of `prune` from fields of limits by name, for tests that mix them: a limit, and the other settings."""
    fields = {name: value for name, value in (("aggregate", aggregate), ("window", window)) if value is not None}
    if measured:
        limit = Measured(budget, refit=refit, **fields)
    elif budget is not None:
        limit = Proven(budget, tolerance=tolerance, **fields)
    else:
        limit = Threshold(**({} if tolerance is None else {"tolerance": tolerance}), **fields)
    return {"limit": limit, **settings}


def prepared_for(task, **options):
    """The prepared circuit that `prune` would choose from, with options as in `asked`."""
    settings = asked(**options)
    limit = settings.pop("limit")
    return prepare(task, Settings(**settings), limit.comparison)


def qiskit_before(release):
    """Whether the installed Qiskit is older, for what it does itself and tests of the lower bounds meet."""
    return tuple(map(int, qiskit.__version__.split(".")[:2])) < tuple(map(int, release.split(".")))


def subsets(items):
    """All subsets of a sequence."""
    return (chosen for size in range(len(items) + 1) for chosen in combinations(items, size))


def is_symbolic(operation: Instruction) -> bool:
    """Whether a gate has a free parameter."""
    return any(isinstance(p, ParameterExpression) and p.parameters for p in operation.params)


def examples(number):
    """How many random examples a property gets: so many under `make soak`, a sixth in `make test`."""
    return number if os.environ.get("QPRUNE_SOAK") else max(1, number // 6)
