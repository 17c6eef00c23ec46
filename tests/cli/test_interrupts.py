"""Ctrl-C and --time-limit: one line, exit status 130, and what is finished is kept; a front goes on where it was."""

from __future__ import annotations

import json
import signal
from importlib import import_module

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

import qprune
from qprune.cli import main
from qprune.cli.command import STOPPED, SUCCESS
from qprune.limits import frontier as fronts
from qprune.limits.progress import INTERRUPTED, OUT_OF_TIME, Watch

store = import_module("qprune.report.store")  # `qprune.report` is a function


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(4)
    circuit, x = QuantumCircuit(2), ParameterVector("x", 2)
    w = ParameterVector("w", 6)
    circuit.ry(x[0], 0)
    circuit.ry(x[1], 1)
    for layer in range(3):
        circuit.ry(w[2 * layer], 0)
        circuit.rz(w[2 * layer + 1], 1)
        circuit.cx(0, 1)
    weights = [0.01, 0.3, 0.02, -0.01, 0.2, 0.4]
    inputs = rng.normal(size=(4, 2))
    return qprune.Task(circuit, "ZI", inputs=inputs, input_params=[*x], weight_params=[*w], weights=weights)


@pytest.fixture(scope="module")
def bundle(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "small"
    task.save(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def signals_arrive():
    """A shell starts what runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    for name in ("save_drawings", "report", "plot", "save_figure"):
        monkeypatch.setattr(store, name, lambda *a, **o: None)


def interrupted_at(monkeypatch, count):
    """A real signal at the so-manieth circuit that a search finds."""
    left, real = [None] * count, Watch.look

    def look(self, circuit):
        real(self, circuit)
        left.pop()
        if not left:
            monkeypatch.setattr(Watch, "look", real)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Watch, "look", look)


def one_line(capsys):
    found = capsys.readouterr()
    assert len(found.err.splitlines()) == 1, found.err
    assert found.err.startswith("qprune: interrupted; ")
    return found.out


@pytest.mark.parametrize("more", [[], ["--refit"]])
def test_the_best_so_far_is_saved_and_verifies(more, tmp_path, monkeypatch, capsys, bundle):
    out = tmp_path / "out"
    interrupted_at(monkeypatch, 2)
    assert main(["prune", bundle, "--measured", "0.3", *more, "--tradeoff", "2", "--out", str(out)]) == STOPPED
    assert "written to" in one_line(capsys)
    assert json.loads((out / "certificate.json").read_text())["options"]["cut_short"] == INTERRUPTED
    assert main(["verify", str(out)]) == SUCCESS


def test_an_interrupt_in_the_curve_keeps_the_result(tmp_path, monkeypatch, capsys, bundle):
    out, real = tmp_path / "out", qprune.prune

    def prune(*arguments, **options):
        monkeypatch.setattr("qprune.limits.tradeoff.prune", lambda *a, **o: signal.raise_signal(signal.SIGINT))
        return real(*arguments, **options)

    monkeypatch.setattr("qprune.limits.tradeoff.prune", prune)
    assert main(["prune", bundle, "--proven", "0.05", "--tradeoff", "5", "--out", str(out)]) == STOPPED
    one_line(capsys)
    assert "cut_short" not in json.loads((out / "certificate.json").read_text())["options"]


def test_nothing_finished_leaves_nothing(tmp_path, monkeypatch, capsys, bundle):
    monkeypatch.setattr("qprune.limits.pruning.prepare", lambda *a, **o: signal.raise_signal(signal.SIGINT))
    assert main(["prune", bundle, "--out", str(tmp_path / "out")]) == STOPPED
    assert one_line(capsys) == ""
    assert list(tmp_path.iterdir()) == []


def test_time_is_up(tmp_path, capsys, bundle):
    out = tmp_path / "out"
    asked = ["--measured", "0.3", "--time-limit", "1e-9", "--tradeoff", "2"]
    assert main(["prune", bundle, *asked, "--out", str(out)]) == SUCCESS
    assert json.loads((out / "certificate.json").read_text())["options"]["cut_short"] == OUT_OF_TIME
    assert capsys.readouterr().err == ""


def test_a_front_goes_on_where_it_was(tmp_path, monkeypatch, capsys, bundle):
    """Points found before are neither searched again nor other than in one go."""
    searched, real = [], fronts.measured

    def measured(prepared, budget, *more):
        searched.append(budget)
        if budget == 0.05 and len(searched) < 4:
            signal.raise_signal(signal.SIGINT)
        return real(prepared, budget, *more)

    monkeypatch.setattr(fronts, "measured", measured)
    budgets = ["--no-refit", "--budgets", "0.001", "0.01", "0.05"]
    whole, out = str(tmp_path / "whole"), tmp_path / "front"
    assert main(["frontier", bundle, *budgets, "--out", str(out)]) == STOPPED
    assert "goes on from there" in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["front.part"]
    assert [path.name for path in sorted((tmp_path / "front.part").iterdir())] == ["00", "01", "02"]
    assert main(["verify", str(tmp_path / "front.part" / "02")]) == SUCCESS

    assert main(["frontier", bundle, *budgets, "--out", str(out)]) == SUCCESS
    assert searched == [0.001, 0.01, 0.05, 0.05]
    assert not (tmp_path / "front.part").exists()
    assert main(["frontier", bundle, *budgets, "--out", whole]) == SUCCESS
    here, there = (sorted((tmp_path / name).glob("*/certificate.json")) for name in ("front", "whole"))
    assert [path.read_text() for path in here] == [path.read_text() for path in there]


def test_a_front_with_other_settings_takes_no_old_point(task):
    first = qprune.frontier(task, budgets=[0.05], refit=False)
    found = []
    qprune.frontier(task, budgets=[0.05], refit=False, known=first, found=found.append)
    assert found == []
    other = task.with_weights(task.weights + 0.01)
    for given, settings in ((other, {}), (task, {"seed": 1}), (task, {"prune_encoding": True})):
        qprune.frontier(given, budgets=[0.05], refit=False, known=first, found=found.append, **settings)
    assert len(found) == 6


def test_a_damaged_point_is_searched_again(tmp_path, capsys, bundle):
    part = tmp_path / "front.part"
    budgets = ["--no-refit", "--budgets", "0.05"]
    task = qprune.Task.load(bundle)
    for k, result in enumerate(qprune.frontier(task, budgets=[0.05], refit=False)):
        qprune.save(result, part / f"{k:02d}", drawings=False)
    (part / "00" / "plan.json").write_text("{")
    assert main(["frontier", bundle, *budgets, "--out", str(tmp_path / "front")]) == SUCCESS
    (tmp_path / "other.part").mkdir()
    (tmp_path / "other.part" / "mine.txt").write_text("of the user")
    assert main(["frontier", bundle, *budgets, "--out", str(tmp_path / "other")]) == 2
    assert "something else" in capsys.readouterr().err
    assert (tmp_path / "other.part" / "mine.txt").exists()
