"""Re-fit surviving weights so that the pruned circuit reproduces the original's outputs on the ensemble.

No labels enter: the residual is the change of every output on every sample, minimised by Levenberg-Marquardt with an
adjoint Jacobian that is batched over the samples. Moving a weight replaces gates by members of their own subgroup, so
T2 applies to the result word for word.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression
from qiskit.quantum_info import Operator, SparsePauliOp
from scipy.sparse import diags_array

from qprune.errors import OptionError
from qprune.gates import Site, bound_operation
from qprune.subgroups import ComplexArray, Subgroup, matrix_of, subgroup_of
from qprune.task import FloatArray, Task, restricted, slopes_of

LARGEST_DISTRIBUTION = 6  # measured qubits up to which every outcome probability is fitted
DAMPING = 1e-3  # first damping of Levenberg-Marquardt, relative to the diagonal of the Gauss-Newton matrix
FLOOR = 1e-9  # damping of directions that no output sees, relative to the mean of that diagonal


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
        if task.observables is None and len(task.measured_qubits) > LARGEST_DISTRIBUTION:
            raise OptionError(
                f"refit fits every outcome probability and takes at most {LARGEST_DISTRIBUTION} measured qubits, got "
                f"{len(task.measured_qubits)}; measure fewer, or give observables"
            )
        self.task, self.samples = task, samples
        qubits = sorted({q for s in sites for q in s.qubits} | {q for s in task.output_supports for q in s}) or [0]
        self.place = {q: j for j, q in enumerate(qubits)}
        self.weights = task.weights.copy()
        self.movable = _movable(task, sites)
        self.gates = [_Gate(self, site) for site in sites]
        self.outputs = _output_matrices(task, qubits)

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

    def _run(self, weights: FloatArray) -> ComplexArray:
        state = np.zeros((2 ** len(self.place), len(self.samples)), dtype=complex)
        state[0] = 1
        for gate in self.gates:
            state = _apply(state, gate.entries(weights), gate.axes)
        return state


def fit(
    network: BatchedNetwork, weights: FloatArray, target: FloatArray, *, steps: int, gain: float = 1e-4
) -> tuple[FloatArray, float]:
    """Minimise Σ (outputs − target)² over the movable weights by Levenberg-Marquardt.

    Args:
        network: The pruned circuit.
        weights: Where to start, shape (P,).
        target: Outputs to reproduce, shape (R, M).
        steps: Most iterations.
        gain: Stop when an iteration lowers the sum by less than this share.

    Returns:
        The weights and the sum of squares.
    """
    free = network.movable
    damping = DAMPING
    residual, matrix = _linearised(network, weights, target)
    square = float(residual @ residual)
    for _ in range(steps if free.any() else 0):
        normal, slope = matrix.T @ matrix, matrix.T @ residual
        scale = np.diag(normal) + FLOOR * max(np.trace(normal) / max(len(normal), 1), 1e-300)
        for _ in range(8):
            moved = weights.copy()
            moved[free] -= np.linalg.solve(normal + damping * np.diag(scale) + 1e-300 * np.eye(len(scale)), slope)
            change = (network.values(moved) - target).ravel()
            lower = float(change @ change)
            if lower < square:
                break
            damping *= 4
        else:
            break
        weights, damping = moved, max(damping / 6, 1e-9)
        done = square - lower < gain * square
        residual, matrix = _linearised(network, weights, target)
        square = lower
        if done:
            break
    return weights, square


def predicted_square(network: BatchedNetwork, weights: FloatArray, target: FloatArray, damping: float = 1e-2) -> float:
    """Σ (outputs − target)² after one damped Gauss-Newton step, to first order: a look ahead for one Jacobian."""
    residual, matrix = _linearised(network, weights, target)
    normal = matrix.T @ matrix
    scale = damping * np.diag(normal) + 1e-4 * damping * np.trace(normal) / max(len(normal), 1) + 1e-300
    step = np.linalg.solve(normal + np.diag(scale), matrix.T @ residual)
    return float(np.sum((residual - matrix @ step) ** 2))


def saliencies(network: BatchedNetwork, weights: FloatArray, sites: Sequence[Site]) -> dict[int, float]:
    """Second-order cost of driving each movable gate to the identity, the others compensating.

    With H the Gauss-Newton matrix and c_k the gate's coordinate as a linear form in the weights, the
    optimal-brain-surgeon step lowers t_k to zero at the least ‖Δoutputs‖², which is t_k² / (c_kᵀ H⁻¹ c_k). Keys are
    indices of sites.
    """
    _, jacobian = network.jacobian(weights)
    free = np.flatnonzero(network.movable)
    matrix = jacobian.reshape(-1, len(weights))[:, free]
    normal = matrix.T @ matrix
    normal += 1e-6 * max(np.trace(normal) / max(len(normal), 1), 1e-12) * np.eye(len(normal))
    inverse = np.linalg.inv(normal)
    column = {int(p): j for j, p in enumerate(free)}
    found = {}
    for k, (gate, site) in enumerate(zip(network.gates, sites, strict=True)):
        group = subgroup_of(site)
        if not gate.slopes or group is None:
            continue
        form = np.zeros(len(free))
        for p, factor in gate.slopes:
            form[column[p]] = float(np.mean(factor))
        turn = (float(np.mean(gate.angle(weights))) + group.period / 2) % group.period - group.period / 2
        found[k] = turn**2 / max(float(form @ inverse @ form), 1e-300)
    return found


def _linearised(network: BatchedNetwork, weights: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    values, jacobian = network.jacobian(weights)
    return (values - target).ravel(), jacobian.reshape(-1, len(weights))[:, network.movable]


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
        self.offset = np.asarray(task.values(coordinate, network.samples), dtype=float)  # type: ignore[arg-type]
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
