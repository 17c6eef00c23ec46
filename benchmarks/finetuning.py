"""More training of a pruned network on its labels: Adam on the loss the network was trained with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import qprune
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network

STEPS, STEP = 50, 0.01
DECAY = (0.9, 0.999)
LOGIT_SCALE = 5  # as in circuits/train.py

FloatArray = NDArray[np.float64]


def fine_tuned(task: qprune.Task, smaller: qprune.Task) -> FloatArray:
    """The smaller circuit's weights after 50 steps of Adam on the whole training split.

    Args:
        task: The original, for its labels.
        smaller: The pruned circuit with its weights.
    """
    network = Network(smaller, sites_of(smaller), smaller.selected)
    labels = np.asarray(task.labels)[smaller.selected]
    weights = smaller.weights.copy()
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        values, jacobian = network.jacobian(weights)
        slope = np.zeros_like(weights)
        slope[network.free] = np.einsum("rm,rmp->p", loss_slope(values, labels), jacobian)
        mean = DECAY[0] * mean + (1 - DECAY[0]) * slope
        square = DECAY[1] * square + (1 - DECAY[1]) * slope**2
        corrected = mean / (1 - DECAY[0] ** step), square / (1 - DECAY[1] ** step)
        weights = weights - STEP * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return weights


def loss_slope(values: FloatArray, labels: FloatArray) -> FloatArray:
    """∂loss/∂⟨O_r⟩ per sample: mean square for labels ±1, else cross-entropy of the softmax.

    Args:
        values: ⟨O_r⟩ by output and sample, shape (R, M).
        labels: Shape (M,).
    """
    count = len(labels)
    if len(values) == 1:
        return 2 * (values - labels) / count
    share = np.exp(LOGIT_SCALE * (values - values.max(axis=0)))
    share /= share.sum(axis=0)
    return LOGIT_SCALE * (share - (np.arange(len(values))[:, None] == labels)) / count
