"""A circuit as flat arrays, made once, then edited: gates go or are turned down without another look at symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib import import_module
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression

from qprune._arrays import ComplexArray, FloatArray
from qprune.gates.sites import Site
from qprune.simulators.factors import DENSE, PAIR, Factor, factors_of
from qprune.task.expressions import slopes_of
from qprune.task.task import Task

TAPE_BYTES = 2**26  # of circuits as the kernels read them, up to which `MOST_KEPT` are kept, and beyond it `KEPT`
KEPT, MOST_KEPT = 2, 64  # searches go back and forth between two, compare some dozens, and try thousands once


@lru_cache(maxsize=1)
def kernels() -> Any:
    """The compiled functions; numba is imported at the first use, and compiles what its cache on disk does not hold."""
    return import_module("qprune.simulators.kernels")


def team() -> Any:
    """The threads that help with them, likewise."""
    return import_module("qprune.simulators.team")


def movable_weights(task: Task, sites: Sequence[Site]) -> NDArray[np.bool_]:
    """Weights that may move: not held, all their gates trainable, in a U(1) family and affine in the weights."""
    present = {p.name for p in task.circuit.parameters}
    free = present.difference(*(names for by, names in task.holds.items() if by in present))
    movable = np.array([p.name in free for p in task.weight_params], dtype=bool)
    index = {p: j for j, p in enumerate(task.weight_params)}
    for site in sites:
        angle = site.coordinate
        if site.role != "trainable" or not isinstance(angle, ParameterExpression) or slopes_of(angle) is None:
            for a in site.operation.params:
                for p in a.parameters if isinstance(a, ParameterExpression) else ():
                    if p in index:
                        movable[index[p]] = False
    return movable


@dataclass(frozen=True)
class Symbols:
    """What of a program never changes, as arrays over its factors.

    Attributes:
        table: Integers of each factor, columns as in `tape`.
        centres, halves, axes: Generators.
        starts: Angles at the task's weights, to the last bit; of those that differ by sample, nothing.
        weights: The task's weights, from which those that move are counted.
        slopes: Derivative of the angles in the weights, shape (factors, P).
        angles: Of factors that differ by sample, shape (such factors, M).
        matrices: Of dense factors.
        bits: Bits of dense factors, one after the other.
        exchanges: Factors that only exchange basis states as they stand.
        num_qubits, num_samples: Of the register; M.
        tapes: Of the last programs of these symbols, by their edits: of wide circuits one takes more than a state.
    """

    table: NDArray[np.int64]
    centres: FloatArray
    halves: FloatArray
    axes: ComplexArray
    starts: FloatArray
    weights: FloatArray
    slopes: FloatArray
    angles: FloatArray
    matrices: tuple[ComplexArray, ...]
    bits: NDArray[np.int64]
    exchanges: NDArray[np.bool_]
    num_qubits: int
    num_samples: int
    tapes: dict[tuple[int, ...], tuple[Any, ...]] = field(default_factory=dict)

    @cached_property
    def is_diagonal(self) -> NDArray[np.bool_]:
        return (self.axes[:, 0, 1] == 0) & (self.axes[:, 1, 0] == 0)

    @cached_property
    def is_turned(self) -> NDArray[np.bool_]:
        return np.asarray(self.slopes.any(axis=1))

    @cached_property
    def slopes_at(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Factors and weights of all slopes that are not zero."""
        factors, columns = np.nonzero(self.slopes)
        return factors, columns

    @cached_property
    def turned_by(self) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
        """`places`, `columns` and `slopes` of `Turns`."""
        factors, columns = self.slopes_at
        places = np.searchsorted(factors, np.arange(len(self.table) + 1))
        return places.astype(np.int64), columns.astype(np.int64), self.slopes[factors, columns]

    @cached_property
    def padded(self) -> FloatArray:
        """Angles, the last sample repeated to fill the last block."""
        return np.pad(self.angles, ((0, 0), (0, -self.num_samples % kernels().LANES)), mode="edge")

    @cached_property
    def row_of(self) -> NDArray[np.int64]:
        """Of every factor in `angles`, -1 for those that are the same on all samples."""
        return np.ascontiguousarray(self.table[:, kernels().F_SAMPLED])


def symbols_of(
    task: Task, sites: Sequence[Site], place: dict[int, int], rows: FloatArray, movable: NDArray[np.bool_]
) -> tuple[Symbols, NDArray[np.intp]]:
    """The arrays of a circuit on given inputs, and the site of every factor."""
    found = [(k, factor) for k, site in enumerate(sites) for factor in factors_of(task, site, place, rows)]
    factors = [factor for _, factor in found]
    index = {p: j for j, p in enumerate(task.weight_params)}
    starts, slopes = np.zeros(len(found)), np.zeros((len(found), len(task.weights)))
    table, sampled = np.full((len(found), 10), -1, dtype=np.int64), list[FloatArray]()
    matrices, bits = list[ComplexArray](), list[int]()
    for j, factor in enumerate(factors):
        table[j, :6] = factor.kind, factor.touched, factor.flip, factor.mask, factor.value, factor.signs
        if factor.matrix is not None:
            table[j, 6] = 0 if factor.matrix.ndim == 3 else -1
            table[j, 7:] = len(matrices), len(factor.bits), len(bits)
            matrices.append(factor.matrix)
            bits += factor.bits
            continue
        value = task.values_at(factor.angle, rows)
        if value.ndim:
            table[j, 6] = len(sampled)
            sampled.append(value)
            continue
        starts[j] = value
        if isinstance(factor.angle, ParameterExpression) and any(p in index for p in factor.angle.parameters):
            for p, slope in (slopes_of(factor.angle) or {}).items():
                if movable[index[p]]:
                    slopes[j, index[p]] = slope
    return Symbols(
        table=table,
        centres=np.array([factor.centre for factor in factors], dtype=float),
        halves=np.array([factor.half for factor in factors], dtype=float),
        axes=np.array([factor.axis for factor in factors], dtype=complex).reshape(-1, 2, 2),
        starts=starts,
        weights=task.weights,
        slopes=slopes,
        angles=np.array(sampled, dtype=float).reshape(len(sampled), len(rows)),
        matrices=tuple(matrices),
        bits=np.array(bits, dtype=np.int64),
        exchanges=np.array([_exchanges(factor) for factor in factors], dtype=bool),
        num_qubits=len(place),
        num_samples=len(rows),
    ), np.array([k for k, _ in found], dtype=np.intp)


def _exchanges(factor: Factor) -> bool:
    """Whether it is a CX or a SWAP: linear on the bits of basis states, so that flips stay flips."""
    swaps = factor.kind == PAIR and factor.half == -0.5 and np.array_equal(factor.axis, [[0, 1], [1, 0]])
    fixed = not isinstance(factor.angle, ParameterExpression) and abs(factor.angle) == pi
    return swaps and fixed and factor.centre == 0.5 and factor.touched.bit_count() == 2


@dataclass(frozen=True)
class Program:
    """A circuit that can be edited.

    Attributes:
        symbols: What does not change.
        present: Factors that are there.
        scales, shifts: Angles are scale · angle + shift.
    """

    symbols: Symbols
    present: NDArray[np.bool_]
    scales: FloatArray
    shifts: FloatArray

    @classmethod
    def of(cls, symbols: Symbols) -> Program:
        count = len(symbols.table)
        return cls(symbols, np.ones(count, dtype=bool), np.ones(count), np.zeros(count))

    def without(self, gone: NDArray[np.bool_]) -> Program:
        return replace(self, present=self.present & ~gone)

    def turned(self, factors: NDArray[np.intp], scale: float, shift: float) -> Program:
        scales, shifts = self.scales.copy(), self.shifts.copy()
        scales[factors], shifts[factors] = scale, shift
        return replace(self, scales=scales, shifts=shifts)

    def angles(self, weights: FloatArray) -> FloatArray:
        """Of every factor whose angle is the same on all samples."""
        return np.asarray(kernels().angles(self.turns, np.array(weights, dtype=float)))

    @cached_property
    def turns(self) -> Any:
        """What turns the factors, as the kernels read it."""
        s = self.symbols
        return kernels().Turns(s.starts, self.scales, self.shifts, s.weights, *s.turned_by, s.centres, s.halves, s.axes)

    @cached_property
    def moves(self) -> NDArray[np.bool_]:
        """Factors that are there and turned by a weight."""
        return self.present & (self.scales != 0) & self.symbols.is_turned

    @cached_property
    def free(self) -> NDArray[np.intp]:
        """Weights that turn a factor that is there."""
        factors, columns = self.symbols.slopes_at
        found = np.zeros(self.symbols.slopes.shape[1], dtype=bool)
        found[columns[self.moves[factors]]] = True
        return np.flatnonzero(found)

    @property
    def tape(self) -> Any:
        """The circuit as the kernels read it."""
        tapes, edits = self.symbols.tapes, (self.present, self.scales, self.shifts)
        key = tuple(map(id, edits))
        if key in tapes:
            tapes[key] = tapes.pop(key)  # the latest last
            return tapes[key][-1]
        tape = self._assembled()
        tapes[key] = *edits, tape  # with what it is of, as identities of what is gone are given out again
        while len(tapes) > max(KEPT, min(MOST_KEPT, TAPE_BYTES // (1 + sum(array.nbytes for array in tape)))):
            del tapes[next(iter(tapes))]
        return tape

    def _assembled(self) -> Any:
        k, symbols = kernels(), self.symbols
        exchanges = symbols.exchanges & (self.scales == 1) & (self.shifts == 0)
        operations, order, rows, permutation, in_sampled, in_dense = k.assemble(
            symbols.table, self.present, exchanges, symbols.is_diagonal, symbols.bits, symbols.num_qubits,
            symbols.padded.shape[1],
        )  # fmt: skip
        tape = k.Tape(operations, order, rows, permutation, k.aligned(in_sampled), np.empty(in_dense))
        for o in np.flatnonzero(operations[:, k.KIND] == DENSE).tolist():
            matrix = symbols.matrices[symbols.table[order[operations[o, k.FIRST]], k.F_MATRIX]]
            numbers, into = np.stack([matrix.real, matrix.imag], axis=2), tape.dense
            if operations[o, k.SAMPLED]:
                numbers, into = _in_blocks(numbers.reshape(-1, symbols.num_samples), k.LANES), tape.sampled
            into[operations[o, k.AT] :][: numbers.size] = numbers.ravel()
        if in_sampled:
            k.sampled_members(tape, self.turns, symbols.padded, symbols.row_of, tape.sampled)
        return tape


def _in_blocks(numbers: FloatArray, lanes: int) -> FloatArray:
    """Numbers (K, M) as (blocks, K, lanes), the last sample repeated to fill the last block."""
    blocks = -(-numbers.shape[1] // lanes)
    padded = np.pad(numbers, ((0, 0), (0, blocks * lanes - numbers.shape[1])), mode="edge")
    return padded.reshape(len(numbers), blocks, lanes).swapaxes(0, 1)
