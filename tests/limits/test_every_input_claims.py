"""Phases of circuits, refusals, and what a claim for every input says (THEORY T9)."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import zz_feature_map

from qprune import OptionError, Task, TaskError
from qprune.gates.sites import sites_of
from qprune.geometry.trigonometric import coefficients, values_at
from qprune.limits.claim_everywhere import every_input
from qprune.limits.grid_runs import differences
from qprune.limits.phases import encoded, phases_of
from qprune.task.domain import Domain

X, Y, W = Parameter("x"), Parameter("y"), Parameter("w")


def task_of(build, qubits=2, observables="ZZ", weights=None, inputs=None):
    circuit = QuantumCircuit(qubits)
    build(circuit)
    names = [p for p in (X, Y) if p in circuit.parameters]
    rows = np.random.default_rng(0).uniform(0, 1, (5, len(names))) if inputs is None else inputs
    return Task(circuit, observables, inputs=rows, input_params=names, weights=weights)


def phases(first, second=None):
    second = second or first
    return phases_of(*(encoded(task, sites_of(task)) for task in (first, second)))


def claim(first, second, *args, **options):
    return every_input(first, sites_of(first), second, sites_of(second), *args, **options)


def mixed(circuit):
    circuit.h([0, 1])
    circuit.cx(0, 1)
    circuit.ry(0.4, 0)
    circuit.rx(0.3, 1)


CIRCUITS = {  # what is built, degree by phase
    "one rotation": (lambda c: c.ry(X, 0), [1]),
    "twice": (lambda c: (c.ry(X, 0), mixed(c), c.rz(X, 1)), [2]),
    "multiples share a unit": (lambda c: (c.ry(X, 0), mixed(c), c.rz(3 * X, 1)), [4]),
    "halves share a unit": (lambda c: (c.ry(X / 2, 0), mixed(c), c.rz(X, 1)), [3]),
    "opposite signs": (lambda c: (c.ry(X, 0), mixed(c), c.rz(-X, 1)), [2]),
    "a control halves the unit": (lambda c: (mixed(c), c.crx(X, 0, 1)), [2]),
    "a projector does not": (lambda c: (mixed(c), c.cp(X, 0, 1)), [1]),
    "euler angles": (lambda c: c.u(X, Y, 0.2, 0), [1, 1]),
    "taken apart": (lambda c: (mixed(c), c.r(X, Y, 0)), [1, 2]),
    "a form of two inputs": (lambda c: (c.ry(X + Y, 0), mixed(c), c.rz(2 * X + 2 * Y, 1)), [3]),
    "a product": (lambda c: (mixed(c), c.p(X * Y, 0), mixed(c), c.p(X * Y, 0)), [2]),
    "outside the light cone": (lambda c: (c.ry(X, 0), c.rz(Y, 0), c.ry(Y, 1)), [1, 2]),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_degrees_are_those_of_the_fourier_series(name):
    """An upper limit always; the outputs are determined by the grid of those degrees, by dense states."""
    build, expected = CIRCUITS[name]
    task = task_of(lambda c: (build(c), mixed(c)))
    found = phases(task)
    assert found.degrees.tolist() == [expected]
    rng = np.random.default_rng(1)
    nothing = task_of(lambda c: [c.rx(sign * p, 0) for p in task.input_params for sign in (1, -1)])
    both = phases(task, nothing)
    grid = differences(both)[0]
    points = rng.uniform(-3, 3, (20, len(task.input_params)))
    angles = both.map.angles(points)[:, list(grid.phases)]
    found = values_at(coefficients(grid.values), angles)[:, 0]
    assert found == pytest.approx((outputs_on(nothing, points) - outputs_on(task, points))[:, 0], abs=1e-12)


def test_other_weights_in_the_smaller_circuit_are_phases_of_their_own():
    first = task_of(lambda c: c.ry(W * X, 0), observables="IZ", weights=[0.7])
    second = task_of(lambda c: c.ry(W * X, 0), observables="IZ", weights=[0.71])
    assert phases(first, second).degrees.tolist() == [[1, 1]]
    found = claim(first, second, Domain.box(0, 2), gap=0.01)
    x = np.linspace(0, 2, 10001)
    true = np.abs(np.cos(0.7 * x) - np.cos(0.71 * x)).max()
    assert found.lower <= true + 1e-12
    assert true <= found.upper + 1e-12
    assert found.upper - found.lower <= 0.0101 * found.upper


def test_a_light_cone_leaves_other_inputs_out():
    task = task_of(lambda c: (c.ry(X, 0), c.ry(Y, 1)), observables=["IZ", "ZI", "ZZ"])
    assert phases(task).degrees.tolist() == [[1, 0], [0, 1], [1, 1]]


def test_an_output_that_no_input_reaches_has_a_limit_too():
    first = task_of(lambda c: (c.ry(X, 0), c.rx(0.2, 1)), observables=["ZI", "IZ"])
    second = task_of(lambda c: (c.ry(X, 0), c.rx(0.5, 1)), observables=["ZI", "IZ"])
    seen, unseen = claim(first, second).outputs
    assert seen.lower <= np.cos(0.2) - np.cos(0.5) <= seen.upper <= seen.lower + 1e-12
    assert unseen.upper < 1e-12


def test_too_many_runs_are_refused_with_the_phases_to_blame():
    names = [Parameter(f"x{k}") for k in range(14)]
    circuit = QuantumCircuit(2)
    circuit.rx(0.3, [0, 1])  # so that the inputs prepare no state that all that follows could start from
    for k, name in enumerate(names):
        circuit.ry(name, k % 2)
        circuit.cx(k % 2, 1 - k % 2)
    circuit.ry(2 * names[3], 0)
    task = Task(circuit, "ZZ", inputs=np.zeros((1, 14)), input_params=names)
    with pytest.raises(OptionError) as refusal:
        claim(task, task)
    message = str(refusal.value)
    assert f"{3**13 * 7:,}" in message
    assert "1·x3 (degree 3)" in message
    assert "GB" in message
    assert "hold-out" in message


def test_the_same_circuit_deviates_nowhere():
    task = task_of(lambda c: (c.ry(X, 0), mixed(c), c.rz(Y, 1), mixed(c)))
    found = claim(task, task)
    assert found.lower == 0
    assert 0 <= found.upper < 1e-11


@pytest.mark.parametrize("planted", [1e-13, 1e-10, 1e-6])
def test_nearly_equal_circuits_keep_a_true_limit(planted):
    """cos(x + δ) − cos(x) reaches −2 sin(δ/2) exactly; rounding may hide it but the limit holds."""
    first = task_of(lambda c: c.ry(X, 0), 1, "Z", inputs=np.array([[0.0], [np.pi]]))
    second = task_of(lambda c: c.ry(X + planted, 0), 1, "Z", inputs=np.array([[0.0], [np.pi]]))
    found = claim(first, second)
    assert found.lower <= 2 * np.sin(planted / 2) <= found.upper
    assert found.upper <= 1.03 * planted + 1e-12


def test_angles_of_any_size_have_a_limit():
    for scale in (1e-9, 1e12):
        first = task_of(lambda c: c.ry(X, 0), 1, "Z", inputs=scale * np.array([[0.5], [1.0]]))
        second = task_of(lambda c: c.ry(X + 0.1, 0), 1, "Z", inputs=scale * np.array([[0.5], [1.0]]))
        found = claim(first, second)
        x = scale * np.linspace(0.5, 1, 2001)
        assert np.abs(np.cos(x + 0.1) - np.cos(x)).max() <= found.upper * (1 + 1e-3 * (scale > 1))


def test_a_feature_map_with_products_of_inputs():
    feature = zz_feature_map(2, reps=1)
    circuit = feature.compose(QuantumCircuit(2))
    circuit.ry(0.4, 0)
    circuit.cx(0, 1)
    circuit.rx(0.3, 1)
    other = feature.copy()
    other.ry(0.55, 0)
    other.cx(0, 1)
    other.rx(0.3, 1)
    rows = np.random.default_rng(2).uniform(0.5, 1.5, (6, 2))
    tasks = [Task(c, "XZ", inputs=rows, input_params=list(feature.parameters)) for c in (circuit, other)]
    assert len(phases(*tasks).map) == 3
    found = claim(*tasks, gap=0.05)
    points = np.random.default_rng(3).uniform(rows.min(axis=0), rows.max(axis=0), (400, 2))
    best = np.abs(outputs_on(tasks[1], points) - outputs_on(tasks[0], points)).max()
    assert 0.01 < best <= found.upper
    assert found.upper - found.lower <= 0.0501 * found.upper


def test_the_record_says_what_cannot_change():
    """⟨Z⟩ = cos x on [0, π], and a shift by 0.1: |cos x| > upper on a known share."""
    first = task_of(lambda c: c.ry(X, 0), 1, "Z", inputs=np.linspace(0, np.pi, 101)[:, None])
    second = task_of(lambda c: c.ry(X + 0.1, 0), 1, "Z", inputs=first.inputs)
    output = claim(first, second, gap=0.01).outputs[0]
    share = 2 * np.arccos(output.upper) / np.pi
    assert output.certain_share == pytest.approx(share, abs=0.04)
    assert output.certain_data == pytest.approx(share, abs=0.02)
    x = output.worst[0]
    assert output.before[0] == pytest.approx(np.cos(x), abs=1e-12)
    assert output.after[0] == pytest.approx(np.cos(x + 0.1), abs=1e-12)
    assert output.gap <= 0.011
    assert output.runs == 3
    with pytest.raises(OptionError, match="gap"):
        claim(first, second, gap=0)


def test_a_circuit_on_other_qubits_is_refused():
    """Both are run as one task: gates on qubits that the original's outputs do not see would count for nothing."""
    first = task_of(lambda c: c.ry(X, 0), observables="IZ")
    with pytest.raises(TaskError, match="must be on the original's qubits"):
        claim(first, task_of(lambda c: c.ry(X, 1), observables="ZI"))
