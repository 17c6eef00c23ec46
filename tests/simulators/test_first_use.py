"""Aer is loaded where it is used: it gives Qiskit's circuits the methods that a first pass calls."""

import subprocess
import sys

from helpers import ROOT

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
