"""Fermions on qubits: the Jordan-Wigner map of ladder operators, Hamiltonians and excitations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

FOLDER = Path(__file__).parent / "hamiltonians"
NEGLIGIBLE = 1e-10  # of a coefficient, in hartree: what products of Pauli words leave of zero


@dataclass(frozen=True)
class Molecule:
    """A molecule's Hamiltonian in an active space, spin orbitals 2p (up) and 2p + 1 (down) on qubits.

    Attributes:
        hamiltonian: On one qubit per spin orbital, hartree; core and nuclei are in the identity's part.
        electrons: In the active space; they fill the lowest spin orbitals in the Hartree-Fock state.
        hartree_fock, exact: Energies, hartree: of that state, and of the ground state in the active space.
        full: Energy of the ground state in all orbitals of the basis, hartree.
    """

    hamiltonian: SparsePauliOp
    electrons: int
    hartree_fock: float
    exact: float
    full: float

    @property
    def qubits(self) -> int:
        return int(self.hamiltonian.num_qubits or 0)


def molecule(name: str) -> Molecule:
    """A molecule that `python -m benchmarks.tasks.chemistry` wrote."""
    stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    energies = stored["energies"]
    return Molecule(
        hamiltonian=SparsePauliOp.from_list([(label, value) for label, value in stored["terms"]]),
        electrons=stored["electrons"],
        hartree_fock=energies["hartree_fock"],
        exact=energies["active_space"],
        full=energies["full"],
    )


def annihilator(place: int, qubits: int) -> SparsePauliOp:
    """a_p = Z…Z (X + iY)/2 on qubit p, with Z on all qubits before it."""
    before = list(range(place))
    terms = [("Z" * place + letter, [*before, place], value) for letter, value in (("X", 0.5), ("Y", 0.5j))]
    return SparsePauliOp.from_sparse_list(terms, qubits)


def hamiltonian(one: NDArray[np.float64], two: NDArray[np.float64], constant: float) -> SparsePauliOp:
    """H = c + Σ h_pq a†_pσ a_qσ + ½ Σ (pq|rs) a†_pσ a†_rτ a_sτ a_qσ as a sum of Pauli words.

    Args:
        one: h, shape (n, n), over spatial orbitals.
        two: (pq|rs) in chemists' order, shape (n, n, n, n).
        constant: Energy of nuclei and core.
    """
    orbitals, qubits = len(one), 2 * len(one)
    down = [annihilator(p, qubits) for p in range(qubits)]
    up = [operator.adjoint() for operator in down]
    parts = [SparsePauliOp.from_sparse_list([("", [], constant)], qubits)]
    for p, q in product(range(orbitals), repeat=2):
        parts += [one[p, q] * (up[2 * p + s] @ down[2 * q + s]) for s in (0, 1)]
    for p, q, r, s in product(range(orbitals), repeat=4):
        for a, b in product((0, 1), repeat=2):
            if abs(two[p, q, r, s]) > NEGLIGIBLE and (p != r or a != b) and (q != s or a != b):
                word = up[2 * p + a] @ up[2 * r + b] @ down[2 * s + b] @ down[2 * q + a]
                parts.append(0.5 * two[p, q, r, s] * word)
    return SparsePauliOp.sum(parts).simplify(atol=NEGLIGIBLE)


def excitations(qubits: int, electrons: int) -> Iterator[list[tuple[str, float]]]:
    """Singles and doubles that keep the spin, each as words P_j and c_j: exp(θ(T − T†)) = ∏ exp(i θ c_j P_j).

    The words of one excitation commute.
    """
    occupied, empty = range(electrons), range(electrons, qubits)
    for i, a in product(occupied, empty):
        if i % 2 == a % 2:
            yield _words([a], [i], qubits)
    for i, j in product(occupied, repeat=2):
        for a, b in product(empty, repeat=2):
            if i < j and a < b and (i % 2 + j % 2) == (a % 2 + b % 2):
                yield _words([a, b], [i, j], qubits)


def _words(created: list[int], destroyed: list[int], qubits: int) -> list[tuple[str, float]]:
    factors = [annihilator(p, qubits).adjoint() for p in created] + [annihilator(p, qubits) for p in destroyed]
    moved = reduce(lambda left, right: left @ right, factors)
    found = (moved - moved.adjoint()).simplify()
    return [(label, float(value.imag)) for label, value in found.to_list()]
