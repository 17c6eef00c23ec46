"""Inputs as amplitudes with outcome probabilities: the total variation over every state at once (THEORY T9, step 9).

The oracle is Qiskit's dense matrices: eigenvalues of all sums of outcomes' matrices with signs, and states that climb.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from every_input_cases import preparation
from helpers import random_state
from oracles import columns_at, outputs_on
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter

from qprune import CertificateViolation, Domain, OptionError, Task, TaskError
from qprune.gates.sites import sites_of
from qprune.geometry.norms import MOST_OUTCOMES, OfForms
from qprune.limits import amplitudes
from qprune.limits.claim_everywhere import every_input
from qprune.verify.every_input import confirm

TURN = 2 * np.pi
MEASURED = (1, 0)


@pytest.fixture(autouse=True)
def by_states(monkeypatch):
    """Small circuits, too, are judged over states, and verified so."""
    monkeypatch.setattr(amplitudes, "MOST_RUNS", 1)
    for name in ("FEW_RUNS", "MOST_RUNS"):
        monkeypatch.setattr(sys.modules["qprune.verify.every_input"], name, 1)


def after(qubits, seed, moved, angle=None):
    """Gates that follow a preparation, with one angle besides."""
    rng, circuit = np.random.default_rng(seed), QuantumCircuit(qubits)
    for layer in range(2):
        for q in range(qubits):
            circuit.u(*(rng.normal(size=3) + moved * layer), q)
            circuit.cx(q, (q + 1) % qubits)
        if layer == 0 and angle is not None:
            circuit.rx(angle, 0)
    return circuit


def pair(qubits=2, seed=0, moved=0.2, prepared=2, measured=MEASURED, is_real=False, turns=True):
    """A preparation, weights, an angle of a further input, weights that the second circuit has moved; probabilities."""
    tasks = []
    for shift in (0.0, moved):
        circuit, x = QuantumCircuit(qubits), [Parameter(f"x_{i:03d}") for i in range(20)]
        used = preparation(circuit, range(prepared), x, is_real)
        circuit.compose(after(qubits, seed, shift, x[used] if turns else None), inplace=True)
        used += turns
        circuit.add_register(bits := ClassicalRegister(len(measured)))
        circuit.measure(measured, bits)
        rows = np.random.default_rng(seed).uniform(0, 2, (4, used))
        tasks.append(Task(circuit, inputs=rows, input_params=x[:used]))
    return tasks


def claimed(tasks, low=-TURN, high=TURN, **options):
    return every_input(
        tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), Domain.box(low, high), most_runs=100, **options
    )


def forms(qubits, seed, moved, prepared, measured, angles=()):
    """Δ_b of every outcome on the prepared qubits at every angle, or once where there is none, dense."""
    numbers, angle = np.arange(2**qubits), Parameter("t")
    outcomes = sum((numbers >> q & 1) << j for j, q in enumerate(measured))
    found, points = [], [{angle: value} for value in angles] or [{}]
    for shift in (0.0, moved):
        u = columns_at(after(qubits, seed, shift, angle if len(angles) else None), points, 2**prepared)
        kept = [u[:, outcomes == b] for b in range(2 ** len(measured))]
        found.append(np.stack([part.conj().swapaxes(1, 2) @ part for part in kept], axis=1))
    return found[1] - found[0]


def largest(deltas, is_real=False):
    """½ Σ_b |⟨ψ|Δ_b|ψ⟩| over all ψ: the largest eigenvalue for any signs."""
    signs = np.array(list(product((-0.5, 0.5), repeat=len(deltas))))
    mixed = np.tensordot(signs, deltas.real if is_real else deltas, 1)
    return np.abs(np.linalg.eigvalsh(mixed)).max()


def climbed(deltas, state):
    """A state and the total variation at it, made larger by turns: the signs at a state, the best state for signs."""
    for _ in range(20):
        changes = np.einsum("i,bij,j->b", state.conj(), deltas, state).real
        state = np.linalg.eigh(np.tensordot(np.where(changes < 0, -0.5, 0.5), deltas, 1))[1][:, -1]
    return max(np.abs(changes).sum() / 2, np.abs(np.einsum("i,bij,j->b", state.conj(), deltas, state)).sum() / 2)


def variation_at(tasks, rows):
    before, after_it = (outputs_on(task, rows) for task in tasks)
    return np.abs(after_it - before).sum(axis=1) / 2


@pytest.mark.parametrize(
    ("qubits", "prepared", "measured", "is_real"),
    [(2, 2, (1, 0), False), (2, 2, (0, 1), True), (3, 2, (2, 0), False), (3, 1, (1, 2, 0), False), (2, 1, (1,), False)],
)
def test_the_limit_is_the_largest_total_variation_over_all_states(qubits, prepared, measured, is_real):
    tasks = pair(qubits, 1, 0.2, prepared, measured, is_real, turns=False)
    (output,) = claimed(tasks).outputs
    expected = largest(forms(qubits, 1, 0.2, prepared, measured)[0], is_real)
    assert output.upper == pytest.approx(expected, rel=1e-9)
    assert output.upper >= expected
    assert variation_at(tasks, [output.worst])[0] == pytest.approx(output.lower, abs=1e-12)
    assert output.lower <= output.upper
    assert output.method == f"largest eigenvalue, {'real' if is_real else 'all'} states"
    (confirmed,) = confirm(*tasks, claimed(tasks))
    assert confirmed.margin <= output.upper - output.lower + 1e-12


@pytest.mark.parametrize(("qubits", "seed", "moved"), [(2, 2, 0.3), (3, 3, 1e-9), (3, 4, 1.0)])
def test_no_state_and_no_angle_exceed_the_limit(qubits, seed, moved):
    tasks, rng = pair(qubits, seed, moved), np.random.default_rng(seed)
    (output,) = claimed(tasks).outputs
    found = []
    for deltas in forms(qubits, seed, moved, 2, MEASURED, np.linspace(0, TURN, 12)):
        found += [climbed(deltas, random_state(2, rng)) for _ in range(3)]
        found.append(largest(deltas))
    assert max(found) <= output.upper * (1 + 1e-12) + 1e-13
    rows = rng.uniform(-TURN, TURN, (50, tasks[0].inputs.shape[1]))
    assert variation_at(tasks, rows).max() <= output.upper + 1e-13
    assert variation_at(tasks, [output.worst])[0] == pytest.approx(output.lower, abs=1e-12)
    confirm(*tasks, claimed(tasks))


def test_the_eigenvector_at_the_worst_angle_attains_the_limit():
    """Within the gap, on a dense grid of the angle."""
    (output,) = claimed(pair()).outputs
    values = [largest(deltas) for deltas in forms(2, 0, 0.2, 2, MEASURED, np.linspace(0, TURN, 200))]
    assert max(values) <= output.upper <= 1.03 * max(values)


@pytest.mark.parametrize("turns", [False, True])
def test_a_limit_that_is_too_small_is_not_confirmed(turns):
    """Of a claim that hides its worst input: only what all states do refutes it."""
    tasks = pair(turns=turns)
    claim = claimed(tasks)
    row = tasks[0].inputs[0] * 0
    before, after_it = (tuple(outputs_on(task, [row])[0].tolist()) for task in tasks)
    at = {"worst": tuple(row.tolist()), "before": before, "after": after_it, "lower": 0.0}
    confirm(*tasks, replace(claim, outputs=(replace(claim.outputs[0], **at),)))
    forged = replace(claim.outputs[0], upper=0.9 * claim.outputs[0].upper, **at)
    assert variation_at(tasks, [row])[0] < forged.upper
    with pytest.raises(CertificateViolation, match="claimed are at most"):
        confirm(*tasks, replace(claim, outputs=(forged,)))


def test_more_outcomes_than_have_a_limit_are_refused(monkeypatch):
    tasks = pair(4, measured=(0, 1, 2, 3), prepared=1)
    monkeypatch.setattr(sys.modules["qprune.limits.claim_everywhere"], "MOST_RUNS", 1)
    with pytest.raises(OptionError, match="16 outcomes are not limited for all states at once, those of up to 8 are"):
        every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), Domain.box(-6, 6), most_runs=1)
    claim = claimed(tasks)  # by the phases of all inputs
    with pytest.raises(TaskError, match="at most 8 outcomes, the task has 16"):
        confirm(*tasks, claim)


@pytest.mark.parametrize("is_real", [False, True])
@pytest.mark.parametrize("number", [1, 3])
def test_the_norm_of_forms(is_real, number):
    rng = np.random.default_rng(3)
    norm = OfForms(4, is_real, number)
    matrices = rng.normal(size=(5, number, 4, 4)) + 1j * rng.normal(size=(5, number, 4, 4))
    matrices = matrices + matrices.conj().swapaxes(-1, -2)
    values = norm.values(matrices)
    whole = np.concatenate([matrices, -matrices.sum(axis=1, keepdims=True)], axis=1)  # with the last outcome's
    expected = [largest(each if number > 1 else 2 * each[:1], is_real) for each in whole]
    np.testing.assert_allclose(norm.of(values), expected, rtol=1e-12)
    assert np.all(norm.of(values) >= expected)
    assert values.shape[1] == norm.width
    assert norm.everywhere(values) >= max(expected)  # as the values of one phase on a grid
    for own, each in zip(values, whole, strict=True):
        assert norm.dual(own) @ own == pytest.approx(float(norm.of(own)))
        assert np.all(norm.dual(own) @ values.T <= norm.of(values) * (1 + 1e-12))
        state = norm.state(own)
        seen = np.abs(np.einsum("i,bij,j->b", state.conj(), each, state)).sum() / 2
        assert seen == pytest.approx(float(norm.of(own)))
    states = [random_state(2, rng) for _ in range(20)]
    states = [s.real / np.linalg.norm(s.real) for s in states] if is_real else states
    changes = np.abs(np.einsum("si,bij,sj->sb", np.conj(states), whole[0], states)).sum(axis=1) / 2
    assert changes.max() <= norm.of(values[0]) * (1 + 1e-12)


def test_as_many_outcomes_as_there_are_sets_for():
    assert len(OfForms(1, forms=MOST_OUTCOMES - 1).sets) == 127
