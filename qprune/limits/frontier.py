"""The Pareto front: the same network at every size, from nothing removed to nothing left of its predictions."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qprune._text import aligned, html_table
from qprune.errors import OptionError, QpruneWarning
from qprune.gates.costs import Costs
from qprune.limits.certify import certify, options_under
from qprune.limits.measured import Measured
from qprune.limits.measuring import judged, measured, start_of, watch_of
from qprune.limits.prepared import prepare
from qprune.limits.progress import INTERRUPTED
from qprune.limits.settings import Settings
from qprune.results.certificate import Certificate
from qprune.results.hashes import circuit_hash, task_hash
from qprune.results.result import PruneResult, two_qubit_gates
from qprune.selection.strategies import Strategy
from qprune.simulators.simulator import Simulator
from qprune.task.checked import checked_task
from qprune.task.task import Task

POINTS = 10  # budgets tried by default, from a thousandth of the largest deviation on


@dataclass(frozen=True)
class Frontier:
    """Results of which none beats another in gates, two-qubit gates and measured deviation at once.

    Attributes:
        results: From the largest circuit to the smallest, each with its certificate.
        cut: Why the search for it ended early, "time limit" or "interrupted"; None if it did not.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> front = qprune.frontier(qprune.Task(circuit, "ZI"), budgets=[0.01, 1.0], refit=False)
        >>> [r.circuit.size() for r in front], front.within(0.01).circuit.size()
        ([3, 2, 0], 2)
    """

    results: tuple[PruneResult, ...]
    cut: str | None = None

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

    def _repr_html_(self) -> str:
        """How notebooks show it."""
        rows = self.rows()
        return html_table(rows, numbers=range(len(rows[0])))

    def __str__(self) -> str:
        rows = self.rows()
        return "\n".join(aligned(rows, numbers=range(len(rows[0]))))

    def rows(self) -> list[tuple[str, ...]]:
        """The table that is printed: one row of cells per point, header first."""
        rows: list[tuple[str, ...]] = [("gates", "two-qubit gates", "depth", "weights", "measured", "accuracy")]
        for r in self.results:
            accuracy = "" if r.accuracy is None else f"{r.accuracy[1]:.4f}"
            sizes = (r.circuit.size(), two_qubit_gates(r.circuit), r.circuit.depth(), len(r.weights))
            rows.append((*map(str, sizes), f"{r.certificate.largest_measured:.4g}", accuracy))
        return rows


def frontier(
    task: Task,
    *,
    budgets: Sequence[float] | None = None,
    refit: bool = True,
    strategy: str | Strategy = "q-iprune",
    costs: Costs = None,
    prune_encoding: bool = False,
    simulator: str | Simulator = "statevector",
    executor: Executor | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    progress: bool | None = None,
    known: Iterable[PruneResult] = (),
    found: Callable[[PruneResult], object] | None = None,
) -> Frontier:
    """Prune under `Measured` at rising budgets.

    Args:
        task: As in `prune`.
        budgets: Largest measured deviations to allow, ≥ 0, in units of the observables; default: ten from a thousandth
            of the largest deviation that the observables allow, evenly on a logarithmic scale.
        refit: As in `Measured`.
        strategy: As in `prune`.
        costs: As in `prune`.
        prune_encoding: As in `prune`.
        simulator: As in `prune`; other than statevectors only with `refit=False`.
        executor: As in `prune`.
        seed: As in `prune`.
        time_limit: Seconds after which the search ends with the points found so far, > 0. Default: no limit. An
            interrupt (Ctrl-C) does the same.
        progress: As in `prune`.
        known: Results of an earlier call that was cut short, such as the `Frontier` it returned: budgets that they
            answer, for the same task and settings, are not searched again.
        found: Called with every result as it is found, one cut short excepted, to keep it.

    Returns:
        The Pareto front, with the circuit that only exact simplification left as its first member.

    Raises:
        OptionError: A budget is out of range.

    Source: THEORY T5; the claim on the ensemble is exact by simulation.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(1)
        >>> _ = circuit.ry(0.3, 0)
        >>> [r.circuit.size() for r in frontier(Task(circuit, "Z"), budgets=[0.1], refit=False)]
        [1, 0]
    """
    task, results = checked_task(task), _results(known)
    settings = Settings(
        strategy=strategy,
        costs=costs,
        prune_encoding=prune_encoding,
        simulator=simulator,
        executor=executor,
        seed=seed,
        time_limit=time_limit,
        progress=progress,
    )
    nothing = Measured(0.0, refit=refit)
    nothing.check(task, settings)
    limits = [replace(nothing, refit=False), *_limits(task, nothing, budgets)]
    prepared = prepare(task, settings, nothing.comparison)
    answered = {_question(result.certificate): result for result in results}
    hashes = circuit_hash(task.circuit), task_hash(task)
    points, cut = list[PruneResult](), None
    try:
        with watch_of(prepared) as watch:
            for k, limit in enumerate(limits):
                watch.begin(f"pruning {k + 1}/{len(limits)}")
                result = answered.get(_as_text(*hashes, options_under(prepared, limit)))
                if result is None:
                    # Each budget by itself: on from the circuit of a smaller one, most searches get stuck.
                    reduced = measured(prepared, limit.budget, limit.refit, watch) if k else start_of(prepared)
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", QpruneWarning)  # a curve shows what does not pay, too
                        result, cut = certify(prepared, limit, judged(prepared, reduced)), reduced.cut
                    if found is not None and not cut:
                        found(result)
                points.append(result)
                if cut:
                    break
    except KeyboardInterrupt:
        cut = INTERRUPTED
        if not points:
            raise
    return Frontier(_undominated(points), cut)


def _limits(task: Task, nothing: Measured, budgets: Sequence[float] | None) -> list[Measured]:
    """From the least budget to the largest."""
    try:
        values = list(task.largest_change * np.geomspace(1e-3, 1, POINTS) if budgets is None else budgets)
    except TypeError as error:
        raise OptionError(f"budgets must be a list of numbers ≥ 0, got {budgets!r}") from error
    return sorted((replace(nothing, budget=value) for value in values), key=lambda limit: limit.budget)


def _results(known: Iterable[PruneResult]) -> list[PruneResult]:
    """What was given as known, if it is results."""
    results = list(known) if isinstance(known, Iterable) else [known]
    for result in results:
        if not isinstance(result, PruneResult) or not isinstance(known, Iterable):
            raise OptionError(
                "known must be results of an earlier call, as the Frontier it returned or a list, got "
                f"{'a single ' * (result is known)}{type(result).__name__}"
            )
    return results


def _question(certificate: Certificate) -> str:
    """What a result answers: the network, the limit and the settings."""
    return _as_text(certificate.original_hash, certificate.task_hash, certificate.options)


def _as_text(original: str, task: str, options: Mapping[str, Any]) -> str:
    return json.dumps([original, task, options], sort_keys=True)


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
