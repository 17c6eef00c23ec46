"""Re-fitting to few outputs, as an energy: minima by SciPy and dense matrices, and fits that can be ended."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import dense_outputs_at
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import CRYGate, PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from qprune import Measured, Task, prune
from qprune.gates.costs import default_cost
from qprune.gates.sites import sites_of
from qprune.limits.progress import OutOfTime
from qprune.limits.refit import LONG, fit
from qprune.simulators.engine import Network


def network_of(task):
    return Network(task, sites_of(task))


def layered(qubits):
    """Three layers of RY and RZ on every qubit and CX between neighbours, each angle a weight."""
    names, circuit = iter(ParameterVector("a", 6 * qubits)), QuantumCircuit(qubits)
    for _ in range(3):
        for q in range(qubits):
            circuit.ry(next(names), q)
            circuit.rz(next(names), q)
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


@pytest.mark.parametrize("further", [["ZZII"], ["ZZII", "IIZZ", "XIII"]])
def test_few_outputs_stationary_at_the_start_are_fitted_all_the_same(further):
    """A VQE at its minimum, read by its energy and a little more: SciPy's BFGS from there is the measure."""
    circuit = layered(4)
    chain = [("ZZII", -1), ("IZZI", -1), ("IIZZ", -1), ("XIII", -0.7), ("IXII", -0.7), ("IIXI", -0.7), ("IIIX", -0.7)]
    energy = SparsePauliOp.from_list(chain)
    start = np.random.default_rng(0).normal(size=24)
    alone = network_of(Task(circuit, energy, weights=start))
    minimum = minimize(lambda v: alone.values(v)[0, 0], start, method="BFGS").x
    task = Task(circuit, [energy, *further], weights=minimum)
    network = network_of(task)
    target = network.values(minimum)
    entangling = [k for k, site in enumerate(sites_of(task)) if len(site.qubits) > 1]
    for gone in (entangling[:3], [entangling[1], entangling[5]], entangling[3:6]):
        smaller = network.without(gone)
        before = np.sum((smaller.values(minimum) - target) ** 2)
        reached = minimize(lambda v, s=smaller: np.sum((s.values(v) - target) ** 2), minimum, method="BFGS").fun
        weights, square = fit(smaller, minimum, target, steps=60)
        assert reached < 1e-3 * before
        assert square < 1e-3 * before
        assert square == pytest.approx(np.sum((smaller.values(weights) - target) ** 2), rel=1e-9)


def test_a_long_fit_of_one_energy_ends_at_a_minimum():
    """Asked for less than the least energy: in the end no weight moves it to first order, by dense matrices."""
    circuit = layered(5)
    pairs = [("ZZ", [q, q + 1], -1.0) for q in range(4)] + [("X", [q], -0.7) for q in range(5)]
    energy = SparsePauliOp.from_sparse_list(pairs, 5)
    least = np.linalg.eigvalsh(energy.to_matrix())[0]
    for seed in range(3):
        start = np.random.default_rng(seed).normal(size=30)
        task = Task(circuit, energy, weights=start)
        weights, _ = fit(network_of(task), start, np.array([[least - 1]]), steps=LONG)
        slopes = []
        for point in (start, weights):
            moved = [point + sign * 1e-4 * row for sign in (1, -1) for row in np.eye(30)]
            plus, minus = np.split(np.array(dense_outputs_at(task, moved))[:, 0, 0], 2)
            slopes.append(np.linalg.norm(plus - minus) / 2e-4)
        assert slopes[1] < 1e-2 * slopes[0]


def test_a_fit_of_one_output_goes_on_while_it_comes_closer():
    """To what another angle gives, attainable, from far off: in one fit to within 1e-11 of it, whatever its unit."""
    for unit in (1e-19, 1.0, 1e12):
        task = Task(layered(3), SparsePauliOp(["ZZI", "IXX"], [unit, 0.3 * unit]), weights=np.full(18, 0.4))
        start, network = np.linspace(-1, 1.5, 18), network_of(task)
        target = dense_outputs_at(task, [np.full(18, 0.4)])[0]
        weights, square = fit(network, start, target, steps=60)
        off = abs(dense_outputs_at(task, [weights])[0] - target).item()
        assert off < 1e-11 * unit
        assert np.sqrt(square) == pytest.approx(off, abs=1e-13 * unit)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_fit_may_be_ended_at_every_step(outputs):
    """What limits the time of a search is asked more than once in a fit, which may take minutes."""
    asked = []

    def check():
        asked.append(None)
        if len(asked) == 3:
            raise OutOfTime

    circuit = QuantumCircuit(3)
    for k, angle in enumerate(ParameterVector("a", 6)):
        circuit.ry(angle, k % 3)
        circuit.cx(k % 3, (k + 1) % 3)
    start = np.random.default_rng(0).normal(size=6)
    network = network_of(Task(circuit, ["IIZ", "IZI", "ZII"][:outputs], weights=start))
    with pytest.raises(OutOfTime):
        fit(network, start, network.values(start + 0.5), steps=60, check=check)


def test_refit_never_leaves_a_dearer_circuit_than_no_refit():
    """Small ensembles: what removal alone may try is tried beside the fits. Sets of gates that undo each other."""
    rng, letters = np.random.default_rng(0), ["XX", "ZI", "YX", "IX", "XY", "ZZ", "XI", "YI", "IZ"]
    a, b, c = ParameterVector("w", 3)
    circuit = QuantumCircuit(2)
    circuit.ry(b, 0)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XY", "YX"], [0.5, -0.5]), time=a), [0, 1])
    circuit.cx(0, 1)
    circuit.append(CRYGate(c, ctrl_state=0), [0, 1])
    circuit.ry(-2 * a, 0)
    circuit.rx(a, 0)
    for _ in range(7):
        observable = SparsePauliOp(list(rng.choice(letters, 3, replace=False)), rng.normal(size=3))
        task = Task(circuit, observable, weights=rng.normal(size=3))
        costs = [
            sum(map(default_cost, sites_of(prune(task, Measured(0.2, refit=refit)).task))) for refit in (False, True)
        ]
        assert costs[1] <= costs[0]
