"""All strategies by name: qprune's own, and those that other packages register."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from qprune.errors import OptionError
from qprune.selection.strategies.base import Strategy
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
from qprune.selection.strategies.q_iprune import QIPrune
from qprune.selection.strategies.qubo import Qubo
from qprune.selection.strategies.random import Random
from qprune.selection.strategies.shapley import Shapley
from qprune.selection.strategies.spanning_tree import SpanningTree

GROUP = "qprune.strategies"  # of the entry points by which other packages register theirs

STRATEGIES: dict[str, type[Strategy]] = {
    s.name: s
    for s in (
        QIPrune,
        Magnitude,
        Random,
        BrainSurgeon,
        IntegerProgram,
        Elimination,
        CoarseToFine,
        SpanningTree,
        Centrality,
        Qubo,
        Equilibrium,
        L0,
        Shapley,
        ClassAware,
        DiscreteLayers,
    )
}
"""Those of this package, by name; `portfolio`, which holds others, joins them in the folder's `__init__`."""


def strategy_names() -> tuple[str, ...]:
    """Names that `prune(strategy=…)` takes: qprune's own, then those of other installed packages.

    Example:
        >>> "q-iprune" in strategy_names()
        True
    """
    return (*STRATEGIES, *sorted(set(_registered()) - set(STRATEGIES)))


def strategy_of(given: object) -> Strategy:
    """A strategy, from itself or its name.

    Raises:
        OptionError: It is neither, or what a package registers under that name is no strategy.

    Example:
        >>> strategy_of("magnitude")
        Magnitude()
    """
    if isinstance(given, Strategy):
        return given
    if not isinstance(given, str) or not _is_known(given):
        names = ", ".join(map(repr, strategy_names()))
        raise OptionError(f"strategy must be one of {names}, or an object of qprune.strategies, got {given!r}")
    return _kind(given)()


def strategy_from_record(record: Mapping[str, Any]) -> Strategy | None:
    """The strategy that a certificate records; None where no strategy of that name is installed.

    Example:
        >>> strategy_from_record(strategy_of("magnitude").record())
        Magnitude()
    """
    name = record.get("name")
    if not isinstance(name, str) or not _is_known(name):
        return None
    return _kind(name).from_record(dict(record))


def _is_known(name: str) -> bool:
    return name in STRATEGIES or name in _registered()  # the second looks through all installed packages


def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _kind(name: str) -> type[Strategy]:
    if name in STRATEGIES:
        return STRATEGIES[name]
    found = _registered()[name].load()
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise OptionError(f"entry point {name!r} of {GROUP} must name a class derived from Strategy, got {found!r}")
    return found
