"""Inputs as amplitudes, alone and beside angles: every state at once (THEORY T9, step 9).

The oracle is Qiskit's dense matrices: the largest eigenvalue over all states, and a search over the other inputs.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from every_input_cases import preparation
from oracles import columns_at, outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qprune import (
    CertificateViolation,
    Domain,
    Everywhere,
    OptionError,
    Task,
    TaskError,
    prune,
)
from qprune.gates.sites import sites_of
from qprune.limits import amplitudes
from qprune.limits.amplitudes import OverStates, heads_of, makes_real_states
from qprune.limits.claim_everywhere import every_input, region_of
from qprune.task.domain import resolved
from qprune.verify.every_input import confirm

OBSERVABLES = ("ZII", "XYZ")
WIDE = Domain.box(-2 * np.pi, 2 * np.pi)


def network(seed, moved, prepared=3, angles=0, is_real=False, observables=OBSERVABLES, first=True):
    """A preparation of some qubits, then weights, angles of further inputs, weights; the last weights are `moved`."""
    rng = np.random.default_rng(seed)
    circuit, x = QuantumCircuit(3), [Parameter(f"x_{i:03d}") for i in range(40)]
    used = preparation(circuit, range(prepared), x, is_real) if first else 0
    after = QuantumCircuit(3)
    for q in range(3):
        after.ry(rng.normal(), q)
        after.cx(q, (q + 1) % 3)
    for j in range(angles):
        after.rx(x[used + j], j % 3)
    used += angles
    for q in range(3):
        after.ry(rng.normal() + moved, q)
        after.rz(rng.normal(), q)
        after.cx(q, (q + 1) % 3)
    circuit.compose(after, inplace=True)
    inputs = rng.uniform(0, 2, (6, used)) if used else None
    return Task(circuit, list(observables), inputs=inputs, input_params=x[:used]), after


def changes_over_states(seed, moved, rows, prepared, is_real=False, **options):
    """Largest |eigenvalue| of the change of every output at every row of the angles (R, M), dense."""
    parts = [network(seed, m, prepared, rows.shape[1], first=False, **options)[1] for m in (0.0, moved)]
    found, sides = [], []
    for part in parts:
        names = sorted(part.parameters, key=lambda p: p.name)
        sides.append(columns_at(part, [dict(zip(names, row, strict=True)) for row in rows], 2**prepared))
    for word in OBSERVABLES:
        observable = SparsePauliOp(word).to_matrix()
        forms = [u.conj().swapaxes(1, 2) @ observable @ u for u in sides]
        delta = forms[1] - forms[0]
        found.append(np.abs(np.linalg.eigvalsh(delta.real if is_real else delta)).max(axis=1))
    return np.array(found)


def by_states(monkeypatch):
    """Small circuits, too, are judged over states, and verified so."""
    monkeypatch.setattr(amplitudes, "MOST_RUNS", 1)
    monkeypatch.setattr(sys.modules["qprune.verify.every_input"], "FEW_RUNS", 1)
    monkeypatch.setattr(sys.modules["qprune.verify.every_input"], "MOST_RUNS", 1)


def claimed(tasks, domain=WIDE, **options):
    return every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), domain, **options)


def changes_at(tasks, rows, r):
    """Of an output, at rows of inputs, dense."""
    before, after = (outputs_on(task, rows)[:, r] for task in tasks)
    return np.abs(after - before)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("is_real", [False, True])
@pytest.mark.parametrize("prepared", [2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_the_limit_is_the_largest_eigenvalue_over_all_states(seed, prepared, is_real, monkeypatch):
    by_states(monkeypatch)
    tasks = [network(seed, moved, prepared, is_real=is_real)[0] for moved in (0.0, 0.1)]
    claim = claimed(tasks, most_runs=20)
    for r, largest in enumerate(changes_over_states(seed, 0.1, np.zeros((1, 0)), prepared, is_real)[:, 0]):
        output = claim.outputs[r]
        assert output.upper == pytest.approx(largest, rel=1e-9, abs=1e-12)
        assert output.upper >= largest
        assert output.lower <= output.upper
        assert changes_at(tasks, [output.worst], r)[0] == pytest.approx(output.lower, abs=1e-12)
        assert output.method == f"largest eigenvalue, {'real' if is_real else 'all'} states"
    confirm(*tasks, claim)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_states_and_angles_together(seed, monkeypatch):
    """Over a box of angles and all states: no angles on a grid, and none that a search ends at, exceed the limit."""
    by_states(monkeypatch)
    tasks = [network(seed, moved, 2, angles=2)[0] for moved in (0.0, 0.2)]
    width = tasks[0].inputs.shape[1]
    low, high = np.full(width, -6.0), np.full(width, 6.0)
    low[-2:], high[-2:] = (0.3, -0.5), (1.4, 2.0)
    claim = claimed(tasks, Domain.box(low, high), most_runs=100)
    axes = np.meshgrid(np.linspace(0.3, 1.4, 15), np.linspace(-0.5, 2.0, 15), indexing="ij")
    rows = np.stack(axes, axis=-1).reshape(-1, 2)
    for r, values in enumerate(changes_over_states(seed, 0.2, rows, 2)):
        output = claim.outputs[r]
        assert values.max() <= output.upper <= values.max() * 1.06
        assert changes_at(tasks, [output.worst], r)[0] == pytest.approx(output.lower, abs=1e-12)
    assert len(confirm(*tasks, claim)) == 2


def weighted_head(value):
    """A preparation in which an input is multiplied by a weight."""
    circuit, x, w = QuantumCircuit(2), [Parameter(f"x_{i}") for i in range(3)], Parameter("w")
    circuit.ry(x[0] * w, 0)
    circuit.cx(0, 1)
    circuit.ry(x[1], 1)
    circuit.ry(x[2], 0)
    circuit.cx(0, 1)
    circuit.rx(0.4, 1)
    rows = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    return Task(circuit, ["IZ", "ZI"], inputs=rows, input_params=x, weights={w: value})


def test_a_weight_in_a_preparation_counts(monkeypatch):
    """Where it has another value, the two circuits do not make the same states, whatever their gates are called."""
    by_states(monkeypatch)
    tasks = weighted_head(1.0), weighted_head(0.2)
    domain = Domain.box(-3, 3)
    rows = np.random.default_rng(1).uniform(-3, 3, (300, 3))
    largest = [changes_at(tasks, rows, r).max() for r in range(2)]
    assert max(largest) > 1
    claim = claimed(tasks, domain)
    assert all(output.upper >= found for output, found in zip(claim.outputs, largest, strict=True))
    # Claims too small that speak of an input at which the weight does nothing: only what all states do refutes them.
    row = (0.0, 0.3, -0.7)
    outputs = []
    for r, output in enumerate(claimed((tasks[0], tasks[0]), domain).outputs):
        values = [outputs_on(task, [row])[0, r] for task in tasks]
        assert values[0] == pytest.approx(values[1], abs=1e-14)
        at = {"worst": row, "before": (values[0],), "after": (values[1],), "lower": 0.0, "upper": 1e-3}
        outputs.append(replace(output, **at))
    with pytest.raises((CertificateViolation, TaskError)):  # refuted, or refused for the runs that it takes otherwise
        confirm(*tasks, replace(claimed((tasks[0], tasks[0]), domain), outputs=tuple(outputs)))


def test_a_limit_below_what_the_worst_input_does_is_refused(monkeypatch):
    by_states(monkeypatch)
    tasks = [network(0, moved, 2)[0] for moved in (0.0, 0.2)]
    claim = claimed(tasks)
    confirm(*tasks, claim)
    for share in (0.99, 1e-3):
        outputs = tuple(replace(output, lower=0.0, upper=share * output.lower) for output in claim.outputs)
        with pytest.raises(CertificateViolation):
            confirm(*tasks, replace(claim, outputs=outputs))


def check_nothing_exceeds(seed):
    """Planted worst images: an eigenvector at random angles."""
    rng = np.random.default_rng(seed)
    number = int(rng.integers(10**6))
    prepared, angles, moved = int(rng.integers(1, 4)), int(rng.integers(0, 3)), float(rng.choice([1e-9, 0.05, 1.0]))
    tasks = [network(number, m, prepared, angles)[0] for m in (0.0, moved)]
    claim = claimed(tasks, most_runs=100)
    rows = rng.uniform(-2 * np.pi, 2 * np.pi, (60, angles))
    changes = changes_over_states(number, moved, rows, prepared).max(axis=1)
    for output, largest in zip(claim.outputs, changes.tolist(), strict=True):
        assert largest <= output.upper * (1 + 1e-12) + 1e-13
        assert output.lower <= output.upper
    confirm(*tasks, claim)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(4))
def test_no_state_and_no_angles_exceed_the_limit(seed, monkeypatch):
    by_states(monkeypatch)
    check_nothing_exceeds(seed)


@pytest.mark.soak
def test_soak_no_state_and_no_angles_exceed_the_limit(monkeypatch):
    by_states(monkeypatch)
    for seed in range(int(os.environ.get("QPRUNE_SOAK", "2000")) // 10):
        check_nothing_exceeds([17, seed])


def test_a_limit_that_is_too_small_is_not_confirmed(monkeypatch):
    by_states(monkeypatch)
    tasks = [network(2, moved, 2, angles=1)[0] for moved in (0.0, 0.2)]
    claim = claimed(tasks, most_runs=100)
    first = replace(claim.outputs[0], lower=0.0, upper=0.9 * claim.outputs[0].upper)
    with pytest.raises(CertificateViolation):
        confirm(*tasks, replace(claim, outputs=(first, *claim.outputs[1:])))


def test_pruning_wants_a_preparation_that_stays_whole():
    """Exact simplification takes one apart that is written in gates, so that no two circuits would begin alike."""
    task = network(4, 0.0)[0]
    with pytest.raises(OptionError, match="let one gate prepare"):
        prune(task, Everywhere(0.05))


def test_the_head_is_what_both_circuits_begin_with():
    tasks = [network(0, moved)[0] for moved in (0.0, 0.1)]
    region = region_of(resolved(WIDE, tasks[0].inputs))
    shorter = tasks[1].circuit.copy()
    del shorter.data[1]  # a gate of the preparation
    other = tasks[1].with_circuit(shorter)
    over = OverStates(tasks[0], sites_of(tasks[0]), region, 2**18, 0)
    assert over.changes(tasks[1], sites_of(tasks[1]), 2**20)
    with pytest.raises(TaskError, match="different states"):
        over.changes(other, sites_of(other), 2**20)
    with pytest.raises(TaskError, match="different states"):
        claimed([tasks[0], other])


def test_real_states_by_the_gates_alone():
    region = region_of(resolved(WIDE, np.zeros((2, 40))))
    pinned = region_of(resolved(Domain.data(), np.zeros((2, 40))))
    for is_real, where, expected in ((True, region, True), (False, region, False), (False, pinned, True)):
        task = network(0, 0.0, is_real=is_real)[0]
        cut = type(where)(where.low[:, : task.inputs.shape[1]], where.high[:, : task.inputs.shape[1]])
        (head,) = heads_of(task, sites_of(task))
        assert makes_real_states(task, head, cut) is expected


def test_too_many_qubits_are_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(amplitudes, "ENTRIES_PER_RUN", 2**-14)
    tasks = [network(0, moved)[0] for moved in (0.0, 0.1)]
    with pytest.raises(OptionError, match="let one gate prepare"):
        claimed(tasks)
