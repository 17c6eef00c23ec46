"""`qprune.testing`: assertions that fail where they should and show the worst input, strategies, pytest's option."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import ROOT, examples
from hypothesis import HealthCheck, given, settings
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

import qprune
from qprune import Domain, Everywhere, Measured, OptionError, Task, prune
from qprune.testing import assert_holds, assert_within, inputs, tasks

x, y = Parameter("size"), Parameter("colour")


def planted(samples, observables="Z"):
    """⟨Z⟩ = cos(0.2)·cos(size): a removal of the last gate changes it by (1 − cos 0.2)·|cos(size)|."""
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    circuit.rx(0.2, 0)
    return Task(circuit, observables, inputs=np.array(samples)[:, None], input_params=[x], domain=Domain.box(-2, 2))


@pytest.fixture(scope="module")
def result():
    made = prune(planted([1.5, 1.3, 1.4]), Measured(0.02))
    assert made.circuit.size() == 1
    return made


def test_what_holds_passes(result):
    assert_holds(result)
    assert_within(result, 0.02)
    assert_within(result, (1 - np.cos(0.2)) * 1.03, everywhere=True)  # within the gap of the search


def test_the_worst_sample_is_shown(result):
    change = (1 - np.cos(0.2)) * np.cos(1.3)
    with pytest.raises(AssertionError) as caught:
        assert_within(result, 0.9 * change)
    text = str(caught.value)
    assert f"changes by {change:.6g}" in text
    assert "worst sample: 1, size = 1.3" in text
    assert f"output Z: {np.cos(0.2) * np.cos(1.3):.6g} before, {np.cos(1.3):.6g} after" in text


def test_between_the_samples_the_worst_input_is_shown(result):
    most = 1 - np.cos(0.2)  # at size = 0, which no sample is near
    with pytest.raises(AssertionError) as caught:
        assert_within(result, 0.02 - 1e-3, everywhere=True)
    text = str(caught.value)
    assert "for an input of Domain.box(low=(-2.0,), high=(2.0,))" in text
    assert "worst input: size = " in text
    at = float(text.partition("size = ")[2].split()[0])
    assert abs(most * np.cos(at) - most) < 0.02 * most
    assert "before" in text
    shown = qprune.everywhere(result, gap=0.5).certificate.every_input
    between = (shown.lower + shown.upper) / 2
    if shown.lower < between:  # nothing between them is claimed either way
        with pytest.raises(AssertionError, match="it is proven only"):
            assert_within(qprune.everywhere(result, gap=0.5), between, everywhere=True)


def test_a_claim_that_is_false_fails_with_the_worst_sample(result, tmp_path):
    folder = tmp_path / "result"
    qprune.save(result, folder, drawings=False)
    assert_holds(folder)
    assert_holds(str(folder))
    less = tuple(tuple(value / 2 for value in row) for row in result.certificate.measured)
    forged = replace(result, certificate=replace(result.certificate, measured=less))
    with pytest.raises(AssertionError, match=r"(?s)does not hold.*worst sample: 1, size = 1.3"):
        assert_holds(forged)
    (folder / "plan.json").write_text("{}")
    with pytest.raises(AssertionError, match=r"plan\.json"):
        assert_holds(folder)


def test_what_is_no_result_is_refused(result):
    for given_ in (None, 3, planted([1.0])):
        with pytest.raises(OptionError, match="result must be"):
            assert_holds(given_)
    with pytest.raises(OptionError, match="budget must be"):
        assert_within(result, -1)


def test_a_task_without_inputs_has_nothing_between_its_samples():
    circuit = QuantumCircuit(1)
    circuit.ry(0.01, 0)
    assert_within(prune(Task(circuit, "Z"), Measured(0.01)), 0.01, everywhere=True)


# -- strategies -------------------------------------------------------------------------------------------------------


def two_inputs(domain):
    circuit = QuantumCircuit(1)
    circuit.ry(x, 0)
    circuit.rx(y, 0)
    rows = np.random.default_rng(0).normal(size=(20, 2))
    return Task(circuit, "Z", inputs=rows, input_params=[x, y], domain=domain)


@pytest.mark.parametrize(
    "domain", [Domain.data(), Domain.box(0, 1), Domain.ellipsoid(0.8), Domain.around(0.1)], ids=str
)
def test_inputs_lie_in_the_domain(domain):
    task, seen = two_inputs(domain), []

    @settings(max_examples=40, database=None, derandomize=True)
    @given(inputs(task))
    def drawn(point):
        seen.append(point)

    drawn()
    points = np.array(seen)
    assert points.shape[1] == 2
    assert len(np.unique(points, axis=0)) > 5
    rows = task.inputs
    if domain.kind == "box":
        assert np.all((points >= 0) & (points <= 1))
    elif domain.kind == "around":
        assert np.all(np.abs(points[:, None] - rows[None]).max(axis=2).min(axis=1) <= 0.1 + 1e-12)
    else:
        assert np.all((points >= rows.min(axis=0)) & (points <= rows.max(axis=0)))
    if domain.kind == "ellipsoid":
        away = rows - rows.mean(axis=0)
        form = np.linalg.inv(away.T @ away / len(rows))
        reach = np.sort(np.einsum("ij,jk,ik->i", away, form, away))[15]
        centred = points - rows.mean(axis=0)
        assert np.all(np.einsum("ij,jk,ik->i", centred, form, centred) <= reach * (1 + 1e-6))


@settings(
    max_examples=examples(30), database=None, derandomize=True, suppress_health_check=list(HealthCheck), deadline=None
)
@given(tasks(max_qubits=2, max_gates=6))
def test_tasks_are_pruned_within_their_budget(task):
    """Dense states of both circuits."""
    small = prune(task, Measured(0.1)).task
    for i in range(task.num_samples):
        before, after = (Statevector(t.bound_circuit(i)) for t in (task, small))
        for observable in task.observables:
            change = before.expectation_value(observable) - after.expectation_value(observable)
            assert abs(change) <= 0.1 + 1e-9


# -- pytest and the documentation --------------------------------------------------------------------------------------


def test_pytest_verifies_every_saved_result_under_a_folder(result, pytester):
    saved = pytester.path / "saved"
    qprune.save(result, saved / "first", drawings=False)
    shutil.copytree(saved / "first", saved / "deep" / "second")
    certificate = json.loads((saved / "deep" / "second" / "certificate.json").read_text())
    certificate["measured"][0][0] = 0.0
    (saved / "deep" / "second" / "certificate.json").write_text(json.dumps(certificate))

    def run(*options):
        return pytester.runpytest_inprocess("-p", "pytest_qprune", "-p", "no:xdist", *options)

    done = run("--qprune-results", "saved")
    done.assert_outcomes(failed=1, passed=1)
    text = done.stdout.str()
    assert "qprune::saved/deep/second" in text
    assert "changed after it was written" in text
    assert "Traceback" not in text
    shutil.rmtree(saved / "deep")
    pytester.makeini("[pytest]\nqprune_results = saved\n")
    run().assert_outcomes(passed=1)
    assert "there is no folder" in run("--qprune-results", "nowhere").stderr.str()


def test_the_plugin_alone_loads_nothing_of_the_package():
    """pytest imports it wherever qprune is installed."""
    code = "import sys, pytest_qprune; print('qprune' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_proven_budget_holds_for_drawn_inputs():
    """What the guide's test file does: what is proven holds for whatever is drawn."""
    task = planted([1.5, 1.3]).with_domain(Domain.box(-4, 4))
    small, worst = prune(task, Everywhere(0.05)).task, []
    assert small.circuit.size() == 1

    @settings(max_examples=40, database=None, derandomize=True, deadline=None)
    @given(inputs(task))
    def attempt(point):
        states = [Statevector(t.with_inputs([point]).bound_circuit(0)) for t in (task, small)]
        before, after = (state.expectation_value(task.observables[0]).real for state in states)
        worst.append(abs(after - before))

    attempt()
    assert 0.01 < max(worst) <= 0.05


def test_what_the_documentation_shows_runs(result, pytester):
    """Its test file as it stands, and every command of its CI but for what installs."""
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    pytester.makepyfile(test_documented=re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    settings.register_profile("some", max_examples=examples(100))
    try:
        done = pytester.runpytest_inprocess("-p", "no:xdist", "--hypothesis-profile=some")
    finally:
        settings.load_profile("default")
    done.assert_outcomes(passed=3)
    qprune.save(result, pytester.path / "results" / "mine", drawings=False)
    commands = re.findall(r"(?:- run: |^)(pytest --.*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in set(commands):
        done = pytester.runpytest_inprocess("-p", "pytest_qprune", "-p", "no:xdist", *command.split()[1:], "results")
        done.assert_outcomes(passed=1)
    with pytest.raises(AssertionError) as caught:
        assert_within(result, 0.019, everywhere=True)
    number = re.compile(r"-?\d[\d.]*(e-?\d+)?")
    for line in str(caught.value).splitlines():
        assert number.sub("0", line) in number.sub("0", text)
