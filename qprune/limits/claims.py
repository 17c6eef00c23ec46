"""What is claimed of a pruned circuit: the certificate and the plan, from what was chosen and what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qprune._arrays import FloatArray
from qprune.exact.simplify import GONE, ExactChange
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site
from qprune.gates.subgroups import subgroup_of
from qprune.geometry import bounds
from qprune.limits.prepared import Comparison
from qprune.noise.calibration import CircuitNoise
from qprune.results.certificate import (
    Certificate,
    Expectations,
    NoiseRecord,
    Replaced,
    package_versions,
    rows_of,
)
from qprune.results.every_input import EveryInput
from qprune.results.hashes import circuit_hash, task_hash
from qprune.results.result import IN_PART, PlanEntry
from qprune.selection.candidate import Candidate
from qprune.simulators.choices import Statevector
from qprune.simulators.values import Outputs
from qprune.task.task import Task

HOLDOUT_DELTA = 0.05  # each hold-out statement holds with probability 95 %


@dataclass(frozen=True)
class Measurements:
    """Outputs of one circuit on the selected samples, and on those held out."""

    selected: Outputs
    heldout: Outputs | None


@dataclass(frozen=True)
class Basis:
    """What every claim rests on.

    Attributes:
        task: The original.
        sites: Its gates after exact simplification.
        simplified: The circuit they make.
        comparison: How gates were compared.
        tolerances: ε_k by site, infinite where only a budget limits.
        noise: The geometry, by site.
        options: What was asked for, as the certificate records it.
        record: What the certificate says of the noise.
        every_input: What it says of every input of a domain.
    """

    task: Task
    sites: tuple[Site, ...]
    simplified: QuantumCircuit
    comparison: Comparison
    tolerances: FloatArray
    noise: CircuitNoise
    options: dict[str, Any]
    record: NoiseRecord | None
    every_input: EveryInput | None


def make_certificate(
    basis: Basis,
    pruned: Task,
    chosen: Sequence[Candidate],
    theta: FloatArray,
    before: Measurements,
    after: Measurements,
) -> Certificate:
    """Assemble the certificate.

    Args:
        basis: Original and options.
        pruned: The pruned task.
        chosen: The replacements.
        theta: Θ_{r,i}, radians, shape (R, M).
        before: Outputs of the original.
        after: Outputs of the pruned circuit.

    Source: THEORY T2, T4, T5.
    """
    task, exact = basis.task, basis.options["simulator"]["name"] == Statevector.name
    return Certificate(
        original_hash=circuit_hash(task.circuit),
        simplified_hash=circuit_hash(basis.simplified),
        pruned_hash=circuit_hash(pruned.circuit),
        task_hash=task_hash(task),
        options=basis.options,
        expectations=_expectations([before.selected, after.selected, before.heldout, after.heldout]),
        noise=basis.record,
        outputs=task.output_names,
        samples=tuple(int(i) for i in task.selected),
        replaced=tuple(_replaced(basis, candidate) for candidate in chosen),
        angle=rows_of(theta),
        bound=rows_of(output_bounds(task, theta, before.selected)),
        measured=rows_of(deviations_at_most(task, before.selected, after.selected, exact)),
        certified_predictions=_certified(task, theta, before.selected),
        mean_state_error=bounds.mean_state_error(
            np.array([2 * np.sin(c.angles / 2) for c in chosen]).reshape(len(chosen), len(task.selected)),
            task.selection_weights(),
        ),
        angle_from_tolerances=_closed_form(basis, chosen),
        holdout=_holdout_claim(task, before.heldout, after.heldout, exact),
        every_input=basis.every_input,
        versions=dict(package_versions()),
    )


def _expectations(passes: Sequence[Outputs | None]) -> Expectations:
    """Over all passes that numbers of the certificate come from."""
    made = [outputs for outputs in passes if outputs is not None]
    return Expectations(
        error=max(outputs.rounding for outputs in made),
        truncation=max(outputs.truncation for outputs in made),
        estimates=sum(outputs.estimates for outputs in made),
        failure=sum(outputs.failure for outputs in made),
    )


def output_bounds(task: Task, theta: FloatArray, before: Outputs) -> FloatArray:
    if task.observables is None:
        return bounds.distribution_bound(theta)
    return np.array(
        [
            bounds.observable_bound(theta[r], before.centred[r], before.deviations[r], spectrum, before.rounding)
            for r, spectrum in enumerate(task.spectra)
        ]
    )


def deviations(before: Outputs, after: Outputs) -> FloatArray:
    """|Δ⟨O_r⟩| or total variation per output and sample, shape (R, M)."""
    if before.distribution is None or after.distribution is None:
        return np.abs(after.centred - before.centred)
    return 0.5 * np.abs(after.distribution - before.distribution).sum(axis=1)[None]


def doubt(task: Task, before: Outputs, after: Outputs) -> FloatArray:
    """How far `deviations` may be off, shape (R, 1)."""
    weights = [1.0] if task.observables is None else [spectrum.weight for spectrum in task.spectra]
    return (before.rounding + after.rounding) * np.array(weights)[:, None]


def deviations_at_most(task: Task, before: Outputs, after: Outputs, exact: bool) -> FloatArray:
    """`deviations`, and what truncation or shots may hide of them where they are not exact up to rounding."""
    found = deviations(before, after)
    return found if exact else found + doubt(task, before, after)


def _certified(task: Task, theta: FloatArray, before: Outputs) -> tuple[tuple[bool, ...] | None, ...]:
    if task.observables is None:
        return (None,)
    return tuple(
        tuple(bool(x) for x in bounds.predictions_certified(theta[r], before.centred[r], s, before.rounding))
        if s.predicts_sign
        else None
        for r, s in enumerate(task.spectra)
    )


def _closed_form(basis: Basis, chosen: Sequence[Candidate]) -> float | None:
    """Σ 2 arcsin(κ_k ε_k/2), where every replacement kept its ε_k on every sample."""
    if basis.comparison.aggregate != "max" or basis.comparison.tolerance is None:
        return None
    kappas = np.array([basis.noise.kappa(c.place, len(basis.sites[c.place].qubits)) for c in chosen])
    return bounds.angle_from_tolerances(kappas, np.array([basis.tolerances[c.place] for c in chosen]))


def _holdout_claim(
    task: Task, before: Outputs | None, after: Outputs | None, exact: bool
) -> bounds.HoldoutClaim | None:
    if before is None or after is None:
        return None
    flips, ceiling = None, task.largest_change
    if signed := [r for r, s in enumerate(task.spectra) if s.predicts_sign]:
        flips = int(_flipped(task, signed, before, after, exact).any(axis=0).sum())
    largest = np.minimum(deviations_at_most(task, before, after, exact).max(axis=0), ceiling)
    return bounds.holdout_claim(largest, ceiling, flips, HOLDOUT_DELTA)


def _flipped(task: Task, rows: list[int], before: Outputs, after: Outputs, exact: bool) -> NDArray[np.bool_]:
    """Where signs of observables ±r differ, or may differ where means are not exact, shape (len(rows), M)."""
    flipped = np.sign(before.means[rows]) != np.sign(after.means[rows])
    if not exact:
        weights = np.array([task.spectra[r].weight for r in rows])[:, None]
        for outputs in (before, after):
            flipped |= np.abs(outputs.means[rows]) <= outputs.rounding * weights
    return flipped


def accuracy(task: Task, before: Measurements, after: Measurements) -> tuple[float, float] | None:
    """Share of right predictions before and after, over all samples; None without labels."""
    if task.labels is None:
        return None
    scores = []
    for measured in (before, after):
        means = np.empty((len(measured.selected.means), task.num_samples))
        means[:, task.selected] = measured.selected.means
        if measured.heldout is not None:
            means[:, task.heldout] = measured.heldout.means
        scores.append(task.accuracy(means) or 0.0)
    return scores[0], scores[1]


def _replaced(basis: Basis, candidate: Candidate) -> Replaced:
    site, matrix = basis.sites[candidate.place], None
    tolerance = float(basis.tolerances[candidate.place])
    if candidate.by:
        bound = [(basis.task.bound_operation(operation), qubits) for operation, qubits in candidate.by]
        unitary = unitary_of(bound, sorted(site.qubits))
        matrix = tuple(tuple((float(x.real), float(x.imag)) for x in row) for row in unitary)
    return Replaced(
        site=candidate.place,
        gate=site.name,
        qubits=site.qubits,
        origins=site.origins,
        subgroup=str(subgroup_of(site)),
        by=candidate.label,
        distance=candidate.distance,
        tolerance=tolerance if np.isfinite(tolerance) else None,
        kappa=basis.noise.kappa(candidate.place, len(site.qubits)),
        largest_angle=float(np.max(candidate.angles)),
        distance_low=candidate.distance_low,
        matrix=matrix,
    )


def plan_of(
    basis: Basis,
    original: Sequence[Site],
    exact: Sequence[ExactChange],
    cancelled: Sequence[ExactChange],
    compared: Sequence[Candidate],
    chosen: Sequence[Candidate],
    turned: set[int],
) -> tuple[PlanEntry, ...]:
    """The fate of every gate of the original.

    Args:
        basis: Simplified gates and tolerances.
        original: The gates before simplification.
        exact: Exact changes before anything was replaced.
        cancelled: Exact changes after.
        compared: Every candidate that was looked at; the first of a gate is shown where nothing was chosen.
        chosen: The replacements.
        turned: Gates of which rotations are left.
    """
    taken = {c.place: c for c in chosen}
    shown = {c.place: c for c in reversed(compared)} | taken
    fate, fixes = _fates(basis.sites, (*cancelled, *exact), taken)
    # A gate may be several rotations, and some of them be left.
    fate |= {k: _in_part(*fate[k]) for k in turned & fate.keys()}
    place = {origin: j for j, site in enumerate(basis.sites) for origin in site.origins}
    return tuple(
        _entry(k, site, shown.get(place.get(k, -1)), basis.tolerances, fate.get(k, ("keep", "")), fixes.get(k, ()))
        for k, site in enumerate(original)
    )


def _fates(
    sites: Sequence[Site], changes: Sequence[ExactChange], taken: Mapping[int, Candidate]
) -> tuple[dict[int, tuple[str, str]], dict[int, tuple[str, ...]]]:
    """What became of the original's gates and why, and the weights that this fixes; gates that stay are not listed."""
    # Later reasons win: a gate that was replaced and then cancelled is gone for the first of the two.
    fate: dict[int, tuple[str, str]] = {}
    fixes: dict[int, tuple[str, ...]] = {}
    for change in changes:
        into = f" into gate {', '.join(map(str, change.into))}" if change.into else ""
        fixed = f"; fixes {', '.join(change.fixes)}" if change.fixes else ""
        fate.update(dict.fromkeys(change.origins, ("simplify", change.kind + into + fixed)))
        fixes.update(dict.fromkeys(change.origins, change.fixes))
    for j, candidate in sorted(taken.items()):
        if candidate.removes:
            fate.update(dict.fromkeys(sites[j].origins, ("remove", candidate.label)))
        else:  # of gates that were merged, the one that stood for them
            left = [origin for origin in sites[j].origins if origin not in fate]
            fate.update(dict.fromkeys(left, ("replace", candidate.label)))
    return fate, fixes


def _in_part(action: str, detail: str) -> tuple[str, str]:
    """The fate of a gate some of whose rotations are left, from that of one that is gone."""
    if action == "remove":
        return "replace", IN_PART
    return (action, "Pauli form") if detail in GONE else (action, detail)


def _entry(
    index: int,
    site: Site,
    seen: Candidate | None,
    tolerances: FloatArray,
    fate: tuple[str, str],
    fixes: tuple[str, ...],
) -> PlanEntry:
    tolerance = None if seen is None else float(tolerances[seen.place])
    group = subgroup_of(site)
    return PlanEntry(
        index=index,
        gate=site.name,
        qubits=site.qubits,
        role=site.role,
        action=fate[0],
        detail=fate[1],
        subgroup="" if group is None else str(group),
        distance=None if seen is None else seen.distance,
        angle=None if seen is None else float(np.max(seen.angles)),
        tolerance=tolerance if tolerance is not None and np.isfinite(tolerance) else None,
        distance_low=None if seen is None else seen.distance_low,
        fixes=fixes,
    )
