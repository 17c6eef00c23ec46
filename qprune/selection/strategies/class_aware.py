"""Class-aware: gates whose effect on the margin tells no class from another go first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.selection.evidence import LEAST_SHARE, Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields
from qprune.task.task import Task


@dataclass(frozen=True)
class ClassAware(Strategy):
    """Score_k = between-class over within-class variance of gate k's effect on the margin, the least first.

    The margin of a sample of class y is y⟨O⟩ for two classes ±1, else ⟨O_y⟩ less the largest other output; its change
    is taken from the exact effect. At equal scores the smaller effect per cost goes first. Where refit follows, the
    limit prunes, fits and asks again, as the source does.

    Args:
        shots: Samples of each class that are looked at, the first of them, ≥ 2; None: all.

    Source: DACIS/PMP, arXiv:2601.02353 (channels of convolutional networks); at the level of gates ours.

    Example:
        >>> ClassAware(shots=5)
        ClassAware(shots=5)
    """

    shots: int | None = None
    name: ClassVar[str] = "class-aware"

    def __post_init__(self) -> None:
        set_fields(self, shots=(2, np.inf))

    def check(self, task: Task) -> None:
        if task.labels is None:
            raise OptionError(
                "strategy 'class-aware' needs labels: give the task labels=…, one class per sample, or use another"
            )

    def propose(self, evidence: Evidence) -> Proposal:
        scores = self.scores(evidence)
        sizes = evidence.per_gain(np.linalg.norm(evidence.vectors(evidence.exact_effects), axis=1))
        return Proposal(order=np.lexsort((sizes, np.round(scores, 9))).tolist())

    def scores(self, evidence: Evidence) -> FloatArray:
        """Between-class over within-class variance of every gate's effect on the margin, shape (K,)."""
        labels = evidence.classes
        kept = np.arange(len(labels))
        if self.shots is not None:
            kept = np.sort(np.concatenate([np.flatnonzero(labels == c)[: self.shots] for c in np.unique(labels)]))
        change = margins(evidence.exact_effects, evidence.target, labels)[:, kept] / evidence.scale
        classes = [np.flatnonzero(labels[kept] == c) for c in np.unique(labels)]
        means = np.array([change[:, members].mean(axis=1) for members in classes])  # (classes, K)
        counts = np.array([len(members) for members in classes])[:, None]
        between = (counts * (means - change.mean(axis=1)) ** 2).sum(axis=0) / len(kept)
        within = sum(((change[:, m] - means[j][:, None]) ** 2).sum(axis=1) for j, m in enumerate(classes)) / len(kept)
        # Effects far below the budget are rounding, and tell nothing.
        return np.asarray(np.where(between > LEAST_SHARE, between / np.maximum(within, LEAST_SHARE), 0.0))


def margins(effects: FloatArray, outputs: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """What changes of outputs, shape (K, R, M), change of each sample's margin, shape (K, M)."""
    if effects.shape[1] == 1 or np.any(labels < 0):
        return np.asarray(np.where(labels > 0, 1, -1) * effects[:, 0])
    columns = np.arange(len(labels))
    others = outputs.copy()
    others[labels, columns] = -np.inf
    return np.asarray(effects[:, labels, columns] - effects[:, others.argmax(axis=0), columns])
