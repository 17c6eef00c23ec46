"""Proposition 9: what λ does to the distance of a rotation is of second order."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import DensityMatrix, Kraus, Pauli, random_statevector
from scipy.linalg import expm


def dephased(state, eta):
    """D_η on every qubit, as the channel (1 + η)/2 ρ + (1 − η)/2 ZρZ."""
    letters = np.sqrt([(1 + eta) / 2, (1 - eta) / 2])
    channel = Kraus([letters[0] * np.eye(2), letters[1] * np.diag([1, -1])])
    for q in range(state.num_qubits):
        state = state.evolve(channel, [q])
    return state


@pytest.mark.parametrize("word", ["Z", "X", "ZZ", "ZY", "XY"])
@pytest.mark.parametrize("coherence", [0.6, 0.9, 0.99])
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_deformed_distance_of_a_rotation(word, coherence, beta):
    """Dense dephased states; one near an eigenstate of the word, where the ratio is largest."""
    rng = np.random.default_rng(0)
    letters, eta = sum(letter in "XY" for letter in word), 1 / np.cosh(beta * (1 - coherence))
    dense = Pauli(word).to_matrix()
    vectors = [random_statevector(2 ** len(word), seed=seed).data for seed in range(3)]
    eigenvector = np.linalg.eigh(dense)[1][:, -1]
    near = eigenvector + 0.1 * rng.normal(size=len(dense))
    for vector in (*vectors, near / np.linalg.norm(near)):
        pure = DensityMatrix(vector)
        mean = pure.expectation_value(Pauli(word)).real
        for angle in (0.1, 0.5, 2.0):
            rotation = expm(-0.5j * angle * dense)
            deformed, ordinary = (abs(np.trace(s.data @ rotation)) for s in (dephased(pure, eta), pure))
            assert 1 - deformed**2 == pytest.approx((1 - eta ** (2 * letters) * mean**2) * np.sin(angle / 2) ** 2)
            ratio = (1 - deformed**2) / (1 - ordinary**2)
            most = 1 + letters * (beta * (1 - coherence)) ** 2 * mean**2 / (1 - mean**2)
            assert 1 - 1e-7 <= ratio <= most + 1e-7
