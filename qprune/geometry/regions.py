"""Domains of inputs as geometry: boxes, and an ellipsoid that cuts them.

Source: THEORY T9, step 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray

SWEEPS = 8
"""Rounds of coordinate descent towards a box's point nearest to the ellipsoid's centre; more only drop more cells."""

EDGE = 1e-9
"""Relative amount by which a cell must lie outside an ellipsoid to be dropped: what rounding may do to a distance."""


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """The points x with ‖L(x − μ)‖ ≤ r.

    Attributes:
        matrix: L, shape (m, n).
        centre: μ, shape (n,).
        radius: r > 0.
    """

    matrix: FloatArray
    centre: FloatArray
    radius: float

    def distances(self, points: FloatArray) -> FloatArray:
        """‖L(x − μ)‖ of P points of shape (P, n)."""
        return np.asarray(np.linalg.norm((points - self.centre) @ self.matrix.T, axis=1))

    def misses(self, low: FloatArray, high: FloatArray) -> NDArray[np.bool_]:
        """Boxes, shape (K, n), that certainly have no point in common with the ellipsoid.

        For any v and every x of a box ‖L(x−μ)‖ ≥ v·L(x−μ)/‖v‖, whose least value stands in a corner. With v = L(x*−μ),
        x* the nearest point, this is the distance itself; a poor x* makes the limit weaker, never wrong.
        """
        quadratic = self.matrix.T @ self.matrix
        nearest = np.clip(self.centre, low, high)
        for _ in range(SWEEPS):
            for i in np.flatnonzero(np.diag(quadratic)):
                slope = (nearest - self.centre) @ quadratic[i]
                nearest[:, i] = np.clip(nearest[:, i] - slope / quadratic[i, i], low[:, i], high[:, i])
        direction = (nearest - self.centre) @ self.matrix.T
        slopes, length = direction @ self.matrix, np.linalg.norm(direction, axis=1)
        least = np.minimum(slopes * (low - self.centre), slopes * (high - self.centre)).sum(axis=1)
        return np.asarray(least > self.radius * (1 + EDGE) * length)


@dataclass(frozen=True, eq=False)
class Region:
    """The union of boxes, within an ellipsoid if there is one.

    Attributes:
        low: Lower corners, shape (K, n).
        high: Upper corners, shape (K, n), nowhere below `low`.
        ellipsoid: Cuts all boxes.
    """

    low: FloatArray
    high: FloatArray
    ellipsoid: Ellipsoid | None = None

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Which of P points of shape (P, n) belong to it."""
        inside = np.zeros(len(points), dtype=bool)
        for low, high in zip(self.low, self.high, strict=True):
            inside |= np.all((points >= low) & (points <= high), axis=1)
        if self.ellipsoid is not None:
            inside &= self.ellipsoid.distances(points) <= self.ellipsoid.radius
        return inside

    def misses(self, low: FloatArray, high: FloatArray) -> NDArray[np.bool_]:
        """Cells of its boxes that certainly have no point of it."""
        return np.zeros(len(low), dtype=bool) if self.ellipsoid is None else self.ellipsoid.misses(low, high)

    def drawn(self, count: int, rng: np.random.Generator) -> FloatArray:
        """`count` points of it, spread evenly over the boxes, pulled towards the ellipsoid's centre if outside."""
        which = rng.integers(len(self.low), size=count)
        points = rng.uniform(self.low[which], self.high[which])
        return self.pulled_in(points, self.low[which], self.high[which])

    def pulled_in(self, points: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        """Points of boxes moved into the ellipsoid, on the line to its centre; the box must hold that."""
        points = np.clip(points, low, high)
        if self.ellipsoid is None:
            return points
        share = self.ellipsoid.radius * (1 - EDGE) / np.maximum(self.ellipsoid.distances(points), self.ellipsoid.radius)
        share = np.where(self.ellipsoid.distances(points) <= self.ellipsoid.radius, 1.0, share)
        return np.clip(self.ellipsoid.centre + share[:, None] * (points - self.ellipsoid.centre), low, high)
