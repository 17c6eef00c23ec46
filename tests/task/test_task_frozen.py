"""A task cannot be changed: new ones are made from it, and nothing of the old values is left in them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qprune import Task, TaskError
from qprune.results.hashes import task_hash

X, W = ParameterVector("x", 2), ParameterVector("w", 3)


def build(**changes):
    circuit = QuantumCircuit(3)
    circuit.ry(X[0], 0)
    circuit.rx(2 * X[1], 1)
    circuit.ry(W[0], 0)
    circuit.cx(0, 1)
    circuit.rz(W[1] + 0.1, 2)
    circuit.ry(X[0] * W[2], 2)
    return Task(
        circuit,
        "ZII",
        inputs=[[0.1, 0.2], [0.3, 0.4]],
        input_params=list(X),
        **{"weights": [0.1, 0.2, 0.3], **changes},
    )


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("weights", r"task\.with_weights\(…\) returns a new one"),
        ("inputs", r"task\.with_inputs\(…\)"),
        ("heldout", r"task\.with_inputs\(…\)"),
        ("circuit", r"task\.with_circuit\(…\)"),
        ("holds", r"task\.with_holds\(…\)"),
        ("observables", r"task\.with_observables\(…\)"),
        ("anything", "make a new Task"),
    ],
)
def test_no_attribute_can_be_set(name, way_out):
    task = build()
    with pytest.raises(AttributeError, match=f"{name} of a Task cannot be set: {way_out}"):
        setattr(task, name, getattr(task, name, None))
    with pytest.raises(AttributeError, match="cannot be deleted"):
        delattr(task, name)


ARRAYS = ("weights", "inputs", "probabilities", "labels", "selected", "heldout")


@pytest.mark.parametrize("again", [lambda t: t, copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t)),
                                   lambda t: t.with_weights(t.weights), lambda t: t.with_circuit(t.circuit)],
                         ids=["itself", "copy", "deepcopy", "pickle", "with_weights", "with_circuit"])  # fmt: skip
def test_arrays_are_read_only_in_every_copy(again):
    given = np.array([0.1, 0.2, 0.3])
    task = again(build(weights=given, labels=[1, -1], holdout=[1], holds={"w[0]": ["w[1]"]}))
    for name in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(task, name)[:1] = 0
    given[0] = 7  # the caller's own array is neither frozen nor shared
    assert task.weights.tolist() == [0.1, 0.2, 0.3]
    assert task.holds == {"w[0]": frozenset({"w[1]"})}
    assert task_hash(task) == task_hash(build(labels=[1, -1], holdout=[1]))


def test_with_other_weights():
    """Nothing of the old values is left, whatever was worked out before."""
    task = build()
    angle = task.circuit.data[2].operation.params[0]
    assert task.values(angle) == 0.1
    for weights in ([1.0, 2.0, 3.0], {"w[2]": 3.0, W[0]: 1.0, "w[1]": 2.0}):
        other = task.with_weights(weights)
        assert other.values(angle) == 1.0
        assert other.named_weights == {"w[0]": 1.0, "w[1]": 2.0, "w[2]": 3.0}
        assert other.bound_circuit(0).data[2].operation.params == [1.0]
    assert task.values(angle) == 0.1
    with pytest.raises(TaskError, match=r"weights must have shape \(3,\).*got \(2,\)"):
        task.with_weights([1.0, 2.0])
    with pytest.raises(TaskError, match=r"weights\[1\] is nan"):
        task.with_weights([1.0, np.nan, 2.0])


def test_with_other_inputs():
    """A new ensemble, of which nothing is the old one's."""
    task = build(probabilities=[0.25, 0.75], labels=[1, -1], holdout=[0])
    other = task.with_inputs([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert other.probabilities.tolist() == pytest.approx([1 / 3] * 3)
    assert (other.labels, other.holdout, other.selected.tolist()) == (None, 0.0, [0, 1, 2])
    assert other.values(task.circuit.data[0].operation.params[0]).tolist() == [1.0, 3.0, 5.0]
    again = task.with_inputs(task.inputs, probabilities=task.probabilities, labels=task.labels, holdout=task.holdout)
    assert task_hash(again) == task_hash(task)
    with pytest.raises(TaskError, match=r"inputs must have shape \(M, 2\), got \(3, 1\)"):
        task.with_inputs([[1.0], [2.0], [3.0]])
    with pytest.raises(TaskError, match="labels must have shape"):
        task.with_inputs([[1.0, 2.0]], labels=[1, -1])


def test_with_another_circuit():
    task, smaller = build(), QuantumCircuit(3)
    smaller.ry(W[2] + X[1], 0)
    other = task.with_circuit(smaller)
    assert other.named_weights == {"w[2]": 0.3}
    assert other.values(smaller.data[0].operation.params[0]).tolist() == pytest.approx([0.5, 0.7])
    assert task.with_circuit(smaller, {"w[2]": 2.0, "gone": 1.0}).weights.tolist() == [2.0]
    with pytest.raises(TaskError, match="must have the task's 3 qubits, got 2"):
        task.with_circuit(QuantumCircuit(2))
    with pytest.raises(TaskError, match=r"circuit parameter w\[2\] is no input"):
        task.with_circuit(smaller, {"w[0]": 1.0})
    smaller.rz(Parameter("new"), 0)
    with pytest.raises(TaskError, match="circuit parameter new is no input of the task and no weight with a value"):
        task.with_circuit(smaller)


@pytest.mark.parametrize("holds", [5, {"w[0]": "w[1]"}, [("w[0]", ["w[1]"])]])
def test_holds_that_make_no_sense(holds):
    with pytest.raises(TaskError, match="holds must map a parameter's name"):
        build(holds=holds)


def test_other_observables_are_as_many():
    task = build()
    assert task.observables is not None
    count, label = len(task.observables), "I" * task.num_qubits
    measured = [label[1:] + "X"] * count
    again = task.with_observables(measured)
    assert [o.paulis.to_labels() for o in again.observables] == [[m] for m in measured]
    assert [s.weight for s in again.spectra] == [1.0] * count
    assert again.output_supports == ((0,),) * count
    for wrong in (None, [*measured, "Z" + label[1:]]):
        with pytest.raises(TaskError, match=f"observables must be as many as the task has, {count}"):
            task.with_observables(wrong)
