"""The compiled part of the engine, fourth: every gate on eight samples at a time, in cache from first to last.

States are flat arrays of doubles: for every amplitude eight real parts, then eight imaginary parts, one of each sample.
"""

from __future__ import annotations

from pathlib import Path

from qprune.simulators.factors import DENSE, DIAGONAL
from qprune.simulators.lanes import LANES, aligned, load, splat, store
from qprune.simulators.least_squares import damped_step, gram, power_sum
from qprune.simulators.members import angles, sampled_members, shared_members
from qprune.simulators.signals import another_block, begin, end, next_block
from qprune.simulators.tape import (
    AT,
    F_MATRIX,
    F_SAMPLED,
    FIRST,
    FLIP,
    KIND,
    LAST,
    MEMBER,
    MIDDLE,
    SAMPLED,
    SIZE,
    START,
    STOP,
    Tape,
    Turns,
    assemble,
    compiled,
    forget_older,
)

# What is called from outside: all that is compiled is imported from here.
__all__ = [
    "AT", "FIRST", "F_MATRIX", "F_SAMPLED", "KIND", "LANES", "ROW", "SAMPLED", "Tape", "Turns", "advance", "aligned",
    "angles", "assemble", "damped_step", "gram", "jacobian", "power_sum", "sampled_members", "values",
]  # fmt: skip

ROW = 2 * LANES  # doubles of one amplitude


@compiled
def _number(shared, sampled, at, differs):
    """One of the eight numbers of an operation's matrix, on the samples of a block."""
    return load(sampled, at) if differs else splat(shared[at])


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
    zero, differs, sampled = splat(0.0), operations[o, SAMPLED] == 1, tape.sampled
    at, step = MEMBER * o, 1
    if differs:
        at, step = operations[o, AT] + block * MEMBER * LANES, LANES
    a, b = _number(members, sampled, at, differs), _number(members, sampled, at + step, differs)
    c, d = _number(members, sampled, at + 2 * step, differs), _number(members, sampled, at + 3 * step, differs)
    e, f = _number(members, sampled, at + 4 * step, differs), _number(members, sampled, at + 5 * step, differs)
    g, h = _number(members, sampled, at + 6 * step, differs), _number(members, sampled, at + 7 * step, differs)
    if inverse:
        b, h = zero - b, zero - h
    if kind == DIAGONAL:
        _turn(state, origin, tape.rows, start, middle, a, b)
        _turn(state, origin, tape.rows, middle, stop, g, h)
        return
    if inverse:
        c, d, e, f = e, zero - f, c, zero - d
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
def _read_diagonal(state, origin, rows, first, last):
    """Im Σ conj(λ) φ."""
    total = splat(0.0)
    for k in range(first, last):
        i = rows[k] * ROW
        j = origin + i
        total = total + load(state, j) * load(state, i + LANES) - load(state, j + LANES) * load(state, i)
    return total


@compiled
def _read(tape, o, state, origin, sums):
    """What the derivatives of an operation's factors are made of, from the states after it."""
    operations = tape.operations
    start, middle, stop = operations[o, START], operations[o, MIDDLE], operations[o, STOP]
    for k in range(0, 4 * LANES, LANES):
        store(sums, k, splat(0.0))
    if operations[o, KIND] == DIAGONAL:
        store(sums, 0, _read_diagonal(state, origin, tape.rows, start, middle))
        store(sums, LANES, _read_diagonal(state, origin, tape.rows, middle, stop))
        return
    _read_pair(state, origin, tape.rows, start, middle, operations[o, FLIP], 1.0, sums)
    if stop > middle:
        _read_pair(state, origin, tape.rows, middle, stop, operations[o, FLIP], -1.0, sums)


@compiled
def _forward(tape, members, first, last, block, state, spare):
    for o in range(first, last):
        # Zero and false: literals would make the compiler take `_apply` once more for them.
        _apply(tape, members, o, block, state, 0 * o, o < first, spare)


@compiled
def advance(tape, turns, weights, first, last, states, share):
    """Apply operations first to last − 1 to the states of a share of blocks, shape (blocks, 2^n · ROW)."""
    begin(share)
    members, _ = shared_members(tape, turns, weights)
    spare = aligned(tape.permutation.size * ROW)
    block = next_block(share)
    while block < len(states):
        _forward(tape, members, first, last, block, states[block], spare)
        block = another_block(share)
    end(share)


@compiled
def _start(state, begun, block):
    if block < len(begun):
        _copy(begun[block], state)
    else:
        for i in range(begun.shape[1]):
            state[i] = 0.0
        store(state, 0, splat(1.0))


@compiled
def _copy(source, target):
    # A loop, as the compiler takes seconds for assignments to slices.
    for i in range(len(source)):
        target[i] = source[i]


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
        for i in range(0, size * ROW, LANES):
            store(state, origin + i, splat(0.0))
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
def _put(numbers, at, out, row, block):
    """Those of eight numbers that belong to samples, of which the last block may have fewer."""
    first = block * LANES
    for lane in range(min(LANES, out.shape[1] - first)):
        out[row, first + lane] = numbers[at + lane]


@compiled
def values(tape, turns, weights, first, begun, diagonals, entries, numbers, starts, out, ended, share):
    """⟨O_r⟩ into `out`, shape (R, M), by operations from `first` on; final states into `ended`, if it has rows."""
    begin(share)
    size, count = tape.permutation.size, out.shape[0]
    members, _ = shared_members(tape, turns, weights)
    state = aligned((1 + (0 if len(diagonals) else count)) * size * ROW)
    spare = aligned(size * ROW)
    block = next_block(share)
    while block * LANES < out.shape[1]:
        _start(state, begun, block)
        _forward(tape, members, first, len(tape.operations), block, state, spare)
        if block < len(ended):
            _copy(state[: size * ROW], ended[block])
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
            store(spare, 0, total)
            _put(spare, 0, out, r, block)
        block = another_block(share)
    end(share)


@compiled
def _moves(tape, turns, begins, ends):
    """Whether a weight turns any of an operation's factors."""
    for place in range(begins, ends):
        f = tape.order[place]
        if turns.places[f + 1] > turns.places[f] and turns.scales[f] != 0:
            return True
    return False


@compiled
def jacobian(
    tape, turns, weights, column, first, reached, begun, diagonals, entries, numbers, starts, out, derivative,
    share,
):  # fmt: skip
    """⟨O_r⟩ and their derivatives in the moving weights.

    One forward and one backward sweep: d⟨O⟩/dt = 2 Im⟨λ|A|φ⟩, with φ the state after a gate and λ the image Oψ
    pulled back to the same place.

    Args:
        tape, turns, weights: The circuit, and where.
        column: Of every weight in the derivatives, -1 where it has none.
        first: No weight moves an operation before it.
        reached: Operations before it are in `begun`.
        begun: States to start from, shape (blocks, 2^n · ROW), or no rows.
        diagonals: Observables, shape (R, 2^n), or no rows.
        entries, numbers, starts: Observables that are not diagonal, as entries (row, column) and their values.
        out: Values, shape (R, M).
        derivative: Shape (R, M, F).
        share: Of the blocks.
    """
    begin(share)
    size, count = tape.permutation.size, out.shape[0]
    members, generators = shared_members(tape, turns, weights)
    state = aligned((1 + count) * size * ROW)
    spare, sums = aligned(size * ROW), aligned(4 * LANES)
    moved = derivative.shape[2]
    found = aligned(count * moved * LANES)
    block = next_block(share)
    while block * LANES < out.shape[1]:
        _start(state, begun, block)
        _forward(tape, members, reached, len(tape.operations), block, state, spare)
        _images(state, size, diagonals, entries, numbers, starts)
        for r in range(count):
            store(sums, 0, _overlap(state, size, (1 + r) * size * ROW))
            _put(sums, 0, out, r, block)
        for k in range(count * moved):
            store(found, k * LANES, splat(0.0))
        for o in range(len(tape.operations) - 1, first - 1, -1):
            begins, ends = tape.operations[o, FIRST], tape.operations[o, LAST]
            if _moves(tape, turns, begins, ends):
                for r in range(count):
                    _read(tape, o, state, (1 + r) * size * ROW, sums)
                    for place in range(begins, ends):
                        f = tape.order[place]
                        if turns.scales[f] == 0:
                            continue
                        slope = (
                            splat(generators[place, 0]) * load(sums, 0)
                            + splat(generators[place, 1]) * load(sums, LANES)
                            + splat(generators[place, 2]) * load(sums, 2 * LANES)
                            + splat(generators[place, 3]) * load(sums, 3 * LANES)
                        )
                        for k in range(turns.places[f], turns.places[f + 1]):
                            at = (r * moved + column[turns.columns[k]]) * LANES
                            store(found, at, load(found, at) + splat(turns.scales[f] * turns.slopes[k]) * slope)
            if o > first:
                for s in range(1 + count):
                    _apply(tape, members, o, block, state, s * size * ROW, o > first, spare)
        for r in range(count):
            for lane in range(min(LANES, derivative.shape[1] - block * LANES)):
                for p in range(moved):
                    derivative[r, block * LANES + lane, p] = found[(r * moved + p) * LANES + lane]
        block = another_block(share)
    end(share)


# What is inlined here comes from all of these, of which numba looks at the date of one.
_PARTS = ("factors", "kernels", "lanes", "least_squares", "members", "signals", "tape")
forget_older(Path(values.stats.cache_path), [Path(__file__).with_name(f"{part}.py") for part in _PARTS])
