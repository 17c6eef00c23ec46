"""Control points, cells and branch and bound on polynomials whose answers are planted (THEORY T9)."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

from qprune.geometry.ascent import Climber
from qprune.geometry.intervals import Formula, NotBounded
from qprune.geometry.phases import Phase, PhaseMap, identity_map
from qprune.geometry.regions import Ellipsoid, Region
from qprune.geometry.supremum import supremum
from qprune.geometry.trigonometric import (
    amplification,
    coefficients,
    control_matrix,
    grid,
    restriction,
    sum_of_amplitudes,
    values_and_slopes,
    values_at,
)


def linear_map(factors):
    """Phases that are linear forms of the inputs, one row each."""
    return PhaseMap(tuple(Phase(tuple(row)) for row in factors))


def ehlich_zeller(values, points):
    """max|p| of one value lies between these: for N > 2d equispaced points, ‖p‖ ≤ max|p(x_k)| / cos(πd/N), by axis.

    Source: H. Ehlich, K. Zeller, Math. Z. 86, 41 (1964).
    """
    degrees = [size // 2 for size in values.shape[:-1]]
    finer = [np.arange(points * d) * (2 * np.pi / (points * d)) for d in degrees]
    phases = np.stack(np.meshgrid(*finer, indexing="ij"), axis=-1).reshape(-1, len(degrees))
    largest = float(np.abs(values_at(coefficients(values), phases)).max())
    return largest, largest / float(np.prod([np.cos(np.pi / points)] * len(degrees)))


def on_grid(function, degrees):
    """A function of phases of shape (P, J) on the tensor grid, as `supremum` takes it."""
    axes = np.meshgrid(*(grid(d) for d in degrees), indexing="ij")
    points = np.stack(axes, axis=-1).reshape(-1, len(degrees))
    return function(points).reshape(*(2 * d + 1 for d in degrees), 1)


def random_values(rng, degrees):
    return rng.normal(size=(*(2 * d + 1 for d in degrees), 1))


def bernstein(t, low, high, degree):
    """The functions that control points belong to, as written in the theorem, in SymPy's exact arithmetic."""
    u, half = sp.Symbol("u"), (sp.Rational(high) - sp.Rational(low)) / 2
    s, r = sp.sin((sp.Rational(high) - t) / 2), sp.sin((t - sp.Rational(low)) / 2)
    total = sp.Poly((1 + 2 * sp.cos(half) * u + u**2) ** degree, u)
    factors = enumerate(total.all_coeffs()[::-1])
    return [c * s ** (2 * degree - j) * r**j / sp.sin(half) ** (2 * degree) for j, c in factors]


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_control_points_are_coefficients_in_the_theorems_functions(degree):
    rng = np.random.default_rng(degree)
    low, high, coefficient = -0.75, 1.125, rng.normal(size=2 * degree + 1)
    points = control_matrix(degree, np.array([low]), np.array([high]))[0] @ coefficient
    for t in (low, -0.25, 0.5, high):
        functions = [float(b) for b in bernstein(sp.Rational(t), low, high, degree)]
        assert min(functions) >= 0
        assert sum(functions) == pytest.approx(1, abs=1e-13)
        direct = coefficient[0] + sum(
            coefficient[2 * k - 1] * np.cos(k * t) + coefficient[2 * k] * np.sin(k * t) for k in range(1, degree + 1)
        )
        assert points @ functions == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("width", [2.0, 0.1, 1e-4, 1e-8])
def test_parts_have_convex_combinations_of_the_control_points_of_the_whole(degree, width):
    rng = np.random.default_rng(5)
    low = rng.uniform(-3, 3, 50)
    high = low + width
    ends = np.sort(rng.uniform(0, 1, (2, 50)), axis=0)
    inner_low, inner_high = low + width * ends[0], low + width * (ends[1] + 0.01) / 1.01
    matrix = restriction(degree, low, high, inner_low, inner_high)
    assert matrix.min() >= 0
    assert np.allclose(matrix.sum(axis=2), 1, atol=1e-14)
    part = matrix @ control_matrix(degree, low, high)
    assert np.allclose(part, control_matrix(degree, inner_low, inner_high), atol=1e-12 + 1e-15 / width)


def test_values_slopes_and_coefficients_agree_with_fourier_sums():
    rng = np.random.default_rng(3)
    values = random_values(rng, (2, 1, 3))
    found = coefficients(values)
    fourier = np.fft.fftn(values[..., 0]) / values.size  # its own convention: exponentials
    points = rng.uniform(-9, 9, (20, 3))
    frequencies = np.meshgrid(*(np.fft.fftfreq(2 * d + 1, 1 / (2 * d + 1)) for d in (2, 1, 3)), indexing="ij")
    turns = np.exp(1j * np.einsum("jabc,pj->pabc", np.array(frequencies), points))
    direct = np.einsum("abc,pabc->p", fourier, turns).real
    assert np.allclose(values_at(found, points)[:, 0], direct, atol=1e-12)
    value, slopes = values_and_slopes(found, points[0])
    for j in range(3):
        moved = points[:1] + 1e-5 * np.eye(3)[j] * np.array([[1.0], [-1.0]])
        assert slopes[j, 0] == pytest.approx(np.diff(values_at(found, moved)[::-1, 0])[0] / 2e-5, abs=1e-7)
    assert value[0] == pytest.approx(direct[0], abs=1e-12)


PLACES = {"corner": (0.0, 1.0, 0.0), "edge": (0.0, 0.37, 0.0), "face": (0.61, 0.37, 1.0), "inside": (0.21, 0.43, 0.87)}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_planted_maxima_are_found(place, degree, sign):
    """±∏ cos^2d((x − p)/2) is largest at p and nowhere else in a turn."""
    low, high = np.array([-1.0, 0.5, 2.0]), np.array([1.0, 3.5, 2.5])
    peak = low + np.array(PLACES[place]) * (high - low)
    values = on_grid(lambda t: sign * 2.5 * np.prod(((1 + np.cos(t - peak)) / 2) ** degree, axis=1), (degree,) * 3)
    found = supremum(values, identity_map(3), Region(low[None], high[None]), seed=4)
    assert found.lower <= 2.5 <= found.upper <= 2.5 * 1.0205
    assert np.allclose(found.at, peak, atol=0.05)


def test_a_peak_outside_the_box_counts_only_at_its_border():
    low, high = np.full(2, 0.5), np.full(2, 1.5)
    values = on_grid(lambda t: np.prod((1 + np.cos(t)) / 2, axis=1), (1, 1))
    found = supremum(values, identity_map(2), Region(low[None], high[None]))
    true = ((1 + np.cos(0.5)) / 2) ** 2
    assert found.lower <= true + 1e-14 <= found.upper + 1e-14 <= true / 0.98 + 1e-12
    assert found.at == (0.5, 0.5)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e12])
@pytest.mark.parametrize("degrees", [(1,), (3,), (2, 1), (1, 1, 1, 1), (4, 2)])
def test_two_kinds_of_mathematics_agree_on_the_whole_circle(degrees, scale):
    """Ehlich and Zeller on a fine grid against branch and bound; the sum of amplitudes is never smaller."""
    rng = np.random.default_rng(len(degrees))
    values = scale * random_values(rng, degrees)
    n = len(degrees)
    found = supremum(values, identity_map(n), Region(np.zeros((1, n)), np.full((1, n), 2 * np.pi)), gap=0.01)
    low, high = ehlich_zeller(values, 12)
    assert low <= found.upper
    assert found.lower <= high
    assert found.upper - found.lower <= 0.0101 * found.upper
    assert sum_of_amplitudes(values) >= found.lower


def test_limits_hold_whenever_the_search_stops():
    rng = np.random.default_rng(8)
    values, box = random_values(rng, (1,) * 4), Region(np.zeros((1, 4)), np.full((1, 4), np.pi))
    whole = supremum(values, identity_map(4), box, gap=0.005)
    for options in ({"most_cells": 1}, {"most_cells": 100}, {"time_limit": 0.0}, {"gap": 0.5}):
        found = supremum(values, identity_map(4), box, **options)
        assert found.lower <= whole.upper
        assert found.upper >= whole.lower
    assert supremum(values, identity_map(4), box, time_limit=0.0).method == "sum of amplitudes"
    known = supremum(values, identity_map(4), box, limit=whole.lower / 2)
    assert known.lower > whole.lower / 2
    assert known.cells < whole.cells
    below = supremum(values, identity_map(4), box, limit=whole.upper * 1.3)
    assert below.upper <= whole.upper * 1.3
    assert below.cells < whole.cells


BLIND = {  # phases of two or three inputs, degrees
    "degree one": (identity_map(3), (1, 1, 1)),
    "higher degrees": (identity_map(2), (3, 2)),
    "shared inputs": (linear_map([[1.0, 0.0], [0.0, 1.0], [0.7, -0.4]]), (1, 1, 1)),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", BLIND)
@pytest.mark.parametrize("seed", range(4))
def test_limits_do_not_rest_on_the_ascent(name, seed, monkeypatch):
    """Without any value found, cells alone hold the supremum and close in on it: whatever they lost would show."""
    phases, degrees = BLIND[name]
    inputs = phases.uses.shape[1]
    rng = np.random.default_rng(seed)
    values, low = random_values(rng, degrees), rng.uniform(-2, 2, inputs)
    region = Region(low[None], low[None] + rng.uniform(0.5, 3, inputs))
    seen = supremum(values, phases, region, gap=0.005).lower
    monkeypatch.setattr(Climber, "norms", lambda self, points: np.zeros(len(points)))
    monkeypatch.setattr(Climber, "climbed", lambda self, start, low, high: (start, 0.0))
    found = [supremum(values, phases, region, most_cells=count) for count in (1, 100, 3000)]
    assert all(each.upper >= seen for each in found)
    assert found[-1].lower == 0
    assert found[-1].upper <= 1.05 * seen


def test_an_error_of_the_values_is_in_the_limit():
    """Values off by e in the worst way: the limit with error e still holds for the true polynomial."""
    rng = np.random.default_rng(9)
    low, high = np.array([[0.2, 0.3]]), np.array([[2.0, 2.3]])
    for seed in range(20):
        true = random_values(np.random.default_rng(seed), (1, 2)) * 1e-6
        error = 1e-5
        off = true + error * rng.choice([-1, 1], true.shape)
        largest = np.abs(values_at(coefficients(true), rng.uniform(low, high, (4000, 2)))).max()
        assert largest <= supremum(off, identity_map(2), Region(low, high), error=error).upper
    assert amplification((3,), np.array([[-0.5]]), np.array([[0.5]])) >= 1


def test_a_distribution_is_bounded_in_total_variation():
    rng = np.random.default_rng(10)
    values = rng.normal(size=(3, 3, 4))
    values -= values.mean(axis=-1, keepdims=True)
    box = Region(np.zeros((1, 2)), np.full((1, 2), 1.2))
    found = supremum(values, identity_map(2), box)
    sampled = np.abs(values_at(coefficients(values), rng.uniform(0, 1.2, (20000, 2)))).sum(axis=1).max() / 2
    assert sampled <= found.upper
    assert found.lower == pytest.approx(sampled, rel=0.01)
    assert found.upper <= found.lower / 0.97


def test_lifted_phases_converge_to_the_supremum_on_the_inputs():
    """cos(x − 1) cos(√2 x − 1) on one input: two phases, one input; the box in phases alone would give 1."""
    values = on_grid(lambda t: np.cos(t[:, 0] - 1) * np.cos(t[:, 1] - 1), (1, 1))
    region = Region(np.array([[1.5]]), np.array([[4.0]]))
    found = supremum(values, linear_map([[1.0], [2**0.5]]), region, gap=0.01)
    x = np.linspace(1.5, 4, 100001)
    true = np.abs(np.cos(x - 1) * np.cos(2**0.5 * x - 1)).max()
    assert true < 0.99
    assert found.lower <= true * (1 + 1e-8)  # the sample misses the peak by that
    assert true <= found.upper <= true * 1.0102


def test_products_of_inputs_are_bounded():
    phases = PhaseMap((Phase((1.0, 0.0)), Phase((1.0, 1.0), Formula("(3.0 - x_0)*(3.0 - x_1)"))))
    values = on_grid(lambda t: np.cos(t[:, 0]) + np.sin(t[:, 1] - 0.3), (1, 1))
    found = supremum(values, phases, Region(np.array([[2.0, 2.2]]), np.array([[3.5, 3.1]])), gap=0.01)
    x = np.random.default_rng(0).uniform([2.0, 2.2], [3.5, 3.1], (100000, 2))
    sampled = np.abs(np.cos(x[:, 0]) + np.sin((3 - x[:, 0]) * (3 - x[:, 1]) - 0.3)).max()
    assert sampled <= found.upper
    assert found.lower == pytest.approx(sampled, rel=0.01)
    assert found.upper <= found.lower / 0.98


@pytest.mark.parametrize(
    "text",
    [
        "x_0*x_1",
        "(x_0 - 2)*(x_1 + 1)/3",
        "x_0**2 - x_0*x_1",
        "sin(3*x_0)*x_1",
        "atan(x_0) + exp(-x_1)",
        "-x_0**3",
        "cos(x_0*x_1)",
        "abs(x_0) + 2**(-3)",
        "1/(x_0**2 + 1)",
        "log(x_0 + 4)*(x_1 + 5)**0.5 + acos(x_0/10) + tan(x_1/10)",
    ],
)
def test_ranges_hold_every_value(text):
    rng = np.random.default_rng(2)
    low = rng.uniform(-3, 3, (200, 2))
    high = low + rng.uniform(0, 2, (200, 2)) * rng.choice([0, 1], (200, 1), p=[0.1, 0.9])
    least, most = Formula(text).range(low, high)
    x_0, x_1 = sp.symbols("x_0 x_1", real=True)
    function = sp.lambdify([x_0, x_1], sp.sympify(text, locals={"x_0": x_0, "x_1": x_1}), "numpy")
    for _ in range(50):
        points = rng.uniform(low, high)
        values = function(points[:, 0], points[:, 1])
        assert np.all((values >= least) & (values <= most))
        assert np.allclose(Formula(text).at(points), values, rtol=1e-12)


def test_products_of_different_inputs_have_exact_ranges():
    least, most = Formula("2*(3 - x_0)*(1 - x_1) + x_0").range(np.array([[1.0, 0.0]]), np.array([[4.0, 2.0]]))
    corners = [2 * (3 - a) * (1 - b) + a for a in (1, 4) for b in (0, 2)]
    assert [least[0], most[0]] == pytest.approx([min(corners), max(corners)], rel=1e-14)


def test_what_interval_arithmetic_cannot_bound_is_refused():
    low, high = np.array([[-1.0]]), np.array([[1.0]])
    for text in ("1/x_0", "log(x_0)", "tan(2*x_0)", "sign(x_0)", "2**x_0", "x_0**0.5", "y + 1"):
        with pytest.raises(NotBounded):
            Formula(text).range(low, high)


def test_an_ellipsoid_drops_only_cells_without_any_of_its_points():
    rng = np.random.default_rng(6)
    ellipsoid = Ellipsoid(rng.normal(size=(3, 3)), rng.normal(size=3), 1.3)
    low = rng.uniform(-4, 4, (300, 3))
    high = low + rng.uniform(0.05, 1.5, (300, 3))
    dropped = ellipsoid.misses(low, high)
    assert 30 < dropped.sum() < 290
    for k in range(300):
        found = minimize(
            lambda x: np.sum((ellipsoid.matrix @ (x - ellipsoid.centre)) ** 2),
            (low[k] + high[k]) / 2,
            bounds=list(zip(low[k], high[k], strict=True)),
        )
        if dropped[k]:
            assert np.sqrt(found.fun) > ellipsoid.radius
        else:
            assert np.sqrt(found.fun) <= ellipsoid.radius * 1.05  # nor is much kept in vain


@pytest.mark.parametrize("at", [np.pi / 2, np.pi / 2 + 2e5 * np.pi])
def test_a_domain_of_one_point_takes_few_cells(at):
    """No halving makes it narrower, though there, where the change is nothing, no relative gap is ever closed."""
    found = supremum(on_grid(lambda t: np.cos(t[:, :1]), (1,)), identity_map(1), Region(*np.full((2, 1, 1), at)))
    assert found.cells < 10
    assert found.lower <= abs(np.cos(at)) <= found.upper < 1e-8
