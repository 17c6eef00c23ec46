"""Pauli form: a run of gates as rotations about Pauli words, with all Clifford gates behind them.

Every gate between them moved away, rotations show what a circuit really contains: equal words merge through what
commutes, and words that no output sees, or that only turn the phase of |0…0⟩, are gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import pi

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import RXGate, RYGate, RZGate
from qiskit.quantum_info import Clifford, PauliList

from qprune._rounding import ANGLE_ROUNDING, within_period
from qprune.exact.simplify import ExactChange, drop_unseen, merge_equal
from qprune.gates.sites import Angle, Site, Word, make_site
from qprune.gates.subgroups import Subgroup, commute, subgroup_of
from qprune.task.task import Task

CLIFFORD = {"h", "x", "y", "z", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "iswap", "dcx", "ecr"}
TURNS = {"X": RXGate, "Y": RYGate, "Z": RZGate}
TO_Z = {"X": "h", "Y": "sx"}  # gates that turn a letter into Z, up to its sign

Outputs = Sequence[Mapping[Word, float]]


@dataclass(frozen=True)
class PauliForm:
    """Rotations about Pauli words first, then Clifford gates.

    Attributes:
        rotations: One gate exp(−iθP/2) each, P any word, in order.
        frame: The Clifford gates behind them, in order.
        outputs: What is measured behind the frame, as Pauli sums in front of it: F†OF of each output O.
        split: Gates that became several rotations, or none.
        changes: What was merged or dropped.
    """

    rotations: tuple[Site, ...]
    frame: QuantumCircuit
    outputs: tuple[dict[Word, float], ...]
    split: tuple[Site, ...]
    changes: tuple[ExactChange, ...] = ()


def is_inside(site: Site) -> bool:
    """Whether a gate has a Pauli form: a Clifford gate, or rotations about at most three words.

    A gate that an input enters must be a single rotation: half-angles would double the degree of an output in it.
    """
    return _is_clifford(site) or (len(found := _turns(site)) > 0 and (site.role != "encoding" or len(found) == 1))


def pauli_form(task: Task, sites: Sequence[Site], outputs: Outputs) -> PauliForm:
    """Move all Clifford gates behind the rotations.

    Numbers that are multiples of π/2 are Clifford gates, weights never are. Exact up to a global phase.

    Args:
        task: Gives rotations their role.
        sites: Gates that are `is_inside`.
        outputs: What is measured behind them.
    """
    n = task.num_qubits
    measured = sorted({word for output in outputs for word in output if word})
    pulled = PauliList([label_of(word, n) for word in [(), *measured]])  # first the identity: a list may not be empty
    turned: list[tuple[Site, Angle]] = []  # the last gate first
    split: list[Site] = []
    frame: list[tuple[Gate, tuple[int, ...]]] = []
    for site in reversed(sites):
        if _is_clifford(site):
            pulled = pulled.evolve(site.operation, qargs=list(site.qubits), frame="h")
            frame.append((site.operation, site.qubits))
            split.append(site)
            continue
        found = _turns(site)
        if len(found) > 1:
            split.append(site)
        for word, angle in reversed(found):
            if (quarters := _quarters(angle)) is None:
                pulled = pulled + PauliList([label_of(word, n)])
                turned.append((site, angle))
                continue
            gates = _quarter_turns(word, quarters)
            for gate, qubits in reversed(gates):
                pulled = pulled.evolve(gate, qargs=list(qubits), frame="h")
            frame += reversed(gates)
            split += [site] if len(found) == 1 else []
    words = pulled[len(measured) + 1 :][::-1]
    rotations = tuple(
        rotation(task, word, signed(angle, sign), site.origins)
        for (site, angle), (word, sign) in zip(reversed(turned), words_and_signs(words), strict=True)
    )
    images = dict(zip(measured, words_and_signs(pulled[1 : len(measured) + 1]), strict=True)) | {(): ((), 1)}
    sums = tuple({images[word][0]: images[word][1] * c for word, c in output.items()} for output in outputs)
    circuit = QuantumCircuit(n)
    for gate, qubits in reversed(frame):
        circuit.append(gate, list(qubits))
    return PauliForm(rotations, circuit, sums, tuple(split[::-1]))


def reduced(task: Task, form: PauliForm, first: bool, last: bool) -> PauliForm:
    """The form with equal words merged, and without what does nothing, until nothing more goes.

    Args:
        task: Merges angles.
        form: Of a run of gates.
        first: Whether it acts on |0…0⟩: there a rotation about Z letters alone that commutes with all before is a
            phase.
        last: Whether it is measured afterwards: a rotation that commutes with the outputs and with all behind it is
            not seen.
    """
    current = list(form.rotations)
    changes = list(form.changes)
    seen = {q for output in form.outputs for word in output for q, _ in word} if last else set(range(task.num_qubits))
    while True:
        before = len(current)
        current, merged = merge_equal(task, current)
        if last:
            current, dropped = drop_unseen(current, [dict(output) for output in form.outputs], seen)
            merged = [*merged, *dropped]
        if first:
            current, phases = _without_phases(current)
            merged = [*merged, *phases]
        changes += merged
        if len(current) == before:
            return replace(form, rotations=tuple(current), changes=tuple(changes))


def _without_phases(rotations: Sequence[Site]) -> tuple[list[Site], list[ExactChange]]:
    kept: list[Site] = []
    changes = []
    for site in rotations:
        diagonal = all(letter == "Z" for _, letter in site.word)
        if diagonal and all(commute(subgroup_of(site), subgroup_of(other)) for other in kept):
            changes.append(ExactChange("phase of the initial state", site.origins))
        else:
            kept.append(site)
    return kept, changes


# -- gates as rotations ----------------------------------------------------------------------------------------------


def clifford_gates(site: Site) -> list[tuple[Gate, tuple[int, ...]]]:
    """The Clifford gates that a gate is up to a phase, in order; none where it is another, or has a weight."""
    if _is_clifford(site):
        return [(site.operation, site.qubits)]
    found = [(word, _quarters(angle)) for word, angle in _turns(site)]
    if any(quarters is None for _, quarters in found):
        return []
    return [gate for word, quarters in found for gate in _quarter_turns(word, quarters or 0)]


def _is_clifford(site: Site) -> bool:
    return site.family is not None and site.name in CLIFFORD  # a gate of the user's may have such a name


def _turns(site: Site) -> list[tuple[Word, Angle]]:
    """The rotations exp(−iφP/2) that a gate is up to a phase, in order; none where it is outside."""
    group = subgroup_of(site)
    if group is None:
        return []
    if group.family == "special":
        return _euler(site)
    if site.coordinate is None or (len(site.qubits) > 2 and group.family != "pauli") or "H" in group.letters:
        return []
    # exp(−itA) with A = Σ c P, whose words commute; the coefficients are powers of two, so that nothing is rounded.
    words = [(word, c) for word, c in group.generator_words if word]
    return [(word, site.coordinate if 2 * c == 1 else 2 * c * site.coordinate) for word, c in words]


def _euler(site: Site) -> list[tuple[Word, Angle]]:
    """Euler angles of one-qubit gates of Qiskit's library."""
    q, p = site.qubits[0], site.operation.params
    x, y, z = (((q, letter),) for letter in "XYZ")
    if site.name in ("u", "u3"):
        return [(z, p[2]), (y, p[0]), (z, p[1])]
    if site.name == "u2":
        return [(z, p[1]), (y, pi / 2), (z, p[0])]
    if site.name == "r":
        return [(z, -p[1]), (x, p[0]), (z, p[1])]
    return []


def _quarters(angle: Angle) -> int | None:
    """The angle of a Clifford rotation in units of π/2, modulo 4; None for any other and for expressions."""
    if not isinstance(angle, float | int):
        return None
    turned = float(within_period(float(angle), 2 * pi))
    quarters = round(turned / (pi / 2))
    return quarters % 4 if abs(turned - quarters * pi / 2) < ANGLE_ROUNDING else None


def _quarter_turns(word: Word, quarters: int) -> list[tuple[Gate, tuple[int, ...]]]:
    """Clifford gates for a rotation about a word by multiples of π/2."""
    circuit = QuantumCircuit(max(q for q, _ in word) + 1)
    root = word[0][0]
    for q, letter in word:
        if letter != "Z":
            getattr(circuit, TO_Z[letter])(q)
    for q, _ in word[1:]:
        circuit.cx(q, root)
    back = circuit.inverse()
    # SX turns Y into Z, H turns X into Z: no sign
    for gate in ((), ("s",), ("z",), ("sdg",))[quarters]:
        getattr(circuit, gate)(root)
    circuit.compose(back, inplace=True)
    return [(i.operation, tuple(circuit.find_bit(q).index for q in i.qubits)) for i in circuit.data]


def rotation(task: Task, word: Word, angle: Angle, origins: tuple[int, ...]) -> Site:
    """exp(−iθP/2) about any word, as a gate."""
    if len(word) == 1:
        return make_site(task, TURNS[word[0][1]](angle), (word[0][0],), origins)
    operation, qubits = Subgroup("pauli", word).member(angle) or (None, ())
    return replace(make_site(task, operation, qubits, origins), word=word, coordinate=angle)


def signed(angle: Angle | None, sign: int) -> Angle:
    """An angle or its negative, as the sign of a word says."""
    if angle is None:
        raise RuntimeError("a rotation has an angle")
    return angle if sign == 1 else -angle


# -- words -----------------------------------------------------------------------------------------------------------


def label_of(word: Word, n: int) -> str:
    letters = dict(word)
    return "".join(letters.get(q, "I") for q in reversed(range(n)))


def words_of_rotations(rotations: Sequence[Site], n: int) -> PauliList:
    """Their words; at least one rotation."""
    return PauliList([label_of(site.word, n) for site in rotations])


def words_and_signs(paulis: PauliList) -> list[tuple[Word, int]]:
    """Each word with its sign, 1 or −1."""
    found = []
    for label, phase in zip(paulis.to_labels(), paulis.phase.tolist(), strict=True):
        letters = label.lstrip("-i")[::-1]
        found.append((tuple((q, p) for q, p in enumerate(letters) if p != "I"), 1 if phase == 0 else -1))
    return found


def anticommuting(paulis: PauliList) -> NDArray[np.bool_]:
    """Which pairs of words anticommute, shape (number of words, number of words)."""
    x, z = paulis.x.astype(np.int64), paulis.z.astype(np.int64)
    return ((x @ z.T + z @ x.T) % 2).astype(bool)


def frame_of(form: PauliForm) -> Clifford:
    """The frame as a Clifford operator."""
    return Clifford(form.frame)
