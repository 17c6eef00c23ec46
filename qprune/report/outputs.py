"""Outputs of the smaller circuit against the original's, on every sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from qprune._arrays import FloatArray
from qprune.gates.sites import sites_of
from qprune.report.plots import BOUND, LIMIT, MEASURED, SHOWN, axes_of, legend_above
from qprune.results.result import PruneResult
from qprune.simulators.choices import Statevector, final_outputs
from qprune.task.task import Task


def can_be_run(result: PruneResult) -> bool:
    """Whether the circuits fit into statevectors: what chose the gates ran them."""
    return bool(result.certificate.options["simulator"]["name"] == Statevector.name)


def plot_outputs(result: PruneResult, ax: Any = None) -> Any:
    """Draw every output after pruning against the same output before: what is on the diagonal has not changed.

    Both circuits are simulated on every sample, the hold-out apart from those that selection saw; a band shows the
    budget. Of more than 400 points that many are drawn, evenly by their place.

    Args:
        result: What `prune` returned; for a distribution each outcome's probability is a point.
        ax: matplotlib Axes; by default those of a new figure.

    Returns:
        The Axes.
    """
    ax, task = axes_of(ax), result.original
    kinds = [(task.selected, MEASURED, "o", "samples that selection saw")]
    if len(task.heldout):
        kinds.append((task.heldout, BOUND, "v", "hold-out"))
    ends = []
    for samples, colour, marker, label in kinds:
        before, after = (_outputs(each, samples) for each in (task, result.task))
        order = np.lexsort((after, before))
        drawn = order[np.unique(np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int))]
        style = {"linestyle": "none", "markersize": 3.5, "color": colour, "fillstyle": "none"}
        ax.plot(before[drawn], after[drawn], marker=marker, label=label, **style)
        ends += [before.min(), before.max(), after.min(), after.max()]
    margin = 0.05 * (max(ends) - min(ends)) or 0.05 * (abs(ends[0]) or 1.0)  # of the numbers' own scale
    line = np.array([min(ends) - margin, max(ends) + margin])
    ax.plot(line, line, color=LIMIT, linewidth=1, zorder=1)
    if (budget := result.certificate.budget) is not None:
        ax.fill_between(line, line - budget, line + budget, color=LIMIT, alpha=0.15, linewidth=0, label="budget")
    ax.set_xlim(*line)
    ax.set_ylim(*line)
    what = "probability of an outcome" if task.observables is None else "output"
    ax.set_xlabel(f"{what} before")
    ax.set_ylabel("after")
    legend_above(ax)
    return ax


def _outputs(task: Task, samples: Any) -> FloatArray:
    """Every output, or probability, of every sample, flat."""
    outputs = final_outputs(task, sites_of(task), samples)
    return np.ravel(outputs.means if outputs.distribution is None else outputs.distribution)
