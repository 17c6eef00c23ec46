"""Rewriting sites: replacements, and simplifications that are exact for every value of every parameter."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import merge

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression
from qiskit.circuit.library import IGate

from qprune._rounding import MATRIX_ROUNDING
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Angle, Replacement, Site, Word, make_site, with_origins, words_of
from qprune.gates.subgroups import Subgroup, commute, commutes_with, subgroup_of
from qprune.task.expressions import adds_up, are_equal, slopes_of, sum_of
from qprune.task.task import Task

GONE = ("light cone", "commutes with the outputs", "phase of the initial state", "identity", "inverse pair")
"""Kinds of changes that leave nothing of a gate."""
LARGEST_MATRIX = 3  # qubits up to which gates outside the catalogue are compared as matrices


@dataclass(frozen=True)
class ExactChange:
    """A gate that went without changing any output.

    Attributes:
        kind: One of `GONE`, or "merged", "CX network", "Pauli form" or "resynthesised".
        origins: Original gates that are gone.
        into: Original gates of the site they were merged with, for "merged".
        fixes: Weights that moved the gate and no longer do, for "resynthesised".
    """

    kind: str
    origins: tuple[int, ...]
    into: tuple[int, ...] = ()
    fixes: tuple[str, ...] = ()


def apply(task: Task, sites: Sequence[Site], replacements: Mapping[int, Replacement]) -> tuple[Site, ...]:
    """Put representatives in the place of sites; () is the identity.

    A replaced gate is removed from its class; the light cone and cancellations are left to `simplify`.
    """
    new: list[Site] = []
    for k, site in enumerate(sites):
        if k not in replacements:
            new.append(site)
        else:
            new += [make_site(task, operation, qubits, site.origins) for operation, qubits in replacements[k]]
    return tuple(new)


def simplify(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """Exact simplifications until nothing more goes: light cone, identities, inverse pairs, merges in one class.

    All outputs stay what they are for every value of inputs and weights (states may change outside the light cone).
    An encoding gate is merged only with encoding gates, so that no weight is tied to an input.
    """
    current = list(sites)
    changes: list[ExactChange] = []
    while True:
        seen = {q for support in task.output_supports for q in support}
        current, dropped = drop_unseen(current, output_sums(task), seen)
        current, merged = merge_equal(task, current)
        changes += dropped + merged
        if not merged:  # then there is nothing new to be dropped either
            return tuple(current), tuple(changes)


def light_cones(task: Task, sites: Sequence[Site], separated: set[int]) -> NDArray[np.bool_]:
    """Mask (R, number of sites): sites in the backward light cone of each output after some replacements.

    A replaced site is in the cone if it would act on a qubit that is: only then does its replacement contribute to
    the output's angle (THEORY T2).

    Args:
        task: Has the outputs.
        sites: The gates.
        separated: Sites in whose place nothing is left that joins two qubits: they carry the cone no further.
    """
    mask = np.zeros((len(task.output_supports), len(sites)), dtype=bool)
    for r, support in enumerate(task.output_supports):
        seen = set(support)
        for k in range(len(sites) - 1, -1, -1):
            if not seen.isdisjoint(sites[k].qubits):
                mask[r, k] = True
                if k not in separated:
                    seen.update(sites[k].qubits)
    return mask


# -- gates that no output sees ---------------------------------------------------------------------------------


def drop_unseen(
    sites: Sequence[Site], outputs: Sequence[dict[Word, float]], seen: set[int]
) -> tuple[list[Site], list[ExactChange]]:
    """The gates without those outside the light cone of the qubits `seen`, or that pass all later ones to no effect."""
    seen = set(seen)
    kept: list[Site] = []
    later: dict[int, list[Site]] = {}
    changes = []
    for site in reversed(sites):
        if seen.isdisjoint(site.qubits):
            changes.append(ExactChange("light cone", site.origins))
        elif passes_to_the_end(site, later, outputs):
            changes.append(ExactChange("commutes with the outputs", site.origins))
        else:
            kept.append(site)
            seen.update(site.qubits)
            for q in site.qubits:
                later.setdefault(q, []).append(site)
    return kept[::-1], changes


def passes_to_the_end(site: Site, later: dict[int, list[Site]], outputs: Sequence[dict[Word, float]]) -> bool:
    """Whether a site commutes with all outputs and with all that is later on its qubits."""
    group = subgroup_of(site)
    # Later gates first: most gates fail at the first of them, and outputs may be sums of hundreds of words.
    return all(commute(group, subgroup_of(other)) for q in site.qubits for other in later.get(q, ())) and all(
        commutes_with(group, output) for output in outputs
    )


def output_sums(task: Task) -> list[dict[Word, float]]:
    """Every output as a Pauli sum; of a distribution, the words that it is read from."""
    if task.observables is None:  # a distribution is read from the Z words of its qubits
        return [{((q, "Z"),): 1.0} for q in task.measured_qubits]
    return [words_of(observable, tuple(range(task.num_qubits))) for observable in task.observables]


# -- cancellation and merging ----------------------------------------------------------------------------------


def merge_equal(task: Task, sites: Sequence[Site]) -> tuple[list[Site], list[ExactChange]]:
    """The gates with members of one class that commute to each other as one, inverse pairs and identities gone."""
    current: list[Site | None] = list(sites)
    changes: list[ExactChange] = []
    places: dict[int, list[int]] = {}
    for j, site in enumerate(sites):
        for q in site.qubits:
            places.setdefault(q, []).append(j)
    for i in range(len(current)):
        first = current[i]
        if first is not None and _is_identity(first, first.coordinate):
            changes.append(ExactChange("identity", first.origins))
            current[i] = None
        while (first := current[i]) is not None:
            found = _partner(task, current, i, places)
            if found is None:
                break
            j, merged = found
            second = current[j]
            if second is None:
                raise RuntimeError("merged with a gate that is already gone")
            current[j] = None
            current[i] = merged
            if merged is None:
                changes.append(ExactChange("inverse pair", first.origins + second.origins))
            else:
                changes.append(ExactChange("merged", second.origins, first.origins))
    return [site for site in current if site is not None], changes


def _partner(
    task: Task, sites: list[Site | None], i: int, places: Mapping[int, Sequence[int]]
) -> tuple[int, Site | None] | None:
    """The first later gate that site i can be moved to and merged with, and the result (None: they cancel).

    `places` has the indices of the sites on every qubit, ascending.
    """
    first = sites[i]
    if first is None:
        return None
    group = subgroup_of(first)
    later = [places[q][bisect_right(places[q], i) :] for q in first.qubits]
    for j in later[0] if len(later) == 1 else merge(*later):
        second = sites[j]
        if second is None:
            continue
        other = subgroup_of(second)
        if group is not None and group == other and group.family != "special":
            done, merged = _merged(task, first, second)
            if done:
                return j, merged
        elif first.qubits == second.qubits and _are_inverse(first, second):
            return j, None
        if not commute(group, other):
            return None
    return None


def _merged(task: Task, first: Site, second: Site) -> tuple[bool, Site | None]:
    """(True, site) if two members of one class become one gate, (True, None) if they cancel."""
    group = subgroup_of(first)
    if group is None or first.coordinate is None or second.coordinate is None:
        return False, None
    pairs = ((first, first.coordinate), (second, second.coordinate))
    total = _added(task, group, first.coordinate, second.coordinate)
    if total is None:
        return False, None
    if _is_identity(first, total):
        return True, None
    if (first.role == "encoding") != (second.role == "encoding"):
        return False, None
    if any(s.role == "trainable" and group.is_identity(float(task.values(c))) for s, c in pairs):
        return False, None  # it will be removed at no error, and its weight with it
    member = group.member(total)
    if member is None:
        return False, None
    return True, with_origins(make_site(task, *member, first.origins), first.origins + second.origins)


def _added(task: Task, group: Subgroup, first: Angle, second: Angle) -> Angle | None:
    """The coordinate of a product; None where double precision would make another gate of it.

    Numbers are added modulo the period. Expressions, in timestamps or in weights of 10¹² say, are not: their sum is
    worked out anew whenever a parameter gets its value, and rounded then, so it must do at the values at hand.
    """
    if not isinstance(first, ParameterExpression) and not isinstance(second, ParameterExpression):
        return group.sum_of(first, second)
    parts = [t if isinstance(t, ParameterExpression) else group.sum_of(t, 0.0) for t in (first, second)]
    total = sum_of(*parts)
    if total is None or not adds_up(*(task.values(angle) for angle in (total, *parts))):
        return None
    return _constant(total)


def _constant(angle: Angle) -> Angle:
    """An expression that no parameter changes, such as w − w, as the number it is."""
    if not isinstance(angle, ParameterExpression):
        return float(angle)
    slopes = slopes_of(angle)
    if slopes is None or any(s != 0 for s in slopes.values()):
        return angle
    return float(angle.bind(dict.fromkeys(angle.parameters, 0.0)).numeric())


def _is_identity(site: Site, coordinate: Angle | None) -> bool:
    group = subgroup_of(site)
    if group is None:
        return isinstance(site.operation, IGate)
    return isinstance(coordinate, float) and group.is_identity(coordinate)


def _are_inverse(first: Site, second: Site) -> bool:
    """Whether two gates on the same qubits, at least one outside the U(1) families, cancel."""
    before, after = first.operation, second.operation
    if (first.coordinate is not None and second.coordinate is not None) or before.num_qubits > LARGEST_MATRIX:
        return False
    if any(isinstance(p, ParameterExpression) for p in (*before.params, *after.params)):
        inverse = before.inverse()
        return (
            before.base_class is after.base_class
            and bool(inverse == after)
            and all(are_equal(*pair) for pair in zip(inverse.params, after.params, strict=True))
        )
    return is_phase(unitary_of([(before, first.qubits), (after, first.qubits)], first.qubits))


def is_phase(product: NDArray[np.complex128]) -> bool:
    """Whether a unitary is the identity up to a phase and rounding."""
    return bool(np.max(np.abs(product - product[0, 0] * np.eye(len(product)))) < MATRIX_ROUNDING)
