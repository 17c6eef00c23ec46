"""Re-fitting against finite differences, planted answers and brute force, all on dense states."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import INPUTS, WEIGHTS, dense_outputs_at, outputs, state
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate, StatePreparation
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import least_squares

from qprune import Accuracy, Task, prune, verify
from qprune.gates.sites import sites_of
from qprune.limits.refit import fit, predicted_square, saliencies
from qprune.simulators.engine import Network

x, y = INPUTS
w0, w1, w2, w3 = WEIGHTS


def task_of(circuit, observables=("ZI", "XY"), weights=None):
    used = [p for p in INPUTS if p in circuit.parameters]
    free = [p for p in WEIGHTS if p in circuit.parameters]
    rows = np.array([[0.4, 1.3], [-0.9, 2.2], [1.7, 0.1], [0.2, -1.1]])[:, : len(used)] if used else None
    values = [0.7, -0.4, 1.1, 0.3][: len(free)] if weights is None else weights
    return Task(circuit, observables and list(observables), inputs=rows, input_params=used, weights=values,
                weight_params=free)  # fmt: skip


def network_of(task):
    return Network(task, sites_of(task), task.selected)


def dense_outputs(task, weights):
    """(R, M) at other weights, by Qiskit's matrices."""
    return dense_outputs_at(task, [weights])[0]


def finite_differences(task, step=1e-5):
    """∂(outputs)/∂(weights), shape (R, M, P), central differences of dense outputs."""
    moves = step * np.eye(len(task.weights))
    ends = [dense_outputs_at(task, task.weights + sign * moves) for sign in (1, -1)]
    return np.moveaxis(ends[0] - ends[1], 0, -1) / (2 * step)


# -- circuits -----------------------------------------------------------------------------------------------------


def prepared(num_qubits=2):
    circuit = QuantumCircuit(num_qubits)
    for q in range(num_qubits):
        circuit.ry(x + q, q)
        circuit.rx(0.4 - q, q)
    circuit.cx(0, 1)
    return circuit


def rotations():
    circuit = prepared()
    circuit.rx(w0, 0)
    circuit.rz(w1, 1)
    circuit.rzz(w2, 1, 0)
    circuit.ry(w3, 1)
    circuit.rx(0.3, 0)
    return circuit


def shared():
    """One weight in three gates, at other slopes and in other classes."""
    circuit = prepared()
    circuit.rx(w0, 0)
    circuit.ryy(-2 * w0, 0, 1)
    circuit.rz(w0 / 3, 1)
    circuit.h(1)
    circuit.ry(w1, 1)
    return circuit


def expressions():
    """Affine in several weights at once, with constants."""
    circuit = prepared()
    circuit.rx(2 * w0 - w1 / 2 + 0.3, 0)
    circuit.rzx(w1 + w2, 0, 1)
    circuit.ry(0.5 - w2, 1)
    return circuit


def generators():
    """Three eigenvalues, projectors, words on three qubits with identities between."""
    circuit = prepared(3)
    circuit.crx(w0, 0, 1)
    circuit.crz(w1, 1, 0)
    circuit.cp(w2, 2, 0)
    circuit.append(PauliEvolutionGate(SparsePauliOp("XIY", -0.7), time=w3), [2, 0, 1])
    circuit.ry(0.3, range(3))
    return circuit


def encodings():
    """Inputs between the weights, in rotations and in SU(2), and gates outside the catalogue."""
    circuit = prepared()
    circuit.ry(w0, 0)
    circuit.rzz(x * y, 0, 1)
    circuit.u(y, 0.3, x, 1)
    circuit.crx(w1, 1, 0)
    circuit.append(StatePreparation([0.6, 0.8]), [0])
    circuit.cu(0.1, x, 0.3, 0.2, 0, 1)
    circuit.rx(w2, 1)
    return circuit


CIRCUITS = {f.__name__: f for f in (rotations, shared, expressions, generators, encodings)}
OBSERVABLES = {2: ("ZI", "XY"), 3: ("ZIX", "XYZ")}


def built(name, probabilities=False):
    circuit = CIRCUITS[name]()
    return task_of(circuit, None if probabilities else OBSERVABLES[circuit.num_qubits])


# -- derivatives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probabilities", [False, True], ids=["observables", "probabilities"])
@pytest.mark.parametrize("name", CIRCUITS)
def test_jacobian_is_that_of_finite_differences(name, probabilities):
    """Adjoint derivatives of every output on every sample."""
    task = built(name, probabilities)
    network = network_of(task)
    assert network.movable.all()
    values, jacobian = network.jacobian(task.weights)
    np.testing.assert_allclose(values, dense_outputs(task, task.weights), atol=1e-12)
    np.testing.assert_allclose(jacobian, finite_differences(task), atol=2e-9)


def test_jacobian_of_some_measured_qubits():
    """Rows are outcomes, bit j the j-th measured qubit."""
    circuit = generators()
    circuit.add_bits(QuantumCircuit(0, 2).clbits)
    circuit.measure([2, 0], [0, 1])
    task = task_of(circuit, None)
    np.testing.assert_allclose(network_of(task).jacobian(task.weights)[1], finite_differences(task), atol=2e-9)


@pytest.mark.parametrize("name", CIRCUITS)
def test_outputs_and_jacobian_at_other_weights(name):
    """The network is made once and moved; the task's own weights are only where it starts."""
    task = built(name)
    moved = task.weights + np.array([0.3, -0.7, 0.2, 0.9])[: len(task.weights)]
    network = network_of(task)
    other = task_of(task.circuit, task.observables, moved)
    np.testing.assert_allclose(network.values(moved), dense_outputs(task, moved), atol=1e-12)
    np.testing.assert_allclose(network.jacobian(moved)[1], finite_differences(other), atol=2e-9)


# -- what may move ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("add", "movable"),
    [
        (lambda c: c.rx(w0, 0), True),
        (lambda c: c.rx(2 * w0 + 1, 0), True),
        (lambda c: c.rx(w0**2, 0), False),
        (lambda c: c.rx(w0.sin(), 0), False),
        (lambda c: c.rx(w0 * x, 0), False),
        (lambda c: c.rx(w0 + x, 0), False),
        (lambda c: c.u(w0, 0.1, 0.2, 0), False),
        (lambda c: c.cu(0.1, w0, 0.1, 0.2, 0, 1), False),
        (lambda c: (c.rx(w0, 0), c.ry(w0 * x, 1)), False),
        (lambda c: (c.rx(w0, 0), c.u(0.1, w0, 0.2, 1)), False),
        (lambda c: (c.rx(w0, 0), c.rx(w0.exp(), 1)), False),
    ],
    ids=["alone", "affine", "square", "sine", "times input", "plus input", "SU(2)", "SU(4)", "also in an encoding gate",
         "also in SU(2)", "also in no affine way"],
)  # fmt: skip
def test_weights_move_only_where_that_stays_in_the_subgroup(add, movable):
    """Trainable gates of one-parameter subgroups, affine in the weight, in all of its gates."""
    circuit = prepared()
    add(circuit)
    circuit.ry(w1, 0)
    task = task_of(circuit, ("IZ", "XX"))
    network = network_of(task)
    assert network.movable.tolist() == [movable, True]
    target = network.values(task.weights) + 0.05
    fitted, _ = fit(network, task.weights, target, steps=5)
    assert (fitted[0] != task.weights[0]) is np.bool_(movable)
    assert fitted[1] != task.weights[1]


def test_held_weights_stay_while_the_holder_is_there():
    """What moves a gate from outside of the circuit, as one weight of a QNode can move several angles."""
    circuit = prepared()
    circuit.rx(w0, 0)
    circuit.ry(w1, 0)
    circuit.rz(w2, 1)
    task = task_of(circuit, ("IZ", "XX"))
    task = task.with_holds({"w1": ["w0", "w1"]})
    assert network_of(task).movable.tolist() == [False, False, True]
    without = task.with_circuit(circuit.assign_parameters({w1: 0.3}))
    assert network_of(without).movable.tolist() == [True, True]


def test_a_weight_that_occurs_no_more_stays():
    task = built("rotations")
    sites = tuple(s for s in sites_of(task) if w2 not in getattr(s.coordinate, "parameters", ()))
    network = Network(task, sites, task.selected)
    fitted, _ = fit(network, task.weights, network.values(task.weights) + 0.05, steps=5)
    assert fitted[2] == task.weights[2]


# -- fitting ------------------------------------------------------------------------------------------------------


def test_a_redundant_rotation_is_taken_over_by_the_other():
    """ry(a) … ry(b) with nothing between that acts on |0⟩: without the second, the first becomes a + b."""
    circuit = QuantumCircuit(2)
    circuit.ry(w0, 0)
    circuit.cz(0, 1)
    circuit.ry(w1, 0)
    circuit.rx(w2, 1)
    task = task_of(circuit, ["IZ", "IX", "ZI"], [0.7, 0.35, 0.2])
    target = network_of(task).values(task.weights)
    sites = sites_of(task)
    smaller = Network(task, (*sites[:2], *sites[3:]), task.selected)
    assert np.max(np.abs(smaller.values(task.weights) - target)) > 0.1
    fitted, square = fit(smaller, task.weights, target, steps=60)
    np.testing.assert_allclose(fitted, [1.05, 0.35, 0.2], atol=1e-6)
    assert square <= 1e-14


@pytest.mark.parametrize("probabilities", [False, True], ids=["observables", "probabilities"])
@pytest.mark.parametrize("name", CIRCUITS)
def test_outputs_of_planted_weights_are_reproduced(name, probabilities):
    """From nearby weights back to outputs that some weights have."""
    task = built(name, probabilities)
    planted = task.weights + 0.05 * np.array([1, -1, 1, -1])[: len(task.weights)]
    target = dense_outputs(task, planted)
    fitted, square = fit(network_of(task), task.weights, target, steps=60, gain=1e-9)
    assert np.max(np.abs(dense_outputs(task, fitted) - target)) < 1e-6
    assert square == pytest.approx(np.sum((dense_outputs(task, fitted) - target) ** 2), abs=1e-13)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", CIRCUITS)
def test_fitting_never_makes_it_worse(name):
    """The sum of squares falls with every step allowed, and is the one of the weights returned."""
    task = built(name)
    network = network_of(task)
    target = dense_outputs(task, task.weights) + np.random.default_rng(0).normal(scale=0.3, size=(2, task.num_samples))
    before = np.sum((dense_outputs(task, task.weights) - target) ** 2)
    squares = [before]
    for steps in (0, 1, 2, 5, 60):
        weights, square = fit(network, task.weights, target, steps=steps)
        assert square == pytest.approx(np.sum((dense_outputs(task, weights) - target) ** 2), abs=1e-12)
        assert square <= squares[-1] + 1e-12
        squares.append(square)
    assert squares[1] == pytest.approx(before)
    assert squares[-1] < squares[1]
    # and no descent is left: an independent optimiser from there gains next to nothing
    again = least_squares(lambda v: (dense_outputs(task, v) - target).ravel(), weights)
    assert 2 * again.cost >= squares[-1] * (1 - 0.01)


def test_fitting_is_deterministic():
    task = built("generators")
    target = dense_outputs(task, task.weights) + 0.1
    first, second = (fit(network_of(task), task.weights, target, steps=20)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_weights_given_are_not_written_to():
    task = built("rotations")
    before = task.weights.copy()
    fit(network_of(task), task.weights, network_of(task).values(task.weights) + 0.1, steps=5)
    np.testing.assert_array_equal(task.weights, before)


def test_nothing_to_move():
    """No weights at all, or none that may; one output of one sample is fitted by other means."""
    fixed = QuantumCircuit(2)
    fixed.ry(0.3, 0)
    held = QuantumCircuit(2)
    held.u(w0, 0.2, 0.1, 0)
    for task in (task_of(fixed), task_of(held), Task(fixed, "IZ")):
        network = network_of(task)
        target = network.values(task.weights) + 0.1
        weights, square = fit(network, task.weights, target, steps=5)
        np.testing.assert_array_equal(weights, task.weights)
        assert square == pytest.approx(0.01 * target.size)
        assert saliencies(network, task.weights, sites_of(task)) == {}
        assert predicted_square(network, task.weights, target) == pytest.approx(square)


# -- look ahead ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rotations", "shared", "expressions"])
def test_saliency_is_the_cost_of_removal_with_the_rest_refitted(name):
    """To second order, against the least Σ(Δoutputs)² over all weights with the gate's angle lowered.

    The angle is a linear form in the weights; the search runs over the plane on which the form has fallen by a small
    amount, and the saliency is scaled to it.
    """
    task, small = built(name), 0.02
    found = saliencies(network_of(task), task.weights, sites_of(task))
    target = dense_outputs(task, task.weights)
    for k, site in enumerate(sites_of(task)):
        if site.role != "trainable":
            assert k not in found
            continue
        slopes = [site.coordinate.gradient(p) if p in site.coordinate.parameters else 0.0 for p in task.weight_params]
        form = np.array(slopes, dtype=float)
        base, null = -small * form / (form @ form), np.linalg.svd(form[None])[2][1:]

        def residual(z, base=base, null=null):
            return (dense_outputs(task, task.weights + base + z @ null) - target).ravel()

        brute = 2 * least_squares(residual, np.zeros(len(null)), xtol=1e-15, ftol=1e-15, gtol=1e-15).cost
        full = float(task.values(site.coordinate))
        assert found[k] * (small / full) ** 2 == pytest.approx(brute, rel=0.1), site.name


def test_saliency_takes_the_shorter_way_round():
    """An angle near the period is near the identity: 2π, or 4π under a control."""
    circuit = prepared()
    circuit.rx(w0, 0)
    circuit.crx(w1, 0, 1)
    circuit.ry(w2, 1)
    near = task_of(circuit, weights=[2 * np.pi + 0.01, 4 * np.pi - 0.01, 0.3])
    plain = task_of(circuit, weights=[0.01, -0.01, 0.3])
    first, second = (saliencies(network_of(t), t.weights, sites_of(t)) for t in (near, plain))
    assert first == pytest.approx(second, rel=1e-6)
    half = task_of(circuit, weights=[0.01, 2 * np.pi - 0.01, 0.3])  # a Z on the control: far from the identity
    found = saliencies(network_of(half), half.weights, sites_of(half))
    assert found[6] > 1e3 * second[6]


def test_a_weight_no_output_sees_costs_nothing():
    circuit = prepared()
    circuit.rx(w0, 0)
    circuit.ry(w1, 1)
    task = task_of(circuit, ["IZ"])
    found = saliencies(network_of(task), task.weights, sites_of(task))
    rx, ry = (k for k, s in enumerate(sites_of(task)) if s.role == "trainable")
    assert found[ry] < 1e-5 * found[rx]


@pytest.mark.parametrize("name", CIRCUITS)
def test_predicted_square_lies_between_the_linear_optimum_and_no_step(name):
    """One damped Gauss-Newton step; with no damping it is the linear least-squares residual."""
    task = built(name)
    network = network_of(task)
    target = dense_outputs(task, task.weights) + np.random.default_rng(1).normal(scale=0.1, size=(2, task.num_samples))
    residual = (dense_outputs(task, task.weights) - target).ravel()
    matrix = finite_differences(task).reshape(len(residual), -1)
    best = residual - matrix @ np.linalg.lstsq(matrix, residual)[0]
    found = predicted_square(network, task.weights, target)
    assert best @ best - 1e-9 <= found <= residual @ residual
    undamped = predicted_square(network, task.weights, target, damping=1e-12)
    assert undamped == pytest.approx(best @ best, rel=1e-4)


class Flat:
    """Four outputs that a weight moves only by what rounding makes of their slope."""

    free = np.array([0])
    reach = np.ones(1)
    slope = 1e-17

    def values(self, weights):
        return np.full((4, 1), 0.5) + self.slope * weights[0]

    def jacobian(self, weights):
        return self.values(weights), np.full((4, 1, 1), self.slope)


def test_no_weight_follows_a_slope_that_is_rounding():
    """One went 10^15 radians along it, where π − w has no digit left, and verify found another distance."""
    moved, _ = fit(Flat(), np.array([0.3]), np.zeros((4, 1)), steps=30)
    assert abs(moved[0] - 0.3) <= 1e4


@pytest.mark.thinned(2)
@pytest.mark.parametrize("heldout", [[0, 1], [0, 2], [2, 3]])
def test_accuracy_with_refit_is_that_of_the_selected_samples(heldout):
    """The fit's ensemble numbers its rows otherwise than the task; labels are the signs of the dense outputs."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.ry(w0, 0)
    circuit.rx(w1, 1)
    circuit.cx(0, 1)
    circuit.ry(w2, 1)
    rows = [[0.4], [2.9], [-2.4], [1.1]]
    plain = Task(circuit, "ZI", inputs=rows, input_params=[x], weights=[0.02, 0.01, 0.03])
    labels = np.sign(dense_outputs(plain, plain.weights)[0]).astype(int)
    assert {-1, 1} == set(labels)
    task = Task(
        circuit, "ZI", inputs=rows, input_params=[x], weights=plain.weights, labels=labels.tolist(), holdout=heldout
    )
    result = prune(task, Accuracy(0.0, refit=True))
    assert verify(task, result).checks
    after = [outputs(result.task, state(result.task.bound_circuit(i)))[0] for i in task.selected]
    np.testing.assert_array_equal(np.sign(after), labels[task.selected])
    assert result.circuit.size() < circuit.size()
