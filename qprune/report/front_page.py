"""A Pareto front as one self-contained HTML page: a slider along it, without scripts; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qprune.limits.frontier import Frontier
from qprune.limits.suggest import knee
from qprune.report.alignment import aligned_wires
from qprune.report.diagram import circuit_svg
from qprune.report.page import (
    Drawing,
    gates_after,
    gates_before,
    legend_of,
    rendered,
    tiles_of,
    title_of,
    wires_of,
    words_after,
    words_before,
)
from qprune.report.plots import LIMIT, inline_svg, plot_frontier
from qprune.results.result import PruneResult, two_qubit_gates, verdict


def front_page(front: Frontier, *, title: str | None = None, links: Sequence[str] = ()) -> str:
    """The front as HTML, one point at a time; opened at its knee.

    Args:
        front: What `qprune.frontier` returned, at least one point.
        title: Heading; default: the circuit's name.
        links: Where each point's own report is, beside the page; default: none is linked.
    """
    first, bend = front[0], knee(front)
    chosen = 0 if bend is None else next(k for k, result in enumerate(front) if result is bend)
    points = [_point(result, link) for result, link in zip(front, [*links] or [""] * len(front), strict=True)]
    rows = front.rows()
    return rendered(
        "frontier.html.j2",
        title=title_of(first, "at every size") if title is None else title,
        verdict=_words(front),
        versions=first.certificate.versions,
        points=points,
        chosen=chosen,
        legend=Drawing(legend_of(first)),
        drawing=Drawing(inline_svg(lambda ax: _with_rings(front, ax), "front")),
        label="Measured deviation against gates left; the table below has the numbers",
        rows=rows,
    )


def _words(front: Frontier) -> str:
    first, last = front[0], front[-1]
    (gates, two), (left, still) = ((r.circuit.size(), two_qubit_gates(r.circuit)) for r in (first, last))
    least, most = (f"{r.certificate.largest_measured:.3g}" for r in (first, last))
    sizes = f"{gates} gates, {two} of them on two qubits, to {left}, {still} of them on two qubits"
    return (
        f"{len(front)} circuits, from {sizes}. The largest change of an output, measured, rises from {least} to {most}."
    )


def _point(result: PruneResult, link: str) -> dict[str, Any]:
    """One point: what the page shows while it is chosen."""
    wires, places = wires_of(result.original), aligned_wires(result.flat, result.circuit)
    return {
        "gates": result.circuit.size(),
        "verdict": verdict(result),
        "warnings": result.warnings,
        "tiles": tiles_of(result),
        "link": link,
        "before": Drawing(circuit_svg(gates_before(result, {}), wires, words_before(result))),
        "after": Drawing(circuit_svg(gates_after(result, {}), wires, words_after(result), order=places)),
    }


def _with_rings(front: Frontier, ax: Any) -> None:
    """The front's plot, with a ring at every point that the page shows where that point is chosen."""
    plot_frontier(front.results, ax)
    for k, result in enumerate(front):
        sizes = [result.circuit.size(), two_qubit_gates(result.circuit)]
        far = [result.certificate.largest_measured] * 2
        ring = {"marker": "o", "linestyle": "none", "markersize": 12, "fillstyle": "none", "color": LIMIT}
        ax.plot(sizes, far, gid=f"ring-{k}", **ring)
