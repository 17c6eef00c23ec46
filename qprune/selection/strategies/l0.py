"""L0: a random gate in front of every gate, learnt to be shut as often as the budget allows; shards stay apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.clients import Clients, Gradient
from qprune.selection.strategies.fields import set_fields
from qprune.task.task import Task

STRETCH = (-0.1, 1.1)  # what the concrete distribution is stretched to, so that 0 and 1 have probability
PRESSURE = 50.0  # largest |log| of the multiplier
HEAT = 2 / 3  # its temperature, as Louizos et al. have it


@dataclass(frozen=True)
class L0(Strategy):
    """min E_z[Σ_i p_i ‖f_i(z) − f_i‖²] subject to E[density] ≤ ρ over hard-concrete shares z_k with location log α_k.

    z = clip(1.2 σ((log u − log(1−u) + log α)/⅔) − 0.1, 0, 1), u uniform; density = Σ c_k P(z_k ≠ 0) / Σ c_k in costs. A
    multiplier rises while the density is above ρ. Gates go by log α, first together all that are shut, or more shut
    than open, at the end. No labels enter. With clients, each holds a shard of the inputs in a process of its own and
    answers shares with a gradient; only those sums are added up.

    Args:
        density: ρ in [0, 1].
        clients: Processes among which the samples are shared out, ≥ 1; 1 works in this process.
        steps: Of Adam, ≥ 1.
        rate: Its step, > 0.

    Source: arXiv:2512.23071 (federated), Louizos, Welling and Kingma 2018 (networks); at the level of gates ours.

    Example:
        >>> L0(density=0.3)
        L0(density=0.3, clients=1, steps=100, rate=0.1)
    """

    density: float = 0.5
    clients: int = 1
    steps: int = 100
    rate: float = 0.1
    name: ClassVar[str] = "l0"

    def __post_init__(self) -> None:
        set_fields(self, density=(0, 1), clients=(1, 1024), steps=(1, np.inf), rate=(1e-9, np.inf))

    def check(self, task: Task) -> None:
        if self.clients > len(task.selected) or (self.clients > 1 and not task.inputs.shape[1]):
            have = f"{len(task.selected)} samples" if task.inputs.shape[1] else "no inputs"
            raise OptionError(
                f"strategy 'l0' shares the samples out to {self.clients} clients, and the task has {have}"
            )

    def propose(self, evidence: Evidence) -> Proposal:
        with Clients(evidence, self.clients) as clients:
            location = self.learn(evidence, clients.gradient)
        sizes = evidence.per_gain(np.linalg.norm(evidence.vectors(evidence.effects), axis=1))
        sets = evidence.up_to(_stretched(location), (0.5, 0.0))
        return Proposal(order=np.lexsort((sizes, np.round(location, 9))).tolist(), sets=sets)

    def learn(self, evidence: Evidence, gradient: Gradient) -> FloatArray:
        """log α of every gate, shape (K,); gates that take no share stay open.

        Args:
            evidence: The gates, their costs and the generator.
            gradient: Σ p ‖Δf‖² at some shares and its derivative, however it is come by.
        """
        costs = evidence.costs / (evidence.costs.sum() or 1.0)
        location = np.full(len(costs), 2.0)
        first, second = np.zeros_like(location), np.zeros_like(location)
        pressure = 0.0  # log of the multiplier, so that it reaches whatever the deviation's scale asks for
        moves = evidence.participation.scalable
        for step in range(1, self.steps + 1):
            u = np.clip(evidence.rng.random(len(location)), 1e-12, 1 - 1e-12)
            concrete = _logistic((np.log(u) - np.log1p(-u) + location) / HEAT)
            raw = STRETCH[0] + (STRETCH[1] - STRETCH[0]) * concrete
            shares = np.where(moves, np.clip(raw, 0, 1), 1.0)
            _, slope = gradient(shares)
            inside = moves & (raw > 0) & (raw < 1)
            path = (STRETCH[1] - STRETCH[0]) * concrete * (1 - concrete) / HEAT
            open_ = open_probability(location)
            total = np.where(inside, slope / evidence.scale**2 * path, 0.0) + np.exp(pressure) * costs * open_ * (
                1 - open_
            )
            pressure = float(np.clip(pressure + costs @ open_ - self.density, -PRESSURE, PRESSURE))
            first, second = 0.9 * first + 0.1 * total, 0.999 * second + 0.001 * total**2
            location -= self.rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-12)
        return np.where(moves, location, np.inf)


def open_probability(location: FloatArray) -> FloatArray:
    """P(z ≠ 0) = σ(log α − ⅔ log(0.1/1.1)) of each gate."""
    return _logistic(location - HEAT * np.log(-STRETCH[0] / STRETCH[1]))


def _stretched(location: FloatArray) -> FloatArray:
    """The share of a gate at test time, before it is kept in [0, 1]."""
    return STRETCH[0] + (STRETCH[1] - STRETCH[0]) * _logistic(location)


def _logistic(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))
