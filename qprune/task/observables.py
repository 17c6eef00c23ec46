"""Observables: what users give as Hermitian Pauli sums, and where their eigenvalues lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.circuit import ParameterExpression
from qiskit.quantum_info import Operator, PauliList, SparsePauliOp

from qprune.errors import TaskError

DENSE_QUBITS = 8  # observables on at most this many qubits are diagonalised


@dataclass(frozen=True)
class Spectrum:
    """Where an observable's eigenvalues lie, in the observable's unit.

    Bounds on ⟨O⟩ rest on these numbers alone: they need no state.

    Attributes:
        low: A lower limit of the smallest eigenvalue, in the observable's unit.
        high: An upper limit of the largest.
        is_involution: Whether O² = 1, so that all eigenvalues are ±1.
        exact: Whether low and high are eigenvalues rather than limits from the norm.
        centre: Coefficient of the identity.
        weight: Σ|c_P| over all other Pauli words.
    """

    low: float
    high: float
    is_involution: bool
    exact: bool
    centre: float = 0.0
    weight: float = 1.0


def as_observables(given: Any, num_qubits: int) -> tuple[SparsePauliOp, ...] | None:
    """What a user gave as observables, as Hermitian Pauli sums with real coefficients and each word once.

    Args:
        given: One or a list of `SparsePauliOp`, `SparseObservable`, `Pauli`, Pauli label (the last letter is qubit 0)
            or matrix of shape (2^n, 2^n); None for probabilities, which stays None.
        num_qubits: n, the qubits each must act on.

    Raises:
        TaskError: There is none in the list, or one is no observable, not Hermitian, not finite, has free parameters or
            acts on another number of qubits.

    Example:
        >>> as_observables("ZI", 2)[0].to_list()
        [('ZI', (1+0j))]
        >>> as_observables([SparsePauliOp(["ZI", "IX", "ZI"], [0.5, 2.0, 0.25])], 2)[0].to_list()
        [('ZI', (0.75+0j)), ('IX', (2+0j))]
    """
    if given is None:
        return None
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    if not items:
        raise TaskError("observables is empty; give at least one, or None for probabilities")
    return tuple(_observable(item, num_qubits) for item in items)


def _observable(item: Any, num_qubits: int) -> SparsePauliOp:
    try:
        if isinstance(item, str):
            operator = SparsePauliOp(item)
        elif isinstance(item, SparsePauliOp):
            operator = item
        elif hasattr(item, "to_sparse_list") and hasattr(item, "bit_terms"):  # SparseObservable
            operator = SparsePauliOp.from_sparse_observable(item)
        elif hasattr(item, "to_label"):  # Pauli
            operator = SparsePauliOp(item)
        else:
            operator = SparsePauliOp.from_operator(Operator(item))
    except Exception as error:
        raise TaskError(
            f"observable {item!r} is not a SparsePauliOp, a Pauli label such as 'ZII' or a Hermitian matrix"
        ) from error
    if operator.num_qubits != num_qubits:
        raise TaskError(
            f"observable {name_of(operator)} acts on {operator.num_qubits} qubits, the circuit has {num_qubits}; "
            "give a label with one letter per qubit (after transpiling: observable.apply_layout(circuit.layout))"
        )
    if any(isinstance(c, ParameterExpression) and c.parameters for c in operator.coeffs.tolist()):
        raise TaskError(
            f"observable {' '.join(operator.paulis.to_labels()[:3])} has unbound parameters; bind them first"
        )
    coefficients = np.asarray(operator.coeffs, dtype=complex)
    if not np.all(np.isfinite(coefficients)):
        raise TaskError(f"observable {name_of(operator)} has a coefficient that is not finite; mend it")
    simplified = SparsePauliOp(operator.paulis, coefficients).simplify(atol=0)
    scale = np.max(np.abs(simplified.coeffs), initial=1e-300)
    if np.max(np.abs(simplified.coeffs.imag)) > 1e-10 * scale:
        raise TaskError(
            f"observable {name_of(simplified)} is not Hermitian (largest imaginary Pauli coefficient "
            f"{np.max(np.abs(simplified.coeffs.imag)):.3g}); measure its Hermitian parts instead"
        )
    return SparsePauliOp(simplified.paulis, simplified.coeffs.real)


def name_of(observable: SparsePauliOp) -> str:
    """A short name: the label of a single Pauli word, else the first three terms.

    Example:
        >>> name_of(SparsePauliOp(["ZI", "IX"], [0.5, 2.0]))
        '+0.5·ZI +2·IX'
    """
    terms = observable.to_list()
    shown = " ".join(f"{c.real:+.4g}·{p}" for p, c in terms[:3]) if len(terms) > 1 or terms[0][1] != 1 else terms[0][0]
    return shown + (f" … ({len(terms)} terms)" if len(terms) > 3 else "")


def support_of(observable: SparsePauliOp) -> tuple[int, ...]:
    """The qubits on which some term is not the identity, ascending.

    Example:
        >>> support_of(SparsePauliOp(["IZII", "XIII"]))
        (2, 3)
    """
    letters = np.any(observable.paulis.x | observable.paulis.z, axis=0)
    return tuple(int(q) for q in np.flatnonzero(letters))


def restricted(observable: SparsePauliOp, qubits: Sequence[int]) -> SparsePauliOp:
    """The observable on the given qubits alone; it must be the identity on all others."""
    columns = list(qubits)
    paulis = PauliList.from_symplectic(observable.paulis.z[:, columns], observable.paulis.x[:, columns])
    return SparsePauliOp(paulis, observable.coeffs)


def spectrum_of(observable: SparsePauliOp) -> Spectrum:
    """Where the eigenvalues of an observable with real coefficients lie.

    Found exactly for products of Pauli words and for observables on at most 8 qubits; else limited by
    c − Σ|c_P| ≤ O ≤ c + Σ|c_P|, with c the coefficient of the identity and the sums over all other words P.

    Example:
        >>> spectrum = spectrum_of(SparsePauliOp(["ZI", "IX"], [0.5, 2.0]))
        >>> round(spectrum.low, 6), round(spectrum.high, 6), spectrum.is_involution, spectrum.exact
        (-2.5, 2.5, False, True)
    """
    square = (observable @ observable).simplify() if len(observable) <= 64 else None
    is_involution = (
        square is not None and len(square) == 1 and not support_of(square) and abs(square.coeffs[0] - 1) < 1e-12
    )
    support = support_of(observable)
    identity = ~np.any(observable.paulis.x | observable.paulis.z, axis=1)
    centre = float(observable.coeffs[identity].real.sum())
    weight = float(np.abs(observable.coeffs[~identity]).sum())
    if is_involution:
        return Spectrum(-1.0, 1.0, True, bool(support), centre, weight)
    if len(support) <= DENSE_QUBITS and support:
        values = np.linalg.eigvalsh(restricted(observable, support).to_matrix())
        return Spectrum(float(values[0]), float(values[-1]), False, True, centre, weight)
    return Spectrum(centre - weight, centre + weight, False, not support, centre, weight)
