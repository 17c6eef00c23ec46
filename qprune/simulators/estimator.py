"""Expectation values by measurement: a pass through any Qiskit estimator primitive, on a simulator or a device.

Nobody reads a state on the way here, so every place where words are wanted becomes a circuit of its own, which ends
there. All values together keep within one radius but for a given probability (docs/theory.md, T8).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.providers import BackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager

from qprune._arrays import FloatArray
from qprune._progress import bar
from qprune.errors import OptionError, TaskError
from qprune.gates.sites import Site, Word, words_of
from qprune.simulators.aer_circuit import CircuitPass
from qprune.simulators.collect import collected
from qprune.simulators.values import Prefix, Readings, expectation_rounding, outputs_of
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

JOB = 32  # circuits of a job
SUMMED_QUBITS = 30


def measured_pass(
    estimator: BaseEstimatorV2,
    delta: float,
    task: Task,
    sites: Sequence[Site],
    wanted: Sequence[Sequence[Word]],
    samples: NDArray[np.intp],
    progress: bool,
) -> Prefix:
    """As `Simulator.run`, from measured expectation values.

    Args:
        estimator: Measures to its own default precision.
        delta: Probability that any value of the pass may be further off than the pass says.
        task: As in `Simulator.run`; it must have observables.
        sites: As in `Simulator.run`.
        wanted: As in `Simulator.run`.
        samples: As in `Simulator.run`.
        progress: As in `Simulator.run`.

    Raises:
        OptionError: The estimator does not say to which precision it measures.
        TaskError: The task has no observables.

    Source: THEORY T2, T3 and T8.
    """
    if task.observables is None:
        raise TaskError("an estimator measures observables, the task asks for probabilities; give it observables")
    qubits = sorted({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or [0]
    measured = EstimatorPass(task, qubits, samples, estimator)
    index, read = collected(measured, sites, wanted, progress)
    # An estimator may be exact; then it sums up a statevector, as far as there is one.
    error = measured.radius(delta) + expectation_rounding(min(len(qubits), SUMMED_QUBITS), len(sites))
    failure = delta if measured.precision else 0.0
    return Prefix(read.values, index, outputs_of(task, read, error, estimates=measured.estimates, failure=failure))


class EstimatorPass(CircuitPass):
    """Collects the circuit with a Parameter for each angle that differs between samples, and measures its beginnings.

    Args:
        task: The task.
        qubits: The qubits that matter.
        samples: Indices of the samples.
        estimator: The primitive.

    Attributes:
        estimates: Values measured so far.
        precision: The largest standard error among them, reported or aimed at.
    """

    def __init__(self, task: Task, qubits: list[int], samples: NDArray[np.intp], estimator: BaseEstimatorV2) -> None:
        super().__init__(task, qubits, samples, 1)
        self.estimator, self.wanted = estimator, list[tuple[int, Word]]()
        self.estimates, self.precision = 0, 0.0

    def save_word(self, word: Word) -> int:
        self.wanted.append((len(self.circuit.data), word))
        return len(self.wanted) - 1

    def radius(self, delta: float) -> float:
        """How far every value keeps from the exact one, but for a probability delta.

        P(|error| > r) ≤ 2 exp(−r²/2s²) for the mean of 1/s² outcomes ±1 (Hoeffding), and for a normal error of standard
        deviation s; over all estimates these add up.
        """
        return self.precision * sqrt(2 * log(2 * max(self.estimates, 1) / delta))

    def read(self, progress: bool) -> Readings:
        qubits, end = tuple(self.place), len(self.circuit.data)
        rests = [without_identity(o)[1] for o in self.task.observables or ()]
        observables = [words_of(restricted(rest, qubits), qubits) for rest in rests]
        final = sorted({word for words in observables for word in words if word})
        places: dict[int, list[Word]] = {}
        for at, word in [*self.wanted, *((end, word) for word in final)]:
            places.setdefault(at, []).append(word)
        found = self._measure(places, progress)
        values = np.array([found[at, word] for at, word in self.wanted]).reshape(-1, len(self.samples))
        found |= {(end, ()): np.ones(len(self.samples))}
        means = np.array([sum(c * found[end, word] for word, c in words.items()) for words in observables])
        return Readings(values, means, np.full_like(means, np.nan), None)

    def _measure(self, places: dict[int, list[Word]], progress: bool) -> dict[tuple[int, Word], FloatArray]:
        found = {}
        todo = list(places.items())
        with bar("measuring", "circuit", progress, total=len(todo)) as shown:
            for start in range(0, len(todo), JOB):
                part = todo[start : start + JOB]
                results = self.estimator.run([self._pub(at, words) for at, words in part]).result()
                for (at, words), result in zip(part, results, strict=True):
                    values = np.asarray(result.data.evs, dtype=float).reshape(len(words), -1)
                    self.estimates += values.size
                    self.precision = max(self.precision, _precision(result))
                    for word, row in zip(words, np.broadcast_to(values, (len(words), len(self.samples))), strict=True):
                        found[at, word] = row
                shown.update(len(part))
        return found

    def _pub(self, at: int, words: list[Word]) -> tuple[Any, ...]:
        """The circuit up to a place, the words there, and the samples' values of its parameters."""
        circuit = QuantumCircuit(self.circuit.num_qubits)
        for item in self.circuit.data[:at]:
            circuit.append(item.operation, [self.circuit.find_bit(q).index for q in item.qubits], copy=False)
        terms = [[("".join(p for _, p in word), [self.place[q] for q, _ in word], 1.0)] for word in words]
        observables = [SparsePauliOp.from_sparse_list(term, circuit.num_qubits) for term in terms]
        if (backend := _backend_of(self.estimator)) is not None:
            # Level 1 changes no angle; higher levels may drop small rotations.
            circuit = generate_preset_pass_manager(1, backend, seed_transpiler=0).run(circuit)
            observables = [observable.apply_layout(circuit.layout) for observable in observables]
        if not circuit.parameters:
            return circuit, observables
        values = np.array([self.binds[parameter] for parameter in circuit.parameters]).T
        return circuit, [[observable] for observable in observables], values


def _precision(result: Any) -> float:
    """What a result says of its standard errors."""
    target = result.metadata.get("target_precision")
    if target is None:
        raise OptionError("simulator: the estimator's results must say target_precision in their metadata, they do not")
    return max(float(target), float(np.max(result.data.stds, initial=0)))


def _backend_of(estimator: BaseEstimatorV2) -> BackendV2 | None:
    """The device whose gates circuits must be compiled to, where there is one."""
    for name in ("backend", "mode"):
        found = getattr(estimator, name, None)
        if isinstance(found, BackendV2):
            return found
    return None
