"""MIP: the costliest set whose effects, added up, stay within the budget on every output and sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.selection.evidence import Evidence
from qprune.selection.integer_program import solved
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields, set_flags


@dataclass(frozen=True)
class IntegerProgram(Strategy):
    """min Σ cost_k s_k subject to |D_(r,i) + Σ_k (1−s_k) e_k,(r,i)| ≤ budget for all outputs r, samples i; s_k ∈ {0,1}.

    D is what the circuit at hand already deviates. Effects that cancel let gates go together that no one-by-one order
    removes. Effects do not quite add up, so that the set for a smaller budget is proposed too; relaxed, s_k ∈ [0,1]
    orders the rest. Where the program is too large, it is solved layer by layer, each with what the last ones left.

    Args:
        exact: Effects by one run each; otherwise to first order.
        tighten: Shares of the budget for which sets are proposed, each in (0, 1].
        largest: Numbers in the constraints, K·R·M, up to which one program holds all gates, ≥ 1.
        nodes: Branch-and-bound nodes for each program, ≥ 1.

    Source: arXiv:2002.07259 (neurons of a trained network); at the level of gates ours. HiGHS through SciPy.

    Example:
        >>> IntegerProgram(tighten=[1.0, 0.5]).tighten
        (1.0, 0.5)
    """

    exact: bool = True
    tighten: tuple[float, ...] = (1.0, 0.7, 0.4)
    largest: int = 2_000_000
    nodes: int = 2000
    name: ClassVar[str] = "mip"

    def __post_init__(self) -> None:
        set_flags(self, "exact")
        set_fields(self, tighten=(1e-6, 1), largest=(1, np.inf), nodes=(1, np.inf))

    def propose(self, evidence: Evidence) -> Proposal:
        effects = evidence.exact_effects if self.exact else evidence.effects
        rows = effects.reshape(len(effects), -1) / evidence.scale
        start = (evidence.outputs - evidence.target).ravel() / evidence.scale
        groups = [np.arange(len(rows))]
        if rows.size > self.largest:
            groups = [np.flatnonzero(evidence.layers == layer) for layer in np.unique(evidence.layers)]
        costs = evidence.costs
        sets = [self._removed(rows, start, costs, groups, share, evidence) for share in self.tighten]
        relaxed = np.concatenate([self._kept(rows[g], start, costs[g], 1.0, evidence, whole=False) for g in groups])
        scores = np.empty(len(rows))
        scores[np.concatenate(groups)] = relaxed
        # Where the relaxation has no opinion, the smaller effect per cost goes first.
        sizes = evidence.per_gain(np.linalg.norm(rows, axis=1))
        order = np.lexsort((sizes, np.round(scores, 6)))
        return Proposal(order=order.tolist(), sets=sets)

    def _removed(
        self,
        rows: FloatArray,
        start: FloatArray,
        costs: FloatArray,
        groups: list[NDArray[np.intp]],
        share: float,
        evidence: Evidence,
    ) -> list[int]:
        gone: list[int] = []
        for group in groups:
            kept = self._kept(rows[group], start, costs[group], share, evidence, whole=True)
            some = group[kept < 0.5]
            gone += some.tolist()
            start = start + rows[some].sum(axis=0)
        return gone

    def _kept(
        self, rows: FloatArray, start: FloatArray, costs: FloatArray, share: float, evidence: Evidence, whole: bool
    ) -> FloatArray:
        """s of the program, or of its relaxation; all ones where nothing fits. Effects are in units of the budget."""
        options = {"node_limit": self.nodes, "mip_rel_gap": 1e-6}
        if np.isfinite(left := evidence.seconds_left()):
            options["time_limit"] = left
        # |start + Σ rows − Σ s·rows| ≤ share, of the rows that could break it
        total = start + rows.sum(axis=0)
        binding = np.abs(start) + np.abs(rows).sum(axis=0) > share
        constraints = []
        if binding.any():
            middle = total[binding]
            constraints = [scipy.optimize.LinearConstraint(rows[:, binding].T, middle - share, middle + share)]
        solution = solved(
            # A sliver of cost per effect makes the optimum unique where costs tie.
            costs + 1e-6 * (costs.max(initial=0) or 1.0) / (1 + np.linalg.norm(rows, axis=1)),
            integrality=np.full(len(rows), int(whole)),
            bounds=scipy.optimize.Bounds(0, 1),
            constraints=constraints,
            options=options,
        )
        return np.ones(len(rows)) if solution.x is None else np.asarray(solution.x, dtype=float)
