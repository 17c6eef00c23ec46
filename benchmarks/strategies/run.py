"""Rows: one pruning each, by one strategy under one limit with one seed."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import qprune
from benchmarks.peers.circuits import Case, ansatz, cases
from benchmarks.records import Row, append, provenance, rows_of
from benchmarks.strategies.sets import BUNDLES, DEFAULT, EVERYTHING, OPTIMUM, OTHERS, QUICK, SEEDS, SMALL, configs_of
from qprune import Everywhere, Limit, Measured, Proven, strategies
from qprune.gates.costs import default_cost
from qprune.gates.sites import sites_of
from qprune.selection.prunable import is_prunable
from qprune.selection.strategies import Evidence, Proposal, Strategy

NAME = "strategies"
CANDIDATES = 20  # up to which the true optimum is sought
LIMITS: dict[str, Callable[[float], Limit]] = {
    "measured": Measured,
    "measured, refit": lambda budget: Measured(budget, refit=True),
    "proven": Proven,
    "everywhere": Everywhere,
    "everywhere, refit": lambda budget: Everywhere(budget, refit=True),
}
STRATEGIES: dict[str, Strategy] = {
    **{name: kind() for name, kind in strategies.STRATEGIES.items() if name != "portfolio"},
    "centrality, most": strategies.Centrality(first="most"),
    "banzhaf": strategies.Shapley("banzhaf", samples=10),
    "portfolio": strategies.Portfolio(),
}


@dataclass(frozen=True)
class Counted(Strategy):
    """Another strategy, with the calls of its oracle counted."""

    inner: Strategy
    calls: list[int] = field(default_factory=list, compare=False)
    name: ClassVar[str] = "counted"

    @property
    def searches(self) -> bool:  # type: ignore[override]
        return self.inner.searches

    @property
    def replaces(self) -> bool:  # type: ignore[override]
        return self.inner.replaces

    def propose(self, evidence: Evidence) -> Proposal | None:
        found = self.inner.propose(evidence)
        self.calls.append(evidence.calls)
        return found

    def check(self, task: qprune.Task) -> None:
        self.inner.check(task)

    def record(self) -> dict[str, Any]:
        return self.inner.record()


def circuits() -> dict[str, Case]:
    """Every circuit by name: bundles, library circuits with angles of their own, and small ones with an optimum."""
    known = {case.name: case for case in cases()}
    found = {name: known[name] for name in (*BUNDLES, *OTHERS) if find_spec(known[name].package.partition(".")[0])}
    for seed, name in enumerate(SMALL):
        make = lambda seed=seed: ansatz("real-amplitudes", 3, data=True, seed=(7, seed))  # noqa: E731
        found[name] = Case("small", name, 3, make)
    return found


def run(
    out: Path,
    *,
    quick: bool = False,
    full: bool = False,
    names: Sequence[str] = (),
    limits: Sequence[str] = (),
    chosen: Sequence[str] = (),
    budgets: Sequence[float] = (),
    seeds: int = SEEDS,
    everywhere: bool = True,
    step: Callable[[str], None] = print,
) -> None:
    """Add the rows that the file does not hold yet.

    Args:
        out: The file.
        quick: One small circuit.
        full: Everything, not the default set.
        names, limits, chosen: Circuits, limits and strategies of it; default all.
        budgets: In units of half the widest spectrum; default those of the set.
        seeds: Of strategies that draw, and of all with refit, at most; the others have one.
        everywhere: Whether each result's deviation on every input is proven, too.
        step: Told of every row.
    """
    known = circuits()
    parts = QUICK if quick else EVERYTHING if full else DEFAULT
    asked = [
        config
        for config in configs_of(parts, tuple(STRATEGIES))
        if (not names or config["circuit"] in names)
        and (not limits or config["limit"] in limits)
        and (not chosen or config["strategy"] in (*chosen, OPTIMUM))
        and (not budgets or config["budget"] in budgets)
        and config["seed"] < seeds
    ]
    if not asked:
        raise qprune.OptionError(
            "circuits, limits, strategies and budgets that go together in the default set must be given, got some that "
            "left nothing; add --full"
        )
    done = {json.dumps(row["config"], sort_keys=True) for row in rows_of(out)}
    left = [config for config in asked if json.dumps(config, sort_keys=True) not in done and config["circuit"] in known]
    step(f"{len(left)} of {len(asked)} rows to measure")
    for config in left:
        row = _row(known[config["circuit"]].make(), config, everywhere)
        append(out, row)
        step(f"{config}: {row.get('two_qubit_gates', row.get('refused'))}")


def _row(task: qprune.Task, config: dict[str, Any], everywhere: bool) -> Row:
    budget = config["budget"] * task.largest_change / 2
    row: Row = {"benchmark": NAME, "config": config, **provenance(config["seed"])}
    if config["strategy"] == OPTIMUM:
        strategy: Strategy = strategies.Elimination(exact=CANDIDATES)
    else:
        strategy = STRATEGIES[config["strategy"]]
    counted = strategy if isinstance(strategy, strategies.Portfolio) else Counted(strategy)
    begun = time.process_time()
    try:
        with warnings.catch_warnings(record=True) as cuts:
            warnings.simplefilter("always", UserWarning)
            result = qprune.prune(task, LIMITS[config["limit"]](budget), strategy=counted, seed=config["seed"])
    except qprune.QpruneError as error:
        return {**row, "refused": str(error)}
    row["processor_seconds"] = time.process_time() - begun
    sites = sites_of(result.task)
    row |= {
        "candidates": sum(is_prunable(site, False) for site in sites_of(task)),
        "gates": result.circuit.size(),
        "two_qubit_gates": sum(len(site.qubits) > 1 for site in sites),
        "cost": round(sum(map(default_cost, sites)), 6),
        "cost_before": round(sum(map(default_cost, sites_of(task))), 6),
        "measured": result.certificate.largest_measured,
        "calls": sum(counted.calls) if isinstance(counted, Counted) else None,
        "cut": any("elimination had to cut" in str(c.message) for c in cuts) or None,
    }
    if everywhere:
        try:
            claim = qprune.everywhere(result).certificate.every_input
            row["every_input"] = None if claim is None else float(np.max(claim.upper))
        except qprune.QpruneError as error:
            row["every_input"] = None
            row["no_claim"] = str(error)
    return row
