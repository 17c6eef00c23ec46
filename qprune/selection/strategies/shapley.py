"""Shapley and Banzhaf values: what a gate adds, on average over the circuits it may be part of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune._checks import checked_choice
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields


@dataclass(frozen=True)
class Shapley(Strategy):
    """φ_k = E[v(S ∪ {k}) − v(S)] with v(S) = −deviation of the circuit with only S kept, in units of the budget.

    For Shapley values S is what comes before k in a random permutation; for Banzhaf values any set, each other gate in
    it with probability ½. Gates go by φ_k plus `confidence` standard errors of the mean per cost, least first: those
    that add little, and of which that is known. Where refit follows, it is the distillation of the source.

    Args:
        index: "shapley" or "banzhaf".
        samples: Permutations (K evaluations each), or for Banzhaf pairs of evaluations of each gate, ≥ 2.
        confidence: Standard errors added, ≥ 0.

    Source: arXiv:2512.19488 (SHAP-guided pruning), arXiv:2311.10468 (GTAP); at the level of gates ours.

    Example:
        >>> Shapley("banzhaf")
        Shapley(index='banzhaf', samples=20, confidence=1.0)
    """

    index: str = "shapley"
    samples: int = 20
    confidence: float = 1.0
    name: ClassVar[str] = "shapley"

    def __post_init__(self) -> None:
        checked_choice(self.index, "index", ("shapley", "banzhaf"))
        set_fields(self, samples=(2, np.inf), confidence=(0, np.inf))

    def propose(self, evidence: Evidence) -> Proposal:
        mean, error = self.estimate(evidence)
        return Proposal(order=evidence.ascending(evidence.per_gain(mean + self.confidence * error)))

    def estimate(self, evidence: Evidence) -> tuple[FloatArray, FloatArray]:
        """φ of every gate and the standard error of each, shape (K,), in units of the budget."""
        size = len(evidence.candidates)
        draw = self._along_permutation if self.index == "shapley" else self._in_random_sets
        drawn = np.array([draw(evidence, size) for _ in range(self.samples)]) / evidence.scale
        return drawn.mean(axis=0), drawn.std(axis=0, ddof=1) / np.sqrt(self.samples)

    def _along_permutation(self, evidence: Evidence, size: int) -> FloatArray:
        """By how much the deviation falls as each gate comes to those before it."""
        order = evidence.rng.permutation(size).tolist()
        gone = list(order)
        added, before = np.empty(size), evidence.deviation(gone)
        for k in order:
            gone.remove(k)
            after = evidence.deviation(gone)
            added[k], before = before - after, after
        return added

    def _in_random_sets(self, evidence: Evidence, size: int) -> FloatArray:
        """The same as each gate comes to a random set of the others."""
        added = np.empty(size)
        for k in range(size):
            others = np.flatnonzero(evidence.rng.random(size) < 0.5)
            gone = [int(j) for j in others if j != k]
            added[k] = evidence.deviation([*gone, k]) - evidence.deviation(gone)
        return added
