"""The circuit on all samples at once, in NumPy: outputs, their derivatives, and states to compare.

Aer runs one sample after the other; here a gate is applied to the states of the whole ensemble in one sweep, which is
what re-fitting and windows need again and again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction, ParameterExpression
from qiskit.quantum_info import Operator, SparsePauliOp
from scipy.sparse import diags_array

from qprune.errors import OptionError
from qprune.expressions import slopes_of
from qprune.gates import Site, bound_operation
from qprune.observables import restricted
from qprune.subgroups import ComplexArray, Subgroup, matrix_of, subgroup_of
from qprune.task import FloatArray, Task

Placed = tuple[Instruction, tuple[int, ...]]
WINDOW_ROUNDING = 1e-12  # what rounding may hide of a window's angle, radians: a few thousand gates in double precision
LARGEST_DISTRIBUTION = 6  # measured qubits up to which every outcome probability is an output of its own


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
        self.movable = _movable(task, sites)
        self.gates = [_Gate(self, site) for site in sites]

    @cached_property
    def outputs(self) -> list:
        return _output_matrices(self.task, list(self.place))

    def values(self, weights: FloatArray) -> FloatArray:
        """Outputs ⟨O_r⟩, or outcome probabilities, shape (R, M)."""
        state = self._run(weights)
        return np.array([np.einsum("sm,sm->m", state.conj(), output @ state).real for output in self.outputs])

    def jacobian(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Outputs (R, M) and their derivatives in the weights (R, M, P).

        One forward and one backward pass: d⟨O⟩/dt_k = 2 Im⟨λ_k|A_k|φ_k⟩ with φ_k the state after gate k and λ_k the
        image Oψ pulled back to the same place.
        """
        state = self._run(weights)
        images = [output @ state for output in self.outputs]
        values = np.array([np.einsum("sm,sm->m", state.conj(), image).real for image in images])
        derivative = np.zeros((*values.shape, len(weights)))
        for gate in reversed(self.gates):
            entries = gate.entries(weights, inverse=True)
            if gate.slopes:
                moved = _apply(state, gate.generator, gate.axes)
                for r, image in enumerate(images):
                    slope = 2 * np.einsum("sm,sm->m", image.conj(), moved).imag
                    for p, factor in gate.slopes:
                        derivative[r, :, p] += slope * factor
            state = _apply(state, entries, gate.axes)
            images = [_apply(image, entries, gate.axes) for image in images]
        return values, derivative

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
            inside = [k for k in range(first, end) if k in replaced]
            other = None
            for k in range(first, end):
                if inside and k == inside[0]:
                    other = state
                if other is not None:
                    for matrix, axes in self._placed(k, replaced):
                        other = _apply(other, matrix, axes)
                state = _apply(state, self.gates[k].entries(self.weights), self.gates[k].axes)
            if other is not None:
                overlap = np.einsum("sm,sm->m", state.conj(), other)
                # The sine from what is left of the overlap keeps its digits where states nearly agree.
                sine = np.linalg.norm(other - state * overlap, axis=0)
                total += np.arctan2(sine, np.abs(overlap)) + WINDOW_ROUNDING
            first = end
        return total

    def _placed(self, k: int, replaced: Mapping[int, Sequence[Placed]]) -> list[tuple[list[list], tuple[int, ...]]]:
        if k not in replaced:
            return [(self.gates[k].entries(self.weights), self.gates[k].axes)]
        found = []
        for operation, qubits in replaced[k]:
            matrix = matrix_of(bound_operation(self.task, operation), qubits)
            axes = tuple(len(self.place) - 1 - self.place[q] for q in sorted(qubits))
            found.append((_Entries(matrix[None]).at(np.ones(1)), axes))
        return found

    def _start(self) -> ComplexArray:
        state = np.zeros((2 ** len(self.place), len(self.samples)), dtype=complex)
        state[0] = 1
        return state

    def _run(self, weights: FloatArray) -> ComplexArray:
        state = self._start()
        for gate in self.gates:
            state = _apply(state, gate.entries(weights), gate.axes)
        return state


def _movable(task: Task, sites: Sequence[Site]) -> NDArray[np.bool_]:
    """Weights that may move: all their gates are trainable, in a U(1) family and affine in the weights."""
    movable = np.array([task.circuit.has_parameter(p) for p in task.weight_params], dtype=bool)
    index = {p: j for j, p in enumerate(task.weight_params)}
    for site in sites:
        free = {p for a in site.operation.params if isinstance(a, ParameterExpression) for p in a.parameters}
        angle = site.coordinate
        if site.role != "trainable" or not isinstance(angle, ParameterExpression) or slopes_of(angle) is None:
            for p in free:
                if p in index:
                    movable[index[p]] = False
    return movable


class _Gate:
    """One gate on named axes of the state, its angle affine in the movable weights."""

    def __init__(self, network: BatchedNetwork, site: Site) -> None:
        task, group = network.task, subgroup_of(site)
        self.axes = tuple(len(network.place) - 1 - network.place[q] for q in sorted(site.qubits))
        self.slopes: list[tuple[int, float]] = []
        self.scale = 1.0  # on the way from the gate to the identity: 1 is the gate, 0 the identity
        self.shift = 0.0
        self.is_fixed = group is None or group.family == "special"
        if group is None or group.family == "special":
            matrix = _whole_matrix(task, site)
            self.constant = _Entries(matrix[None]), _Entries(matrix.conj().T[None])
            return
        projectors, self.eigenvalues = _dense_projectors(group), np.array(group.eigenvalues)
        self.member = _Entries(projectors)
        self.generator = _Entries(np.einsum("j,jab->ab", self.eigenvalues, projectors)[None]).at(np.ones(1))
        coordinate = site.coordinate
        self.offset = np.asarray(task.values(coordinate, network.samples), dtype=float)
        if isinstance(coordinate, ParameterExpression):
            index = {p: j for j, p in enumerate(task.weight_params)}
            for p, factor in (slopes_of(coordinate) or {}).items():
                if p in index and network.movable[index[p]]:
                    self.slopes.append((index[p], factor))
                    self.offset = self.offset - factor * task.weights[index[p]]

    def angle(self, weights: FloatArray) -> FloatArray:
        angle = self.offset
        for p, factor in self.slopes:
            angle = angle + factor * weights[p]
        return np.asarray(self.scale * angle + self.shift)

    def entries(self, weights: FloatArray, *, inverse: bool = False) -> list[list]:
        if self.is_fixed:
            return self.constant[inverse].at(np.ones(1))
        angle = self.angle(weights)
        turned = np.multiply.outer(self.eigenvalues, angle)
        return self.member.at(np.exp(1j * turned if inverse else -1j * turned))


class _Entries:
    """A sum Σ_e f_e P_e of matrices as rows of (column, entry), without the entries that are always zero."""

    def __init__(self, terms: ComplexArray) -> None:
        size = terms.shape[1]
        filled = [(i, j) for i in range(size) for j in range(size) if np.any(np.abs(terms[:, i, j]) > 1e-15)]
        self.coefficients = np.array([terms[:, i, j] for i, j in filled])
        self.rows = [[(j, place) for place, (k, j) in enumerate(filled) if k == i] for i in range(size)]

    def at(self, factors: NDArray) -> list[list]:
        """Entries for factors of shape (terms,), or (terms, M) for one matrix per sample."""
        values = self.coefficients @ factors
        return [[(j, values[place]) for j, place in row] for row in self.rows]


def _apply(state: ComplexArray, entries: list[list], axes: tuple[int, ...]) -> ComplexArray:
    """Matrix on the qubits whose axes (first qubit least significant) are given, on states (2^n, M)."""
    n = state.shape[0].bit_length() - 1
    view = state.reshape((2,) * n + (state.shape[1],))
    out = np.empty_like(view)
    for i, row in enumerate(entries):
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


def _whole_matrix(task: Task, site: Site) -> ComplexArray:
    operation = bound_operation(task, site.operation)
    if len(site.qubits) <= 2:
        return matrix_of(operation, site.qubits)
    order = [sorted(site.qubits).index(q) for q in site.qubits]
    whole = Operator(np.eye(2 ** len(order)))
    return whole.compose(Operator(operation), qargs=order).data


@lru_cache(maxsize=4096)
def _dense_projectors(group: Subgroup) -> ComplexArray:
    place = {q: j for j, q in enumerate(group.qubits)}
    sums = []
    for projector in group.projectors:
        terms = [("".join(p for _, p in word), [place[q] for q, _ in word], c) for word, c in projector.items()]
        sums.append(SparsePauliOp.from_sparse_list(terms, num_qubits=len(place)).to_matrix())
    return np.array(sums)


def _output_matrices(task: Task, qubits: list[int]) -> list:
    if task.observables is None and len(task.measured_qubits) > LARGEST_DISTRIBUTION:
        raise OptionError(
            f"refit fits every outcome probability and takes at most {LARGEST_DISTRIBUTION} measured qubits, got "
            f"{len(task.measured_qubits)}; measure fewer, or give observables"
        )
    if task.observables is not None:
        return [restricted(observable, qubits).to_matrix(sparse=True) for observable in task.observables]
    place = {q: j for j, q in enumerate(qubits)}
    size = len(task.measured_qubits)
    sums = []
    for bits in product((0, 1), repeat=size):
        # |bit⟩⟨bit| on each measured qubit, the last bit that of the first one, as in the distribution's order
        index = np.arange(2 ** len(qubits))
        hit = np.ones(len(index), dtype=bool)
        for bit, q in zip(reversed(bits), task.measured_qubits, strict=True):
            hit &= (index >> place[q] & 1) == bit

        sums.append(diags_array(hit.astype(complex)))
    return sums
