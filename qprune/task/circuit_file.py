"""Circuits as JSON (docs/bundles.md): what is written is what is read, or nothing is written.

Qiskit's QPY files do not keep every circuit: depending on the version they change angles, forget which controls are
open and whether a state preparation is inverted. Here a gate is one of Qiskit's standard gates with its angles, one
of a few kinds with data of their own, or a definition by such gates. The text is read again before anyone relies on it,
and every gate compared with the one it was made of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import (
    Barrier,
    ClassicalRegister,
    ControlledGate,
    Gate,
    Instruction,
    Measure,
    Parameter,
    ParameterExpression,
    ParameterVector,
    ParameterVectorElement,
    Qubit,
)
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError

from qprune._files import parse_json
from qprune.errors import BundleError, TaskError
from qprune.task.angle_text import same_angle
from qprune.task.gate_kinds import KIND_NAMES, KINDS, Parameters, angle_entry, read_angle

CIRCUIT_FORMAT = "qprune-circuit/1"
STANDARD = {name: gate.base_class for name, gate in get_standard_gate_name_mapping().items() if isinstance(gate, Gate)}
NAMES = {kind: name for name, kind in STANDARD.items()}
COUNTED = re.compile(r"circuit-[\d-]+")  # what Qiskit calls a circuit without a name; the next time otherwise
REWRITES = 4  # after one, all angles seen so far stand in an order that lasts

# -- writing ------------------------------------------------------------------------------------------------------


def circuit_text(circuit: QuantumCircuit) -> str:
    """The circuit as JSON, one gate a line: what is read from it is written as the same text again.

    Raises:
        BundleError: A gate cannot be stored as it is; the message names it.
    """
    try:
        known = {p.name: p for p in circuit.parameters}
        written, text = "", _lines(_described(circuit))
        for _ in range(REWRITES):  # Qiskit may order the terms of an angle anew when it is built again
            if text == written:
                break
            read = circuit_from(text, "the circuit", known)
            written, text = text, _lines(_described(read))
        different = _difference(circuit, circuit_from(text, "the circuit", known))
    except (TaskError, RecursionError) as error:
        raise BundleError(f"the circuit cannot be stored: {error}") from error
    if different is not None:
        raise BundleError(
            f"the circuit cannot be stored: {different} would not be read as it is; write it in standard gates, or as "
            "a UnitaryGate where it has no parameters"
        )
    return text


def _lines(data: dict[str, Any]) -> str:
    """JSON with one line for each entry of the head and for each gate."""
    gates = ",\n  ".join(map(_json, data["gates"]))
    head = "".join(f' "{key}": {_json(value)},\n' for key, value in data.items() if key != "gates")
    return f'{{\n{head} "gates": [\n  {gates}\n ]\n}}\n'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _described(circuit: QuantumCircuit) -> dict[str, Any]:
    tiled = [q for register in circuit.qregs for q in register] == circuit.qubits
    elements = [p for p in circuit.parameters if isinstance(p, ParameterVectorElement)]
    vectors = {p.vector.name: len(p.vector) for p in elements}
    measured = [item for item in circuit.data if isinstance(item.operation, Measure)]
    places = {circuit.find_bit(item.clbits[0]).index: circuit.find_bit(item.qubits[0]).index for item in measured}
    return {
        "format": CIRCUIT_FORMAT,
        "name": None if COUNTED.fullmatch(circuit.name) else circuit.name,
        "registers": [[register.name, register.size] for register in circuit.qregs] if tiled else None,
        "parameters": [p.name for p in circuit.parameters if p not in elements],
        "vectors": vectors,
        "measured": [places[c] for c in sorted(places)],
        **_body(circuit),
    }


def _body(circuit: QuantumCircuit) -> dict[str, Any]:
    return {
        "qubits": circuit.num_qubits,
        "global_phase": angle_entry(circuit.global_phase),
        "gates": [_gate(operation, qubits) for operation, qubits in _gates(circuit)],
    }


def _gates(circuit: QuantumCircuit) -> Iterator[tuple[Instruction, list[int]]]:
    """The circuit's gates on their qubits, without barriers and measurements."""
    for item in circuit.data:
        operation = item.operation
        if isinstance(operation, Barrier | Measure):
            continue
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        if item.clbits:
            raise TaskError(f"{operation.name} on qubits {qubits} acts on classical bits too; take it out")
        if not isinstance(operation, Instruction) and hasattr(operation, "to_instruction"):  # Clifford, Pauli
            operation = operation.to_instruction()
        yield operation, qubits


def opened(operation: Instruction) -> Instruction:
    """The operation itself if a library's class makes it, else a gate of its name made of its definition alone."""
    if _standard_name(operation) is not None or operation.base_class in (*KIND_NAMES, Gate, Barrier, Measure):
        return operation
    definition = _definition(operation, [])
    angles = operation.params if _has_angles(operation) else definition.parameters
    return composite(operation.name, angles, operation.label, definition)


def composite(name: str, angles: Sequence[Any], label: str | None, definition: QuantumCircuit) -> Gate:
    """A gate that is its definition."""
    gate = Gate(name, definition.num_qubits, list(angles), label)
    gate.definition = definition
    return gate


def _gate(operation: Instruction, qubits: list[int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"gate": operation.name, "on": qubits}
    if operation.label is not None:
        entry["label"] = operation.label
    if (standard := _standard_name(operation)) is not None:
        entry["gate"] = standard
        if operation.params:
            entry["angles"] = [angle_entry(p) for p in operation.params]
        if _open(operation):
            entry["controls"] = operation.ctrl_state
        return entry
    kind = KIND_NAMES.get(operation.base_class)
    if kind is not None and (data := KINDS[kind].data(operation)) is not None:
        return {**entry, "kind": kind, "data": data}
    definition = _definition(operation, qubits)
    angles = operation.params if _has_angles(operation) else definition.parameters
    return {**entry, "angles": [angle_entry(p) for p in angles], "definition": _body(definition)}


def _has_angles(operation: Instruction) -> bool:
    return all(isinstance(p, int | float | ParameterExpression) for p in operation.params)


def _standard_name(operation: Instruction) -> str | None:
    """The standard gate that this is, whatever its controls; None if it is none or was given another name."""
    name = NAMES.get(operation.base_class)
    expected = f"{name}_o{operation.ctrl_state}" if _open(operation) else name
    return name if operation.name == expected else None


def _open(operation: Instruction) -> bool:
    """Whether some control acts on 0."""
    if not isinstance(operation, ControlledGate):
        return False
    return bool(operation.ctrl_state != 2**operation.num_ctrl_qubits - 1)


def _definition(operation: Instruction, qubits: list[int]) -> QuantumCircuit:
    try:
        definition = getattr(operation, "definition", None)
    except (TypeError, ValueError, QiskitError) as error:
        raise TaskError(
            f"gate {operation.name} on qubits {qubits} cannot be decomposed while it has free parameters ({error}); "
            "bind them or write it in elementary gates"
        ) from error
    if definition is None:
        raise TaskError(
            f"gate {operation.name} on qubits {qubits} is a {operation.base_class.__name__} without definition; "
            "give it a definition by other gates, or make it a UnitaryGate"
        )
    return definition


# -- reading ------------------------------------------------------------------------------------------------------


def circuit_from(text: str, name: str, known: Parameters | None = None) -> QuantumCircuit:
    """The circuit that `circuit_text` wrote.

    Args:
        text: What it wrote.
        name: What messages call it, such as the file's path.
        known: Parameters by name to take instead of new ones, so that several circuits share them.

    Raises:
        BundleError: The text is not such a circuit.
    """
    data = parse_json(text, name)
    if not isinstance(data, dict) or data.get("format") != CIRCUIT_FORMAT:
        raise BundleError(f'{name} must be a JSON object with "format": "{CIRCUIT_FORMAT}"')
    try:
        return _read_circuit(data, known or {})
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError, QiskitError) as error:
        raise BundleError(f"{name} is not a circuit as docs/bundles.md says: {error!r}") from error


def _read_circuit(data: dict[str, Any], known: Parameters) -> QuantumCircuit:
    registers = data["registers"]
    bits = [Qubit() for _ in range(data["qubits"])] if registers is None else None
    wires = [bits] if bits is not None else [QuantumRegister(size, name) for name, size in registers]
    circuit = QuantumCircuit(*wires, name=data["name"])
    parameters = {name: Parameter(name) for name in data["parameters"]}
    parameters |= {p.name: p for name, size in data["vectors"].items() for p in ParameterVector(name, size)}
    _fill(circuit, data, {**parameters, **known})
    if data["measured"]:
        register = ClassicalRegister(len(data["measured"]), "meas")
        circuit.add_register(register)
        circuit.measure(data["measured"], register)
    return circuit


def _fill(circuit: QuantumCircuit, data: dict[str, Any], parameters: Parameters) -> None:
    circuit.global_phase = read_angle(data["global_phase"], parameters)
    for entry in data["gates"]:
        circuit.append(_read_gate(entry, parameters), entry["on"])


def _read_gate(entry: dict[str, Any], parameters: Parameters) -> Gate:
    name, label = entry["gate"], entry.get("label")
    angles = [read_angle(angle, parameters) for angle in entry.get("angles", ())]
    if "definition" in entry:
        inner = QuantumCircuit(entry["definition"]["qubits"])
        _fill(inner, entry["definition"], parameters)
        gate = composite(name, angles, label, inner)
    elif "kind" in entry:
        gate = KINDS[entry["kind"]].made(entry["data"], parameters)
        if (gate.name, gate.label) != (name, label):
            gate = gate.to_mutable()
            gate.name, gate.label = name, label
    elif "controls" in entry:
        gate = STANDARD[name](*angles, label=label, ctrl_state=entry["controls"])
    else:
        gate = STANDARD[name](*angles, label=label)
    return gate


# -- comparing ----------------------------------------------------------------------------------------------------


def is_same_text(first: str, second: str) -> bool:
    """Whether two texts differ at most in the words of angles that are the same functions.

    Raises:
        BundleError: One is no circuit.
    """
    forms = [parse_json(text, "the circuit") for text in (first, second)]
    if _form(forms[0]) != _form(forms[1]) or forms[0].get("name") != forms[1].get("name"):
        return False
    read = circuit_from(first, "the circuit")
    return _difference(read, circuit_from(second, "the circuit", {p.name: p for p in read.parameters})) is None


def _form(data: Any) -> Any:
    """Everything but words: gates, labels and angles are compared when they have been read."""
    match data:
        case dict():
            return {key: _form(value) for key, value in data.items()}
        case list():
            return [_form(value) for value in data]
        case str():
            return ""
    return data


def _difference(first: QuantumCircuit, second: QuantumCircuit) -> str | None:
    """Where two circuits differ as gates on qubits with angles; None where they do not."""
    if not _same(first.global_phase, second.global_phase):
        return "the global phase"
    here, there = list(_gates(first)), list(_gates(second))
    for (operation, qubits), (other, places) in zip(here, there, strict=False):
        if qubits != places or not _is_same(operation, other):
            return f"gate {operation.name} on qubits {qubits}"
    return None if len(here) == len(there) else "the number of gates"


def _is_same(first: Instruction, second: Instruction) -> bool:
    if (first.name, first.label) != (second.name, second.label):
        return False
    if second.base_class is Gate:  # made of its definition
        angles = first.params if _has_angles(first) else first.definition.parameters
        return _are_same(angles, second.params) and _difference(first.definition, second.definition) is None
    if first.base_class is not second.base_class or not _are_same(first.params, second.params):
        return False
    if (kind := KIND_NAMES.get(first.base_class)) is not None:
        return _flags(KINDS[kind].data(first)) == _flags(KINDS[kind].data(second))
    return getattr(first, "ctrl_state", None) == getattr(second, "ctrl_state", None)


def _flags(data: dict[str, Any] | None) -> dict[str, Any]:
    """What a gate is told by besides its angles, which may be written in several ways."""
    return {key: value for key, value in (data or {}).items() if key not in ("angles", "time")}


def _are_same(first: Sequence[Any], second: Sequence[Any]) -> bool:
    return len(first) == len(second) and all(map(_same, first, second))


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, ParameterExpression) or isinstance(second, ParameterExpression):
        return same_angle(first, second)
    return np.array_equal(first, second)
