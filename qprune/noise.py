"""Noise calibration of the geometry and of the tolerance (THEORY section 6).

So far λ is given by the user and serves all gates alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from numbers import Real

from qprune.errors import OptionError
from qprune.qgeometry import eta, kappa


@dataclass(frozen=True)
class NoiseCalibration:
    """What noise does to the geometry: q = exp[β(1 − λ)], and to the tolerance: ε_k² = ε₀² + γ r_k.

    Attributes:
        coherence: λ in [0, 1]; 1 is noiseless. Read as depolarising noise of strength 1 − λ after every gate.
        beta: β ≥ 0, strength of the deformation.
        gamma: γ ≥ 0, share of the infidelity a removed gate saves that its tolerance may spend.
    """

    coherence: float = 1.0
    beta: float = 1.0
    gamma: float = 1.0

    @property
    def eta(self) -> float:
        """η = sech(β(1 − λ)), what D_η leaves of a qubit's coherences."""
        return eta(self.coherence, self.beta)

    def kappa(self, num_qubits: int) -> float:
        """κ on a gate's qubits: d_1 ≤ κ d_q."""
        return kappa(self.eta, num_qubits)

    def infidelity(self, num_qubits: int) -> float:
        """r = 1 − F̄ of the noise on a gate's qubits: (1 − λ)(1 − 2^−|S|) for depolarising noise."""
        return (1 - self.coherence) * (1 - 2.0**-num_qubits)

    def tolerance(self, base: float, num_qubits: int) -> float:
        """ε_k = √(ε₀² + γ r_k)."""
        return sqrt(base**2 + self.gamma * self.infidelity(num_qubits))


NOISELESS = NoiseCalibration()


def calibrate(noise: float | NoiseCalibration | None, *, beta: float = 1.0, gamma: float = 1.0) -> NoiseCalibration:
    """λ to geometry and tolerance (THEORY section 6).

    Args:
        noise: λ in [0, 1], 1 being noiseless; None is noiseless; a finished calibration is returned as it is.
        beta: β ≥ 0 in q(λ) = exp[β(1 − λ)].
        gamma: γ ≥ 0 in ε_k² = ε₀² + γ r_k.

    Raises:
        OptionError: A value is out of its range.
    """
    if isinstance(noise, NoiseCalibration):
        return noise
    coherence = 1.0 if noise is None else noise
    if isinstance(coherence, bool) or not isinstance(coherence, Real) or not 0 <= coherence <= 1:
        raise OptionError(f"noise must be λ, a number in [0, 1] (1 is noiseless), got {noise!r}")
    for name, value in (("beta", beta), ("gamma", gamma)):
        if isinstance(value, bool) or not isinstance(value, Real) or not (isfinite(value) and value >= 0):
            raise OptionError(f"{name} must be a finite number ≥ 0, got {value!r}")
    return NoiseCalibration(float(coherence), float(beta), float(gamma))
