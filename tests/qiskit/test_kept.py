"""What is proven for every input, on circuits made from a pruned one that changes between the samples."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector
from qiskit.transpiler import PassManager, TransformationPass, generate_preset_pass_manager
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qprune import CertificateViolation, Everywhere, Measured, QpruneWarning, Task, prune
from qprune.qiskit import PruneGates, check_certificate, compiled, native
from qprune.qiskit import kept as module

X = Parameter("x")


@pytest.fixture(scope="module")
def task():
    """Read at −π, 0 and π, where RY(2x) does nothing to the second qubit's Z."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    circuit.rx(0.01, 1)
    circuit.ry(X, 0)
    return Task(circuit, ["ZI", "IZ"], inputs=[[-np.pi], [0.0], [np.pi]], input_params=[X])


def at(circuit, x):
    """The state at an input, which a circuit may have lost."""
    return Statevector(circuit.assign_parameters({X: x} if circuit.parameters else {}))


def largest_change(task, circuit, observables, xs):
    """By states, at any inputs."""
    return max(
        abs(old.expectation_value(o).real - new.expectation_value(p).real)
        for old, new in ((at(task.circuit, x), at(circuit, x)) for x in xs)
        for o, p in zip(task.observables, observables, strict=True)
    )


class Meddles(TransformationPass):
    def run(self, dag):
        from qiskit.circuit.library import RYGate

        dag.apply_operation_back(RYGate(2 * X), [dag.qubits[1]])
        return dag


def meddling(transpile):
    def changed(circuit, **options):
        if options["optimization_level"] > native.EXACT:
            circuit = circuit.copy()
            circuit.ry(2 * X, 1)
        return transpile(circuit, **options)

    return changed


@pytest.mark.parametrize("limit", [Everywhere(0.05), Measured(0.05)])
def test_what_changes_between_the_samples_is_not_taken(task, limit, monkeypatch):
    result, xs = prune(task, limit), np.linspace(-np.pi, np.pi, 41)
    assert compiled(result, FakeManilaV2()).level == 3
    monkeypatch.setattr(native, "transpile", meddling(native.transpile))
    found = compiled(result, FakeManilaV2())
    assert found.level == native.EXACT
    assert largest_change(task, found.circuit, found.observables, xs) <= result.certificate.every_input.upper + 1e-9


@pytest.mark.parametrize("limit", [Everywhere(0.05), Measured(0.05)])
def test_a_pass_that_changes_what_is_between_the_samples_is_found(task, limit):
    manager = PassManager([PruneGates(task, limit), Meddles()])
    out = manager.run(task.circuit)
    assert largest_change(task, out, task.observables, task.inputs[:, 0]) <= 0.05
    assert largest_change(task, out, task.observables, [0.5]) > 0.3
    with pytest.raises(CertificateViolation, match="proven for every input is at most"):
        check_certificate(out, manager.property_set)


@pytest.mark.parametrize("meddled", [False, True])
@pytest.mark.parametrize("stage", ["init", "optimization"])
@pytest.mark.parametrize(("layout", "width"), [([2, 1], 3), ([1, 0], 2), ([0, 1], 2)])
def test_before_and_after_a_layout(task, layout, width, stage, meddled):
    """After it the pass sees a device's qubits, in another order and perhaps more than the task has."""
    couplings = [[q, q + 1] for q in range(width - 1)]
    manager = generate_preset_pass_manager(0, coupling_map=couplings, initial_layout=layout)
    setattr(manager, stage, PassManager([PruneGates(task, Everywhere(0.05)), *([Meddles()] if meddled else [])]))
    out = manager.run(task.circuit)
    assert out.num_qubits == width
    if meddled:
        with pytest.raises(CertificateViolation, match="proven for every input"):
            check_certificate(out, manager.property_set)
    else:
        assert check_certificate(out, manager.property_set) <= 0.05


def test_a_distribution_is_compiled_at_level_three(task):
    measured = QuantumCircuit(2, 1)
    measured.compose(task.circuit, inplace=True)
    measured.measure(1, 0)
    distribution = Task(measured, inputs=task.inputs, input_params=[X])
    found = compiled(prune(distribution, Everywhere(0.05)), FakeManilaV2())
    assert found.level == 3
    (measure,) = found.circuit.get_instructions("measure")
    place, gates = found.circuit.find_bit(measure.qubits[0]).index, found.circuit.copy()
    gates.remove_final_measurements()
    for x in np.linspace(-np.pi, np.pi, 9):
        assert np.abs(at(gates, x).probabilities([place]) - at(task.circuit, x).probabilities([1])).max() <= 0.05


def test_what_is_measured_is_certified_not_the_bound(task):
    """A circuit within a loose bound of T2, beyond the budget that was measured."""
    manager = PassManager([PruneGates(task.with_inputs(task.inputs[1:2]), Measured(0.05))])
    small = manager.run(task.circuit)
    small.ry(0.5, 0)
    assert largest_change(task, small, task.observables, [0.0]) > 0.05
    with pytest.raises(CertificateViolation, match=r"on sample 0, certified is at most 0\.05"):
        check_certificate(small, manager.property_set)


def test_where_no_proof_can_be_made(task, monkeypatch):
    manager = PassManager([PruneGates(task, Everywhere(0.05))])
    out = manager.run(task.circuit)
    assert check_certificate(out, manager.property_set) <= 0.05
    monkeypatch.setattr(module, "MOST_RUNS_ASKED", 1)
    with pytest.warns(QpruneWarning, match="could not be confirmed"):
        assert check_certificate(out, manager.property_set) <= 0.05
    assert compiled(manager.property_set["qprune_result"], FakeManilaV2()).level == native.EXACT
