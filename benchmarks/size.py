"""What happens at real size: wide statevectors, entangled chains, many samples, many gates, a cluster.

Every row is measured in a process of its own: seconds by the clock and of a processor, and the peak of resident memory
beside what was predicted before.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import qprune
from benchmarks import scaling, wide
from benchmarks.records import Row, append, can_measure_memory, markdown, origins, peak_memory, provenance, rows_of
from qprune import MatrixProductState, Proven, Statevector
from qprune.simulators.matrix_product import ChainPass
from qprune.simulators.sharding import in_pieces
from qprune.simulators.simulator import Simulator
from qprune.simulators.values import chain_memory, statevector_memory

NAME = "size"
BUDGET = 0.05
SEED = 7
MIB = 2**20
CLUSTER = "cluster"
KILL_AFTER = 3.0  # seconds
SERIAL, ONE, KILLED = "here", "1 worker", "4 workers, one killed after three seconds"
AS_STARTED = "2 workers that give memory back"  # as Dask has them do
WORKERS = {ONE: 1, "2 workers": 2, "4 workers": 4, KILLED: 4, AS_STARTED: 2}
KEPT = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), "33554432")  # as the guide says


@dataclass(frozen=True)
class Config:
    """What is measured: rows that agree in it replace one another in tables.

    Attributes:
        what: "statevector", "matrix product state", "samples", "gates" or "cluster".
        qubits, samples, layers: Of the network; of `wide` for matrix product states, else of `scaling`.
        options: Of the simulator, or who runs the samples of a cluster.
        coupling, scale: Spread of the angles between neighbours and of the others, radians, of `wide`.
    """

    what: str
    qubits: int
    samples: int
    layers: int
    options: dict[str, Any] = field(default_factory=dict)
    coupling: float = wide.COUPLING
    scale: float = wide.WEIGHT_SCALE

    @property
    def is_chain(self) -> bool:
        return self.what == "matrix product state"


CONFIGS: tuple[Config, ...] = (
    *(Config("statevector", n, 1, 4, {"threads": t}) for n in (16, 20, 22, 24, 26, 28) for t in (1, 2)),
    Config("samples", 8, 10_000, 4),
    Config("samples", 12, 10_000, 4),
    Config("gates", 10, 1, 125),
    Config("gates", 10, 100, 125),
    *(
        Config("matrix product state", n, 1, layers, {"tolerance": tolerance}, coupling, scale)
        for n, layers, coupling, scale in (
            (50, 8, 0.8, 1.0),
            (50, 12, 0.8, 1.0),
            (100, 12, 0.8, 1.0),
            (200, 12, 0.8, 1.0),
            (50, 16, 0.8, 1.0),
        )
        for tolerance in (1e-4, 1e-8, 0.0)
    ),
    *(Config(CLUSTER, 12, 10_000, 4, {"by": who}) for who in (SERIAL, *WORKERS)),
)
QUICK: tuple[Config, ...] = (
    Config("statevector", 6, 1, 2, {"threads": 1}),
    Config("matrix product state", 8, 1, 2, {"tolerance": 1e-6}),
)


def run(out: Path, *, quick: bool, again: bool, only: Sequence[str] = (), most_qubits: int = 24) -> None:
    """Measure every configuration that the file does not hold yet and append one row each.

    Args:
        out: File of JSON lines.
        quick: Two small ones.
        again: Also those that the file holds.
        only: Kinds; default all.
        most_qubits: Of statevectors.
    """
    there = [] if again else [row["config"] for row in rows_of(out)]
    for config in QUICK if quick else CONFIGS:
        if config.what == "statevector" and config.qubits > most_qubits:
            continue
        if asdict(config) not in there and (not only or config.what in only):
            print(*(f"{k} {v}" for k, v in asdict(config).items()), flush=True)
            append(out, measure(config))


def measure(config: Config) -> Row:
    """One row."""
    row = {"benchmark": NAME, "config": asdict(config), **provenance(SEED), "predicted_mib": predicted(config) / MIB}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return {**row, **pool.submit(_measured, config).result()}


def network(config: Config) -> qprune.Task:
    """The task of one configuration."""
    if config.is_chain:
        with patch.multiple(wide, COUPLING=config.coupling, WEIGHT_SCALE=config.scale):
            return wide.network(wide.Config(config.qubits, config.samples, config.layers))
    return scaling.network(scaling.Config(config.qubits, config.samples, config.layers, 1))


def predicted(config: Config) -> int:
    """Bytes of the states that are there at a time, as qprune works it out before it simulates anything."""
    if config.is_chain:
        return chain_memory(config.qubits, MatrixProductState().bond)
    return statevector_memory(config.qubits)


def _measured(config: Config) -> Row:
    task, found = network(config), []
    qprune.prune(network(Config(config.what, 6, 1, 2)), Proven(BUDGET), simulator=_simulator(config))  # loads libraries
    with _bonds() as bonds, _executor(config, task) as executor:
        clock, processor = time.perf_counter(), time.process_time()

        def call() -> None:
            found.append(qprune.prune(task, Proven(BUDGET), simulator=_simulator(config), executor=executor))

        peak = peak_memory(call) if can_measure_memory() else call()
        seconds = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
    (result,) = found
    certificate = result.certificate
    return {
        "seconds": seconds,
        "peak_mib": peak,
        "gates": [result.flat.size(), result.circuit.size()],
        "bound": certificate.largest_bound,
        "measured": certificate.largest_measured,
        "error": certificate.expectations.error,
        "truncation": certificate.expectations.truncation,
        "largest_bond": max(bonds, default=None),
        "hash": certificate.pruned_hash,
        "values_hash": sha256(np.array([certificate.bound, certificate.measured]).tobytes()).hexdigest()[:16],
    }


def _simulator(config: Config) -> Simulator:
    if config.is_chain:
        return MatrixProductState(**config.options)
    return Statevector(**config.options) if config.what == "statevector" else Statevector()


@contextmanager
def _bonds() -> Iterator[list[int]]:
    """The largest bond of every chain while it lasts."""
    seen: list[int] = []
    inside = ChainPass._sample

    def watched(self: ChainPass, row: int) -> Any:
        found = inside(self, row)
        seen.append(found[-1].largest_bond)
        return found

    with patch.object(ChainPass, "_sample", watched):
        yield seen


@contextmanager
def _executor(config: Config, task: qprune.Task) -> Iterator[Executor | None]:
    """Of a Dask cluster on this machine, whose first worker is killed where that is asked for."""
    who = config.options.get("by", SERIAL)
    if config.what != CLUSTER or who == SERIAL:
        yield None
        return
    from distributed import Client, LocalCluster

    count = WORKERS[who]
    with (
        patch.dict(os.environ, {} if who == AS_STARTED else KEPT),
        LocalCluster(n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        if len(client.scheduler_info(n_workers=-1)["workers"]) != count:
            raise RuntimeError(f"the cluster must have {count} workers")
        executor = client.get_executor()
        in_pieces(executor, _warm, [(scaling.Config(4, 2, 1, 1),)] * 4 * count, lambda _: None)  # libraries are loaded
        if who == KILLED:
            victim = min(client.run(os.getpid).values())
            killer = threading.Timer(KILL_AFTER, os.kill, (victim, signal.SIGKILL))
            killer.start()
        yield executor
        if who == KILLED and killer.is_alive():
            killer.cancel()
            raise RuntimeError(
                f"all was done before a worker was killed, {KILL_AFTER:g} s from the start: ask for more"
            )


def _warm(config: scaling.Config) -> None:
    qprune.prune(scaling.network(config), Proven(BUDGET))


# -- table ------------------------------------------------------------------------------------------------------------


def table(rows: Sequence[Row]) -> str:
    """The Markdown page."""
    order = [asdict(config) for config in CONFIGS]
    rows = sorted(rows, key=lambda row: order.index(row["config"]) if row["config"] in order else len(order))
    header = (
        *("what", "qubits", "samples", "options", "gates", "left", "proven", "measured", "error of a mean"),
        *("largest bond", "seconds by the clock", "of a processor", "states predicted", "peak measured"),
    )
    lines = [
        (
            *(str(row["config"][key]) for key in ("what", "qubits", "samples")),
            ", ".join(
                f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in row["config"]["options"].items()
            ),
            *map(str, row["gates"]),
            *(f"{row[key]:.3g}" for key in ("bound", "measured", "error")),
            str(row["largest_bond"] or ""),
            f"{row['seconds']['clock']:.3g}",
            f"{row['seconds']['processor']:.3g}" if is_alone(row) else "",
            f"{row['predicted_mib']:.3g} MiB",
            f"{row['peak_mib']:.0f} MiB" if row["peak_mib"] is not None and is_alone(row) else "",
        )
        for row in rows
    ]
    return "\n".join(
        [
            "# At real size",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it: pruned under",
            f"`Proven({BUDGET})`, each in a process of its own. *Predicted* is what the states take at the most, known",
            "before anything runs; *peak* is resident memory above what the process held before, with all else that",
            "pruning holds; of workers neither it nor their processor time was measured. [How](../README.md#size).",
            "",
            *markdown(header, lines),
            "",
            *_cluster(rows),
            *origins(rows),
            "",
        ]
    )


def is_alone(row: Row) -> bool:
    """Whether all was done by the process that was measured, none by workers."""
    return row["config"]["options"].get("by", SERIAL) == SERIAL


def _cluster(rows: Sequence[Row]) -> list[str]:
    """Whether all who ran the samples found the same, and how much sooner."""
    by = {row["config"]["options"]["by"]: row for row in rows if row["config"]["what"] == CLUSTER}
    if SERIAL not in by or len(by) < 2:
        return []
    same = len({(row["hash"], row["values_hash"]) for row in by.values()}) == 1
    lines = [
        f"The cluster's results are {'the same to the last bit' if same else '**not the same**'}, whoever ran samples."
    ]
    for against, name in ((SERIAL, "without it"), (ONE, "one worker")):
        if against in by:
            first = by[against]["seconds"]["clock"]
            ratios = [f"{who} {first / row['seconds']['clock']:.2g}" for who, row in by.items() if who != against]
            lines.append(f"Times as fast as {name}, on {by[against]['machine']['cores']} cores: {'; '.join(ratios)}.")
    return [*lines, ""]
