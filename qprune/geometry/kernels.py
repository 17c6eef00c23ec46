"""The inner loops of the search for a supremum, compiled on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


@cache
def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """A loop of this file as machine code, made when it is first asked for and kept on disk."""
    from numba import njit

    made: Callable[..., None] = njit(cache=True)(function)
    return made


def restrict(points: Any, rows: Any, matrices: Any, before: int, size: int, after: int) -> None:
    """Apply one matrix per cell to one axis of its control points, in place.

    Args:
        points: All control points, shape (C, before · size · after).
        rows: Which cells, shape (K,).
        matrices: Shape (K, size, size).
        before: Product of the axes before.
        size: Of the axis.
        after: Product of the axes after.
    """
    held = np.empty((size, after))
    for k in range(len(rows)):
        cell, matrix = points[rows[k]], matrices[k]
        for b in range(before):
            start = b * size * after
            for i in range(size):
                for q in range(after):
                    held[i, q] = cell[start + i * after + q]
            for i in range(size):
                for q in range(after):
                    cell[start + i * after + q] = matrix[i, 0] * held[0, q]
                for j in range(1, size):
                    factor = matrix[i, j]
                    for q in range(after):
                        cell[start + i * after + q] += factor * held[j, q]


def largest(points: Any, width: int, bounds: Any, places: Any) -> None:
    """The largest norm among the control points of each cell, and where it stands.

    Args:
        points: Shape (C, N · width), `width` values side by side: the norm is |v|, or half the sum of several.
        width: V.
        bounds: Is written to, shape (C,).
        places: Is written to, shape (C,): index of the control point from 0 to N − 1.
    """
    share = 1.0 if width == 1 else 0.5
    for c in range(len(points)):
        cell, best, where = points[c], -1.0, 0
        for k in range(len(cell) // width):
            total = 0.0
            for v in range(width):
                total += abs(cell[k * width + v])
            if total > best:
                best, where = total, k
        bounds[c], places[c] = share * best, where
