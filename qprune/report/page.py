"""The report as one self-contained HTML page: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from html import escape

from qiskit.circuit import ParameterExpression

from qprune.report.diagram import FARTHEST, NEAREST, DrawnGate, circuit_svg, position, scale_stops
from qprune.report.plots import inline_svg, plot_deviations, plot_tradeoff
from qprune.results.result import (
    PlanEntry,
    PruneResult,
    claims,
    deviation_name,
    is_proven,
    table_rows,
    two_qubit_gates,
)
from qprune.results.tradeoff import TradeOffPoint
from qprune.task.circuit_file import COUNTED
from qprune.task.task import Task

TICKS = (0.001, 0.01, 0.1, 1.0)  # of the colour scale
FATES = {"keep": "kept", "remove": "removed", "replace": "replaced", "simplify": "simplified away, exactly"}

STYLE = """
:root { color-scheme: light dark; --bg: #ffffff; --fg: #1b1f24; --dim: #57606a; --rule: #d0d7de; --card: #f6f8fa;
  --neutral: #e3e6ea; --strike: #c0152f; --measured: #0072b2; --bound: #c04f00; --limit: #00795a; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171b; --fg: #e6e9ec; --dim: #9aa4ae; --rule: #353c45;
  --card: #1d2228; --neutral: #3a414a; --strike: #ff5c74; --measured: #58b4f0; --bound: #ff9a4d; --limit: #2fd0a0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--bg); color: var(--fg);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; } .dim, figcaption, dt { color: var(--dim); font-size: .875rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: .6rem .8rem; }
.tile dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.scroll { overflow: auto; border: 1px solid var(--rule); border-radius: 6px; padding: .5rem; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--measured); }
.tall { max-height: 28rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th[scope=row], .text { text-align: left; } thead th { font-weight: 600; }
ul { padding-left: 1.2rem; margin: .5rem 0; } li.more { list-style: none; margin-left: .8rem; }
figure { margin: 0; min-width: 0; max-width: 38rem; } figure svg { width: 100%; height: auto; display: block; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem; }
.legend { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; margin: .5rem 0; font-size: .875rem; }
.legend span { display: inline-flex; align-items: center; gap: .4rem; } .legend svg { flex: none; }
.legend .whole { display: inline; white-space: nowrap; }
.circuit { display: block; } svg text { font-family: system-ui, sans-serif; }
.circuit text { font-size: 12px; } text.wire { fill: var(--dim); } text.name { text-anchor: middle; }
path.wire { stroke: var(--dim); stroke-width: 1; } path.link { stroke: var(--fg); stroke-width: 1.5; }
.shape { fill: var(--paint, var(--neutral)); stroke: var(--fg); stroke-width: 1; }
.name { fill: var(--ink, var(--fg)); } .plus { stroke: var(--ink, var(--fg)); stroke-width: 1.5; fill: none; }
.replace .shape { stroke: var(--bound); stroke-width: 3; stroke-dasharray: 4 2; }
.halo { stroke: var(--bg); stroke-width: 5; } .strike { stroke: var(--strike); stroke-width: 2.5; }
.simplify .strike { stroke: var(--fg); stroke-width: 2; stroke-dasharray: 4 3; }
@media (max-width: 30rem) { th, td { padding: .25rem .35rem; font-size: .875rem; } .tile dd { font-size: 1.1rem; }
  #summary th[scope=row] { white-space: normal; } }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
pre { margin: 0; font-size: .8rem; white-space: pre; overflow-wrap: normal; }
"""


def page(result: PruneResult, *, tradeoff: Sequence[TradeOffPoint] = (), title: str | None = None) -> str:
    """The report as HTML; the same result gives the same bytes.

    Args:
        result: What `prune` returned.
        tradeoff: What `qprune.trade_off` returned, for the curve; without it the page has none.
        title: Heading; default: the circuit's name, if it was given one.
    """
    name = escape(_title(result) if title is None else title)
    entries = result.plan
    gone = sum(entry.action in ("remove", "simplify") for entry in entries)
    before = circuit_svg(
        _gates_before(result),
        _wires(result.original),
        f"The circuit before: {_count(len(entries), 'gate')}, {gone} of them struck out; "
        "the table of gates below says the same",
    )
    after = circuit_svg(
        _gates_after(result), _wires(result.original), f"The circuit after: {_count(result.circuit.size(), 'gate')}"
    )
    sections = [
        f"<h1>{name}</h1>",
        f'<p class="dim">Pruned by qprune {escape(result.certificate.versions["qprune"])}: '
        f"{escape(_request(result))}.</p>",
        _tiles(result),
        "<h2>Before and after</h2>",
        _table(result),
        _claims(result),
        "<h2>Circuit before</h2>",
        f"<p>{_fates(result)}</p>",
        _legend(_limit(result)),
        _box("Circuit before", before),
        "<h2>Circuit after</h2>",
        _box("Circuit after", after),
        _plots(result, tradeoff),
        _gate_table(result),
        _certificate(result),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">",
            f"<title>{name} – qprune report</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *sections,
            "</main></body></html>\n",
        ]
    )


# -- gates ----------------------------------------------------------------------------------------------------------


def _gates_before(result: PruneResult) -> list[DrawnGate]:
    drawn = []
    for item, entry in zip(result.flat.data, result.plan, strict=True):
        note = f"gate {entry.index}: {_operation(result.original, item.operation)} on {_qubits(entry.qubits)}\n"
        note += f"{entry.role}, {FATES[entry.action]}" + (f": {entry.detail}" if entry.detail else "")
        if entry.distance is not None and entry.angle is not None:
            note += f"\nd_q = {entry.distance_text}, largest angle {entry.angle:.3g}"
        drawn.append(DrawnGate(entry.gate, entry.qubits, entry.distance, entry.action, note))
    return drawn


def _gates_after(result: PruneResult) -> list[DrawnGate]:
    circuit, drawn = result.circuit, []
    for k, item in enumerate(circuit.data):
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        note = f"gate {k}: {_operation(result.task, item.operation)} on {_qubits(qubits)}"
        drawn.append(DrawnGate(item.operation.name, qubits, None, "keep", note))
    return drawn


def _operation(task: Task, operation: object) -> str:
    """A gate with its angles; a weight's trained value beside its name."""
    shown = []
    for angle in getattr(operation, "params", ()):
        if isinstance(angle, ParameterExpression):
            value = "" if task.has_inputs(angle) else f" = {float(task.values(angle)):.4g}"
            shown.append(f"{angle}{value}")
        elif isinstance(angle, int | float):
            shown.append(f"{angle:.4g}")
        else:
            shown.append("…")  # a matrix
    name = str(getattr(operation, "name", ""))
    return f"{name}({', '.join(shown)})" if 0 < len(shown) <= 4 else name


def _qubits(qubits: Sequence[int]) -> str:
    return ("qubit " if len(qubits) == 1 else "qubits ") + ", ".join(map(str, qubits))


def _wires(task: Task) -> set[int]:
    """Qubits that are measured; those without gates or measurement are not drawn."""
    return {q for support in task.output_supports for q in support}


def _title(result: PruneResult) -> str:
    name = result.original.circuit.name
    return "Pruned network" if COUNTED.fullmatch(name) else f"{name}, pruned"


# -- sections -------------------------------------------------------------------------------------------------------


def _request(result: PruneResult) -> str:
    options = result.certificate.options
    asked = {**options["limit"], "representatives": options["representatives"]}
    parts = [f"limit {asked.pop('name').replace('_', ' ')}"]
    parts += [
        name if value is True else f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in sorted(asked.items())
        if value is not None and value is not False
    ]
    parts += [f"strategy {options['strategy']['name']}", _count(len(result.certificate.samples), "sample")]
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tiles(result: PruneResult) -> str:
    certificate, circuits = result.certificate, (result.flat, result.circuit)
    tiles = [
        ("gates", _change(*(c.size() for c in circuits))),
        ("two-qubit gates", _change(*(two_qubit_gates(c) for c in circuits))),
        ("depth", _change(*(c.depth() for c in circuits))),
    ]
    proven = (f"proven {deviation_name(result)}, at most", f"{certificate.largest_bound:.4g}")
    measured = (f"measured {deviation_name(result)}, at most", f"{certificate.largest_measured:.4g}")
    tiles += [proven, measured] if is_proven(certificate) else [measured, ("proof", "not limited by proof")]
    cells = (f'<div class="tile"><dt>{name}</dt><dd>{value}</dd></div>' for name, value in tiles)
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def _change(before: int, after: int) -> str:
    share = f" (−{100 * (before - after) / before:.0f}\u00a0%)" if before > after else ""
    return f"{before}\u00a0→\u00a0{after}{share}"


def _table(result: PruneResult) -> str:
    header, *rows = table_rows(result)
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header[1:])
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return _box(
        "Before and after", f'<table id="summary"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _claims(result: PruneResult) -> str:
    lines = (
        f"<li{' class=more' if line.startswith(' ') else ''}>{escape(' '.join(line.split()))}</li>"
        for line in claims(result)
    )
    return f"<ul>{''.join(lines)}</ul>"


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
        "Light gates are redundant on this task, dark ones are not; rest the pointer on a gate for its numbers."
    )


def _legend(limit: str) -> str:
    width, height, left = 250, 14, 24
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


def _plots(result: PruneResult, tradeoff: Sequence[TradeOffPoint]) -> str:
    certificate = result.certificate
    figures = []
    if tradeoff:
        drawing = inline_svg(partial(plot_tradeoff, result, tradeoff), "tradeoff")
        rows = "; ".join(
            f"{p.setting} {p.value:.3g}: {p.gates} gates, {p.bound:.3g}, {p.measured:.3g}" for p in tradeoff
        )
        figures.append(
            "<h2>Trade-off</h2>"
            f'<figure role="img" aria-label="Gates left, proven bound and measured deviation. {escape(rows)}">'
            f"{drawing}</figure><p class=dim>The same task pruned at {len(tradeoff)} settings of "
            f"{escape(tradeoff[0].setting)}.</p>"
        )
    drawing = inline_svg(partial(plot_deviations, result), "deviations")
    figures.append(
        "<h2>Deviation of every sample</h2>"
        f'<figure role="img" aria-label="Per-sample deviations: measured at most {certificate.largest_measured:.4g}, '
        f'proven at most {certificate.largest_bound:.4g}">{drawing}</figure>'
        f"<p class=dim>{_count(len(certificate.samples), 'sample')} that selection saw, "
        f"{_count(len(certificate.outputs), 'output')}.</p>"
    )
    return f'<div class="pair">{"".join(f"<section>{figure}</section>" for figure in figures)}</div>'


def _gate_table(result: PruneResult) -> str:
    words, numbers = ("gate", "name", "qubits", "role", "fate", "by"), ("d<sub>q</sub>", "largest angle", "tolerance")
    head = "".join(f'<th scope="col" class="text">{name}</th>' for name in words)
    head += "".join(f'<th scope="col">{name}</th>' for name in numbers)
    body = "\n".join(_gate_row(entry) for entry in result.plan)
    table = f'<table id="gates"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    box = _box("Fate of every gate", table, "tall")
    return f"<details><summary>Fate of every gate ({len(result.plan)})</summary>{box}</details>"


def _gate_row(entry: PlanEntry) -> str:
    words = (entry.gate, ", ".join(map(str, entry.qubits)), entry.role, FATES[entry.action], entry.detail)
    numbers = (entry.distance_text, *("" if x is None else f"{x:.3g}" for x in (entry.angle, entry.tolerance)))
    cells = "".join(f'<td class="text">{escape(word)}</td>' for word in words)
    return f'<tr><th scope="row">{entry.index}</th>{cells}{"".join(f"<td>{n}</td>" for n in numbers)}</tr>'


def _certificate(result: PruneResult) -> str:
    certificate = replace(result.certificate, files={})  # this page is one of the files
    text = f"<pre>{escape(certificate.to_json())}</pre>"
    return f"<details><summary>Certificate (JSON)</summary>{_box('Certificate', text, 'tall')}</details>"


def _box(label: str, content: str, more: str = "") -> str:
    """A box that scrolls by itself, by keyboard too, so that the page never does sideways."""
    return f'<div class="scroll {more}" role="region" tabindex="0" aria-label="{escape(label)}">{content}</div>'
