"""A task as a short table, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qprune._text import html_table

MOST = 8  # names that are listed


def summary(task: Any) -> str:
    """What a `Task` holds, as a table of HTML."""
    held, labels, circuit = len(task.heldout), task.labels, task.circuit
    rows = [
        ("task", ""),
        ("qubits", str(task.num_qubits)),
        ("gates", f"{circuit.size()}, {circuit.num_nonlocal_gates()} of them on two or more qubits"),
        ("weights", str(len(task.weights))),
        ("inputs", _listed([p.name for p in task.input_params]) or "none"),
        ("samples", f"{task.num_samples}{f', {held} of them held out' if held else ''}"),
        ("outputs", _listed(task.output_names)),
        ("labels", "none" if labels is None else f"{len(np.unique(labels))} classes"),
    ]
    return html_table(rows)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST]) + (", …" if len(names) > MOST else "")
