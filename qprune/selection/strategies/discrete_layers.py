"""Discrete layers: a penalty on whole layers drives them to nothing, one after the other; the others make up for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields


@dataclass(frozen=True)
class DiscreteLayers(Strategy):
    """min ½D(s) + ρ Σ_g √|g| ‖s_g‖ over shares s of all gates at rising ρ, g the layers of the circuit.

    D(s) = Σ_i p_i ‖f_i(s) − f_i‖² in units of the budget squared; proximal gradient, in which a layer's shares become
    zero together and the other layers' compensate. Layers go in the order in which they reach zero, as many at once as
    the oracle admits. Of the other gates those come next whose angle s_k t_k is nearest to zero on the grid, that is
    rounds to it, then the rest by angle.

    Args:
        grid: Spacing of the angles that survivors are rounded to, radians, in (0, π].
        levels: Values of ρ, each twice the one before, ≥ 1.
        steps: Proximal steps at each, ≥ 1.

    Source: geometric waveguides, arXiv:2601.04370 (photonic layers); at the level of gates ours.

    Example:
        >>> DiscreteLayers(levels=8).levels
        8
    """

    grid: float = pi / 4
    levels: int = 14
    steps: int = 15
    name: ClassVar[str] = "discrete-layers"

    def __post_init__(self) -> None:
        set_fields(self, grid=(1e-6, pi), levels=(1, 60), steps=(1, np.inf))

    def propose(self, evidence: Evidence) -> Proposal:
        reached, shares = self.path(evidence)
        layers = evidence.layers
        # The layers by when they vanish, those that never do by what is left of them.
        numbers = np.unique(layers).tolist()
        left = {g: float(np.linalg.norm(shares[layers == g])) for g in numbers}
        order = sorted(numbers, key=lambda g: (reached[g], left[g], g))
        gates = [np.flatnonzero(layers == g).tolist() for g in order]
        low, high = 0, len(gates)
        while low < high:
            middle = (low + high + 1) // 2
            fits = evidence.deviation([k for some in gates[:middle] for k in some]) <= evidence.budget
            low, high = (middle, high) if fits else (low, middle - 1)
        alone = [some for some in gates[low:] if evidence.deviation(some) <= evidence.budget]
        sets = [[k for some in gates[:low] for k in some], *alone]
        angles = shares * np.array([c.turn for c in evidence.candidates])
        return Proposal(order=np.lexsort((angles, np.round(angles / self.grid))).tolist(), sets=sets)

    def path(self, evidence: Evidence) -> tuple[dict[int, int], FloatArray]:
        """At which level each layer vanished (`levels` if never), and the shares of gates where it last existed."""
        layers, size = evidence.layers, len(evidence.candidates)
        groups = {int(g): np.flatnonzero(layers == g) for g in np.unique(layers)}
        reached = dict.fromkeys(groups, self.levels)
        shares, last = np.ones(size), np.ones(size)
        for level in range(self.levels):
            price = 2.0 ** (level - self.levels // 2)
            for _ in range(self.steps):
                shares = self.step(evidence, shares, groups, price)
            for g, members in groups.items():
                if not shares[members].any():
                    reached[g] = min(reached[g], level)
                elif reached[g] == self.levels:
                    last[members] = shares[members]
            if not shares.any():
                break
        return reached, last

    def step(
        self, evidence: Evidence, shares: FloatArray, groups: dict[int, NDArray[np.intp]], price: float
    ) -> FloatArray:
        """One proximal gradient step: s_g ← (1 − h ρ √|g| / ‖v_g‖)₊ v_g with v = s − h ∂(½D)."""
        values, derivative = evidence.participation.jacobian(shares)
        rows = evidence.vectors(derivative) / evidence.scale
        change = evidence.vectors((values - evidence.target)[None])[0] / evidence.scale
        length = 1 / max(float(np.abs(rows @ rows.T).sum(axis=1).max(initial=0)), 1.0)
        moved = np.clip(shares - length * (rows @ change), 0, 1)
        new = np.empty_like(shares)
        for members in groups.values():
            norm = float(np.linalg.norm(moved[members]))
            shrink = max(0.0, 1 - length * price * np.sqrt(len(members)) / norm) if norm else 0.0
            new[members] = shrink * moved[members]
        new[~evidence.participation.scalable] = 1.0
        return new
