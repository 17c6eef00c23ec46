"""The picture of README.md: a reference network before and after, as one SVG. `python -m tools.picture`."""

from __future__ import annotations

import re
from pathlib import Path

import qprune
from qprune.report.alignment import aligned_wires
from qprune.report.diagram import DrawnGate, circuit_svg
from qprune.results.result import verdict

PLACE = Path(__file__).resolve().parent.parent / "docs" / "images" / "before-after.svg"
NETWORK, BUDGET, MARGIN, HEAD, WIDTH = "iris-4q", 0.1, 16, 26, 110
LOOK = """text { font-family: system-ui, sans-serif; font-size: 12px; fill: #1b1f24; } .head { font-size: 14px;
font-weight: 600; } text.wire { fill: #57606a; } text.name { text-anchor: middle; fill: var(--ink, #1b1f24); }
path.wire { stroke: #8c959f; } path.link { stroke: #1b1f24; stroke-width: 1.5; }
.shape { fill: var(--paint, #e3e6ea); stroke: #1b1f24; } .plus { stroke: var(--ink, #1b1f24); stroke-width: 1.5; }
.halo { stroke: #ffffff; stroke-width: 5; } .strike { stroke: #c0152f; stroke-width: 2.5; }"""


def main() -> None:
    """Prune a reference network and draw both circuits."""
    result = qprune.prune(qprune.load_network(NETWORK), qprune.Everywhere(BUDGET))
    plan = [DrawnGate(e.gate, e.qubits, e.distance, e.action, "") for e in result.plan]
    after = [
        DrawnGate(item.operation.name, tuple(result.circuit.find_bit(q).index for q in item.qubits), None, "keep", "")
        for item in result.circuit.data
    ]
    wires = range(result.original.num_qubits)
    order = aligned_wires(result.flat, result.circuit)
    drawings = [circuit_svg(plan, wires, "before"), circuit_svg(after, wires, "after", order=order)]
    sizes = [tuple(map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())) for svg in drawings]
    parts, y = [], MARGIN
    for words, svg, (_, height) in zip((f"{NETWORK}, trained", verdict(result)), drawings, sizes, strict=True):
        lines = _wrapped(words)
        parts += [
            f'<text class="head" x="{MARGIN}" y="{y + 18 * (k + 1)}">{line}</text>' for k, line in enumerate(lines)
        ]
        y += 18 * len(lines) + 8
        parts.append(svg.replace("<svg ", f'<svg x="{MARGIN}" y="{y}" ', 1))
        y += height + HEAD
    width = max(size[0] for size in sizes) + 2 * MARGIN
    PLACE.parent.mkdir(exist_ok=True)
    frame = f'<rect width="{width}" height="{y}" fill="#ffffff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">'
    body = re.sub(r"<title></title>", "", "\n".join(parts))
    PLACE.write_text(f"{head}<style>{LOOK}</style>{frame}\n{body}\n</svg>\n", encoding="utf-8")


def _wrapped(words: str) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{word}"
    return lines


if __name__ == "__main__":
    main()
