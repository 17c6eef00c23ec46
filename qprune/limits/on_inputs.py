"""Outputs of a circuit on inputs that its task does not list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.simulators.choices import final_outputs
from qprune.simulators.values import expectation_rounding
from qprune.task.task import Task

AT_ONCE, SAMPLES_AT_ONCE = 2**22, 2**15  # amplitudes and samples of one call: a second between two looks at the clock
ANGLE_ROUNDINGS = 2.0
"""Units in the last place, of one turn, by which a gate with inputs may be off where its angle is what it should be:
sine and cosine know the place of any double in its period. What angles themselves are off by, `angle_errors` adds."""


Check: TypeAlias = Callable[[], None]


def unlimited() -> None:
    """As long as it takes."""


def outputs_at(
    task: Task, sites: Sequence[Site], inputs: FloatArray, angles: float = 0.0, check: Check = unlimited
) -> tuple[FloatArray, FloatArray]:
    """Outputs of a circuit on any inputs, and their `rounding_of`.

    Without the identity's part c, which no change of a circuit moves: ⟨O_r⟩ − c_r, shape (R, M), or outcome
    probabilities, shape (2^m, M).

    Args:
        task: Binds the weights; its own inputs do not enter.
        sites: Its gates.
        inputs: Shape (M, number of inputs), M ≥ 1.
        angles: As in `rounding_of`.
        check: Called every second or so; ends it by raising.
    """
    qubits = num_qubits(task, sites)
    step = max(1, min(AT_ONCE >> qubits, SAMPLES_AT_ONCE))
    turned = task.with_inputs(inputs)
    found = []
    for first in range(0, len(inputs), step):
        check()
        outputs = final_outputs(turned, sites, np.arange(first, min(first + step, len(inputs))))
        found.append(outputs.centred if outputs.distribution is None else outputs.distribution.T)
    return np.concatenate(found, axis=1), rounding_of(task, sites, angles)


def rounding_of(task: Task, sites: Sequence[Site], angles: float = 0.0) -> FloatArray:
    """Limit of the rounding error of every output in its own unit, shape (R,); of any probability, shape (1,).

    Args:
        task: Whose outputs.
        sites: Its gates.
        angles: What angles are off by, times the spread of their generators' eigenvalues, added up: so much a state
            turns, and an expectation value moves by at most that times its observable's weight.
    """
    angles += sum(site.role == "encoding" for site in sites) * ANGLE_ROUNDINGS * 2 * np.pi * np.finfo(float).eps
    return weights_of(task) * float(expectation_rounding(num_qubits(task, sites), len(sites)) + angles)


def weights_of(task: Task) -> FloatArray:
    """Σ|c_P| of every output over all words but the identity, shape (R,); 1 for probabilities."""
    return np.array([s.weight for s in task.spectra] if task.observables is not None else [1.0])


def centres_of(task: Task) -> FloatArray:
    """The identity's part of every output, shape (R,); 0 for probabilities, shape (1,)."""
    return np.array([s.centre for s in task.spectra] if task.observables is not None else [0.0])


def num_qubits(task: Task, sites: Sequence[Site]) -> int:
    """Qubits that gates act on or outputs are read from."""
    return len({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or 1
