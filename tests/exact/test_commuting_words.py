"""Words that all commute: networks that grow at both of their ends."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import examples, outputs, state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune import Task, absorb
from qprune.exact.pauli import in_pauli_form
from qprune.exact.simplify import simplify
from qprune.gates.sites import circuit_of, sites_of


@st.composite
def circuits_of_one_letter(draw):
    """Rotations about one letter between CX, which keep it: words of X or of Z alone, and what is measured."""
    n, letter = draw(st.integers(2, 4)), draw(st.sampled_from("xz"))
    circuit, angles = QuantumCircuit(n), ParameterVector("w", 9)
    if letter == "z":
        circuit.h(range(n))
    for k in range(draw(st.integers(1, 9))):
        getattr(circuit, f"r{letter}")(angles[k], draw(st.integers(0, n - 1)))
        a, b = draw(st.permutations(range(n)))[:2]
        circuit.cx(a, b)
    if letter == "z":
        circuit.h(range(n))
    measured = draw(st.lists(st.text("IXYZ", min_size=n, max_size=n), min_size=1, max_size=2))
    return Task(circuit, measured, weights={p: 0.4 + 0.3 * k for k, p in enumerate(circuit.parameters)})


def at(task, circuit, point):
    values = {p: point[int(p.name[2:-1])] for p in circuit.parameters}
    return outputs(task, state(circuit.assign_parameters(values)))


def slopes(task, circuit, point, step=1e-5):
    moves = step * np.eye(len(point))
    return np.array([at(task, circuit, point + move) - at(task, circuit, point - move) for move in moves]) / (2 * step)


@settings(
    max_examples=examples(8), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(circuits_of_one_letter(), st.sampled_from(["circuit", "any"]))
def test_outputs_and_slopes_stay(task, couplings):
    """At random values, by dense linear algebra; with and without an end that is measured instead of run."""
    point = np.random.default_rng(3).uniform(-3, 3, 9)
    sites, _ = simplify(task, sites_of(task))
    absorbed = absorb(task, couplings=couplings).task
    found = [(task, circuit_of(task, in_pauli_form(task, sites, None, couplings)[0])), (absorbed, absorbed.circuit)]
    for measured, circuit in found:
        np.testing.assert_allclose(at(measured, circuit, point), at(task, task.circuit, point), rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            slopes(measured, circuit, point), slopes(task, task.circuit, point), rtol=0, atol=1e-8
        )


@pytest.mark.parametrize("reverse", [False, True])
def test_no_more_gates_than_words_that_are_no_letters(reverse):
    """Planted: X on neighbours, each word one CX away from a letter that stands, whichever end of them comes first."""
    n, circuit = 4, QuantumCircuit(4)
    angles = ParameterVector("w", 2 * n)
    for q in range(n):
        circuit.rx(angles[q], q)
    for q in range(n - 1) if not reverse else range(n - 2, -1, -1):
        circuit.cx(q, q + 1)
        circuit.rx(angles[n + q], q)
        circuit.cx(q, q + 1)
    task = Task(circuit, ["ZZZZ", "IZIZ"], weights=np.linspace(0.1, 1, 2 * n - 1))
    absorbed = absorb(task, couplings="any").task
    assert absorbed.circuit.num_nonlocal_gates() <= n - 1
