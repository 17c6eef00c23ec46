"""Circuits in a device's native gates: gathered rotations, and pruned circuits that backends take."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from qiskit.transpiler import PassManager
from qiskit_aer.primitives import EstimatorV2
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qprune import CertificateViolation, Measured, OptionError, Task, TaskError, UnderNoise, prune, verify
from qprune.qiskit import PruneGates, compiled, prune_compiled
from qprune.qiskit import native as module
from qprune.qiskit.native import gathered, in_native_gates, total_error

BACKEND = FakeManilaV2()


@pytest.fixture(scope="module")
def task():
    """Three qubits, so that a line must route; a rotation and a pair of CX that hardly matter."""
    x = [Parameter("x0"), Parameter("x1")]
    circuit, weights = QuantumCircuit(3), {}

    def turn(name, q, value):
        weights[w := Parameter(f"w{len(weights)}")] = value
        getattr(circuit, name)(w, q)

    for q in range(3):
        circuit.ry(x[q % 2] * (1 + q), q)
        turn("rz", q, 0.4 + q)
        turn("ry", q, 0.9 - q)
    circuit.cx(0, 2)
    turn("ry", 1, 0.01)
    circuit.cx(1, 2)
    turn("rx", 2, 0.02)
    circuit.cx(0, 1)
    turn("ry", 0, 0.015)
    inputs = np.random.default_rng(0).uniform(-1, 1, (6, 2))
    return Task(circuit, ["IIZ", "ZXI"], inputs=inputs, input_params=x, weights=weights)


def bound(task):
    weights = task.named_weights
    return task.circuit.assign_parameters({p: weights[p.name] for p in task.weight_params})


def is_native(circuit):
    return all(
        BACKEND.target.instruction_supported(item.name, tuple(circuit.find_bit(q).index for q in item.qubits))
        for item in circuit.data
    )


def change(task, circuit, observables):
    """Largest change of an output from the task's own, by statevectors of both."""
    worst = 0.0
    for row in task.inputs:
        values = dict(zip([p.name for p in task.input_params], row, strict=True))
        now = Statevector(circuit.assign_parameters({p: values[p.name] for p in circuit.parameters}))
        then = Statevector(bound(task).assign_parameters({p: values[p.name] for p in task.input_params}))
        for before, after in zip(task.observables, observables, strict=True):
            worst = max(worst, abs(now.expectation_value(after) - then.expectation_value(before)))
    return worst


# -- gathering ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_gathered_circuits_are_the_same(seed):
    """Random native circuits, runs cut by CX, x, barriers and other qubits: the same operator up to a phase."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(2)
    for kind in rng.choice(["rz", "sx", "sx", "sx", "x", "cx"], 30):
        q = int(rng.integers(2))
        if kind == "cx":
            circuit.cx(q, 1 - q)
        elif kind == "rz":
            circuit.rz(rng.uniform(-4, 4), q)
        else:
            getattr(circuit, kind)(q)
    found = gathered(circuit)
    assert "ry" in found.count_ops()
    assert Operator(found).equiv(Operator(circuit))
    for earlier, later in zip(found.data, found.data[1:], strict=False):
        assert not (earlier.name == later.name == "sx" and earlier.qubits == later.qubits)


def test_symbols_are_gathered_as_they_are():
    x, w = Parameter("x"), Parameter("w")
    circuit = QuantumCircuit(1)
    circuit.ry(2 * x + w, 0)
    native = transpile(circuit, basis_gates=["rz", "sx", "x", "cx"], optimization_level=1)
    found = gathered(native)
    assert "sx" in native.count_ops()
    assert "sx" not in found.count_ops()
    (angle,) = next(item.operation.params for item in found.data if item.name == "ry")
    assert float(angle.bind({x: 0.3, w: 0.5})) % (2 * np.pi) == pytest.approx(1.1)


def test_native_gates_leave_qubits_where_they_are():
    circuit = QuantumCircuit(5)
    circuit.rx(0.3, 4)
    circuit.cx(1, 0)
    circuit.ry(Parameter("x"), 3)
    found = in_native_gates(circuit, BACKEND.target)
    assert is_native(found)
    values = {"x": 0.7}
    states = [Statevector(c.assign_parameters(values)) for c in (circuit, found)]
    assert states[0].equiv(states[1])


# -- pruned, then compiled ----------------------------------------------------------------------------------------


def test_a_result_is_compiled_and_checked(task):
    """The backend's own target takes it, outputs are within the certificate, and Aer's estimator agrees."""
    result = prune(task, Measured(0.05))
    found = compiled(result, BACKEND)
    assert is_native(found.circuit)
    assert found.circuit.num_qubits == BACKEND.num_qubits
    measured = change(task, found.circuit, found.observables)
    assert found.deviation == pytest.approx(measured, abs=1e-9)
    assert measured <= 0.05
    assert found.result is result
    values = dict(zip([p.name for p in task.input_params], task.inputs[2], strict=True))
    row = [values[p.name] for p in found.circuit.parameters]
    (answer,) = (
        EstimatorV2(options={"default_precision": 0.0})
        .run([(found.circuit, [[o] for o in found.observables], row)])
        .result()
    )
    state = Statevector(found.circuit.assign_parameters(row))
    expected = [state.expectation_value(o).real for o in found.observables]
    np.testing.assert_allclose(answer.data.evs.ravel(), expected, atol=1e-6)
    worse = transpile(bound(task), BACKEND, optimization_level=0, seed_transpiler=3)
    assert 0 < total_error(found.circuit, BACKEND.target) < total_error(worse, BACKEND.target)


def test_distributions_are_measured_where_they_end():
    circuit = QuantumCircuit(3, 2)
    circuit.ry(0.8, 0)
    circuit.cx(0, 2)
    circuit.rx(0.001, 2)
    circuit.measure([2, 0], [0, 1])
    task = Task(circuit)
    found = compiled(prune(task, Measured(0.01)), BACKEND)
    assert found.observables is None
    assert found.circuit.count_ops()["measure"] == 2
    assert is_native(found.circuit)


def test_what_deviates_too_much_is_refused(task, monkeypatch):
    result = prune(task, Measured(0.05))
    monkeypatch.setattr(module, "transpile", lambda circuit, **_: QuantumCircuit(3))
    with pytest.raises(CertificateViolation, match="Qiskit compiled something else"):
        compiled(result, BACKEND)


def test_what_is_no_backend(task):
    with pytest.raises(OptionError, match="backend must be a Qiskit backend or a Target, got 'FakeManilaV2'"):
        compiled(prune(task), "FakeManilaV2")


# -- compiled, then pruned ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_compiled_circuit_is_pruned_in_its_own_gates(task, refit):
    """Layout and couplings kept, rotations approximated, the result what the backend takes."""
    isa = transpile(bound(task), BACKEND, optimization_level=3, seed_transpiler=1)
    found = prune_compiled(isa, task, BACKEND, Measured(0.05, refit=refit))
    assert is_native(found.circuit)
    assert found.circuit.layout == isa.layout
    assert found.circuit.size() < isa.size()
    assert found.circuit.num_nonlocal_gates() <= isa.num_nonlocal_gates()
    expected = tuple(o.apply_layout(isa.layout) for o in task.observables)
    assert found.observables == expected
    measured = change(task, found.circuit, expected)
    assert measured <= 0.05 + 1e-6
    assert measured == pytest.approx(found.deviation, abs=1e-5)
    verify(found.result.original, found.result)


def test_free_weights_measurements_and_devices(task):
    """Weights that are still symbols; final measurements stay; the device is taken on the circuit's own qubits."""
    circuit = task.circuit.copy()
    circuit.measure_all()
    isa = transpile(circuit, BACKEND, optimization_level=1, initial_layout=[4, 2, 3])
    found = prune_compiled(isa, task, BACKEND, UnderNoise(BACKEND, shots=1000))
    assert is_native(found.circuit)
    assert found.circuit.count_ops()["measure"] == 3
    assert [i.qubits for i in found.circuit.data if i.name == "measure"] == [
        tuple(found.circuit.qubits[isa.find_bit(q).index] for q in i.qubits) for i in isa.data if i.name == "measure"
    ]
    assert set(found.result.certificate.noise.layout) >= {2, 3, 4}
    assert not set(found.circuit.parameters) & set(task.weight_params)


def test_another_circuit_is_refused(task):
    other = bound(task)
    other.ry(0.3, 0)
    isa = transpile(other, BACKEND, optimization_level=1)
    with pytest.raises(TaskError, match="is not the task's: an output differs by"):
        prune_compiled(isa, task, BACKEND)


def test_a_pass_manager_gives_native_gates_back(task):
    isa = transpile(bound(task), BACKEND, optimization_level=1, seed_transpiler=1)
    here = Task(
        isa,
        [o.apply_layout(isa.layout) for o in task.observables],
        inputs=task.inputs,
        input_params=[p.name for p in task.input_params],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pruned = PassManager([PruneGates(here, Measured(0.05), target=BACKEND)]).run(isa)
    assert is_native(pruned)
    assert pruned.size() < isa.size()
    assert change(task, pruned, here.observables) <= 0.05 + 1e-9
    assert isinstance(here.observables[0], SparsePauliOp)
