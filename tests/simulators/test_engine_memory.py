"""What the compiled engine holds: against the resident memory of a process, and against a run that keeps all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import random_unitary

from benchmarks.records import ROOT, can_measure_memory
from qprune import Measured, OptionError, Task, TaskError, prune
from qprune.gates.sites import sites_of
from qprune.simulators import engine, program
from qprune.simulators.engine import Network, check_engine_memory

MEASURED = """
import sys
sys.path[:0] = {folders!r}
from benchmarks.records import peak_memory
from test_engine_memory import chain
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network

def run(task):
    network = Network(task, sites_of(task), task.selected)
    network.values(task.weights)
    return network.jacobian(task.weights)

run(chain(4, 1))  # loads and compiles
print(peak_memory(lambda: run(chain({qubits}, {samples}))))
"""


def chain(qubits, samples):
    """Inputs, then rotations and CX, read by an observable that is diagonal and one that is not."""
    circuit, inputs = QuantumCircuit(qubits), [Parameter(f"x{k}") for k in range(2)]
    for q in range(qubits):
        circuit.rx(inputs[q % 2], q)
    for q in range(qubits):
        circuit.ry(Parameter(f"w{q:02d}"), q)
    for q in range(qubits - 1):
        circuit.cx(q, q + 1)
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(samples, 2)), rng.normal(size=qubits)
    return Task(circuit, ["Z" * qubits, "I" * (qubits - 1) + "X"], inputs=rows, input_params=inputs, weights=weights)


@pytest.mark.skipif(not can_measure_memory(), reason="the peak of resident memory cannot be read here")
@pytest.mark.parametrize(("qubits", "samples"), [(18, 1), (17, 40)])
def test_what_a_jacobian_takes_is_known_beforehand(qubits, samples, monkeypatch):
    """One sample takes as much as eight; and not several times more is asked for, which would refuse for nothing."""
    asked, task = [], chain(qubits, samples)
    monkeypatch.setattr(engine, "check_fits", lambda needed, *_: asked.append(needed / 2**20))
    check_engine_memory(task, sites_of(task), qubits, [samples])
    folders = [str(Path(__file__).parent), str(ROOT)]
    script = MEASURED.format(folders=folders, qubits=qubits, samples=samples)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout) <= asked[0] <= 4 * float(done.stdout)


def test_more_than_is_free_is_refused(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**27, total=2**34))
    with pytest.raises(TaskError, match=r"18 qubits with 2 outputs, eight samples for each of 1 thread, needs .* MiB"):
        prune(chain(18, 1), Measured(0.1, refit=True))


def test_of_wide_circuits_few_are_kept_and_nothing_depends_on_it(monkeypatch):
    task, found = chain(4, 10), []
    for most in (2**26, 1):
        monkeypatch.setattr(program, "TAPE_BYTES", most)
        whole = Network(task, sites_of(task))
        edited = [whole.without([k]) for k in range(4, 8)]
        found.append([network.jacobian(task.weights)[1] for network in (*edited, whole, *edited)])
        assert len(whole.program.symbols.tapes) == (5 if most > 1 else program.KEPT)
        assert len(whole._begun) == program.KEPT
    for kept, again in zip(*found, strict=True):
        np.testing.assert_array_equal(kept, again)


def test_of_thousands_of_edits_some_dozens_are_kept():
    """With a dense gate, too, whose matrix each of them has."""
    circuit = QuantumCircuit(4)
    circuit.append(UnitaryGate(random_unitary(16, seed=0)), range(4))
    for q in range(4):
        circuit.ry(Parameter(f"w{q}"), q)
    task = Task(circuit, "ZZZZ", weights=np.linspace(0.2, 1.0, 4))
    whole, first = Network(task, sites_of(task)), None
    for _ in range(200):
        edited = whole.without([2])
        values = edited.values(task.weights)
        first = values if first is None else first
        np.testing.assert_array_equal(values, first)
        whole.values(task.weights)
    tapes = whole.program.symbols.tapes
    assert len(tapes) == program.MOST_KEPT
    assert any(edits[0] is whole.program.present for edits in tapes.values())  # used again and again: stays


def test_too_many_outcomes_are_refused_by_name():
    """Not for the memory that they would take."""
    circuit = QuantumCircuit(14)
    for q in range(14):
        circuit.ry(Parameter(f"w{q:02d}"), q)
    circuit.measure_all()
    with pytest.raises(OptionError, match="measure fewer"):
        prune(Task(circuit, weights=np.full(14, 0.3)), Measured(0.01, refit=True))
