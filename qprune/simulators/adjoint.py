"""Outputs of the circuit and their Jacobian in the weights, on all samples at once: what re-fitting asks for.

Neighbouring one-qubit gates whose angle is the same on every sample are one matrix: a run costs one sweep over the
states, and the derivatives of all its gates come from one 2 × 2 transition matrix per sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.simulators.dense import BatchedNetwork, Gate, apply_rows
from qprune.task.observables import restricted
from qprune.task.task import Task

LARGEST_DISTRIBUTION = 6  # measured qubits up to which every outcome probability is an output of its own


class AdjointNetwork(BatchedNetwork):
    """Outputs (R, M) of a circuit at any weights, and their derivatives.

    Args:
        task: Binds parameters; its weights are the starting point.
        sites: The gates.
        samples: Indices of the samples.

    Raises:
        OptionError: Probabilities of more qubits than can be fitted one by one.
    """

    def __init__(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp]) -> None:
        super().__init__(task, sites, samples)
        self.runs, self.blocks = _Runs(self.gates, len(task.weights)), []
        self.blocks = _blocks(self.gates, self.runs)
        moves = [any(self.gates[k].slopes for k in block.gates) for block in self.blocks]
        self._first = moves.index(True) if any(moves) else len(moves)
        self._begun: tuple[bytes, ComplexArray] | None = None

    @cached_property
    def outputs(self) -> _Outputs:
        return _Outputs(self.task, list(self.place))

    def turn_down(self, k: int, scale: float, shift: float) -> None:
        """Set gate k's angle to scale · angle + shift: on the way from the gate to the identity."""
        self.gates[k].scale, self.gates[k].shift = scale, shift

    def values(self, weights: FloatArray) -> FloatArray:
        """Outputs ⟨O_r⟩, or outcome probabilities, shape (R, M)."""
        return self.outputs.values(self._run(weights, self.runs.members(weights)))

    def jacobian(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Outputs (R, M) and their derivatives in the weights (R, M, P).

        One forward and one backward pass: d⟨O⟩/dt_k = 2 Im⟨λ_k|A_k|φ_k⟩ with φ_k the state after gate k and λ_k the
        image Oψ pulled back to the same place.
        """
        members = self.runs.members(weights)
        state = self._run(weights, members)
        values = self.outputs.values(state)
        both = np.concatenate([state[:, None], self.outputs.images(state)], axis=1)  # (2^n, 1 + R, M)
        derivative = np.zeros((*values.shape, len(weights)))
        for block in reversed(self.blocks[self._first :]):
            if isinstance(block, _Run):
                self.runs.add_slopes(block, members, both, derivative)
                both = _apply_one(both, members.whole[block.index].conj().T, block.axis)
                continue
            gate = self.gates[block.gates[0]]
            if gate.slopes:
                moved = apply_rows(both[:, 0], *gate.generator)
                slope = 2 * np.einsum("srm,sm->rm", both[:, 1:].conj(), moved).imag
                for p, factor in gate.slopes:
                    derivative[:, :, p] += gate.scale * factor * slope
            for step in gate.steps(weights, inverse=True):
                both = apply_rows(both, *step)
        return values, derivative

    def _run(self, weights: FloatArray, members: _Members) -> ComplexArray:
        state = self._leading(weights, members)
        for block in self.blocks[self._first :]:
            state = self._through(block, state, weights, members)
        return state

    def _leading(self, weights: FloatArray, members: _Members) -> ComplexArray:
        """The state before the first gate that a weight moves, kept from one call to the next."""
        leading = self.blocks[: self._first]
        key = np.array([(self.gates[k].scale, self.gates[k].shift) for b in leading for k in b.gates]).tobytes()
        if self._begun is None or self._begun[0] != key:
            state = self._start()
            for block in leading:
                state = self._through(block, state, weights, members)
            self._begun = key, state
        return self._begun[1]

    def _through(
        self, block: _Run | _Single, state: ComplexArray, weights: FloatArray, members: _Members
    ) -> ComplexArray:
        if isinstance(block, _Run):
            return _apply_one(state, members.whole[block.index], block.axis)
        for step in self.gates[block.gates[0]].steps(weights):
            state = apply_rows(state, *step)
        return state


# -- runs of one-qubit gates ----------------------------------------------------------------------------------------


class _Single:
    """A gate by itself."""

    def __init__(self, gate: int) -> None:
        self.gates = [gate]


class _Run:
    """Gates on one qubit with nothing between them."""

    def __init__(self, index: int, axis: int) -> None:
        self.index, self.axis, self.gates = index, axis, list[int]()


class _Members:
    """The runs at some weights.

    Attributes:
        whole: Product of each run, shape (runs, 2, 2).
        moved: V A V† per gate of a run, with V the product of the gates after it, shape (gates, 2, 2).
    """

    def __init__(self, whole: ComplexArray, moved: ComplexArray) -> None:
        self.whole, self.moved = whole, moved


class _Runs:
    """All runs of a circuit, their matrices worked out together."""

    def __init__(self, gates: Sequence[Gate], num_weights: int) -> None:
        self.gates = gates
        self.inside = [k for k, gate in enumerate(gates) if _in_run(gate)]
        self.row = {k: j for j, k in enumerate(self.inside)}
        own = [gates[k] for k in self.inside]
        shape = (len(own), 2)
        self.eigenvalues = np.array([gate.eigenvalues for gate in own], dtype=float).reshape(shape)
        self.projectors = np.array([gate.projectors for gate in own], dtype=complex).reshape(*shape, 2, 2)
        self.generators = np.einsum("ge,geij->gij", self.eigenvalues, self.projectors)
        self.offsets = np.array([float(gate.offset) for gate in own])
        self.slopes = np.zeros((len(own), num_weights))
        for j, gate in enumerate(own):
            for p, factor in gate.slopes:
                self.slopes[j, p] += float(factor)
        self.order = np.zeros((0, 0), dtype=int)  # (runs, longest): rows of the gates, padded by an identity

    def arrange(self, runs: Sequence[_Run]) -> None:
        longest = max((len(run.gates) for run in runs), default=0)
        self.order = np.full((len(runs), longest), len(self.inside))
        for run in runs:
            self.order[run.index, : len(run.gates)] = [self.row[k] for k in run.gates]

    def members(self, weights: FloatArray) -> _Members:
        turn = np.array([(self.gates[k].scale, self.gates[k].shift) for k in self.inside]).reshape(-1, 2)
        angle = turn[:, 0] * (self.offsets + self.slopes @ weights) + turn[:, 1]
        single = np.einsum("ge,geij->gij", np.exp(-1j * self.eigenvalues * angle[:, None]), self.projectors)
        single = np.concatenate([single, np.eye(2)[None]])
        after = np.tile(np.eye(2, dtype=complex), (len(self.order), 1, 1))
        moved = np.zeros((len(self.inside) + 1, 2, 2), dtype=complex)
        moved[:-1] = self.generators
        for column in reversed(self.order.T):
            moved[column] = after @ moved[column] @ after.conj().swapaxes(1, 2)
            after = after @ single[column]
        return _Members(after, moved[:-1])

    def add_slopes(self, run: _Run, members: _Members, both: ComplexArray, derivative: FloatArray) -> None:
        """2 Im Σ_ab (V A V†)_ab ⟨λ_a|φ_b⟩, from states and images after the run."""
        rows = [self.row[k] for k in run.gates if self.gates[k].slopes]
        if not rows:
            return
        view = _split(both, run.axis)  # (before, 2, after, 1 + R, M)
        state, images = view[..., 0, :].conj(), view[..., 1:, :]
        transition = np.array(
            [[np.einsum("xyrm,xym->rm", images[:, a], state[:, b]) for b in (0, 1)] for a in (0, 1)]
        ).conj()
        slopes = 2 * np.einsum("gab,abrm->rmg", members.moved[rows], transition).imag
        scale = np.array([self.gates[self.inside[j]].scale for j in rows])
        derivative += slopes @ (scale[:, None] * self.slopes[rows])


def _in_run(gate: Gate) -> bool:
    return not gate.is_fixed and len(gate.axes) == 1 and gate.is_shared


def _blocks(gates: Sequence[Gate], runs: _Runs) -> list[_Run | _Single]:
    """The gates in an order of application in which those of a run stand together."""
    blocks: list[_Run | _Single] = []
    found: list[_Run] = []
    last: dict[int, _Run] = {}
    for k, gate in enumerate(gates):
        if k not in runs.row:
            for axis in gate.all_axes:
                last.pop(axis, None)
            blocks.append(_Single(k))
            continue
        axis = gate.axes[0]
        if axis not in last:
            last[axis] = _Run(len(found), axis)
            found.append(last[axis])
            blocks.append(last[axis])
        last[axis].gates.append(k)
    runs.arrange(found)
    return blocks


def _split(state: ComplexArray, axis: int) -> ComplexArray:
    """A state (2^n, …) as (before, 2, after, …) around one axis."""
    before = 2**axis
    return state.reshape(before, 2, state.shape[0] // (2 * before), *state.shape[1:])


def _apply_one(state: ComplexArray, matrix: ComplexArray, axis: int) -> ComplexArray:
    """A 2 × 2 matrix on one axis of states (2^n, …)."""
    before = 2**axis
    return np.matmul(matrix, state.reshape(before, 2, -1)).reshape(state.shape)


# -- outputs ----------------------------------------------------------------------------------------------------------


class _Outputs:
    """The observables, or outcome probabilities, on the qubits of a network."""

    def __init__(self, task: Task, qubits: list[int]) -> None:
        if task.observables is None:
            self.diagonals: FloatArray | None = _outcomes(task, qubits)
            return
        self.matrices: list[csr_array] = [
            csr_array(restricted(observable, qubits).to_matrix(sparse=True, force_serial=True))
            for observable in task.observables
        ]
        diagonal = all(abs(m - diags_array(m.diagonal())).sum() == 0 for m in self.matrices)
        self.diagonals = np.array([m.diagonal().real for m in self.matrices]) if diagonal else None

    def values(self, state: ComplexArray) -> FloatArray:
        if self.diagonals is not None:
            return np.asarray(self.diagonals @ (state.real**2 + state.imag**2))
        return np.array([np.einsum("sm,sm->m", state.conj(), matrix @ state).real for matrix in self.matrices])

    def images(self, state: ComplexArray) -> ComplexArray:
        """O_r ψ, shape (2^n, R, M)."""
        if self.diagonals is not None:
            return self.diagonals.T[:, :, None] * state[:, None]
        return np.stack([matrix @ state for matrix in self.matrices], axis=1)


def _outcomes(task: Task, qubits: list[int]) -> FloatArray:
    """Which basis states belong to which outcome, shape (outcomes, 2^n)."""
    place = {q: j for j, q in enumerate(qubits)}
    size = len(task.measured_qubits)
    if size > LARGEST_DISTRIBUTION:
        raise OptionError(
            f"refit fits every outcome probability and takes at most {LARGEST_DISTRIBUTION} measured qubits, got "
            f"{size}; measure fewer, or give observables"
        )
    index = np.arange(2 ** len(qubits))
    hits = []
    for bits in product((0, 1), repeat=size):
        # |bit⟩⟨bit| on each measured qubit, the last bit that of the first one, as in the distribution's order
        hit = np.ones(len(index))
        for bit, q in zip(reversed(bits), task.measured_qubits, strict=True):
            hit *= (index >> place[q] & 1) == bit
        hits.append(hit)
    return np.array(hits)
