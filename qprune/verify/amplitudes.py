"""Inputs that prepare states, read anew for verification: what both circuits begin with, and what follows as matrices.

If both circuits begin with the same gates without weights, nothing of the inputs there matters but the state that they
make, and every state is checked at once: as singular values of matrices, which hold for all vectors. Of probabilities
each outcome has such a matrix Δ_b, and ½ Σ|⟨ψ|Δ_b|ψ⟩| is ½ Σ ±⟨ψ|Δ_b|ψ⟩ with the signs for which that is largest.

Source: THEORY T9, step 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import TaskError
from qprune.task.domain import Resolved
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task
from qprune.verify.grid_values import states_on_grid
from qprune.verify.phases import ANGLES, LIBRARY, Found, elementary, read
from qprune.verify.states import indices

MOST_ENTRIES = 2**24  # of all matrices
MOST_OUTCOMES = 8  # with signs of their own: 128 combinations
EPS = float(np.finfo(float).eps)

Placed: TypeAlias = tuple[Any, tuple[int, ...]]
"""A gate and its qubits."""


@dataclass(frozen=True)
class After:
    """Two circuits after the gates that they both begin with.

    Attributes:
        found: What follows.
        qubits: Those of the gates left out.
        is_real: Whether the states that those make on a domain have real amplitudes.
        is_whole: Whether those are state preparations, not what such may have been taken apart into.
        outcomes: Of a distribution that is measured; 1 for an observable.
    """

    found: Found
    qubits: tuple[int, ...]
    is_real: bool
    is_whole: bool
    outcomes: int

    def largest(self, values: FloatArray) -> FloatArray:
        """Largest singular value of matrices, as `change_as_matrices` has them, shape (…, V); of those of several
        outcomes, added with signs and halved."""
        half = values.shape[-1] if self.is_real else values.shape[-1] // 2
        flat = values if self.is_real else values[..., :half] + 1j * values[..., half:]
        size = round((half // self.outcomes) ** 0.5)
        matrices = flat.reshape(*values.shape[:-1], self.outcomes, size, size)
        if self.outcomes == 1:
            return np.asarray(np.linalg.norm(matrices[..., 0, :, :], 2, axis=(-2, -1)))
        norms = np.zeros(values.shape[:-1])
        for signs in product((-0.5, 0.5), repeat=self.outcomes - 1):  # the first is 1/2: all turned around is the same
            mixed = np.tensordot((0.5, *signs), matrices, (0, -3))
            norms = np.maximum(norms, np.linalg.norm(mixed, 2, axis=(-2, -1)))
        return norms

    @property
    def share(self) -> float:
        """What `largest` is at most, as a share of the norm of all values: ½ Σ ‖Δ_b‖ ≤ ½ √outcomes (Σ ‖Δ_b‖²)^½."""
        return 1.0 if self.outcomes == 1 else self.outcomes**0.5 / 2


def without_heads(original: Task, pruned: Task, domain: Resolved) -> Iterator[After]:
    """Ways to read both circuits after the gates that they begin with.

    First only whole gates of several angles are left out, as state preparations are; then all that have no angles but
    those of inputs, preparations that were taken apart.
    """
    outcomes = 1 if original.observables is not None else 2 ** len(original.measured_qubits)
    for is_apart in (False, True):
        gates = [list(_gates(task, is_apart)) for task in (original, pruned)]
        head = _leading(original, gates[0], is_apart)
        rests = [_after(task, own, head) for task, own in zip((original, pruned), gates, strict=True)]
        if head and rests[0] is not None and rests[1] is not None:
            qubits = tuple(sorted({q for _, qubits in head for q in qubits}))
            yield After(read(rests[0], rests[1]), qubits, _is_real(original, head, domain), not is_apart, outcomes)


def _leading(task: Task, gates: list[Placed], is_apart: bool) -> list[Placed]:
    closed, found = set[int](), []
    for operation, qubits in gates:
        # A weight may have another value in the other circuit, whatever its gate is called there.
        angles = _angles(operation)
        has_inputs = any(map(task.has_inputs, angles)) and not any(map(task.has_weights, angles))
        is_library = operation.base_class.__module__.startswith(LIBRARY)
        fits = has_inputs or not operation.params if is_apart else has_inputs and not is_library
        if fits and closed.isdisjoint(qubits):
            found.append((operation, qubits))
        if not (fits and is_apart):
            closed.update(qubits)
    needed, kept = set[int](), []
    for operation, qubits in reversed(found):  # a gate that no input enters at or after makes no state of inputs
        if any(map(task.has_inputs, _angles(operation))) or needed.intersection(qubits):
            needed.update(qubits)
            kept.append((operation, qubits))
    return kept[::-1]


def _after(task: Task, gates: list[Placed], head: list[Placed]) -> Task | None:
    """The task without gates that its circuit begins with; None if it does not."""
    rest, waiting, blocked = QuantumCircuit(task.num_qubits), list(head), set[int]()
    for operation, qubits in gates:
        first = next((k for k, (_, others) in enumerate(waiting) if not set(others).isdisjoint(qubits)), None)
        if first is not None and blocked.isdisjoint(qubits) and _is_same(waiting[first], (operation, qubits)):
            del waiting[first]
        else:
            blocked.update(qubits)
            rest.append(operation, qubits)
    return None if waiting else task.with_circuit(rest, task.named_weights)


def _is_same(one: Placed, other: Placed) -> bool:
    """Whether two gates are the same, parameters by name."""
    (a, here), (b, there) = one, other
    if here != there or a.name != b.name or len(a.params) != len(b.params):
        return False
    if _angles(a) or _angles(b):
        return type(a) is type(b) and [str(p) for p in a.params] == [str(p) for p in b.params]
    return bool(np.array_equal(np.asarray(a.to_matrix()), np.asarray(b.to_matrix())))


def _gates(task: Task, is_apart: bool) -> Iterator[Placed]:
    if is_apart:
        yield from elementary(task.circuit, tuple(range(task.num_qubits)), task)
        return
    for item in task.circuit.data:
        if item.operation.name != "barrier":
            yield item.operation, indices(task.circuit, item)


def _angles(operation: Any) -> list[ParameterExpression]:
    return [p for p in operation.params if isinstance(p, ParameterExpression) and p.parameters]


def _is_real(task: Task, head: list[Placed], domain: Resolved) -> bool:
    """Whether gates have real matrices on a domain: at so many angles that all are, or at the only one."""
    circuit, first = QuantumCircuit(task.num_qubits), domain.low[0]
    for operation, qubits in head:
        circuit.append(operation, qubits)
    still = np.all((domain.low == first) & (domain.high == first), axis=0)
    for operation, _ in elementary(circuit, tuple(range(task.num_qubits)), task):
        names = {p.name for angle in _angles(operation) for p in angle.parameters}
        if all(still[j] for j, p in enumerate(task.input_params) if p.name in names):
            params = [
                p if isinstance(p, np.ndarray) else task.values_at(p, first[None]).ravel()[0] for p in operation.params
            ]
            matrices = [operation.base_class(*params).to_matrix() if names else operation.to_matrix()]
        else:
            turns = np.arange(ANGLES) * (4 * np.pi / ANGLES)
            matrices = [operation.base_class(*[t] * len(operation.params)).to_matrix() for t in turns]
        if max(np.abs(np.imag(matrix)).max() for matrix in matrices) > 0:
            return False
    return True


def change_as_matrices(
    original: Task, pruned: Task, after: After, r: int, rounding: float
) -> tuple[ComplexArray, float]:
    """Coefficients in exp(ikt) of one output's change, a matrix over the states of the qubits of a head that the output
    sees, or one for each outcome, their real and, unless states are real, their imaginary parts: shape (2d_1+1, …, V);
    and how far each may be off.

    Raises:
        TaskError: They are too large.
    """
    found, seen = after.found.seen_from(original.output_supports[r]), set(original.output_supports[r])
    seen |= {q for gates in found.circuits for gate in gates for q in gate.qubits}
    used, free = sorted(seen), [q for q in after.qubits if q in seen]
    size = 2 ** len(free)
    if after.outcomes > MOST_OUTCOMES:
        raise TaskError(
            f"verifying a limit for every state takes at most {MOST_OUTCOMES} outcomes, the task has {after.outcomes:,}"
        )
    if found.runs * size**2 * after.outcomes > MOST_ENTRIES:
        raise TaskError(f"verifying a limit for every state of {len(free)} qubits takes too large matrices")
    start = np.zeros((2 ** len(used), size), dtype=complex)
    for c in range(size):
        start[sum(1 << used.index(q) for j, q in enumerate(free) if c >> j & 1), c] = 1
    both = []
    for which in (0, 1):
        states = states_on_grid(found, which, used, start)
        flat = states.reshape(len(states), size, -1)
        images = _images(original, r, used, flat)
        forms = np.stack([np.einsum("sig,sjg->gij", flat.conj(), image) for image in images], axis=1)
        both.append(forms.reshape(*states.shape[2:], after.outcomes * size * size))
    change = both[1] - both[0]
    values = change.real if after.is_real else np.concatenate([change.real, change.imag], axis=-1)
    axes, largest = tuple(range(values.ndim - 1)), float(np.abs(values).max(initial=0.0))
    waves = (np.fft.fftn(values, axes=axes) if axes else values.astype(complex)) / max(1, found.runs)
    return waves, 2 * rounding + EPS * values.ndim * 8 * largest


def _images(task: Task, r: int, used: list[int], states: ComplexArray) -> Iterator[ComplexArray]:
    """What an output's observable makes of states, shape (2^n, S, points), or their part that gives each outcome."""
    if task.observables is None:
        numbers = np.arange(len(states))
        bits = np.stack([numbers // 2 ** used.index(q) % 2 for q in task.measured_qubits])
        for outcome in product((0, 1), repeat=len(bits)):
            yield states * np.all(outcome == bits.T, axis=1)[:, None, None]
        return
    rest = restricted(without_identity(task.observables[r])[1], used)
    words, flat = zip(rest.paulis, rest.coeffs, strict=True), states.reshape(len(states), -1)
    yield sum(c * (word.to_matrix(sparse=True) @ flat) for word, c in words).reshape(states.shape)
