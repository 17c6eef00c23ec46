"""The inner loops of the search for a supremum, compiled on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

MOST_CROSSINGS = 20  # of straight lines that are looked at for a cell; more would only lower its limit further


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


def lower_by_planes(norms: Any, planes: Any, sizes: Any, constant: Any, bounds: Any, places: Any, shares: Any) -> None:
    """The least, over λ ≥ 0, of the largest norm + λ · (constant + Σ planes) among the control points of each cell.

    As a function of λ that is a maximum of straight lines: between a falling and a rising one, the crossing is looked
    at and takes the place of one of them. Any λ gives a limit; where all lines fall, a cell holds no point at all.

    Args:
        norms: Shape (K, N).
        planes: What each axis adds at each of its control points, shape (K, J, largest size).
        sizes: Of the axes, shape (J,); their product is N.
        constant: Shape (K,).
        bounds: The limits at λ = 0; is written to, shape (K,).
        places: Which control point has them; is written to, shape (K,).
        shares: λ; is written to where it is not 0, shape (K,).
    """
    count = norms.shape[1]
    slopes, wider = np.empty(count), np.empty(count)
    for c in range(len(norms)):
        slopes[0], filled = constant[c], 1
        for j in range(len(sizes)):
            for k in range(filled):
                for i in range(sizes[j]):
                    wider[k * sizes[j] + i] = slopes[k] + planes[c, j, i]
            filled *= sizes[j]
            slopes[:filled] = wider[:filled]
        falling, rising = int(places[c]), int(slopes.argmax())
        if slopes[falling] >= 0:
            continue
        if slopes[rising] < 0:
            bounds[c] = 0.0
            continue
        for _ in range(MOST_CROSSINGS):
            steepness = slopes[rising] - slopes[falling]
            share = (norms[c, falling] - norms[c, rising]) / steepness if steepness > 0 else 0.0
            if share <= 0:
                break
            top, most = 0, -np.inf
            for k in range(count):
                value = norms[c, k] + share * slopes[k]
                if value > most:
                    top, most = k, value
            if most < bounds[c]:
                bounds[c], places[c], shares[c] = most, top, share
            if top in (falling, rising):
                break
            if slopes[top] < 0:
                falling = top
            else:
                rising = top
