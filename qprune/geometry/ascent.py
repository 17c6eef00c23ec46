"""Large values of |D|, found by local ascent: the lower limit of a supremum, and the worst inputs.

Source: THEORY T9, step 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qprune._arrays import FloatArray
from qprune.geometry.norms import Norm, OfOutcomes
from qprune.geometry.phases import PhaseMap
from qprune.geometry.regions import Region
from qprune.geometry.trigonometric import values_and_slopes, values_at

STEPS = 60  # of a quasi-Newton search; it ends much earlier
THOUSAND = 1000.0  # inputs are measured in powers of it, so that none is wider than another by more


class Climber:
    """Looks for large |D| in a region.

    Args:
        coefficients: Of D, shape (2d_1+1, …, V).
        phases: The phases as functions of the inputs.
        region: Where inputs lie.
        norm: Of V values; default as of outcomes.
    """

    def __init__(self, coefficients: FloatArray, phases: PhaseMap, region: Region, norm: Norm | None = None) -> None:
        self.coefficients, self.phases, self.region = coefficients, phases, region
        self.norm = OfOutcomes(coefficients.shape[-1]) if norm is None else norm
        self.scale = float(self.norm.of(coefficients).max()) or 1.0
        width = (region.high - region.low).max(axis=0)
        self.unit = THOUSAND ** np.round(np.log(np.where(width > 0, width, 1.0)) / np.log(THOUSAND))

    def norms(self, points: FloatArray) -> FloatArray:
        """|D| at P points."""
        if not len(self.phases):  # the same everywhere
            return np.full(len(points), self.norm.of(self.coefficients))
        return self.norm.of(values_at(self.coefficients, self.phases.angles(points)))

    def climbed(self, start: FloatArray, low: FloatArray, high: FloatArray) -> tuple[FloatArray, float]:
        """A local maximum of |D| near a point of a box, and its value, which is at least that at the start."""
        from scipy.optimize import minimize  # slow to load

        start = self.region.pulled_in(start[None], low[None], high[None])[0]
        if not len(self.phases):
            return start, float(self.norms(start[None])[0])
        first = self.norm.dual(values_at(self.coefficients, self.phases.angles(start[None]))[0])

        def falling(measured: FloatArray) -> tuple[float, FloatArray]:
            point = measured * self.unit
            values, slopes = values_and_slopes(self.coefficients, self.phases.angles(point[None])[0])
            sign = first if len(values) == 1 else self.norm.dual(values)
            gradient = self.unit * (self.phases.slopes(point).T @ slopes @ sign)
            return -float(sign @ values) / self.scale, -gradient / self.scale

        ends = np.stack([low / self.unit, high / self.unit], axis=1)
        found = minimize(falling, start / self.unit, jac=True, bounds=ends, **self._method())
        points = self.region.pulled_in(np.stack([start, found.x * self.unit]), low[None], high[None])
        values = self.norms(points)
        best = int(values.argmax())
        return points[best], float(values[best])

    def _method(self) -> dict[str, object]:
        ellipsoid = self.region.ellipsoid
        if ellipsoid is None:
            return {"method": "L-BFGS-B", "options": {"maxiter": STEPS}}
        quadratic, square = ellipsoid.matrix.T @ ellipsoid.matrix, ellipsoid.radius**2

        def room(measured: FloatArray) -> float:
            away = measured * self.unit - ellipsoid.centre
            return 1 - float(away @ quadratic @ away) / square

        def slope(measured: FloatArray) -> FloatArray:
            return np.asarray(-2 * self.unit * (quadratic @ (measured * self.unit - ellipsoid.centre)) / square)

        inside: dict[str, str | Callable[[FloatArray], object]] = {"type": "ineq", "fun": room, "jac": slope}
        return {"method": "SLSQP", "constraints": [inside], "options": {"maxiter": STEPS}}

    def best_of(self, points: FloatArray, climbs: int) -> list[tuple[FloatArray, float]]:
        """Local maxima from the best of some points, the largest first, each once."""
        order = np.argsort(-self.norms(points), kind="stable")[:climbs]
        found = [self.climbed(points[k], *self._box_of(points[k])) for k in order]
        found.sort(key=lambda pair: -pair[1])
        kept: list[tuple[FloatArray, float]] = []
        spread = np.maximum(self.region.high.max(axis=0) - self.region.low.min(axis=0), np.finfo(float).tiny)
        for point, value in found:
            if all(np.max(np.abs(point - other) / spread) > 1e-3 for other, _ in kept):
                kept.append((point, value))
        return kept

    def _box_of(self, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        inside = np.all((point >= self.region.low) & (point <= self.region.high), axis=1)
        k = int(inside.argmax())
        return self.region.low[k], self.region.high[k]
