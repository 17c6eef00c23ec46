"""Clifford points: the Clifford members of a gate's class."""

from __future__ import annotations

from math import pi

import numpy as np
from qiskit.circuit import Instruction

from qprune.gates.matrices import local_cliffords, unitary_instructions
from qprune.selection.candidate import Candidate
from qprune.selection.offers import Offers


def clifford_points(offers: Offers, k: int) -> list[Candidate]:
    """The Clifford members of the class of gate k; for SU(2) and SU(4) the nearest product of one-qubit Cliffords."""
    site, group = offers.sites[k], offers.distances.group(k)
    if group.family == "special":
        return [] if site.role == "encoding" else [_nearest_product(offers, k)]
    members = {t: member for t in group.clifford_points() if (member := group.member(t)) is not None}
    members = {t: (gate, qubits) for t, (gate, qubits) in members.items() if len(qubits) <= len(site.qubits)}
    compared = offers.distances.to_coordinates(k, list(members))
    return [
        offers.replacement(k, (member,), _label(member[0], t), found)
        for (t, member), found in zip(members.items(), compared, strict=True)
    ]


def _label(gate: Instruction, coordinate: float) -> str:
    return f"{gate.name}({coordinate / pi:g}π)" if gate.params else str(gate.name)


def _nearest_product(offers: Offers, k: int) -> Candidate:
    group, gate = offers.distances.group(k), offers.distances.matrix(k)
    size = len(group.qubits)
    cliffords = local_cliffords(size)[1:]
    # The nearest by average overlap is compared in full; overlaps with all 576 on every sample would cost more.
    best = cliffords[int(np.argmax(np.abs(np.einsum("ij,cij->c", gate.conj(), cliffords))))]
    by = tuple(unitary_instructions(best, group.qubits, size))
    (compared,) = offers.distances.to_matrices(k, [gate.conj().T @ best], group)
    return offers.replacement(k, by, "local Clifford", compared)
