"""A limit in the unit that classifiers are judged by: how far accuracy may fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from qprune._checks import is_number, plain
from qprune._rounding import MATRIX_ROUNDING
from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.limits.base import Limit, Rewritten, checked_refit, checked_window, option, set_checked
from qprune.limits.between_samples import claim_between_samples
from qprune.limits.measuring import check_removal, compressed, deviation_of, judged, removed, start_of, watch_of
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.progress import INTERRUPTED
from qprune.limits.removal import Reduced
from qprune.limits.settings import Settings
from qprune.results.every_input import EveryInput
from qprune.task.labels import predicted
from qprune.task.task import Task

SHARES = np.geomspace(1e-3, 1, 10)  # deviations fitted to, in shares of the largest that observables allow
SHARE_ROUNDING = 1e-9  # of a share of samples: far below one sample, far above what adding them up rounds


@dataclass(frozen=True)
class Accuracy(Limit):
    """Accuracy on the labels of the selected samples falls by no more than a given share.

    Outputs may change by as much as that leaves room for; `certificate.measured` says by how much they do. The
    accuracy on the hold-out, which selection never sees, is reported beside.

    Args:
        loss: Largest fall of the accuracy, in [0, 1]: 0.01 is one percentage point.
        refit: Move the surviving weights so that the outputs stay near the original's, at rising deviations.
        window: Qubits of a window of the bound that is reported beside, as in `Threshold`.

    Raises:
        OptionError: A value is out of its range, or the task has no labels.

    Example:
        >>> Accuracy(0.01)
        Accuracy(loss=0.01, refit=False, window='auto')
    """

    loss: float
    refit: bool = option(False, "move surviving weights to make up for what goes")
    window: int | str = option("auto", "qubits per window of the bound, 0 for none, or auto")
    name: ClassVar[str] = "accuracy"
    main: ClassVar[str] = "loss"
    judged_by: ClassVar[str] = "accuracy"
    words: ClassVar[str] = "largest fall of the accuracy on the labels, 0.01 for one percentage point"
    metavar: ClassVar[str] = "LOSS"

    def __post_init__(self) -> None:
        loss = plain(self.loss)
        if not is_number(loss) or not 0 <= loss <= 1:
            raise OptionError(f"loss must be a share in [0, 1], 0.01 for one percentage point, got {self.loss!r}")
        set_checked(self, loss=float(loss), refit=checked_refit(self.refit), window=checked_window(self.window))

    @property
    def comparison(self) -> Comparison:
        return Comparison(window=self.window)

    def check(self, task: Task, settings: Settings) -> None:
        check_removal("Accuracy", settings, self.refit)
        if task.labels is None:
            raise OptionError("Accuracy needs labels: give the task labels=…, one class per sample, or use Measured")

    def claimed(self, prepared: Prepared, task: Task, sites: Sequence[Site]) -> EveryInput | None:
        return claim_between_samples(prepared, task, sites)

    def choose(self, prepared: Prepared) -> Rewritten:
        smaller = self._with_refit(prepared) if self.refit else self._without(prepared)
        return judged(prepared, smaller, deviation_of(prepared, smaller))

    def _without(self, prepared: Prepared) -> Reduced:
        measure = partial(_fall, prepared)
        return removed(prepared, self.loss + SHARE_ROUNDING, measure, in_outputs=False)

    def _with_refit(self, prepared: Prepared) -> Reduced:
        """The smallest circuit found whose accuracy is still there, deviations being bisected.

        Each deviation gets a search of its own from the whole circuit: what went under a small one takes the freedom
        that would let entangling gates go under a larger one. Of the time that is left each has an even share, as
        larger deviations, of which more goes, are tried last.
        """
        low, high, cut = -1, len(SHARES), None
        with watch_of(prepared) as watch:
            watch.repeats = len(SHARES).bit_length()
            watch.look(start_of(prepared))
            while high - low > 1 and cut != INTERRUPTED:
                middle = (low + high) // 2
                with watch.part((high - low - 1).bit_length()):
                    found = compressed(prepared, float(SHARES[middle] * prepared.task.largest_change), watch)
                smaller, cut = _on_own_samples(prepared, found), found.cut or cut
                if _fall(prepared, smaller) > self.loss + SHARE_ROUNDING:
                    high = middle
                else:
                    low = middle
                    watch.look(smaller)
        return replace(watch.best or start_of(prepared), cut=watch.cut or cut)


def _on_own_samples(prepared: Prepared, reduced: Reduced) -> Reduced:
    """Fitting has an ensemble of its own, whose rows are the selected samples and mixtures of them."""
    return replace(reduced, task=prepared.task.with_circuit(reduced.task.circuit, reduced.task.named_weights))


def _fall(prepared: Prepared, smaller: Reduced) -> float:
    """By how much accuracy on the selected samples falls, negative where it rises.

    An output that is zero but for rounding predicts nothing, whatever its sign: of what rounding may make of it, the
    least accuracy counts.
    """
    task = prepared.task
    means = prepared.runner.outputs(smaller.task, smaller.sites, task.selected).means
    labels = np.asarray(task.labels)  # there are some, as `check` has seen
    rounding = MATRIX_ROUNDING * np.diag([spectrum.width for spectrum in task.spectra])
    right = [predicted(labels, means + row[:, None]) == labels[task.selected] for row in (*rounding, *-rounding)]
    # Each sample by itself: rounding may go either way on any of them.
    return (task.accuracy(prepared.prefix.outputs.means, task.selected) or 0.0) - float(np.all(right, axis=0).mean())
