"""What strategies are shown: shares of gates, effects, the oracle, layers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
from helpers import outputs, state
from planted import evidence_of, mixed, small
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator

import qprune
from qprune import Measured, OptionError, Proven, Task
from qprune.gates.sites import circuit_of, sites_of
from qprune.selection.participation import Participation
from qprune.selection.strategies import STRATEGIES

FIXED = {  # generators A with gate = exp(−iπA), in Qiskit's little-endian order, by hand
    "h": (np.eye(2) - np.array([[1, 1], [1, -1]]) / np.sqrt(2)) / 2,
    "cx": np.kron(np.eye(2) - np.array([[0, 1], [1, 0]]), np.diag([0, 1])) / 2,
}


def share_of(operation, share):
    """U^s along the short way to the identity: by the generator by hand, by the angle, or by the logarithm."""
    if operation.name in FIXED:
        return scipy.linalg.expm(-1j * np.pi * share * FIXED[operation.name])
    if operation.name in ("rx", "rzz", "crx"):
        angle = float(operation.params[0])
        turned = operation.copy()
        turned.params = [share * (angle - 2 * np.pi if angle > np.pi else angle)]
        return Operator(turned).data
    return scipy.linalg.expm(share * scipy.linalg.logm(Operator(operation).data))


def dense_outputs(task, shares):
    """Outputs with some gates at a share, on all samples: shape (R, M)."""
    found = []
    for sample in range(task.num_samples):
        bound, new = task.bound_circuit(sample), QuantumCircuit(task.num_qubits)
        for k, item in enumerate(bound.data):
            where = [bound.find_bit(q).index for q in item.qubits]
            operation = item.operation
            new.append(UnitaryGate(share_of(operation, shares[k])) if k in shares else operation, where)
        found.append(outputs(task, state(new)))
    return np.array(found).T


def test_shares_of_gates_are_those_of_dense_matrices():
    """Some gates at random shares, the others whole; every kind in turn, and several at once."""
    task = mixed()
    sites = sites_of(task)
    free = [k for k, site in enumerate(sites) if site.role != "encoding" and site.name not in ("u", "iswap", "sx")]
    network = Participation(task, sites, free)
    rng = np.random.default_rng(0)
    whole = dense_outputs(task, {})
    offset = whole - network.values(np.ones(len(free)))  # what the identity's part of observables adds
    assert np.abs(offset).max() < 1e-12
    for chosen in [[j] for j in range(len(free))] + [list(range(len(free)))]:
        shares = np.ones(len(free))
        shares[chosen] = rng.uniform(0, 1, len(chosen))
        want = dense_outputs(task, {free[j]: shares[j] for j in chosen})
        np.testing.assert_allclose(network.values(shares), want, atol=1e-12)


def test_no_share_is_no_gate_and_slopes_are_differences():
    """Whatever the gate: at 0 the circuit without it, gates that take no share included; derivatives by differences."""
    task = mixed()
    sites = sites_of(task)
    network = Participation(task, sites, range(len(sites)))
    assert network.scalable.tolist() == [site.role != "encoding" for site in sites]
    for k in range(len(sites)):
        bare = QuantumCircuit(3)
        for item in (item for j, item in enumerate(task.circuit.data) if j != k):
            bare.append(item.operation, [task.circuit.find_bit(q).index for q in item.qubits])
        columns = [p for p in task.input_params if p in bare.parameters]
        inputs = task.inputs if columns else None
        alone = Task(bare, task.observables, inputs=inputs, input_params=columns)
        np.testing.assert_allclose(network.without([k]), dense_outputs(alone, {}) + np.zeros((3, 3)), atol=1e-12)
    middle = np.full(len(sites), 0.6)
    values, slopes = network.jacobian(middle)
    np.testing.assert_allclose(values, network.values(middle), atol=1e-13)
    for k in range(len(sites)):
        step = 1e-5 * np.eye(len(sites))[k]
        difference = (network.values(middle + step) - network.values(middle - step)) / 2e-5
        np.testing.assert_allclose(slopes[k], difference, atol=1e-9)


def test_effects_deviation_and_similarity():
    """By dense states; the oracle counts; cosines of effects that add up to something by hand."""
    task = small(3)
    evidence = evidence_of(task)
    task = task.with_circuit(circuit_of(task, evidence.sites))  # rotations that merge are one
    before = dense_outputs(task, {})
    for k, place in enumerate(evidence.places):
        effect = dense_outputs(task, {place: 0.0}) - before
        np.testing.assert_allclose(evidence.exact_effects[k], effect, atol=1e-12)
        ahead = (dense_outputs(task, {place: 1.0}) - dense_outputs(task, {place: 1 - 1e-6})) / 1e-6
        np.testing.assert_allclose(evidence.effects[k], -ahead, atol=1e-5)
    assert evidence.calls == 0
    gone = [0, 2, 5]
    after = dense_outputs(task, {evidence.places[k]: 0.0 for k in gone})
    assert evidence.deviation(gone) == pytest.approx(np.abs(after - before).max(), abs=1e-12)
    assert evidence.calls == 1
    flat = evidence.exact_effects.reshape(len(evidence.places), -1)
    for k, j in ((0, 1), (2, 7)):
        cosine = flat[k] @ flat[j] / np.linalg.norm(flat[k]) / np.linalg.norm(flat[j])
        assert evidence.similarity()[k, j] == pytest.approx(cosine, abs=1e-12)


def test_distributions_deviate_by_total_variation():
    circuit = QuantumCircuit(2)
    circuit.ry(0.8, 0)
    circuit.cx(0, 1)
    circuit.rx(0.3, 1)
    evidence = evidence_of(Task(circuit, None))
    before = np.abs(state(circuit)) ** 2
    bare = QuantumCircuit(2)
    bare.ry(0.8, 0)
    bare.rx(0.3, 1)
    after = np.abs(state(bare)) ** 2
    assert evidence.deviation([1]) == pytest.approx(np.abs(before - after).sum() / 2, abs=1e-12)


def test_layers_are_those_of_the_circuit_drawn_to_the_left():
    circuit = QuantumCircuit(3)
    circuit.rx(0.1, 0)
    circuit.rx(0.2, 1)
    circuit.cx(0, 1)
    circuit.rx(0.3, 2)
    circuit.cx(1, 2)
    evidence = evidence_of(Task(circuit, ["ZZZ"]))
    assert evidence.layers.tolist() == [0, 0, 1, 0, 2]


SEEN = [name for name in STRATEGIES if name not in ("q-iprune", "magnitude", "random")]


def test_without_states_there_is_no_evidence():
    """Strategies that look at outputs say what to use instead; the limit's own search goes on."""
    task = small(0)
    with pytest.raises(OptionError, match="works on statevectors; use Statevector"):
        qprune.prune(task, Measured(0.05), strategy="brain-surgeon", simulator="matrix_product_state")
    assert (
        qprune.prune(
            task, Proven(0.05), strategy="q-iprune", simulator="matrix_product_state"
        ).certificate.largest_bound
        <= 0.05
    )
