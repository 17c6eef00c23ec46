"""A result whose task measures other Pauli words than the one given: what is told and recorded of the latter."""

from __future__ import annotations

from qprune.results.hashes import circuit_hash, record_hash, task_hash
from qprune.task.task import Task

SHOWN = 4  # outputs whose words are told


def given_hash(given: Task | None) -> dict[str, str]:
    """The record of a certificate about the task before anything was absorbed; none where nothing was asked for."""
    return {} if given is None else {"given": record_hash([circuit_hash(given.circuit), task_hash(given)])}


def absorbed_lines(given: Task | None, original: Task) -> list[str]:
    """What became part of what is measured, and what must be measured now."""
    if given is None:
        return []
    joining = given.circuit.num_nonlocal_gates(), original.circuit.num_nonlocal_gates()
    pairs = list(zip(given.output_names, original.output_names, strict=True))
    words = ", ".join(f"{new} for {old}" for old, new in pairs[:SHOWN]) + ", …" * (len(pairs) > SHOWN)
    return [
        f"before, gates at the end became part of what is measured: {given.circuit.size()} → {original.circuit.size()} "
        f"gates, {joining[0]} → {joining[1]} on two qubits",
        f"  measure  {words}",
    ]
