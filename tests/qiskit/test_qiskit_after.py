"""Passes that run after `PruneGates`: which approximate, who is told, and what `check_certificate` makes of them."""

import warnings
from functools import cache

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator
from qiskit.transpiler import PassManager
from qiskit.transpiler import passes as qp

from qprune import CertificateViolation, Proven, Task, TaskError
from qprune.qiskit.faces import APPROXIMATING, PruneGates, QpruneWarning, check_certificate

BASIS = ["rz", "sx", "x", "cx"]


def network():
    w = ParameterVector("w", 3)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.ry(w[0], 1)
    circuit.cx(0, 1)
    circuit.rx(w[1], 0)
    circuit.ry(w[2], 1)
    return circuit


def make():
    return Task(network(), ["IZ", "ZI"], weights=[0.01, 0.7, 0.4])


def after(*following, before=()):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        PassManager([*before, PruneGates(make(), Proven(0.2)), *following]).run(network())
    return [str(w.message) for w in caught if w.category is QpruneWarning]


BLOCKS = (qp.Collect2qBlocks(), qp.ConsolidateBlocks(force_consolidate=True))


@pytest.mark.parametrize(
    "following",
    [
        (qp.RemoveIdentityEquivalent(),),
        (qp.CommutativeCancellation(),),
        (qp.CommutativeInverseCancellation(matrix_based=True),),
        (qp.CommutativeOptimization(),),
        (qp.SubstitutePi4Rotations(),),
        (*BLOCKS, qp.Split2QUnitaries()),
        (*BLOCKS, qp.UnitarySynthesis(BASIS)),
        (qp.RemoveIdentityEquivalent(), qp.CommutativeCancellation(), qp.RemoveIdentityEquivalent()),
    ],
    ids=lambda steps: "-".join(type(step).__name__ for step in steps),
)
def test_a_pass_that_approximates_warns_once(following):
    (message,) = after(*following)
    assert any(message.startswith(type(step).__name__) for step in following)
    assert "rad a gate" in message


@pytest.mark.parametrize(
    ("following", "extent"),
    [
        (qp.RemoveIdentityEquivalent(approximation_degree=0.9), "approximation degree 0.9"),
        (qp.RemoveIdentityEquivalent(approximation_degree=None), "the gates' error rates"),
    ],
)
def test_the_warning_says_how_much(following, extent):
    (message,) = after(following)
    assert extent in message


@pytest.mark.parametrize(
    "following",
    [
        (),
        (qp.Optimize1qGatesDecomposition(BASIS), qp.InverseCancellation()),
        (qp.UnitarySynthesis(BASIS),),  # there is no unitary
        (qp.Depth(),),
    ],
)
def test_exact_passes_do_not_warn(following):
    assert after(*following) == []


def test_passes_before_it_do_not_warn():
    assert after(before=[qp.RemoveIdentityEquivalent(), qp.CommutativeCancellation()]) == []


def test_the_warning_can_be_made_an_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error", QpruneWarning)
        with pytest.raises(QpruneWarning, match="RemoveIdentityEquivalent ran after PruneGates"):
            PassManager([PruneGates(make()), qp.RemoveIdentityEquivalent()]).run(network())


def small(kind, angle):
    """Circuits of which a small angle is all that keeps a gate or a block from going."""
    circuit = QuantumCircuit(2)
    if kind == "rz":
        circuit.rz(angle, 0)
        circuit.h(1)
    elif kind == "rzz":
        circuit.h(0)
        circuit.rx(0.3, 1)
        circuit.rzz(angle, 0, 1)
        circuit.ry(0.4, 0)
    elif kind == "pair":
        circuit.rz(0.3, 0)
        circuit.rz(-0.3 + angle, 0)
    elif kind == "sandwich":
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.rz(angle, 1)
        circuit.cx(0, 1)
        circuit.rx(0.3, 1)
    else:
        circuit.rz(np.pi / 2 + angle, 0)
        circuit.rx(np.pi + angle, 1)
    return circuit


@cache
def largest_loss(steps):
    """The largest angle between a small circuit and what passes make of it."""
    worst = 0.0
    for kind in ("rz", "rzz", "pair", "sandwich", "near"):
        for angle in 10.0 ** np.arange(-2, -13, -0.5):
            circuit = small(kind, angle)
            out = PassManager(list(steps)).run(circuit)
            relative = Operator(circuit).data.conj().T @ Operator.from_circuit(out).data
            phases = np.angle(np.linalg.eigvals(relative))
            turned = np.exp(1j * phases)
            spread = np.angle(turned / turned.sum() * abs(turned.sum()))
            worst = max(worst, float(np.ptp(spread)) / 2)
    return worst


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ((qp.RemoveIdentityEquivalent(),), "RemoveIdentityEquivalent"),
        ((qp.CommutativeCancellation(),), "CommutativeCancellation"),
        ((qp.CommutativeInverseCancellation(matrix_based=True),), "CommutativeInverseCancellation"),
        ((qp.CommutativeOptimization(),), "CommutativeOptimization"),
        ((qp.SubstitutePi4Rotations(),), "SubstitutePi4Rotations"),
        ((*BLOCKS, qp.Split2QUnitaries()), "Split2QUnitaries"),
        ((*BLOCKS, qp.UnitarySynthesis(BASIS)), "UnitarySynthesis"),
        ((qp.TemplateOptimization(),), "TemplateOptimization"),
    ],
)
def test_the_table_of_approximating_passes_is_what_qiskit_does(steps, name):
    assert APPROXIMATING[name] / 11 <= largest_loss(steps) <= 1.1 * APPROXIMATING[name]  # by release of Qiskit


@pytest.mark.parametrize(
    "steps", [(qp.Optimize1qGatesDecomposition(BASIS),), (qp.InverseCancellation(),), (qp.OptimizeCliffords(),)]
)
def test_passes_outside_the_table_are_exact(steps):
    assert largest_loss(steps) < 1e-11


def fixed_angles():
    """A network whose small rotations are numbers, so that Qiskit may drop them."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    for _ in range(4):
        circuit.rx(0.05, 0)
        circuit.cx(0, 1)
        circuit.ry(0.04, 1)
        circuit.cx(0, 1)
    return Task(circuit, ["IZ", "ZI"])


def test_a_circuit_that_was_changed_too_far_does_not_pass():
    task = fixed_angles()
    manager = PassManager([PruneGates(task, Proven(0.0)), qp.RemoveIdentityEquivalent(approximation_degree=0.9)])
    with pytest.warns(QpruneWarning, match="approximation degree 0.9"):
        circuit = manager.run(task.circuit)
    with pytest.raises(CertificateViolation, match="certified is at most 0"):
        check_certificate(circuit, manager.property_set)


def test_a_circuit_that_lost_nothing_passes_in_spite_of_the_warning():
    task = fixed_angles()
    manager = PassManager([PruneGates(task, Proven(0.0)), qp.RemoveIdentityEquivalent()])
    with pytest.warns(QpruneWarning):
        circuit = manager.run(task.circuit)
    assert check_certificate(circuit, manager.property_set) < 1e-12


def test_a_property_set_without_pruning_is_refused():
    manager = PassManager([qp.Depth()])
    with pytest.raises(TaskError, match="no qprune_result"):
        check_certificate(manager.run(network()), manager.property_set)
