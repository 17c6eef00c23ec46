"""Light cones of words: gates that leave alone what outputs become behind them, or the state that comes to them.

On their way back through a circuit outputs are sums of products of a few Pauli words, and on its way to a gate a state
keeps a few words that stabilise it: both are known for all values of all parameters, whatever gates there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Gate
from qiskit.quantum_info import PauliList

from qprune._rounding import MATRIX_ROUNDING
from qprune.exact.cx_networks import shorten_networks
from qprune.exact.pauli_form import anticommuting, clifford_gates, label_of
from qprune.exact.simplify import ExactChange, output_sums, simplify
from qprune.gates.sites import Site, Word
from qprune.gates.subgroups import subgroup_of
from qprune.task.task import Task

Gates = Sequence[tuple[Gate, tuple[int, ...]]]


def without_idle(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """The circuit without the gates that no output sees, or that only turn the phase of the state.

    Gates of all kinds, until nothing more goes: rotations, inputs' gates and those outside the catalogue as much as
    Clifford gates. A CX that does not commute with a later one goes where it fixes what the later one makes of the
    observable; one whose target is in |+⟩ by then goes too. All other gates stay as they are, but for what
    `simplify` and `shorten_networks` then find.

    Args:
        task: Says what is measured.
        sites: The circuit, simplified.

    Source: docs/theory.md, Light cones of words.
    """
    seen, unseen = _without_unseen(task, sites)
    moving, phases = _without_phases(task, seen)
    if not (changes := (*unseen, *phases)):
        return tuple(sites), ()
    current, simplified = simplify(task, moving)
    current, networks = shorten_networks(task, current)
    current, more = without_idle(task, current)
    return current, (*changes, *simplified, *networks, *more)


def _without_unseen(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], list[ExactChange]]:
    """From the end: what no output sees."""
    behind = Behind(sorted({word for output in output_sums(task) for word in output}), task.num_qubits)
    kept: list[Site] = []
    changes = []
    for site in reversed(sites):
        if behind.sees(site):
            kept.append(site)
            behind.add(site)
        else:
            kind = "commutes with the outputs" if behind.reaches(site) else "light cone"
            changes.append(ExactChange(kind, site.origins))
    return tuple(reversed(kept)), changes


def _without_phases(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], list[ExactChange]]:
    """From the start: what only turns the phase of the state."""
    ahead = Ahead(task.num_qubits)
    kept: list[Site] = []
    changes = []
    for site in sites:
        if ahead.moved_by(site):
            kept.append(site)
            ahead.add(site)
        else:
            changes.append(ExactChange("phase of the initial state", site.origins))
    return tuple(kept), changes


class Behind:
    """Pauli words that generate all that outputs can have become at a place of a circuit.

    Read from the end: the words that are measured, and the words of every later gate that is no Clifford gate, as all
    of them are in front of the Clifford gates between. Every output, pulled back to the place, is a sum of products of
    these; a gate that leaves each of them as it is changes no output.

    Attributes:
        measured: Words of the outputs, as they are here.
        turned: Words of later gates, as they are here, that outputs see.
        standing: All words of later gates, as they are here.

    Args:
        measured: The words of the outputs.
        num_qubits: Of the circuit.
    """

    def __init__(self, measured: Sequence[Word], num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.turned = self.standing = _rows((), num_qubits)
        self.measured = _independent(self.turned, _rows(measured, num_qubits))

    def sees(self, site: Site) -> bool:
        """Whether a gate here may change an output."""
        if gates := clifford_gates(site):
            return not (_fixed(self.measured, gates) and _fixed(self.turned, gates))
        return bool(self._met(_words(site, self.num_qubits)).any())

    def lets_pass(self, gates: Gates) -> bool:
        """Whether Clifford gates here can be moved to the end, and there be measured.

        They must leave what outputs do not see of later gates as it is, too: measured elsewhere, outputs may see it.
        """
        return _fixed(self.standing, gates)

    def reaches(self, site: Site) -> bool:
        """Whether a gate stands on a qubit that any of the words does."""
        rows = self.measured + self.turned
        return bool((rows.x | rows.z)[:, list(site.qubits)].any())

    def add(self, site: Site) -> None:
        """Go past a gate that stays."""
        if gates := clifford_gates(site):
            self.measured, self.turned, self.standing = (
                pulled(rows, gates) for rows in (self.measured, self.turned, self.standing)
            )
            return
        own = _words(site, self.num_qubits)
        # Of rotations that commute with each other those about words that nothing meets are not seen.
        seen = own if anticommuting(own).any() else own[self._met(own)]
        self.turned = _independent(self.turned, seen)
        self.standing = _independent(self.standing, own)

    def measure(self, gates: Gates) -> None:
        """Measure Clifford gates that `lets_pass` instead of running them."""
        self.measured = pulled(self.measured, gates)

    def _met(self, own: PauliList) -> NDArray[np.bool_]:
        """Which words anticommute with some word behind."""
        rows = own + self.measured + self.turned
        return np.asarray(anticommuting(rows)[: len(own), len(own) :].any(axis=1))


class Ahead:
    """Pauli words that stabilise the state at a place of a circuit, for all values of all parameters.

    Read from the start: the words Z of |0…0⟩, pushed through Clifford gates; of others those products stay that commute
    with the gate.

    Args:
        num_qubits: Of the circuit.
    """

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self.stabilisers = _rows([((q, "Z"),) for q in range(num_qubits)], num_qubits)[1:]

    def moved_by(self, site: Site) -> bool:
        """Whether a gate here may do more to the state than turn its phase."""
        group = subgroup_of(site)
        if group is None or group.family == "special" or not len(self.stabilisers):
            return True
        words = [(word, c) for word, c in group.generator_words if word]
        found = reduced_modulo(_rows([word for word, _ in words], self.num_qubits)[1:], self.stabilisers)
        left: dict[tuple[bytes, bytes], complex] = {}
        for k, (_, c) in enumerate(words):
            if found.x[k].any() or found.z[k].any():
                key = found.x[k].tobytes(), found.z[k].tobytes()
                left[key] = left.get(key, 0) + c * (-1j) ** int(found.phase[k])
        return any(abs(c) > MATRIX_ROUNDING for c in left.values())

    def add(self, site: Site) -> None:
        """Go past a gate that stays."""
        if gates := clifford_gates(site):
            self.stabilisers = pushed(self.stabilisers, gates) if len(self.stabilisers) else self.stabilisers
            return
        self.stabilisers = commuting_with(self.stabilisers, _words(site, self.num_qubits))


def commuting_with(group: PauliList, words: PauliList) -> PauliList:
    """Generators of those products of commuting words that commute with others."""
    for word in words:
        met = np.flatnonzero(group.anticommutes(word)) if len(group) else np.array([], dtype=int)
        if len(met):
            first, *others = met.tolist()
            rows = group.copy()
            for k in others:
                rows[k] = group[k].dot(group[first])
            group = rows.delete(first) if len(rows) > 1 else rows[:0]
    return group


def reduced_modulo(rows: PauliList, group: PauliList) -> PauliList:
    """Words times products of commuting words, so that equal ones are those that differ by such a product."""
    left = list(range(len(group)))
    group, rows = group.copy(), rows.copy()
    for column in range(2 * rows.num_qubits):
        bits = np.hstack([group.x, group.z])[:, column]
        pivot = next((k for k in left if bits[k]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        for k in left:
            if bits[k]:
                group[k] = group[k].dot(group[pivot])
        for k in np.flatnonzero(np.hstack([rows.x, rows.z])[:, column]).tolist():
            rows[k] = rows[k].dot(group[pivot])
    return rows


def pulled(rows: PauliList, gates: Gates) -> PauliList:
    """G†PG of every word."""
    for gate, qubits in reversed(gates):
        rows = rows.evolve(gate, qargs=list(qubits), frame="h")
    return rows


def pushed(rows: PauliList, gates: Gates) -> PauliList:
    """GPG† of every word."""
    for gate, qubits in gates:
        rows = rows.evolve(gate, qargs=list(qubits), frame="s")
    return rows


def _fixed(rows: PauliList, gates: Gates) -> bool:
    return bool(pulled(rows, gates) == rows)


def _words(site: Site, n: int) -> PauliList:
    """Words that a gate is a sum of products of, the identity first."""
    group = subgroup_of(site)
    if group is None or group.family == "special":
        return _rows([((q, letter),) for q in site.qubits for letter in "XZ"], n)
    return _rows([word for word, _ in group.generator_words if word], n)


def _rows(words: Sequence[Word], n: int) -> PauliList:
    """Words as a list, the identity first: it may not be empty."""
    return PauliList([label_of(word, n) for word in ((), *words)])


def _independent(rows: PauliList, more: PauliList) -> PauliList:
    """Words, and of others those that are no products of words before them: what fixes all fixes their products."""
    echelon: dict[int, int] = {}
    joined = rows + more
    kept = []
    for k, bits in enumerate(np.packbits(np.hstack([joined.x, joined.z]), axis=1)):
        left = int.from_bytes(bits.tobytes())
        while left and (other := echelon.get(left.bit_length())):
            left ^= other
        if left:
            echelon[left.bit_length()] = left
        if left or k < len(rows):
            kept.append(k)
    return joined[kept]
