"""Hypothesis strategies: inputs of a task's domain, and small tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qprune._optional import require
from qprune.task.domain import SMALLEST, Domain, resolved
from qprune.task.task import Task

ROTATIONS = ("rx", "ry", "rz")
ENTANGLERS = ("cx", "cz", "swap")
LETTERS = "IXYZ"


def inputs(task: Task, *, domain: Domain | str | None = None) -> Any:
    """A Hypothesis strategy for inputs of a task's domain: arrays of shape (number of inputs,).

    Shrinks towards a corner of the domain's box. What holds for every input by proof holds for each of these.

    Args:
        task: The task.
        domain: Another domain, as in `Task`; default: the task's own.

    Raises:
        MissingExtraError: Hypothesis is not installed.

    Example:
        >>> import qprune
        >>> from hypothesis import Phase, find, settings
        >>> task = qprune.load_network("reupload-2q")
        >>> first = find(inputs(task), lambda x: True, settings=settings(phases=[Phase.generate]))
        >>> bool(first[0] >= task.inputs.min())
        True
    """
    strategies = require("hypothesis.strategies", "testing", "qprune.testing.inputs")
    where = resolved(task.domain if domain is None else domain, task.inputs)
    row: Any = strategies.integers(0, len(where.low) - 1)

    def in_box(box: int) -> Any:
        sides = zip(where.low[box].tolist(), where.high[box].tolist(), strict=True)
        return strategies.tuples(*(strategies.floats(low, high) for low, high in sides))

    def placed(values: tuple[float, ...]) -> Any:
        point = np.array(values)
        if where.matrix is not None and where.centre is not None:  # towards the centre, onto the ellipsoid
            away = point - where.centre
            distance = float(np.linalg.norm(where.matrix @ away))
            point = where.centre + away * min(1.0, where.radius / max(distance, SMALLEST))
        return point

    return row.flatmap(in_box).map(placed)


def tasks(*, max_qubits: int = 3, max_gates: int = 12, max_samples: int = 4) -> Any:
    """A Hypothesis strategy for small tasks: rotations by inputs, weights and numbers, entangling gates, Pauli sums.

    For tests of code that takes a task or prunes one.

    Args:
        max_qubits: Largest number of qubits, ≥ 1.
        max_gates: Largest number of gates, ≥ 1.
        max_samples: Largest number of samples, ≥ 1.

    Raises:
        MissingExtraError: Hypothesis is not installed.

    Example:
        >>> from hypothesis import Phase, find, settings
        >>> find(tasks(max_qubits=1), lambda task: True, settings=settings(phases=[Phase.generate])).num_qubits
        1
    """
    st = require("hypothesis.strategies", "testing", "qprune.testing.tasks")
    angles = st.floats(-np.pi, np.pi, allow_subnormal=False)

    @st.composite
    def drawn(draw: Any) -> Task:
        width = draw(st.integers(1, max_qubits))
        size = draw(st.integers(1, max_gates))
        x, w, circuit = ParameterVector("x", size), ParameterVector("w", size), QuantumCircuit(width)
        kinds = ROTATIONS + ENTANGLERS if width > 1 else ROTATIONS
        for k in range(size):
            kind = draw(st.sampled_from(kinds))
            if kind in ENTANGLERS:
                getattr(circuit, kind)(*draw(st.permutations(range(width)))[:2])
            else:
                angle = draw(st.sampled_from(("input", "weight", "number")))
                value = {"input": x[k], "weight": w[k]}.get(angle) if angle != "number" else draw(angles)
                getattr(circuit, kind)(value, draw(st.integers(0, width - 1)))
        columns, trained = ([p for p in circuit.parameters if p.name[0] == letter] for letter in "xw")
        samples = draw(st.integers(1, max_samples)) if columns else 1
        row = st.lists(angles, min_size=len(columns), max_size=len(columns))
        labels = st.lists(st.sampled_from(LETTERS), min_size=width, max_size=width).map("".join)
        observables = draw(st.lists(labels.filter(lambda label: set(label) != {"I"}), min_size=1, max_size=2))
        return Task(
            circuit,
            observables,
            inputs=draw(st.lists(row, min_size=samples, max_size=samples)) if columns else None,
            input_params=columns,
            weights=draw(st.lists(angles, min_size=len(trained), max_size=len(trained))) if trained else None,
        )

    return drawn()
