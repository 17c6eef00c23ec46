"""Words that differ by one which stabilises the state: the state stays at all values of all parameters; words merge."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import outputs, state, up_to_phase
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Pauli, SparsePauliOp

import qprune
from qprune import Proven, Task
from qprune.exact.pauli import in_pauli_form
from qprune.exact.pauli_form import pauli_form
from qprune.exact.pauli_state import modulo_state
from qprune.exact.simplify import output_sums
from qprune.gates.sites import circuit_of, sites_of

EXCITATION = {"XXXY": 1, "XXYX": 1, "XYXX": -1, "YXXX": -1, "YYYX": -1, "YYXY": -1, "YXYY": 1, "XYYY": 1}


def rotate(circuit, word, angle):
    circuit.append(PauliEvolutionGate(Pauli(word), time=angle), range(circuit.num_qubits))


def molecule():
    """Two electrons on four spin orbitals, both excited at once, then one of them alone."""
    circuit, both, alone = QuantumCircuit(4), Parameter("both"), Parameter("alone")
    circuit.x([0, 1])
    for word, sign in EXCITATION.items():
        rotate(circuit, word, sign * both / 8)
    for word, sign in {"IYZX": 1, "IXZY": -1}.items():
        rotate(circuit, word, sign * alone / 2)
    energy = SparsePauliOp(["ZIII", "IIIZ", "ZZII", "XXYY", "YXXY", "IXZX"], [0.3, -0.2, 0.5, 0.7, -0.4, 0.1])
    return Task(circuit, energy, weights=[0.4, -0.3])


@pytest.mark.parametrize("seed", range(6))
def test_the_state_stays_at_all_parameter_values(seed):
    """Rotations about words that keep a parity, between CX that keep it too, by dense states."""
    rng, n = np.random.default_rng(seed), 4
    circuit = QuantumCircuit(n)
    for k in range(5):
        odd = rng.choice(n, 2, replace=False)
        letters = ["XY"[rng.integers(2)] if q in odd else "IZ"[rng.integers(2)] for q in range(n)]
        rotate(circuit, "".join(letters), Parameter(f"w{k}"))
        circuit.swap(*rng.permutation(n)[:2].tolist())
        circuit.cz(*rng.permutation(n)[:2].tolist())
    task = Task(circuit, ["ZZII"], weights=np.ones(5))
    form = pauli_form(task, sites_of(task), output_sums(task))
    other = modulo_state(task, form)
    letters = [sum(len(site.word) for site in each.rotations) for each in (form, other)]
    assert letters[1] < letters[0]
    point = {p: float(rng.uniform(-7, 7)) for p in circuit.parameters}
    turned = circuit_of(task, other.rotations).compose(other.frame)
    vectors = [state(each.assign_parameters(point)) for each in (circuit, turned)]
    assert up_to_phase(*vectors) < 1e-12


def test_words_of_an_excitation_become_one():
    """Eight words differ by parities of the electrons: a rotation for each excitation, and outputs and slopes stay."""
    task = molecule()
    sites, changes = in_pauli_form(task, sites_of(task), None)
    turned = [site for site in sites if site.role == "trainable"]
    assert len(turned) <= 2
    assert "merged" in {change.kind for change in changes}
    after, rng = circuit_of(task, sites), np.random.default_rng(0)
    point = {p: float(rng.uniform(-7, 7)) for p in task.circuit.parameters}
    for where in (point, *(point | {p: point[p] + h} for p in point for h in (1e-3, -1e-3))):
        found = [outputs(task, state(each.assign_parameters(where))) for each in (after, task.circuit)]
        np.testing.assert_allclose(*found, rtol=0, atol=1e-12)


def test_a_result_is_verified():
    task = molecule()
    result = qprune.prune(task, Proven(0.0), couplings="circuit")
    qprune.verify(task, result)
    assert all(k is not None for k in result.weight_map)
