"""The theorems (THEORY section 5): what an angle between states allows, each inequality once.

The angle itself is summed where gates are chosen (`limits/proof.py`). Angles are Fubini-Study angles in radians;
`theta` is Θ, the bound on the angle between original and pruned state.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt

import numpy as np
import scipy
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._rounding import EXPECTATION_ROUNDING
from qprune.errors import OptionError
from qprune.task.observables import Spectrum


def distribution_bound(theta: FloatArray) -> FloatArray:
    """Total variation of an output's distribution: at most sin Θ (T2).

    So is the trace distance of the states on the output's qubits, but only of the circuit in which gates are replaced
    and nothing else: exact changes that follow leave every output as it is and may change the state altogether.
    """
    return np.sin(theta)


def observable_bound(
    theta: FloatArray,
    mean: FloatArray,
    deviation: FloatArray,
    spectrum: Spectrum,
    rounding: float = EXPECTATION_ROUNDING,
) -> FloatArray:
    """Largest change of ⟨O⟩ that an angle Θ allows: the smallest of the forms of T2 that apply.

    Norm form (λ_max − λ_min)·sin Θ; variance form sin²Θ·max(λ_max − ⟨O⟩, ⟨O⟩ − λ_min) + sin(2 min(Θ, π/4))·σ_O; for
    O² = 1 the tight form, the ends of [cos min(π, 2α+2Θ), cos max(0, 2α−2Θ)] with α = ½ arccos⟨O⟩, and for any two
    eigenvalues that of (O − middle)/radius. Grows with Θ, and scales as O does.

    Args:
        theta: Θ, radians in [0, π/2], any shape.
        mean: ⟨O⟩ of the original without the identity's part (`Outputs.centred`), same shape.
        deviation: σ_O of the original or an upper limit, same shape.
        spectrum: Limits of O's eigenvalues, and Σ|c_P| of its words.
        rounding: Limit of the error of a Pauli word's mean; the bound holds for what mean and deviation may really be.
    """
    slack = _slack(spectrum, rounding)
    spread = deviation + 2 * np.sqrt(rounding) * spectrum.weight  # σ² is a sum of products of two such means
    norm_form = spectrum.width * np.sin(theta)
    reach = np.maximum(spectrum.high - mean, mean - spectrum.low) + slack
    variance_form = np.sin(theta) ** 2 * reach + np.sin(2 * np.minimum(theta, pi / 4)) * spread
    bound = np.minimum(norm_form, variance_form)
    if spectrum.is_two_valued:
        unit, doubt = _as_sign(mean, spectrum), 2 * slack / spectrum.width
        falls = np.maximum(_descent(theta, unit, doubt), _descent(theta, -unit, doubt))
        bound = np.minimum(bound, spectrum.width / 2 * falls)
    return bound


def _slack(spectrum: Spectrum, rounding: float) -> float:
    """Limit of the error of ⟨O⟩ without the identity's part."""
    return float(rounding * spectrum.weight)


def _as_sign(mean: FloatArray, spectrum: Spectrum) -> FloatArray:
    """⟨S⟩ in [−1, 1] of the observable S = ±1 that O = middle + radius·S is, by ⟨O⟩ without the identity's part."""
    return (2 * mean - (spectrum.low + spectrum.high)) / spectrum.width


def _descent(theta: FloatArray, mean: FloatArray, slack: float) -> FloatArray:
    """How far ⟨O⟩ of a ±1 observable can fall within Θ, cos 2α − cos min(π, 2α + 2Θ), from anywhere in mean ± slack.

    It is largest from ⟨O⟩ = sin Θ, and smaller the farther from there on either side.
    """
    start = np.clip(np.sin(theta), np.clip(mean - slack, -1, 1), np.clip(mean + slack, -1, 1))
    # expanded so that α near 0 or π/2 costs no digits
    fall = 2 * start * np.sin(theta) ** 2 + np.sin(2 * theta) * np.sqrt((1 - start) * (1 + start))
    return np.where(np.arccos(start) + 2 * theta < pi, fall, 1 + start)


def variance_bound(of_mean: FloatArray, of_square: FloatArray, mean: FloatArray, spectrum: Spectrum) -> FloatArray:
    """Largest change of Var O = ⟨O²⟩ − ⟨O⟩²: b(O²) + b(O)·(2|⟨O⟩| + b(O)), and at most `largest_variance`.

    Because |Δ⟨O⟩²| = |Δ⟨O⟩|·|2⟨O⟩ + Δ⟨O⟩|.

    Args:
        of_mean: b(O), the bound on |Δ⟨O⟩|, any shape.
        of_square: b(O²), the bound on |Δ⟨O²⟩|, same shape; 0 where O² is a multiple of 1.
        mean: ⟨O⟩ of the original, same shape; of an O without the identity's part, as O² is of that.
        spectrum: Limits of O's eigenvalues.
    """
    return np.minimum(of_square + of_mean * (2 * np.abs(mean) + of_mean), largest_variance(spectrum))


def largest_variance(spectrum: Spectrum) -> float:
    """(λ_max − λ_min)²/4, above which no variance lies (Popoviciu 1935)."""
    return spectrum.width**2 / 4


def outcomes_bound(theta: FloatArray, each: FloatArray) -> FloatArray:
    """Total variation of outcomes: sin Θ (T2), or half the sum of their probabilities' bounds where that is less.

    Args:
        theta: Θ of the measured qubits, radians in [0, π/2], shape (M,).
        each: Bound on the change of each outcome's probability, shape (outcomes, M).
    """
    return np.minimum(distribution_bound(theta), each.sum(axis=0) / 2)


def largest_angle(
    budget: float,
    mean: FloatArray,
    deviation: FloatArray,
    spectrum: Spectrum,
    rounding: float = EXPECTATION_ROUNDING,
) -> FloatArray:
    """The largest Θ whose `observable_bound` stays within the budget, per sample; found by bisection."""
    low, high = np.zeros_like(mean), np.full_like(mean, pi / 2)
    high_fits = observable_bound(high, mean, deviation, spectrum, rounding) <= budget
    for _ in range(60):
        middle = (low + high) / 2
        fits = observable_bound(middle, mean, deviation, spectrum, rounding) <= budget
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.where(high_fits, pi, low)  # a bound that no angle exceeds constrains nothing


def largest_distribution_angle(budget: float, samples: int) -> FloatArray:
    """The largest Θ with sin Θ ≤ budget, per sample."""
    return np.full(samples, pi if budget >= 1 else np.arcsin(budget))


def predictions_certified(
    theta: FloatArray, mean: FloatArray, spectrum: Spectrum, rounding: float = EXPECTATION_ROUNDING
) -> NDArray[np.bool_]:
    """Where sign⟨O⟩ of an observable ±r cannot flip: Θ < |π/4 − α|, α = ½ arccos(⟨O⟩/r) (T4).

    Args:
        theta: Θ, radians in [0, π/2], any shape.
        mean: ⟨O⟩ of the original without the identity's part, same shape.
        spectrum: Of an observable that predicts a sign.
        rounding: As in `observable_bound`.
    """
    # |π/4 − ½ arccos m| = ½ arcsin|m|
    margin = np.maximum(np.abs(_as_sign(mean, spectrum)) - 2 * _slack(spectrum, rounding) / spectrum.width, 0)
    return theta < np.arcsin(np.clip(margin, 0, 1)) / 2


def angle_from_tolerances(kappas: FloatArray, tolerances: FloatArray) -> float:
    """Closed form Θ ≤ min(π/2, Σ_k 2 arcsin(min(1, κ_k ε_k / 2))) for the aggregate `max` (T2).

    With the aggregate `rms` each sample may exceed its ε_k; then it bounds no single sample.
    """
    return float(min(pi / 2, np.sum(2 * np.arcsin(np.minimum(1, np.asarray(kappas) * tolerances / 2)))))


def mean_state_error(distances: FloatArray, weights: FloatArray) -> float:
    """(E‖Δψ‖²)^½ ≤ Σ_k (E d_{k,i}²)^½, phases per sample, for replacements alone (T2, Minkowski).

    Args:
        distances: Undeformed d_{k,i} = 2 sin(θ_{k,i}/2), shape (gates, M).
        weights: p_i, shape (M,).
    """
    return float(np.sqrt(distances**2 @ weights).sum()) if len(distances) else 0.0


# -- unseen inputs (T5) ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HoldoutClaim:
    """What a hold-out sample proves about inputs nobody saw, each statement with probability 1 − delta (T5).

    Attributes:
        samples: Hold-out inputs N.
        delta: Failure probability of each statement.
        mean: Mean measured deviation on the hold-out (largest over the outputs, per sample).
        largest: Largest one.
        expected_upper: Upper limit of the expected deviation: the smaller of Hoeffding and empirical Bernstein,
            each at delta/2.
        flips: Predictions that changed on the hold-out, or None where there is no ±1 prediction.
        flip_rate_upper: Clopper-Pearson upper limit of the flip rate, or None.
    """

    samples: int
    delta: float
    mean: float
    largest: float
    expected_upper: float
    flips: int | None
    flip_rate_upper: float | None


def holdout_claim(deviations: FloatArray, ceiling: float, flips: int | None, delta: float) -> HoldoutClaim:
    """T5 for deviations in [0, ceiling], shape (N,)."""
    size = len(deviations)
    # The smaller of two limits is itself a limit only if both hold: each gets half of delta.
    upper = min(hoeffding(deviations, ceiling, delta / 2), empirical_bernstein(deviations, ceiling, delta / 2))
    return HoldoutClaim(
        samples=size,
        delta=delta,
        mean=float(deviations.mean()),
        largest=float(deviations.max()),
        expected_upper=min(upper, ceiling),
        flips=flips,
        flip_rate_upper=None if flips is None else clopper_pearson(flips, size, delta),
    )


def hoeffding(values: FloatArray, ceiling: float, delta: float) -> float:
    """E[D] ≤ mean + D_max √(ln(1/δ)/2N) with probability 1 − δ (T5; Hoeffding 1963)."""
    return float(values.mean() + ceiling * sqrt(log(1 / delta) / (2 * len(values))))


def empirical_bernstein(values: FloatArray, ceiling: float, delta: float) -> float:
    """E[D] ≤ mean + √(2 V ln(2/δ)/N) + 7 D_max ln(2/δ)/(3(N−1)), V the sample variance (Maurer and Pontil 2009)."""
    size = len(values)
    if size < 2:
        return ceiling
    term = log(2 / delta)
    return float(values.mean() + sqrt(2 * values.var(ddof=1) * term / size) + 7 * ceiling * term / (3 * (size - 1)))


def clopper_pearson(successes: int, trials: int, delta: float) -> float:
    """One-sided upper limit of a binomial rate at confidence 1 − δ (Clopper and Pearson 1934)."""
    if not 0 <= successes <= trials or trials < 1:
        raise OptionError(f"successes must be in 0 … {trials}, got {successes}")
    return 1.0 if successes == trials else float(scipy.special.betaincinv(successes + 1, trials - successes, 1 - delta))
