"""A budget to begin with: from how far the outputs are from where predictions change, and from the frontier's knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from qprune._arrays import FloatArray
from qprune._checks import is_number, plain
from qprune._rounding import EXPECTATION_ROUNDING
from qprune._text import rounded_down
from qprune.errors import OptionError
from qprune.gates.sites import sites_of
from qprune.limits.frontier import Frontier
from qprune.limits.measured import Measured
from qprune.results.result import PruneResult
from qprune.simulators.choices import final_outputs
from qprune.task.checked import checked_task
from qprune.task.task import Task

KEPT = 0.95  # share of the samples whose predictions must not be able to change, by default
DIGITS = 2  # of a budget that is named
OF_RANGE = 0.01  # of the largest change there can be: the budget where nothing is predicted


@dataclass(frozen=True)
class Suggestion:
    """A budget, and why; `print` says it.

    Attributes:
        budget: Largest change of an output, in the unit of the observables; total variation for probabilities.
        why: Where the number comes from.
        margins: By how much every output of each selected sample may move before its prediction can change, shape (M,);
            empty where nothing is predicted.
        knee: The point of the frontier after which gates get dearer; None without one.
        takes_inputs: Whether there are inputs besides those listed.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> suggestion = qprune.suggest(qprune.Task(circuit, "ZI"))
        >>> suggestion.budget, suggestion.limit.budget, len(suggestion.margins)
        (0.69, 0.69, 1)
    """

    budget: float
    why: str
    margins: tuple[float, ...] = ()
    knee: PruneResult | None = None
    takes_inputs: bool = True

    @property
    def limit(self) -> Measured:
        """The budget as a limit to prune under; `Everywhere(budget)` is the same for inputs between the samples."""
        return Measured(self.budget)

    def __str__(self) -> str:
        lines = [f"budget {self.budget:.3g}: {self.why}", f"  prune(task, Measured({self.budget:.3g}))"]
        if self.takes_inputs:
            lines.append(
                f"  prune(task, Everywhere({self.budget:.3g})) where inputs that are not listed must keep to it too"
            )
        if self.knee is not None:
            lines.append(
                f"  the frontier bends at {self.knee.circuit.size()} gates, measured "
                f"{self.knee.certificate.largest_measured:.3g}: each further gate costs more than those before it"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "<br>".join(map(escape, str(self).splitlines()))


def suggest(task: Task, *, kept: float = KEPT, front: Frontier | None = None) -> Suggestion:
    """Name a budget for a task, by one simulation.

    A prediction by the sign of ⟨O⟩ cannot change while ⟨O⟩ moves by less than |⟨O⟩|, and one by the largest of several
    outputs while each moves by less than half of its lead. The budget is such that this holds for a share of the
    samples that selection sees. Where nothing is predicted (energies, probabilities) it is a hundredth of the largest
    change there can be.

    Args:
        task: The task.
        kept: Share of the samples whose prediction must not be able to change, in (0, 1].
        front: What `qprune.frontier(task)` returned, to see where it bends.

    Raises:
        OptionError: `kept` is no share, or `front` no frontier.
        TaskError: The circuit does not fit into memory.

    Source: THEORY T4.

    Example:
        >>> import qprune
        >>> suggestion = suggest(qprune.load_network("iris-4q"))
        >>> 0 < suggestion.budget < 1
        True
        >>> suggestion.limit.budget == suggestion.budget  # for prune(task, suggestion.limit)
        True
    """
    task, kept = checked_task(task), plain(kept)
    if not is_number(kept) or not 0 < kept <= 1:
        raise OptionError(f"kept must be a share of the samples in (0, 1], got {kept!r}")
    if front is not None and not isinstance(front, Frontier):
        raise OptionError(f"front must be what qprune.frontier returned, got {type(front).__name__}")
    bend = None if front is None else knee(front)
    margins = margins_of(task)
    share = f"{kept:.0%} of {len(margins)} samples" if len(margins) > 1 else "the one sample"
    budget = rounded_down(np.quantile(margins, 1 - kept, method="lower"), DIGITS) if len(margins) else 0.0
    if budget > EXPECTATION_ROUNDING * task.largest_change:  # less is a tie
        why = f"no prediction of {share} can change while every output moves by less"
        return Suggestion(budget, why, tuple(margins.tolist()), bend, bool(task.input_params))
    budget = rounded_down(OF_RANGE * task.largest_change, DIGITS)
    why = f"{OF_RANGE:.0%} of the largest change there can be, {task.largest_change:.4g}; "
    why += "no output is a prediction" if not len(margins) else f"predictions of {1 - kept:.0%} of the samples are ties"
    return Suggestion(budget, why, tuple(margins.tolist()), bend, bool(task.input_params))


def margins_of(task: Task) -> FloatArray:
    """By how much every output may move before a prediction can change, by selected sample; empty if none is made."""
    by_sign = all(spectrum.predicts_sign for spectrum in task.spectra)
    if task.observables is None or not (by_sign or task.labels is not None):
        return np.zeros(0)
    means = final_outputs(task, sites_of(task), task.selected).means
    if task.labels is None or len(means) == 1:
        return np.abs(means).min(axis=0)
    if np.any(task.labels < 0):
        return np.abs(means[0])
    ordered = np.sort(means, axis=0)
    return (ordered[-1] - ordered[-2]) / 2


def knee(front: Frontier) -> PruneResult | None:
    """The point farthest below the chord from the largest circuit to the smallest; None with fewer than three."""
    points = _scaled([(r.certificate.largest_measured, float(r.circuit.size())) for r in front])
    if len(points) < 3:
        return None
    below = (1 - points[:, 0]) - points[:, 1]
    return front[int(np.argmax(below))]


def _scaled(points: Sequence[tuple[float, float]]) -> FloatArray:
    """Deviations and sizes, each from 0 to 1."""
    array = np.array(points).reshape(-1, 2)
    least = array.min(axis=0) if len(array) else 0.0
    width = array.max(axis=0) - least if len(array) else 1.0
    return (array - least) / np.where(width > 0, width, 1.0)
