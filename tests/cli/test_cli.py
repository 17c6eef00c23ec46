"""The command: what it prints, what it writes, and its exit status."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers import CIRCUITS
from small_task import make

from qprune.cli.command import SUCCESS, UNUSABLE, VIOLATED, main
from qprune.report.store import FOR_PEOPLE

LIMIT = ["--proven", "0.5"]

pytestmark = pytest.mark.usefixtures("without_drawings")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A result as `qprune prune --out` writes it, beside the bundle that it comes from."""
    folder = tmp_path_factory.mktemp("cli")
    make().save(folder / "bundle")
    assert main(["prune", str(folder / "bundle"), *LIMIT, "--tradeoff", "2", "--out", str(folder / "out")]) == SUCCESS
    return folder / "out"


@pytest.fixture
def bundle(tmp_path):
    """A small task as a bundle."""
    make().save(tmp_path / "bundle")
    return str(tmp_path / "bundle")


def one_line_error(capsys):
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("qprune: ")
    return lines[0]


def test_prune_prints_the_table_with_bound_beside_measured(bundle, capsys):
    assert main(["prune", bundle, "--threshold", "0.05"]) == SUCCESS
    text = capsys.readouterr().out
    for word in ("original", "exact", "pruned", "gates", "two-qubit gates", "depth", "proven (T2)", "measured"):
        assert word in text


def test_prune_writes_everything_verify_and_people_need(saved):
    names = {path.name for path in saved.iterdir()}
    assert {"certificate.json", "report.txt", "report.html", "before.png", "after.png", "original", "pruned"} <= names
    assert main(["verify", str(saved)]) == SUCCESS


def test_show_lists_every_gate_that_went(saved, capsys):
    assert main(["show", str(saved)]) == SUCCESS
    short = capsys.readouterr().out
    assert "remove" in short
    assert main(["show", str(saved), "--all"]) == SUCCESS
    plan = json.loads((saved / "plan.json").read_text())["plan"]
    gone = sum(entry["action"] != "keep" for entry in plan)
    assert len(capsys.readouterr().out.splitlines()) - len(short.splitlines()) == len(plan) - gone


def test_pruned_bundle_can_be_pruned_again(saved):
    assert main(["prune", str(saved / "pruned"), "--proven", "0.05"]) == SUCCESS


def certified(folder):
    """What a saved certificate says, but for the hashes of pages and pictures."""
    certificate = json.loads((folder / "certificate.json").read_text())
    read_back = {name: digest for name, digest in certificate["files"].items() if name not in FOR_PEOPLE}
    return {name: entry for name, entry in certificate.items() if name != "sha256"} | {"files": read_back}


@pytest.mark.usefixtures("without_pages")
def test_existing_result_is_kept_unless_forced(saved, capsys):
    arguments = ["prune", str(saved.parent / "bundle"), *LIMIT, "--tradeoff", "2", "--out", str(saved)]
    before = certified(saved)
    capsys.readouterr()
    assert main(arguments) == UNUSABLE
    assert "--force" in one_line_error(capsys)
    assert main([*arguments, "--force"]) == SUCCESS
    assert certified(saved) == before


def test_a_claim_that_does_not_hold_exits_with_one(saved, tmp_path, capsys):

    folder = tmp_path / "tampered"
    shutil.copytree(saved, folder)
    certificate = json.loads((folder / "certificate.json").read_text())
    certificate["measured"][0][0] += 0.01
    (folder / "certificate.json").write_text(json.dumps(certificate))
    capsys.readouterr()
    assert main(["verify", str(folder)]) == VIOLATED
    assert "changed after it was written" in one_line_error(capsys)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prune", "no/such/folder"], "no task bundle"),
        (["verify", "no/such/folder"], "certificate.json"),
        (["show", "no/such/folder"], "certificate.json"),
        (["prune", "IRIS", "--threshold", "2"], "√2"),
        (["prune", "IRIS", "--proven", "-1"], "--proven must be"),
        (["prune", "IRIS", "--under-noise", "silence"], "silence"),
        (["prune", "IRIS", "--under-noise", "0.9"], "0.9"),
        (["prune", "IRIS", "--under-noise", "combined", "--noise", "0.9"], "leave --noise out"),
        (["prune", "IRIS", "--aggregate", "max", "--measured", "0.1"], "--aggregate goes with --threshold or --proven"),
        (["prune", "IRIS", "--simulator", "matrix_product_state", "--threads", "2"], "--threads goes with"),
        (["prune", "IRIS", "--measured", "0.1", "--refit-noise"], "--refit-noise goes with --under-noise"),
        (["prune", "IRIS", "--noise", "1.5"], "[0, 1]"),
        (["prune", "IRIS", "--noise", "no-such-model"], "noise_models/"),
        (["prune", "IRIS", "--noise", "combined", "--layout", "0,0,1,2"], "once"),
        (["prune", "IRIS", "--noise", "0.9", "--layout", "0,1,2,3"], "layout"),
        (["prune", "IRIS", "--beta", "2"], "--noise"),
        (["prune", "IRIS", "--costs", "{cx}"], "JSON object"),
        (["prune", "IRIS", "--refit", "--proven", "0.1"], "--refit goes with --measured"),
        (["prune", "IRIS", "--holdout", "1.5"], "holdout"),
        (["prune", "IRIS", "--out", "/dev/null/x"], "/dev/null"),
    ],
)
def test_unusable_input_exits_with_two_and_one_line(arguments, words, capsys):
    assert main([a.replace("IRIS", str(CIRCUITS / "iris-4q")) for a in arguments]) == UNUSABLE
    assert words in one_line_error(capsys)


def test_damaged_certificate_is_named(saved, tmp_path, capsys):

    folder = tmp_path / "damaged"
    shutil.copytree(saved, folder)
    text = (folder / "certificate.json").read_text()
    (folder / "certificate.json").write_text(text[: len(text) // 2])
    capsys.readouterr()
    assert main(["verify", str(folder)]) in (VIOLATED, UNUSABLE)
    assert "certificate" in one_line_error(capsys)


def test_a_missing_circuit_is_named(saved, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    (copy / "pruned" / "circuit.json").unlink()
    assert main(["verify", str(copy)]) == UNUSABLE
    assert one_line_error(capsys).endswith("pruned has no circuit.json, circuit.qpy or circuit.qasm")


@pytest.mark.parametrize(
    "noise",
    [
        "FakeManilaV2",
        "combined",
        # `calibrate` takes it in tests/noise; the command only hands it on, as it does a name
        pytest.param(str(CIRCUITS.parent / "noise_models" / "combined.json"), marks=pytest.mark.soak),
    ],
)
def test_noise_by_name_file_and_device(noise, bundle, tmp_path, capsys):
    out = str(tmp_path / "out")
    options = ["--layout", "3,4", "--gamma", "0.5"] if noise.startswith("Fake") else []
    curve = "2" if options else "0"
    assert main(["prune", bundle, "--noise", noise, *options, "--tradeoff", curve, "--out", out]) == SUCCESS
    assert "noise infidelity saved" in capsys.readouterr().out
    record = json.loads((Path(out) / "certificate.json").read_text())["noise"]
    assert record["source"] == Path(noise).stem
    assert record["layout"] == ([3, 4] if options else [0, 1])
    assert "noise infidelity saved" in (Path(out) / "report.html").read_text()
    assert main(["verify", out]) == SUCCESS


@pytest.mark.usefixtures("without_pages")
def test_budget_from_noise(bundle, tmp_path, capsys):
    out = str(tmp_path / "out")
    options = ["--under-noise", "FakeManilaV2"]
    assert main(["prune", bundle, *options, "--tradeoff", "0", "--out", out]) == SUCCESS
    assert "on the device, predicted without coherent errors" in capsys.readouterr().out
    certificate = json.loads((Path(out) / "certificate.json").read_text())
    assert certificate["options"]["limit"]["budget"] in [budget for budget, _ in certificate["noise"]["tried"]]
    assert main(["verify", out]) == SUCCESS


@pytest.mark.usefixtures("without_pages")
def test_frontier_writes_one_result_per_size(bundle, tmp_path, capsys):
    out = tmp_path / "front"
    assert main(["frontier", bundle, "--no-refit", "--budgets", "0.01", "1.5", "--out", str(out)]) == SUCCESS
    text = capsys.readouterr().out
    assert "two-qubit gates" in text
    assert (out / "frontier.png").stat().st_size > 1000
    assert "frontier.html" in text
    assert main(["verify", str(out / "00")]) == SUCCESS
    assert (out / "01").is_dir()
    assert main(["frontier", bundle, "--no-refit", "--budgets", "0", "--out", str(out), "--force"]) == SUCCESS
    assert "and 1 results" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        "00",
        "frontier.png",
        "frontier.html",
    }  # nothing of the front before


def test_installed_command_shows_no_progress_bar_off_a_terminal():
    command = Path(sys.executable).parent / "qprune"
    done = subprocess.run(
        [command, "prune", CIRCUITS / "reupload-2q"], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "proven (T2)" in done.stdout


@pytest.mark.usefixtures("without_pages")
def test_workers_share_the_samples_and_change_nothing(saved, tmp_path, capsys, monkeypatch):
    started = []
    monkeypatch.setattr("qprune.simulators.simulator.SHARD_WORK", 1)
    monkeypatch.setattr(
        "qprune.cli.command.ProcessPoolExecutor", lambda n, **_: started.append(n) or ThreadPoolExecutor(n)
    )
    out, bundle = tmp_path / "out", str(saved.parent / "bundle")
    assert main(["prune", bundle, *LIMIT, "--workers", "2", "--tradeoff", "0", "--out", str(out)]) == SUCCESS
    assert started == [2]
    assert certified(out) == certified(saved)
    assert main(["prune", bundle, "--workers", "0"]) == UNUSABLE
    assert "--workers must be an integer" in one_line_error(capsys)
