"""The pair of one-qubit gates that stands in best for a two-qubit gate, on the states it meets.

On sample i the overlap of G with A ⊗ B is o_i = Tr[ρ_i G†(A ⊗ B)]. Least Σ p_i d_i², d_i² = 2 − 2|o_i|, is largest
Σ p_i |o_i|; at fixed phases of the o_i that is linear in A and in B, and the best A for a given B is a polar factor.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from qiskit.circuit import Instruction
from qiskit.circuit.library import RXGate, RYGate, RZGate, UGate
from qiskit.synthesis import OneQubitEulerDecomposer

from qprune._arrays import ComplexArray, FloatArray
from qprune.gates.matrices import local_cliffords
from qprune.gates.sites import Replacement

STARTS = 8  # of the products of Cliffords, the best to climb from
STEPS, SETTLED = 500, 1e-14  # updates of either factor at most; a smaller increase of Σ p_i |o_i|, of 1, ends them
# Components of a rotation's axis, of norm one, times the sine of half its angle, that are taken for zero. What is left
# is the candidate: distance and angle are those of the gate as it is written.
AXIS = 1e-6
FACTORS = [(low, high) for low in "1ZU" for high in "1ZU"][
    1:
]  # what each factor may be: one, a rotation about Z, anything
_EULER = OneQubitEulerDecomposer("U3")


def best_pairs(states: ComplexArray, gate: ComplexArray, weights: FloatArray) -> tuple[ComplexArray, FloatArray]:
    """The best Cliffords and local maxima of Σ p_i |Tr[ρ_i G†(A ⊗ B)]|, A or B also left out or mere rotations about Z.

    Each step gives one factor its best value for the phases and the other factor at hand, so that the sum never falls.
    The starts are the best products of Cliffords; no climb is certain to reach the global maximum.

    Args:
        states: ρ_i, first qubit least significant, shape (M, 4, 4).
        gate: G, likewise, shape (4, 4).
        weights: p_i, shape (M,).

    Returns:
        Factors on the first and the second qubit, shape (pairs, 2, 2, 2), and what each pair reaches, in [0, 1].
    """
    overlaps = (states @ gate.conj().T).reshape(len(states), 16)
    found = [_climb(overlaps, weights, kinds) for kinds in FACTORS]
    return np.concatenate([pairs for pairs, _ in found]), np.concatenate([values for _, values in found])


def _climb(overlaps: ComplexArray, weights: FloatArray, kinds: tuple[str, str]) -> tuple[ComplexArray, FloatArray]:
    pairs = _products(kinds)
    reached = np.abs(_overlaps(overlaps, pairs)) @ weights
    best = np.argsort(-reached, kind="stable")[:STARTS]
    first, pairs = (pairs[best[:1]], reached[best[:1]]), pairs[best]
    before = np.full(len(pairs), -1.0)
    for _ in range(STEPS):
        for j, kind in enumerate(kinds):
            if kind == "1":
                continue
            phases = np.exp(-1j * np.angle(_overlaps(overlaps, pairs)))
            total = ((phases * weights) @ overlaps).reshape(-1, 2, 2, 2, 2)  # [start, b, a, b', a']
            slopes = np.einsum("sbaij,sib->saj" if j == 0 else "sbaij,sja->sbi", total, pairs[:, 1 - j])
            left, _, right = np.linalg.svd(slopes * np.eye(2) if kind == "Z" else slopes)
            pairs[:, j] = np.conj(np.swapaxes(left @ right, 1, 2))
        reached = np.abs(_overlaps(overlaps, pairs)) @ weights
        if np.all(reached - before < SETTLED):
            break
        before = reached
    # A Clifford that nothing surpasses is given first, as a climb may leave it for another pair as good.
    return np.concatenate([first[0], pairs]), np.concatenate([first[1], reached])


@cache
def _products(kinds: tuple[str, str]) -> ComplexArray:
    """All products of one-qubit Cliffords of these kinds, shape (products, 2, 2, 2)."""
    single = local_cliffords(1)
    diagonal = [j for j, matrix in enumerate(single) if np.allclose(matrix, np.diag(np.diag(matrix)))]
    choices = {"1": [0], "Z": diagonal, "U": list(range(len(single)))}
    return np.array([single[list(chosen)] for chosen in product(*(choices[kind] for kind in kinds))])


def _overlaps(overlaps: ComplexArray, pairs: ComplexArray) -> ComplexArray:
    """Tr[ρ_i G†(A ⊗ B)] for every pair and sample, shape (pairs, M)."""
    products = np.einsum("sib,sja->sbaij", pairs[:, 1], pairs[:, 0]).reshape(len(pairs), 16)
    return products @ overlaps.T


def mean_overlap(states: ComplexArray, gate: ComplexArray, weights: FloatArray) -> float:
    """Σ p_i |Tr[ρ_i G†]|, what the identity reaches."""
    return float(np.abs(np.einsum("mij,ij->m", states, gate.conj())) @ weights)


def written(pair: ComplexArray, qubits: tuple[int, ...]) -> Replacement:
    """One gate for each factor that is not the identity, up to phase: a rotation about X, Y or Z, else `u`."""
    gates = ((_gate(matrix, q), (q,)) for matrix, q in zip(pair, qubits, strict=True))
    return tuple((operation, where) for operation, where in gates if operation is not None)


def product_of(by: Replacement, qubits: tuple[int, ...]) -> ComplexArray:
    """The matrix of what `written` gives, first qubit least significant."""
    factors = {q: operation.to_matrix() for operation, (q,) in by}
    low, high = (factors.get(q, np.eye(2)) for q in qubits)
    return np.kron(high, low)


def _gate(matrix: ComplexArray, qubit: int) -> Instruction | None:
    unitary = matrix / np.sqrt(np.linalg.det(matrix))
    cosine, axis = np.trace(unitary).real / 2, -np.einsum("kij,ji->k", _PAULIS, unitary).imag / 2
    along = np.flatnonzero(np.abs(axis) > AXIS)
    if not len(along):
        return None
    if len(along) > 1:
        return UGate(*map(float, _EULER.angles(unitary)))
    angle = 2 * np.arctan2(axis[along[0]] * np.copysign(1, cosine), abs(cosine))
    return _ROTATIONS[along[0]](float(angle))


_PAULIS = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ROTATIONS = (RXGate, RYGate, RZGate)
