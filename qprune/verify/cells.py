"""A limit for every input, held by Bernstein polynomials on cells of the domain.

With u = tan((t − m)/2) a trigonometric polynomial of degree d around m is P(u)/(1+u²)^d, P a polynomial of degree 2d.
Over a box in u, P's Bernstein coefficients divided by those of ∏(1+u_j²)^d_j bound it. Cells are halved until that is
within the claimed limit everywhere; nothing is searched for, as the limit is given.

Source: THEORY T9; S. Bernstein, Commun. Soc. Math. Kharkov 13, 1 (1912).
"""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, cos, pi, sin
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import CertificateViolation
from qprune.task.domain import Resolved
from qprune.verify.phases import Turn

LARGEST_HALF = pi / 4  # of a phase's interval in a cell
MOST_CELLS = 10**6
SWEEPS = 10  # towards a cell's point nearest to the middle of an ellipsoid; fewer drop fewer cells
TOGETHER = 2**17  # coefficients of the cells that are looked at together
GROWTH = 4.0  # times that of a narrow cell: more is not allowed for

Box: TypeAlias = tuple[FloatArray, FloatArray]


class Cells:
    """Cells of the domain, halved until Bernstein coefficients keep the limit on each."""

    def __init__(
        self,
        coefficients: ComplexArray,
        turns: tuple[Turn, ...],
        domain: Resolved,
        limit: float,
        error: float,
        form: Callable[[FloatArray], FloatArray] | None = None,
        share: float = 1.0,
    ) -> None:
        count = coefficients.shape[-1]
        self.norm = _variation if form is None else form
        self.share = share  # of the norm of all values, that a form is at most
        self.spread = share * count**0.5 if form is not None else 1.0 if count == 1 else count / 2  # of errors of 1
        self.turns, self.error = list(turns), error
        self.coefficients, self.domain, self.limit, self.count = coefficients, domain, limit, 0
        width = (domain.high - domain.low).max(axis=0)
        self.width = np.where(width > 0, width, 1.0)  # what inputs are measured in, whatever their units
        self._leave_out(error)

    def _leave_out(self, nothing: float) -> None:
        """Drop phases that cancel: without them the change differs by what rounding explains, which joins the error."""
        for j in reversed(range(len(self.turns))):
            waves = np.delete(self.coefficients, 0, axis=j)
            lost = float(np.abs(waves).sum())
            if lost <= nothing:
                self.coefficients, self.error = np.take(self.coefficients, 0, axis=j), self.error + lost
                del self.turns[j]

    def margin(self, name: str) -> float:
        """Least room below the limit.

        Raises:
            CertificateViolation: Some value may exceed the limit.
        """
        whole = self._whole()
        if whole <= self.limit + self.spread * self.error:
            return self.limit - whole
        least = np.inf
        waiting = [self._within_a_turn(*box) for box in zip(self.domain.low, self.domain.high, strict=True)]
        together = max(1, TOGETHER // self.coefficients.size)
        while waiting:
            cells = [waiting.pop() for _ in range(min(together, len(waiting)))]
            outside = self._are_outside(*map(np.array, zip(*cells, strict=True)))
            cells = [cell for cell, is_outside in zip(cells, outside.tolist(), strict=True) if not is_outside]
            if not cells:
                continue
            self.count += len(cells)
            if self.count > MOST_CELLS:
                raise CertificateViolation(f"{name}: the limit {self.limit:.6g} could not be confirmed")
            ends = self._ends(*map(np.array, zip(*cells, strict=True)))
            ready = np.all(ends[:, :, 1] - ends[:, :, 0] <= 2 * LARGEST_HALF * (1 + 1e-9), axis=1)
            for k in np.flatnonzero(~ready).tolist():
                waiting += self._halves(cells[k], ends[k], name)
            rows = np.flatnonzero(ready)
            if not len(rows):
                continue
            bounds, growths = self._bounds(ends[rows])
            for k, bound, growth in zip(rows.tolist(), bounds.tolist(), growths.tolist(), strict=True):
                room = self.limit - bound
                if room >= -growth * self.error:
                    least = min(least, room)
                else:
                    self._check_middle(cells[k], growth, name)
                    waiting += self._halves(cells[k], ends[k], name)
        return float(least)

    def _ends(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Of every phase over C cells, shape (C, phases, 2)."""
        ends = np.empty((len(low), len(self.turns), 2))
        for j, turn in enumerate(self.turns):
            ends[:, j] = turn.intervals(low, high)
        return ends

    def _whole(self) -> float:
        """By the triangle inequality, for all phases: of matrices by their Frobenius norms."""
        rows = np.abs(self.coefficients).reshape(-1, self.coefficients.shape[-1])
        if self.norm is not _variation:
            return self.share * float(np.linalg.norm(rows, axis=1).sum())
        return float(rows.sum()) / (1 if rows.shape[1] == 1 else 2)

    def _within_a_turn(self, low: FloatArray, high: FloatArray) -> Box:
        """A box with the same phases, of inputs that alone enter one linear phase no more than a turn."""
        if self.domain.matrix is not None or not self.turns:
            return low, high
        uses, high = np.array([turn.uses for turn in self.turns]), high.copy()
        for j in np.flatnonzero(uses.sum(axis=1) == 1):
            i, turn = int(np.flatnonzero(uses[j])[0]), self.turns[j]
            factor = turn.alone(i)
            if uses[:, i].sum() == 1 and factor is not None:
                period = 2 * pi / abs(turn.unit * factor)
                high[i] = min(high[i], low[i] + period * (1 + 1e-9) + 4 * np.spacing(abs(low[i])))
        return low, high

    def _bounds(self, ends: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Largest quotient of Bernstein coefficients on every cell, and by how much errors may have grown in it.

        Where they grow far more than on a narrow cell, which takes each coefficient as it is, the cell is to be halved.
        """
        points = np.repeat(self.coefficients[None], len(ends), axis=0)
        growth, narrow = np.ones(len(ends)), float(self.coefficients[..., 0].size)
        for axis, size in enumerate(self.coefficients.shape[:-1]):
            matrices = _bernstein(size // 2, ends[:, axis, 0], ends[:, axis, 1])
            growth *= np.abs(matrices).sum(axis=2).max(axis=1, initial=1.0)
            rest = points.reshape(len(ends), int(np.prod(points.shape[1 : axis + 1])), size, -1)
            points = np.matmul(matrices[:, None], rest).reshape(points.shape)
        norms = self.norm(points.real.reshape(len(ends), -1, points.shape[-1]))
        growth = np.minimum(growth, GROWTH * narrow)
        return norms.max(axis=1, initial=0.0), growth * self.spread

    def _check_middle(self, cell: Box, growth: float, name: str) -> None:
        middle = (cell[0] + cell[1]) / 2
        if self._are_outside(middle[None], middle[None])[0]:
            return
        values = self.coefficients
        for low, high in self._ends(middle[None], middle[None])[0]:
            size = values.shape[0]
            values = np.tensordot(np.exp(1j * np.fft.fftfreq(size, 1 / size) * _reduced((low + high) / 2)), values, 1)
        value = float(self.norm(values.real))
        if value > self.limit + growth * self.error:
            raise CertificateViolation(
                f"{name} changes by {value:.6g} at the input {middle.tolist()}, claimed are at most {self.limit:.6g}"
            )

    def _halves(self, cell: Box, ends: FloatArray, name: str) -> list[Box]:
        """Two cells, along the widest input, as a share of the domain, of the phase with the longest interval."""
        turn, (low, high) = self.turns[int((ends[:, 1] - ends[:, 0]).argmax())], cell
        axis = int(((high - low) / self.width * turn.uses).argmax())
        left, right, middle = high.copy(), low.copy(), (low[axis] + high[axis]) / 2
        if not low[axis] < middle < high[axis]:
            raise CertificateViolation(
                f"{name}: the limit {self.limit:.6g} could not be confirmed at the input {low.tolist()}, where double "
                "precision ends"
            )
        left[axis] = right[axis] = middle
        return [(low, left), (right, high)]

    def _are_outside(self, low: FloatArray, high: FloatArray) -> NDArray[np.bool_]:
        """Which of C cells have no point of the ellipsoid: by a plane through each one's point nearest the centre."""
        matrix, centre = self.domain.matrix, self.domain.centre
        if matrix is None or centre is None:
            return np.zeros(len(low), dtype=bool)
        nearest = np.clip(centre, low, high)
        for i in np.flatnonzero(matrix.any(axis=0)).tolist() * SWEEPS:  # one input after the other to its best value
            column = matrix[:, i]
            moved = nearest[:, i] - (nearest - centre) @ matrix.T @ column / (column @ column)
            nearest[:, i] = np.clip(moved, low[:, i], high[:, i])
        there = (nearest - centre) @ matrix.T
        normal, length = there @ matrix, np.linalg.norm(there, axis=1)
        least = np.where(normal > 0, normal * (low - centre), normal * (high - centre)).sum(axis=1)
        return np.asarray(least > self.domain.radius * length * (1 + 1e-9))


def _variation(values: FloatArray) -> FloatArray:
    """|v| of one number, the total variation of several, shape (…, V)."""
    sizes = np.abs(values)
    return np.asarray(sizes[..., 0] if sizes.shape[-1] == 1 else sizes.sum(axis=-1) / 2)


def _reduced(angle: float) -> float:
    """The same place in the period; a multiple of a large number has lost it."""
    return atan2(sin(angle), cos(angle))


def _bernstein(degree: int, low: FloatArray, high: FloatArray) -> ComplexArray:
    """Takes coefficients in exp(ikt), in the order of the FFT, to quotients of Bernstein coefficients, for C intervals
    of the phase, shape (C, 2d+1, 2d+1).

    Over half an interval's width of 2θ, u = tan θ · (2y − 1), so that 1 ± iu = (exp(∓iθ)(1−y) + exp(±iθ)y)/cos θ. The
    Bernstein coefficients of P, up to a factor that cancels, come from d+k of the one and d−k of the other, each of
    which makes of them means with turned neighbours: b_j' = ((n+1−j) α b_j + j α* b_{j−1})/(n+1), |α| = 1.
    """
    size = 2 * degree + 1
    middle, k = (low + high) / 2, np.fft.fftfreq(size, 1 / size)
    theta, same = np.unique((high - low) / 4, return_inverse=True)  # cells are halved: many are as wide as others
    means = np.zeros((len(theta), size, size), dtype=complex)
    means[:, 0] = 1
    for n in range(2 * degree):
        turned = np.exp(np.outer(theta, np.where(n < degree + k, -1j, 1j)))[:, None]
        share = np.arange(n + 2)[:, None] / (n + 1)
        before = means[:, : n + 1].copy()
        means[:, : n + 2] *= (1 - share) * turned
        means[:, 1 : n + 2] += share[1:] * turned.conj() * before
    turned = np.exp(1j * np.outer(np.arctan2(np.sin(middle), np.cos(middle)), k))
    return (means / means[:, :, :1].real)[same] * turned[:, None, :]
