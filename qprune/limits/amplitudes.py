"""A limit for every input where inputs are the amplitudes of the state that a circuit starts from.

Source: THEORY T9, step 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import ComplexArray, FloatArray
from qprune.errors import OptionError, TaskError
from qprune.exact.simplify import light_cones
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site
from qprune.geometry.quadratic import LargestForm, largest_form, largest_form_by_products
from qprune.limits.on_inputs import rounding_of
from qprune.limits.product_inputs import evolved
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

DENSE_QUBITS = 11  # of an output's light cone, up to which all eigenvalues are known: 64 MB, some seconds
MOST_QUBITS = 15  # up to which the Frobenius norm is
SPACES = ("complex", "real")


@dataclass(frozen=True, eq=False)
class AmplitudesEverywhere:
    """What is proven of one output for every input state.

    Attributes:
        name: Of the output.
        lower: |Δ⟨O⟩| at `worst`, less rounding.
        upper: No normalised input changes the output by more.
        worst: The input, shape (2^k,) on `qubits`, the first least significant; the others may hold anything.
        qubits: Those of the output's light cone.
        method: "eigenvalues" or "Frobenius norm".
    """

    name: str
    lower: float
    upper: float
    worst: ComplexArray
    qubits: tuple[int, ...]
    method: str


def every_amplitude(
    original: Task,
    original_sites: Sequence[Site],
    pruned: Task,
    pruned_sites: Sequence[Site],
    space: str | FloatArray | ComplexArray = "complex",
) -> tuple[AmplitudesEverywhere, ...]:
    """Enclose the largest deviation over all input states.

    With U and V the two circuits, the change of an output on the state x is ⟨x|V†OV − U†OU|x⟩: its largest absolute
    value is that of an eigenvalue, and an eigenvector attains it.

    Args:
        original: The original task, its circuit without the preparation of the input state.
        original_sites: Its gates.
        pruned: The smaller circuit, with its weights.
        pruned_sites: Its gates.
        space: "complex": all normalised states; "real": real amplitudes; or orthonormal columns, shape (2^n, k), on all
            qubits, the first least significant: states of that subspace, real ones only if the columns are real.

    Raises:
        OptionError: The space is none of these.
        TaskError: Gates depend on inputs, outputs are probabilities, or too many qubits matter to an output.

    Source: THEORY T9, step 9.
    """
    circuits = ((original, tuple(original_sites)), (pruned, tuple(pruned_sites)))
    if original.observables is None:
        raise TaskError("a limit for every amplitude needs observables; give projectors in place of probabilities")
    if any(site.role == "encoding" for _, sites in circuits for site in sites):
        raise TaskError(
            "gates depend on inputs; a limit for every amplitude is about circuits whose input is the state"
        )
    basis = _checked_space(space, original.num_qubits)
    return tuple(_output(circuits, r, space, basis) for r in range(len(original.observables)))


def _checked_space(space: Any, qubits: int) -> ComplexArray | FloatArray | None:
    if isinstance(space, str):
        if space not in SPACES:
            raise OptionError(f"space must be {' or '.join(SPACES)} or orthonormal columns, got {space!r}")
        return None
    basis = np.asarray(space)
    if basis.ndim != 2 or len(basis) != 2**qubits or not 1 <= basis.shape[1] <= len(basis):
        raise OptionError(f"space must have shape ({2**qubits}, k), one column per dimension, got {basis.shape}")
    if np.abs(basis.conj().T @ basis - np.eye(basis.shape[1])).max() > 1e-9:
        raise OptionError("the columns of space must be orthonormal; take the Q of numpy.linalg.qr")
    return basis


def _output(
    circuits: tuple[tuple[Task, tuple[Site, ...]], ...], r: int, space: Any, basis: ComplexArray | FloatArray | None
) -> AmplitudesEverywhere:
    task = circuits[0][0]
    seen = [_seen(*circuit, r) for circuit in circuits]
    qubits = sorted({q for sites in seen for s in sites for q in s.qubits} | set(task.output_supports[r])) or [0]
    if basis is not None:
        qubits = list(range(task.num_qubits))
    if len(qubits) > (MOST_QUBITS if basis is None and space == "complex" else DENSE_QUBITS):
        raise TaskError(
            f"output {task.output_names[r]} sees {len(qubits)} qubits, too many for a limit for every amplitude "
            f"(at most {MOST_QUBITS}, or {DENSE_QUBITS} for real inputs and subspaces)"
        )
    rest = without_identity((task.observables or ())[r])[1]  # no change depends on the identity's part
    observable = SparsePauliOp(restricted(rest, qubits)).to_matrix(sparse=True)
    owners = [owner for owner, _ in circuits]
    found: LargestForm
    if len(qubits) <= DENSE_QUBITS:
        columns = [evolved(owner, sites, qubits) for owner, sites in zip(owners, seen, strict=True)]
        before, after = (each.conj().T @ (observable @ each) for each in columns)
        found = largest_form(after - before, basis, space == "real" if basis is None else bool(np.isrealobj(basis)))
    else:
        passes = [_Pass(owner, sites, qubits) for owner, sites in zip(owners, seen, strict=True)]

        def product(states: ComplexArray) -> ComplexArray:
            before, after = (each.back(observable @ each.forth(states)) for each in passes)
            return after - before

        found = largest_form_by_products(product, 2 ** len(qubits))
    rounding = sum(float(rounding_of(owner, sites)[r]) for owner, sites in zip(owners, seen, strict=True))
    # Every column may be off by as much as an output of one run, and all of them together by √(2^n) times that.
    return AmplitudesEverywhere(
        name=task.output_names[r],
        lower=max(0.0, found.lower - rounding),
        upper=found.upper + rounding * 2 ** (len(qubits) / 2),
        worst=found.at,
        qubits=tuple(qubits),
        method=found.method,
    )


def _seen(task: Task, sites: tuple[Site, ...], r: int) -> tuple[Site, ...]:
    """The gates in the light cone of an output."""
    return tuple(site for site, inside in zip(sites, light_cones(task, sites, set())[r], strict=True) if inside)


class _Pass:
    """A circuit on many states side by side, forth and back."""

    def __init__(self, task: Task, sites: Sequence[Site], qubits: list[int]) -> None:
        size = len(qubits)
        axis = {q: size - 1 - j for j, q in enumerate(qubits)}  # the most significant qubit has the first axis
        self.steps = [
            (
                unitary_of([(task.bound_operation(site.operation), site.qubits)], site.qubits),
                [axis[q] for q in site.qubits],
            )
            for site in sites
        ]

    def forth(self, states: ComplexArray) -> ComplexArray:
        for matrix, axes in self.steps:
            states = _applied(matrix, axes, states)
        return states

    def back(self, states: ComplexArray) -> ComplexArray:
        for matrix, axes in reversed(self.steps):
            states = _applied(matrix.conj().T, axes, states)
        return states


def _applied(matrix: ComplexArray, axes: list[int], states: ComplexArray) -> ComplexArray:
    """A matrix on some qubits of states (2^n, M)."""
    count, size = len(axes), len(states).bit_length() - 1
    tensor, view = matrix.reshape((2,) * 2 * count), states.reshape((2,) * size + (-1,))
    turned = np.tensordot(tensor, view, (range(count, 2 * count), axes[::-1]))
    return np.moveaxis(turned, range(count), axes[::-1]).reshape(states.shape)
