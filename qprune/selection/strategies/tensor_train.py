"""A second stage over bits: the cheapest circuit within the budget near a first guess, by a tensor-train optimiser."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from qprune._optional import require
from qprune.selection.evidence import Evidence

RANK, BATCH, BEST = 5, 50, 5  # of the tensor train; circuits per step, and how many of them it learns from
TRUST = 0.8  # probability of the guess's own bit at the start
BROKEN = 10.0  # what a deviation of twice the budget costs, in units of the cost of all gates
FEWEST = 3  # bits that the optimiser needs


def refined(evidence: Evidence, guess: Collection[int], evaluations: int) -> list[int]:
    """The set of gates whose loss saves most within the budget, of those looked at; the guess where none is better.

    The objective is Σ cost of what stays + a penalty on deviation beyond the budget, minimised by PROTES from a product
    distribution around the guess.

    Args:
        evidence: Measures deviations.
        guess: The gates that go.
        evaluations: Deviations to ask for at most.
    """
    size = len(evidence.candidates)
    if size < FEWEST:
        return sorted(guess)
    library = require("protes", "protes", "refine=True")
    costs = evidence.costs / (evidence.costs.sum() or 1.0)
    known: dict[bytes, float] = {}
    first = np.zeros(size, dtype=bool)
    first[list(guess)] = True
    best, least = first, np.inf

    def objective(rows: Any) -> list[float]:
        nonlocal best, least
        found = []
        for row in np.asarray(rows).astype(bool):
            key = row.tobytes()
            if key not in known:
                beyond = evidence.deviation(np.flatnonzero(row).tolist()) / evidence.scale - 1
                known[key] = float(costs[~row].sum() + (BROKEN * beyond if beyond > 0 else 0.0))
                if beyond <= 0 and known[key] < least:
                    best, least = row, known[key]
            found.append(known[key])
        return found

    objective(first[None])
    seed = int(evidence.rng.integers(2**31))
    library.protes(
        objective, size, 2, m=evaluations, k=min(BATCH, evaluations), k_top=BEST, seed=seed, P=_around(first)
    )
    return [int(k) for k in np.flatnonzero(best)]


def _around(guess: np.ndarray) -> list[Any]:
    """A tensor train of rank `RANK` that holds the product distribution around bits, as PROTES has them."""
    numpy = require("jax.numpy", "protes", "refine=True")
    share = np.where(guess[:, None] == np.array([False, True]), TRUST, 1 - TRUST)
    # A little unevenness, so that the ranks do not all move alike.
    ripple = 1 + 0.1 * np.random.default_rng(0).uniform(-1, 1, (len(guess), RANK, 2, RANK))
    cores = share[:, None, :, None] * ripple
    return [numpy.array(cores[0, :1]), numpy.array(cores[1:-1]), numpy.array(cores[-1, :, :, :1])]
