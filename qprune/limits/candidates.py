"""Candidates for the gates of a prepared circuit, and the circuit in which some have taken their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qprune.exact.simplify import apply, simplify
from qprune.gates.sites import circuit_of
from qprune.gates.subgroups import subgroup_of
from qprune.limits.base import Rewritten
from qprune.limits.prepared import Prepared
from qprune.limits.removal import Reduced
from qprune.selection.candidate import Candidate
from qprune.selection.prunable import has_pair
from qprune.selection.representatives import clifford_points, identities, local_pairs, medoids

REACH = 0.05  # d_q up to which gates share a medoid where only a budget limits


def candidates_of(prepared: Prepared) -> list[Candidate]:
    """Every gate against the identity, and against the further representatives that were asked for."""
    offers, sites = prepared.offers, prepared.sites
    candidates = identities(offers, prepared.prunable)
    reach = np.where(np.isfinite(prepared.tolerances), prepared.tolerances, REACH)
    stay = [c.place for c in candidates if c.distance > reach[c.place]]
    kind = prepared.settings.representatives
    if kind == "clifford":
        for k in stay:
            if sites[k].role == "trainable":
                candidates += clifford_points(offers, k)
    elif kind == "class":
        classes: dict[Any, list[int]] = {}
        for k in stay:
            if sites[k].role != "encoding":
                classes.setdefault(subgroup_of(sites[k]), []).append(k)
        for members in classes.values():
            if len(members) > 1:
                candidates += medoids(offers, members, reach)
    elif kind == "local":
        candidates += [c for k in prepared.prunable if has_pair(sites[k]) for c in local_pairs(offers, k)]
    return candidates


def rewritten(prepared: Prepared, chosen: Sequence[Candidate], compared: Sequence[Candidate]) -> Rewritten:
    """The circuit with the chosen replacements in place, simplified exactly."""
    task = prepared.task
    sites, changes = simplify(task, apply(task, prepared.sites, {c.place: c.by for c in chosen}))
    reduced = Reduced(task=task.with_circuit(circuit_of(task, sites)), sites=sites, changes=changes)
    return Rewritten(reduced, chosen, compared)
