"""Equilibrium: every gate is a player who takes part as much as that pays; players at zero go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields

ABSENT = 1e-6  # share of a gate below which its player has left
LEAVING = (0.5, 0.2, 0.05, ABSENT)  # shares up to which players are tried to go together
REACH = 0.2  # how far shares move between two Jacobians
ROUNDS = 500  # of play between them


@dataclass(frozen=True)
class Equilibrium(Strategy):
    """Shares s_k ∈ [0, 1] of every coordinate, utility u_k = −½D(s) − β c_k s_k − η s_k Σ_l s_l |cos(e_k, e_l)|.

    D(s) = Σ_i p_i ‖f_i(s) − f_i‖² in units of the budget squared, c_k the cost in units of its largest. All play
    s_k ← s_k + ∂u_k/∂s_k / L_k at once, kept in [0, 1], L_k the size of row k of the curvature, until none gains;
    outputs are followed to first order between Jacobians.

    Args:
        beta: Price of a gate of the largest cost, ≥ 0: half the squared deviation, in budgets, that it is worth.
        eta: Price of being like others, ≥ 0.
        steps: Jacobians, ≥ 1.

    Source: arXiv:2512.22106 (parameters of neural networks); at the level of gates ours.

    Example:
        >>> Equilibrium(beta=1)
        Equilibrium(beta=1.0, eta=0.05, steps=40)
    """

    beta: float = 0.5
    eta: float = 0.05
    steps: int = 40
    name: ClassVar[str] = "equilibrium"

    def __post_init__(self) -> None:
        set_fields(self, beta=(0, np.inf), eta=(0, np.inf), steps=(1, np.inf))

    def propose(self, evidence: Evidence) -> Proposal:
        shares = self.play(evidence)
        sizes = evidence.per_gain(np.linalg.norm(evidence.vectors(evidence.effects), axis=1))
        order = np.lexsort((sizes, np.round(shares, 6)))
        return Proposal(order=order.tolist(), sets=evidence.up_to(shares, LEAVING))

    def play(self, evidence: Evidence) -> FloatArray:
        """Shares at the end of the play, shape (K,); gates that take no share stay at 1."""
        similarity, shares = np.abs(evidence.similarity(evidence.effects)), np.ones(len(evidence.candidates))
        reach = np.where(evidence.participation.scalable, REACH, 0.0)
        for _ in range(self.steps):
            slope, curvature = self.slopes(evidence, shares, similarity)
            length = 1 / np.maximum(np.abs(curvature).sum(axis=1), self.beta + self.eta + ABSENT)
            low, high = np.maximum(shares - reach, 0), np.minimum(shares + reach, 1)
            new = shares
            for _ in range(ROUNDS):  # all at once, each a step towards its own best, as far as this Jacobian tells
                new = np.clip(new + length * (slope - curvature @ (new - shares)), low, high)
            if np.abs(new - shares).max(initial=0) < ABSENT:
                return new
            shares = new
        return shares

    def slopes(self, evidence: Evidence, shares: FloatArray, similarity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """∂u_k/∂s_k of every player, shape (K,), and how fast each falls in every share, −∂²u_k/∂s_k∂s_l (K, K)."""
        values, derivative = evidence.participation.jacobian(shares)
        rows = evidence.vectors(derivative) / evidence.scale
        change = evidence.vectors((values - evidence.target)[None])[0] / evidence.scale
        prices = evidence.costs / (evidence.costs.max(initial=0) or 1.0)
        slope = -(rows @ change) - self.beta * prices - self.eta * similarity @ shares
        return slope, rows @ rows.T + self.eta * similarity
