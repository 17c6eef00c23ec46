"""A fresh slice of the soak each time; and that it notices planted errors, resumes where it was cut and replays."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import SOAK_SEED
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator
from soak import adapter, checks, oracle, runner, summary
from soak.gate_kinds import KINDS as GATES
from soak.gate_kinds import build
from soak.requests import draw_request
from soak.run_case import KINDS, kind_of, run_case
from soak.shrink import failing_claim, shrunk
from soak.situation import Step, draw_situation

SECONDS = 4  # of the fresh slice

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_fresh_slice():
    """Other cases in every run; the seeds that fail are in the message."""
    first, ends, failed, done = int(os.environ[SOAK_SEED]), time.monotonic() + SECONDS, [], 0
    while time.monotonic() < ends:
        row = run_case(first + done, kind_of(first + done, tuple(KINDS)))
        failed += [row] if "claim" in row else []
        done += 1
    words = [f"python -m tests.soak --replay {row['seed']}: {row['kind']}: {row['message']}" for row in failed]
    assert not failed, f"{len(failed)} of {done} cases from {SOAK_SEED}={first} failed:\n" + "\n".join(words[:10])


# -- the oracle ----------------------------------------------------------------------------------------------------

PRODUCT_FORMULAS = ("Pauli evolution of a sum", "Pauli evolution, sparse")  # Qiskit's matrix is the exact exponential


@pytest.mark.parametrize("kind", [k for k in GATES if k.name not in PRODUCT_FORMULAS], ids=lambda k: k.name)
def test_matrices_are_those_of_qiskit(kind):
    """Gates controlled, bound and taken apart by the oracle, against Qiskit's own operators."""
    angles = tuple(0.3 + 0.4 * k for k in range(kind.angles))
    symbols = tuple(Parameter(f"a{k}") for k in range(kind.angles))
    for seed in range(3):
        operation = build(kind, seed, seed == 2, angles)
        found = oracle.matrix_of(operation, {})
        if kind.width:
            np.testing.assert_allclose(found, Operator(operation).data, atol=1e-12)
        np.testing.assert_allclose(found @ found.conj().T, np.eye(len(found)), atol=1e-12)
        if kind.symbolic and symbols:
            values = {p.name: angle for p, angle in zip(symbols, angles, strict=True)}
            np.testing.assert_allclose(
                oracle.matrix_of(build(kind, seed, seed == 2, symbols), values), found, atol=1e-12
            )


def test_states_are_those_of_qiskit():
    """The situation's own state, that of its circuit bound by Qiskit, and the oracle's run of the circuit."""
    for seed in range(40):
        situation = draw_situation(np.random.default_rng(seed), kinds=("rx", "u", "crx", "cx", "composite", "QFT"))
        circuit = situation.circuit()
        circuit.remove_final_measurements()
        values = situation.values(0)
        bound = circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})
        state = Operator(bound).data[:, 0]
        assert abs(np.vdot(state, situation.state(values))) == pytest.approx(1, abs=1e-9 if situation.huge else 1e-12)
        np.testing.assert_allclose(oracle.run(circuit, values), situation.state(values), atol=1e-12)


# -- it can fail ---------------------------------------------------------------------------------------------------


def moved(limit, seeds=range(200)):
    """The first situation whose outputs change by more than a little, pruned."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        situation = draw_situation(rng, most_qubits=2, most_gates=6, kinds=("rx", "ry", "cx", "rz", "crx", "h"))
        if situation.huge or situation.scale != 1 or checks.units_of(situation).max() > 10:
            continue
        if any(abs(c) > 10 or abs(c) < 1e-3 for terms in situation.observables or () for _, c in terms):
            continue
        request = replace(draw_request(rng, 1.0, limit), noise=None)
        outcome = adapter.prune(adapter.make_task(situation.task_arguments()), request)
        truth = checks.Truth(situation, outcome)
        if np.all(truth.deviations[:, list(outcome.samples)] > 1e-3):
            return situation, request, outcome
    raise AssertionError("no situation moves")


PLANTED = {
    "bound (T2)": lambda o: replace(o, bound=o.bound * 0 + 1e-6),
    "measured deviation, too large": lambda o: replace(o, measured=o.measured + 1e-8),
    "angle of the states (T2)": lambda o: replace(o, angle=o.angle * 0),
    "angle of a gate": lambda o: replace(o, replaced=tuple(replace(e, largest_angle=0.0) for e in o.replaced)),
    "q-overlap distance": lambda o: replace(
        o, replaced=tuple(replace(e, distance=e.distance + 0.1) for e in o.replaced)
    ),
    "exact simplification": lambda o: replace(o, simplified=o.circuit),
    "error of the expectation values": lambda o: replace(o, error=1e-3),
}


@pytest.mark.parametrize("claim", PLANTED)
def test_planted_errors_are_noticed(claim):
    """By the name of the claim."""
    situation, request, outcome = moved("threshold")
    checks.check_outcome(situation, request, outcome, np.random.default_rng(0))
    with pytest.raises(checks.Violation) as caught:
        checks.check_outcome(situation, request, PLANTED[claim](outcome), np.random.default_rng(0))
    assert caught.value.claim == claim


def test_a_broken_budget_is_noticed():
    for limit in ("proven", "measured"):
        situation, request, outcome = moved(limit)
        with pytest.raises(checks.Violation, match="budget"):
            checks.check_outcome(situation, replace(request, budget=1e-5), outcome, np.random.default_rng(0))


def test_a_gate_that_should_have_gone_is_noticed():
    """T1, completeness: what a smaller tolerance leaves is too much for a larger one."""
    situation, request, outcome = moved("threshold")
    wider = replace(request, tolerance=1.4, others={**request.others, "prune_encoding": True})
    with pytest.raises(checks.Violation, match="completeness"):
        checks.check_completeness(checks.Truth(situation, outcome), wider)


def test_shrinking_keeps_the_claim(monkeypatch):
    """A gate that fails whenever it is there is all that is left."""
    monkeypatch.setattr(adapter, "verify", lambda outcome: checks.require(not has_cx(outcome), "no cx", "there is"))
    situation, request, _ = moved("threshold")
    assert situation.num_qubits == 2
    situation = replace(situation, steps=tuple(step for step in situation.steps if step.kind != "cx"))
    assert failing_claim(situation, request) is None
    situation = replace(situation, steps=(*situation.steps, Step("cx", 1, False, (), (0, 1))))
    assert failing_claim(situation, request)[0] == "no cx"
    smaller, plainer = shrunk(situation, request, "no cx")
    assert ([step.kind for step in smaller.steps], plainer.others, smaller.extras) == (["cx"], {}, {})


def has_cx(outcome):
    return "cx" in adapter.original_of(outcome)[0].count_ops()


# -- rows ----------------------------------------------------------------------------------------------------------


def test_a_case_is_its_seed():
    """The same row twice, but for the time."""
    for seed in range(12):
        first, second = ({**run_case(seed, "bad argument"), "seconds": 0} for _ in range(2))
        assert first == second


def test_a_cut_run_goes_on(tmp_path):
    """Half a line is no row, nothing is run twice, and rows stay as they were."""
    kinds = ("bad argument",)
    runner.run(tmp_path, 12, kinds=kinds)
    path = tmp_path / runner.ROWS
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:-20], encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    runner.run(tmp_path, 20, kinds=kinds)
    rows = list(runner.read_rows(tmp_path))
    assert path.read_text(encoding="utf-8").startswith(before)
    assert sorted(row["seed"] for row in rows) == list(range(20))
    assert summary.counts_of(rows)["cases"] == 20


def test_failures_are_kept_and_replay(tmp_path, monkeypatch):
    def fails(rng, tally):
        tally.mode = "planted"
        checks.require(rng.random() < 0.5, "planted", "half of them")

    monkeypatch.setitem(KINDS, "bad argument", (1, fails))
    failed = runner.run(tmp_path, 20, kinds=("bad argument",))
    files = sorted((tmp_path / runner.FAILURES).glob("*.json"))
    assert 0 < failed == len(files) < 20
    for path in files:
        assert runner.replay(str(path), tuple(KINDS))["claim"] == json.loads(path.read_text())["claim"] == "planted"
    assert f"{failed}  planted" in summary.text(tmp_path)


@pytest.mark.soak
def test_two_processes_do_what_one_does(tmp_path):
    kinds = ("bad argument", "bad bundle")
    for jobs in (1, 2):
        runner.run(tmp_path / str(jobs), 12, jobs=jobs, kinds=kinds)
    alone, both = ({row["seed"]: row["kind"] for row in runner.read_rows(tmp_path / jobs)} for jobs in "12")
    assert alone == both


def test_the_table_goes_into_a_readme(tmp_path):
    runner.run(tmp_path, 5, kinds=("bad argument",))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{summary.BEGIN}\nold\n{summary.END}\nafter\n")
    summary.write_readme(tmp_path, readme)
    said = readme.read_text()
    assert said.startswith("before\n")
    assert said.endswith("after\n")
    assert "5 cases" in said
    assert "old" not in said
