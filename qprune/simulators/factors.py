"""Gates as the engine knows them: what they do to pairs of amplitudes.

Every member exp(−itA) of the catalogue acts in one of two ways on basis states i of a register:

- *pair*: i and i ⊕ flip are mixed by one 2 × 2 matrix wherever the bits of i under a mask have a given value; where
  the bits of i under `signs` are odd in number, the matrix's off-diagonal entries change sign;
- *diagonal*: i gets one of two phases by that parity, wherever the masked bits have the value.

What is neither, such as a general gate on two qubits, is a dense matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import pi

import numpy as np
from qiskit.circuit import Instruction
from qiskit.circuit.library import UnitaryGate

from qprune._arrays import ComplexArray, FloatArray
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Angle, Site, make_site
from qprune.gates.subgroups import Subgroup, subgroup_of
from qprune.task.task import Task

PAIR, DIAGONAL, DENSE = 0, 1, 2
WHOLE_QUBITS = 4  # a gate outside the catalogue on more than these is applied through its definition
_PAULI = {"X": np.array([[0, 1], [1, 0]]), "Y": np.array([[0, -1j], [1j, 0]]), "Z": np.diag([1.0, -1.0])}
_LETTERS = {**_PAULI, "H": (_PAULI["X"] + _PAULI["Z"]) / np.sqrt(2)}


@dataclass(frozen=True)
class Factor:
    """exp(−itA) on a register, with A = centre + half · axis on each pair of amplitudes.

    Attributes:
        kind: PAIR, DIAGONAL or DENSE.
        touched: Bits of the qubits it acts on.
        flip: Distance of the two amplitudes of a pair; 0 unless PAIR.
        mask, value: Bits that must be as they are in `value`, and which; in a pair they hold for its first amplitude.
        signs: Bits whose parity chooses the sign of off-diagonal entries, or the phase.
        centre, half: Mean and half the difference of A's two eigenvalues.
        axis: (A − centre) / half, shape (2, 2), squares to one.
        angle: The coordinate t, radians.
        matrix: Of a DENSE gate, shape (d, d), or (d, d, M) for one per sample.
        bits: Of a DENSE gate, the register's bits in the order of the matrix's index.
    """

    kind: int
    touched: int
    flip: int = 0
    mask: int = 0
    value: int = 0
    signs: int = 0
    centre: float = 0.0
    half: float = 0.5
    axis: ComplexArray = field(default_factory=lambda: _PAULI["Z"])
    angle: Angle = 0.0
    matrix: ComplexArray | None = None
    bits: tuple[int, ...] = ()


def factors_of(task: Task, site: Site, place: Mapping[int, int], rows: FloatArray) -> list[Factor]:
    """A gate as factors, first to last; several only where it is outside the one-parameter subgroups.

    Args:
        task: Binds the parameters.
        site: The gate.
        place: The register's bit of every qubit.
        rows: Inputs of the samples, shape (M, number of inputs).
    """
    group = subgroup_of(site)
    if group is not None and group.family != "special" and site.coordinate is not None:
        return [_member(group, place, site.coordinate)]
    return list(_whole(task, site, place, rows))


def _member(group: Subgroup, place: Mapping[int, int], angle: Angle) -> Factor:
    bit = {q: 1 << place[q] for q in group.qubits}
    letters = [(bit[q], letter) for q, letter in group.word]
    touched = sum(bit.values())
    if group.family == "pauli":
        return _pauli_word(letters, touched, angle)
    if group.family == "swap":
        low, _ = bit.values()
        return Factor(PAIR, touched, touched, touched, low, 0, 0.5, -0.5, _PAULI["X"], angle)
    if group.family not in ("controlled", "projector"):
        raise ValueError(f"the engine has no {group}")
    control = "C" if group.family == "controlled" else "Z"
    controls = sum(b for b, letter in letters if letter == control)
    targets = [(b, letter) for b, letter in letters if letter != control]
    if len(targets) > 1:
        raise ValueError(f"the engine has no {group}")
    centre, half = (0.0, 0.5) if group.family == "controlled" else (0.5 if controls else 0.0, -0.5)
    if not targets:  # a projector on all ones: one phase
        return Factor(DIAGONAL, touched, 0, controls, controls, 0, 0.5, 0.5, _PAULI["Z"], angle)
    (target, letter), axis = targets[0], _LETTERS[targets[0][1]]
    if letter == "Z":
        return Factor(DIAGONAL, touched, 0, controls, controls, target, centre, half, axis, angle)
    return Factor(PAIR, touched, target, target | controls, controls, 0, centre, half, axis, angle)


def _pauli_word(letters: Sequence[tuple[int, str]], touched: int, angle: Angle) -> Factor:
    flip = sum(b for b, letter in letters if letter in "XY")
    signs = sum(b for b, letter in letters if letter in "YZ")
    if len(letters) == 1:
        return Factor(PAIR, touched, touched, touched, 0, 0, 0.0, 0.5, _PAULI[letters[0][1]], angle)
    if not flip:
        return Factor(DIAGONAL, touched, signs=signs, angle=angle)
    pivot = flip & -flip
    lower = 1j ** sum(letter == "Y" for _, letter in letters)  # P|i⟩ = lower · (−1)^parity |i ⊕ flip⟩
    axis = np.array([[0, np.conj(lower)], [lower, 0]])
    return Factor(PAIR, touched, flip, pivot, 0, signs & ~pivot, 0.0, 0.5, axis, angle)


def _whole(task: Task, site: Site, place: Mapping[int, int], rows: FloatArray) -> Iterator[Factor]:
    """A gate without a coordinate."""
    operation, qubits = site.operation, site.qubits
    has_inputs = any(task.has_inputs(p) for p in operation.params)
    if has_inputs and site.family == "special" and (angles := _euler(operation)) is not None:
        touched = 1 << place[qubits[0]]
        for letter, angle in zip("ZXZ" if operation.name == "r" else "ZYZ", angles, strict=True):
            yield _pauli_word([(touched, letter)], touched, angle)
        return
    definition = operation.definition if has_inputs or len(qubits) > WHOLE_QUBITS else None
    if definition is not None and not isinstance(operation, UnitaryGate):
        for item in definition:
            where = tuple(qubits[definition.find_bit(q).index] for q in item.qubits)
            yield from factors_of(task, make_site(task, item.operation, where, site.origins), place, rows)
        return
    touched = sum(1 << place[q] for q in qubits)
    matrix = _matrix(task, operation, qubits, rows if has_inputs else None)
    if len(qubits) == 1 and matrix.ndim == 2:
        yield _one_qubit(matrix, touched)
    else:
        yield Factor(DENSE, touched, matrix=matrix, bits=tuple(place[q] for q in sorted(qubits)))


def _euler(operation: Instruction) -> tuple[Angle, Angle, Angle] | None:
    """Angles of Z, Y (X for r) and Z whose rotations, one by one, are a gate of SU(2); None for other gates."""
    if operation.name in ("u", "u3"):
        theta, phi, lam = operation.params
        return lam, theta, phi
    if operation.name == "u2":
        phi, lam = operation.params
        return lam, pi / 2, phi
    if operation.name == "r":
        theta, phi = operation.params
        return -phi, theta, phi  # no angle is added to another, however large
    return None


def _one_qubit(matrix: ComplexArray, touched: int) -> Factor:
    """A fixed matrix as exp(−itn), up to its phase."""
    special = matrix / np.sqrt(np.linalg.det(matrix) + 0j)
    parts = np.array([np.trace(1j * letter @ special).real / 2 for letter in _PAULI.values()])
    sine = float(np.linalg.norm(parts))
    axis = np.asarray(np.tensordot(parts / sine, np.array(list(_PAULI.values())), 1) if sine else _PAULI["Z"])
    angle = float(np.arctan2(sine, np.trace(special).real / 2))
    return Factor(PAIR, touched, touched, touched, 0, 0, 0.0, 1.0, axis, angle)


def _matrix(task: Task, operation: Instruction, qubits: tuple[int, ...], rows: FloatArray | None) -> ComplexArray:
    if rows is None:
        return _ascending(task.bound_operation(operation), qubits)
    # Only the user's own gates that have no definition come here, one matrix per sample.
    each = []
    for row in rows:
        each.append(_ascending(task.bound_operation(operation, row), qubits))
    return np.stack(each, axis=-1)


def _ascending(operation: Instruction, qubits: tuple[int, ...]) -> ComplexArray:
    return unitary_of([(operation, qubits)], sorted(qubits))
