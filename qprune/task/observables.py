"""Observables: what users give as Hermitian Pauli sums, and where their eigenvalues lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from qiskit.circuit import ParameterExpression
from qiskit.quantum_info import Operator, PauliList, SparsePauliOp

from qprune._rounding import EXPECTATION_ROUNDING
from qprune.errors import TaskError

DENSE_QUBITS = 8  # observables on at most this many qubits are diagonalised
LABEL_QUBITS = 16  # more letters than these nobody reads
SQUARED_WORDS = 64  # Pauli words of an observable up to which its square says whether it has two eigenvalues only
HERMITIAN = 1e-10  # imaginary part of a coefficient that is taken for rounding, as a share of the largest coefficient
SQUARABLE = 1e140  # coefficients whose squares, summed over samples, are still far from the ends of what floats hold


@dataclass(frozen=True)
class Spectrum:
    """Where an observable's eigenvalues lie, in the observable's unit.

    Bounds on ⟨O⟩ rest on these numbers alone: they need no state. They are in the observable's unit and without the
    identity's part c: no output's change depends on c, and beside a large c double precision would lose the rest.

    Attributes:
        low: A lower limit of the smallest eigenvalue of O − c.
        high: An upper limit of the largest.
        is_two_valued: Whether O has the two eigenvalues c + low and c + high and no others, as every Pauli word has.
        exact: Whether low and high are eigenvalues rather than limits from the norm.
        centre: c.
        weight: Σ|c_P| over all other Pauli words.
    """

    low: float
    high: float
    is_two_valued: bool
    exact: bool
    centre: float = 0.0
    weight: float = 1.0

    @property
    def width(self) -> float:
        """λ_max − λ_min, the largest change of ⟨O⟩ there can be."""
        return self.high - self.low

    @property
    def predicts_sign(self) -> bool:
        """Whether the eigenvalues are ±r, so that the sign of ⟨O⟩ is a prediction."""
        return self.is_two_valued and abs(2 * self.centre + self.low + self.high) <= EXPECTATION_ROUNDING * self.width


def as_observables(given: Any, num_qubits: int) -> tuple[SparsePauliOp, ...] | None:
    """What a user gave as observables, as Hermitian Pauli sums with real coefficients and each word once.

    Args:
        given: One or a list of `SparsePauliOp`, `SparseObservable`, `Pauli`, Pauli label (the last letter is qubit 0),
            label with coefficient `("ZI", 2.0)`, or matrix of shape (2^n, 2^n); None for probabilities, which stays
            None.
        num_qubits: n, the qubits each must act on.

    Raises:
        TaskError: There is none in the list, or one is no observable, not Hermitian, not finite, has free parameters or
            acts on another number of qubits.

    Example:
        >>> as_observables("ZI", 2)[0].to_list()
        [('ZI', (1+0j))]
        >>> as_observables([SparsePauliOp(["ZI", "IX", "ZI"], [0.5, 2.0, 0.25])], 2)[0].to_list()
        [('ZI', (0.75+0j)), ('IX', (2+0j))]
        >>> [each.to_list() for each in as_observables([("ZI", 2.0), "IX"], 2)]
        [[('ZI', (2+0j))], [('IX', (1+0j))]]
    """
    if given is None:
        return None
    items = list(given) if isinstance(given, (list, tuple)) and not _is_weighted(given) else [given]
    if not items:
        raise TaskError("observables is empty; give at least one, or None for probabilities")
    return tuple(_observable(item, num_qubits) for item in items)


def _is_weighted(item: Any) -> bool:
    """Whether it is a Pauli label with its coefficient."""
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and not isinstance(item[1], str)


def _observable(item: Any, num_qubits: int) -> SparsePauliOp:
    try:
        if isinstance(item, str):
            operator = SparsePauliOp(item)
        elif _is_weighted(item):
            operator = SparsePauliOp(item[0], float(item[1]))
        elif isinstance(item, SparsePauliOp):
            operator = item
        elif hasattr(item, "to_sparse_list") and hasattr(item, "bit_terms"):  # SparseObservable
            operator = SparsePauliOp.from_sparse_observable(item)
        elif hasattr(item, "to_label"):  # Pauli
            operator = SparsePauliOp(item)
        else:
            operator = from_matrix(item)
    except Exception as error:
        raise TaskError(
            f"observable {item!r} is not a SparsePauliOp, a Pauli label such as 'ZII', a pair ('ZII', 2.0) or a "
            "Hermitian matrix"
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
    simplified = SparsePauliOp(operator.paulis, coefficients).simplify(atol=0)  # the default drops terms below 10⁻⁸
    sizes = np.abs(simplified.coeffs)
    rest = float(np.max(sizes[np.any(simplified.paulis.x | simplified.paulis.z, axis=1)], initial=0))
    if max(sizes) > SQUARABLE or 0 < rest < 1 / SQUARABLE:  # Aer, and fits, square outputs and sum them up
        raise TaskError(
            f"observable {name_of(operator)} must have coefficients whose squares a float can hold, the largest "
            f"and the largest but the identity's between {1 / SQUARABLE:g} and {SQUARABLE:g}, got {max(sizes):g}, "
            f"{rest:g}; give it in another unit"
        )
    if np.max(np.abs(simplified.coeffs.imag)) > HERMITIAN * np.max(np.abs(simplified.coeffs)):
        raise TaskError(
            f"observable {name_of(simplified)} is not Hermitian (largest imaginary Pauli coefficient "
            f"{np.max(np.abs(simplified.coeffs.imag)):.3g}); measure its Hermitian parts instead"
        )
    return SparsePauliOp(simplified.paulis, simplified.coeffs.real)


def from_matrix(matrix: Any) -> SparsePauliOp:
    """The Pauli sum of a matrix, terms however small; what its diagonal has in common does not round the others."""
    operator = Operator(matrix)
    size = len(operator.data)
    common = complex(operator.data[0, 0])
    rest = SparsePauliOp.from_operator(Operator(operator.data - common * np.eye(size)), atol=0, rtol=0)
    return rest + SparsePauliOp("I" * operator.num_qubits, common)


def are_equal(first: SparsePauliOp, second: SparsePauliOp) -> bool:
    """Whether two sums are the same to rounding of their coefficients; Qiskit's `equiv` ignores what is below 10⁻⁸."""
    difference = np.abs((first - second).simplify(atol=0).coeffs).sum()
    return bool(difference <= EXPECTATION_ROUNDING * np.abs(np.concatenate([first.coeffs, second.coeffs])).sum())


def measured_as(
    given: Any, measured: tuple[int, ...], num_qubits: int, like: tuple[SparsePauliOp, ...] | None = None
) -> dict[str, Any]:
    """What a task keeps of its outputs: observables, their spectra, and the qubits that each output is read from.

    Args:
        given: As in `Task`.
        measured: The measured qubits, which count without observables.
        num_qubits: Of the circuit.
        like: Observables in whose place they stand, one for one; None where there are none yet.

    Raises:
        TaskError: They are no observables, or not as many.
    """
    outputs = as_observables(given, num_qubits)
    if like is not None and (outputs is None or len(outputs) != len(like)):
        raise TaskError(
            f"observables must be as many as the task has, {len(like)}, as labels and claims go by them; got "
            f"{'none' if outputs is None else len(outputs)}: make a new Task for other outputs"
        )
    return {
        "observables": outputs,
        "spectra": tuple(map(spectrum_of, outputs or ())),
        "output_supports": (measured,) if outputs is None else tuple(map(support_of, outputs)),
    }


def name_of(observable: SparsePauliOp) -> str:
    """A short name: a single Pauli word, else the first three terms; on many qubits by letter and qubit.

    Example:
        >>> name_of(SparsePauliOp(["ZI", "IX"], [0.5, 2.0]))
        '+0.5·ZI +2·IX'
        >>> name_of(SparsePauliOp.from_sparse_list([("ZX", [51, 3], 1.0)], num_qubits=133))
        'X3Z51'
    """
    terms = [(_word(label), c.real) for label, c in observable[:3].to_list()]
    if len(observable) == 1 and terms[0][1] == 1:
        return terms[0][0]
    more = f" … ({len(observable)} terms)" if len(observable) > 3 else ""
    return " ".join(f"{c:+.4g}·{word}" for word, c in terms) + more


def _word(label: str) -> str:
    if len(label) <= LABEL_QUBITS:
        return label
    return "".join(f"{letter}{q}" for q, letter in enumerate(reversed(label)) if letter != "I") or "I"


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
    """Where the eigenvalues of an observable with real coefficients lie, without the identity's part c.

    Found exactly where there are two of them, as its square says, and for observables on at most 8 qubits; else limited
    by |O − c| ≤ Σ|c_P|, the sum over all words P but the identity.

    Example:
        >>> spectrum = spectrum_of(SparsePauliOp(["ZI", "IX", "II"], [0.5, 2.0, 7.0]))
        >>> round(spectrum.low, 6), round(spectrum.high, 6), spectrum.centre, spectrum.is_two_valued, spectrum.exact
        (-2.5, 2.5, 7.0, False, True)
    """
    centre, rest = without_identity(observable)
    support, weight = support_of(rest), float(np.abs(rest.coeffs).sum())
    if not support:
        return Spectrum(0.0, 0.0, False, True, centre, 0.0)
    if (values := _two_values(rest)) is not None:
        return Spectrum(*values, True, True, centre, weight)
    if len(support) <= DENSE_QUBITS:
        found = np.linalg.eigvalsh(restricted(rest, support).to_matrix())
        return Spectrum(float(found[0]), float(found[-1]), False, True, centre, weight)
    return Spectrum(-weight, weight, False, False, centre, weight)


def without_identity(observable: SparsePauliOp) -> tuple[float, SparsePauliOp]:
    """The coefficient of the identity, and the other words; a single word of coefficient 0 where there are none."""
    identity = ~np.any(observable.paulis.x | observable.paulis.z, axis=1)
    centre = float(observable.coeffs[identity].real.sum())
    if identity.all():
        return centre, SparsePauliOp("I" * observable.num_qubits, 0.0)
    return centre, SparsePauliOp(observable.paulis[~identity], observable.coeffs[~identity])


def _two_values(rest: SparsePauliOp) -> tuple[float, float] | None:
    """The two eigenvalues of a sum without the identity, if A² = αA + β to rounding; None for all others."""
    if len(rest) > SQUARED_WORDS:
        return None
    square = dict((rest @ rest).simplify(atol=0).to_list())
    words = {word: c.real for word, c in rest.to_list()}
    beta = square.pop("I" * rest.num_qubits, 0.0).real
    largest = max(words, key=lambda word: abs(words[word]))
    alpha = square.get(largest, 0.0).real / words[largest]
    left = sum(abs(square.get(word, 0.0) - alpha * words.get(word, 0.0)) for word in {*square, *words})
    if left > EXPECTATION_ROUNDING * beta:
        return None
    middle, radius = alpha / 2, sqrt(alpha**2 / 4 + beta)
    return middle - radius, middle + radius
