"""The compiled steps of a fit against NumPy's dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

from qprune.simulators.program import kernels

CASES = [(1, 1, 2), (5, 3, 4), (40, 7, 2), (33, 8, 32), (64, 9, 8), (3, 17, 2)]


def drawn(count, width):
    rng = np.random.default_rng([count, width])
    return rng.normal(size=count), rng.normal(size=(count, width)), rng.uniform(0.1, 10, width)


def dense(residual, matrix, units, power):
    """H, the slope and Σ|r|^p, residuals in units of the largest."""
    relative, jacobian = residual / np.abs(residual).max(), matrix * units / np.abs(residual).max()
    shares = relative ** (power - 2)
    return jacobian.T @ (shares[:, None] * jacobian), jacobian.T @ (shares * relative), np.sum(relative**power)


@pytest.mark.parametrize(("count", "width", "power"), CASES)
def test_products(count, width, power):
    residual, matrix, units = drawn(count, width)
    hessian, slope, total = dense(residual, matrix, units, power)
    largest, square, products = kernels().gram(residual, matrix, units, power)
    assert largest == np.abs(residual).max()
    assert square == pytest.approx(residual @ residual)
    scale = np.abs(hessian).max()
    np.testing.assert_allclose(np.triu(products[:width, :width]), np.triu(hessian), atol=1e-13 * scale)
    np.testing.assert_allclose(products[:width, width], slope, atol=1e-13 * scale)
    assert products[width, width] == pytest.approx(total)
    assert kernels().power_sum(residual, largest, power) == pytest.approx((total, residual @ residual))


@pytest.mark.parametrize("damping", [1e-6, 1.0])
@pytest.mark.parametrize(("count", "width", "power"), CASES)
def test_damped_step(count, width, power, damping):
    residual, matrix, units = drawn(count, width)
    hessian, slope, _ = dense(residual, matrix, units, power)
    *_, products = kernels().gram(residual, matrix, units, power)
    step = np.empty(width)
    promised, longest = kernels().damped_step(products, power, damping, 1e-3, step)
    assert longest == np.abs(step).max()
    hessian *= power - 1
    added = damping * (np.diag(hessian) + 1e-3 * np.diag(hessian).mean())
    wanted = np.linalg.solve(hessian + np.diag(added), slope)
    # The rank is what there are residuals; what is left of the matrix then is the damping.
    np.testing.assert_allclose(step, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    # The model of the sum, Σ|r|^p − p gᵀz + p/2 zᵀHz, at the step.
    assert promised == pytest.approx(power * slope @ wanted - power / 2 * wanted @ hessian @ wanted, rel=1e-5)


def test_nothing_left_to_fit():
    largest, square, products = kernels().gram(np.zeros(4), np.ones((4, 2)), np.ones(2), 2)
    assert largest == square == products[2, 2] == 0
    assert np.all(np.isfinite(products))


def test_outputs_that_no_weight_moves():
    *_, products = kernels().gram(np.ones(4), np.zeros((4, 2)), np.ones(2), 2)
    step = np.empty(2)
    assert kernels().damped_step(products, 2, 1e-3, 1e-9, step) == (0, 0)
    assert not step.any()


def test_matrix_that_is_not_positive_definite():
    products = np.zeros((8, 8))
    products[:2, :2] = [[1, 2], [2, 1]]
    step = np.ones(2)
    assert np.isnan(kernels().damped_step(products, 2, 1e-6, 1e-9, step)).all()
    assert np.isnan(step).all()  # whatever stood there before is no step
