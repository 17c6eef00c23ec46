"""The formulas that `verify` holds claims against, written anew from the theorems."""

from __future__ import annotations

from math import pi
from typing import NamedTuple

import numpy as np

from qprune._arrays import FloatArray
from qprune.task.observables import DENSE_QUBITS, restricted
from qprune.task.task import Task

# Rounding of two computations of one output, in units of Σ|coefficients|: some 10⁴ gates, and the 10⁻¹² that an exact
# simplification may spend on each. A recorded upper limit of an angle (radians) may fall short by as much.
SLACK = 1e-9


class Noise(NamedTuple):
    infidelity: FloatArray  # r_k by gate of the simplified circuit
    accumulated: FloatArray  # Λ_k


class SpectrumFound(NamedTuple):
    low: float
    high: float
    is_involution: bool
    how: str


def spectrum_of(task: Task, r: int) -> SpectrumFound:
    support = task.output_supports[r]
    if len(support) > DENSE_QUBITS or task.observables is None:
        known = task.spectra[r]
        return SpectrumFound(known.low, known.high, known.is_involution, "formula; eigenvalues skipped, n > 8")
    values = np.linalg.eigvalsh(restricted(task.observables[r], support or (0,)).to_matrix())
    return SpectrumFound(values[0], values[-1], bool(np.all(np.abs(values**2 - 1) < SLACK)), "dense eigenvalues")


def needed_bound(theta: FloatArray, mean: FloatArray, spread: FloatArray, spectrum: SpectrumFound) -> FloatArray:
    """The smallest of T2's forms, from ⟨O⟩ and σ_O of the full simulation."""
    low, high, sine = spectrum.low, spectrum.high, np.sin(theta)
    variance_form = sine**2 * np.maximum(high - mean, mean - low) + np.sin(2 * np.minimum(theta, pi / 4)) * spread
    needed = np.minimum((high - low) * sine, variance_form)
    if spectrum.is_involution:
        start = np.arctan2(spread, mean)  # 2α
        lowest, highest = np.cos(np.minimum(pi, start + 2 * theta)), np.cos(np.maximum(0, start - 2 * theta))
        needed = np.minimum(needed, np.maximum(mean - lowest, highest - mean))
    return needed
