"""What may stand in a gate's place, one kind a file: identity, Clifford points, medoids, pairs, re-fitted gates."""

from __future__ import annotations

from qprune.selection.representatives.clifford import clifford_points
from qprune.selection.representatives.identity import identities, identity
from qprune.selection.representatives.medoids import medoids
from qprune.selection.representatives.pairs import local_pairs
from qprune.selection.representatives.refit import refitted

__all__ = ["clifford_points", "identities", "identity", "local_pairs", "medoids", "refitted"]
