"""What inputs add to the angles of a circuit's gates: linear forms and other expressions, with their constants.

Source: THEORY T9, setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction, Parameter, ParameterExpression

from qprune._arrays import FloatArray
from qprune._rounding import within_period
from qprune.errors import OptionError, TaskError
from qprune.gates.sites import Site, make_site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry.formula_errors import largest_error
from qprune.geometry.intervals import Formula, Interval, NotBounded
from qprune.geometry.phases import Phase
from qprune.task.expressions import bound_in_part, number_at, slopes_of
from qprune.task.task import Task

AGREE = 1e-12  # relative difference at which a formula is not the circuit's angle
PROBES = 3  # inputs at which that is looked at
SAME = 16 * float(np.finfo(float).eps)  # relative difference of two factors that rounding explains
KNOWN = 0.01  # radians to which an angle must be known, or nothing is claimed
TIMES = 3  # that double precision works on an angle: for its slopes, for its constant, and when a simulator runs it
LARGEST_DENOMINATOR = LARGEST_DEGREE = 32  # of two factors that share a unit: of their ratio, and of one gate in it
MULTIPLES = np.array([1.0, -1.0, 0.5, -0.5, 2.0, -2.0])  # that are tried of one phase in a sum of two
EULER = ("u",)  # gates that are RZ RY RZ in their own three parameters


@dataclass(frozen=True)
class Entry:
    """One place where inputs enter: a parameter of a gate.

    Attributes:
        site: Index of the gate.
        parameter: Which of the gate's parameters; None for its group coordinate.
        phase: What inputs add, without a constant where it is linear.
        constant: The rest, radians.
        step: Least difference of two eigenvalues of the generator, times which the angle turns outputs.
        spread: Largest difference, a multiple of `step`.
        written: The angle as the circuit has it, in the inputs, then the weights; None for a bare input.
        weights: Their values.
    """

    site: int
    parameter: int | None
    phase: Phase
    constant: float
    step: float
    spread: float
    written: Formula | None = None
    weights: tuple[float, ...] = ()

    def error(self, low: FloatArray, high: FloatArray) -> float:
        """How far the angle may be off for inputs in K boxes of shape (K, n), radians.

        Raises:
            OptionError: So far that nothing is known of it.
        """
        if self.written is None:
            return 0.0
        beside = np.broadcast_to(self.weights, (len(low), len(self.weights)))
        ends = (np.concatenate([each, beside], axis=1) for each in (low, high))
        try:
            error = TIMES * largest_error(self.written, *ends)
        except NotBounded as reason:
            raise OptionError(f"the angle {self.written.text} has no limits over the domain: {reason}") from reason
        check_known(error, self.written.text, low, high)
        return error


def check_known(error: float, angle: str, low: FloatArray, high: FloatArray) -> None:
    """Refuse an angle of which double precision knows too little.

    Raises:
        OptionError: The error, radians, is above `KNOWN`.
    """
    if not error <= KNOWN:
        raise OptionError(
            f"double precision knows the angle {angle} to {error:.2g} radians only, for inputs up to "
            f"{np.abs([low, high]).max():.3g}; shift or scale the inputs (a turn is 2π), or give a smaller domain"
        )


def elementary(task: Task, sites: tuple[Site, ...]) -> tuple[Site, ...]:
    """The same gates, those taken apart whose angles with inputs are not those of one-parameter subgroups."""
    return tuple(part for site in sites for part in _parts(task, site))


def _parts(task: Task, site: Site) -> Iterator[Site]:
    if site.role != "encoding" or site.coordinate is not None or site.name in EULER:
        yield site
        return
    definition = site.operation.definition
    if definition is None:
        raise TaskError(
            f"gate {site.name} on qubits {list(site.qubits)} depends on inputs in a way that is not known: it has no "
            "definition; write it in rotations for a limit that holds for every input"
        )
    for item in definition.data:
        qubits = tuple(site.qubits[definition.find_bit(q).index] for q in item.qubits)
        yield from _parts(task, make_site(task, item.operation, qubits, site.origins))


def entries_of(task: Task, sites: tuple[Site, ...]) -> tuple[Entry, ...]:
    """Every angle that inputs enter, of sites made `elementary`, at the task's weights.

    Raises:
        TaskError: An angle cannot be read as a function of the inputs.
    """
    found = []
    for k, site in enumerate(sites):
        group = subgroup_of(site)
        if site.coordinate is not None and group is not None:
            if task.has_inputs(site.coordinate):
                values = sorted(group.eigenvalues)
                steps = np.diff(values)
                found.append(_entry(task, k, None, site.coordinate, float(steps.min()), values[-1] - values[0]))
            continue
        for j, angle in enumerate(site.operation.params):
            if task.has_inputs(angle):
                found.append(_entry(task, k, j, angle, 1.0, 1.0))
    return tuple(found)


def _entry(
    task: Task, site: int, parameter: int | None, angle: ParameterExpression, step: float, spread: float
) -> Entry:
    weights = {p.name: float(v) for p, v in zip(task.weight_params, task.weights, strict=True)}
    known = {p: weights[p.name] for p in angle.parameters if p.name in weights}
    bound = bound_in_part(angle, known) if known else angle
    if bound is None:
        raise TaskError(f"the angle {angle} cannot be bound to its weights reliably; write it in a simpler form")
    written = None if isinstance(angle, Parameter) else _written(task, angle)
    slopes = slopes_of(bound)
    if slopes is None:
        phase, constant = _formula(task, bound), 0.0
    else:
        phase = Phase(tuple(float(slopes.get(p, 0.0)) for p in task.input_params))
        constant = float(within_period(number_at(bound, dict.fromkeys(slopes, 0.0)), 2 * np.pi / step))
    return Entry(site, parameter, phase, constant, step, spread, written, tuple(weights.values()))


def _written(task: Task, angle: ParameterExpression) -> Formula:
    """An angle as text in the inputs x_0, x_1, …, and after those the weights."""
    numbered = {p: Parameter(f"x_{i}") for i, p in enumerate((*task.input_params, *task.weight_params))}
    text = str(angle.subs({p: numbered[p] for p in angle.parameters}))
    try:
        return Formula(text)
    except (NotBounded, SyntaxError) as error:
        raise TaskError(f"the angle {angle} cannot be read as a function of the inputs: {error}") from error


def _formula(task: Task, angle: ParameterExpression) -> Phase:
    """An angle that is not linear as a formula, compared with the circuit's at a few inputs."""
    names = {p: Parameter(f"x_{i}") for i, p in enumerate(task.input_params) if p in angle.parameters}
    factors = tuple(float(p in names) for p in task.input_params)
    try:
        phase = Phase(factors, Formula(str(angle.subs(names))))
    except (NotBounded, SyntaxError) as error:
        raise TaskError(f"the angle {angle} cannot be read as a function of the inputs: {error}") from error
    rows = task.inputs[: min(PROBES, len(task.inputs))]
    there = np.array(
        [number_at(angle, {p: row[i] for i, p in enumerate(task.input_params) if p in names}) for row in rows]
    )
    if not np.all(np.abs(phase.angles(rows) - there) <= AGREE * np.abs(there).max()):
        raise TaskError(f"the angle {angle} cannot be read as a function of the inputs; write it in a simpler form")
    return phase


# -- phases that share a unit -----------------------------------------------------------------------------------------


Parts: TypeAlias = tuple[tuple[int, float], ...]
"""A phase as a sum: index and factor of each term."""


@dataclass
class Unit:
    """Entries whose angles are multiples of one function of the inputs.

    Attributes:
        first: The function that ratios refer to.
        fractions: By entry the ratio of its frequency step to that of the first.
        step: Frequency step of the first entry.
    """

    first: Phase
    fractions: list[Fraction]
    step: float

    @property
    def denominator(self) -> int:
        return lcm(*(f.denominator for f in self.fractions))

    @property
    def size(self) -> float:
        """The unit as a multiple of the first function."""
        whole = gcd(*(abs(f.numerator) * (self.denominator // f.denominator) for f in self.fractions))
        return self.step * whole / self.denominator

    def takes(self, fraction: Fraction) -> bool:
        """Whether the largest frequency of a single gate stays small in a unit that serves this one too."""
        wider = Unit(self.first, [*self.fractions, fraction], self.step)
        largest = max(abs(f) for f in wider.fractions)
        return float(largest) * self.step / wider.size <= LARGEST_DEGREE


def unlike(phase: Phase, parts: Parts, units: Sequence[Phase], low: FloatArray, high: FloatArray) -> float:
    """How far Σ factor · unit may be from a phase over K boxes: what rounding has left of common units, radians."""
    ends, total = (low, high), 0.0
    used = [(units[j], factor) for j, factor in parts]
    if len(used) == 1 and phase.formula is not None and used[0][0].formula == phase.formula:
        return 0.0
    for name in dict.fromkeys([*_terms(phase), *(name for unit, _ in used for name in _terms(unit))]):
        made = sum((Fraction(factor) * Fraction(_terms(unit).get(name, 0.0)) for unit, factor in used), Fraction(0))
        gap = float(abs(Fraction(_terms(phase).get(name, 0.0)) - made))
        total += gap * _largest(Formula(name).range(*ends)) if gap else 0.0
    for each, factor in ((phase, 1.0), *used):  # the factors of a formula's terms are worked out themselves
        total += SAME / 2 * abs(factor) * _largest(each.interval(*ends)) if each.formula is not None else 0.0
    return total


def _largest(ends: Interval) -> float:
    return float(np.abs(ends).max(initial=0.0))


def _terms(phase: Phase) -> dict[str, float]:
    """What a phase adds up: texts in the inputs, with their factors."""
    if phase.formula is not None:
        return phase.formula.summands
    return {f"x_{i}": phase.factors[i] for i in phase.inputs}


def units_of(entries: tuple[Entry, ...], *, sums: bool) -> tuple[list[Unit], list[Parts]]:
    """Phases, and every entry in them: angle = Σ factor · phase + constant.

    Args:
        entries: Of one circuit or several.
        sums: Whether an angle may be a sum of phases that others make, as x + y is of x and y; else it is a multiple
            of one.
    """
    units: list[Unit] = []
    members: list[Parts] = []
    for entry in entries:
        parts: Parts | None = () if not any(entry.phase.factors) else _multiple(entry, units)  # x − x turns nothing
        if parts is None and sums:
            parts = _sum(entry, units)
        if parts is None:
            units.append(Unit(entry.phase, [], entry.step))
            parts = ((len(units) - 1, 1.0),)
        exact = []
        for j, factor in parts:
            fraction = _fraction(factor * entry.step / units[j].step)
            if fraction is None:
                raise RuntimeError("a factor is no multiple of its unit")
            units[j].fractions.append(fraction)
            # What the polynomial has: the factor may be some roundings off, which `unlike` then counts.
            exact.append((j, float(fraction) * units[j].step / entry.step))
        members.append(tuple(exact))
    return units, [tuple((j, factor / units[j].size) for j, factor in parts) for parts in members]


def _multiple(entry: Entry, units: list[Unit]) -> Parts | None:
    """An entry as a multiple of one phase."""
    for j, unit in enumerate(units):
        ratio = _ratio(entry.phase, unit.first)
        if ratio is not None and _fits(entry, unit, ratio):
            return ((j, ratio),)
    return None


def _sum(entry: Entry, units: list[Unit]) -> Parts | None:
    """An entry as a sum of multiples of phases: of any number where they are independent, else of two."""
    if not units:
        return None
    own = [_terms(unit.first) for unit in units]
    names = tuple(dict.fromkeys(name for each in (*own, _terms(entry.phase)) for name in each))
    rows = np.array([[each.get(name, 0.0) for name in names] for each in own])
    mine = np.array([_terms(entry.phase).get(name, 0.0) for name in names])
    largest = np.maximum(np.abs(rows).max(axis=0), np.abs(mine))
    scales = np.where(largest, largest, 1.0)  # of the inputs, which may have any unit
    mine, rows = mine / scales, rows / scales
    found: Iterable[FloatArray]
    if np.linalg.matrix_rank(rows) == len(rows):
        found = [np.asarray(np.linalg.lstsq(rows.T, mine)[0], dtype=float)]
    else:
        found = _pairs(mine, rows, entry.step / np.array([unit.step for unit in units]))
    for factors in found:
        factors[np.abs(factors) * np.abs(rows).max(axis=1) <= SAME * np.abs(mine).max()] = 0.0
        factors = np.array([_rounded(factor) if factor else 0.0 for factor in factors.tolist()])
        parts = tuple((int(k), float(factors[k])) for k in np.flatnonzero(factors))
        is_sum = np.abs(factors @ rows - mine).max() <= SAME * np.abs(mine).max()
        if parts and is_sum and all(_fits(entry, units[j], factor) for j, factor in parts):
            return parts
    return None


def _pairs(mine: FloatArray, rows: FloatArray, steps: FloatArray) -> Iterator[FloatArray]:
    """Factors of two rows that add up to a vector, small multiples of one of them and of another any that may fit."""
    rest = mine - MULTIPLES[:, None, None] * rows  # (multiples, rows, inputs)
    at = np.abs(rows).argmax(axis=1)
    factors = rest[:, :, at] / rows[np.arange(len(rows)), at]  # of a second row
    gaps = np.abs(rest[:, :, None] - factors[..., None] * rows).max(axis=-1)
    for m, a, b in np.argwhere((gaps <= SAME * np.abs(mine).max()) & _may_be_fractions(factors * steps)):
        if a != b:
            found = np.zeros(len(rows))
            found[a], found[b] = MULTIPLES[m], factors[m, a, b]
            yield found


def _rounded(factor: float) -> float:
    """Without what a solver's rounding adds to a ratio of small numbers."""
    near = Fraction(factor).limit_denominator(LARGEST_DENOMINATOR**2)
    return float(near) if abs(float(near) - factor) <= SAME * abs(factor) else factor


def _fits(entry: Entry, unit: Unit, factor: float) -> bool:
    fraction = _fraction(factor * entry.step / unit.step)
    return fraction is not None and unit.takes(fraction)


def _ratio(phase: Phase, other: Phase) -> float | None:
    """c where φ = c·φ', else None."""
    if phase.formula is not None or other.formula is not None:
        return 1.0 if phase.formula == other.formula else None
    mine, its = np.array(phase.factors), np.array(other.factors)
    at = int(np.abs(its).argmax())
    ratio = mine[at] / its[at]
    return float(ratio) if ratio and np.all(np.abs(mine - ratio * its) <= SAME * np.abs(mine)) else None


def _fraction(ratio: float) -> Fraction | None:
    found = Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)
    return found if found and abs(float(found) - ratio) <= SAME * abs(ratio) else None


def _may_be_fractions(ratios: FloatArray) -> NDArray[np.bool_]:
    """False where `_fraction` finds none, even of what `_rounded` makes of them; for many at once."""
    wholes = ratios[..., None] * np.arange(1, LARGEST_DENOMINATOR + 1)
    return np.asarray((np.abs(wholes - np.rint(wholes)) <= 4 * SAME * np.abs(wholes)).any(axis=-1))


def scaled(phase: Phase, size: float) -> Phase:
    """A phase in another unit: size · φ."""
    if phase.formula is not None:
        return replace(phase, formula=phase.formula.times(size))
    return Phase(tuple(size * f for f in phase.factors))


def with_angle(operation: Instruction, parameter: int, angle: ParameterExpression | float) -> Instruction:
    """An instruction with one of its parameters replaced."""
    changed = operation.to_mutable()
    changed.params = [angle if j == parameter else p for j, p in enumerate(operation.params)]
    return changed
