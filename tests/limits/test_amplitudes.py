"""Every input state at once: the largest change is an eigenvalue (THEORY T9, step 9)."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import random_state
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import Operator, Statevector

from qprune import OptionError, Task, TaskError
from qprune.gates.sites import sites_of
from qprune.limits import amplitudes
from qprune.limits.amplitudes import every_amplitude


def pair(qubits, seed, observables, moved=0.3):
    rng = np.random.default_rng(seed)
    tasks = []
    circuit = real_amplitudes(qubits, reps=2).decompose()
    weights = rng.normal(size=circuit.num_parameters)
    for shift in (0.0, moved):
        bound = circuit.assign_parameters(weights + shift * np.random.default_rng(seed + 1).normal(size=len(weights)))
        bound.rz(0.3 + shift, 0)
        bound.rx(0.2, 0)
        tasks.append(Task(bound, observables))
    return tasks


def claims(tasks, space="complex"):
    return every_amplitude(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), space)


def dense(tasks, r=0):
    """V†OV − U†OU by Qiskit."""
    u, v = (Operator(task.circuit).data for task in tasks)
    o = tasks[0].observables[r].to_matrix()
    return v.conj().T @ o @ v - u.conj().T @ o @ u


def change(tasks, state, r=0):
    values = [Statevector(state).evolve(t.circuit).expectation_value(t.observables[r]).real for t in tasks]
    return abs(values[1] - values[0])


def on_all(claim, qubits):
    """The worst state on all qubits, those outside the light cone in |0⟩."""
    state = np.zeros(2**qubits, dtype=complex)
    for index, amplitude in enumerate(claim.worst):
        state[sum((index >> k & 1) << q for k, q in enumerate(claim.qubits))] = amplitude
    return state


@pytest.mark.thinned(2)
@pytest.mark.parametrize("seed", range(6))
def test_the_limit_is_the_largest_eigenvalue_and_is_attained(seed):
    tasks = pair(3, seed, ["IIZ", "XYZ"])
    rng = np.random.default_rng(seed)
    for r, claim in enumerate(claims(tasks)):
        largest = np.abs(np.linalg.eigvalsh(dense(tasks, r))).max()
        assert claim.lower <= largest * (1 + 1e-12) <= claim.upper * (1 + 2e-12)
        assert claim.upper - claim.lower <= 1e-11
        assert change(tasks, on_all(claim, 3), r) == pytest.approx(claim.lower, abs=1e-12)
        assert max(change(tasks, random_state(3, rng), r) for _ in range(40)) <= claim.upper


def test_real_inputs_and_subspaces_have_smaller_limits_of_their_own():
    tasks = pair(3, 1, "ZZI")
    rng = np.random.default_rng(0)
    whole, real = claims(tasks)[0], claims(tasks, "real")[0]
    assert np.isrealobj(real.worst) or np.abs(real.worst.imag).max() == 0
    assert real.upper <= whole.upper + 1e-12
    assert real.lower == pytest.approx(np.abs(np.linalg.eigvalsh(dense(tasks).real)).max(), abs=1e-11)
    basis = np.linalg.qr(rng.normal(size=(8, 3)))[0]
    part = claims(tasks, basis)[0]
    assert part.lower == pytest.approx(
        np.abs(np.linalg.eigvalsh((basis.T @ dense(tasks) @ basis).real)).max(), abs=1e-11
    )
    assert np.linalg.norm(part.worst - basis @ (basis.T @ part.worst)) < 1e-12
    assert change(tasks, part.worst) == pytest.approx(part.lower, abs=1e-11)
    for _ in range(40):
        x = basis @ rng.normal(size=3)
        assert change(tasks, x / np.linalg.norm(x)) <= part.upper


def test_a_light_cone_keeps_wide_circuits_small():
    tasks = []
    for angle in (0.2, 0.5):
        circuit = QuantumCircuit(30)
        for q in range(30):
            circuit.ry(0.1 * q, q)
        circuit.cx(3, 4)
        circuit.rx(angle, 4)
        tasks.append(Task(circuit, "I" * 25 + "Z" + "I" * 4))
    claim = claims(tasks)[0]
    assert claim.qubits == (3, 4)
    assert claim.upper == pytest.approx(2 * np.sin(0.15), abs=1e-12)


def test_beyond_matrices_the_frobenius_norm_is_the_limit(monkeypatch):
    tasks = pair(4, 2, "IIZZ")
    exact = claims(tasks)[0]
    monkeypatch.setattr(amplitudes, "DENSE_QUBITS", 2)
    claim = claims(tasks)[0]
    assert claim.method == "Frobenius norm"
    assert claim.upper == pytest.approx(np.linalg.norm(dense(tasks)), rel=1e-10)
    assert claim.lower <= exact.upper
    assert claim.lower == pytest.approx(exact.lower, rel=1e-6)
    assert claim.upper >= exact.lower
    with pytest.raises(TaskError, match="qubits"):
        claims(tasks, "real")


def test_nearly_equal_circuits_and_any_scale():
    for scale in (1e-15, 1e12):
        observable = scale * pair(2, 0, "ZI")[0].observables[0]
        tasks = pair(2, 3, observable, moved=1e-13)
        claim = claims(tasks)[0]
        assert np.abs(np.linalg.eigvalsh(dense(tasks))).max() <= claim.upper + 1e-15 * scale
        assert claim.upper <= 1e-11 * scale


def test_what_is_refused():
    tasks = pair(2, 0, "ZI")
    for space, words in (("imaginary", "space"), (np.ones((4, 2)), "orthonormal"), (np.eye(3), "shape")):
        with pytest.raises(OptionError, match=words):
            claims(tasks, space)
    plain = [Task(t.circuit, None) for t in tasks]
    with pytest.raises(TaskError, match="observables"):
        claims(plain)
