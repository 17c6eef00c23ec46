"""Runs of two circuits on the tensor grid of their phases: the difference of an output as values on the grid.

Source: THEORY T9, step 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.geometry.trigonometric import along, basis, coefficients, grid
from qprune.limits.phases import Phases, columns
from qprune.limits.product_inputs import is_worth_it, values_on_grid
from qprune.simulators.passes import final_outputs
from qprune.simulators.values import expectation_rounding
from qprune.task.task import Task

AT_ONCE = 2**24  # amplitudes of the samples that one call simulates
ANGLE_ROUNDINGS = 2.0
"""Units in the last place by which an angle of at most 2π per gate may be off: what angles rounded to double precision
add to an expectation value, per gate with inputs."""


@dataclass(frozen=True)
class GridValues:
    """The difference of one output on the tensor grid of the phases it depends on.

    Attributes:
        phases: Which phases, by index.
        values: Shape (2d_1+1, …, V); V is 1, or the number of outcomes.
        error: Limit of the error of each value, by rounding.
        runs: Runs of each circuit behind it.
    """

    phases: tuple[int, ...]
    values: FloatArray
    error: float
    runs: int


def outputs_at(task: Task, sites: Sequence[Site], inputs: FloatArray) -> tuple[FloatArray, float]:
    """Outputs of a circuit on any inputs, shape (R, M), or outcome probabilities (2^m, M), and how far they may be off.

    Args:
        task: Binds the weights; its own inputs do not enter.
        sites: Its gates.
        inputs: Shape (M, number of inputs).
    """
    qubits = len({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or 1
    step = max(1, AT_ONCE >> qubits)
    turned = with_inputs(task, inputs)
    found = []
    for first in range(0, len(inputs), step):
        outputs = final_outputs(turned, sites, np.arange(first, min(first + step, len(inputs))))
        found.append(outputs.means if outputs.distribution is None else outputs.distribution.T)
    angles = sum(site.role == "encoding" for site in sites) * ANGLE_ROUNDINGS * 2 * np.pi * np.finfo(float).eps
    weight = max((abs(s.centre) + s.weight for s in task.spectra), default=1.0)
    return np.concatenate(found, axis=1), weight * float(expectation_rounding(qubits, len(sites)) + angles)


def with_inputs(task: Task, inputs: FloatArray) -> Task:
    """The task on other inputs, all selected and equally likely, without labels."""
    turned = task.with_circuit(task.circuit)
    turned.inputs = np.asarray(inputs, dtype=float)
    turned.probabilities = np.full(len(inputs), 1 / len(inputs))
    turned.selected, turned.heldout = np.arange(len(inputs)), np.arange(0)
    turned.labels = None
    return turned


def differences(phases: Phases) -> list[GridValues]:
    """The difference pruned − original of every output, on its own grid.

    Outputs whose degrees another output's cover take part in its runs: what they lack are coefficients of zero.
    """
    degrees = phases.degrees
    order = sorted(range(len(degrees)), key=lambda r: (-phases.runs(r), r))
    made: list[tuple[NDArray[np.intp], FloatArray, float]] = []
    found: dict[int, GridValues] = {}
    for r in order:
        covering = next((each for each in made if np.all(each[0] >= degrees[r])), None)
        if covering is None:
            covering = (degrees[r], *_on_grid(phases, degrees[r]))
            made.append(covering)
        found[r] = _own_part(phases, r, *covering)
    return [found[r] for r in range(len(degrees))]


def _on_grid(phases: Phases, degrees: NDArray[np.intp]) -> tuple[FloatArray, float]:
    """Differences of all outputs on a grid, shape (2d_1+1, …, outputs or outcomes), and their error."""
    axes = [grid(int(d)) for d in degrees]
    pairs = list(zip(phases.circuits, phases.sites, strict=True))
    outputs = [_one_circuit(task, sites, axes) for task, sites in pairs]
    return np.moveaxis(outputs[1][0] - outputs[0][0], 0, -1), outputs[0][1] + outputs[1][1]


def _one_circuit(task: Task, sites: Sequence[Site], axes: Sequence[FloatArray]) -> tuple[FloatArray, float]:
    """Outputs on the grid, shape (R, 2d_1+1, …), or the probabilities of all outcomes, and their error."""
    shape, own = tuple(map(len, axes)), columns(task)
    if is_worth_it(task, sites, prod(shape)):
        return values_on_grid(task, sites, axes, own)
    grids = np.meshgrid(*(axes[j] for j in own), indexing="ij")
    points = np.stack(grids, axis=-1).reshape(-1, len(own)) if own else np.zeros((1, 0))
    outputs, error = outputs_at(task, sites, points)
    kept = [len(axis) if j in own else 1 for j, axis in enumerate(axes)]  # a phase that a circuit lacks changes nothing
    return np.array(np.broadcast_to(outputs.reshape(-1, *kept), (len(outputs), *shape))), error


def _own_part(phases: Phases, r: int, degrees: NDArray[np.intp], values: FloatArray, error: float) -> GridValues:
    """One output's values on the grid of its own degrees, from those on a grid of no smaller ones."""
    own = phases.degrees[r]
    part = values if phases.circuits[0].observables is None else values[..., r : r + 1]
    runs = int(np.prod([2 * int(d) + 1 for d in degrees]))
    if np.any(own < degrees):
        part = coefficients(part)[tuple(slice(0, 2 * int(d) + 1) for d in own)]
        for axis, d in enumerate(own.tolist()):
            part = along(basis(grid(d), d), part, axis)
    used = tuple(int(j) for j in np.flatnonzero(own))
    return GridValues(used, part.reshape(*(2 * int(own[j]) + 1 for j in used), part.shape[-1]), error, runs)
