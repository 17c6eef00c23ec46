"""Aer is loaded where it is used: it gives Qiskit's circuits the methods that a first pass calls. What numba keeps
on disk is used as long as no compiled file is newer."""

import os
import subprocess
import sys
from time import time

from helpers import ROOT

from qprune.simulators.program import kernels
from qprune.simulators.tape import forget_older

CODE = """
import numpy as np
from qiskit import QuantumCircuit
import qprune
from qprune.simulators.aer_circuit import CircuitPass

circuit = QuantumCircuit(1)
assert not hasattr(circuit, "save_probabilities")
made = CircuitPass(qprune.Task(circuit, None), [0], np.array([0]), 1)
assert hasattr(made.circuit, "save_probabilities")
"""


def test_the_first_pass_of_a_process_finds_aers_methods():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_was_compiled_before_a_change_is_forgotten(tmp_path):
    source, later, old, new = (tmp_path / name for name in ("a.py", "b.py", "f-1.nbi", "f-2.nbi"))
    for path, seconds in ((source, 1_000), (later, time() + 1_000), (old, 999), (new, 1_001)):
        path.touch()
        os.utime(path, (seconds, seconds))
    forget_older(tmp_path, [later])  # a date that is still to come says nothing
    assert old.exists()
    forget_older(tmp_path, [source, later])
    assert sorted(tmp_path.iterdir()) == [source, later, new]


def test_every_compiled_file_counts():
    folder = ROOT / "qprune" / "simulators"
    written = {
        path.stem for path in folder.glob("*.py") if "@compiled" in path.read_text() or "@intrinsic" in path.read_text()
    }
    assert written <= set(kernels()._PARTS)
