"""A limit in the unit that classifiers are judged by: how far accuracy may fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from qprune._arrays import FloatArray
from qprune._checks import is_number, plain
from qprune._rounding import MATRIX_ROUNDING
from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.limits.base import Limit, Rewritten, checked_refit, checked_window, option, set_checked
from qprune.limits.between_samples import claim_between_samples
from qprune.limits.measuring import check_removal, compressed, deviation_of, judged, judgement, removed
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.removal import Reduced
from qprune.limits.settings import Settings
from qprune.limits.trial import Judge
from qprune.results.every_input import EveryInput
from qprune.task.labels import predicted
from qprune.task.task import Task

SHARE_ROUNDING = 1e-9  # of a share of samples: far below one sample, far above what adding them up rounds


@dataclass(frozen=True)
class Accuracy(Limit):
    """Accuracy on the labels of the selected samples falls by no more than a given share.

    Outputs may change by as much as that leaves room for; `certificate.measured` says by how much they do. The
    accuracy on the hold-out, which selection never sees, is reported beside.

    Args:
        loss: Largest fall of the accuracy, in [0, 1]: 0.01 is one percentage point.
        refit: Move the surviving weights to the original's outputs, in the least mean square. Labels decide which
            circuits are good enough; no weight is moved by them.
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
        judge, most = fall_of(prepared), self.loss + SHARE_ROUNDING
        measure = partial(judgement, judge, prepared)
        smaller = None
        if self.refit:
            smaller = _on_own_samples(prepared, compressed(prepared, most, judge=judge))
        if smaller is None or measure(smaller) > most:  # as where an output is within rounding of two classes
            smaller = removed(prepared, most, measure, in_outputs=False)
        return judged(prepared, smaller, deviation_of(prepared, smaller))


def fall_of(prepared: Prepared) -> Judge:
    """By how much accuracy on the selected samples falls, negative where it rises, from the changes of the outputs.

    An output that is zero but for rounding predicts nothing, whatever its sign: of what rounding may make of it, the
    least accuracy counts.
    """
    task, before = prepared.task, prepared.prefix.outputs.means
    labels = np.asarray(task.labels)  # there are some, as `check` has seen
    rounding = MATRIX_ROUNDING * np.diag([spectrum.width for spectrum in task.spectra])
    accuracy = task.accuracy(before, task.selected) or 0.0

    def fall(change: FloatArray) -> float:
        means = before + change
        right = [predicted(labels, means + row[:, None]) == labels[task.selected] for row in (*rounding, *-rounding)]
        # Each sample by itself: rounding may go either way on any of them.
        return accuracy - float(np.all(right, axis=0).mean())

    return fall


def _on_own_samples(prepared: Prepared, reduced: Reduced) -> Reduced:
    """Fitting has an ensemble of its own, whose rows are the selected samples and mixtures of them."""
    return replace(reduced, task=prepared.task.with_circuit(reduced.task.circuit, reduced.task.named_weights))
