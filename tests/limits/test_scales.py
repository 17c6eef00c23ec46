"""Scales are the user's: energies in joule, weights of 1e-9 and costs of 1e-12 are input like any other."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import dense, deviation, examples, outputs, state, tasks
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import PassManager

from qprune import (
    CertificateViolation,
    Measured,
    Proven,
    Task,
    TaskError,
    Threshold,
    frontier,
    prune,
    verify,
)
from qprune.qiskit import PruneGates, check_certificate

HARTREE = 4.36e-18  # joule
DECIMAL = (1e-18, HARTREE, 1e-9, 1e-3, 1e6, 1e12)
COMMON = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}
x, w = Parameter("x"), ParameterVector("w", 4)


def ansatz(observables, *, weights=(0.3, 0.02, -0.01, 0.7), inputs=(0.2, 0.9, 1.7), unit=1.0):
    """A network with something to prune in every mode; its weights may count in other units than radians."""
    circuit = QuantumCircuit(3)
    circuit.ry(x, 0)
    circuit.h(1)
    for k in range(3):
        circuit.ry(w[k] * unit, k)
        circuit.cx(k, (k + 1) % 3)
        circuit.rz(w[3] * unit, k)
    circuit.rx(w[1] * unit, 2)
    circuit.swap(0, 1)
    return Task(circuit, observables, inputs=inputs, input_params=[x], weights=np.array(weights) / unit)


def in_units(task, scale):
    """The same task with its observables times a number."""
    observables = [SparsePauliOp(o.paulis, o.coeffs * scale) for o in task.observables]
    return Task(
        task.circuit,
        observables,
        inputs=task.inputs,
        input_params=task.input_params,
        weights=task.weights,
        probabilities=task.probabilities,
    )


def plan(result):
    return [(entry.index, entry.action, entry.detail) for entry in result.plan]


def assert_scaled(first, second, scale, rtol):
    """The same gates go, and what is in the observables' unit is `scale` times as large."""
    assert plan(first) == plan(second)
    for name in ("bound", "measured"):
        there, here = np.array(getattr(first.certificate, name)), np.array(getattr(second.certificate, name))
        atol = 0.0 if rtol == 0 else 1e-12 * scale * max(1.0, first.original.largest_change)
        np.testing.assert_allclose(here, there * scale, rtol=rtol, atol=atol)
    np.testing.assert_allclose(second.certificate.angle, first.certificate.angle, rtol=rtol, atol=rtol)
    assert first.certificate.certified_predictions == second.certificate.certified_predictions


def times(limit, scale):
    """The same limit where observables are `scale` times as large."""
    return limit if isinstance(limit, Threshold) else replace(limit, budget=limit.budget * scale)


LIMITS = st.one_of(
    st.builds(Threshold, st.floats(0, 1.4), aggregate=st.sampled_from(("rms", "max"))),
    st.builds(Proven, st.floats(0, 3), window=st.sampled_from(("auto", 0))),
    st.builds(Measured, st.floats(0, 0.5)),
)
KINDS = st.sampled_from(("identity", "clifford", "class", "local"))


@settings(max_examples=examples(32), **COMMON)
@given(tasks(), LIMITS, KINDS, st.sampled_from((-60, -31, -7, 9, 40)))
def test_pruning_is_equivariant_to_the_last_bit(task, limit, kind, power):
    """Powers of two round nothing, so nothing at all may change but the exponents."""
    assume(task.observables is not None)
    scale = 2.0**power
    options = {} if isinstance(limit, Measured) else {"representatives": kind}
    other = in_units(task, scale)
    assert_scaled(prune(task, limit, **options), prune(other, times(limit, scale), **options), scale, 0)


SUMS = [SparsePauliOp(["ZII", "IXX", "IIZ"], [0.7, -0.4, 0.2]), SparsePauliOp(["III", "IZZ"], [0.5, -0.5])]
MODES = (
    (Threshold(0.1), {}),
    (Proven(0.1, window=0), {}),
    (Proven(0.1), {"representatives": "local"}),
    (Measured(0.1), {}),
    (Measured(0.1, refit=True), {}),
)


@pytest.mark.thinned(32)
@pytest.mark.parametrize("scale", DECIMAL)
@pytest.mark.parametrize(("limit", "options"), MODES[:4])
@pytest.mark.parametrize("observables", ["ZZI", SUMS], ids=["word", "sums"])
def test_pruning_is_equivariant(scale, limit, options, observables):
    """In decimal units too; and the verifier, which has thresholds of its own, accepts what is honest."""
    plain = ansatz(observables)
    other = in_units(plain, scale)
    result = prune(other, times(limit, scale), **options)
    assert_scaled(prune(plain, limit, **options), result, scale, 1e-9)
    verify(other, result)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("power", [-60, 40])
def test_refit_is_equivariant(power):
    """Levenberg-Marquardt, saliencies and what is predicted for blocks of gates know no unit."""
    plain, scale = ansatz(SUMS), 2.0**power
    first, second = (
        prune(task, Measured(0.1 * unit, refit=True)) for task, unit in ((plain, 1.0), (in_units(plain, scale), scale))
    )
    assert_scaled(first, second, scale, 0)
    np.testing.assert_array_equal(first.task.weights, second.task.weights)


@pytest.mark.thinned(24)
@pytest.mark.parametrize(("limit", "options"), MODES)
@pytest.mark.parametrize("power", [-30, 30])
def test_weights_in_any_unit(limit, options, power):
    """Weights of 1e-9 that turn gates by gigaradians per unit, and the other way round."""
    first, second = (prune(ansatz(SUMS, unit=unit), limit, **options) for unit in (1.0, 2.0**power))
    assert_scaled(first, second, 1.0, 1e-9)


@pytest.mark.thinned(4)
@pytest.mark.parametrize(("limit", "options"), MODES[1:])
def test_costs_in_any_unit(limit, options):
    """Of all gates that resynthesis may bring in, too: those not named would keep their default."""
    plans = []
    named = {"cx": 10, "swap": 30, "ry": 1, "rz": 0.1, "rx": 1}
    named |= {"h": 1, "x": 1, "sx": 1, "sxdg": 1, "z": 0.1, "s": 0.1, "sdg": 0.1}
    for unit in (1.0, 2.0**-60):
        costs = {name: cost * unit for name, cost in named.items()}
        plans.append(plan(prune(ansatz(SUMS), limit, costs=costs, **options)))
    assert plans[0] == plans[1]


def test_the_pareto_front_is_equivariant():
    plain, scale = ansatz("ZZI"), 2.0**-60
    pairs = (plain, np.array([0.3])), (in_units(plain, scale), np.array([0.3]) * scale)
    sizes = [[r.circuit.size() for r in frontier(task, budgets=budgets)] for task, budgets in pairs]
    assert sizes[0] == sizes[1]


# -- what fell, one by one -----------------------------------------------------------------------------------------


def rotated(num_qubits=2):
    circuit = QuantumCircuit(num_qubits)
    circuit.ry(0.7, 0)
    circuit.rz(0.4, 0)
    circuit.rx(1.1, num_qubits - 1)
    circuit.cx(0, num_qubits - 1)
    circuit.ry(-0.8, num_qubits - 1)
    circuit.rz(0.3, 0)
    return circuit


def worst_excess(task, result):
    """How far a dense simulation of both circuits exceeds the bound, in the observables' unit."""
    excess = [
        deviation(task, state(task.bound_circuit(i)), state(result.task.bound_circuit(i)))
        - np.array(result.certificate.bound)[:, column]
        for column, i in enumerate(task.selected)
    ]
    return float(np.max(excess))


@pytest.mark.parametrize("as_matrix", [False, True])
def test_an_energy_in_joule_sees_its_gates(as_matrix):
    """No gate commutes with an observable because that is small; nor do its terms vanish on the way in."""
    observable = SparsePauliOp(["ZZ", "XI", "IX"], HARTREE * np.array([1, 0.5, 0.3]))
    task = Task(rotated(), observable.to_matrix() if as_matrix else observable)
    assert dense(task.observables[0]) == pytest.approx(observable.to_matrix(), abs=1e-15 * HARTREE)
    result = prune(task, Threshold(0.0))
    assert result.circuit.size() > 0
    assert worst_excess(task, result) < 1e-10 * HARTREE
    verify(task, result)


def test_a_large_constant_rounds_nothing_away():
    """O = 1e16 + ZZ: ⟨ZZ⟩ is worked out without the constant, by `prune` and by `verify`."""
    circuit = rotated()
    plain = Task(circuit, "ZZ")
    for observable in (
        SparsePauliOp(["II", "ZZ"], [1e16, 1.0]),
        SparsePauliOp(["II", "ZZ", "II"], [1e16, 1.0, 1.0]),
        np.diag([1e16 + 2, 1e16 - 2, 1e16 - 2, 1e16 + 2]) / 2,
    ):
        task = Task(circuit, observable)
        first, second = prune(plain, Threshold(0.4)), prune(task, Threshold(0.4))
        assert first.certificate.largest_measured > 0.01
        np.testing.assert_allclose(second.certificate.measured, first.certificate.measured, atol=1e-12)
        np.testing.assert_allclose(second.certificate.bound, first.certificate.bound, atol=1e-12)
        assert worst_excess(plain, second) < 1e-10
        verify(task, second)


def test_a_deviation_that_double_precision_hides_is_not_measured_as_zero():
    """O = 1e16·ZZ + XI: what removing the rotation does to ⟨XI⟩ is lost beside ⟨ZZ⟩, so no budget may rest on it."""
    for turn in np.arange(0.3, 1.0, 0.1):  # with some of them the sum happens to round to the same number
        circuit = QuantumCircuit(2)
        circuit.ry(turn, 0)
        circuit.ry(0.9, 1)
        circuit.rz(0.6, 1)
        task = Task(circuit, SparsePauliOp(["ZZ", "XI"], [1e16, 1.0]))
        assert prune(task, Measured(0.1)).circuit.size() == 3


def test_small_terms_of_a_sum_count():
    """Z plus 63 words of 4.9e-9: no ±1 observable, whatever `simplify` makes of its square."""
    labels = sorted({"".join(p) for p in np.random.default_rng(0).choice(list("IXYZ"), (400, 6))} - {"I" * 6, "IIIIIZ"})
    observable = SparsePauliOp(["IIIIIZ", *labels[:63]], [1.0, *[4.9e-9] * 63])
    circuit = rotated(6)
    task = Task(circuit, observable)
    values = np.linalg.eigvalsh(observable.to_matrix())
    (spectrum,) = task.spectra
    assert not spectrum.is_two_valued
    assert spectrum.width >= (values[-1] - values[0]) * (1 - 1e-14) > 2 + 1e-9
    result = prune(task, Threshold(1.4))
    assert worst_excess(task, result) < 1e-12
    verify(task, result)


@pytest.mark.parametrize("size", [1e-7, 4e-9, 1e-10, 1e-13, 1e-15])
def test_a_sign_with_a_tiny_term_verifies(size):
    """Honest results of observables that are ±1 but for a small term, beside one that is."""
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.rx(0.02, 0)
    circuit.cx(0, 1)
    circuit.ry(0.03, 1)
    task = Task(
        circuit,
        ["ZI", SparsePauliOp(["IZ", "ZZ"], [1.0, size])],
        inputs=np.linspace(0, 3, 12),
        input_params=[x],
        holdout=0.5,
    )
    result = prune(task, Threshold(0.3))
    verify(task, result)


def test_spectra_of_two_eigenvalues():
    """Words, projectors and unequal multiplicities in any unit: found from the square, told by dense eigenvalues."""
    rng = np.random.default_rng(3)
    axis = rng.normal(size=3)
    cases = (
        ("XY", True, True),
        (SparsePauliOp(["IX", "IY", "IZ"], axis), True, True),
        (SparsePauliOp(["II", "IZ", "ZI", "ZZ"], [0.25, -0.25, -0.25, 0.25]), True, False),
        (SparsePauliOp(["II", "IZ", "ZI", "ZZ"], [0.5, 0.5, 0.5, -0.5]), True, True),
        (SparsePauliOp(["II", "ZZ"], [0.3, 1.0]), True, False),
        (SparsePauliOp(["IZ", "ZI"], [1.0, 1.0]), False, False),
        (SparsePauliOp(["IZ", "ZI"], [1.0, 1e-9]), False, False),
        ("II", False, False),
    )
    for scale in (1.0, HARTREE, 1e12):
        for given_, two_valued, sign in cases:
            observable = scale * SparsePauliOp(given_)
            (spectrum,) = Task(QuantumCircuit(2), observable).spectra
            values = np.linalg.eigvalsh(observable.to_matrix())
            assert (spectrum.is_two_valued, spectrum.predicts_sign) == (two_valued, sign), given_
            ends = np.array([spectrum.low, spectrum.high]) + spectrum.centre
            np.testing.assert_allclose(ends, values[[0, -1]], atol=1e-13 * scale)


def test_predictions_of_scaled_signs_are_certified():
    """T4 in any unit: as many predictions as for ±1, none of which flips."""
    found = []
    for scale in (1.0, HARTREE, 1e12):
        task = ansatz(scale * SparsePauliOp("ZZI"), inputs=np.linspace(0, 3, 20))
        result = prune(task, Threshold(0.1))
        (flags,) = result.certificate.certified_predictions
        after = [outputs(task, state(result.task.bound_circuit(i)))[0] for i in range(20)]
        before = [outputs(task, state(task.bound_circuit(i)))[0] for i in range(20)]
        assert all(a * b > 0 for a, b, flag in zip(before, after, flags, strict=True) if flag)
        found.append(sum(flags))
    assert found[0] == found[1] == found[2] > 0


# -- Qiskit's pass managers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-7, HARTREE])
def test_prune_gates_tells_circuits_apart_in_any_unit(scale):
    task = Task(rotated(), scale * SparsePauliOp("ZZ"))
    other = rotated()
    other.rx(0.5, 0)
    with pytest.raises(TaskError, match="is not the task's"):
        PassManager([PruneGates(task, Threshold(0.05))]).run(other)
    manager = PassManager([PruneGates(task, Threshold(0.05))])
    check_certificate(manager.run(rotated()), manager.property_set)


@pytest.mark.parametrize("scale", [1e-10, HARTREE])
def test_check_certificate_notices_a_gate_in_any_unit(scale):
    manager = PassManager([PruneGates(Task(rotated(), scale * SparsePauliOp("ZZ")), Threshold(0.05))])
    finished = manager.run(rotated())
    finished.x(0)
    with pytest.raises(CertificateViolation, match="deviates by"):
        check_certificate(finished, manager.property_set)


# -- words -----------------------------------------------------------------------------------------------------------


def test_the_trace_distance_that_t2_limits_is_not_that_of_the_final_state():
    """Exact simplification after replacement keeps outputs and may turn states by nearly a right angle."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.6, 0)
    circuit.ry(0.04, 1)
    circuit.cx(0, 1)
    circuit.rz(2.8, 0)
    circuit.rx(0.02, 1)
    task = Task(circuit, "IZ")
    result = prune(task, Threshold(0.2))
    assert worst_excess(task, result) < 1e-12
    before, after = (state(each) for each in (result.simplified, result.circuit))
    apart = np.sqrt(max(0.0, 1 - abs(np.vdot(before, after)) ** 2))
    whole = state(task.circuit)
    assert max(apart, np.sqrt(1 - abs(np.vdot(whole, after)) ** 2)) > np.sin(result.certificate.angle[0][0]) + 0.1
    assert "the same with its gates replaced" in " ".join(type(result.certificate).__doc__.split())
