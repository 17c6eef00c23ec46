"""Coarse to fine: blocks, then layers and qubit lanes, then gates; what goes at once needs no finer look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields


@dataclass(frozen=True)
class CoarseToFine(Strategy):
    """Largest groups first: a group g goes if deviation(gone ∪ g) ≤ budget; finer groups see what is left.

    Blocks are runs of layers, half over each other; a lane is what acts on one qubit. On each level the groups with the
    least first-order effect ‖Σ_{k∈g} e_k‖ per cost come first; single gates follow in the same order.

    Args:
        blocks: Into how many runs of layers the circuit is cut at first, ≥ 1; twice as many at each next level.
        levels: Levels of blocks, ≥ 1.

    Source: coarse-to-fine locality (ROS); at the level of gates ours.

    Example:
        >>> CoarseToFine(blocks=3)
        CoarseToFine(blocks=3, levels=2)
    """

    blocks: int = 2
    levels: int = 2
    name: ClassVar[str] = "coarse-to-fine"

    def __post_init__(self) -> None:
        set_fields(self, blocks=(1, np.inf), levels=(1, 16))

    def propose(self, evidence: Evidence) -> Proposal:
        rows = evidence.vectors(evidence.effects)
        gone: list[int] = []
        for groups in self._levels(evidence):
            effect = [float(np.linalg.norm(rows[g].sum(axis=0)) / max(evidence.gains[g].sum(), 1e-300)) for g in groups]
            for j in evidence.ascending(effect):
                more = [k for k in groups[j] if k not in gone]
                if len(more) > 1 and evidence.deviation([*gone, *more]) <= evidence.budget:
                    gone += more
        alone = evidence.ascending(evidence.per_gain(np.linalg.norm(rows, axis=1)))
        return Proposal(order=alone, sets=[sorted(gone)])

    def _levels(self, evidence: Evidence) -> Iterator[list[list[int]]]:
        """Groups of gates, the coarsest first."""
        layers = evidence.layers
        depth = int(layers.max()) + 1
        for level in range(self.levels):
            count = min(self.blocks * 2**level, depth)
            width = depth / count
            starts = np.arange(2 * count - 1) * width / 2  # half over each other, so that none is cut everywhere
            yield _nonempty((layers >= int(start)) & (layers < int(start + width)) for start in starts)
        yield _nonempty(layers == layer for layer in range(depth))
        lanes = [set(evidence.sites[k].qubits) for k in evidence.places]
        yield _nonempty(np.array([q in lane for lane in lanes]) for q in sorted(set().union(*lanes)))


def _nonempty(masks: Iterator[np.ndarray]) -> list[list[int]]:
    return [found for mask in masks if (found := np.flatnonzero(mask).tolist())]
