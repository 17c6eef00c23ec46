"""Random observables of every spectrum, scale and form."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit.quantum_info import Pauli, SparseObservable, SparsePauliOp

from . import oracle

Terms = tuple[tuple[str, float], ...]
FORMS = ("SparsePauliOp", "label", "matrix", "Pauli", "SparseObservable")


def draw_observables(rng: np.random.Generator, num_qubits: int) -> tuple[tuple[Terms, ...] | None, str, float]:
    """Observables as terms (None: probabilities), the form they are given in, and their unit."""
    if rng.random() < 0.2:
        return None, "SparsePauliOp", 1.0
    scale = 1.0 if rng.random() < 0.6 else float(10.0 ** rng.uniform(-18, 12))
    count = int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
    observables = tuple(_draw_terms(rng, num_qubits, scale) for _ in range(count))
    single_words = all(len(terms) == 1 and terms[0][1] == 1 for terms in observables)
    # A matrix would round a small term beside a large one away.
    rounds = any(max(abs(c) for _, c in terms) > 1e3 * min(abs(c) for _, c in terms) for terms in observables)
    allowed = FORMS if single_words else ("SparsePauliOp", "SparseObservable") if rounds else FORMS[::2]
    return observables, str(rng.choice(allowed)), scale


def _draw_terms(rng: np.random.Generator, n: int, scale: float) -> Terms:
    kind = rng.choice(["word", "sum", "involution", "projector", "constant", "nearly ±1", "shifted", "dense"])
    word = "".join(rng.choice(list("IXYZ"), n))
    if kind == "word":
        return ((word, scale),)
    if kind == "constant":
        return (("I" * n, -0.7 * scale),)
    return _merged([(label, float(c) * scale) for label, c in _sum(rng, str(kind), n, word)])


def _sum(rng: np.random.Generator, kind: str, n: int, word: str) -> list[tuple[str, float]]:
    words = ["".join(rng.choice(list("IXYZ"), n)) for _ in range(rng.integers(1, 6))]
    if kind == "sum":
        return [(label, rng.choice([-1.3, 0.25, 0.7, 2.0])) for label in words]
    q, rest = int(rng.integers(n)), "I" * n
    x, z = (rest[:q] + letter + rest[q + 1 :] for letter in "XZ")
    if kind == "involution":
        return [(x, 0.5**0.5), (z, 0.5**0.5)]
    if kind == "projector":
        return [(rest, 0.5), (z, 0.5)]
    if kind == "nearly ±1":  # squares to one up to a little
        return [(z, 1.0), *((label, 10.0 ** rng.uniform(-11, -3)) for label in words)]
    if kind == "shifted":  # far from zero
        return [(rest, 10.0 ** rng.uniform(0, 16)), (word, 1.0)]
    return [(label, c) for label, c in zip(words, rng.normal(size=len(words)), strict=True)]


def _merged(terms: list[tuple[str, float]]) -> Terms:
    """Each word once; a sum that is nothing is the identity's multiple instead."""
    sums: dict[str, float] = {}
    for label, c in terms:
        sums[label] = sums.get(label, 0.0) + c
    kept = tuple((label, c) for label, c in sums.items() if c)
    return kept or (("I" * len(terms[0][0]), 1.0),)


def as_given(observables: tuple[Terms, ...] | None, form: str) -> Any:
    """In one of the forms that `Task` takes."""
    if observables is None:
        return None
    given = [_as_given(terms, form) for terms in observables]
    return given if len(given) > 1 else given[0]


def _as_given(terms: Terms, form: str) -> Any:
    if form == "label":
        return terms[0][0]
    if form == "Pauli":
        return Pauli(terms[0][0])
    if form == "matrix":
        return oracle.dense(terms)
    operator = SparsePauliOp.from_list(list(terms))
    return SparseObservable.from_sparse_pauli_op(operator) if form == "SparseObservable" else operator


def weight(terms: Terms) -> float:
    """Σ|c_P| over all words but the identity: the unit in which a deviation is rounded."""
    return float(sum(abs(c) for label, c in terms if set(label) != {"I"}))
