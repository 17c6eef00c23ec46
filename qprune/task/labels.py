"""Which class an output predicts.

Of several outputs the largest predicts classes 0, 1, …. One output predicts by its sign: labels 1 and −1 are that
sign; of labels 0 and 1 class 0 is ⟨O⟩ > 0, as ⟨Z⟩ > 0 is |0⟩ and even parity is class 0 for Qiskit Machine Learning's
`VQC`. Some networks are trained the other way round, and nothing but their accuracy shows it: `check_convention` looks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.errors import TaskError
from qprune.task.observables import Spectrum

MINUS_PLUS, ZERO_ONE = (-1, 1), (1, 0)  # the class that ⟨O⟩ ≤ 0 predicts, and that of ⟨O⟩ > 0


def predicted(labels: NDArray[np.int64], means: FloatArray) -> NDArray[np.int64]:
    """The class predicted for every sample, shape (M,).

    Args:
        labels: All labels of the task: they say whether the sign counts.
        means: ⟨O_r⟩ by output and sample, shape (R, M).
    """
    if len(means) > 1 and not np.any(labels < 0):
        return means.argmax(axis=0)
    low, high = ZERO_ONE if np.any(labels == 0) else MINUS_PLUS
    return np.where(means[0] > 0, high, low)


def check_convention(
    labels: NDArray[np.int64] | None, samples: NDArray[np.intp], means: FloatArray, spectrum: Spectrum
) -> None:
    """Refuse labels 0 and 1 of one output where the original itself says that they are meant otherwise.

    Args:
        labels: All labels of the task.
        samples: Indices of the samples that `means` are of.
        means: The original's outputs, shape (R, M).
        spectrum: Of the first observable.

    Raises:
        TaskError: Its sign is always the same, or predicts more samples right the other way round.
    """
    if labels is None or len(means) > 1 or not np.any(labels == 0):
        return
    low, high = spectrum.centre + spectrum.low, spectrum.centre + spectrum.high
    if not low < 0 < high:
        raise TaskError(
            f"labels 0 and 1 are predicted by the sign of the observable, whose values lie in [{low:.4g}, "
            f"{high:.4g}]; subtract the value at which the class changes, or leave the labels out"
        )
    right = float(np.mean(predicted(labels, means) == labels[samples]))
    turned = float(np.mean(predicted(labels, -means) == labels[samples]))
    if right < turned:
        raise TaskError(
            f"labels 0 and 1 are taken as ⟨O⟩ > 0 and ⟨O⟩ < 0, but so the original predicts {right:.4g} of "
            f"{len(samples)} samples right, and {turned:.4g} the other way round; if ⟨O⟩ > 0 means class 1, give "
            "2*labels - 1, else 1 - 2*labels"
        )
