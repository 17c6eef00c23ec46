"""What inputs add to the angles of a circuit's gates: linear forms and other expressions, with their constants.

Source: THEORY T9, setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm

import numpy as np
from qiskit.circuit import Instruction, Parameter, ParameterExpression

from qprune.errors import TaskError
from qprune.gates.sites import Site, make_site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry.intervals import Formula, NotBounded
from qprune.geometry.phases import Phase
from qprune.task.expressions import bound_in_part, number_at, slopes_of
from qprune.task.task import Task

AGREE = 1e-12  # relative difference at which a formula is not the circuit's angle
PROBES = 3  # inputs at which that is looked at
SAME = 16 * float(np.finfo(float).eps)  # relative difference of two factors that rounding explains
LARGEST_DENOMINATOR = 12  # of the ratio of two factors that share a unit
LARGEST_DEGREE = 32  # of phases that share a unit
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
    """

    site: int
    parameter: int | None
    phase: Phase
    constant: float
    step: float
    spread: float


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
    slopes = slopes_of(bound)
    if slopes is not None:
        factors = tuple(float(slopes.get(p, 0.0)) for p in task.input_params)
        constant = number_at(bound, dict.fromkeys(slopes, 0.0))
        return Entry(site, parameter, Phase(factors), constant, step, spread)
    return Entry(site, parameter, _formula(task, bound), 0.0, step, spread)


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


def units_of(entries: tuple[Entry, ...]) -> tuple[list[Unit], list[tuple[int, float]]]:
    """Phases, and for every entry its phase and the factor of its angle: angle = factor · phase + constant."""
    units: list[Unit] = []
    members: list[tuple[int, float]] = []
    for entry in entries:
        for j, unit in enumerate(units):
            ratio = _ratio(entry.phase, unit.first)
            fraction = None if ratio is None else _fraction(ratio * entry.step / unit.step)
            if ratio is not None and fraction is not None and unit.takes(fraction):
                unit.fractions.append(fraction)
                members.append((j, ratio))
                break
        else:
            units.append(Unit(entry.phase, [Fraction(1)], entry.step))
            members.append((len(units) - 1, 1.0))
    return units, [(j, ratio / units[j].size) for j, ratio in members]


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
