"""A budget that every input of the domain keeps: proven, between the samples too (THEORY T9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from qprune.errors import OptionError
from qprune.gates.costs import cost_of
from qprune.gates.sites import Site
from qprune.limits.base import Limit, Rewritten, checked_budget, checked_refit, checked_window, option, set_checked
from qprune.limits.between_samples import comparison_of
from qprune.limits.counterexamples import MOST_WORST, UpperEverywhere, descended, led_by_counterexamples, spread
from qprune.limits.fits import FitsOn
from qprune.limits.measuring import (
    check_removal,
    judged,
    removed,
    screen_of,
    start_of,
    watch_of,
)
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.progress import OutOfTime
from qprune.limits.removal import Reduced, Screen
from qprune.limits.settings import Settings
from qprune.results.every_input import EveryInput
from qprune.task.task import Task

CERTIFIED = 0.1  # of a time limit, beyond it, in which the limit that is certified may come below the budget


@dataclass(frozen=True)
class Everywhere(Limit):
    """No output changes by more than the budget for any input of the task's domain: proven.

    The difference of two circuits' outputs is a trigonometric polynomial of low degree in what the inputs add to
    angles. ∏(2d_j+1) runs of each circuit determine it, and branch and bound encloses its supremum over the domain. A
    smaller circuit is accepted on the proven upper limit alone. Where a gate prepares a state of the inputs before
    anything else, as `AmplitudeEmbedding` does with an image, the limit holds for every state of its qubits, up to 11
    of them: the largest eigenvalue of a matrix. Probabilities have such a limit for up to three measured qubits. Under
    a `time_limit` a tenth of it more is spent on bringing the certified limit below the budget.

    Args:
        budget: Largest change allowed, ≥ 0, in the observables' unit; total variation for probabilities.
        refit: Move the surviving weights to make up for what went. Counterexamples lead it: where the limit for every
            input is broken, the worst inputs join the ensemble, and weights are fitted anew.
        window: Qubits of a window of the bound that is reported beside, as in `Threshold`.

    Raises:
        OptionError: A value is out of its range, the task has no inputs, or they enter in ways that take too many
            runs; the message names the phases to blame.

    Source: THEORY T9.

    Example:
        >>> Everywhere(0.05)
        Everywhere(budget=0.05, refit=False, window='auto')
    """

    budget: float
    refit: bool = option(False, "move surviving weights to make up for what goes")
    window: int | str = option("auto", "qubits per window of the bound, 0 for none, or auto")
    name: ClassVar[str] = "everywhere"
    main: ClassVar[str] = "budget"
    judged_by: ClassVar[str] = "every_input"
    words: ClassVar[str] = "the same, proven for every input of the domain, between the samples too"

    def __post_init__(self) -> None:
        set_checked(
            self,
            budget=checked_budget(self.budget),
            refit=checked_refit(self.refit),
            window=checked_window(self.window),
        )

    @property
    def comparison(self) -> Comparison:
        return Comparison(window=self.window)

    def check(self, task: Task, settings: Settings) -> None:
        check_removal("Everywhere", settings, self.refit)
        if not task.inputs.shape[1]:
            raise OptionError("Everywhere speaks of inputs, and the task has none; use Measured, which is exact then")

    def choose(self, prepared: Prepared) -> Rewritten:
        comparison = comparison_of(prepared)
        start, watch = start_of(prepared), watch_of(prepared)
        try:
            comparison.differences(start.task, start.sites, watch.check)  # refuses too many runs before any search
        except OutOfTime as error:
            raise OptionError(
                f"time_limit={prepared.settings.time_limit:g} s was up before the runs were over that a limit for "
                "every input needs; give more time, or use Measured"
            ) from error
        measure = UpperEverywhere(comparison, self.budget, watch.check, watch.left)
        screen = screen_on_domain(prepared, measure)
        with watch:
            smaller = removed(prepared, self.budget, measure, start, watch, screen)
            if self.refit:
                fits = FitsOn(prepared, watch)
                smaller = descended(measure, smaller, fits, watch.look)
                led = led_by_counterexamples(measure, smaller, fits, partial(_cost, prepared)).reduced
                if led is not smaller:
                    watch.look(led)
                    descended(measure, led, fits, watch.look)
        return judged(prepared, replace(watch.best or start, cut=watch.cut))

    def claimed(self, prepared: Prepared, task: Task, sites: Sequence[Site]) -> EveryInput:
        allowed = prepared.settings.time_limit
        patience = np.inf if allowed is None else CERTIFIED * allowed
        return comparison_of(prepared).claim(task, sites, limit=self.budget, patience=patience)


def screen_on_domain(prepared: Prepared, measure: UpperEverywhere) -> Screen | None:
    """What an input of the domain shows to break the budget: one of the samples, of a spread, or a worst of before."""
    original, region = prepared.task, measure.comparison.region
    known = original.inputs[original.selected]
    drawn = spread(region, np.random.default_rng(prepared.settings.seed))
    rows = np.concatenate([known[region.contains(known)], drawn])
    first = screen_of(prepared, rows)
    if first is None:
        return None

    def of(reduced: Reduced) -> Callable[[Sequence[int]], float]:
        on_spread, on_worst = first.of(reduced), dict[int, Callable[[Sequence[int]], float]]()

        def deviation(gone: Sequence[int]) -> float:
            found, seen = on_spread(gone), len(measure.worst)
            if found > measure.budget or not seen:
                return found
            if seen not in on_worst:  # more are known by now
                on_worst[seen] = (screen_of(prepared, measure.worst[-MOST_WORST:]) or first).of(reduced)
            return max(found, on_worst[seen](gone))

        return deviation

    return Screen(of, decides=False)


def _cost(prepared: Prepared, reduced: Reduced) -> float:
    return sum(cost_of(site, prepared.costs) for site in reduced.sites)
