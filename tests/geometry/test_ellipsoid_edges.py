"""Limits on cells that an ellipsoid cuts (THEORY T9, Lemma 10)."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import examples
from scipy.optimize import linprog, minimize

from qprune.geometry.kernels import compiled, lower_by_planes
from qprune.geometry.phases import Phase, PhaseMap
from qprune.geometry.regions import Ellipsoid, Region
from qprune.geometry.supremum import Search
from qprune.geometry.trigonometric import coefficients, norm_of, values_at


def planted(seed):
    """Random values, phases and a region in any units: phases of one input each, or forms that share inputs."""
    rng = np.random.default_rng([77, seed])
    inputs, width = int(rng.integers(1, 4)), int(rng.choice([1, 3]))
    scale = 10.0 ** rng.uniform(-6, 6, size=inputs)
    if seed % 2:
        forms = rng.normal(size=(inputs + 1, inputs)) * (rng.random((inputs + 1, inputs)) < 0.7) / scale
    else:
        forms = np.diag(rng.uniform(0.3, 2, size=inputs) / scale)[: inputs if seed % 4 else max(1, inputs - 1)]
    values = rng.normal(size=(*(2 * int(rng.integers(1, 3)) + 1 for _ in forms), width))
    middle = rng.normal(size=inputs) * 10.0 ** rng.integers(0, 4) * scale
    reach = rng.uniform(0.3, 3, size=inputs) * scale
    matrix = rng.normal(size=(inputs, inputs)) / reach
    ellipsoid = Ellipsoid(matrix, middle, float(rng.uniform(0.2, 1.2)))
    region = Region((middle - reach / 2)[None], (middle + reach / 2)[None], ellipsoid)
    return rng, values, PhaseMap(tuple(Phase(tuple(row)) for row in forms)), region


def on_the_surface(region, count, rng):
    """Points of it that lie in the region's box."""
    ellipsoid = region.ellipsoid
    turned = rng.normal(size=(count, len(ellipsoid.centre)))
    turned *= ellipsoid.radius * (1 - 1e-12) / np.linalg.norm(turned, axis=1, keepdims=True)
    points = ellipsoid.centre + np.linalg.solve(ellipsoid.matrix, turned.T).T
    return points[region.contains(points)]


def value_of(points, low, high, phase):
    """Of the polynomial with these control points, by the functions that they belong to, as the theorem has them."""
    degree, half = len(points) // 2, (high - low) / 2
    s, r = np.sin((high - phase) / 2), np.sin((phase - low) / 2)
    factors = np.polynomial.Polynomial([1, 2 * np.cos(half), 1]) ** degree
    return sum(
        c * s ** (2 * degree - j) * r**j * p for j, (c, p) in enumerate(zip(factors.coef, points, strict=True))
    ) / (np.sin(half) ** (2 * degree))


@pytest.mark.parametrize("seed", range(examples(48)))
def test_planes_stand_nowhere_too_near(seed):
    """g as it is written, on the whole cell, stays below what its control points make of it."""
    rng, values, phases, region = planted(seed)
    search, size, ellipsoid = Search(values, phases, region, 0.0, 1), (region.high - region.low)[0], region.ellipsoid
    low = region.low + rng.random((20, len(size))) * 0.6 * size
    high = low + rng.uniform(0, 0.4, (20, len(size))) * size
    ends = phases.intervals(low, high)
    narrow = np.all(ends[1] - ends[0] < 2, axis=1)
    low, high, ends = low[narrow], high[narrow], [each[narrow] for each in ends]
    ends = [
        ends[0] - 0.1 * rng.random(ends[0].shape),
        ends[1] + 0.1 * rng.random(ends[1].shape),
    ]  # as halving leaves them
    places = rng.integers(0, values[..., 0].size, len(low))
    constant, planes = search.edges.planes(places, low, high, *ends)
    towards = (search.edges._where(places, low, high) - ellipsoid.centre) @ ellipsoid.matrix.T
    for k, v in enumerate(towards):
        for x in low[k] + rng.random((10, len(size))) * (high[k] - low[k]):
            g = ellipsoid.radius * np.linalg.norm(v) - v @ ellipsoid.matrix @ (x - ellipsoid.centre)
            phase = phases.angles(x[None])[0]
            parts = [
                value_of(planes[k, j, :count], ends[0][k, j], ends[1][k, j], phase[j])
                for j, count in enumerate(search.sizes)
            ]
            assert constant[k] + sum(parts) >= g - 1e-12 * (abs(g) + np.abs(planes[k]).max())


@pytest.mark.parametrize("seed", range(examples(48)))
def test_no_point_of_a_cell_exceeds_its_limit(seed):
    rng, values, phases, region = planted(seed)
    search = Search(values, phases, region, 0.0, 1)
    points = np.concatenate([region.drawn(400, rng), on_the_surface(region, 400, rng)])
    points = points[region.contains(points)]
    size = (region.high - region.low)[0]
    for share in (0.5, 0.05):
        low = np.maximum(points[:40] - share * size * rng.random((len(points[:40]), len(size))), region.low)
        high = np.minimum(low + share * size, region.high)
        ends = phases.intervals(low, high)
        narrow = np.all(ends[1] - ends[0] < 2, axis=1)
        low, high, ends = low[narrow], high[narrow], [each[narrow] for each in ends]
        limits, *_ = search._largest(search._control_points(*ends), low, high, *ends)
        for cell in range(len(low)):
            inside = points[np.all((points >= low[cell]) & (points <= high[cell]), axis=1)]
            if len(inside):
                largest = norm_of(values_at(search.coefficients, phases.angles(inside))).max()
                assert largest <= limits[cell] + 1e-9 * np.abs(values).max()


@pytest.mark.parametrize("seed", range(examples(24)))
def test_searches_enclose_what_is_found(seed):
    rng, values, phases, region = planted(seed)
    found = Search(values, phases, region, 0.0, 1).run(0.02, None, 3000, 5.0, None)
    points = np.concatenate([region.drawn(3000, rng), on_the_surface(region, 3000, rng)])
    points = points[region.contains(points)]
    largest = norm_of(values_at(coefficients(values), phases.angles(points))).max()
    assert largest <= found.upper + 1e-9 * np.abs(values).max()
    assert found.lower <= found.upper


def test_a_maximum_on_the_surface_takes_few_cells():
    """Σ sin t over a ball: what grows through the surface needs small cells without the plane."""
    values = np.zeros((3, 3, 3, 1))
    for axis in range(3):
        shape = [1, 1, 1, 1]
        shape[axis] = 3
        values += np.sin(2 * np.pi * np.arange(3) / 3).reshape(shape)
    slopes = np.array([[1.0, 0.3, 0.0], [0.0, 1.2, 0.5], [0.2, 0.0, 0.8]])
    ellipsoid = Ellipsoid(slopes, np.array([0.1, -0.2, 0.3]), 0.7)
    region = Region(np.full((1, 3), -2.0), np.full((1, 3), 2.0), ellipsoid)
    phases = PhaseMap(tuple(Phase(tuple(row)) for row in np.eye(3)))
    search = Search(values, phases, region, 0.0, 1)
    found = search.run(0.01, None, 10**5, 60.0, None)
    without = Search(values, phases, region, 0.0, 1)
    without.edges = None
    cut = without.run(0.01, None, 10 * found.cells, 60.0, None)
    held = {"type": "ineq", "fun": lambda t: 0.49 - np.sum((slopes @ (t - ellipsoid.centre)) ** 2)}
    ends = [minimize(lambda t, s=s: s * np.sin(t).sum(), ellipsoid.centre, constraints=held).fun for s in (-1, 1)]
    largest = -min(ends)
    assert found.lower <= largest * (1 + 1e-6)
    assert largest <= found.upper <= 1.011 * largest
    assert cut.upper > 1.011 * largest  # not closed with ten times as many cells


def test_no_cell_may_be_left_of_those_that_were_halved():
    """A cell can seem to touch an ellipsoid that both of its halves miss."""
    _, values, phases, region = planted(0)
    search = Search(values, phases, region, 0.0, 1)
    boxes = [np.empty((0, len(ends))) for ends in (region.low[0], region.high[0], phases.phases, phases.phases)]
    limits, places, shares = search._largest(np.empty((0, values.size)), *boxes)
    assert len(limits) == len(places) == len(shares) == 0


def test_the_best_share_is_that_of_a_linear_program():
    rng = np.random.default_rng(5)
    norms, planes = rng.random((60, 15)), rng.normal(size=(60, 2, 5))
    planes[:, 0, 3:] = 0  # an axis of three
    constant = rng.uniform(-0.5, 4, size=60)
    bounds, places = norms.max(axis=1), norms.argmax(axis=1)
    compiled(lower_by_planes)(norms, planes, np.array([3, 5]), constant, bounds, places, np.zeros(60))
    slopes = (constant[:, None, None] + planes[:, 0, :3, None] + planes[:, 1, None, :]).reshape(60, 15)
    fell = 0
    for k in range(60):
        # the least z with z ≥ norm + λ slope for all, λ ≥ 0
        program = linprog(
            [0, 1], np.stack([slopes[k], -np.ones(15)], axis=1), -norms[k], bounds=[(0, None), (None, None)]
        )
        fell += bounds[k] < norms[k].max() - 1e-9
        if slopes[k].max() < 0:
            assert program.status == 3  # unbounded: no point
            assert bounds[k] == 0
        else:
            assert bounds[k] == pytest.approx(program.fun, abs=1e-9)
    assert fell > 10
