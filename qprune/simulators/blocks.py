"""The circuit cut into blocks: runs of gates on at most three qubits, each made into one matrix.

Every expectation value inside a block follows from the reduced state of its qubits before it, ⟨U†PU⟩ with U what
stands between; so one look at the state per block serves all the gates in it, instead of one per gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from math import pi

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.circuit.library import DiagonalGate, UnitaryGate
from qiskit.quantum_info import Pauli

from qprune._arrays import ComplexArray
from qprune.errors import TaskError
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Angle, Site, Word, make_site, pauli_label
from qprune.gates.subgroups import subgroup_of
from qprune.task.task import Task

LARGEST = 3  # qubits of a block: its matrix then costs Aer as much as its gates; with more qubits it would cost more
WHOLE_QUBITS = 4  # a gate on more than these is applied through its definition

Positions = tuple[int, ...]


@dataclass(eq=False)
class Block:
    """One step of a pass: values to read from the state before it, and what it does to the state.

    Attributes:
        qubits: Ascending; the first is the least significant.
        is_open: Whether it may take in more gates and words.
        rows: Rows of the pass's values that are read.
        words: The word whose mean each of these rows is …
        after: … once this matrix has acted, shape (d, d).
        matrix: What it does, shape (d, d); None does nothing.
        diagonals: What it does instead, one diagonal per sample, shape (M, d), or one for all, (1, d).
    """

    qubits: Positions
    is_open: bool = True
    rows: list[int] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    after: list[ComplexArray] = field(default_factory=list)
    matrix: ComplexArray | None = None
    diagonals: ComplexArray | None = None

    @cached_property
    def operators(self) -> ComplexArray:
        """U†PU for each row: what it is the mean of before the block, shape (V, d, d)."""
        place = {q: j for j, q in enumerate(self.qubits)}
        operators = np.array([_pauli(tuple((place[q], p) for q, p in word), len(place)) for word in self.words])
        after = np.array(self.after)
        return after.conj().transpose(0, 2, 1) @ operators @ after

    def apply(self, matrix: ComplexArray, qubits: Positions) -> None:
        gate = _embedded(matrix, qubits, self.qubits)
        self.matrix = gate if self.matrix is None else gate @ self.matrix

    def read(self, row: int, word: Word) -> None:
        """Ask for ⟨P⟩ after what the block holds so far."""
        self.rows.append(row)
        self.words.append(word)
        self.after.append(_identity(len(self.qubits)) if self.matrix is None else self.matrix)

    def take(self, other: Block) -> None:
        """Join a block on other qubits, among those of this one."""
        self.rows += other.rows
        self.words += other.words
        wide = {id(matrix): _embedded(matrix, other.qubits, self.qubits) for matrix in other.after}
        self.after += [wide[id(matrix)] for matrix in other.after]
        if other.matrix is not None:
            self.apply(other.matrix, other.qubits)


class Blocks:
    """Collects gates and wanted words in order, and puts each into the block it can be moved to.

    Args:
        task: Binds the parameters.
        samples: Indices of the samples.
        largest: Qubits of a block, but for gates that have more.
    """

    def __init__(self, task: Task, samples: NDArray[np.intp], largest: int = LARGEST) -> None:
        self.task, self.samples, self.largest = task, samples, largest
        self.num_rows = 0
        self.varies = False
        self._steps: dict[Block, None] = {}
        self._last: dict[int, Block] = {}

    @property
    def steps(self) -> list[Block]:
        return list(self._steps)

    def steps_to_the_last_reading(self) -> list[Block]:
        """The steps without what is done after all reading."""
        needed: list[Block] = []
        read = set[int]()
        for block in reversed(self._steps):
            if read.isdisjoint(block.qubits):
                if not block.rows:
                    continue
                block = replace(block, matrix=None, diagonals=None)
            read.update(block.qubits)
            needed.append(block)
        return needed[::-1]

    def save_word(self, word: Word) -> int:
        """Ask for ⟨P⟩ at this place; its row."""
        row, qubits = self.num_rows, tuple(q for q, _ in word)
        self.num_rows += 1
        if len(qubits) > self.largest:
            self._push(Block(qubits, False, [row], [word]))
        else:
            self._block(qubits).read(row, word)
        return row

    def append(self, site: Site) -> None:
        """Apply a gate, up to a global phase."""
        group, operation, qubits = subgroup_of(site), site.operation, tuple(sorted(site.qubits))
        if not qubits:
            return
        if isinstance(operation, DiagonalGate):
            axes = [len(qubits) - 1 - j for j in np.argsort(site.qubits)[::-1]]
            entries = np.array(operation.params, dtype=complex).reshape((2,) * len(qubits)).transpose(axes)
            self._push(Block(qubits, False, diagonals=entries.reshape(1, -1)))
        elif len(qubits) > WHOLE_QUBITS and operation.definition is not None and not isinstance(operation, UnitaryGate):
            self._append_parts(operation.definition, site.qubits)
        elif group is not None and site.coordinate is not None:
            qubits = group.qubits  # a Pauli word may have letters I
            coordinate = self.task.values(site.coordinate, self.samples)
            if coordinate.ndim == 0:
                self._apply(group.matrix(float(coordinate)), qubits)
            else:
                eigenvalues, vectors = group.eigenbasis
                self.varies = True
                self._apply(vectors.conj().T, qubits)
                self._push(Block(qubits, False, diagonals=np.exp(-1j * np.multiply.outer(coordinate, eigenvalues))))
                self._apply(vectors, qubits)
        elif site.role == "encoding":
            if (parts := _one_parameter_gates(operation)) is None:
                raise TaskError(
                    f"gate {operation.name} on qubits {list(site.qubits)} takes inputs and has no definition; "
                    "define it in elementary gates"
                )
            self._append_parts(parts, site.qubits)
        else:
            self._apply(unitary_of([(self.task.bound_operation(operation), site.qubits)], qubits), qubits)

    def _apply(self, matrix: ComplexArray, qubits: Positions) -> None:
        if len(qubits) > self.largest:
            self._push(Block(qubits, False, matrix=matrix))
        else:
            self._block(qubits).apply(matrix, qubits)

    def _append_parts(self, definition: QuantumCircuit, qubits: Positions) -> None:
        for item in definition.data:
            where = tuple(qubits[definition.find_bit(q).index] for q in item.qubits)
            self.append(make_site(self.task, item.operation, where, ()))

    def _block(self, qubits: Positions) -> Block:
        """The block for a gate on these qubits: behind everything on them so far, and with nothing behind it there."""
        first = self._last.get(qubits[0])
        if first is not None and first.is_open and all(self._last.get(q) is first for q in qubits):
            return first
        before = dict.fromkeys(self._last[q] for q in qubits if q in self._last)
        inside, taken = set(qubits), list[Block]()
        for block in sorted(before, key=lambda b: len(b.qubits)):
            # What has nothing behind it on any of its qubits can be moved here.
            if block.is_open and all(self._last[q] is block for q in block.qubits):
                wider = inside | set(block.qubits)
                if len(wider) <= self.largest:
                    inside, taken = wider, [*taken, block]
        new = Block(tuple(sorted(inside)))
        for block in taken:
            del self._steps[block]
            new.take(block)
        self._push(new)
        return new

    def _push(self, block: Block) -> None:
        self._steps[block] = None
        self._last.update(dict.fromkeys(block.qubits, block))


def _one_parameter_gates(operation: Instruction) -> QuantumCircuit | None:
    """A gate of several parameters as gates of one each, up to a global phase."""
    if operation.name not in _EULER_ANGLES:
        return operation.definition
    theta, phi, last = _EULER_ANGLES[operation.name](*operation.params)
    circuit = QuantumCircuit(1)
    circuit.rz(last, 0)
    (circuit.rx if operation.name == "r" else circuit.ry)(theta, 0)
    circuit.rz(phi, 0)
    return circuit


# Of RZ(φ) RY(θ) RZ(λ), as (θ, φ, λ); for r with RX in the middle, as then no angle is added to another.
_EULER_ANGLES: dict[str, Callable[..., tuple[Angle, Angle, Angle]]] = {
    "u": lambda theta, phi, last: (theta, phi, last),
    "u3": lambda theta, phi, last: (theta, phi, last),
    "u2": lambda phi, last: (pi / 2, phi, last),
    "r": lambda theta, phi: (theta, phi, -phi),
}


def _embedded(matrix: ComplexArray, qubits: Positions, into: Positions) -> ComplexArray:
    """A matrix on some of a block's qubits as one on all of them."""
    if qubits == into:
        return matrix
    rows, columns, entries = _pattern(tuple(into.index(q) for q in qubits), len(into))
    wide = np.zeros((2 ** len(into),) * 2, dtype=complex)
    wide[rows, columns] = matrix.ravel()[entries]
    return wide


@cache
def _pattern(positions: Positions, size: int) -> tuple[NDArray[np.intp], ...]:
    """Where the entries of the wider matrix stand that may differ from zero, and which of the narrow one they are."""
    index = np.arange(2**size)
    inner = np.sum([(index >> p & 1) << j for j, p in enumerate(positions)], axis=0)
    outer = index & ~sum(1 << p for p in positions)
    rows, columns = np.nonzero(outer[:, None] == outer)
    return rows, columns, inner[rows] * 2 ** len(positions) + inner[columns]


@cache
def _pauli(word: Word, size: int) -> ComplexArray:
    label, positions = pauli_label(word)
    return _embedded(Pauli(label).to_matrix(), tuple(positions), tuple(range(size)))


@cache
def _identity(size: int) -> ComplexArray:
    return np.eye(2**size, dtype=complex)
