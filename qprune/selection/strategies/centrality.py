"""Centrality: gates whose effects are like those of many others, or like none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune._checks import checked_choice
from qprune._optional import require
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy
from qprune.selection.strategies.fields import set_fields


@dataclass(frozen=True)
class Centrality(Strategy):
    """Leading eigenvector of the graph whose edges are |cos(e_k, e_l)| > τ; by default the least central go first.

    Each component of the graph has its own leading eigenvector, scaled by its eigenvalue; a gate like no other has
    centrality 0. Central may mean important or redundant, so that both ends can be asked for.

    Args:
        threshold: τ in [0, 1).
        first: Which go first, the "least" or the "most" central.

    Source: arXiv:2512.12543; at the level of gates ours. networkx.

    Example:
        >>> Centrality(first="most")
        Centrality(threshold=0.3, first='most')
    """

    threshold: float = 0.3
    first: str = "least"
    name: ClassVar[str] = "centrality"

    def __post_init__(self) -> None:
        set_fields(self, threshold=(0, np.nextafter(1, 0)))
        checked_choice(self.first, "first", ("least", "most"))

    def propose(self, evidence: Evidence) -> Proposal:
        found = self.of(np.abs(evidence.similarity()))
        sizes = evidence.per_gain(np.linalg.norm(evidence.vectors(evidence.exact_effects), axis=1))
        sign = 1 if self.first == "least" else -1
        return Proposal(order=np.lexsort((sizes, sign * np.round(found, 9))).tolist())

    def of(self, similarity: FloatArray) -> FloatArray:
        """Centrality of each node of a graph given by its weights, shape (K, K), zero diagonal; shape (K,)."""
        networkx = require("networkx", "strategies", "strategy 'centrality'")
        graph = networkx.Graph()
        graph.add_nodes_from(range(len(similarity)))
        rows, columns = np.nonzero(np.triu(similarity, 1) > self.threshold)
        graph.add_weighted_edges_from(
            (k, j, similarity[k, j]) for k, j in zip(rows.tolist(), columns.tolist(), strict=True)
        )
        found = np.zeros(len(similarity))
        for part in networkx.connected_components(graph):
            if len(part) > 1:
                nodes = sorted(part)
                vector = networkx.eigenvector_centrality(graph.subgraph(nodes), max_iter=10_000, weight="weight")
                values = np.array([vector[k] for k in nodes])
                inside = np.where(similarity > self.threshold, similarity, 0.0)[np.ix_(nodes, nodes)]
                found[nodes] = values * float(values @ inside @ values) / float(values @ values)
        return found
