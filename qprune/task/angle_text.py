"""Angles as text, such as "x - 2*w": written as Qiskit prints them, read by a parser of our own, compared as functions.

Qiskit's own ways do not keep an angle: up to 2.3 its pickle and its QPY files turn a − 2b into −a + 2b and a/(b + 2)
into (b + 2)/a. What it prints is right; that too is believed only once the text has been read again and has the same
values.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from qiskit.circuit import CircuitError, Parameter, ParameterExpression

from qprune.errors import TaskError

Angle: TypeAlias = float | ParameterExpression

SAME = 1e-12  # relative difference of two expressions at a point that rounding in another order explains
POINTS = ((0.05, 0.95), (-0.95, -0.05), (1.1, 7.3))  # from where probes are drawn: roots and logarithms, signs, turns

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
# As Qiskit prints a function: its method, and what it does to a number.
FUNCTIONS: Mapping[str, tuple[str, Callable[[float], float]]] = {
    "sin": ("sin", math.sin),
    "cos": ("cos", math.cos),
    "tan": ("tan", math.tan),
    "asin": ("arcsin", math.asin),
    "acos": ("arccos", math.acos),
    "atan": ("arctan", math.atan),
    "exp": ("exp", math.exp),
    "log": ("log", math.log),
    "abs": ("abs", abs),
    "sign": ("sign", lambda x: float(np.sign(x))),
    "conj": ("conjugate", float),
}


def text_of(angle: ParameterExpression) -> str:
    """The angle as text that `angle_of` reads.

    Raises:
        TaskError: The text would be read as another angle, such as one with complex coefficients.
    """
    if isinstance(angle, Parameter):
        return angle.name
    text, parameters = str(angle), {p.name: p for p in angle.parameters}
    try:
        read = angle_of(text, parameters)
        lost = set(parameters.values()) - (read.parameters if isinstance(read, ParameterExpression) else set())
        if lost:  # of 0 · w Qiskit prints 0
            text = " + ".join([text, *(f"0*{name}" for name in sorted(p.name for p in lost))])
            read = angle_of(text, parameters)
        same = same_angle(read, angle)
    except ValueError:
        same = False
    if not same:
        raise TaskError(
            f"the angle {text} cannot be stored: read again it would be another one; write it with real numbers, "
            "+, -, *, /, **, sin, cos, tan, their inverses, exp, log, abs, sign, and plain parameter names; "
            "factors below 1e-14 Qiskit takes for 0"
        )
    return text


def angle_of(text: str, parameters: Mapping[str, Parameter]) -> Angle:
    """The angle that a text stands for. Nothing is evaluated but arithmetic and the functions of `FUNCTIONS`.

    Args:
        text: Such as "x[0] - 2*w" or "sin(x)/3".
        parameters: By name; names may be any text, such as "x[0]" or "θ 1".

    Raises:
        ValueError: The text is no such expression or names an unknown parameter.
    """
    if text in parameters:
        return parameters[text]
    names = sorted((name for name in parameters if name and name in text), key=len, reverse=True)
    places = {name: f"_{k}_" for k, name in enumerate(names)}
    named = {place: parameters[name] for name, place in places.items()}
    if names:  # the longer ones first: "a - b" may be a name too
        pattern = "|".join(map(re.escape, names))
        text = re.sub(rf"(?<![\w.])(?:{pattern})(?![\w(])", lambda found: f" {places[found[0]]} ", text)
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, named)
    except (SyntaxError, ArithmeticError, CircuitError, RuntimeError, MemoryError) as error:  # with RecursionError
        raise ValueError(f"{text!r} is not an angle: {error}") from error


def _value(node: ast.expr, parameters: Mapping[str, Parameter]) -> Angle:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in parameters:
            return parameters[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, parameters)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            return OPERATORS[type(sign)](_value(left, parameters), _value(right, parameters))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            method, function = FUNCTIONS[name]
            inner = _value(argument, parameters)
            return getattr(inner, method)() if isinstance(inner, ParameterExpression) else function(inner)
    raise ValueError(f"{ast.unparse(node)!r} is not part of an angle in these parameters")


def same_angle(first: Angle, second: Angle) -> bool:
    """Whether two angles are the same function of the same parameters: at points without meaning, in relative terms."""
    free = [
        sorted((p.name, p) for p in a.parameters) if isinstance(a, ParameterExpression) else [] for a in (first, second)
    ]
    if free[0] != free[1]:
        return False
    rng, parameters = np.random.default_rng(0), [p for _, p in free[0]]
    pairs = []
    for low, high in POINTS:
        point = dict(zip(parameters, rng.uniform(low, high, len(parameters)).tolist(), strict=True))
        pairs.append((_at(first, point), _at(second, point)))
    return any(np.isfinite(a) for a, _ in pairs) and all(_are_close(a, b) for a, b in pairs)


def _are_close(first: complex, second: complex) -> bool:
    if np.isnan(first) or np.isnan(second):  # neither has a value there
        return bool(np.isnan(first) and np.isnan(second))
    return first == second or abs(first - second) <= SAME * max(abs(first), abs(second))


def _at(angle: Angle, point: Mapping[Parameter, float]) -> complex:
    try:
        return complex(angle.bind(point).numeric() if isinstance(angle, ParameterExpression) else angle)
    except (ZeroDivisionError, RuntimeError, CircuitError):
        return complex(np.nan)
