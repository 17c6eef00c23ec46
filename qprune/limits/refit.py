"""Re-fit surviving weights so that the pruned circuit reproduces the original's outputs on the ensemble.

No labels enter: the residual is the change of every output on every sample, minimised by Levenberg-Marquardt with an
adjoint Jacobian that is batched over the samples. Moving a weight replaces gates by members of their own subgroup, so
T2 applies to the result word for word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan, sqrt

import numpy as np
import scipy

from qprune._arrays import FloatArray
from qprune._rounding import within_period
from qprune.gates.sites import Site
from qprune.gates.subgroups import subgroup_of
from qprune.simulators.engine import Network
from qprune.simulators.program import kernels
from qprune.task.task import Task

DAMPING = 0.1  # first damping of Levenberg-Marquardt, relative to the diagonal of the Gauss-Newton matrix
GAIN = 1e-4  # share by which a step must lower what is minimised for the next to be worth it
SMALLEST = 1e-12  # residual below which nothing is left to fit, in units of half the widest spectrum
TREND = 4  # steps by whose fall of the residuals those to come are judged
FARTHEST = 1e4  # largest turn of a gate in a step, radians: beyond, along what rounding takes for a slope, digits go
LEAST = 1e-300  # least that is divided by
FLOOR, ROUGH_FLOOR = 1e-9, 1e-4  # damping of directions that no output sees, relative to the mean of that diagonal
SHORT_FLOOR = 1.0  # likewise where outputs are few: some see such a direction further on, as an energy from its minimum
RESIDUALS_PER_WEIGHT = 2  # from which on they are not few
# Of a single output: fits of so many steps are to end at a minimum, not to compare, and take so many times as many, as
# L-BFGS has to learn how the output curves.
LONG, LONGER = 20, 15
REMEMBERED = 20  # steps by which it knows
CLOSER = 0.1  # share of the residual to which a long one must have come to go on, with what is left as the unit


def with_mixtures(task: Task, count: int, seed: int) -> Task:
    """The ensemble that weights are fitted on: the selected samples, then mixtures of pairs of them, equally likely.

    Outputs are compared with the original's own, so inputs without labels serve as well as measured ones.

    Args:
        task: Has the samples.
        count: Number of mixtures, ≥ 0.
        seed: Of the pairs and of their shares.
    """
    rng = np.random.default_rng(seed)
    rows = task.inputs[task.selected]
    pairs = rng.integers(len(rows), size=(2, count))
    share = rng.uniform(0.7, 1, size=(count, 1))  # near the data, where the network was trained
    return task.with_inputs(np.concatenate([rows, share * rows[pairs[0]] + (1 - share) * rows[pairs[1]]]))


def alike(task: Task, count: int, seed: int) -> FloatArray:
    """Inputs like the selected samples: drawn with their mean and covariance, cut to their box.

    With x and y two samples drawn by their probabilities and m their mean, m + √s (x − m) + √(1 − s) (y − m), whose
    covariance, uncut, is that of the samples for every s; s is even between a half and one. The original gives the
    outputs to compare with, so that nothing has to be measured.

    Args:
        task: Has the samples.
        count: How many, ≥ 0.
        seed: Of the pairs and of s.

    Returns:
        Shape (count, number of input parameters).
    """
    rng = np.random.default_rng(seed)
    rows, weights = task.inputs[task.selected], task.selection_weights()
    first, second = rng.choice(len(rows), size=(2, count), p=weights / weights.sum())
    share, middle = rng.uniform(0.5, 1, size=(count, 1)), weights @ rows / weights.sum()
    drawn = middle + np.sqrt(share) * (rows[first] - middle) + np.sqrt(1 - share) * (rows[second] - middle)
    return np.clip(drawn, rows.min(axis=0), rows.max(axis=0))


def fit(
    network: Network,
    weights: FloatArray,
    target: FloatArray,
    *,
    steps: int,
    power: int = 2,
    gain: float = GAIN,
    enough: float = 0.0,
    reach: float = np.inf,
    check: Callable[[], None] = lambda: None,
) -> tuple[FloatArray, float]:
    """Minimise Σ |outputs − target|^p over the movable weights by Levenberg-Marquardt.

    For p > 2 each step is Newton's with the Gauss-Newton Hessian p(p−1) Jᵀ diag(|r|^(p−2)) J; as p grows the minimum
    goes from the least mean square to the least largest deviation. Fewer outputs than weights are no obstacle: damping
    keeps steps short. A single one says nothing of how it curves, and L-BFGS takes its place, to the end where many
    steps are asked for.

    Args:
        network: The pruned circuit.
        weights: Where to start, shape (P,).
        target: Outputs to reproduce, shape (R, M).
        steps: Most iterations; of a single output `LONGER` times as many, from `LONG` on.
        power: p, even, at least 2.
        gain: Stop when an iteration lowers the sum by less than this share.
        enough: Of several outputs, stop when no residual is larger.
        reach: Likewise, when by the trend of the last steps the largest residual will still exceed this after the last.
        check: Called at every step; may raise to end the search that this is part of.

    Returns:
        The weights and the sum of squares.
    """
    free = network.free
    if not steps or not len(free):
        return weights, float(np.sum((network.values(weights) - target) ** 2))
    if target.size == 1:
        return _fit_of_one(network, weights, target, steps, check)
    k, units = kernels(), 1 / network.reach[free]
    damping, growth, step = DAMPING, 2.0, np.empty(len(free))
    floor = SHORT_FLOOR if target.size < RESIDUALS_PER_WEIGHT * len(free) else FLOOR
    norms = list[float]()
    for left in range(steps, 0, -1):
        check()
        largest, square, products = k.gram(*_linearised(network, weights, target), units, power)
        norms.append(sqrt(square))
        if largest <= enough or _is_hopeless(norms, largest, left, reach):
            break
        before = products[len(free), len(free)]
        for _ in range(8):
            promised, longest = k.damped_step(products, power, damping, floor, step)
            if promised < gain * before:
                return weights, square
            moved = weights.copy()
            moved[free] -= units * step
            after, reached = k.power_sum((network.values(moved) - target).ravel(), largest, power)
            if after < before and longest <= FARTHEST:  # not so where no step was found, which is NaN
                break
            damping, growth = damping * growth, 2 * growth
        else:
            break
        # By how much of what the quadratic model promised came true.
        weights, square, growth = moved, reached, 2.0
        damping = max(damping * max(1 / 6, 1 - (2 * (before - after) / promised - 1) ** 3), 1e-9)
        if before - after < gain * before:
            break
    return weights, square


def _is_hopeless(norms: Sequence[float], largest: float, left: int, reach: float) -> bool:
    """Whether residuals that go on falling as in the last steps will still be too large at the end."""
    if len(norms) <= TREND or largest <= reach:
        return False
    return bool(largest * (norms[-1] / norms[-1 - TREND]) ** (left / TREND) > reach)


def _fit_of_one(
    network: Network, weights: FloatArray, target: FloatArray, steps: int, check: Callable[[], None]
) -> tuple[FloatArray, float]:
    """What `fit` does with a single output, whose powers all have the same minima."""
    long, least = steps >= LONG, SMALLEST * (network.task.largest_change / 2 or 1.0)
    left = abs(float(network.values(weights)[0, 0] - target[0, 0]))
    while True:
        scale = max(left, least)
        weights = _descended(network, weights, target, scale, LONGER * steps if long else steps, check)
        left = abs(float(network.values(weights)[0, 0] - target[0, 0]))
        if not long or not least < left < CLOSER * scale:
            return weights, left**2


def _descended(
    network: Network, start: FloatArray, target: FloatArray, scale: float, steps: int, check: Callable[[], None]
) -> FloatArray:
    """Weights after so many steps of L-BFGS that lower the square of the residual, which is counted in `scale`."""
    free, moved = network.free, start.copy()

    def cost(turns: FloatArray) -> tuple[float, FloatArray]:
        check()
        moved[free] = start[free] + turns / network.reach[free]
        residual, matrix = _linearised(network, moved, target)
        relative = residual[0] / scale
        return relative**2, 2 * relative / scale * matrix[0] / network.reach[free]

    options = {"maxiter": steps, "maxcor": REMEMBERED}
    turns = scipy.optimize.minimize(cost, np.zeros(len(free)), jac=True, method="L-BFGS-B", options=options).x
    moved[free] = start[free] + turns / network.reach[free]
    return moved


def predicted_square(network: Network, weights: FloatArray, target: FloatArray, damping: float = 1e-2) -> float:
    """Σ (outputs − target)² after one damped Gauss-Newton step, to first order: a look ahead for one Jacobian."""
    units = 1 / network.reach[network.free]
    largest, square, products = kernels().gram(*_linearised(network, weights, target), units, 2)
    promised, _ = kernels().damped_step(products, 2, damping, ROUGH_FLOOR, np.empty(len(units)))
    return square if isnan(promised) else max(square - promised * largest**2, 0.0)


def saliencies(network: Network, weights: FloatArray, sites: Sequence[Site]) -> dict[int, float]:
    """Second-order cost of driving each movable gate to the identity, the others compensating.

    With H the Gauss-Newton matrix and c_k the gate's coordinate as a linear form in the weights, the
    optimal-brain-surgeon step lowers t_k to zero at the least ‖Δoutputs‖², which is t_k² / (c_kᵀ H⁻¹ c_k). Keys are
    indices of sites.
    """
    values, jacobian = network.jacobian(weights)
    matrix = jacobian.reshape(values.size, len(network.free)) / network.reach[network.free]
    normal = matrix.T @ matrix / (network.task.largest_change / 2 or 1.0) ** 2
    normal += 1e-6 * max(np.trace(normal) / max(len(normal), 1), 1e-12) * np.eye(len(normal))
    inverse = np.linalg.inv(normal)
    forms, coordinates = network.slopes[:, network.free] / network.reach[network.free], network.coordinates(weights)
    groups = {k: subgroup_of(sites[k]) for k in np.flatnonzero(forms.any(axis=1)).tolist()}
    periods = {k: group.period for k, group in groups.items() if group is not None}
    moved = list(periods)
    turns = within_period(coordinates[moved], np.array(list(periods.values())))
    gains = np.maximum(((forms[moved] @ inverse) * forms[moved]).sum(axis=1), LEAST)
    return dict(zip(moved, (turns**2 / gains).tolist(), strict=True))


def _linearised(network: Network, weights: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Residual (R·M,) and its derivatives in the weights that move the circuit (R·M, F)."""
    values, jacobian = network.jacobian(weights)
    return (values - target).ravel(), jacobian.reshape(values.size, len(network.free))
