"""The simulators to choose from: statevectors, matrix product states, measurements on a device.

Every distance needs only expectations of Pauli words in the state right before a gate, so they are read on the way of
a single run; nothing of size 2^n × 2^n is made and no suffix is ever simulated (THEORY T3).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseEstimatorV2

from qprune._checks import checked_integer, checked_number, is_number, plain
from qprune.errors import OptionError
from qprune.gates.sites import Site, Word
from qprune.simulators.aer_circuit import CircuitPass
from qprune.simulators.collect import collected
from qprune.simulators.estimator import measured_pass
from qprune.simulators.matrix_product import ChainPass
from qprune.simulators.simulator import Simulator
from qprune.simulators.statevector import EnsemblePass
from qprune.simulators.values import AT_ONCE, Outputs, Prefix, check_memory, expectation_rounding, outputs_of
from qprune.task.task import Task

MANY_THREADS = 4  # from here on Aer's own threads make up for what the ensemble in one state gains; it has only one
PASSES = 2  # before and after pruning: each may fail with this share of a device's δ


@dataclass(frozen=True)
class Statevector(Simulator):
    """Aer's statevectors, exact up to rounding.

    Args:
        threads: Threads for Aer, ≥ 1; used from four on and for states beyond 2^15 amplitudes: smaller ones and fewer
            threads are faster with all samples in one state, which takes one thread.

    Example:
        >>> Statevector(threads=4)
        Statevector(threads=4)
    """

    threads: int = 1
    name: ClassVar[str] = "statevector"

    def __post_init__(self) -> None:
        object.__setattr__(self, "threads", checked_integer(self.threads, "threads", 1))

    def run(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        qubits = _qubits(task, sites)
        many = self.threads >= MANY_THREADS and 2 ** len(qubits) > AT_ONCE
        check_memory(len(qubits), self.threads if many and len(samples) > 1 else 2)
        builder = CircuitPass(task, qubits, samples, self.threads) if many else EnsemblePass(task, qubits, samples)
        index, read = collected(builder, sites, wanted, progress)
        rounding = expectation_rounding(len(qubits), len(sites), 2 ** len(qubits) if many else AT_ONCE)
        return Prefix(read.values, index, outputs_of(task, read, rounding))

    def record(self) -> dict[str, Any]:
        return {"name": self.name}  # no result depends on the number of threads


@dataclass(frozen=True)
class MatrixProductState(Simulator):
    """Matrix product states: for circuits too wide for statevectors and of low entanglement.

    Best with gates on neighbouring qubits. What truncation may change enters every bound (T7).

    Example:
        >>> import qprune
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(40)
        >>> _ = [circuit.ry(0.3, q) for q in range(40)], circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> task = qprune.Task(circuit, "I" * 38 + "ZZ")
        >>> qprune.prune(task, qprune.Proven(0.1), simulator=MatrixProductState()).circuit.size()
        3
    """

    name: ClassVar[str] = "matrix_product_state"
    holds_states: ClassVar[bool] = False
    approximates: ClassVar[bool] = True

    def run(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        chain = ChainPass(task, _qubits(task, sites), samples)
        index, read = collected(chain, sites, wanted, progress)
        return Prefix(read.values, index, outputs_of(task, read, chain.error, truncation=chain.truncation))

    def shard_size(self, sites: Sequence[Site], wanted: Sequence[Sequence[Word]]) -> int:
        return 1  # far more work than the way to a worker, and nobody knows how much


@dataclass(frozen=True)
class OnDevice(Simulator):
    """Expectation values measured by an estimator primitive, on a device if it is one's.

    Distances are intervals then, and bounds hold but for the probability δ (T8).

    Args:
        estimator: Any `EstimatorV2`; it must say to which precision it measures.
        delta: δ in (0, 1): the probability that any of all measured values is further off than claimed.

    Example:
        >>> import qprune
        >>> from qiskit import QuantumCircuit
        >>> from qiskit_aer.primitives import EstimatorV2
        >>> circuit = QuantumCircuit(1)
        >>> _ = circuit.ry(0.8, 0), circuit.rx(0.01, 0)
        >>> device = OnDevice(EstimatorV2(options={"default_precision": 0.01}), delta=0.05)
        >>> result = qprune.prune(qprune.Task(circuit, "Z"), qprune.Threshold(0.2), simulator=device)
        >>> result.certificate.expectations.failure
        0.05
    """

    estimator: BaseEstimatorV2
    delta: float = 0.05
    name: ClassVar[str] = "on_device"
    measures: ClassVar[bool] = True
    holds_states: ClassVar[bool] = False
    approximates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.estimator, BaseEstimatorV2):
            raise OptionError(f"estimator must be an EstimatorV2 primitive, got {self.estimator!r}")
        delta = plain(self.delta)
        requirement = "delta must be a probability in (0, 1)"
        object.__setattr__(self, "delta", checked_number(delta, requirement, is_number(delta) and 0 < delta < 1))

    def run(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        return measured_pass(self.estimator, self.delta / PASSES, task, sites, wanted, samples, progress)

    def record(self) -> dict[str, Any]:
        return {"name": self.name, "estimator": type(self.estimator).__name__, "delta": self.delta}


SIMULATORS: dict[str, type[Simulator]] = {s.name: s for s in (Statevector, MatrixProductState)}


def simulator_of(given: object) -> Simulator:
    """A simulator, from itself, its name, or an estimator, which stands for `OnDevice(estimator)`.

    Raises:
        OptionError: It is none of these.
    """
    if isinstance(given, Simulator):
        return given
    if isinstance(given, BaseEstimatorV2):
        return OnDevice(given)
    if not isinstance(given, str) or given not in SIMULATORS:
        names = ", ".join(map(repr, SIMULATORS))
        raise OptionError(
            f"simulator must be one of {names}, Statevector(threads=…), MatrixProductState() or "
            f"OnDevice(estimator), got {given!r}"
        )
    return SIMULATORS[given]()


def final_outputs(task: Task, sites: Sequence[Site], samples: NDArray[np.intp], *, threads: int = 1) -> Outputs:
    """The outputs alone, by statevectors: a plain pass."""
    return Statevector(threads).outputs(task, sites, samples)


def _qubits(task: Task, sites: Sequence[Site]) -> list[int]:
    """The qubits that matter: those of gates and those that are read."""
    return sorted({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or [0]


def _forked() -> None:
    """Aer gives every job to one worker thread, which a forked process does not inherit: without a new one it waits."""
    if (jobs := sys.modules.get("qiskit_aer.jobs.aerjob")) is not None:
        jobs.DEFAULT_EXECUTOR = ThreadPoolExecutor(max_workers=1)  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
