"""The compiled part of the engine, first: from the factors of a circuit to the operations that a sweep goes through.

Neighbours that act alike become one operation. A gate that only permutes basis states moves nothing: the index lists
of those after it are permuted.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.core import event
from numpy.typing import NDArray

from qprune.simulators.factors import DENSE, DIAGONAL, PAIR

# Columns of the array of operations.
KIND, FLIP, START, MIDDLE, STOP, FIRST, LAST, SAMPLED, AT, SIZE = range(10)
# Columns of the array of factors.
F_KIND, F_TOUCHED, F_FLIP, F_MASK, F_VALUE, F_SIGNS, F_SAMPLED, F_MATRIX, F_SIZE, F_BITS = range(10)

MEMBER = 8  # doubles of a 2 × 2 matrix

compiled = njit(nogil=True, cache=True, error_model="numpy")

LOGGER = logging.getLogger("qprune")


class _Notice(event.Listener):
    """Says once that the engine is being compiled: the first use takes seconds, later ones read the cache."""

    said = False

    def on_start(self, event: Any) -> None:
        if self.said or not event.data["dispatcher"].py_func.__module__.startswith(__package__):
            return
        self.said = True
        words = "qprune compiles its engine: about ten seconds, once"
        LOGGER.info(words)
        if sys.stderr.isatty():
            print(words, file=sys.stderr)

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


event.register("numba:compile", _Notice())


def forget_older(folder: Path, sources: Sequence[Path]) -> None:
    """Delete what numba compiled before one of these files was changed, as far as it may be deleted.

    Dates in the future, as some archives have, say nothing: by them every start would compile anew.
    """
    changed = max((date for source in sources if (date := source.stat().st_mtime) <= time()), default=0.0)
    for index in folder.glob("*.nbi"):
        with suppress(OSError):
            if index.stat().st_mtime < changed:
                index.unlink()


class Tape(NamedTuple):
    """A circuit as the kernels read it.

    Attributes:
        operations: One row for each: what it does, where its index lists lie, which factors are in it.
        order: Factors, those of one operation together.
        rows: Index lists.
        permutation: Place in memory of every basis state at the end.
        sampled: Matrices that differ by sample, for every operation that has any, block by block.
        dense: Matrices of dense gates that are the same on every sample.
    """

    operations: NDArray[np.int64]
    order: NDArray[np.int64]
    rows: NDArray[np.int64]
    permutation: NDArray[np.int64]
    sampled: NDArray[np.float64]
    dense: NDArray[np.float64]


class Turns(NamedTuple):
    """What turns a circuit's factors: exp(−i · angle · (centre + half · axis)), angle = scale · (start + slopes ·
    (weights − origin)) + shift.

    Attributes:
        starts, scales, shifts: Of every factor.
        origin: Weights at which angles are `starts`, shape (P,).
        places: Where in `columns` and `slopes` those of each factor begin, and one more.
        columns, slopes: Weights that turn a factor, and how fast.
        centres, halves, axes: Generators.
    """

    starts: NDArray[np.float64]
    scales: NDArray[np.float64]
    shifts: NDArray[np.float64]
    origin: NDArray[np.float64]
    places: NDArray[np.int64]
    columns: NDArray[np.int64]
    slopes: NDArray[np.float64]
    centres: NDArray[np.float64]
    halves: NDArray[np.float64]
    axes: NDArray[np.complex128]


@compiled
def _parity(bits):
    odd = 0
    while bits:
        bits &= bits - 1
        odd ^= 1
    return odd


@compiled
def _is_one_qubit(factor):
    touched = factor[F_TOUCHED]
    return factor[F_KIND] == PAIR and touched & (touched - 1) == 0


@compiled
def _joins(factor, other, last):
    """Whether a factor acts as another does, with nothing between them on any of its qubits."""
    operation, bits, q = -2, factor[F_TOUCHED], 0
    while bits:
        if bits & 1:
            if last[q] < 0 or operation not in (-2, last[q]):
                return False
            operation = last[q]
        bits >>= 1
        q += 1
    return (
        factor[F_KIND] != DENSE
        and factor[F_KIND] == other[F_KIND]
        and factor[F_FLIP] == other[F_FLIP]
        and factor[F_MASK] == other[F_MASK]
        and factor[F_VALUE] == other[F_VALUE]
        and factor[F_SIGNS] == other[F_SIGNS]
        and (factor[F_SAMPLED] >= 0) == (other[F_SAMPLED] >= 0)
    )


@compiled
def _grouped(factors, present, exchanges, num_qubits):
    """The operation of every factor, -1 for none, and the first factor of every operation."""
    count = len(factors)
    member_of = np.full(count, -1, dtype=np.int64)
    head = np.empty(count, dtype=np.int64)
    last = np.full(num_qubits, -1, dtype=np.int64)
    found = 0
    for f in range(count):
        if not present[f]:
            continue
        touched, q = factors[f, F_TOUCHED], 0
        while not touched >> q & 1:
            q += 1
        if not exchanges[f]:
            if last[q] >= 0 and _joins(factors[f], factors[head[last[q]]], last):
                member_of[f] = last[q]
            else:
                member_of[f] = found
                head[found] = f
                found += 1
        for q in range(num_qubits):
            if touched >> q & 1:
                last[q] = member_of[f]
    return member_of, head[:found]


@compiled
def _ordered(member_of, operations):
    """Factors, those of one operation together; FIRST and LAST are filled."""
    for o in member_of:
        if o >= 0:
            operations[o, LAST] += 1
    total = 0
    for o in range(len(operations)):
        members = operations[o, LAST]
        operations[o, FIRST] = operations[o, LAST] = total
        total += members
    order = np.empty(total, dtype=np.int64)
    for f, o in enumerate(member_of):
        if o >= 0:
            order[operations[o, LAST]] = f
            operations[o, LAST] += 1
    return order


@compiled
def _exchange(factor, permutation):
    """Move the places of basis states as a factor does that only exchanges them."""
    for i in range(len(permutation)):
        if i & factor[F_MASK] == factor[F_VALUE]:
            j = i ^ factor[F_FLIP]
            permutation[i], permutation[j] = permutation[j], permutation[i]


@compiled
def _list_dense(factor, bits, permutation, rows, end):
    """Append the places that a dense gate mixes, those of one product together, and return the new end."""
    width, at = factor[F_SIZE], factor[F_BITS]
    for base in range(len(permutation)):
        if base & factor[F_TOUCHED]:
            continue
        for local in range(1 << width):
            i = base
            for b in range(width):
                i |= (local >> b & 1) << bits[at + b]
            rows[end] = permutation[i]
            end += 1
    return end


@compiled
def _list_signed(mask, value, signs, odd, permutation, rows, end):
    """Append the places of basis states under control whose signed bits are even or odd, and return the new end."""
    for i in range(len(permutation)):
        if i & mask == value and _parity(i & signs) == odd:
            rows[end] = permutation[i]
            end += 1
    return end


@compiled
def assemble(factors, present, exchanges, is_diagonal, bits, num_qubits, padded):
    """Join neighbours that act alike, take permutations out, and list the amplitudes of every operation.

    Args:
        factors: One row for each.
        present: Which of them are there.
        exchanges: Which of them only exchange basis states.
        is_diagonal: Which of them have a diagonal axis.
        bits: Bits of dense gates, one after the other.
        num_qubits: Of the register.
        padded: Samples, with those that fill the last block.

    Returns:
        operations, order, rows and permutation of a tape, and how many numbers its `sampled` and `dense` hold.
    """
    member_of, head = _grouped(factors, present, exchanges, num_qubits)
    operations = np.zeros((len(head), 10), dtype=np.int64)
    order = _ordered(member_of, operations)
    diagonal = np.full(len(head), True)
    for f in order:
        diagonal[member_of[f]] &= is_diagonal[f]
    permutation = np.arange(1 << num_qubits)
    rows = np.empty(len(head) << num_qubits, dtype=np.int64)
    end = in_sampled = in_dense = 0
    for f in range(len(factors)):
        if present[f] and exchanges[f]:
            _exchange(factors[f], permutation)
        o = member_of[f]
        if o < 0 or head[o] != f:
            continue
        kind, mask, value, signs = factors[f, F_KIND], factors[f, F_MASK], factors[f, F_VALUE], factors[f, F_SIGNS]
        if diagonal[o] and _is_one_qubit(factors[f]):
            kind, mask, value, signs = DIAGONAL, 0, 0, factors[f, F_TOUCHED]
        operations[o, KIND] = kind
        operations[o, FLIP] = permutation[factors[f, F_FLIP]] ^ permutation[0]
        operations[o, START] = end
        numbers = 2 << 2 * factors[f, F_SIZE] if kind == DENSE else MEMBER
        if factors[f, F_SAMPLED] >= 0:
            operations[o, SAMPLED], operations[o, AT] = 1, in_sampled
            in_sampled += numbers * padded
        elif kind == DENSE:
            operations[o, AT] = in_dense
            in_dense += numbers
        if kind == DENSE:
            operations[o, SIZE] = factors[f, F_SIZE]
            end = _list_dense(factors[f], bits, permutation, rows, end)
            operations[o, MIDDLE] = operations[o, STOP] = end
            continue
        # A phase of the whole state is nothing: of a diagonal gate on every state only the odd ones are turned.
        if kind != DIAGONAL or mask:
            end = _list_signed(mask, value, signs, 0, permutation, rows, end)
        operations[o, MIDDLE] = end
        if signs:
            end = _list_signed(mask, value, signs, 1, permutation, rows, end)
        operations[o, STOP] = end
    return operations, order, rows[:end], permutation, in_sampled, in_dense
