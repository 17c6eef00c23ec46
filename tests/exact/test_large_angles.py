"""Angles of any size: a float is a number, and its place in the period is what every simulator works with."""

from math import pi

import mpmath
import numpy as np
import pytest
from helpers import deviation, examples, state, up_to_phase
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import (
    CPhaseGate,
    CRXGate,
    CRZGate,
    CUGate,
    PauliEvolutionGate,
    PhaseGate,
    RXGate,
    RXXGate,
    RYGate,
    RZGate,
    RZXGate,
    RZZGate,
    U2Gate,
    UGate,
)
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit_aer import AerSimulator

from qprune import Measured, Proven, Task, Threshold, prune, verify
from qprune._rounding import within_period
from qprune.errors import TaskError
from qprune.exact.simplify import simplify
from qprune.gates.sites import circuit_of, sites_of

ONE = (RXGate, RYGate, RZGate, PhaseGate)
TWO = (RXXGate, RZZGate, RZXGate, CRXGate, CRZGate, CPhaseGate)
sizes = st.builds(lambda sign, power: sign * 10.0**power, st.sampled_from((-1, 1)), st.floats(-3, 16))


def simplified(circuit):
    """With outputs that no gate commutes with."""
    size = circuit.num_qubits
    task = Task(circuit, [letters for p in "XYZ" for letters in (p * size, "I" * (size - 1) + p)])
    return circuit_of(task, simplify(task, sites_of(task))[0])


@given(sizes, st.sampled_from((2 * pi, 4 * pi)))
def test_a_number_is_reduced_as_with_fifty_digits(angle, period):
    with mpmath.workdps(50):
        turn = mpmath.mpf(angle) * (1 if period < 7 else mpmath.mpf(1) / 2)
        exact = complex(mpmath.exp(1j * turn))
        found = mpmath.mpf(float(within_period(angle, period))) * (1 if period < 7 else mpmath.mpf(1) / 2)
        assert abs(complex(mpmath.exp(1j * found)) - exact) < 5e-16
    assert abs(within_period(angle, period)) <= period / 2 * (1 + 1e-15)
    if abs(angle) <= period / 2:
        assert within_period(angle, period) == angle


@pytest.mark.parametrize("angle", [1e9 + 0.3, 1e12, 1e15, -1e16])
def test_simulators_reduce_large_angles_exactly(angle):
    """Qiskit's matrices and Aer's own rotations: hence merging, not simulation, is what has to be careful."""
    with mpmath.workdps(50):
        exact = complex(mpmath.exp(1j * mpmath.mpf(angle) / 2))
    assert abs(RZGate(angle).to_matrix()[1, 1] - exact) < 1e-15
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.rz(angle, 0)
    circuit.save_statevector()
    vector = AerSimulator(method="statevector").run(circuit).result().get_statevector().data
    np.testing.assert_allclose(vector[1] / vector[0], exact**2, atol=2e-15)


@settings(deadline=None, max_examples=examples(150))
@given(st.sampled_from((*ONE, *TWO)), sizes, sizes)
def test_merged_numbers_are_the_two_gates(gate, first, second):
    """To 1e-14 for any two numbers; under a control 2π is no period, so that crz(2π) rz-s twice as far."""
    circuit = QuantumCircuit(gate(0.0).num_qubits)
    for angle in (first, second):
        circuit.append(gate(angle), range(circuit.num_qubits))
    merged = simplified(circuit)
    assert merged.size() <= 1
    apart = Operator(gate(second)).data @ Operator(gate(first)).data
    assert up_to_phase(Operator(merged).data, apart) < 1e-14


@pytest.mark.parametrize("turns", [1, 3, 10**6 + 1, 10**12 + 1])
def test_half_a_period_of_a_controlled_rotation_is_no_identity(turns):
    """The known trap: rz has the period 2π up to a global phase, crz has 4π, as under a control a phase is seen."""
    circuit = QuantumCircuit(2)
    circuit.append(CRZGate(2 * pi * turns), [0, 1])
    circuit.append(CRZGate(0.3), [0, 1])
    merged = simplified(circuit)
    assert merged.size() == 1
    apart = Operator(CRZGate(0.3)).data @ Operator(CRZGate(2 * pi * turns)).data
    assert up_to_phase(Operator(merged).data, apart) < 1e-14
    assert up_to_phase(apart, Operator(CRZGate(0.3)).data) > 0.5


def test_large_numbers_are_no_identities():
    """1e16 is 2 apart from its neighbours; its quotient by 2π is a quarter of the time nearly whole in doubles."""
    circuit = QuantumCircuit(1)
    for k in range(40):
        circuit.h(0)
        circuit.rz(1e16 + 2 * k, 0)
    task = Task(circuit, "Z")
    assert not [change for change in simplify(task, sites_of(task))[1] if change.kind == "identity"]


def test_an_inverse_of_another_large_number_is_none():
    circuit = QuantumCircuit(1)
    circuit.rz(1e16, 0)
    circuit.rz(-1e16 + 2, 0)  # the neighbour
    circuit.rz(0.5, 0)
    assert up_to_phase(Operator(simplified(circuit)).data, RZGate(2.5).to_matrix()) < 1e-14


def test_pauli_evolutions_merge_within_the_period():
    circuit = QuantumCircuit(2)
    for time in (1e12, 0.3):
        circuit.append(PauliEvolutionGate(SparsePauliOp("XY", 0.7), time), [0, 1])
    merged = simplified(circuit)
    apart = Operator(circuit.decompose()).data  # the gate's own matrix is an exponential that loses its digits
    assert merged.size() == 1
    assert up_to_phase(Operator(merged.decompose("PauliEvolution")).data, apart) < 1e-14


# -- symbols ------------------------------------------------------------------------------------------------------

x, w, v = Parameter("x"), Parameter("w"), Parameter("v")


def network(values, weight=0.4):
    """An input and a weight that a careless simplification adds to numbers and to others."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.rz(x, 0)
    circuit.rz(2 * x + 0.3, 0)
    circuit.rz(0.7, 1)
    circuit.rz(w, 1)
    circuit.rz(0.2 - 3 * w, 1)
    circuit.cx(0, 1)
    circuit.rx(0.01, 0)
    circuit.ry(v, 0)
    circuit.crx(x, 0, 1)
    circuit.crx(0.1 * x, 0, 1)
    circuit.ry(0.02, 1)
    return Task(
        circuit, ["ZI", "XX"], inputs=values, input_params=[x], weights={w: weight, v: 0.02}, weight_params=[w, v]
    )


def check(task, limit, **options):
    """The honest result verifies, and no output moves farther than certified: dense states of both circuits."""
    result = prune(task, limit, **options)
    verify(task, result)
    for column, i in enumerate(task.selected):
        found = deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))
        assert np.all(found <= np.array(result.certificate.bound)[:, column] + 1e-10)
    return result


MODES = (
    (Threshold(0.1), {}),
    (Threshold(0.2), {"representatives": "clifford"}),
    (Threshold(0.2, window=0), {"representatives": "class"}),
    (Proven(0.2), {"prune_encoding": True}),
    (Measured(0.1), {}),
    (Measured(0.1, refit=True), {}),
)


@pytest.mark.thinned(48)
@pytest.mark.parametrize(("limit", "options"), MODES)
@pytest.mark.parametrize("size", [1.0, 1.7e9, 1e12, 1e15])
def test_timestamps_and_huge_weights(size, limit, options):
    """Raw timestamps as inputs, weights of the same size."""
    times = size * np.array([1, 1.0000001, 1.3])
    check(network(times), limit, **options)
    check(network(np.array([0.1, 0.5, 0.9]), weight=size), limit, **options)


def test_what_stays_small_still_merges():
    task = network(np.array([0.1, 0.5, 0.9]))
    sizes = [len(simplify(each, sites_of(each))[0]) for each in (task, network(1.7e9 * np.array([1, 1.1, 1.2])))]
    assert sizes[0] < sizes[1]


def test_hidden_cancellation_is_noticed():
    """The two angles are small, their expressions are not: adding them would round at 10¹²."""
    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.rz(x - w, 0)
    circuit.rz(0.1 * x - 0.1 * w, 0)
    circuit.h(0)
    check(
        Task(circuit, "Z", inputs=1e12 + np.arange(3) / 4, input_params=[x], weights=[1e12], weight_params=[w]),
        Threshold(0.05),
    )


def test_values_are_what_a_simulator_is_given():
    """A sum of large terms is rounded in Qiskit's order, not in another."""
    rng = np.random.default_rng(1)
    many = ParameterVector("a", 4)
    circuit = QuantumCircuit(1)
    expression = 0.1 * many[0] - 0.3 * many[1] + 0.7 * many[2] + w * 0.9 - many[3] / 7
    circuit.rx(expression, 0)
    rows = rng.normal(size=(20, 4)) * 1e10
    task = Task(circuit, "Z", inputs=rows, input_params=list(many), weights=[0.3], weight_params=[w])
    bound = [task.bound_circuit(i).data[0].operation.params[0] for i in range(20)]
    np.testing.assert_array_equal(task.values(circuit.data[0].operation.params[0]), bound)


@pytest.mark.parametrize("size", [1.7e9, 1e15])
def test_rotations_about_an_axis_at_a_large_angle(size):
    """r(θ, φ) has φ in its axis; φ − π/2 would be another axis."""
    circuit = QuantumCircuit(1)
    circuit.ry(0.4, 0)
    circuit.r(0.7, x, 0)
    circuit.rz(0.01, 0)
    circuit.rx(0.3, 0)
    check(Task(circuit, "Z", inputs=size * np.array([1, 1.1]), input_params=[x]), Threshold(0.1))


@pytest.mark.parametrize(
    "gate", [lambda t: UGate(0.1, t, 0.3), lambda t: CUGate(0.1, t, 0.3, 0), lambda t: U2Gate(t, 0.3)]
)
def test_gates_that_add_their_angles_are_refused(gate):
    """Qiskit's own matrix of u(θ, φ, λ) is off by what φ + λ is rounded; so nothing exact can be said of it."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.append(gate(x), range(gate(x).num_qubits))
    circuit.h([0, 1])
    with pytest.raises(TaskError, match=r"adds its angles.*1\.7e\+09.*modulo 4π"):
        prune(Task(circuit, "ZZ", inputs=[1.7e9], input_params=[x]), Threshold(0.1))
    check(Task(circuit, "ZZ", inputs=[17.0], input_params=[x]), Threshold(0.1))


@settings(deadline=None, max_examples=examples(40), derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(("rx", "rz", "crz", "rzz", "ry")), sizes), min_size=2, max_size=8), sizes)
def test_random_circuits_of_every_size(gates, moved):
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    for k, (name, angle) in enumerate(gates):
        where = (0, 1)[: 2 if name in ("crz", "rzz") else 1]
        getattr(circuit, name)(angle if k % 3 else x + angle if k % 2 else x, *where)
    circuit.rx(x if not circuit.parameters else 0.2, 1)
    check(Task(circuit, ["ZZ", "XI"], inputs=[moved, moved / 3], input_params=[x]), Proven(0.1))
