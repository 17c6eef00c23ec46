"""What qprune works around in other libraries: each bug is shown, in the releases that have it and in no later one.

A bug that no allowed release has any more fails `test_every_workaround_is_still_needed`: then its workaround goes.
"""

from __future__ import annotations

import io
import tomllib
from importlib.metadata import version

import numpy as np
import pytest
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.version import Version
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.library import CPhaseGate, CRXGate, CRYGate, CRZGate
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.synthesis import TwoQubitBasisDecomposer, TwoQubitWeylDecomposition
from qiskit_aer import AerSimulator

W, X = Parameter("w"), Parameter("x")


def symbols_are_wrong():
    """(w + 1) + (w − 1) is 0, and so is the derivative of (w + 1)(w − 1); w equals 0.5 (1 − w)."""
    total, product = (W + 1) + (W - 1), (W + 1) * (W - 1)
    return total != 2 * W and product.gradient(W) != 2 * W and 0.5 * (1 - W) == W


def qpy_loses_parameters():
    """A circuit with the angle 0 · w is written and cannot be read."""
    circuit, stream = QuantumCircuit(1), io.BytesIO()
    circuit.ry(0 * W, 0)
    qpy.dump(circuit, stream)
    stream.seek(0)
    try:
        return W not in qpy.load(stream)[0].parameters
    except IndexError:
        return True


def decompositions_want_the_inner_object():
    """`decomp0` does not take the decomposition that Qiskit's own class makes."""
    try:
        TwoQubitBasisDecomposer.decomp0(TwoQubitWeylDecomposition(np.eye(4)))
    except TypeError:
        return True
    return False


def bound_controlled_rotations_are_ignored():
    """Values bound at run time reach RX but no controlled rotation or phase: one result for two values."""
    counts = []
    for gate in (CRXGate(X), CRYGate(X), CRZGate(X), CPhaseGate(X)):
        circuit = QuantumCircuit(2)
        circuit.h([0, 1])
        circuit.append(gate, [0, 1])
        circuit.save_statevector()
        run = AerSimulator(method="statevector").run(circuit, parameter_binds=[{X: [0.7, 1.9]}])
        counts.append(len(run.result().results))
    return counts == [1] * 4


def truncation_misplaces_observables():
    """With `enable_truncation`, the default, the mean of Z on one of two qubits is not its own."""
    circuit = QuantumCircuit(4)
    for q in range(4):
        circuit.ry(0.4 + q, q)
    circuit.cx(2, 0)
    circuit.rx(0.8, 2)
    word, places = SparsePauliOp("Z"), [2]
    exact = Statevector(circuit).expectation_value(word, places).real
    circuit.save_expectation_value(word, places, label="mean")
    off = {}
    for method in ("statevector", "matrix_product_state"):
        for truncate in (True, False):
            simulator = AerSimulator(method=method, enable_truncation=truncate)
            off[method, truncate] = abs(simulator.run(circuit).result().data(0)["mean"] - exact)
    assert max(value for (_, truncate), value in off.items() if not truncate) < 1e-9  # the way round it
    return min(value for (_, truncate), value in off.items() if truncate) > 0.01


BUGS = {  # package, first release without the bug, None if there is none yet
    symbols_are_wrong: ("qiskit", "2.5"),
    qpy_loses_parameters: ("qiskit", "2.4"),
    decompositions_want_the_inner_object: ("qiskit", "2.6"),
    bound_controlled_rotations_are_ignored: ("qiskit-aer", None),
    truncation_misplaces_observables: ("qiskit-aer", None),
}


@pytest.mark.parametrize("shows", BUGS, ids=lambda shows: shows.__name__)
def test_the_bug_is_there_until_it_is_mended(shows):
    package, mended = BUGS[shows]
    assert shows() == (mended is None or Version(version(package)) < Version(mended))


@pytest.mark.parametrize("shows", BUGS, ids=lambda shows: shows.__name__)
def test_every_workaround_is_still_needed(shows):
    package, mended = BUGS[shows]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {r.name: r for r in map(Requirement, project["dependencies"])}[package]
    oldest = min(Version(bound.version) for bound in needed.specifier if bound.operator == ">=")
    assert mended is None or oldest < Version(mended), "no allowed release has this bug: remove the workaround"
