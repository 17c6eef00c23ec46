"""Rotations about other words that do the same to the state that comes to them: lighter ones, equal ones to merge."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from qiskit.quantum_info import PauliList

from qprune.exact.light_cone import Ahead, commuting_with, reduced_modulo
from qprune.exact.pauli_form import PauliForm, label_of, rotation, signed, words_and_signs
from qprune.gates.sites import Site
from qprune.task.task import Task

ENUMERATED = 12  # generators, up to which all their products are looked at


def modulo_state(task: Task, form: PauliForm) -> PauliForm:
    """A form whose rotations act on |0…0⟩, each about the lightest word that does the same there.

    A word S that stabilises the state in front of a rotation about P, and commutes with P, may be multiplied to it:
    (PS)ψ = Pψ, so that both rotations turn ψ alike, for every angle. Z words stabilise |0…0⟩, and those of them that
    commute with all rotations before go on doing so: symmetries, such as the parities of a molecule's electrons, to the
    very end. Words that differ by one become equal, and merge where nothing keeps them apart.

    Args:
        task: Gives rotations their role.
        form: Of a run of gates that begins with |0…0⟩.

    Source: tapering off qubits (Bravyi, Gambetta, Mezzacapo, Temme, arXiv:1701.08213), word by word in place of
    qubit by qubit.
    """
    n = task.num_qubits
    group = Ahead(n).stabilisers
    rotations: list[Site] = []
    for site in form.rotations:
        word = PauliList([label_of(site.word, n)])
        group = commuting_with(group, word)
        ((lightest, sign),) = words_and_signs(_lightest(word, group))
        same = lightest == site.word
        rotations.append(site if same else rotation(task, lightest, signed(site.coordinate, sign), site.origins))
    return replace(form, rotations=tuple(rotations))


def _lightest(word: PauliList, group: PauliList) -> PauliList:
    """Of the products of a word with those of a group always the same: of a small group that with fewest letters."""
    if not 0 < len(group) <= ENUMERATED:
        return reduced_modulo(word, group)
    picks = np.array(list(product((0, 1), repeat=len(group))))
    x = (picks @ group.x.astype(int) + word.x) % 2
    z = (picks @ group.z.astype(int) + word.z) % 2
    letters = x + 2 * z
    best = picks[np.lexsort((*letters.T, np.count_nonzero(letters, axis=1)))[0]]
    for k in np.flatnonzero(best).tolist():
        word[0] = word[0].dot(group[k])
    return word
