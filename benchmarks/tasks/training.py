"""Training by the compiled engine: Adam on mini-batches of labelled samples, L-BFGS on energies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

import qprune
from benchmarks.finetuning import DECAY, LOGIT_SCALE, loss_slope
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network

BATCH = 32
TINY = 1e-8  # of Adam

FloatArray = NDArray[np.float64]


def trained(task: qprune.Task, weights: FloatArray, *, steps: int, rate: float, seed: int) -> FloatArray:
    """Weights after so many steps; those of an energy (a task without labels) after at most so many.

    The loss is the cross-entropy of outputs times 5. Batches are drawn once and visited in a new order each epoch; the
    step falls to nothing along a half cosine, so that a network that is trained from scratch and one that is trained
    on end at rest alike.

    Args:
        task: Circuit, labelled inputs.
        weights: Where to start, shape (P,).
        steps: Of Adam, one batch each, or of L-BFGS.
        rate: Largest step of Adam, radians.
        seed: Of batches and their order.
    """
    if not len(weights):
        return weights
    if task.labels is None:
        return _minimised(task, weights, steps)
    rng, sites = np.random.default_rng(seed), sites_of(task)
    parts = np.array_split(rng.permutation(task.selected), max(1, len(task.selected) // BATCH))
    batches = [(Network(task, sites, np.sort(part)), task.labels[np.sort(part)]) for part in parts]
    weights, mean, square = weights.copy(), np.zeros_like(weights), np.zeros_like(weights)
    order: list[int] = []
    for step in range(1, steps + 1):
        order = order or rng.permutation(len(batches)).tolist()
        network, labels = batches[order.pop()]
        values, jacobian = network.jacobian(weights)
        slope = np.zeros_like(weights)
        slope[network.free] = np.einsum("rm,rmp->p", _slope(values, labels), jacobian)
        mean = DECAY[0] * mean + (1 - DECAY[0]) * slope
        square = DECAY[1] * square + (1 - DECAY[1]) * slope**2
        scale = rate * (1 + np.cos(np.pi * step / steps)) / 2
        divisor = np.sqrt(square / (1 - DECAY[1] ** step)) + TINY
        weights = weights - scale * mean / (1 - DECAY[0] ** step) / divisor
    return weights


def _slope(values: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Of the cross-entropy; two classes are ±⟨O⟩. A mean square would pay accuracy for outputs near ±1."""
    if len(values) > 1:
        return loss_slope(values, labels)
    return -LOGIT_SCALE * labels * expit(-LOGIT_SCALE * labels * values) / len(labels)


def _minimised(task: qprune.Task, weights: FloatArray, steps: int) -> FloatArray:
    """The weights at which the one output is least, by L-BFGS."""
    network = Network(task, sites_of(task))

    def energy(values: FloatArray) -> tuple[float, FloatArray]:
        found, jacobian = network.jacobian(values)
        slope = np.zeros_like(values)
        slope[network.free] = jacobian[0, 0]
        return float(found[0, 0]), slope

    return minimize(energy, weights, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x


def outputs(task: qprune.Task) -> FloatArray:
    """⟨O_r⟩ by output and sample, the identity's part included, shape (R, M)."""
    values = Network(task, sites_of(task)).values(task.weights)
    constants = [
        float(sum(c.real for label, c in observable.to_list() if not label.strip("I")))
        for observable in task.observables or ()
    ]
    return values + np.array(constants)[:, None]
