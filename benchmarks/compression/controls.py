"""Networks of the pruned size, trained from scratch with as many steps: was pruning better than starting small?"""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit import QuantumCircuit

import qprune
from benchmarks.compression.points import Point, sizes
from benchmarks.tasks.catalogue import Known
from benchmarks.tasks.networks import new_weights

STARTS = 3  # of each control
KINDS = {
    "same structure": "the pruned circuit itself, with fresh weights",
    "random structure": "after the encoding as many CX as the pruned circuit has beyond it, and a rotation for each of "
    "its parameters, in a drawn order, all within the light cone of the outputs",
    "fewer layers": "the original's own kind with the fewest layers that have at least as many parameters",
}


def controls(known: Known, point: Point) -> dict[str, Any]:
    """Sizes and scores of every control, `STARTS` starts each, with as many steps as the pruned network had in all."""
    return {kind: [_trained(known, point, kind, start) for start in range(STARTS)] for kind in KINDS}


def _trained(known: Known, point: Point, kind: str, start: int) -> dict[str, Any]:
    task = control(known, point.task, kind, start)
    task = known.scratch(task, point.steps, start)
    return {**sizes(task), **{name: round(known.score(task, name), 9) for name in ("selection", "test")}}


def control(known: Known, pruned: qprune.Task, kind: str, start: int) -> qprune.Task:
    """The untrained network of one control.

    Args:
        known: The task.
        pruned: What it is as large as.
        kind: Of `KINDS`.
        start: Seed of a structure that is drawn.
    """
    if kind == "same structure":
        return pruned
    if kind == "fewer layers":
        layers = 1
        while layers < known.layers and len(known.family().network(layers).weights) < len(pruned.weights):
            layers += 1
        return known.family().network(layers)
    rng, family = np.random.default_rng(start), known.family()
    outputs = family.network(1).output_supports
    start = family.with_gates(lambda _: None).circuit.num_nonlocal_gates()  # amplitudes are encoded with CX
    two_qubit = max(0, pruned.circuit.num_nonlocal_gates() - start)
    return family.with_gates(lambda circuit: _drawn(circuit, len(pruned.weights), two_qubit, outputs, rng))


def _drawn(
    circuit: QuantumCircuit, rotations: int, two_qubit: int, outputs: tuple[tuple[int, ...], ...], rng: Any
) -> None:
    """Gates drawn from the last to the first, each on a qubit that what comes later reads."""
    read = sorted({qubit for support in outputs for qubit in support})
    found: list[tuple[str, tuple[int, ...]]] = []
    for kind in rng.permutation(["cx"] * two_qubit + ["r"] * rotations).tolist():
        qubit = int(rng.choice(read))
        if kind == "cx":
            other = int(rng.choice([q for q in range(circuit.num_qubits) if q != qubit]))
            found.append(("cx", (qubit, other) if rng.integers(2) else (other, qubit)))
            read = sorted({*read, other})
        else:
            found.append((str(rng.choice(["rx", "ry", "rz"])), (qubit,)))
    weight = new_weights(circuit)
    for name, qubits in reversed(found):
        if name == "cx":
            circuit.cx(*qubits)
        else:
            getattr(circuit, name)(weight(), *qubits)
