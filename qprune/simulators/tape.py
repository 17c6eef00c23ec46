"""The compiled part of the engine, first: from the factors of a circuit to the operations that a sweep goes through.

Neighbours that act alike become one operation. A gate that only permutes basis states moves nothing: the index lists
of those after it are permuted.
"""

from __future__ import annotations

import logging
import sys
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
def assemble(factors, present, exchanges, is_diagonal, bits, num_qubits):
    """Join neighbours that act alike, take permutations out, and list the amplitudes of every operation.

    Args:
        factors: One row for each.
        present: Which of them are there.
        exchanges: Which of them only exchange basis states.
        is_diagonal: Which of them have a diagonal axis.
        bits: Bits of dense gates, one after the other.
        num_qubits: Of the register.

    Returns:
        operations, order, rows and permutation of a tape, SAMPLED and AT left to be filled.
    """
    count, size = len(factors), 1 << num_qubits
    operations = np.zeros((count, 10), dtype=np.int64)
    member_of = np.full(count, -1, dtype=np.int64)
    head = np.zeros(count, dtype=np.int64)
    members = np.zeros(count, dtype=np.int64)
    diagonal = np.full(count, True)
    last = np.full(num_qubits, -1, dtype=np.int64)
    found = 0
    for f in range(count):
        if not present[f]:
            continue
        touched, q = factors[f, F_TOUCHED], 0
        while not touched >> q & 1:
            q += 1
        operation = -1
        if not exchanges[f]:
            if last[q] >= 0 and _joins(factors[f], factors[head[last[q]]], last):
                operation = last[q]
            else:
                operation = found
                head[found] = f
                found += 1
            member_of[f] = operation
            members[operation] += 1
            diagonal[operation] &= is_diagonal[f]
        for q in range(num_qubits):
            if touched >> q & 1:
                last[q] = operation
    total = 0
    for o in range(found):
        operations[o, FIRST] = operations[o, LAST] = total
        total += members[o]
    order = np.empty(total, dtype=np.int64)
    for f in range(count):
        if member_of[f] >= 0:
            order[operations[member_of[f], LAST]] = f
            operations[member_of[f], LAST] += 1
    permutation = np.arange(size)
    rows = np.empty(found * size, dtype=np.int64)
    end = 0
    for f in range(count):
        if not present[f]:
            continue
        if exchanges[f]:
            for i in range(size):
                if i & factors[f, F_MASK] == factors[f, F_VALUE]:
                    j = i ^ factors[f, F_FLIP]
                    permutation[i], permutation[j] = permutation[j], permutation[i]
            continue
        o = member_of[f]
        if head[o] != f:
            continue
        kind, mask, value, signs = factors[f, F_KIND], factors[f, F_MASK], factors[f, F_VALUE], factors[f, F_SIGNS]
        if diagonal[o] and _is_one_qubit(factors[f]):
            kind, mask, value, signs = DIAGONAL, 0, 0, factors[f, F_TOUCHED]
        operations[o, KIND] = kind
        operations[o, FLIP] = permutation[factors[f, F_FLIP]] ^ permutation[0]
        operations[o, START] = end
        if kind == DENSE:
            width, at = factors[f, F_SIZE], factors[f, F_BITS]
            operations[o, SIZE] = width
            for base in range(size):
                if base & factors[f, F_TOUCHED]:
                    continue
                for local in range(1 << width):
                    i = base
                    for b in range(width):
                        i |= (local >> b & 1) << bits[at + b]
                    rows[end] = permutation[i]
                    end += 1
            operations[o, MIDDLE] = operations[o, STOP] = end
            continue
        # A phase of the whole state is nothing: of a diagonal gate on every state only the odd ones are turned.
        if kind != DIAGONAL or mask:
            for i in range(size):
                if i & mask == value and _parity(i & signs) == 0:
                    rows[end] = permutation[i]
                    end += 1
        operations[o, MIDDLE] = end
        if signs:
            for i in range(size):
                if i & mask == value and _parity(i & signs) == 1:
                    rows[end] = permutation[i]
                    end += 1
        operations[o, STOP] = end
    return operations[:found], order, rows[:end], permutation
