"""Numbers of a noise channel: the root of its unitarity and its average infidelity (THEORY section 6)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from qiskit.quantum_info import PTM, SuperOp


class GateNoise(NamedTuple):
    """What the noise that follows a gate does.

    Attributes:
        coherence: λ in [0, 1], the root of the unitarity; 1 for no noise and for coherent errors, 0 for complete
            depolarising.
        infidelity: r = 1 − F̄ in [0, 1], F̄ the average fidelity of the channel with the identity.
    """

    coherence: float
    infidelity: float

    @property
    def fidelity(self) -> float:
        """F̄ = 1 − r."""
        return 1 - self.infidelity


NO_NOISE = GateNoise(1.0, 0.0)


def noise_of(channel: SuperOp) -> GateNoise:
    """λ = √(Tr[R_uᵀR_u]/(d²−1)) and r = 1 − (d F_e + 1)/(d + 1), F_e = Tr[R]/d².

    Args:
        channel: 𝓔 on the gate's qubits, dimension d, with Pauli transfer matrix R and unital block R_u.

    Source: THEORY section 6; Wallman et al., New J. Phys. 17, 113020 (2015).
    """
    transfer = PTM(channel).data.real
    size = round(np.sqrt(len(transfer)))
    unitarity = float(np.sum(transfer[1:, 1:] ** 2)) / (size**2 - 1)
    fidelity = (float(np.trace(transfer)) / size + 1) / (size + 1)
    return GateNoise(min(1.0, float(np.sqrt(unitarity))), max(0.0, 1 - fidelity))


def in_sequence(parts: list[GateNoise]) -> GateNoise:
    """Several gates as one: λ is the product, r the sum, as everywhere gates are counted one by one."""
    coherence, infidelity = 1.0, 0.0
    for part in parts:
        coherence, infidelity = coherence * part.coherence, infidelity + part.infidelity
    return GateNoise(coherence, min(1.0, infidelity))
