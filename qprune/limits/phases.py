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

from qprune.errors import OptionError
from qprune.exact.simplify import light_cones
from qprune.gates.sites import Site, circuit_of, make_site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry.phases import PhaseMap
from qprune.limits.encoding_angles import Entry, elementary, entries_of, scaled, units_of, with_angle
from qprune.task.task import Task

IntArray = NDArray[np.intp]

MOST_RUNS = 2**18
"""Runs of each circuit above which no proof is tried by itself: 262,144; ten inputs encoded once need 59,049."""

SECONDS_PER_AMPLITUDE = 3e-9
"""A rough time for one gate on one amplitude, on one core; for the estimate in a refusal alone."""


@dataclass(frozen=True)
class Phases:
    """The phases of an original and of a smaller circuit together.

    Attributes:
        map: Phases as functions of the inputs.
        names: A name of each for messages.
        degrees: By output and phase, the degree in the outputs of both circuits, shape (R, J).
        circuits: The two circuits as tasks whose only inputs are the phases; all else are numbers. A phase that a
            circuit does not have is missing there.
        sites: Their gates.
    """

    map: PhaseMap
    names: tuple[str, ...]
    degrees: IntArray
    circuits: tuple[Task, Task]
    sites: tuple[tuple[Site, ...], tuple[Site, ...]]

    def runs(self, output: int) -> int:
        """Runs of each circuit that determine an output's difference: ∏(2d_j + 1)."""
        return prod(2 * d + 1 for d in self.degrees[output].tolist())

    @property
    def most_runs(self) -> int:
        """Runs for the output that needs most."""
        return max(self.runs(r) for r in range(len(self.degrees)))


def phases_of(original: Task, original_sites: Sequence[Site], pruned: Task, pruned_sites: Sequence[Site]) -> Phases:
    """Find the phases of two circuits and their degrees in every output.

    A gate exp(−i(mφ + β)A) adds |m|(a_max − a_min) to the degree of phase φ in every output in whose light cone it
    stands; the degree in the difference is the larger of the two circuits'.

    Args:
        original: The original task, with its weights.
        original_sites: Its gates.
        pruned: The smaller one; the same inputs and outputs.
        pruned_sites: Its gates.

    Raises:
        TaskError: An angle cannot be read as a function of the inputs.

    Source: THEORY T9.
    """
    pairs = ((original, original_sites), (pruned, pruned_sites))
    both = [elementary(task, tuple(sites)) for task, sites in pairs]
    entries = [entries_of(task, sites) for (task, _), sites in zip(pairs, both, strict=True)]
    units, members = units_of((*entries[0], *entries[1]))
    degrees = [np.zeros((len(original.output_supports), len(units)), dtype=np.intp) for _ in pairs]
    turned, start = [], 0
    for (task, _), sites, found, degree in zip(pairs, both, entries, degrees, strict=True):
        own = members[start : start + len(found)]
        start += len(found)
        cones = light_cones(task, sites, set())
        for entry, (j, factor) in zip(found, own, strict=True):
            degree[cones[:, entry.site], j] += round(abs(factor) * entry.spread)
        turned.append(_in_phases(task, sites, found, own))
    phases = tuple(scaled(unit.first, unit.size) for unit in units)
    return Phases(
        map=PhaseMap(phases),
        names=tuple(_name(original, phase.factors, phase.expression) for phase in phases),
        degrees=np.maximum(*degrees),
        circuits=(turned[0][0], turned[1][0]),
        sites=(turned[0][1], turned[1][1]),
    )


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
    qubits, gates = phases.circuits[0].num_qubits, sum(map(len, phases.sites))
    seconds = runs * gates * 2.0**qubits * SECONDS_PER_AMPLITUDE
    raise OptionError(
        f"a limit for every input takes {runs:,} runs of each circuit, more than {most:,}: about {_duration(seconds)} "
        f"on one core and {8e-9 * runs * len(phases.degrees):.3g} GB. The phases that make it so: {blamed}"
        f"{', …' if len(order) > 6 else ''}. Encode inputs fewer times or with whole multiples of one angle, "
        "allow more runs (most_runs), or rely on a hold-out"
    )


def _duration(seconds: float) -> str:
    for unit, size in (("years", 3.15e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _name(task: Task, factors: Sequence[float], expression: object) -> str:
    if expression is not None:
        return str(expression)
    terms = [f"{f:.4g}·{p.name}" for f, p in zip(factors, task.input_params, strict=True) if f]
    return " + ".join(terms)


# -- circuits whose inputs are the phases -----------------------------------------------------------------------------


def _in_phases(
    task: Task, sites: tuple[Site, ...], entries: Sequence[Entry], members: Sequence[tuple[int, float]]
) -> tuple[Task, tuple[Site, ...]]:
    """A task on phases t_0, t_1, … in place of the inputs, with the weights as numbers, and its sites."""
    angles: dict[int, dict[int | None, ParameterExpression]] = {}
    names = {j: Parameter(f"phase_{j:04d}") for j in sorted({j for j, _ in members})}
    for entry, (j, factor) in zip(entries, members, strict=True):
        angles.setdefault(entry.site, {})[entry.parameter] = factor * names[j] + entry.constant
    placed = []
    for k, site in enumerate(sites):
        operation, qubits = site.operation, site.qubits
        new = angles.get(k, {})
        group = subgroup_of(site)
        if None in new and group is not None:
            member = group.member(new[None])
            if member is None:
                raise RuntimeError(f"no gate for {group} at a free angle")
            operation, qubits = member
        for j, parameter in enumerate(operation.params if None not in new else ()):
            if isinstance(parameter, ParameterExpression):
                angle = new.get(j)
                operation = with_angle(operation, j, float(task.values(parameter)) if angle is None else angle)
        placed.append((operation, qubits, site.origins))
    bare = QuantumCircuit(task.num_qubits)
    for operation, qubits, _ in placed:
        bare.append(operation, list(qubits))
    if task.observables is None:
        bare.add_register(ClassicalRegister(len(task.measured_qubits)))
        bare.measure(list(task.measured_qubits), list(range(len(task.measured_qubits))))
    present = list(names.values())
    turned = Task(
        bare,
        None if task.observables is None else list(task.observables),
        inputs=np.zeros((1, len(present))) if present else None,
        input_params=present,
    )
    turned_sites = tuple(make_site(turned, *each) for each in placed)
    return turned.with_circuit(circuit_of(turned, turned_sites)), turned_sites


def columns(task: Task) -> list[int]:
    """Which phases a circuit of `Phases` has, in the order of its inputs."""
    return [int(p.name.removeprefix("phase_")) for p in task.input_params]
