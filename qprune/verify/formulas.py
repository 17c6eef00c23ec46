"""The formulas that `verify` holds claims against, written anew from the theorems."""

from __future__ import annotations

from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np

from qprune._arrays import FloatArray
from qprune.results.certificate import Expectations
from qprune.task.observables import DENSE_QUBITS, restricted, without_identity
from qprune.task.task import Task

# Rounding of two computations of one output, in units of Σ|c_P| over its words P ≠ 1: some 10⁴ gates, and the 10⁻¹²
# that an exact simplification may spend on each. Recorded angles (radians), entries of unitaries, probabilities and
# shares of noise, all of which count up to one, may be off by as much.
SLACK = 1e-9

STATEVECTOR, MPS, ON_DEVICE = "statevector", "matrix_product_state", "on_device"  # simulators that a certificate names
# Of matrix product states: the state error beyond which there is no certificate, and rounding of a product.
STATE_ERROR, STEP = 0.05, 32 * float(np.finfo(float).eps)


class Noise(NamedTuple):
    infidelity: FloatArray  # r_k by gate of the simplified circuit
    accumulated: FloatArray  # Λ_k


class SpectrumFound(NamedTuple):
    """Eigenvalues of O − c, c the coefficient of the identity; which outputs predict a sign is the task's to say."""

    low: float
    high: float
    is_two_valued: bool
    predicts_sign: bool
    how: str

    @property
    def middle(self) -> float:
        """Where the sign of ⟨O⟩ changes, for an O that predicts one."""
        return (self.low + self.high) / 2

    @property
    def radius(self) -> float:
        return (self.high - self.low) / 2


def spectrum_of(task: Task, r: int) -> SpectrumFound:
    known, support = task.spectra[r], task.output_supports[r]
    if len(support) > DENSE_QUBITS or task.observables is None:
        how = "formula; eigenvalues skipped, n > 8"
        return SpectrumFound(known.low, known.high, known.is_two_valued, known.predicts_sign, how)
    _, rest = without_identity(task.observables[r])
    values = np.linalg.eigvalsh(restricted(rest, support or (0,)).to_matrix())
    width = values[-1] - values[0]
    inside = np.minimum(values - values[0], values[-1] - values)  # how far from being one of two
    is_two_valued = known.is_two_valued and bool(np.all(inside <= SLACK * width))
    signed = abs(values[0] + values[-1] + 2 * known.centre) <= SLACK * width
    return SpectrumFound(
        values[0], values[-1], is_two_valued, is_two_valued and known.predicts_sign and signed, "dense eigenvalues"
    )


def needed_bound(theta: FloatArray, mean: FloatArray, spread: FloatArray, spectrum: SpectrumFound) -> FloatArray:
    """The smallest of T2's forms, from ⟨O⟩ without the identity's part and σ_O of the full simulation."""
    low, high, sine = spectrum.low, spectrum.high, np.sin(theta)
    variance_form = sine**2 * np.maximum(high - mean, mean - low) + np.sin(2 * np.minimum(theta, pi / 4)) * spread
    needed = np.minimum((high - low) * sine, variance_form)
    if spectrum.is_two_valued:
        sign = mean - spectrum.middle
        start = np.arctan2(spread, sign)  # 2α
        lowest, highest = np.cos(np.minimum(pi, start + 2 * theta)), np.cos(np.maximum(0, start - 2 * theta))
        needed = np.minimum(needed, np.maximum(sign - spectrum.radius * lowest, spectrum.radius * highest - sign))
    return needed


def largest_errors(
    simulator: object, known: Expectations, rounding: float, width: int, gates: int
) -> dict[str, float] | None:
    """The most that entries of `Certificate.expectations` can be; None for an unknown simulator.

    Args:
        simulator: What the certificate names.
        known: What it says of its expectation values.
        rounding: Of a mean from a statevector.
        width: Qubits in use.
        gates: Gates of the original, composite ones opened.

    Source: THEORY T7 and T8.
    """
    if simulator == STATEVECTOR:
        return {"error": rounding, "truncation": 0.0, "estimates": 0, "failure": 0.0}
    if simulator == MPS:
        # A gate on far qubits swaps through the chain and back; the state is decomposed at each step on the way.
        steps = (gates + 1) * (12 * width + 6)
        error = 2 * known.truncation + STEP * (width + 4) ** 2 * steps
        return {"error": error, "truncation": STATE_ERROR, "estimates": 0, "failure": 0.0}
    if simulator == ON_DEVICE:
        # Outcomes are ±1, so that no standard error exceeds 1; each of two passes may fail with half of δ.
        chance = known.failure / 2 if known.failure else 1.0
        error = sqrt(2 * log(2 * max(known.estimates, 1) / chance)) + rounding if known.failure else rounding
        return {"error": error, "truncation": 0.0, "failure": 1.0}
    return None
