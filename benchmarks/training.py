"""What a training step costs on the pruned tape, over the same step on the original."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp
from tqdm import tqdm

import qprune.pennylane as qpp
from benchmarks.records import Row, append, provenance, ratio, timed
from qprune import Threshold

NAME = "training"
CASES = (("default.qubit", "backprop", 6, 4), ("default.qubit", "backprop", 8, 6), ("lightning.qubit", "adjoint", 6, 4))
BATCH, TOLERANCE, REPEAT, SEED = 16, 0.05, 9, 0


def run(out: Path, *, quick: bool) -> None:
    """Alternate gradient steps of the original and the pruned QNode and keep the ratios of neighbours."""
    for case in tqdm(CASES[:1] if quick else CASES, desc=NAME, unit="case", disable=None):
        append(out, _measure(*case, repeat=2 if quick else REPEAT))


def _measure(device: str, method: str, qubits: int, layers: int, repeat: int) -> Row:
    origin, rng = provenance(SEED), np.random.default_rng(SEED)

    @qml.qnode(qml.device(device, wires=qubits), diff_method=method)
    def network(inputs: Any, weights: Any) -> Any:
        qml.AngleEmbedding(inputs, wires=range(qubits))
        qml.StronglyEntanglingLayers(weights, wires=range(qubits))
        return qml.expval(qml.PauliZ(0))

    inputs = rng.uniform(0, np.pi, (BATCH, qubits))
    weights = pnp.array(rng.choice([0.01, 0.6], (layers, qubits, 3)) * rng.normal(size=(layers, qubits, 3)))
    pruned = qpp.prune(network, Threshold(TOLERANCE), inputs=inputs, weights=weights)

    def step(model: Any) -> Any:
        return qml.grad(lambda w: pnp.mean(model(inputs, w) ** 2))(weights)

    step(network), step(pruned)  # the first calls build caches
    pairs = [(timed(lambda: step(pruned)), timed(lambda: step(network))) for _ in range(repeat)]
    return {
        "benchmark": NAME,
        "config": {"device": device, "diff_method": method, "qubits": qubits, "layers": layers, "batch": BATCH},
        "gates": [pruned.result.flat.size(), pruned.result.circuit.size()],
        "pruned_over_original": ratio(*zip(*pairs, strict=True)),
        "repeat": repeat,
        **origin,
    }


def table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and lines of the Markdown table."""
    lines = []
    for row in rows:
        over = row["pruned_over_original"]
        lines.append(
            (
                *(str(value) for value in row["config"].values()),
                " → ".join(map(str, row["gates"])),
                f"**{over['median']:.2f}** ({over['low']:.2f} to {over['high']:.2f})",
            )
        )
    return ("device", "gradient", "qubits", "layers", "batch", "gates", "pruned / original"), lines
