"""`prune`: the pipeline, one stage after the other."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2

from qprune._arrays import FloatArray
from qprune.exact.simplify import apply, light_cones, simplify
from qprune.gates.costs import Costs, cost_of
from qprune.gates.sites import circuit_of
from qprune.gates.subgroups import subgroup_of
from qprune.geometry import bounds
from qprune.limits.options import DEFAULT_DELTA, DEFAULT_TOLERANCE, Options
from qprune.limits.prepared import Stage
from qprune.limits.removal import Reduced, remove_verified
from qprune.limits.under_noise import reduce_for_noise
from qprune.noise.calibration import Noise
from qprune.results.result import PruneResult
from qprune.selection.candidate import Candidate
from qprune.selection.finder import has_pair
from qprune.selection.select import extended, within_budget, within_tolerance
from qprune.selection.strategies import STRATEGIES
from qprune.simulators.values import Outputs
from qprune.task.task import Task, checked_task


def prune(
    task: Task,
    *,
    tolerance: float | None = None,
    budget: float | str | None = None,
    certify: str = "bound",
    refit: bool | str = False,
    window: int | str = "auto",
    noise: Noise = None,
    aggregate: str = "rms",
    representatives: str = "identity",
    strategy: str = "q-iprune",
    costs: Costs = None,
    prune_encoding: bool = False,
    resynthesis: bool = False,
    seed: int = 0,
    simulator: str | BaseEstimatorV2 = "statevector",
    delta: float = DEFAULT_DELTA,
    threads: int = 1,
    executor: Executor | None = None,
    progress: bool = False,
) -> PruneResult:
    """Prune a trained circuit once, under a proven or an exactly measured error bound.

    Exact simplifications come first and are reported apart. Then a gate G_k may be replaced by a representative A of
    its subgroup if d_q = √(2 − 2|Tr[D_η(ρ_k) G_k†A]|), aggregated over the ensemble, is at most ε_k. For every sample
    the states differ by an angle Θ ≤ Σ_k θ_k, and every output by at most what Θ allows.

    Args:
        task: Circuit, observables, inputs and weights.
        tolerance: ε₀ in [0, √2], the threshold on d_q of a single gate. Default 0.05 without a budget; with a budget
            no such threshold unless given.
        budget: Largest change allowed on any output of any selected sample, in the observable's unit (total variation
            for probabilities), ≥ 0. The set of gates with the largest total cost that stays within it goes. "noise",
            with "verified" and a noise model: budgets rise until removing more would add more deviation than it saves
            noise, by a prediction of the noisy outputs; the certificate has the budget that was best.
        certify: What must stay within the budget: "bound", the proven bound, known before anything is simulated
            again; "verified", the exact deviation of every selected sample, measured after every round of removal.
            Verified says nothing of other inputs: give the task a hold-out for that (T5).
        refit: With "verified": move the surviving weights to make up for what went (least squares on the original's
            outputs, no labels), which admits far more. Entangling gates go first, while all rotations can compensate.
            "noise", with that budget: at last so that the noisy outputs, as predicted, are the original's; for that
            device alone, as without its noise outputs are then too large.
        window: Qubits of a window: the angle of all its gates at once, measured on the original's prefix states,
            replaces the sum of theirs (T6). "auto" takes the whole circuit as one window, whose angle is exact, while
            2^n · M ≤ 2^14, and no windows beyond; 0 is the plain sum of T2. A budget is spent on the sharper bound.
        noise: λ in [0, 1], or anything else that `calibrate` takes, or what it returned: deforms the geometry and
            widens the tolerance; read from a noise model, it sets the costs too.
        aggregate: "rms" (√Σ p_i d²) or "max" over the samples.
        representatives: "identity"; "clifford": also the Clifford points of the class; "class": also medoids of
            the class, whose followers share one free parameter; "local": also, for two-qubit gates without inputs,
            the pairs of one-qubit gates nearest on the task's states.
        strategy: Who orders the gates under a budget: "q-iprune" (largest total cost), "magnitude" or "random". In
            tolerance mode all that are admissible go, whatever the order.
        costs: Cost by gate name, or a callable on a `Site`; default two-qubit gates 10, rotations 1, rotations about
            Z 0.1. Gates not named keep their default. With a noise model the default is what removal saves: r_k.
        prune_encoding: Whether gates that an input enters may be replaced too.
        resynthesis: At last, runs of gates on two qubits without inputs become the circuit with the fewest CX for what
            they do at the weights' values, where that takes fewer. Exact, but their weights become numbers: they are
            None in `weight_map` and named in the plan and the report. A weight that moves other gates too stays free
            for those, while the run keeps its old value.
        seed: For strategies that draw, and for the inputs that refit mixes from the ensemble.
        simulator: "statevector", Aer's; "matrix_product_state": for circuits too wide for that and of low entanglement,
            best with gates on neighbouring qubits. What truncation may change enters every bound (T7). Or an
            EstimatorV2 primitive, which measures the expectation values, on a device if it is one's: then distances
            are intervals, and the bound holds but for a probability delta (T8).
        delta: That probability, in (0, 1), for all values of an estimator together.
        threads: Threads for Aer, from four on and for states beyond 2^15 amplitudes: smaller ones and fewer threads are
            faster with all samples in one state, which takes one thread.
        executor: Simulates the samples on its workers: a `ProcessPoolExecutor`, Dask's `client.get_executor()`, an
            `MPIPoolExecutor`, …. The result is that of the same call without it, to the last bit, and a worker that
            dies costs time only. What refit and windows do stays in this process.
        progress: Show progress bars on stderr, where that is a terminal.

    Returns:
        The pruned circuit with its plan and certificate.

    Raises:
        OptionError: An option is out of its range.
        TaskError: The circuit does not fit into memory.

    Source: THEORY T1, T2, T4, T5; arXiv:2512.24019.
    """
    task = checked_task(task)
    options = Options(
        tolerance=tolerance,
        budget=budget,
        certify=certify,
        refit=refit,
        window=window,
        noise=noise,
        aggregate=aggregate,
        representatives=representatives,
        strategy=strategy,
        costs=costs,
        prune_encoding=prune_encoding,
        resynthesis=resynthesis,
        seed=seed,
        simulator=simulator,
        delta=delta,
        threads=threads,
        executor=executor,
        progress=progress,
    )
    stage = Stage(task, options)
    if options.budget == "noise":
        reduced, found = reduce_for_noise(stage, options)
        noisy = found.budget, tuple(found.tried)
        return stage.finish(reduced, stage.replacements(reduced), options, stopped=noisy)
    if certify == "verified":
        reduced = _reduce(stage, options)
        return stage.finish(reduced, stage.replacements(reduced), options)
    candidates = _candidates(stage, representatives)
    chosen = _select(stage, candidates, options)
    final, cancelled = simplify(task, apply(task, stage.sites, {c.site: c.by for c in chosen}))
    pruned = task.with_circuit(circuit_of(task, final))
    return stage.finish(Reduced(pruned, final, np.nan, frozenset(), cancelled), chosen, options, candidates)


def _reduce(stage: Stage, options: Options) -> Reduced:
    budget = float(options.budget or 0)
    strategy = STRATEGIES[options.strategy](options.seed)
    plain = remove_verified(stage.start(), budget, stage.candidates, stage.deviation, strategy, options.progress)
    if not options.refit:
        return plain
    # Several starts, as each may get stuck: the whole circuit, twice as blocks are drawn, and what goes without refit.
    compressor = stage.compressor()
    starts = (
        (None, None, compressor.adopt(plain)) if options.strategy == "q-iprune" else (None, compressor.adopt(plain))
    )
    ends = [compressor.compress(budget, start, progress=options.progress) for start in starts]
    return min(ends, key=lambda reduced: (compressor.total_cost(reduced), reduced.deviation))


def _candidates(stage: Stage, representatives: str) -> list[Candidate]:
    finder, sites, tolerances = stage.finder, stage.sites, stage.tolerances
    candidates = finder.identities(stage.prunable)
    # Under a budget alone, gates share a medoid up to the default tolerance.
    reach = np.where(np.isfinite(tolerances), tolerances, DEFAULT_TOLERANCE)
    stay = [c.site for c in candidates if c.distance > reach[c.site]]
    if representatives == "clifford":
        for k in stay:
            if sites[k].role == "trainable":
                candidates += finder.clifford(k)
    elif representatives == "class":
        classes: dict[Any, list[int]] = {}
        for k in stay:
            if sites[k].role != "encoding":
                classes.setdefault(subgroup_of(sites[k]), []).append(k)
        for members in classes.values():
            if len(members) > 1:
                candidates += finder.medoids(members, reach)
    elif representatives == "local":
        candidates += [c for k in stage.prunable if has_pair(sites[k]) for c in finder.local(k)]
    return candidates


def _select(stage: Stage, candidates: Sequence[Candidate], options: Options) -> list[Candidate]:
    if options.budget is None:
        return within_tolerance(candidates, stage.tolerances, stage.finder.pairs)
    budget = float(options.budget)
    admissible = [c for c in candidates if c.distance <= stage.tolerances[c.site]]
    removals = [c for c in admissible if c.removes]
    # More to choose from is no promise of a better choice where a search is cut short or greedy: removals alone, too.
    choices = [removals] if len(removals) == len(admissible) else [admissible, removals]
    found = [_within(stage, some, budget, options) for some in choices]
    return found[0] if len(found) == 1 else min(found, key=lambda chosen: _cost_left(stage, chosen))


def _cost_left(stage: Stage, chosen: Sequence[Candidate]) -> float:
    left, _ = simplify(stage.task, apply(stage.task, stage.sites, {c.site: c.by for c in chosen}))
    return sum(cost_of(site, stage.costs) for site in left)


def _within(stage: Stage, candidates: Sequence[Candidate], budget: float, options: Options) -> list[Candidate]:
    task, sites, pairs = stage.task, stage.sites, stage.finder.pairs
    limits = _largest_angles(task, budget, stage.prefix.outputs)
    strategy = STRATEGIES[options.strategy](options.seed)
    taken = within_budget(
        candidates, limits, lambda separated: light_cones(task, sites, separated), strategy, sites, pairs
    )
    if stage.windows is None:
        return taken
    return extended(
        taken, candidates, lambda chosen: bool(np.all(stage.bound(chosen) <= budget)), strategy, sites, pairs
    )


def _largest_angles(task: Task, budget: float, outputs: Outputs) -> FloatArray:
    if task.observables is None:
        return bounds.largest_distribution_angle(budget, len(task.selected))[None]
    return np.array(
        [
            bounds.largest_angle(budget, outputs.means[r], outputs.deviations[r], spectrum, outputs.rounding)
            for r, spectrum in enumerate(task.spectra)
        ]
    )
