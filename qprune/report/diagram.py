"""A circuit as SVG: wires, boxes and dots in columns, one gate's colour and fate each.

Pure functions from gates to text; colours that the page decides are CSS variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import log10, sqrt

ROW, BOX, GAP, LETTER = 40, 28, 10, 7.4  # pixels: wire distance, box height, space between columns, width of a letter
LONGEST = 9  # letters of a gate's name that are shown
NEAREST, FARTHEST = 1e-3, sqrt(2)  # ends of the colour scale, in d_q

# viridis reversed: light is redundant, dark is indispensable
_SCALE = ("#fde725", "#addc30", "#5ec962", "#28ae80", "#21918c", "#2c728e", "#3b528b", "#472d7b", "#440154")

# name: number of controls drawn as dots, then the letters on each further qubit ("+" is the target of a CX)
_SHAPES = {
    "cx": (1, "+"), "cy": (1, "Y"), "cz": (2, ""), "ch": (1, "H"), "ccx": (2, "+"), "ccz": (3, ""),
    "crx": (1, "RX"), "cry": (1, "RY"), "crz": (1, "RZ"), "cp": (1, "P"), "cu1": (1, "P"), "cs": (1, "S"),
    "csdg": (1, "S†"), "csx": (1, "√X"), "cu": (1, "U"), "cu3": (1, "U"), "swap": (0, "×"), "cswap": (1, "×"),
}  # fmt: skip
_NAMES = {"sdg": "S†", "tdg": "T†", "sx": "√X", "sxdg": "√X†", "PauliEvolution": "exp(iP)"}
_SYMMETRIC = {"rxx", "ryy", "rzz", "swap", "iswap"}  # boxes that need no number


@dataclass(frozen=True)
class DrawnGate:
    """One gate to draw.

    Attributes:
        name: Qiskit's name.
        qubits: Wires, in the gate's own order.
        distance: d_q, which colours it; None is neutral.
        fate: "keep", "remove", "replace" or "simplify".
        note: What a pointer resting on it says.
    """

    name: str
    qubits: tuple[int, ...]
    distance: float | None
    fate: str
    note: str


def position(distance: float) -> float:
    """Place of d_q on the colour scale, 0 (redundant) to 1: logarithmic between `NEAREST` and `FARTHEST`."""
    clipped = min(max(distance, NEAREST), FARTHEST)
    return log10(clipped / NEAREST) / log10(FARTHEST / NEAREST)


def colour(distance: float) -> str:
    """The colour of d_q as #rrggbb."""
    place = position(distance) * (len(_SCALE) - 1)
    k = min(int(place), len(_SCALE) - 2)
    low, high = (_channels(c) for c in _SCALE[k : k + 2])
    mixed = (round(a + (place - k) * (b - a)) for a, b in zip(low, high, strict=True))
    return "#" + "".join(f"{c:02x}" for c in mixed)


def scale_stops() -> tuple[str, ...]:
    """Colours at equal steps of `position`, for the legend."""
    return _SCALE


def columns(gates: Sequence[DrawnGate]) -> list[int]:
    """The column of every gate: as early as all wires between its first and its last qubit are free."""
    free: dict[int, int] = {}
    places = []
    for gate in gates:
        span = range(min(gate.qubits, default=0), max(gate.qubits, default=-1) + 1)
        column = max((free.get(q, 0) for q in span), default=0)
        free.update(dict.fromkeys(span, column + 1))
        places.append(column)
    return places


def circuit_svg(
    gates: Sequence[DrawnGate],
    wires: Iterable[int],
    label: str,
    *,
    order: Mapping[int, int] | None = None,
    link: str | None = None,
) -> str:
    """The circuit as one SVG element.

    Args:
        gates: In order.
        wires: Qubits to draw; those of the gates are added.
        label: Alternative text.
        order: By qubit the number by which its wire is sorted in; default its own.
        link: What a gate leads to: an element of this name and the gate's number; default nowhere.
    """
    by = dict(order or {})
    shown = sorted({*wires, *(q for gate in gates for q in gate.qubits)}, key=lambda q: by.get(q, q))
    row = {q: j for j, q in enumerate(shown)}
    placed = [replace(gate, qubits=tuple(row[q] for q in gate.qubits)) for gate in gates]
    places = columns(placed)
    widths = [BOX] * (max(places, default=-1) + 1)
    for gate, column in zip(placed, places, strict=True):
        widths[column] = max([widths[column], *(round(_width(letters)) for letters in _letters(gate))])
    left = round(12 + LETTER * max((len(f"q{q}") for q in shown), default=0))
    centres, x = [], left + GAP
    for width in widths:
        centres.append(x + width / 2)
        x += width + GAP
    height = ROW * len(shown)
    parts = [
        f'<svg class="circuit" role="img" aria-label="{escape(label)}" width="{x}" height="{height}" '
        f'viewBox="0 0 {x} {height}">'
    ]
    for q, j in row.items():
        y = ROW * j + ROW // 2
        parts.append(f'<text class="wire" x="4" y="{y + 4}">q{q}</text>')
        parts.append(f'<path class="wire" d="M{left} {y}H{x}"/>')
    for k, (gate, column) in enumerate(zip(placed, places, strict=True)):
        drawn = _gate(k, gate, centres[column])
        parts.append(drawn if link is None else f'<a href="#{link}{k}">{drawn}</a>')
    return "\n".join([*parts, "</svg>"])


def _gate(k: int, gate: DrawnGate, x: float) -> str:
    """One gate: the link between its qubits, a shape on each, and a stroke through every shape if it is gone."""
    rows = [ROW * q + ROW // 2 for q in gate.qubits]
    paint = "" if gate.distance is None else f' style="{_paint(colour(gate.distance))}"'
    parts = [f'<g class="gate {gate.fate}" data-gate="{k}"{paint}><title>{escape(gate.note)}</title>']
    if len(rows) > 1:
        parts.append(f'<path class="link" d="M{x:g} {min(rows)}V{max(rows)}"/>')
    strokes, names = "", ""
    for y, letters in zip(rows, _letters(gate), strict=True):
        reach, up = _width(letters) / 2, BOX / 2
        if letters == "•":
            parts.append(f'<circle class="shape" cx="{x:g}" cy="{y}" r="6"/>')
            reach = up = 9
        elif letters == "+":
            parts.append(f'<circle class="shape" cx="{x:g}" cy="{y}" r="11"/>')
            parts.append(f'<path class="plus" d="M{x - 7:g} {y}h14M{x:g} {y - 7}v14"/>')
            reach = up = 11
        else:
            parts.append(
                f'<rect class="shape" x="{x - reach:g}" y="{y - up:g}" width="{2 * reach:g}" height="{BOX}" rx="3"/>'
            )
            names += f'<text class="name" x="{x:g}" y="{y + 4}">{escape(letters)}</text>'
        strokes += f"M{x - reach:g} {y + up:g}L{x + reach:g} {y - up:g}"
    if gate.fate in ("remove", "simplify"):
        parts.append(f'<path class="halo" d="{strokes}"/><path class="strike" d="{strokes}"/>')
    return "".join([*parts, names, "</g>"])  # names last: a stroke must not hide them


def _letters(gate: DrawnGate) -> list[str]:
    """What stands on each of the gate's qubits: "•" a control, "+" the target of a CX, else letters in a box."""
    size = len(gate.qubits)
    if gate.name in _SHAPES:
        controls, target = _SHAPES[gate.name]
        return ["•"] * controls + [target] * (size - controls)
    name = _NAMES.get(gate.name, gate.name if len(gate.name) > 4 else gate.name.upper())
    name = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    if size == 1 or gate.name in _SYMMETRIC:
        return [name] * size
    return [f"{name}:{j}" for j in range(size)]


def _width(letters: str) -> float:
    return max(BOX, LETTER * len(letters) + 10)


def _paint(background: str) -> str:
    """CSS variables for a gate's shapes and for what is written on them."""
    red, green, blue = _channels(background)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    return f"--paint:{background};--ink:{'#ffffff' if dark else '#101010'}"


def _channels(colour_name: str) -> tuple[int, int, int]:
    return int(colour_name[1:3], 16), int(colour_name[3:5], 16), int(colour_name[5:7], 16)
