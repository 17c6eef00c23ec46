"""Circuits, ensembles and bundles as people have them, and the less usual ways to get one wrong (see test_task.py)."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from helpers import INPUTS, STANDARD, WEIGHTS, deviation, outputs, state
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import StatePreparation
from qiskit.quantum_info import (
    Clifford,
    Kraus,
    Operator,
    Pauli,
    SparseObservable,
    SparsePauliOp,
    Statevector,
    random_clifford,
)
from small_task import GOOD, final, make, network

from qprune import Measured, Proven, QpruneError, Task, TaskError, Threshold, prune
from qprune.task.expressions import slopes_of

x, y = INPUTS
w, v = WEIGHTS[:2]


def agrees(task):
    """The package's outputs are the dense ones."""
    dense = [outputs(task, state(task.bound_circuit(i))) for i in range(task.num_samples)]
    np.testing.assert_allclose(final(task), dense, atol=1e-12)


# -- what is refused ----------------------------------------------------------------------------------------------


def with_operation(operation, qubits=(0,), clbits=()):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.append(operation, qubits, clbits)
    return lambda: Task(circuit, "ZZ")


def measured_then(gate):
    def build():
        circuit = QuantumCircuit(2, 2)
        circuit.measure(0, 0)
        gate(circuit)
        return Task(circuit)

    return build


BAD = {
    # circuit
    "channel": (with_operation(Kraus([np.sqrt(0.5) * np.eye(2), np.sqrt(0.5) * np.diag([1, -1])])), "not a unitary"),
    "gate on a pair after measurement": (measured_then(lambda c: c.cx(1, 0)), "cx on qubit 0 after"),
    "measured twice": (measured_then(lambda c: c.measure(0, 1)), "measure on qubit 0 after"),
    "reset after measurement": (measured_then(lambda c: c.reset(0)), "reset on qubit 0 after"),
    # parameters
    "unknown weight parameter": (lambda: make(weight_params=["w0", "nope"]), "weight_params names nope"),
    "input_params of numbers": (lambda: make(input_params=[5, 6]), "input_params names 5, which the circuit does not"),
    "weight_params a number": (lambda: make(weight_params=5), "weight_params must be parameters or their names, got 5"),
    # inputs
    "ragged inputs": (lambda: make(inputs=[[0.1], [0.2, 0.3]]), r"inputs must be an array \(M, 2\) of real numbers"),
    "inputs without names": (
        lambda: Task(network(), inputs=[[1.0, 2.0]], weights=[1, 2, 3, 4]),
        r"inputs must have shape \(M, 0\), got \(1, 2\); name the input parameters with input_params",
    ),
    # weights
    "weights of rank two": (lambda: make(weights=[[0.1, 0.2]]), r"weights must have shape \(2,\).*got \(1, 2\)"),
    "complex weights": (lambda: make(weights=[1j, 2]), "weights must be.*real numbers: got complex"),
    "a weight too many": (
        lambda: make(weights={w: 1, v: 2, "z": 3}, weight_params=[w, v]),
        "weights must map every weight parameter.*unknown z",
    ),
    "weight of an unknown parameter": (lambda: make(weights={w: 1, v: 2, "z": 3}), "weight_params names z"),
    "weights by number": (lambda: make(weights={0: 0.1}), "weight_params names 0, which the circuit does not have"),
    "weight of an input": (lambda: make(weights={w: 1, v: 2, x: 3}), "x0 is named as input and as weight"),
    # observables
    "not square": (lambda: make(observables=np.ones((2, 3))), "is not a SparsePauliOp, a Pauli label"),
    "a number": (lambda: make(observables=[3.0]), "observable 3.0 is not"),
    # ensemble
    "labels 1 and 2": (lambda: make(labels=[1, 2, 2]), r"or 0 … 1, got \[1.0, 2.0\]"),
    "labels of both kinds": (lambda: make(labels=[0, -1, 1]), "labels must be -1 or 1"),
    "labels of classes": (lambda: make(observables=["ZZ", "XX"], labels=[0, 1, 2]), "labels must be.*or 0 … 1"),
    "negative holdout": (lambda: make(holdout=-0.1), "holdout must be a fraction"),
    "holdout of everybody": (lambda: make(holdout=0.99), "leaves one side empty"),
    "seed a fraction": (lambda: make(seed=0.5), "seed must be an integer"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_clear_error(name):
    """Which argument, what it must be, what it was."""
    build, message = BAD[name]
    with pytest.raises(TaskError, match=f"(?s){message}") as caught:
        build()
    assert isinstance(caught.value, QpruneError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (w.arccos(), 1.5),
        (w.arcsin(), -1.5),
        (w.log(), -0.5),
        (w**0.5, -0.5),
        ((w.exp()).exp(), 9.0),
        (1 / (w - 1.5), 1.5),
    ],
    ids=str,
)
def test_a_weight_outside_the_domain_says_so(expression, value):
    """Complex, infinite or not a number: the same error as for inputs."""
    circuit = QuantumCircuit(1)
    circuit.rx(expression, 0)
    with pytest.raises(TaskError, match=f"has no finite real value at w0={value:g}"):
        prune(Task(circuit, "Z", weights=[value]))


# -- what is taken ------------------------------------------------------------------------------------------------


def test_defaults():
    """One sample without inputs, all parameters weights in the circuit's order, all qubits measured, 1/M each."""
    circuit = QuantumCircuit(2)
    circuit.rx(v, 0)
    circuit.ry(w, 1)
    task = Task(circuit, weights=[0.1, 0.2])
    assert task.weight_params == (w, v)
    assert (task.num_samples, task.measured_qubits, task.observables) == (1, (0, 1), None)
    assert make().probabilities.tolist() == [1 / 3] * 3
    assert make().selected.tolist() == [0, 1, 2]
    assert make().heldout.tolist() == []
    agrees(task)


def test_names_serve_as_parameters():
    """And a mapping fixes the order by itself."""
    by_name = make(input_params=["x0", "x1"], weights={"w1": 0.8, "w0": 0.7})
    by_parameter = make()
    for i in range(3):
        assert by_name.bound_circuit(i) == by_parameter.bound_circuit(i)
    assert by_name.weight_params == (v, w)
    assert make(input_params="x0", inputs=[1, 2], weights=[1, 2, 3]).inputs.shape == (2, 1)


def test_parameter_vectors():
    """In their own order, whatever the alphabet says."""
    xs, ws = ParameterVector("x", 12), ParameterVector("w", 11)
    circuit = QuantumCircuit(1)
    for j in range(11):
        circuit.rx(xs[j], 0)
        circuit.ry(ws[j], 0)
    circuit.rx(xs[11], 0)
    task = Task(circuit, "Z", inputs=np.arange(24).reshape(2, 12), input_params=xs, weights=np.arange(11.0))
    assert [p.name for p in task.weight_params] == [f"w[{j}]" for j in range(11)]
    assert float(task.values(xs[10], np.array([1]))[0]) == 22
    agrees(task)


def test_arguments_are_copied():
    """Later changes of the caller's arrays change nothing."""
    inputs, weights, circuit = np.array(GOOD["inputs"]), np.array(GOOD["weights"]), network()
    task = make(circuit, inputs=inputs, weights=weights)
    before = final(task)
    inputs[:], weights[:] = 0, 0
    circuit.x(0)
    np.testing.assert_array_equal(final(task), before)


def test_probabilities_are_normalised_and_weigh_the_selection():
    """Selection's own samples carry all the weight."""
    task = make(probabilities=[0.2, 0.3, 0.5], holdout=0.34)
    chosen = task.probabilities[task.selected]
    np.testing.assert_allclose(task.selection_weights(), chosen / chosen.sum())
    assert sorted([*task.selected, *task.heldout]) == [0, 1, 2]
    again = make(probabilities=[0.2, 0.3, 0.5], holdout=0.34)
    np.testing.assert_array_equal(task.heldout, again.heldout)
    seeds = {tuple(make(holdout=0.34, seed=s).heldout) for s in range(20)}
    assert len(seeds) == 3


@pytest.mark.parametrize(
    "observable",
    [
        "XZ",
        Pauli("XZ"),
        Pauli("-XZ"),
        SparsePauliOp(["XZ", "ZI"], [0.3, -2]),
        SparseObservable.from_list([("X0", 0.4), ("rI", 0.2)]),
        Operator.from_label("+1"),
        np.diag([0.1, 0.2, -0.7, 1]),
        [[1, 0, 0, 0], [0, 0, 2j, 0], [0, -2j, 0, 0], [0, 0, 0, 1]],
    ],
    ids=["label", "Pauli", "minus", "sum", "SparseObservable", "Operator", "array", "list"],
)
def test_forms_of_an_observable(observable):
    """Each is the Hermitian matrix Qiskit says it is."""
    wrapped = [np.array(observable)] if isinstance(observable, list) else observable
    task = make(observables=wrapped)
    if isinstance(observable, str):
        expected = Operator.from_label(observable)
    elif isinstance(observable, SparseObservable):
        expected = Operator(SparsePauliOp.from_sparse_observable(observable))
    else:
        expected = Operator(observable)
    np.testing.assert_allclose(task.observables[0].to_matrix(), expected.data, atol=1e-12)
    agrees(task)


def test_spectra():
    """Eigenvalues where they can be had, limits from the norm beyond eight qubits."""
    task = make(observables=["ZX", SparsePauliOp(["ZX", "XI", "II"], [0.5, 0.7, 0.2]), SparsePauliOp("II", 0.3)])
    for spectrum, observable in zip(task.spectra, task.observables, strict=True):
        values = np.linalg.eigvalsh(observable.to_matrix())
        assert spectrum.exact or not any(observable.paulis.x.any(1) | observable.paulis.z.any(1))
        assert (spectrum.low + spectrum.centre, spectrum.high + spectrum.centre) == pytest.approx(values[[0, -1]])
    assert [s.is_two_valued for s in task.spectra] == [True, True, False]  # 0.2 ± √0.74, as ZX and XI anticommute
    assert [s.predicts_sign for s in task.spectra] == [True, False, False]
    wide = SparsePauliOp(["Z" * 10, "X" * 10, "I" * 10], [0.5, 0.5, 1.0])
    (spectrum,) = Task(QuantumCircuit(10), wide).spectra
    assert (spectrum.low, spectrum.high, spectrum.centre, spectrum.exact) == (-1.0, 1.0, 1.0, False)


def test_accuracy():
    """Sign of the first output for ±1 labels, the largest output for classes."""
    task = make(labels=[1, -1, -1])
    assert task.accuracy(np.array([[0.5, -0.1, 0.2]])) == pytest.approx(2 / 3)
    task = make(observables=["ZI", "IZ", "XX"], labels=[2, 0, 1])
    assert task.accuracy(np.array([[0.1, 0.9, 0.3], [0.2, 0.1, 0.3], [0.5, 0.1, 0.4]])) == pytest.approx(2 / 3)
    assert make().accuracy(np.zeros((1, 3))) is None


# -- binding ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [w, 2 * w - 1, x, x / 2 + w * v, x * w, x * y, (np.pi - x) * (np.pi - y), x.sin() * w, x.sign(), abs(x) + v, x**2],
    ids=str,
)
def test_values_are_those_of_qiskits_binding(expression):
    """One number per sample where an input enters, else one; x.sign() has no derivative."""
    circuit = QuantumCircuit(1)
    circuit.rx(expression, 0)
    used = [p for p in INPUTS if p in circuit.parameters]
    rows = np.array([[0.3, -0.7], [-1.2, 0.4], [0.0, 2.2]])[:, : len(used)]
    weights = {p: 0.6 + j for j, p in enumerate((w, v)) if p in circuit.parameters}
    task = Task(circuit, "Z", inputs=rows if used else None, input_params=used, weights=weights)
    bound = [float(task.bound_circuit(i).data[0].operation.params[0]) for i in range(task.num_samples)]
    values = task.values(expression)
    assert values.shape == ((3,) if used else ())
    np.testing.assert_allclose(np.atleast_1d(values), bound, atol=1e-15)
    assert task.has_inputs(expression) is bool(used)
    assert task.has_weights(expression) is bool(weights)
    agrees(task)


def test_slopes_of_affine_expressions_only():
    """The derivative where it is a constant."""
    assert slopes_of(2 * w - v / 4 + 1) == {w: 2.0, v: -0.25}
    assert slopes_of(w + 0) == {w: 1.0}
    assert slopes_of(w * v) is None
    assert slopes_of(w.sin()) is None
    assert slopes_of(w.sign()) is None


# -- circuits as people have them ---------------------------------------------------------------------------------


def test_barriers_delays_and_identities_do_nothing():
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.barrier()
    circuit.delay(100, 0)
    circuit.id(1)
    circuit.cx(0, 1)
    task = Task(circuit, ["ZZ", "XI"])
    assert not {"barrier", "delay"} & set(task.circuit.count_ops())
    plain = QuantumCircuit(2)
    plain.ry(0.4, 0)
    plain.cx(0, 1)
    np.testing.assert_allclose(final(task)[0], outputs(task, state(plain)), atol=1e-12)
    assert prune(task, Threshold(0.0)).circuit.count_ops().get("id", 0) == 0


def test_cliffords_and_paulis_as_objects():
    """What `QuantumCircuit.append` takes besides instructions."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, range(3))
    circuit.append(random_clifford(3, seed=2), [2, 0, 1])
    circuit.append(Pauli("XYZ"), [1, 2, 0])
    circuit.append(Clifford.from_label("H"), [1])
    circuit.append(Operator(STANDARD["iswap"]()), [2, 1])
    circuit.ry(0.02, 0)
    task = Task(circuit, ["ZII", "IXY"])
    dense = outputs(task, Statevector(circuit).data)
    np.testing.assert_allclose(final(task)[0], dense, atol=1e-12)
    result = prune(task, Threshold(0.05))
    real = np.abs(dense - outputs(task, state(result.circuit)))
    assert np.all(real <= np.array(result.certificate.bound)[:, 0] + 1e-10)


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
def test_measured_bits_may_be_scrambled(order):
    """Outcome bit j is the classical bit j; a distribution in Qiskit's own order of bits."""
    circuit = QuantumCircuit(3, 3)
    for q in range(3):
        circuit.ry(0.4 + 0.7 * q, q)
    circuit.cx(0, 2)
    bare = circuit.copy()
    for c in (2, 0, 1):  # nor does it matter which is measured first
        circuit.measure(order[c], c)
    task = Task(circuit)
    assert task.measured_qubits == order
    np.testing.assert_allclose(final(task)[0], Statevector(bare.remove_final_measurements(False)).probabilities(order))


def test_measurement_of_some_qubits_into_several_registers():
    """Only measured qubits count; order is that of the circuit's classical bits."""
    first, second = ClassicalRegister(2, "first"), ClassicalRegister(1, "second")
    a, b = QuantumRegister(2, "a"), QuantumRegister(2, "b")
    circuit = QuantumCircuit(a, b, first, second)
    for q in range(4):
        circuit.ry(0.4 + 0.7 * q, q)
    circuit.cx(0, 3)
    bare = circuit.copy()
    circuit.barrier()
    circuit.measure(b[1], first[1])
    circuit.measure(a[0], second[0])
    task = Task(circuit)
    assert task.measured_qubits == (3, 0)
    np.testing.assert_allclose(final(task)[0], Statevector(bare).probabilities([3, 0]), atol=1e-12)


def test_a_measurement_overwritten_by_a_later_one_is_not_read():
    """Two qubits into one classical bit: the last one is what the counts show."""
    circuit = QuantumCircuit(2, 1)
    circuit.ry(0.4, 0)
    circuit.ry(1.1, 1)
    circuit.measure(0, 0)
    circuit.measure(1, 0)
    task = Task(circuit)
    assert task.measured_qubits == (1,)
    np.testing.assert_allclose(final(task)[0], [np.cos(0.55) ** 2, np.sin(0.55) ** 2], atol=1e-12)


def test_measurements_beside_observables_are_taken_off():
    """The observable is on the whole circuit, whatever was measured."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 1)
    circuit.measure_all()
    task = Task(circuit, "ZI")
    assert task.circuit.num_clbits == 0
    assert final(task)[0, 0] == pytest.approx(np.cos(0.4))


def test_measure_all_of_the_librarys_circuits_keeps_the_order():
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, 1)
    circuit.measure_all()
    assert Task(circuit).measured_qubits == (0, 1, 2)
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, 1)
    circuit.measure_active()
    assert Task(circuit).measured_qubits == (1,)


def test_state_preparation_is_kept():
    circuit = QuantumCircuit(2)
    circuit.append(StatePreparation(np.array([1, 2, 3, 4]) / np.sqrt(30)), [1, 0])
    circuit.ry(0.3, 0)
    task = Task(circuit, ["ZI", "XZ"])
    np.testing.assert_allclose(final(task)[0], outputs(task, Statevector(circuit).data), atol=1e-12)


def test_an_empty_circuit_and_one_without_gates_to_prune():
    """Nothing to do is no error, under a budget too."""
    kept = QuantumCircuit(2)
    kept.append(StatePreparation(np.array([1, 2, 3, 4]) / np.sqrt(30)), [0, 1])
    only_encoding = QuantumCircuit(1)
    only_encoding.rx(x, 0)
    for circuit in (QuantumCircuit(2), kept, only_encoding):
        free = list(circuit.parameters)
        task = Task(circuit, inputs=[0.3, 0.4] if free else None, input_params=free)
        for options in (
            {},
            {"limit": Proven(0.1)},
            {"limit": Proven(0.1), "strategy": "random"},
            {"limit": Proven(0.0)},
        ):
            result = prune(task, **options)
            assert result.certificate.replaced == ()
            assert result.certificate.largest_bound == 0
            change = deviation(task, state(task.bound_circuit(0)), state(result.task.bound_circuit(0)))
            assert change.max() <= 1e-12
        assert prune(task, Measured(0.1)).certificate.replaced == ()
