"""Pairs of one-qubit gates in the place of a two-qubit gate: planted, against searches, and certified."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import (
    BOUND_SLACK,
    INPUTS,
    STANDARD,
    WEIGHTS,
    deform,
    deviation,
    local_matrix,
    outputs,
    prepared_for,
    random_density,
    squared_distance,
    state,
    walk,
)
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import random_unitary
from scipy.optimize import minimize

import qprune
from qprune import Proven, Task, Threshold, calibrate, prune, verify
from qprune.gates.costs import default_cost
from qprune.gates.sites import circuit_of, sites_of
from qprune.selection.product_pairs import best_pairs, written
from qprune.selection.representatives import clifford_points, identity, local_pairs

x, w = INPUTS[0], WEIGHTS[0]


def finish(circuit):
    for q in range(circuit.num_qubits):
        circuit.u(0.3 + q, 0.2, 0.1, q)
    return circuit


def stage_of(circuit, values=None, samples=None, probabilities=None, **options):
    """The gate under test is the only one on two qubits."""
    task = Task(
        finish(circuit),
        ["XYZ", "ZZX"],
        inputs=samples,
        input_params=[x] if samples is not None else None,
        weights=values,
        probabilities=probabilities,
    )
    stage = prepared_for(task, budget=0.5, representatives="local", window=0, **options)
    return stage, next(k for k, site in enumerate(stage.sites) if len(site.qubits) == 2)


def matrix_of(candidate, ascending):
    circuit = QuantumCircuit(len(ascending))
    for operation, qubits in candidate.by:
        assert operation.num_qubits == 1
        circuit.append(operation, [ascending.index(q) for q in qubits])
    return local_matrix(circuit.to_gate(), range(len(ascending)))


# -- planted ------------------------------------------------------------------------------------------------------


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("prepare", "gate", "wanted"),
    [
        ({"control": "x", "target": "u"}, "cx", {"target": "rx"}),  # on |1⟩ the target is flipped
        ({"control": "u", "target": "minus"}, "cx", {"control": "rz"}),  # |−⟩ kicks its sign back
        ({"control": "x", "target": "u"}, "cz", {"target": "rz"}),
        ({"control": "x", "target": "u"}, "rzz", {"target": "rz"}),
        ({"control": "u", "target": "x"}, "rzz", {"control": "rz"}),
        ({"control": "x", "target": "u"}, "cry", {"target": "u"}),
        ({"control": "x", "target": "u"}, "ch", {"target": "u"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("places", [(2, 0), (0, 2), (1, 2)])
def test_a_gate_that_acts_on_one_qubit_alone_is_replaced_exactly(prepare, gate, wanted, places):
    """States on which the gate is a pair in disguise; the cheapest exact one is found, in either order of qubits."""
    at = dict(zip(("control", "target"), places, strict=True))
    circuit = QuantumCircuit(3)
    for role, kind in prepare.items():
        if kind == "x":
            circuit.x(at[role])
        elif kind == "minus":
            circuit.x(at[role])
            circuit.h(at[role])
        else:
            circuit.u(0.7 + at[role], 0.4, 0.9, at[role])
    has_angle = gate in ("rzz", "cry")
    circuit.append(STANDARD[gate](*([w] if has_angle else [])), places)
    stage, k = stage_of(circuit, {w: 1.1} if has_angle else None)
    exact = [c for c in local_pairs(stage.offers, k) if c.distance < 1e-6]
    assert len(exact) == 1
    assert exact[0].angles.max() < 1e-6
    assert {q: operation.name for operation, (q,) in exact[0].by} == {at[role]: name for role, name in wanted.items()}
    assert exact[0].gain == pytest.approx(10 - sum(0.1 if name == "rz" else 1.0 for name in wanted.values()))
    result = prune(stage.task, Proven(1e-5), representatives="local")
    assert result.circuit.num_nonlocal_gates() == 0
    np.testing.assert_allclose(
        outputs(stage.task, state(result.task.bound_circuit(0))),
        outputs(stage.task, state(stage.task.bound_circuit(0))),
    )
    verify(stage.task, result)


@pytest.mark.parametrize("prepare", ["zero", "plus"])
def test_the_identity_is_left_alone_where_nothing_is_nearer(prepare):
    """|0⟩ on the control, |+⟩ on the target: a pair could do no better."""
    circuit = QuantumCircuit(3)
    circuit.u(0.7, 0.4, 0.9, 0 if prepare == "zero" else 2)
    if prepare == "plus":
        circuit.h(0)
    circuit.cx(2, 0)
    stage, k = stage_of(circuit)
    assert identity(stage.offers, k).distance < 1e-6
    assert local_pairs(stage.offers, k) == []


def test_different_pairs_would_suit_different_samples():
    """One pair for the whole ensemble: where half of the samples want X and half nothing, no pair is near."""
    circuit = QuantumCircuit(3)
    circuit.ry(x, 2)
    circuit.u(0.7, 0.4, 0.9, 0)
    circuit.cx(2, 0)
    stage, k = stage_of(circuit, samples=np.array([0.0, pi]))
    found = local_pairs(stage.offers, k)
    assert all(c.angles.max() > 0.1 for c in found)
    one, k = stage_of(circuit.copy_empty_like().compose(circuit), samples=np.array([pi, pi]))
    assert min(c.distance for c in local_pairs(one.offers, k)) < 1e-6


# -- no search finds a better pair --------------------------------------------------------------------------------


def rotation(angles):
    """A one-qubit unitary from three Euler angles."""
    a, b, c = angles
    return np.array(
        [
            [np.cos(a) * np.exp(1j * b), np.sin(a) * np.exp(1j * c)],
            [-np.sin(a) * np.exp(-1j * c), np.cos(a) * np.exp(-1j * b)],
        ]
    )


@pytest.mark.thinned(4)
@pytest.mark.parametrize("seed", range(8))
def test_no_search_finds_a_better_pair(seed):
    """Quasi-Newton climbs from many random starts, on random ensembles and gates, over both factors and over one."""
    rng = np.random.default_rng(seed)
    samples = (1, 2, 5)[seed % 3]
    states = np.array([random_density(2, rng, rank=1 + seed % 2) for _ in range(samples)])
    weights = rng.dirichlet(np.ones(samples))
    gate = random_unitary(4, seed=seed).data if seed % 2 else local_matrix(STANDARD["cx"](), [1, 0])
    pairs, reached = best_pairs(states, gate, weights)

    def overlap(low, high):
        return sum(
            p * abs(np.trace(rho @ gate.conj().T @ np.kron(high, low))) for p, rho in zip(weights, states, strict=True)
        )

    for (low, high), value in zip(pairs, reached, strict=True):
        assert overlap(low, high) == pytest.approx(value, abs=1e-12)
        for factor in (low, high):
            np.testing.assert_allclose(factor.conj().T @ factor, np.eye(2), atol=1e-12)
    moves = {"low": lambda v: (rotation(v), np.eye(2)), "high": lambda v: (np.eye(2), rotation(v))}
    moves["both"] = lambda v: (rotation(v[:3]), rotation(v[3:]))
    is_one = [[np.allclose(factor, np.eye(2)) for factor in pair] for pair in pairs]
    of = {"both": [True] * len(pairs), "low": [high for _, high in is_one], "high": [low for low, _ in is_one]}
    for name, factors in moves.items():
        best = max(value for value, good in zip(reached, of[name], strict=True) if good)
        for _ in range(6):
            start = rng.uniform(-pi, pi, 6 if name == "both" else 3)
            climbed = minimize(lambda v: -overlap(*factors(v)), start)  # noqa: B023
            assert -climbed.fun <= best + 1e-7, name


@pytest.mark.parametrize("seed", range(6))
def test_a_factor_is_written_as_it_is(seed):
    """Rotations about X, Y and Z by their names, all else as u, nothing for a phase; the matrix is the same."""
    rng = np.random.default_rng(seed)
    low = random_unitary(2, seed=seed).data
    high = STANDARD[("rx", "ry", "rz")[seed % 3]](rng.uniform(-7, 7)).to_matrix() * np.exp(1j)
    (first, (a,)), (second, (b,)) = written(np.array([low, high]), (3, 1))
    assert (a, b) == (3, 1)
    assert (first.name, second.name) == ("u", ("rx", "ry", "rz")[seed % 3])
    assert abs(np.trace(first.to_matrix().conj().T @ low)) == pytest.approx(2)
    assert abs(np.trace(second.to_matrix().conj().T @ high)) == pytest.approx(2)
    assert abs(second.params[0]) <= pi + 1e-12
    assert written(np.array([1j * np.eye(2), high]), (3, 1))[0][1] == (1,)


# -- candidates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aggregate", ["rms", "max"])
@pytest.mark.parametrize("noise", [None, (0.4, 2.0)])
def test_distances_of_a_pair(aggregate, noise):
    """Against dense reduced states; ordinary angles are upper limits, tight to rounding; cheaper pairs come first."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.ry(x + q, q)
        circuit.rx(0.2 * q, q)
    circuit.append(STANDARD["rzx"](w), [2, 0])
    calibration = calibrate(None) if noise is None else calibrate(noise[0], beta=noise[1])
    probabilities = [0.2, 0.5, 0.3]
    stage, k = stage_of(circuit, {w: 2.2}, [0.1, 0.3, 0.2], probabilities, aggregate=aggregate, noise=calibration)
    found = local_pairs(stage.offers, k)
    assert found
    steps = [walk(stage.task, circuit_of(stage.task, stage.sites), i)[k] for i in range(3)]
    for candidate in found:
        member = matrix_of(candidate, [0, 2])
        squares = np.array([squared_distance(deform(s.rho, *(noise or (1.0, 1.0))), s.gate, member) for s in steps])
        wanted = squares.max() if aggregate == "max" else squares @ probabilities
        assert candidate.distance**2 == pytest.approx(wanted, abs=1e-12)
        ordinary = np.array([abs(np.trace(s.rho @ s.gate.conj().T @ member)) for s in steps])
        np.testing.assert_allclose(np.cos(candidate.angles), ordinary, atol=1e-10)
        assert candidate.product
        assert not candidate.removes
    gains = [candidate.gain for candidate in found]
    assert gains == sorted(gains, reverse=True)


def test_words_are_asked_for_only_where_they_serve():
    """15 for a two-qubit gate, 3 for a cx without the option; gates with inputs get no pair."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.u(0.5 + q, x if q == 0 else 0.2, 0.1, q)
    circuit.cx(2, 0)
    circuit.crx(x, 0, 1)
    task = Task(finish(circuit), ["XYZ"], inputs=[0.3], input_params=[x])

    def count(**options):
        return prepared_for(task, budget=0.1, prune_encoding=True, **options).prefix.num_expectations

    assert count(representatives="local") == count() + 12
    result = prune(task, Proven(3.0), representatives="local", prune_encoding=True)
    assert not [e for e in result.certificate.replaced if e.gate == "crx" and e.by != "identity"]


def test_a_pair_that_costs_as_much_is_no_candidate():
    circuit = QuantumCircuit(3)
    circuit.x(2)
    circuit.u(0.7, 0.4, 0.9, 0)
    circuit.cx(2, 0)
    stage, k = stage_of(circuit, costs={"cx": 1.0})
    assert all(len(c.by) == 1 and c.gain > 0 for c in local_pairs(stage.offers, k))
    stage, k = stage_of(circuit.copy(), costs={"cx": 0.05})
    assert local_pairs(stage.offers, k) == []


# -- whole circuits -----------------------------------------------------------------------------------------------


def network(seed, layers=2, samples=3):
    """Weakly entangling layers on inputs: pairs come near, the identity often does not."""
    rng = np.random.default_rng(seed)
    ws = ParameterVector("a", 6 * layers)
    circuit, free = QuantumCircuit(3), iter(ws)
    for q in range(3):
        circuit.ry(x * (1 + q) / 9 + rng.choice([0.0, pi]), q)
    for _ in range(layers):
        for a, b in ((2, 0), (0, 1), (1, 2)):
            circuit.append(STANDARD[str(rng.choice(["cx", "cz", "cx"]))](), [a, b])
        for q in range(3):
            circuit.rz(next(free), q)
            circuit.ry(next(free), q)
    return Task(
        circuit,
        ["ZII", "IXX", "IIZ"],
        inputs=rng.uniform(-1, 1, samples),
        input_params=[x],
        weights=rng.choice([0.05, 0.3], 6 * layers) * rng.normal(size=6 * layers),
    )


@pytest.mark.thinned(12)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("window", [0, 2, "auto"])
def test_the_bound_holds_and_verifies(seed, window):
    """Dense deviations of every sample within the bound, the bound within the budget; cones that pairs cut, too."""
    task, budget = network(seed), (0.05, 0.2, 0.6)[seed % 3]
    result = prune(task, Proven(budget, window=window), representatives="local")
    assert result.certificate.largest_bound <= budget
    for i in range(task.num_samples):
        before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
        change = deviation(task, before, after)
        assert np.all(change <= np.array(result.certificate.bound)[:, i] + BOUND_SLACK)
    verify(task, result)


@pytest.mark.soak
def test_pairs_are_used_and_remove_more_two_qubit_gates():
    """Over many networks; otherwise the test above would say nothing. What is left never costs more than without."""
    used, fewer = 0, 0
    for seed in range(10):
        task = network(seed)
        plain, with_pairs = prune(task, Proven(0.3)), prune(task, Proven(0.3), representatives="local")
        used += sum(" on " in e.by for e in with_pairs.certificate.replaced)
        fewer += plain.circuit.num_nonlocal_gates() - with_pairs.circuit.num_nonlocal_gates()
        costs = [sum(map(default_cost, sites_of(result.task))) for result in (plain, with_pairs)]
        assert costs[1] <= costs[0] + 1e-9
    assert used > 10
    assert fewer > 5


@pytest.mark.parametrize("window", [0, "auto"])
def test_a_light_cone_ends_at_a_pair(window):
    """Nothing joins the output to the other qubit any more: what is removed there does not count, at any angle."""
    circuit = QuantumCircuit(3)
    circuit.u(0.7, 0.4, 0.9, 0)
    circuit.x(2)
    circuit.ry(0.2, 2)
    circuit.cx(2, 0)
    task = Task(circuit, ["IIZ"])
    result = prune(task, Proven(0.4, window=window), representatives="local")
    gone = {e.gate: e for e in result.certificate.replaced}
    assert set(gone) == {"x", "ry", "cx"}
    assert gone["x"].largest_angle > 1
    assert result.certificate.angle[0][0] <= gone["cx"].largest_angle + 1e-9
    verify(task, result)


@pytest.mark.parametrize(
    ("gate", "products"),
    [("crx", [False, True, False]), ("rzz", [False, True, False]), ("ry", [True] * 3), ("cp", [False])],
)
def test_which_representatives_are_products(gate, products):
    """rzz(π) is Z on either qubit, crx(2π) a Z on the control; other Cliffords of the class join the qubits."""
    circuit = QuantumCircuit(3)
    for q in range(3):
        circuit.u(0.5 + q, 0.2, 0.1, q)
    circuit.append(STANDARD[gate](w), [2, 0][: STANDARD[gate](w).num_qubits])
    stage = prepared_for(Task(finish(circuit), ["XYZ"], weights={w: 0.7}), budget=0.5)
    k = next(k for k, site in enumerate(stage.sites) if site.role == "trainable")
    assert [candidate.product for candidate in clifford_points(stage.offers, k)] == products


@pytest.mark.thinned(2)
@pytest.mark.parametrize("tolerance", [0.02, 0.2, 0.6])
def test_tolerance_mode(tolerance):
    """Every replaced gate is within ε, and no two-qubit gate that a pair could stand in for is left."""
    task = network(4)
    result = prune(task, Threshold(tolerance), representatives="local")
    verify(task, result)
    stage = prepared_for(task, tolerance=tolerance, representatives="local")
    replaced = {e.site for e in result.certificate.replaced}
    for k in stage.prunable:
        if len(stage.sites[k].qubits) == 2 and any(c.distance <= tolerance for c in local_pairs(stage.offers, k)):
            assert k in replaced


@pytest.mark.usefixtures("without_drawings")
def test_a_result_with_pairs_survives_saving(tmp_path):
    task = network(1)
    result = prune(task, Proven(0.6), representatives="local")
    assert any(" on " in e.by for e in result.certificate.replaced)
    qprune.save(result, tmp_path / "out")
    again = qprune.load(tmp_path / "out")
    assert again.certificate == result.certificate
    verify(task, again)
    result.task.save(tmp_path / "bundle")
    for i in range(task.num_samples):
        after = [state(t.bound_circuit(i)) for t in (result.task, Task.load(tmp_path / "bundle"))]
        assert abs(np.vdot(*after)) == pytest.approx(1)
