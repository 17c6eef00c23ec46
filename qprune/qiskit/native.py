"""Circuits in a device's native gates: pruned and compiled, or compiled, gathered, pruned and native again.

A compiled circuit hides its rotations in runs rz · sx · rz · sx · rz. They are gathered back into rotations that the
catalogue sees, for any angles, by RY(θ) = RZ(π) √X RZ(θ + π) √X (rightmost first, up to a phase).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import Gate, Qubit
from qiskit.circuit.library import RYGate, RZGate
from qiskit.providers import BackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import Target, generate_preset_pass_manager

from qprune.errors import CertificateViolation, OptionError
from qprune.qiskit.kept import allowed_everywhere, changes, everywhere_now
from qprune.qiskit.received import moved
from qprune.results.result import PruneResult
from qprune.task.arguments import checked_inputs
from qprune.task.task import Task

SEEDS = 8  # of the transpiler; the circuit of least total error counts
EXACT = 1  # the highest optimisation level that approximates nothing: from 2 on small rotations may be lost
LEVELS = (3, EXACT)


@dataclass(frozen=True)
class Compiled:
    """A pruned circuit as a backend takes it.

    Attributes:
        circuit: Native gates on physical qubits, weights bound, inputs free; without measurements where there are
            observables.
        observables: On the physical qubits, as primitives take them; None for probabilities.
        deviation: Largest change of an output of a selected sample from the original, simulated without noise.
        level: Optimisation level at which it was compiled; None where it was given compiled.
        result: The result of pruning.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> found = compiled(result, GenericBackendV2(3, seed=1))
        >>> found.observables[0].num_qubits, found.deviation <= 0.01
        (3, True)
    """

    circuit: QuantumCircuit
    observables: tuple[SparsePauliOp, ...] | None
    deviation: float
    level: int | None
    result: PruneResult

    def pub(self, inputs: ArrayLike | None = None) -> tuple[Any, ...]:
        """What primitives take, with inputs in the order of the circuit's own parameters.

        Args:
            inputs: Shape (M, number of input parameters), columns as the task has them; default: the task's inputs.

        Returns:
            Circuit, observables and values for `EstimatorV2`, whose means have shape (outputs, M); for a task of
            probabilities circuit and values for `SamplerV2`.

        Raises:
            TaskError: `inputs` has another number of columns.

        Example:
            >>> import qprune
            >>> from qiskit.primitives import StatevectorEstimator
            >>> from qiskit_ibm_runtime.fake_provider import FakeManilaV2
            >>> task = qprune.load_network("reupload-2q")
            >>> found = compiled(qprune.prune(task, qprune.Proven(0.05)), FakeManilaV2())
            >>> StatevectorEstimator().run([found.pub(task.inputs[:3])]).result()[0].data.evs.shape
            (1, 3)
        """
        task = self.result.task
        rows = checked_inputs(task.inputs if inputs is None else inputs, task.input_params)
        column = {p.name: k for k, p in enumerate(task.input_params)}
        values = rows[:, [column[p.name] for p in self.circuit.parameters]]
        if self.observables is None:
            return self.circuit, values
        return self.circuit, [[observable] for observable in self.observables], values


def compiled(result: PruneResult, backend: BackendV2 | Target, *, seed: int = 0) -> Compiled:
    """Compile a pruned circuit for a backend, and hold its certificate against what came out.

    Level 3, of eight seeds the result of least total error, if its noiseless outputs keep what is certified on every
    selected sample, and what is proven for every input (T9) holds of it too; else level 1, whose passes approximate
    nothing.

    Args:
        result: From `prune`.
        backend: A backend, or its target.
        seed: The first of the transpiler's seeds.

    Raises:
        OptionError: `backend` is neither.
        CertificateViolation: A compiled circuit at level 1 deviates by more than certified, which only a wrong compiler
            brings about; says by how much.

    Example:
        >>> import qprune
        >>> from qiskit_ibm_runtime.fake_provider import FakeManilaV2
        >>> result = qprune.prune(qprune.load_network("reupload-2q"), qprune.Proven(0.05))
        >>> found = compiled(result, FakeManilaV2())
        >>> found.circuit.num_qubits, found.deviation <= 0.05
        (5, True)
    """
    target = checked_target(backend)
    bound = with_weights(result)
    for level in LEVELS:
        found = [
            transpile(bound, target=target, optimization_level=level, seed_transpiler=seed + j) for j in range(SEEDS)
        ]
        best = min(found, key=lambda circuit: total_error(circuit, target))
        places = _places(best, result.task.num_qubits)
        now = moved(result.task, best, places, {})
        change, allowed, excess = changes(result, now)
        if np.all(excess <= 0) and (level == EXACT or _is_kept_everywhere(result, now, places)):
            observables = on_device(result.task, places, best.num_qubits)
            return Compiled(best, observables, float(change.max(initial=0.0)), level, result)
    r, i = np.unravel_index(np.argmax(excess), excess.shape)
    raise CertificateViolation(
        f"{result.task.output_names[r]} of the compiled circuit deviates by {change[r, i]:.6g} on sample "
        f"{result.original.selected[i]}, certified is at most {allowed[r, i]:.6g}: Qiskit compiled something else"
    )


def _is_kept_everywhere(result: PruneResult, now: Task, places: Sequence[int]) -> bool:
    """Whether what is proven of a result for every input, if anything, is proven of a circuit made from it too."""
    allowed = allowed_everywhere(result)
    if allowed is None:
        return True
    claim = everywhere_now(result, now, places)
    return claim is not None and claim.upper <= allowed


def total_error(circuit: QuantumCircuit, target: Target) -> float:
    """Σ of the target's errors over the gates of a compiled circuit."""
    total = 0.0
    for item in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        properties = (target[item.name] or {}).get(qubits) if item.name in target.operation_names else None
        total += float(getattr(properties, "error", None) or 0.0)
    return total


def on_device(task: Task, places: Sequence[int], num_qubits: int) -> tuple[SparsePauliOp, ...] | None:
    """A task's observables on physical qubits; None for probabilities."""
    if task.observables is None:
        return None
    return tuple(o.apply_layout(list(places), num_qubits=num_qubits) for o in task.observables)


def checked_target(backend: Any) -> Target:
    """The target of a backend, or the target given.

    Raises:
        OptionError: It is neither.
    """
    target = backend if isinstance(backend, Target) else getattr(backend, "target", None)
    if not isinstance(target, Target):
        raise OptionError(f"backend must be a Qiskit backend or a Target, got {backend!r}")
    return target


def with_weights(result: PruneResult) -> QuantumCircuit:
    """The pruned circuit with its weights as numbers, and the measurements of a distribution."""
    weights, circuit = result.task.named_weights, result.circuit
    bound = circuit.assign_parameters({p: weights[p.name] for p in circuit.parameters if p.name in weights})
    bound.name = circuit.name
    if result.task.observables is None and "measure" not in bound.count_ops():
        bound.add_register(bits := ClassicalRegister(len(result.task.measured_qubits), "meas"))
        bound.measure(result.task.measured_qubits, bits)
    return bound


def _places(circuit: QuantumCircuit, num_qubits: int) -> list[int]:
    layout = circuit.layout
    return list(range(num_qubits)) if layout is None else list(layout.final_index_layout())


# -- from native gates and back -----------------------------------------------------------------------------------


def gathered(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same circuit with every sx · rz(b) · sx on a qubit as ry(b − π) and rz(−π); angles may be symbols.

    Args:
        circuit: Compiled, on physical qubits; all other instructions stay as they are.
    """
    kept: list[tuple[Gate, tuple[Qubit, ...], Any] | None] = []
    waiting: dict[Qubit, list[int]] = {}  # on each qubit the places of an sx, or of an sx and the rz after it
    for item in circuit.data:
        operation, qubits = item.operation, tuple(item.qubits)
        kept.append((operation, qubits, item.clbits))
        here, alone = len(kept) - 1, len(qubits) == 1 and operation.name in ("rz", "sx")
        run = waiting.get(qubits[0], []) if alone else []
        if alone and operation.name == "sx" and run:
            angle = sum(kept[k][0].params[0] for k in run[1:]) if len(run) > 1 else 0.0  # type: ignore[index]
            for k in run:
                kept[k] = None
            kept[here] = None
            kept += [(RYGate(angle - np.pi), qubits, ()), (RZGate(-np.pi), qubits, ())]
            waiting.pop(qubits[0])
        elif alone and operation.name == "rz" and run:
            waiting[qubits[0]] = [*run, here]
        else:
            for q in qubits:
                waiting.pop(q, None)
            if alone and operation.name == "sx":
                waiting[qubits[0]] = [here]
    found = circuit.copy_empty_like()
    for entry in kept:
        if entry is not None:
            found.append(*entry)
    return found


def in_native_gates(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """A circuit on physical qubits translated to a target's gates; no qubit moves, nothing is approximated.

    Args:
        circuit: Its gates on several qubits are on the target's couplings.
        target: Of the backend.
    """
    manager = generate_preset_pass_manager(optimization_level=1, target=target)
    manager.layout = manager.routing = None
    return manager.run(circuit)
