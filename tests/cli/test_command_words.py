"""The command in its own terms: flags in errors, places in OpenQASM files, JSON, a bundle to begin with, completion."""

from __future__ import annotations

import json
import re
import sys
import warnings
from argparse import Namespace

import pytest
from helpers import CIRCUITS

import qprune
from qprune import BundleError, Task
from qprune.cli.command import SUCCESS, UNUSABLE, VIOLATED, main
from qprune.cli.setup import shown
from qprune.cli.words import in_flags
from qprune.task.qasm_file import read_qasm

pytestmark = pytest.mark.usefixtures("without_pages")

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'
HEAD_2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\n'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "mine"
    assert main(["new", str(folder)]) == SUCCESS
    return str(folder)


def last_error(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--proven", "-1"], "qprune: --proven must be a finite number"),
        (["--measured", "-1"], "qprune: --measured must be"),
        (["--everywhere", "nan"], "qprune: --everywhere must be"),
        (["--threshold", "3"], "qprune: --threshold must be a number in [0, √2]"),
        (["--accuracy", "7"], "qprune: --accuracy must be"),
        (["--measured", "0.1", "--seed", "-1"], "qprune: --seed must be"),
        (["--measured", "0.1", "--holdout", "1"], "qprune: --holdout must be"),
        (["--measured", "0.1", "--time-limit", "0"], "qprune: --time-limit must be"),
        (["--measured", "0.1", "--tolerance", "0.2"], "--tolerance goes with --proven"),
    ],
)
def test_errors_name_flags(bundle, arguments, words, capsys):
    assert main(["prune", bundle, *arguments]) == UNUSABLE
    said = last_error(capsys)
    assert words in said
    assert not re.search(r"=True|\w\(0", said)


def test_reference_networks_go_by_their_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["suggest", "planted-5q"]) == SUCCESS
    said = capsys.readouterr().out
    assert "budget" in said
    assert said.splitlines()[-1].strip().startswith("qprune prune planted-5q --everywhere")
    assert main(["suggest", "planted5q"]) == UNUSABLE
    assert "no task bundle at planted5q" in (said := last_error(capsys))
    assert "did you mean planted-5q?" in said
    (tmp_path / "planted-5q").mkdir()  # a folder comes first
    assert main(["suggest", "planted-5q"]) == UNUSABLE
    assert "planted-5q/task.json" in last_error(capsys)


def test_of_a_folder_of_results_one_is_named(bundle, tmp_path, capsys):
    front = tmp_path / "front"
    assert main(["prune", bundle, "--measured", "0.1", "--out", str(front / "00"), "--tradeoff", "0"]) == SUCCESS
    capsys.readouterr()
    for command in ("verify", "show"):
        assert main([command, str(front)]) == UNUSABLE
        assert f"give one of the results in it, such as {front / '00'}" in last_error(capsys)


@pytest.mark.parametrize(
    ("limit", "way_out"), [("--everywhere", "use --measured"), ("--accuracy", "or use --measured")]
)
def test_ways_out_are_flags_too(limit, way_out, capsys):
    assert main(["prune", str(CIRCUITS / "h2-vqe-4q"), limit, "0.1"]) == UNUSABLE
    said = last_error(capsys)
    assert way_out in said
    assert "labels=" not in said


def test_a_warning_is_a_line_without_a_place_in_the_code(bundle, monkeypatch, capsys):
    def suggest(task):
        warnings.warn("look here", qprune.QpruneWarning)
        warnings.warn("of another library", UserWarning)
        return qprune.Suggestion(0.1, "because")

    monkeypatch.setattr("qprune.cli.command.suggest", suggest)
    before = warnings.formatwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *told: sys.stderr.write(warnings.formatwarning(*told[:4]))  # pytest records them
        assert main(["suggest", bundle]) == SUCCESS
    said = capsys.readouterr().err
    assert "qprune: warning: look here\n" in said
    assert "UserWarning: of another library" in said
    assert warnings.formatwarning is before


def test_python_becomes_flags():
    told = in_flags("limit must be one: Measured(0.05, refit=True), or Everywhere(0.05), resynthesis=True", Namespace())
    assert told == "limit must be one: --measured 0.05 --refit, or --everywhere 0.05, --resynthesis"
    assert in_flags("use UnderNoise(…, shots=1000)", Namespace()) == "use --under-noise --shots 1000"
    assert in_flags("budget must be ≥ 0", Namespace(limit_proven=1.0)) == "--proven must be ≥ 0"


# -- OpenQASM ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD + "ry(0.3 q[0];\n", "line 4, column 8"),
        (HEAD + "x q[0];\nfoo(0.3) q[0];\n", "line 5, column 1: gate 'foo' is not defined"),
        (
            '// a comment\nOPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nry(0.3 q[0];\n',
            r"line 5, column 8: needed '\)'",
        ),
        ("\n \n", "it is empty"),
    ],
)
def test_places_in_files_are_named(text, place, tmp_path, capsys):
    path = tmp_path / "circuit.qasm"
    path.write_text(text)
    with pytest.raises(BundleError, match=place):
        read_qasm(path)
    assert capsys.readouterr().err == ""  # nothing beside the error


def test_openqasm_2_is_read(tmp_path, bundle):
    path = tmp_path / "circuit.qasm"
    path.write_text(HEAD_2 + "ry(0.3) q[0];\nrzz(0.01) q[0],q[1];\nsx q[1];\n")
    about = {"format": "qprune-task/1", "observables": [[["XZ", 1.0]]]}
    about |= {"input_params": [], "weight_params": [], "weights": []}
    (tmp_path / "task.json").write_text(json.dumps(about))
    assert dict(Task.load(tmp_path).circuit.count_ops()) == {"ry": 1, "rzz": 1, "sx": 1}
    assert main(["prune", str(tmp_path), "--measured", "0.1"]) == SUCCESS


# -- JSON, new, doctor, completion ------------------------------------------------------------------------------------


def test_json_says_what_the_result_says(bundle, tmp_path, capsys):
    capsys.readouterr()
    out = tmp_path / "out"
    assert main(["prune", bundle, "--measured", "0.05", "--tradeoff", "0", "--out", str(out), "--json"]) == SUCCESS
    told = json.loads(capsys.readouterr().out)
    result = qprune.load(out)
    assert told["gates"] == [result.flat.size(), result.simplified.size(), result.circuit.size()]
    assert told["gates"][2] < told["gates"][1] < told["gates"][0]  # the bundle to fill in shows both kinds of removal
    assert told["measured"] == result.certificate.largest_measured
    assert told["accuracy"] == list(result.accuracy)
    assert main(["show", str(out), "--json"]) == SUCCESS
    assert len(json.loads(capsys.readouterr().out)["plan"]) == len(result.plan)
    assert main(["verify", str(out), "--json"]) == SUCCESS
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is True
    assert len(told["checks"]) == len(qprune.verify(result).checks)
    certificate = json.loads((out / "certificate.json").read_text())
    certificate["measured"][0][0] += 0.1
    (out / "certificate.json").write_text(json.dumps(certificate))
    assert main(["verify", str(out), "--json"]) == VIOLATED
    assert json.loads(capsys.readouterr().out)["holds"] is False
    assert main(["frontier", bundle, "--no-refit", "--budgets", "0.1", "--json"]) == SUCCESS
    assert len(json.loads(capsys.readouterr().out)["results"]) >= 1


def test_a_new_bundle_is_kept_unless_forced(bundle, capsys):
    capsys.readouterr()
    assert main(["new", bundle]) == UNUSABLE
    said = last_error(capsys)
    assert "--force to replace it" in said
    assert "overwrite" not in said
    assert main(["new", bundle, "--force"]) == SUCCESS
    assert f"qprune prune {bundle}" in capsys.readouterr().out
    assert set(Task.load(bundle).labels) == {-1, 1}


def test_the_doctor_names_versions_and_tests_itself(bundle, monkeypatch, capsys):
    monkeypatch.setattr("qprune.cli.setup.load_network", lambda name: Task.load(bundle))  # smaller
    assert main(["doctor", "--json"]) == SUCCESS
    told = json.loads(capsys.readouterr().out)
    assert told["qprune"] == qprune.__version__
    assert "and verified" in told["self-test"]
    text = "\n".join(shown(told))
    assert "self-test" in text
    assert f"qprune      {qprune.__version__}" in text


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_every_command(shell, capsys):
    with pytest.raises(SystemExit) as left:
        main(["--print-completion", shell])
    assert left.value.code in (0, None)
    script = capsys.readouterr().out
    for word in ("prune", "verify", "certify", "doctor", "--everywhere", "--under-noise"):
        assert word in script
    assert {"bash": "_shtab_compgen_dirs", "zsh": "_files -/"}[shell] in script  # bundles and results are folders
