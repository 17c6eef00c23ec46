"""The command from its first moment: Ctrl-C while libraries are loaded ends it in one line."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from helpers import ROOT

import qprune
import qprune_command

# Ctrl-C arrives when Qiskit is looked for, which is the first that the package imports.
INTERRUPTED = """
import signal, sys
import qprune_command

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "qiskit":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, {handler})
sys.argv = ["qprune", "--help"]
sys.exit(qprune_command.main())
"""


def run(handler):
    command = [sys.executable, "-W", "ignore", "-c", INTERRUPTED.format(handler=handler)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_an_interrupt_while_libraries_load_is_one_line():
    done = run("signal.default_int_handler")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "qprune: interrupted; nothing was finished\n"


def test_interrupts_that_a_shell_ignores_stay_ignored():
    done = run("signal.SIG_IGN")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: qprune ")


def test_the_version_is_said_without_loading_anything(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["qprune", "--version"])
    monkeypatch.setattr("qprune.cli.main", None)
    assert qprune_command.main() == 0
    assert capsys.readouterr().out == f"qprune {qprune.__version__}\n"


def test_the_package_is_run_as_the_command():
    command = [sys.executable, "-W", "ignore", "-m", "qprune", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"qprune {qprune.__version__}\n"), done.stderr


def test_the_handler_is_put_back_and_the_status_is_the_commands(monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("qprune.cli.main", lambda: 7)
    assert qprune_command.main() == 7
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("arguments", [["prune", "--nonsense"], []])
def test_reading_the_arguments_is_interrupted_in_one_line(arguments, monkeypatch, capsys):
    monkeypatch.setattr("argparse.ArgumentParser.parse_args", lambda *a: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        from qprune.cli import main

        assert main(arguments) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "qprune: interrupted; nothing was finished\n"
