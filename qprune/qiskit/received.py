"""The task on the circuit that a pass manager hands over, and what goes back to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.passmanager import PropertySet
from qiskit.transpiler import TranspileLayout

from qprune._arrays import FloatArray
from qprune.errors import OptionError, TaskError
from qprune.gates.sites import sites_of
from qprune.results.hashes import circuit_hash
from qprune.results.result import PruneResult
from qprune.simulators.choices import final_outputs
from qprune.simulators.values import Outputs
from qprune.task.observables import are_equal
from qprune.task.task import Task
from qprune.task.unitary_part import unitary_part

# Difference of outputs that exact rewriting may cause, as a share of the widest that there can be: λ_max − λ_min, or 1
# for probabilities.
ROUNDING = 1e-9


def layout_readings(task: Task, dag: Any, properties: PropertySet) -> list[list[int]]:
    """The dag's qubit on which each qubit of the task ends up, after elided permutations, layout and routing.

    There are two readings where nothing in the dag says whether the layout is applied already.
    """
    layout, physical = properties["layout"], list(QuantumRegister(dag.num_qubits(), "q"))
    readings = [properties]
    if layout is not None:
        virtual = PropertySet({name: value for name, value in properties.items() if name != "layout"})
        # ApplyLayout leaves one register of this name; before it the qubits are still the circuit's own.
        if len(layout.get_physical_bits()) != len(physical) or list(dag.qubits) != physical:
            readings = [virtual]
        elif set(physical) <= set(layout.get_virtual_bits()):
            readings = [properties, virtual]
    return [places_by(task, dag, reading) for reading in readings]


def places_by(task: Task, dag: Any, properties: PropertySet) -> list[int]:
    now = TranspileLayout.from_property_set(dag, properties)
    places = list(range(dag.num_qubits())) if now is None else now.final_index_layout()
    if now is None and len(places) > task.num_qubits and properties["num_input_qubits"] == task.num_qubits:
        places = places[: task.num_qubits]  # ancillas were added behind the circuit's own qubits
    if len(places) != task.num_qubits:
        raise TaskError(
            f"the circuit that PruneGates received comes from {len(places)} qubits, the task has {task.num_qubits}; "
            "give the Task of the circuit that this pass manager runs on. (Was that transpiled before? Then its task "
            "is Task(transpiled, observable.apply_layout(transpiled.layout), …))"
        )
    return places


def same_outputs(first: Task, second: Task) -> bool:
    pairs = zip(first.observables or (), second.observables or (), strict=True)
    return first.measured_qubits == second.measured_qubits and all(are_equal(*pair) for pair in pairs)


def widths(task: Task) -> FloatArray:
    """The largest change there can be of each output, shape (R, 1)."""
    return np.array([1.0] if task.observables is None else [s.width for s in task.spectra])[:, None]


def moved(
    task: Task, circuit: QuantumCircuit, places: list[int], new_weights: Mapping[str, float] | None = None
) -> Task:
    """The task on a circuit derived from its own, each of its qubits q being `places[q]` there."""
    here = {p.name for p in circuit.parameters}
    strange = sorted(here - {p.name for p in (*task.input_params, *task.weight_params)})
    if strange:
        raise TaskError(
            f"the circuit has parameter {', '.join(strange)}, which the task does not have; give the Task of the "
            "circuit that this pass manager runs on"
        )
    if len(places) != task.num_qubits or max(places, default=0) >= circuit.num_qubits:
        raise TaskError(
            f"the circuit has {circuit.num_qubits} qubits from {len(places)}, the task {task.num_qubits}; give "
            "circuit and property set of the same run"
        )
    # Passes may have dropped gates, and with them parameters; inputs keep the columns that are left.
    columns = [j for j, p in enumerate(task.input_params) if p.name in here]
    values = task.named_weights | dict(new_weights or {})
    weights = {p.name: values[p.name] for p in task.weight_params if p.name in here}
    observables, width = None, circuit.num_qubits
    if task.observables is not None:
        observables = [o.apply_layout(places, num_qubits=width) for o in task.observables]
    elif "measure" not in circuit.count_ops():
        circuit = circuit.copy()
        circuit.add_register(ClassicalRegister(len(task.measured_qubits)))
        circuit.measure([places[q] for q in task.measured_qubits], circuit.cregs[-1])
    moved = Task(
        circuit,
        observables,
        inputs=task.inputs[:, columns],
        input_params=[task.input_params[j].name for j in columns],
        weights=weights,
        probabilities=task.probabilities,
        holdout=task.holdout,
        seed=task.seed,
        labels=task.labels,
    )
    measured = tuple(places[q] for q in task.measured_qubits)
    if observables is None and moved.measured_qubits != measured:
        raise TaskError(
            f"the circuit measures qubits {moved.measured_qubits}, the task's outputs are on {measured}; measure the "
            "same qubits in the same order in both"
        )
    return moved


def with_measurements(pruned: QuantumCircuit, received: QuantumCircuit) -> QuantumCircuit:
    """The pruned gates on the received circuit's registers, with its final measurements."""
    circuit = received.copy_empty_like()
    for item in pruned.data:
        circuit.append(item.operation, [circuit.qubits[pruned.find_bit(q).index] for q in item.qubits])
    for item in received.data:
        if item.operation.name == "measure":
            circuit.append(item.operation, item.qubits, item.clbits)
    return circuit


def as_given(result: PruneResult, circuit: QuantumCircuit) -> QuantumCircuit:
    """The pruned circuit with what the circuit given had besides gates: registers, final measurements, layout, name.

    `result.circuit` has gates alone, as estimators take it. Only the task's outputs are certified: a bit that none of
    its observables reads may hold anything.

    Args:
        result: What `qprune.prune` made of a task of that circuit.
        circuit: What the task was made of, measured or compiled.

    Raises:
        OptionError: The result is one of another circuit.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> import qprune
        >>> circuit = QuantumCircuit(2, 1)
        >>> _ = circuit.ry(0.8, 0), circuit.rx(0.01, 1), circuit.cx(0, 1), circuit.measure(1, 0)
        >>> result = qprune.prune(qprune.Task(circuit), qprune.Proven(0.1))
        >>> dict(as_given(result, circuit).count_ops())
        {'ry': 1, 'cx': 1, 'measure': 1}
    """
    if not isinstance(circuit, QuantumCircuit):
        raise OptionError(f"circuit must be the QuantumCircuit that the task was made of, got {type(circuit).__name__}")
    if circuit_hash(unitary_part(circuit)[0]) != result.certificate.original_hash:
        raise OptionError("circuit must be the one that the task was made of; this one has other gates or parameters")
    found = with_measurements(result.circuit, circuit)
    found.global_phase = result.circuit.global_phase
    found._layout = circuit.layout  # Qiskit has no public way to say that no qubit moved
    return found


def all_outputs(task: Task) -> Outputs:
    return final_outputs(task, sites_of(task), np.arange(task.num_samples))
