"""What `verify` simulates: circuits as matrices on plain statevectors, and the gates that matter to an output.

Qiskit binds the parameters and gives each gate's matrix; deformed overlaps come from the channel D_η itself and angles
from the part of one state orthogonal to the other, never from a closed form. Nothing here is shared with the path that
makes certificates, beyond the task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Pauli, Statevector

from qprune._arrays import FloatArray
from qprune._progress import bar
from qprune.errors import TaskError
from qprune.task.observables import DENSE_QUBITS, restricted, without_identity
from qprune.task.task import Task

ComplexArray = NDArray[np.complex128]
Pieces = list[tuple[ComplexArray, tuple[int, ...]]]  # matrices with the places they act on, first least significant
# What replaces a gate, by its index: a matrix on its qubits in ascending order, the first least significant; None is
# the identity.
Replacements = Mapping[int, ComplexArray | None]

PRODUCT = 1e-12  # singular values of a unitary below are zero: as much as an exact simplification may spend on a gate
COPIES = 6  # statevectors alive at a time, besides those of the outputs' light cones
KEPT_ENTRIES = 2**20  # of all Pauli words together, up to which their matrices are kept from state to state: 24 MiB


class Found(NamedTuple):
    """What simulation says, on every sample of the task (last axis); R outputs, K replacements."""

    exact: FloatArray  # (R, M) deviation of the simplified circuit from the original
    measured: FloatArray  # (R, M) of the pruned circuit from the original
    rewriting: FloatArray  # (R, M) of the pruned circuit from the simplified one with representatives put in
    before: FloatArray  # (R, M) ⟨O_r⟩ without the identity's part in the original; empty for probabilities, like …
    after: FloatArray  # (R, M) … the same in the pruned circuit, and the next
    spread: FloatArray  # (R, M) σ_O in the original
    deformed: FloatArray  # (K, M) d_q
    angle: FloatArray  # (K, M) θ
    state: FloatArray  # (1 + R, M) angle that all replacements, and those in each output's light cone, make together
    error: float  # limit of the error of every simulated state, beyond rounding
    gate_error: FloatArray  # (K,) what that makes of the angles of gates
    angle_error: float  # and of the angles of states


def simulate(
    task: Task,
    simplified: Task,
    pruned: Task,
    by: Replacements,
    cones: Sequence[tuple[bool, ...]],
    q_inverse: FloatArray,
    progress: bool,
) -> Found:
    """Run the circuits on every sample, and in the simplified one the replacements, one by one and together.

    Args:
        task: The original.
        simplified: Its circuit after exact simplification.
        pruned: The result.
        by: The replacements in `simplified`.
        cones: Per output, which of the replacements are on its light cone.
        q_inverse: 1/q of the geometry at each replacement, shape (K,).
        progress: Show a progress bar.

    Raises:
        TaskError: The statevectors do not fit into memory.
    """
    import psutil

    used = used_qubits(task, simplified, pruned)
    outputs, at = _Outputs(task, used), {site: j for j, site in enumerate(by)}
    everything = (True,) * len(by)
    choices = list(dict.fromkeys([everything, *cones]))
    gates = simplified.circuit.data
    added = max((len(gates[k].qubits) for k, q in zip(by, q_inverse, strict=True) if q != 1), default=0)
    needed, free = 16 * 2.0 ** len(used) * (len(choices) + COPIES * 2**added), psutil.virtual_memory().available
    if needed > 0.9 * free:
        raise TaskError(
            f"verifying a circuit on {len(used)} qubits needs {needed / 2**30:.3g} GiB of memory and "
            f"{free / 2**30:.3g} GiB are free; use a machine with more memory"
        )
    first, middle, last = (_Gates(each, used) for each in (task, simplified, pruned))
    rows = []
    for i in bar("verifying", "sample", progress, of=range(task.num_samples)):
        # Where nothing is replaced the state stays what it is.
        state, rewritten = _zero(len(used)), {choice: _zero(len(used)) for choice in choices if any(choice)}
        deformed, angle = np.zeros((2, len(by)))
        for k, (gate, places) in enumerate(middle.of(i)):
            beyond, j = run_gates(gate, state), at.get(k)
            other_gate = gate
            if j is not None:
                other_gate = [] if (matrix := by[k]) is None else [(matrix, tuple(sorted(places)))]
                angle[j] = _angle(beyond, run_gates(other_gate, state))
                mixed = state if q_inverse[j] == 1 else _deform(state, places, float(q_inverse[j]))
                deformed[j] = 2 * np.sin(_angle(run_gates(gate, mixed), run_gates(other_gate, mixed)) / 2)
            for choice, other in rewritten.items():
                rewritten[choice] = run_gates(gate if j is None or not choice[j] else other_gate, other)
            state = beyond
        made = {choice: _angle(state, rewritten.get(choice, state)) for choice in choices}
        final = state if pruned is simplified else last.final(i)
        finals = first.final(i), state, rewritten.get(everything, state), final
        (original, spread), (exact, _), (replayed, _), (after, _) = map(outputs.of, finals)
        deviations = (outputs.deviation(*pair) for pair in ((original, exact), (original, after), (replayed, after)))
        means = (values if task.observables is not None else values[:0] for values in (original, after))
        rows.append((*deviations, *means, spread, deformed, angle, [made[c] for c in (everything, *cones)]))
    return Found._make([*(np.array(column).T for column in zip(*rows, strict=True)), 0.0, np.zeros(len(by)), 0.0])


# -- which gates matter -------------------------------------------------------------------------------------------


def indices(circuit: QuantumCircuit, item: Any) -> tuple[int, ...]:
    return tuple(circuit.find_bit(q).index for q in item.qubits)


def used_qubits(*tasks: Task) -> list[int]:
    """Qubits that gates act on or that the first task measures; all others stay |0⟩."""
    qubits = {q for support in tasks[0].output_supports for q in support}
    for task in tasks:
        qubits.update(q for item in task.circuit.data for q in indices(task.circuit, item))
    return sorted(qubits) or [0]


def past_cones(circuit: QuantumCircuit) -> list[set[int]]:
    """For each gate those before it that are joined to it by a chain of gates sharing qubits."""
    cones: list[set[int]] = []
    touched = [set(indices(circuit, item)) for item in circuit.data]
    for k, qubits in enumerate(touched):
        seen, cone = set(qubits), set()
        for j in reversed(range(k)):
            if not seen.isdisjoint(touched[j]):
                cone.add(j)
                seen |= touched[j]
        cones.append(cone)
    return cones


def light_cones(task: Task, circuit: QuantumCircuit, by: Replacements) -> list[tuple[bool, ...]]:
    """Per output, which replacements act on its backward light cone; where nothing joins qubits it does not grow."""
    cones, separate = [], {k for k, matrix in by.items() if matrix is None or _is_product(matrix)}
    for support in task.output_supports:
        cone, inside = set(support), set()
        for k in reversed(range(len(circuit.data))):
            qubits = indices(circuit, circuit.data[k])
            if not cone.isdisjoint(qubits):
                inside.add(k)
                if k not in separate:
                    cone.update(qubits)
        cones.append(tuple(site in inside for site in by))
    return cones


def _is_product(matrix: ComplexArray) -> bool:
    """Whether it factors into one matrix per qubit: as a map from each qubit's entries to the others' its rank is 1."""
    size = len(matrix).bit_length() - 1
    tensor = matrix.reshape((2,) * 2 * size)
    each = (np.moveaxis(tensor, (axis, size + axis), (0, 1)).reshape(4, -1) for axis in range(size))
    return all(np.linalg.matrix_rank(entries, tol=PRODUCT) == 1 for entries in each)


# -- states -------------------------------------------------------------------------------------------------------


def gates_on(circuit: QuantumCircuit, used: list[int]) -> Iterator[tuple[Pieces, tuple[int, ...]]]:
    """Every instruction of a bound circuit as matrices on positions in `used`, and all its positions."""
    position = {q: j for j, q in enumerate(used)}
    for item in circuit.data:
        places = tuple(position[q] for q in indices(circuit, item))
        yield list(_pieces(item.operation, places)), places


def _pieces(operation: Any, places: tuple[int, ...]) -> Iterator[tuple[ComplexArray, tuple[int, ...]]]:
    """An instruction as matrices.

    Where Qiskit has no `__array__` the definition counts, which is what runs on a device: `to_matrix` of a Pauli
    evolution of several terms would be the exponential before Trotterisation.
    """
    is_dense = hasattr(operation, "__array__") and len(places) <= DENSE_QUBITS
    definition = None if is_dense else getattr(operation, "definition", None)  # made anew each time
    if definition is None:
        yield np.asarray(operation.to_matrix(), dtype=complex), places
    else:
        for item in definition.data:
            yield from _pieces(item.operation, tuple(places[q] for q in indices(definition, item)))


def _zero(num_qubits: int) -> ComplexArray:
    state = np.zeros(2**num_qubits, dtype=complex)
    state[0] = 1
    return state


class _Gates:
    """A task's circuit as `gates_on` gives it, sample by sample; gates that no input enters are made once."""

    def __init__(self, task: Task, used: list[int]) -> None:
        self.task, self.num_qubits, position = task, len(used), {q: j for j, q in enumerate(used)}
        self.operations = [item.operation for item in task.circuit.data]
        self.places = [tuple(position[q] for q in indices(task.circuit, item)) for item in task.circuit.data]
        self.fixed = [
            None if any(map(task.has_inputs, operation.params)) else self._made(operation, places)
            for operation, places in zip(self.operations, self.places, strict=True)
        ]

    def _made(self, operation: Any, places: tuple[int, ...], inputs: FloatArray | None = None) -> Pieces:
        return list(_pieces(self.task.bound_operation(operation, inputs), places))

    def of(self, sample: int) -> Iterator[tuple[Pieces, tuple[int, ...]]]:
        inputs = self.task.inputs[sample]
        for operation, places, fixed in zip(self.operations, self.places, self.fixed, strict=True):
            yield self._made(operation, places, inputs) if fixed is None else fixed, places

    def final(self, sample: int) -> ComplexArray:
        state = _zero(self.num_qubits)
        for gate, _ in self.of(sample):
            state = run_gates(gate, state)
        return state


def run_gates(pieces: Pieces, state: ComplexArray) -> ComplexArray:
    num_qubits = state.size.bit_length() - 1
    for matrix, places in pieces:
        there, back = _axes(places, num_qubits)
        moved = matrix @ state.reshape((2,) * num_qubits).transpose(there).reshape(len(matrix), -1)
        state = moved.reshape((2,) * num_qubits).transpose(back).reshape(-1)
    return state


@lru_cache(maxsize=4096)
def _axes(places: tuple[int, ...], num_qubits: int) -> tuple[list[int], list[int]]:
    """Axes of a state's tensor with those of `places` in front, the first place least significant; and the way back."""
    front = [num_qubits - 1 - q for q in reversed(places)]
    there = front + [axis for axis in range(num_qubits) if axis not in front]
    return there, np.argsort(there).tolist()


def _deform(state: ComplexArray, places: Sequence[int], q_inverse: float) -> ComplexArray:
    """A purification of D_η(ρ): K^½/√[2]_q and K^−½/√[2]_q on each place, told apart by one more qubit on top."""
    half = np.sqrt(np.array([1, q_inverse**2]) / (1 + q_inverse**2))  # the diagonal of the former
    for place in places:
        state = np.concatenate([run_gates([(np.diag(diagonal), (place,))], state) for diagonal in (half, half[::-1])])
    return state


def _angle(first: ComplexArray, second: ComplexArray) -> float:
    """arccos|⟨φ|ψ⟩| from the part of ψ orthogonal to φ; arccos itself loses half of the digits near zero."""
    overlap = np.vdot(first, second)
    return float(np.arctan2(np.linalg.norm(second - overlap * first), abs(overlap)))


class _Outputs:
    """What a task measures, read off a statevector on the given qubits."""

    def __init__(self, task: Task, used: list[int]) -> None:
        self.places = [used.index(q) for q in task.measured_qubits] if task.observables is None else None
        observables = [restricted(without_identity(o)[1], used) for o in task.observables or ()]
        kept = sum(map(len, observables)) << len(used) <= KEPT_ENTRIES
        self.words = [
            [(c, word.to_matrix(sparse=True) if kept else word) for word, c in zip(o.paulis, o.coeffs, strict=True)]
            for o in observables
        ]

    def of(self, state: ComplexArray) -> tuple[FloatArray, FloatArray]:
        """⟨O_r⟩ without the identity's part and σ_r, or the distribution and nothing."""
        if self.places is not None:
            return Statevector(state).probabilities(self.places), np.zeros(0)
        images = [
            sum(c * ((word.to_matrix(sparse=True) if isinstance(word, Pauli) else word) @ state) for c, word in words)
            for words in self.words
        ]
        means = np.array([np.vdot(state, image).real for image in images])
        return means, np.array([np.linalg.norm(o - m * state) for o, m in zip(images, means, strict=True)])

    def deviation(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """|Δ⟨O_r⟩|, or the total variation."""
        change = np.abs(second - first)
        return change if self.places is None else change.sum(keepdims=True) / 2
