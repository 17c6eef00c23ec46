"""One function for all plots of a result or a front."""

from __future__ import annotations

from typing import Any

from qprune._checks import checked_choice
from qprune.limits.frontier import Frontier
from qprune.report.outputs import plot_outputs
from qprune.report.plots import plot_deviations, plot_frontier
from qprune.report.slices import plot_over_domain, plot_slice
from qprune.results.result import PruneResult, checked_result

SHOWN = {"samples": plot_deviations, "outputs": plot_outputs, "slice": plot_slice, "domain": plot_over_domain}


def plot(found: PruneResult | Frontier, ax: Any = None, *, show: str = "samples") -> Any:
    """Plot a result's deviations against their bounds, or a Pareto front's against the gates left.

    Args:
        found: What `prune` or `frontier` returned.
        ax: matplotlib Axes; by default those of a new figure.
        show: Of a result: "samples", every sample's measured deviation below its bound; "outputs", every output after
            pruning against the same before; "slice", the deviation along a line through the worst input of the domain;
            "domain", which share of the domain's inputs moves an output by more than what. The last two need a claim
            for every input (`qprune.everywhere`).

    Returns:
        The Axes.

    Raises:
        OptionError: `show` is none of these, or there is no such claim.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> plot(result).get_ylabel()
        'deviation of an observable'
    """
    checked_choice(show, "show", tuple(SHOWN))
    return plot_frontier(found.results, ax) if isinstance(found, Frontier) else SHOWN[show](checked_result(found), ax)
