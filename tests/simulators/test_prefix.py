"""The forward pass against dense simulation: every gate that an input can enter, and every expectation."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from helpers import ARITY, CATALOGUE, INPUTS, STANDARD, deviation, expectations, outputs, state, walk
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qprune import Task, Threshold, prune
from qprune.gates.sites import sites_of
from qprune.simulators.choices import Statevector as Simulator
from qprune.simulators.choices import final_outputs

PARAMETRISED = [name for name in CATALOGUE if ARITY[name][1]]


@pytest.mark.thinned(2)
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
    result = prune(task, Threshold(0.05))
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
limit = qprune.Threshold(0.05, window=0)  # so that nothing is compiled
qprune.prune(task, limit)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(len(pool.starmap(qprune.prune, [(task, limit)] * 3)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "3"


def test_every_expectation_is_that_of_the_dense_prefix():
    """Saved on the way, in sites of every kind, for inputs in a batch; words shared where nothing changed them."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.u(0.4 + q, INPUTS[0], 0.2, q)
    circuit.crx(INPUTS[1], 0, 2)
    circuit.rzz(0.4, 2, 1)
    circuit.unitary(random_unitary(8, seed=1), [2, 0, 1])
    circuit.cp(INPUTS[0], 1, 0)
    circuit.iswap(2, 0)
    inputs = np.array([[0.8, 0.1], [2.1, -0.7], [-1.3, 0.4]])
    task = Task(circuit, ["ZII", SparsePauliOp(["XYZ", "ZZI", "III"], [0.3, -0.7, 2.0])], inputs=inputs,
                input_params=INPUTS)  # fmt: skip
    sites = sites_of(task)
    words = [tuple((q, p) for q, p in enumerate(w) if p != "I") for w in product("IXYZ", repeat=3)][1::5]
    prefix = Simulator().run(task, sites, [words] * len(sites), task.selected)
    assert prefix.values.shape[0] == prefix.num_expectations <= len(words) * len(sites)
    for i in range(task.num_samples):
        for k, step in enumerate(walk(task, circuit, i)):
            before = QuantumCircuit(3)
            for item in task.bound_circuit(i).data[:k]:
                before.append(item)
            rho = np.outer(state(before), state(before).conj())
            for word in words:
                dense = expectations(rho, range(3))(word)[0]
                assert prefix.expectation(k, word)[i] == pytest.approx(dense, abs=1e-13), (step.name, word)
        for r, observable in enumerate(task.observables):
            vector, matrix = state(task.bound_circuit(i)), observable.to_matrix()
            mean = np.vdot(vector, matrix @ vector).real
            spread = np.sqrt(max(np.vdot(vector, matrix @ matrix @ vector).real - mean**2, 0))
            assert prefix.outputs.means[r, i] == pytest.approx(mean, abs=1e-13)
            assert prefix.outputs.deviations[r, i] == pytest.approx(spread, abs=1e-7)


def test_a_distribution_has_the_measured_qubits_in_order():
    """Outcome bit j from measured qubit j, per sample."""
    circuit = QuantumCircuit(3, 2)
    for q in range(3):
        circuit.ry(INPUTS[0] + q, q)
    circuit.measure([2, 0], [0, 1])
    task = Task(circuit, inputs=[0.3, 1.1], input_params=[INPUTS[0]])
    found = final_outputs(task, sites_of(task), task.selected).distribution
    for i in range(2):
        np.testing.assert_allclose(found[i], outputs(task, state(task.bound_circuit(i))), atol=1e-13)
