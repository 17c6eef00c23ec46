"""The q-geometry: q-numbers, quantum dimension, q(λ), η and κ (THEORY section 3).

Each quantity is a SymPy expression first; the NumPy function is made from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp

x, q, lam, beta, eta_symbol, size = sp.symbols("x q lambda beta eta S", positive=True)

Q_NUMBER = (q**x - q**-x) / (q - 1 / q)
"""[x]_q = (q^x − q^−x)/(q − q^−1)."""

QUANTUM_DIMENSION = sp.simplify(Q_NUMBER.subs(x, 2))
"""[2]_q = q + q^−1, the quantum dimension of the qubit."""

Q_OF_LAMBDA = sp.exp(beta * (1 - lam))
"""q(λ) = exp[β(1 − λ)] (arXiv:2512.24019)."""

ETA = 1 / sp.cosh(beta * (1 - lam))
"""η = 2/[2]_q at q(λ): the factor that D_η leaves on the coherences of a qubit. Equality is tested symbolically."""

KAPPA = (2 / (1 + eta_symbol)) ** (size / 2)
"""κ = (2/(1+η))^{|S|/2}: d_1 ≤ κ d_q."""

_q_of_lambda: Callable = sp.lambdify((lam, beta), Q_OF_LAMBDA, "numpy")
_eta: Callable = sp.lambdify((lam, beta), ETA, "numpy")
_kappa: Callable = sp.lambdify((eta_symbol, size), KAPPA, "numpy")


def q_of_lambda(coherence: float, beta: float) -> float:
    """Deformation parameter q = exp[β(1 − λ)] ≥ 1 for λ in [0, 1] and β ≥ 0 (arXiv:2512.24019)."""
    return float(_q_of_lambda(coherence, beta))


def eta(coherence: float, beta: float) -> float:
    """Coherence factor η = 2/[2]_q = sech(β(1 − λ)) in (0, 1].

    Args:
        coherence: λ in [0, 1]; 1 is the ordinary geometry.
        beta: β ≥ 0.

    Source: THEORY section 3.
    """
    exponent = beta * (1 - coherence)
    # cosh overflows beyond 710; there sech is below the smallest double
    return float(_eta(coherence, beta)) if exponent < 700 else 0.0


def kappa(eta_value: float, num_qubits: int) -> float:
    """κ = (2/(1+η))^{|S|/2} in [1, 2^{|S|/2}]: the ordinary distance is at most κ times the deformed one.

    Source: THEORY section 3.
    """
    return float(_kappa(eta_value, num_qubits))


def deformation(eta_value: float, off_diagonal: np.ndarray | int) -> np.ndarray | float:
    """Factor ⟨P⟩_η / ⟨P⟩ = η^w for a Pauli word with w letters X or Y (THEORY section 3)."""
    return eta_value**off_diagonal
