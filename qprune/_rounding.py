"""What double precision hides: limits that several files share, each with the scale it is relative to.

Quantities of the user's (observables, inputs, weights, costs) have no scale but their own, so nothing here is compared
with them as it stands. A limit without a scale belongs to numbers of size one: states and unitaries have norm one,
probabilities add up to one, and an angle counts modulo its period.
"""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import NDArray

EPSILON = float(np.finfo(float).eps)

EXPECTATION_ROUNDING = 64 * EPSILON
"""Limit of the rounding error of a Pauli word's mean on few qubits after a few thousand gates; a mean is in [−1, 1].

Bounds use the upper end of what a value may be, so that a gate whose state *seems* to be an exact eigenstate still
contributes the angle that rounding could hide: some 10⁻⁷ on few qubits, 4·10⁻⁶ on twenty. For an observable it counts
times Σ|c_P|, P ≠ 1.
"""

ANGLE_ROUNDING = 64 * EPSILON
"""Coordinates that differ by less, in radians and modulo the period, are one group element: what rounding leaves of the
sum of a few dozen angles, each within a period."""

MATRIX_ROUNDING = 1e-12
"""Entries of matrices of norm one that differ by less are equal: products of unitaries, as exact simplifications and
syntheses make them, lose some thousand roundings. No state moves farther than that times the matrix's size."""

SUM_ROUNDING = 1e-12
"""Radians that the sum of two expressions, worked out in double precision, may be off from the two worked out apart.

An angle of some thousand radians is known no better than that. What is larger, such as a timestamp in seconds, is left
alone: no merging, and no short cut in working it out."""


def within_period(angle: NDArray[np.float64] | float, period: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """An angle modulo its period, in [−period/2, period/2], right to some 10⁻¹⁶ however large it is.

    A float is a number of its own, and that number is meant: 1e16 is 10¹⁶ exactly, of which sine and cosine (and with
    them every simulator) know the place in the period, although its neighbours are 2 apart. Angles within half a period
    stay what they are to the last bit.

    Args:
        angle: Radians, any shape.
        period: 2π or 4π, of all or of each; the angle is scaled by a power of two, which rounds nothing.

    Example:
        >>> round(float(within_period(1e16, 2 * pi)), 12)
        2.247425249162
    """
    angle = np.asarray(angle, dtype=np.float64)
    scale = period / (2 * pi)
    turned = np.arctan2(np.sin(angle / scale), np.cos(angle / scale)) * scale
    return np.where(np.abs(angle) <= period / 2, angle, turned)
