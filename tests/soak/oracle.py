"""What is true: states of bound circuits as dense vectors, gate by gate, and what follows from them.

Nothing here knows qprune. Matrices of elementary gates are Qiskit's, which define what the user wrote; how gates are
controlled, taken apart, bound, ordered and applied is done here anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    Barrier,
    ControlledGate,
    ControlModifier,
    InverseModifier,
    Measure,
    ParameterExpression,
    PowerModifier,
)
from qiskit.circuit.library import CUGate, GlobalPhaseGate, MCMTGate, PauliEvolutionGate
from qiskit.quantum_info import Clifford

Vector = NDArray[np.complex128]
Matrix = NDArray[np.complex128]
Values = Mapping[str, float]  # by parameter name

PAULIS = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]).astype(complex),
}

# -- matrices ------------------------------------------------------------------------------------------------------


def number(angle: Any, values: Values) -> float:
    """An angle at these values, all parameters bound at once; the real part, as that is what a gate takes."""
    if not isinstance(angle, ParameterExpression):
        return float(angle)
    return complex(angle.bind({p: values[p.name] for p in angle.parameters}).numeric()).real


def matrix_of(operation: Any, values: Values) -> Matrix:
    """Matrix on the operation's own qubits, the first least significant."""
    if isinstance(operation, AnnotatedOperation):
        return _modified(operation, values)
    if isinstance(operation, Clifford):
        return _matrix_of_circuit(operation.to_circuit(), values)
    if isinstance(operation, ControlledGate) and not isinstance(operation, MCMTGate):  # that has several targets
        base = matrix_of(operation.base_gate, values)
        if isinstance(operation, CUGate):  # the last of its angles is a phase that its base gate lacks
            base = np.exp(1j * number(operation.params[3], values)) * base
        return _controlled(base, operation.num_ctrl_qubits, operation.ctrl_state)
    if isinstance(operation, GlobalPhaseGate):
        return np.array([[np.exp(1j * number(operation.params[0], values))]])
    bound = _with_numbers(operation, values)
    if bound is not None and not isinstance(bound, PauliEvolutionGate):  # of a sum: not the exact exponential
        try:
            return np.asarray(bound.to_matrix(), dtype=complex)
        except Exception:  # Qiskit raises many types where a gate has no matrix of its own
            pass
    return _matrix_of_circuit((bound or operation).definition, values)


def _with_numbers(operation: Any, values: Values) -> Any:
    """The operation with numbers for symbols; None where they stand in a definition of the user's."""
    if not any(isinstance(p, ParameterExpression) for p in operation.params):
        return operation
    if type(operation).__name__ in ("Gate", "Instruction"):
        return None
    bound = operation.to_mutable()
    bound.params = [number(p, values) if isinstance(p, ParameterExpression) else p for p in operation.params]
    bound.definition = None
    return bound


def _controlled(base: Matrix, controls: int, state: int) -> Matrix:
    """Σ_c |c⟩⟨c| on the first qubits, ⊗ base where c is the control state."""
    size, copies = len(base), 2**controls
    whole = np.eye(size * copies, dtype=complex)
    rows = np.arange(size) * copies + state
    whole[np.ix_(rows, rows)] = base
    return whole


def _modified(operation: AnnotatedOperation, values: Values) -> Matrix:
    matrix = matrix_of(operation.base_op, values)
    for modifier in operation.modifiers:
        if isinstance(modifier, InverseModifier):
            matrix = matrix.conj().T
        elif isinstance(modifier, PowerModifier):
            matrix = np.linalg.matrix_power(matrix, int(modifier.power))
        elif isinstance(modifier, ControlModifier):
            matrix = _controlled(matrix, modifier.num_ctrl_qubits, modifier.ctrl_state)
    return matrix


def _matrix_of_circuit(circuit: QuantumCircuit, values: Values) -> Matrix:
    return run(circuit, values, np.eye(2**circuit.num_qubits, dtype=complex))


# -- states --------------------------------------------------------------------------------------------------------


def apply(matrix: Matrix, qubits: Sequence[int], state: Vector) -> Vector:
    """A gate's matrix on some qubits of a state, or of the states in the columns of a matrix."""
    n, k = int(np.log2(len(state))), len(qubits)
    axes = [n - 1 - q for q in reversed(qubits)]  # the last axis of the matrix is its first qubit
    tensor = np.moveaxis(state.reshape((2,) * n + state.shape[1:]), axes, range(k))
    result = (matrix @ tensor.reshape(2**k, -1)).reshape(tensor.shape)
    return np.moveaxis(result, range(k), axes).reshape(state.shape)


def zero(num_qubits: int) -> Vector:
    state = np.zeros(2**num_qubits, dtype=complex)
    state[0] = 1
    return state


def run_steps(steps: Iterable[tuple[Any, Sequence[int]]], values: Values, state: Vector) -> Vector:
    """Operations on qubits, one after the other."""
    for operation, qubits in steps:
        if isinstance(operation, (Barrier, Measure)):
            continue
        state = apply(matrix_of(operation, values), qubits, state)
    return state


def steps_of(circuit: QuantumCircuit) -> list[tuple[Any, tuple[int, ...]]]:
    index = {q: k for k, q in enumerate(circuit.qubits)}
    return [(item.operation, tuple(index[q] for q in item.qubits)) for item in circuit.data]


def run(circuit: QuantumCircuit, values: Values, state: Vector | None = None) -> Vector:
    """The state a circuit makes, from |0…0⟩ by default."""
    state = zero(circuit.num_qubits) if state is None else state
    return np.exp(1j * number(circuit.global_phase, values)) * run_steps(steps_of(circuit), values, state)


# -- what is read from states --------------------------------------------------------------------------------------


@cache
def pauli(label: str) -> Matrix:
    """Matrix of a little-endian label."""
    whole = np.eye(1, dtype=complex)
    for letter in label:
        whole = np.kron(whole, PAULIS[letter])
    return whole


def expectation(terms: Sequence[tuple[str, float]], state: Vector, constant: bool = True) -> float:
    """Σ c_P ⟨P⟩, each word apart; without the identity's share, which no change of state changes, where asked."""
    return float(
        sum(c * np.vdot(state, pauli(word) @ state).real for word, c in terms if constant or set(word) != {"I"})
    )


def dense(terms: Sequence[tuple[str, float]]) -> Matrix:
    return sum((c * pauli(word) for word, c in terms[1:]), terms[0][1] * pauli(terms[0][0]))


def probabilities(state: Vector, qubits: Sequence[int]) -> NDArray[np.float64]:
    """Outcome probabilities of some qubits, the first least significant."""
    n = int(np.log2(len(state)))
    tensor = (np.abs(state) ** 2).reshape((2,) * n)
    axes = [n - 1 - q for q in reversed(qubits)]
    return np.moveaxis(tensor, axes, range(len(axes))).reshape(2 ** len(axes), -1).sum(axis=1)


def reduced(state: Vector, qubits: Sequence[int]) -> Matrix:
    """Reduced density matrix, the first qubit least significant."""
    n = int(np.log2(len(state)))
    axes = [n - 1 - q for q in reversed(qubits)]
    rows = np.moveaxis(state.reshape((2,) * n), axes, range(len(axes))).reshape(2 ** len(axes), -1)
    return rows @ rows.conj().T


def trace_distance(first: Matrix, second: Matrix) -> float:
    return float(np.abs(np.linalg.eigvalsh(first - second)).sum() / 2)


def dephased(rho: Matrix, eta: float) -> Matrix:
    """η to the number of qubits in which row and column differ, times every entry."""
    index = np.arange(len(rho))
    differing = np.array([[bin(i ^ j).count("1") for j in index] for i in index])
    return rho * eta**differing
