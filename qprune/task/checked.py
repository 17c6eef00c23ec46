"""A task as an argument of a public function."""

from __future__ import annotations

from qprune.errors import TaskError
from qprune.task.task import Task


def checked_task(given: object) -> Task:
    """What was given, if it is a task."""
    if not isinstance(given, Task):
        raise TaskError(
            f"task must be a qprune.Task, got {type(given).__name__}; wrap a circuit as Task(circuit, …), of a result "
            "take .task (the pruned network) or .original, and give a QNode to qprune.pennylane.prune"
        )
    return given
