"""How phases follow from inputs: φ_j(x), its slopes, and the interval that it takes on a box.

Linear phases take an exact interval; others that of interval arithmetic. Where two phases share an input, a box in the
phases holds more points than the box in the inputs it comes from: limits stay correct and converge with the size of
the box instead of its square.

Source: THEORY T9, step 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.geometry.intervals import OUTWARD, Formula, Interval

NARROWEST = 2.0**-30
"""Least width of a phase's interval, radians: ends that agree to rounding leave no digits to the functions on it. What
a polynomial does over such a width is a billionth of its slope."""


STEP = float(np.finfo(float).eps) ** (1 / 3)
"""Share of a formula's scale by which an input moves where its slope is needed; only ascents take slopes."""


@dataclass(frozen=True)
class Phase:
    """One phase: a linear form of the inputs, or a formula in them.

    Attributes:
        factors: The linear form by input, shape (n,); for a formula the inputs that enter it are not zero.
        formula: None for a linear form.
    """

    factors: tuple[float, ...]
    formula: Formula | None = None

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        return tuple(int(i) for i in np.flatnonzero(self.factors))

    def angles(self, points: FloatArray) -> FloatArray:
        """φ at P points of shape (P, n)."""
        return np.asarray(points @ np.array(self.factors)) if self.formula is None else self.formula.at(points)

    def slopes(self, point: FloatArray) -> FloatArray:
        """∂φ/∂x at one point of shape (n,); of a formula by central differences."""
        if self.formula is None:
            return np.array(self.factors)
        slopes = np.zeros(len(point))
        for i in self.inputs:
            step = STEP * max(abs(float(point[i])), np.finfo(float).tiny ** 0.25)
            around = np.repeat(point[None], 2, axis=0)
            around[:, i] += (-step, step)
            ends = self.formula.at(around)
            slopes[i] = (ends[1] - ends[0]) / (around[1, i] - around[0, i])
        return np.nan_to_num(slopes)

    def interval(self, low: FloatArray, high: FloatArray) -> Interval:
        """Limits of φ over K boxes of shape (K, n).

        Raises:
            NotBounded: Interval arithmetic finds none.
        """
        if self.formula is not None:
            return self.formula.range(low, high)
        factors = np.array(self.factors)
        ends = np.stack([low * factors, high * factors])
        room = OUTWARD * len(self.inputs) * np.abs(ends).max(axis=0).sum(axis=1)
        return ends.min(axis=0).sum(axis=1) - room, ends.max(axis=0).sum(axis=1) + room


@dataclass(frozen=True)
class PhaseMap:
    """All phases of a polynomial, as functions of the inputs."""

    phases: tuple[Phase, ...]

    def __len__(self) -> int:
        return len(self.phases)

    @cached_property
    def uses(self) -> NDArray[np.bool_]:
        """Which inputs enter which phase, shape (J, n)."""
        rows = [np.array(phase.factors) != 0 for phase in self.phases]
        return np.stack(rows) if rows else np.zeros((0, 0), dtype=bool)

    def private(self, index: int) -> float | None:
        """The factor of an input that enters one phase alone, which no other input enters; else None."""
        users = np.flatnonzero(self.uses[:, index])
        if len(users) != 1 or len(self.phases[users[0]].inputs) != 1 or self.phases[users[0]].formula is not None:
            return None
        return self.phases[users[0]].factors[index]

    def angles(self, points: FloatArray) -> FloatArray:
        """Phases at P points: (P, n) to (P, J)."""
        return _side_by_side([phase.angles(points) for phase in self.phases], len(points))

    def slopes(self, point: FloatArray) -> FloatArray:
        """∂φ_j/∂x_i at one point, shape (J, n)."""
        return np.array([phase.slopes(point) for phase in self.phases]).reshape(len(self), len(point))

    def intervals(self, low: FloatArray, high: FloatArray) -> Interval:
        """Limits of every phase over K boxes: (K, n) to (K, J) each, no narrower than `NARROWEST`."""
        ends = [phase.interval(low, high) for phase in self.phases]
        lows, highs = (_side_by_side([each[k] for each in ends], len(low)) for k in (0, 1))
        missing = np.maximum(0.0, NARROWEST - (highs - lows)) / 2
        return lows - missing, highs + missing


def _side_by_side(columns: Sequence[FloatArray], rows: int) -> FloatArray:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


def identity_map(count: int) -> PhaseMap:
    """Every input is a phase of its own."""
    return PhaseMap(tuple(Phase(tuple(row)) for row in np.eye(count).tolist()))
