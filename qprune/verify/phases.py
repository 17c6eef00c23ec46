"""How inputs enter two circuits, read anew for verification: phases and frequencies.

A gate's frequencies come from its matrices at equispaced angles, not from a catalogue; ranges of phases that are not
linear from `ranges`, light cones and states from the code below. Nothing is shared with what made the claim, beyond the
task.

Source: THEORY T9.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from math import atan2, cos, gcd, lcm, pi, prod, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter, ParameterExpression

from qprune._arrays import FloatArray
from qprune.errors import TaskError
from qprune.task.expressions import bound_in_part, number_at, slopes_of
from qprune.task.task import Task
from qprune.verify.ranges import Range, doubt_of, range_of, terms_of
from qprune.verify.states import indices

ANGLES = 64  # at which a gate's matrix is looked at, over two turns: frequencies up to 15 in halves
LARGEST_PART = 32  # denominator of a ratio of two functions, and frequency of one gate, in a unit that they share
MOST_RUNS = 2**20
MORE_RUNS = 2  # times as many are worth it for fewer phases
ROUNDED = 2.0**-52  # twice what a product or a sum is off by
LIBRARY = "qiskit.circuit.library"
DIGITS = 1e-14  # relative difference of two factors that rounding explains


@dataclass(frozen=True)
class Turn:
    """A phase: a function of the inputs, and the unit in which every frequency is whole.

    Attributes:
        terms: Factors of what the function is a sum of: inputs x_0, x_1, … and texts in them.
        inputs: How many inputs there are.
        unit: The phase is unit times the function.
    """

    terms: Mapping[str, float]
    inputs: int
    unit: float = 1.0

    def intervals(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Limits over C boxes with corners (C, inputs), shape (C, 2)."""
        found, size = np.zeros((len(low), 2)), np.zeros(len(low))
        for name, factor in self.terms.items():
            ends = self.unit * factor * self._range(name, low, high)
            found += np.stack([ends.min(axis=1), ends.max(axis=1)], axis=1)
            size += np.abs(ends).max(axis=1)
        room = ROUNDED * (1 + len(self.terms)) * size
        return found + np.stack([-room, room], axis=1)

    def _range(self, name: str, low: FloatArray, high: FloatArray) -> FloatArray:
        """Of one term over C boxes, shape (C, 2): an input, or a text in them."""
        if name in self.names:
            i = self.names.index(name)
            return np.stack([low[:, i], high[:, i]], axis=1)
        found = []
        for cell in zip(low.tolist(), high.tolist(), strict=True):
            ends = range_of(name, dict(zip(self.names, map(Range, *cell), strict=True)))
            found.append((ends.low, ends.high))
        return np.array(found)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the inputs."""
        return tuple(f"x_{i}" for i in range(self.inputs))

    @cached_property
    def uses(self) -> NDArray[np.bool_]:
        """Which inputs enter."""
        names = [{node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)} for text in self.terms]
        return np.array([any(f"x_{i}" in each for each in names) for i in range(self.inputs)], dtype=bool)

    def alone(self, i: int) -> float | None:
        """The factor of input i where the function is a multiple of it."""
        return self.terms.get(f"x_{i}") if len(self.terms) == 1 else None

    def vector(self, names: Sequence[str]) -> FloatArray:
        return np.array([self.terms.get(name, 0.0) for name in names])

    def ratio(self, other: Turn) -> float | None:
        """c where this function is c times another, to rounding."""
        if set(self.terms) != set(other.terms):
            return None
        mine, its = self.vector(tuple(self.terms)), other.vector(tuple(self.terms))
        ratio = float(mine @ its / (its @ its))
        return ratio if ratio and np.abs(mine - ratio * its).max() <= DIGITS * np.abs(mine).max() else None


@dataclass(frozen=True)
class Angle:
    """A parameter of a gate that inputs move.

    Attributes:
        parts: Phases and their factors, in fractions of the functions until the phases' units are known; the angle is
            their sum and the constant.
        constant: Radians.
        frequency: Highest of the gate's action as the parameter turns.
        doubt: How far rounding may take the angle on a box of inputs, from its corners.
    """

    parts: tuple[tuple[int, float | Fraction], ...]
    constant: float
    frequency: float
    doubt: Callable[[FloatArray, FloatArray], float]

    def at(self, phases: Mapping[int, float]) -> float:
        return sum(float(factor) * phases[j] for j, factor in self.parts) + self.constant


@dataclass(frozen=True)
class Placed:
    """An elementary gate, its qubits, and each parameter: a number, or what inputs make of it."""

    operation: Instruction
    qubits: tuple[int, ...]
    params: tuple[Any, ...]

    @property
    def angles(self) -> list[Angle]:
        """The parameters that inputs move."""
        return [p for p in self.params if isinstance(p, Angle)]


@dataclass(frozen=True)
class Found:
    """Two circuits in terms of phases.

    Attributes:
        turns: The phases.
        circuits: Their gates.
    """

    turns: tuple[Turn, ...]
    circuits: tuple[tuple[Placed, ...], tuple[Placed, ...]]

    def seen_from(self, support: tuple[int, ...]) -> Found:
        """Without the gates that an output on some qubits does not see, last gates first."""
        return Found(self.turns, (_seen(self.circuits[0], support), _seen(self.circuits[1], support)))

    @property
    def degrees(self) -> tuple[int, ...]:
        """Highest frequency of every phase in the outputs, over both circuits."""
        sums = np.zeros((2, len(self.turns)))
        for c, gates in enumerate(self.circuits):
            for angle in (a for gate in gates for a in gate.angles):
                for j, factor in angle.parts:
                    sums[c, j] += abs(float(factor)) * angle.frequency
        return tuple(round(d) for d in sums.max(axis=0, initial=0))

    @property
    def runs(self) -> int:
        """Values of the phases that tell an output's change everywhere."""
        return prod(2 * d + 1 for d in self.degrees)

    def doubt(self, low: FloatArray, high: FloatArray) -> float:
        """How far rounded angles may turn the state on a box of inputs, times the frequencies they have, both circuits:
        an output moves by at most that times its observable's weight."""
        angles = (a for gates in self.circuits for gate in gates for a in gate.angles)
        return sum(a.frequency * a.doubt(low, high) for a in angles)


def _seen(gates: tuple[Placed, ...], support: tuple[int, ...]) -> tuple[Placed, ...]:
    inside, kept = set(support), []
    for gate in reversed(gates):
        if not inside.isdisjoint(gate.qubits):
            inside.update(gate.qubits)
            kept.append(gate)
    return tuple(reversed(kept))


@dataclass
class Form:
    """A function of the inputs whose multiples turn gates, and their frequency steps as ratios to that of the first."""

    turn: Turn
    step: Fraction
    fractions: list[Fraction]

    @property
    def unit(self) -> Fraction:
        """The multiple of the function in which all frequencies are whole."""
        bottom = lcm(*(f.denominator for f in self.fractions))
        return self.step * gcd(*(abs(int(f * bottom)) for f in self.fractions)) / bottom

    def multiple(self, ratio: float, step: Fraction) -> Fraction | None:
        """A ratio to the function as a fraction, where one with a small denominator is it to rounding."""
        exact = ratio * float(step / self.step)
        fraction = Fraction(exact).limit_denominator(LARGEST_PART)
        is_near = fraction != 0 and abs(float(fraction) - exact) <= DIGITS * abs(exact)
        wider = replace(self, fractions=[*self.fractions, fraction])
        fits = is_near and max(map(abs, wider.fractions)) * self.step <= LARGEST_PART * wider.unit
        return fraction * self.step / step if fits else None


def read(original: Task, pruned: Task) -> Found:
    """Find the phases of two circuits on the same inputs.

    An angle that is a sum of others, as x + y is of x and y, is no phase of its own, unless that takes far more runs.

    Raises:
        TaskError: A gate depends on its parameter in a way that is not known.
    """
    found, apart = (_read(original, pruned, sums=sums) for sums in (True, False))
    return found if found.runs <= MORE_RUNS * apart.runs else apart


def _read(original: Task, pruned: Task, *, sums: bool) -> Found:
    forms: list[Form] = []
    circuits = []
    for task in (original, pruned):
        gates = []
        for operation, qubits in elementary(task.circuit, tuple(range(task.num_qubits)), task):
            params = tuple(_angle(task, operation, k, forms, sums) for k in range(len(operation.params)))
            gates.append(Placed(operation, qubits, params))
        circuits.append(gates)
    units = [form.unit for form in forms]
    turns = tuple(replace(form.turn, unit=float(unit)) for unit, form in zip(units, forms, strict=True))
    first, second = (tuple(_in_units(gate, units) for gate in gates) for gates in circuits)
    return Found(turns, (first, second))


def _angle(task: Task, operation: Instruction, k: int, forms: list[Form], sums: bool) -> Any:
    """A parameter of a gate: a number, or what inputs make of it, in multiples of the forms."""
    parameter = operation.params[k]
    if not isinstance(parameter, ParameterExpression):
        return parameter
    if not task.has_inputs(parameter):
        return float(task.values(parameter))
    turn, constant = _form(task, parameter)
    step, highest = _frequencies(operation.base_class, k, len(operation.params))
    parts = _place(forms, turn, Fraction(step), sums)
    evaluated, apart = _doubt(task, parameter), _gap(turn, [(forms[j].turn, factor) for j, factor in parts])
    return Angle(
        tuple(parts),
        2 * atan2(sin(constant / 2), cos(constant / 2)),
        highest,
        lambda low, high: evaluated(low, high) + apart(low, high),
    )


def _gap(turn: Turn, parts: list[tuple[Turn, Fraction]]) -> Callable[[FloatArray, FloatArray], float]:
    """How far a function is from the sum of others that stands for it, on a box of inputs, from its corners."""
    rests = {}
    for name in dict.fromkeys([*turn.terms, *(name for other, _ in parts for name in other.terms)]):
        made = sum((factor * Fraction(other.terms.get(name, 0.0)) for other, factor in parts), Fraction(0))
        rests[name] = float(abs(Fraction(turn.terms.get(name, 0.0)) - made))

    def gap(low: FloatArray, high: FloatArray) -> float:
        alone = ((rest, Turn({name: 1.0}, turn.inputs)) for name, rest in rests.items() if rest)
        return sum(rest * float(np.abs(each.intervals(low[None], high[None])).max()) for rest, each in alone)

    return gap


def _doubt(task: Task, parameter: ParameterExpression) -> Callable[[FloatArray, FloatArray], float]:
    """How far rounding may take an angle on a box of inputs, as a function of its corners."""
    if isinstance(parameter, Parameter):
        return lambda low, high: 0.0
    names = {p: Parameter(f"x_{i}") for i, p in enumerate((*task.input_params, *task.weight_params))}
    text, weights = str(parameter.subs({p: names[p] for p in parameter.parameters})), task.weights.tolist()

    def doubt(low: FloatArray, high: FloatArray) -> float:
        ends = zip([*low.tolist(), *weights], [*high.tolist(), *weights], strict=True)
        return doubt_of(text, {f"x_{i}": Range(a, b) for i, (a, b) in enumerate(ends)})

    return doubt


def _in_units(gate: Placed, units: list[Fraction]) -> Placed:
    def scaled(angle: Angle) -> Angle:
        return replace(angle, parts=tuple((j, float(factor / units[j])) for j, factor in angle.parts))

    return replace(gate, params=tuple(scaled(p) if isinstance(p, Angle) else p for p in gate.params))


def elementary(circuit: QuantumCircuit, qubits: tuple[int, ...], task: Task) -> Any:
    """Gates with their qubits.

    Through its definition goes a gate with inputs that is no library gate of few qubits, and any without a matrix, such
    as those that an OpenQASM file defines itself.
    """
    for item in circuit.data:
        here = tuple(qubits[q] for q in indices(circuit, item))
        operation = item.operation
        has_inputs = any(isinstance(p, ParameterExpression) and task.has_inputs(p) for p in operation.params)
        if operation.name == "barrier":
            continue
        is_known = hasattr(operation, "__array__") and operation.base_class.__module__.startswith(LIBRARY)
        is_dense = hasattr(operation, "__array__") or operation.definition is None
        if (is_dense and not has_inputs) or (is_known and not _is_special(operation)):
            yield operation, here
        elif operation.definition is None:
            raise TaskError(
                f"verify cannot tell how gate {operation.name} depends on its inputs; write it in rotations"
            )
        else:
            yield from elementary(operation.definition, here, task)


def _is_special(operation: Instruction) -> bool:
    """Gates that are taken apart: those of several parameters, but for u, whose every parameter turns by itself."""
    return len(operation.params) > 1 and operation.name != "u"


def _form(task: Task, parameter: ParameterExpression) -> tuple[Turn, float]:
    """An angle as a function of the inputs, and the constant beside it."""
    weights = dict(zip(task.weight_params, task.weights.tolist(), strict=True))
    known = {p: weights[p] for p in parameter.parameters if p in weights}
    bound = bound_in_part(parameter, known) if known else parameter
    if bound is None:
        raise TaskError(f"verify cannot bind the weights of the angle {parameter}; write it in a simpler form")
    slopes = slopes_of(bound)
    if slopes is not None:
        terms = {f"x_{i}": float(slopes[p]) for i, p in enumerate(task.input_params) if slopes.get(p)}
        return Turn(terms, len(task.input_params)), number_at(bound, dict.fromkeys(slopes, 0.0))
    names = {p: Parameter(f"x_{i}") for i, p in enumerate(task.input_params) if p in bound.parameters}
    terms, constant = terms_of(str(bound.subs(names)))
    return Turn(terms, len(task.input_params)), constant


@cache
def _frequencies(gate: Any, index: int, count: int) -> tuple[float, float]:
    """Least step and highest frequency of a gate's action as one of its parameters turns, from its matrices."""
    maps = []
    for t in np.arange(ANGLES) * (4 * pi / ANGLES):
        matrix = np.asarray(gate(*[t if k == index else 0.37 + 0.21 * k for k in range(count)]).to_matrix())
        maps.append(np.kron(matrix, matrix.conj()).reshape(-1))
    series = np.abs(np.fft.fft(np.array(maps), axis=0)).max(axis=1) / ANGLES
    halves = np.array([min(k, ANGLES - k) for k in range(ANGLES)])[series > 1e-9]
    if halves.max(initial=0) > ANGLES // 4:
        raise TaskError(f"verify cannot resolve the frequencies of gate {gate.__name__}")
    step = gcd(*halves.tolist()) or 2
    return step / 2, float(halves.max()) / 2


def _place(forms: list[Form], turn: Turn, step: Fraction, sums: bool) -> list[tuple[int, Fraction]]:
    """A function as a multiple of a form, or as a sum of such; a new form if need be."""
    if not turn.terms:  # x − x turns nothing
        return []
    parts = _multiple_of(forms, turn, step) or (_sum_of(forms, turn, step) if sums else None)
    if parts is None:
        forms.append(Form(turn, step, []))
        parts = [(len(forms) - 1, Fraction(1))]
    for j, factor in parts:
        forms[j].fractions.append(factor * step / forms[j].step)
    return parts


def _multiple_of(forms: list[Form], turn: Turn, step: Fraction) -> list[tuple[int, Fraction]] | None:
    for j, form in enumerate(forms):
        ratio = turn.ratio(form.turn)
        factor = None if ratio is None else form.multiple(ratio, step)
        if factor is not None:
            return [(j, factor)]
    return None


def _sum_of(forms: list[Form], turn: Turn, step: Fraction) -> list[tuple[int, Fraction]] | None:
    """Of all forms where their terms are independent; else of two, where one is halved, whole or doubled."""
    if len(forms) < 2:
        return None
    names = tuple(dict.fromkeys(name for each in (*(form.turn for form in forms), turn) for name in each.terms))
    rows, mine = np.array([form.turn.vector(names) for form in forms]), turn.vector(names)
    scales = np.maximum(np.abs(rows).max(axis=0), np.abs(mine))
    rows, mine = rows / scales, mine / scales
    if np.linalg.matrix_rank(rows) == len(rows):
        solved = np.linalg.lstsq(rows.T, mine)[0]
        enters = np.flatnonzero(np.abs(solved) * np.abs(rows).max(axis=1) > DIGITS * np.abs(mine).max())
        parts = [(j, forms[j].multiple(float(solved[j]), step)) for j in enters.tolist()]
        found = [(j, factor) for j, factor in parts if factor is not None]
        made = sum((float(factor) * rows[j] for j, factor in found), np.zeros(len(names)))
        is_sum = len(found) == len(parts) and np.abs(made - mine).max() <= DIGITS * np.abs(mine).max()
        return found if is_sum else None
    for j, form in enumerate(forms):
        others = [k for k in range(len(forms)) if k != j]
        for factor in (m * s for m in (Fraction(1), Fraction(1, 2), Fraction(2)) for s in (1, -1)):
            rest = (mine - float(factor) * rows[j]) * scales
            left = {n: float(c) for n, c, scale in zip(names, rest, scales, strict=True) if abs(c) > DIGITS * scale}
            two = _multiple_of([forms[k] for k in others], Turn(left, turn.inputs), step) if left else None
            if two is not None and form.multiple(float(factor), step) == factor:
                ((k, other),) = two
                return [(j, factor), (others[k], other)]
    return None
