"""What every tool's circuit is judged by: deviation of the outputs and CX needed, computed here and alike for all.

A tool's own claims are not asked. The simulation is plain NumPy on gate matrices from Qiskit, all samples at once; it
shares nothing with qprune's or Aer's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction, ParameterExpression
from qiskit.circuit.library import CXGate
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit.synthesis import TwoQubitBasisDecomposer

import qprune

NATIVE = ("rx", "ry", "rz", "cx")  # what is counted; also the basis the compilers are asked for


@dataclass(frozen=True)
class Compiled:
    """What a tool made of a task's circuit.

    Attributes:
        circuit: No measurements; inputs are free, weights free or bound.
        where: `where[q]` is the qubit of the circuit that holds, at the end, what the task calls qubit q.
        weights: New values of weights that are still free, by name; those not named have the task's.
        observables: What is measured in place of the task's observables; None for these.
        any_state: With other observables: largest change of an output that these make on any state before the gates
            that they stand for; None where it was not worked out.
    """

    circuit: QuantumCircuit
    where: tuple[int, ...]
    weights: Mapping[str, float] = field(default_factory=dict)
    observables: tuple[SparsePauliOp, ...] | None = None
    any_state: float | None = None

    @classmethod
    def unmoved(cls, circuit: QuantumCircuit, weights: Mapping[str, float] | None = None) -> Compiled:
        """A circuit whose qubits stayed where they were."""
        return cls(circuit, tuple(range(circuit.num_qubits)), weights or {})

    def free_weights(self, task: qprune.Task) -> int:
        """How many of the task's weights can still be trained."""
        names = {p.name for p in task.weight_params}
        return sum(p.name in names for p in self.circuit.parameters)


def outputs(task: qprune.Task, compiled: Compiled) -> NDArray[np.float64]:
    """⟨O_r⟩ of every sample that selection sees, shape (R, M), by dense simulation."""
    state = states(task, compiled, task.inputs[task.selected])
    measured = compiled.observables or task.observables or ()
    return np.array([_expectation(observable, state) for observable in measured])


def states(task: qprune.Task, compiled: Compiled, rows: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Final states, an axis per qubit (the task's qubit 0 last of them) and one for the samples."""
    n = task.num_qubits
    state = np.zeros((2,) * n + (len(rows),), dtype=complex)
    state[(0,) * n] = 1
    return _evolved(task, compiled, rows, state)


def unitary_distance(task: qprune.Task, first: Compiled, second: Compiled) -> float:
    """√(1 − |Tr U†V|²/d²) of two circuits on the first sample: the distance in which BQSKit states its bounds."""
    n, row = task.num_qubits, task.inputs[:1]
    basis = np.eye(2**n, dtype=complex).reshape((2,) * n + (2**n,))
    u, v = (_evolved(task, compiled, row, basis).ravel() for compiled in (first, second))
    return float(np.sqrt(max(0.0, 1 - (abs(np.vdot(u, v)) / 2**n) ** 2)))


def deviation(task: qprune.Task, compiled: Compiled, original: NDArray[np.float64] | None = None) -> float:
    """Largest change of any output of any sample that selection sees.

    Args:
        task: The original.
        compiled: What a tool made of it.
        original: `outputs` of the original, if already known.
    """
    before = outputs(task, Compiled.unmoved(task.circuit)) if original is None else original
    return float(np.abs(outputs(task, compiled) - before).max())


def cx_count(circuit: QuantumCircuit) -> int:
    """The CX that the gates need, each by itself: CX and CZ one, RZZ and controlled rotations two, SWAP three.

    Nothing is merged across gates, so that no tool is credited with what another one would do.
    """
    total = 0
    for instruction in circuit.data:
        gate = instruction.operation
        if gate.num_qubits < 2 or not isinstance(gate, Gate):
            continue
        if gate.num_qubits == 2:
            total += _cx_of(gate)
        else:
            total += cx_count(gate.definition)
    return total


def gate_count(circuit: QuantumCircuit) -> int:
    """Gates, barriers and measurements left out."""
    return sum(isinstance(instruction.operation, Gate) for instruction in circuit.data)


# -- simulation -------------------------------------------------------------------------------------------------------


def _evolved(task: qprune.Task, compiled: Compiled, rows: NDArray[np.float64], state: NDArray) -> NDArray:
    n = task.num_qubits
    for matrix, qubits in _matrices(task, compiled, rows):
        state = _apply(matrix, state, [n - 1 - q for q in qubits])
    return np.moveaxis(state, [n - 1 - q for q in compiled.where], [n - 1 - q for q in range(n)])


def _matrices(
    task: qprune.Task, compiled: Compiled, rows: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.complex128], list[int]]]:
    """Each gate's matrix, shape (d, d), or (M, d, d) where an input enters, and its qubits, first least significant."""
    values = task.named_weights | compiled.weights
    inputs = [p.name for p in task.input_params]
    for instruction in compiled.circuit.data:
        gate, qubits = instruction.operation, [compiled.circuit.find_bit(q).index for q in instruction.qubits]
        if gate.name == "barrier":
            continue
        names = {p.name for angle in gate.params if isinstance(angle, ParameterExpression) for p in angle.parameters}
        if names.isdisjoint(inputs):
            yield _matrix(gate, values), qubits
        else:
            bound = (values | dict(zip(inputs, row, strict=True)) for row in rows.tolist())
            yield np.array([_matrix(gate, v) for v in bound]), qubits


def _matrix(gate: Instruction, values: Mapping[str, float]) -> NDArray[np.complex128]:
    if any(isinstance(angle, ParameterExpression) for angle in gate.params):
        gate = gate.copy()
        gate.params = [
            float(a.bind({p: values[p.name] for p in a.parameters})) if isinstance(a, ParameterExpression) else a
            for a in gate.params
        ]
    return Operator(gate).data


def _apply(matrix: NDArray, state: NDArray, axes: list[int]) -> NDArray:
    """A gate on the axes of its qubits, first least significant; the last axis counts samples."""
    k, axes = len(axes), axes[::-1]
    front = np.moveaxis(state, axes, range(k))
    shape = front.shape
    if matrix.ndim == 2 or len(matrix) == 1:  # the same for all samples
        done = matrix.reshape(2**k, 2**k) @ front.reshape(2**k, -1)
    else:
        done = np.einsum("mij,jam->iam", matrix, front.reshape(2**k, -1, shape[-1]))
    return np.moveaxis(done.reshape(shape), range(k), axes)


def _expectation(observable: SparsePauliOp, state: NDArray) -> NDArray[np.float64]:
    n, total = state.ndim - 1, 0
    for label, coefficient in observable.to_list():
        image = state
        for axis, letter in enumerate(label):  # the label's first letter is the highest qubit, axis 0
            if letter != "I":
                image = _apply(Operator.from_label(letter).data, image, [axis])
        total = total + coefficient * (state.conj() * image).reshape(2**n, -1).sum(axis=0)
    return np.real(total)


# -- counting ---------------------------------------------------------------------------------------------------------


@cache
def _decomposer() -> TwoQubitBasisDecomposer:
    return TwoQubitBasisDecomposer(CXGate())


def _some_number(angle: float | ParameterExpression) -> float:
    """The angle, or for one with free parameters a value that is nothing special."""
    if not isinstance(angle, ParameterExpression):
        return angle
    return float(angle.bind({p: 0.7345 + 0.1 * k for k, p in enumerate(sorted(angle.parameters, key=str))}))


def _cx_of(gate: Gate) -> int:
    if gate.name in ("cx", "cz"):
        return 1
    numeric = gate.to_mutable()
    numeric.params = [_some_number(p) for p in gate.params]
    return int(_decomposer().num_basis_gates(Operator(numeric).data))
