"""The q-geometry in numbers: q(λ), η and κ (THEORY section 3); the tests derive them with SymPy."""

from __future__ import annotations

from math import cosh

from qprune._arrays import FloatArray

OVERFLOW = 700.0  # cosh(x) is too large for a double beyond 710, and 1/cosh(700) is below 1e-303


def eta(coherence: float, beta: float) -> float:
    """Coherence factor η = 2/[2]_q = 1/cosh(β(1 − λ)) in [0, 1]: what D_η leaves of a qubit's coherences.

    The deformation parameter is q = exp[β(1 − λ)] (arXiv:2512.24019).

    Args:
        coherence: λ in [0, 1]; 1 is the ordinary geometry.
        beta: β ≥ 0.

    Source: THEORY section 3.
    """
    exponent = beta * (1 - coherence)
    return 1 / cosh(exponent) if exponent < OVERFLOW else 0.0


def kappa(eta_value: float, num_qubits: int) -> float:
    """κ = (2/(1+η))^{|S|/2} in [1, 2^{|S|/2}]: the ordinary distance is at most κ times the deformed one.

    Source: THEORY section 3.
    """
    return float((2 / (1 + eta_value)) ** (num_qubits / 2))


def deformation(eta_value: float, off_diagonal: FloatArray | int) -> FloatArray | float:
    """Factor ⟨P⟩_η / ⟨P⟩ = η^w for a Pauli word with w letters X or Y (THEORY section 3)."""
    return eta_value**off_diagonal
