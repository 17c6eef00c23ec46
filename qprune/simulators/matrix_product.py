"""Matrix product states: circuits too wide for a statevector, as far as they entangle little.

The chain is kept in canonical form around a centre, where every singular value is a Schmidt coefficient of the whole
state. So what is discarded there is known, and with it how far the state is from the exact one (docs/theory.md, T7).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import ComplexArray, FloatArray
from qprune._progress import bar
from qprune._rounding import EPSILON
from qprune.errors import TaskError
from qprune.gates.sites import Word, words_of
from qprune.simulators.blocks import Block, Blocks
from qprune.simulators.values import Readings
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

DISCARDED = 1e-26  # share of the squared norm that one truncation may discard: what rounding leaves of zeros, and more
LARGEST_BOND = 256  # Schmidt coefficients kept at most; decompositions then take some tenths of a second
LARGEST_ERROR = 0.05  # of the state; beyond, a bound means nothing any more
STEP_ROUNDING = 32 * EPSILON  # of the state, by one product or decomposition
BLOCK_QUBITS = 2  # more would decompose larger matrices
GATE_QUBITS = 6  # largest gate that is applied as one matrix
VARIANCE_WORDS = 256  # Pauli words of O² up to which the variance of O is computed
OUTCOME_QUBITS = 16  # most qubits whose outcome distribution is read

_PAULI = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]).astype(complex),
}


class MatrixProductState:
    """|0…0⟩ on a chain, and what gates make of it.

    Args:
        length: Sites.
        tolerance: How far the state may get from the exact one by cuts that could be avoided.
        cuts: Decompositions to come that share the tolerance; what one leaves of its part goes to the later ones.
        bond: Schmidt coefficients kept at most, whatever that costs; None for `LARGEST_BOND`.

    Attributes:
        truncation: Σ ‖ψ − ψ'‖ over all truncations.
        steps: Products and decompositions so far, each rounded.
        largest_bond: Most Schmidt coefficients at any place and time.
    """

    def __init__(self, length: int, tolerance: float = 0.0, cuts: int = 0, bond: int | None = None) -> None:
        zero = np.zeros((1, 2, 1), dtype=complex)
        zero[0, 0, 0] = 1
        self.tensors = [zero] * length  # each (left bond, qubit, right bond)
        self.centre = 0  # left of it isometries from the left, right of it from the right
        self.truncation, self.steps, self.largest_bond = 0.0, 0, 1
        self._tolerance, self._cuts, self._bond = tolerance, cuts, LARGEST_BOND if bond is None else bond

    @property
    def error(self) -> float:
        """Limit of ‖ψ − exact‖, rounding included (T7)."""
        return float(self.truncation + STEP_ROUNDING * self.steps)

    def apply(self, matrix: ComplexArray, first: int) -> None:
        """A gate on adjacent sites, the first least significant."""
        width = len(matrix).bit_length() - 1
        self._split(_reversed(matrix) @ self._merged(first, width), first, width)

    def reduced(self, first: int, width: int) -> ComplexArray:
        """Reduced state of adjacent sites, shape (2^width, 2^width), the first least significant."""
        rows = self._merged(first, width).transpose(1, 0, 2).reshape(2**width, -1)
        return _reversed(rows @ rows.conj().T)

    def mean(self, word: Word) -> float:
        """⟨P⟩ of a word on sites."""
        letters = dict(word)
        first, last = min(letters, default=self.centre), max(letters, default=self.centre)
        self._move(min(max(self.centre, first), last))
        # Around the stretch, isometries contract to the identity on either side.
        left = np.eye(self.tensors[first].shape[0], dtype=complex)
        for site in range(first, last + 1):
            tensor = self.tensors[site]
            acted = _PAULI[letters.get(site, "I")] @ tensor
            left = np.tensordot(tensor.conj(), np.tensordot(left, acted, 1), ((0, 1), (0, 1)))
        return float(np.trace(left).real)

    def distribution(self, sites: Sequence[int]) -> FloatArray:
        """Outcome probabilities of sites in any order, the first least significant, shape (2^m,)."""
        first, last = min(sites), max(sites)
        self._move(min(max(self.centre, first), last))
        left = np.eye(self.tensors[first].shape[0], dtype=complex)[None]  # one for every outcome so far
        for site in range(first, last + 1):
            tensor = self.tensors[site]
            parts = [tensor[:, bit].conj().T @ left @ tensor[:, bit] for bit in (0, 1)]
            left = np.concatenate(parts) if site in sites else parts[0] + parts[1]
        ascending = sorted(sites)
        chances = np.trace(left, axis1=1, axis2=2).real.reshape((2,) * len(sites))  # axes from the last site down
        order = [len(sites) - 1 - ascending.index(s) for s in reversed(sites)]
        return np.maximum(chances.transpose(order).reshape(-1), 0)

    def bring_together(self, sites: Sequence[int]) -> None:
        """Swap ascending sites down to the places behind the first of them."""
        for k, site in enumerate(sites):
            for at in reversed(range(sites[0] + k, site)):
                self._swap(at)

    def bring_back(self, sites: Sequence[int]) -> None:
        """Undo `bring_together`."""
        for k, site in reversed(list(enumerate(sites))):
            for at in range(sites[0] + k, site):
                self._swap(at)

    # -- the chain -----------------------------------------------------------------------------------------------

    def _merged(self, first: int, width: int) -> ComplexArray:
        """The tensors of adjacent sites, with the centre among them, as one: (left, 2^width, right)."""
        self._move(min(max(self.centre, first), first + width - 1))
        merged = self.tensors[first]
        for site in range(first + 1, first + width):
            merged = np.tensordot(merged, self.tensors[site], 1)
            self.steps += 1
        return merged.reshape(merged.shape[0], 2**width, merged.shape[-1])

    def _split(self, merged: ComplexArray, first: int, width: int) -> None:
        """Back to one tensor per site, the centre on the last."""
        right = merged.shape[-1]
        self.steps += 1
        for site in range(first, first + width - 1):
            left = merged.shape[0]
            vectors, values, rest = _svd(merged.reshape(2 * left, -1))
            keep = self._truncate(values)
            self.tensors[site] = vectors[:, :keep].reshape(left, 2, keep)
            kept = values[:keep] / np.linalg.norm(values[:keep])
            merged = kept[:, None] * rest[:keep]
        self.tensors[first + width - 1] = merged.reshape(-1, 2, right)
        self.centre = first + width - 1

    def _truncate(self, values: FloatArray) -> int:
        """How many singular values stay; what goes is accounted for."""
        self.steps += 1
        tails = np.cumsum(values[::-1] ** 2)[::-1] / np.sum(values**2)  # share of what goes if the first j stay
        # A cut's part e of the tolerance is the distance √(2 − 2√(1 − w)), so that w may be e² − e⁴/4.
        part = max(0.0, self._tolerance - self.truncation) / max(1, self._cuts)
        self._cuts -= 1
        keep = min(max(1, int(np.count_nonzero(tails > max(DISCARDED, part**2 * (1 - part**2 / 4))))), self._bond)
        if keep < len(values):
            share = float(tails[keep])
            self.truncation += np.sqrt(2 * share / (1 + np.sqrt(1 - share)))  # √(2 − 2√(1 − w))
        self.largest_bond = max(self.largest_bond, keep)
        if self.truncation > LARGEST_ERROR:
            raise TaskError(
                f"the circuit entangles too much for matrix product states: {self._bond} Schmidt coefficients leave "
                f"a state error of {self.truncation:.2g}; MatrixProductState(bond={2 * self._bond}) keeps more, in "
                "eight times the time, and simulator='statevector' knows no such limit on few qubits"
            )
        return keep

    def _move(self, to: int) -> None:
        """Move the centre by decompositions that discard nothing."""
        while self.centre != to:
            here = self.tensors[self.centre]
            left, _, right = here.shape
            self.steps += 1
            if self.centre < to:
                isometry, rest = np.linalg.qr(here.reshape(2 * left, right))
                self.tensors[self.centre] = isometry.reshape(left, 2, -1)
                self.tensors[self.centre + 1] = np.tensordot(rest, self.tensors[self.centre + 1], 1)
                self.centre += 1
            else:
                isometry, rest = np.linalg.qr(here.reshape(left, 2 * right).conj().T)
                self.tensors[self.centre] = isometry.conj().T.reshape(-1, 2, right)
                self.tensors[self.centre - 1] = np.tensordot(self.tensors[self.centre - 1], rest.conj().T, 1)
                self.centre -= 1

    def _swap(self, site: int) -> None:
        merged = self._merged(site, 2)
        left, _, right = merged.shape
        self._split(merged.reshape(left, 2, 2, right).transpose(0, 2, 1, 3).reshape(left, 4, right), site, 2)


def _reversed(matrix: ComplexArray) -> ComplexArray:
    """A matrix on qubits with their order reversed."""
    width = len(matrix).bit_length() - 1
    axes = *range(width)[::-1], *range(width, 2 * width)[::-1]
    return matrix.reshape((2,) * 2 * width).transpose(axes).reshape(matrix.shape)


def _svd(matrix: ComplexArray) -> tuple[ComplexArray, FloatArray, ComplexArray]:
    try:
        return np.linalg.svd(matrix, full_matrices=False)
    except np.linalg.LinAlgError:  # the fast algorithm has not converged; the other one does
        return scipy.linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")


# -- a pass -------------------------------------------------------------------------------------------------------


class ChainPass:
    """One pass, sample after sample; the same calls as for a pass by statevectors (see `prefix`).

    Args:
        task: The task.
        qubits: The qubits that matter, in the order of the chain.
        samples: Indices of the samples.
        tolerance, bond: As of a state.

    Attributes:
        error: After `read`: limit of the error of a Pauli word's mean, over all samples (T7).
        truncation: Likewise the state error by truncation in it.
    """

    def __init__(
        self,
        task: Task,
        qubits: Sequence[int],
        samples: NDArray[np.intp],
        tolerance: float = 0.0,
        bond: int | None = None,
    ) -> None:
        if task.observables is None and len(task.measured_qubits) > OUTCOME_QUBITS:
            raise TaskError(
                f"matrix product states give outcome probabilities of at most {OUTCOME_QUBITS} qubits, the task "
                f"measures {len(task.measured_qubits)}; measure fewer, or give observables"
            )
        self.task, self.samples, self.tolerance, self.bond = task, samples, tolerance, bond
        self.error = self.truncation = 0.0
        self.place = {q: j for j, q in enumerate(qubits)}
        self.blocks = Blocks(task, samples, BLOCK_QUBITS)
        self.save_word, self.add = self.blocks.save_word, self.blocks.append

    def read(self, progress: bool) -> Readings:
        varies, total = self.blocks.varies, len(self.samples)
        parts = []
        with bar("simulating", "sample", progress, total=total) as shown:
            for row in range(total if varies else 1):  # without input all samples are the same state
                parts.append(self._sample(row))
                shown.update(1 if varies else total)
        values, means, variances, distributions, states = zip(*(parts if varies else parts * total), strict=True)
        # |Δ⟨P⟩| ≤ 2 ‖Δψ‖, and ⟨P⟩ itself is rounded
        self.error = float(max(2 * state.error + STEP_ROUNDING * len(self.place) for state in states))
        self.truncation = float(max(state.truncation for state in states))
        distribution = np.array(distributions) if self.task.observables is None else None
        return Readings(np.array(values).T, np.array(means).T, np.array(variances).T, distribution)

    def _sample(self, row: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None, MatrixProductState]:
        state = MatrixProductState(len(self.place), self.tolerance, sum(map(self._cuts, self.blocks.steps)), self.bond)
        values = np.empty(self.blocks.num_rows)
        for block in self.blocks.steps:
            self._run(state, block, row, values)
        task = self.task
        if task.observables is None:
            none = np.zeros(0)
            return values, none, none, state.distribution([self.place[q] for q in task.measured_qubits]), state
        read = [self._mean_and_variance(state, observable) for observable in task.observables]
        means, variances = (np.array(column) for column in zip(*read, strict=True))
        return values, means, variances, None, state

    def _cuts(self, block: Block) -> int:
        """How many decompositions that may discard something a block takes: swaps there and back, and the gate."""
        sites, acts = [self.place[q] for q in block.qubits], block.matrix is not None or block.diagonals is not None
        if not acts and not block.after:
            return 0
        swaps = sum(site - sites[0] - k for k, site in enumerate(sites))
        return 2 * swaps + (len(sites) - 1 if acts else 0)

    def _run(self, state: MatrixProductState, block: Block, row: int, values: FloatArray) -> None:
        sites = [self.place[q] for q in block.qubits]
        matrix = block.matrix
        if block.diagonals is not None:
            matrix = np.diag(block.diagonals[row if len(block.diagonals) > 1 else 0])
        if matrix is None and not block.after:
            for at, word in zip(block.rows, block.words, strict=True):
                values[at] = state.mean(self._on_sites(word))
            return
        if len(sites) > GATE_QUBITS:
            raise TaskError(
                f"a gate on {len(sites)} qubits is too wide for matrix product states, which take {GATE_QUBITS}; "
                "decompose it, or use simulator='statevector'"
            )
        state.bring_together(sites)
        if block.after:
            rho = state.reduced(sites[0], len(sites))
            values[block.rows] = [np.vdot(rho, operator).real for operator in block.operators]
        if matrix is not None:
            state.apply(matrix, sites[0])
        state.bring_back(sites)

    def _mean_and_variance(self, state: MatrixProductState, observable: SparsePauliOp) -> tuple[float, float]:
        """⟨O⟩ without the identity's part, and ⟨O²⟩ − ⟨O⟩² or NaN where it costs too much."""
        qubits = tuple(self.place)
        rest = restricted(without_identity(observable)[1], qubits)
        words = words_of(rest, qubits)
        words.pop((), None)
        mean = self._sum(state, words)
        if len(words) ** 2 > VARIANCE_WORDS:
            return mean, np.nan
        square = words_of((rest @ rest).simplify(atol=0), qubits)
        return mean, square.pop((), 0.0) + self._sum(state, square) - mean**2

    def _sum(self, state: MatrixProductState, words: dict[Word, float]) -> float:
        ordered = sorted(words.items(), key=lambda item: item[0])  # so that the centre moves little
        return float(sum(c * state.mean(self._on_sites(word)) for word, c in ordered))

    def _on_sites(self, word: Word) -> Word:
        return tuple((self.place[q], letter) for q, letter in word)
