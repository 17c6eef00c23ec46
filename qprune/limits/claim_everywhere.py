"""What is proven of two circuits for every input of a domain.

Source: THEORY T9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.geometry.phases import PhaseMap
from qprune.geometry.regions import Ellipsoid, Region
from qprune.geometry.supremum import GAP, Supremum, supremum
from qprune.limits.grid_runs import GridValues, differences, outputs_at
from qprune.limits.phases import MOST_RUNS, Phases, check_runs, phases_of
from qprune.task.domain import Domain, Resolved, checked_domain, resolved
from qprune.task.task import Task

DRAWN = 2000  # inputs of the domain from which the share of its volume is estimated


@dataclass(frozen=True)
class OutputEverywhere:
    """What is proven of one output.

    Attributes:
        name: Of the output.
        lower: |Δ| at `worst`, in the observable's unit (total variation for probabilities), less rounding.
        upper: No input of the domain changes the output by more.
        worst: The input at which `lower` is attained.
        before: The original's output there; its outcome probabilities, where those are measured.
        after: The smaller circuit's.
        runs: Runs of each circuit that the proof rests on.
        cells: Cells of the domain that the search looked at.
        method: "branch and bound", or "sum of norms" where that gave the smaller limit.
        rounding: What rounding may have hidden, counted in `upper`.
        certain_share: Estimated share of the domain's volume with |⟨O⟩| > upper, whose prediction cannot change; None
            for outputs that predict nothing.
        certain_data: The same of the task's own samples that lie in the domain, counted.
    """

    name: str
    lower: float
    upper: float
    worst: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    runs: int
    cells: int
    method: str
    rounding: float
    certain_share: float | None
    certain_data: float | None

    @property
    def gap(self) -> float:
        """(upper − lower)/upper."""
        return (self.upper - self.lower) / self.upper if self.upper > 0 else 0.0


@dataclass(frozen=True)
class EveryInput:
    """A limit of the deviation of a smaller circuit for every input of a domain (THEORY T9).

    Attributes:
        domain: The domain.
        outputs: One record per output.
        seconds: Time it took.
    """

    domain: Domain
    outputs: tuple[OutputEverywhere, ...]
    seconds: float

    @property
    def lower(self) -> float:
        """Largest deviation that some input of the domain is known to cause."""
        return max(output.lower for output in self.outputs)

    @property
    def upper(self) -> float:
        """No input of the domain changes any output by more."""
        return max(output.upper for output in self.outputs)

    @property
    def worst(self) -> tuple[float, ...]:
        """The input that changes an output by `lower`."""
        return max(self.outputs, key=lambda output: output.lower).worst


def every_input(
    original: Task,
    original_sites: Sequence[Site],
    pruned: Task,
    pruned_sites: Sequence[Site],
    domain: Domain | str = "data",
    *,
    gap: float = GAP,
    limit: float | None = None,
    time_limit: float = np.inf,
    most_runs: int = MOST_RUNS,
    starts: FloatArray | None = None,
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
        limit: Stop, too, as soon as it is known whether any output's supremum is above this.
        time_limit: Seconds for the searches, shared by the outputs; the limits hold whenever they stop.
        most_runs: Refuse what takes more runs of each circuit.
        starts: Inputs to look at first, shape (P, n).
        seed: Of the inputs that are drawn.

    Raises:
        OptionError: Too many runs, or an option out of its range.
        TaskError: An angle cannot be read as a function of the inputs, or the domain does not fit.

    Source: THEORY T9.
    """
    if not 0 < gap < 1:
        raise OptionError(f"gap must lie in (0, 1), got {gap!r}; 0.02 is a limit within 2 %")
    began = monotonic()
    domain = checked_domain(domain)
    region = region_of(resolved(domain, original.inputs))
    phases = phases_of(original, original_sites, pruned, pruned_sites)
    check_runs(phases, most_runs)
    found = list[Supremum]()
    grids = differences(phases)
    starts = original.inputs if starts is None else np.concatenate([original.inputs, starts])
    for r, values in enumerate(grids):
        left = max(0.0, time_limit - (monotonic() - began)) / (len(grids) - r)
        found.append(_search(phases, values, region, gap, limit, left, starts, seed))
    if not original.inputs.shape[1]:  # no input: one run says it all
        starts = original.inputs
    circuits = (original, tuple(original_sites)), (pruned, tuple(pruned_sites))
    outputs = _outputs(circuits, grids, found, region, seed)
    return EveryInput(domain, outputs, monotonic() - began)


def region_of(domain: Resolved) -> Region:
    if domain.matrix is None or domain.centre is None:
        return Region(domain.low, domain.high)
    return Region(domain.low, domain.high, Ellipsoid(domain.matrix, domain.centre, domain.radius))


def _search(
    phases: Phases,
    values: GridValues,
    region: Region,
    gap: float,
    limit: float | None,
    time_limit: float,
    starts: FloatArray,
    seed: int,
) -> Supremum:
    own = PhaseMap(tuple(phases.map.phases[j] for j in values.phases))
    return supremum(
        values.values,
        own,
        region,
        error=values.error,
        gap=gap,
        limit=limit,
        time_limit=time_limit,
        starts=starts,
        seed=seed,
    )


def _outputs(
    circuits: tuple[tuple[Task, tuple[Site, ...]], tuple[Task, tuple[Site, ...]]],
    grids: list[GridValues],
    found: list[Supremum],
    region: Region,
    seed: int,
) -> tuple[OutputEverywhere, ...]:
    (task, sites), _ = circuits
    worst = np.array([each.at for each in found]).reshape(len(found), -1)
    there = [outputs_at(*circuit, worst) for circuit in circuits]
    drawn = region.drawn(DRAWN, np.random.default_rng(seed))
    drawn = drawn[region.contains(drawn)]
    data = task.inputs[region.contains(task.inputs)]
    has_signs = task.observables is not None and any(s.is_involution for s in task.spectra)
    shares = [outputs_at(task, sites, rows)[0] if has_signs and len(rows) else None for rows in (drawn, data)]
    records = []
    for r, (name, values, each) in enumerate(zip(task.output_names, grids, found, strict=True)):
        rows = slice(None) if task.observables is None else slice(r, r + 1)
        before, after = (outputs[0][rows, r] for outputs in there)
        change = float(np.abs(after - before).sum()) / (1 if task.observables is not None else 2)
        signed = has_signs and task.spectra[r].is_involution
        certain = [
            float(np.mean(np.abs(share[r]) > each.upper)) if signed and share is not None else None for share in shares
        ]
        records.append(
            OutputEverywhere(
                name=name,
                lower=min(each.upper, max(0.0, change - (there[0][1] + there[1][1]) * max(1, len(before) / 2))),
                upper=each.upper,
                worst=each.at,
                before=tuple(before.tolist()),
                after=tuple(after.tolist()),
                runs=values.runs,
                cells=each.cells,
                method=each.method,
                rounding=each.rounding,
                certain_share=certain[0],
                certain_data=certain[1],
            )
        )
    return tuple(records)
