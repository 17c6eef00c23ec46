"""What is measured at the end, as the engine reads it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

LARGEST_DISTRIBUTION = 6  # measured qubits up to which every outcome probability is an output of its own


class Readout:
    """The observables, or the outcomes, on the qubits of a register (the first qubit is its lowest bit).

    Attributes:
        size: R, their number.

    Raises:
        OptionError: Probabilities of more qubits than can be looked at one by one.
    """

    def __init__(self, task: Task, qubits: list[int]) -> None:
        self.diagonals: FloatArray = np.zeros((0, 2 ** len(qubits)))
        self.matrices: list[scipy.sparse.coo_array] = []
        if task.observables is None:
            self.diagonals = _outcomes(task, qubits)
        else:
            rests = [restricted(without_identity(o)[1], qubits) for o in task.observables]
            found = [rest.to_matrix(sparse=True, force_serial=True) for rest in rests]
            if all(abs(m - scipy.sparse.diags_array(m.diagonal())).sum() == 0 for m in found):
                self.diagonals = np.array([m.diagonal().real for m in found]).reshape(len(found), -1)
            else:
                self.matrices = [scipy.sparse.coo_array(m) for m in found]
        self.size = len(self.diagonals) or len(self.matrices)

    def arranged(
        self, permutation: NDArray[np.int64]
    ) -> tuple[FloatArray, NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
        """Diagonals, and entries, their values and where each observable's begin, for permuted basis states."""
        diagonals = np.empty_like(self.diagonals)
        diagonals[:, permutation] = self.diagonals
        if not self.matrices:
            return diagonals, np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=complex), np.zeros(1, dtype=np.int64)
        entries = np.concatenate([permutation[np.stack([m.row, m.col], axis=1)] for m in self.matrices])
        numbers = np.concatenate([m.data for m in self.matrices]).astype(complex)
        starts = np.cumsum([0, *(m.nnz for m in self.matrices)]).astype(np.int64)
        return diagonals, entries, numbers, starts


def _outcomes(task: Task, qubits: list[int]) -> FloatArray:
    """Which basis states belong to which outcome, shape (outcomes, 2^n)."""
    place = {q: j for j, q in enumerate(qubits)}
    size = len(task.measured_qubits)
    if size > LARGEST_DISTRIBUTION:
        raise OptionError(
            f"every outcome's probability is an output of its own here, of at most {LARGEST_DISTRIBUTION} measured "
            f"qubits, got {size}; measure fewer, or give observables"
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
