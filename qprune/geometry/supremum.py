"""The supremum of |D| over a region of inputs, between two limits: branch and bound over cells.

Source: THEORY T9, steps 2 to 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._rounding import EPSILON
from qprune.geometry.ascent import Climber
from qprune.geometry.cells import Cells, Open, Queue, halved
from qprune.geometry.edges import Edges
from qprune.geometry.kernels import compiled, restrict
from qprune.geometry.norms import Norm, OfOutcomes
from qprune.geometry.phases import NARROWEST, PhaseMap
from qprune.geometry.regions import Region
from qprune.geometry.trigonometric import (
    WIDEST,
    amplification,
    coefficients,
    control_matrix,
    restriction,
)

GAP = 0.02  # relative distance of the two limits at which the search stops
MOST_CELLS = 10**6
SPACINGS = 4  # of doubles: the width of a cell that cannot be halved
AT_ONCE = 2**18  # control points of the cells of one step: 2 MB, which stay in the cache
MOST_TOGETHER, FEWEST_TOGETHER = 256, 4  # cells of one step
STARTS, CLIMBS = 256, 6  # points that are looked at first, and local ascents from the best of them
LOOKED_AT = 8  # cells of a step whose middles are looked at
NARROWER = 1e-6  # share of a cell's limit per radian that narrower intervals are taken to save in any case
NEAR_LIMIT = 0.05  # share of the gap that is left open where a supremum lies close to a limit
MOST_ROOTS = 2**14  # cells that a region may need before any search
TURN_ROUNDINGS = 4.0  # units in the last place by which the end of a turn is moved outwards
ROUNDINGS = 4.0
"""Units in the last place by which a sum of 2d+1 products of one matrix and the control points may be off, per term:
one for each product and each sum, and twice that for the entries of the matrix."""


@dataclass(frozen=True)
class Supremum:
    """lower ≤ sup |D| ≤ upper.

    Attributes:
        lower: |D| at `at`, less what rounding may have added.
        upper: Proven limit, rounding included.
        at: The input with |D| = lower, shape (n,).
        cells: Cells that were looked at.
        method: "branch and bound"; "sum of amplitudes" where that limit, which needs no search, was the smaller one.
        rounding: What `upper` has been raised by, and `lower` lowered, in the unit of D.
        seconds: Time it took.
    """

    lower: float
    upper: float
    at: tuple[float, ...]
    cells: int
    method: str
    rounding: float
    seconds: float

    @property
    def gap(self) -> float:
        """(upper − lower)/upper; 0 where both are."""
        return (self.upper - self.lower) / self.upper if self.upper > 0 else 0.0


def supremum(
    values: FloatArray,
    phases: PhaseMap,
    region: Region,
    *,
    error: float = 0.0,
    gap: float = GAP,
    limit: float | None = None,
    most_cells: int = MOST_CELLS,
    time_limit: float = np.inf,
    starts: FloatArray | None = None,
    seed: int = 0,
    norm: Norm | None = None,
) -> Supremum:
    """Enclose sup |D| over a region.

    Valid whenever it stops: every part of the region stays below a limit that is counted in `upper`.

    Args:
        values: D on the tensor grid of equispaced phases, shape (2d_1+1, …, 2d_J+1, V); for V > 1 the norm is half the
            sum of |D_v|.
        phases: The phases as functions of the inputs.
        region: The inputs.
        error: Limit of the error of each of the values.
        gap: Relative distance of the limits at which to stop, in (0, 1).
        limit: Stop, too, as soon as it is known whether the supremum is above this.
        most_cells: Stop after so many cells.
        time_limit: Stop after so many seconds.
        starts: Inputs to look at first, shape (P, n), besides those drawn.
        seed: Of the points that are drawn.
        norm: Of the values, in place of that.

    Source: THEORY T9.
    """
    return Search(values, phases, region, error, seed, norm).run(gap, limit, most_cells, time_limit, starts)


def _is_a_point(cells: Cells) -> NDArray[np.bool_]:
    """Cells that no halving makes narrower: by their phases, or by their inputs."""
    ends = np.maximum(np.abs(cells.low), np.abs(cells.high))
    inputs = np.all(cells.high - cells.low <= SPACINGS * np.spacing(ends), axis=1)
    phases = np.all(cells.phase_high - cells.phase_low <= NARROWEST * (1 + 1e-3), axis=1)
    return np.asarray(inputs | phases)


class Search:
    """One search; `run` may be called again to go on.

    Args:
        values: As in `supremum`.
        phases: As in `supremum`.
        region: As in `supremum`.
        error: As in `supremum`.
        seed: As in `supremum`.
        norm: As in `supremum`.
    """

    def __init__(
        self,
        values: FloatArray,
        phases: PhaseMap,
        region: Region,
        error: float,
        seed: int,
        norm: Norm | None = None,
    ) -> None:
        values, phases, error = _without_cancelled(values, phases, error)
        self.phases, self.sizes, self.width = phases, values.shape[:-1], values.shape[-1]
        self.coefficients = coefficients(values)
        self.region = _one_turn(region, phases)
        self.norm = OfOutcomes(self.width) if norm is None else norm
        cut = self.region.ellipsoid
        self.edges = Edges(cut, self.region, phases, self.sizes) if cut is not None and self.sizes else None
        self.climber = Climber(self.coefficients, phases, self.region, self.norm)
        self.rng = np.random.default_rng(seed)
        size = max(self.coefficients.size, 1)
        self.together = int(np.clip(AT_ONCE // size, FEWEST_TOGETHER, MOST_TOGETHER))
        eps = EPSILON
        spread = self.norm.spread
        largest_value = float(np.abs(values).max(initial=0.0))
        self.value_error = spread * (error + ROUNDINGS * eps * sum(self.sizes) * largest_value)
        self.rounding = 0.0  # of the runs, in control points; known once the region is cut into cells
        self.step_rounding = ROUNDINGS * eps * max(self.sizes, default=1)
        # Between grid points errors add up, each times its Lagrange function; the squares of all these sum to one.
        between = float(np.sqrt(np.prod(self.sizes)))
        self.point_error = spread * error * between + ROUNDINGS * eps * float(np.abs(self.coefficients).sum())
        self.moves = np.abs([phase.factors for phase in phases.phases]).reshape(len(phases), region.low.shape[1])
        # What enters a formula counts in units of its width: in its own, one might be all that is ever halved.
        width = (self.region.high - self.region.low).max(axis=0)
        self.moves[[phase.formula is not None for phase in phases.phases]] /= np.where(width > 0, width, 1.0)
        self.queue, self.cells, self.closed, self.depth = Queue(), 0, 0.0, 0
        self.tallest = 0.0  # norm of a control point, in the ellipsoid or beyond it
        self.lower, self.at, self.steps = -np.inf, self.region.low[0], 0
        self.whole = self.norm.everywhere(values)

    def run(
        self, gap: float, limit: float | None, most_cells: int, time_limit: float, starts: FloatArray | None
    ) -> Supremum:
        began = monotonic()
        self._look_around(starts, limit)
        is_broken = limit is not None and self.lower - self.point_error > limit
        roots_done = not is_broken and self._plant(began + time_limit)
        while roots_done and self.cells < most_cells and monotonic() - began < time_limit:
            enough = self._enough(gap, limit)
            if limit is not None and (self.lower - self.point_error > limit or self._upper() <= limit):
                break
            taken = self.queue.pop(self.together, enough)
            if not taken:
                break
            self._step(taken, enough)
        searched = self._upper() if roots_done else np.inf
        simple = self.whole + self.value_error * float(np.sqrt(np.prod(self.sizes)))
        return Supremum(
            lower=max(0.0, self.lower - self.point_error),
            upper=min(searched, simple),
            at=tuple(self.at.tolist()),
            cells=self.cells,
            method="branch and bound" if searched <= simple else "sum of amplitudes",
            rounding=self._raise() if searched <= simple else simple - self.whole,
            seconds=monotonic() - began,
        )

    def _raise(self) -> float:
        """Rounding in the present upper limit: of the runs, and of every halving since."""
        return self.rounding + self.depth * self.step_rounding * self.tallest

    def _upper(self) -> float:
        return max(self.closed, self.queue.largest, self.lower, 0.0) + self._raise()

    def _enough(self, gap: float, limit: float | None) -> float:
        """Cells below this need no halving; where rounding is larger than the gap, it decides."""
        room = min(self.rounding, self.whole) / 2
        if limit is None:
            return max(self.lower, 0.0) / (1 - gap) + room
        return max(limit - self._raise(), max(self.lower, 0.0) / (1 - gap * NEAR_LIMIT) + room)

    def _look_around(self, starts: FloatArray | None, limit: float | None) -> None:
        """Climb from the best of some inputs; one climb where it is only asked whether a limit is broken."""
        points = self.region.drawn(STARTS, self.rng)
        if starts is not None:
            points = np.concatenate([starts[self.region.contains(starts)], points])
        if limit is not None:
            values = self.climber.norms(points)
            self._found(points[values.argmax()], float(values.max()))
            if self.lower - self.point_error > limit:
                return
        for point, value in self.climber.best_of(points, CLIMBS if limit is None else 1):
            self._found(point, value)

    def _found(self, point: FloatArray, value: float) -> None:
        if value > self.lower and self.region.contains(point[None])[0]:
            self.lower, self.at = value, point

    # -- cells ---------------------------------------------------------------------------------------------------

    def _plant(self, until: float) -> bool:
        """Cut the region into cells narrow enough for control points; False if that takes too long."""
        cells = self._roots()
        if cells is None:
            return False
        low, high, phase_low, phase_high = cells
        self.rounding = self.value_error * amplification(self.sizes, phase_low, phase_high)
        for first in range(0, len(low), self.together):
            if monotonic() > until:
                return False
            rows = slice(first, first + self.together)
            points = self._control_points(phase_low[rows], phase_high[rows])
            depths = np.zeros(len(points), dtype=np.intp)
            boxes = low[rows], high[rows], phase_low[rows], phase_high[rows]
            self._take(Cells(*boxes, *self._largest(points, *boxes), depths, points))
        return True

    def _roots(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None:
        low, high = self.region.low, self.region.high
        while True:
            keep = ~self.region.misses(low, high)
            low, high = low[keep], high[keep]
            phase_low, phase_high = self.phases.intervals(low, high)
            wide = phase_high - phase_low > WIDEST + 1e-9
            rows = np.flatnonzero(wide.any(axis=1))
            if not len(rows):
                return low, high, phase_low, phase_high
            if len(low) + len(rows) > MOST_ROOTS:
                return None
            # The input that moves the widest phase most, seen from the width of the whole.
            worst = (phase_high - phase_low)[rows].argmax(axis=1)
            axis = (self.moves[worst] * (high - low)[rows]).argmax(axis=1)
            low, high = halved(low, high, rows, axis)

    def _take(self, cells: Cells, enough: float = 0.0) -> None:
        """Count cells; those that need halving wait."""
        self.cells += len(cells)
        waits = (cells.bounds > enough) & ~_is_a_point(cells)
        self.closed = max(self.closed, float(cells.bounds[~waits].max(initial=0.0)))
        self.queue.push(cells, np.flatnonzero(waits))

    def _step(self, taken: list[Open], enough: float) -> None:
        """Halve some cells, each along the input that helps most."""
        low, high, phase_low, phase_high = (
            np.stack([getattr(cell, name) for cell in taken]) for name in ("low", "high", "phase_low", "phase_high")
        )
        points = np.empty((len(taken), self.coefficients.size))
        lost = np.array([cell.points is None for cell in taken])
        points[lost] = self._control_points(phase_low[lost], phase_high[lost])
        for k in np.flatnonzero(~lost):
            points[k] = taken[k].points
        self._look_inside(low, high)
        gains = self._gains(points, np.array([cell.place for cell in taken]), phase_high - phase_low)
        moves = self.moves * (high - low)[:, None]  # how far each input moves each phase, (K, J, n)
        shares = moves / np.maximum(moves.sum(axis=2, keepdims=True), np.finfo(float).tiny)
        helps = np.einsum("kj,kjn->kn", gains, shares)
        if self.edges is not None:
            helps += self.edges.bends(np.array([cell.share for cell in taken]), low, high)
        axis = helps.argmax(axis=1)
        rows = np.arange(len(taken))
        child_low, child_high = halved(low, high, rows, axis)
        parent = np.concatenate([rows, rows])
        keep = np.flatnonzero(~self.region.misses(child_low, child_high))
        child_low, child_high, parent = child_low[keep], child_high[keep], parent[keep]
        inner_low, inner_high = self._inside(child_low, child_high, phase_low[parent], phase_high[parent])
        points = points[parent]
        self._restrict(points, phase_low[parent], phase_high[parent], inner_low, inner_high)
        depths = np.array([cell.depth + 1 for cell in taken])[parent]
        self.depth = max(self.depth, int(depths.max(initial=0)))
        boxes = child_low, child_high, inner_low, inner_high
        self._take(Cells(*boxes, *self._largest(points, *boxes), depths, points), enough)

    def _largest(self, points: FloatArray, *boxes: FloatArray) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
        """Limits on cells, which control points they come from, and the λ of their planes."""
        if self.edges is None:
            bounds, places = self.norm.largest(points)
            self.tallest = max(self.tallest, float(bounds.max(initial=0.0)))
            return bounds, places, np.zeros(len(bounds))
        norms = self.norm.of(points.reshape(len(points), points.shape[1] // self.width, self.width))
        self.tallest = max(self.tallest, float(norms.max(initial=0.0)))
        return self.edges.lowered(norms, *boxes)

    def _inside(
        self, low: FloatArray, high: FloatArray, outer_low: FloatArray, outer_high: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Intervals of the phases on cells, inside those of the cells they come from."""
        inner_low, inner_high = self.phases.intervals(low, high)
        return np.clip(inner_low, outer_low, outer_high), np.clip(inner_high, outer_low, outer_high)

    def _restrict(
        self, points: FloatArray, low: FloatArray, high: FloatArray, inner_low: FloatArray, inner_high: FloatArray
    ) -> None:
        after = self.width * int(np.prod(self.sizes))
        before = 1
        for j, size in enumerate(self.sizes):
            after //= size
            rows = np.flatnonzero((inner_low[:, j] > low[:, j]) | (inner_high[:, j] < high[:, j]))
            if len(rows) and size > 1:
                ends = (ends[rows, j] for ends in (low, high, inner_low, inner_high))
                compiled(restrict)(points, rows, restriction(size // 2, *ends), before, size, after)
            before *= size

    def _gains(self, points: FloatArray, places: NDArray[np.intp], widths: FloatArray) -> FloatArray:
        """What halving each phase's interval would take off the largest control point, shape (K, J): how far it lies
        above the line between its neighbours on that axis, or all ends, if it stands at one."""
        values = points.reshape(len(points), -1, self.width)
        gains, stride = np.zeros(widths.shape), int(np.prod(self.sizes))
        for j, size in enumerate(self.sizes):
            stride //= size
            index = places // stride % size
            fibre = (places - index * stride)[:, None] + stride * np.arange(size)
            norms = self.norm.of(values[np.arange(len(points))[:, None], fibre])
            line = np.linspace(0, 1, size)
            chord = norms[:, :1] * (1 - line) + norms[:, -1:] * line
            gains[:, j] = (norms - chord).max(axis=1)
        # Where inputs are shared, no input may reach a corner of the phases: narrower cells help there too.
        limits = self.norm.of(values[np.arange(len(points)), places])
        return np.maximum(gains, 0) + NARROWER * limits[:, None] * widths

    def _control_points(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Control points on K cells from the coefficients, shape (K, N · V)."""
        points, rows = np.tile(self.coefficients.reshape(1, -1), (len(low), 1)), np.arange(len(low))
        before, after = 1, points.shape[1]
        for j, size in enumerate(self.sizes):
            after //= size
            compiled(restrict)(points, rows, control_matrix(size // 2, low[:, j], high[:, j]), before, size, after)
            before *= size
        return points

    def _look_inside(self, low: FloatArray, high: FloatArray) -> None:
        """Climb from the middle of a cell with a larger value; now and then from that of the largest limit anyway."""
        self.steps += 1
        count = 1 if self.coefficients.size > AT_ONCE // FEWEST_TOGETHER else min(len(low), LOOKED_AT)
        middles = (low[:count] + high[:count]) / 2
        values = self.climber.norms(middles)
        best = int(values.argmax())
        if values[best] <= self.lower:
            if self.steps & (self.steps - 1):
                return
            best = 0
        box = int(np.all((low[best] >= self.region.low) & (high[best] <= self.region.high), axis=1).argmax())
        self._found(*self.climber.climbed(middles[best], self.region.low[box], self.region.high[box]))


def _without_cancelled(values: FloatArray, phases: PhaseMap, error: float) -> tuple[FloatArray, PhaseMap, float]:
    """Without the phases that cancel in D: what is left of their waves is rounding, and joins the error."""
    kept, waves = list(phases.phases), coefficients(values)
    nothing = error + ROUNDINGS * EPSILON * sum(values.shape[:-1]) * float(np.abs(values).max(initial=0.0))
    for j in reversed(range(len(kept))):
        lost = float(np.abs(np.delete(waves, 0, axis=j)).sum())
        if lost <= nothing:
            values, waves, error = values.mean(axis=j), np.take(waves, 0, axis=j), error + lost
            del kept[j]
    return values, PhaseMap(tuple(kept)), error


def _one_turn(region: Region, phases: PhaseMap) -> Region:
    """A box that takes a phase of its own more than once around needs only one turn of it."""
    if region.ellipsoid is not None:
        return region
    high = region.high.copy()
    for i in range(high.shape[1]):
        factor = phases.private(i) if len(phases) else None
        if factor is not None:
            turn, low = 2 * np.pi / abs(factor), region.low[:, i]
            high[:, i] = np.minimum(high[:, i], low + turn + TURN_ROUNDINGS * EPSILON * (np.abs(low) + turn))
    return Region(region.low, high)
