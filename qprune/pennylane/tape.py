"""PennyLane tapes as Qiskit circuits: the gate table, and what every number of a tape depends on.

The lower half of `qprune.pennylane`. Qubit i of the circuit is entry i of a wire order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from math import pi
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, ParameterExpression
from qiskit.circuit.library import (
    PauliEvolutionGate,
    StatePreparation,
    UnitaryGate,
    XXPlusYYGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info import SparsePauliOp
from scipy.linalg import hadamard

from qprune._arrays import FloatArray
from qprune._rounding import EXPECTATION_ROUNDING
from qprune.errors import TaskError

# -- gates: PennyLane name to Qiskit name, parameters alike -------------------------------------------------------

GATES = {
    **{"RX": "rx", "RY": "ry", "RZ": "rz", "PhaseShift": "p", "U2": "u2", "U3": "u"},
    **{"IsingXX": "rxx", "IsingYY": "ryy", "IsingZZ": "rzz", "CRX": "crx", "CRY": "cry", "CRZ": "crz"},
    **{"ControlledPhaseShift": "cp", "CNOT": "cx", "CY": "cy", "CZ": "cz", "CH": "ch", "SWAP": "swap"},
    **{"ISWAP": "iswap", "ECR": "ecr", "Toffoli": "ccx", "CCZ": "ccz", "Hadamard": "h", "PauliX": "x"},
    **{"PauliY": "y", "PauliZ": "z", "S": "s", "T": "t", "SX": "sx", "Adjoint(S)": "sdg", "Adjoint(T)": "tdg"},
    "Adjoint(SX)": "sxdg",
}
BACK = {there: here for here, there in GATES.items()}
_STANDARD = get_standard_gate_name_mapping()
_WORDS = {"RX": "X", "RY": "Y", "RZ": "Z", "IsingXX": "XX", "IsingYY": "YY", "IsingZZ": "ZZ"}
_STATES = {"StatePrep", "AmplitudeEmbedding", "MottonenStatePreparation"}
_BASIS = {"BasisState", "BasisEmbedding"}
WHOLE = _STATES | _BASIS | {"QubitUnitary"}  # their data are no angles
_KNOWN = {*GATES, *WHOLE, "PauliRot", "MultiRZ", "IsingXY", "SingleExcitation"}


def word_of(op: Any) -> str | None:
    """The Pauli word P of exp(−iθP/2), or None."""
    if op.name == "PauliRot":
        return str(op.hyperparameters["pauli_word"])
    return "Z" * len(op.wires) if op.name == "MultiRZ" else _WORDS.get(op.name)


def expand(operations: Iterable[Any], taken_apart: set[str] | None = None) -> list[Any]:
    """Templates, adjoints and controlled operations down to gates of the table."""
    found, stack = [], list(operations)[::-1]
    with qml.QueuingManager.stop_recording():
        while stack:
            op = stack.pop()
            if op.name in _KNOWN:
                found.append(op)
                continue
            if taken_apart is not None:
                taken_apart.add(op.name)
            stack += _parts(op)[::-1]
    return found


def _parts(op: Any) -> list[Any]:
    """One step of decomposition; linear in the angle and of one shape for all values, also under controls."""
    if isinstance(op, qml.ops.Controlled):
        controls, base = op.control_wires, op.base
        flips = [qml.X(w) for w, on in zip(controls, op.control_values, strict=True) if not on]
        if flips:
            return [*flips, qml.ctrl(base, control=controls), *flips]
        if base.name == "Rot":
            return [qml.ctrl(part, control=controls) for part in base.decomposition()]
        if (word := word_of(base)) is not None:  # |1…1⟩⟨1…1| is a sum of Z words: a product of commuting rotations
            parts, scale = [], 2 ** len(controls)
            for subset in range(scale):
                chosen = [w for j, w in enumerate(controls) if subset >> j & 1]
                angle = base.data[0] * ((-1) ** len(chosen) / scale)
                parts.append(qml.PauliRot(angle, "Z" * len(chosen) + word, wires=[*chosen, *base.wires]))
            return parts
    if not getattr(op, "has_decomposition", False):  # a channel, or a measurement in the middle
        raise TaskError(
            f"the QNode applies {op.name} on wires {op.wires.tolist()}, which is neither a gate qprune knows nor "
            "decomposes into such; it must be unitary: take noise and mid-circuit measurements out"
        )
    return list(op.decomposition())


def slots_of(op: Any) -> list[Any]:
    """The numbers of a gate: live tensors for angles, plain numbers for the data of states and matrices."""
    if op.name not in WHOLE:
        return list(op.data)
    data = number(op.data[0])
    if op.name in _BASIS:
        return list(pi * data.astype(float))
    if op.name == "QubitUnitary":
        return [*data.real.ravel(), *data.imag.ravel()]
    if data.ndim != 1:
        raise TaskError(f"{op.name} must get one state of shape ({2 ** len(op.wires)},), got shape {data.shape}")
    return list(_state_angles(data))


def number(value: Any) -> NDArray[Any]:
    """A tensor of any interface as a NumPy array."""
    return np.asarray(qml.math.unwrap(value))


def _append(circuit: QuantumCircuit, op: Any, index: int, params: Sequence[Any], qubits: list[int]) -> None:
    """Put a PennyLane gate with given parameters on a Qiskit circuit."""
    symbolic = any(isinstance(p, ParameterExpression) for p in params)
    if op.name in GATES:
        circuit.append(_STANDARD[GATES[op.name]].base_class(*params), qubits)
    elif op.name == "IsingXY":
        circuit.append(XXPlusYYGate(-params[0], 0.0), qubits)
    elif op.name == "SingleExcitation":
        circuit.append(XXPlusYYGate(params[0], -pi / 2), qubits)
    elif op.name == "QubitUnitary":
        if symbolic:
            raise TaskError(
                f"the matrix of a QubitUnitary on wires {op.wires.tolist()} depends on inputs or weights; write that "
                "gate with rotations, or keep it constant"
            )
        matrix = np.array(params[: len(params) // 2]) + 1j * np.array(params[len(params) // 2 :])
        size = 2 ** len(qubits)
        circuit.append(UnitaryGate(matrix.reshape(size, size)), qubits[::-1])  # the first wire is most significant
    elif op.name in _BASIS and not symbolic:
        for q in [q for q, angle in zip(qubits, params, strict=True) if angle]:
            circuit.x(q)
    elif op.name in WHOLE:
        circuit.append(PreparedState(list(params), len(qubits), op.name in _BASIS, index), qubits)
    else:
        letters = [(p, q) for p, q in zip(word_of(op) or "", qubits, strict=True) if p != "I"]
        word, where = "".join(p for p, _ in letters), [q for _, q in letters]
        if len(set(word)) == 1 and len(word) <= 2:
            circuit.append(_STANDARD[f"r{word.lower()}"].base_class(params[0]), where)
        elif word:
            circuit.append(PauliEvolutionGate(SparsePauliOp(word[::-1]), time=params[0] / 2), where)


class PreparedState(StatePreparation):
    """A state given by angles, which may be Parameters; qprune keeps state preparations whole.

    Args:
        params: The angles.
        num_qubits: Of the state.
        basis: Whether the angles are those of RX on each qubit, for a basis state.
        index: Of the operation on the tape, which the label keeps.
    """

    def __init__(self, params: list[Any], num_qubits: int, basis: bool, index: int) -> None:
        Gate.__init__(self, "state_preparation", num_qubits, params, label=f"state {index}")
        self.basis = basis

    @property
    def definition(self) -> QuantumCircuit:
        """Made from the present parameters, so that binding these is enough."""
        return _preparation(self.params, self.num_qubits, self.basis)

    @definition.setter
    def definition(self, definition: QuantumCircuit | None) -> None:
        """Nothing is kept; Qiskit's base class sets None."""

    def angles_for(self, state: NDArray[Any]) -> FloatArray:
        """The angles that prepare a state, shape (2^n,), the first qubit least significant; of a basis state the
        nearest, by its largest amplitude."""
        n = int(self.num_qubits)
        if self.basis:
            return np.asarray(pi * (int(np.abs(state).argmax()) >> np.arange(n) & 1), dtype=float)
        return _state_angles(state.reshape((2,) * n).transpose().ravel())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The matrix of `definition`, level by level; gate by gate it takes seconds for eight qubits."""
        angles, n = np.array(self.params, dtype=float), int(self.num_qubits)
        if self.basis:
            cosine, sine = np.cos(angles / 2), -1j * np.sin(angles / 2)
            factors = np.array([[cosine, sine], [sine, cosine]]).transpose(2, 0, 1)
            return np.asarray(reduce(lambda low, high: np.kron(high, low), factors), dtype=dtype)
        matrix = np.eye(2**n, dtype=complex)
        for k, name in _levels(n):
            here, angles = angles[: 2**k], angles[2**k :]
            half = hadamard(2**k) @ here[np.argsort(_gray_code(2**k))] / 2  # back to angles per control pattern
            low, high = np.moveaxis(matrix.reshape(2**k, 2, -1), 1, 0)
            cosine, sine = np.cos(half)[:, None], np.sin(half)[:, None]
            if name == "ry":
                parts = [cosine * low - sine * high, sine * low + cosine * high]
            else:
                parts = [(cosine - 1j * sine) * low, (cosine + 1j * sine) * high]
            matrix = np.stack(parts, axis=1).reshape(2**n, 2**n)
        little_endian = np.arange(2**n).reshape((2,) * n).transpose().ravel()
        return np.asarray(matrix[np.ix_(little_endian, little_endian)], dtype=dtype)

    def validate_parameter(self, parameter: Any) -> Any:
        return parameter

    def inverse(self, annotated: bool = False) -> Gate:
        return self.definition.inverse().to_gate()


def _state_angles(state: NDArray[Any]) -> FloatArray:
    """Rotation angles of `_preparation` for a state (2^n,), first wire most significant."""
    n = int(np.log2(len(state)))
    state = state / np.linalg.norm(state)
    levels = []
    for k in range(n):
        low, high = np.linalg.norm(state.reshape(2**k, 2, -1), axis=2).T
        levels.append(_gray(2 * np.arctan2(high, low)))
    phases = np.where(np.abs(state) > EXPECTATION_ROUNDING, np.angle(state), 0.0)  # the state has norm one
    for _ in range(n):
        low, high = phases.reshape(-1, 2).T
        levels.append(_gray(high - low))
        phases = (low + high) / 2
    return np.concatenate(levels)


def _gray(angles: FloatArray) -> FloatArray:
    """Angles per control pattern (first control most significant) to angles between the CNOTs of a Gray code."""
    return (hadamard(len(angles)) @ angles / len(angles))[_gray_code(len(angles))]


def _gray_code(size: int) -> NDArray[np.intp]:
    return np.arange(size) ^ (np.arange(size) >> 1)


def _levels(n: int) -> list[tuple[int, str]]:
    """Target wire and rotation of each multiplexed rotation, controlled by the wires before the target."""
    return [*((k, "ry") for k in range(n)), *((k, "rz") for k in reversed(range(n)))]


def _preparation(angles: Sequence[Any], n: int, basis: bool) -> QuantumCircuit:
    """RX(angle) per qubit for a basis state; else multiplexed RY, then RZ (Möttönen et al. 2005)."""
    circuit, left = QuantumCircuit(n), list(angles)
    if basis:
        for q, angle in enumerate(left):
            circuit.rx(angle, q)
        return circuit
    for k, name in _levels(n):
        here, left = left[: 2**k], left[2**k :]
        for i, angle in enumerate(here, 1):
            getattr(circuit, name)(angle, k)
            if k:  # the bit of the Gray code that changes next; the least significant bit is the last control
                circuit.cx(k - 1 - min((i & -i).bit_length() - 1, k - 1), k)
    return circuit


def circuit_of(operations: Sequence[Any], params: Sequence[Any], order: Sequence[Any]) -> QuantumCircuit:
    """The circuit with a Parameter or a constant for every number of `slots_of`, gate after gate."""
    circuit = QuantumCircuit(len(order))
    qubit = {wire: q for q, wire in enumerate(order)}
    touched: set[Any] = set()
    start = 0
    for k, op in enumerate(operations):
        stop = start + slot_count(op)
        if op.name in WHOLE - {"QubitUnitary"} and not touched.isdisjoint(op.wires):
            raise TaskError(
                f"{op.name} prepares wires {op.wires.tolist()} after other gates touched them; what it does there "
                "depends on the device: put it first, or write it as gates"
            )
        _append(circuit, op, k, params[start:stop], [qubit[w] for w in op.wires])
        touched.update(op.wires)
        start = stop
    return circuit


def slot_count(op: Any) -> int:
    """How many numbers `slots_of` gives for a gate."""
    if op.name not in WHOLE:
        return len(op.data)
    n = len(op.wires)
    return n if op.name in _BASIS else 2 * 4**n if op.name == "QubitUnitary" else 2 * (2**n - 1)
