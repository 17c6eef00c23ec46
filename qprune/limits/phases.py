"""The phases of two circuits: what inputs do to their outputs, and how many runs tell all of it.

Source: THEORY T9, setting and steps 1 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter, ParameterExpression

from qprune._arrays import FloatArray
from qprune._rounding import EPSILON
from qprune.errors import OptionError
from qprune.exact.simplify import light_cones
from qprune.gates.sites import Site, make_site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry.intervals import OUTWARD
from qprune.geometry.norms import MOST_OUTCOMES
from qprune.geometry.phases import Phase, PhaseMap
from qprune.limits.encoding_angles import (
    Entry,
    Parts,
    Unit,
    check_known,
    elementary,
    entries_of,
    scaled,
    units_of,
    unlike,
    with_angle,
)
from qprune.limits.on_inputs import weights_of
from qprune.task.task import Task

IntArray = NDArray[np.intp]

OVERHEAD, COPIES = 64, 4  # amplitudes that a gate costs besides, and arrays of outputs that are held at a time
MOST_RUNS = 2**18
"""Runs of each circuit above which no proof is tried by itself: 262,144; ten inputs encoded once need 59,049."""

MORE_RUNS = 2
"""Times as many runs may be made for fewer phases: limits over dependent phases are wider."""

GRID_ROUNDINGS = 4 * 2 * np.pi
"""Units in the last place of an angle factor · t on the grid: t < 2π, its own and the product's rounding."""

SECONDS_PER_AMPLITUDE = 3e-9
"""A rough time for one gate on one amplitude, on one core; for the estimate in a refusal alone."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A circuit with the places where inputs enter it.

    Attributes:
        task: Binds its weights.
        sites: Its gates, those with inputs taken apart into one-parameter gates.
        entries: Where inputs enter.
        cones: Which gates stand in the light cone of which output, shape (R, gates).
    """

    task: Task
    sites: tuple[Site, ...]
    entries: tuple[Entry, ...]
    cones: NDArray[np.bool_]


def encoded(task: Task, sites: Sequence[Site]) -> Encoded:
    """Look for inputs in a circuit.

    Args:
        task: Binds its weights.
        sites: Its gates.

    Raises:
        TaskError: An angle cannot be read as a function of the inputs.
    """
    parts = elementary(task, tuple(sites))
    return Encoded(task, parts, entries_of(task, parts), light_cones(task, parts, set()))


@dataclass(frozen=True, eq=False)
class Phases:
    """The phases of an original and of a smaller circuit together.

    Attributes:
        map: Phases as functions of the inputs.
        names: A name of each for messages.
        degrees: By output and phase, the degree in the outputs of both circuits, shape (R, J).
        circuits: The two circuits.
        members: By circuit and entry the phases that add up to its angle, with their factors.
        frame: A task with the outputs of the original whose inputs are the phases; its circuit does nothing.
    """

    map: PhaseMap
    names: tuple[str, ...]
    degrees: IntArray
    circuits: tuple[Encoded, Encoded]
    members: tuple[Sequence[Parts], Sequence[Parts]]
    frame: Task

    def runs(self, output: int) -> int:
        """Runs of each circuit that determine an output's difference: ∏(2d_j + 1)."""
        return prod(2 * d + 1 for d in self.degrees[output].tolist())

    @property
    def most_runs(self) -> int:
        """Runs for the output that needs most."""
        return max(self.runs(r) for r in range(len(self.degrees)))

    def angles_on_grid(self, which: int) -> float:
        """What the angles of one circuit are off by on the grid, times their spread, added up: see `rounding_of`."""
        places = zip(self.circuits[which].entries, self.members[which], strict=True)
        roundings = ((e, GRID_ROUNDINGS * len(parts) * sum(abs(f) for _, f in parts)) for e, parts in places)
        return sum(e.spread * EPSILON * (grid + abs(e.constant)) for e, grid in roundings)

    def angle_errors(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """How far rounding of the inputs' angles may move each output over K boxes of shape (K, n), both circuits.

        On an input of 10^9 an angle such as 0.1·x + w is known to 10^-7 only: the function of the inputs that is
        compared here is exact, the one that a simulator or a device is given is that far from it.

        Raises:
            OptionError: An angle is not known at all on such inputs.
        """
        for phase, name in zip(self.map.phases, self.names, strict=True):
            check_known(OUTWARD * np.abs(phase.interval(low, high)).max(initial=0.0), name, low, high)
        total = np.zeros(len(self.degrees))
        for circuit, members in zip(self.circuits, self.members, strict=True):
            total += errors_of(circuit, low, high)
            for entry, parts in zip(circuit.entries, members, strict=True):
                gap = unlike(entry.phase, parts, self.map.phases, low, high)
                total += entry.spread * gap * circuit.cones[:, entry.site]
        return total * weights_of(self.circuits[0].task)

    def sites(self, which: int) -> tuple[Site, ...]:
        """The gates of one of the circuits on the phases as inputs of `frame`, everything else as numbers."""
        return _in_phases(self.frame, self.circuits[which], self.members[which])


def phases_of(original: Encoded, pruned: Encoded) -> Phases:
    """Find the phases of two circuits and their degrees in every output.

    A gate exp(−i(mφ + β)A) adds |m|(a_max − a_min) to the degree of phase φ in every output in whose light cone it
    stands; the degree in the difference is the larger of the two circuits'. An angle may be a sum of phases: where
    rz(x) and rz(y) have become one rz(x + y), the difference is one of x and y, not of a third phase.

    Args:
        original: The original circuit.
        pruned: The smaller one; the same inputs and outputs.

    Source: THEORY T9.
    """
    entries = (*original.entries, *pruned.entries)
    found = _phases(original, pruned, *units_of(entries, sums=True))
    if all(len(parts) == 1 for own in found.members for parts in own):
        return found
    apart = _phases(original, pruned, *units_of(entries, sums=False))  # more phases of lower degrees
    return found if found.most_runs <= MORE_RUNS * apart.most_runs else apart


def _phases(original: Encoded, pruned: Encoded, units: Sequence[Unit], members: Sequence[Parts]) -> Phases:
    own = members[: len(original.entries)], members[len(original.entries) :]
    degrees = [_degrees(circuit, each, len(units)) for circuit, each in zip((original, pruned), own, strict=True)]
    phases = tuple(scaled(unit.first, unit.size) for unit in units)
    return Phases(
        map=PhaseMap(phases),
        names=tuple(_name(original.task, phase) for phase in phases),
        degrees=np.maximum(*degrees),
        circuits=(original, pruned),
        members=own,
        frame=_frame(original.task, len(units)),
    )


def _degrees(circuit: Encoded, members: Sequence[Parts], count: int) -> IntArray:
    degrees = np.zeros((len(circuit.cones), count), dtype=np.intp)
    for entry, parts in zip(circuit.entries, members, strict=True):
        for j, factor in parts:
            degrees[circuit.cones[:, entry.site], j] += round(abs(factor) * entry.spread)
    return degrees


def errors_of(circuit: Encoded, low: FloatArray, high: FloatArray) -> FloatArray:
    """What the angles of a circuit are off by over K boxes, times their spread, added up by output, shape (R,)."""
    own = [entry.spread * entry.error(low, high) * circuit.cones[:, entry.site] for entry in circuit.entries]
    return np.asarray(sum(own, np.zeros(len(circuit.cones))))


def check_runs(phases: Phases, most: int = MOST_RUNS) -> None:
    """Refuse what would take too many runs, naming the phases that make it so.

    Raises:
        OptionError: More than `most` runs.
    """
    runs = phases.most_runs
    if runs <= most:
        return
    r = max(range(len(phases.degrees)), key=phases.runs)
    degrees = phases.degrees[r]
    order = np.argsort(-degrees, kind="stable")[: np.count_nonzero(degrees)]
    blamed = ", ".join(f"{phases.names[j]} (degree {degrees[j]})" for j in order[:6])
    outcomes = outcomes_of(phases.frame)
    over_states = (
        "or let one gate prepare the state of a few qubits before anything else, where all states are limited at once"
        if outcomes <= MOST_OUTCOMES
        else f"or measure fewer qubits, or observables: probabilities of {outcomes:,} outcomes are not limited for all "
        f"states at once, those of up to {MOST_OUTCOMES} are"
    )
    qubits, gates = phases.frame.num_qubits, sum(len(circuit.sites) for circuit in phases.circuits)
    seconds = runs * gates * (2.0**qubits + OVERHEAD) * SECONDS_PER_AMPLITUDE
    memory = 8e-9 * runs * (len(phases.names) + COPIES * len(phases.degrees))
    raise OptionError(
        f"a limit for every input takes {runs:,} runs of each circuit, more than {most:,}: about {_duration(seconds)} "
        f"on one core and {memory:.3g} GB. The phases that make it so: {blamed}"
        f"{', …' if len(order) > 6 else ''}. Encode inputs fewer times or with whole multiples of one angle, "
        f"{over_states}; or rely on a hold-out; qprune.everywhere(result, most_runs={runs}) tries it all the same"
    )


def outcomes_of(task: Task) -> int:
    """Of a distribution that a task measures; 1 where it measures observables."""
    return 1 if task.observables is not None else 2 ** len(task.measured_qubits)


def _duration(seconds: float) -> str:
    for unit, size in (("years", 3.15e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _name(task: Task, phase: Phase) -> str:
    if phase.formula is not None:
        return phase.formula.text
    terms = [f"{f:.4g}·{p.name}" for f, p in zip(phase.factors, task.input_params, strict=True) if f]
    return " + ".join(terms)


# -- circuits whose inputs are the phases -----------------------------------------------------------------------------


def _frame(task: Task, count: int) -> Task:
    """A task with the outputs of another and phases for inputs; its gates are those of `Phases.sites`."""
    circuit = QuantumCircuit(task.num_qubits)
    names = [Parameter(f"phase_{j:04d}") for j in range(count)]
    for name in names:
        circuit.rz(name, 0)
    if task.observables is None:
        circuit.add_register(ClassicalRegister(len(task.measured_qubits)))
        circuit.measure(list(task.measured_qubits), list(range(len(task.measured_qubits))))
    observables = None if task.observables is None else list(task.observables)
    return Task(circuit, observables, inputs=np.zeros((1, count)) if count else None, input_params=names)


def _in_phases(frame: Task, circuit: Encoded, members: Sequence[Parts]) -> tuple[Site, ...]:
    names, task = frame.input_params, circuit.task
    angles: dict[int, dict[int | None, ParameterExpression | float]] = {}
    for entry, parts in zip(circuit.entries, members, strict=True):
        angle: ParameterExpression | float = entry.constant
        for j, factor in parts:
            angle = factor * names[j] + angle
        angles.setdefault(entry.site, {})[entry.parameter] = angle
    turned = []
    for k, site in enumerate(circuit.sites):
        operation, qubits, new, group = site.operation, site.qubits, angles.get(k, {}), subgroup_of(site)
        if site.role == "fixed":
            turned.append(site)
            continue
        if None in new and group is not None:
            member = group.member(new[None])
            if member is None:
                raise RuntimeError(f"no gate for {group} at a free angle")
            operation, qubits = member
        for j, parameter in enumerate(operation.params if None not in new else ()):
            if isinstance(parameter, ParameterExpression):
                angle = new.get(j)
                operation = with_angle(operation, j, float(task.values(parameter)) if angle is None else angle)
        turned.append(make_site(frame, operation, qubits, site.origins))
    return tuple(turned)
