"""`verify` accepts what `prune` honestly claims, and refuses every claim that was tampered with, by name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import asked, cases, examples
from honest_results import HONEST, ansatz, forged, network, pruned, rows, with_entry
from hypothesis import HealthCheck, given, settings
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import PauliEvolutionGate, PermutationGate, StatePreparation
from qiskit.quantum_info import SparsePauliOp

from qprune import (
    Accuracy,
    CertificateViolation,
    Task,
    TaskError,
    Threshold,
    calibrate,
    load,
    prune,
    save,
)
from qprune.results.result import recorded
from qprune.verify.check import verify


@pytest.mark.thinned(5)
@pytest.mark.parametrize("outputs", ["several", "one", "probabilities"])
@pytest.mark.parametrize("options", [name for name in HONEST if name != "refit"])
def test_honest_results_verify(options, outputs):
    result = pruned(options, outputs)
    assert verify(network(outputs), result).checks
    assert options == "nothing" or result.certificate.replaced


def test_refit_verifies():
    """Weights moved, so replacements are not the identity alone; one acts on three qubits, out of order."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 6)
    circuit = QuantumCircuit(3)
    circuit.ry(x[0], 0)
    circuit.ry(x[1], 1)
    circuit.rx(0.7, 2)
    circuit.rzx(w[0], 1, 0)
    circuit.append(PauliEvolutionGate(SparsePauliOp("XZY"), time=w[1]), [2, 0, 1])
    circuit.crx(w[2], 1, 0)
    circuit.ry(w[3], 0)
    circuit.rz(w[4], 1)
    circuit.ry(w[5], 2)
    inputs = np.random.default_rng(0).uniform(-1, 1, (10, 2))
    weights = [0.1, 0.4, 0.05, 0.5, 0.7, 0.3]
    task = Task(circuit, ["IZI", "IIX", "ZII"], inputs=inputs, input_params=list(x), weights=weights, holdout=0.2)
    result = prune(task, **asked(**HONEST["refit"]))
    assert verify(task, result).checks
    assert {(e.gate, e.by) for e in result.certificate.replaced} > {("PauliEvolution", "refit")}


def test_representatives_are_there():
    """Or the tests above would not say much."""
    kinds = {options: {e.by for e in pruned(options).certificate.replaced} for options in ("class", "clifford")}
    assert all(len(names - {"identity"}) for names in kinds.values())


def test_without_inputs():
    for options in ({"tolerance": 0.1}, {"budget": 0.1, "noise": 0.7}):
        assert verify(ansatz(), prune(ansatz(), **asked(**options))).checks


@pytest.mark.parametrize("num_qubits", [9, 10])
def test_more_qubits_than_are_diagonalised(num_qubits):
    """Everything is recomputed but the eigenvalues, and the table says so."""
    task = ansatz(num_qubits)
    result = prune(task, Threshold(0.1), noise=0.95)
    report = verify(task, result)
    assert [c.claim for c in report.checks if "skipped, n > 8" in c.how] == ["bound from Θ (T2)"]
    assert "q-overlap distance" in str(report)
    first = result.certificate.replaced[0]
    with pytest.raises(CertificateViolation, match="q-overlap distance"):
        verify(task, with_entry(result, replace(first, distance=first.distance + 1e-5)))
    bound = np.array(result.certificate.bound) / 2
    with pytest.raises(CertificateViolation, match=r"bound from Θ \(T2\)"):
        verify(task, forged(result, bound=rows(bound)))


def test_only_qubits_in_use_count():
    circuit = QuantumCircuit(100)
    circuit.ry(0.3, 90)
    circuit.cx(90, 7)
    circuit.rz(0.01, 7)
    circuit.ry(0.4, 7)
    task = Task(circuit, SparsePauliOp.from_sparse_list([("Z", [7], 1.0)], 100))
    assert verify(task, prune(task, Threshold(0.1))).checks


def test_gates_of_every_making():
    """Wide, nested, given by a definition alone, or by a synthesis that is not exact."""
    circuit = QuantumCircuit(9)
    circuit.append(StatePreparation(np.arange(1, 33) / np.linalg.norm(np.arange(1, 33))), [8, 1, 3, 5, 0])
    circuit.append(PermutationGate([1, 2, 0]), [4, 0, 7])
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XZ", "ZX", "YI"], [0.3, 0.9, 0.4]), time=1.0), [8, 1])
    circuit.mcx([3, 1, 5], 0)
    circuit.ry(0.01, 4)
    circuit.cx(4, 0)
    circuit.rx(0.02, 0)
    task = Task(circuit, ["Z" * 9, SparsePauliOp(["IIIIIIIXX", "IIIIZIIIY"], [0.5, 2])])
    result = prune(task, Threshold(0.1))
    assert verify(task, result).checks
    assert result.certificate.replaced


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_random_results_verify(case):
    noise = None if case.noise is None else calibrate(case.noise[0], beta=case.noise[1], gamma=case.noise[2])
    verify(case.task, prune(case.task, noise=noise, **asked(**case.options)))


def test_after_writing_and_reading(tmp_path):
    result = pruned("class")
    save(result, tmp_path / "result", drawings=False)
    loaded = load(tmp_path / "result")
    assert verify(loaded.original, loaded).checks
    assert verify(network(), loaded).checks


@pytest.mark.parametrize("names", [["IX", "II"], ["IZ"]])
def test_classes_are_told_by_outputs_with_the_identitys_part(names):
    """⟨O₀⟩ = cos(0.8) ≈ 0.70 on both samples; half of 1 + Z is 1, and 2 + Z is never negative."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.8, 0)
    circuit.rz(0.3, 0)
    if len(names) == 2:
        outputs = [SparsePauliOp("IZ"), SparsePauliOp(["II", "ZI"], [0.5, 0.5])]
        labels = [1]  # without the halves, 0.5 < 0.70
    else:
        outputs, labels = [SparsePauliOp(["II", "IZ"], [-2.0, 1.0])], [-1]  # without the −2, positive
    task = Task(circuit, outputs, labels=labels)
    result = prune(task, Threshold(0.5))
    assert result.accuracy is not None
    assert result.accuracy[0] == 1.0
    assert verify(task, result).checks
    for share in (0.0, 0.5):
        lie = recorded(replace(result, accuracy=(share, result.accuracy[1])))
        with pytest.raises(CertificateViolation, match="accuracy before and after"):
            verify(task, lie)


# -- the report ---------------------------------------------------------------------------------------------------


def test_report(capsys):
    report = verify(network(), pruned(), progress=True)
    assert capsys.readouterr().err == ""  # not a terminal
    lines = str(report).splitlines()
    count = len(report.checks)
    assert max(map(len, lines)) <= 100
    assert lines[count + 1] == f"{count} checks, every claim holds"
    assert all(line.endswith("ok") for line in lines[1 : count + 1])
    assert all("rounding" in line for line in lines if "margin -" in line)
    assert " ".join(" ".join(lines[count + 2 :]).split()).startswith(
        "as recorded, no claim rests on it: strategy, seed"
    )
    for word in ("SHA-256", "full simulation", "dense eigenvalues", "T1", "T2", "T4", "T5", "difference", "margin"):
        assert word in str(report)
    with pytest.raises(AttributeError):
        report.checks = ()


def test_too_large_for_memory(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100))
    with pytest.raises(TaskError, match=r"4 qubits needs .* GiB"):
        verify(network(), pruned())


def test_labels_outside_the_selection_say_that_signs_are_meant():
    """Of two outputs and labels ±1 the first's sign predicts, also where only +1 is left in the selection."""
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(2)
    for q in range(2):
        circuit.ry(x[q], q)
    circuit.cx(0, 1)
    task = Task(
        circuit,
        ["ZI", "IZ"],
        inputs=[[0.2, 0.1], [0.4, 2.0], [2.9, 0.3], [0.3, 0.2]],
        input_params=list(x),
        labels=[1, 1, -1, 1],
        holdout=[2],
    )
    result = prune(task, Accuracy(0.0))
    assert result.circuit.size() < circuit.size()  # without CX signs stay, and the larger output is another
    verify(task, result)
