"""Outputs of a circuit on inputs that its task does not list."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.simulators.choices import final_outputs
from qprune.simulators.values import expectation_rounding
from qprune.task.task import Task

AT_ONCE = 2**24  # amplitudes of the samples that one call simulates
ANGLE_ROUNDINGS = 2.0
"""Units in the last place by which an angle of at most 2π per gate may be off: what angles rounded to double precision
add to an expectation value, per gate with inputs."""


def outputs_at(task: Task, sites: Sequence[Site], inputs: FloatArray) -> tuple[FloatArray, float]:
    """Outputs of a circuit on any inputs, shape (R, M), or outcome probabilities (2^m, M), and how far they may be off.

    Args:
        task: Binds the weights; its own inputs do not enter.
        sites: Its gates.
        inputs: Shape (M, number of inputs), M ≥ 1.
    """
    qubits = num_qubits(task, sites)
    step = max(1, AT_ONCE >> qubits)
    turned = task.with_inputs(inputs)
    found = []
    for first in range(0, len(inputs), step):
        outputs = final_outputs(turned, sites, np.arange(first, min(first + step, len(inputs))))
        found.append(outputs.means if outputs.distribution is None else outputs.distribution.T)
    return np.concatenate(found, axis=1), rounding_of(task, sites)


def rounding_of(task: Task, sites: Sequence[Site]) -> float:
    """Limit of the rounding error of an output, angles included, in its own unit."""
    angles = sum(site.role == "encoding" for site in sites) * ANGLE_ROUNDINGS * 2 * np.pi * np.finfo(float).eps
    weight = max((abs(s.centre) + s.weight for s in task.spectra), default=1.0)
    return weight * float(expectation_rounding(num_qubits(task, sites), len(sites)) + angles)


def num_qubits(task: Task, sites: Sequence[Site]) -> int:
    """Qubits that gates act on or outputs are read from."""
    return len({q for site in sites for q in site.qubits} | {q for s in task.output_supports for q in s}) or 1
