"""What people look at: the table, the drawings, the plots.

matplotlib is imported where it is used, so that `import qprune` stays light.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate

from qprune._optional import require
from qprune.errors import BundleError
from qprune.results.result import PruneResult, checked_result, deviation_name, two_qubit_gates
from qprune.results.tradeoff import TradeOffPoint

REMOVED, REPLACED, EXACT = "#c0392b", "#d68910", "#909497"  # colours of the drawing of the original
DPI = 120
FOLD = 40  # columns of a drawing before it is folded

MEASURED, BOUND, LIMIT = "#0072b2", "#d55e00", "#009e73"  # colours of the plots, told apart by the colour-blind
INK = "#123456"  # stands for the text colour in inline SVG
_THEME = {INK: "currentColor", MEASURED: "var(--measured)", BOUND: "var(--bound)", LIMIT: "var(--limit)"}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHOWN = 400  # points of the deviation plot; of more, that many evenly spaced ranks are drawn


class Drawings(NamedTuple):
    """matplotlib figures of a circuit before and after; notebooks show both."""

    before: Any
    after: Any

    def _repr_html_(self) -> str:
        return "".join(
            f'<img alt="{name}" src="data:image/png;base64,{_png(f)}">' for name, f in self._asdict().items()
        )


def draw(result: PruneResult) -> Drawings:
    """matplotlib figures of the circuit before (removed gates coloured) and after.

    Args:
        result: What `prune` returned.

    Returns:
        The two figures, `before` and `after`, which a notebook shows one below the other.

    Raises:
        OptionError: `result` is none.
        MissingExtraError: The extra "report" is not installed.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> before, after = draw(result)
        >>> before.savefig  # doctest: +ELLIPSIS
        <bound method Figure.savefig of ...
    """
    checked_result(result)
    return Drawings(_figure(_marked(result)), _figure(result.circuit))


def _png(figure: Any) -> str:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, bbox_inches="tight")
    return b64encode(stream.getvalue()).decode()


def save_drawings(result: PruneResult, folder: Path) -> None:
    """Write `before.png` and `after.png`.

    Raises:
        BundleError: The folder cannot be written.
    """
    pyplot = drawing_library()
    for name, figure in zip(("before.png", "after.png"), draw(result), strict=True):
        try:
            figure.savefig(folder / name, dpi=DPI, bbox_inches="tight")
        except OSError as error:
            raise BundleError(f"cannot write {folder / name}: {error.strerror or error}") from error
        finally:
            pyplot.close(figure)


def _figure(circuit: QuantumCircuit) -> Any:
    style = {
        "displaycolor": {
            "removed": (REMOVED, "#ffffff"),
            "replaced": (REPLACED, "#ffffff"),
            "exact": (EXACT, "#ffffff"),
        }
    }
    drawing_library()
    return circuit.draw("mpl", style=style, fold=FOLD, idle_wires=True)


def _marked(result: PruneResult) -> QuantumCircuit:
    """The original with the gates that went renamed, because the drawer colours by name."""
    marked = result.flat.copy_empty_like()
    kinds = {"remove": "removed", "replace": "replaced", "simplify": "exact"}
    for item, entry in zip(result.flat.data, result.plan, strict=True):
        operation = item.operation
        if entry.action in kinds:
            operation = Gate(kinds[entry.action], operation.num_qubits, [], label=operation.name)
        marked.append(operation, item.qubits)
    return marked


def drawing_library(module: str = "matplotlib.pyplot") -> Any:
    """A module of matplotlib, once everything that drawings need is known to be installed.

    Raises:
        MissingExtraError: The extra "report" is not installed.
    """
    require("pylatexenc", "report", "drawing circuits")  # by Qiskit
    return require(module, "report", "drawing")


# -- plots ----------------------------------------------------------------------------------------------------------


def plot_deviations(result: PruneResult, ax: Any = None) -> Any:
    """Draw each sample's measured deviation below its proven bound, sorted by the measured one.

    Args:
        result: What `prune` returned; every output of every selected sample is a pair of points.
        ax: matplotlib Axes; by default those of a new figure.

    Returns:
        The Axes.
    """
    ax = axes_of(ax)
    certificate = result.certificate
    measured, bound = (np.ravel(np.array(rows)) for rows in (certificate.measured, certificate.bound))
    order = np.lexsort((bound, measured))
    ranks = np.unique(np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int))
    size = 5 if len(ranks) < 50 else 3
    style = {"linestyle": "none", "markersize": size}
    ax.plot(ranks + 1, bound[order][ranks], marker="v", color=BOUND, fillstyle="none", label="proven bound", **style)
    ax.plot(ranks + 1, measured[order][ranks], marker="o", color=MEASURED, label="measured", **style)
    budget = certificate.budget
    if budget is not None:
        ax.axhline(budget, color=LIMIT, linestyle="--", linewidth=1.2, label="budget")
    _from_zero(ax, max(*bound, *measured, budget or 0.0))
    what = "samples" if len(certificate.outputs) == 1 else "samples × outputs"
    ax.set_xlabel(f"{what}, sorted by measured deviation")
    ax.set_ylabel(deviation_name(result))
    ax.set_xlim(0, 1.04 * len(order) + 0.96)
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    legend_above(ax)
    return ax


def save_figure(ax: Any, path: Path) -> None:
    """Write the figure of an Axes as PNG and close it.

    Raises:
        BundleError: The file cannot be written.
    """
    pyplot = drawing_library()
    try:
        ax.figure.savefig(path, dpi=DPI, bbox_inches="tight")
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        pyplot.close(ax.figure)


def plot_frontier(results: Sequence[PruneResult], ax: Any = None) -> Any:
    """Draw the measured deviation of each circuit of a Pareto front against its gates and two-qubit gates.

    Args:
        results: What `frontier` returned.
        ax: matplotlib Axes; by default those of a new figure.

    Returns:
        The Axes.
    """
    ax = axes_of(ax)
    deviations = [r.certificate.largest_measured for r in results]
    both = ((lambda c: c.size(), "o", MEASURED, "gates"), (two_qubit_gates, "s", BOUND, "two-qubit gates"))
    for count, marker, colour, label in both:
        sizes, style = [count(r.circuit) for r in results], {"marker": marker, "markersize": 4.5, "color": colour}
        ax.plot(sizes, deviations, label=label, **style)
    _from_zero(ax, max(deviations))  # rounding is drawn as the zero it is
    ax.set_xlabel("gates left")
    ax.set_ylabel("largest measured deviation")
    ax.legend()
    return ax


def plot_tradeoff(result: PruneResult, points: Sequence[TradeOffPoint], ax: Any = None) -> Any:
    """Draw bound and measured deviation against the share of gates that went; this result is ringed.

    Args:
        result: The result that the points vary.
        points: What `qprune.trade_off` returned.
        ax: matplotlib Axes; by default those of a new figure.

    Returns:
        The Axes.
    """
    ax = axes_of(ax)
    before, certificate = result.flat.size(), result.certificate
    here = (int(result.circuit.size()), certificate.largest_bound, certificate.largest_measured)
    rows = sorted({*((p.gates, p.bound, p.measured) for p in points), here})
    # The line joins the points that no other beats in both gates and what the budget limits.
    limited = 1 if certificate.judged_by == "bound" else 2
    best = [row for k, row in enumerate(rows) if all(row[limited] < other[limited] for other in rows[:k])]
    for column, marker, color, label in ((1, "v", BOUND, "proven bound"), (2, "o", MEASURED, "measured")):
        for chosen, style in ((rows, {"linestyle": "none", "label": label}), (best, {"marker": "", "linewidth": 1.2})):
            gone = [100 * (before - row[0]) / max(before, 1) for row in chosen]
            values = [row[column] for row in chosen]
            ax.plot(gone, values, **{"marker": marker, "markersize": 4.5, "color": color, **style})
    ring = {"marker": "o", "linestyle": "none", "markersize": 11, "fillstyle": "none", "color": LIMIT}
    x = 100 * (before - here[0]) / max(before, 1)
    ax.plot([x], here[1:2], "v", color=BOUND, markersize=4.5)
    ax.plot([x], here[2:], "o", color=MEASURED, markersize=4.5)
    ax.plot([x, x], here[1:], label="this result", **ring)
    _from_zero(ax, max(max(row[1:]) for row in rows))
    ax.set_xlabel("gates removed, % of the original")
    ax.set_ylabel(f"largest {deviation_name(result)}")
    legend_above(ax)
    return ax


def inline_svg(draw_on: Callable[[Any], Any], name: str, width: float = 5.0, height: float = 3.6) -> str:
    """An SVG element for a page: no network, text in the page's font and colour, ids that begin with `name`.

    Args:
        draw_on: Draws on the Axes it is given.
        name: Distinguishes the SVGs of one page.
        width: Inches.
        height: Inches.
    """
    matplotlib, figures = drawing_library("matplotlib"), drawing_library("matplotlib.figure")
    ink = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color")
    settings: dict[str, Any] = dict.fromkeys(ink, INK)
    settings |= {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 11, "axes.spines.top": False}
    settings |= {"axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.18, "legend.framealpha": 0}
    with matplotlib.rc_context(settings):
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        draw_on(figure.subplots())
        stream = StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'(\sid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    for colour, variable in _THEME.items():  # the page decides, in light and in dark
        text = text.replace(colour, variable)
    return text


def _from_zero(ax: Any, top: float) -> None:
    """Logarithmic over about three decades below the largest value, linear from a power of ten there to zero."""
    top = top or 1.0
    threshold = 10.0 ** np.ceil(np.log10(top / 1000))
    ax.set_yscale("symlog", linthresh=threshold)
    ax.yaxis.set_major_formatter(_power_of_ten)
    ax.set_ylim(-threshold / 10, 2 * top)


def _power_of_ten(value: float, _: object = None) -> str:
    """A tick as plain text: matplotlib takes a fifth of a page's time to read its own formula for it."""
    if not value:
        return "0"
    return f"{'−' if value < 0 else ''}10{str(round(np.log10(abs(value)))).translate(_RAISED)}"


def legend_above(ax: Any) -> None:
    """Above the Axes, where it hides no point."""
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, columnspacing=1.2)


def axes_of(ax: Any) -> Any:
    if ax is not None:
        return ax
    return drawing_library().subplots(figsize=(6, 4), layout="constrained")[1]
