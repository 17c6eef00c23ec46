"""Circuits as JSON and in copies: every gate of Qiskit's library comes back as it was, or is refused by name."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from library_gates import CLASSES, STATES, VALUES, VARIANTS, dense, example
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import WeightedSumGate
from qiskit.exceptions import QiskitError

from qprune import BundleError, Task
from qprune.task.circuit_file import circuit_from, circuit_text, is_same_text

EXACT = 1e-12  # how far entries of equal unitaries may be apart by rounding


def on_qubits(gate):
    circuit = QuantumCircuit(max(gate.num_qubits, 1), global_phase=0.2)
    circuit.append(gate, range(gate.num_qubits))
    return circuit


def read_again(circuit):
    return circuit_from(circuit_text(circuit), "the circuit", {p.name: p for p in circuit.parameters})


def assert_kept(circuit):
    """In JSON and in a copy; at other values of the parameters too."""
    task = Task(circuit, weights=[VALUES[p.name] for p in circuit.parameters])
    others = read_again(circuit), pickle.loads(pickle.dumps(task)).circuit
    assert circuit_text(others[0]) == circuit_text(circuit)
    for factor in (1, -0.6) if circuit.parameters else (1,):
        values = {name: factor * value for name, value in VALUES.items()}
        expected = dense(circuit, values)
        for other in others:
            assert list(other.parameters) == list(circuit.parameters)
            np.testing.assert_allclose(dense(other, values), expected, rtol=0, atol=EXACT)


@pytest.mark.thinned(12)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", sorted({*CLASSES} - {"WeightedSumGate"}))
def test_every_gate_of_the_library_comes_back(name, variant):
    try:
        gate = VARIANTS[variant](example(name))
    except (QiskitError, TypeError, AttributeError) as error:
        pytest.skip(f"Qiskit makes no such gate: {error}")
    if gate is None:
        pytest.skip("without controls")
    if gate.num_qubits > (6 if variant in ("plain", "open") else 5):
        pytest.skip("as with fewer qubits, but long")
    assert_kept(on_qubits(gate))


def test_a_gate_without_definition_is_refused_by_name():
    """Qiskit's weighted sum, which it can only synthesise, and a gate that nobody can know."""
    for gate in (WeightedSumGate(2, [1, 2]), Gate("secret", 4, [])):
        with pytest.raises(BundleError, match=rf"gate {gate.name} on qubits \[0, 1, 2, 3\] .* without definition"):
            circuit_text(on_qubits(gate))


@pytest.mark.parametrize("name", STATES)
def test_gates_with_flags_come_back(name):
    assert_kept(on_qubits(STATES[name]))


def test_texts_are_the_same_where_only_the_words_of_angles_differ():
    """In which order Qiskit prints a sum depends on the objects in memory."""
    x, w = Parameter("x"), Parameter("w")
    circuit = QuantumCircuit(1, name="mine")
    circuit.rx(x / 4 - w / 8, 0)
    text = circuit_text(circuit)
    (angle,) = json.loads(text)["gates"][0]["angles"]
    for words in ("0.25*x - 0.125*w", "(-0.125)*w + 0.25*x", "0.125*(2*x - w)"):
        assert is_same_text(text, text.replace(angle, words))
    others = {
        angle: "0.25*x - 0.126*w",
        '"rx"': '"ry"',
        '"mine"': '"yours"',
        '"on"': '"more": 1, "on"',
        "[0]": "[0, 0]",
    }
    for part, other in others.items():
        assert not is_same_text(text, text.replace(part, other, 1)), other
