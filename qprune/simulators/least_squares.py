"""The compiled part of the engine, last: the steps of a fit, whose systems are so small that a library's calls cost
more than what they do.

Sums have one order, whatever the number of threads.
"""

from __future__ import annotations

import numpy as np

from qprune.simulators.lanes import LANES, aligned, load, splat, store
from qprune.simulators.tape import compiled

LEAST = 1e-300  # keeps a matrix of zeros invertible: everything here is relative to the largest residual


@compiled
def gram(residual, matrix, units, power):
    """All products that a step towards the least Σ|r|^p takes, with the largest residual as the unit of residuals.

    Args:
        residual: r, shape (K,).
        matrix: Its derivatives in the weights, shape (K, F).
        units: What each weight is counted in, shape (F,).
        power: p, even.

    Returns:
        The largest |r|, Σ r², and ZᵀZ above its diagonal, shape (columns, columns), for the rows Z_k = |r_k|^(p/2−1)
        (units · dr_k/dw, r_k): Jᵀ diag(|r|^(p−2)) J, the slope in its column F, and Σ|r|^p in its corner.
    """
    count, width = matrix.shape
    largest, square = 0.0, 0.0
    for k in range(count):
        largest = max(largest, abs(residual[k]))
        square += residual[k] * residual[k]
    unit = largest if largest > 0 else 1.0
    columns = (width // LANES + 1) * LANES
    rows, found = aligned(count * columns).reshape(count, columns), np.zeros((columns, columns))
    for k in range(count):
        for i in range(width + 1, columns):
            rows[k, i] = 0.0
    for k in range(count):
        relative = residual[k] / unit
        root = abs(relative) ** (power // 2 - 1)
        for i in range(width):
            rows[k, i] = root / unit * units[i] * matrix[k, i]
        rows[k, width] = root * relative
    for i in range(0, width + 1, 4):  # four sums in registers at a time
        for j in range(i // LANES * LANES, columns, LANES):
            one, two, three, four = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            for k in range(count):
                others = load(rows, k * columns + j)
                one = one + splat(rows[k, i]) * others
                two = two + splat(rows[k, i + 1]) * others
                three = three + splat(rows[k, i + 2]) * others
                four = four + splat(rows[k, i + 3]) * others
            store(found, i * columns + j, one)
            store(found, (i + 1) * columns + j, two)
            store(found, (i + 2) * columns + j, three)
            store(found, (i + 3) * columns + j, four)
    return largest, square, found


@compiled
def damped_step(products, power, damping, floor, step):
    """The step of Levenberg-Marquardt: z with ((p − 1) H + D) z = g, D = damping · (p − 1)(diag H + floor · its mean).

    By Cholesky's factors of H with the slope g as one more column, which turns that into the first of both solutions.

    Args:
        products: As `gram` returns them.
        power: p.
        damping, floor: As above.
        step: Out: z, shape (F,).

    Returns:
        By how much the quadratic model lowers Σ|r|^p, not counting what damping adds to it, and the largest |z|; NaN
        both, and so the step, where rounding leaves no positive definite matrix.
    """
    width, columns = len(step), products.shape[1]
    mean = 0.0
    for k in range(width):
        mean += products[k, k] / width
    factors = aligned(columns * columns).reshape(columns, columns)
    for i in range(columns):
        for j in range(columns):
            factors[i, j] = products[i, j]
    for k in range(width):
        factors[k, k] += damping * (products[k, k] + floor * max(mean, LEAST)) + LEAST
    for k in range(width):
        if not factors[k, k] > 0:
            step[:] = np.nan
            return np.nan, np.nan
        inverse = splat(1 / np.sqrt(factors[k, k]))
        for j in range(k // LANES * LANES, columns, LANES):
            store(factors, k * columns + j, inverse * load(factors, k * columns + j))
        for i in range(k + 1, width):
            share = splat(factors[k, i])
            for j in range(i // LANES * LANES, columns, LANES):
                at = i * columns + j
                store(factors, at, load(factors, at) - share * load(factors, k * columns + j))
    promised = 0.0
    for k in range(width - 1, -1, -1):
        value = factors[k, width]
        for j in range(k + 1, width):
            value -= factors[k, j] * step[j]
        step[k] = value / factors[k, k]
        added = damping * (products[k, k] + floor * max(mean, LEAST)) + LEAST
        promised += step[k] * (products[k, width] + added * step[k])
    longest = 0.0
    for k in range(width):
        step[k] /= power - 1
        longest = max(longest, abs(step[k]))
    return power / (power - 1) * promised / 2, longest


@compiled
def power_sum(residual, unit, power):
    """Σ |r / unit|^p for an even p, and Σ r²."""
    total, square = 0.0, 0.0
    for k in range(len(residual)):
        total += (residual[k] / unit) ** power
        square += residual[k] * residual[k]
    return total, square
