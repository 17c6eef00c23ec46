"""Medoids: gates of a class that others may follow, so that they share one free parameter."""

from __future__ import annotations

from collections.abc import Sequence

from qprune._arrays import FloatArray
from qprune.selection.candidate import Candidate
from qprune.selection.gate_distances import Compared, GateDistances
from qprune.selection.offers import Offers


def medoids(offers: Offers, members: Sequence[int], tolerances: FloatArray) -> list[Candidate]:
    """Fewest members of one class such that each other trainable member is within its ε_k of one of them.

    Greedy set cover: the member that most others could follow comes first. Those others get its parameter.

    Args:
        offers: Of the circuit.
        members: Gates of one class into which no input enters.
        tolerances: ε_k by gate of the circuit.
    """
    sites = offers.sites
    compared = {k: _to_others(offers.distances, k, members) for k in members if sites[k].role == "trainable"}
    reach = {
        j: {k for k, others in compared.items() if k != j and others[j].distance <= tolerances[k]} for j in members
    }
    uncovered, found = set(compared), []
    while uncovered:
        best = max(members, key=lambda j: (len(reach[j] & uncovered), sites[j].role == "trainable", -j))
        followers = reach[best] & uncovered
        if not followers:
            break
        leader = sites[best]
        by, label = ((leader.operation, leader.qubits),), f"{leader.name} of gate {leader.origins[0]}"
        found += [offers.replacement(k, by, label, compared[k][best]) for k in sorted(followers)]
        uncovered -= followers | {best}
    return found


def _to_others(distances: GateDistances, k: int, members: Sequence[int]) -> dict[int, Compared]:
    others = [j for j in members if j != k]
    return dict(zip(others, distances.to_gates(k, others), strict=True))
