"""`Everywhere` and `everywhere`: the budget holds for every input, is certified, stored, and verified by other code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_input_cases import falling
from oracles import outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from scipy.optimize import minimize

from qprune import (
    Certificate,
    CertificateError,
    CertificateViolation,
    Domain,
    Everywhere,
    Measured,
    OptionError,
    Task,
    everywhere,
    load,
    prune,
    save,
    verify,
)
from qprune.cli import main
from qprune.limits.between_samples import comparison_of
from qprune.limits.claim_everywhere import EveryInputComparison
from qprune.limits.counterexamples import UpperEverywhere
from qprune.limits.everywhere import CERTIFIED, screen_on_domain
from qprune.limits.measuring import start_of
from qprune.limits.prepared import Comparison, prepare
from qprune.limits.settings import Settings

BUDGET = 0.06


def network(seed=0, qubits=2, samples=8, turns=1):
    """Inputs once per qubit, two trained layers with some weights near 0, a few samples."""
    rng = np.random.default_rng(seed)
    x, w = ParameterVector("x", qubits), ParameterVector("w", 4 * qubits)
    circuit = QuantumCircuit(qubits)
    for _ in range(turns):
        for q in range(qubits):
            circuit.ry(x[q], q)
            circuit.rx(0.3, q)
    for layer in range(2):
        for q in range(qubits):
            circuit.rz(w[2 * (layer * qubits + q)], q)
            circuit.ry(w[2 * (layer * qubits + q) + 1], q)
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
    weights = rng.normal(size=len(w)) * rng.choice([0.03, 0.8], len(w))
    rows = rng.uniform(0, 2.5, (samples, qubits))
    word = "Z" + "I" * (qubits - 1)
    return Task(circuit, word, inputs=rows, input_params=list(x), weights=dict(zip(w, weights, strict=True)))


def largest(first, second, low, high, seed=0):
    """The largest change that a multi-start search on dense states finds."""

    def changes(rows):
        return np.abs(outputs_on(second, rows) - outputs_on(first, rows))[:, 0]

    rows = np.random.default_rng(seed).uniform(low, high, (30, len(low)))
    best = rows[np.argmax(changes(rows))]
    found = minimize(falling, best, (changes,), jac=True, bounds=np.stack([low, high], axis=1))
    return changes([best, np.clip(found.x, low, high)]).max()


def corners(task):
    return task.inputs.min(axis=0), task.inputs.max(axis=0)


@pytest.fixture(scope="module")
def pruned():
    return prune(network(), Everywhere(BUDGET))


@pytest.mark.parametrize("seed", range(3))
def test_the_budget_holds_for_every_input_and_gates_go(seed):
    task = network(seed)
    result = prune(task, Everywhere(BUDGET))
    claim, found = result.certificate.every_input, largest(task, result.task, *corners(task))
    assert found <= claim.upper + 1e-12
    assert claim.lower <= claim.upper <= BUDGET
    assert result.certificate.budget == BUDGET
    assert result.certificate.limited_by_proof
    assert claim.domain == task.domain == Domain.data()
    assert result.certificate.replaced


def test_refit_keeps_it_too():
    task = network(1)
    result = prune(task, Everywhere(BUDGET, refit=True))
    claim = result.certificate.every_input
    assert largest(task, result.task, *corners(task)) <= claim.upper + 1e-12
    assert claim.upper <= BUDGET
    verify(task, result)


def test_what_samples_allow_is_more_than_every_input_does():
    """With one sample the measured limit speaks of that alone; the claim added to it says what it comes to."""
    task = network(2, samples=6)
    one = task.with_domain(Domain.box(0, 2.5)).with_inputs(task.inputs[:1])
    result = everywhere(prune(one, Measured(BUDGET)), domain=Domain.box(0, 2.5))
    claim = result.certificate.every_input
    found = largest(one, result.task, np.zeros(2), np.full(2, 2.5))
    assert BUDGET < found <= claim.upper + 1e-12
    assert found == pytest.approx(claim.lower, abs=1e-4)
    assert "every input of the domain" in str(result)
    assert ("WARNING" in str(result)) == (claim.lower > 2 * BUDGET)
    verify(one, result)


def test_a_wider_domain_allows_no_more():
    task = network(1)
    wide = task.with_domain(Domain.box(-np.pi, np.pi))
    result = prune(wide, Everywhere(BUDGET))
    assert result.certificate.every_input.upper <= BUDGET
    assert largest(wide, result.task, np.full(2, -np.pi), np.full(2, np.pi)) <= BUDGET + 1e-12
    with pytest.raises(OptionError, match="with_domain"):
        everywhere(result, domain=Domain.data())


def test_refusals():
    circuit = QuantumCircuit(1)
    circuit.ry(0.3, 0)
    without_inputs = Task(circuit, "Z")
    with pytest.raises(OptionError, match="the task has none"):
        prune(without_inputs, Everywhere(0.1))
    with pytest.raises(OptionError, match="runs of each circuit"):
        prune(network(qubits=4, turns=16), Everywhere(0.1))
    with pytest.raises(OptionError, match="budget"):
        Everywhere(-1)
    with pytest.raises(OptionError, match="result must be"):
        everywhere(network())
    with pytest.raises(OptionError, match="time_limit"):
        everywhere(prune(network(), Measured(0.1)), time_limit=0)


def test_certificates_come_back_from_json(pruned):
    certificate = pruned.certificate
    assert Certificate.from_json(certificate.to_json()) == certificate
    boxed = everywhere(prune(network(), Measured(0.02)), domain=Domain.box(0, [1.0, 2.0]), gap=0.2).certificate
    assert Certificate.from_json(boxed.to_json()).every_input.domain == Domain.box(0, [1.0, 2.0])
    negative = replace(certificate.every_input.outputs[0], upper=-1.0)
    with pytest.raises(CertificateError):
        replace(certificate, every_input=replace(certificate.every_input, outputs=(negative,))).to_json()


def test_verify_recomputes_the_claim(pruned):
    names = [check.claim for check in verify(pruned.original, pruned).checks]
    assert "every input: upper limit (T9)" in names
    assert "every input in budget" in names


def tampered(pruned, **fields):
    claim = pruned.certificate.every_input
    output = replace(claim.outputs[0], **{k: v for k, v in fields.items() if k != "domain"})
    claim = replace(claim, outputs=(output,), domain=fields.get("domain", claim.domain))
    return replace(pruned, certificate=replace(pruned.certificate, every_input=claim))


def test_tampering_is_caught(pruned):
    output = pruned.certificate.every_input.outputs[0]
    assert output.lower > 1e-3
    for fields in (
        {"upper": 0.9 * output.lower, "lower": 0.5 * output.lower},
        {"upper": 1.1 * BUDGET},
        {"lower": 1.01 * output.upper},
        {"worst": (9.0, 9.0)},
        {"worst": tuple(pruned.original.inputs[0])},
        {"before": (output.before[0] + 1e-6,)},
        {"name": "XX"},
        {"certain_data": 0.5 if output.certain_data != 0.5 else 0.25},
        {"domain": Domain.data(margin=1.0)},
        {"domain": Domain.box(output.worst, output.worst)},
    ):
        with pytest.raises(CertificateViolation):
            verify(pruned.original, tampered(pruned, **fields))
    without = replace(pruned, certificate=replace(pruned.certificate, every_input=None))
    with pytest.raises(CertificateViolation, match="nothing is claimed"):
        verify(pruned.original, without)


@pytest.mark.usefixtures("without_pages")
def test_the_command_line_prunes_and_certifies(tmp_path, capsys):
    network().save(tmp_path / "task")
    asked = ["--everywhere", str(BUDGET), "--tradeoff", "0"]
    assert main(["prune", str(tmp_path / "task"), *asked, "--out", str(tmp_path / "first")]) == 0
    assert "proven (T9)" in capsys.readouterr().out
    assert load(tmp_path / "first").certificate.every_input.upper <= BUDGET
    save(prune(network(), Measured(BUDGET)), tmp_path / "second", drawings=False)
    assert main(["certify", str(tmp_path / "second"), "--gap", "0.1"]) == 0
    assert load(tmp_path / "second").certificate.every_input is not None
    assert main(["verify", str(tmp_path / "second")]) == 0
    assert main(["certify", str(tmp_path / "second"), "--gap", "2"]) == 2
    assert load(tmp_path / "second").certificate.every_input is not None


def test_what_the_screen_refuses_breaks_the_budget_somewhere():
    """And what broke it once is refused from then on without a proof."""
    prepared = prepare(network(), Settings(), Comparison(window=0))
    measure, start = UpperEverywhere(comparison_of(prepared), BUDGET), start_of(prepared)
    refuses = screen_on_domain(prepared, measure).of(start)
    refused = [refuses([k]) > BUDGET for k in range(len(start.sites))]
    broken = [measure(start.without([k])) > BUDGET for k in range(len(start.sites))]
    assert all(b for b, r in zip(broken, refused, strict=True) if r)
    assert any(refused)
    assert not all(broken)
    assert [refuses([k]) > BUDGET for k in range(len(start.sites))] == broken


def test_what_is_certified_after_a_time_limit_takes_a_share_of_it(monkeypatch):
    """The limit may then be as large as the budget, and holds all the same; without one it is as near as ever."""
    asked, claim = [], EveryInputComparison.claim

    def watched(self, *given, **options):
        asked.append(options["patience"])
        return claim(self, *given, **options | {"patience": 1e-9})

    task = network()
    usual = prune(task, Everywhere(BUDGET)).certificate.every_input
    monkeypatch.setattr(EveryInputComparison, "claim", watched)
    result = prune(task, Everywhere(BUDGET), time_limit=600)
    prune(task, Everywhere(BUDGET))
    assert asked == [600 * CERTIFIED, np.inf]
    found = result.certificate.every_input
    assert usual.upper <= found.upper <= BUDGET
    monkeypatch.undo()
    verify(task, result)
    rows = np.random.default_rng(1).uniform(*np.array([task.inputs.min(axis=0), task.inputs.max(axis=0)]), (500, 2))
    changes = outputs_on(task, rows) - outputs_on(result.task, rows)
    assert np.abs(changes).max() <= found.upper
