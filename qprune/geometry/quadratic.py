"""The supremum of a Hermitian form over states: all of them, real ones, or those of a subspace.

Source: THEORY T9, step 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from qprune._arrays import ComplexArray, FloatArray

EIGENVALUE_ROUNDINGS = 8.0
"""Units in the last place, times the matrix's size and norm, by which a computed eigenvalue may be off: LAPACK's
Hermitian solvers are backward stable, with a modest multiple of the size."""

COLUMNS = 64  # of a matrix that is known by its products alone, asked for at a time


@dataclass(frozen=True, eq=False)
class LargestForm:
    """lower ≤ max |⟨x|Δ|x⟩| ≤ upper over unit vectors x.

    Attributes:
        lower: |⟨x|Δ|x⟩| at `at`.
        upper: Proven, rounding of the eigenvalue included.
        at: The vector, shape (d,).
        method: "eigenvalues", or "Frobenius norm" where only products with vectors were affordable.
    """

    lower: float
    upper: float
    at: ComplexArray
    method: str


def largest_form(
    matrix: ComplexArray, basis: FloatArray | ComplexArray | None = None, real: bool = False
) -> LargestForm:
    """Over all unit vectors, or real ones, or those of a subspace.

    Args:
        matrix: Hermitian, shape (d, d).
        basis: Orthonormal columns of the subspace, shape (d, k); real vectors of it need a real basis.
        real: Only real vectors.
    """
    given = matrix if basis is None else basis.conj().T @ matrix @ basis
    form: NDArray[Any] = (given + given.conj().T) / 2
    if real:
        form = form.real
    size = len(form)
    ends = [eigh(form, subset_by_index=[k, k]) for k in sorted({0, size - 1})]
    values = [float(found[0][0]) for found in ends]
    k = int(np.argmax(np.abs(values)))
    vector = ends[k][1][:, 0].astype(complex)
    at = vector if basis is None else basis @ vector
    rounding = EIGENVALUE_ROUNDINGS * float(np.finfo(float).eps) * size * abs(values[k])
    lower = abs(float(np.vdot(at, matrix @ at).real)) / float(np.vdot(at, at).real)
    return LargestForm(lower, max(abs(values[k]) + rounding, lower), at, "eigenvalues")


def largest_form_by_products(product: Callable[[ComplexArray], ComplexArray], size: int, seed: int = 0) -> LargestForm:
    """From products of Δ with columns alone: a Ritz value from below, the Frobenius norm from above.

    An iteration may miss an eigenvector that its start has no part in, so that no residual gives an upper limit of the
    *largest* eigenvalue; √(Tr Δ²) is one.

    Args:
        product: Δ on columns, (d, m) to (d, m).
        size: d.
        seed: Of the start.
    """
    square = 0.0
    for first in range(0, size, COLUMNS):
        columns = np.zeros((size, min(COLUMNS, size - first)), dtype=complex)
        columns[first + np.arange(columns.shape[1]), np.arange(columns.shape[1])] = 1
        square += float(np.linalg.norm(product(columns)) ** 2)
    rng = np.random.default_rng(seed)
    start = rng.normal(size=size) + 1j * rng.normal(size=size)
    operator = LinearOperator((size, size), matvec=lambda v: product(v.reshape(-1, 1))[:, 0], dtype=complex)
    try:
        at = eigsh(operator, k=1, which="LM", v0=start)[1][:, 0]
    except ArpackNoConvergence as error:
        at = error.eigenvectors[:, 0] if error.eigenvectors.size else start
    at = at / np.linalg.norm(at)
    lower = abs(float(np.vdot(at, product(at[:, None])[:, 0]).real))
    upper = np.sqrt(square) * (1 + EIGENVALUE_ROUNDINGS * float(np.finfo(float).eps) * size)
    return LargestForm(lower, max(float(upper), lower), at, "Frobenius norm")
