"""A result's task against the one that was given before gates became part of what is measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qprune.errors import TaskError
from qprune.results.hashes import circuit_hash, task_hash
from qprune.task.observables import without_identity
from qprune.task.task import Task
from qprune.verify.checks import Check, Checks, Result, damaged
from qprune.verify.formulas import SLACK
from qprune.verify.states import outputs_of, used_qubits

WIDEST = 24  # qubits up to which both tasks are simulated


def pruned_task(task: Task, result: Result) -> Task:
    """The task that was pruned, for whoever has the one that was given."""
    given = result.given
    if given is None or (circuit_hash(task.circuit), task_hash(task)) != (
        circuit_hash(given.circuit),
        task_hash(given),
    ):
        return task
    return result.original


def check_absorbed(result: Result) -> Iterator[Check]:
    """Both tasks have the same ensemble, and all outputs are the same on every sample, by full simulation.

    Raises:
        CertificateViolation: They differ.
        TaskError: They are too wide for statevectors.
    """
    given, original = result.given, result.original
    if given is None:
        return
    checks = Checks()
    if given.observables is None or original.observables is None or len(given.spectra) != len(original.spectra):
        raise damaged("gates can be absorbed by observables alone, as many before as after")
    ensemble = ("inputs", "probabilities", "selected", "heldout", "labels")
    same = all(np.array_equal(getattr(given, name), getattr(original, name)) for name in ensemble)
    kept = original.named_weights.items() <= given.named_weights.items() and given.domain == original.domain
    checks.holds("absorption: samples, weights and domain stay", "comparison", same and kept, "others than were given")
    if (width := max(len(used_qubits(each)) for each in (given, original))) > WIDEST:
        raise TaskError(
            f"what was absorbed is verified by statevectors, and the task acts on {width} qubits; the pruning alone is "
            "verified by verify(result.original, replace(result, given=None))"
        )
    before, after = outputs_of(given), outputs_of(original)
    centres = [[[without_identity(o)[0]] for o in task.observables or ()] for task in (given, original)]
    slack = SLACK * np.array([[spectrum.weight] for spectrum in given.spectra])
    names = [f"output {name}" for name in given.output_names], [f"sample {i}" for i in range(given.num_samples)]
    claim = "absorption: outputs are those of the task given"
    checks.equal(claim, "full simulation", after + centres[1], before + centres[0], slack, *names)
    yield from checks.checks
