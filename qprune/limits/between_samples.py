"""What holds between the samples of a circuit that was judged on samples alone: added wherever it costs little."""

from __future__ import annotations

from collections.abc import Sequence

from qprune.errors import OptionError, TaskError
from qprune.gates.sites import Site
from qprune.limits.claim_everywhere import EveryInputComparison
from qprune.limits.on_inputs import num_qubits
from qprune.limits.prepared import Prepared
from qprune.results.every_input import EveryInput
from qprune.task.task import Task

CHEAP_RUNS = 729
"""Runs of each circuit up to which a limit for every input is added by itself: six inputs encoded once."""

CHEAP_AMPLITUDES = 2**18  # of all these runs together: 4 MB, some hundredths of a second
CHEAP_POINTS = 2**22  # control points of the search for each output: a few tenths of a second


def comparison_of(prepared: Prepared, **options: int) -> EveryInputComparison:
    """Compares smaller circuits with the simplified original on every input of the task's domain."""
    task, seed = prepared.task, prepared.settings.seed
    return EveryInputComparison(task, prepared.sites, task.domain, seed=seed, stands_for=prepared.original, **options)


def claim_between_samples(prepared: Prepared, task: Task, sites: Sequence[Site]) -> EveryInput | None:
    """A limit for every input of the task's domain; None where there are no inputs, or it would not be cheap.

    Cheap is decided by numbers alone, so that the same call gives the same certificate on every machine: at most
    `CHEAP_RUNS` runs with at most `CHEAP_AMPLITUDES` amplitudes, and a search that ends after `CHEAP_POINTS` control
    points, whatever gap is left then.

    Args:
        prepared: The simplified original.
        task: The smaller circuit, with its weights.
        sites: Its gates.

    Source: THEORY T9.
    """
    original = prepared.task
    if not original.inputs.shape[1] or not prepared.settings.simulated.holds_states:
        return None
    most = min(CHEAP_RUNS, CHEAP_AMPLITUDES >> num_qubits(original, prepared.sites))
    try:
        return comparison_of(prepared, most_runs=most).claim(task, sites, most_points=CHEAP_POINTS)
    except (OptionError, TaskError):  # too many runs, or angles that cannot be read
        return None
