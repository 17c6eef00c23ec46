"""A budget that the measured deviation keeps on every sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qprune.gates.sites import Site
from qprune.limits.base import Limit, Rewritten, checked_budget, checked_refit, checked_window, option, set_checked
from qprune.limits.between_samples import claim_between_samples
from qprune.limits.measuring import check_removal, judged, measured
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.settings import Settings
from qprune.results.every_input import EveryInput
from qprune.task.task import Task


@dataclass(frozen=True)
class Measured(Limit):
    """No output of any selected sample changes by more than the budget: measured by exact simulation, after every
    round of removal.

    That admits far more than a proof beforehand. It says nothing of other inputs: give the task a hold-out for that
    (T5).

    Args:
        budget: Largest change allowed, ≥ 0, in the observables' unit; total variation for probabilities.
        refit: Move the surviving weights to make up for what went: least squares on the original's outputs, no labels.
            Entangling gates go first, while all rotations can compensate.
        window: Qubits of a window of the bound that is reported beside, as in `Threshold`.

    Raises:
        OptionError: A value is out of its range.

    Source: THEORY T5; the claim on the ensemble is exact by simulation.

    Example:
        >>> Measured(0.05, refit=True)
        Measured(budget=0.05, refit=True, window='auto')
    """

    budget: float
    refit: bool = option(False, "move surviving weights to make up for what goes")
    window: int | str = option("auto", "qubits per window of the bound, 0 for none, or auto")
    name: ClassVar[str] = "measured"
    main: ClassVar[str] = "budget"
    judged_by: ClassVar[str] = "measured"
    words: ClassVar[str] = "the same, measured by exact simulation"
    quick: ClassVar[bool] = True

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
        check_removal("Measured", settings, self.refit)

    def claimed(self, prepared: Prepared, task: Task, sites: Sequence[Site]) -> EveryInput | None:
        return claim_between_samples(prepared, task, sites)

    def choose(self, prepared: Prepared) -> Rewritten:
        return judged(prepared, measured(prepared, self.budget, self.refit))
