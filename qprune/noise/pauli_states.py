"""Density matrices of a compiled circuit on a noisy device, all inputs at once, in the Pauli basis.

A state is the array of its ⟨P⟩ over all Pauli words P, real, with the inputs along the last axis. A native gate and the
noise after it are one real matrix on its letters, the same for all inputs unless its angle has one; that of a rotation
is c₀ + c₁ cos φ + c₂ sin φ, from three of its angles. What happens to one qubit between its gates with others is
gathered into one matrix, and into that of the next such gate where no input enters: a state is long, a matrix is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Instruction
from qiskit.quantum_info import PTM, Operator, SuperOp

from qprune._arrays import FloatArray
from qprune.noise.devices import Device, Qubits
from qprune.noise.native import NativeGate
from qprune.task.task import Task

MOST_NUMBERS = 2**23  # of a state, words times inputs: six qubits and 2,000 inputs, eight and 128
ROTATIONS = ("rx", "ry", "rz", "p", "rxx", "ryy", "rzz", "rzx")  # of one angle, generators with two eigenvalues
ANGLES = 2 * np.pi / 3 * np.arange(3)
NOTHING = np.eye(4)  # happened to a qubit


class PauliStates:
    """Runs compiled circuits on a device.

    Args:
        device: The channels that follow native gates, and relaxation while qubits wait.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._known: dict[object, FloatArray] = {}

    def run(
        self,
        task: Task,
        gates: Sequence[NativeGate],
        waits: Sequence[Sequence[tuple[int, float]]],
        used: Sequence[int],
        samples: NDArray[np.intp],
    ) -> FloatArray:
        """⟨P⟩ of every word at the end, shape (4, …, 4, M): letter I, X, Y, Z, the last of `used` first.

        Args:
            task: Binds the angles.
            gates: Native gates on physical qubits.
            waits: After each gate, the qubits that wait then, with the seconds.
            used: The physical qubits that there are.
            samples: Indices of the inputs.
        """
        places = {q: j for j, q in enumerate(used)}
        state = np.zeros((4,) * len(used) + (len(samples),))
        state[np.ix_(*[[0, 3]] * len(used), range(len(samples)))] = 1.0
        gathered: dict[int, FloatArray] = {}  # by qubit, since the state last saw it
        for (gate, qubits), waiting in zip(gates, waits, strict=True):
            matrix = self._matrix(task, gate, qubits, samples)
            if len(qubits) == 1:
                gathered[qubits[0]] = _after(matrix, gathered.get(qubits[0]))
            else:
                for q in [q for q in qubits if gathered.get(q, NOTHING).ndim > 2]:
                    state = _applied(gathered.pop(q), state, [places[q]])
                before: FloatArray = np.eye(1)
                for q in qubits:  # the first is the fastest
                    before = np.asarray(np.kron(gathered.pop(q, NOTHING), before), dtype=float)
                state = _applied(_after(matrix, before), state, [places[q] for q in qubits])
            for q, seconds in waiting:
                if (relaxed := self._relaxation(q, seconds)) is not None:
                    gathered[q] = _after(relaxed, gathered.get(q))
        for q, matrix in gathered.items():
            state = _applied(matrix, state, [places[q]])
        return state

    def _matrix(self, task: Task, gate: Instruction, qubits: Qubits, samples: NDArray[np.intp]) -> FloatArray:
        """Gate and noise, shape (4^m, 4^m), or (4^m, 4^m, M) where inputs enter."""
        noise = self._noise(gate.name, qubits)
        if gate.name in ROTATIONS:
            values = task.values(gate.params[0], samples)
            shares = np.array([np.ones_like(values), np.cos(values), np.sin(values)])
            found = np.tensordot(self._parts(gate), shares, (0, 0))
        elif not any(task.has_inputs(angle) for angle in gate.params):
            found = self._unitary(task.bound_operation(gate))
        else:
            rows = [task.bound_operation(gate, task.inputs[sample]) for sample in samples.tolist()]
            found = np.stack([PTM(Operator(row)).data.real for row in rows], axis=-1)
        return found if noise is None else _after(noise, found)

    def _parts(self, rotation: Instruction) -> FloatArray:
        """c₀, c₁ and c₂, shape (3, 4^m, 4^m)."""
        if rotation.name not in self._known:
            at = np.array([self._unitary(type(rotation)(float(value))) for value in ANGLES])
            shares = np.array([np.full(3, 1 / 3), 2 / 3 * np.cos(ANGLES), 2 / 3 * np.sin(ANGLES)])
            self._known[rotation.name] = np.tensordot(shares, at, 1)
        return self._known[rotation.name]

    def _unitary(self, operation: Instruction) -> FloatArray:
        key = operation.name, getattr(operation, "ctrl_state", None), tuple(float(p) for p in operation.params)
        if key not in self._known:
            self._known[key] = PTM(Operator(operation)).data.real
        return self._known[key]

    def _noise(self, gate: str, qubits: Qubits) -> FloatArray | None:
        channel = self.device.channel(gate, qubits)
        return None if channel is None else self._transfer((gate, qubits), channel)

    def _relaxation(self, qubit: int, seconds: float) -> FloatArray | None:
        channel = self.device.waiting(qubit, seconds)
        return None if channel is None else self._transfer((qubit, seconds), channel)

    def _transfer(self, key: object, channel: SuperOp) -> FloatArray:
        if key not in self._known:
            self._known[key] = PTM(channel).data.real
        return self._known[key]


def mean_of(word: Mapping[int, str], state: FloatArray) -> FloatArray:
    """⟨P⟩ of one word, shape (M,).

    Args:
        word: Letters by place.
        state: As `PauliStates.run` gives it.
    """
    letters = [0] * (state.ndim - 1)
    for place, letter in word.items():
        letters[-1 - place] = "IXYZ".index(letter)
    return state[tuple(letters)]


def _after(matrix: FloatArray, before: FloatArray | None) -> FloatArray:
    """One matrix after another, either by input or for all."""
    return matrix if before is None else np.einsum("ab...,bc...->ac...", matrix, before)


def _applied(matrix: FloatArray, state: FloatArray, places: Sequence[int]) -> FloatArray:
    """A matrix on some places, the first least significant."""
    axes = [state.ndim - 2 - p for p in reversed(places)]
    front = np.moveaxis(state, axes, range(len(axes)))
    if matrix.ndim == 2:
        moved = matrix @ front.reshape(len(matrix), -1)
    else:
        moved = np.einsum("abm,brm->arm", matrix, front.reshape(len(matrix), -1, state.shape[-1]))
    return np.moveaxis(moved.reshape(front.shape), range(len(axes)), axes)
