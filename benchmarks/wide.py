"""How do time and memory of pruning grow with the number of qubits where no statevector fits?

A chain of neighbours that entangles little, by matrix product states; beside it Aer's own matrix product states, which
only compute the outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

import qprune
from benchmarks.records import Row, Spread, append, can_measure_memory, peak_memory, provenance, timed
from qprune import Proven

NAME = "wide"
SIMULATOR = "matrix_product_state"
QUBITS, SAMPLES = (25, 50, 100, 200), (1, 10)
LAYERS = 4
WEIGHT_SCALE, COUPLING = 0.3, 0.2  # radians
BUDGET = 0.05
SEED = 7


@dataclass(frozen=True)
class Config:
    """What is measured: rows that agree in it replace one another in tables."""

    qubits: int
    samples: int
    layers: int


def network(config: Config, seed: int = SEED) -> qprune.Task:
    """RY encoding, layers of RZ RY RZ on every qubit and RZZ between neighbours, ⟨Z⟩ of every fifth qubit."""
    n, rng = config.qubits, np.random.default_rng(seed)
    inputs, weights = ParameterVector("x", n), ParameterVector("w", config.layers * (4 * n - 1))
    circuit, free = QuantumCircuit(n), iter(weights)
    for q in range(n):
        circuit.ry(inputs[q], q)
    for _ in range(config.layers):
        for q in [*range(0, n - 1, 2), *range(1, n - 1, 2)]:
            circuit.rzz(next(free), q, q + 1)
        for q in range(n):
            for gate in (circuit.rz, circuit.ry, circuit.rz):
                gate(next(free), q)
    coupling = np.arange(len(weights)) % (4 * n - 1) < n - 1
    return qprune.Task(
        circuit,
        [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], n) for q in range(0, n, 5)],
        inputs=rng.uniform(0, np.pi, (config.samples, n)),
        input_params=list(inputs),
        weights=rng.normal(0, np.where(coupling, COUPLING, WEIGHT_SCALE)),
        weight_params=list(weights),
    )


def prune(task: qprune.Task) -> qprune.PruneResult:
    return qprune.prune(task, Proven(BUDGET), simulator=SIMULATOR)


def plain_pass(task: qprune.Task) -> list[dict[str, Any]]:
    """The outputs alone, by Aer; with its truncation of qubits on, its means of this simulator are wrong."""
    circuit = task.circuit.assign_parameters(dict(zip(task.weight_params, task.weights, strict=True)))
    for q in range(0, task.num_qubits, 5):
        circuit.save_expectation_value(SparsePauliOp("Z"), [q], f"{q}")
    simulator = AerSimulator(method=SIMULATOR, max_memory_mb=10**15, enable_truncation=False, max_parallel_threads=1)
    binds = {p: task.inputs[:, j].tolist() for j, p in enumerate(task.input_params)}
    return [e.data.to_dict() for e in simulator.run(circuit, parameter_binds=[binds]).result().results]


def run(*, out: Path, repeat: int, quick: bool, step: Callable[[str], Any]) -> None:
    """Measure every size and append one row each.

    Args:
        out: File of JSON lines.
        repeat: Repetitions.
        quick: One small size: a check that everything works.
        step: Told what comes next.
    """
    for n, samples in [(8, 2)] if quick else [(n, m) for n in QUBITS for m in SAMPLES]:
        config = Config(n, samples, LAYERS)
        step(f"{n} qubits, {samples} samples")
        append(out, measure(config, 2 if quick else repeat))


def measure(config: Config, repeat: int) -> Row:
    """One row: times, counts, errors and memory of one size."""
    origin = provenance(SEED)
    task = network(config)
    result = prune(task)
    plain_pass(task)
    times: dict[str, list[float]] = {"plain": [], "prune": []}
    for _ in range(repeat):
        times["plain"].append(timed(lambda: plain_pass(task)))
        times["prune"].append(timed(lambda: prune(task)))
    row = {
        "benchmark": NAME,
        "config": asdict(config),
        "repeat": repeat,
        "gates": result.flat.size(),
        "gates_left": result.circuit.size(),
        "bound": result.certificate.largest_bound,
        "measured": result.certificate.largest_measured,
        "error": result.certificate.expectations.error,
        "truncation": result.certificate.expectations.truncation,
        "seconds": {name: asdict(Spread.of(values)) for name, values in times.items()},
        "peak_mib": {},
        **origin,
    }
    if can_measure_memory():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            row["peak_mib"]["prune"] = round(pool.submit(_peak, config).result(), 1)
    return row


def _peak(config: Config) -> float:
    """MiB at the peak of one pruning, in a process that has done nothing else of that size."""
    task = network(config)
    prune(network(Config(4, 1, 1)))  # what the first call loads for good is not counted
    return peak_memory(lambda: prune(task))


def table(rows: list[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and lines."""
    header = (
        *("qubits", "samples", "gates", "left", "proven", "measured"),
        *("error of expectation values", "of it truncation", "prune", "outputs alone, Aer", "peak prune"),
    )
    lines = []
    for row in sorted(rows, key=lambda row: tuple(row["config"].values())):
        seconds = row["seconds"]
        lines.append(
            (
                *(str(row["config"][key]) for key in ("qubits", "samples")),
                *(str(row[key]) for key in ("gates", "gates_left")),
                *(f"{row[key]:.3g}" for key in ("bound", "measured", "error")),
                f"{2 * row['truncation']:.2g}",
                *(f"{seconds[kind]['median']:.3g} s" for kind in ("prune", "plain")),
                f"{row['peak_mib']['prune']:.0f} MiB" if "prune" in row["peak_mib"] else "",
            )
        )
    return header, lines
