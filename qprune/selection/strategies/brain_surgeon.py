"""Optimal brain surgeon: what is left of a gate's effect once all others have made up for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune.selection.evidence import LEAST_SHARE, Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields


@dataclass(frozen=True)
class BrainSurgeon(Strategy):
    """Saliency per cost, ½ / [H⁻¹]_kk with H = EEᵀ + δI, E the matrix of first-order effects √p_i e_k,(r,i).

    With shares s of all gates, f(s) ≈ f + Σ_k (1 − s_k) e_k. Among the steps that take s_k to 0 and leave the others
    free, ½‖Δf‖² is least at ½ / [H⁻¹]_kk. Where no refit follows, nobody makes up for anything, and the order is the
    best for weights that will be trained on.

    Args:
        damping: δ over the mean of H's diagonal, > 0.

    Source: Hassibi and Stork 1993; at the level of gates ours.

    Example:
        >>> BrainSurgeon()
        BrainSurgeon(damping=0.001)
    """

    damping: float = 1e-3
    name: ClassVar[str] = "brain-surgeon"

    def __post_init__(self) -> None:
        set_fields(self, damping=(0, np.inf))

    def propose(self, evidence: Evidence) -> Proposal:
        return Proposal(order=evidence.ascending(evidence.per_gain(saliencies(evidence, self.damping))))


def saliencies(evidence: Evidence, damping: float) -> np.ndarray:
    """½ / [(EEᵀ + δI)⁻¹]_kk of every gate, in units of the budget squared, shape (K,)."""
    rows = evidence.vectors(evidence.effects) / evidence.scale
    normal = rows @ rows.T
    normal += (damping * np.trace(normal) / len(normal) or LEAST_SHARE) * np.eye(len(normal))
    return np.asarray(0.5 / np.diagonal(np.linalg.inv(normal)))
