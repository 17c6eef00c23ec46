"""What every limit starts from: the simplified circuit, looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qprune._arrays import FloatArray
from qprune.errors import OptionError, TaskError
from qprune.exact.cx_networks import shorten_networks
from qprune.exact.light_cone import without_idle
from qprune.exact.pauli import in_pauli_form
from qprune.exact.pauli_form import clifford_gates
from qprune.exact.pauli_gains import with_shares
from qprune.exact.simplify import ExactChange, simplify
from qprune.gates.costs import Costs
from qprune.gates.sites import Site, circuit_of, sites_of
from qprune.limits.settings import PAULI, Settings
from qprune.noise.at_shots import ErrorAtShots
from qprune.noise.calibration import CircuitNoise, NoiseCalibration
from qprune.noise.channels import GateNoise
from qprune.noise.forecast import Forecast
from qprune.selection.gate_distances import GateDistances
from qprune.selection.offers import Offers
from qprune.selection.prunable import is_prunable, words_for
from qprune.selection.windows import Windows, window_ends, window_size
from qprune.simulators.runner import Runner
from qprune.simulators.values import Prefix
from qprune.task.labels import check_convention
from qprune.task.task import Task


@dataclass(frozen=True)
class Comparison:
    """How a limit compares a gate with what may stand in for it.

    Attributes:
        tolerance: ε₀ in [0, √2], the threshold on d_q of a single gate; None where only a budget limits.
        aggregate: "rms" (√Σ p_i d²) or "max" over the samples.
        window: Qubits per window of the bound, 0 for none, or "auto".
    """

    tolerance: float | None = None
    aggregate: str = "rms"
    window: int | str = "auto"


@dataclass(frozen=True)
class Prepared:
    """The simplified circuit with its prefix expectations, its noise and its costs.

    Attributes:
        task: The original.
        settings: What was asked for besides the limit.
        comparison: What was asked for by the limit.
        calibration: The noise, on the physical qubits that were chosen.
        runner: Runs passes.
        original: Gates of the original, composite ones decomposed.
        sites: Gates after exact simplification. In Pauli form their `origins` are their places, as there several may
            stand for one gate of the original.
        origins: Gates of the original behind each of them.
        exact: The exact changes between the two.
        noise: λ_k, r_k, Λ_k and η_k of every gate of `sites`.
        prices: What gates cost, by the user or by the noise.
        costs: What counts as saved where gates go: their prices, and in Pauli form their share of entangling gates.
        prefix: Expectation values before the gates, and the outputs.
        offers: Makes candidates for the gates.
        tolerances: ε_k by site; infinite where only a budget limits.
        window: Qubits per window that are used; 0 for none.
        windows: Measures angles of several gates at once; None without windows.
    """

    task: Task
    settings: Settings
    comparison: Comparison
    calibration: NoiseCalibration
    runner: Runner
    original: tuple[Site, ...]
    sites: tuple[Site, ...]
    origins: tuple[tuple[int, ...], ...]
    exact: tuple[ExactChange, ...]
    noise: CircuitNoise
    prices: Costs
    costs: Costs
    prefix: Prefix
    offers: Offers
    tolerances: FloatArray
    window: int
    windows: Windows | None

    def is_prunable(self, site: Site) -> bool:
        """Whether a gate may be replaced."""
        return is_prunable(site, self.settings.prune_encoding)

    @property
    def prunable(self) -> list[int]:
        """Places of the gates that may be replaced."""
        return [k for k, site in enumerate(self.sites) if self.is_prunable(site)]

    @property
    def told_sites(self) -> tuple[Site, ...]:
        """The gates with those of the original that they stand for, as certificates and plans tell them."""
        return tuple(replace(site, origins=each) for site, each in zip(self.sites, self.origins, strict=True))

    def told(self, changes: Sequence[ExactChange]) -> tuple[ExactChange, ...]:
        """Exact changes of `sites` as changes of the original's gates."""
        if self.settings.form != PAULI:
            return tuple(changes)
        return tuple(replace(c, origins=self._behind(c.origins), into=self._behind(c.into)) for c in changes)

    def turned_by(self, sites: Sequence[Site]) -> set[int]:
        """Gates of the original that rotations of a smaller circuit stand for, if only in part."""
        places = {origin for site in sites if not clifford_gates(site) for origin in site.origins}
        return places if self.settings.form != PAULI else set(self._behind(sorted(places)))

    def _behind(self, places: Sequence[int]) -> tuple[int, ...]:
        return tuple(sorted({origin for k in places for origin in self.origins[k]}))

    def offers_for(self, task: Task, sites: Sequence[Site], progress: bool = False) -> Offers:
        """Makes candidates for the gates of another circuit, on that circuit's own prefix states."""
        prefix = _looked_at(self.runner, self.settings, task, sites, progress)
        noise, aggregate = self.calibration.of(sites), self.comparison.aggregate
        return Offers(GateDistances(task, sites, prefix, noise, aggregate), self.costs)


def prepare(task: Task, settings: Settings, comparison: Comparison) -> Prepared:
    """Simplify a task's circuit exactly, look at its states once, and calibrate the geometry to the noise.

    Raises:
        OptionError: Windows are asked for where there are no statevectors.
        TaskError: A hold-out is to be judged by shots, or the circuit does not fit into memory.
    """
    simulator = settings.simulated
    if simulator.measures and len(task.heldout):
        raise TaskError("a hold-out needs a simulator: what an estimator measures on it are no exact deviations")
    if not simulator.holds_states and comparison.window not in ("auto", 0):
        raise OptionError(
            f"windows work on statevectors, got window={comparison.window!r} with {simulator!r}; leave the window out, "
            "or use Statevector()"
        )
    calibration = settings.calibration.placed(task.circuit)
    runner = Runner(simulator, settings.executor)
    original = sites_of(task)
    simpler, exact = simplify(task, original)
    shorter, networks = shorten_networks(task, simpler)
    sites, idle = (shorter, ()) if settings.couplings is None else without_idle(task, shorter)
    if settings.couplings is not None and settings.form == PAULI:
        sites, rewritten = in_pauli_form(task, sites, _prices(settings, calibration, sites), settings.couplings)
        idle += rewritten
    origins = tuple(site.origins for site in sites)
    if settings.form == PAULI:
        sites = tuple(replace(site, origins=(k,)) for k, site in enumerate(sites))
    noise = calibration.of(sites)
    prices = _prices(settings, calibration, sites)
    costs = with_shares(sites, prices) if settings.form == PAULI else prices
    prefix = _looked_at(runner, settings, task, sites, settings.shown)
    if task.observables is not None:
        check_convention(task.labels, task.selected, prefix.outputs.means, task.spectra[0])
    window = window_size(task, sites, comparison.window) if simulator.holds_states else 0
    return Prepared(
        task=task,
        settings=settings,
        comparison=comparison,
        calibration=calibration,
        runner=runner,
        original=original,
        sites=sites,
        origins=origins,
        exact=exact + networks + idle,
        noise=noise,
        prices=prices,
        costs=costs,
        prefix=prefix,
        offers=Offers(GateDistances(task, sites, prefix, noise, comparison.aggregate), costs),
        tolerances=_tolerances(calibration, comparison.tolerance, noise, task, sites, prefix),
        window=window,
        windows=Windows(task, sites, window_ends(sites, window)) if window else None,
    )


def _prices(settings: Settings, calibration: NoiseCalibration, sites: Sequence[Site]) -> Costs:
    return calibration.costs(sites) if settings.costs is None else settings.costs


def _looked_at(runner: Runner, settings: Settings, task: Task, sites: Sequence[Site], progress: bool) -> Prefix:
    """The expectations that candidates of the prunable gates are compared by."""
    wanted = [
        words_for(site, settings.representatives) if is_prunable(site, settings.prune_encoding) else ()
        for site in sites
    ]
    return runner.prefix(task, sites, wanted, task.selected, progress)


def _tolerances(
    calibration: NoiseCalibration,
    base: float | None,
    noise: CircuitNoise,
    task: Task,
    sites: tuple[Site, ...],
    prefix: Prefix,
) -> FloatArray:
    """ε_k of every gate; infinite where only a budget limits."""
    if base is None:
        return np.full(len(noise.infidelity), np.inf)
    contrast = 1.0
    if calibration.shots is not None and calibration.noises is not None:
        simpler = task.with_circuit(circuit_of(task, sites))
        forecast = ErrorAtShots(Forecast(calibration, task))
        found = forecast.of(simpler, sites, prefix.outputs, prefix.outputs, calibration.shots)
        contrast = 1.0 if found is None else found.contrast
    each = zip(noise.coherence.tolist(), noise.infidelity.tolist(), strict=True)
    return np.array([calibration.tolerance(base, GateNoise(*pair), contrast) for pair in each])
