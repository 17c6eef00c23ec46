"""The q-geometry with SymPy: SU_q(2) in spin ½, the quantum trace, η, κ and their limits (THEORY section 3)."""

from __future__ import annotations

from math import cosh, inf, sqrt

import numpy as np
import pytest
import sympy as sp
from helpers import deform, random_density

from qprune.geometry import q_numbers as qgeometry

x, q, lam, beta, eta_symbol, size = sp.symbols("x q lambda beta eta S", positive=True)
Q_NUMBER = (q**x - q**-x) / (q - 1 / q)  # [x]_q
QUANTUM_DIMENSION = q + 1 / q  # [2]_q
Q_OF_LAMBDA = sp.exp(beta * (1 - lam))
ETA = 1 / sp.cosh(beta * (1 - lam))
KAPPA = (2 / (1 + eta_symbol)) ** (size / 2)

RAISE, LOWER = sp.Matrix([[0, 1], [0, 0]]), sp.Matrix([[0, 0], [1, 0]])
K = sp.diag(q, 1 / q)  # q^{2 J_z} = q^σz
VALUES = [(1.0, 1.0), (0.9, 0.5), (0.5, 2.0), (0.0, 3.0), (0.3, 0.0)]


def is_zero(expression):
    """Whether an expression or a matrix vanishes identically."""
    return sp.simplify(expression) == 0 * expression


@pytest.mark.parametrize(("coherence", "strength"), VALUES)
def test_the_package_computes_these_expressions(coherence, strength):
    """In 30 digits, what is proven of them below holds for the functions."""
    at = {lam: sp.Rational(str(coherence)), beta: sp.Rational(str(strength))}
    assert qgeometry.eta(coherence, strength) == pytest.approx(float(ETA.subs(at).evalf(30)), rel=1e-15)
    for num_qubits in (1, 2, 5):
        exact = KAPPA.subs({eta_symbol: ETA.subs(at), size: num_qubits}).evalf(30)
        assert qgeometry.kappa(qgeometry.eta(coherence, strength), num_qubits) == pytest.approx(float(exact), rel=1e-14)


# -- SU_q(2) ------------------------------------------------------------------------------------------------------


def test_generators_satisfy_the_relations_of_su_q_2():
    """K E K⁻¹ = q² E, K F K⁻¹ = q⁻² F, [E, F] = (K − K⁻¹)/(q − q⁻¹): matrices of spin ½ are undeformed."""
    assert is_zero(K * RAISE * K.inv() - q**2 * RAISE)
    assert is_zero(K * LOWER * K.inv() - LOWER / q**2)
    assert is_zero(RAISE * LOWER - LOWER * RAISE - (K - K.inv()) / (q - 1 / q))


def test_q_number_of_twice_the_spin_is_itself():
    """[2J_z]_q = 2J_z on the weights ±1 of spin ½, and not on those of spin 1."""
    for weight in (1, -1):
        assert sp.simplify(Q_NUMBER.subs(x, weight) - weight) == 0
    assert sp.simplify(Q_NUMBER.subs(x, 2) - 2) != 0


def test_quantum_trace_is_invariant_under_the_adjoint_action():
    """Tr[K X] with one coproduct, Tr[K⁻¹ X] with the other: D_η symmetrises the two."""
    y = sp.Matrix(2, 2, sp.symbols("y:4"))
    for weight, to, back in ((K, K, K.inv()), (K.inv(), K.inv(), K)):
        # Δ(E) = E ⊗ K^±1 + 1 ⊗ E with antipode S(E) = −E K^∓1, counit ε(E) = 0
        for step in (RAISE, LOWER):
            moved = step * y * back - y * step * back
            assert is_zero((weight * moved).trace())
        assert is_zero((weight * (to * y * back)).trace() - (weight * y).trace())


def test_q_numbers_become_numbers():
    """[x]_q → x for q → 1."""
    assert sp.simplify(sp.limit(Q_NUMBER, q, 1) - x) == 0
    for n in range(1, 5):  # [n]_q = q^{n−1} + q^{n−3} + … + q^{1−n}
        assert sp.simplify(Q_NUMBER.subs(x, n) - sum(q ** (n - 1 - 2 * j) for j in range(n))) == 0


# -- η ------------------------------------------------------------------------------------------------------------


def test_quantum_dimension_is_the_quantum_trace_of_one():
    """[2]_q = Tr K = q + q⁻¹."""
    assert sp.simplify(Q_NUMBER.subs(x, 2) - QUANTUM_DIMENSION) == sp.simplify(QUANTUM_DIMENSION - K.trace()) == 0


def test_eta_is_two_over_the_quantum_dimension():
    """η = 2/[2]_q = sech(β(1−λ)) at q = exp(β(1−λ)), identically in β and λ."""
    assert sp.simplify((2 / QUANTUM_DIMENSION).subs(q, Q_OF_LAMBDA).rewrite(sp.exp) - ETA.rewrite(sp.exp)) == 0


def test_the_deformed_state_is_the_dephased_state():
    """(K^½ρK^½ + K^−½ρK^−½)/[2]_q keeps the diagonal and multiplies the rest by 2/[2]_q."""
    rho = sp.Matrix(2, 2, sp.symbols("r:4"))
    half = sp.diag(sp.sqrt(q), 1 / sp.sqrt(q))
    deformed = (half * rho * half + half.inv() * rho * half.inv()) / QUANTUM_DIMENSION
    factor = 2 / QUANTUM_DIMENSION
    assert is_zero(deformed - sp.Matrix([[rho[0], factor * rho[1]], [factor * rho[2], rho[3]]]))


def test_limits_of_eta():
    """λ → 1 is the ordinary geometry; β(1−λ) → ∞ the commutative limit; it falls with β and rises with λ."""
    assert sp.limit(ETA, lam, 1) == 1
    assert sp.limit(ETA.subs(lam, 0), beta, sp.oo) == 0
    assert sp.limit(Q_OF_LAMBDA, lam, 1) == 1
    slope = sp.diff(ETA, beta)
    assert all(float(slope.subs({lam: l0, beta: b0})) < 0 for l0 in (0, 0.4, 0.9) for b0 in (0.1, 1, 5))


@pytest.mark.parametrize(("coherence", "strength"), VALUES)
def test_eta_as_the_channel_shows_it(coherence, strength):
    """The number that the K^½ sandwich leaves of a coherence."""
    rho = random_density(1, np.random.default_rng(0), 1)
    left = deform(rho, coherence, strength)[0, 1] / rho[0, 1]
    assert qgeometry.eta(coherence, strength) == pytest.approx(left.real, abs=1e-15)
    assert qgeometry.eta(coherence, strength) == pytest.approx(1 / cosh(strength * (1 - coherence)))


def test_eta_far_out_is_zero_and_no_warning():
    """cosh overflows beyond 710."""
    with np.errstate(all="raise"):
        assert qgeometry.eta(0.0, 699.0) > 0
        assert qgeometry.eta(0.0, 1e6) == 0
        assert qgeometry.eta(0.0, inf) == 0


# -- κ ------------------------------------------------------------------------------------------------------------


def test_kappa_runs_from_one_to_the_root_of_the_dimension():
    """κ = (2/(1+η))^{|S|/2} is 1 at η = 1 and 2^{|S|/2} at η = 0, falling in between."""
    assert sp.simplify(KAPPA.subs(eta_symbol, 1)) == 1
    assert sp.simplify(sp.limit(KAPPA, eta_symbol, 0) - 2 ** (size / 2)) == 0
    assert sp.simplify(sp.diff(KAPPA, eta_symbol) * (1 + eta_symbol) / KAPPA + size / 2) == 0
    assert qgeometry.kappa(0.0, 2) == 2
    assert qgeometry.kappa(1.0, 3) == 1
    assert qgeometry.kappa(0.5, 2) == pytest.approx(4 / 3)
    assert qgeometry.kappa(0.5, 1) == pytest.approx(sqrt(4 / 3))


def test_kappa_is_the_least_eigenvalue_of_the_channel():
    """((1+η)/2)^|S| = κ⁻² is the weight of the identity among the Kraus operators of D_η on |S| qubits."""
    # D_η(ρ) = (1+η)/2 ρ + (1−η)/2 ZρZ on each qubit
    r = sp.Matrix(2, 2, sp.symbols("r:4"))
    z = sp.diag(1, -1)
    mixture = (1 + eta_symbol) / 2 * r + (1 - eta_symbol) / 2 * z * r * z
    assert is_zero(mixture - sp.Matrix([[r[0], eta_symbol * r[1]], [eta_symbol * r[2], r[3]]]))
    assert sp.simplify(((1 + eta_symbol) / 2) ** size * KAPPA**2) == 1
