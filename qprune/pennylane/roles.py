"""What the numbers of a QNode's tape depend on, found by probing, and how weight entries move them.

Part of `qprune.pennylane`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Parameter
from scipy.sparse.csgraph import connected_components

from qprune._arrays import FloatArray
from qprune.pennylane.network import Network, Signature, flat, refilled
from qprune.pennylane.tape import number
from qprune.results.result import PruneResult

FAR = 20.0  # radians: beyond what weights move by in training or refit
PLAIN = 1000  # a measured factor is taken for a fraction with a denominator up to this, if that fits as well
# Radians per unit of a weight: smaller slopes, or slopes that are dependent up to this, would send weights far away.
# Such weights stay what they are; nothing else depends on it.
LEAST_SLOPE = 1e-4


@dataclass(frozen=True)
class Roles:
    """What moves each number of the circuit.

    Attributes:
        values: Numbers at the trained weights by sample, shape (M, S).
        encoding: Whether inputs move it, shape (S,).
        depends: Which weight entries move it, shape (S, P).
        slopes: Its derivatives in the weight entries if no input moves it and it is affine in them, else 0; (S, P).
        ties: Number s is factor·(number of the representative) + offset: representative, factor and offset, (3, S).
    """

    values: FloatArray
    encoding: NDArray[np.bool_]
    depends: NDArray[np.bool_]
    slopes: FloatArray
    ties: FloatArray

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Whether inputs or weights move it, shape (S,)."""
        return self.encoding | self.depends.any(axis=1)

    def name(self, s: int) -> str:
        """The Parameter of a representative: x… where inputs enter, w… where only weights do."""
        return f"{'x' if self.encoding[s] else 'w'}{s}"

    def parameters(self) -> list[Any]:
        """Every number as factor · its Parameter + offset, or as a constant."""
        made: dict[int, Parameter] = {}
        found: list[Any] = []
        for s, (moving, (known, factor, offset)) in enumerate(zip(self.moving, self.ties.T.tolist(), strict=True)):
            if not moving:
                found.append(float(self.values[0, s]))
                continue
            angle = made.setdefault(int(known), Parameter(self.name(int(known))))
            angle = angle if factor == 1 else -angle if factor == -1 else factor * angle
            found.append(angle + offset if offset else angle)
        return found

    def holds(self) -> dict[str, frozenset[str]]:
        """What refit must leave as it is, see `Task.holds`: it can move a weight only as weight entries move it.

        Entries that enter one affine number are linked. If the slopes of a linked component's numbers are independent,
        its entries can give these any values; else, or while an entry also moves a number in another way, they stay.
        """
        components, inside = self._components(), defaultdict(list)
        own = [s for s in np.flatnonzero(self.moving).tolist() if self.ties[0, s] == s]
        for s in own:
            for component in set(components[self.slopes[s] != 0].tolist()):
                inside[component].append(s)
        stuck = {component for component, numbers in inside.items() if not _independent(self.slopes[numbers])}
        held = {}
        for s in own:
            touched = set(components[self.depends[s]].tolist())
            if touched and (touched & stuck or not self.slopes[s].any()):
                held[self.name(s)] = frozenset(self.name(r) for r in [s, *(r for g in touched for r in inside[g])])
        return held

    def entries_moved(self, by: Mapping[int, float]) -> FloatArray:
        """How far weight entries go, at the least, to move affine numbers `by` so much, shape (P,)."""
        components, moves = self._components(), np.zeros(self.slopes.shape[1])
        component_of = {s: components[np.argmax(self.slopes[s] != 0)] for s in by if self.slopes[s].any()}
        for component in {component_of[s] for s, distance in by.items() if distance}:
            numbers, entries = [s for s in component_of if component_of[s] == component], components == component
            distances = np.array([by[s] for s in numbers])
            moves[entries] = np.linalg.lstsq(self.slopes[numbers][:, entries], distances, rcond=None)[0]
        return moves

    def _components(self) -> NDArray[np.int32]:
        """Which component of linked entries each weight entry is in, shape (P,)."""
        linked = (self.slopes != 0).astype(np.float32)
        components: NDArray[np.int32] = connected_components(linked.T @ linked, directed=False)[1]
        return components


def refitted(weights: dict[str, Any], roles: Roles, result: PruneResult) -> dict[str, Any]:
    """The caller's weights that give the task's surviving weights the values they have after pruning."""
    then, now = result.original.named_weights, result.task.named_weights
    moved = {int(name[1:]): value - then[name] for name, value in now.items()}
    return refilled(weights, flat(weights) + roles.entries_moved(moved)) if any(moved.values()) else weights


def find_roles(network: Network, signature: Signature, scalar: NDArray[np.bool_], progress: bool) -> Roles:
    """Find by probing at generic points what every number depends on.

    Entries are told apart by component testing: entry p is moved in the tests that the bits of p name, so a number that
    depends on one entry spells it in 2 log₂ P calls; numbers that depend on several are probed entry by entry. Slopes
    and ties are read off the same points.
    """
    values = network.table(network.weights, signature, progress)
    rng, start = np.random.default_rng(0), flat(network.weights)
    points, at_weights = list(values), [start]

    def at(sample: Mapping[str, Any], weights: FloatArray) -> FloatArray:
        arrays = refilled(network.weights, weights)
        points.append(network.read(sample, arrays, signature))
        at_weights.append(flat(arrays))
        return points[-1]

    encoding, generic = np.ptp(values, axis=0) > 0, True
    depends = np.zeros((values.shape[1], len(start)), dtype=bool)
    entries, bits = np.arange(len(start)), max(len(start) - 1, min(len(start), 1)).bit_length()
    for i in (0, network.num_samples - 1):
        weights = start + rng.normal(size=len(start))
        sample = network.sample(i)
        real = {name: x for name, x in sample.items() if np.issubdtype(number(x).dtype, np.floating)}
        generic &= len(real) == len(sample)
        try:
            moves = [rng.normal(size=len(flat(real))) for _ in "12"]
            one, two = (sample | refilled(real, flat(real) + move) for move in moves)
            encoding |= at(one, weights) != at(two, weights)
            sample = one
        except Exception:  # inputs with a constraint, such as bits or unit vectors: only the samples themselves tell
            generic = False
        base = at(sample, weights)
        step = rng.uniform(0.5, 1.5, size=len(start)) * rng.choice([-1, 1], size=len(start))
        tests = [at(sample, weights + step * (entries >> b & 1 == side)) for b in range(bits) for side in (0, 1)]
        answers = (np.array(tests).reshape(bits, 2, -1) if tests else np.zeros((0, 2, len(base)))) != base
        moved = answers.any(axis=(0, 1)) & bool(bits)
        single = moved & (answers[:, 0] ^ answers[:, 1]).all(axis=0)
        entry = np.tensordot(2 ** np.arange(bits), answers[:, 1], axes=1)
        depends[single, entry[single]] = True
        for p in entries if np.any(moved & ~single) else ():
            depends[:, p] |= (at(sample, weights + step * (entries == p)) != base) & moved & ~single
    for _ in "12":  # where a bound or a period of an angle shows
        at(network.sample(0), start + FAR * rng.normal(size=len(start)))
    numbers = np.array(points)
    plain = scalar & np.isfinite(numbers).all(axis=0)
    slopes = _slopes(numbers[len(values) - 1 :], np.array(at_weights), depends, plain & ~encoding)
    ties = _ties(numbers, encoding, depends, plain & (encoding | depends.any(axis=1)) & (~encoding | generic))
    return Roles(values, encoding, depends, slopes, ties)


def _slopes(
    points: FloatArray, weights: FloatArray, depends: NDArray[np.bool_], of_weights: NDArray[np.bool_]
) -> FloatArray:
    """Derivatives (S, P) of the numbers that an affine function of the weights gives at every probed point."""
    slopes = np.zeros(depends.shape)
    moves, changes = weights - weights[0], points - points[0]
    for entries in np.unique(depends[of_weights & depends.any(axis=1)], axis=0):
        alike = np.flatnonzero(of_weights & (depends == entries).all(axis=1))
        found = np.linalg.lstsq(moves[:, entries], changes[:, alike], rcond=None)[0]
        for s, slope in zip(alike, found.T, strict=True):
            if np.abs(slope).max() > LEAST_SLOPE and _agree(moves[:, entries] @ slope + points[0, s], points[:, s]):
                slopes[s, entries] = slope
    return slopes


def _ties(
    points: FloatArray, encoding: NDArray[np.bool_], depends: NDArray[np.bool_], may_tie: NDArray[np.bool_]
) -> FloatArray:
    """Numbers that are an affine function of an earlier one at every probed point, as ±θ/8 in a double excitation."""
    count = points.shape[1]
    ties = np.array([np.arange(count), np.ones(count), np.zeros(count)])
    first: dict[Any, list[int]] = defaultdict(list)
    for s in np.flatnonzero(may_tie):
        alike = first[encoding[s], depends[s].tobytes()]
        found = ((r, _tie(points[:, s], points[:, r])) for r in alike)
        known = next(((r, *tie) for r, tie in found if tie is not None), None)
        if known is None:
            alike.append(int(s))
        else:
            ties[:, s] = known
    return ties


def _tie(column: FloatArray, known: FloatArray) -> tuple[float, float] | None:
    """Factor and offset with column = factor·known + offset, plain numbers where these do as well."""
    far = np.argmax(np.abs(known - known[0]))
    factor = float((column[far] - column[0]) / (known[far] - known[0]))
    offset = float(column[0] - factor * known[0])
    if not factor or not _agree(factor * known + offset, column):
        return None
    fraction = float(Fraction(factor).limit_denominator(PLAIN))
    pairs = ((fraction, 0.0), (fraction, float(column[0] - fraction * known[0])), (factor, offset))
    return next(pair for pair in pairs if pair[0] and _agree(pair[0] * known + pair[1], column))


def _agree(computed: FloatArray, column: FloatArray) -> bool:
    """Whether both are equal up to the rounding of the precision that the column was read in, relative to its size."""
    single = np.array_equal(column, column.astype(np.float32))
    return bool(np.all(np.abs(computed - column) <= (5e-7 if single else 1e-12) * np.abs(column).max(initial=0)))


def _independent(slopes: FloatArray) -> bool:
    rows = slopes / np.abs(slopes).max(axis=1, keepdims=True)
    return bool(np.linalg.matrix_rank(rows, rtol=LEAST_SLOPE) == len(rows))
