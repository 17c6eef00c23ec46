"""Ranges of expressions over boxes, many boxes at once: interval arithmetic with outward rounding.

Source: R. E. Moore, R. B. Kearfott, M. J. Cloud, Introduction to Interval Analysis, SIAM (2009).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from math import pi
from typing import TypeAlias

import numpy as np
import sympy as sp

from qprune._arrays import FloatArray

Interval: TypeAlias = tuple[FloatArray, FloatArray]

OUTWARD = 4 * float(np.finfo(float).eps)
"""Relative amount by which every result is widened: libraries' elementary functions are off by less than two ulps."""

LARGEST_CORNERS = 10
"""Inputs up to which a multilinear expression is taken at all corners of a box, which is exact."""

_RISING: Mapping[type, Callable[[FloatArray], FloatArray]] = {sp.exp: np.exp, sp.atan: np.arctan}
_RISING_WITHIN: Mapping[type, tuple[Callable[[FloatArray], FloatArray], float, float]] = {
    sp.log: (np.log, 0.0, np.inf),
    sp.asin: (np.arcsin, -1.0, 1.0),
}


class NotBounded(ValueError):
    """An expression has no finite range over a box that interval arithmetic finds."""


def range_of(expression: sp.Expr, boxes: Mapping[sp.Symbol, Interval]) -> Interval:
    """Limits of an expression over K boxes: it takes no value outside [low, high], each of shape (K,).

    Args:
        expression: Sums, products, whole powers, exp, log, sin, cos, tan, asin, acos, atan and Abs of the symbols.
        boxes: The interval of every symbol.

    Raises:
        NotBounded: Another function, or a pole in one of the boxes.
    """
    symbols = sorted(expression.free_symbols, key=str)
    if 0 < len(symbols) <= LARGEST_CORNERS and _is_multilinear(expression, symbols):
        corners = [
            _range(expression, {s: (boxes[s][end],) * 2 for s, end in zip(symbols, ends, strict=True)})
            for ends in product((0, 1), repeat=len(symbols))
        ]
        return np.min([low for low, _ in corners], axis=0), np.max([high for _, high in corners], axis=0)
    return _range(expression, boxes)


def _is_multilinear(expression: sp.Expr, symbols: list[sp.Symbol]) -> bool:
    if not expression.is_polynomial(*symbols):
        return False
    return all(max(powers) <= 1 for powers in sp.Poly(expression, *symbols).monoms())


def _range(expression: sp.Expr, boxes: Mapping[sp.Symbol, Interval]) -> Interval:
    if isinstance(expression, sp.Symbol):
        return boxes[expression]
    if not expression.free_symbols:
        value = np.full(len(next(iter(boxes.values()))[0]), float(expression))
        return _outward(value, value)
    parts = [_range(part, boxes) for part in expression.args]
    if isinstance(expression, sp.Add):
        low, high = parts[0]
        for other in parts[1:]:
            low, high = _outward(low + other[0], high + other[1])
        return low, high
    if isinstance(expression, sp.Mul):
        total = parts[0]
        for other in parts[1:]:
            total = _product(total, other)
        return total
    if isinstance(expression, sp.Pow):
        return _power(parts[0], expression.exp)
    return _function(expression, parts[0])


def _outward(low: FloatArray, high: FloatArray) -> Interval:
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
        raise NotBounded("an angle is not finite everywhere in the domain; make the domain smaller")
    return low - OUTWARD * np.abs(low), high + OUTWARD * np.abs(high)


def _product(first: Interval, second: Interval) -> Interval:
    ends = [a * b for a in first for b in second]
    return _outward(np.min(ends, axis=0), np.max(ends, axis=0))


def _power(base: Interval, exponent: sp.Expr) -> Interval:
    low, high = base
    if exponent.is_Integer and int(exponent) > 0:
        ends = np.stack([low ** int(exponent), high ** int(exponent)])
        least = ends.min(axis=0)
        if int(exponent) % 2 == 0:
            least = np.where((low <= 0) & (high >= 0), 0.0, least)
        return _outward(least, ends.max(axis=0))
    if exponent.is_Integer and not np.any((low <= 0) & (high >= 0)):
        high_power, low_power = _power(base, -exponent)[::-1]
        ends = np.stack([1 / high_power, 1 / low_power])
        return _outward(ends.min(axis=0), ends.max(axis=0))
    if exponent.is_number and exponent.is_real and np.all(low > 0):
        ends = np.stack([low ** float(exponent), high ** float(exponent)])
        return _outward(ends.min(axis=0), ends.max(axis=0))
    raise NotBounded(f"the power {exponent} of an input is not bounded over the domain by interval arithmetic")


def _function(expression: sp.Expr, argument: Interval) -> Interval:
    (low, high), kind = argument, expression.func
    if kind in _RISING:
        return _outward(_RISING[kind](low), _RISING[kind](high))
    if kind in _RISING_WITHIN:
        rising, least, most = _RISING_WITHIN[kind]
        if np.any(low < least) or np.any(high > most):
            raise NotBounded(f"{kind.__name__} has no value everywhere in the domain; make the domain smaller")
        return _outward(rising(low), rising(high))
    if kind is sp.acos:
        low, high = _function(sp.asin(expression.args[0]), argument)
        return _outward(pi / 2 - high, pi / 2 - low)
    if kind is sp.Abs:
        ends = np.stack([np.abs(low), np.abs(high)])
        return _outward(np.where((low <= 0) & (high >= 0), 0.0, ends.min(axis=0)), ends.max(axis=0))
    if kind in (sp.sin, sp.cos):
        return _wave(low - pi / 2, high - pi / 2) if kind is sp.sin else _wave(low, high)
    if kind is sp.tan and not np.any(np.floor(low / pi - 0.5) != np.floor(high / pi - 0.5)):
        return _outward(np.tan(low), np.tan(high))
    raise NotBounded(f"{kind.__name__} of an input is not bounded over the domain by interval arithmetic")


def _wave(low: FloatArray, high: FloatArray) -> Interval:
    """The range of cos; a turning point that rounding may hide counts as inside."""
    room = OUTWARD * np.maximum(np.abs(low), np.abs(high))
    ends = np.stack([np.cos(low), np.cos(high)])
    least, most = ends.min(axis=0) - room, ends.max(axis=0) + room
    has_top = np.floor((high + room) / (2 * pi)) >= np.ceil((low - room) / (2 * pi))
    has_bottom = np.floor((high + room) / (2 * pi) - 0.5) >= np.ceil((low - room) / (2 * pi) - 0.5)
    return _outward(np.where(has_bottom, -1.0, np.maximum(least, -1)), np.where(has_top, 1.0, np.minimum(most, 1)))
