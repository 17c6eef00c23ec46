"""How far double precision may take a formula from its exact value, over boxes of inputs.

A forward error analysis: each operation passes on the errors of what it works on, and rounds its own result. Ranges of
the intermediate results come from interval arithmetic, so that terms of 10^12 that cancel count as what they are.

Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, SIAM (2002), chapter 3.
"""

from __future__ import annotations

import ast
from math import frexp

import numpy as np

from qprune._arrays import FloatArray
from qprune.geometry.intervals import FUNCTIONS, Formula, NotBounded, number_of, parts_of, range_of

ROUNDING = float(np.finfo(float).eps)
"""Of one operation, relative to its result: twice half a unit in the last place, for operations in another order."""


def largest_error(formula: Formula, low: FloatArray, high: FloatArray) -> float:
    """The most by which the formula's value in double precision may be off, on any input of K boxes of shape (K, n).

    Args:
        formula: In the inputs, which are exact.
        low: Lower corners.
        high: Upper corners.

    Raises:
        NotBounded: Interval arithmetic finds no limits.

    Example:
        >>> largest_error(Formula("x_0 + 1"), np.zeros((1, 1)), np.array([[1e12]])) < 1e-3
        True
    """
    return float(_error(formula.tree, low, high).max(initial=0.0))


def _error(node: ast.expr, low: FloatArray, high: FloatArray) -> FloatArray:
    kind, arguments = parts_of(node)
    none = np.zeros(len(low))
    if kind == "input":
        return none
    size = _size(node, low, high)
    if kind == "number":  # as written, in decimals
        return none if np.all(size == np.round(size)) else ROUNDING * size
    errors = [_error(argument, low, high) for argument in arguments]
    if kind == "neg":
        return errors[0]
    if kind in ("+", "-"):
        return np.asarray(errors[0] + errors[1] + ROUNDING * size)
    if kind == "**":
        return _of_power(arguments[0], number_of(arguments[1]), errors[0], size, low, high)
    if kind in FUNCTIONS:
        return _of_function(kind, arguments[0], errors[0], size, low, high)
    sizes = [_size(argument, low, high) for argument in arguments]
    if kind == "*":
        own = none if any(_is_power_of_two(argument) for argument in arguments) else ROUNDING * size
        return np.asarray(sizes[0] * errors[1] + sizes[1] * errors[0] + errors[0] * errors[1] + own)
    least = _least(arguments[1], low, high) - errors[1]
    if np.any(least <= 0):
        raise NotBounded("a divisor cannot be told from zero")
    own = none if _is_power_of_two(arguments[1]) else ROUNDING * size
    return np.asarray(errors[0] / least + size * errors[1] / least + own)


def _size(node: ast.expr, low: FloatArray, high: FloatArray) -> FloatArray:
    """The largest absolute value."""
    return np.asarray(np.abs(range_of(node, low, high)).max(axis=0))


def _least(node: ast.expr, low: FloatArray, high: FloatArray) -> FloatArray:
    """The least absolute value; 0 where the sign changes."""
    ends = range_of(node, low, high)
    return np.where(ends[0] * ends[1] <= 0, 0.0, np.abs(ends).min(axis=0))


def _of_power(
    base: ast.expr, exponent: float | None, error: FloatArray, size: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    if exponent is None:
        raise NotBounded("a power with an input in its exponent is not bounded by interval arithmetic")
    ends = np.stack([_size(base, low, high) + error, np.maximum(_least(base, low, high) - error, 0.0)])
    with np.errstate(divide="ignore"):
        slope = np.abs(exponent) * (ends ** (exponent - 1)).max(axis=0)
    if not np.all(np.isfinite(slope)):
        raise NotBounded(f"the power {exponent:g} of an input changes too fast in the domain")
    return np.asarray(slope * error + (abs(exponent) + 2) * ROUNDING * size)


def _of_function(
    kind: str, argument: ast.expr, error: FloatArray, size: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    if kind == "abs":
        return error
    largest = _size(argument, low, high) + error
    slope: FloatArray = np.ones(len(low))
    if kind == "exp":
        slope = np.exp(largest)
    elif kind == "tan":
        slope = 1 + (2 * size) ** 2
    elif kind == "log":
        slope = 1 / np.maximum(_least(argument, low, high) - error, np.finfo(float).tiny)
    elif kind in ("asin", "acos"):
        slope = 1 / np.sqrt(np.maximum(1 - largest**2, np.finfo(float).tiny))
    return np.asarray(slope * error + 2 * ROUNDING * size)


def _is_power_of_two(node: ast.expr) -> bool:
    """Whether multiplying by it, or dividing, rounds nothing."""
    number = number_of(node)
    return number is not None and number != 0 and frexp(abs(number))[0] == 0.5
