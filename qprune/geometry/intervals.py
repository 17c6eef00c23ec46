"""Ranges of formulas over boxes, many boxes at once: interval arithmetic with outward rounding.

A formula is text such as "2*(3.14 - x_0)*(3.14 - x_1)" in the inputs x_0, x_1, …: sums, products, powers and a few
functions, in Python's syntax.

Source: R. E. Moore, R. B. Kearfott, M. J. Cloud, Introduction to Interval Analysis, SIAM (2009).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import pi
from typing import TypeAlias

import numpy as np

from qprune._arrays import FloatArray

Interval: TypeAlias = tuple[FloatArray, FloatArray]

OUTWARD = 4 * float(np.finfo(float).eps)
"""Relative amount by which every result is widened: libraries' elementary functions are off by less than two ulps."""

LARGEST_CORNERS = 10
"""Inputs up to which a formula linear in each of them is taken at all corners of a box, which is exact."""

FUNCTIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "abs": np.abs,
}
OPERATIONS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}
DEFINED: Mapping[str, Interval] = {  # where the monotonous ones have values
    "exp": (np.array(-np.inf), np.array(np.inf)),
    "atan": (np.array(-np.inf), np.array(np.inf)),
    "log": (np.array(np.finfo(float).tiny), np.array(np.inf)),
    "asin": (np.array(-1.0), np.array(1.0)),
    "acos": (np.array(-1.0), np.array(1.0)),
}


class NotBounded(ValueError):
    """A formula has no finite range over a box that interval arithmetic finds."""


@dataclass(frozen=True)
class Formula:
    """A real function of the inputs x_0, x_1, …, as text.

    Raises:
        NotBounded: It holds something else than sums, products, powers, known functions and inputs.
    """

    text: str

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and not (node.id in FUNCTIONS or self._is_input(node.id)):
                raise NotBounded(f"{node.id} in an angle is not known")

    @cached_property
    def tree(self) -> ast.expr:
        return ast.parse(self.text, mode="eval").body

    @cached_property
    def inputs(self) -> tuple[int, ...]:
        """Which inputs enter, ascending."""
        names = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)} - set(FUNCTIONS)
        return tuple(sorted(int(name[2:]) for name in names))

    def times(self, factor: float) -> Formula:
        return self if factor == 1 else Formula(f"{factor!r}*({self.text})")

    def at(self, points: FloatArray) -> FloatArray:
        """Values at P points of shape (P, n)."""
        return np.broadcast_to(_value(self.tree, points), len(points)).astype(float)

    def range(self, low: FloatArray, high: FloatArray) -> Interval:
        """Limits over K boxes of shape (K, n): no value lies outside [low, high], each of shape (K,).

        Raises:
            NotBounded: A pole in one of the boxes, or a function whose range is not known.
        """
        is_linear = all(_degree(self.tree, i) <= 1 for i in self.inputs)
        if not is_linear or len(self.inputs) > LARGEST_CORNERS:
            return range_of(self.tree, low, high)
        corners = []
        for ends in product((low, high), repeat=len(self.inputs)):
            corner = low.copy()
            for i, end in zip(self.inputs, ends, strict=True):
                corner[:, i] = end[:, i]
            corners.append(range_of(self.tree, corner, corner))
        return np.min([c[0] for c in corners], axis=0), np.max([c[1] for c in corners], axis=0)

    @cached_property
    def summands(self) -> dict[str, float]:
        """Factors of the texts that add up to it, as far as its own shows them; "1" for a constant."""
        return _summands(self.tree)

    @staticmethod
    def _is_input(name: str) -> bool:
        return name.startswith("x_") and name[2:].isdigit()


def _summands(node: ast.expr) -> dict[str, float]:
    kind, parts = parts_of(node)
    if kind == "number":
        return {"1": float(ast.literal_eval(node))}
    if kind == "neg":
        return {text: -factor for text, factor in _summands(parts[0]).items()}
    if kind in ("+", "-"):
        first, second = map(_summands, parts)
        sign = 1.0 if kind == "+" else -1.0
        return {text: first.get(text, 0.0) + sign * second.get(text, 0.0) for text in (*first, *second)}
    if kind in ("*", "/"):
        first, second = map(_summands, parts)
        if set(second) <= {"1"} and (kind == "*" or second.get("1")):
            by = second.get("1", 0.0) if kind == "*" else 1 / second["1"]
            return {text: factor * by for text, factor in first.items()}
        if kind == "*" and set(first) <= {"1"}:
            return {text: factor * first.get("1", 0.0) for text, factor in second.items()}
        if kind == "*" and len(first) == len(second) == 1:
            ((one, a),), ((two, b),) = first.items(), second.items()
            return {f"({one})*({two})": a * b}
    return {ast.unparse(node): 1.0}


def parts_of(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """What a node does and what with: "+", "-", "*", "/", "**", "neg", a function, "number" or "input"."""
    if isinstance(node, ast.BinOp):
        names = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
        if type(node.op) in names:
            return names[type(node.op)], [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return "neg", [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        return node.func.id, list(node.args)
    if isinstance(node, ast.Constant):
        return "number", []
    if isinstance(node, ast.Name):
        return "input", []
    raise NotBounded(f"{ast.unparse(node)} in an angle is not known")


def number_of(node: ast.expr) -> float | None:
    """The value of a node without inputs."""
    if any(isinstance(n, ast.Name) and n.id not in FUNCTIONS for n in ast.walk(node)):
        return None
    return float(_value(node, np.zeros((1, 0))).reshape(-1)[0])


def _value(node: ast.expr, points: FloatArray) -> FloatArray:
    kind, arguments = parts_of(node)
    if isinstance(node, ast.Constant):
        return np.asarray(float(node.value))  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        return points[:, int(node.id[2:])]
    values = [_value(argument, points) for argument in arguments]
    if kind in FUNCTIONS:
        return FUNCTIONS[kind](values[0])
    if kind == "neg":
        return -values[0]
    return np.asarray(OPERATIONS[kind](*values))


def _degree(node: ast.expr, index: int) -> float:
    """In one input, where the others are fixed; infinite where it is no polynomial."""
    kind, arguments = parts_of(node)
    if isinstance(node, ast.Name):
        return float(node.id == f"x_{index}")
    degrees = [_degree(argument, index) for argument in arguments]
    if not any(degrees):
        return 0
    if kind in ("+", "-", "neg"):
        return max(degrees)
    if kind == "*":
        return sum(degrees)
    if kind == "/" and not degrees[1]:
        return degrees[0]
    power = number_of(arguments[1]) if kind == "**" else None
    return degrees[0] * power if power is not None and power > 0 and power == int(power) else np.inf


# -- intervals --------------------------------------------------------------------------------------------------------


def range_of(node: ast.expr, low: FloatArray, high: FloatArray) -> Interval:
    kind, arguments = parts_of(node)
    if isinstance(node, ast.Name):
        index = int(node.id[2:])
        return low[:, index], high[:, index]
    if isinstance(node, ast.Constant):
        value = np.full(len(low), float(node.value))  # type: ignore[arg-type]
        return value, value
    if kind == "**":
        return _power(range_of(arguments[0], low, high), number_of(arguments[1]))
    first, *others = (range_of(argument, low, high) for argument in arguments)
    if kind == "neg":
        return -first[1], -first[0]
    if kind in FUNCTIONS:
        return _function(kind, first)
    second = others[0]
    if kind == "+":
        return _outward(first[0] + second[0], first[1] + second[1])
    if kind == "-":
        return _outward(first[0] - second[1], first[1] - second[0])
    return _product(first, second if kind == "*" else _power(second, -1.0))


def _outward(low: FloatArray, high: FloatArray) -> Interval:
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
        raise NotBounded("an angle is not finite everywhere in the domain; make the domain smaller")
    return low - OUTWARD * np.abs(low), high + OUTWARD * np.abs(high)


def _product(first: Interval, second: Interval) -> Interval:
    ends = [a * b for a in first for b in second]
    return _outward(np.min(ends, axis=0), np.max(ends, axis=0))


def _power(base: Interval, exponent: float | None) -> Interval:
    low, high = base
    if exponent is None:
        raise NotBounded("a power with an input in its exponent is not bounded by interval arithmetic")
    is_whole, has_zero = exponent == int(exponent), np.any((low <= 0) & (high >= 0))
    if (not is_whole and np.any(low <= 0)) or (exponent < 0 and has_zero):
        raise NotBounded(f"the power {exponent:g} of an input has no value everywhere in the domain")
    ends = np.stack([low**exponent, high**exponent])
    least = ends.min(axis=0)
    if is_whole and exponent % 2 == 0 and exponent > 0:
        least = np.where((low <= 0) & (high >= 0), 0.0, least)
    return _outward(least, ends.max(axis=0))


def _function(kind: str, argument: Interval) -> Interval:
    low, high = argument
    if kind in DEFINED:
        least, most = DEFINED[kind]
        if np.any(low < least) or np.any(high > most):
            raise NotBounded(f"{kind} has no value everywhere in the domain; make the domain smaller")
        ends = np.stack([FUNCTIONS[kind](low), FUNCTIONS[kind](high)])
        return _outward(ends.min(axis=0), ends.max(axis=0))
    if kind == "abs":
        ends = np.stack([np.abs(low), np.abs(high)])
        return np.where((low <= 0) & (high >= 0), 0.0, ends.min(axis=0)), ends.max(axis=0)
    if kind in ("sin", "cos"):
        return _wave(low - pi / 2, high - pi / 2) if kind == "sin" else _wave(low, high)
    if np.any(np.floor(low / pi - 0.5 - OUTWARD) != np.floor(high / pi - 0.5 + OUTWARD)):
        raise NotBounded("tan has a pole in the domain; make the domain smaller")
    return _outward(np.tan(low), np.tan(high))


def _wave(low: FloatArray, high: FloatArray) -> Interval:
    """The range of cos; a turning point that rounding may hide counts as inside."""
    room = OUTWARD * np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
    ends = np.stack([np.cos(low), np.cos(high)])
    least, most = ends.min(axis=0) - room, ends.max(axis=0) + room
    has_top = np.floor((high + room) / (2 * pi)) >= np.ceil((low - room) / (2 * pi))
    has_bottom = np.floor((high + room) / (2 * pi) - 0.5) >= np.ceil((low - room) / (2 * pi) - 0.5)
    return _outward(np.where(has_bottom, -1.0, np.maximum(least, -1)), np.where(has_top, 1.0, np.minimum(most, 1)))
