"""Circuits with a planted answer for each strategy, and the evidence of them."""

from __future__ import annotations

from math import pi

import numpy as np
from helpers import INPUTS, prepared_for
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qprune import Task
from qprune.limits.measuring import surroundings
from qprune.selection.evidence import Evidence
from qprune.selection.representatives import identities

BUDGET = 0.05
WEIGHTS = ParameterVector("v", 8)


def evidence_of(task, budget=BUDGET, seed=0):
    """Evidence as a limit hands it out, of every prunable gate."""
    stage = prepared_for(task, budget=budget)
    candidates = identities(stage.offers, stage.prunable)
    around = surroundings(stage, budget)
    return Evidence(candidates, stage.sites, np.random.default_rng(seed), stage.task, around)


def places(evidence, indices):
    return [evidence.places[k] for k in indices]


def mixed():
    """Rotations, fixed gates, gates outside the one-parameter subgroups, an input, several outputs."""
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ry(INPUTS[0], 1)
    circuit.cx(0, 1)
    circuit.u(0.7, 0.3, -0.4, 1)
    circuit.rx(2 * pi + 0.4, 2)
    circuit.iswap(1, 2)
    circuit.rzz(0.3, 0, 2)
    circuit.crx(0.5, 2, 1)
    circuit.sx(0)
    return Task(circuit, ["ZZI", "XIY", "IIZ"], inputs=[[0.1], [0.9], [-1.2]], input_params=INPUTS[:1])


def rivals_that_cancel():
    """Two large rotations, each far beyond the budget, undo each other; between them one that does next to nothing."""
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ry(0.9, 1)
    circuit.ry(0.5, 0)
    circuit.rx(0.01, 0)
    circuit.ry(-0.5, 0)
    circuit.cx(1, 2)
    circuit.rx(0.8, 2)
    return Task(circuit, ["IIZ", "IZI", "ZII"])


def layers_that_cancel():
    """Two layers that undo each other, with next to nothing between them; every gate of them matters by itself."""
    circuit = QuantumCircuit(3)
    for q, angle in enumerate((0.9, 1.1, 0.7)):
        circuit.ry(angle, q)
    for q in range(3):
        circuit.rx(0.6, q)
    for q in range(3):
        circuit.rz(0.01, q)
    for q in range(3):
        circuit.rx(-0.6, q)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    return Task(circuit, ["IIZ", "IZI", "ZII"])


def weak_link():
    """Strong entanglers between neighbours, a weak one across; the tree of mutual information does without it."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(1.2, q)
    circuit.rzx(1.3, 0, 1)
    circuit.rzx(1.1, 1, 2)
    circuit.rzx(0.1, 0, 2)
    for q in range(3):
        circuit.ry(0.4, q)
    return Task(circuit, ["IIZ", "IZI", "ZII", "ZZZ"])


def small(seed):
    """A random circuit of few gates, all of which matter somewhat."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    circuit.ry(INPUTS[0], 0)
    circuit.ry(INPUTS[0] * 0.5, 2)
    for q in range(3):
        circuit.rx(rng.normal(scale=0.3), q)
        circuit.rz(rng.normal(scale=0.3), q)
    circuit.cx(0, 1)
    circuit.rzz(rng.normal(scale=0.2), 1, 2)
    circuit.crx(rng.normal(scale=0.3), 0, 2)
    circuit.ry(rng.normal(scale=0.2), 1)
    return Task(
        circuit, ["IZZ", "ZII"], inputs=rng.uniform(-1, 1, (4, 1)), input_params=INPUTS[:1], labels=[0, 1, 0, 1]
    )


def trained():
    """A small circuit with weights that refit may move."""
    rng = np.random.default_rng(5)
    circuit = QuantumCircuit(2)
    for layer in range(2):
        for q in range(2):
            circuit.ry(INPUTS[q], q)
            circuit.rz(WEIGHTS[4 * layer + 2 * q], q)
            circuit.ry(WEIGHTS[4 * layer + 2 * q + 1], q)
        circuit.cx(0, 1)
    inputs = rng.uniform(-1, 1, (5, 2))
    weights = dict(zip(WEIGHTS[:8], rng.normal(scale=0.3, size=8), strict=True))
    return Task(circuit, ["IZ", "ZI"], inputs=inputs, input_params=INPUTS, weights=weights, labels=[0, 1, 0, 1, 1])


def redundant():
    """Two large rotations about one axis, of which either can stand for both; a smaller gate that none replaces."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.5, 0)
    circuit.rx(0.001, 0)
    circuit.ry(0.45, 0)
    circuit.ry(0.2, 1)
    return Task(circuit, ["IZ", "ZI"])


def idle():
    """Large rotations about Z before small ones about X: whatever else is there, outputs hardly see either."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(0.5 + 0.2 * q, q)
        circuit.rz(1.1 + 0.2 * q, q)
        circuit.rx(0.001, q)
    return Task(circuit, ["IIZ", "IZI", "ZII"])


def beside_the_classes():
    """One rotation raises both outputs alike, on all inputs by much, so that no margin sees it; the others matter."""
    rng = np.random.default_rng(1)
    circuit = QuantumCircuit(3)
    circuit.ry(INPUTS[0], 0)
    circuit.ry(INPUTS[1], 1)
    circuit.ry(INPUTS[0], 2)
    circuit.ry(0.9, 2)
    circuit.rx(0.4, 0)
    circuit.rx(0.3, 1)
    circuit.ry(0.3, 0)
    circuit.ry(-0.2, 1)
    inputs = rng.uniform(-1, 1, (12, 2))
    observables = [SparsePauliOp(["IIZ", "ZII"]), SparsePauliOp(["IZI", "ZII"])]
    labels = (np.abs(inputs[:, 0]) > np.abs(inputs[:, 1])).astype(int)
    return Task(circuit, observables, inputs=inputs, input_params=INPUTS, labels=labels)
