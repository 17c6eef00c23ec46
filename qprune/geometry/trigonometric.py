"""Trigonometric polynomials in several phases: coefficients, control points on cells, limits without a search.

A polynomial of degree d_j in the phase t_j (j = 1 … J) is kept as an array of shape (2d_1+1, …, 2d_J+1, V): one axis
per phase, and V values side by side (1 for an observable, the number of outcomes for a distribution). Along the axis of
a phase stand, from step to step,

- its values on the grid of 2d+1 equispaced phases,
- its coefficients in 1, cos t, sin t, cos 2t, sin 2t, …,
- its control points on an interval [a, b] with half-width h < π/2.

Control points are the coefficients in the 2d+1 functions c_j s^(2d−j) r^j / sin(h)^(2d), s = sin((b−t)/2),
r = sin((t−a)/2), which are non-negative on [a, b] and sum to one: values are convex combinations of control points.

Source: THEORY T9.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import comb, pi

import numpy as np

from qprune._arrays import FloatArray
from qprune._rounding import within_period

WIDEST = 2 * pi / 3
"""Width of the largest cell, below the π at which control points cease to exist: cos(h) ≥ 1/2 keeps them close."""

TOGETHER = 2**21
"""Numbers that are worked on at once where many points are evaluated: 16 MB."""


def grid(degree: int) -> FloatArray:
    """The 2d+1 equispaced phases 2πk/(2d+1), radians."""
    return np.asarray(np.arange(2 * degree + 1) * (2 * pi / (2 * degree + 1)), dtype=float)


def coefficient_matrix(degree: int) -> FloatArray:
    """Takes values on `grid(degree)` to coefficients in 1, cos t, sin t, …, shape (2d+1, 2d+1)."""
    size = 2 * degree + 1
    matrix = 2 * basis(grid(degree), degree).T / size
    matrix[0] /= 2
    return matrix


def basis(phases: FloatArray, degree: int) -> FloatArray:
    """1, cos t, sin t, …, cos dt, sin dt at some phases: shape (…, 2d+1)."""
    values = np.empty((*np.shape(phases), 2 * degree + 1))
    phases = within_period(phases, 2 * pi)
    turns = np.multiply.outer(phases, np.arange(1, degree + 1))
    values[..., 0], values[..., 1::2], values[..., 2::2] = 1, np.cos(turns), np.sin(turns)
    return values


def basis_slopes(phases: FloatArray, degree: int) -> FloatArray:
    """Derivatives of `basis` in the phase, shape (…, 2d+1)."""
    slopes, k = np.zeros((*np.shape(phases), 2 * degree + 1)), np.arange(1, degree + 1)
    turns = np.multiply.outer(within_period(phases, 2 * pi), k)
    slopes[..., 1::2], slopes[..., 2::2] = -k * np.sin(turns), k * np.cos(turns)
    return slopes


def along(matrix: FloatArray, values: FloatArray, axis: int) -> FloatArray:
    """A matrix applied to one axis of an array."""
    return np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)


def coefficients(values: FloatArray) -> FloatArray:
    """Coefficients from the values on the tensor grid; the last axis holds V values side by side.

    Args:
        values: Shape (2d_1+1, …, 2d_J+1, V).

    Source: THEORY T9, step 1.
    """
    for axis, size in enumerate(values.shape[:-1]):
        values = along(coefficient_matrix(size // 2), values, axis)
    return values


def values_at(coefficients: FloatArray, phases: FloatArray) -> FloatArray:
    """The polynomial at P points, shape (P, V).

    Args:
        coefficients: Shape (2d_1+1, …, V).
        phases: Shape (P, J), radians.
    """
    if not phases.shape[1]:
        return np.repeat(coefficients[None], len(phases), axis=0)
    at_once = max(1, TOGETHER * coefficients.shape[0] // coefficients.size)
    pieces = [phases[k : k + at_once] for k in range(0, len(phases), at_once)]
    return np.concatenate([_contracted(coefficients, piece) for piece in pieces])


def _contracted(coefficients: FloatArray, phases: FloatArray) -> FloatArray:
    total = np.tensordot(basis(phases[:, 0], coefficients.shape[0] // 2), coefficients, 1)
    for column in phases.T[1:]:
        factors = basis(column, total.shape[1] // 2)
        total = np.matmul(factors[:, None], total.reshape(*factors.shape, -1)).reshape(len(phases), *total.shape[2:])
    return total


def values_and_slopes(coefficients: FloatArray, phases: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The polynomial at one point, shape (V,), and its derivatives in the phases, shape (J, V)."""
    rows = coefficients.reshape(1, -1)  # the polynomial, then its derivatives in the phases that are done
    for phase, size in zip(phases, coefficients.shape, strict=False):
        degree = size // 2
        slope = basis_slopes(phase, degree) @ rows[0].reshape(size, -1)
        rows = np.concatenate([basis(phase, degree) @ rows.reshape(len(rows), size, -1), slope[None]])
    return rows[0], rows[1:]


# -- control points -----------------------------------------------------------------------------------------------


@lru_cache
def _powers(degree: int, order: int) -> list[list[tuple[float, int]]]:
    """For each j the terms (C(d+k, l) C(d−k, j−l), 2l − k − j) of the j-th control point of exp(ikt), k = order."""
    rows = []
    for j in range(2 * degree + 1):
        terms = [
            (float(comb(degree + order, m) * comb(degree - order, j - m)), 2 * m - order - j)
            for m in range(max(0, j - degree + order), min(degree + order, j) + 1)
        ]
        rows.append(terms)
    return rows


def weights_of(degree: int, half: FloatArray) -> FloatArray:
    """The c_j > 0 that make the functions sum to one, by half-width: shape (K, 2d+1)."""
    return np.stack([sum(f * np.cos(e * half) for f, e in row) for row in _powers(degree, 0)], axis=-1)


def control_matrix(degree: int, low: FloatArray, high: FloatArray) -> FloatArray:
    """Takes coefficients to control points on K intervals [low, high], shape (K, 2d+1, 2d+1).

    With z = exp(ih/2) and τ = (t − m)/2, exp(iτ) = (s/z + rz)/sin h, so that exp(ik(t−m)) is
    (s/z + rz)^(d+k) (sz + r/z)^(d−k)/sin(h)^(2d): its coefficient at s^(2d−j) r^j, over c_j, is the control point. No
    step loses digits, however narrow the interval.

    Args:
        degree: d ≥ 0.
        low: Shape (K,), radians.
        high: Shape (K,), above `low` by less than π.

    Source: THEORY T9, step 2.
    """
    half = (high - low) / 2
    middle = within_period((high + low) / 2, 2 * pi)  # before it is multiplied: k·10^12 has lost its place in the turn
    matrix = np.ones((len(half), 2 * degree + 1, 2 * degree + 1))
    weights = weights_of(degree, half)
    for k in range(1, degree + 1):
        turned = np.stack([sum(f * np.exp(1j * e * half) for f, e in row) for row in _powers(degree, k)], axis=-1)
        turned = turned / weights * np.exp(1j * k * middle)[:, None]
        matrix[:, :, 2 * k - 1], matrix[:, :, 2 * k] = turned.real, turned.imag
    return matrix


def restriction(
    degree: int, low: FloatArray, high: FloatArray, inner_low: FloatArray, inner_high: FloatArray
) -> FloatArray:
    """Takes control points on K intervals to those on intervals inside them, shape (K, 2d+1, 2d+1).

    s = αs' + βr', r = γs' + δr' with α, β, γ, δ ≥ 0, so that all entries are non-negative; each row sums to one.
    Control points of a part are convex combinations of those of the whole: limits only fall, rounding is not magnified.

    Args:
        degree: d ≥ 0.
        low: Shape (K,), radians; the whole.
        high: Shape (K,), above `low` by less than π.
        inner_low: Shape (K,); the part, `low` ≤ `inner_low` < `inner_high` ≤ `high`.
        inner_high: Shape (K,).

    Source: THEORY T9, step 2.
    """
    size = 2 * degree + 1
    half = (high - low) / 2
    a, b = np.sin((high - inner_low) / 2), np.sin((high - inner_high) / 2)
    c, d = np.sin((inner_low - low) / 2), np.sin((inner_high - low) / 2)
    power = [np.stack([x**e for e in range(size)]) for x in (a, b, c, d)]
    matrix = np.zeros((len(half), size, size))
    for j, i in product(range(size), range(size)):  # coefficient of s'^(2d−i) r'^i in s^(2d−j) r^j
        for m in range(max(0, i - size + 1 + j), min(i, j) + 1):
            factor = comb(size - 1 - j, i - m) * comb(j, m)
            matrix[:, i, j] += factor * power[0][size - 1 - j - i + m] * power[1][i - m] * power[2][j - m] * power[3][m]
    matrix *= weights_of(degree, half)[:, None, :]
    return matrix / matrix.sum(axis=2, keepdims=True)


def amplification(sizes: Sequence[int], low: FloatArray, high: FloatArray) -> float:
    """By how much an error of the values can grow in a control point of some cells.

    The product over the axes of the ∞-norm of (coefficients to control points)(values to coefficients). Parts of a cell
    add nothing: their control points are convex combinations.

    Args:
        sizes: 2d+1 of every axis.
        low: Lower ends of the phases' intervals on K cells, shape (K, J).
        high: Upper ends.

    Source: THEORY T9, step 6.
    """
    total = 1.0
    for axis, size in enumerate(sizes):
        ends = np.unique(np.stack([low[:, axis], high[:, axis]]), axis=1)
        matrices = control_matrix(size // 2, *ends) @ coefficient_matrix(size // 2)
        total *= float(np.abs(matrices).sum(axis=2).max(initial=1.0))
    return total


# -- limits without a search --------------------------------------------------------------------------------------


def norm_of(values: FloatArray) -> FloatArray:
    """|D| where V = 1; else half the sum of |D|, the total variation of a distribution that changes by D."""
    return np.abs(values[..., 0]) if values.shape[-1] == 1 else np.abs(values).sum(axis=-1) / 2


def sum_of_amplitudes(values: FloatArray) -> float:
    """Σ_k |c_k| over the coefficients of exp(ik·t): an upper limit of |D| for all phases, without a search.

    An error e of each of N values adds at most √N e: ‖δc‖₂ = ‖δD‖₂/√N, and N terms sum to at most √N times that.

    Args:
        values: On the tensor grid, shape (2d_1+1, …, V).

    Source: THEORY T9, step 8.
    """
    axes = tuple(range(values.ndim - 1))
    size = values[..., 0].size
    each = np.abs(np.fft.fftn(values, axes=axes) if axes else values).reshape(size, -1).sum(axis=0) / size
    return float(each[0] if len(each) == 1 else each.sum() / 2)
