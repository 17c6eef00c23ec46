"""`verify` recomputes a claim for every input by other mathematics and catches what does not hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import comb

import mpmath
import numpy as np
import pytest
import sympy
from every_input_cases import random_case
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qprune import Task
from qprune.errors import CertificateViolation
from qprune.gates.sites import sites_of
from qprune.limits.claim_everywhere import every_input
from qprune.task.domain import Domain
from qprune.verify.cells import _bernstein
from qprune.verify.every_input import confirm
from qprune.verify.phases import Turn, read
from qprune.verify.ranges import terms_of

X, Y = Parameter("x"), Parameter("y")


@pytest.mark.thinned(8)
@pytest.mark.parametrize("seed", range(16))
def test_honest_claims_are_confirmed(seed):
    rng = np.random.default_rng([7, seed])
    case = random_case(rng)
    inputs = rng.uniform(case.low, case.high, (6, case.num_inputs))
    domain = (Domain.box(case.low, case.high), Domain.data(), Domain.ellipsoid(), Domain.around(0.05))[seed % 4]
    tasks = [case.task(steps, inputs) for steps in (case.original, case.pruned)]
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), domain, time_limit=4)
    for found, output in zip(confirm(*tasks, claim), claim.outputs, strict=True):
        assert found.attained == pytest.approx(output.lower, rel=1e-9, abs=4 * output.rounding)


@pytest.fixture(scope="module")
def pair():
    tasks = []
    for shift in (0.0, 0.2):
        circuit = QuantumCircuit(2)
        circuit.ry(X, 0)
        circuit.cry(Y, 0, 1)
        circuit.rx(0.4 + shift, 1)
        circuit.cx(0, 1)
        circuit.ry(2 * X, 1)
        circuit.u(0.3, X, Y, 0)
        rows = np.random.default_rng(1).uniform(0, 2, (9, 2))
        tasks.append(Task(circuit, ["ZZ", "ZI"], inputs=rows, input_params=[X, Y]))
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), gap=0.01)
    confirm(*tasks, claim)
    return *tasks, claim


def changed(claim, which, **fields):
    outputs = list(claim.outputs)
    outputs[which] = replace(outputs[which], **fields)
    return replace(claim, outputs=tuple(outputs))


@pytest.mark.parametrize("which", [0, 1])
def test_claims_that_do_not_hold_are_caught(pair, which):
    first, second, claim = pair
    output = claim.outputs[which]
    assert output.lower > 0.05
    with pytest.raises(CertificateViolation, match="at most"):
        confirm(first, second, changed(claim, which, upper=0.99 * output.lower, lower=0.5 * output.lower))
    with pytest.raises(CertificateViolation, match="claimed are"):
        confirm(first, second, changed(claim, which, lower=1.001 * output.lower))
    with pytest.raises(CertificateViolation, match="outside the domain"):
        confirm(first, second, changed(claim, which, worst=(9.0, 9.0)))
    with pytest.raises(CertificateViolation, match="before pruning"):
        confirm(first, second, changed(claim, which, before=(output.before[0] + 1e-9,)))
    with pytest.raises(CertificateViolation, match="after pruning"):
        confirm(first, second, changed(claim, which, after=(output.after[0] - 1e-9,)))
    with pytest.raises(CertificateViolation, match="outputs"):
        confirm(first, second, replace(claim, outputs=claim.outputs[:1]))


def test_a_claim_for_a_smaller_domain_is_none_for_a_larger_one(pair):
    first, second, claim = pair
    small = every_input(first, sites_of(first), second, sites_of(second), Domain.box(0, 0.05))
    assert small.upper < 0.95 * claim.lower
    confirm(first, second, small)
    with pytest.raises(CertificateViolation):
        confirm(first, second, replace(small, domain=claim.domain))


def test_another_circuit_does_not_confirm_the_claim(pair):
    first, second, claim = pair
    with pytest.raises(CertificateViolation):
        confirm(second, first, claim)


def test_a_gate_without_a_matrix_is_simulated_by_its_definition():
    """As those that an OpenQASM file defines; angles bound later reach the definition only."""
    tasks = []
    for angle in (0.3, 0.5):
        weight = Parameter("w")
        own = QuantumCircuit(2, name="own")
        own.ry(2 * weight, 1)
        own.cx(1, 0)
        circuit = QuantumCircuit(2)
        circuit.ry(X, 0)
        circuit.append(own.to_gate(), [0, 1])
        rows = np.linspace(0, 2, 5)[:, None]
        tasks.append(Task(circuit, ["ZZ", "IZ"], inputs=rows, input_params=[X], weights={weight: angle}))
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]))
    assert claim.lower > 0.1
    for found, output in zip(confirm(*tasks, claim), claim.outputs, strict=True):
        assert found.attained == pytest.approx(output.lower, rel=1e-9, abs=4 * output.rounding)


def lifted(shift, sign):
    """Two inputs in angles that are not linear; a product of them enters with both signs, its difference never."""
    circuit = QuantumCircuit(1)
    circuit.ry(X, 0)
    circuit.rx(0.6 + shift, 0)
    if sign:
        circuit.rz(0.5 * (X * Y) + 0.3, 0)
        circuit.rz(sign * 0.5 * (X * Y), 0)
    else:
        circuit.rz(0.3, 0)
    circuit.ry(Y, 0)
    rows = np.random.default_rng(1).uniform(0, 2, (9, 2))
    return Task(circuit, ["X", "Z"], inputs=rows, input_params=[X, Y])


def test_phases_that_cancel_cost_no_cells():
    tasks = lifted(0.0, -1), lifted(0.1, 0)
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]), gap=0.01)
    plain = lifted(0.0, 0)
    alone = every_input(plain, sites_of(plain), tasks[1], sites_of(tasks[1]), gap=0.01)
    cells = [sum(found.cells for found in confirm(task, tasks[1], claim)) for task in (tasks[0], plain)]
    assert cells[0] <= 2 * cells[1] + 10
    assert [o.upper for o in claim.outputs] == pytest.approx([o.upper for o in alone.outputs], rel=0.02)
    with pytest.raises(CertificateViolation):
        confirm(*tasks, changed(claim, 0, upper=claim.outputs[0].lower * 0.99))
    with pytest.raises(CertificateViolation):
        confirm(lifted(0.0, 1), tasks[1], claim)


def ended(shift, turn):
    """Two inputs, and their product at the end in an angle that the measured observable commutes with."""
    circuit = QuantumCircuit(1)
    circuit.ry(X, 0)
    circuit.rx(0.6 + shift, 0)
    circuit.ry(Y, 0)
    if turn:
        circuit.rz(turn * (X * Y), 0)
    return Task(circuit, ["Z"], inputs=np.random.default_rng(1).uniform(0, 2, (9, 2)), input_params=[X, Y])


def test_a_phase_that_no_output_sees_costs_no_cells():
    """Thousands of turns, each of which would take cells of its own: neither the claim nor its check cuts them."""
    plain, turned = ((ended(0.0, turn), ended(0.1, turn)) for turn in (0, 1e4))
    claims = [every_input(a, sites_of(a), b, sites_of(b), gap=0.01) for a, b in (plain, turned)]
    assert claims[1].outputs[0].upper == pytest.approx(claims[0].outputs[0].upper, rel=0.02)
    assert claims[1].outputs[0].cells <= 2 * claims[0].outputs[0].cells + 10
    pairs = zip((plain, turned), claims, strict=True)
    cells = [sum(found.cells for found in confirm(*tasks, claim)) for tasks, claim in pairs]
    assert cells[1] <= 2 * cells[0] + 10


TEXTS = (
    *("-x_0*x_1", "2*(3 - 0.5*sin(x_0))/4 + 1", "-(x_0 - 2)", "-3*x_1*-x_0", "1/x_0", "exp(x_0)*2*x_1", "-1.5"),
    *("x_0 + 2*(x_0 - sin(x_1)) - x_0", "(2 - x_0)*(1 + x_1) - x_1/3", "x_0*x_1*2*x_0 + 1"),
)


@pytest.mark.parametrize("text", TEXTS)
def test_an_angle_is_its_parts(text):
    terms, constant = terms_of(text)
    for x in np.random.default_rng(2).uniform(0.5, 3, (5, 2)).tolist():
        names = {"x_0": x[0], "x_1": x[1], "sin": np.sin, "exp": np.exp}
        found = sum(factor * eval(name, names) for name, factor in terms.items()) + constant
        assert found == pytest.approx(eval(text, names), rel=1e-14)


@pytest.mark.parametrize("degree", [1, 4, 15])
def test_bernstein_coefficients_beside_sixty_digits(degree):
    """From P in powers of u, as the theorem has it; in double precision that form loses eight digits at degree 15."""
    low, high, size = -7.3, -7.3 + 1.57, 2 * degree + 1
    (found,) = _bernstein(degree, np.array([low]), np.array([high]))
    with mpmath.workdps(60):
        tau, middle = mpmath.tan((mpmath.mpf(high) - low) / 4), (mpmath.mpf(high) + low) / 2
        y = sympy.Symbol("y")
        for column, k in ((0, 0), (1, 1), (degree, degree), (-1, -1)):
            ends = [sympy.Poly(1 + sign * sympy.I * (2 * y - 1) * sympy.Symbol("t"), y) for sign in (1, -1)]
            polynomial = ends[0] ** (degree + k) * ends[1] ** (degree - k)
            powers = [mpmath.mpmathify(sympy.N(c.subs("t", sympy.Float(tau, 60)), 60)) for c in polynomial.all_coeffs()]
            powers = [mpmath.mpc(0)] * (size - len(powers)) + powers
            powers.reverse()
            parts = [
                mpmath.fsum(mpmath.mpf(comb(j, i)) / comb(size - 1, i) * powers[i] for i in range(j + 1))
                for j in range(size)
            ]
            if k == 0:
                whole = parts
            turned = [complex(p * mpmath.expj(k * middle) / w) for p, w in zip(parts, whole, strict=True)]
            assert found[:, column] == pytest.approx(turned, rel=1e-12)


def test_intervals_are_taken_together_whatever_their_widths():
    low, widths = np.array([-7.3, 0.2, 0.1, -1.0]), np.array([1.5, 0.3, 1.5, 0.7])
    for one, start, end in zip(_bernstein(4, low, low + widths), low, low + widths, strict=True):
        np.testing.assert_allclose(one, _bernstein(4, np.array([start]), np.array([end]))[0], atol=1e-12)


@pytest.mark.parametrize("width", [0.0, 1e-6, 1.0, 1e9])
@pytest.mark.parametrize("start", [0.0, 1.7e9, 1e12])
def test_large_inputs_and_boxes_of_no_width_are_confirmed(start, width):
    """A phase that goes around more than once needs one turn; a point cannot be halved."""
    tasks = []
    for shift in (0.0, 0.2):
        circuit = QuantumCircuit(1)
        circuit.ry(0.5, 0)
        circuit.rx(-2 * X, 0)
        circuit.rz(0.3 + shift, 0)
        circuit.ry(X, 0)
        rows = np.array([[start], [start + width]])
        tasks.append(Task(circuit, ["Z", "X"], inputs=rows, input_params=[X]))
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]))
    assert all(found.cells < 10_000 for found in confirm(*tasks, claim))
    for r, output in enumerate(claim.outputs):
        with pytest.raises(CertificateViolation):
            confirm(*tasks, changed(claim, r, upper=output.lower * 0.99 - 2 * output.rounding))


@pytest.mark.parametrize("roundings", [8, 15])
@pytest.mark.parametrize("start", [1e6, 1e9])
def test_factors_that_differ_by_rounding_do_so_on_large_inputs(start, roundings):
    """rx(x) and rx((1 + kε)x) share a phase, and kε·x is part of the limit: cos in forty digits."""
    factor, tasks = 1 + roundings * np.finfo(float).eps, []
    for each in (factor, 1.0):
        circuit = QuantumCircuit(1)
        circuit.rx(X if each == 1 else each * X, 0)
        tasks.append(Task(circuit, "Z", inputs=np.array([[start], [start + 8]]), input_params=[X]))
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]))
    with mpmath.workdps(40):
        points = [start + mpmath.mpf(k) / 50 for k in range(401)]
        change = max(abs(mpmath.cos(mpmath.mpf(factor) * x) - mpmath.cos(x)) for x in points)
    assert 0 < change <= claim.outputs[0].upper <= 4 * change
    confirm(*tasks, claim)


@pytest.mark.parametrize("parts", [(7, 11), (29, 31)])
def test_factors_without_a_small_common_unit_do_not_inflate_the_grid(parts):
    tasks = []
    for shift in (0.3, 0.31):
        circuit = QuantumCircuit(1)
        circuit.rx(X, 0)
        circuit.rz(X * (1 / parts[0]), 0)
        circuit.ry(shift, 0)
        circuit.rx(X * (1 / parts[1]), 0)
        tasks.append(Task(circuit, "Z", inputs=np.array([[0.0], [2.0]]), input_params=[X]))
    claim = every_input(tasks[0], sites_of(tasks[0]), tasks[1], sites_of(tasks[1]))
    confirm(*tasks, claim)
    assert read(*tasks).runs <= 183


def test_a_sum_of_many_inputs_is_a_phase_of_its_own_where_that_is_cheaper():
    inputs, tasks = ParameterVector("x", 7), []
    for shift in (0.3, 0.31):
        circuit = QuantumCircuit(2)
        for k, x in enumerate(inputs):
            circuit.ry(x, k % 2)
        circuit.cx(0, 1)
        circuit.rz(sum(inputs[1:], inputs[0]), 0)
        circuit.rx(shift, 0)
        rows = np.random.default_rng(0).uniform(0, 1, (5, 7))
        tasks.append(Task(circuit, "IX", inputs=rows, input_params=list(inputs)))
    assert read(*tasks).runs <= 2 * 3**8


def test_sums_of_angles_that_are_not_linear_are_no_phases_of_their_own():
    """rx(f) rx(f) and rz(x) rz(sin x) become rx(f + f) and rz(x + sin x); cells alone would take minutes."""
    tasks = []
    for is_merged in (False, True):
        circuit = QuantumCircuit(1)
        product = (np.pi - X) * (np.pi - Y)
        circuit.h(0)
        for angle in [X + X.sin()] if is_merged else [X, X.sin()]:
            circuit.rz(angle, 0)
        circuit.ry(0.02 * (not is_merged), 0)
        for angle in [product + product] if is_merged else [product, product]:
            circuit.rx(angle, 0)
        rows = np.array([[-9.0, -9.0], [9.0, 9.0]])
        tasks.append(Task(circuit, ["X", "Z"], inputs=rows, input_params=[X, Y]))
    assert read(*tasks).runs == read(tasks[0], tasks[0]).runs
    assert read(*tasks).degrees == read(tasks[0], tasks[0]).degrees


@pytest.mark.parametrize("terms", [{"x_0": -2.0, "x_1": 0.5}, {"x_0": -1.0, "x_0*x_1": -0.3, "sin(x_1)": 2.0}])
def test_intervals_hold_the_phase_at_every_point_of_a_box(terms):
    """With factors of both signs; where all is linear, both ends are met in corners."""
    rng = np.random.default_rng(0)
    low = rng.uniform(-3, 2, (5, 2))
    high = low + rng.uniform(0, 2, (5, 2))
    ends = Turn(terms, 2, unit=0.7).intervals(low, high)
    functions = {"x_0": lambda x: x[0], "x_1": lambda x: x[1], "x_0*x_1": lambda x: x[0] * x[1]}
    functions["sin(x_1)"] = lambda x: np.sin(x[1])
    shares = np.concatenate([list(product((0.0, 1.0), repeat=2)), rng.uniform(size=(200, 2))])
    for k, (least, most) in enumerate(ends):
        points = low[k] + shares * (high[k] - low[k])
        values = 0.7 * sum(factor * functions[name](points.T) for name, factor in terms.items())
        assert least <= values.min()
        assert values.max() <= most
        if len(terms) == 2:
            assert (least, most) == (pytest.approx(values.min()), pytest.approx(values.max()))
