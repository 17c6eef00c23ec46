"""SHA-256 of circuits, tasks and records: what a certificate is for, told apart from everything else.

A hash must be the same after writing and reading and on every processor, and must differ wherever the thing itself
does. Numbers therefore enter exactly as they are stored, and an angle with parameters as the function that it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitError, Instruction, Parameter, ParameterExpression
from qiskit.circuit.library import (
    DiagonalGate,
    HamiltonianGate,
    Isometry,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    StatePreparation,
    UCGate,
    UnitaryGate,
)

from qprune.task.task import Task

# Angles with parameters are evaluated at the origin and at points with coordinates in these intervals: in the first two
# roots, logarithms and arcs have values, in the others abs(x) is not x.
INTERVALS = ((0, 0), (0, 1), (0, 1), (-4, 4), (-4, 4))
GRAIN = 2**10  # coordinates are multiples of 1/GRAIN, so that most products and sums of them are exact
# Significant digits of the values there. The only rounding that enters a hash: another order of terms, or the sine of
# another processor, moves a value by 1e-16 and changes its digits with a chance of about 1e-6.
VALUE_DIGITS = 10
# Times this, no value of a short decimal or dyadic fraction lies half-way between two numbers of so many digits, where
# 0.4·x·2·x and 0.8·x·x, a last bit apart, would be written differently.
OFF_TIES = sqrt(2)

# Told by their parameters and flags alone. Their definitions are made from these, by synthesis that may round
# differently or be another one in another version of Qiskit; those of all other gates are opened.
_STANDARD = "qiskit.circuit.library.standard_gates"
_BY_PARAMETERS = (
    DiagonalGate,
    HamiltonianGate,
    Isometry,
    PauliGate,
    PermutationGate,
    StatePreparation,
    UCGate,
    UnitaryGate,
)
_Row = tuple[str, tuple[Any, ...]]  # a gate without its angles, and the angles


def circuit_hash(circuit: QuantumCircuit) -> str:
    """SHA-256 of what a circuit does: gates, qubits, angles; registers, names and barriers do not enter.

    Gates made of other gates are opened, so that their definitions count and their names do not. Numbers and matrices
    enter to the last bit, as do control states and whether a state preparation is inverted. Angles with parameters
    enter as functions: by the names of the parameters and by their values, to ten digits, at the origin and at four
    points that follow from these names and from everything else in the circuit. Whoever knows how may still write
    another function that agrees there; what rests on a circuit is recomputed from the circuit itself.

    Example:
        >>> from qiskit.circuit import Parameter, QuantumCircuit
        >>> x, first, second = Parameter("x"), QuantumCircuit(1), QuantumCircuit(1)
        >>> first.rx(x, 0), second.rx(x**3, 0)  # doctest: +ELLIPSIS
        (...)
        >>> circuit_hash(first) == circuit_hash(second)
        False
    """
    rows = list(_rows(circuit, tuple(range(circuit.num_qubits))))
    digest = hashlib.sha256(str(circuit.num_qubits).encode())
    for gate, angles in rows:
        digest.update(f"|{gate} {' '.join(map(_plain, angles))}".encode())
    names = {p.name for _, angles in rows for angle in angles for p in _parameters(angle)}
    points = _points(sorted(names), digest.hexdigest())
    for _, angles in rows:
        for angle in angles:
            if _parameters(angle):
                digest.update(f"|{' '.join(_value(angle, point) for point in points)}".encode())
    return digest.hexdigest()


def task_hash(task: Task) -> str:
    """SHA-256 of what a task holds besides its circuit: inputs, labels, weights, observables and the split."""
    digest = hashlib.sha256()
    for array in (task.inputs, task.probabilities, task.selected, task.heldout):
        digest.update(repr((array.shape, array.tolist())).encode())
    for observable in task.observables or ():
        digest.update(repr([(p, c.real) for p, c in observable.to_list()]).encode())
    names = [p.name for p in task.input_params], [p.name for p in task.weight_params]
    labels = None if task.labels is None else task.labels.tolist()
    measured = task.measured_qubits if task.observables is None else ()  # only probabilities are read from them
    digest.update(repr((names, task.weights.tolist(), measured, labels, task.domain.to_json())).encode())
    return digest.hexdigest()


def record_hash(record: object) -> str:
    """SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    return bytes_hash(json.dumps(record, sort_keys=True, ensure_ascii=False).encode())


def bytes_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- gates --------------------------------------------------------------------------------------------------------


def _rows(circuit: QuantumCircuit, places: Sequence[int]) -> Iterator[_Row]:
    """Every gate of a circuit on these places, gates made of others opened; global phases count as gates."""
    if circuit.global_phase:
        yield "phase", (circuit.global_phase,)
    for item in circuit.data:
        if item.operation.name != "barrier":
            yield from _opened(item.operation, [places[circuit.find_bit(q).index] for q in item.qubits])


def _opened(operation: Instruction, places: Sequence[int]) -> Iterator[_Row]:
    where = ",".join(map(str, places))
    if _is_told_by_parameters(operation):
        name = operation.name.split("_o")[0] if hasattr(operation, "ctrl_state") else operation.name
        flags = [
            f"{flag}={getattr(operation, flag)}" for flag in ("ctrl_state", "_inverse") if hasattr(operation, flag)
        ]
        yield " ".join((name, *flags, where)), tuple(operation.params)
    elif isinstance(operation, PauliEvolutionGate) and (terms := _terms(operation)) is not None:
        yield f"evolution {terms} {where}", (operation.time,)
    elif operation.definition is not None:
        yield from _rows(operation.definition, places)
    else:
        yield f"matrix {where}", (np.asarray(operation.to_matrix()),)


def _is_told_by_parameters(operation: Instruction) -> bool:
    kind = operation.base_class
    if kind.__module__.startswith(_STANDARD):
        return not hasattr(operation, "num_ctrl_qubits") or operation.num_ctrl_qubits < operation.num_qubits
    return kind in _BY_PARAMETERS


def _terms(gate: PauliEvolutionGate) -> str | None:
    """The one term of an evolution; None for a sum, which is the product that its definition says."""
    operator = gate.operator
    if isinstance(operator, list) or len(operator) != 1:
        return None
    ((word, qubits, coefficient),) = operator.to_sparse_list()
    return f"{word} {','.join(map(str, qubits))} {_exact(coefficient)}"


# -- angles -------------------------------------------------------------------------------------------------------


def _parameters(angle: object) -> frozenset[Parameter]:
    return frozenset(angle.parameters) if isinstance(angle, ParameterExpression) else frozenset()


def _plain(angle: Any) -> str:
    """A number or matrix to the last bit, a word as it is, an expression by its parameters' names."""
    if names := sorted(p.name for p in _parameters(angle)):
        return f"of {names}"
    if isinstance(angle, str):
        return repr(angle)
    if isinstance(angle, np.ndarray | list | tuple):
        entries = np.asarray(angle)
        return f"{entries.shape}[{' '.join(map(_exact, entries.ravel().tolist()))}]"
    return _exact(angle.numeric() if isinstance(angle, ParameterExpression) else angle)


def _exact(number: Any) -> str:
    value = complex(number)
    return f"{value.real + 0.0!r},{value.imag + 0.0!r}"  # −0 is 0


def _points(names: Sequence[str], salt: str) -> list[Mapping[str, float]]:
    return [
        {name: low + (high - low) * _fraction(f"{salt} {k} {name}") for name in names}
        for k, (low, high) in enumerate(INTERVALS)
    ]


def _fraction(text: str) -> float:
    """A multiple of 1/GRAIN in (0, 1)."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return (1 + number % (GRAIN - 1)) / GRAIN


def _value(angle: ParameterExpression, point: Mapping[str, float]) -> str:
    try:  # a sum that comes to one parameter, such as x1 − x1 + x1, is read back as that parameter: one form for both
        value = complex(angle.bind({p: point[p.name] for p in angle.parameters}).numeric())
    except (ZeroDivisionError, OverflowError, RuntimeError, CircuitError):
        return "none"
    return ",".join(f"{part * OFF_TIES + 0.0:.{VALUE_DIGITS - 1}e}" for part in (value.real, value.imag))
