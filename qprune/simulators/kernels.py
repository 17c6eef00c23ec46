"""The compiled part of the engine: every gate on eight samples at a time, in cache from first to last.

States are flat arrays of doubles: for every amplitude eight real parts, then eight imaginary parts, one of each sample.
A gate that only permutes basis states moves nothing: the index lists of those after it are permuted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from qprune.simulators.factors import DENSE, DIAGONAL, PAIR
from qprune.simulators.lanes import LANES, load, splat, store

ROW = 2 * LANES  # doubles of one amplitude
MEMBER = 8  # doubles of a 2 × 2 matrix
# Columns of the array of operations.
KIND, FLIP, START, MIDDLE, STOP, FIRST, LAST, SAMPLED, AT, SIZE = range(10)
# Columns of the array of factors.
F_KIND, F_TOUCHED, F_FLIP, F_MASK, F_VALUE, F_SIGNS, F_SAMPLED, F_MATRIX, F_SIZE, F_BITS = range(10)

compiled = njit(nogil=True, cache=True, error_model="numpy")


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


# -- from factors to operations ------------------------------------------------------------------------------------


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
    operations = np.zeros((count, SIZE + 1), dtype=np.int64)
    member_of = np.full(count, -1, dtype=np.int64)
    head = np.zeros(count, dtype=np.int64)
    members = np.zeros(count, dtype=np.int64)
    diagonal = np.ones(count, dtype=np.bool_)
    last = np.full(max(num_qubits, 1), -1, dtype=np.int64)
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
    order = np.empty(members.sum(), dtype=np.int64)
    total = 0
    for o in range(found):
        operations[o, FIRST] = operations[o, LAST] = total
        total += members[o]
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
    return operations[:found].copy(), order, rows[:end].copy(), permutation


# -- matrices ------------------------------------------------------------------------------------------------------


@compiled
def _times(a, b):
    """Product of two 2 × 2 matrices (a00, a01, a10, a11)."""
    return (
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    )


@compiled
def _adjoint(a):
    return (a[0].conjugate(), a[2].conjugate(), a[1].conjugate(), a[3].conjugate())


@compiled
def _exponential(angle, centre, half, axis):
    """exp(−i · angle · (centre + half · axis))."""
    cosine, sine = np.cos(angle * half), np.sin(angle * half)
    phase = complex(np.cos(angle * centre), -np.sin(angle * centre))
    along = phase * complex(0.0, -sine)
    one = phase * cosine
    return (one + along * axis[0, 0], along * axis[0, 1], along * axis[1, 0], one + along * axis[1, 1])


@compiled
def _generator(centre, half, axis):
    return (centre + half * axis[0, 0], half * axis[0, 1], half * axis[1, 0], centre + half * axis[1, 1])


@compiled
def _write(out, at, stride, m, relative):
    if relative:  # the phase of even states is taken off both
        m = (1 + 0j, 0j, 0j, m[3] * m[0].conjugate())
    for k in range(4):
        out[at + 2 * k * stride] = m[k].real
        out[at + (2 * k + 1) * stride] = m[k].imag


@compiled
def shared_members(tape, angles, centres, halves, axes, members, generators):
    """Fill in the matrix of every operation that is the same on all samples, and what derivatives need.

    Args:
        tape: The circuit.
        angles: Of the factors.
        centres, halves, axes: Of the factors.
        members: Out: eight doubles an operation.
        generators: Out: by place in `order`, 2VAV† with V the product of an operation's later factors, as the
            coefficients of Im T00, Im T11, Im (T01 + T10) and Re (T01 − T10); see `_read_pair`.
    """
    operations, order = tape.operations, tape.order
    for o in range(len(operations)):
        if operations[o, SAMPLED] or operations[o, KIND] == DENSE:
            continue
        relative = operations[o, KIND] == DIAGONAL and operations[o, START] == operations[o, MIDDLE]
        after = (1 + 0j, 0j, 0j, 1 + 0j)
        for place in range(operations[o, LAST] - 1, operations[o, FIRST] - 1, -1):
            f = order[place]
            moved = _times(_times(after, _generator(centres[f], halves[f], axes[f])), _adjoint(after))
            generators[place, 0] = 0.0 if relative else 2 * moved[0].real
            generators[place, 1] = 2 * (moved[3].real - (moved[0].real if relative else 0.0))
            generators[place, 2] = 2 * moved[1].real
            generators[place, 3] = 2 * moved[1].imag
            after = _times(after, _exponential(angles[f], centres[f], halves[f], axes[f]))
        _write(members, MEMBER * o, 1, after, relative)


@compiled
def sampled_members(tape, angles, rows_of, centres, halves, axes, scales, shifts, out):
    """Fill in the matrices of operations that differ by sample; `angles` has shape (number of such factors, M')."""
    operations, order = tape.operations, tape.order
    for o in range(len(operations)):
        if not operations[o, SAMPLED] or operations[o, KIND] == DENSE:
            continue
        relative = operations[o, KIND] == DIAGONAL and operations[o, START] == operations[o, MIDDLE]
        for i in range(angles.shape[1]):
            after = (1 + 0j, 0j, 0j, 1 + 0j)
            for place in range(operations[o, LAST] - 1, operations[o, FIRST] - 1, -1):
                f = order[place]
                angle = scales[f] * angles[rows_of[f], i] + shifts[f]
                after = _times(after, _exponential(angle, centres[f], halves[f], axes[f]))
            at = operations[o, AT] + (i // LANES) * MEMBER * LANES + i % LANES
            _write(out, at, LANES, after, relative)


# -- sweeps --------------------------------------------------------------------------------------------------------


@compiled
def _coefficient(tape, members, o, block, k):
    """One of the eight numbers of an operation's matrix, on the samples of a block."""
    if tape.operations[o, SAMPLED]:
        return load(tape.sampled, tape.operations[o, AT] + (block * MEMBER + k) * LANES)
    return splat(members[MEMBER * o + k])


@compiled
def _mix(state, origin, rows, first, last, flip, a, b, c, d, e, f, g, h):
    """Multiply pairs of amplitudes by the matrix ((a + ib, c + id), (e + if, g + ih))."""
    for k in range(first, last):
        i = origin + rows[k] * ROW
        j = origin + (rows[k] ^ flip) * ROW
        xr, xi, yr, yi = load(state, i), load(state, i + LANES), load(state, j), load(state, j + LANES)
        store(state, i, a * xr - b * xi + c * yr - d * yi)
        store(state, i + LANES, a * xi + b * xr + c * yi + d * yr)
        store(state, j, e * xr - f * xi + g * yr - h * yi)
        store(state, j + LANES, e * xi + f * xr + g * yi + h * yr)


@compiled
def _turn(state, origin, rows, first, last, a, b):
    """Multiply amplitudes by a + ib."""
    for k in range(first, last):
        i = origin + rows[k] * ROW
        xr, xi = load(state, i), load(state, i + LANES)
        store(state, i, a * xr - b * xi)
        store(state, i + LANES, a * xi + b * xr)


@compiled
def _dense_entry(tape, o, block, entry):
    at = tape.operations[o, AT]
    if tape.operations[o, SAMPLED]:
        at += (block << 2 * tape.operations[o, SIZE]) * ROW + entry * ROW
        return load(tape.sampled, at), load(tape.sampled, at + LANES)
    return splat(tape.dense[at + 2 * entry]), splat(tape.dense[at + 2 * entry + 1])


@compiled
def _multiply(tape, o, block, state, origin, inverse, spare):
    """A dense matrix, or its inverse, on all of its groups of amplitudes."""
    width = 1 << tape.operations[o, SIZE]
    for first in range(tape.operations[o, START], tape.operations[o, STOP], width):
        for row in range(width):
            real, imag = splat(0.0), splat(0.0)
            for column in range(width):
                i = origin + tape.rows[first + column] * ROW
                xr, xi = load(state, i), load(state, i + LANES)
                if inverse:
                    mr, mi = _dense_entry(tape, o, block, column * width + row)
                    mi = splat(0.0) - mi
                else:
                    mr, mi = _dense_entry(tape, o, block, row * width + column)
                real, imag = real + mr * xr - mi * xi, imag + mr * xi + mi * xr
            store(spare, row * ROW, real)
            store(spare, row * ROW + LANES, imag)
        for row in range(width):
            i = origin + tape.rows[first + row] * ROW
            store(state, i, load(spare, row * ROW))
            store(state, i + LANES, load(spare, row * ROW + LANES))


@compiled
def _apply(tape, members, o, block, state, origin, inverse, spare):
    """One operation, or its inverse, on one state of a block."""
    operations = tape.operations
    kind, start, middle, stop = operations[o, KIND], operations[o, START], operations[o, MIDDLE], operations[o, STOP]
    if kind == DENSE:
        _multiply(tape, o, block, state, origin, inverse, spare)
        return
    zero = splat(0.0)
    a, b = _coefficient(tape, members, o, block, 0), _coefficient(tape, members, o, block, 1)
    g, h = _coefficient(tape, members, o, block, 6), _coefficient(tape, members, o, block, 7)
    if inverse:
        b, h = zero - b, zero - h
    if kind == DIAGONAL:
        _turn(state, origin, tape.rows, start, middle, a, b)
        _turn(state, origin, tape.rows, middle, stop, g, h)
        return
    if inverse:
        c, d = _coefficient(tape, members, o, block, 4), zero - _coefficient(tape, members, o, block, 5)
        e, f = _coefficient(tape, members, o, block, 2), zero - _coefficient(tape, members, o, block, 3)
    else:
        c, d = _coefficient(tape, members, o, block, 2), _coefficient(tape, members, o, block, 3)
        e, f = _coefficient(tape, members, o, block, 4), _coefficient(tape, members, o, block, 5)
    flip = operations[o, FLIP]
    _mix(state, origin, tape.rows, start, middle, flip, a, b, c, d, e, f, g, h)
    if stop > middle:
        c, d, e, f = zero - c, zero - d, zero - e, zero - f
        _mix(state, origin, tape.rows, middle, stop, flip, a, b, c, d, e, f, g, h)


@compiled
def _read_pair(state, origin, rows, first, last, flip, sign, sums):
    """Add Im T00, Im T11, sign · Im (T01 + T10) and sign · Re (T01 − T10), where T_ab = Σ conj(λ_a) φ_b."""
    one, two, three, four = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    for k in range(first, last):
        i = rows[k] * ROW
        j = (rows[k] ^ flip) * ROW
        xr, xi, yr, yi = load(state, i), load(state, i + LANES), load(state, j), load(state, j + LANES)
        i += origin
        j += origin
        pr, pi, qr, qi = load(state, i), load(state, i + LANES), load(state, j), load(state, j + LANES)
        one = one + pr * xi - pi * xr
        two = two + qr * yi - qi * yr
        three = three + pr * yi - pi * yr + qr * xi - qi * xr
        four = four + pr * yr + pi * yi - qr * xr - qi * xi
    sign = splat(sign)
    store(sums, 0, load(sums, 0) + one)
    store(sums, LANES, load(sums, LANES) + two)
    store(sums, 2 * LANES, load(sums, 2 * LANES) + sign * three)
    store(sums, 3 * LANES, load(sums, 3 * LANES) + sign * four)


@compiled
def _read_diagonal(state, origin, rows, first, last, sums, at):
    """Im Σ conj(λ) φ."""
    total = splat(0.0)
    for k in range(first, last):
        i = rows[k] * ROW
        j = origin + i
        total = total + load(state, j) * load(state, i + LANES) - load(state, j + LANES) * load(state, i)
    store(sums, at, total)


@compiled
def _read(tape, o, state, origin, sums):
    """What the derivatives of an operation's factors are made of, from the states after it."""
    operations = tape.operations
    start, middle, stop = operations[o, START], operations[o, MIDDLE], operations[o, STOP]
    sums[:] = 0.0
    if operations[o, KIND] == DIAGONAL:
        _read_diagonal(state, origin, tape.rows, start, middle, sums, 0)
        _read_diagonal(state, origin, tape.rows, middle, stop, sums, LANES)
        return
    _read_pair(state, origin, tape.rows, start, middle, operations[o, FLIP], 1.0, sums)
    if stop > middle:
        _read_pair(state, origin, tape.rows, middle, stop, operations[o, FLIP], -1.0, sums)


@compiled
def advance(tape, members, first, last, states, begin, end):
    """Apply operations first to last − 1 to the states of blocks begin to end − 1, shape (blocks, 2^n · ROW)."""
    spare = np.empty(tape.permutation.size * ROW)
    for block in range(begin, end):
        for o in range(first, last):
            _apply(tape, members, o, block, states[block], 0, False, spare)


@compiled
def _start(state, begun, block):
    size = begun.shape[1]
    if block < len(begun):
        state[:size] = begun[block]
    else:
        state[:size] = 0.0
        state[:LANES] = 1.0


@compiled
def _images(state, size, diagonals, entries, numbers, starts):
    """O_r ψ behind ψ; all observables are diagonal, or given by their entries."""
    for r in range(len(diagonals)):
        origin = (1 + r) * size * ROW
        for i in range(size):
            factor = splat(diagonals[r, i])
            store(state, origin + i * ROW, factor * load(state, i * ROW))
            store(state, origin + i * ROW + LANES, factor * load(state, i * ROW + LANES))
    for r in range(len(starts) - 1):
        origin = (1 + r) * size * ROW
        state[origin : origin + size * ROW] = 0.0
        for k in range(starts[r], starts[r + 1]):
            i, j = origin + entries[k, 0] * ROW, entries[k, 1] * ROW
            real, imag = splat(numbers[k].real), splat(numbers[k].imag)
            xr, xi = load(state, j), load(state, j + LANES)
            store(state, i, load(state, i) + real * xr - imag * xi)
            store(state, i + LANES, load(state, i + LANES) + real * xi + imag * xr)


@compiled
def _overlap(state, size, origin):
    """Re ⟨λ|ψ⟩."""
    total = splat(0.0)
    for i in range(0, size * ROW, ROW):
        total = total + load(state, i) * load(state, origin + i)
        total = total + load(state, i + LANES) * load(state, origin + i + LANES)
    return total


@compiled
def values(tape, members, first, begun, diagonals, entries, numbers, starts, out, begin, end):
    """⟨O_r⟩ into `out`, shape (R, blocks · LANES), by operations from `first` on."""
    size, count = tape.permutation.size, out.shape[0]
    state = np.empty((1 + (0 if len(diagonals) else count)) * size * ROW)
    spare = np.empty(size * ROW)
    sums = np.empty(LANES)
    for block in range(begin, end):
        _start(state, begun, block)
        for o in range(first, len(tape.operations)):
            _apply(tape, members, o, block, state, 0, False, spare)
        if not len(diagonals):
            _images(state, size, diagonals, entries, numbers, starts)
        for r in range(count):
            if len(diagonals):
                total = splat(0.0)
                for i in range(size):
                    xr, xi = load(state, i * ROW), load(state, i * ROW + LANES)
                    total = total + splat(diagonals[r, i]) * (xr * xr + xi * xi)
            else:
                total = _overlap(state, size, (1 + r) * size * ROW)
            store(sums, 0, total)
            out[r, block * LANES : (block + 1) * LANES] = sums


@compiled
def jacobian(
    tape, members, generators, first, begun, diagonals, entries, numbers, starts,
    slopes, columns, factors, out, derivative, begin, end,
):  # fmt: skip
    """⟨O_r⟩ and their derivatives in the moving weights.

    One forward and one backward sweep: d⟨O⟩/dt = 2 Im⟨λ|A|φ⟩, with φ the state after a gate and λ the image Oψ
    pulled back to the same place.

    Args:
        tape, members, generators: The circuit at some weights.
        first: Operations before it are in `begun`.
        begun: States to start from, shape (blocks, 2^n · ROW), or no rows.
        diagonals: Observables, shape (R, 2^n), or no rows.
        entries, numbers, starts: Observables that are not diagonal, as entries (row, column) and their values.
        slopes, columns, factors: Of the place p in `tape.order` the derivatives go to columns[slopes[p]:slopes[p + 1]],
            multiplied by the factors.
        out: Values, shape (R, blocks · LANES).
        derivative: Shape (R, M, P).
        begin, end: Blocks.
    """
    size, count = tape.permutation.size, out.shape[0]
    state = np.empty((1 + count) * size * ROW)
    spare, sums = np.empty(size * ROW), np.empty(4 * LANES)
    moved = derivative.shape[2]
    found = np.empty(count * moved * LANES)
    for block in range(begin, end):
        _start(state, begun, block)
        for o in range(first, len(tape.operations)):
            _apply(tape, members, o, block, state, 0, False, spare)
        _images(state, size, diagonals, entries, numbers, starts)
        for r in range(count):
            store(sums, 0, _overlap(state, size, (1 + r) * size * ROW))
            out[r, block * LANES : (block + 1) * LANES] = sums[:LANES]
        found[:] = 0.0
        for o in range(len(tape.operations) - 1, first - 1, -1):
            begins, ends = tape.operations[o, FIRST], tape.operations[o, LAST]
            if slopes[ends] > slopes[begins]:
                for r in range(count):
                    _read(tape, o, state, (1 + r) * size * ROW, sums)
                    for place in range(begins, ends):
                        slope = (
                            splat(generators[place, 0]) * load(sums, 0)
                            + splat(generators[place, 1]) * load(sums, LANES)
                            + splat(generators[place, 2]) * load(sums, 2 * LANES)
                            + splat(generators[place, 3]) * load(sums, 3 * LANES)
                        )
                        for k in range(slopes[place], slopes[place + 1]):
                            at = (r * moved + columns[k]) * LANES
                            store(found, at, load(found, at) + splat(factors[k]) * slope)
            if o > first:
                for s in range(1 + count):
                    _apply(tape, members, o, block, state, s * size * ROW, True, spare)
        for r in range(count):
            for lane in range(min(LANES, derivative.shape[1] - block * LANES)):
                for p in range(moved):
                    derivative[r, block * LANES + lane, p] = found[(r * moved + p) * LANES + lane]
