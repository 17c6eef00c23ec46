"""A budget to begin with: no prediction that it protects can change, whatever moves within it."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

import qprune
from qprune import Measured, OptionError, Task, prune, suggest
from qprune.cli.command import main
from qprune.limits.suggest import knee

X = Parameter("x")


def by_sign(samples, **options):
    """⟨Z⟩ = cos(x)."""
    circuit = QuantumCircuit(1)
    circuit.ry(X, 0)
    return Task(circuit, "Z", inputs=np.array(samples)[:, None], input_params=[X], **options)


def test_a_sign_may_move_by_its_distance_from_zero():
    angles = np.linspace(0.1, 3.0, 40)
    told = suggest(by_sign(angles))
    np.testing.assert_allclose(told.margins, np.abs(np.cos(angles)), atol=1e-12)
    assert np.mean(np.abs(np.cos(angles)) >= told.budget - 1e-12) >= 0.95
    assert suggest(by_sign(angles), kept=0.5).budget > told.budget
    least = np.abs(np.cos(angles)).min()
    assert 0.9 * least < suggest(by_sign(angles), kept=1).budget <= least
    assert told.limit == Measured(told.budget)
    assert f"Everywhere({told.budget:.3g})" in str(told)


def test_the_largest_of_several_may_lose_half_its_lead():
    circuit = QuantumCircuit(2)
    circuit.ry(X, 0)
    circuit.ry(0.5, 1)
    rows = np.array([[0.1], [0.9], [2.0]])
    task = Task(circuit, ["IZ", "ZI"], inputs=rows, input_params=[X], labels=[0, 1, 1])
    told = suggest(task, kept=1)
    lead = np.abs(np.cos(rows[:, 0]) - np.cos(0.5))
    np.testing.assert_allclose(told.margins, lead / 2, atol=1e-12)
    for sample, margin in enumerate(told.margins):
        means = np.array([np.cos(rows[sample, 0]), np.cos(0.5)])
        worst = means + 0.999 * margin * np.where(means == means.max(), -1, 1)
        assert worst.argmax() == means.argmax()
        assert (means + 1.001 * margin * np.where(means == means.max(), -1, 1)).argmax() != means.argmax()


FOUR_VALUES = SparsePauliOp.from_list([("ZZ", 3.0), ("IZ", 1.0)])


@pytest.mark.parametrize("observables", [None, FOUR_VALUES])
def test_where_nothing_is_predicted_it_is_a_share_of_the_range(observables):
    circuit = QuantumCircuit(2)
    circuit.ry(0.3, 0)
    task = Task(circuit, observables)
    assert "Everywhere" not in str(suggest(task))  # no inputs besides those listed
    told = suggest(task)
    assert told.margins == ()
    np.testing.assert_allclose(told.budget, task.largest_change / 100)


def test_ties_leave_no_margin():
    told = suggest(by_sign([np.pi / 2, np.pi / 2]), kept=1)
    assert told.budget == pytest.approx(0.02)
    assert "ties" in told.why


def test_the_knee_is_where_gates_get_dearer():
    circuit = QuantumCircuit(1)
    circuit.ry(X, 0)
    for angle in (0.01, 0.02, 1.2):
        circuit.rx(angle, 0)
        circuit.ry(angle, 0)
    task = Task(circuit, "Z", inputs=[[0.4], [1.0]], input_params=[X])
    front = qprune.frontier(task, budgets=[0.005, 0.02, 0.05, 0.6, 2.0], refit=False)
    bend = suggest(task, front=front).knee
    assert bend is knee(front)
    assert front[0].circuit.size() > bend.circuit.size() > front[len(front) - 1].circuit.size()
    assert f"bends at {bend.circuit.size()} gates" in str(suggest(task, front=front))


def test_a_missing_limit_names_a_budget(tmp_path, capsys):
    task = by_sign([0.2, 0.4, 2.5])
    told = suggest(task)
    with pytest.raises(OptionError, match=f"budget {told.budget:.3g}"):
        prune(task, None)
    with pytest.raises(OptionError, match=r"Measured\(0\.2, refit=True\).*got 0\.2; qprune\.suggest"):
        prune(task, 0.2)
    for arguments in ({"kept": 0}, {"kept": "most"}, {"front": 3}):
        with pytest.raises(OptionError, match="must be"):
            suggest(task, **arguments)
    task.save(tmp_path / "bundle")
    assert main(["suggest", str(tmp_path / "bundle")]) == 0
    assert f"--measured {told.budget:.3g}" in capsys.readouterr().out
