"""Assertions on results, with the worst input in words where one fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qprune.errors import OptionError, QpruneError
from qprune.gates.sites import sites_of
from qprune.limits.base import checked_budget
from qprune.limits.certify_everywhere import everywhere as proven_everywhere
from qprune.report.store import load
from qprune.results.every_input import EveryInput, OutputEverywhere
from qprune.results.result import PruneResult
from qprune.simulators.choices import final_outputs
from qprune.task.task import Task
from qprune.verify.check import verify
from qprune.verify.checks import VerificationReport

# Rounding by which a simulated deviation may lie above a budget, as a share of the observable's weight.
ROUNDING = 1e-9


def assert_holds(result: Any) -> VerificationReport:
    """Assert that every claim of a result holds, recomputed by `qprune.verify`.

    Args:
        result: What `qprune.prune` returned, a pruned QNode, or the folder of a saved result.

    Returns:
        The checks that were made.

    Raises:
        AssertionError: A claim does not hold, or the certificate belongs to something else. The message says which
            claim, what was found, and which sample is the worst.
        OptionError: That is no result.

    Example:
        >>> import qprune
        >>> from qiskit.circuit.library import efficient_su2
        >>> task = qprune.Task(efficient_su2(2, reps=1), "ZZ", weights=[0.01] * 8)
        >>> result = qprune.prune(task, qprune.Measured(0.05))
        >>> len(assert_holds(result).checks) > 10
        True
    """
    __tracebackhide__ = True
    try:
        found = _result_of(result)
    except OptionError:
        raise
    except QpruneError as error:
        raise AssertionError(str(error)) from error
    return _verified(found)


def assert_within(result: Any, budget: float, *, everywhere: bool = False) -> None:
    """Assert that no output of the smaller circuit is further off than a budget.

    First every claim is recomputed (`assert_holds`), so that the numbers compared with the budget are true.

    Args:
        result: As in `assert_holds`.
        budget: Largest change allowed, ≥ 0, in the unit of the observables; total variation for probabilities.
        everywhere: Whether that must be proven for every input of the task's domain (T9), not only measured on the
            samples that selection saw. Where the certificate says nothing of that yet, it is proven now.

    Raises:
        AssertionError: It is further off, or not proven to be nearer; the message shows the worst input and what the
            output was there before and after.
        OptionError: That is no result, the budget is no number ≥ 0, or `everywhere` takes too many runs.

    Example:
        >>> import qprune
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> circuit, x = QuantumCircuit(1), Parameter("x")
        >>> _ = circuit.ry(x, 0), circuit.rx(0.2, 0)
        >>> task = qprune.Task(circuit, "Z", inputs=[[1.2], [1.8]], input_params=[x])
        >>> result = qprune.prune(task, qprune.Everywhere(0.01))
        >>> assert_within(result, 0.01, everywhere=True)
        >>> assert_within(result, 0.005)
        Traceback (most recent call last):
        AssertionError: an output changes by 0.00722303, the budget is 0.005
        worst sample: 0, x = 1.2
        output Z: 0.355135 before, 0.362358 after
    """
    __tracebackhide__ = True
    budget, found = checked_budget(budget), _result_of(result)
    has_inputs = found.original.inputs.shape[1] > 0
    if everywhere and has_inputs and found.certificate.every_input is None:
        found = proven_everywhere(found)
    _verified(found)
    certificate = found.certificate
    weight = max((spectrum.weight for spectrum in found.original.spectra), default=1.0)
    if certificate.largest_measured > budget + ROUNDING * weight:
        raise AssertionError(
            f"an output changes by {certificate.largest_measured:.6g}, the budget is {budget:g}\n{worst_sample(found)}"
        )
    claim = certificate.every_input
    if not everywhere or not has_inputs or claim is None or claim.upper <= budget:
        return
    if claim.lower > budget:
        words = f"an output changes by {claim.lower:.6g} for an input of {claim.domain!r}, the budget is {budget:g}"
    else:
        words = (
            f"of all inputs of {claim.domain!r} it is proven only that no output changes by more than "
            f"{claim.upper:.6g}, the budget is {budget:g}; qprune.everywhere(result, gap=1e-3) may prove less"
        )
    raise AssertionError(f"{words}\n{worst_input(found.original, claim)}")


def worst_sample(result: PruneResult) -> str:
    """The sample whose output changed most, in words."""
    measured, task = np.array(result.certificate.measured), result.original
    r, column = np.unravel_index(int(np.argmax(measured)), measured.shape)
    sample = result.certificate.samples[column]
    before, after = (_outputs(t, sample, int(r)) for t in (task, result.task))
    name = result.certificate.outputs[r]
    return f"worst sample: {sample}{_named(task, task.inputs[sample])}\n{_change(name, before, after)}"


def worst_input(task: Task, claim: EveryInput) -> str:
    """The input of the domain whose output changed most, in words."""
    worst: OutputEverywhere = max(claim.outputs, key=lambda output: output.lower)
    return f"worst input: {_named(task, worst.worst).lstrip(', ')}\n{_change(worst.name, worst.before, worst.after)}"


def _result_of(given: Any) -> PruneResult:
    """A result, whatever carries it.

    Raises:
        OptionError: It carries none.
        QpruneError: A folder holds none that can be read, or a pruned QNode's weights have moved.
    """
    if isinstance(given, str | Path):
        return load(given)
    if isinstance(given, PruneResult):
        return given
    if hasattr(given, "certificate_valid") and isinstance(getattr(given, "result", None), PruneResult):
        return replace(given.result, certificate=given.certificate)  # which raises where the weights have moved
    raise OptionError(
        f"result must be what prune returned, a pruned QNode, or the folder of a saved one, got {type(given).__name__}"
    )


def _verified(result: PruneResult) -> VerificationReport:
    __tracebackhide__ = True
    try:
        return verify(result.original, result)
    except QpruneError as error:
        raise AssertionError(f"{error}\n{worst_sample(result)}") from error


def _outputs(task: Task, sample: int, output: int) -> Sequence[float]:
    found = final_outputs(task, sites_of(task), np.array([sample]))
    if found.distribution is not None:
        return tuple(found.distribution[0].tolist())
    return (float(found.means[output, 0]),)


def _named(task: Task, values: Iterable[float]) -> str:
    """, x[0] = 0.31, x[1] = -1.2"""
    return "".join(f", {p.name} = {value:.6g}" for p, value in zip(task.input_params, values, strict=True))


def _change(name: str, before: Sequence[float], after: Sequence[float]) -> str:
    if len(before) == 1:
        return f"output {name}: {before[0]:.6g} before, {after[0]:.6g} after"
    gap = np.abs(np.subtract(after, before))
    outcome = int(np.argmax(gap))
    return (
        f"{name}: total variation {gap.sum() / 2:.6g}; outcome {outcome} has probability {before[outcome]:.6g} before, "
        f"{after[outcome]:.6g} after"
    )
