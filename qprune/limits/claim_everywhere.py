"""What is proven of two circuits for every input of a domain.

Source: THEORY T9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np

from qprune._arrays import FloatArray
from qprune.errors import OptionError, TaskError
from qprune.gates.sites import Site
from qprune.geometry.ascent import Climber
from qprune.geometry.phases import PhaseMap
from qprune.geometry.regions import Ellipsoid, Region
from qprune.geometry.supremum import GAP, MOST_CELLS, Supremum, supremum
from qprune.geometry.trigonometric import coefficients, norm_of
from qprune.limits.amplitudes import OtherStates, OverStates
from qprune.limits.grid_runs import GridValues, Known, differences
from qprune.limits.on_inputs import Check, centres_of, outputs_at, unlimited, weights_of
from qprune.limits.phases import MOST_RUNS, check_runs, encoded, errors_of, phases_of
from qprune.limits.state_changes import StateChange
from qprune.results.every_input import EveryInput, OutputEverywhere
from qprune.task.domain import Domain, Resolved, checked_domain, resolved
from qprune.task.task import Task

DRAWN = 2000  # inputs of the domain from which the share of its volume is estimated
SEARCHABLE = MOST_RUNS  # control points of a cell beyond which there is no search: the sum of amplitudes is the limit
FEWEST_CELLS = 64  # of a search, however many control points each has
SEARCHED = 2**28  # control points looked at for one output of one of the many circuits that a search judges
SHARP = 1e-6  # gap of a claim that a limit lies in: such a claim is to say on which side


def every_input(
    original: Task,
    original_sites: Sequence[Site],
    pruned: Task,
    pruned_sites: Sequence[Site],
    domain: Domain | str = "data",
    *,
    gap: float = GAP,
    time_limit: float = np.inf,
    most_runs: int = MOST_RUNS,
    starts: FloatArray | None = None,
    limit: float | None = None,
    seed: int = 0,
) -> EveryInput:
    """Enclose the largest deviation over all inputs of a domain.

    The difference of an output is a trigonometric polynomial in the phases that inputs make. ∏(2d_j+1) runs of each
    circuit give all of it, and branch and bound its largest absolute value over the domain, between two limits.

    Args:
        original: The original task; its samples define a domain of data.
        original_sites: Its gates.
        pruned: The smaller circuit, on the same inputs and outputs, with its own weights.
        pruned_sites: Its gates.
        domain: A `Domain`, or "data" for the box of the task's samples.
        gap: Relative distance of the limits at which the search stops, in (0, 1).
        time_limit: Seconds for the runs and the searches, shared by the outputs; the limits hold whenever the searches
            stop.
        most_runs: Refuse what takes more runs of each circuit.
        starts: Inputs to look at first, shape (P, n).
        limit: To be kept: where the gap leaves open whether it is, the search goes on until that is known.
        seed: Of the inputs that are drawn.

    Raises:
        OptionError: Too many runs, no time for them, or an option out of its range.
        TaskError: An angle cannot be read as a function of the inputs, or the domain does not fit.

    Source: THEORY T9.
    """
    comparison = EveryInputComparison(original, original_sites, domain, most_runs=most_runs, seed=seed)
    return comparison.claim(pruned, pruned_sites, gap=gap, time_limit=time_limit, starts=starts, limit=limit)


@dataclass(frozen=True)
class Difference:
    """The change of one output, known for every input.

    Attributes:
        map: Phases as functions of the inputs.
        grid: Values on the grid.
        region: The inputs.
        seed: Of the inputs that are drawn.
        angles: By how much rounded angles may move the output besides, on inputs of the region.
    """

    map: PhaseMap
    grid: GridValues
    region: Region
    seed: int
    angles: float

    @property
    def size(self) -> int:
        """Control points of one cell."""
        return int(self.grid.values.size)

    @property
    def runs(self) -> int:
        """Runs of each circuit behind it."""
        return self.grid.runs

    def enclosed(
        self, gap: float, limit: float | None, time_limit: float, starts: FloatArray, most_cells: int = MOST_CELLS
    ) -> Supremum:
        """Its largest absolute value, as `supremum` encloses it."""
        found = supremum(
            self.grid.values,
            self.map,
            self.region,
            error=self.grid.error,
            gap=gap,
            limit=None if limit is None else max(0.0, limit - self.angles),
            most_cells=most_cells,
            time_limit=time_limit if self.size <= SEARCHABLE else 0.0,
            starts=starts,
            seed=self.seed,
        )
        lower, upper = max(0.0, found.lower - self.angles), found.upper + self.angles
        return replace(found, lower=lower, upper=upper, rounding=found.rounding + self.angles)

    def maxima(self, starts: FloatArray, climbs: int) -> list[tuple[FloatArray, float]]:
        """Local maxima from the best of some inputs and of many drawn ones, the largest first."""
        climber = Climber(coefficients(self.grid.values), self.map, self.region)
        drawn = self.region.drawn(DRAWN, np.random.default_rng(self.seed))
        return climber.best_of(np.concatenate([starts, drawn]), climbs)


class EveryInputComparison:
    """Compares smaller circuits with one original on every input of a domain; runs of the original are made once.

    Args:
        original: The original task; its samples define a domain of data.
        sites: Its gates.
        domain: A `Domain`, or "data".
        most_runs: Refuse what takes more runs of each circuit.
        seed: Of the inputs that are drawn.
        stands_for: Gates that `sites` are an exact simplification of, on the samples: what rounding of their angles
            may hide on other inputs counts in every limit.

    Raises:
        TaskError: The domain does not fit.
    """

    def __init__(
        self,
        original: Task,
        sites: Sequence[Site],
        domain: Domain | str = "data",
        *,
        most_runs: int = MOST_RUNS,
        seed: int = 0,
        stands_for: Sequence[Site] = (),
    ) -> None:
        self.original, self.sites, self.domain = original, tuple(sites), checked_domain(domain)
        self.region = region_of(resolved(self.domain, original.inputs))
        self.most_runs, self.seed = most_runs, seed
        self._encoded, self._known = encoded(original, self.sites), Known()
        self._states = OverStates(original, self.sites, self.region, most_runs, seed, stands_for)
        self._hidden: float | FloatArray = 0.0
        if stands_for:
            ends = self.region.low, self.region.high
            self._hidden = errors_of(encoded(original, stands_for), *ends) * weights_of(original)

    def differences(
        self, pruned: Task, sites: Sequence[Site], check: Check = unlimited
    ) -> Sequence[Difference | StateChange]:
        """The change of every output by a smaller circuit.

        Where inputs have too many phases for that, and prepare a state before anything else happens, it is limited for
        every state.

        Args:
            pruned: The smaller circuit.
            sites: Its gates.
            check: Called every second or so; ends it by raising.

        Raises:
            OptionError: Too many runs.
            TaskError: An angle cannot be read as a function of the inputs, the circuits prepare other states, or the
                smaller one is read elsewhere than the original.
        """
        original = self.original
        if (pruned.num_qubits, pruned.measured_qubits) != (original.num_qubits, original.measured_qubits) or (
            pruned.observables != original.observables
        ):  # both circuits are run as one task, the original's
            raise TaskError(
                "the smaller circuit must be on the original's qubits and have its outputs; place both alike"
            )
        phases = phases_of(self._encoded, encoded(pruned, sites))
        over_states = self._states.changes(pruned, tuple(sites), phases.most_runs, check)
        if over_states is not None:
            hidden = np.broadcast_to(self._hidden, len(over_states)).tolist()
            return [replace(one, angles=one.angles + more) for one, more in zip(over_states, hidden, strict=True)]
        check_runs(phases, self.most_runs)
        found = differences(phases, self._known, check)
        maps = [PhaseMap(tuple(phases.map.phases[j] for j in values.phases)) for values in found]
        errors = phases.angle_errors(self.region.low, self.region.high) + self._hidden
        each = zip(maps, found, errors.tolist(), strict=True)
        return [Difference(own, values, self.region, self.seed, error) for own, values, error in each]

    def upper(
        self,
        pruned: Task,
        sites: Sequence[Site],
        limit: float,
        starts: FloatArray,
        check: Check = unlimited,
        time_limit: float = np.inf,
    ) -> tuple[float, FloatArray]:
        """A limit for every input, as sharp as it takes to know whether it is within another, and the worst inputs.

        Args:
            pruned: The smaller circuit.
            sites: Its gates.
            limit: To be kept.
            starts: Inputs to look at first, shape (P, n).
            check: As in `differences`.
            time_limit: Seconds for the search of each output, after which the limit is what it is by then.
        """
        upper, worst = 0.0, list[tuple[float, ...]]()
        try:
            differences = self.differences(pruned, sites, check)
        except OtherStates:
            return np.inf, starts[:0]
        for difference in differences:
            found = difference.enclosed(GAP, limit, time_limit, starts, cells_for(difference, SEARCHED))
            upper = max(upper, found.upper)
            worst.append(found.at)
            if upper > limit:
                break
        return upper, np.array(worst)

    def claim(
        self,
        pruned: Task,
        sites: Sequence[Site],
        *,
        gap: float = GAP,
        time_limit: float = np.inf,
        starts: FloatArray | None = None,
        limit: float | None = None,
        most_points: int | None = None,
        patience: float = np.inf,
    ) -> EveryInput:
        """As `every_input`.

        Args:
            pruned: The smaller circuit.
            sites: Its gates.
            gap: As in `every_input`.
            time_limit: As in `every_input`.
            starts: As in `every_input`.
            limit: As in `every_input`.
            most_points: Control points to look at for each output; the limits hold whenever the search stops.
            patience: Seconds after which searches end before they reach the gap; but what `limit` says is proven
                again, however long that takes.
        """
        if not 0 < gap < 1:
            raise OptionError(f"gap must lie in (0, 1), got {gap!r}; 0.02 is a limit within 2 %")
        began = monotonic()

        def check() -> None:
            if monotonic() - began > time_limit:
                raise OptionError(
                    f"time_limit={time_limit:g} s was up before the runs were over that a limit for every input needs; "
                    "give more time"
                )

        found = self.differences(pruned, sites, check)
        looked_at = self.original.inputs if starts is None else np.concatenate([self.original.inputs, starts])
        suprema = []
        for r, difference in enumerate(found):
            left = max(0.0, time_limit - (monotonic() - began)) / (len(found) - r)
            first = min(left, max(0.0, patience - (monotonic() - began)) / (len(found) - r))
            most = MOST_CELLS if most_points is None else cells_for(difference, most_points)
            enclosed = difference.enclosed(gap, None, first, looked_at, most)
            if limit is not None and enclosed.lower <= limit < enclosed.upper:
                # What pruning has proven to keep the limit keeps it here too, however close it comes.
                enclosed = difference.enclosed(SHARP, limit, left, np.concatenate([looked_at, [enclosed.at]]), most)
            suprema.append(enclosed)
        outputs = self._records(pruned, tuple(sites), found, suprema)
        return EveryInput(self.domain, outputs)

    def _records(
        self,
        pruned: Task,
        sites: tuple[Site, ...],
        differences: Sequence[Difference | StateChange],
        suprema: list[Supremum],
    ) -> tuple[OutputEverywhere, ...]:
        task = self.original
        worst = np.array([each.at for each in suprema]).reshape(len(suprema), -1)
        there = [outputs_at(*circuit, worst) for circuit in ((task, self.sites), (pruned, sites))]
        rounding = there[0][1] + there[1][1]
        strengths, centres = self._strengths(), centres_of(task).tolist()
        records = []
        for r, (name, difference, found) in enumerate(zip(task.output_names, differences, suprema, strict=True)):
            rows = slice(None) if task.observables is None else slice(r, r + 1)
            before, after = (outputs[rows, r] for outputs, _ in there)
            change = np.abs(after - before)
            seen = float(norm_of(change) - rounding[r] * norm_of(np.ones(len(change))))
            shares = [None if each is None else float(np.mean(each[r] > found.upper)) for each in strengths]
            if task.observables is None or not task.spectra[r].predicts_sign:
                shares = [None, None]
            records.append(
                OutputEverywhere(
                    name=name,
                    lower=min(found.upper, max(0.0, seen)),
                    upper=found.upper,
                    worst=found.at,
                    before=tuple((before + centres[r]).tolist()),
                    after=tuple((after + centres[r]).tolist()),
                    runs=difference.runs,
                    cells=found.cells,
                    method=found.method,
                    rounding=found.rounding,
                    certain_share=shares[0],
                    certain_data=shares[1],
                )
            )
        return tuple(records)

    def _strengths(self) -> tuple[FloatArray | None, FloatArray | None]:
        """|⟨O⟩| of the original on inputs drawn from the domain and on the data in it, where signs are predictions."""
        task = self.original
        if task.observables is None or not any(s.predicts_sign for s in task.spectra):
            return None, None
        drawn = self.region.drawn(DRAWN, np.random.default_rng(self.seed))
        found = [rows[self.region.contains(rows)] for rows in (drawn, task.inputs)]
        centres = centres_of(task)[:, None]
        values = [np.abs(outputs_at(task, self.sites, rows)[0] + centres) if len(rows) else None for rows in found]
        return values[0], values[1]


def cells_for(difference: Difference | StateChange, points: int) -> int:
    """How many cells a search may look at, given how many control points: a measure of time that no clock enters."""
    return int(np.clip(points // difference.size, FEWEST_CELLS, MOST_CELLS))


def region_of(domain: Resolved) -> Region:
    if domain.matrix is None or domain.centre is None:
        return Region(domain.low, domain.high)
    return Region(domain.low, domain.high, Ellipsoid(domain.matrix, domain.centre, domain.radius))
