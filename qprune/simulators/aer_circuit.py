"""A pass as one Aer circuit with a save instruction before every gate that is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ControlledGate, Gate, Instruction, Parameter
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import SparsePauliOp

from qprune._progress import bar
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site, Word, pauli_label
from qprune.simulators.values import Readings
from qprune.task.observables import restricted, without_identity
from qprune.task.task import Task

if TYPE_CHECKING:
    from qiskit_aer.library import SaveExpectationValue

VARIANCE_TERMS = 4096  # Pauli words of O² up to which Aer is asked for the variance of O


class CircuitPass:
    """Collects one Aer circuit with a Parameter for each angle that differs between samples."""

    def __init__(
        self, task: Task, qubits: list[int], samples: NDArray[np.intp], threads: int, device: str = "CPU"
    ) -> None:
        import qiskit_aer  # noqa: F401  # gives circuits save_probabilities and its like

        self.task, self.samples, self.threads, self.device = task, samples, threads, device
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
            gate = UnitaryGate(unitary_of([(operation, qubits)], qubits))
            self.circuit.append(gate, [self.place[q] for q in qubits])

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

    def run(self, threads: int, progress: bool) -> list[dict[str, Any]]:
        from qiskit_aer import AerSimulator

        # Fusion gains nothing across saves. Truncation gives wrong means of observables on some of the qubits, and
        # drops qubits behind our back; what is outside the light cone is dropped before, and counted.
        simulator = AerSimulator(
            method="statevector",
            device=self.device,
            fusion_enable=False,
            enable_truncation=False,
            max_parallel_threads=threads,
        )
        total = len(self.samples)
        chunk = max(1, min(256, 2**22 >> self.circuit.num_qubits)) if self.binds else 1
        rows: list[dict[str, Any]] = []
        with bar("simulating", "sample", progress, total=total) as shown:
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
                shown.update(count)
        # Without input all samples are the same state.
        return rows if self.binds else rows * total


@lru_cache
def _save_instruction(label: str) -> SaveExpectationValue:
    """To be copied and labelled: making one anew costs as much as simulating a gate on a dozen qubits."""
    from qiskit_aer.library import SaveExpectationValue

    return SaveExpectationValue(SparsePauliOp(label), "")


def _wants_variance(task: Task, r: int) -> bool:
    observables = task.observables or ()
    return not task.spectra[r].is_two_valued and len(observables[r]) ** 2 <= VARIANCE_TERMS


def _is_native(operation: Instruction) -> bool:
    """Whether Aer runs the instruction itself; a user's own gate may bear any name."""
    own = operation.base_class in (Instruction, Gate, ControlledGate) or not operation.base_class.__module__.startswith(
        "qiskit."
    )
    return not own and operation.name in _aer_gates()


@cache
def _aer_gates() -> frozenset[str]:
    from qiskit_aer import AerSimulator

    return frozenset(AerSimulator(method="statevector").operation_names)


# Of the others with angles (crx, cp, cu3, …) Aer up to 0.18 ignores bound parameters without a word.
_BINDABLE = frozenset({"p", "r", "rx", "rxx", "ry", "ryy", "rz", "rzx", "rzz", "u", "u1", "u2", "u3"})
