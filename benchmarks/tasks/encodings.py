"""Inputs as rotations, and real amplitudes as the angles of the multiplexed rotations that prepare them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

FloatArray = NDArray[np.float64]


def angles(circuit: QuantumCircuit, inputs: Sequence[Parameter]) -> None:
    """One RY(x) on each qubit."""
    for qubit, x in enumerate(inputs):
        circuit.ry(x, qubit)


def amplitudes(circuit: QuantumCircuit, inputs: Sequence[Parameter]) -> None:
    """The state whose angles `multiplexed_angles` gave, by 2ⁿ − 1 rotations and 2ⁿ − 2 CX.

    Source: Möttönen, Vartiainen, Bergholm and Salomaa, Quantum Inf. Comput. 5, 467 (2005), also the decomposition of
    PennyLane's `AmplitudeEmbedding`.
    """
    left = iter(inputs)
    qubits = circuit.num_qubits
    for level in range(qubits):
        target = qubits - 1 - level
        for step in range(2**level):
            circuit.ry(next(left), target)
            if level:
                change = _gray(step) ^ _gray((step + 1) % 2**level)
                circuit.cx(qubits - level + change.bit_length() - 1, target)


def multiplexed_angles(vectors: FloatArray) -> FloatArray:
    """The inputs of `amplitudes` that prepare real vectors.

    Level by level the norms of halves of the vector are the cosine and sine of half an angle; the angles of a level
    become those of the rotations between CX by a Walsh transform in Gray code's order.

    Args:
        vectors: Shape (M, 2ⁿ), entries ≥ 0, the amplitude of basis state j at place j; need not be normalised.

    Returns:
        Shape (M, 2ⁿ − 1), radians.
    """
    norms = [np.asarray(vectors, dtype=float)]
    while norms[-1].shape[1] > 1:
        norms.append(np.hypot(norms[-1][:, 0::2], norms[-1][:, 1::2]))
    found = []
    # A basis state's highest bit is split first: the coarsest norms hold halves of the whole vector.
    for level, finer in enumerate(reversed(norms[:-1])):
        turned = 2 * np.arctan2(finer[:, 1::2], finer[:, 0::2])
        places = np.arange(2**level)
        gray = np.array([_gray(step) for step in places])
        signs = (-1.0) ** np.array([[(int(j) & int(g)).bit_count() for j in places] for g in gray])
        found.append(turned @ signs.T / 2**level)
    return np.concatenate(found, axis=1)


def _gray(step: int) -> int:
    return step ^ (step >> 1)
