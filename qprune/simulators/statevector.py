"""The states of many samples side by side in one Aer statevector, and what is read from them.

The number of the sample stands on the highest qubits, so that one Aer gate serves all samples at once, and a gate that
differs between samples is diagonal in the right basis. Qubits that nothing has entangled yet are kept apart: a
register is only as large as the circuit has made it so far. Aer works on memory that NumPy sees, so that nothing is
copied to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import ComplexArray, FloatArray
from qprune._progress import bar
from qprune.gates.sites import Word, pauli_label, words_of
from qprune.simulators.blocks import LARGEST, Block, Blocks
from qprune.simulators.values import AT_ONCE, Readings
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

if TYPE_CHECKING:
    from qiskit_aer.quantum_info.states.aer_state import AerState


class EnsemblePass:
    """One pass through Aer for all samples.

    Args:
        task: The task.
        qubits: The qubits that matter.
        samples: Indices of the samples.
    """

    def __init__(self, task: Task, qubits: Sequence[int], samples: NDArray[np.intp]) -> None:
        self.task, self.qubits, self.samples = task, tuple(qubits), samples
        self.blocks = Blocks(task, samples)
        self.save_word, self.add = self.blocks.save_word, self.blocks.append

    def read(self, progress: bool) -> Readings:
        """Simulate as many samples at a time as fit into the cache."""
        task, wanted = self.task, self.blocks.num_rows
        outputs = [_Output(task, r, self.blocks) for r in range(len(task.observables or ()))]
        to_the_end = task.observables is None or any(output.sums is None for output in outputs)
        steps = self.blocks.steps if to_the_end else self.blocks.steps_to_the_last_reading()
        total = len(self.samples) if self.blocks.varies else 1  # without input all samples are the same state
        largest = max(1, AT_ONCE >> len(self.qubits))
        chunks = []
        with bar("simulating", "sample", progress, total=len(self.samples)) as shown:
            for start in range(0, total, largest):
                rows = np.arange(start, min(start + largest, total))
                chunks.append(self._chunk(steps, outputs, rows))
                shown.update(len(rows) if total > 1 else len(self.samples))
        values, means, variances, distribution = (
            np.repeat(np.concatenate(parts, axis=-1), len(self.samples) // total, axis=-1)
            for parts in zip(*chunks, strict=True)
        )
        return Readings(values[:wanted], means, variances, distribution.T if task.observables is None else None)

    def _chunk(
        self, steps: Sequence[Block], outputs: Sequence[_Output], rows: NDArray[np.intp]
    ) -> tuple[FloatArray, ...]:
        """Values, means, variances and distribution of some samples, which are the last axis of each."""
        measured, count = self.task.measured_qubits, 1 << (len(rows) - 1).bit_length()
        values, padded = np.empty((self.blocks.num_rows, count)), np.resize(rows, count)
        means, variances = np.empty((2, len(outputs), count))
        distribution = np.empty((0, count))
        with Ensemble(self.qubits, count) as ensemble:
            for block in steps:
                ensemble.run(block, padded, values)
            for r, output in enumerate(outputs):
                means[r], variances[r] = output.moments(values, ensemble)
            if self.task.observables is None:
                distribution = ensemble.part(measured).probabilities(measured).T
        return tuple(array[:, : len(rows)] for array in (values, means, variances, distribution))


class _Output:
    """Mean and variance of an observable: from values of the pass where it acts on few qubits, else from the state."""

    def __init__(self, task: Task, r: int, blocks: Blocks) -> None:
        observable, self.support = (task.observables or ())[r], task.output_supports[r]
        # A large constant would cancel in ⟨O²⟩ − ⟨O⟩² and take the variance with it.
        _, self.rest = without_identity(observable)
        self.sums: list[_Sum] | None = None
        if len(self.support) <= LARGEST:
            qubits = self.support or (0,)  # a constant acts on none; any will do
            local = restricted(self.rest, qubits)
            self.sums = [_Sum(words_of(power, qubits), blocks) for power in (local, local @ local)]

    def moments(self, values: FloatArray, ensemble: Ensemble) -> tuple[FloatArray, FloatArray]:
        if self.sums is None:
            part = ensemble.part(self.support)
            mean, square = part.moments(restricted(self.rest, part.qubits))
        else:
            mean, square = (total.of(values) for total in self.sums)
        return mean, square - mean**2


class _Sum:
    """A Pauli sum whose words are among a pass's values."""

    def __init__(self, words: Mapping[Word, float], blocks: Blocks) -> None:
        self.constant = words.get((), 0.0)
        self.rows = [blocks.save_word(word) for word in words if word]
        self.coefficients = np.array([coefficient for word, coefficient in words.items() if word])

    def of(self, values: FloatArray) -> FloatArray:
        return self.constant + np.vecdot(np.ascontiguousarray(values[self.rows].T), self.coefficients)


class Ensemble:
    """States of K samples, a power of two, all |0…0⟩ at first; to be used in a `with`, which gives Aer's hold back.

    Args:
        qubits: The circuit's qubits.
        count: K.
    """

    def __init__(self, qubits: Sequence[int], count: int) -> None:
        zero = np.zeros((count, 2), dtype=complex)
        zero[:, 0] = 1
        self._part = {q: _Part((q,), zero) for q in qubits}

    def __enter__(self) -> Ensemble:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._part.values():
            part.release()

    def run(self, block: Block, samples: NDArray[np.intp], values: FloatArray) -> None:
        """Read a block's values into `values`, shape (V, K), and apply it.

        Args:
            block: The block.
            samples: Which of its diagonals belong to the K states.
            values: Is written to.
        """
        part = self.part(block.qubits)
        if len(block.qubits) > LARGEST:
            for row, word in zip(block.rows, block.words, strict=True):
                values[row] = part.mean(word)
        elif block.rows:
            size = 4 ** len(block.qubits)
            reduced, operators = part.reduced(block.qubits).reshape(-1, 1, size), block.operators.reshape(-1, size)
            # Products of their own for each value and sample: no result depends on its neighbours, to the last bit.
            values[block.rows] = np.vecdot(reduced, operators).real.T
        if block.matrix is not None:
            part.apply(block.matrix, block.qubits)
        elif block.diagonals is not None:
            part.apply_diagonals(block.diagonals[samples if len(block.diagonals) > 1 else slice(None)], block.qubits)

    def part(self, qubits: Sequence[int]) -> _Part:
        """The part of the register that holds these qubits, made one if they are in several."""
        first, *others = dict.fromkeys(self._part[q] for q in qubits)
        for other in others:
            first = first.with_part(other)
            self._part.update(dict.fromkeys(first.qubits, first))
        return first


class _Part:
    """Qubits that may be entangled with one another, and with no others.

    Args:
        qubits: The first is the least significant.
        states: Amplitudes, shape (K, 2^k).
    """

    def __init__(self, qubits: tuple[int, ...], states: ComplexArray) -> None:
        self.qubits, self.states = qubits, states
        self.place = {q: j for j, q in enumerate(qubits)}
        self._native: AerState | None = None

    def with_part(self, other: _Part) -> _Part:
        self.release()
        other.release()
        product = other.states[:, :, None] * self.states[:, None, :]
        return _Part(self.qubits + other.qubits, product.reshape(len(product), -1))

    def release(self) -> None:
        """Without this Aer and NumPy would both free the memory."""
        if self._native is not None:
            self._native.close()
            self._native = None

    @property
    def _aer(self) -> AerState:
        if self._native is None:
            from qiskit_aer.quantum_info.states.aer_state import AerState

            native = AerState(method="statevector", fusion_enable=False)
            if native.initialize(self.states.reshape(-1), copy=False):
                raise RuntimeError("Aer made a copy of the state instead of working on it; this release does not suit")
            self._native = native
        return self._native

    def apply(self, matrix: ComplexArray, qubits: Sequence[int]) -> None:
        """One matrix on every sample."""
        if len(self.qubits) == 1:
            self.states = (self.states[:, None, :] * matrix).sum(axis=-1)
            return
        self._aer.apply_unitary([self.place[q] for q in qubits], matrix)
        self._aer.flush()

    def apply_diagonals(self, diagonals: ComplexArray, qubits: Sequence[int]) -> None:
        """A diagonal for each sample, shape (K, d), or one for all, (1, d)."""
        if len(self.qubits) == 1:
            self.states = self.states * diagonals
            return
        samples = range(len(self.qubits), len(self.qubits) + len(diagonals).bit_length() - 1)
        self._aer.apply_diagonal([*(self.place[q] for q in qubits), *samples], diagonals.reshape(-1))
        self._aer.flush()

    def reduced(self, qubits: Sequence[int]) -> ComplexArray:
        """Reduced states, shape (K, d, d), the first qubit least significant."""
        count, width = len(self.states), len(self.qubits)
        axes = [width - self.place[q] for q in reversed(qubits)]
        others = [axis for axis in range(1, width + 1) if axis not in axes]
        # Large states go through the cache piece by piece: the others' highest qubits say which piece.
        pieces = others[: max(0, (self.states.size // AT_ONCE).bit_length() - 1)]
        view = self.states.reshape((count,) + (2,) * width).transpose(*pieces, 0, *axes, *others[len(pieces) :])
        total = np.zeros((count, 2 ** len(qubits), 2 ** len(qubits)), dtype=complex)
        for piece in np.ndindex(*view.shape[: len(pieces)]):
            states = np.ascontiguousarray(view[piece].reshape(count, 2 ** len(qubits), -1))
            total += states @ states.conj().transpose(0, 2, 1)
        return total

    def mean(self, word: Word) -> FloatArray:
        """⟨P⟩ of every sample, for a word of any length."""
        label, qubits = pauli_label(word)
        places = [self.place[q] for q in qubits]
        return self.moments(SparsePauliOp.from_sparse_list([(label[::-1], places, 1.0)], len(self.qubits)))[0]

    def moments(self, operator: SparsePauliOp) -> tuple[FloatArray, FloatArray]:
        """⟨O⟩ and ⟨O²⟩ of every sample, for a Hermitian Pauli sum on the part's qubits in their order.

        A word i^|x∧z| X^x Z^z takes the amplitude at t ⊕ x to t, with the sign (−1)^(z·t) and the factor (−i)^|x∧z|.
        """
        flips, signs = (np.packbits(m, axis=1, bitorder="little") for m in (operator.paulis.x, operator.paulis.z))
        low = min(len(self.qubits), AT_ONCE.bit_length() - 1)
        index = np.arange(2**low)
        pieces = self.states.reshape(len(self.states), -1, 2**low)
        groups: dict[int, list[tuple[int, complex]]] = {}
        for flip, sign, coefficient in zip(flips, signs, operator.coeffs.real, strict=True):
            x, z = int.from_bytes(flip, "little"), int.from_bytes(sign, "little")
            groups.setdefault(x, []).append((z, coefficient * (-1j) ** (x & z).bit_count()))
        mean, square = np.zeros((2, len(self.states)))
        for piece in range(pieces.shape[1]):
            image = np.zeros((len(pieces), 2**low), dtype=complex)
            for x, terms in groups.items():
                factors = np.zeros(2**low, dtype=complex)
                for z, coefficient in terms:
                    factors += coefficient * (-1) ** (z >> low & piece).bit_count() * _signs(z & 2**low - 1, low)
                source = pieces[:, piece ^ x >> low]
                image += factors * (source[:, index ^ x & 2**low - 1] if x & 2**low - 1 else source)
            mean += np.vecdot(pieces[:, piece], image).real
            square += np.vecdot(image, image).real
        return mean, square

    def probabilities(self, qubits: Sequence[int]) -> FloatArray:
        """Of the outcomes of measuring some qubits, shape (K, 2^m), the first qubit least significant."""
        width = len(self.qubits)
        axes = [width - self.place[q] for q in reversed(qubits)]
        others = tuple(axis for axis in range(1, width + 1) if axis not in axes)
        chances = (np.abs(self.states) ** 2).reshape((len(self.states),) + (2,) * width)
        return chances.transpose(0, *axes, *others).reshape(len(chances), 2 ** len(qubits), -1).sum(axis=-1)


@lru_cache(maxsize=64)
def _signs(z: int, low: int) -> NDArray[np.int8]:
    """(−1)^(z·t) for every t below 2^low."""
    return (1 - 2 * (np.bitwise_count(np.arange(2**low) & z) & 1).astype(np.int8)).astype(np.int8)
