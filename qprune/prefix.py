"""One forward pass through Aer: the few expectation values that distances and bounds need.

Every distance needs only expectations of Pauli words in the state right before a gate, so they are read on the way
of a single statevector run; nothing of size 2^n × 2^n is made and no suffix is ever simulated (THEORY T3).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ControlledGate, Gate, Instruction, Parameter
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.jobs import aerjob
from qiskit_aer.library import SaveExpectationValue
from tqdm import tqdm

from qprune._rounding import EPSILON, EXPECTATION_ROUNDING
from qprune.ensemble import AT_ONCE, EnsemblePass, Readings
from qprune.errors import TaskError
from qprune.gates import Site, Word, pauli_label
from qprune.mps import ChainPass
from qprune.observables import restricted, without_identity
from qprune.subgroups import commutes_with, subgroup_of
from qprune.task import FloatArray, Task

SMALL = 2**24  # bytes that are there without asking
VARIANCE_TERMS = 4096  # Pauli words of O² up to which Aer is asked for the variance of O
STATEVECTOR, MATRIX_PRODUCT_STATE = SIMULATORS = ("statevector", "matrix_product_state")
MANY_THREADS = 4  # from here on Aer's own threads make up for what the ensemble in one state gains; it has only one


@dataclass(frozen=True)
class Outputs:
    """What the task measures, per sample, in the final state.

    Attributes:
        centred: ⟨O_r⟩ − c_r by output and sample, shape (R, M), c_r the coefficient of the identity: beside a large one
            the rest would be rounded away. Empty for probabilities.
        centres: c_r, shape (R, 1).
        deviations: σ_O or an upper limit of it, shape (R, M).
        distribution: Outcome probabilities, shape (M, 2^m), outcome bit j from measured qubit j; or None.
        rounding: Limit of the error of a Pauli word's mean, by rounding and whatever else the simulator does.
        truncation: The state error ‖ψ − ψ'‖ in it, where Schmidt coefficients were discarded.
        estimates: Number of measured values, 0 where all were computed.
        failure: Probability that any of them is further off.
    """

    centred: FloatArray
    centres: FloatArray
    deviations: FloatArray
    distribution: FloatArray | None
    rounding: float
    truncation: float = 0.0
    estimates: int = 0
    failure: float = 0.0

    @property
    def means(self) -> FloatArray:
        """⟨O_r⟩ by output and sample, shape (R, M)."""
        return self.centred + self.centres


@dataclass(frozen=True)
class Prefix:
    """Expectation values in prefix states, and the outputs of the same run.

    Attributes:
        values: ⟨P⟩ by distinct saved value and sample, shape (V, M).
        index: Row of `values` for (site index, Pauli word).
        outputs: Final outputs.
    """

    values: FloatArray
    index: dict[tuple[int, Word], int]
    outputs: Outputs

    @property
    def num_expectations(self) -> int:
        """Expectation values per sample, V: the cost counted by T3."""
        return len(self.values)

    def expectation(self, site: int, word: Word) -> FloatArray:
        """⟨P⟩ right before a site, shape (M,)."""
        return self.values[self.index[site, word]]


class Pass(Protocol):
    """Takes the gates and wanted words in order, then runs them."""

    def save_word(self, word: Word, /) -> int: ...
    def add(self, site: Site, /) -> None: ...
    def read(self, progress: bool, /) -> Readings: ...


def expectation_rounding(num_qubits: int, num_gates: int, together: int = AT_ONCE) -> float:
    """Limit of the rounding error of an expectation value.

    A sum of k terms in any order is off by at most k/2 units in the last place of what the terms' absolute values add
    up to, here 1. Gates add √N rather than N roundings (measured: 0.8 √N units), so that N/16 is safe where it exceeds
    what is allowed anyway.

    Args:
        num_qubits: n; 2^n terms are added.
        num_gates: N.
        together: Terms of one sum; the sums are then added.
    """
    terms = 2.0**num_qubits
    units = max(EXPECTATION_ROUNDING / EPSILON, num_gates / 16) + (min(terms, together) + terms / together) / 2
    return float(units * EPSILON)


def forward_pass(
    task: Task,
    sites: Sequence[Site],
    wanted: Sequence[Sequence[Word]],
    samples: NDArray[np.intp],
    *,
    simulator: str = STATEVECTOR,
    threads: int = 1,
    progress: bool = False,
) -> Prefix:
    """Simulate every sample once and save ⟨φ_k|P|φ_k⟩ for the wanted words P of every site k.

    Args:
        task: Binds the parameters.
        sites: The gates in order.
        wanted: Pauli words per site, on the circuit's qubits.
        samples: Indices of the samples to run.
        simulator: One of `SIMULATORS`.
        threads: Threads for Aer, used from `MANY_THREADS` on and for states beyond `AT_ONCE` amplitudes.
        progress: Show a progress bar on stderr, where that is a terminal.

    Raises:
        TaskError: The statevector does not fit into memory, or the circuit entangles too much.

    Source: THEORY T3.
    """
    qubits = sorted({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or [0]
    if simulator == MATRIX_PRODUCT_STATE:
        chain = ChainPass(task, qubits, samples)
        index, read = collected(chain, sites, wanted, progress)
        return Prefix(read.values, index, outputs_of(task, read, chain.error, truncation=chain.truncation))
    many = threads >= MANY_THREADS and 2 ** len(qubits) > AT_ONCE
    check_memory(len(qubits), threads if many and len(samples) > 1 else 2)
    builder = CircuitPass(task, qubits, samples, threads) if many else EnsemblePass(task, qubits, samples)
    index, read = collected(builder, sites, wanted, progress)
    rounding = expectation_rounding(len(qubits), len(sites), 2 ** len(qubits) if many else AT_ONCE)
    return Prefix(read.values, index, outputs_of(task, read, rounding))


def collected(
    builder: Pass, sites: Sequence[Site], wanted: Sequence[Sequence[Word]], progress: bool
) -> tuple[dict[tuple[int, Word], int], Readings]:
    """Run a pass; where each wanted word was read, and what."""
    index: dict[tuple[int, Word], int] = {}
    still_valid: dict[Word, int] = {}
    touching: dict[int, set[Word]] = {}
    for k, (site, words) in enumerate(zip(sites, wanted, strict=True)):
        for word in words:
            if word not in still_valid:
                still_valid[word] = builder.save_word(word)
                for q, _ in word:
                    touching.setdefault(q, set()).add(word)
            index[k, word] = still_valid[word]
        # A value stays what it was until a gate that does not commute with it touches its qubits.
        group = subgroup_of(site)
        for word in {word for q in site.qubits for word in touching.get(q, ())}:
            if not commutes_with(group, {word: 1.0}):
                del still_valid[word]
                for q, _ in word:
                    touching[q].discard(word)
        builder.add(site)
    return index, builder.read(progress)


def final_outputs(
    task: Task, sites: Sequence[Site], samples: NDArray[np.intp], *, threads: int = 1, progress: bool = False
) -> Outputs:
    """The outputs alone, by statevectors: a plain pass."""
    return forward_pass(task, sites, [()] * len(sites), samples, threads=threads, progress=progress).outputs


class CircuitPass:
    """Collects one Aer circuit with a Parameter for each angle that differs between samples."""

    def __init__(self, task: Task, qubits: list[int], samples: NDArray[np.intp], threads: int) -> None:
        self.task, self.samples, self.threads = task, samples, threads
        self.place = {q: j for j, q in enumerate(qubits)}
        self.circuit = QuantumCircuit(len(qubits))
        self.binds: dict[Parameter, list[float]] = {}
        self.num_saved = 0

    def add(self, site: Site) -> None:
        self.append(site.operation, site.qubits)

    def append(self, operation: Instruction, qubits: Sequence[int]) -> None:
        varies = any(self.task.has_inputs(p) for p in operation.params)
        if _is_native(operation) and (operation.name in _BINDABLE or not varies):
            self.circuit.append(self._numeric(operation), [self.place[q] for q in qubits], copy=False)
        elif operation.definition is not None:
            definition = operation.definition
            for item in definition.data:
                self.append(item.operation, [qubits[definition.find_bit(q).index] for q in item.qubits])
        else:
            self.circuit.append(UnitaryGate(Operator(operation)), [self.place[q] for q in qubits])

    def _numeric(self, operation: Instruction) -> Instruction:
        symbolic = [self.task.has_inputs(p) or self.task.has_weights(p) for p in operation.params]
        if not any(symbolic):
            return operation
        bound = operation.copy()
        bound.params = [self._angle(p) if free else p for p, free in zip(operation.params, symbolic, strict=True)]
        return bound

    def _angle(self, expression: object) -> float | Parameter:
        values = self.task.values(expression, self.samples)
        if values.ndim == 0:
            return float(values)
        parameter = Parameter(f"v{len(self.binds)}")
        self.binds[parameter] = values.tolist()
        return parameter

    def save_word(self, word: Word) -> int:
        label, qubits = pauli_label(word)
        save = copy(_save_instruction(label))
        save.label = f"e{self.num_saved}"
        self.circuit.append(save, [self.place[q] for q in qubits], copy=False)
        self.num_saved += 1
        return self.num_saved - 1

    def save_outputs(self) -> None:
        task = self.task
        if task.observables is None:
            self.circuit.save_probabilities([self.place[q] for q in task.measured_qubits], label="probabilities")
            return
        for r, (observable, support) in enumerate(zip(task.observables, task.output_supports, strict=True)):
            if not support:  # a multiple of the identity; read on any qubit
                support = (next(iter(self.place)),)
            local = restricted(without_identity(observable)[1], support)
            save = self.circuit.save_expectation_value
            if _wants_variance(task, r):
                save = self.circuit.save_expectation_value_variance
            save(local, [self.place[q] for q in support], label=f"o{r}")

    def read(self, progress: bool) -> Readings:
        self.save_outputs()
        rows = self.run(self.threads, progress)
        values = np.array([[row[f"e{v}"] for v in range(self.num_saved)] for row in rows])
        values = values.reshape(len(rows), self.num_saved).T
        if self.task.observables is None:
            none = np.zeros((0, len(rows)))
            return Readings(values, none, none, np.array([row["probabilities"] for row in rows]))
        means, variances = np.full((2, len(self.task.observables), len(rows)), np.nan)
        for r in range(len(means)):
            saved = np.array([row[f"o{r}"] for row in rows])
            if _wants_variance(self.task, r):
                means[r], variances[r] = saved[:, 0], saved[:, 1]
            else:
                means[r] = saved
        return Readings(values, means, variances, None)

    def run(self, threads: int, progress: bool) -> list[dict]:
        # Fusion gains nothing across saves, and with it Aer 0.17.2 crashes on many saves from 16 qubits on.
        # Truncation would drop qubits behind our back; what is outside the light cone is dropped before, and counted.
        simulator = AerSimulator(
            method="statevector", fusion_enable=False, enable_truncation=False, max_parallel_threads=threads
        )
        total = len(self.samples)
        chunk = max(1, min(256, 2**22 >> self.circuit.num_qubits)) if self.binds else 1
        rows: list[dict] = []
        with tqdm(total=total, desc="simulating", unit="sample", disable=None if progress else True) as bar:
            for start in range(0, total if self.binds else 1, chunk):
                binds = {p: v[start : start + chunk] for p, v in self.binds.items()}
                count = min(chunk, total - start)
                result = simulator.run(
                    self.circuit,
                    parameter_binds=[binds] if binds else None,
                    max_parallel_experiments=threads if count > 1 else 1,
                ).result()
                if not result.success:
                    raise RuntimeError(f"Aer could not simulate the circuit: {result.status}")
                rows += [experiment.data.to_dict() for experiment in result.results]
                bar.update(count)
        # Without input all samples are the same state.
        return rows if self.binds else rows * total


def outputs_of(task: Task, read: Readings, rounding: float, **source: Any) -> Outputs:
    """What was read at the end, with σ or its limit; `source` are further fields of `Outputs`."""
    variances = read.variances.copy()
    for r, spectrum in enumerate(task.spectra):
        # The Bhatia-Davis limit for any spectrum; an equality for two eigenvalues, 1 − ⟨O⟩² for ±1.
        limit = (spectrum.high - read.means[r]) * (read.means[r] - spectrum.low)
        variances[r] = limit if spectrum.is_two_valued else np.where(np.isnan(variances[r]), limit, variances[r])
    centres = np.array([[spectrum.centre] for spectrum in task.spectra]).reshape(-1, 1)
    return Outputs(read.means, centres, np.sqrt(np.maximum(variances, 0)), read.distribution, rounding, **source)


@lru_cache
def _save_instruction(label: str) -> SaveExpectationValue:
    """To be copied and labelled: making one anew costs as much as simulating a gate on a dozen qubits."""
    return SaveExpectationValue(SparsePauliOp(label), "")


def _wants_variance(task: Task, r: int) -> bool:
    observables = task.observables or ()
    return not task.spectra[r].is_two_valued and len(observables[r]) ** 2 <= VARIANCE_TERMS


def check_memory(num_qubits: int, copies: int) -> None:
    """Refuse statevectors that do not fit into memory, before anything is simulated."""
    needed = 16 * 2**num_qubits * copies
    if needed < SMALL:
        return
    available = psutil.virtual_memory().available
    if needed > 0.9 * available:
        raise TaskError(
            f"a statevector of {num_qubits} qubits{f', {copies} at a time,' if copies > 1 else ''} needs "
            f"{_size(needed)} of memory and {_size(available)} are free; use fewer threads, a larger machine, "
            f"observables whose light cone has fewer qubits, or, for circuits that entangle little, "
            f"simulator='{MATRIX_PRODUCT_STATE}'"
        )


def _size(num_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.3g} PiB"


def _is_native(operation: Instruction) -> bool:
    """Whether Aer runs the instruction itself; a user's own gate may bear any name."""
    own = operation.base_class in (Instruction, Gate, ControlledGate) or not operation.base_class.__module__.startswith(
        "qiskit."
    )
    return not own and operation.name in _AER_GATES


def _forked() -> None:
    """Aer gives every job to one worker thread, which a forked process does not inherit: without a new one it waits."""
    aerjob.DEFAULT_EXECUTOR = ThreadPoolExecutor(max_workers=1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

_AER_GATES = frozenset(AerSimulator(method="statevector").operation_names)
# Of the others with angles (crx, cp, cu3, …) Aer 0.17.2 ignores bound parameters without a word.
_BINDABLE = frozenset({"p", "r", "rx", "rxx", "ry", "ryy", "rz", "rzx", "rzz", "u", "u1", "u2", "u3"})
