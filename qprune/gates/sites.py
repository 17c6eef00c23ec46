"""The circuit as an immutable tuple of sites, one per gate.

Sole authority on qubit order: a Pauli word names its qubits, so it has no order that could be confused; `pauli_label`
is the one place that turns a word into Qiskit's little-endian label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import pi
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Barrier, CircuitError, CircuitInstruction, Instruction, ParameterExpression
from qiskit.circuit.library import (
    DiagonalGate,
    IGate,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    StatePreparation,
    UCGate,
    UnitaryGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info import Operator, SparsePauliOp

from qprune._rounding import EPSILON, MATRIX_ROUNDING, SUM_ROUNDING
from qprune.errors import TaskError
from qprune.task.expressions import COMPOSITES
from qprune.task.task import Task

Word = tuple[tuple[int, str], ...]
"""Letters on named qubits, sorted by qubit: ((0, "Z"), (3, "X")) is Z on qubit 0 times X on qubit 3."""

Replacement = tuple[tuple[Instruction, tuple[int, ...]], ...]
"""What stands in a gate's place: instructions with their qubits; () is the identity."""

Angle: TypeAlias = float | ParameterExpression


class Form(NamedTuple):
    """How a named gate sits in its subgroup: coordinate t = scale · (first parameter) + offset.

    Letters are those of the generator on the gate's qubits, in the gate's own order (see `subgroups.generator`).
    """

    family: str
    letters: str
    scale: float
    offset: float


CATALOGUE: Mapping[str, Form] = MappingProxyType(
    {
        # exp(−i t P/2): rotations, and Paulis, phases and roots as their fixed points
        **{f"r{p.lower()}": Form("pauli", p, 1, 0) for p in "XYZ"},
        **{p.lower(): Form("pauli", p, 0, pi) for p in "XYZ"},
        "p": Form("pauli", "Z", 1, 0),
        "u1": Form("pauli", "Z", 1, 0),
        "s": Form("pauli", "Z", 0, pi / 2),
        "sdg": Form("pauli", "Z", 0, -pi / 2),
        "t": Form("pauli", "Z", 0, pi / 4),
        "tdg": Form("pauli", "Z", 0, -pi / 4),
        "sx": Form("pauli", "X", 0, pi / 2),
        "sxdg": Form("pauli", "X", 0, -pi / 2),
        **{f"r{a}": Form("pauli", a.upper(), 1, 0) for a in ("xx", "yy", "zz", "zx")},
        # exp(−i t Π), Π the product of (1 − F)/2 over the qubits, F the letter; t = π is the gate itself
        "cx": Form("projector", "ZX", 0, pi),
        "cy": Form("projector", "ZY", 0, pi),
        "cz": Form("projector", "ZZ", 0, pi),
        "ch": Form("projector", "ZH", 0, pi),
        "ccx": Form("projector", "ZZX", 0, pi),
        "ccz": Form("projector", "ZZZ", 0, pi),
        "cp": Form("projector", "ZZ", -1, 0),
        "cu1": Form("projector", "ZZ", -1, 0),
        "cs": Form("projector", "ZZ", 0, -pi / 2),
        "csdg": Form("projector", "ZZ", 0, pi / 2),
        "csx": Form("projector", "ZX", 0, -pi / 2),
        "h": Form("projector", "H", 0, pi),
        # exp(−i t (1 − Z)/2 ⊗ P/2)
        **{f"cr{p.lower()}": Form("controlled", "C" + p, 1, 0) for p in "XYZ"},
        "swap": Form("swap", "SS", 0, pi),
        # all of SU(2) and SU(4)
        **{name: Form("special", "U", 0, 0) for name in ("u", "u2", "u3", "r")},
        **{
            name: Form("special", "UU", 0, 0)
            for name in ("cu", "cu3", "iswap", "dcx", "ecr", "xx_plus_yy", "xx_minus_yy")
        },
    }
)

_STANDARD = {name: gate.base_class for name, gate in get_standard_gate_name_mapping().items() if name in CATALOGUE}

# Whatever a gate of the sites may be called, the user's own apart: those are never replaced.
NAMES = frozenset(get_standard_gate_name_mapping()) | {"unitary", "pauli", "PauliEvolution"}

# Not in the catalogue, and better kept whole than taken apart into many gates.
KEPT_WHOLE = (UnitaryGate, StatePreparation, DiagonalGate, PermutationGate, UCGate)


@dataclass(frozen=True)
class Site:
    """One gate at its place in the circuit.

    Attributes:
        operation: The Qiskit instruction, parameters still symbolic.
        qubits: Indices in the circuit, in the gate's own order.
        role: "encoding" (an input enters, alone or with weights), "trainable" (weights only) or "fixed".
        family: Row of the catalogue in THEORY section 2, or None: such a gate is always kept.
        word: Letters of the subgroup's generator on the circuit's qubits; with `family` it names the class.
        coordinate: Group coordinate t of the member exp(−itA), radians, as an expression; None outside U(1) families.
        origins: Indices of the gates of the original circuit (after decomposition) this one stands for.
    """

    operation: Instruction
    qubits: tuple[int, ...]
    role: str
    family: str | None
    word: Word
    coordinate: Angle | None
    origins: tuple[int, ...]

    @property
    def name(self) -> str:
        return str(self.operation.name)


def sites_of(task: Task) -> tuple[Site, ...]:
    """The circuit's gates in order; composite gates are decomposed as far as the catalogue needs.

    Identity gates are kept here too, so that nothing is lost uncounted.
    """
    flat = _flatten(task, task.circuit, tuple(range(task.circuit.num_qubits)))
    return tuple(make_site(task, operation, qubits, (k,)) for k, (operation, qubits) in enumerate(flat))


def make_site(task: Task, operation: Instruction, qubits: tuple[int, ...], origins: tuple[int, ...]) -> Site:
    """Place an instruction in the catalogue."""
    form = _form(operation)
    word: Word = ()
    coordinate: Angle | None = None
    if form is not None:
        word = tuple(sorted((q, letter) for q, letter in zip(qubits, form.letters, strict=True) if letter != "I"))
        if form.family != "special":
            coordinate = operation.params[0] if form.scale else 0.0
            if (form.scale or 1, form.offset) != (1, 0):
                coordinate = form.offset + form.scale * coordinate
            if not isinstance(coordinate, ParameterExpression):
                coordinate = float(coordinate)
    role = "fixed"
    if any(task.has_inputs(p) for p in operation.params):
        role = "encoding"
    elif any(task.has_weights(p) for p in operation.params):
        role = "trainable"
    return Site(operation, qubits, role, None if form is None else form.family, word, coordinate, origins)


def _form(operation: Instruction) -> Form | None:
    """The catalogue's row for an instruction, None if it has none."""
    name = operation.name
    # By the class first: most gates are in the catalogue, and another gate may have the same name.
    if name in _STANDARD and getattr(operation, "base_class", None) is _STANDARD[name]:
        on_ones = 2 ** getattr(operation, "num_ctrl_qubits", 0) - 1
        return CATALOGUE[name] if getattr(operation, "ctrl_state", None) in (None, on_ones) else None
    if isinstance(operation, UnitaryGate):
        return Form("special", "U" * operation.num_qubits, 0, 0) if operation.num_qubits <= 2 else None
    if isinstance(operation, PauliGate):
        label = operation.params[0][::-1]  # the label is little-endian, letters go by the gate's qubits
        return Form("pauli", label, 0, pi) if set(label) != {"I"} else None
    if isinstance(operation, PauliEvolutionGate) and (term := _single_word(operation)) is not None:
        letters, coefficient = term
        return Form("pauli", letters, 2 * coefficient, 0)
    return None


def _as_standard(operation: Instruction) -> Instruction:
    """The library's gate for a user-defined one of the same name and action, else the instruction itself.

    OpenQASM 3 knows few gates; rzz, say, is read back as a definition of that name.
    """
    standard = _STANDARD.get(operation.name)
    if standard is None or getattr(operation, "base_class", standard) is standard or operation.definition is None:
        return operation
    free = {
        p for parameter in operation.params if isinstance(parameter, ParameterExpression) for p in parameter.parameters
    }
    probe = dict(
        zip(
            sorted(free, key=lambda p: p.name),
            np.random.default_rng(0).uniform(0.1, 3, len(free)),
            strict=True,
        )
    )
    try:
        gate = standard(*operation.params)
        numbers = [float(p.bind_all(probe)) if isinstance(p, ParameterExpression) else p for p in gate.params]
        same = Operator(operation.definition.assign_parameters(probe)).equiv(
            Operator(standard(*numbers)), rtol=0, atol=MATRIX_ROUNDING
        )
    except (TypeError, CircuitError):  # other parameters than the standard gate takes
        return operation
    return gate if same else operation


def _single_word(gate: PauliEvolutionGate) -> tuple[str, float] | None:
    operator = gate.operator
    if not isinstance(operator, SparsePauliOp) or len(operator) != 1:
        return None
    if isinstance(operator.coeffs[0], ParameterExpression):
        return None
    coefficient = complex(operator.coeffs[0])
    letters = operator.paulis.to_labels()[0][::-1]
    return (letters, coefficient.real) if coefficient.imag == 0 and set(letters) != {"I"} else None


def _check_size(task: Task, operation: Instruction, qubits: tuple[int, ...]) -> None:
    """Refuse angles so large that the sums a gate makes of them in double precision are other gates.

    Rotations know the place of any number in their period; but φ + λ = 1.7e9 + 0.3, as in the matrix of u or in what
    Qiskit takes other gates apart into, is off by 10⁻⁷.
    """
    given = [p for p in operation.params if isinstance(p, ParameterExpression | float | int)]
    if len(given) < 2:
        return
    values = np.array(np.broadcast_arrays(*(task.values(p) for p in given)))
    largest = float(np.abs(values).max())
    if EPSILON * largest > SUM_ROUNDING and np.any(np.count_nonzero(values, axis=0) > 1):
        raise TaskError(
            f"gate {operation.name} on qubits {list(qubits)} adds its angles, one of which is {largest:.6g}: double "
            "precision would round the sum; give angles modulo 4π, or write the gate as rotations (rx, ry, rz)"
        )


def _flatten(
    task: Task, circuit: QuantumCircuit, qubits: tuple[int, ...]
) -> Iterator[tuple[Instruction, tuple[int, ...]]]:
    for item in circuit.data:
        operation = _as_standard(item.operation)
        here = tuple(qubits[circuit.find_bit(q).index] for q in item.qubits)
        if isinstance(operation, Barrier):
            continue
        definition = None
        if _form(operation) is None and not isinstance(operation, (IGate, *KEPT_WHOLE)):
            try:
                definition = operation.definition
            except (TypeError, ValueError, CircuitError) as error:
                raise TaskError(
                    f"gate {operation.name} on qubits {list(here)} cannot be decomposed while it has free parameters "
                    f"({error}); bind them or write it in elementary gates"
                ) from error
            if definition is None and not hasattr(operation, "__array__"):
                raise TaskError(
                    f"{operation.name} on qubits {list(here)} has neither a definition nor a matrix to simulate; "
                    "give it a definition by unitary gates, or take it out"
                )
        form = _form(operation)
        if (form is not None and form.family == "special" and operation.name != "r") or (
            form is None and operation.base_class not in COMPOSITES
        ):
            _check_size(task, operation, here)
        if definition is None:
            yield operation, here
        else:
            yield from _flatten(task, definition, here)


def circuit_of(task: Task, sites: tuple[Site, ...]) -> QuantumCircuit:
    """Sites back to a circuit on the task's qubits and registers, with its global phase and free parameters."""
    qubits = task.circuit.qubits
    circuit = QuantumCircuit.from_instructions(
        [CircuitInstruction(site.operation, [qubits[q] for q in site.qubits]) for site in sites],
        qubits=qubits,
        name=task.circuit.name,
        global_phase=task.circuit.global_phase,
    )
    for register in task.circuit.qregs:
        circuit.add_register(register)
    return circuit


def with_origins(site: Site, origins: tuple[int, ...]) -> Site:
    """The same gate standing for other gates of the original."""
    return replace(site, origins=tuple(sorted(set(origins))))


def pauli_label(word: Word) -> tuple[str, list[int]]:
    """A word as Qiskit's little-endian label and the qubits it acts on, first qubit rightmost."""
    return "".join(letter for _, letter in reversed(word)), [q for q, _ in word]


def off_diagonal_weight(word: Word) -> int:
    """Number of X and Y letters."""
    return sum(letter in "XY" for _, letter in word)


def words_of(operator: SparsePauliOp, qubits: tuple[int, ...]) -> dict[Word, float]:
    """A Hermitian Pauli sum on `qubits` as coefficients by word on the circuit's qubits; () is the identity."""
    sums: dict[Word, float] = {}
    x, z = operator.paulis.x.tolist(), operator.paulis.z.tolist()  # labels take Qiskit many times as long
    for of_x, of_z, coefficient in zip(x, z, operator.coeffs.real.tolist(), strict=True):
        letters = ((q, "IZXY"[2 * a + b]) for q, a, b in zip(qubits, of_x, of_z, strict=True))
        word = tuple(sorted(each for each in letters if each[1] != "I"))
        sums[word] = sums.get(word, 0.0) + coefficient
    return sums
