"""Circuits fitted on an ensemble of inputs other than the task's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qprune.limits.compressor import Compressor
from qprune.limits.measuring import compressed, compressor_of
from qprune.limits.prepared import Comparison, Prepared, prepare
from qprune.limits.progress import INTERRUPTED, Watch
from qprune.limits.removal import Reduced
from qprune.task.task import Task


class FitsOn:
    """What search and refit make of an original on inputs that it is given; circuits come back on the original's own.

    Args:
        prepared: The original.
        watch: The search that this is part of.

    Raises:
        OutOfTime: By every method: no time is left.
    """

    def __init__(self, prepared: Prepared, watch: Watch[Reduced]) -> None:
        self._prepared, self._watch = prepared, watch
        self._last: tuple[Task, Compressor] | None = None

    def pruned(self, task: Task, budget: float) -> Reduced:
        """Pruned with refit on an ensemble.

        Raises:
            KeyboardInterrupt: The user interrupted it; what was found before counts.
        """
        self._watch.check()
        found = compressed(self._prepared_on(task), budget, self._watch)
        if found.cut == INTERRUPTED:
            raise KeyboardInterrupt
        return self._brought_back(replace(found, cut=None))

    def again(self, task: Task, reduced: Reduced, budget: float) -> Reduced:
        """A smaller circuit's weights fitted once more, on another ensemble; its gates stay."""
        return self._brought_back(self._compressor(task).fitted_again(reduced, budget))

    def order(self, task: Task, reduced: Reduced) -> Sequence[int]:
        """Gates of a smaller circuit that may go, the most promising first."""
        return self._compressor(task).promising(reduced)

    def lowered(self, task: Task, reduced: Reduced, gone: Sequence[int], budget: float) -> Reduced:
        """A smaller circuit without some of its gates, the weights of the others fitted on an ensemble."""
        return self._brought_back(self._compressor(task).lowered(reduced, gone, budget))

    def _prepared_on(self, task: Task) -> Prepared:
        return prepare(task, replace(self._prepared.settings, progress=False), Comparison(window=0))

    def _compressor(self, task: Task) -> Compressor:
        if self._last is None or self._last[0] is not task:
            self._last = task, compressor_of(self._prepared_on(task), self._watch)
        return self._last[1]

    def _brought_back(self, found: Reduced) -> Reduced:
        task = self._prepared.task.with_circuit(found.task.circuit, found.task.named_weights)
        return replace(found, task=task)
