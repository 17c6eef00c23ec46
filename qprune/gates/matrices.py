"""Matrices of gates, and gates for matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from qiskit.circuit import Instruction
from qiskit.circuit.library import HGate, PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import Operator

from qprune._arrays import ComplexArray
from qprune._rounding import MATRIX_ROUNDING


def unitary_of(gates: Iterable[tuple[Instruction, Sequence[int]]], qubits: Sequence[int]) -> ComplexArray:
    """The unitary of gates one after the other, shape (2^n, 2^n).

    Args:
        gates: Instructions without free parameters, each with its qubits, in the order they act.
        qubits: n qubits that hold all of them; the first is the least significant.
    """
    size = len(qubits)
    axis = {q: size - 1 - j for j, q in enumerate(qubits)}  # the most significant qubit has the first axis
    total: ComplexArray = np.eye(2**size, dtype=complex).reshape((2,) * size + (-1,))
    for operation, where in gates:
        axes, inputs = [axis[q] for q in reversed(where)], range(len(where), 2 * len(where))
        gate = _matrix(operation).reshape((2,) * 2 * len(where))
        total = np.moveaxis(np.tensordot(gate, total, (inputs, axes)), range(len(where)), axes)
    return total.reshape(2**size, 2**size)


def _matrix(operation: Instruction) -> ComplexArray:
    """Of a Pauli evolution its definition counts, as it runs: large times spoil the exponential that is its matrix."""
    return Operator(operation.definition if isinstance(operation, PauliEvolutionGate) else operation).data


def is_product(matrix: ComplexArray) -> bool:
    """Whether a matrix on qubits is a tensor product of one-qubit matrices, to rounding."""
    size = len(matrix).bit_length() - 1
    tensor = matrix.reshape((2,) * 2 * size)
    each = (np.moveaxis(tensor, (axis, size + axis), (0, 1)).reshape(4, -1) for axis in range(size))
    return all(np.linalg.svd(entries, compute_uv=False)[1:].max(initial=0) < MATRIX_ROUNDING for entries in each)


@cache
def local_cliffords(num_qubits: int) -> ComplexArray:
    """The 24 one-qubit Cliffords, or their 576 tensor squares, shape (24^n, 2^n, 2^n); the identity is first.

    On two qubits only products: a replacement by one of them also saves the two-qubit gate.
    """
    hadamard, phase = HGate().to_matrix(), np.diag([1, 1j])
    found: list[ComplexArray] = [np.eye(2, dtype=complex)]
    for element in found:  # grows while it is walked: closure under both generators
        for generator in (hadamard, phase):
            candidate = generator @ element
            if all(abs(np.trace(known.conj().T @ candidate)) < 1.9 for known in found):  # of different ones ≤ √2
                found.append(candidate)
    single = np.array(found)
    return single if num_qubits == 1 else np.array([np.kron(high, low) for high in single for low in single])


def unitary_instructions(
    matrix: ComplexArray, qubits: Sequence[int], num_qubits: int
) -> list[tuple[Instruction, tuple[int, ...]]]:
    """A local Clifford (entry of `local_cliffords`) as one gate per qubit that it moves."""
    if num_qubits == 1:
        factors = [matrix]
    else:
        # matrix = high ⊗ low: every quarter of it is a multiple of low
        quarters = matrix.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3)
        i, j = np.unravel_index(np.argmax(np.abs(quarters).sum(axis=(2, 3))), (2, 2))
        low = quarters[i, j] / np.sqrt(abs(np.linalg.det(quarters[i, j])))
        high = np.einsum("ijkl,kl->ij", quarters, low.conj()) / 2
        factors = [low, high]
    return [
        (UnitaryGate(factor), (q,))
        for q, factor in zip(qubits, factors, strict=True)
        if abs(np.trace(factor)) < 1.9  # as above
    ]
