"""The open cells of a search for a supremum, the largest limit first, with control points as far as memory allows."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray

IndexArray = NDArray[np.intp]

MEMORY = 2**30  # bytes of control points that are kept; those of further cells are made again


@dataclass
class Cells:
    """Some cells side by side: K boxes in n inputs and J phases.

    Attributes:
        low: Lower corners in the inputs, shape (K, n).
        high: Upper corners.
        phase_low: Lower ends of the phases' intervals, shape (K, J).
        phase_high: Upper ends.
        bounds: Limits of the norm, shape (K,): the largest of a control point, or less where a plane lowered it.
        places: Which control point has the largest term, shape (K,).
        shares: λ of these planes, 0 where there is none, shape (K,).
        depths: Number of halvings behind each, shape (K,).
        points: Control points, shape (K, N · V).
    """

    low: FloatArray
    high: FloatArray
    phase_low: FloatArray
    phase_high: FloatArray
    bounds: FloatArray
    places: IndexArray
    shares: FloatArray
    depths: IndexArray
    points: FloatArray

    def __len__(self) -> int:
        return len(self.low)


@dataclass
class Open:
    """One cell that waits; without control points if there was no room for them."""

    low: FloatArray
    high: FloatArray
    phase_low: FloatArray
    phase_high: FloatArray
    place: int
    share: float
    depth: int
    points: FloatArray | None


class Queue:
    """Cells that wait, the largest limit first; equal limits in the order in which they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Open]] = []
        self._count = self._held = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def largest(self) -> float:
        """The largest limit of a waiting cell, −∞ if none waits."""
        return -self._heap[0][0] if self._heap else -np.inf

    def push(self, cells: Cells, rows: IndexArray) -> None:
        for k in rows.tolist():
            points = cells.points[k]
            has_room = self._held + points.nbytes <= MEMORY
            self._held += points.nbytes if has_room else 0
            cell = Open(
                cells.low[k],
                cells.high[k],
                cells.phase_low[k],
                cells.phase_high[k],
                int(cells.places[k]),
                float(cells.shares[k]),
                int(cells.depths[k]),
                points.copy() if has_room else None,
            )
            self._count += 1
            heappush(self._heap, (-float(cells.bounds[k]), self._count, cell))

    def pop(self, count: int, above: float) -> list[Open]:
        """At most `count` cells whose limit lies above a value."""
        taken: list[Open] = []
        while self._heap and len(taken) < count and -self._heap[0][0] > above:
            cell = heappop(self._heap)[2]
            self._held -= 0 if cell.points is None else cell.points.nbytes
            taken.append(cell)
        return taken


def halved(low: FloatArray, high: FloatArray, rows: IndexArray, axis: IndexArray) -> tuple[FloatArray, FloatArray]:
    """Boxes with some of them replaced by their lower halves, and the upper halves after all."""
    middle = (low[rows, axis] + high[rows, axis]) / 2
    upper_low, upper_high = low[rows].copy(), high[rows].copy()
    upper_low[np.arange(len(rows)), axis] = middle
    lower_high = high.copy()
    lower_high[rows, axis] = middle
    return np.concatenate([low, upper_low]), np.concatenate([lower_high, upper_high])
