"""Pruning in Pauli form: exact rewriting first, rotations that bear their entangling gates, the better of two forms."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import circuits, examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

import qprune
from qprune import Everywhere, Measured, OptionError, Proven, Task, Threshold, prune, verify
from qprune.exact.pauli import total_cost
from qprune.exact.pauli_form import clifford_gates
from qprune.exact.pauli_gains import with_shares
from qprune.gates.costs import cost_of
from qprune.gates.sites import sites_of


def ladders(angles, letters=("XY", "YX", "XX", "YY"), inputs=False):
    """Rotations about words of two letters, each a ladder of CX, from |01⟩; with inputs behind another rotation."""
    weights = ParameterVector("w", len(angles))
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.ry(0.7, [0, 1, 2])
    for k, weight in enumerate(weights):
        a, b = k % 3, (k + 1) % 3
        inner = QuantumCircuit(3)
        for q, letter in zip((a, b), letters[k % len(letters)], strict=True):
            getattr(inner, {"X": "h", "Y": "sx"}[letter])(q)
        inner.cx(a, b)
        circuit.compose(inner, inplace=True)
        circuit.rz(weight, b)
        circuit.compose(inner.inverse(), inplace=True)
    ensemble = {}
    if inputs:
        first = QuantumCircuit(3)
        first.rx(Parameter("x"), 0)
        circuit = circuit.compose(first, front=True)
        ensemble = {"inputs": [[0.1], [0.4]], "input_params": ["x"]}
    return Task(circuit, ["IIZ", "ZZI"], weights=dict(zip(weights, angles, strict=True)), **ensemble)


def entangling(circuit):
    return sum(len(item.qubits) > 1 for item in circuit.data)


ANGLES = (0.8, 0.004, -1.1, 0.006, 0.5, 0.003)


@pytest.mark.parametrize("limit", [Proven(0.03), Measured(0.03), Threshold(0.01), Everywhere(0.03)])
def test_all_limits_hold_in_pauli_form_and_are_verified(limit, tmp_path):
    task = ladders(ANGLES, inputs=isinstance(limit, Everywhere))
    result = prune(task, limit, form="pauli", progress=False)
    assert result.certificate.options["form"] == "pauli"
    assert result.certificate.options["couplings"] == "circuit"
    assert entangling(result.circuit) <= entangling(result.simplified) <= entangling(result.flat)
    assert result.certificate.replaced
    verify(task, result)
    qprune.save(result, tmp_path / "out", drawings=False)
    verify(qprune.load(tmp_path / "out"))


def test_a_proof_removes_two_qubit_gates_by_rotations_alone():
    """Planted: three words that hardly turn, between words that do; their CX go with them."""
    task = ladders(ANGLES)
    exact = prune(task, Proven(0.0), form="pauli", progress=False)
    result = prune(task, Proven(0.03), form="pauli", progress=False)
    assert entangling(result.circuit) < entangling(exact.circuit)
    assert result.certificate.largest_bound <= 0.03
    gone = {name for name, k in zip((p.name for p in task.weight_params), result.weight_map, strict=True) if k is None}
    assert {"w[1]", "w[3]", "w[5]"} <= gone


def test_the_cheaper_form_is_taken():
    task = ladders(ANGLES)
    found = {form: prune(task, Proven(0.03), form=form, couplings="any", progress=False) for form in ("gates", "pauli")}
    cost = {form: total_cost(sites_of(result.task), None) for form, result in found.items()}
    best = prune(task, Proven(0.03), form="auto", couplings="any", progress=False)
    assert total_cost(sites_of(best.task), None) == min(cost.values())
    assert best.certificate.options["form"] == min(cost, key=lambda form: cost[form])
    verify(task, best)


@settings(
    max_examples=examples(24), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(st.data())
def test_shares_add_up_to_the_gates_that_rotations_follow(data):
    """No more is shared out than entangling Clifford gates cost, and only rotations bear more than their own."""
    circuit = data.draw(circuits(min_qubits=2, max_qubits=4, max_gates=10))
    task = Task(circuit, "Z" * circuit.num_qubits, weights=np.full(circuit.num_parameters, 0.3))
    sites = sites_of(task)
    cost = with_shares(sites, None)
    extra = [cost(site) - cost_of(site, None) for site in sites]
    joining = sum(cost_of(s, None) for s in sites if len(s.qubits) > 1 and clifford_gates(s))
    assert min(extra) >= 0
    assert sum(extra) <= joining + 1e-9
    assert not any(x for x, site in zip(extra, sites, strict=True) if clifford_gates(site))


def test_gates_that_stand_for_one_gate_are_told_apart():
    """Planted: a controlled rotation becomes two, of which one may go while the other stays; `verify` replays that."""
    weights, circuit = ParameterVector("w", 4), QuantumCircuit(3)
    circuit.ry(0.9, [0, 1, 2])
    for k, weight in enumerate(weights):
        circuit.crx(weight, k % 3, (k + 1) % 3)
        circuit.cx((k + 1) % 3, k % 3)
    task = Task(circuit, ["IIZ", "ZIX"], weights=dict(zip(weights, (0.9, 0.03, -1.2, 0.05), strict=True)))
    for limit in (Measured(0.1), Proven(0.1)):
        result = prune(task, limit, form="pauli", couplings="any", costs={"crx": 40}, progress=False)
        assert result.certificate.replaced
        verify(task, result)
        left = {p.name for p in result.circuit.parameters}
        told = {f"w[{k // 2}]": entry.action for k, entry in enumerate(result.plan[3:]) if entry.gate == "crx"}
        assert {name for name, action in told.items() if action == "remove"}.isdisjoint(left)


def test_forms_are_checked():
    with pytest.raises(OptionError, match="form must be"):
        prune(ladders(ANGLES), Proven(0.1), form="words")
