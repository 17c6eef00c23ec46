"""Gate angles as expressions in parameters: their slopes and their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qiskit.circuit import CircuitError, Parameter, ParameterExpression

from qprune.errors import TaskError


def slopes_of(angle: ParameterExpression) -> dict[Parameter, float] | None:
    """The derivative in each parameter if the expression is affine, else None."""
    slopes = {}
    for p in sorted(angle.parameters, key=lambda p: p.name):  # a set's order would change sums between runs
        try:
            slope = angle.gradient(p)
        except RuntimeError:  # not differentiable, such as sign(x)
            return None
        if isinstance(slope, ParameterExpression):
            if slope.parameters:
                return None
            slope = slope.numeric()
        slopes[p] = complex(slope).real
    return slopes


def number_at(angle: ParameterExpression, values: Mapping[Parameter, float]) -> float:
    try:
        number = complex(angle.bind(values).numeric() if values else angle.numeric())
    except (ZeroDivisionError, RuntimeError, CircuitError) as error:
        number, cause = complex(np.nan), error
    else:
        cause = None
    if number.imag or not np.isfinite(number.real):
        at = ", ".join(f"{p.name}={v:.6g}" for p, v in values.items())
        raise TaskError(
            f"gate angle {angle} has no finite real value at {at}; mend the input or the expression"
        ) from cause
    return number.real
