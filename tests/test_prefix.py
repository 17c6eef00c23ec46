"""The forward pass against dense simulation: every gate that an input can enter, and every expectation."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from helpers import ARITY, CATALOGUE, INPUTS, STANDARD, deviation, outputs, state
from qiskit import QuantumCircuit

from qprune import Task, prune
from qprune.gates import sites_of
from qprune.prefix import final_outputs

PARAMETRISED = [name for name in CATALOGUE if ARITY[name][1]]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("companion", [False, True], ids=["alone", "beside another input"])
@pytest.mark.parametrize(("name", "place"), [(name, place) for name in PARAMETRISED for place in range(ARITY[name][1])])
def test_inputs_reach_every_parameter_of_every_gate(name, place, companion, samples):
    """Aer 0.17 ignores values bound at run time to controlled rotations and phases, without a word."""
    width, count = ARITY[name]
    circuit = QuantumCircuit(2)
    for q in range(2):
        circuit.ry(0.7 + q, q)
        circuit.rz(0.4 - q, q)
    if companion:
        circuit.rx(INPUTS[1], 0)
    circuit.append(STANDARD[name](*(INPUTS[0] / 2 if j == place else 0.3 + j for j in range(count))), range(width))
    circuit.rx(0.9, 0)
    circuit.ry(0.5, 1)
    inputs = np.array([[0.8, 0.1], [2.1, -0.7], [-1.3, 0.4]])[:samples, : 1 + companion]
    task = Task(circuit, ["ZI", "IX", "YZ"], inputs=inputs, input_params=INPUTS[: 1 + companion])
    means = final_outputs(task, sites_of(task), task.selected).means
    dense = np.array([outputs(task, state(task.bound_circuit(i))) for i in range(samples)]).T
    np.testing.assert_allclose(means, dense, atol=1e-12)


@pytest.mark.parametrize("name", ["crx", "cry", "crz", "cp", "cu1", "cu", "cu3"])
def test_bound_holds_behind_a_controlled_encoding(name):
    """With the encoding ignored, rz would seem to act on |0⟩ and go at no cost; its real effect is large."""
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.h(1)
    circuit.append(STANDARD[name](*([INPUTS[0]] * ARITY[name][1])), [0, 1])
    circuit.h(1)
    circuit.rz(1.5, 1)
    circuit.h(1)
    task = Task(circuit, "ZI", inputs=[1.2], input_params=[INPUTS[0]])
    result = prune(task, tolerance=0.05)
    real = deviation(task, state(task.bound_circuit(0)), state(result.task.bound_circuit(0)))[0]
    assert real <= result.certificate.bound[0][0] + 1e-10


def test_a_forked_worker_does_not_wait_for_a_thread_it_has_not_got():
    """Pass managers fork; Aer's one worker thread stays in the parent."""
    code = """
import multiprocessing, qprune
from qiskit import QuantumCircuit
circuit = QuantumCircuit(1)
circuit.ry(0.01, 0)
task = qprune.Task(circuit, "Z")
qprune.prune(task)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(len(pool.map(qprune.prune, [task] * 3)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "3"
