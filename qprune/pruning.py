"""`prune`: the pipeline, one stage after the other."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from numbers import Real
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from qprune import bounds
from qprune.certificate import Certificate, Replaced, circuit_hash, package_versions, rows_of, task_hash
from qprune.costs import Costs
from qprune.errors import OptionError, TaskError
from qprune.gates import Site, bound_operation, circuit_of, sites_of
from qprune.noise import NoiseCalibration, calibrate
from qprune.prefix import Outputs, final_outputs, forward_pass
from qprune.representatives import KINDS, CandidateFinder, is_prunable
from qprune.result import PlanEntry, PruneResult
from qprune.rewrite import ExactChange, apply, light_cones, simplify
from qprune.selection import Candidate, angles_used, within_budget, within_tolerance
from qprune.strategies import STRATEGIES
from qprune.subgroups import subgroup_of
from qprune.task import FloatArray, Task

DEFAULT_TOLERANCE = 0.05
HOLDOUT_DELTA = 0.05  # each hold-out statement holds with probability 95 %


def prune(
    task: Task,
    *,
    tolerance: float | None = None,
    budget: float | None = None,
    noise: float | NoiseCalibration | None = None,
    aggregate: str = "rms",
    representatives: str = "identity",
    strategy: str = "q-iprune",
    costs: Costs = None,
    prune_encoding: bool = False,
    seed: int = 0,
    threads: int = 1,
    progress: bool = False,
) -> PruneResult:
    """Prune a trained circuit once, under a proven error bound.

    Exact simplifications come first and are reported apart. Then a gate G_k may be replaced by a representative A of
    its subgroup if d_q = √(2 − 2|Tr[D_η(ρ_k) G_k†A]|), aggregated over the ensemble, is at most ε_k. For every sample
    the states differ by an angle Θ ≤ Σ_k θ_k, and every output by at most what Θ allows.

    Args:
        task: Circuit, observables, inputs and weights.
        tolerance: ε₀ in [0, √2], the threshold on d_q of a single gate. Default 0.05 without a budget; with a budget
            no such threshold unless given.
        budget: Largest change allowed on any output of any selected sample, in the observable's unit (total variation
            for probabilities), ≥ 0. The set of gates with the largest total cost whose proven bound stays within it
            goes.
        noise: λ in [0, 1] or what `calibrate` returned: deforms the geometry and widens the tolerance.
        aggregate: "rms" (√Σ p_i d²) or "max" over the samples.
        representatives: "identity"; "clifford": also the Clifford points of the class; "class": also medoids of
            the class, whose followers share one free parameter.
        strategy: Who orders the gates under a budget: "q-iprune" (largest total cost), "magnitude" or "random". In
            tolerance mode all that are admissible go, whatever the order.
        costs: Cost by gate name, or a callable on a `Site`; default two-qubit gates 10, rotations 1, rotations about
            Z 0.1. Gates not named keep their default.
        prune_encoding: Whether gates that an input enters may be replaced too.
        seed: For strategies that draw.
        threads: Threads for Aer; 1 is the safe choice on a busy machine.
        progress: Show progress bars on stderr, where that is a terminal.

    Returns:
        The pruned circuit with its plan and certificate.

    Raises:
        OptionError: An option is out of its range.
        TaskError: The circuit does not fit into memory.

    Source: THEORY T1, T2, T4, T5; arXiv:2512.24019.
    """
    calibration = calibrate(noise)
    _check_options(task, tolerance, budget, aggregate, representatives, strategy, threads)
    threshold = DEFAULT_TOLERANCE if tolerance is None and budget is None else tolerance

    original = sites_of(task)
    sites, exact = simplify(task, original)
    prunable = [k for k, site in enumerate(sites) if is_prunable(site, prune_encoding)]
    wanted = [_words(site) if k in set(prunable) else () for k, site in enumerate(sites)]
    prefix = forward_pass(task, sites, wanted, task.selected, threads=threads, progress=progress)

    tolerances = np.array([_tolerance(site, threshold, calibration) for site in sites])
    finder = CandidateFinder(task, sites, prefix, calibration, aggregate, costs)
    candidates = _candidates(finder, prunable, tolerances, representatives)
    chosen = _select(task, sites, candidates, tolerances, budget, threshold, prefix.outputs, STRATEGIES[strategy](seed))

    replaced_sites = apply(task, sites, {c.site: c.by for c in chosen})
    final, cancelled = simplify(task, replaced_sites)
    pruned = task.with_circuit(circuit_of(task, final))
    simplified = circuit_of(task, sites)

    cone = light_cones(task, sites, {c.site for c in chosen if c.removes})
    theta = np.minimum(angles_used(chosen, cone, (len(task.output_supports), len(task.selected))), np.pi / 2)
    before, before_held = prefix.outputs, _held_out(task, sites, threads)
    after = final_outputs(task, final, task.selected, threads=threads, progress=progress)
    after_held = _held_out(task, final, threads)
    certificate = Certificate(
        original_hash=circuit_hash(task.circuit),
        simplified_hash=circuit_hash(simplified),
        pruned_hash=circuit_hash(pruned.circuit),
        task_hash=task_hash(task),
        options={
            "tolerance": threshold,
            "budget": budget,
            "coherence": calibration.coherence,
            "beta": calibration.beta,
            "gamma": calibration.gamma,
            "aggregate": aggregate,
            "representatives": representatives,
            "strategy": strategy,
            "prune_encoding": prune_encoding,
            "seed": seed,
        },
        outputs=task.output_names,
        samples=tuple(int(i) for i in task.selected),
        replaced=tuple(_replaced(task, sites[c.site], c, tolerances, threshold, calibration) for c in chosen),
        angle=rows_of(theta),
        bound=rows_of(_bound(task, theta, before)),
        measured=rows_of(deviations(before, after)),
        certified_predictions=_certified(task, theta, before),
        mean_state_error=bounds.mean_state_error(
            np.array([2 * np.sin(c.angles / 2) for c in chosen]).reshape(len(chosen), len(task.selected)),
            task.selection_weights(),
        ),
        angle_from_tolerances=_closed_form(sites, chosen, tolerances, budget, aggregate, calibration),
        holdout=_holdout_claim(task, before_held, after_held),
        versions=dict(package_versions()),
    )
    return PruneResult(
        original=task,
        flat=circuit_of(task, original),
        simplified=simplified,
        task=pruned,
        plan=_plan(original, sites, exact, cancelled, candidates, chosen, tolerances, threshold),
        certificate=certificate,
        accuracy=_accuracy(task, (before, before_held), (after, after_held)),
    )


# -- options ------------------------------------------------------------------------------------------------------


def _check_options(
    task: Task,
    tolerance: float | None,
    budget: float | None,
    aggregate: str,
    representatives: str,
    strategy: str,
    threads: int,
) -> None:
    if not isinstance(task, Task):
        raise TaskError(f"task must be a qprune.Task, got {type(task).__name__}; wrap the circuit: Task(circuit, …)")
    if tolerance is not None and not (_is_number(tolerance) and 0 <= tolerance <= sqrt(2)):
        raise OptionError(f"tolerance must be a number in [0, √2], the range of d_q, got {tolerance!r}")
    if budget is not None and not (_is_number(budget) and budget >= 0):
        raise OptionError(f"budget must be a finite number ≥ 0 in units of the observable, got {budget!r}")
    for name, value, allowed in (
        ("aggregate", aggregate, ("rms", "max")),
        ("representatives", representatives, KINDS),
        ("strategy", strategy, tuple(STRATEGIES)),
    ):
        if value not in allowed:
            raise OptionError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise OptionError(f"threads must be an integer ≥ 1, got {threads!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


# -- stages -------------------------------------------------------------------------------------------------------


def _words(site: Site) -> tuple:
    group = subgroup_of(site)
    return () if group is None else group.words


def _tolerance(site: Site, threshold: float | None, calibration: NoiseCalibration) -> float:
    """ε_k; infinite where only the budget limits."""
    return np.inf if threshold is None else calibration.tolerance(threshold, len(site.qubits))


def _candidates(
    finder: CandidateFinder, prunable: Sequence[int], tolerances: FloatArray, representatives: str
) -> list[Candidate]:
    candidates = [finder.identity(k) for k in prunable]
    stay = [k for k, c in zip(prunable, candidates, strict=True) if c.distance > _finite(tolerances[k])]
    if representatives == "clifford":
        for k in stay:
            if finder.sites[k].role != "fixed":
                candidates += finder.clifford(k)
    elif representatives == "class":
        classes: dict[Any, list[int]] = {}
        for k in stay:
            if finder.sites[k].role != "encoding":
                classes.setdefault(subgroup_of(finder.sites[k]), []).append(k)
        reach = np.array([_finite(t) for t in tolerances])
        for members in classes.values():
            if len(members) > 1:
                candidates += finder.medoids(members, reach)
    return candidates


def _finite(tolerance: float) -> float:
    """The distance up to which a class's gates may share a medoid; under a budget alone the default tolerance."""
    return tolerance if np.isfinite(tolerance) else DEFAULT_TOLERANCE


def _select(
    task: Task,
    sites: Sequence[Site],
    candidates: Sequence[Candidate],
    tolerances: FloatArray,
    budget: float | None,
    threshold: float | None,
    outputs: Outputs,
    strategy: Any,
) -> list[Candidate]:
    if budget is None:
        return within_tolerance(candidates, tolerances)
    if threshold is not None:
        candidates = [c for c in candidates if c.distance <= tolerances[c.site]]
    limits = _largest_angles(task, budget, outputs)
    return within_budget(candidates, limits, lambda removed: light_cones(task, sites, removed), strategy, sites)


def _largest_angles(task: Task, budget: float, outputs: Outputs) -> FloatArray:
    if task.observables is None:
        return bounds.largest_distribution_angle(budget, len(task.selected))[None]
    return np.array(
        [
            bounds.largest_angle(budget, outputs.means[r], outputs.deviations[r], spectrum)
            for r, spectrum in enumerate(task.spectra)
        ]
    )


def _held_out(task: Task, sites: Sequence[Site], threads: int) -> Outputs | None:
    return final_outputs(task, sites, task.heldout, threads=threads) if len(task.heldout) else None


# -- claims -------------------------------------------------------------------------------------------------------


def _bound(task: Task, theta: FloatArray, before: Outputs) -> FloatArray:
    if task.observables is None:
        return bounds.distribution_bound(theta)
    return np.array(
        [
            bounds.observable_bound(theta[r], before.means[r], before.deviations[r], spectrum)
            for r, spectrum in enumerate(task.spectra)
        ]
    )


def deviations(before: Outputs, after: Outputs) -> FloatArray:
    """|Δ⟨O_r⟩| or total variation per output and sample, shape (R, M)."""
    if before.distribution is None or after.distribution is None:
        return np.abs(after.means - before.means)
    return 0.5 * np.abs(after.distribution - before.distribution).sum(axis=1)[None]


def _certified(task: Task, theta: FloatArray, before: Outputs) -> tuple[tuple[bool, ...] | None, ...]:
    if task.observables is None:
        return (None,)
    return tuple(
        tuple(bool(x) for x in bounds.predictions_certified(theta[r], before.means[r])) if s.is_involution else None
        for r, s in enumerate(task.spectra)
    )


def _closed_form(
    sites: Sequence[Site],
    chosen: Sequence[Candidate],
    tolerances: FloatArray,
    budget: float | None,
    aggregate: str,
    calibration: NoiseCalibration,
) -> float | None:
    if aggregate != "max" or not np.all(np.isfinite(tolerances)):
        return None
    kappas = np.array([calibration.kappa(len(sites[c.site].qubits)) for c in chosen])
    return bounds.angle_from_tolerances(kappas, np.array([tolerances[c.site] for c in chosen]))


def _holdout_claim(task: Task, before: Outputs | None, after: Outputs | None) -> bounds.HoldoutClaim | None:
    if before is None or after is None:
        return None
    ceiling, flips = 1.0, None
    if task.observables is not None:
        ceiling = max(s.high - s.low for s in task.spectra)
        signed = [r for r, s in enumerate(task.spectra) if s.is_involution]
        if signed:
            flipped = np.sign(before.means[signed]) != np.sign(after.means[signed])
            flips = int(np.any(flipped, axis=0).sum())
    return bounds.holdout_claim(deviations(before, after).max(axis=0), ceiling, flips, HOLDOUT_DELTA)


def _accuracy(
    task: Task, before: tuple[Outputs, Outputs | None], after: tuple[Outputs, Outputs | None]
) -> tuple[float, float] | None:
    if task.labels is None:
        return None
    scores = []
    for selected, held in (before, after):
        means = np.empty((len(selected.means), task.num_samples))
        means[:, task.selected] = selected.means
        if held is not None:
            means[:, task.heldout] = held.means
        scores.append(task.accuracy(means) or 0.0)
    return scores[0], scores[1]


def _replaced(
    task: Task,
    site: Site,
    candidate: Candidate,
    tolerances: FloatArray,
    threshold: float | None,
    calibration: NoiseCalibration,
) -> Replaced:
    matrix = None
    if candidate.by:
        qubits = tuple(sorted(site.qubits))
        local = QuantumCircuit(len(qubits))
        for operation, where in candidate.by:
            local.append(bound_operation(task, operation), [qubits.index(q) for q in where])
        matrix = tuple(tuple((float(x.real), float(x.imag)) for x in row) for row in Operator(local).data)
    return Replaced(
        site=candidate.site,
        gate=site.name,
        qubits=site.qubits,
        origins=site.origins,
        subgroup=str(subgroup_of(site)),
        by=candidate.label,
        distance=candidate.distance,
        tolerance=None if threshold is None else float(tolerances[candidate.site]),
        kappa=calibration.kappa(len(site.qubits)),
        largest_angle=float(np.max(candidate.angles)),
        matrix=matrix,
    )


def _plan(
    original: Sequence[Site],
    sites: Sequence[Site],
    exact: Sequence[ExactChange],
    cancelled: Sequence[ExactChange],
    candidates: Sequence[Candidate],
    chosen: Sequence[Candidate],
    tolerances: FloatArray,
    threshold: float | None,
) -> tuple[PlanEntry, ...]:
    compared: dict[int, Candidate] = {}
    for candidate in candidates:
        compared.setdefault(candidate.site, candidate)  # the identity comes first
    taken = {c.site: c for c in chosen}
    # Later reasons win: a gate that was replaced and then cancelled is gone for the first of the two.
    fate: dict[int, tuple[str, str]] = {}
    for change in (*cancelled, *exact):
        for k in change.origins:
            into = f" into gate {', '.join(map(str, change.into))}" if change.into else ""
            fate[k] = ("simplify", change.kind + into)
    place: dict[int, int] = {}
    for j, left in enumerate(sites):
        for k in left.origins:
            place[k] = j
            if j in taken:
                fate[k] = ("remove" if taken[j].removes else "replace", taken[j].label)
    entries = []
    for k, site in enumerate(original):
        s = place.get(k)
        shown = None if s is None else taken.get(s, compared.get(s))
        action, detail = fate.get(k, ("keep", ""))
        group = subgroup_of(site)
        entries.append(
            PlanEntry(
                index=k,
                gate=site.name,
                qubits=site.qubits,
                role=site.role,
                action=action,
                detail=detail,
                subgroup="" if group is None else str(group),
                distance=None if shown is None else shown.distance,
                angle=None if shown is None else float(np.max(shown.angles)),
                tolerance=None if threshold is None or shown is None or s is None else float(tolerances[s]),
            )
        )
    return tuple(entries)
