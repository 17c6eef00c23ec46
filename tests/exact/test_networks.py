"""Runs of CX gates are replaced by shorter ones that do the same, on couplings the circuit has."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from helpers import examples, outputs, state, up_to_phase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2

import qprune
from qprune import Proven
from qprune.exact.cx_networks import shorten_networks, with_shorter_runs
from qprune.gates.sites import circuit_of, sites_of


def task_of(circuit):
    words = ["Z" * circuit.num_qubits, "I" * (circuit.num_qubits - 1) + "X"]
    return qprune.Task(circuit, words, weights=np.zeros(circuit.num_parameters))


def shortened(circuit):
    task = task_of(circuit)
    before = sites_of(task)
    after, changes = with_shorter_runs(task, before)
    return before, after, changes, circuit_of(task, after)


def couplings(sites):
    return {site.qubits for site in sites if site.name == "cx"}


@st.composite
def circuits(draw):
    """CX gates mostly, SWAP gates, and rotations that some of them commute with."""
    n = draw(st.integers(2, 5))
    circuit = QuantumCircuit(n)
    for k in range(draw(st.integers(0, 24))):
        kind = draw(st.sampled_from(["cx", "cx", "cx", "cx", "swap", "cz", "rx", "ry", "rz", "rzz"]))
        qubits = draw(st.permutations(range(n)))
        if kind in ("cx", "cz", "swap"):
            getattr(circuit, kind)(*qubits[:2])
        elif kind == "rzz":
            circuit.rzz(0.3 + k, *qubits[:2])
        else:
            getattr(circuit, kind)(0.3 + k, qubits[0])
    return circuit


@settings(max_examples=examples(80), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(circuits())
def test_the_state_stays_and_every_origin_has_one_fate(circuit):
    before, after, changes, new = shortened(circuit)
    assert up_to_phase(state(circuit)[:, None], state(new)[:, None]) < 1e-9
    assert len(after) + len(changes) == len(before)
    assert couplings(after) <= couplings(before)
    fates = [o for site in after for o in site.origins] + [o for change in changes for o in change.origins]
    assert sorted(fates) == list(range(len(before)))
    simpler = circuit_of(task_of(circuit), shorten_networks(task_of(circuit), before)[0])
    np.testing.assert_allclose(*(outputs(task_of(circuit), state(c)) for c in (circuit, simpler)), atol=1e-12)
    others = [[site.name for site in sites if site.name not in ("cx", "swap")] for sites in (before, after)]
    assert sorted(others[0]) == sorted(others[1])


@pytest.mark.parametrize("n", [3, 4, 7, 12])
def test_a_fully_entangled_layer_becomes_a_chain(n):
    """Planted: CX from every qubit to every later one is the chain of n − 1, read from the end."""
    circuit = QuantumCircuit(n)
    for pair in combinations(range(n), 2):
        circuit.cx(*pair)
    _, after, changes, _ = shortened(circuit)
    assert [site.qubits for site in after] == [(q, q + 1) for q in reversed(range(n - 1))]
    assert {change.kind for change in changes} == {"CX network"}


@pytest.mark.parametrize("pairs", [[(0, 1), (1, 2), (2, 3), (3, 0)], [(2, 3), (1, 2), (0, 1)]])
def test_what_cannot_be_shorter_is_left_as_it_is(pairs):
    circuit = QuantumCircuit(4)
    for pair in pairs:
        circuit.cx(*pair)
    before, after, changes, _ = shortened(circuit)
    assert after == before
    assert not changes


def test_a_swap_moves_the_gates_before_it():
    circuit = QuantumCircuit(3)
    circuit.rx(0.4, 0)
    circuit.ry(0.9, 1)
    circuit.cx(1, 2)
    for pair in [(0, 1), (1, 0), (0, 1)]:
        circuit.cx(*pair)
    circuit.cx(0, 2)  # so that CX(1, 2) may become CX(0, 2)
    circuit.ry(0.2, 0)
    _, after, changes, new = shortened(circuit)
    assert [(site.name, site.qubits) for site in after] == [("rx", (1,)), ("ry", (0,)), ("ry", (0,))]
    assert len(changes) == 5  # CX(1, 2), the swap and CX(0, 2) cancel
    assert up_to_phase(state(circuit)[:, None], state(new)[:, None]) < 1e-12


@pytest.mark.parametrize("whole", [False, True])
def test_a_routed_circuit_stays_routed(whole):
    """Without its swap CX(0, 1) would have to join qubits that the device does not."""
    circuit = QuantumCircuit(4)
    circuit.cx(0, 1)
    circuit.ry(0.4, 0)
    circuit.ry(0.5, 1)
    if whole:
        circuit.swap(1, 2)
    else:
        for pair in [(1, 2), (2, 1), (1, 2)]:
            circuit.cx(*pair)
    circuit.ry(0.6, 2)
    circuit.cx(2, 3)
    before, after, changes, _ = shortened(circuit)
    assert after == before
    assert not changes


def test_a_run_reaches_across_gates_that_commute_and_no_further():
    theta = Parameter("w")
    for turn, gates_left in (("rz", 2), ("ry", 3)):
        circuit = QuantumCircuit(3)
        circuit.cx(0, 1)
        getattr(circuit, turn)(theta, 0)  # RZ on a control commutes, RY does not
        circuit.cx(0, 2)
        circuit.cx(1, 2)
        _, after, _, _ = shortened(circuit)
        assert len(couplings(after)) == gates_left


def test_pruning_starts_and_ends_with_short_networks():
    """Weights stay free, the certificate covers it, the plan accounts for every gate."""
    circuit = efficient_su2(4, reps=2, entanglement="full")
    weights = np.random.default_rng(3).normal(0, 0.5, circuit.num_parameters)
    task = qprune.Task(circuit, ["IIZI", "ZZII"], weights=weights)
    result = qprune.prune(task, Proven(0.05))
    assert result.flat.count_ops()["cx"] == 12
    assert result.simplified.count_ops()["cx"] <= 6
    assert result.circuit.count_ops()["cx"] <= 6
    assert sum("CX network" in entry.detail for entry in result.plan) >= 6
    qprune.verify(task, result)


@pytest.mark.parametrize("gate", ["cp", "cz", "rzz", "rxx"])
def test_swaps_behind_symmetric_gates_go_whichever_way_those_are_written(gate):
    """Planted: what the swaps exchange can be exchanged at the start, as every gate has a twin on the other qubits."""
    circuit = QuantumCircuit(4)
    for k, (q, p) in enumerate(combinations(range(4), 2)):
        circuit.rx(0.3 + k, p)
        getattr(circuit, gate)(*([] if gate == "cz" else [0.2 + k]), p, q)
    for pair in ((0, 3), (3, 0), (0, 3)):
        circuit.cx(*pair)
    circuit.swap(2, 1)
    _, after, changes, new = shortened(circuit)
    assert not {"cx", "swap"} & {site.name for site in after}
    assert len(changes) == 4
    assert up_to_phase(state(circuit)[:, None], state(new)[:, None]) < 1e-12
