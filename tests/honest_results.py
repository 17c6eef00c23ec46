"""Results of every kind as `prune` makes them, for tests of `verify` and of what it must catch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from helpers import asked
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qprune import (
    Task,
    calibrate,
    prune,
)


@cache
def network(outputs="several", seed=3):
    """Four qubits, re-uploaded inputs, gates that are not symmetric in their qubits, about half of them small."""
    rng = np.random.default_rng(seed)
    x, w = ParameterVector("x", 3), ParameterVector("w", 22)
    weights = np.where(rng.random(22) < 0.5, rng.normal(0, 0.03, 22), rng.uniform(-2, 2, 22))
    weights[[6, 17]] = 0.81, 0.79  # two of one class
    weights[[10, 21]] = np.pi / 2 + 0.01, 0.9  # one near a Clifford point
    circuit, free = QuantumCircuit(4), iter(w)
    for layer in range(2):
        for q in range(3):
            circuit.ry(x[q] * (0.5 + layer), q)
            circuit.rz(next(free), q)
        circuit.u(next(free), 0.3, next(free), 3)
        circuit.crx(next(free), 3, 0)
        circuit.ry(next(free), 2)
        circuit.rzx(next(free), 2, 1)
        circuit.append(PauliEvolutionGate(SparsePauliOp("XZY"), time=next(free) / 2), [3, 0, 2])
        circuit.cp(next(free) + 0.2 * x[0], 1, 3)
        circuit.cx(3, 1)
        circuit.ry(next(free), 1)
    circuit.append(UnitaryGate(random_unitary(4, seed=1).power(0.02)), [2, 0])
    observables = {
        "several": ["ZIII", SparsePauliOp(["IXYI", "ZIIX", "IIII"], [0.7, -0.4, 0.1]), "IIYZ"],
        "one": ["IIZI"],
        "probabilities": None,
    }[outputs]
    if observables is None:
        circuit.add_register(ClassicalRegister(3))
        circuit.measure([2, 0, 3], [0, 2, 1])
    return Task(
        circuit,
        observables,
        inputs=rng.uniform(-1, 1, (16, 3)),
        input_params=list(x),
        weights=dict(zip(w, weights, strict=True)),
        probabilities=rng.dirichlet(np.ones(16)),
        holdout=0.25,
        seed=seed,
    )


@cache
def ansatz(num_qubits=3):
    """No input, one observable that is a sum, as in VQE."""
    rng = np.random.default_rng(5)
    circuit, w = QuantumCircuit(num_qubits), ParameterVector("w", 4 * num_qubits)
    for k, weight in enumerate(w):
        (circuit.ry if k // num_qubits % 2 else circuit.rx)(weight, k % num_qubits)
        circuit.cx(k % num_qubits, (k + 1) % num_qubits)
    observable = SparsePauliOp.from_sparse_list(
        [("ZZ", [q, q + 1], 1.0) for q in range(num_qubits - 1)] + [("X", [q], 0.3) for q in range(num_qubits)],
        num_qubits,
    )
    weights = np.where(rng.random(len(w)) < 0.5, 0.02, 1.0) * rng.normal(size=len(w))
    return Task(circuit, observable, weights=weights)


HONEST = {
    "tolerance": {"tolerance": 0.1},
    "closed form": {"tolerance": 0.15, "aggregate": "max"},
    "sum of angles": {"tolerance": 0.1, "window": 0},
    "windows": {"tolerance": 0.15, "window": 2},
    "budget": {"budget": 0.2},
    "budget and tolerance": {"budget": 0.4, "tolerance": 0.1, "strategy": "magnitude"},
    "clifford": {"tolerance": 0.15, "representatives": "clifford"},
    "class": {"tolerance": 0.2, "representatives": "class"},
    "noise": {"tolerance": 0.05, "noise": calibrate(0.8, beta=2.0, gamma=0.1)},
    "strong noise": {"tolerance": 0.05, "noise": calibrate(0.0, beta=900.0, gamma=0.01), "aggregate": "max"},
    "device": {"tolerance": 0.05, "noise": calibrate("FakeManilaV2", beta=3.0, gamma=0.5, layout=[2, 1, 3, 0, 4])},
    "encoding": {"tolerance": 0.4, "prune_encoding": True, "noise": 0.9},
    "everything": {"tolerance": np.sqrt(2), "prune_encoding": True},
    "nothing": {"tolerance": 0.0},
    "verified": {"budget": 0.05, "measured": True},
    "refit": {"budget": 0.05, "measured": True, "refit": True},
}


@cache
def pruned(options="closed form", outputs="several"):
    return prune(network(outputs), **asked(**HONEST[options]))


def forged(result, **changes):
    """The result with some entries of its certificate changed."""
    return replace(result, certificate=replace(result.certificate, **changes))


def with_entry(result, entry, at=0):
    entries = list(result.certificate.replaced)
    entries[at] = entry
    return forged(result, replaced=tuple(entries))


def rows(array):
    return tuple(tuple(float(x) for x in row) for row in array)
