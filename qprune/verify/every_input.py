"""Recompute what is claimed for every input: the worst input by simulation, the limit by Bernstein polynomials.

With u = tan((t − m)/2) a trigonometric polynomial of degree d around m is P(u)/(1+u²)^d, P a polynomial of degree 2d.
Over a box in u, P's Bernstein coefficients divided by those of ∏(1+u_j²)^d_j bound it. Cells are halved until that is
within the claimed limit everywhere; nothing is searched for, as the limit is given.

Source: THEORY T9; S. Bernstein, Commun. Soc. Math. Kharkov 13, 1 (1912).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, pi, prod, sin
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import CertificateViolation, TaskError
from qprune.task.domain import Domain, Resolved, resolved
from qprune.task.expressions import with_numbers
from qprune.task.observables import without_identity
from qprune.task.task import Task
from qprune.verify.checks import Check, Checks, Result
from qprune.verify.grid_values import outputs_of, values_on_grid
from qprune.verify.phases import MOST_RUNS, Found, Turn, read
from qprune.verify.states import gates_on, run_gates, used_qubits

EPS = float(np.finfo(float).eps)
LARGEST_HALF = pi / 4  # of a phase's interval in a cell
MOST_CELLS = 10**6
SWEEPS = 10  # towards a cell's point nearest to the middle of an ellipsoid; fewer drop fewer cells
TOGETHER = 2**17  # coefficients of the cells that are looked at together
ROOM = 16.0  # times what rounding is here: the claim estimates it in its own way, and has it on both of its limits
GROWTH = 4.0  # times that of a narrow cell: more is not allowed for
ROUNDING = 256.0  # units in the last place of an output after a few hundred gates, per unit of its observable's weight


Box: TypeAlias = tuple[FloatArray, FloatArray]


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
        change, error = _change(original, pruned, seen, r, rounding)
        doubt = weight * seen.doubt(domain.low.min(axis=0), domain.high.max(axis=0))  # on top of what inputs do
        if output.upper < doubt:
            raise CertificateViolation(
                f"{name}: the limit {output.upper:.6g} leaves no room for how far angles are known, {doubt:.6g}"
            )
        attained = _attained(original, pruned, output, domain, r, rounding + doubt, name, centre)
        cells = _Cells(change, found.turns, domain, output.upper - doubt, error)
        margin = cells.margin(name)
        confirmed.append(Confirmed(margin, attained, cells.count, doubt + error))
    return tuple(confirmed)


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
        raise TaskError(f"verifying a limit for every input takes {found.runs:,} runs, more than {MOST_RUNS:,}")
    both = [values_on_grid(task, found, which) for which, task in enumerate((original, pruned))]
    values = both[1] - both[0]
    if original.observables is not None:
        values = values[..., r : r + 1]
    size = float(np.abs(values).max(initial=0.0))
    axes = tuple(range(values.ndim - 1))
    return np.fft.fftn(values, axes=axes) / max(1, prod(values.shape[:-1])), 2 * rounding + EPS * values.ndim * 8 * size


class _Cells:
    """Cells of the domain, halved until Bernstein coefficients keep the limit on each."""

    def __init__(
        self, coefficients: ComplexArray, turns: tuple[Turn, ...], domain: Resolved, limit: float, error: float
    ) -> None:
        self.turns, self.error = list(turns), error
        self.coefficients, self.domain, self.limit, self.count = coefficients, domain, limit, 0
        self._leave_out(error)

    def _leave_out(self, nothing: float) -> None:
        """Drop phases that cancel: without them the change differs by what rounding explains, which joins the error."""
        for j in reversed(range(len(self.turns))):
            waves = np.delete(self.coefficients, 0, axis=j)
            lost = float(np.abs(waves).sum())
            if lost <= nothing:
                self.coefficients, self.error = np.take(self.coefficients, 0, axis=j), self.error + lost
                del self.turns[j]

    def margin(self, name: str) -> float:
        """Least room below the limit.

        Raises:
            CertificateViolation: Some value may exceed the limit.
        """
        norms = np.abs(self.coefficients).reshape(-1, self.coefficients.shape[-1]).sum(axis=0)
        whole = float(norms.sum()) / (1 if len(norms) == 1 else 2)  # by the triangle inequality, for all phases
        if whole <= self.limit + self.error:
            return self.limit - whole
        least = np.inf
        waiting = [self._within_a_turn(*box) for box in zip(self.domain.low, self.domain.high, strict=True)]
        together = max(1, TOGETHER // self.coefficients.size)
        while waiting:
            cells = [waiting.pop() for _ in range(min(together, len(waiting)))]
            cells = [cell for cell in cells if not self._is_outside(*cell)]
            if not cells:
                continue
            self.count += len(cells)
            if self.count > MOST_CELLS:
                raise CertificateViolation(f"{name}: the limit {self.limit:.6g} could not be confirmed")
            ends = np.array([[turn.interval(*cell) for turn in self.turns] for cell in cells]).reshape(
                len(cells), -1, 2
            )
            ready = np.all(ends[:, :, 1] - ends[:, :, 0] <= 2 * LARGEST_HALF * (1 + 1e-9), axis=1)
            for k in np.flatnonzero(~ready).tolist():
                waiting += self._halves(cells[k], ends[k], name)
            rows = np.flatnonzero(ready)
            if not len(rows):
                continue
            bounds, growths = self._bounds(ends[rows])
            for k, bound, growth in zip(rows.tolist(), bounds.tolist(), growths.tolist(), strict=True):
                room = self.limit - bound
                if room >= -growth * self.error:
                    least = min(least, room)
                else:
                    self._check_middle(cells[k], growth, name)
                    waiting += self._halves(cells[k], ends[k], name)
        return float(least)

    def _within_a_turn(self, low: FloatArray, high: FloatArray) -> Box:
        """A box with the same phases, of inputs that alone enter one linear phase no more than a turn."""
        if self.domain.matrix is not None or not self.turns:
            return low, high
        uses, high = np.array([turn.uses for turn in self.turns]), high.copy()
        for j in np.flatnonzero(uses.sum(axis=1) == 1):
            i, turn = int(np.flatnonzero(uses[j])[0]), self.turns[j]
            factor = turn.alone(i)
            if uses[:, i].sum() == 1 and factor is not None:
                period = 2 * pi / abs(turn.unit * factor)
                high[i] = min(high[i], low[i] + period * (1 + 1e-9) + 4 * np.spacing(abs(low[i])))
        return low, high

    def _bounds(self, ends: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Largest quotient of Bernstein coefficients on every cell, and by how much errors may have grown in it.

        Where they grow far more than on a narrow cell, which takes each coefficient as it is, the cell is to be halved.
        """
        points = np.repeat(self.coefficients[None], len(ends), axis=0)
        growth, narrow = np.ones(len(ends)), float(self.coefficients[..., 0].size)
        for axis, size in enumerate(self.coefficients.shape[:-1]):
            matrices = _bernstein(size // 2, ends[:, axis, 0], ends[:, axis, 1])
            growth *= np.abs(matrices).sum(axis=2).max(axis=1, initial=1.0)
            rest = points.reshape(len(ends), int(np.prod(points.shape[1 : axis + 1])), size, -1)
            points = np.matmul(matrices[:, None], rest).reshape(points.shape)
        real = np.abs(points.real).reshape(len(ends), -1, points.shape[-1])
        norms = real[..., 0] if real.shape[-1] == 1 else real.sum(axis=-1) / 2
        growth = np.minimum(growth, GROWTH * narrow)
        return norms.max(axis=1, initial=0.0), growth * (1 if real.shape[-1] == 1 else real.shape[-1] / 2)

    def _check_middle(self, cell: Box, growth: float, name: str) -> None:
        middle = (cell[0] + cell[1]) / 2
        if self.domain.matrix is not None and self._is_outside(middle, middle):
            return
        values = self.coefficients
        for turn in self.turns:
            low, high = turn.interval(middle, middle)
            size = values.shape[0]
            values = np.tensordot(np.exp(1j * np.fft.fftfreq(size, 1 / size) * _reduced((low + high) / 2)), values, 1)
        value = float(np.abs(values.real).sum()) / (1 if len(values) == 1 else 2)
        if value > self.limit + growth * self.error:
            raise CertificateViolation(
                f"{name} changes by {value:.6g} at the input {middle.tolist()}, claimed are at most {self.limit:.6g}"
            )

    def _halves(self, cell: Box, ends: FloatArray, name: str) -> list[Box]:
        """Two cells, along the input whose halving shortens the longest interval of a phase most."""
        turn, (low, high) = self.turns[int((ends[:, 1] - ends[:, 0]).argmax())], cell
        axis = int(((high - low) * turn.uses).argmax())
        left, right, middle = high.copy(), low.copy(), (low[axis] + high[axis]) / 2
        if not low[axis] < middle < high[axis]:
            raise CertificateViolation(
                f"{name}: the limit {self.limit:.6g} could not be confirmed at the input {low.tolist()}, where double "
                "precision ends"
            )
        left[axis] = right[axis] = middle
        return [(low, left), (right, high)]

    def _is_outside(self, low: FloatArray, high: FloatArray) -> bool:
        """Whether a cell has no point of the ellipsoid: by a plane through its point nearest the centre."""
        matrix, centre = self.domain.matrix, self.domain.centre
        if matrix is None or centre is None:
            return False
        nearest = np.clip(centre, low, high)
        for step in range(SWEEPS * len(centre)):  # one input after the other to its best value
            column = matrix[:, step % len(centre)]
            moved = nearest[step % len(centre)] - column @ (matrix @ (nearest - centre)) / (column @ column)
            nearest[step % len(centre)] = np.clip(moved, low[step % len(centre)], high[step % len(centre)])
        normal, length = matrix.T @ (matrix @ (nearest - centre)), np.linalg.norm(matrix @ (nearest - centre))
        least = np.where(normal > 0, normal * (low - centre), normal * (high - centre)).sum()
        return bool(least > self.domain.radius * length * (1 + 1e-9))


def _reduced(angle: float) -> float:
    """The same place in the period; a multiple of a large number has lost it."""
    return atan2(sin(angle), cos(angle))


def _bernstein(degree: int, low: FloatArray, high: FloatArray) -> ComplexArray:
    """Takes coefficients in exp(ikt), in the order of the FFT, to quotients of Bernstein coefficients, for C intervals
    of the phase, shape (C, 2d+1, 2d+1).

    Over half an interval's width of 2θ, u = tan θ · (2y − 1), so that 1 ± iu = (exp(∓iθ)(1−y) + exp(±iθ)y)/cos θ. The
    Bernstein coefficients of P, up to a factor that cancels, come from d+k of the one and d−k of the other, each of
    which makes of them means with turned neighbours: b_j' = ((n+1−j) α b_j + j α* b_{j−1})/(n+1), |α| = 1.
    """
    size = 2 * degree + 1
    theta, middle, k = (high - low) / 4, (low + high) / 2, np.fft.fftfreq(size, 1 / size)
    means = np.zeros((len(low), size, size), dtype=complex)
    means[:, 0] = 1
    for n in range(2 * degree):
        turned = np.exp(np.outer(theta, np.where(n < degree + k, -1j, 1j)))[:, None]
        share = np.arange(n + 2)[:, None] / (n + 1)
        before = means[:, : n + 1].copy()
        means[:, : n + 2] *= (1 - share) * turned
        means[:, 1 : n + 2] += share[1:] * turned.conj() * before
    turned = np.exp(1j * np.outer(np.arctan2(np.sin(middle), np.cos(middle)), k))
    return means * turned[:, None, :] / means[:, :, :1].real
