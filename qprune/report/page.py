"""The report as one self-contained HTML page: no script, nothing fetched.

The page itself is a template, `page.html.j2`, with `page.css`; here is what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from qiskit.circuit import ParameterExpression

from qprune._optional import require
from qprune._text import at_most
from qprune.report.alignment import aligned_wires
from qprune.report.diagram import FARTHEST, NEAREST, DrawnGate, circuit_svg, position, scale_stops
from qprune.report.outputs import can_be_run, plot_outputs
from qprune.report.plots import inline_svg, plot_deviations, plot_tradeoff
from qprune.results.every_input import OutputEverywhere
from qprune.results.result import (
    PlanEntry,
    PruneResult,
    claims,
    deviation_name,
    is_proven,
    table_rows,
    two_qubit_gates,
    verdict,
)
from qprune.results.tradeoff import TradeOffPoint
from qprune.task.circuit_file import COUNTED
from qprune.task.task import Task

TICKS = (0.001, 0.01, 0.1, 1.0)  # of the colour scale
FATES = {"keep": "kept", "remove": "removed", "replace": "replaced", "simplify": "simplified away, exactly"}
GLOSSARY = {
    "d_q": "distance of a gate from what replaced it, on the states of this task: 0 is the same, √2 the farthest",
    "measured": "found by exact simulation of both circuits on the samples named; says nothing of other inputs",
    "proven": "a theorem's limit (docs/theory.md); no input or sample that it names can exceed it",
    "T2": "the theorem that limits outputs on the samples before the smaller circuit is run",
    "T4": "the theorem by which a prediction cannot flip: its output is further from zero than it can move",
    "T5": "what hold-out samples say of new inputs, with a stated probability",
    "T9": "the theorem that limits outputs for every input of a domain, between the samples too",
    "exact": "changes no output at all: cancelled, merged, seen by no output, or a shorter network that does the same",
    "budget": "the largest change of an output that was allowed",
}
SCALE = 250, 14, 24  # width, height and left margin of the colour scale, pixels


def page(
    result: PruneResult,
    *,
    tradeoff: Sequence[TradeOffPoint] = (),
    title: str | None = None,
    names: Mapping[str, str] | None = None,
) -> str:
    """The report as HTML; the same result gives the same bytes, but for the date.

    Args:
        result: What `prune` returned.
        tradeoff: What `qprune.trade_off` returned, for the curve; without it the page has none.
        title: Heading; default: the circuit's name, if it was given one.
        names: What parameters are called on the page, by name; those of a QNode are entries of its arrays.
    """
    certificate, called = result.certificate, dict(names or {})
    places, wires = aligned_wires(result.flat, result.circuit), wires_of(result.original)
    before = circuit_svg(gates_before(result, called), wires, words_before(result), link="gate-")
    after = circuit_svg(gates_after(result, called), wires, words_after(result), order=places)
    return rendered(
        "page.html.j2",
        title=title_of(result, "pruned") if title is None else title,
        verdict=verdict(result),
        warnings=result.warnings,
        versions=certificate.versions,
        request=_request(result),
        tiles=tiles_of(result),
        **_every_input(result, called),
        summary=table_rows(result),
        claims=[
            (line.startswith(" "), " ".join(line.split())) for line in claims(result) if line.split(":")[0] != "WARNING"
        ],
        fates=_fates(result),
        legend=Drawing(legend_of(result)),
        before=Drawing(before),
        after=Drawing(after),
        moved=", ".join(f"q{q} for q{p}" for q, p in places.items() if q != p),
        figures=_figures(result, tradeoff),
        gates=[_gate_row(entry) for entry in result.plan],
        glossary=GLOSSARY,
        certificate=replace(certificate, files={}).to_json(),  # this page is one of the files
    )


class Drawing(str):
    """Markup that was made here and has escaped its own texts; everything else is escaped in templates."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def rendered(template: str, **shown: Any) -> str:
    """A template of this folder as a page, with the style and today's date."""
    jinja2, folder = require("jinja2", "report", "the HTML page"), Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    style = Drawing((folder / "page.css").read_text(encoding="utf-8"))
    today = datetime.now(UTC).date().isoformat()
    return str(environment.get_template(template).render(style=style, today=today, **shown))


# -- gates ----------------------------------------------------------------------------------------------------------


def gates_before(result: PruneResult, names: Mapping[str, str]) -> list[DrawnGate]:
    """The original's gates, each with its fate."""
    drawn = []
    for item, entry in zip(result.flat.data, result.plan, strict=True):
        what = _operation(result.original, item.operation, names)
        note = f"gate {entry.index}: {what} on {_qubits(entry.qubits)}\n"
        note += f"{entry.role}, {FATES[entry.action]}" + (f": {entry.detail}" if entry.detail else "")
        if entry.distance is not None and entry.angle is not None:
            note += f"\nd_q = {entry.distance_text}, largest angle {entry.angle:.3g}"
        drawn.append(DrawnGate(entry.gate, entry.qubits, entry.distance, entry.action, note))
    return drawn


def gates_after(result: PruneResult, names: Mapping[str, str]) -> list[DrawnGate]:
    """The gates that are left."""
    circuit, drawn = result.circuit, []
    for k, item in enumerate(circuit.data):
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        note = f"gate {k}: {_operation(result.task, item.operation, names)} on {_qubits(qubits)}"
        drawn.append(DrawnGate(item.operation.name, qubits, None, "keep", note))
    return drawn


def _operation(task: Task, operation: object, names: Mapping[str, str]) -> str:
    """A gate with its angles; a weight's trained value beside its name."""
    shown = []
    for angle in getattr(operation, "params", ()):
        if isinstance(angle, ParameterExpression):
            value = "" if task.has_inputs(angle) else f" = {float(task.values(angle)):.4g}"
            known = re.compile("|".join(rf"(?<!\w){re.escape(p.name)}(?!\w)" for p in angle.parameters) or "$^")
            shown.append(known.sub(lambda found: names.get(found[0], found[0]), str(angle)) + value)
        elif isinstance(angle, int | float):
            shown.append(f"{angle:.4g}")
        else:
            shown.append("…")  # a matrix
    name = str(getattr(operation, "name", ""))
    return f"{name}({', '.join(shown)})" if 0 < len(shown) <= 4 else name


def _qubits(qubits: Sequence[int]) -> str:
    return ("qubit " if len(qubits) == 1 else "qubits ") + ", ".join(map(str, qubits))


def wires_of(task: Task) -> set[int]:
    """Qubits that are measured; those without gates or measurement are not drawn."""
    return {q for support in task.output_supports for q in support}


def words_before(result: PruneResult) -> str:
    """The original in words, for those who do not see the drawing."""
    gone = sum(entry.action in ("remove", "simplify") for entry in result.plan)
    return (
        f"The circuit before: {_count(len(result.plan), 'gate')}, {gone} of them struck out; the table of gates says so"
    )


def words_after(result: PruneResult) -> str:
    """The smaller circuit in words."""
    return f"The circuit after: {_count(result.circuit.size(), 'gate')}"


def title_of(result: PruneResult, how: str) -> str:
    """A heading from the circuit's name, if it was given one, and what became of it."""
    name = result.original.circuit.name
    return f"{'A network' if COUNTED.fullmatch(name) else name}, {how}"


# -- sections -------------------------------------------------------------------------------------------------------


def _request(result: PruneResult) -> str:
    options = result.certificate.options
    asked = {**options["limit"], "representatives": options["representatives"]}
    parts = [f"limit {asked.pop('name').replace('_', ' ')}"]
    parts += [
        name if value is True else f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in sorted(asked.items())
        if value is not None and value is not False and name != "judged_by"
    ]
    parts += [f"strategy {options['strategy']['name']}", _count(len(result.certificate.samples), "sample")]
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def tiles_of(result: PruneResult) -> list[tuple[str, str]]:
    """What stands in large letters: names and values."""
    certificate, circuits = result.certificate, (result.flat, result.circuit)
    tiles = [
        ("gates", _change(*(c.size() for c in circuits))),
        ("two-qubit gates", _change(*(two_qubit_gates(c) for c in circuits))),
        ("depth", _change(*(c.depth() for c in circuits))),
    ]
    if result.accuracy is not None:
        tiles.append(("accuracy", " →\u00a0".join(f"{share:.4g}" for share in result.accuracy)))
    proven = (f"proven {deviation_name(result)}, at most", f"{certificate.largest_bound:.4g}")
    measured = (f"measured {deviation_name(result)}, at most", f"{certificate.largest_measured:.4g}")
    if (claim := certificate.every_input) is not None:
        tiles.append(("proven for every input, at most", at_most(claim.upper, 4)))
    if is_proven(certificate):
        return [*tiles, proven, measured]
    return [*tiles, measured, *([] if claim else [("proof", "not limited by proof")])]


def _change(before: int, after: int) -> str:
    share = f" (−{100 * (before - after) / before:.0f}\u00a0%)" if before > after else ""
    return f"{before}\u00a0→\u00a0{after}{share}"


def _every_input(result: PruneResult, names: Mapping[str, str]) -> dict[str, Any]:
    """The domain, and one row per output of what is proven for every input of it."""
    claim = result.certificate.every_input
    if claim is None:
        return {"domain": "", "every": []}
    called = [names.get(p.name, p.name) for p in result.original.input_params]
    return {"domain": claim.domain.words, "every": [_every_row(output, called) for output in claim.outputs]}


def _every_row(output: OutputEverywhere, called: Sequence[str]) -> dict[str, str]:
    change = "" if len(output.before) > 1 else f"{output.before[0]:.4g} → {output.after[0]:.4g}"
    worst = ", ".join(f"{name} = {value:.4g}" for name, value in zip(called, output.worst, strict=True))
    upper, lower = at_most(output.upper, 4), f"{output.lower:.4g}"
    return {"name": output.name, "upper": upper, "lower": lower, "change": change, "worst": worst}


def _limit(result: PruneResult) -> str:
    """What removals had to stay within."""
    return "the bound" if result.certificate.limited_by_proof else "the measured budget"


def _fates(result: PruneResult) -> str:
    entries = result.plan
    counts = {fate: sum(entry.action == fate for entry in entries) for fate in FATES}
    return (
        f"{_count(len(entries), 'gate')}: {counts['remove']} removed and {counts['replace']} replaced under "
        f"{_limit(result)}, "
        f"{counts['simplify']} gone exactly (merged, cancelled or seen by no output), {counts['keep']} kept. "
        "Light gates are redundant on this task, dark ones are not; rest the pointer on a gate for its numbers, and "
        "follow it to its line in the table of fates."
    )


def legend_of(result: PruneResult) -> str:
    """The colour scale of d_q, and what strokes mean; markup."""
    limit, (width, height, left) = _limit(result), SCALE
    stops = scale_stops()
    gradient = "".join(f'<stop offset="{k / (len(stops) - 1):.4g}" stop-color="{c}"/>' for k, c in enumerate(stops))
    ticks = "".join(
        f'<text x="{left + width * position(t):.0f}" y="30" font-size="11" text-anchor="middle" fill="currentColor">'
        f"{'≤ ' if t == NEAREST else ''}{t:g}</text>"
        for t in TICKS
    )
    alternative = f"Colour scale of d_q, logarithmic from {NEAREST:g}, light, to √2 = {FARTHEST:.3f}, dark"
    scale = (
        f'<svg width="{width + left + 12}" height="34" role="img" aria-label="{alternative}"><defs>'
        f'<linearGradient id="scale">{gradient}</linearGradient></defs>'
        f'<rect x="{left}" width="{width}" height="{height}" fill="url(#scale)"/>{ticks}</svg>'
    )
    samples = (
        ("remove", f"removed, under {limit}"),
        ("simplify", "gone exactly"),
        ("replace", f"replaced, under {limit}"),
    )
    marks = ""
    for fate, words in samples:
        strike = "" if fate == "replace" else '<path class="halo" d="M1 27L27 1"/><path class="strike" d="M1 27L27 1"/>'
        marks += (
            f'<span><svg width="28" height="28" class="{fate}" aria-hidden="true">'
            f'<rect class="shape" x="2" y="2" width="24" height="24" rx="3"/>{strike}</svg>{words}</span>'
        )
    return (
        f'<div class="legend"><span><span class="whole">distance d<sub>q</sub></span>{scale}</span>{marks}'
        '<span><svg width="28" height="28" aria-hidden="true">'
        '<rect class="shape" x="2" y="2" width="24" height="24" rx="3"/></svg>grey: not compared</span></div>'
    )


def _figures(result: PruneResult, tradeoff: Sequence[TradeOffPoint]) -> list[dict[str, str]]:
    """Plots: title, drawing as markup, alternative text, and a note."""
    certificate, figures = result.certificate, []
    if tradeoff:
        rows = "; ".join(
            f"{p.setting} {p.value:.3g}: {p.gates} gates, {p.bound:.3g}, {p.measured:.3g}" for p in tradeoff
        )
        figures.append(
            {
                "title": "Trade-off",
                "drawing": Drawing(inline_svg(partial(plot_tradeoff, result, tradeoff), "tradeoff")),
                "label": f"Gates left, proven bound and measured deviation. {rows}",
                "note": f"The same task pruned at {len(tradeoff)} settings of {tradeoff[0].setting}.",
            }
        )
    samples, outputs = _count(len(certificate.samples), "sample"), _count(len(certificate.outputs), "output")
    at_most_by = f"measured at most {certificate.largest_measured:.4g}"
    figures.append(
        {
            "title": "Deviation of every sample",
            "drawing": Drawing(inline_svg(partial(plot_deviations, result), "deviations")),
            "label": f"Per-sample deviations: {at_most_by}, proven at most {certificate.largest_bound:.4g}",
            "note": f"{samples} that selection saw, {outputs}.",
        }
    )
    if can_be_run(result):
        held = len(result.original.heldout)
        seen = f", and {_count(held, 'sample')} that it never saw" if held else ""
        figures.append(
            {
                "title": "Outputs before and after",
                "drawing": Drawing(inline_svg(partial(plot_outputs, result), "outputs")),
                "label": f"Every output after pruning against the same before: off the diagonal by {at_most_by}",
                "note": f"{samples} that selection saw{seen}. On the diagonal nothing has changed.",
            }
        )
    return figures


def _gate_row(entry: PlanEntry) -> list[str]:
    words = (entry.gate, ", ".join(map(str, entry.qubits)), entry.role, FATES[entry.action], entry.detail)
    numbers = (entry.distance_text, *("" if x is None else f"{x:.3g}" for x in (entry.angle, entry.tolerance)))
    return [str(entry.index), *words, *numbers]
