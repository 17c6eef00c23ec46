"""Ranges of angles that are not linear in the inputs: numbers with both ends, through Python's own operators.

Source: THEORY T9, step 4.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import atan, cos, exp, frexp, inf, isfinite, log, nextafter, sin
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


@dataclass(frozen=True)
class Doubtful:
    """A range with how far a value in it may be off, as double precision works it out."""

    range: Range
    error: float = 0.0

    @classmethod
    def of(cls, given: Any) -> Doubtful:
        return given if isinstance(given, Doubtful) else cls(Range.of(given))

    @property
    def size(self) -> float:
        return max(abs(self.range.low), abs(self.range.high))

    def __add__(self, other: Any) -> Doubtful:
        it = Doubtful.of(other)
        return _rounded(self.range + it.range, self.error + it.error)

    def __neg__(self) -> Doubtful:
        return Doubtful(-self.range, self.error)

    def __sub__(self, other: Any) -> Doubtful:
        return self + -Doubtful.of(other)

    def __rsub__(self, other: Any) -> Doubtful:
        return Doubtful.of(other) - self

    def __mul__(self, other: Any) -> Doubtful:
        it = Doubtful.of(other)
        passed, found = self.size * it.error + it.size * self.error, self.range * it.range
        is_exact = any(each.range.low == each.range.high and frexp(each.size)[0] == 0.5 for each in (self, it))
        return Doubtful(found, passed) if is_exact else _rounded(found, passed)

    def __truediv__(self, other: Any) -> Doubtful:
        it = Doubtful.of(other)
        inverse = 1 / it.range
        return self * Doubtful(inverse, Doubtful(inverse).size ** 2 * it.error)

    def __rtruediv__(self, other: Any) -> Doubtful:
        return Doubtful.of(other) / self

    def __pow__(self, power: Any) -> Doubtful:
        found = Doubtful(self.range**power)
        return _rounded(found.range, abs(power) * found.size / self.size * self.error if self.size else 0.0)

    __radd__, __rmul__ = __add__, __mul__

    def __abs__(self) -> Doubtful:
        return Doubtful(abs(self.range), self.error)


def _rounded(found: Range, error: float) -> Doubtful:
    """After one more operation: half a unit in the last place."""
    return Doubtful(found, error + Doubtful(found).size * 2.0**-53)


def _through(name: str) -> Callable[[Any], Doubtful]:
    """A function whose slope is at most 1, but for exp and log."""

    def apply(given: Any) -> Doubtful:
        it = Doubtful.of(given)
        found = Range.of(FUNCTIONS[name](it.range))
        slope = found.high if name == "exp" else 1 / it.range.low if name == "log" else 1.0
        return _rounded(found, slope * it.error)

    return apply


def doubt_of(text: str, inputs: Mapping[str, Range]) -> float:
    """How far double precision may take an angle from its exact value, on any inputs in their ranges.

    Raises:
        TaskError: As `range_of`.
    """
    functions = {name: _through(name) for name in FUNCTIONS}
    return Doubtful.of(_read(text, {name: Doubtful(found) for name, found in inputs.items()}, functions)).error


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
    return Range.of(_read(text, inputs, FUNCTIONS))


def terms_of(text: str) -> tuple[dict[str, float], float]:
    """An angle as factors of functions that add up, and a constant, as far as its text shows them.

    Raises:
        TaskError: It is no expression.
    """
    try:
        terms, constant = _terms(ast.parse(text, mode="eval").body)
    except (SyntaxError, RecursionError, ZeroDivisionError, OverflowError) as error:
        raise TaskError(f"verify cannot read the angle {text}: {error!r}") from error
    if not all(map(isfinite, (*terms.values(), constant))):
        return {text: 1.0}, 0.0
    return {name: factor for name, factor in terms.items() if factor}, constant


def _terms(node: ast.expr) -> tuple[dict[str, float], float]:
    number = _number(node)
    if number is not None:
        return {}, number
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _times(_terms(node.operand), -1.0)
    if isinstance(node, ast.BinOp):
        kind, right = type(node.op), _number(node.right)
        if kind in (ast.Add, ast.Sub):
            (terms, constant), (others, other) = (
                _terms(node.left),
                _times(_terms(node.right), 1.0 if kind is ast.Add else -1.0),
            )
            return {n: terms.get(n, 0.0) + others.get(n, 0.0) for n in (*terms, *others)}, constant + other
        if kind is ast.Div and right:
            terms, constant = _terms(node.left)
            return {name: factor / right for name, factor in terms.items()}, constant / right
        if kind is ast.Mult:
            first, second = _terms(node.left), _terms(node.right)
            for by, what in ((first, second), (second, first)):
                if not by[0]:
                    return _times(what, by[1])
            if len(first[0]) == len(second[0]) == 1 and first[1] == second[1] == 0:
                ((one, a),), ((two, b),) = first[0].items(), second[0].items()
                return {f"({one}) * ({two})": a * b}, 0.0
    return {ast.unparse(node): 1.0}, 0.0


def _times(found: tuple[dict[str, float], float], number: float) -> tuple[dict[str, float], float]:
    return {name: number * factor for name, factor in found[0].items()}, number * found[1]


def _number(node: ast.AST) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        found = _number(node.operand)
        return None if found is None else -found
    return float(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else None


def _read(text: str, inputs: Mapping[str, Any], functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    try:
        return _value(_parsed(text), inputs, functions)
    except (KeyError, TypeError, ValueError, SyntaxError, OverflowError, RecursionError, ZeroDivisionError) as error:
        raise TaskError(f"verify cannot bound the angle {text}: {error!r}") from error


@lru_cache
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _value(node: ast.AST, inputs: Mapping[str, Any], functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name):
        return inputs[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, inputs, functions)
    if isinstance(node, ast.BinOp):
        return OPERATIONS[type(node.op)](_value(node.left, inputs, functions), _value(node.right, inputs, functions))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords:
        return functions[node.func.id](_value(node.args[0], inputs, functions))
    raise ValueError(f"{ast.unparse(node)} is no sum, product, quotient, power or known function")
