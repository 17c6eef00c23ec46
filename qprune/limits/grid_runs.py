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
from qprune.geometry.trigonometric import along, basis, coefficients, grid
from qprune.limits.on_inputs import Check, outputs_at, unlimited
from qprune.limits.phases import Phases
from qprune.limits.product_inputs import is_worth_it, values_on_grid


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


Known = dict[tuple[object, ...], tuple[FloatArray, FloatArray]]
"""Outputs of the original on grids that were run before, and their error."""


def differences(phases: Phases, known: Known | None = None, check: Check = unlimited) -> list[GridValues]:
    """The difference pruned − original of every output, on its own grid.

    Outputs whose degrees another output's cover take part in its runs: what they lack are coefficients of zero.

    Args:
        phases: The two circuits.
        known: Runs of the same original that need not be made again; what is run here is added.
        check: Called every second or so; ends it by raising.
    """
    degrees = phases.degrees
    order = sorted(range(len(degrees)), key=lambda r: (-phases.runs(r), r))
    made: list[tuple[NDArray[np.intp], FloatArray, FloatArray]] = []
    found: dict[int, GridValues] = {}
    for r in order:
        covering = next((each for each in made if np.all(each[0] >= degrees[r])), None)
        if covering is None:
            covering = (degrees[r], *_on_grid(phases, degrees[r], {} if known is None else known, check))
            made.append(covering)
        found[r] = _own_part(phases, r, *covering)
    return [found[r] for r in range(len(degrees))]


def _on_grid(phases: Phases, degrees: NDArray[np.intp], known: Known, check: Check) -> tuple[FloatArray, FloatArray]:
    """Differences of all outputs on a grid, shape (2d_1+1, …, outputs or outcomes), and their errors, by output."""
    axes = [grid(int(d)) for d in degrees]
    key = (phases.map.phases, tuple(phases.members[0]), tuple(degrees.tolist()))
    if key not in known:
        known[key] = _one_circuit(phases, 0, axes, check)
    before, error = known[key]
    after, other_error = _one_circuit(phases, 1, axes, check)
    return np.moveaxis(after - before, 0, -1), error + other_error


def _one_circuit(phases: Phases, which: int, axes: Sequence[FloatArray], check: Check) -> tuple[FloatArray, FloatArray]:
    """Outputs on the grid, shape (R, 2d_1+1, …), or the probabilities of all outcomes, and their errors, by output."""
    frame, sites, angles = phases.frame, phases.sites(which), phases.angles_on_grid(which)
    shape = tuple(map(len, axes))
    if is_worth_it(frame, sites, prod(shape)):
        return values_on_grid(frame, sites, axes, angles)
    present = {p for site in sites for a in site.operation.params for p in getattr(a, "parameters", ())}
    own = [j for j, name in enumerate(frame.input_params) if name in present]
    kept = tuple(len(axis) if j in own else 1 for j, axis in enumerate(axes))  # a phase it lacks changes nothing
    points = np.zeros((*kept, len(axes)))
    for j in own:
        points[..., j] = axes[j].reshape([-1 if k == j else 1 for k in range(len(axes))])
    outputs, error = outputs_at(frame, sites, points.reshape(prod(kept), len(axes)), angles, check)
    return np.array(np.broadcast_to(outputs.reshape(-1, *kept), (len(outputs), *shape))), error


def _own_part(phases: Phases, r: int, degrees: NDArray[np.intp], values: FloatArray, errors: FloatArray) -> GridValues:
    """One output's values on the grid of its own degrees, from those on a grid of no smaller ones."""
    own = phases.degrees[r]
    part = values if phases.frame.observables is None else values[..., r : r + 1]
    runs = int(np.prod([2 * int(d) + 1 for d in degrees]))
    if np.any(own < degrees):
        part = coefficients(part)[tuple(slice(0, 2 * int(d) + 1) for d in own)]
        for axis, d in enumerate(own.tolist()):
            part = along(basis(grid(d), d), part, axis)
    used = tuple(int(j) for j in np.flatnonzero(own))
    return GridValues(used, part.reshape(*(2 * int(own[j]) + 1 for j in used), part.shape[-1]), float(errors[r]), runs)
