"""Spanning tree: entanglers between qubits that share little information go first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from qprune._arrays import ComplexArray, FloatArray
from qprune._optional import require
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Proposal, Strategy


@dataclass(frozen=True)
class SpanningTree(Strategy):
    """Entanglers off the maximum spanning tree of the qubits' mutual information go first, those on it last.

    I(a:b) = S(ρ_a) + S(ρ_b) − S(ρ_ab), averaged over the task's final states. Off the tree those of least I come
    first, at equal I the ones whose pair has the least coherence Σ_{j≠l} |(ρ_ab)_jl|; then gates on one qubit by
    first-order effect per cost; then the tree's entanglers, weakest link first.

    Source: HyperJoin, arXiv:2601.01015 (joins of tables); at the level of gates ours. networkx.

    Example:
        >>> SpanningTree()
        SpanningTree()
    """

    name: ClassVar[str] = "spanning-tree"

    def propose(self, evidence: Evidence) -> Proposal:
        networkx = require("networkx", "strategies", "strategy 'spanning-tree'")
        states = evidence.states()
        weights = evidence.weights
        size = len(states).bit_length() - 1
        pairs = {pair: _pair(states, size, pair, weights) for pair in combinations(range(size), 2)}
        graph = networkx.Graph()
        graph.add_nodes_from(range(size))
        graph.add_weighted_edges_from((a, b, information) for (a, b), (information, _) in pairs.items())
        tree = {tuple(sorted(edge)) for edge in networkx.maximum_spanning_tree(graph).edges}
        sizes = evidence.per_gain(np.linalg.norm(evidence.vectors(evidence.effects), axis=1))

        def key(k: int) -> tuple[float, ...]:
            here = list(combinations(sorted(evidence.sites[evidence.places[k]].qubits), 2))
            if not here:
                return 1, sizes[k], 0.0
            information = max(pairs[pair][0] for pair in here)
            coherence = max(pairs[pair][1] for pair in here)
            return 2 if any(pair in tree for pair in here) else 0, round(information, 9), coherence

        return Proposal(order=sorted(range(len(evidence.candidates)), key=lambda k: (*key(k), k)))


def _pair(states: ComplexArray, size: int, pair: tuple[int, int], weights: FloatArray) -> tuple[float, float]:
    """Mean mutual information, nats, and mean l1-norm of coherence of two qubits; states have shape (2^n, M)."""
    axes = [size - 1 - q for q in reversed(pair)]  # the lowest bit of the index is the last axis
    tensor = np.moveaxis(states.reshape((2,) * size + (-1,)), [*axes, size], [0, 1, -1])
    rest = tensor.reshape(4, -1, states.shape[1])
    joint = np.einsum("arm,brm->mab", rest, rest.conj())
    parts = joint.reshape(-1, 2, 2, 2, 2)
    entropies = [_entropy(np.einsum("mabcb->mac", parts)), _entropy(np.einsum("mabac->mbc", parts)), _entropy(joint)]
    coherence = np.abs(joint).sum(axis=(1, 2)) - np.abs(np.einsum("maa->ma", joint)).sum(axis=1)
    information = entropies[0] + entropies[1] - entropies[2]
    return float(weights @ information), float(weights @ coherence)


def _entropy(matrices: ComplexArray) -> FloatArray:
    """Von Neumann entropy of each of many density matrices, nats."""
    values = np.clip(np.linalg.eigvalsh(matrices), 1e-300, None)
    return np.asarray(-(values * np.log(values)).sum(axis=-1))
