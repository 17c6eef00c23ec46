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
from qprune.simulators.collect import Pass, collected
from qprune.simulators.estimator import measured_pass
from qprune.simulators.matrix_product import LARGEST_BOND, LARGEST_ERROR, ChainPass
from qprune.simulators.simulator import Simulator
from qprune.simulators.statevector import EnsemblePass
from qprune.simulators.values import (
    AT_ONCE,
    Outputs,
    Prefix,
    check_chain_memory,
    check_memory,
    expectation_rounding,
    outputs_of,
)
from qprune.task.task import Task

MANY_THREADS = 4  # from here on Aer's own threads make up for what the ensemble in one state gains; it has only one
PASSES = 2  # before and after pruning: each may fail with this share of a device's δ


@dataclass(frozen=True)
class Statevector(Simulator):
    """Aer's statevectors, exact up to rounding.

    Args:
        threads: Most threads, ≥ 1. Refit and the screening of gates share the samples out to them wherever that pays,
            to the same result to the last bit. Aer takes them from four on and for states beyond 2^15 amplitudes:
            smaller ones and fewer threads are faster with all samples in one state, which takes one thread.
        device: "CPU", or "GPU" where Aer is built for one (`pip install qiskit-aer-gpu` in place of qiskit-aer, on
            Linux with CUDA). What comes from there is rounded in another order.

    Raises:
        OptionError: Aer finds no such device.

    Example:
        >>> Statevector(threads=4)
        Statevector(threads=4, device='CPU')
    """

    threads: int = 1
    device: str = "CPU"
    name: ClassVar[str] = "statevector"

    def __post_init__(self) -> None:
        if self.device not in ("CPU", "GPU"):
            raise OptionError(f"device must be 'CPU' or 'GPU', got {self.device!r}")
        if self.device != "CPU":
            from qiskit_aer import AerSimulator

            there = AerSimulator().available_devices()
            if self.device not in there:
                raise OptionError(
                    f"device must be one that Aer finds here, {' or '.join(map(repr, there))}, got {self.device!r}; "
                    "for a GPU install qiskit-aer-gpu in place of qiskit-aer (Linux, CUDA), or leave device out"
                )
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
        many = self.device != "CPU" or (self.threads >= MANY_THREADS and 2 ** len(qubits) > AT_ONCE)
        copies = self.threads if many and len(samples) > 1 else 2
        if self.device == "CPU":
            check_memory(len(qubits), copies)
        builder: Pass = EnsemblePass(task, qubits, samples)
        if many:
            builder = CircuitPass(task, qubits, samples, self.threads, self.device)
        index, read = collected(builder, sites, wanted, progress)
        rounding = expectation_rounding(len(qubits), len(sites), 2 ** len(qubits) if many else AT_ONCE)
        return Prefix(read.values, index, outputs_of(task, read, rounding))

    def record(self) -> dict[str, Any]:
        return {"name": self.name}  # no result depends on the number of threads


@dataclass(frozen=True)
class MatrixProductState(Simulator):
    """Matrix product states: for circuits too wide for statevectors and of low entanglement.

    Best with gates on neighbouring qubits. What truncation may change enters every bound (T7).

    Args:
        tolerance: How far the state may get from the exact one, ‖ψ − ψ'‖ in [0, 0.05), by leaving out small Schmidt
            coefficients. Every mean of a Pauli word is then known to twice that. More is faster: what a coefficient
            less saves goes with the third power. A budget of 0.05 hardly notices 10⁻⁴.
        bond: Schmidt coefficients kept at most, ≥ 1, even where the tolerance is exceeded then: the bounds say by how
            much, and beyond 0.05 the circuit is refused. Time grows with its third power, memory with its square.

    Example:
        >>> import qprune
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(40)
        >>> _ = [circuit.ry(0.3, q) for q in range(40)], circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> task = qprune.Task(circuit, "I" * 38 + "ZZ")
        >>> qprune.prune(task, qprune.Proven(0.1), simulator=MatrixProductState()).circuit.size()
        3
    """

    tolerance: float = 1e-8
    bond: int = LARGEST_BOND
    name: ClassVar[str] = "matrix_product_state"
    holds_states: ClassVar[bool] = False
    approximates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        tolerance = plain(self.tolerance)
        requirement = f"tolerance must be a distance of states in [0, {LARGEST_ERROR})"
        fits = is_number(tolerance) and 0 <= tolerance < LARGEST_ERROR
        object.__setattr__(self, "tolerance", checked_number(tolerance, requirement, fits))
        object.__setattr__(self, "bond", checked_integer(self.bond, "bond", 1))

    def run(
        self,
        task: Task,
        sites: Sequence[Site],
        wanted: Sequence[Sequence[Word]],
        samples: NDArray[np.intp],
        progress: bool = False,
    ) -> Prefix:
        qubits = _qubits(task, sites)
        check_chain_memory(len(qubits), self.bond)
        chain = ChainPass(task, qubits, samples, self.tolerance, self.bond)
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
