"""Refit in PennyLane moves the caller's weights: `pruned(x, pruned.weights)` is the re-fitted network.

Oracles: PennyLane's own execution of the original at the old weights, Qiskit's `Statevector` of the task that pruning
returned, and planted slopes.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
from helpers import outputs, state
from qnodes import needs

from qprune import BundleError, CertificateError, Measured, TaskError, Threshold
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml
    from pennylane import numpy as pnp

    import qprune.pennylane as qpp
from qprune.pennylane.network import Signature, network_of
from qprune.pennylane.roles import find_roles
from qprune.pennylane.tape import expand
from qprune.results.manifest import seal

pytestmark = pytest.mark.filterwarnings("ignore")
SAME = 1e-9  # two exact simulations of one circuit
BUDGET = 0.15
X = np.random.default_rng(0).uniform(-1.5, 1.5, (5, 2))


def node(function, **options):
    def circuit(inputs, weights):
        qml.AngleEmbedding(inputs, wires=[0, 1], rotation="Y")
        function(inputs, weights)
        return qml.expval(qml.Z(0)), qml.expval(qml.X(1) @ qml.Y(0))

    return qml.QNode(circuit, qml.device("default.qubit"), **options)


def refitted(qnode, weights, inputs=X, budget=BUDGET, **options):
    return qpp.prune(qnode, Measured(budget, refit=True), inputs=inputs, weights=weights, **options)


def values(qnode, weights, rows=X):
    """Measurements by sample, shape (M, R), as PennyLane executes them."""
    return np.array([[float(v) for v in qnode(x, weights)] for x in rows])


# -- circuits: function, weights, entries that refit may move ---------------------------------------------------------


def layers(inputs, w):
    qml.StronglyEntanglingLayers(w, wires=[0, 1])


def scaled(inputs, w):
    """One entry in three gates with other slopes, one behind an offset."""
    qml.RX(2 * w[0], 0)
    qml.RZ(0.3 - w[0] / 3, 1)
    qml.CNOT([0, 1])
    qml.RY(w[1] + 0.7, 0)
    qml.IsingXX(-0.37 * w[0], [1, 0])
    qml.RX(w[2], 1)


def sums(inputs, w):
    """w₀ + w₁ can be set by w₀ and w₁, 2w₂ + w₃ and w₃ by w₂ and w₃."""
    qml.RX(w[0] + w[1], 0)
    qml.CNOT([0, 1])
    qml.RY(2 * w[2] + w[3], 1)
    qml.RZ(w[3], 0)
    qml.CNOT([1, 0])
    qml.RX(-w[0] - w[1], 1)


def dependent(inputs, w):
    """Three gates on two entries."""
    qml.RX(w[0], 0)
    qml.RY(w[1], 1)
    qml.CNOT([0, 1])
    qml.RY(w[0] + w[1], 0)
    qml.RX(w[2], 0)


def otherwise(inputs, w):
    """Entries that also enter in another way than by themselves."""
    qml.RX(w[0], 0)
    qml.RZ(w[0] * inputs[0], 0)
    qml.RX(w[1], 1)
    qml.CNOT([0, 1])
    qml.RY(qml.math.sin(w[1]), 0)
    qml.RY(w[2], 1)
    qml.U3(w[3], 0.2, w[4], 0)
    qml.RX(w[4], 1)
    qml.CRY(qml.math.clip(w[5], -9, 9), [0, 1])
    qml.RX(w[5], 0)
    qml.RY(w[6], 0)


def without_slope(inputs, w):
    """A product of entries, and a number that rounding alone moves."""
    qml.RX(w[0], 0)
    qml.CNOT([1, 0])
    qml.RX(w[0] * w[1], 1)
    qml.RY(w[2], 0)
    qml.RZ(qml.math.sin(w[3]) ** 2 + qml.math.cos(w[3]) ** 2, 0)
    qml.RX(0.4, 0)
    qml.RY(w[4], 1)


RNG = np.random.default_rng(5)
CIRCUITS = {
    "layers": (layers, RNG.normal(scale=0.6, size=(2, 2, 3)), range(12)),
    "unused": (lambda x, w: layers(x, w[:1]), RNG.normal(scale=0.6, size=(3, 2, 3)), range(6)),
    "scaled": (scaled, np.array([0.4, -0.6, 0.3]), range(3)),
    "sums": (sums, np.array([0.4, -0.2, 0.1, 0.5]), range(4)),
    "dependent": (dependent, np.array([0.4, -0.3, 0.2]), [2]),
    "otherwise": (otherwise, np.array([0.4, -0.3, 0.2, 0.1, 0.3, 0.15, 0.5]), [2, 6]),
    "without slope": (without_slope, np.array([0.5, -0.4, 0.3, 0.2, 0.6]), [2, 4]),
}


@cache
def case(name):
    function, weights, _ = CIRCUITS[name]
    qnode = node(function)
    return qnode, weights, refitted(qnode, weights)


# -- what refit returns -----------------------------------------------------------------------------------------------


@pytest.mark.thinned(4)
@pytest.mark.parametrize("name", CIRCUITS)
def test_pruned_with_its_weights_is_the_refitted_network(name):
    original, weights, pruned = case(name)
    assert {entry.by for entry in pruned.certificate.replaced} <= {"identity", "refit"}
    assert pruned.weights.shape == weights.shape
    np.testing.assert_array_equal(pruned.original_weights, weights)
    now, task = values(pruned, pruned.weights), pruned.result.task
    theirs = [outputs(task, state(task.bound_circuit(i))) for i in range(len(X))]
    np.testing.assert_allclose(now, theirs, atol=SAME)
    gaps = np.abs(now - values(original, weights))
    assert gaps.max() <= BUDGET
    np.testing.assert_allclose(gaps.T, pruned.certificate.measured, atol=SAME)
    np.testing.assert_allclose(qpp.recertify(pruned).deviations, gaps.T, atol=SAME)
    assert qpp.recertify(pruned).certified_weights
    assert pruned.certificate_valid
    assert pruned.verify()


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", CIRCUITS)
def test_only_entries_that_still_set_a_gate_move(name):
    """Entries without a gate keep their values; the old weights are not those of the certificate."""
    _, weights, pruned = case(name)
    moved = pruned.weights != weights
    assert not np.any(moved & ~pruned.trainable_mask)
    assert qpp.recertify(pruned, weights).certified_weights == (not moved.any())


def repairable(angle=lambda value: value):
    """Wire 1 is an eigenstate of Y, on which IsingYY is RY of wire 0: it can go if w₀ takes over its angle."""

    @qml.qnode(qml.device("default.qubit"))
    def circuit(inputs, weights):
        qml.RY(inputs[0], 0)
        qml.RY(angle(weights[0]), 0)
        qml.RX(-np.pi / 2, 1)
        qml.IsingYY(weights[1], [0, 1])
        return qml.expval(qml.Z(0))

    return circuit


def test_weights_move_where_that_alone_makes_up_for_a_gate():
    """Planted: without IsingYY the output changes by more than the budget, unless w₀ takes the one value for it."""
    circuit, weights = repairable(), np.array([0.4, 0.7])
    pruned = qpp.prune(circuit, Measured(0.02, refit=True), inputs=X, weights=weights)
    assert pruned.result.circuit.num_nonlocal_gates() == 0
    gaps = [abs(pruned(x, pruned.weights) - circuit(x, weights)) for x in X]
    assert max(gaps) <= 0.02
    # ⟨Z⟩ = cos(x + w₀ ± w₁), of which the samples see slopes up to one
    assert abs(pruned.weights[0] - 0.4) == pytest.approx(0.7, abs=0.05)
    assert pruned.weights[1] == 0.7


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", ["scaled", "dependent", "otherwise", "without slope"])
def test_gates_are_those_of_the_original(name):
    """No offsets: at any weights every gate that is left is one of the original's at those weights."""
    original, weights, pruned = case(name)
    for w in (weights, pruned.weights, weights + 0.3 * np.arange(len(weights))):
        before, after = (qml.workflow.construct_tape(q)(X[0], w).operations for q in (original, pruned))
        before = expand(before)
        assert len(after) < len(before)
        for op in after:
            assert any(qml.equal(op, other, rtol=1e-9, atol=1e-9) for other in before), op


@pytest.mark.parametrize("name", CIRCUITS)
def test_what_may_move(name):
    """As planted, while all gates are there."""
    function, weights, free = CIRCUITS[name]
    pruned = qpp.prune(node(function), Threshold(0), inputs=X, weights=weights)
    task = pruned.result.original
    movable = Network(task, sites_of(task), task.selected).movable
    numbers = [int(p.name[1:]) for p, may in zip(task.weight_params, movable, strict=True) if may]
    assert set(np.flatnonzero(pruned.roles.depends[numbers].any(axis=0))) == set(free)


def test_slopes_and_ties_as_planted():
    slopes = np.array([[2, 0, 0], [-1 / 3, 0, 0], [0, 1, 0], [-0.37, 0, 0], [0, 0, 1]])
    qnode = node(scaled)
    network, _ = network_of(qnode, X, CIRCUITS["scaled"][1], None, {})
    tape = network.tape(network.sample(0), network.weights)
    roles = find_roles(network, Signature.of(expand(tape.operations), tape.measurements), np.ones(7, dtype=bool), False)
    np.testing.assert_allclose(roles.slopes[2:], slopes, atol=1e-13)
    assert not roles.slopes[:2].any()
    assert roles.ties[0].tolist() == [0, 1, 2, 2, 4, 2, 6]
    np.testing.assert_allclose(roles.ties[1:, [3, 5]], [[-1 / 6, -0.185], [0.3, 0]], atol=1e-15)
    np.testing.assert_allclose(roles.entries_moved({2: 0.5, 4: 0.0, 6: -0.1}), [0.25, 0, -0.1], atol=1e-15)


def test_rows_of_several_entries_move_the_least():
    """Against the pseudo-inverse; an entry of no gate that is left helps where it can, and others do not move."""
    pruned = qpp.prune(node(sums), Threshold(0), inputs=X, weights=CIRCUITS["sums"][1])
    rows = np.array([[1, 1, 0, 0], [0, 0, 2, 1], [0, 0, 0, 1]])
    np.testing.assert_allclose(pruned.roles.entries_moved({2: 0.4, 3: -0.1}), np.linalg.pinv(rows[:2]) @ [0.4, -0.1])
    moved = pruned.roles.entries_moved({2: 0.0, 3: -0.1, 4: 0.0})
    np.testing.assert_allclose(moved, [0, 0, -0.05, 0], atol=1e-15)
    assert not moved[:2].any()


# -- forms of weights -------------------------------------------------------------------------------------------------


def test_mapping_of_shared_weights():
    """Two arrays, each entry in several gates of both layers, the last entry of one in none."""

    def circuit(x, slow, *, fast):
        qml.AngleEmbedding(x, wires=[0, 1], rotation="Y")
        for wire in (0, 1):
            qml.RX(slow[0, wire], wire)
            qml.RY(fast, wire)
            qml.CRX(slow[0, 1 - wire], [wire, 1 - wire])
        return qml.expval(qml.Z(0)), qml.expval(qml.X(1))

    original = qml.QNode(circuit, qml.device("default.qubit"))
    weights = {"fast": np.array(0.5), "slow": np.array([[0.3, -0.4, 9.0]])}
    pruned = refitted(original, weights)
    assert {name: array.shape for name, array in pruned.weights.items()} == {"fast": (), "slow": (1, 3)}
    assert pruned.weights["slow"][0, 2] == 9.0
    assert len(pruned.result.original.weights) == 3
    old = np.array([original(x, weights["slow"], fast=weights["fast"]) for x in X])
    new = np.array([pruned(x, pruned.weights["slow"], fast=pruned.weights["fast"]) for x in X])
    np.testing.assert_allclose(np.abs(new - old).T, pruned.certificate.measured, atol=SAME)
    assert np.abs(new - old).max() <= BUDGET


@pytest.mark.parametrize("trainable", [True, False])
def test_autograd_tensors(trainable):
    original, weights, plain = case("scaled")
    pruned = refitted(original, pnp.array(weights, requires_grad=trainable))
    assert isinstance(pruned.weights, pnp.tensor)
    assert pruned.weights.requires_grad is trainable
    np.testing.assert_array_equal(pruned.weights, plain.weights)


def test_single_precision():
    """Ties hold to the rounding of their own arithmetic, at any weights."""
    _, weights, plain = case("scaled")
    pruned = qpp.prune(node(scaled), Threshold(0), inputs=X, weights=weights.astype(np.float32))
    np.testing.assert_array_equal(pruned.roles.ties[0], plain.roles.ties[0])
    for w in np.random.default_rng(0).normal(scale=5, size=(9, 3)).astype(np.float32):
        np.testing.assert_allclose(values(pruned, w, X[:1]), values(node(scaled), w, X[:1]), atol=1e-5)


@needs("jax")
@pytest.mark.parametrize("double", [True, False])
def test_jax_arrays(double):
    import jax

    with jax.enable_x64(double):
        original, weights, plain = case("scaled")
        pruned = refitted(original, jax.numpy.array(weights), jax.numpy.array(X))
        assert isinstance(pruned.weights, jax.Array)
        assert pruned.weights.dtype == ("float64" if double else "float32")
        np.testing.assert_allclose(pruned.weights, plain.weights, atol=SAME if double else 1e-4)
        now = [[float(v) for v in pruned(x, pruned.weights)] for x in jax.numpy.array(X)]
        gaps = np.abs(np.array(now) - values(original, weights)).T
        np.testing.assert_allclose(gaps, pruned.certificate.measured, atol=SAME if double else 1e-5)


@needs("torch")
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_torch_tensors(precision):
    import torch

    _, weights, plain = case("scaled")
    given = torch.tensor(weights, dtype=getattr(torch, precision), requires_grad=True)
    pruned = refitted(node(scaled, interface="torch"), given, torch.tensor(X, dtype=given.dtype))
    assert pruned.weights.dtype == given.dtype
    assert pruned.weights.requires_grad
    assert pruned.weights.is_leaf
    np.testing.assert_allclose(pruned.weights.detach(), plain.weights, atol=SAME if precision == "float64" else 1e-4)
    sum(pruned(torch.tensor(X[0]), pruned.weights)).backward()
    assert pruned.weights.grad.shape == given.shape


# -- what comes after -------------------------------------------------------------------------------------------------


def test_finetune_starts_from_the_new_weights():
    original, weights, pruned = case("layers")
    target = values(original, weights)[:, 0]

    def loss(network, w):
        return sum((network(x, w)[0] - y) ** 2 for x, y in zip(X, target, strict=True)) / len(X)

    tuned = qpp.finetune(pruned, loss, qml.GradientDescentOptimizer(0.1), 3, every=3, progress=False)
    ours = np.mean((values(pruned, pruned.weights)[:, 0] - target) ** 2)
    assert tuned.history[0].loss == pytest.approx(ours, abs=SAME)
    assert tuned.history[0].deviation == pytest.approx(pruned.certificate.largest_measured, abs=SAME)
    assert tuned.history[0].certificate_valid
    assert tuned.history[-1].loss < tuned.history[0].loss
    assert not tuned.pruned.certificate_valid
    np.testing.assert_array_equal(tuned.pruned.original_weights, weights)
    back = tuned.pruned.with_weights(pruned.weights)
    assert back.certificate_valid
    with pytest.raises(CertificateError, match="void"):
        pruned.with_weights(weights).certificate  # noqa: B018 raises


def test_save_and_load(tmp_path):
    original, weights, pruned = case("layers")
    pruned.save(tmp_path / "a", drawings=False)
    again = qpp.load(tmp_path / "a", original)
    np.testing.assert_array_equal(again.weights, pruned.weights)
    np.testing.assert_array_equal(again.original_weights, weights)
    assert again.certificate == pruned.certificate
    np.testing.assert_allclose(values(again, again.weights), values(pruned, pruned.weights), atol=1e-12)
    np.testing.assert_allclose(qpp.recertify(again).deviations, pruned.certificate.measured, atol=SAME)
    assert again.verify()
    again.with_weights(weights).save(tmp_path / "b", drawings=False)
    moved = qpp.load(tmp_path / "b", original)
    assert not moved.certificate_valid
    np.testing.assert_array_equal(moved.weights, weights)
    assert moved.with_weights(pruned.weights).certificate_valid
    about = tmp_path / "a" / "pennylane.json"
    about.write_text(about.read_text().replace("qprune-pennylane/2", "qprune-pennylane/1"))
    with pytest.raises(CertificateError, match="changed after the result was saved"):
        qpp.load(tmp_path / "a", original)
    seal(tmp_path / "a", pruned.certificate)
    with pytest.raises(BundleError, match="qprune-pennylane/2"):
        qpp.load(tmp_path / "a", original)


def test_pruned_again():
    """What the first pruning merged, such as RZ(w₀) RZ(w₁), still moves in the second, by w₀ and w₁."""

    def merging(inputs, w):
        qml.RZ(w[0], 0)
        qml.RY(w[1], 0)
        qml.RZ(w[2], 0)
        qml.CNOT([0, 1])
        qml.RY(w[3], 1)
        qml.RX(w[4], 0)

    original, weights = node(merging), np.array([0.7, 0.001, 0.6, 0.3, 0.2])
    first = qpp.prune(original, Threshold(0.01), inputs=X, weights=weights)
    assert first.result.circuit.count_ops()["rz"] == 1
    second = refitted(first, first.weights)
    before, after = values(first, first.weights), values(second, second.weights)
    assert np.abs(after - before).max() <= BUDGET
    moved = np.asarray(second.weights) - weights
    assert moved[0] == pytest.approx(moved[2], abs=1e-12)


def test_an_angle_that_breaks_off_where_refit_goes():
    """Probing near the old weights cannot find it; it is found before the result is returned."""
    weights = np.array([0.4, 0.7])
    goal = qpp.prune(repairable(), Measured(0.02, refit=True), inputs=X, weights=weights).weights[0]
    broken = repairable(lambda value: qml.math.where(qml.math.abs(value - goal) < 0.1, 0.4, value))
    with pytest.raises(TaskError, match="refit=False"):
        qpp.prune(broken, Measured(0.02, refit=True), inputs=X, weights=weights)
