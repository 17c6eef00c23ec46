"""Windows (T6): never below the exact angle, never above the sum of angles."""

from math import pi

import numpy as np
import pytest
from helpers import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

import qprune
from qprune import Proven, Task, Threshold
from qprune.gates.sites import sites_of
from qprune.selection.windows import window_ends


def random_task(seed, qubits, depth):
    """A layered circuit with small and large angles, several samples, one observable per qubit."""
    from qiskit.circuit import ParameterVector

    rng = np.random.default_rng(seed)
    x, w = ParameterVector("x", qubits), ParameterVector("w", 2 * qubits * depth)
    circuit = QuantumCircuit(qubits)
    for q in range(qubits):
        circuit.ry(x[q], q)
    free = iter(w)
    for _ in range(depth):
        for q in range(qubits):
            circuit.ry(next(free), q)
            circuit.rz(next(free), q)
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
    labels = ["I" * (qubits - 1 - q) + "Z" + "I" * q for q in range(qubits)]
    weights = rng.choice([0.02, 0.3], size=len(w)) * rng.normal(size=len(w))
    return Task(circuit, labels, inputs=rng.normal(size=(4, qubits)), input_params=list(x), weights=weights)


def exact_angles(result):
    """Angle between the states of the simplified and of the pruned circuit, by quantum_info."""
    task = result.original
    pairs = [task.with_circuit(result.simplified), result.task]
    angles = []
    for i in range(task.num_samples):
        first, second = (Statevector(t.bound_circuit(i)).data for t in pairs)
        overlap = np.vdot(first, second)
        angles.append(np.arctan2(np.linalg.norm(second - overlap * first), abs(overlap)))
    return np.array(angles)


@settings(max_examples=examples(40), deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 10**6),
    qubits=st.integers(2, 4),
    depth=st.integers(1, 3),
    size=st.integers(1, 4),
    tolerance=st.sampled_from([0.02, 0.1, 0.4]),
)
def test_between_the_exact_angle_and_the_sum(seed, qubits, depth, size, tolerance):
    """Every output's own light cone, and the parity of all qubits, from which nothing may be dropped after pruning."""
    task = random_task(seed, qubits, depth)
    everything = [*task.observables, SparsePauliOp("X" * qubits)]
    task = Task(task.circuit, everything, inputs=task.inputs, input_params=task.input_params, weights=task.weights)
    total = qprune.prune(task, Threshold(tolerance, window=0))
    windowed = qprune.prune(task, Threshold(tolerance, window=size))
    assert [r.site for r in total.certificate.replaced] == [r.site for r in windowed.certificate.replaced]
    theta, limit = np.array(windowed.certificate.angle), np.array(total.certificate.angle)
    assert np.all(theta <= limit + 1e-12)
    assert np.all(theta[-1] >= exact_angles(windowed) - 1e-12)
    assert np.all(np.array(windowed.certificate.measured) <= np.array(windowed.certificate.bound) + 1e-12)
    qprune.verify(task, windowed)


@pytest.mark.parametrize("seed", range(5))
def test_one_window_is_the_exact_angle(seed):
    """With the parity of all qubits measured, the light cone is everything and nothing may be dropped after."""
    task = random_task(seed, 3, 2)
    task = Task(task.circuit, "XXX", inputs=task.inputs, input_params=task.input_params, weights=task.weights)
    result = qprune.prune(task, Threshold(0.1, window=3))
    assert result.certificate.replaced
    np.testing.assert_allclose(np.array(result.certificate.angle)[0], exact_angles(result), atol=1e-9)


def test_windows_admit_more_under_the_same_budget():
    gone = {}
    for size in (0, 4):
        results = [qprune.prune(random_task(seed, 4, 3), Proven(0.1, window=size)) for seed in range(6)]
        assert all(r.certificate.largest_bound <= 0.1 for r in results)
        gone[size] = sum(r.simplified.size() - r.circuit.size() for r in results)
    assert gone[4] > gone[0]


def test_cuts_respect_the_size_and_lose_no_gate():
    sites = sites_of(random_task(0, 4, 3))
    for size in (1, 2, 3, 4):
        ends = window_ends(sites, size)
        assert ends[-1] == len(sites)
        assert ends == sorted(set(ends))
        for first, end in zip([0, *ends], ends, strict=False):
            touched = {q for site in sites[first:end] for q in site.qubits}
            assert len(touched) <= max(size, max(len(s.qubits) for s in sites[first:end]))


def test_automatic_windows_stop_where_they_would_cost():
    small, large = random_task(0, 3, 1), random_task(0, 4, 1)
    large = Task(
        large.circuit,
        list(large.observables),
        inputs=np.zeros((1100, 4)),
        input_params=large.input_params,
        weights=large.weights,
    )
    assert qprune.prune(small).certificate.options["limit"]["window"] == 3
    assert qprune.prune(large).certificate.options["limit"]["window"] == 0
    assert qprune.prune(small, Threshold(window=2)).certificate.options["limit"]["window"] == 2
    assert max(map(max, qprune.prune(small).certificate.angle)) <= pi / 2
