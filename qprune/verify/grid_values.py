"""Outputs of the two circuits on a grid of phases, with states of this package's own.

Source: THEORY T9.
"""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task
from qprune.verify.phases import Angle, Found, Placed


def values_on_grid(task: Task, found: Found, which: int) -> FloatArray:
    """Outputs of one circuit on 2d+1 equispaced values of every phase, shape (2d_1+1, …, R or outcomes).

    A phase becomes an axis of the states when it is met first, so that what comes before is simulated once.
    """
    used = _used(task, found.circuits[which])
    start = np.zeros((2 ** len(used), 1), dtype=complex)
    start[0] = 1
    states = states_on_grid(found, which, used, start)
    outputs = outputs_of(task, states.reshape(2 ** len(used), -1), used)
    return np.moveaxis(outputs.reshape(len(outputs), *states.shape[2:]), 0, -1)


def states_on_grid(found: Found, which: int, used: list[int], start: ComplexArray) -> ComplexArray:
    """Final states of one circuit from some states side by side, on the same grid.

    Args:
        found: The two circuits.
        which: 0 or 1.
        used: The qubits to hold, ascending.
        start: Shape (2^n, S).

    Returns:
        Shape (2^n, S, 2d_1+1, …).
    """
    place = {q: k for k, q in enumerate(used)}
    sizes = [2 * d + 1 for d in found.degrees]
    met: list[int] = []
    state: NDArray[Any] = start
    for gate in found.circuits[which]:
        places = tuple(place[q] for q in gate.qubits)
        own = sorted({j for angle in gate.angles for j, _ in angle.parts})
        for j in own:
            if j not in met:
                state = np.repeat(state[..., None], sizes[j], axis=-1)
                met.append(j)
        state = _applied(state, gate, places, own, [2 + met.index(j) for j in own], sizes)
    state = state.transpose(0, 1, *np.argsort(met) + 2)
    for j in range(len(sizes)):
        if j not in met:
            state = np.repeat(np.expand_dims(state, 2 + j), sizes[j], axis=2 + j)
    return state


def _used(task: Task, gates: tuple[Placed, ...]) -> list[int]:
    return sorted({q for gate in gates for q in gate.qubits} | {q for s in task.output_supports for q in s}) or [0]


def _applied(
    state: ComplexArray, gate: Placed, places: tuple[int, ...], own: list[int], axes: list[int], sizes: list[int]
) -> ComplexArray:
    out = np.empty_like(state)
    for index in np.ndindex(*(sizes[j] for j in own)):
        at = {j: 2 * pi * k / sizes[j] for j, k in zip(own, index, strict=True)}
        bound = gate.operation.to_mutable() if gate.params else gate.operation
        if gate.params:
            bound.params = [p.at(at) if isinstance(p, Angle) else p for p in gate.params]
        where: list[Any] = [slice(None)] * state.ndim
        for axis, k in zip(axes, index, strict=True):
            where[axis] = k
        part = np.ascontiguousarray(state[tuple(where)])
        columns = part.reshape(len(part), -1)
        out[tuple(where)] = _on_columns(np.asarray(bound.to_matrix(), dtype=complex), places, columns).reshape(
            part.shape
        )
    return out


def _on_columns(matrix: ComplexArray, places: tuple[int, ...], states: ComplexArray) -> ComplexArray:
    """A matrix on many states side by side: the samples are further qubits' worth of amplitudes behind each."""
    num_qubits, count = len(states).bit_length() - 1, states.shape[1]
    front = [num_qubits - 1 - q for q in reversed(places)]
    axes = front + [axis for axis in range(num_qubits) if axis not in front]
    tensor = states.reshape(*(2,) * num_qubits, count).transpose(*axes, num_qubits)
    moved = matrix @ tensor.reshape(len(matrix), -1)
    return moved.reshape(*(2,) * num_qubits, count).transpose(*np.argsort(axes), num_qubits).reshape(-1, count)


def outputs_of(task: Task, states: ComplexArray, used: list[int]) -> FloatArray:
    """Outputs without the identity's part, or probabilities, of states side by side, shape (2^n, M)."""
    if task.observables is None:
        chances = np.abs(states.reshape(*(2,) * len(used), -1)) ** 2
        keep = [len(used) - 1 - used.index(q) for q in reversed(task.measured_qubits)]
        others = tuple(axis for axis in range(len(used)) if axis not in keep)
        left = [axis for axis in range(len(used)) if axis in keep]
        summed = chances.sum(axis=others)
        return summed.transpose(*(left.index(axis) for axis in keep), len(keep)).reshape(2 ** len(keep), -1)
    found = []
    for observable in task.observables:
        local = restricted(without_identity(observable)[1], used)
        image = sum(
            c * (word.to_matrix(sparse=True) @ states) for word, c in zip(local.paulis, local.coeffs, strict=True)
        )
        found.append(np.einsum("sm,sm->m", states.conj(), image).real)
    return np.array(found)
