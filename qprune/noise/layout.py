"""Which physical qubits a circuit runs on, and how gates between distant ones are routed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.noise.devices import Device, Qubits

SWAP = 3  # native two-qubit gates of a swap
REFINED = 4  # layouts, the best of those grown from each qubit, that exchanges of qubits are tried on
LEAST = 1e-12  # weight, as an infidelity in [0, 1], of a perfect pair: a zero would be no pair to the search for paths


class Router:
    """Cheapest paths between the physical qubits of a device, and the layout of least total infidelity.

    Args:
        device: With `pairs`.
    """

    def __init__(self, device: Device) -> None:
        self.device = device

    @cached_property
    def _edges(self) -> FloatArray:
        """r of the best native gate between two qubits, in either direction; infinite where there is none."""
        size = self.device.num_qubits or 0
        edges = np.full((size, size), np.inf)
        for a, b in self.device.pairs or ():
            edges[a, b] = edges[b, a] = min(edges[a, b], max(self.device.pair_infidelity((a, b)), LEAST))
        return edges

    @cached_property
    def _paths(self) -> tuple[FloatArray, NDArray[np.int32]]:
        """Total swap infidelity from qubit to qubit, and the last stop before the end."""
        weights = np.where(np.isfinite(self._edges), SWAP * self._edges, 0)
        return scipy.sparse.csgraph.shortest_path(weights, directed=False, return_predecessors=True)

    @cached_property
    def _distance(self) -> FloatArray:
        """Infidelity of a two-qubit gate between two physical qubits, swaps included, wherever they meet."""
        moved = self._paths[0]
        return _cheapest_sums(_cheapest_sums(moved, self._edges), moved)

    def route(self, start: int, end: int) -> tuple[list[Qubits], Qubits] | None:
        """Swaps that bring two qubits next to each other at the least infidelity, and the pair where they meet."""
        moved = self._paths[0]
        totals = moved[start][:, None] + self._edges + moved[end][None]
        one, other = (int(q) for q in np.unravel_index(np.argmin(totals), totals.shape))
        if not np.isfinite(totals[one, other]):
            return None
        return self._swaps(start, one) + self._swaps(end, other), (one, other)

    def _swaps(self, start: int, end: int) -> list[Qubits]:
        path = [end]
        while path[-1] != start:
            path.append(int(self._paths[1][start, path[-1]]))
        return list(pairwise(path[::-1]))

    def best_layout(self, weights: FloatArray) -> tuple[int, ...]:
        """Physical qubits, a connected set, of least total two-qubit and readout infidelity that the search finds.

        From every physical qubit a layout is grown, the qubit most tied to those placed going to the neighbour where
        the total rises least; in the best few, exchanges of two qubits, or of one for a free neighbour, follow while
        they lower it. The same device and circuit give the same layout.

        Args:
            weights: How many two-qubit gates each pair of circuit qubits has, symmetric, shape (n, n).

        Raises:
            OptionError: The device has no connected set of n qubits.
        """
        size = len(weights)
        readout = np.array([self.device.readout_error(q) for q in range(len(self._edges))])
        grown = {found for q in range(len(self._edges)) if (found := self._grown(q, weights, readout)) is not None}
        if not grown:
            raise OptionError(
                f"noise: {self.device.name} has no {size} connected qubits, which the circuit needs; take a larger "
                "device, or give a layout"
            )
        ranked = sorted(grown, key=lambda layout: (self._total(layout, weights, readout), layout))
        refined = (self._refined(layout, weights, readout) for layout in ranked[:REFINED])
        return min(refined, key=lambda layout: (self._total(layout, weights, readout), layout))

    def _total(self, layout: Sequence[int], weights: FloatArray, readout: FloatArray) -> float:
        here = np.array(layout)
        return float((np.triu(weights, 1) * self._without_self(here)).sum() + readout[here].sum())

    def _without_self(self, here: NDArray[np.intp]) -> FloatArray:
        between = self._distance[np.ix_(here, here)].copy()
        np.fill_diagonal(between, 0)
        return between

    def _grown(self, start: int, weights: FloatArray, readout: FloatArray) -> tuple[int, ...] | None:
        size = len(weights)
        first = int(np.argmax(weights.sum(axis=1)))
        places = {first: start}
        while len(places) < size:
            placed = list(places)
            used = np.array([places[q] for q in placed])
            tied = weights[:, placed].sum(axis=1)
            tied[placed] = -1
            following = int(np.argmax(tied))
            free = np.flatnonzero(np.isfinite(self._edges[used]).any(axis=0))
            free = free[~np.isin(free, used)]
            if not len(free):
                return None
            rise = self._distance[np.ix_(free, used)] @ weights[following, placed] + readout[free]
            places[following] = int(free[np.argmin(rise)])
        return tuple(places[q] for q in range(size))

    def _refined(self, layout: tuple[int, ...], weights: FloatArray, readout: FloatArray) -> tuple[int, ...]:
        total = self._total(layout, weights, readout)
        while True:
            others = [other for other in self._exchanged(layout) if self.is_connected(other)]
            best = min(others, key=lambda other: (self._total(other, weights, readout), other), default=layout)
            lower = self._total(best, weights, readout)
            if not lower < total:
                return layout
            layout, total = best, lower

    def _exchanged(self, layout: tuple[int, ...]) -> list[tuple[int, ...]]:
        found = []
        for i in range(len(layout)):
            for j in range(i):
                other = list(layout)
                other[i], other[j] = other[j], other[i]
                found.append(tuple(other))
        near = np.flatnonzero(np.isfinite(self._edges[list(layout)]).any(axis=0))
        for q in (int(q) for q in near if q not in layout):
            found += [(*layout[:i], q, *layout[i + 1 :]) for i in range(len(layout))]
        return found

    def is_connected(self, layout: tuple[int, ...]) -> bool:
        """Whether physical qubits hang together without others between them."""
        reached, left = [layout[0]], set(layout[1:])
        for q in reached:
            near = {p for p in left if np.isfinite(self._edges[q, p])}
            left -= near
            reached += sorted(near)
        return not left


def _cheapest_sums(first: FloatArray, second: FloatArray) -> FloatArray:
    """min_x first[p, x] + second[x, q]."""
    return np.array([np.min(row[:, None] + second, axis=0) for row in first])


def two_qubit_weights(circuit: QuantumCircuit | int) -> FloatArray:
    """How many two-qubit gates each pair of qubits has, shape (n, n); a number of qubits stands for a chain."""
    if isinstance(circuit, int):
        chain = np.diag(np.ones(circuit - 1), 1)
        return chain + chain.T
    weights = np.zeros((circuit.num_qubits, circuit.num_qubits))
    for item in circuit.data:
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        if item.operation.name != "barrier":
            for a in qubits:
                for b in qubits:
                    weights[a, b] += a != b
    return weights
