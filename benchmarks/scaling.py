"""How long does pruning take, in units of one plain simulation of the same ensemble, and how much memory more?

Both are measured in the same process, alternating, so that a ratio compares neighbours in time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from tqdm import tqdm

import qprune
from benchmarks.records import Row, Spread, append, can_measure_memory, peak_memory, provenance, ratio, timed
from qprune import Statevector
from qprune.selection.windows import Windows

NAME = "scaling"
AIM = 2  # pruning time over one plain pass, with 100 samples on 4 to 10 qubits and with one on 16 to 24
QUBITS, SAMPLES = (4, 6, 8, 10, 12, 16, 18, 20, 24), (1, 100)
LONG_QUBITS = {1: 24, 100: 16}  # from here on, by samples, one size takes minutes
SHORT, OFTEN = 0.5, 5  # seconds; what both together take less time than is repeated so many times as often
LAYERS = 4
WEIGHT_SCALE = 0.3  # radians; the middle size is then about that of the trained reference networks
SEED = 7
PARTS = ("prefix", "windows", "final")  # of one `prune`; what is left of it is "rest"


@dataclass(frozen=True)
class Config:
    """What is measured: rows that agree in it replace one another in tables."""

    qubits: int
    samples: int
    layers: int
    threads: int


def configs(
    *, quick: bool, full: bool, threads: int, qubits: Sequence[int] = (), samples: Sequence[int] = ()
) -> list[Config]:
    """The sizes: with `full` also 24 qubits, and 100 samples on 16 qubits and more; with `quick` one small size.

    Sizes that are named are measured however long they take.
    """
    if quick:
        return [Config(3, 2, LAYERS, threads)]
    sizes = [
        (n, m) for n in qubits or QUBITS for m in samples or SAMPLES if full or qubits or n < LONG_QUBITS.get(m, n + 1)
    ]
    return [Config(n, m, LAYERS, threads) for n, m in sizes]


def network(config: Config, seed: int = SEED) -> qprune.Task:
    """A classifier built like the reference networks: RY encoding, layers of RZ RY RZ and a ring of CX, ⟨Z_0⟩.

    Weights are drawn, not trained: for the time it only matters how many gates there are.
    """
    n, rng = config.qubits, np.random.default_rng(seed)
    inputs, weights = ParameterVector("x", n), ParameterVector("w", 3 * config.layers * n)
    circuit, free = QuantumCircuit(n), iter(weights)
    for q in range(n):
        circuit.ry(inputs[q], q)
    for layer in range(config.layers):
        for q in range(n):
            circuit.rz(next(free), q)
            circuit.ry(next(free), q)
            circuit.rz(next(free), q)
        for q in range(n):
            circuit.cx(q, (q + layer % (n - 1) + 1) % n)
    return qprune.Task(
        circuit,
        "I" * (n - 1) + "Z",
        inputs=rng.uniform(0, np.pi, (config.samples, n)),
        input_params=list(inputs),
        weights=rng.normal(0, WEIGHT_SCALE, len(weights)),
        weight_params=list(weights),
    )


def plain_pass(task: qprune.Task, threads: int) -> list[dict[str, Any]]:
    """What a user runs to get the outputs: Aer with its own settings, one batch, nothing saved but observables.

    Only truncation is off, as in pruning: it would simulate a smaller circuit than the one given.
    """
    circuit = task.circuit.assign_parameters(dict(zip(task.weight_params, task.weights, strict=True)))
    for r, observable in enumerate(task.observables):
        circuit.save_expectation_value(
            _on_support(observable, task.output_supports[r]), task.output_supports[r], f"{r}"
        )
    many = task.num_samples > 1
    simulator = AerSimulator(method="statevector", enable_truncation=False, max_parallel_threads=threads)
    result = simulator.run(
        circuit,
        parameter_binds=[{p: task.inputs[:, j].tolist() for j, p in enumerate(task.input_params)}],
        max_parallel_experiments=threads if many else 1,
    ).result()
    return [experiment.data.to_dict() for experiment in result.results]


def _on_support(observable: SparsePauliOp, support: Sequence[int]) -> SparsePauliOp:
    n = observable.num_qubits
    terms = [("".join(label[n - 1 - q] for q in reversed(support)), c) for label, c in observable.to_list()]
    return SparsePauliOp.from_list(terms)


def run(
    *,
    out: Path,
    threads: int,
    repeat: int,
    quick: bool,
    full: bool,
    qubits: Sequence[int] = (),
    samples: Sequence[int] = (),
) -> None:
    """Measure every size and append one row each.

    Args:
        out: File of JSON lines.
        threads: Threads for Aer, in both.
        repeat: Repetitions of each, alternating; short ones are repeated more often.
        quick: One small size, two repetitions: a check that everything works.
        full: The long sizes too.
        qubits: Only these; default `QUBITS`.
        samples: Only these; default `SAMPLES`.
    """
    todo = configs(quick=quick, full=full, threads=threads, qubits=qubits, samples=samples)
    repeat = min(repeat, 2) if quick else repeat
    with tqdm(total=len(todo) * (repeat + 3), desc=NAME, unit="step", disable=None) as bar:
        for config in todo:
            bar.set_postfix_str(f"{config.qubits} qubits, {config.samples} samples")
            append(out, measure(config, repeat, bar.update))


def measure(config: Config, repeat: int, step: Callable[[], Any]) -> Row:
    """One row: times, ratios, counts and memory of one size."""
    origin = provenance(SEED)
    task = network(config)
    plain, prune, parts = [], [], []
    start = time.perf_counter()
    plain_pass(task, config.threads)  # both once unmeasured, so that all caches are as they stay
    result = qprune.prune(task, simulator=Statevector(threads=config.threads))
    turns = repeat * (OFTEN if time.perf_counter() - start < SHORT else 1)
    step()
    for turn in range(turns):
        for kind in ("plain", "prune") if turn % 2 == 0 else ("prune", "plain"):
            if kind == "plain":
                plain.append(timed(lambda: plain_pass(task, config.threads)))
            else:
                with _parts() as seen:
                    prune.append(timed(lambda: qprune.prune(task, simulator=Statevector(threads=config.threads))))
                parts.append(seen)
        if turn % (turns // repeat) == 0:
            step()
    times = {"plain": plain, "prune": prune, **{name: [part[name] for part in parts] for name in PARTS}}
    times["rest"] = [whole - sum(part[name] for name in PARTS) for whole, part in zip(prune, parts, strict=True)]
    row = {
        "benchmark": NAME,
        "config": asdict(config),
        "repeat": turns,
        "gates": result.flat.size(),
        "gates_simplified": result.simplified.size(),
        "gates_left": result.circuit.size(),
        "expectations": int(parts[0]["expectations"]),
        "seconds": {name: asdict(Spread.of(values)) for name, values in times.items()},
        "over_plain": {name: ratio(values, plain) for name, values in times.items() if name != "plain"},
        "peak_mib": {},
        **origin,
    }
    for kind in ("plain", "prune"):
        if can_measure_memory():
            row["peak_mib"][kind] = round(_in_fresh_process(kind, config), 1)
        step()
    return row


@contextmanager
def _parts() -> Iterator[dict[str, float]]:
    """Time the simulations inside one `prune`, and count the expectation values of the first."""
    seen = dict.fromkeys((*PARTS, "expectations"), 0.0)

    def watched(function: Callable, name: str = "") -> Callable:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            returned = function(*arguments, **options)
            part = name or ("prefix" if any(arguments[3]) else "final")  # the words wanted of a pass
            seen[part] += time.perf_counter() - start
            if part == "prefix":
                seen["expectations"] += returned.num_expectations
            return returned

        return call

    with ExitStack() as patches:
        patches.enter_context(patch.object(Statevector, "run", watched(Statevector.run)))
        for method in ("__init__", "angles"):
            patches.enter_context(patch.object(Windows, method, watched(getattr(Windows, method), "windows")))
        yield seen


def _in_fresh_process(kind: str, config: Config) -> float:
    """Peak memory of one run, MiB, in a process that has done nothing else of that size."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak, kind, config).result()


def _peak(kind: str, config: Config) -> float:
    small, task = network(Config(2, 1, 1, config.threads)), network(config)
    calls = {
        "plain": lambda t: plain_pass(t, config.threads),
        "prune": lambda t: qprune.prune(t, simulator=Statevector(threads=config.threads)),
    }
    calls[kind](small)  # what the first call loads for good is not counted
    return peak_memory(lambda: calls[kind](task))
