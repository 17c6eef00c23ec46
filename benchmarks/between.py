"""What a limit on samples says nothing of: the deviation of one network along a line through its worst input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

import qprune
from benchmarks.records import ROOT, Row, append, provenance
from qprune import Everywhere, Measured
from qprune.report.slices import Slice, slice_through_worst

NAME = "between"
NETWORK, BUDGET, SEED = "iris-4q", 0.05, 0
LIMITS = {
    "every sample within 0.05, measured, with refit": Measured(BUDGET, refit=True),
    "every input within 0.05, proven": Everywhere(BUDGET),
}


def run(out: Path) -> None:
    """Prune the network under each limit, and follow the lines through the worst input of the first.

    Args:
        out: File to which rows are added.
    """
    task = qprune.Task.load(ROOT / "circuits" / NETWORK)
    worst: np.ndarray | None = None
    for words, limit in LIMITS.items():
        origin = provenance(SEED)
        result = qprune.everywhere(qprune.prune(task, limit, seed=SEED))
        found = slice_through_worst(result, worst)
        claim = result.certificate.every_input
        worst = np.array(claim.worst) if worst is None else worst
        append(
            out, {"benchmark": NAME, "config": {"network": NETWORK, "limit": words}, **_row(result, found), **origin}
        )


def _row(result: qprune.PruneResult, found: Slice) -> Row:
    return {
        "gates": [result.flat.size(), result.simplified.size(), result.circuit.size()],
        "two_qubit_gates": [c.num_nonlocal_gates() for c in (result.flat, result.simplified, result.circuit)],
        "measured": result.certificate.largest_measured,
        "upper": found.upper,
        "lower": found.lower,
        "output": found.output,
        "input": found.input,
        "values": found.values.tolist(),
        "deviations": found.deviations.tolist(),
        "samples": found.samples.tolist(),
        "sample_deviations": found.sample_deviations.tolist(),
    }


def draw(axes: Axes, rows: list[Row]) -> None:
    """Curves between the samples, points on them, and the budget."""
    for row, colour in zip(rows, ("#d55e00", "#0072b2"), strict=False):
        gates = f"{row['gates'][2]} of {row['gates'][1]} gates"
        axes.plot(row["values"], row["deviations"], color=colour, label=f"{row['config']['limit']} ({gates})")
        axes.plot(row["samples"], row["sample_deviations"], ".", color=colour, markersize=5, alpha=0.7)
    axes.axhline(BUDGET, color="#009e73", linestyle="--", linewidth=1, label="budget; points: the samples")
    first = rows[0]
    axes.set_xlabel(f"{first['input']}, the other inputs as at the worst input of the first")
    axes.set_ylabel(f"change of ⟨{first['output']}⟩")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
