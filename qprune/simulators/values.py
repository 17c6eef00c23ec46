"""What a pass through a circuit gives: expectation values before gates, and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from qprune._arrays import FloatArray
from qprune._rounding import EPSILON, EXPECTATION_ROUNDING
from qprune.errors import TaskError
from qprune.gates.sites import Word
from qprune.task.task import Task

AT_ONCE = 2**15  # amplitudes that are worked on together: half a megabyte, which stays in a core's own cache


class Readings(NamedTuple):
    """What a pass has read: V values, R observables, M samples.

    Attributes:
        values: Saved means of Pauli words, shape (V, M).
        means: ⟨O_r⟩ in the final state, the identity's coefficient left out, shape (R, M).
        variances: ⟨O_r²⟩ − ⟨O_r⟩², shape (R, M); NaN where it was not measured.
        distribution: Outcome probabilities, shape (M, 2^m), where there are no observables.
    """

    values: FloatArray
    means: FloatArray
    variances: FloatArray
    distribution: FloatArray | None


SMALL = 2**24  # bytes that are there without asking


@dataclass(frozen=True)
class Outputs:
    """What the task measures, per sample, in the final state.

    Attributes:
        centred: ⟨O_r⟩ − c_r by output and sample, shape (R, M), c_r the coefficient of the identity: beside a large one
            the rest would be rounded away. Empty for probabilities.
        centres: c_r, shape (R, 1).
        deviations: σ_O or an upper limit of it, shape (R, M).
        distribution: Outcome probabilities, shape (M, 2^m), outcome bit j from measured qubit j; or None.
        rounding: Limit of the error of a Pauli word's mean, by rounding and whatever else the simulator does.
        truncation: The state error ‖ψ − ψ'‖ in it, where Schmidt coefficients were discarded.
        estimates: Number of measured values, 0 where all were computed.
        failure: Probability that any of them is further off.
    """

    centred: FloatArray
    centres: FloatArray
    deviations: FloatArray
    distribution: FloatArray | None
    rounding: float
    truncation: float = 0.0
    estimates: int = 0
    failure: float = 0.0

    @property
    def means(self) -> FloatArray:
        """⟨O_r⟩ by output and sample, shape (R, M)."""
        return self.centred + self.centres


@dataclass(frozen=True)
class Prefix:
    """Expectation values in prefix states, and the outputs of the same run.

    Attributes:
        values: ⟨P⟩ by distinct saved value and sample, shape (V, M).
        index: Row of `values` for (site index, Pauli word).
        outputs: Final outputs.
    """

    values: FloatArray
    index: dict[tuple[int, Word], int]
    outputs: Outputs

    @property
    def num_expectations(self) -> int:
        """Expectation values per sample, V: the cost counted by T3."""
        return len(self.values)

    def expectation(self, site: int, word: Word) -> FloatArray:
        """⟨P⟩ right before a site, shape (M,)."""
        return self.values[self.index[site, word]]


def expectation_rounding(num_qubits: int, num_gates: int, together: int = AT_ONCE) -> float:
    """Limit of the rounding error of an expectation value.

    A sum of k terms in any order is off by at most k/2 units in the last place of what the terms' absolute values add
    up to, here 1. Gates add √N rather than N roundings (measured: 0.8 √N units), so that N/16 is safe where it exceeds
    what is allowed anyway.

    Args:
        num_qubits: n; 2^n terms are added.
        num_gates: N.
        together: Terms of one sum; the sums are then added.
    """
    terms = 2.0**num_qubits
    units = max(EXPECTATION_ROUNDING / EPSILON, num_gates / 16) + (min(terms, together) + terms / together) / 2
    return float(units * EPSILON)


def outputs_of(task: Task, read: Readings, rounding: float, **source: Any) -> Outputs:
    """What was read at the end, with σ or its limit; `source` are further fields of `Outputs`."""
    variances = read.variances.copy()
    for r, spectrum in enumerate(task.spectra):
        # The Bhatia-Davis limit for any spectrum; an equality for two eigenvalues, 1 − ⟨O⟩² for ±1.
        limit = (spectrum.high - read.means[r]) * (read.means[r] - spectrum.low)
        variances[r] = limit if spectrum.is_two_valued else np.where(np.isnan(variances[r]), limit, variances[r])
    centres = np.array([[spectrum.centre] for spectrum in task.spectra]).reshape(-1, 1)
    return Outputs(read.means, centres, np.sqrt(np.maximum(variances, 0)), read.distribution, rounding, **source)


def statevector_memory(num_qubits: int, copies: int = 2) -> int:
    """Bytes of statevectors; a pass holds two at its peak, as a state is copied where a qubit joins it."""
    return 16 * 2**num_qubits * copies


def chain_memory(length: int, bond: int) -> int:
    """Bytes of a matrix product state all of whose bonds are as large as they may be, while one is decomposed.

    Merged tensors, their factors and the workspace of the decomposition come to some twenty of them, 32 with a margin.
    """
    bonds = [min(2 ** min(k, length - k), bond) for k in range(length + 1)]
    tensors = [32 * left * right for left, right in pairwise(bonds)]
    return sum(tensors) + 32 * max(tensors)


def check_memory(num_qubits: int, copies: int) -> None:
    """Refuse statevectors that do not fit into memory, before anything is simulated."""
    check_fits(
        statevector_memory(num_qubits, copies),
        f"a statevector of {num_qubits} qubits{f', {copies} at a time,' if copies > 1 else ''}",
        "use fewer threads, a larger machine, observables whose light cone has fewer qubits, or, for circuits that "
        "entangle little, simulator=MatrixProductState()",
    )


def check_chain_memory(length: int, bond: int) -> None:
    """Likewise matrix product states."""
    check_fits(
        chain_memory(length, bond),
        f"a matrix product state of {length} qubits with up to {bond} Schmidt coefficients",
        "give MatrixProductState a smaller bond",
    )


def check_fits(needed: int, what: str, instead: str) -> None:
    """Refuse what takes more bytes than are free, up to a tenth of them.

    Raises:
        TaskError: Says what, how much, and what to do instead.
    """
    if needed < SMALL:
        return
    import psutil

    available = psutil.virtual_memory().available
    if needed > 0.9 * available:
        raise TaskError(f"{what} needs {_size(needed)} of memory and {_size(available)} are free; {instead}")


def _size(num_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.3g} PiB"
