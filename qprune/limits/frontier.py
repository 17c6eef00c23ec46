"""The Pareto front: the same network at every size, from nothing removed to nothing left of its predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qprune.errors import OptionError
from qprune.gates.costs import Costs
from qprune.limits.options import Options
from qprune.limits.prepared import Stage
from qprune.limits.pruning import prune
from qprune.results.result import PruneResult, two_qubit_gates
from qprune.task.task import Task, checked_task

POINTS = 10  # budgets tried by default, from a thousandth of the largest deviation on


@dataclass(frozen=True)
class Frontier:
    """Results of which none beats another in gates, two-qubit gates and measured deviation at once.

    Attributes:
        results: From the largest circuit to the smallest, each with its certificate.
    """

    results: tuple[PruneResult, ...]

    def __iter__(self) -> Iterator[PruneResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> PruneResult:
        return self.results[index]

    def within(self, deviation: float) -> PruneResult:
        """The smallest circuit (fewest two-qubit gates, then gates) whose measured deviation is at most this.

        Raises:
            OptionError: None is; even the unpruned circuit deviates by rounding, so ask for more than zero.
        """
        fitting = [r for r in self.results if r.certificate.largest_measured <= deviation]
        if not fitting:
            raise OptionError(f"deviation must be at least that of the largest circuit on the front, got {deviation!r}")
        return min(fitting, key=_size)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("gates", "two-qubit gates", "depth", "weights", "measured", "accuracy")]
        for r in self.results:
            accuracy = "" if r.accuracy is None else f"{r.accuracy[1]:.4f}"
            sizes = (r.circuit.size(), two_qubit_gates(r.circuit), r.circuit.depth(), len(r.weights))
            rows.append((*map(str, sizes), f"{r.certificate.largest_measured:.4g}", accuracy))
        widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
        return "\n".join("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)


def frontier(
    task: Task,
    *,
    budgets: Sequence[float] | None = None,
    refit: bool = True,
    costs: Costs = None,
    prune_encoding: bool = False,
    seed: int = 0,
    simulator: str = "statevector",
    threads: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> Frontier:
    """Prune in verified mode at rising budgets, each going on from the one before.

    Args:
        task: As in `prune`.
        budgets: Largest measured deviations to allow, ≥ 0, in units of the observables; default: ten from a thousandth
            of the largest deviation that the observables allow, evenly on a logarithmic scale.
        refit: As in `prune`.
        costs: As in `prune`.
        prune_encoding: As in `prune`.
        seed: As in `prune`.
        simulator: As in `prune`; other than statevectors only with `refit=False`.
        threads: As in `prune`.
        executor: As in `prune`.
        progress: As in `prune`.

    Returns:
        The Pareto front, with the circuit that only exact simplification left as its first member.

    Raises:
        OptionError: A budget is out of range.

    Source: THEORY T5; the claim on the ensemble is exact by simulation.
    """
    task = checked_task(task)
    limit = 1.0 if task.observables is None else max(s.high - s.low for s in task.spectra)
    common: dict[str, Any] = {
        "costs": costs,
        "prune_encoding": prune_encoding,
        "seed": seed,
        "simulator": simulator,
        "threads": threads,
        "executor": executor,
        "progress": progress,
    }
    options = Options(certify="verified", refit=refit, budget=0.0, **common)  # refuses what does not go together
    try:
        values = list(limit * np.geomspace(1e-3, 1, POINTS) if budgets is None else budgets)
    except TypeError as error:
        raise OptionError(f"budgets must be a list of numbers ≥ 0, got {budgets!r}") from error
    values = sorted(Options(certify="verified", budget=value, **common).budget or 0.0 for value in values)
    found = [prune(task, budget=0.0, certify="verified", **common)]
    if refit:
        stage = Stage(task, options)
        compressor = stage.compressor()
        reduced = None
        for budget in values:
            reduced = compressor.compress(budget, reduced, progress)
            found.append(stage.finish(reduced, stage.replacements(reduced), replace(options, budget=budget)))
    else:
        found += [prune(task, budget=budget, certify="verified", **common) for budget in values]
    return Frontier(_undominated(found))


def _size(result: PruneResult) -> tuple[int, int]:
    return two_qubit_gates(result.circuit), int(result.circuit.size())


def _undominated(results: Sequence[PruneResult]) -> tuple[PruneResult, ...]:
    points = [(*_size(r), r.certificate.largest_measured) for r in results]
    kept = []
    for k, point in enumerate(points):
        beaten = any(
            all(a <= b for a, b in zip(other, point, strict=True)) and (other != point or j < k)
            for j, other in enumerate(points)
            if j != k
        )
        if not beaten:
            kept.append(results[k])
    return tuple(sorted(kept, key=lambda r: (-r.circuit.size(), r.certificate.largest_measured)))
