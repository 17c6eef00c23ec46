"""What large circuits ask of a simulator: how far truncation may go, memory known beforehand, a device there is."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
from helpers import state
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qprune import MatrixProductState, OptionError, Proven, Statevector, Task, TaskError, prune, verify
from qprune.gates.sites import sites_of
from qprune.simulators import values
from qprune.simulators.matrix_product import ChainPass


def entangled(width=9, depth=6, seed=0, strength=0.8):
    """Brickwork of strong couplings, some of them between distant qubits."""
    rng, circuit = np.random.default_rng(seed), QuantumCircuit(width)
    for layer in range(depth):
        for q in range(width):
            circuit.ry(rng.normal(0, strength), q)
        for q in range(layer % 2, width - 1, 2):
            circuit.rzz(rng.normal(0, strength), q, q + 1)
    circuit.rxx(0.4, 1, width - 2)
    return circuit


def ladder(width):
    circuit = QuantumCircuit(width)
    circuit.cx(range(width - 1), range(1, width))
    return Task(circuit, "Z" * width)


def words(width):
    return [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], width) for q in range(width)]


def kept(task, tolerance, **options):
    """The chain after all gates, and how far its means are off at most."""
    passed = ChainPass(task, range(task.num_qubits), task.selected, tolerance, **options)
    for site in sites_of(task):
        passed.add(site)
    *_, chain = passed._sample(0)
    return chain


@pytest.mark.parametrize("tolerance", [0.0, 1e-8, 1e-5, 1e-3])
def test_a_tolerance_is_kept_and_used(tolerance):
    """The state is no further from the dense one than was asked for, and gets smaller by what was granted."""
    circuit = entangled()
    task = Task(circuit, words(9))
    chain = kept(task, tolerance)
    whole = chain.tensors[0]
    for tensor in chain.tensors[1:]:
        whole = np.tensordot(whole, tensor, 1)
    amplitudes = whole.reshape((2,) * 9).transpose(*range(9)[::-1]).reshape(-1)
    assert np.linalg.norm(amplitudes - state(circuit)) <= chain.error
    assert chain.truncation <= tolerance + 1e-11
    exact = kept(task, 0.0)
    assert chain.largest_bond <= exact.largest_bond
    if tolerance >= 1e-5:
        assert chain.truncation > tolerance / 100
        assert sum(t.size for t in chain.tensors) < sum(t.size for t in exact.tensors)


def test_all_cuts_are_counted_before_the_first():
    """What a cut leaves of its part goes to the later ones, so that the last may use up the rest."""
    chain = kept(Task(entangled(), words(9)), 1e-4)
    assert chain._cuts == 0


def test_a_generous_tolerance_is_certified_and_verified():
    task = Task(entangled(width=8), words(8))
    result = prune(task, Proven(0.1), simulator=MatrixProductState(tolerance=1e-4))
    known = result.certificate.expectations
    assert 1e-6 < known.truncation <= 1e-4 + 1e-11
    assert known.error >= 2 * known.truncation
    assert all(check.ok for check in verify(task, result).checks)


def test_entangled_chains_are_verified_beyond_statevectors():
    """Aer, which is asked then, refuses such circuits by default, and has crashed on them."""
    circuit = entangled(width=22, depth=8, strength=0.4)
    result = prune(Task(circuit, words(22)[::11]), Proven(0.05), simulator=MatrixProductState(tolerance=1e-5))
    assert result.certificate.replaced
    assert all(check.ok for check in verify(result.original, result).checks)


def test_a_small_bond_is_counted_or_refused():
    task = Task(entangled(), words(9))
    assert 1e-8 < kept(task, 0.0, bond=14).truncation < 0.05
    with pytest.raises(TaskError, match=r"2 Schmidt coefficients leave .* MatrixProductState\(bond=4\)"):
        prune(task, Proven(0.1), simulator=MatrixProductState(bond=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -1e-3}, "tolerance must be a distance of states"),
        ({"tolerance": 0.05}, "tolerance must be a distance of states"),
        ({"tolerance": np.nan}, "tolerance must be a distance of states"),
        ({"bond": 0}, "bond must be"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(OptionError, match=message):
        MatrixProductState(**options)


def test_memory_of_a_chain_is_known_beforehand(monkeypatch):
    """Every tensor of a pass fits into what is predicted; more than there is is refused before anything runs."""
    task = Task(entangled(), words(9))
    chain = kept(task, 0.0)
    assert 16 * sum(t.size for t in chain.tensors) <= values.chain_memory(9, 256)
    with pytest.raises(
        TaskError, match=r"up to 100000 Schmidt coefficients needs .* give MatrixProductState a smaller"
    ):
        prune(ladder(60), Proven(0.1), simulator=MatrixProductState(bond=100_000))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2**25}))
    with pytest.raises(TaskError, match="a statevector of 22 qubits, 2 at a time, needs 128 MiB"):
        prune(ladder(22), Proven(0.1))


def test_a_gpu_that_is_not_there_is_named():
    """Without one the answer comes at once, and says what to install."""
    from qiskit_aer import AerSimulator

    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this machine has one")
    with pytest.raises(OptionError, match=r"one that Aer finds here, 'CPU', got 'GPU'; .*qiskit-aer-gpu"):
        Statevector(device="GPU")
    with pytest.raises(OptionError, match="device must be 'CPU' or 'GPU', got 'gpu'"):
        Statevector(device="gpu")
