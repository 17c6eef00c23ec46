"""What can be made of a device's outputs: corrected by two numbers per output, and at what price in shots.

Noise mostly scales and shifts an output. Whoever has training inputs undoes that: slope and shift are fitted there, by
least squares to the outputs without noise, and applied to every other input. It is done for every circuit alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import qprune
from benchmarks.noise.outputs import Moments
from qprune._arrays import FloatArray
from qprune.noise.at_shots import FITTED

SHOTS = 1000  # at which accuracy is judged
REPETITIONS = 200  # of these shots, drawn from the moments
PRECISION = 0.01  # standard error that shots are counted for, in units of half the output's spectrum
FLAT = 1e-12  # spread of an output over the training inputs, over its unit, that counts as none


@dataclass(frozen=True)
class Correction:
    """⟨O_r⟩ is estimated by slope_r · measured + shift_r; both of shape (R, 1)."""

    slope: FloatArray
    shift: FloatArray

    @classmethod
    def fitted(cls, measured: FloatArray, ideal: FloatArray, units: FloatArray) -> Correction:
        """By least squares over samples; with no more of these than numbers to fit, slope 1 and shift 0.

        Args:
            measured: Outputs under noise, shape (R, M).
            ideal: Without, likewise.
            units: Half the width of each output's spectrum, shape (R,).
        """
        if measured.shape[1] <= FITTED:
            return cls(np.ones((len(measured), 1)), np.zeros((len(measured), 1)))
        mean, goal = measured.mean(axis=1, keepdims=True), ideal.mean(axis=1, keepdims=True)
        spread = np.sum((measured - mean) ** 2, axis=1, keepdims=True)
        both = np.sum((measured - mean) * (ideal - goal), axis=1, keepdims=True)
        enough = spread > measured.shape[1] * (FLAT * units[:, None]) ** 2
        slope = np.divide(both, spread, out=np.zeros_like(spread), where=enough)
        return cls(slope, goal - slope * mean)

    def applied(self, measured: FloatArray) -> FloatArray:
        return self.slope * measured + self.shift


def estimates(
    train: Moments, test: Moments, ideal: Sequence[FloatArray], task: qprune.Task, seed: int
) -> dict[str, Any]:
    """Deviations, shots and accuracy of one circuit on one device.

    Args:
        train: What the device gives on training inputs.
        test: On test inputs.
        ideal: Outputs of the original without noise on both, in this order.
        task: The network on its test inputs.
        seed: Of the shots.
    """
    units = np.array([s.width / 2 for s in task.spectra])
    correction = Correction.fitted(train.means, ideal[0], units)
    error = correction.applied(test.means) - ideal[1]
    variance = correction.slope**2 * np.einsum("rrm->rm", test.covariance)
    shots = variance.mean(axis=1) / (PRECISION * units) ** 2
    found = {
        "raw": deviation(test.means - ideal[1]),
        "corrected": deviation(error),
        "slope": float(np.mean(correction.slope)),
        "shots": float(shots.mean()),
        "rms_at_shots": float(np.sqrt(np.mean(error**2) + np.mean(variance) / SHOTS)),
    }
    if task.labels is not None:
        found |= _accuracy(test, correction, task, seed)
    return found


def deviation(change: FloatArray) -> dict[str, float]:
    """Mean, root mean square and largest size of a change, over outputs and samples."""
    size = np.abs(change)
    return {"mean": float(size.mean()), "rms": float(np.sqrt(np.mean(size**2))), "max": float(size.max())}


def _accuracy(test: Moments, correction: Correction, task: qprune.Task, seed: int) -> dict[str, Any]:
    """Accuracy without shot noise, raw and corrected, and at 1,000 shots a sample: each sample's chance to be right."""
    rng, labels = np.random.default_rng(seed), np.asarray(task.labels)
    right = np.zeros((REPETITIONS, task.num_samples))
    for j in range(task.num_samples):
        size = (REPETITIONS,)
        drawn = rng.multivariate_normal(test.means[:, j], test.covariance[..., j] / SHOTS, size, method="eigh")
        right[:, j] = _predicted(correction.applied(drawn.T), task) == labels[j]
    low, high = np.quantile(right.mean(axis=1), (0.025, 0.975))
    return {
        "accuracy": {
            "raw": task.accuracy(test.means),
            "corrected": task.accuracy(correction.applied(test.means)),
            "at_shots": float(right.mean()),
            "low": float(low),
            "high": float(high),
        },
        "right": np.round(right.mean(axis=0), 3).tolist(),
    }


def _predicted(means: FloatArray, task: qprune.Task) -> FloatArray:
    """The class of each column, as `Task.accuracy` has it."""
    by_sign = len(means) == 1 or bool(np.any(np.asarray(task.labels) < 0))
    return np.where(means[0] > 0, 1, -1) if by_sign else means.argmax(axis=0)
