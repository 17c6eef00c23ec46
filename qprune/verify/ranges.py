"""Ranges of angles that are not linear in the inputs: numbers with both ends, through Python's own operators.

Source: THEORY T9, step 4.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import atan, cos, exp, inf, isfinite, log, nextafter, sin
from operator import add, mul, sub, truediv
from typing import Any

from qprune.errors import TaskError


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`; every operation is rounded outwards."""

    low: float
    high: float

    @classmethod
    def of(cls, given: Any) -> Range:
        return given if isinstance(given, Range) else cls(float(given), float(given))

    @classmethod
    def hull(cls, *ends: float) -> Range:
        if not all(map(isfinite, ends)):
            raise TaskError("verify finds an angle that is not finite everywhere in the domain")
        return cls(nextafter(min(ends), -inf), nextafter(max(ends), inf))

    def __add__(self, other: Any) -> Range:
        it = Range.of(other)
        return Range.hull(self.low + it.low, self.high + it.high)

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low)

    def __sub__(self, other: Any) -> Range:
        return self + -Range.of(other)

    def __rsub__(self, other: Any) -> Range:
        return Range.of(other) - self

    def __mul__(self, other: Any) -> Range:
        it = Range.of(other)
        return Range.hull(*(a * b for a in (self.low, self.high) for b in (it.low, it.high)))

    def __truediv__(self, other: Any) -> Range:
        it = Range.of(other)
        if it.low <= 0 <= it.high:
            raise TaskError("verify finds a division by zero among the angles of the domain")
        return self * Range.hull(1 / it.low, 1 / it.high)

    def __rtruediv__(self, other: Any) -> Range:
        return Range.of(other) / self

    def __pow__(self, power: Any) -> Range:
        if power != int(power) or power < 1:
            if power == int(power):
                return 1 / self ** int(-power)
            raise TaskError(f"verify cannot bound the power {power} of an input; write the angle in another form")
        total = self
        for _ in range(int(power) - 1):
            total = total * self
        return total

    __radd__, __rmul__ = __add__, __mul__

    def __abs__(self) -> Range:
        return self if self.low > 0 else Range(0.0 if self.high > 0 else -self.high, max(-self.low, self.high))

    def wave(self, function: Callable[[float], float]) -> Range:
        """A function between −1 and 1 that changes no faster than its argument."""
        middle, half = function((self.low + self.high) / 2), (self.high - self.low) / 2
        found = Range.hull(middle - half - 4e-16, middle + half + 4e-16)
        return Range(max(-1.0, found.low), min(1.0, found.high))

    def rising(self, function: Callable[[float], float]) -> Range:
        """A function that grows."""
        ends = function(self.low), function(self.high)
        return Range.hull(*ends, *(e * (1 + 1e-15) for e in ends), *(e * (1 - 1e-15) for e in ends))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sin": lambda x: Range.of(x).wave(sin),
    "cos": lambda x: Range.of(x).wave(cos),
    "exp": lambda x: Range.of(x).rising(exp),
    "log": lambda x: Range.of(x).rising(log),
    "atan": lambda x: Range.of(x).rising(atan),
    "abs": abs,
}


OPERATIONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.Div: truediv,
    ast.Pow: pow,
}


def range_of(text: str, inputs: Mapping[str, Range]) -> Range:
    """The range of an angle, written as Qiskit writes it, in named inputs.

    Only sums, products, quotients, powers and the functions above are read; nothing else in the text is ever run.

    Raises:
        TaskError: It has anything that is not known here, or no finite range.
    """
    try:
        return Range.of(_value(ast.parse(text, mode="eval").body, inputs))
    except (KeyError, TypeError, ValueError, SyntaxError, OverflowError, RecursionError, ZeroDivisionError) as error:
        raise TaskError(f"verify cannot bound the angle {text}: {error!r}") from error


def _value(node: ast.AST, inputs: Mapping[str, Range]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name):
        return inputs[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, inputs)
    if isinstance(node, ast.BinOp):
        return OPERATIONS[type(node.op)](_value(node.left, inputs), _value(node.right, inputs))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        return FUNCTIONS[node.func.id](_value(node.args[0], inputs))
    raise ValueError(f"{ast.unparse(node)} is no sum, product, quotient, power or known function")
