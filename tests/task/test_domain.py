"""Domains: what they hold, how they are written down, and what is refused."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from qprune import TaskError
from qprune.task.domain import Domain, outside, resolved

ROWS = np.random.default_rng(0).normal(size=(80, 3)) @ np.diag([1.0, 2.0, 0.1]) + 4

ALL = [
    Domain.box([0, 1, 2], [1, 1, 2.5]),
    Domain.box(0, np.pi),
    Domain.data(),
    Domain.data(margin=0.1),
    Domain.ellipsoid(),
    Domain.ellipsoid(0.9),
    Domain.around(1e-9),
]


@pytest.mark.parametrize("domain", ALL, ids=repr)
def test_json_and_repr_keep_every_bit(domain):
    assert Domain.from_json(json.loads(json.dumps(domain.to_json()))) == domain
    assert eval(repr(domain), {"Domain": Domain}) == domain
    with pytest.raises(FrozenInstanceError):
        domain.kind = "box"


def test_the_box_of_the_data_holds_the_data_and_touches_it():
    found = resolved("data", ROWS)
    assert np.array_equal(found.low[0], ROWS.min(axis=0))
    assert np.array_equal(found.high[0], ROWS.max(axis=0))
    wider = resolved(Domain.data(margin=0.5), ROWS)
    assert np.allclose(wider.high - wider.low, 2 * (found.high - found.low))
    assert not len(outside("data", ROWS, ROWS))


@pytest.mark.parametrize("quantile", [1.0, 0.9, 0.5, 0.001])
def test_an_ellipsoid_holds_its_share_of_the_data(quantile):
    held = len(ROWS) - len(outside(Domain.ellipsoid(quantile), ROWS, ROWS))
    assert held == max(1, np.ceil(quantile * len(ROWS)))


def test_an_ellipsoid_follows_mean_and_covariance():
    """Distances are those of Mahalanobis, up to the ridge."""
    found = resolved(Domain.ellipsoid(), ROWS)
    inverse = np.linalg.inv(np.cov(ROWS.T, bias=True))
    away = ROWS - ROWS.mean(axis=0)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", away, inverse, away))
    assert np.allclose(np.linalg.norm((ROWS - found.centre) @ found.matrix.T, axis=1), expected, rtol=1e-5)


def test_units_of_the_inputs_do_not_matter():
    for scale in (1e-12, 1e15):
        assert len(outside(Domain.ellipsoid(0.8), scale * ROWS, scale * ROWS)) == 16


def test_boxes_around_samples_and_what_lies_outside():
    domain = Domain.around(0.25)
    assert len(resolved(domain, np.concatenate([ROWS, ROWS])).low) == len(ROWS)
    assert outside(domain, ROWS[:1], ROWS[:1] + np.array([[0.2, -0.2, 0.25], [0.0, 0.3, 0.0]])).tolist() == [1]
    assert outside(Domain.box(0, 1), ROWS, np.array([[0.5, 0.5, 0.5], [0.5, 1.5, 0.5]])).tolist() == [1]


def test_one_sample_and_constant_inputs_have_a_domain():
    assert not len(outside("data", ROWS[:1], ROWS[:1]))
    flat = ROWS.copy()
    flat[:, 1] = 2
    assert not len(outside(Domain.ellipsoid(), flat, flat))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Domain.box([1, 2], [0, 3]), "input 0"),
        (lambda: Domain.box([1, 2], [0, 3, 4]), "one per input"),
        (lambda: Domain.box([np.nan], [1]), "finite"),
        (lambda: Domain.box("a", 1), "numbers"),
        (lambda: Domain.data(margin=-1), "margin"),
        (lambda: Domain.ellipsoid(0), "quantile"),
        (lambda: Domain.ellipsoid(1.5), "quantile"),
        (lambda: Domain.around(0), "radius"),
        (lambda: Domain.around(True), "radius"),
        (lambda: Domain("sphere"), "sphere"),
        (lambda: Domain.from_json({"kind": "sphere"}), "sphere"),
        (lambda: Domain.from_json(["box"]), "cannot be read"),
        (lambda: Domain.from_json({"kind": "data", "amount": 1}), "cannot be read"),
        (lambda: resolved("dat", ROWS), "Domain.box"),
        (lambda: resolved(Domain.box([0, 0], [1, 1]), ROWS), "3"),
        (lambda: resolved(Domain.ellipsoid(), ROWS[:1]), "differ"),
    ],
)
def test_what_is_no_domain_is_refused(make, words):
    with pytest.raises(TaskError, match=words):
        make()
