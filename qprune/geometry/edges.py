"""Lower limits on cells that an ellipsoid cuts.

Control points of a cell speak of all of it, while a supremum often stands on the ellipsoid's surface and grows beyond:
without more, cells around it must become as small as the gap. A multiple of what is positive in the ellipsoid and
negative outside, added, takes away what grows beyond.

Source: THEORY T9, step 5, Lemma 10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._rounding import EPSILON
from qprune.geometry.kernels import compiled, lower_by_planes
from qprune.geometry.phases import PhaseMap
from qprune.geometry.regions import EDGE, Ellipsoid, Region
from qprune.geometry.trigonometric import control_matrix

ROUNDINGS = 32.0
"""Units in the last place by which a plane's distance may be off, in units of all that is added up for it: a few sums
over the inputs and the phases, twice each."""


class Edges:
    """Planes that touch ellipsoids like this one, on cells.

    Args:
        ellipsoid: E, which cuts the region.
        region: The boxes that cells lie in.
        phases: As functions of the inputs.
        sizes: 2d+1 of every phase.
    """

    def __init__(self, ellipsoid: Ellipsoid, region: Region, phases: PhaseMap, sizes: tuple[int, ...]) -> None:
        self.ellipsoid, self.sizes = ellipsoid, np.array(sizes, dtype=np.int64)
        nothing = np.zeros(len(ellipsoid.centre))
        rows = [
            phase.factors if phase.formula is None and size > 1 else nothing
            for phase, size in zip(phases.phases, sizes, strict=True)
        ]
        self.forms = np.array(rows, dtype=float).reshape(len(sizes), len(ellipsoid.centre))
        # In units of the region's width, so that no unit of an input decides which phases count.
        self.width = region.high.max(axis=0) - region.low.min(axis=0)
        self.inverse = np.linalg.pinv((self.forms * self.width).T)

    def lowered(
        self,
        norms: FloatArray,
        low: FloatArray,
        high: FloatArray,
        phase_low: FloatArray,
        phase_high: FloatArray,
    ) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
        """Limits of the norm on the part of each cell that lies in the ellipsoid, where the largest term stands, and λ.

        For any v, s = Lᵀv: g(x) = r‖v‖ − s·(x − μ) ≥ 0 on E, and with λ ≥ 0 the norm is at most itself + λ g. On a
        cell, g is affine in the phases, which sine follows to h³/6.

        Args:
            norms: Of the control points of K cells, shape (K, N).
            low: Lower corners in the inputs, shape (K, n).
            high: Upper corners.
            phase_low: Lower ends of the phases' intervals, shape (K, J).
            phase_high: Upper ends.
        """
        bounds, places, shares = norms.max(axis=1), norms.argmax(axis=1), np.zeros(len(norms))
        constant, planes = self.planes(places, low, high, phase_low, phase_high)
        compiled(lower_by_planes)(norms, planes, self.sizes, constant, bounds, places, shares)
        return bounds, places, shares

    def planes(
        self, places: NDArray[np.intp], low: FloatArray, high: FloatArray, phase_low: FloatArray, phase_high: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """An upper limit of g on K cells, as control points: a number, shape (K,), and what each phase adds to it.

        Args:
            places: The control points that v points to, shape (K,).
            low: As in `lowered`.
            high: As in `lowered`.
            phase_low: As in `lowered`.
            phase_high: As in `lowered`.

        Returns:
            The second has shape (K, J, largest size), zero beyond the size of a phase.
        """
        matrix, centre = self.ellipsoid.matrix, self.ellipsoid.centre
        middle, halves = (low + high) / 2, (phase_high - phase_low) / 2
        turned = (self._where(places, low, high) - centre) @ matrix.T  # v: towards the largest control point
        slopes, length = turned @ matrix, np.linalg.norm(turned, axis=1)
        factors = (slopes * self.width) @ self.inverse.T  # of the phases, so that s·x = Σ factors · phase + rest·x
        rest = slopes - factors @ self.forms
        shift = (phase_low + phase_high) / 2 - middle @ self.forms.T
        reach = self.ellipsoid.radius * (1 + EDGE) * length
        sizes = np.abs(factors)
        constant = reach - ((middle - centre) * slopes).sum(axis=1) - (factors * shift).sum(axis=1)
        constant += (np.abs(rest) * (high - low) / 2).sum(axis=1) + (sizes * halves**3 / 6).sum(axis=1)
        terms = reach + (np.abs(turned) @ np.abs(matrix) * (np.abs(middle) + np.abs(centre))).sum(axis=1)
        terms += (sizes * (halves + np.abs(phase_low) + np.abs(middle) @ np.abs(self.forms).T)).sum(axis=1)
        constant += ROUNDINGS * EPSILON * terms
        planes = np.zeros((*halves.shape, int(self.sizes.max(initial=1))))
        for j, size in enumerate(self.sizes.tolist()):
            if size > 1:
                sines = control_matrix(size // 2, -halves[:, j], halves[:, j])[:, :, 2]
                planes[:, j, :size] = -factors[:, j, None] * sines
        return constant, planes

    def _where(self, places: NDArray[np.intp], low: FloatArray, high: FloatArray) -> FloatArray:
        """About where in the cells some control points stand, in the inputs, shape (K, n)."""
        shares = np.stack(np.unravel_index(places, tuple(self.sizes.tolist())), axis=1) / np.maximum(self.sizes - 1, 1)
        signed = (2 * shares - 1) @ self.forms
        reach = np.abs(self.forms).sum(axis=0)
        along = np.divide(signed, reach, out=np.zeros_like(signed), where=reach > 0)
        return np.asarray((low + high) / 2 + along * (high - low) / 2)

    def bends(self, shares: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        """What a plane misses of the ellipsoid at the ends of each cell, by input, in the unit of the limits, (K, n).

        The surface turns away from it by (‖L_i‖ w_i)²/8 in the unit of g, λ times that of the limit: what halving a
        cell along an input takes off where its limit stands on the surface.
        """
        widths = np.linalg.norm(self.ellipsoid.matrix, axis=0) * (high - low)
        return np.asarray(shares[:, None] * widths**2 / 8)
