"""Recompute what is claimed for every input: the worst input by simulation, the limit by Bernstein polynomials.

Source: THEORY T9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import CertificateViolation, TaskError
from qprune.task.domain import Domain, Resolved, resolved
from qprune.task.expressions import with_numbers
from qprune.task.observables import without_identity
from qprune.task.task import Task
from qprune.verify.amplitudes import change_as_matrices, without_heads
from qprune.verify.cells import Cells
from qprune.verify.checks import Check, Checks, Result
from qprune.verify.grid_values import outputs_of, values_on_grid
from qprune.verify.phases import MOST_RUNS, Found, read
from qprune.verify.states import gates_on, run_gates, used_qubits

FEW_RUNS = 729  # up to which preparations are looked at as gates like others
EPS = float(np.finfo(float).eps)
ROOM = 16.0  # times what rounding is here: the claim estimates it in its own way, and has it on both of its limits
ROUNDING = 256.0  # units in the last place of an output after a few hundred gates, per unit of its observable's weight


TOO_MANY = "verifying a limit for every input takes {:,} runs, more than {:,}"


class Output(Protocol):
    """What is read of one output's claim."""

    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...
    @property
    def worst(self) -> tuple[float, ...]: ...
    @property
    def before(self) -> tuple[float, ...]: ...
    @property
    def after(self) -> tuple[float, ...]: ...


class Claim(Protocol):
    """What is read of a claim for every input; `qprune.EveryInput` has it."""

    @property
    def domain(self) -> Domain: ...
    @property
    def outputs(self) -> Sequence[Output]: ...


@dataclass(frozen=True)
class Confirmed:
    """What was found for one output.

    Attributes:
        margin: Least room that cells left below the claimed upper limit, in the output's unit.
        attained: The deviation at the worst input.
        cells: Cells that were looked at.
        doubt: What rounding of angles and outputs may be of the upper limit, in the output's unit.
    """

    margin: float
    attained: float
    cells: int
    doubt: float


def confirm(original: Task, pruned: Task, claim: Claim) -> tuple[Confirmed, ...]:
    """Check a claim for every input against the two circuits.

    Args:
        original: The original task; its inputs define a domain of data.
        pruned: The smaller circuit with its weights.
        claim: What is claimed.

    Raises:
        CertificateViolation: A worst input lies outside the domain or does not cause what is claimed, or some input of
            the domain may change an output by more than claimed.
        TaskError: The circuits depend on their inputs in a way that is not known here, or would take too many runs.

    Source: THEORY T9.
    """
    domain, found = resolved(claim.domain, original.inputs), read(original, pruned)
    if len(claim.outputs) != len(original.output_names):
        raise CertificateViolation(
            f"claimed are {len(claim.outputs)} outputs, the task has {len(original.output_names)}"
        )
    parts = [without_identity(observable) for observable in original.observables or ()]
    weights = [float(np.abs(rest.coeffs).sum()) for _, rest in parts] or [1.0]
    centres = [centre for centre, _ in parts] or [0.0]
    confirmed = []
    for r, (output, weight, centre) in enumerate(zip(claim.outputs, weights, centres, strict=True)):
        name, rounding = original.output_names[r], weight * ROUNDING * EPS
        seen = found.seen_from(original.output_supports[r])
        doubt = weight * seen.doubt(domain.low.min(axis=0), domain.high.max(axis=0))  # on top of what inputs do
        if output.upper < doubt:
            raise CertificateViolation(
                f"{name}: the limit {output.upper:.6g} leaves no room for how far angles are known, {doubt:.6g}"
            )
        attained = _attained(original, pruned, output, domain, r, rounding + doubt, name, centre)
        margin, count, error = _margin(original, pruned, seen, domain, r, rounding, output.upper - doubt, name)
        confirmed.append(Confirmed(margin, attained, count, doubt + error))
    return tuple(confirmed)


def _margin(
    original: Task, pruned: Task, seen: Found, domain: Resolved, r: int, rounding: float, limit: float, name: str
) -> tuple[float, int, float]:
    """Least room that cells leave below a limit, how many they are, and what rounding may be.

    Where phases are many and both circuits begin with the same preparation of states, the limit is looked for over all
    states first.
    """
    reasons: list[Exception] = []
    for after in without_heads(original, pruned, domain) if seen.runs > FEW_RUNS else ():
        if not after.is_whole and seen.runs <= MOST_RUNS:
            continue
        try:
            change, error = change_as_matrices(original, pruned, after, r, rounding)
            cells = Cells(change, after.found.turns, domain, limit, error, after.largest, after.share)
            return cells.margin(name), cells.count, cells.spread * error
        except (CertificateViolation, TaskError) as reason:
            reasons.append(reason)
    if reasons and seen.runs > MOST_RUNS:
        raise reasons[-1]
    change, error = _change(original, pruned, seen, r, rounding)
    cells = Cells(change, seen.turns, domain, limit, error)
    return cells.margin(name), cells.count, error


def check_every_input(task: Task, result: Result, before: FloatArray, slack: float) -> list[Check]:
    """Recompute what a certificate claims for every input, and hold the budget of `Everywhere` against it.

    Args:
        task: The task that was pruned.
        result: With the pruned circuit and the certificate.
        before: The original's outputs on all samples, shape (R, M).
        slack: Rounding to allow for, in the outputs' unit.

    Raises:
        CertificateViolation: A claim does not hold, or the one that the limit needs is missing.
        TaskError: As `confirm`.

    Source: THEORY T9.
    """
    certificate, checks = result.certificate, Checks()
    claim, limit = certificate.every_input, certificate.options["limit"]
    if claim is None:
        if limit["name"] == "everywhere":
            raise CertificateViolation("the limit speaks of every input, and nothing is claimed of them")
        return []
    pruned = task.with_circuit(result.task.circuit, result.task.named_weights)
    names = tuple(output.name for output in claim.outputs)
    checks.holds("every input: outputs", "comparison", names == task.output_names, f"claimed are {names}")
    confirmed, how = confirm(task, pruned, claim), "Bernstein polynomials"
    upper, lower = (np.array([getattr(o, name) for o in claim.outputs]) for name in ("upper", "lower"))
    margins = np.array([found.margin for found in confirmed])
    outputs = [f"output {name}" for name in names]
    doubt = ROOM * np.array([found.doubt for found in confirmed])  # what rounding may be, beside what inputs do
    checks.check("every input: upper limit (T9)", how, upper - margins, upper, slack + doubt, outputs)
    attained = [found.attained for found in confirmed]
    checks.check("every input: lower limit", "full simulation", lower, attained, slack, outputs)
    inside = _held(resolved(claim.domain, task.inputs), task.inputs)
    for r, output in enumerate(claim.outputs):
        predicts = task.observables is not None and task.spectra[r].predicts_sign and inside.any()
        strengths = np.abs(before[r, inside]) if predicts else np.empty(0)  # distributions have no means
        ends = [float(np.mean(strengths > output.upper + sign * slack)) for sign in (1, -1)] if predicts else []
        share = output.certain_data
        fits = ends[0] <= share <= ends[1] if predicts and share is not None else share is None and not predicts
        checks.holds("every input: data whose predictions keep", "full simulation", fits, f"{outputs[r]}: {share}")
    if limit["name"] == "everywhere":
        words = f"the limit speaks of {task.domain!r}, the claim of {claim.domain!r}"
        checks.holds("every input: domain", "comparison", claim.domain == task.domain, words)
        checks.check("every input in budget", "comparison", upper - doubt, limit["budget"], slack, outputs)
    return checks.checks


def _attained(
    original: Task, pruned: Task, output: Output, domain: Resolved, r: int, rounding: float, name: str, centre: float
) -> float:
    """The deviation at the worst input, which must be what is claimed, up to what either run may be off by; outputs are
    claimed with the identity's part, `centre`, and to its digits."""
    worst = np.array(output.worst)
    if not _held(domain, worst[None])[0]:
        raise CertificateViolation(f"{name}: the worst input {list(output.worst)} lies outside the domain")
    seen = [_outputs(task, worst, r) for task in (original, pruned)]
    for what, claimed, value in (("before", output.before, seen[0]), ("after", output.after, seen[1])):
        whole = value + centre
        if len(claimed) != len(value) or np.abs(np.array(claimed) - whole).max() > rounding + 2 * EPS * abs(centre):
            raise CertificateViolation(f"{name} {what} pruning at its worst input is {whole.tolist()}, not {claimed}")
    change = float(np.abs(seen[1] - seen[0]).sum()) / (1 if len(seen[0]) == 1 else 2)
    if output.lower > change + len(seen[0]) * rounding:
        raise CertificateViolation(f"{name} changes by {change:.6g} at its worst input, claimed are {output.lower:.6g}")
    if change > output.upper + len(seen[0]) * rounding:  # whatever was made of the circuits besides
        raise CertificateViolation(
            f"{name} changes by {change:.6g} at its worst input, claimed are at most {output.upper:.6g} for all"
        )
    return change


def _held(domain: Resolved, rows: FloatArray) -> NDArray[np.bool_]:
    """Which inputs a domain holds."""
    inside = np.array([np.any(np.all((row >= domain.low) & (row <= domain.high), axis=1)) for row in rows])
    if domain.matrix is not None and domain.centre is not None:
        inside &= np.linalg.norm((rows - domain.centre) @ domain.matrix.T, axis=1) <= domain.radius
    return inside


def _outputs(task: Task, row: FloatArray, r: int) -> FloatArray:
    """One output at one input, shape (1,), or the probabilities."""
    numbers = dict(zip((*task.weight_params, *task.input_params), [*task.weights.tolist(), *row.tolist()], strict=True))
    used = used_qubits(task)
    state = np.zeros(2 ** len(used), dtype=complex)
    state[0] = 1
    present = {p: numbers[p] for p in task.circuit.parameters}
    for gate, _ in gates_on(with_numbers(task.circuit, present), used):
        state = run_gates(gate, state)
    values = outputs_of(task, state[:, None], used)[:, 0]
    return values if task.observables is None else values[r : r + 1]


def _change(original: Task, pruned: Task, found: Found, r: int, rounding: float) -> tuple[ComplexArray, float]:
    """Coefficients in exp(ikt) of one output's change, shape (2d_1+1, …, V), and a limit of their sum's error."""
    if found.runs > MOST_RUNS:
        raise TaskError(TOO_MANY.format(found.runs, MOST_RUNS))
    both = [values_on_grid(task, found, which) for which, task in enumerate((original, pruned))]
    values = both[1] - both[0]
    if original.observables is not None:
        values = values[..., r : r + 1]
    size = float(np.abs(values).max(initial=0.0))
    axes = tuple(range(values.ndim - 1))
    return np.fft.fftn(values, axes=axes) / max(1, prod(values.shape[:-1])), 2 * rounding + EPS * values.ndim * 8 * size
