"""Which wire of the smaller circuit does what a wire of the original did."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression


def aligned_wires(before: QuantumCircuit, after: QuantumCircuit) -> Mapping[int, int]:
    """For every qubit of the smaller circuit the original's that it stands in for.

    A shorter CX network leads to the same state on other qubits, so that what acted on one qubit acts on another. Gates
    with the same parameters tell: that matching of the qubits is taken in which most of them agree, and of several the
    one that moves fewest.
    """
    from scipy.optimize import linear_sum_assignment  # takes a quarter of a second, and few results are drawn

    size = before.num_qubits
    own, now = _marks(before), _marks(after)
    votes = np.zeros((size, size))
    for mark, qubits in now.items():
        for q in qubits:
            for p in own.get(mark, set()):
                votes[q, p] += 1
    rows, columns = linear_sum_assignment(-votes - 0.5 / (size + 1) * np.eye(size))
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def _marks(circuit: QuantumCircuit) -> dict[tuple[str, ...], set[int]]:
    """The qubits on which one-qubit gates with each set of free parameters act."""
    found: dict[tuple[str, ...], set[int]] = {}
    for item in circuit.data:
        if len(item.qubits) == 1:
            angles = (p for p in item.operation.params if isinstance(p, ParameterExpression))
            mark = tuple(sorted({p.name for angle in angles for p in angle.parameters}))
            if mark:
                found.setdefault(mark, set()).add(circuit.find_bit(item.qubits[0]).index)
    return found
