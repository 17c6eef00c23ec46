"""Results that keep their limit and have lost what the circuit was for say so; others say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

import qprune
from qprune import Everywhere, Measured, Proven, Task, everywhere, prune
from qprune.limits.between_samples import CHEAP_RUNS
from qprune.results.cautions import _is_kept_by_a_basis_state

X, W = ParameterVector("x", 2), ParameterVector("w", 3)


def network(small=0.02, rows=None):
    """The second input reaches the output only through a gate of a small angle."""
    circuit = QuantumCircuit(2)
    circuit.ry(X[0], 0)
    circuit.ry(X[1], 1)
    circuit.rx(W[0], 0)
    circuit.rzz(W[1], 0, 1)
    circuit.rx(W[2], 0)
    inputs = np.random.default_rng(0).uniform(0, 3, (12, 2)) if rows is None else rows
    weights = dict(zip(W, (0.4, small, 0.7), strict=True))
    return Task(circuit, "IZ", inputs=inputs, input_params=list(X), weights=weights)


def deviation(task, result, row):
    return abs(outputs_on(result.task, [row]) - outputs_on(task, [row]))[0, 0]


def test_measured_shows_what_holds_between_the_samples():
    task = network()
    result = prune(task, Measured(0.1))
    claim = result.certificate.every_input
    assert claim is not None
    assert claim.outputs[0].runs <= CHEAP_RUNS
    assert "proven (T9)" in str(result)
    rows = np.random.default_rng(1).uniform(task.inputs.min(axis=0), task.inputs.max(axis=0), (40, 2))
    assert max(deviation(task, result, row) for row in rows) <= claim.upper + 1e-12
    qprune.verify(task, result)


def test_where_it_is_not_cheap_nothing_is_claimed_and_where_there_is_no_input_nothing_is_missing():
    many = ParameterVector("y", 7)
    circuit = QuantumCircuit(1)
    for y in many:
        circuit.ry(y, 0)
        circuit.rx(0.3, 0)
    task = Task(circuit, "Z", inputs=np.zeros((2, 7)), input_params=list(many))
    result = prune(task, Measured(0.01))
    assert result.certificate.every_input is None
    alone = QuantumCircuit(1)
    alone.ry(0.3, 0)
    assert "says nothing" not in str(prune(Task(alone, "Z"), Measured(0.01)))


def test_a_budget_broken_between_the_samples_is_named():
    """One sample at which the gate does nothing: its removal measures 0."""
    task = network(small=0.8, rows=[[0.0, 0.0], [0.0, 3.0]])
    result = prune(task.with_domain(qprune.Domain.box(0, 3)), Measured(0.01))
    claim = result.certificate.every_input
    broken = claim.lower > 0.02
    assert broken == any("times the budget" in each for each in result.warnings)
    assert all(each in str(result) for each in result.warnings)


def test_outputs_that_lost_their_inputs_are_named():
    circuit = QuantumCircuit(2)
    circuit.ry(X[0], 0)
    circuit.rx(W[0], 1)
    circuit.rzz(W[1], 0, 1)
    circuit.rx(W[2], 1)
    task = Task(circuit, "ZI", inputs=[[0.1], [0.2]], input_params=[X[0]], weights=[0.3, 0.001, 0.4])
    found = prune(task, Proven(0.05)).warnings
    assert any("no longer depends on any input" in each for each in found)
    assert any("always the same would keep" in each for each in found)


@pytest.mark.soak
def test_refit_with_fewer_numbers_than_weights_is_named():
    result = prune(network(rows=[[0.3, 0.5]]), Measured(0.3, refit=True))
    moved = sum(v != result.original.named_weights[n] for n, v in result.task.named_weights.items())
    assert (moved > 1) == any("refit moved" in each for each in result.warnings)


def test_an_energy_that_a_basis_state_has_is_named():
    """H2 within 0.05 Ha is Hartree-Fock again, 20.55 mHa off; within chemical accuracy it is not."""
    task = qprune.load_network("h2-vqe-4q")
    assert any("basis state" in each for each in prune(task, Measured(0.05), strategy="magnitude").warnings)
    assert not prune(task, Measured(0.0016), strategy="magnitude").warnings


@pytest.mark.parametrize("seed", range(5))
def test_basis_states_are_the_diagonals(seed):
    rng = np.random.default_rng(seed)
    labels = ["".join(rng.choice(list("IXYZ"), 3)) for _ in range(5)]
    observable = SparsePauliOp(labels, rng.normal(size=5)).simplify()
    diagonal = observable.to_matrix().diagonal().real
    value = float(rng.normal())
    gap = np.abs(diagonal - value).min()
    assert _is_kept_by_a_basis_state([observable], np.array([value]), gap * 1.001)
    assert not _is_kept_by_a_basis_state([observable], np.array([value]), gap * 0.999)


def test_an_ordinary_result_has_no_warnings():
    assert prune(network(), Everywhere(0.1)).warnings == ()


def test_a_circuit_whose_inputs_are_simplified_away_has_a_limit_too():
    """No input is left in the circuit, so that there is not one phase."""
    circuit = QuantumCircuit(2)
    circuit.ry(X[0], 0)
    circuit.ry(W[0], 1)
    circuit.ry(0.02, 1)
    task = Task(circuit, "ZI", inputs=[[0.1], [0.2]], input_params=[X[0]], weights=[0.3])
    result = prune(task, Measured(0.1))
    claim = result.certificate.every_input
    assert claim.outputs[0].runs == 1
    assert claim.upper == pytest.approx(result.certificate.largest_measured, abs=1e-12)
    qprune.verify(task, result)
    assert everywhere(result).certificate.every_input.upper == pytest.approx(claim.upper, abs=1e-12)
