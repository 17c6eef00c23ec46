"""Shortcuts for long circuits change nothing: where runs of CX end, and which Pauli sums commute."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli

from qprune import Task
from qprune.exact import cx_networks
from qprune.gates.sites import sites_of
from qprune.gates.subgroups import commute, subgroup_of


def circuit(seed, width=4, size=40):
    rng, made = np.random.default_rng(seed), QuantumCircuit(width)
    for _ in range(size):
        a, b = (int(q) for q in rng.permutation(width)[:2])
        name = rng.choice(["rx", "rz", "h", "rzz", "cx", "cx", "swap", "u", "crx"])
        angles = {"u": [0.1, 0.2, 0.3], "rx": [0.4], "rz": [0.5], "rzz": [0.6], "crx": [0.7]}.get(str(name), [])
        getattr(made, str(name))(*angles, *([a, b] if name in ("rzz", "cx", "swap", "crx") else [a]))
    return sites_of(Task(made, "Z" * width))


def plain(sites):
    """The same by its definition: every gate against all that it would have to cross."""

    def crosses(site, others):
        touching = [o for o in others if not set(o.qubits).isdisjoint(site.qubits)]
        return all(commute(subgroup_of(site), subgroup_of(o)) for o in touching)

    before, run, after = [], [], []
    for site in sites:
        if not crosses(site, after):
            after.append(site)
        elif site.name in ("cx", "swap"):
            run.append(site)
        elif crosses(site, run):
            before.append(site)
        else:
            after.append(site)
    return before, run, after


@pytest.mark.parametrize("seed", range(12))
def test_runs_end_where_they_did(seed):
    left = list(circuit(seed))
    qubits = frozenset(range(4))
    while left:
        found = cx_networks._run(left, qubits)
        assert found == plain(left)
        left = found[2]


def test_a_closed_circuit_is_not_looked_at_further(monkeypatch):
    """Behind a layer of turns about two axes nothing can be moved: the rest of a deep circuit is left as it is."""
    made = QuantumCircuit(2)
    for _ in range(50):
        made.cx(0, 1)
        made.rz(0.3, range(2))
        made.rx(0.3, range(2))
    asked, inside = [], cx_networks._Crossed.lets_through
    monkeypatch.setattr(
        cx_networks._Crossed, "lets_through", lambda self, site: asked.append(site) or inside(self, site)
    )
    cx_networks._run(list(sites_of(Task(made, "ZZ"))), frozenset(range(2)))
    assert len(asked) < 20


def test_products_of_words_are_those_of_paulis():
    from qprune.gates.subgroups import _anticommute, _product

    for first, second in itertools.product(itertools.product("IXYZ", repeat=2), repeat=2):
        words = [tuple((q, p) for q, p in enumerate(letters) if p != "I") for letters in (first, second)]
        paulis = [Pauli("".join(reversed(letters))) for letters in (first, second)]
        assert _anticommute(*words) == paulis[0].anticommutes(paulis[1])
        if _anticommute(*words):
            word, sign = _product(*words)
            expected = (paulis[0] @ paulis[1]).to_matrix()
            label = "".join(dict(word).get(q, "I") for q in (1, 0))
            np.testing.assert_allclose(sign * 1j * Pauli(label).to_matrix(), expected)
