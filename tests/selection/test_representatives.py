"""Candidates of a gate, each against dense matrices, and how many comparisons they take (THEORY sections 4 and T3)."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from helpers import (
    INPUTS,
    STANDARD,
    WEIGHTS,
    complex_matrix,
    deform,
    local_matrix,
    outputs,
    prepared_for,
    squared_distance,
    state,
    subsets,
    up_to_phase,
    walk,
)
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Clifford, random_unitary

from qprune import Proven, Task, Threshold, calibrate, prune
from qprune.gates.matrices import local_cliffords
from qprune.gates.sites import circuit_of, sites_of
from qprune.gates.subgroups import subgroup_of
from qprune.limits.candidates import candidates_of
from qprune.selection import gate_distances
from qprune.selection.prunable import is_prunable
from qprune.selection.representatives import clifford_points, identities, identity, medoids
from qprune.simulators.choices import Statevector as Simulator

x = INPUTS[0]
w, v, u = WEIGHTS[:3]


def stage_of(task, **options):
    return prepared_for(task, **options)


def trained(circuit, observables=("ZII", "IXX"), values=None, samples=(0.4, 1.9)):
    """Weights from the list, in the circuit's order; one input."""
    free = [p for p in circuit.parameters if p not in INPUTS]
    values = values if values is not None else [0.3 + 0.4 * j for j in range(len(free))]
    inputs = samples if x in circuit.parameters else None
    return Task(
        circuit,
        list(observables),
        inputs=inputs,
        input_params=[x] if inputs else None,
        weights=dict(zip(free, values, strict=True)),
    )


def start(num_qubits=3):
    """A generic entangled state with an input in it; X outputs keep every gate in sight."""
    circuit = QuantumCircuit(num_qubits)
    for q in range(num_qubits):
        circuit.ry(x + q, q)
        circuit.rx(0.4 - q, q)
    for q in range(num_qubits - 1):
        circuit.cz(q, q + 1)
    return circuit


def finish(circuit):
    """Nothing before it commutes with an output."""
    for q in range(circuit.num_qubits):
        circuit.u(0.3 + q, 0.2, 0.1, q)
    return circuit


def matrix_of(candidate, ascending):
    """What stands in the gate's place, dense on its qubits."""
    circuit = QuantumCircuit(len(ascending))
    for operation, qubits in candidate.by:
        circuit.append(operation, [ascending.index(q) for q in qubits])
    return circuit


def dense_steps(stage):
    """Every gate with the state before it, by sample."""
    circuit = circuit_of(stage.task, stage.sites)
    return [walk(stage.task, circuit, i) for i in range(stage.task.num_samples)]


def dense_squares(stage, k, member, coherence=1.0, beta=1.0, steps=None):
    """d_q² per sample of gate k against a matrix."""
    at = [steps_of_sample[k] for steps_of_sample in steps or dense_steps(stage)]
    return np.array([squared_distance(deform(s.rho, coherence, beta), s.gate, member) for s in at])


# -- identity -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aggregate", ["rms", "max"])
@pytest.mark.parametrize("noise", [None, (0.4, 2.0)])
def test_distance_to_the_identity_over_the_ensemble(aggregate, noise):
    """√Σ p d² or the largest, in the deformed geometry; encoding gates have an angle for every sample."""
    circuit = start()
    circuit.append(STANDARD["crx"](w), [2, 0])
    circuit.u(v, x, 0.4, 1)
    circuit.append(STANDARD["rzz"](0.3), [0, 2])
    circuit.append(STANDARD["iswap"](), [2, 1])
    task = trained(finish(circuit))
    task = task.with_inputs(task.inputs, probabilities=[0.3, 0.7])
    calibration = calibrate(None) if noise is None else calibrate(noise[0], beta=noise[1])
    stage = stage_of(task, aggregate=aggregate, noise=calibration, prune_encoding=True)
    for k in stage.prunable:
        squares = dense_squares(stage, k, np.eye(2 ** len(stage.sites[k].qubits)), *(noise or (1.0, 1.0)))
        wanted = squares.max() if aggregate == "max" else squares @ task.probabilities
        found = identity(stage.offers, k)
        assert found.removes
        assert found.distance**2 == pytest.approx(wanted, abs=1e-12)
        assert found.angles.shape == (2,)


@pytest.mark.parametrize("representatives", ["identity", "clifford", "class"])
@pytest.mark.parametrize("budget", [None, 0.5])
def test_su2_and_su4_with_inputs_in_them(representatives, budget):
    """Every sample has a matrix of its own; the bound is that of the dense states."""
    circuit = QuantumCircuit(2)
    circuit.u(x, 0.2, w, 0)
    circuit.append(STANDARD["xx_plus_yy"](0.02 * x, 0.3), [1, 0])
    circuit.append(STANDARD["cu"](0.01, x, 0.2, v), [0, 1])
    circuit.u(0.3, 0.2, 0.1, [0, 1])
    task = trained(circuit, ("ZX", "XI"), samples=(0.4, 1.9, -0.7))
    result = prune(
        task, Threshold(0.3) if budget is None else Proven(budget), prune_encoding=True, representatives=representatives
    )
    assert any(entry.role == "encoding" and entry.action == "remove" for entry in result.plan)
    for i in range(3):
        before, after = (outputs(task, state(t.bound_circuit(i))) for t in (task, result.task))
        assert np.all(np.abs(after - before) <= np.array(result.certificate.bound)[:, i] + 1e-10)


# -- who may go ---------------------------------------------------------------------------------------------------


def test_inputs_protect_a_gate_unless_the_user_says_otherwise():
    """Alone or together with a weight; gates outside the catalogue are never touched."""
    circuit = QuantumCircuit(3)
    circuit.ry(x, 0)
    circuit.ry(1e-6 * x * w, 1)
    circuit.ry(v, 2)
    circuit.unitary(random_unitary(8, seed=1), [0, 1, 2])
    task = trained(circuit, values=[0.3, 1e-7])
    assert [is_prunable(s, False) for s in sites_of(task)] == [False, False, True, False]
    assert [is_prunable(s, True) for s in sites_of(task)] == [True, True, True, False]
    careful, bold = prune(task, Threshold(0.01)), prune(task, Threshold(0.01), prune_encoding=True)
    assert [e.action for e in careful.plan] == ["keep", "keep", "remove", "keep"]
    assert [e.action for e in bold.plan] == ["keep", "remove", "remove", "keep"]
    assert w in careful.circuit.parameters
    assert w not in bold.circuit.parameters


# -- Clifford points ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rx", "rz", "p", "rzz", "rzx", "crx", "crz", "cp"])
def test_clifford_points_of_a_class(name):
    """Each is a Clifford gate on the gate's qubits, at its distance; the identity is not among them."""
    circuit = start()
    qubits = (2, 0)[: STANDARD[name](0.1).num_qubits]
    circuit.append(STANDARD[name](w), qubits)
    stage = stage_of(trained(finish(circuit)))
    k = next(k for k, site in enumerate(stage.sites) if site.role == "trainable")
    found = clifford_points(stage.offers, k)
    assert len(found) == len(subgroup_of(stage.sites[k]).clifford_points()) > 0
    for candidate in found:
        ascending = sorted(qubits)
        operation = matrix_of(candidate, ascending)
        Clifford.from_matrix(local_matrix(operation.to_gate(), range(len(ascending))))
        member = local_matrix(operation.to_gate(), range(len(ascending)))
        assert up_to_phase(member, np.eye(len(member))) > 1e-6
        squares = dense_squares(stage, k, member)
        assert candidate.distance**2 == pytest.approx(squares.mean(), abs=1e-12)
        assert not candidate.removes


@pytest.mark.parametrize("width", [1, 2])
def test_nearest_local_clifford(width):
    """Found among all of them by brute force; a two-qubit gate near a product loses its entangling gate."""
    rng = np.random.default_rng(width)
    for _ in range(3):
        near = local_cliffords(width)[rng.integers(1, 24**width)]
        gate = UnitaryGate(near @ random_close(width, rng))
        circuit = start()
        circuit.append(gate, [2, 0][:width])
        task = trained(finish(circuit))
        stage = stage_of(task)
        k = next(k for k, site in enumerate(stage.sites) if site.name == "unitary")
        (candidate,) = clifford_points(stage.offers, k)
        ascending = [0, 2] if width == 2 else [2]
        member = local_matrix(matrix_of(candidate, ascending).to_gate(), range(width))
        matrix = local_matrix(gate, [2, 0][:width])
        overlaps = [abs(np.trace(c.conj().T @ matrix)) for c in local_cliffords(width)[1:]]
        assert abs(np.trace(member.conj().T @ matrix)) == pytest.approx(max(overlaps))
        assert candidate.distance**2 == pytest.approx(dense_squares(stage, k, member).mean(), abs=1e-12)
        assert all(operation.num_qubits == 1 for operation, _ in candidate.by)
        if width == 2:
            assert candidate.gain > 7  # 10 for the gate, 1 for each that stands in


def random_close(width, rng):
    generator = rng.normal(size=(2**width, 2**width)) * 0.02
    values, vectors = np.linalg.eigh(generator + generator.T)
    return (vectors * np.exp(1j * values)) @ vectors.conj().T


def test_a_rotation_near_a_clifford_point_is_replaced_by_it():
    """It loses its parameter; the certificate has the matrix that stands in."""
    circuit = start()
    circuit.ry(w, 1)
    circuit.cry(v, 0, 2)
    task = trained(finish(circuit), values=[pi / 2 + 0.01, 3 * pi - 0.02])
    result = prune(task, Threshold(0.05), representatives="clifford")
    by = {e.gate: e for e in result.certificate.replaced if e.by != "identity"}
    assert set(by) == {"ry", "cry"}
    assert (by["ry"].by, by["cry"].by) == ("ry(0.5π)", "cry(3π)")
    wanted = local_matrix(STANDARD["ry"](pi / 2), [0])
    assert up_to_phase(complex_matrix(by["ry"].matrix), wanted) < 1e-12
    assert result.weight_map == (None, None)
    assert not set(result.circuit.parameters) - {x}


# -- medoids ------------------------------------------------------------------------------------------------------


def many(values, gate="ry"):
    """Trainable gates of one class, kept apart by others."""
    ws = ParameterVector("a", len(values))
    circuit = start(2)
    for p in ws:
        getattr(circuit, gate)(p, 0)
        circuit.cx(0, 1)
        circuit.rx(0.7, 1)
        circuit.t(0)
    return trained(finish(circuit), ("ZI", "XX"), values=values)


@pytest.mark.thinned(12)
@pytest.mark.parametrize("seed", range(5))
def test_every_follower_is_within_tolerance_of_its_medoid(seed):
    """Greedy cover: whoever could follow someone does or leads; no two neighbours lead in vain."""
    rng = np.random.default_rng(seed)
    values = rng.choice([0.6, 1.4, -0.9], 7) + rng.normal(scale=0.06, size=7)
    task, tolerance = many(values), 0.08
    stage = stage_of(task, tolerance=tolerance, representatives="class")
    members = [k for k, s in enumerate(stage.sites) if s.role == "trainable"]
    found, steps = medoids(stage.offers, members, np.full(len(stage.sites), tolerance)), dense_steps(stage)
    distance = {
        (k, j): np.sqrt(dense_squares(stage, k, local_matrix(STANDARD["ry"](values[b]), [0]), steps=steps).mean())
        for a, k in enumerate(members)
        for b, j in enumerate(members)
    }
    followers = {c.place for c in found}
    leaders = {}
    for c in found:
        (operation, _), *more = c.by
        assert not more
        leaders[c.place] = next(k for k in members if stage.sites[k].operation.params == operation.params)
        assert distance[c.place, leaders[c.place]] <= tolerance + 1e-9
        assert c.distance == pytest.approx(distance[c.place, leaders[c.place]], abs=1e-9)
    assert not followers & set(leaders.values())  # who leads stays what it was
    for k in set(members) - followers - set(leaders.values()):
        # left alone: nobody near would have had it
        assert not any(distance[k, j] <= tolerance - 1e-9 for j in set(members) - followers - {k})
    smallest = min(
        len(some)
        for some in subsets(members)
        if some and all(k in some or any(distance[k, j] <= tolerance for j in some) for k in members)
    )
    assert len(set(members) - followers) <= smallest * (1 + np.log(len(members)))


def test_followers_share_one_free_parameter():
    """The trained value is the medoid's; the followers' own weights are gone."""
    task = many([0.6, 0.63, 1.9, 0.58])
    result = prune(task, Threshold(0.08), representatives="class")
    tied = [e for e in result.certificate.replaced if "of gate" in e.by]
    assert len(tied) == 2
    assert [p.name for p in result.task.weight_params] == ["a[0]", "a[2]"]
    assert result.weight_map == (0, None, 1, None)
    np.testing.assert_allclose(result.weights, [0.6, 1.9])
    uses = [item for item in result.circuit.data if result.task.weight_params[0] in item.operation.params]
    assert len(uses) == 3
    for i in range(task.num_samples):
        before, after = (outputs(task, state(t.bound_circuit(i))) for t in (task, result.task))
        assert np.all(np.abs(after - before) <= np.array(result.certificate.bound)[:, i] + 1e-10)


def test_a_fixed_gate_may_lead_but_not_follow():
    """A trainable gate near it takes its number; it has no parameter to share."""
    circuit = start(2)
    circuit.ry(0.6, 0)
    circuit.cx(0, 1)
    circuit.t(0)
    circuit.ry(w, 0)
    circuit.cx(0, 1)
    task = trained(finish(circuit), ("ZI", "XX"), values=[0.62])
    result = prune(task, Threshold(0.05), representatives="class")
    assert [e.gate for e in result.certificate.replaced] == ["ry"]
    assert not [p for p in result.circuit.parameters if p != x]


def test_gates_on_other_qubits_are_another_class():
    circuit = start(2)
    circuit.ry(w, 0)
    circuit.ry(v, 1)
    circuit.cx(0, 1)
    task = trained(finish(circuit), ("ZI", "XX"), values=[0.6, 0.6])
    assert not prune(task, Threshold(0.05), representatives="class").certificate.replaced


# -- gains and turns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "qubits", "turn"),
    [
        (STANDARD["rx"](0.3), (0,), 0.3),
        (STANDARD["rx"](-0.3), (0,), 0.3),
        (STANDARD["rx"](2 * pi + 0.3), (0,), 0.3),
        (STANDARD["rzz"](6.0), (0, 1), 2 * pi - 6.0),
        (STANDARD["crx"](2 * pi + 0.3), (0, 1), 2 * pi - 0.3),
        (STANDARD["crx"](4 * pi + 0.3), (0, 1), 0.3),
        (STANDARD["cx"](), (0, 1), pi),
        (STANDARD["u"](0.3, 0, 0), (0,), 0.3),
        (STANDARD["u"](0, 0.2, 0.3), (0,), 0.5),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_turns_are_angles_to_the_identity_without_any_state(gate, qubits, turn):
    """Folded by the period: 2π, or 4π under a control; for SU(2) the rotation angle."""
    circuit = start(2)
    circuit.append(gate, qubits)
    stage = stage_of(trained(finish(circuit), ("ZI", "XX")))
    k = next(k for k, s in enumerate(stage.sites) if s.origins == (5,))
    assert identity(stage.offers, k).turn == pytest.approx(turn)


def test_gains():
    """The whole cost for removal; the difference for something cheaper; a tenth for a parameter alone."""
    circuit = start(2)
    circuit.ry(w, 0)
    circuit.crx(v, 0, 1)
    circuit.cp(u, 0, 1)
    stage = stage_of(trained(finish(circuit), ("ZI", "XX")), costs={"ry": 3.0, "cz": 4.0, "cp": 9.0})
    ry, crx, cp = (k for k, s in enumerate(stage.sites) if s.role == "trainable")
    assert identity(stage.offers, ry).gain == 3.0
    assert identity(stage.offers, crx).gain == 10.0
    assert [c.gain for c in clifford_points(stage.offers, ry)] == pytest.approx([0.3] * 3)
    assert [c.gain for c in clifford_points(stage.offers, crx)] == pytest.approx([1.0] * 3)
    assert [c.gain for c in clifford_points(stage.offers, cp)] == pytest.approx([5.0])  # by a cz of cost 4


# -- T3 -----------------------------------------------------------------------------------------------------------


def rotation_ladder(layers, num_qubits=3):
    ws = ParameterVector("a", 2 * layers * num_qubits)
    circuit, free = QuantumCircuit(num_qubits), iter(ws)
    for _ in range(layers):
        for q in range(num_qubits):
            circuit.ry(next(free), q)
            circuit.rx(next(free), q)
        for q in range(num_qubits - 1):
            circuit.cz(q, q + 1)
    circuit.h(range(num_qubits))
    return Task(circuit, "Z" * num_qubits, weights=np.linspace(0.3, 1.2, len(ws)))


def counts(task, representatives="identity"):
    """Expectation values, comparisons, and gates by class."""
    stage, made = stage_of(task, tolerance=0.05, representatives=representatives), []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("compare_members", "compare_matrices"):
            patch.setattr(gate_distances, name, counting(getattr(gate_distances, name), made))
        candidates_of(stage)
    sizes = {}
    for k in stage.prunable:
        group = subgroup_of(stage.sites[k])
        sizes[group] = sizes.get(group, 0) + 1
    return stage.prefix.num_expectations, sum(made), sizes


def counting(compare, made):
    """The function, which writes down for how many representatives it was asked."""

    def counted(*arguments, **options):
        distances = compare(*arguments, **options)
        made.append(len(np.atleast_2d(distances.deformed)))
        return distances

    return counted


def test_expectations_grow_linearly():
    """One per rotation; three words per two-qubit projector, of which Z is shared with nobody here."""
    found = {layers: counts(rotation_ladder(layers))[0] for layers in (1, 2, 3, 4, 5)}
    steps = np.diff(list(found.values()))
    assert len(set(steps.tolist())) == 1
    # per layer at most: 6 rotations with one word, 2 cz with three
    assert steps[0] <= 6 + 2 * 3
    task = rotation_ladder(5)
    needed = sum(len(subgroup_of(s).words) for s in stage_of(task).sites)
    assert found[5] <= needed


def test_an_expectation_is_read_once_while_it_cannot_have_changed():
    """rz, p, t on one qubit share ⟨Z⟩; a gate elsewhere and one that commutes change nothing."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.rz(w, 0)
    circuit.ry(0.3, 1)
    circuit.cx(0, 1)
    circuit.rz(v, 0)
    circuit.h([0, 1])
    task = Task(circuit, "XX", weights=[0.3, 0.4])
    sites = sites_of(task)
    words = [((((0, "Z"),),) if s.name == "rz" else ()) for s in sites]
    prefix = Simulator().run(task, sites, words, task.selected)
    assert prefix.num_expectations == 1
    assert prefix.index[2, ((0, "Z"),)] == prefix.index[5, ((0, "Z"),)]


def test_comparisons_grow_linearly_with_the_identity_alone():
    """One per prunable gate."""
    for layers in (1, 2, 4):
        _, comparisons, sizes = counts(rotation_ladder(layers))
        assert comparisons == sum(sizes.values())


@pytest.mark.parametrize("layers", [2, 4, 6])
def test_comparisons_within_classes_keep_to_the_sum_of_squares(layers):
    """d_q is not symmetric, as the prefix is that of the gate replaced: at most Σ|H|², identities included."""
    _, comparisons, sizes = counts(rotation_ladder(layers), "class")
    assert comparisons <= sum(size**2 for size in sizes.values())
    trainable = [size for group, size in sizes.items() if group.family == "pauli"]
    assert comparisons == sum(sizes.values()) + sum(size * (size - 1) for size in trainable)


def test_comparisons_with_clifford_points_are_linear():
    found = []
    for layers in (1, 2, 3):
        _, comparisons, sizes = counts(rotation_ladder(layers), "clifford")
        assert comparisons == sum(sizes.values()) + 3 * sum(n for g, n in sizes.items() if g.family == "pauli")
        found.append(comparisons)
    assert found[2] - found[1] == found[1] - found[0]


def test_gates_compared_together_are_those_compared_alone():
    """Distances of a gate do not depend on which others are looked at, but for rounding."""
    circuit = start()
    for q, angle in enumerate((w, 0.3, v)):
        circuit.ry(angle, q)
        circuit.ry(x * (0.1 + q), q)
        circuit.u(0.1, u, 0.2, q)
    stage = stage_of(trained(finish(circuit)), prune_encoding=True)
    together = identities(stage.offers, stage.prunable)
    assert [c.place for c in together] == stage.prunable
    for found in together:
        alone = identity(stage.offers, found.place)
        assert (alone.gain, alone.frees, alone.turn) == (found.gain, found.frees, found.turn)
        assert alone.distance == pytest.approx(found.distance, abs=1e-14)
        np.testing.assert_allclose(alone.angles, found.angles, atol=1e-14)
