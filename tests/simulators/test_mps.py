"""Matrix product states: against dense states where there are any, against Aer's and by light cones beyond."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import cases, deviation, examples, expectations, outputs, reduced, state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_unitary

from qprune import (
    CertificateViolation,
    Measured,
    OptionError,
    Proven,
    Task,
    TaskError,
    Threshold,
    frontier,
    prune,
    verify,
)
from qprune.gates.sites import sites_of
from qprune.gates.subgroups import subgroup_of
from qprune.simulators import matrix_product as mps
from qprune.simulators.choices import SIMULATORS
from qprune.simulators.choices import Statevector as Simulator
from qprune.simulators.matrix_product import MatrixProductState

MPS = "matrix_product_state"


def amplitudes(chain):
    """All of them, the first site least significant."""
    whole = chain.tensors[0]
    for tensor in chain.tensors[1:]:
        whole = np.tensordot(whole, tensor, 1)
    whole = whole.reshape((2,) * len(chain.tensors))
    return whole.transpose(*range(whole.ndim)[::-1]).reshape(-1)


def run(circuit, chain):
    """Gates of any width, on qubits in any order."""
    for item in circuit.data:
        qubits = [circuit.find_bit(q).index for q in item.qubits]
        order = np.argsort(qubits)
        wide = QuantumCircuit(len(qubits))
        wide.append(item.operation, np.argsort(order).tolist())
        sites = sorted(qubits)
        chain.bring_together(sites)
        chain.apply(Operator(wide).data, sites[0])
        chain.bring_back(sites)


def entangling(width, depth, seed, strength=1.0):
    """Rotations and random gates on one to three qubits anywhere, more or less far from the identity."""
    rng, circuit = np.random.default_rng(seed), QuantumCircuit(width)
    for _ in range(depth):
        for q in range(width):
            circuit.u(*rng.uniform(0, 3, 3), q)
        for size in (2, 2, 3):
            qubits = rng.choice(width, size, replace=False).tolist()
            circuit.append(Operator(random_unitary(2**size, seed=rng)).power(strength), qubits)
    return circuit


@pytest.mark.parametrize("seed", range(4))
def test_states_reduced_states_words_and_outcomes(seed):
    """Whatever the gates, a chain that discards nothing is the dense state."""
    rng, circuit = np.random.default_rng(seed), entangling(6, 3, seed)
    chain = MatrixProductState(6)
    run(circuit, chain)
    vector = state(circuit)
    np.testing.assert_allclose(amplitudes(chain), vector, atol=1e-13)
    for first, width in ((0, 1), (3, 1), (4, 2), (1, 3), (0, 2)):
        exact = reduced(vector, tuple(range(first, first + width)))
        np.testing.assert_allclose(chain.reduced(first, width), exact, atol=1e-13)
    rho = np.outer(vector, vector.conj())
    for _ in range(20):
        word = tuple((q, "XYZ"[rng.integers(3)]) for q in range(6) if rng.integers(2))
        assert chain.mean(word) == pytest.approx(expectations(rho, range(6))(word)[0], abs=1e-13)
    for sites in ([0], [5, 2], [1, 3, 0, 4], [2, 1, 0, 3, 5, 4]):
        np.testing.assert_allclose(chain.distribution(sites), Statevector(vector).probabilities(sites), atol=1e-13)


@pytest.mark.thinned(4)
@pytest.mark.parametrize(("bond", "discarded"), [(256, 1e-4), (256, 1e-6), (3, 0.0), (5, 1e-5)])
@pytest.mark.parametrize("seed", range(3))
def test_the_state_is_as_far_from_the_exact_one_as_was_discarded_at_most(bond, discarded, seed, monkeypatch):
    """T7: every truncation adds its own distance, swaps included; means follow with twice that."""
    monkeypatch.setattr(mps, "LARGEST_BOND", bond)
    monkeypatch.setattr(mps, "DISCARDED", discarded)
    monkeypatch.setattr(mps, "LARGEST_ERROR", np.inf)
    circuit = entangling(7, 4, seed, 0.15)
    chain, vector = MatrixProductState(7), state(circuit)
    run(circuit, chain)
    found = amplitudes(chain)
    real = np.linalg.norm(found - vector)
    assert 1e-4 < real <= chain.error
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-12)
    assert chain.largest_bond <= bond
    rho = np.outer(vector, vector.conj())
    for word in (((0, "Z"),), ((2, "X"), (5, "Y")), tuple((q, "Z") for q in range(7))):
        assert abs(chain.mean(word) - expectations(rho, range(7))(word)[0]) <= 2 * chain.error


def test_one_truncation_is_known_to_the_last_digit(monkeypatch):
    """cos a |00⟩ + sin a |11⟩ cut to one product state is off by √(2 − 2 cos a)."""
    monkeypatch.setattr(mps, "LARGEST_BOND", 1)
    monkeypatch.setattr(mps, "LARGEST_ERROR", np.inf)
    circuit = QuantumCircuit(3)
    circuit.ry(0.5, 0)
    circuit.cx(0, 1)
    chain = MatrixProductState(3)
    run(circuit, chain)
    assert chain.truncation == pytest.approx(np.sqrt(2 - 2 * np.cos(0.25)), abs=1e-15)
    assert np.linalg.norm(amplitudes(chain) - state(circuit)) == pytest.approx(chain.truncation, abs=1e-15)


@given(cases(), st.data())
@settings(
    max_examples=examples(40), derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
def test_random_tasks_give_the_values_of_dense_states(case, data):
    """Over the whole catalogue: gates in any order of qubits, inputs anywhere, every kind of output."""
    task = case.task
    sites = sites_of(task)
    words = [() if (group := subgroup_of(site)) is None else group.words for site in sites]
    found = SIMULATORS[MPS]().run(task, sites, words, task.selected)
    exact = Simulator().run(task, sites, words, task.selected)
    np.testing.assert_allclose(found.values, exact.values, atol=found.outputs.rounding + exact.outputs.rounding)
    assert found.outputs.rounding < 1e-10
    for row, i in enumerate(task.selected):
        dense = outputs(task, state(task.bound_circuit(int(i))))
        if task.observables is None:
            np.testing.assert_allclose(found.outputs.distribution[row], dense, atol=1e-11)
        else:
            np.testing.assert_allclose(found.outputs.means[:, row], dense, atol=1e-11)


# -- too wide for a statevector -----------------------------------------------------------------------------------


def brickwork(width, depth=2, samples=2, observables=None, scale=0.05, weights=0.1):
    """Neighbours entangle by RZZ of small angle; the trained weights are mostly small."""
    rng = np.random.default_rng(width + depth)
    x, w = ParameterVector("x", width), ParameterVector("w", depth * (2 * width - 1) + width)
    circuit, free = QuantumCircuit(width), iter(w)
    for q in range(width):
        circuit.ry(x[q], q)
    for _ in range(depth):
        for q in range(width):
            circuit.rx(next(free), q)
        for q in [*range(0, width - 1, 2), *range(1, width - 1, 2)]:
            circuit.rzz(next(free), q, q + 1)
    for q in range(width):
        circuit.rx(next(free), q)
    values = rng.normal(0, weights, len(w)) * rng.choice([1, scale], len(w))
    default = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], width) for q in range(0, width, 7)]
    return Task(
        circuit,
        default if observables is None else observables,
        inputs=rng.uniform(0, np.pi, (samples, width)),
        input_params=list(x),
        weights=values,
        weight_params=list(w),
    )


def inside_cone(task, r, sample):
    """⟨O_r⟩ by a statevector of its light cone alone."""
    circuit, cone = task.bound_circuit(sample), set(task.output_supports[r])
    kept = []
    for item in reversed(circuit.data):
        qubits = {circuit.find_bit(q).index for q in item.qubits}
        if qubits & cone:
            cone |= qubits
            kept.append(item)
    order = sorted(cone)
    small = QuantumCircuit(len(order))
    for item in reversed(kept):
        small.append(item.operation, [order.index(circuit.find_bit(q).index) for q in item.qubits])
    observable = SparsePauliOp([str(p)[::-1] for p in task.observables[r].paulis], task.observables[r].coeffs)
    local = SparsePauliOp(["".join(str(p)[q] for q in order)[::-1] for p in observable.paulis], observable.coeffs)
    return Statevector(small).expectation_value(local).real


def test_fifty_qubits_are_pruned_certified_and_verified():
    """Every mean and measured deviation is that of a statevector on the output's light cone."""
    task = brickwork(50)
    result = prune(task, Proven(0.05), simulator=SIMULATORS[MPS](tolerance=0))
    certificate = result.certificate
    assert len(certificate.replaced) > 20
    assert certificate.largest_measured <= certificate.largest_bound <= 0.05
    assert 0 < certificate.expectations.error < 1e-9
    for r in range(len(task.observables)):
        for i in range(task.num_samples):
            change = abs(inside_cone(result.task, r, i) - inside_cone(task, r, i))
            assert certificate.measured[r][i] == pytest.approx(change, abs=1e-11)
            assert change <= certificate.bound[r][i]
    assert "matrix product states" in str(result)
    report = verify(task, result)
    assert all(check.ok for check in report.checks)


def test_a_hundred_qubits_with_entanglement_across_all_of_them():
    """A chain of CX carries every qubit's input to the last one: ⟨Z…Z⟩ and ⟨Z⟩ there are known products."""
    width, rng = 100, np.random.default_rng(4)
    angles = rng.uniform(0.1, 0.6, width)
    x, circuit = ParameterVector("x", width), QuantumCircuit(width)
    for q in range(width):
        circuit.ry(x[q], q)
    for q in range(width - 1):
        circuit.cx(q, q + 1)
    circuit.rz(1e-3, 3)
    observables = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], width) for q in (40, 99)]
    task = Task(circuit, observables, inputs=angles[None], input_params=list(x))
    sites = sites_of(task)
    found = SIMULATORS[MPS](tolerance=0).run(task, sites, [()] * len(sites), task.selected).outputs
    np.testing.assert_allclose(found.means[:, 0], [np.cos(angles[:41]).prod(), np.cos(angles).prod()], atol=1e-13)
    result = prune(task, Proven(0.01), simulator=MPS)
    assert result.circuit.size() < circuit.size()


def test_tampered_claims_about_wide_circuits_are_caught():
    task = brickwork(24, depth=1, samples=1)
    result = prune(task, Proven(0.05), simulator=MPS)
    certificate = result.certificate
    verify(task, result)
    raised = tuple(tuple(x + 0.01 for x in row) for row in certificate.measured)
    lowered = tuple(tuple(x / 2 for x in row) for row in certificate.angle)
    halved = tuple(replace(entry, largest_angle=entry.largest_angle / 2) for entry in certificate.replaced)
    for change, claim in (
        ({"measured": raised}, "measured deviation"),
        ({"angle": lowered}, "Θ ≥ sum of angles"),
        ({"replaced": halved}, "largest angle of a gate|upper limit"),
        ({"expectations": replace(certificate.expectations, truncation=1.0)}, "truncation"),
    ):
        with pytest.raises(CertificateViolation, match=claim):
            verify(task, replace(result, certificate=replace(certificate, **change)))


def test_measured_mode_counts_what_truncation_may_hide(monkeypatch):
    """The deviation of a statevector stays within the budget although many Schmidt coefficients are discarded."""
    monkeypatch.setattr(mps, "DISCARDED", 1e-8)
    task = brickwork(8, observables=["ZZZZZZZX"], weights=0.6)
    result = prune(task, Measured(0.05), simulator=MPS)
    assert result.certificate.replaced
    assert result.certificate.expectations.truncation > 1e-5
    for i in range(task.num_samples):
        before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
        assert np.all(deviation(task, before, after) <= 0.05)
    verify(task, result)


def test_truncation_goes_into_angles_and_bounds(monkeypatch):
    """The same circuit, kept with less accuracy, gets the same gates larger angles, and the bounds hold."""
    task = brickwork(8, observables=["ZZZZZZZX"], weights=0.6)
    fine = prune(task, Threshold(0.1), simulator=MPS)
    monkeypatch.setattr(mps, "DISCARDED", 1e-8)
    coarse = prune(task, Threshold(0.1), simulator=MPS)
    gates = {entry.site: entry.largest_angle for entry in fine.certificate.replaced}
    for entry in coarse.certificate.replaced:
        assert entry.largest_angle > gates.get(entry.site, 0)
    assert coarse.certificate.expectations.error > 1e-5 > fine.certificate.expectations.error
    verify(task, coarse)


def test_too_much_entanglement_is_refused():
    task = brickwork(12, depth=4, observables=["Z" * 12], scale=1.0, weights=1.5)
    with pytest.raises(TaskError, match="entangles too much for matrix product states"):
        prune(task, Proven(0.1), simulator=SIMULATORS[MPS](bond=4))


def test_what_matrix_product_states_cannot_do_is_said():
    task = brickwork(50)
    with pytest.raises(TaskError, match="simulator=MatrixProductState"):
        prune(task, Proven(0.1))
    for limit in (Measured(0.1, refit=True), Proven(0.1, window=3)):
        with pytest.raises(OptionError, match=r"works? on statevectors"):
            prune(task, limit, simulator=MPS)
    with pytest.raises(OptionError, match="refit works on statevectors"):
        frontier(task, simulator=MPS)
    with pytest.raises(OptionError, match="simulator must be one of"):
        prune(task, Proven(0.1), simulator="mps")
    everything = Task(task.circuit, inputs=task.inputs, input_params=task.input_params, weights=task.weights)
    with pytest.raises(TaskError, match="at most 16 qubits"):
        prune(everything, Proven(0.1), simulator=MPS)
