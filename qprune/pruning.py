"""`prune`: the pipeline, one stage after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune import bounds
from qprune.claims import Basis, Measured, accuracy, deviations, make_certificate, output_bounds, plan_of
from qprune.costs import Costs
from qprune.errors import OptionError, TaskError
from qprune.gates import Site, Word, circuit_of, sites_of
from qprune.noise import NoiseCalibration, calibrate
from qprune.prefix import Outputs, Prefix, final_outputs, forward_pass
from qprune.representatives import KINDS, CandidateFinder, is_prunable
from qprune.result import PruneResult
from qprune.rewrite import apply, light_cones, simplify
from qprune.selection import Candidate, angles_used, extended, within_budget, within_tolerance
from qprune.strategies import STRATEGIES
from qprune.subgroups import subgroup_of
from qprune.task import FloatArray, Task
from qprune.verified import Compressor, Reduced, remove_verified
from qprune.windows import Windows, window_size

DEFAULT_TOLERANCE = 0.05
CERTIFY = ("bound", "verified")


def prune(
    task: Task,
    *,
    tolerance: float | None = None,
    budget: float | None = None,
    certify: str = "bound",
    refit: bool = False,
    window: int | str = "auto",
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
    """Prune a trained circuit once, under a proven or an exactly measured error bound.

    Exact simplifications come first and are reported apart. Then a gate G_k may be replaced by a representative A of
    its subgroup if d_q = √(2 − 2|Tr[D_η(ρ_k) G_k†A]|), aggregated over the ensemble, is at most ε_k. For every sample
    the states differ by an angle Θ ≤ Σ_k θ_k, and every output by at most what Θ allows.

    Args:
        task: Circuit, observables, inputs and weights.
        tolerance: ε₀ in [0, √2], the threshold on d_q of a single gate. Default 0.05 without a budget; with a budget
            no such threshold unless given.
        budget: Largest change allowed on any output of any selected sample, in the observable's unit (total variation
            for probabilities), ≥ 0. The set of gates with the largest total cost that stays within it goes.
        certify: What must stay within the budget: "bound", the proven bound, known before anything is simulated
            again; "verified", the exact deviation of every selected sample, measured after every round of removal.
            Verified says nothing of other inputs: give the task a hold-out for that (T5).
        refit: With "verified": move the surviving weights to make up for what went (least squares on the original's
            outputs, no labels), which admits far more. Entangling gates go first, while all rotations can compensate.
        window: Qubits of a window: the angle of all its gates at once, measured on the original's prefix states,
            replaces the sum of theirs (T6). "auto" takes the whole circuit as one window, whose angle is exact, up to
            14 qubits, and no windows beyond; 0 is the plain sum of T2. A budget is spent on the sharper bound.
        noise: λ in [0, 1] or what `calibrate` returned: deforms the geometry and widens the tolerance.
        aggregate: "rms" (√Σ p_i d²) or "max" over the samples.
        representatives: "identity"; "clifford": also the Clifford points of the class; "class": also medoids of
            the class, whose followers share one free parameter.
        strategy: Who orders the gates under a budget: "q-iprune" (largest total cost), "magnitude" or "random". In
            tolerance mode all that are admissible go, whatever the order.
        costs: Cost by gate name, or a callable on a `Site`; default two-qubit gates 10, rotations 1, rotations about
            Z 0.1. Gates not named keep their default.
        prune_encoding: Whether gates that an input enters may be replaced too.
        seed: For strategies that draw, and for the inputs that refit mixes from the ensemble.
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
    _check_options(task, tolerance, budget, aggregate, representatives, strategy, threads, seed)
    _check_verified(task, tolerance, budget, certify, refit, representatives)
    _check_window(window)
    threshold = DEFAULT_TOLERANCE if tolerance is None and budget is None else tolerance

    stage = _Stage(task, calibration, aggregate, costs, prune_encoding, threads, progress, window)
    tolerances = np.array([_tolerance(site, threshold, calibration) for site in stage.sites])
    options = {
        "tolerance": threshold,
        "budget": budget,
        "certify": certify,
        "refit": refit,
        "window": stage.window,
        "coherence": calibration.coherence,
        "beta": calibration.beta,
        "gamma": calibration.gamma,
        "aggregate": aggregate,
        "representatives": representatives,
        "strategy": strategy,
        "costs": dict(costs) if isinstance(costs, Mapping) else None if costs is None else "callable",
        "prune_encoding": prune_encoding,
        "seed": seed,
    }
    if certify == "verified" and budget is not None:
        if refit:
            compressor = Compressor(task, stage.sites, stage.is_prunable, costs, seed)
            reduced = compressor.compress(budget, progress=progress)
        else:
            reduced = remove_verified(
                stage.start(), budget, stage.candidates, stage.deviation, STRATEGIES[strategy](seed), progress
            )
        return stage.finish(reduced, stage.replacements(reduced), tolerances, options)
    candidates = _candidates(stage, tolerances, representatives)
    chosen = _select(stage, candidates, tolerances, budget, STRATEGIES[strategy](seed))
    final, cancelled = simplify(task, apply(task, stage.sites, {c.site: c.by for c in chosen}))
    pruned = task.with_circuit(circuit_of(task, final))
    return stage.finish(Reduced(pruned, final, np.nan, frozenset(), cancelled), chosen, tolerances, options, candidates)


class _Stage:
    """The simplified circuit with its prefix expectations: what every way of choosing starts from."""

    def __init__(
        self,
        task: Task,
        calibration: NoiseCalibration,
        aggregate: str,
        costs: Costs,
        prune_encoding: bool,
        threads: int,
        progress: bool,
        window: int | str,
    ) -> None:
        self.task, self.calibration, self.aggregate, self.costs = task, calibration, aggregate, costs
        self.prune_encoding, self.threads, self.progress = prune_encoding, threads, progress
        self.original = sites_of(task)
        self.sites, self.exact = simplify(task, self.original)
        self.prefix = self._prefix(task, self.sites, progress)
        self.finder = self._finder(task, self.sites, self.prefix)
        self.window = window_size(task, self.sites, window)
        self.windows = Windows(task, self.sites, self.window) if self.window else None

    def is_prunable(self, site: Site) -> bool:
        return is_prunable(site, self.prune_encoding)

    @property
    def prunable(self) -> list[int]:
        return [k for k, site in enumerate(self.sites) if self.is_prunable(site)]

    def _prefix(self, task: Task, sites: Sequence[Site], progress: bool) -> Prefix:
        wanted = [_words(site) if self.is_prunable(site) else () for site in sites]
        return forward_pass(task, sites, wanted, task.selected, threads=self.threads, progress=progress)

    def _finder(self, task: Task, sites: Sequence[Site], prefix: Prefix) -> CandidateFinder:
        return CandidateFinder(task, sites, prefix, self.calibration, self.aggregate, self.costs)

    def theta(self, chosen: Sequence[Candidate]) -> FloatArray:
        """Θ_{r,i}: the sum of angles inside each output's light cone, or the windows' where that is less (T2, T6)."""
        cone = light_cones(self.task, self.sites, {c.site for c in chosen if c.removes})
        total = angles_used(chosen, cone, (len(self.task.output_supports), len(self.task.selected)))
        theta = np.minimum(total, np.pi / 2)
        return theta if self.windows is None else np.minimum(theta, self.windows.angles(chosen, cone))

    def bound(self, chosen: Sequence[Candidate]) -> FloatArray:
        """The proven limit of every output's change, shape (R, M)."""
        return output_bounds(self.task, self.theta(chosen), self.prefix.outputs)

    # -- for verified mode ---------------------------------------------------------------------------------------

    def start(self) -> Reduced:
        return Reduced(self.task.with_circuit(circuit_of(self.task, self.sites)), self.sites, 0.0)

    def candidates(self, reduced: Reduced) -> list[Candidate]:
        """Every prunable gate of a smaller circuit against the identity, on that circuit's own prefix states."""
        finder = self._finder(reduced.task, reduced.sites, self._prefix(reduced.task, reduced.sites, False))
        return [finder.identity(k) for k, site in enumerate(reduced.sites) if self.is_prunable(site)]

    def deviation(self, reduced: Reduced) -> float:
        """Largest measured change of any output on any selected sample."""
        after = final_outputs(reduced.task, reduced.sites, self.task.selected, threads=self.threads)
        return float(deviations(self.prefix.outputs, after).max())

    def replacements(self, reduced: Reduced) -> list[Candidate]:
        """What a smaller circuit replaced, in terms of the simplified original: gates gone, and weights moved."""
        weights = {p.name: v for p, v in zip(self.task.weight_params, self.task.weights.tolist(), strict=True)}
        moved = self.task.with_circuit(self.task.circuit, weights | reduced.weights)
        found = []
        for k, site in enumerate(self.sites):
            if set(site.origins) <= reduced.gone:
                found.append(self.finder.identity(k))
            elif site.role == "trainable" and (candidate := self.finder.moved(k, moved)) is not None:
                found.append(candidate)
        return found

    # -- the end of every way ------------------------------------------------------------------------------------

    def finish(
        self,
        reduced: Reduced,
        chosen: Sequence[Candidate],
        tolerances: FloatArray,
        options: dict[str, Any],
        compared: Sequence[Candidate] = (),
    ) -> PruneResult:
        """Measure, certify, and gather the result."""
        task = self.task
        basis = Basis(task, self.sites, tolerances, self.calibration, options)
        theta = self.theta(chosen)
        before = Measured(self.prefix.outputs, self._outputs(task, self.sites, task.heldout))
        pruned = task.with_circuit(reduced.task.circuit, reduced.weights)
        selected = final_outputs(pruned, reduced.sites, task.selected, threads=self.threads, progress=self.progress)
        after = Measured(selected, self._outputs(pruned, reduced.sites, task.heldout))
        compared = compared or [self.finder.identity(k) for k in self.prunable]
        return PruneResult(
            original=task,
            flat=circuit_of(task, self.original),
            simplified=circuit_of(task, self.sites),
            task=pruned,
            plan=plan_of(basis, self.original, self.exact, reduced.changes, compared, chosen),
            certificate=make_certificate(basis, pruned, chosen, theta, before, after),
            accuracy=accuracy(task, before, after),
        )

    def _outputs(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp]) -> Outputs | None:
        return final_outputs(task, sites, samples, threads=self.threads) if len(samples) else None


# -- options ------------------------------------------------------------------------------------------------------


def _check_options(
    task: Task,
    tolerance: float | None,
    budget: float | None,
    aggregate: str,
    representatives: str,
    strategy: str,
    threads: int,
    seed: int,
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
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError(f"seed must be an integer ≥ 0, got {seed!r}")


def _check_window(window: object) -> None:
    if window != "auto" and (isinstance(window, bool) or not isinstance(window, int) or window < 0):
        raise OptionError(f'window must be a number of qubits ≥ 0, 0 for none, or "auto", got {window!r}')


def _check_verified(
    task: Task, tolerance: float | None, budget: float | None, certify: str, refit: bool, representatives: str
) -> None:
    if certify not in CERTIFY:
        raise OptionError(f"certify must be one of {', '.join(map(repr, CERTIFY))}, got {certify!r}")
    if not isinstance(refit, bool):
        raise OptionError(f"refit must be True or False, got {refit!r}")
    if certify == "bound":
        if refit:
            raise OptionError('refit=True needs certify="verified": moved weights are judged by measuring')
        return
    if budget is None:
        raise OptionError('certify="verified" needs a budget: the largest measured deviation to allow')
    if tolerance is not None or representatives != "identity":
        raise OptionError(
            'certify="verified" removes gates by measured deviation; leave out tolerance and representatives, got '
            f"tolerance={tolerance!r}, representatives={representatives!r}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


# -- choosing by the bound ----------------------------------------------------------------------------------------


def _words(site: Site) -> tuple[Word, ...]:
    group = subgroup_of(site)
    return () if group is None else group.words


def _tolerance(site: Site, threshold: float | None, calibration: NoiseCalibration) -> float:
    """ε_k; infinite where only the budget limits."""
    return np.inf if threshold is None else calibration.tolerance(threshold, len(site.qubits))


def _candidates(stage: _Stage, tolerances: FloatArray, representatives: str) -> list[Candidate]:
    finder, sites = stage.finder, stage.sites
    candidates = [finder.identity(k) for k in stage.prunable]
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
    return candidates


def _select(
    stage: _Stage, candidates: Sequence[Candidate], tolerances: FloatArray, budget: float | None, strategy: Any
) -> list[Candidate]:
    if budget is None:
        return within_tolerance(candidates, tolerances)
    admissible = [c for c in candidates if c.distance <= tolerances[c.site]]
    limits = _largest_angles(stage.task, budget, stage.prefix.outputs)
    taken = within_budget(
        admissible, limits, lambda removed: light_cones(stage.task, stage.sites, removed), strategy, stage.sites
    )
    if stage.windows is None:
        return taken
    return extended(taken, admissible, lambda chosen: bool(np.all(stage.bound(chosen) <= budget)))


def _largest_angles(task: Task, budget: float, outputs: Outputs) -> FloatArray:
    if task.observables is None:
        return bounds.largest_distribution_angle(budget, len(task.selected))[None]
    return np.array(
        [
            bounds.largest_angle(budget, outputs.means[r], outputs.deviations[r], spectrum)
            for r, spectrum in enumerate(task.spectra)
        ]
    )
