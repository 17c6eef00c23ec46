"""The unitary part of a circuit as people have it: barriers, delays and final measurements taken off."""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, ControlFlowOp, Delay, Gate, Instruction, Measure, Reset
from qiskit.circuit.library import Initialize, LinearFunction, PauliEvolutionGate

from qprune.errors import TaskError


def unitary_part(circuit: QuantumCircuit) -> tuple[QuantumCircuit, tuple[int, ...]]:
    """The unitary part, and the measured qubits in the order of their classical bits (all, if none is)."""
    if not circuit.num_qubits:
        raise TaskError("circuit has no qubits, so there is nothing to prune; give one that acts on at least one")
    bare = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    measured: dict[int, int] = {}
    finished: set[int] = set()
    for instruction in circuit.data:
        operation = instruction.operation
        qubits = [circuit.find_bit(q).index for q in instruction.qubits]
        if isinstance(operation, PauliEvolutionGate) and operation.num_qubits and _is_sum(operation):
            # What runs is the product formula, not the exact exponential: that is what must be pruned.
            operation = operation.definition.to_gate(label=operation.label)
        elif isinstance(operation, LinearFunction):  # its parameters are a table of bits and perhaps a circuit
            operation = _as_gate(operation.definition, operation.name)
        elif not isinstance(operation, Instruction) and hasattr(operation, "to_instruction"):  # Clifford, Pauli
            operation = operation.to_instruction()
        elif not isinstance(operation, Instruction):
            raise TaskError(
                f"circuit has {operation.name} on qubits {qubits}, a {type(operation).__name__} without gates of its "
                "own; run qiskit's HighLevelSynthesis pass (or transpile at optimization_level=0) first"
            )
        if isinstance(operation, ControlFlowOp):
            raise TaskError(
                f"circuit has control flow ({operation.name}); qprune needs a circuit of unitary gates: "
                "unroll it or prune its branches one by one"
            )
        if isinstance(operation, (Barrier, Delay)):
            continue
        again = [q for q in qubits if q in finished]
        if again:
            raise TaskError(
                f"circuit has {operation.name} on qubit {again[0]} after that qubit was measured; only final "
                "measurements can be taken off: defer the measurement or cut the circuit there"
            )
        if isinstance(operation, Measure):
            measured[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
            finished.add(qubits[0])
        elif isinstance(operation, Reset) or instruction.clbits or not _is_unitary(operation):
            raise TaskError(
                f"circuit has {operation.name} on qubits {qubits}, which is not a unitary gate; take it out "
                "(a state preparation can be given as StatePreparation, a reset qubit as a fresh one)"
            )
        else:
            bare.append(operation, instruction.qubits)
    order = tuple(measured[c] for c in sorted(measured)) or tuple(range(circuit.num_qubits))
    return bare, order


def _as_gate(definition: QuantumCircuit, name: str) -> Gate:
    gate = definition.to_gate()
    gate.name = name  # not the definition's, which counts up
    return gate


def _is_sum(gate: PauliEvolutionGate) -> bool:
    return isinstance(gate.operator, list) or len(gate.operator) > 1


def _is_unitary(operation: Any) -> bool:
    if isinstance(operation, Initialize) or operation.name in ("kraus", "superop", "quantum_channel"):
        return False
    if operation.name.startswith("save_"):
        return False
    return hasattr(operation, "to_matrix") or getattr(operation, "definition", None) is not None
