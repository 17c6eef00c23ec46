"""Circuits of the kind that papers train, as tasks whose weights are still to be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, pairwise

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.quantum_info import SparsePauliOp

import qprune
from benchmarks.tasks import encodings
from benchmarks.tasks.fermions import excitations, molecule

Ansatz = Callable[[QuantumCircuit, int], None]  # puts layers of trainable gates on a circuit


@dataclass(frozen=True)
class Family:
    """Networks of one kind, of any depth.

    Attributes:
        qubits: Their number.
        start: Puts what is not trained on a circuit: the encoding of a sample, or a state to start from.
        ansatz: Puts what is trained on it.
        observables: What is read.
        inputs: Numbers of a sample.
    """

    qubits: int
    start: Callable[[QuantumCircuit, Sequence[Parameter]], None]
    ansatz: Ansatz
    observables: tuple[SparsePauliOp, ...]
    inputs: int = 0

    def network(self, layers: int) -> qprune.Task:
        """The network of so many layers, all weights zero, on one sample of zeros."""
        return self.with_gates(lambda circuit: self.ansatz(circuit, layers))

    def with_gates(self, put: Callable[[QuantumCircuit], None]) -> qprune.Task:
        """The same start and outputs with other gates between."""
        circuit, inputs = QuantumCircuit(self.qubits), [Parameter(f"x_{j:02d}") for j in range(self.inputs)]
        self.start(circuit, inputs)
        put(circuit)
        weights = sorted((p for p in circuit.parameters if p.name.startswith("w_")), key=lambda p: p.name)
        present = [p for p in circuit.parameters if p.name.startswith("x_")]
        return qprune.Task(
            circuit,
            list(self.observables),
            inputs=np.zeros((1, len(inputs))) if inputs else None,
            input_params=present,
            weights=dict.fromkeys(weights, 0.0),
        )


def signs(qubits: int, outputs: int) -> tuple[SparsePauliOp, ...]:
    """⟨Z⟩ of the first qubits: one for two classes, told by its sign; else one for each class."""
    return tuple(SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], qubits) for q in range(outputs))


def classifier(qubits: int, ansatz: Ansatz, *, classes: int = 2, amplitudes: bool = False) -> Family:
    """Angles on each qubit, or amplitudes; an ansatz; ⟨Z⟩ of as many qubits as there are classes, of one for two."""
    outputs = signs(qubits, 1 if classes == 2 else classes)
    if amplitudes:
        return Family(qubits, encodings.amplitudes, ansatz, outputs, 2**qubits - 1)
    return Family(qubits, encodings.angles, ansatz, outputs, qubits)


def new_weights(circuit: QuantumCircuit) -> Callable[[], Parameter]:
    """A maker of weights that are not on the circuit yet: w_000, w_001, …"""
    numbers = count(sum(p.name.startswith("w_") for p in circuit.parameters))
    return lambda: Parameter(f"w_{next(numbers):03d}")


def strongly_entangling(circuit: QuantumCircuit, layers: int) -> None:
    """RZ RY RZ on each qubit and a ring of CX, whose distance grows from layer to layer, as in PennyLane."""
    qubits, weight = circuit.num_qubits, new_weights(circuit)
    for layer in range(layers):
        for qubit in range(qubits):
            circuit.rz(weight(), qubit)
            circuit.ry(weight(), qubit)
            circuit.rz(weight(), qubit)
        distance = layer % (qubits - 1) + 1
        for qubit in range(qubits):
            circuit.cx(qubit, (qubit + distance) % qubits)


def hardware_efficient(circuit: QuantumCircuit, layers: int) -> None:
    """RY and RZ on each qubit and a line of CX, then a last row of rotations."""
    qubits, weight = circuit.num_qubits, new_weights(circuit)
    for layer in range(layers + 1):
        for qubit in range(qubits):
            circuit.ry(weight(), qubit)
            circuit.rz(weight(), qubit)
        for qubit in range(qubits - 1 if layer < layers else 0):
            circuit.cx(qubit, qubit + 1)


def convolutional(circuit: QuantumCircuit, layers: int) -> None:
    """Convolutions that share weights, and pooling, from all qubits to the first; `layers` convolutions a level.

    A convolution is RY RY CX RY RY CX on neighbours of a ring; pooling is a CRZ and a CRX onto the qubit that stays.

    Source: Cong, Choi and Lukin, Nature Physics 15, 1273 (2019); circuits as in Hur, Kim and Park, Quantum Machine
    Intelligence 4, 3 (2022).
    """
    weight, active = new_weights(circuit), list(range(circuit.num_qubits))
    while len(active) > 1:
        for _ in range(layers):
            four = [weight() for _ in range(4)]
            pairs = [(active[j], active[(j + 1) % len(active)]) for j in range(len(active))]
            for first, second in pairs if len(active) > 2 else pairs[:1]:
                circuit.ry(four[0], first)
                circuit.ry(four[1], second)
                circuit.cx(first, second)
                circuit.ry(four[2], first)
                circuit.ry(four[3], second)
                circuit.cx(second, first)
        about_z, about_x = weight(), weight()
        for kept, gone in zip(active[0::2], active[1::2], strict=False):
            circuit.crz(about_z, gone, kept)
            circuit.x(gone)
            circuit.crx(about_x, gone, kept)
        active = active[0::2]


def eigensolver(name: str, ansatz: Ansatz | None = None) -> Family:
    """The energy of a molecule, from the Hartree-Fock state: by an ansatz, or by the molecule's own UCCSD."""
    found = molecule(name)
    chosen = partial(coupled_cluster, electrons=found.electrons) if ansatz is None else ansatz

    def hartree_fock(circuit: QuantumCircuit, _: Sequence[Parameter]) -> None:
        circuit.x(range(found.electrons))

    return Family(found.qubits, hartree_fock, chosen, (found.hamiltonian,))


def coupled_cluster(circuit: QuantumCircuit, layers: int, *, electrons: int) -> None:
    """UCCSD, each excitation once a layer, its words one after the other as ladders of CX."""
    weight = new_weights(circuit)
    for _ in range(layers):
        for words in excitations(circuit.num_qubits, electrons):
            angle = weight()
            for label, factor in words:
                _rotation(circuit, label, -2 * factor * angle)


def _rotation(circuit: QuantumCircuit, label: str, angle: ParameterExpression) -> None:
    """exp(−i angle P/2): basis changes, a ladder of CX onto the last qubit, RZ, and back."""
    places = [q for q, letter in enumerate(reversed(label)) if letter != "I"]
    changes = {q: label[-1 - q] for q in places}
    for q in places:
        if changes[q] == "X":
            circuit.h(q)
        elif changes[q] == "Y":
            circuit.rx(np.pi / 2, q)
    for pair in pairwise(places):
        circuit.cx(*pair)
    circuit.rz(angle, places[-1])
    for pair in reversed(list(pairwise(places))):
        circuit.cx(*pair)
    for q in places:
        if changes[q] == "X":
            circuit.h(q)
        elif changes[q] == "Y":
            circuit.rx(-np.pi / 2, q)


def qaoa(qubits: int, edges: Sequence[tuple[int, int]]) -> Family:
    """QAOA for MaxCut: H on each qubit, then RZZ on edges and RX on qubits, one weight each a layer.

    The observable is minus the number of edges cut, so that training makes it small.

    Source: Farhi, Goldstone and Gutmann, arXiv:1411.4028.
    """

    def alternating(circuit: QuantumCircuit, layers: int) -> None:
        weight = new_weights(circuit)
        for _ in range(layers):
            gamma, beta = weight(), weight()
            for edge in edges:
                circuit.rzz(gamma, *edge)
            circuit.rx(beta, range(qubits))

    cut = [("", [], -len(edges) / 2), *(("ZZ", list(edge), 0.5) for edge in edges)]
    uniform = lambda circuit, _: circuit.h(range(qubits))  # noqa: E731
    return Family(qubits, uniform, alternating, (SparsePauliOp.from_sparse_list(cut, qubits),))
