"""Angles of gates: numbers, weights, inputs and expressions of them, each known twice, as Qiskit's and as a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from qiskit.circuit import Parameter, ParameterExpression


def _call(name: str, value: Any) -> Any:
    """A function of one argument, of an expression or a number."""
    if isinstance(value, ParameterExpression):
        return getattr(value, name)()
    return float({"abs": abs, "log": np.log, "arctan": np.arctan}.get(name, getattr(np, name, None))(value))


# c is a number, w and v are weights, x and y inputs
EXACT: Mapping[str, Callable[..., Any]] = {
    "number": lambda c, w, v, x, y: c,
    "weight": lambda c, w, v, x, y: w,
    "input": lambda c, w, v, x, y: x,
    "negated weight": lambda c, w, v, x, y: -w,
    "halved weight": lambda c, w, v, x, y: w / 2,
    "twice the input": lambda c, w, v, x, y: 2 * x,
}
"""What double precision does not round, so that it is true of angles of any size."""

ROUNDED: Mapping[str, Callable[..., Any]] = {
    "difference": lambda c, w, v, x, y: w - v,
    "scaled difference": lambda c, w, v, x, y: v - c * w,
    "shifted": lambda c, w, v, x, y: 2 * w + c,
    "number minus weight": lambda c, w, v, x, y: c - 0.5 * w,
    "scaled input": lambda c, w, v, x, y: x * w,
    "input and weight": lambda c, w, v, x, y: x + v,
    "input minus scaled weight": lambda c, w, v, x, y: x - 1.5 * w,
    "product of inputs": lambda c, w, v, x, y: (pi - x) * (pi - y),
    "square of the input": lambda c, w, v, x, y: x * x,
    "sine of the input": lambda c, w, v, x, y: _call("sin", x),
    "sine of the weight": lambda c, w, v, x, y: c * _call("sin", w),
    "exponential": lambda c, w, v, x, y: _call("exp", w / 8) - 1,
    "arc tangent": lambda c, w, v, x, y: 2 * _call("arctan", x),
    "absolute value": lambda c, w, v, x, y: _call("abs", x - w),
    "product of weights": lambda c, w, v, x, y: (w + 1) * (v - 1),
    "divided input": lambda c, w, v, x, y: x / 3 - w / 7,
}
TEMPLATES = {**EXACT, **ROUNDED}
AGREE = 1e-12  # relative difference of Qiskit's value and ours beyond which the symbols are not what was written


@dataclass(frozen=True)
class Angle:
    """One angle.

    Attributes:
        template: Its form, a name in `TEMPLATES`.
        constant: c.
        names: Names of w, v, x and y.
    """

    template: str
    constant: float
    names: tuple[str, ...]

    def expression(self, symbols: Mapping[str, Parameter]) -> Any:
        """As Qiskit's expression."""
        return TEMPLATES[self.template](self.constant, *(symbols[name] for name in self.names))

    def at(self, values: Mapping[str, float]) -> float:
        """As a number; parameters that the circuit does not have do not matter."""
        return float(TEMPLATES[self.template](self.constant, *(values.get(name, np.nan) for name in self.names)))

    def is_kept_by_qiskit(self, symbols: Mapping[str, Parameter], points: list[dict[str, float]]) -> bool:
        """Whether Qiskit's symbols are what was written: in some versions (w + 1) + (w − 1) is 0."""
        made = self.expression(symbols)
        if not isinstance(made, ParameterExpression):
            return True
        for point in points:
            bound = complex(made.bind({p: point[p.name] for p in made.parameters}).numeric())
            if abs(bound - self.at(point)) > AGREE * (1 + abs(self.at(point))):
                return False
        return True


def draw_number(rng: np.random.Generator, huge: bool) -> float:
    """Near zero, multiples of π/2, near such, generic, tiny; or so large that only a period of it matters."""
    if huge and rng.random() < 0.5:
        return float(rng.choice([-1, 1]) * rng.choice([1.7e9, np.round(10.0 ** rng.uniform(1, 15))]))
    small = rng.uniform(-0.08, 0.08)
    turns = rng.integers(-8, 9) * pi / 2
    tiny = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-12, -2)
    return float(rng.choice([small, small, turns, turns + small, tiny, turns + tiny, rng.uniform(-7, 7)]))


def draw_angle(
    rng: np.random.Generator, weights: tuple[str, ...], inputs: tuple[str, ...], huge: bool, symbolic: bool
) -> Angle:
    """Half of them numbers; a form that rounds only where angles are of ordinary size."""
    names = (*rng.permutation(weights)[:2].tolist(), *rng.permutation(inputs)[:2].tolist())
    share = rng.random()
    if not symbolic or share < 0.35:
        template = "number"
    elif share < 0.75 or huge:
        template = str(rng.choice(list(EXACT)))
    else:
        template = str(rng.choice(list(ROUNDED)))
    return Angle(template, draw_number(rng, huge), tuple(str(name) for name in names))
