"""Outputs on the whole grid of phases from one pass, where inputs only turn single qubits before anything entangles.

Then the state before the first entangling gate is a product, ψ(t) = ⊗_q ψ_q(t), and with W all that follows an output
is ⟨ψ|W†OW|ψ⟩: 2^n columns of W, then one contraction per qubit, in place of ∏(2d_j+1) runs.

Source: THEORY T9, steps 1 and 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import ComplexArray, FloatArray
from qprune.gates.sites import Site
from qprune.limits.on_inputs import num_qubits, rounding_of
from qprune.simulators.engine import Network
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

SAVES = 16  # times fewer columns than runs, from which on this is worth it
MOST_QUBITS = 12  # whose columns fit into memory: 256 MB


def qubits_of(task: Task, sites: Sequence[Site]) -> list[int]:
    """The qubits that matter, ascending."""
    return sorted({q for s in sites for q in s.qubits} | {q for s in task.output_supports for q in s}) or [0]


def split(sites: Sequence[Site]) -> tuple[dict[int, list[Site]], list[Site]] | None:
    """Per qubit its one-qubit gates up to the last that an input enters, and all others; None where that is not all."""
    leading: dict[int, list[Site]] = {}
    pending: dict[int, list[Site]] = {}
    joined: set[int] = set()
    rest: list[Site] = []
    for site in sites:
        q = site.qubits[0]
        if site.role == "encoding":
            if len(site.qubits) > 1 or q in joined:
                return None
            leading[q] = leading.get(q, []) + pending.pop(q, []) + [site]
        elif len(site.qubits) == 1 and q not in joined:
            pending.setdefault(q, []).append(site)
        else:
            for qubit in site.qubits:
                rest += pending.pop(qubit, [])
            joined.update(site.qubits)
            rest.append(site)
    return leading, rest + [site for own in pending.values() for site in own]


def is_worth_it(task: Task, sites: Sequence[Site], runs: int) -> bool:
    """Whether a circuit has this form, on few enough qubits, and enough runs to save."""
    qubits = num_qubits(task, sites)
    fits = qubits <= MOST_QUBITS and task.observables is not None and runs >= SAVES * 2**qubits
    return fits and split(sites) is not None


def pulled_back(task: Task, sites: Sequence[Site], qubits: list[int]) -> list[ComplexArray]:
    """W†(O_r − c_r)W for every output, W all gates of a circuit, as matrices on `qubits`, the first least significant.

    c_r is the identity's part.

    Args:
        task: Binds the weights; none of the gates depends on inputs.
        sites: The gates.
        qubits: At least those that gates and outputs act on.
    """
    columns = evolved(task, sites, qubits)
    matrices = []
    for observable in task.observables or ():
        sparse = SparsePauliOp(restricted(without_identity(observable)[1], qubits)).to_matrix(sparse=True)
        matrices.append(columns.conj().T @ (sparse @ columns))
    return matrices


def evolved(task: Task, sites: Sequence[Site], qubits: list[int]) -> ComplexArray:
    """All columns of the circuit's unitary on `qubits`, shape (2^n, 2^n)."""
    size = 2 ** len(qubits)
    network = Network(task, sites, rows=np.zeros((size, len(task.input_params))), register=qubits)
    return network.states(task.weights, np.eye(size, dtype=complex))


def values_on_grid(
    task: Task, sites: Sequence[Site], axes: Sequence[FloatArray], angles: float
) -> tuple[FloatArray, FloatArray]:
    """Outputs on the tensor grid of the phases, shape (R, 2d_1+1, …), and how far each of them may be off.

    Args:
        task: Its inputs are phases.
        sites: Its gates, of the form that `split` takes apart.
        axes: The values of every phase.
        angles: As in `rounding_of`.
    """
    parts = split(sites)
    if parts is None:
        raise RuntimeError("inputs enter after an entangling gate")
    leading, rest = parts
    qubits = qubits_of(task, sites)
    states = {q: _states(task, q, own, axes) for q, own in leading.items()}
    outputs = [_contracted(matrix, qubits, states, axes) for matrix in pulled_back(task, rest, qubits)]
    return np.array(outputs), rounding_of(task, sites, angles) * 2 ** (len(qubits) / 2)  # of all columns together


def _states(
    task: Task, qubit: int, sites: Sequence[Site], axes: Sequence[FloatArray]
) -> tuple[list[int], ComplexArray]:
    """The phases that turn one qubit, and its states for all their values, shape (2d_1+1, …, 2)."""
    place = {p: j for j, p in enumerate(task.input_params)}
    used = sorted({place[p] for s in sites for a in s.operation.params for p in getattr(a, "parameters", ())})
    grids = np.meshgrid(*(axes[j] for j in used), indexing="ij")
    inputs = np.zeros((grids[0].size, len(axes)))
    inputs[:, used] = np.stack(grids, axis=-1).reshape(-1, len(used))
    network = Network(task, sites, rows=inputs, register=[qubit])
    states = network.states(task.weights)[[0, 1 << network.place[qubit]]]  # all other qubits are |0⟩
    return used, states.T.reshape(*(len(axes[j]) for j in used), 2)


def _contracted(
    matrix: ComplexArray,
    qubits: list[int],
    states: dict[int, tuple[list[int], ComplexArray]],
    axes: Sequence[FloatArray],
) -> FloatArray:
    """⟨ψ(t)|A|ψ(t)⟩ on the grid, one qubit after the other; those without inputs are |0⟩ and go first."""
    count, first = len(qubits), len(axes)
    bra = {q: first + count - 1 - j for j, q in enumerate(qubits)}  # axis labels beyond those of the phases
    ket = {q: label + count for q, label in bra.items()}
    still = [q for q in qubits if q not in states]
    where = tuple(0 if q in still else slice(None) for q in reversed(qubits))
    total: NDArray[Any] = matrix.reshape((2,) * 2 * count)[where + where]
    left = [q for q in reversed(qubits) if q in states]
    labels = [bra[q] for q in left] + [ket[q] for q in left]
    for q in left:
        used, psi = states[q]
        density = psi.conj()[..., :, None] * psi[..., None, :]
        own = [*used, bra[q], ket[q]]
        kept = sorted({label for label in labels if label < first} | set(used))
        kept += [label for label in labels if label >= first and label not in (bra[q], ket[q])]
        total = np.einsum(total, labels, density, own, kept, optimize=True)
        labels = kept
    missing = [j for j in range(first) if j not in labels]
    shape = tuple(1 if j in missing else len(axes[j]) for j in range(first))
    return np.array(np.broadcast_to(np.real(total).reshape(shape), tuple(map(len, axes))))
