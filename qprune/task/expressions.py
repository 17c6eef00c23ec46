"""Gate angles as expressions in parameters: their sums, slopes and values.

Qiskit's symbols cannot be taken at their word: before Qiskit 2.5 (w + 1) + (w − 1) is 0, the derivative of
(w + 1)(w − 1) is 0, w equals 0.5 (1 − w), and (a + x) + (b + x) with first a = 1, then b = −1 is 0. So what is made of
an expression is compared with numbers before anything rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitError, ControlledGate, Gate, Instruction, Parameter, ParameterExpression

from qprune._arrays import FloatArray
from qprune._rounding import EPSILON, SUM_ROUNDING
from qprune.errors import TaskError

COMPOSITES = (Instruction, Gate, ControlledGate)  # made of a circuit, not of a class of their own
# Difference up to which two expressions are the same at a probe, relative to the terms' absolute values: some hundred
# roundings. Expressions that round worse are not taken to be the same, which costs a short cut and nothing else.
AGREE = 1e-13


def sum_of(
    first: float | ParameterExpression, second: float | ParameterExpression
) -> float | ParameterExpression | None:
    """The sum of two angles; None where Qiskit's is not theirs."""
    total = first + second
    if not isinstance(total, ParameterExpression) and not isinstance(first, ParameterExpression):
        return total
    return total if _agree(total, [first, second]) else None


def adds_up(total: FloatArray, first: FloatArray, second: FloatArray) -> bool:
    """Whether a sum of angles, worked out in double precision, is that of the two to `SUM_ROUNDING`, however large.

    Args:
        total: What an expression for the sum gives, radians, any shape.
        first: The terms; of the same shape, or a number.
        second: Likewise.
    """
    rounded = first + second
    back = rounded - first
    lost = (first - (rounded - back)) + (second - back)  # first + second = rounded + lost exactly (Knuth's two-sum)
    return bool(np.all(np.abs((total - rounded) - lost) <= SUM_ROUNDING))


def are_equal(first: object, second: object) -> bool:
    """Whether two parameters of gates are the same, as Qiskit has it and as numbers."""
    if isinstance(first, ParameterExpression) or isinstance(second, ParameterExpression):
        return bool(first == second) and _agree(first, [second])
    return bool(np.all(first == second))


def slopes_of(angle: ParameterExpression) -> dict[Parameter, float] | None:
    """The derivative in each parameter if the expression is affine, else None."""
    if isinstance(angle, Parameter):
        return {angle: 1.0}
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
    at_zero = _value(angle, dict.fromkeys(slopes, 0.0))
    for point in _probes([angle]):
        if not _is_close(_value(angle, point), [at_zero, *(slope * point[p] for p, slope in slopes.items())]):
            return None
    return slopes


def _agree(total: object, terms: list[object]) -> bool:
    """Whether the first is the sum of the others at points without meaning."""
    return all(
        _is_close(_value(total, point), [_value(term, point) for term in terms]) for point in _probes([total, *terms])
    )


def _is_close(total: complex, terms: list[complex]) -> bool:
    """Not where any of them is not a number."""
    return abs(total - sum(terms)) <= AGREE * sum(map(abs, terms))


def _probes(angles: Iterable[object]) -> Iterator[dict[Parameter, float]]:
    """Two points between 0 and 1, where roots, logarithms and arcs have values."""
    found = {p for angle in angles if isinstance(angle, ParameterExpression) for p in angle.parameters}
    parameters, rng = sorted(found, key=lambda p: p.name), np.random.default_rng(0)
    for _ in range(2):
        yield dict(zip(parameters, rng.uniform(0.05, 0.95, len(parameters)).tolist(), strict=True))


def _value(angle: object, values: Mapping[Parameter, float]) -> complex:
    """The number at these values, NaN where there is none."""
    if not isinstance(angle, ParameterExpression):
        return complex(angle)  # type: ignore[call-overload]
    try:
        return complex(angle.bind({p: values[p] for p in angle.parameters}).numeric())
    except (ZeroDivisionError, RuntimeError, CircuitError):
        return complex(np.nan)


def bound_in_part(angle: ParameterExpression, known: Mapping[Parameter, float]) -> ParameterExpression | None:
    """The angle with some parameters bound and others left; None where what Qiskit makes of it is another angle."""
    bound = angle.bind(known)
    points = [point | dict(known) for point in _probes([angle])]
    return bound if all(_is_close(_value(bound, point), [_value(angle, point)]) for point in points) else None


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


def values_of(
    angle: float | ParameterExpression,
    weights: Mapping[Parameter, float],
    columns: Mapping[Parameter, int],
    rows: FloatArray,
) -> FloatArray:
    """The value of an angle on each row of inputs, shape (number of rows,); shape () where no input enters.

    Args:
        angle: A number or an expression.
        weights: Values of the parameters that are not inputs.
        columns: The column of each input parameter.
        rows: Inputs, one sample a row.

    Raises:
        TaskError: It has no finite real value on some row.
    """
    if not isinstance(angle, ParameterExpression):
        return np.asarray(float(angle))
    if isinstance(angle, Parameter):  # not every expression has a hash
        return np.asarray(weights[angle]) if angle in weights else rows[:, columns[angle]].copy()
    known = {p: weights[p] for p in angle.parameters if p in weights}
    if len(known) == len(angle.parameters):
        return np.asarray(number_at(angle, known))
    free = [p for p in angle.parameters if p not in known]
    each = rows[:, [columns[p] for p in free]].tolist()

    def number(row: int) -> float:
        return number_at(angle, known | dict(zip(free, each[row], strict=True)))

    bound = bound_in_part(angle, known) if known else angle
    slopes = None if bound is None else slopes_of(bound)
    if bound is not None and slopes is not None and each:  # affine: no loop needed
        values = np.full(len(rows), number_at(bound, dict.fromkeys(slopes, 0.0)))
        largest = np.abs(values)
        # One input after the other: a product of matrices may round by a row's place.
        for p in sorted(slopes, key=lambda p: columns[p]):
            values += (term := slopes[p] * rows[:, columns[p]])
            largest = np.maximum(largest, np.abs(term))
        # Large terms add up to what Qiskit rounds them to, in its own order: that is what a simulator is given.
        worst = int(np.argmax(largest))
        if max(EPSILON * largest[worst], abs(values[worst] - number(worst))) <= SUM_ROUNDING:
            return values
    return np.array([number(row) for row in range(len(rows))])


def with_numbers(circuit: QuantumCircuit, values: Mapping[Parameter, float]) -> QuantumCircuit:
    """A circuit with its parameters bound, each angle at once: Qiskit binds one parameter after the other."""
    bound = QuantumCircuit.from_instructions(
        [item.replace(operation=operation_with_numbers(item.operation, values)) for item in circuit.data],
        qubits=circuit.qubits,
        clbits=circuit.clbits,
        name=circuit.name,
        global_phase=_number(circuit.global_phase, values),
    )
    for register in (*circuit.qregs, *circuit.cregs):
        bound.add_register(register)
    return bound


def operation_with_numbers(operation: Instruction, values: Mapping[Parameter, float]) -> Instruction:
    """An instruction with its parameters bound; one without is returned as it is."""
    if not any(isinstance(p, ParameterExpression) for p in operation.params):
        return operation
    if operation.base_class in COMPOSITES:  # its parameters stand in the definition
        inner = with_numbers(operation.definition, values)
        inner.name = operation.name
        return inner.to_gate() if isinstance(operation, Gate) else inner.to_instruction()
    bound = operation.to_mutable()
    bound.params = [_number(p, values) for p in operation.params]
    if (made := operation._definition) is not None:  # before, from the symbols
        bound.definition = with_numbers(made, values)
    return bound


def _number(angle: Any, values: Mapping[Parameter, float]) -> Any:
    """An angle's value; what is no expression stays."""
    if not isinstance(angle, ParameterExpression):
        return angle
    try:
        known = {p: values[p] for p in angle.parameters}
    except KeyError as error:
        name = error.args[0].name
        raise TaskError(
            f"gate angle {angle} has no value without one of {name}; give the inputs of a sample"
        ) from error
    return known[angle] if isinstance(angle, Parameter) else number_at(angle, known)
