"""Re-fit surviving weights so that the pruned circuit reproduces the original's outputs on the ensemble.

No labels enter: the residual is the change of every output on every sample, minimised by Levenberg-Marquardt with an
adjoint Jacobian that is batched over the samples. Moving a weight replaces gates by members of their own subgroup, so
T2 applies to the result word for word.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.gates.subgroups import subgroup_of
from qprune.simulators.adjoint import AdjointNetwork

DAMPING = 1e-3  # first damping of Levenberg-Marquardt, relative to the diagonal of the Gauss-Newton matrix
RESIDUALS_PER_WEIGHT = 2  # from which on the Gauss-Newton matrix is trusted
SMALLEST = 1e-12  # residual below which nothing is left to fit
FARTHEST = 1e4  # largest move of a weight in a step: beyond, along what rounding takes for a slope, angles lose digits
FLOOR = 1e-9  # damping of directions that no output sees, relative to the mean of that diagonal


def fit(
    network: AdjointNetwork,
    weights: FloatArray,
    target: FloatArray,
    *,
    steps: int,
    power: int = 2,
    gain: float = 1e-4,
    enough: float = 0.0,
) -> tuple[FloatArray, float]:
    """Minimise Σ |outputs − target|^p over the movable weights by Levenberg-Marquardt.

    For p > 2 each step is Newton's with the Gauss-Newton Hessian p(p−1) Jᵀ diag(|r|^(p−2)) J; as p grows the minimum
    goes from the least mean square to the least largest deviation. With too few outputs for that Hessian to have full
    rank, as for a VQE, whose single output is stationary besides, BFGS takes its place.

    Args:
        network: The pruned circuit.
        weights: Where to start, shape (P,).
        target: Outputs to reproduce, shape (R, M).
        steps: Most iterations.
        power: p, even, at least 2.
        gain: Stop when an iteration lowers the sum by less than this share.
        enough: Stop when no residual is larger.

    Returns:
        The weights and the sum of squares.
    """
    free = network.movable
    if target.size < RESIDUALS_PER_WEIGHT * free.sum():
        return _quasi_newton(network, weights, target, steps, power)
    damping = DAMPING
    residual, matrix = _linearised(network, weights, target)
    for _ in range(steps if free.any() else 0):
        largest = np.abs(residual).max()
        if largest <= enough:
            break
        relative = residual / largest
        share = relative ** (power - 2)
        before = float(np.sum(relative**power))
        normal, slope = (power - 1) * (matrix.T * share) @ matrix, matrix.T @ (share * residual)
        scale = np.diag(normal) + FLOOR * max(np.trace(normal) / max(len(normal), 1), 1e-300)
        for _ in range(8):
            moved = weights.copy()
            moved[free] -= np.linalg.solve(normal + damping * np.diag(scale) + 1e-300 * np.eye(len(scale)), slope)
            after = float(np.sum(((network.values(moved) - target) / largest) ** power))
            if after < before and np.abs(moved - weights).max() <= FARTHEST:
                break
            damping *= 4
        else:
            break
        weights, damping = moved, max(damping / 6, 1e-9)
        residual, matrix = _linearised(network, weights, target)
        if before - after < gain * before:
            break
    return weights, float(residual @ residual)


def _quasi_newton(
    network: AdjointNetwork, weights: FloatArray, target: FloatArray, steps: int, power: int
) -> tuple[FloatArray, float]:
    free, moved = network.movable, weights.copy()
    scale = max(float(np.abs(network.values(weights) - target).max()), SMALLEST)

    def cost(point: FloatArray) -> tuple[float, FloatArray]:
        moved[free] = point
        residual, matrix = _linearised(network, moved, target)
        relative = residual / scale
        return float(np.sum(relative**power)), power / scale * (relative ** (power - 1)) @ matrix

    moved[free] = minimize(cost, weights[free], jac=True, method="BFGS", options={"maxiter": steps}).x
    return moved, float(np.sum((network.values(moved) - target) ** 2))


def predicted_square(network: AdjointNetwork, weights: FloatArray, target: FloatArray, damping: float = 1e-2) -> float:
    """Σ (outputs − target)² after one damped Gauss-Newton step, to first order: a look ahead for one Jacobian."""
    residual, matrix = _linearised(network, weights, target)
    normal = matrix.T @ matrix
    scale = damping * np.diag(normal) + 1e-4 * damping * np.trace(normal) / max(len(normal), 1) + 1e-300
    step = np.linalg.solve(normal + np.diag(scale), matrix.T @ residual)
    return float(np.sum((residual - matrix @ step) ** 2))


def saliencies(network: AdjointNetwork, weights: FloatArray, sites: Sequence[Site]) -> dict[int, float]:
    """Second-order cost of driving each movable gate to the identity, the others compensating.

    With H the Gauss-Newton matrix and c_k the gate's coordinate as a linear form in the weights, the
    optimal-brain-surgeon step lowers t_k to zero at the least ‖Δoutputs‖², which is t_k² / (c_kᵀ H⁻¹ c_k). Keys are
    indices of sites.
    """
    values, jacobian = network.jacobian(weights)
    free = np.flatnonzero(network.movable)
    matrix = jacobian.reshape(values.size, len(weights))[:, free]
    normal = matrix.T @ matrix
    normal += 1e-6 * max(np.trace(normal) / max(len(normal), 1), 1e-12) * np.eye(len(normal))
    inverse = np.linalg.inv(normal)
    column = {int(p): j for j, p in enumerate(free)}
    found = {}
    for k, (gate, site) in enumerate(zip(network.gates, sites, strict=True)):
        group = subgroup_of(site)
        if not gate.slopes or group is None:
            continue
        form = np.zeros(len(free))
        for p, factor in gate.slopes:
            form[column[p]] = float(np.mean(factor))
        turn = (float(np.mean(gate.angle(weights))) + group.period / 2) % group.period - group.period / 2
        found[k] = turn**2 / max(float(form @ inverse @ form), 1e-300)
    return found


def _linearised(network: AdjointNetwork, weights: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    values, jacobian = network.jacobian(weights)
    return (values - target).ravel(), jacobian.reshape(values.size, len(weights))[:, network.movable]
