"""The change of one output as Hermitian forms of the state that inputs prepare, at every value of the phases.

Source: THEORY T9, step 9.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from qiskit.circuit import Parameter

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.geometry.norms import OfForms
from qprune.geometry.phases import PhaseMap
from qprune.geometry.regions import Region
from qprune.geometry.supremum import MOST_CELLS, Supremum, supremum
from qprune.geometry.trigonometric import coefficients, norm_of, values_at
from qprune.limits.on_inputs import outputs_at
from qprune.task.task import Task

METHODS = ("largest eigenvalue, real states", "largest eigenvalue, all states")
DRAWN = 64  # inputs that are looked at besides those given
STEPS = 12  # of an ascent from the best of them
MOST_MOVED = 32  # inputs that an ascent moves, by differences: twice as many runs a step
STEP = 1e-6  # share of an input's range that is a difference


@dataclass(frozen=True, eq=False)
class StateChange:
    """The change of one output, limited for every state that inputs may prepare.

    Attributes:
        output: Its index.
        map: Phases of all other inputs, as functions of the inputs.
        values: Matrices on the grid of these phases, as `OfForms` has them, shape (2d_1+1, …, V).
        norm: Of the matrices.
        error: Limit of the error of each value, by rounding.
        runs: Runs of each circuit behind them.
        region: The inputs.
        seed: Of the inputs that are drawn.
        angles: By how much rounded angles may move the output besides, on inputs of the region.
        circuits: The two circuits.
        preparation: The gate that can be asked for the inputs of a state, and where the state's qubits stand in it.
    """

    output: int
    map: PhaseMap
    values: FloatArray
    norm: OfForms
    error: float
    runs: int
    region: Region
    seed: int
    angles: float
    circuits: tuple[tuple[Task, tuple[Site, ...]], tuple[Task, tuple[Site, ...]]]
    preparation: tuple[Site, list[int]] | None

    @property
    def size(self) -> int:
        """Of the work for one cell, in control points of a single number."""
        return int(self.values.size * self.norm.size * len(self.norm.sets) // self.norm.forms)

    def enclosed(
        self, gap: float, limit: float | None, time_limit: float, starts: FloatArray, most_cells: int = MOST_CELLS
    ) -> Supremum:
        """A limit for every state, and the largest change that an input of the region was found to cause.

        With a limit it is only asked whether that is kept: no input is looked for then beyond `starts`.
        """
        found = supremum(
            self.values,
            self.map,
            self.region,
            error=self.error,
            gap=gap,
            limit=None if limit is None else max(0.0, limit - self.angles),
            most_cells=most_cells,
            time_limit=time_limit,
            starts=starts,
            seed=self.seed,
            norm=self.norm,
        )
        points = np.concatenate([starts, self._making(np.array(found.at))])
        worst = self._best(points) if limit is not None else self.maxima(points, 1, (1 - gap) * found.upper)[0]
        return replace(
            found,
            at=tuple(worst[0].tolist()),
            lower=worst[1],
            upper=found.upper + self.angles,
            rounding=found.rounding + self.angles,
            method=METHODS[not self.norm.is_real],
        )

    def maxima(self, starts: FloatArray, climbs: int, enough: float = np.inf) -> list[tuple[FloatArray, float]]:
        """One local maximum from the best of some inputs and of a few drawn ones: an ascent takes many runs.

        Args:
            starts: Inputs to look at, shape (P, n).
            climbs: Not more than so many.
            enough: A change from which on there is no ascent.
        """
        drawn = self.region.drawn(DRAWN, np.random.default_rng(self.seed))
        point, value = self._best(np.concatenate([starts, drawn]))
        return [(point, value) if climbs < 1 or value >= enough else self._climbed(point)]

    def _best(self, points: FloatArray) -> tuple[FloatArray, float]:
        """The input of the region with the largest change, from some points, which are moved into the region."""
        within = self._within(points)
        changes = self._changes(within)
        return within[changes.argmax()], float(changes.max())

    def _changes(self, points: FloatArray) -> FloatArray:
        """|D| at P inputs."""
        is_distribution = self.circuits[0][0].observables is None
        rows = slice(None) if is_distribution else slice(self.output, self.output + 1)
        before, after = (outputs_at(*circuit, points)[0][rows] for circuit in self.circuits)
        return norm_of((after - before).T)

    def _within(self, points: FloatArray) -> FloatArray:
        """Inputs moved into the region, to the box that is nearest."""
        low, high = self.region.low, self.region.high
        away = [np.abs(p - np.clip(p, low, high)).sum(axis=1).argmin() for p in points]
        return self.region.pulled_in(points, low[away], high[away])

    def _climbed(self, start: FloatArray) -> tuple[FloatArray, float]:
        from scipy.optimize import minimize  # slow to load

        inside = np.all((start >= self.region.low) & (start <= self.region.high), axis=1)
        low, high = self.region.low[inside.argmax()], self.region.high[inside.argmax()]
        moved = np.flatnonzero(high > low)
        first = float(self._changes(start[None])[0])
        if not 0 < len(moved) <= MOST_MOVED or not first:
            return start, first
        steps = STEP * (high - low)[moved]

        def falling(point: FloatArray) -> tuple[float, FloatArray]:
            rows = np.repeat(start[None], 2 * len(moved) + 1, axis=0)
            rows[:, moved] = point
            for k, (i, step) in enumerate(zip(moved.tolist(), steps.tolist(), strict=True)):
                rows[1 + k, i] += step
                rows[1 + len(moved) + k, i] -= step
            changes = self._changes(rows) / first
            return -float(changes[0]), (changes[len(moved) + 1 :] - changes[1 : len(moved) + 1]) / (2 * steps)

        box = np.stack([low, high], axis=1)[moved]
        found = minimize(falling, start[moved], jac=True, bounds=box, method="L-BFGS-B", options={"maxiter": STEPS})
        end = start.copy()
        end[moved] = found.x
        points = self.region.pulled_in(np.stack([start, end]), low[None], high[None])
        changes = self._changes(points)
        return points[changes.argmax()], float(changes.max())

    def _making(self, point: FloatArray) -> FloatArray:
        """The input that is a point's in all phases and prepares the worst state there, shape (1, n), if that can be
        worked out; it may lie outside the region."""
        if self.preparation is None:
            return point[None]
        site, places = self.preparation
        task = self.circuits[0][0]
        worst = self.norm.state(values_at(coefficients(self.values), self.map.angles(point[None]))[0])
        state = np.zeros(2 ** len(site.qubits), dtype=complex)
        for index, amplitude in enumerate(worst.tolist()):
            state[sum((index >> j & 1) << place for j, place in enumerate(places))] = amplitude
        column = {p: i for i, p in enumerate(task.input_params)}
        row = point.copy()
        for parameter, angle in zip(site.operation.params, site.operation.angles_for(state), strict=True):
            if isinstance(parameter, Parameter) and parameter in column:
                row[column[parameter]] = angle
        return row[None]
