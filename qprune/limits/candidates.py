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
from qprune.selection.finder import has_pair

REACH = 0.05  # d_q up to which gates share a medoid where only a budget limits


def candidates_of(prepared: Prepared) -> list[Candidate]:
    """Every gate against the identity, and against the further representatives that were asked for."""
    finder, sites = prepared.finder, prepared.sites
    candidates = finder.identities(prepared.prunable)
    reach = np.where(np.isfinite(prepared.tolerances), prepared.tolerances, REACH)
    stay = [c.site for c in candidates if c.distance > reach[c.site]]
    kind = prepared.settings.representatives
    if kind == "clifford":
        for k in stay:
            if sites[k].role == "trainable":
                candidates += finder.clifford(k)
    elif kind == "class":
        classes: dict[Any, list[int]] = {}
        for k in stay:
            if sites[k].role != "encoding":
                classes.setdefault(subgroup_of(sites[k]), []).append(k)
        for members in classes.values():
            if len(members) > 1:
                candidates += finder.medoids(members, reach)
    elif kind == "local":
        candidates += [c for k in prepared.prunable if has_pair(sites[k]) for c in finder.local(k)]
    return candidates


def rewritten(prepared: Prepared, chosen: Sequence[Candidate], compared: Sequence[Candidate]) -> Rewritten:
    """The circuit with the chosen replacements in place, simplified exactly."""
    task = prepared.task
    sites, changes = simplify(task, apply(task, prepared.sites, {c.site: c.by for c in chosen}))
    reduced = Reduced(task=task.with_circuit(circuit_of(task, sites)), sites=sites, changes=changes)
    return Rewritten(reduced, chosen, compared)
