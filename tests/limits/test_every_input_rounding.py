"""T9 on inputs so large that angles are known to few digits: timestamps, 10^12, 10^15."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import outputs_on
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qprune import Domain, Everywhere, OptionError, Proven, Task, everywhere, prune, verify
from qprune.errors import CertificateViolation
from qprune.gates.sites import sites_of
from qprune.geometry.formula_errors import largest_error
from qprune.geometry.intervals import Formula
from qprune.limits.claim_everywhere import every_input
from qprune.verify.every_input import confirm
from qprune.verify.ranges import Range, doubt_of

X, W = Parameter("x"), Parameter("w")
ORACLE = 1e-13  # dense states of a handful of gates

PAIRS = {  # two ways to write the same function of the input, which double precision works out differently
    "a merged gate": (lambda c: (c.rz(2 * X, 0), c.rz(1.5 * X + 0.3, 0)), lambda c: c.rz(3.5 * X + 0.3, 0)),
    "a rounded coefficient": (lambda c: (c.rz(0.1 * X, 0), c.rz(0.2 * X, 0)), lambda c: c.rz((0.1 + 0.2) * X, 0)),
    "a large constant": (lambda c: c.rz(X - 1e12, 0), lambda c: (c.rz(X, 0), c.rz(-1e12, 0))),
    "a large weight": (lambda c: c.rz(X - W, 0), lambda c: (c.rz(X, 0), c.rz(-W, 0))),
    "bare inputs": (lambda c: (c.rz(X, 0), c.rx(0.4, 0), c.ry(X, 0)), lambda c: (c.rz(X, 0), c.ry(X, 0))),
}
SIZES = ((1.0, 1.0), (1.7e9, 1e8), (1e12, 1e12), (1e15, 1e15))


def made(build, size, width):
    circuit = QuantumCircuit(1)
    circuit.h(0)
    build(circuit)
    circuit.ry(0.3, 0)
    weights = {"w": 1e12} if W in circuit.parameters else None
    return Task(circuit, "X", inputs=size + width * np.linspace(0, 1, 5), input_params=["x"], weights=weights)


def changes(first, second, points):
    """By Qiskit's own evaluation of the angles at these inputs."""
    rows = np.reshape(points, (-1, 1))
    return np.abs(outputs_on(second, rows) - outputs_on(first, rows))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("size", "width"), SIZES)
def test_rounded_angles_are_part_of_the_limit(name, size, width):
    """What a simulator is given at any input of the domain, listed or not, keeps the limit; or the claim is refused."""
    first, second = (made(build, size, width) for build in PAIRS[name])
    try:
        claim = every_input(first, sites_of(first), second, sites_of(second))
    except OptionError as refused:
        if size >= 1e12 and "radians only" in str(refused):
            return
        raise
    points = np.random.default_rng(0).uniform(size, size + width, 120)
    assert changes(first, second, points).max() <= claim.upper + ORACLE
    assert claim.lower <= changes(first, second, claim.worst[0]) + ORACLE
    confirm(first, second, claim)


def test_a_claim_without_room_for_rounding_is_not_confirmed():
    first, second = (made(build, 1.7e9, 1e8) for build in PAIRS["a merged gate"])
    claim = every_input(first, sites_of(first), second, sites_of(second))
    small = type(claim.outputs[0])(**{**vars(claim.outputs[0]), "lower": 0.0, "upper": 1e-12})
    with pytest.raises(CertificateViolation):
        confirm(first, second, type(claim)(claim.domain, (small,)))


@pytest.mark.parametrize("size", [1.0, 1.7e9])
def test_pruning_under_it_on_timestamps(size):
    """Gates merged by exact simplification too: they are exact on the samples only."""
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.rz(X, 0)
    circuit.rz(2 * X + 0.3, 0)
    circuit.rx(0.01, 0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 1)
    task = Task(circuit, "ZX", inputs=size + np.linspace(0, 1, 4), input_params=[X])
    result = prune(task.with_domain(Domain.data(margin=1.0)), Everywhere(0.05))
    claim = result.certificate.every_input
    points = np.random.default_rng(1).uniform(size - 1, size + 2, 60)
    assert changes(task, result.task, points).max() <= claim.upper + ORACLE <= 0.05 + ORACLE
    verify(result.original, result)


def test_what_is_not_known_at_all_is_refused():
    task = made(PAIRS["a merged gate"][0], 1e15, 1e15)
    with pytest.raises(OptionError, match="radians only"):
        prune(task, Everywhere(0.1))


@settings(deadline=None, max_examples=150, derandomize=True)
@given(
    st.sampled_from(
        ("x_0*x_1 + 0.3", "(x_0 - 1e12) + x_1", "2*(3.1 - x_0)*(x_1 - 3.1)", "x_0**3 - x_1/3", "0.1*x_0/7 - 1/x_1")
    ),
    st.tuples(*[st.floats(0.5, 2)] * 2),
    st.sampled_from((1.0, 1e5, 1.7e9)),
)
def test_errors_of_formulas_hold_the_true_ones(text, at, size):
    """Against exact rational arithmetic; both the claim's analysis and the one that verify makes anew."""
    point = np.array(at) * size
    exact = (
        eval(
            text.replace("3.1", "Fraction(3.1)").replace("0.3", "Fraction(0.3)").replace("0.1", "Fraction(0.1)"),
            {"Fraction": Fraction, "x_0": Fraction(point[0]), "x_1": Fraction(point[1]), "1e12": None},
        )
        if "1e12" not in text
        else Fraction(point[0]) - 10**12 + Fraction(point[1])
    )
    off = abs(float(Fraction(float(Formula(text).at(point[None])[0])) - exact))
    assert off <= largest_error(Formula(text), point[None], point[None])
    assert off <= doubt_of(text, {f"x_{i}": Range(float(v), float(v)) for i, v in enumerate(point)}) * (1 + 1e-12)


def test_the_place_in_the_turn_survives_a_large_offset():
    """A box of one turn at 10^12: the same supremum as at zero, found with what is left of the digits."""
    first, second = (made(build, 1e12, 2 * np.pi) for build in PAIRS["bare inputs"])
    far = every_input(first, sites_of(first), second, sites_of(second)).outputs[0]
    near = [made(build, 0.0, 2 * np.pi) for build in PAIRS["bare inputs"]]
    close = every_input(near[0], sites_of(near[0]), near[1], sites_of(near[1])).outputs[0]
    assert far.upper == pytest.approx(close.upper, rel=0.03)
    assert far.lower == pytest.approx(close.lower, rel=0.03)


def test_a_weight_of_1e12_beside_the_input_counts():
    task = made(PAIRS["a large weight"][0], 1.0, 1.0)
    result = everywhere(prune(task, Proven(0.0)))
    assert 1e-5 < result.certificate.every_input.outputs[0].rounding <= result.certificate.every_input.upper
