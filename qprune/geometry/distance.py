"""From expectation values and group coordinates to q-overlaps, distances d_q and angles (THEORY section 3).

Everything follows from one identity. If V = G†A has eigenphases φ_j and the state gives its eigenspaces the
probabilities p_j, then o = Σ p_j e^{iφ_j} and

    1 − |o|² = Σ_{j<l} 4 p_j p_l sin²((φ_j − φ_l)/2),

a sum of non-negative terms, so that nothing cancels when gates nearly agree. The closed forms of THEORY section 3
are its special cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from qiskit.quantum_info import Pauli

from qprune._arrays import ComplexArray, FloatArray
from qprune._rounding import EXPECTATION_ROUNDING
from qprune.gates.sites import Word, off_diagonal_weight
from qprune.gates.subgroups import Subgroup
from qprune.geometry.q_numbers import deformation


@dataclass(frozen=True)
class Distances:
    """A gate compared with a candidate.

    Attributes:
        deformed: d_q = √(2 − 2|o_q|) per sample, in [0, √2]; from measured expectations its upper limit.
        angle: Upper limit of the undeformed Fubini-Study angle θ = arccos|o_1| per sample, radians in [0, π/2].
        low: Lower limit of d_q, from measured expectations.
    """

    deformed: FloatArray
    angle: FloatArray
    low: FloatArray | None = None

    def at(self, candidate: int) -> Distances:
        """One row of arrays (C, M)."""
        low = None if self.low is None else self.low[candidate]
        return Distances(self.deformed[candidate], self.angle[candidate], low)

    @classmethod
    def joined(cls, each: Sequence[Distances], join: Callable[[Sequence[FloatArray]], FloatArray]) -> Distances:
        """Several as one, by `np.stack` or `np.concatenate`."""
        low = [d.low for d in each if d.low is not None]
        return cls(join([d.deformed for d in each]), join([d.angle for d in each]), join(low) if low else None)


Expectation = Callable[[Word], FloatArray]


def compare_members(
    group: Subgroup,
    expectation: Expectation,
    shift: FloatArray | float,
    eta: float,
    rounding: float = EXPECTATION_ROUNDING,
    by_shots: bool = False,
) -> Distances:
    """Distance between members t and t + shift of a one-parameter subgroup.

    Args:
        group: The subgroup, with generator A = Σ a_j Π_j; overlap o = Σ_j p_j exp(−i·shift·a_j).
        expectation: Prefix expectation ⟨P⟩ of each of `group.words`, shape (M,).
        shift: δ, radians: a number, one per sample (M,), or one per candidate (C, 1).
        eta: η in [0, 1]; words with w letters X or Y are scaled by η^w.
        rounding: Limit of the error of an expectation value; the angle allows for it.
        by_shots: Whether d_q shall allow for it too, as it then is no mere rounding.

    Returns:
        Arrays of shape (M,), or (C, M).

    Source: THEORY section 3.
    """
    deformed = _spectral_probabilities(group, expectation, eta)
    # The only source of angles, hence of bounds; η, and with it noise, stays out (`test_no_bound_depends_on_noise`).
    ordinary = deformed if eta == 1 else _spectral_probabilities(group, expectation, 1.0)
    phases = [-np.asarray(shift) * a for a in group.eigenvalues]
    errors = [rounding * sum(abs(c) for word, c in projector.items() if word) for projector in group.projectors]
    return _distances(deformed, ordinary, phases, errors, by_shots)


def compare_matrices(
    group: Subgroup,
    expectation: Expectation,
    relative: ComplexArray,
    eta: float,
    rounding: float = EXPECTATION_ROUNDING,
    by_shots: bool = False,
) -> Distances:
    """Distance between two members of SU(2) or SU(4).

    Args:
        group: The subgroup; its Pauli words fix the reduced state ρ.
        expectation: As in `compare_members`.
        relative: V = G†A on the class's qubits, first qubit least significant, shape (d, d).
        eta: As in `compare_members`.
        rounding: As in `compare_members`; a probability read from up to 15 of them may be off by twice as much.
        by_shots: As in `compare_members`.

    Source: THEORY section 3.
    """
    # Schur rather than eig: the eigenvectors of a unitary with repeated eigenvalues stay orthonormal.
    triangle, vectors = scipy.linalg.schur(relative, output="complex")
    phases = [np.asarray(phase) for phase in np.angle(np.diag(triangle))]
    probabilities = []
    for value in (eta, 1.0):
        states = reduced_states(group, expectation, value)
        probabilities.append(np.einsum("aj,mab,bj->jm", vectors.conj(), states, vectors).real)
    return _distances(probabilities[0], probabilities[1], phases, [2 * rounding] * len(phases), by_shots)


def _distances(
    deformed: FloatArray, ordinary: FloatArray, phases: list[FloatArray], errors: list[float], by_shots: bool
) -> Distances:
    sine = np.sqrt(np.minimum(_sine_squared(ordinary, phases, errors), 1))
    distance = _chord(_sine_squared(deformed, phases, errors if by_shots else [0.0] * len(phases)))
    low = _chord(_sine_squared(deformed, phases, [-error for error in errors])) if by_shots else None
    return Distances(distance, np.arcsin(sine), low)


def _chord(sine_squared: FloatArray) -> FloatArray:
    """√(2 − 2√(1 − s²)) written so that small s keeps its digits."""
    square = np.minimum(sine_squared, 1)
    return np.sqrt(2 * square / (1 + np.sqrt(1 - square)))


def _sine_squared(probabilities: FloatArray, phases: list[FloatArray], errors: list[float]) -> FloatArray:
    """1 − |Σ p_j e^{iφ_j}|² as a sum of non-negative terms, with every p_j raised by what it may be off."""
    raised = [np.maximum(np.maximum(p, 0) + error, 0) for p, error in zip(probabilities, errors, strict=True)]
    terms = [
        4 * raised[j] * raised[k] * np.sin((phases[j] - phases[k]) / 2) ** 2
        for j in range(len(phases))
        for k in range(j)
    ]
    return np.sum(np.broadcast_arrays(*terms), axis=0)


def _spectral_probabilities(group: Subgroup, expectation: Expectation, eta: float) -> FloatArray:
    """p_j = Tr[D_η(ρ) Π_j], shape (number of eigenvalues, M)."""
    rows = []
    for projector in group.projectors:
        row: FloatArray | float = 0.0
        for word, coefficient in projector.items():
            mean = expectation(word) * deformation(eta, off_diagonal_weight(word)) if word else 1.0
            row = row + coefficient * mean
        rows.append(row)
    return np.array(np.broadcast_arrays(*rows))


def reduced_states(group: Subgroup, expectation: Expectation, eta: float) -> ComplexArray:
    """D_η(ρ) on the class's qubits from its Pauli expectations, shape (M, d, d)."""
    size = 2 ** len(group.qubits)
    place = {q: j for j, q in enumerate(group.qubits)}
    total: ComplexArray = np.eye(size, dtype=complex)[None]
    for word in group.words:
        label = ["I"] * len(place)
        for q, letter in word:
            label[-1 - place[q]] = letter
        mean = expectation(word) * deformation(eta, off_diagonal_weight(word))
        total = total + mean[:, None, None] * Pauli("".join(label)).to_matrix()
    return total / size
