"""The compiled part of the engine, second: the matrix of every operation at given weights, and of every sample."""

from __future__ import annotations

import numpy as np

from qprune.simulators.factors import DENSE, DIAGONAL
from qprune.simulators.lanes import LANES
from qprune.simulators.tape import AT, FIRST, KIND, LAST, MEMBER, MIDDLE, SAMPLED, START, compiled


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
    phase = complex(np.cos(angle * centre), -np.sin(angle * centre)) if centre else 1 + 0j
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
def angle_of(turns, f, weights):
    """The angle of a factor that is the same on all samples."""
    angle = turns.starts[f]
    for k in range(turns.places[f], turns.places[f + 1]):
        angle += turns.slopes[k] * (weights[turns.columns[k]] - turns.origin[turns.columns[k]])
    return turns.scales[f] * angle + turns.shifts[f]


@compiled
def angles(turns, weights):
    """Those of all factors."""
    found = np.empty(len(turns.starts))
    for f in range(len(found)):
        found[f] = angle_of(turns, f, weights)
    return found


@compiled
def shared_members(tape, turns, weights):
    """The matrix of every operation that is the same on all samples, and what derivatives need.

    Returns:
        Eight doubles an operation; and by place in `order`, 2VAV† with V the product of an operation's later factors,
        as the coefficients of Im T00, Im T11, Im (T01 + T10) and Re (T01 − T10); see `_read_pair`.
    """
    operations, order = tape.operations, tape.order
    centres, halves, axes = turns.centres, turns.halves, turns.axes
    members, generators = np.empty(len(operations) * MEMBER), np.empty((len(order), 4))
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
            angle = angle_of(turns, f, weights)
            after = _times(after, _exponential(angle, centres[f], halves[f], axes[f]))
        _write(members, MEMBER * o, 1, after, relative)
    return members, generators


@compiled
def sampled_members(tape, turns, angles, rows_of, out):
    """Fill in the matrices of operations that differ by sample; `angles` has shape (number of such factors, M')."""
    operations, order = tape.operations, tape.order
    centres, halves, axes = turns.centres, turns.halves, turns.axes
    for o in range(len(operations)):
        if not operations[o, SAMPLED] or operations[o, KIND] == DENSE:
            continue
        relative = operations[o, KIND] == DIAGONAL and operations[o, START] == operations[o, MIDDLE]
        for i in range(angles.shape[1]):
            after = (1 + 0j, 0j, 0j, 1 + 0j)
            for place in range(operations[o, LAST] - 1, operations[o, FIRST] - 1, -1):
                f = order[place]
                angle = turns.scales[f] * angles[rows_of[f], i] + turns.shifts[f]
                after = _times(after, _exponential(angle, centres[f], halves[f], axes[f]))
            at = operations[o, AT] + (i // LANES) * MEMBER * LANES + i % LANES
            _write(out, at, LANES, after, relative)
