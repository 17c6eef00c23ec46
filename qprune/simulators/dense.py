"""The circuit on all samples at once, in NumPy: outputs, their derivatives, and states to compare.

Aer runs one sample after the other; here a gate is applied to the states of the whole ensemble in one sweep, which is
what re-fitting and windows need again and again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction, ParameterExpression
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator

from qprune._arrays import ComplexArray, FloatArray
from qprune.gates.sites import Site, bound_operation
from qprune.gates.subgroups import Subgroup, subgroup_of
from qprune.task.expressions import slopes_of
from qprune.task.task import Task

Placed = tuple[Instruction, tuple[int, ...]]
Rows = list[list[tuple[int, Any]]]
Step = tuple[Rows, tuple[int, ...]]
NOTHING = 1e-15  # entries up to this are rounding of zero
WHOLE_QUBITS = 4  # a gate outside the catalogue on more than these is applied through its definition
WINDOW_ROUNDING = 1e-12  # what rounding may hide of a window's angle, radians: a few thousand gates in double precision


class BatchedNetwork:
    """The circuit on all samples at once, states of shape (2^n, M): outputs and their Jacobian in the weights.

    Args:
        task: Binds parameters; its weights are the starting point.
        sites: The gates.
        samples: Indices of the samples.

    Raises:
        OptionError: Probabilities of more qubits than can be fitted one by one.
    """

    def __init__(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp]) -> None:
        self.task, self.samples = task, samples
        qubits = sorted({q for s in sites for q in s.qubits} | {q for s in task.output_supports for q in s}) or [0]
        self.place = {q: j for j, q in enumerate(qubits)}
        self.weights = task.weights.copy()
        self.index = {p: j for j, p in enumerate(task.weight_params)}
        self.movable = _movable(task, sites)
        self.gates = [Gate(self, site) for site in sites]

    def window_angles(self, replaced: Mapping[int, Sequence[Placed]], ends: Sequence[int]) -> FloatArray:
        """Σ over windows of the Fubini-Study angle between the original and the replaced window, shape (M,).

        Each window starts from the ORIGINAL prefix state; windows without a replaced gate add nothing.

        Args:
            replaced: What stands in the place of a site, by its index.
            ends: Index after the last site of each window, ascending, the last one the number of sites.

        Source: THEORY T6.
        """
        state = self._start()
        total, first = np.zeros(len(self.samples)), 0
        for end in ends:
            start, state = state, self._end if len(ends) == 1 else self._evolved(state, range(first, end))
            if any(k in replaced for k in range(first, end)):
                other = self._evolved(start, range(first, end), replaced)
                overlap = np.einsum("sm,sm->m", state.conj(), other)
                # The sine from what is left of the overlap keeps its digits where states nearly agree.
                sine = np.linalg.norm(other - state * overlap, axis=0)
                total += np.arctan2(sine, np.abs(overlap)) + WINDOW_ROUNDING
            first = end
        return total

    def _evolved(
        self, state: ComplexArray, sites: Sequence[int], replaced: Mapping[int, Sequence[Placed]] | None = None
    ) -> ComplexArray:
        """States after some gates, at the task's weights, and after what stands in the place of some of them."""
        replaced = replaced or {}
        for k in sites:
            placed = [self.whole(*by) for by in replaced[k]] if k in replaced else [self._original[k]]
            for step in (step for steps in placed for step in steps):
                state = apply_rows(state, *step)
        return state

    @cached_property
    def _original(self) -> list[list[Step]]:
        return [gate.steps(self.task.weights) for gate in self.gates]

    @cached_property
    def _end(self) -> ComplexArray:
        return self._evolved(self._start(), range(len(self.gates)))

    def whole(self, operation: Instruction, qubits: Sequence[int]) -> list[Step]:
        """An instruction as matrices on axes; with inputs in it, one matrix per sample."""
        definition = operation.definition if len(qubits) > WHOLE_QUBITS else None
        if definition is not None and not isinstance(operation, UnitaryGate):
            inner = [
                (item.operation, [qubits[definition.find_bit(q).index] for q in item.qubits]) for item in definition
            ]
            return [step for part in inner for step in self.whole(*part)]
        if any(self.task.has_inputs(p) for p in operation.params):
            each = [Operator(bound_operation(self.task, operation, int(i))).data for i in self.samples]
            return [(_rows(np.stack(each, axis=-1)), self.axes(qubits))]
        return [(_rows(Operator(bound_operation(self.task, operation)).data), self.axes(qubits))]

    def axes(self, qubits: Sequence[int]) -> tuple[int, ...]:
        """Axes of a state viewed as (2, …, 2, M), the last qubit of the register first."""
        return tuple(len(self.place) - 1 - self.place[q] for q in qubits)

    def _start(self) -> ComplexArray:
        state = np.zeros((2 ** len(self.place), len(self.samples)), dtype=complex)
        state[0] = 1
        return state


def _movable(task: Task, sites: Sequence[Site]) -> NDArray[np.bool_]:
    """Weights that may move: not held, all their gates trainable, in a U(1) family and affine in the weights."""
    present = {p.name for p in task.circuit.parameters}
    free = present.difference(*(names for by, names in task.holds.items() if by in present))
    movable = np.array([p.name in free for p in task.weight_params], dtype=bool)
    index = {p: j for j, p in enumerate(task.weight_params)}
    for site in sites:
        free = {p for a in site.operation.params if isinstance(a, ParameterExpression) for p in a.parameters}
        angle = site.coordinate
        if site.role != "trainable" or not isinstance(angle, ParameterExpression) or slopes_of(angle) is None:
            for p in free:
                if p in index:
                    movable[index[p]] = False
    return movable


class Gate:
    """One gate on named axes of the state, its angle affine in the movable weights."""

    def __init__(self, network: BatchedNetwork, site: Site) -> None:
        task, group = network.task, subgroup_of(site)
        self.slopes: list[tuple[int, float]] = []
        self.scale = 1.0  # on the way from the gate to the identity: 1 is the gate, 0 the identity
        self.shift = 0.0
        self.whole: list[Step] | None = None
        if group is None or group.family == "special":
            self.whole = network.whole(site.operation, site.qubits)
            return
        self.axes = network.axes(group.qubits)
        self.projectors, self.eigenvalues = group.dense_projectors, np.array(group.eigenvalues)
        self.member, rows = _member_and_generator(group.family, group.letters)
        self.generator = rows, self.axes
        coordinate = site.coordinate
        self.offset = np.asarray(task.values(coordinate, network.samples), dtype=float)
        if isinstance(coordinate, ParameterExpression):
            for p, factor in (slopes_of(coordinate) or {}).items():
                j = network.index.get(p)
                if j is not None and network.movable[j]:
                    self.slopes.append((j, factor))
                    self.offset = self.offset - factor * task.weights[j]

    @property
    def is_shared(self) -> bool:
        """Whether its angle is the same on every sample."""
        return not np.ndim(self.offset) and not any(np.ndim(factor) for _, factor in self.slopes)

    @property
    def all_axes(self) -> set[int]:
        """Axes it acts on."""
        return set(self.axes) if self.whole is None else {axis for _, axes in self.whole for axis in axes}

    @property
    def is_fixed(self) -> bool:
        """Whether it has no coordinate that could be turned down to the identity."""
        return self.whole is not None

    def angle(self, weights: FloatArray) -> FloatArray:
        angle = self.offset
        for p, factor in self.slopes:
            angle = angle + factor * weights[p]
        return np.asarray(self.scale * angle + self.shift)

    def steps(self, weights: FloatArray, *, inverse: bool = False) -> list[Step]:
        if self.whole is not None:
            return [(_adjoint(rows), axes) for rows, axes in reversed(self.whole)] if inverse else self.whole
        turned = np.multiply.outer(self.eigenvalues, self.angle(weights))
        return [(self.member.at(np.exp(1j * turned if inverse else -1j * turned)), self.axes)]


class _Member:
    """exp(−itA) = Σ_e f_e P_e as rows, its pattern worked out once."""

    def __init__(self, projectors: ComplexArray) -> None:
        filled = np.argwhere(np.any(np.abs(projectors) > NOTHING, axis=0)).tolist()
        self.coefficients = np.array([projectors[:, i, j] for i, j in filled])
        self.pattern: list[list[tuple[int, int]]] = [[] for _ in projectors[0]]
        for place, (i, j) in enumerate(filled):
            self.pattern[i].append((j, place))

    def at(self, factors: NDArray) -> Rows:
        """For factors of shape (terms,), or (terms, M) for one matrix per sample."""
        values = self.coefficients @ factors
        if values.ndim > 1:
            return [[(j, values[place]) for j, place in row] for row in self.pattern]
        kept = values.tolist()  # a CX is a permutation: what cancels is left out
        return [[(j, kept[place]) for j, place in row if abs(kept[place]) > NOTHING] for row in self.pattern]


@lru_cache
def _member_and_generator(family: str, letters: str) -> tuple[_Member, Rows]:
    group = Subgroup(family, tuple(enumerate(letters)))
    generator = np.einsum("j,jab->ab", np.array(group.eigenvalues), group.dense_projectors)
    return _Member(group.dense_projectors), _rows(generator)


def _rows(matrix: ComplexArray) -> Rows:
    """A matrix (d, d), or (d, d, M) for one per sample, as rows of (column, entry) without the zeros."""
    rows: Rows = [[] for _ in matrix]
    large = np.abs(matrix) > NOTHING
    for i, j in np.argwhere(large if large.ndim == 2 else large.any(axis=-1)).tolist():
        rows[i].append((j, matrix[i, j]))
    return rows


def _adjoint(rows: Rows) -> Rows:
    turned: Rows = [[] for _ in rows]
    for i, row in enumerate(rows):
        for j, entry in row:
            turned[j].append((i, np.conj(entry)))
    return turned


def apply_rows(state: ComplexArray, rows: Rows, axes: tuple[int, ...]) -> ComplexArray:
    """Matrix on the qubits whose axes (first qubit least significant) are given, on states (2^n, …, M)."""
    n = state.shape[0].bit_length() - 1
    view = state.reshape((2,) * n + state.shape[1:])
    out = np.empty_like(view)
    for i, row in enumerate(rows):
        target = out[_corner(n, axes, i)]
        if not row:
            target[...] = 0
            continue
        (first, factor), *others = row
        np.multiply(view[_corner(n, axes, first)], factor, out=target)
        for j, factor in others:
            target += view[_corner(n, axes, j)] * factor
    return out.reshape(state.shape)


@lru_cache(maxsize=4096)
def _corner(n: int, axes: tuple[int, ...], index: int) -> tuple:
    where: list = [slice(None)] * n
    for bit, axis in enumerate(axes):
        where[axis] = index >> bit & 1
    return tuple(where)
