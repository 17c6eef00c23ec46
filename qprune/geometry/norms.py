"""How large a change is: of one number, of a distribution, or of a Hermitian form over all states.

Convex combinations of control points stay below the largest of them in any norm, so that a search for a supremum needs
no more of it than what is here.

Source: THEORY T9, steps 2 and 9.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune._rounding import EPSILON
from qprune.geometry.kernels import compiled, largest
from qprune.geometry.trigonometric import norm_of, sum_of_amplitudes

IndexArray = NDArray[np.intp]

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
    """The largest |⟨ψ|Δ|ψ⟩| over unit vectors: the largest absolute eigenvalue of a Hermitian matrix.

    Attributes:
        size: d; the values are the d² real parts, row by row, then the d² imaginary ones.
        is_real: Only real vectors: there are no imaginary parts.
    """

    size: int
    is_real: bool = False

    @property
    def width(self) -> int:
        """V."""
        return self.size**2 * (1 if self.is_real else 2)

    @property
    def spread(self) -> float:  # type: ignore[override]
        return float(np.sqrt(self.width))  # the Frobenius norm of the error

    def values(self, matrices: ComplexArray) -> FloatArray:
        """Values of Hermitian matrices (…, d, d): shape (…, V). Over real vectors only the real part counts."""
        flat = ((matrices + matrices.conj().swapaxes(-1, -2)) / 2).reshape(*matrices.shape[:-2], -1)
        return flat.real.copy() if self.is_real else np.concatenate([flat.real, flat.imag], axis=-1)

    def matrices(self, values: FloatArray) -> NDArray[Any]:
        """The matrices of values, shape (…, d, d)."""
        square = self.size**2
        flat = values if self.is_real else values[..., :square] + 1j * values[..., square:]
        return flat.reshape(*values.shape[:-1], self.size, self.size)

    def of(self, values: FloatArray) -> FloatArray:
        ends = np.linalg.eigvalsh(self.matrices(values))[..., [0, -1]]
        return np.asarray(np.abs(ends).max(axis=-1) * (1 + EIGENVALUE_ROUNDINGS * EPSILON * self.size))

    def state(self, values: FloatArray) -> ComplexArray:
        """A unit vector with the largest |⟨ψ|Δ|ψ⟩| of one matrix, shape (d,)."""
        found, vectors = np.linalg.eigh(self.matrices(values))
        return np.asarray(vectors[:, int(np.abs(found).argmax())], dtype=complex)

    def dual(self, values: FloatArray) -> FloatArray:
        state = self.state(values)
        weights = np.outer(state.conj(), state).ravel()
        form = weights.real if self.is_real else np.concatenate([weights.real, -weights.imag])
        return form * (1.0 if form @ values >= 0 else -1.0)

    def largest(self, points: FloatArray) -> tuple[FloatArray, IndexArray]:
        norms = self.of(points.reshape(len(points), -1, self.width))
        places = norms.argmax(axis=1)
        return norms[np.arange(len(norms)), places], places

    def everywhere(self, values: FloatArray) -> float:
        """The sum of the Frobenius norms of all coefficients."""
        axes = tuple(range(values.ndim - 1))
        count = values[..., 0].size
        each = (np.fft.fftn(values, axes=axes) if axes else values).reshape(count, -1) / count
        return float(np.linalg.norm(each, axis=1).sum())
