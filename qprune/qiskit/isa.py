"""Pruning circuits that were compiled already: in a device's native gates, and back into them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from qprune.errors import TaskError
from qprune.limits.base import Limit
from qprune.limits.claims import deviations
from qprune.limits.pruning import prune
from qprune.limits.threshold import DEFAULT_LIMIT
from qprune.limits.under_noise import UnderNoise
from qprune.noise.calibration import calibrate
from qprune.qiskit.native import Compiled, checked_target, gathered, in_native_gates, on_device, with_weights
from qprune.qiskit.received import all_outputs, moved, widths
from qprune.task.task import Task

ROTATIONS = ("rx", "ry", "rz")  # whose numbers become weights: pruning with refit may move them


def prune_compiled(
    circuit: QuantumCircuit,
    task: Task,
    backend: BackendV2 | Target,
    limit: Limit = DEFAULT_LIMIT,
    *,
    agreement: float = 1e-6,
    **settings: Any,
) -> Compiled:
    """Prune a circuit that a backend's compiler made, and give back what the backend takes.

    Runs of native gates are gathered into rotations, whose angles count as weights: refit may move them. The rest is
    `qprune.prune` on the physical qubits that are used. What goes back is in the target's gates, on the same qubits and
    couplings; layout and final measurements are kept.

    Args:
        circuit: What `transpile` or a preset pass manager made of the task's circuit, with its layout; weights bound or
            free.
        task: The network on its own qubits.
        backend: What the circuit was compiled for, or its target.
        limit: As in `qprune.prune`; a device is taken on the circuit's own physical qubits.
        agreement: Largest difference allowed between an output of the task and of the circuit given, as a share of the
            widest that there can be: compilers approximate from level 2 on.
        settings: Further arguments of `qprune.prune`.

    Raises:
        TaskError: The circuit is not the task's.
        OptionError: An argument is out of its range.

    Source: THEORY section 1 for what is certified, of the compiled circuit's own outputs.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> from qiskit import transpile
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> backend = GenericBackendV2(3, seed=1)
        >>> isa = transpile(circuit, backend, optimization_level=1, seed_transpiler=0)
        >>> found = prune_compiled(isa, qprune.Task(circuit, "ZI"), backend, qprune.Measured(0.01))
        >>> found.deviation <= 0.01, found.circuit.size() <= isa.size()
        (True, True)
    """
    target, native = checked_target(backend), gathered(circuit)
    places = list(range(task.num_qubits)) if circuit.layout is None else circuit.layout.final_index_layout()
    used = sorted({native.find_bit(q).index for item in native.data for q in item.qubits} | set(places))
    small, values = _with_numbers_as_weights(_on(native, used), task)
    here = _moved(task, small, [used.index(p) for p in places], values)
    difference = float((deviations(all_outputs(task), all_outputs(here)) / widths(task)).max(initial=0.0))
    if not difference <= agreement:
        raise TaskError(
            f"the compiled circuit is not the task's: an output differs by {difference:.3g} of its range (agreement="
            f"{agreement:g}); give the Task of the circuit that was compiled, and the circuit with its layout"
        )
    if isinstance(limit, UnderNoise) and limit.device is not None:
        limit = replace(limit, device=_placed(limit.device, used))
    if settings.get("noise") is not None:
        settings["noise"] = _placed(settings["noise"], used)
    result = prune(here, limit, **settings)
    pruned = in_native_gates(_back(with_weights(result), native, used), target)
    pruned._layout = circuit.layout  # Qiskit has no public way to say that no qubit moved
    observables = on_device(task, places, circuit.num_qubits)
    return Compiled(pruned, observables, result.certificate.largest_measured, None, result)


def _on(circuit: QuantumCircuit, used: list[int]) -> QuantumCircuit:
    """The gates on the qubits that are used alone, without final measurements."""
    small, place = QuantumCircuit(len(used)), {q: j for j, q in enumerate(used)}
    for item in circuit.data:
        if item.operation.name not in ("measure", "barrier"):
            small.append(item.operation, [place[circuit.find_bit(q).index] for q in item.qubits])
    return small


def _back(pruned: QuantumCircuit, native: QuantumCircuit, used: list[int]) -> QuantumCircuit:
    """The pruned gates on the registers of the circuit given, with its final measurements."""
    found = native.copy_empty_like()
    for item in pruned.data:
        if item.operation.name != "measure":
            found.append(item.operation, [found.qubits[used[pruned.find_bit(q).index]] for q in item.qubits])
    for item in native.data:
        if item.operation.name == "measure":
            found.append(item.operation, item.qubits, item.clbits)
    return found


def _with_numbers_as_weights(circuit: QuantumCircuit, task: Task) -> tuple[QuantumCircuit, dict[str, float]]:
    """Every rotation by a number as one by a weight of that value."""
    found, values = circuit.copy_empty_like(), dict[str, float]()
    taken = {p.name for p in (*task.input_params, *task.weight_params)}
    for item in circuit.data:
        operation = item.operation
        if operation.name in ROTATIONS and not isinstance(operation.params[0], ParameterExpression):
            name = f"angle_{len(values)}"
            while name in taken:
                name += "_"
            values[name] = float(operation.params[0])
            operation = type(operation)(Parameter(name))
        found.append(operation, item.qubits)
    return found, values


def _moved(task: Task, circuit: QuantumCircuit, places: list[int], values: dict[str, float]) -> Task:
    """The task on the compiled circuit, whose angles are weights besides those that it still has."""
    found = moved(task, circuit.assign_parameters(values), places)
    if found.observables is None:
        circuit.add_register(bits := ClassicalRegister(len(task.measured_qubits)))
        circuit.measure([places[q] for q in task.measured_qubits], bits)
    return Task(
        circuit,
        found.observables,
        inputs=found.inputs,
        input_params=[p.name for p in found.input_params],
        weights=found.named_weights | values,
        probabilities=found.probabilities,
        holdout=found.holdout,
        seed=found.seed,
        labels=found.labels,
    )


def _placed(noise: Any, used: list[int]) -> Any:
    calibration = calibrate(noise)
    known = calibration.noises is not None and calibration.noises.device.pairs is not None
    return replace(calibration, layout=tuple(used)) if known and calibration.layout is None else calibration
