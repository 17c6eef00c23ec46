"""The simplified circuit with its prefix expectations, and the way from a smaller circuit to a certified result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.errors import TaskError
from qprune.exact.cx_networks import shorten_networks
from qprune.exact.resynthesis import resynthesise
from qprune.exact.simplify import ExactChange, light_cones, simplify
from qprune.gates.sites import Site, circuit_of, sites_of
from qprune.limits.claims import Basis, Measured, accuracy, deviations, doubt, make_certificate, output_bounds, plan_of
from qprune.limits.compressor import Compressor
from qprune.limits.options import Options
from qprune.limits.removal import Reduced
from qprune.noise.calibration import CircuitNoise
from qprune.noise.forecast import Forecast
from qprune.results.certificate import NoiseRecord
from qprune.results.result import PruneResult
from qprune.selection.candidate import Candidate
from qprune.selection.finder import CandidateFinder, is_prunable, words_for
from qprune.selection.select import angles_used
from qprune.selection.strategies import STRATEGIES
from qprune.selection.windows import Windows, window_size
from qprune.simulators.runner import Runner
from qprune.simulators.values import STATEVECTOR, Outputs, Prefix
from qprune.task.task import Task


class Stage:
    """The simplified circuit with its prefix expectations: what every way of choosing starts from."""

    def __init__(self, task: Task, options: Options) -> None:
        self.task, self.options = task, options
        self.calibration = options.calibration.placed(task.circuit)
        if options.is_measured and len(task.heldout):
            raise TaskError("a hold-out needs a simulator: what an estimator measures on it are no exact deviations")
        # Half of the failure probability each for the pass before and the one after.
        self.runner = Runner(options.simulator, options.threads, options.executor, options.delta / 2)
        self.original = sites_of(task)
        simpler, exact = simplify(task, self.original)
        self.sites, networks = shorten_networks(task, simpler)
        self.exact = exact + networks
        self.noise = self.calibration.of(self.sites)
        self.costs = self.calibration.costs(self.sites) if options.costs is None else options.costs
        self.prefix = self._prefix(task, self.sites, options.progress)
        self.finder = self._finder(task, self.sites, self.prefix, self.noise)
        # Windows hold statevectors.
        self.window = window_size(task, self.sites, options.window) if options.simulator == STATEVECTOR else 0
        self.windows = Windows(task, self.sites, self.window) if self.window else None
        self.tolerances = np.array([self._tolerance(r) for r in self.noise.infidelity.tolist()])

    def _tolerance(self, infidelity: float) -> float:
        """ε_k; infinite where only the budget limits."""
        threshold = self.options.threshold
        return np.inf if threshold is None else self.calibration.tolerance(threshold, infidelity)

    def is_prunable(self, site: Site) -> bool:
        return is_prunable(site, self.options.prune_encoding)

    @property
    def prunable(self) -> list[int]:
        return [k for k, site in enumerate(self.sites) if self.is_prunable(site)]

    def _prefix(self, task: Task, sites: Sequence[Site], progress: bool) -> Prefix:
        kind = self.options.representatives
        wanted = [words_for(site, kind) if self.is_prunable(site) else () for site in sites]
        return self.runner.prefix(task, sites, wanted, task.selected, progress)

    def _finder(self, task: Task, sites: Sequence[Site], prefix: Prefix, noise: CircuitNoise) -> CandidateFinder:
        return CandidateFinder(task, sites, prefix, noise, self.options.aggregate, self.costs)

    def theta(self, chosen: Sequence[Candidate]) -> FloatArray:
        """Θ_{r,i}: the sum of angles inside each output's light cone, or the windows' where that is less (T2, T6)."""
        cone = light_cones(self.task, self.sites, {c.site for c in chosen if c.separates})
        total = angles_used(chosen, cone, (len(self.task.output_supports), len(self.task.selected)))
        theta = np.minimum(total, np.pi / 2)
        return theta if self.windows is None else np.minimum(theta, self.windows.angles(chosen, cone))

    def bound(self, chosen: Sequence[Candidate]) -> FloatArray:
        """The proven limit of every output's change, shape (R, M)."""
        return output_bounds(self.task, self.theta(chosen), self.prefix.outputs)

    # -- for verified mode ---------------------------------------------------------------------------------------

    def start(self) -> Reduced:
        return Reduced(self.task.with_circuit(circuit_of(self.task, self.sites)), self.sites, 0.0)

    def compressor(self) -> Compressor:
        """Verified removal with refit, from this stage's circuit."""
        options = self.options
        strategy = STRATEGIES[options.strategy](options.seed)
        return Compressor(self.task, self.sites, self.is_prunable, self.costs, options.seed, strategy, self.candidates)

    def candidates(self, reduced: Reduced) -> list[Candidate]:
        """Every prunable gate of a smaller circuit against the identity, on that circuit's own prefix states."""
        prefix, noise = self._prefix(reduced.task, reduced.sites, False), self.calibration.of(reduced.sites)
        finder = self._finder(reduced.task, reduced.sites, prefix, noise)
        return finder.identities([k for k, site in enumerate(reduced.sites) if self.is_prunable(site)])

    def deviation(self, reduced: Reduced) -> float:
        """Largest measured change of any output on any selected sample, and what matrix product states may hide."""
        before, after = self.prefix.outputs, self.runner.outputs(reduced.task, reduced.sites, self.task.selected)
        found = deviations(before, after)
        return float(
            (found if self.options.simulator == STATEVECTOR else found + doubt(self.task, before, after)).max()
        )

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

    # -- under noise ---------------------------------------------------------------------------------------------

    @cached_property
    def forecast(self) -> Forecast | None:
        """Predicts outputs under the noise model; None for a single λ."""
        return None if self.calibration.noises is None else Forecast(self.calibration, self.task)

    def predicted(self, pruned: Task, sites: Sequence[Site], outputs: Outputs) -> float | None:
        """Predicted mean deviation of a circuit under noise from the original without; None where it cannot be had.

        Args:
            pruned: The task with the circuit and its weights.
            sites: The circuit.
            outputs: Its noiseless outputs.
        """
        if self.forecast is None:
            return None
        return self.forecast.deviation(pruned, sites, self.prefix.outputs, outputs)

    # -- the end of every way ------------------------------------------------------------------------------------

    def ended(self, reduced: Reduced) -> tuple[Task, tuple[Site, ...], tuple[ExactChange, ...]]:
        """A smaller circuit in its last form: as a task, its gates, and the exact changes that led there."""
        sites, changes = shorten_networks(self.task, reduced.sites)
        circuit = circuit_of(self.task, sites) if changes else reduced.task.circuit
        task = self.task.with_circuit(circuit, reduced.weights)
        if self.options.resynthesis:
            sites, resynthesised = resynthesise(task, sites)
            task = task.with_circuit(circuit_of(task, sites)) if resynthesised else task
            changes += resynthesised
        return task, sites, changes

    def finish(
        self,
        reduced: Reduced,
        chosen: Sequence[Candidate],
        options: Options,
        compared: Sequence[Candidate] = (),
        stopped: tuple[float | None, tuple[tuple[float, float], ...]] = (None, ()),
    ) -> PruneResult:
        """Measure, certify, and gather the result.

        Args:
            reduced: The smaller circuit.
            chosen: What it replaces, in terms of the simplified original.
            options: What was asked for.
            compared: Every candidate that was looked at; default: every gate against the identity.
            stopped: With budget="noise" the budget found, and what was tried (`NoiseRecord.tried`).
        """
        task = self.task
        simplified = circuit_of(task, self.sites)
        theta = self.theta(chosen)
        before = Measured(self.prefix.outputs, self._outputs(task, self.sites, task.heldout))
        pruned, sites, ended = self.ended(reduced)
        selected = self.runner.outputs(pruned, sites, task.selected, self.options.progress)
        after = Measured(selected, self._outputs(pruned, sites, task.heldout))
        record, used = self._noise_record(pruned, sites, selected, stopped[1]), options.record(self.window, stopped[0])
        basis = Basis(task, self.sites, simplified, self.tolerances, self.noise, used, record)
        compared = compared or self.finder.identities(self.prunable)
        return PruneResult(
            original=task,
            flat=circuit_of(task, self.original),
            simplified=simplified,
            task=pruned,
            plan=plan_of(basis, self.original, self.exact, reduced.changes + ended, compared, chosen),
            certificate=make_certificate(basis, pruned, chosen, theta, before, after),
            accuracy=accuracy(task, before, after),
        )

    def _noise_record(
        self, pruned: Task, sites: Sequence[Site], outputs: Outputs, tried: tuple[tuple[float, float], ...]
    ) -> NoiseRecord | None:
        calibration, noise = self.calibration, self.noise
        if calibration.coherence == 1:
            return None
        before = self.predicted(self.task, self.sites, self.prefix.outputs)
        after = self.predicted(pruned, sites, outputs)
        return NoiseRecord(
            source=calibration.source,
            layout=calibration.layout,
            noiseless=calibration.noiseless,
            coherence=tuple(noise.coherence.tolist()),
            infidelity=tuple(noise.infidelity.tolist()),
            accumulated=tuple(noise.accumulated.tolist()),
            totals=(calibration.of(self.original).total, noise.total, calibration.of(sites).total),
            predicted=None if before is None or after is None else (before, after),
            tried=tried,
        )

    def _outputs(self, task: Task, sites: Sequence[Site], samples: NDArray[np.intp]) -> Outputs | None:
        return self.runner.outputs(task, sites, samples) if len(samples) else None
