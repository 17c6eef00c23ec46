"""The catalogue of algebraic subgroups and the partition of gates into classes (THEORY section 2).

A one-parameter subgroup is given by its generator A alone; eigenvalues and eigenprojectors follow from it, and with
them every closed form: in a state with spectral probabilities p_j, members t and t + δ overlap by Σ p_j e^{−iδa_j}.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, reduce
from itertools import product
from math import fsum, pi

import numpy as np
from qiskit.circuit import Instruction
from qiskit.circuit.library import (
    CCXGate,
    CCZGate,
    CHGate,
    CPhaseGate,
    CRXGate,
    CRYGate,
    CRZGate,
    CXGate,
    CYGate,
    CZGate,
    HGate,
    PauliEvolutionGate,
    RXGate,
    RXXGate,
    RYGate,
    RYYGate,
    RZGate,
    RZXGate,
    RZZGate,
    SwapGate,
)
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import ComplexArray, FloatArray
from qprune._rounding import ANGLE_ROUNDING, MATRIX_ROUNDING, within_period
from qprune.gates.sites import Angle, Site, Word, words_of

_FACTORS = {  # one letter each, on one qubit
    "X": SparsePauliOp(["I", "X"], [0.5, -0.5]),
    "Y": SparsePauliOp(["I", "Y"], [0.5, -0.5]),
    "Z": SparsePauliOp(["I", "Z"], [0.5, -0.5]),
    "H": SparsePauliOp(["I", "X", "Z"], [0.5, -(0.5**1.5), -(0.5**1.5)]),
}
_EIGENVALUES = {
    "pauli": (0.5, -0.5),
    "projector": (0.0, 1.0),
    "swap": (0.0, 1.0),
    "controlled": (0.0, 0.5, -0.5),
}
_ROTATIONS = {"X": RXGate, "Y": RYGate, "Z": RZGate, "XX": RXXGate, "YY": RYYGate, "ZZ": RZZGate}
_CONTROLLED = {"X": CRXGate, "Y": CRYGate, "Z": CRZGate}
_AT_PI = {  # letters in the order of the gate's qubits
    "ZX": CXGate,
    "ZY": CYGate,
    "ZZ": CZGate,
    "ZH": CHGate,
    "H": HGate,
    "ZZX": CCXGate,
    "ZZZ": CCZGate,
    "SS": SwapGate,
}
_CLIFFORD_AT_PI = {"ZX", "ZY", "ZZ", "H", "SS"}


@dataclass(frozen=True)
class Subgroup:
    """A subgroup of the catalogue on fixed qubits; equal subgroups are one class of gates.

    Attributes:
        family: "pauli", "projector", "controlled", "swap" (one generator each) or "special" (SU(2), SU(4)).
        word: The generator's letters by qubit; "C" marks a control, "U" a qubit of SU(2^n).
    """

    family: str
    word: Word

    @cached_property
    def qubits(self) -> tuple[int, ...]:
        return tuple(q for q, _ in self.word)

    @cached_property
    def letters(self) -> str:
        return "".join(letter for _, letter in self.word)

    @property
    def name(self) -> str:
        """The subgroup's usual name, without the qubits."""
        if self.family == "special":
            return f"SU({2 ** len(self.word)})"
        if self.family == "pauli":
            return f"U(1)_{self.letters}"
        if self.family == "swap":
            return "U(1)_SWAP"
        if self.letters == "H":
            return "U(1)_H"
        target = f"c{self.letters.replace('C', '')}" if self.family == "controlled" else f"Π[{self.letters}]"
        return f"U(1)_{target}"

    def __str__(self) -> str:
        return f"{self.name} on {','.join(map(str, self.qubits))}"

    @cached_property
    def generator(self) -> SparsePauliOp:
        """A on `qubits` (first qubit rightmost), members exp(−itA); SU(2^n) has no single one."""
        return _generator(self.family, self.letters)

    @cached_property
    def generator_words(self) -> tuple[tuple[Word, float], ...]:
        """A as (word, coefficient) pairs on the circuit's qubits."""
        return tuple(sorted(words_of(self.generator, self.qubits).items()))

    @property
    def whole(self) -> Subgroup:
        """SU(2^n) on the same qubits."""
        return _interned("special", tuple((q, "U") for q in self.qubits))

    @property
    def eigenvalues(self) -> tuple[float, ...]:
        """The distinct eigenvalues a_j of A."""
        return _EIGENVALUES[self.family]

    @cached_property
    def projectors(self) -> tuple[dict[Word, float], ...]:
        """Eigenprojector of each eigenvalue as a Pauli sum (Lagrange polynomial in A)."""
        return tuple(words_of(p, self.qubits) for p in _projectors(self.family, self.letters))

    @property
    def dense_projectors(self) -> ComplexArray:
        """`projectors` as matrices on `qubits`, first qubit least significant; shape (eigenvalues, d, d)."""
        return _dense_projectors(self.family, self.letters)

    @property
    def eigenbasis(self) -> tuple[FloatArray, ComplexArray]:
        """Eigenvalues of A, each as often as it occurs, and the unitary matrix with its eigenvectors as columns."""
        return _eigenbasis(self.family, self.letters)

    def matrix(self, coordinate: float) -> ComplexArray:
        """exp(−itA) on `qubits`, first qubit least significant; not to be written to."""
        return _member_matrix(self.family, self.letters, coordinate)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The Pauli words whose prefix expectations every distance of the class needs."""
        if self.family == "special":
            letters = product("IXYZ", repeat=len(self.word))
            words = [tuple((q, p) for q, p in zip(self.qubits, ps, strict=True) if p != "I") for ps in letters]
            return tuple(word for word in words if word)
        return tuple(sorted({word for projector in self.projectors for word in projector if word}))

    @property
    def period(self) -> float:
        """Smallest t > 0 with exp(−itA) a multiple of the identity, radians: 4π under a control, else 2π."""
        return 4 * pi if self.family == "controlled" else 2 * pi

    def is_identity(self, coordinate: float) -> bool:
        """Whether the member at this coordinate is the identity, up to global phase and rounding."""
        return bool(abs(within_period(coordinate, self.period)) < ANGLE_ROUNDING)

    def sum_of(self, first: float, second: float) -> float:
        """The coordinate of a product, right to rounding of one period: what exceeds a period is reduced before."""
        kept = [t if abs(t) <= self.period else float(within_period(t, self.period)) for t in (first, second)]
        return sum(kept)

    def clifford_points(self) -> tuple[float, ...]:
        """Coordinates of the Clifford members, except the identity."""
        if self.family == "pauli":
            return (pi / 2, pi, 3 * pi / 2)
        if self.family == "controlled":
            return (pi, 2 * pi, 3 * pi)
        return (pi,) if self.letters in _CLIFFORD_AT_PI or self.letters[::-1] in _CLIFFORD_AT_PI else ()

    def member(self, coordinate: Angle) -> tuple[Instruction, tuple[int, ...]] | None:
        """An instruction for exp(−itA) up to global phase, with its qubits.

        None where Qiskit has no gate for it (a controlled X away from t = π, say).
        """
        letters, qubits = self.letters, self.qubits
        if self.family == "pauli":
            if letters in _ROTATIONS:
                return _ROTATIONS[letters](coordinate), qubits
            if letters in ("ZX", "XZ"):
                return RZXGate(coordinate), _ordered(self.word, "ZX")
            return PauliEvolutionGate(SparsePauliOp(letters[::-1]), time=coordinate / 2), qubits
        if self.family == "controlled":
            target = letters.replace("C", "")
            return _CONTROLLED[target](coordinate), _ordered(self.word, "C" + target)
        if self.family == "projector" and letters == "ZZ" and not _is_pi(coordinate):
            return CPhaseGate(-coordinate), qubits
        if self.family in ("projector", "swap") and _is_pi(coordinate):
            for order, gate in _AT_PI.items():
                if sorted(order) == sorted(letters):
                    return gate(), _ordered(self.word, order)
        return None


def subgroup_of(site: Site) -> Subgroup | None:
    """The class of a gate: its subgroup on its qubits; None for gates outside the catalogue."""
    return None if site.family is None else _interned(site.family, site.word)


@lru_cache(maxsize=65536)
def _interned(family: str, word: Word) -> Subgroup:
    """One object per class, so that its derived properties are worked out once."""
    return Subgroup(family, word)


def _ordered(word: Word, letters: str) -> tuple[int, ...]:
    """The word's qubits in the order in which a gate with these letters takes them."""
    left = list(word)
    qubits = []
    for letter in letters:
        entry = next(pair for pair in left if pair[1] == letter)
        left.remove(entry)
        qubits.append(entry[0])
    return tuple(qubits)


def _is_pi(coordinate: Angle) -> bool:
    if not isinstance(coordinate, float | int):
        return False
    return bool(abs(abs(within_period(coordinate, 2 * pi)) - pi) < ANGLE_ROUNDING)


@cache
def _generator(family: str, letters: str) -> SparsePauliOp:
    if family == "special":
        raise ValueError("SU(2^n) has no single generator")
    if family == "pauli":
        return SparsePauliOp(letters[::-1], 0.5)
    if family == "swap":
        return SparsePauliOp(["II", "XX", "YY", "ZZ"], [0.25, -0.25, -0.25, -0.25])
    if family == "controlled":
        factors = [_FACTORS["Z"] if p == "C" else SparsePauliOp(p, 0.5) for p in letters]
    elif family == "projector":
        factors = [_FACTORS[p] for p in letters]
    else:
        raise ValueError(f"there is no family of subgroups {family!r}")
    return reduce(lambda low, high: high ^ low, factors).simplify(atol=0)


@cache
def _projectors(family: str, letters: str) -> tuple[SparsePauliOp, ...]:
    generator, eigenvalues = _generator(family, letters), _EIGENVALUES[family]
    one = SparsePauliOp("I" * len(letters))
    projectors = []
    for a in eigenvalues:
        factors = [(generator - b * one) / (a - b) for b in eigenvalues if b != a]
        # Projectors have norm one, and coefficients that are multiples of 2^−qubits or of that times √½.
        projectors.append(reduce(lambda f, g: f @ g, factors, one).simplify(atol=MATRIX_ROUNDING))
    return tuple(projectors)


@cache
def _dense_projectors(family: str, letters: str) -> ComplexArray:
    return np.array([projector.to_matrix() for projector in _projectors(family, letters)])


@lru_cache(maxsize=4096)
def _member_matrix(family: str, letters: str, coordinate: float) -> ComplexArray:
    projectors = _dense_projectors(family, letters)
    phases = np.exp(-1j * coordinate * np.array(_EIGENVALUES[family]))
    return (phases @ projectors.reshape(len(phases), -1)).reshape(projectors.shape[1:])


@cache
def _eigenbasis(family: str, letters: str) -> tuple[FloatArray, ComplexArray]:
    values, vectors = np.linalg.eigh(_generator(family, letters).to_matrix())
    return values, vectors


# -- commutation ----------------------------------------------------------------------------------------------


def commute(first: Subgroup | None, second: Subgroup | None) -> bool:
    """Whether every member of one class commutes with every member of the other.

    Decided on the generators, so it holds for all parameter values. Gates outside the catalogue commute with what
    they do not touch, which the caller checks; here they and SU(2^n) commute with nothing.
    """
    if first is None or second is None or "special" in (first.family, second.family):
        return False
    return _sums_commute(first.generator_words, second.generator_words)


def commutes_with(group: Subgroup | None, operator: dict[Word, float]) -> bool:
    """Whether every member of the class commutes with a Hermitian Pauli sum."""
    if group is None or group.family == "special":
        return False
    return _sums_commute(group.generator_words, tuple(sorted(operator.items())))


@lru_cache(maxsize=65536)
def _sums_commute(first: tuple[tuple[Word, float], ...], second: tuple[tuple[Word, float], ...]) -> bool:
    # Words that anticommute may still cancel in the sum: to the last bit, as a small coefficient is meant.
    parts: dict[frozenset[tuple[int, str]], list[float]] = {}
    for word, c in first:
        for other, d in second:
            if _anticommute(word, other):
                product, sign = _product(word, other)
                parts.setdefault(product, []).append(sign * c * d)
    return all(fsum(each) == 0 for each in parts.values())


def _product(first: Word, second: Word) -> tuple[frozenset[tuple[int, str]], int]:
    """The word PQ and the sign s of PQ = s·i·word, of two that anticommute."""
    letters, power = dict(first), 0
    for q, letter in second:
        mine = letters.pop(q, None)
        if mine is None:
            letters[q] = letter
        elif mine != letter:
            (letters[q],) = set("XYZ") - {mine, letter}
            power += 1 if mine + letter in ("XY", "YZ", "ZX") else -1
    return frozenset(letters.items()), 1 if power % 4 == 1 else -1


def _anticommute(first: Word, second: Word) -> bool:
    letters = dict(first)
    return sum(q in letters and letters[q] != p for q, p in second) % 2 == 1
