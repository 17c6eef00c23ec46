"""How large a change is: of one number, of a distribution, or of either over all states, by Hermitian forms.

Convex combinations of control points stay below the largest of them in any norm, so that a search for a supremum needs
no more of it than what is here.

Source: THEORY T9, steps 2 and 9.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune._rounding import EPSILON
from qprune.geometry.kernels import compiled, largest
from qprune.geometry.trigonometric import norm_of, sum_of_amplitudes

IndexArray = NDArray[np.intp]

MOST_OUTCOMES = 8  # of a distribution that changes with a state: 127 sets, each with an eigenvalue problem
AT_ONCE = 2**18  # values of the sums that are looked at together

EIGENVALUE_ROUNDINGS = 8.0
"""Units in the last place, times the matrix's size and norm, by which a computed eigenvalue may be off: LAPACK's
Hermitian solvers are backward stable, with a modest multiple of the size."""


class Norm(ABC):
    """A norm of V values side by side.

    Attributes:
        spread: What an error of at most one in every value may come to.
    """

    spread: float

    @abstractmethod
    def of(self, values: FloatArray) -> FloatArray:
        """Norms of values, shape (…, V)."""

    @abstractmethod
    def dual(self, values: FloatArray) -> FloatArray:
        """A linear function, shape (V,), that has these values' norm there and nowhere more than the norm."""

    @abstractmethod
    def largest(self, points: FloatArray) -> tuple[FloatArray, IndexArray]:
        """The largest among the control points of each of K cells, shape (K, N · V), and where it stands."""

    @abstractmethod
    def everywhere(self, values: FloatArray) -> float:
        """A limit for all phases from the values on their tensor grid, without a search."""


@dataclass(frozen=True)
class OfOutcomes(Norm):
    """|v| of one number; the total variation, half the sum of |v|, of several.

    Attributes:
        width: V.
    """

    width: int

    @property
    def spread(self) -> float:  # type: ignore[override]
        return 1.0 if self.width == 1 else self.width / 2

    def of(self, values: FloatArray) -> FloatArray:
        return norm_of(values)

    def dual(self, values: FloatArray) -> FloatArray:
        return np.where(values < 0, -1.0, 1.0) * (1.0 if self.width == 1 else 0.5)

    def largest(self, points: FloatArray) -> tuple[FloatArray, IndexArray]:
        bounds, places = np.empty(len(points)), np.empty(len(points), dtype=np.intp)
        compiled(largest)(points, self.width, bounds, places)
        return bounds, places

    def everywhere(self, values: FloatArray) -> float:
        return sum_of_amplitudes(values)


@dataclass(frozen=True)
class OfForms(Norm):
    """The largest change over all unit vectors ψ that Hermitian matrices Δ_b make: of a number |⟨ψ|Δ|ψ⟩|, of a
    distribution ½ Σ_b |⟨ψ|Δ_b|ψ⟩|.

    Of one matrix it is the largest absolute eigenvalue. The changes of all outcomes sum to zero, so that their last
    matrix is minus the sum of the others and is left out; the total variation is the largest absolute eigenvalue of any
    Σ_{b∈S} Δ_b, S a non-empty set of these others.

    Attributes:
        size: d; the values are of each matrix its d² real parts, row by row, then the d² imaginary ones.
        is_real: Only real vectors: there are no imaginary parts.
        forms: Matrices, one for a number, all outcomes but the last for a distribution.

    Source: THEORY T9, step 9, Propositions 8 and 11.
    """

    size: int
    is_real: bool = False
    forms: int = 1

    @property
    def width(self) -> int:
        """V."""
        return self.forms * self.size**2 * (1 if self.is_real else 2)

    @property
    def spread(self) -> float:  # type: ignore[override]
        return float(np.sqrt(self.forms * self.width))  # of each matrix the Frobenius norm of its error, added up

    @property
    def sets(self) -> FloatArray:
        """Which matrices each sum has, shape (2^forms − 1, forms)."""
        return (np.arange(1, 2**self.forms)[:, None] >> np.arange(self.forms) & 1).astype(float)

    def values(self, matrices: ComplexArray) -> FloatArray:
        """Values of Hermitian matrices (…, forms, d, d): shape (…, V). Over real vectors only the real part counts."""
        flat = ((matrices + matrices.conj().swapaxes(-1, -2)) / 2).reshape(*matrices.shape[:-2], -1)
        parts = flat.real if self.is_real else np.concatenate([flat.real, flat.imag], axis=-1)
        return parts.reshape(*matrices.shape[:-3], self.width)

    def sums(self, values: FloatArray) -> Iterator[tuple[FloatArray, NDArray[Any]]]:
        """Sets of matrices and what they sum to, some at a time: shapes (sets, forms) and (…, sets, d, d)."""
        each = values.reshape(*values.shape[:-1], self.forms, -1)
        sets, square = self.sets, self.size**2
        step = max(1, AT_ONCE * self.forms // max(1, each.size))
        for chosen in (sets[first : first + step] for first in range(0, len(sets), step)):
            parts = chosen @ each
            flat = parts if self.is_real else parts[..., :square] + 1j * parts[..., square:]
            yield chosen, flat.reshape(*flat.shape[:-1], self.size, self.size)

    def of(self, values: FloatArray) -> FloatArray:
        norms = np.zeros(values.shape[:-1])
        for _, matrices in self.sums(values):
            ends = np.linalg.eigvalsh(matrices)[..., [0, -1]]
            norms = np.maximum(norms, np.abs(ends).max(axis=(-1, -2)))
        each = np.linalg.norm(values.reshape(*norms.shape, self.forms, -1), axis=-1).sum(axis=-1)
        summed = (self.forms - 1) * EPSILON * each  # what the sums are off by
        return np.asarray(norms * (1 + EIGENVALUE_ROUNDINGS * EPSILON * self.size) + summed)

    def state(self, values: FloatArray) -> ComplexArray:
        """A unit vector with the largest change by one set of matrices, shape (d,)."""
        return self._worst(values)[1]

    def _worst(self, values: FloatArray) -> tuple[FloatArray, ComplexArray]:
        """The set of matrices with the largest absolute eigenvalue, shape (forms,), and its eigenvector."""
        worst, best = (np.zeros(self.forms), np.zeros(self.size, dtype=complex)), -1.0
        for chosen, matrices in self.sums(values):
            found, vectors = np.linalg.eigh(matrices)
            sizes = np.abs(found)
            k, j = np.unravel_index(int(sizes.argmax()), sizes.shape)
            if sizes[k, j] > best:
                worst, best = (chosen[k], vectors[k, :, j].astype(complex)), float(sizes[k, j])
        return worst

    def dual(self, values: FloatArray) -> FloatArray:
        chosen, state = self._worst(values)
        weights = np.outer(state.conj(), state).ravel()
        one = weights.real if self.is_real else np.concatenate([weights.real, -weights.imag])
        form = np.outer(chosen, one).ravel()
        return form * (1.0 if form @ values >= 0 else -1.0)

    def largest(self, points: FloatArray) -> tuple[FloatArray, IndexArray]:
        norms = self.of(points.reshape(len(points), -1, self.width))
        places = norms.argmax(axis=1)
        return norms[np.arange(len(norms)), places], places

    def everywhere(self, values: FloatArray) -> float:
        """The sum of the Frobenius norms of all coefficients, for the set of matrices where that is largest."""
        axes = tuple(range(values.ndim - 1))
        count = values[..., 0].size
        each = (np.fft.fftn(values, axes=axes) if axes else values).reshape(count, self.forms, -1) / count
        return max(float(np.linalg.norm(chosen @ each, axis=-1).sum()) for chosen in self.sets)
