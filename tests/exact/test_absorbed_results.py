"""Absorption as an option of `prune` and of the command: saved, told and verified; networks up to their last gate."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import circuits, dense, examples, observables, outputs, state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_networks import entangler

import qprune
from qprune import CertificateError, CertificateViolation, OptionError, Proven, Task, absorb, load, prune, save, verify
from qprune.cli.command import main
from qprune.exact.pauli import total_cost
from qprune.gates.sites import sites_of


def ring(n=4, layers=2, measured=("IIIZ", "ZXII")):
    return Task(entangler(n, layers), list(measured), weights=np.linspace(0.01, 2, n * layers))


def at(task, point):
    return outputs(task, state(task.circuit.assign_parameters({p: point[p.name] for p in task.circuit.parameters})))


@settings(
    max_examples=examples(12), derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(st.data())
def test_written_up_to_the_last_gate_outputs_and_spectra_stay(data):
    """Random circuits over the whole catalogue at random values, by dense linear algebra; never dearer than without."""
    circuit = data.draw(circuits(min_qubits=2, max_qubits=4, max_gates=8))
    measured = data.draw(observables(circuit.num_qubits)) or ["Z" * circuit.num_qubits]
    task = Task(circuit, measured, weights={p: 0.2 + 0.3 * k for k, p in enumerate(circuit.parameters)})
    absorbed = absorb(task, couplings=data.draw(st.sampled_from(["circuit", "any"])))
    rng = np.random.default_rng(1)
    point = {p.name: float(rng.uniform(-6, 6)) for p in circuit.parameters}
    np.testing.assert_allclose(at(absorbed.task, point), at(task, point), rtol=0, atol=1e-12)
    for before, after in zip(task.observables, absorbed.task.observables, strict=True):
        np.testing.assert_allclose(np.linalg.eigvalsh(dense(after)), np.linalg.eigvalsh(dense(before)), atol=1e-12)
    assert total_cost(sites_of(absorbed.task), None) <= total_cost(sites_of(absorb(task).task), None) + 1e-9


def test_a_network_that_may_end_anywhere_needs_fewer_gates():
    """Planted: behind the rotations nothing needs to be brought back, so that every output is read where it ends."""
    task = ring(5, 3, ("IIIIZ",))
    plain, written = (absorb(task, couplings=couplings) for couplings in (None, "any"))
    assert written.two_qubit_gates > plain.two_qubit_gates


def test_a_result_measures_what_its_task_says_and_is_verified_from_the_given_one(tmp_path):
    task = ring()
    result = prune(task, Proven(0.05), absorb=True, couplings="circuit", progress=False)
    assert result.given is task
    assert "measure" in str(result)
    claims = [check.claim for check in verify(task, result).checks]
    assert "absorption: outputs are those of the task given" in claims
    save(result, tmp_path / "out", drawings=False)
    again = load(tmp_path / "out")
    assert again.given.output_names == task.output_names
    verify(task, again)
    change = np.abs(
        outputs(again.task, state(again.task.bound_circuit(0))) - outputs(task, state(task.bound_circuit(0)))
    )
    assert change.max() <= 0.05
    with pytest.raises(CertificateError, match="another"):
        verify(ring(measured=("IIIZ", "ZYII")), result)


def test_another_given_task_is_noticed(tmp_path):
    result = prune(ring(), Proven(0.05), absorb=True, progress=False)
    other = ring(measured=("IIIZ", "ZYII"))
    with pytest.raises(CertificateError, match="task given"):
        verify(replace(result, given=other))
    forged = replace(result, given=other)
    records = result.certificate.records | qprune.results.absorbed.given_hash(other)
    with pytest.raises(CertificateViolation, match="outputs are those of the task given"):
        verify(replace(forged, certificate=replace(result.certificate, records=records)))


@pytest.mark.usefixtures("without_pages")
def test_the_command_absorbs(tmp_path, capsys):
    ring().save(tmp_path / "bundle")
    arguments = ["prune", str(tmp_path / "bundle"), "--proven", "0.05", "--absorb", "--form", "auto", "--tradeoff", "0"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "became part of what is measured" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "out"), "--json"]) == 0
    assert any("absorption" in check["claim"] for check in json.loads(capsys.readouterr().out)["checks"])


def test_couplings_are_checked():
    with pytest.raises(OptionError, match="couplings must be"):
        absorb(ring(), couplings="all")
