"""Rows to the two tables of `results/peers.md`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from benchmarks.peers.chains import BUDGETS, CHAINS, GUOQ_CLOSE, GUOQ_EXACT, GUOQ_LONG, RESYNTHESIS, Point, best
from benchmarks.peers.circuits import cases, has_inputs
from benchmarks.peers.field import GUOQ_LEAST
from benchmarks.peers.sides import TOOLS
from benchmarks.records import Row

AIM = 1.5  # times what the best chain of peers removes
OURS = "qprune"
MEASURING = (
    "Operator backpropagation takes gates from the circuit into the observables, which then take more settings to\n"
    "measure, and in all as many circuits; absorption by qprune takes the last Clifford gates, exactly. They stand in\n"
    "no other table. Settings are sets of words that ask for one basis a qubit, times as many as before; shares are\n"
    "of the circuits in the second column."
)
SLOW, LARGER = "GUOQ", "GUOQ, larger ε"  # takes all the time it is given, at a larger ε on some circuits alone
LONG = {chain.name for chain in CHAINS if chain.when_named}  # on so few circuits that no table counts them
USUAL = "RIE → LightCone → O3"  # an expert's way; compared for every input where it was judged so
EVERY_INPUT = ("qprune, every input", "qprune, every input, refit")  # compared where that is the measure
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


# -- side by side -----------------------------------------------------------------------------------------------------


def summary(rows: Sequence[Row]) -> Table:
    """One line per tool over all circuits that it was run on."""
    header = ("tool", "circuits", "gates removed", "two-qubit gates removed", "deviation (median)", "(largest)")
    header += ("time / plain pass", "states a bound", "bound held", "keeps trainable")
    lines = []
    for tool in TOOLS:
        mine = [r for r in rows if r["config"]["tool"] == tool.name]
        done = [r for r in mine if r["status"] == "done"]
        if not done:
            lines.append((tool.name, *_absent(mine), *[""] * (len(header) - 2)))
            continue
        stated = [r for r in done if r["stated"] is not None]
        held = sum(r["held"] for r in stated)
        lines.append(
            (
                tool.name,
                f"{len(done)} of {len(mine)}",
                _share([r["gates"] for r in done]),
                _share([r["two_qubit_gates"] for r in done]),
                f"{median(r['deviation'] for r in done):.2g}",
                f"{max(r['deviation'] for r in done):.2g}",
                f"{median(r['over_plain']['median'] for r in done):.3g}",
                "yes" if stated else "no",
                "" if not stated else "yes" if held == len(stated) else f"**no**, on {len(stated) - held}",
                _kept([r["weights"] for r in done]) + tool.remark,
            )
        )
    return header, lines


def each(rows: Sequence[Row]) -> Table:
    """One line per circuit and tool."""
    header = ("circuit", "tool", "gates", "two-qubit gates", "weights", "deviation", "time / plain pass")
    header += ("own bound", "held")
    order = [tool.name for tool in TOOLS]
    lines = []
    for row in sorted(rows, key=lambda r: (*list(r["config"].values())[:2], order.index(r["config"]["tool"]))):
        start = (row["config"]["circuit"], row["config"]["tool"])
        if row["status"] != "done":
            if "is not installed" not in row["status"]:
                lines.append((*start, row["status"], *[""] * (len(header) - 3)))
            continue
        lines.append(
            (
                *start,
                *(" → ".join(map(str, row[key])) for key in ("gates", "two_qubit_gates", "weights")),
                f"{row['deviation']:.2g}",
                f"{row['over_plain']['median']:.3g}",
                "" if row["stated"] is None else f"{row['stated']:.3g}",
                "" if row["stated"] is None else "yes" if row["held"] else "**no**",
            )
        )
    return header, lines


def _absent(rows: Sequence[Row]) -> tuple[str]:
    return (sorted({r["status"] for r in rows})[0] if rows else "not run",)


def _share(counts: Sequence[Sequence[int]]) -> str:
    before, after = (sum(c[k] for c in counts) for k in (0, 1))
    return f"{100 * (before - after) / max(before, 1):.0f} %"


def _kept(weights: Sequence[Sequence[int]]) -> str:
    before, after = (sum(w[k] for w in weights) for k in (0, 1))
    return f"yes, {100 * after / max(before, 1):.0f} % of them" if after else "no"


# -- at equal deviation -----------------------------------------------------------------------------------------------


def is_ours(row: Row) -> bool:
    return row["config"]["tool"].startswith(OURS)


def measures_as_asked(row: Row) -> bool:
    """Whether a chain left the observables as they are, at some point at least, if it made anything of the circuit."""
    points = row.get("points")
    return not points or not all(point.get("settings") for point in points)


class Fair:
    """The points of every chain on the circuits of one group on which both qprune and peers gave some.

    Args:
        rows: Rows of one group.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        ran = [r for r in rows if r.get("points")]
        alike = [r for r in ran if measures_as_asked(r)]
        sides = [{r["config"]["circuit"] for r in alike if is_ours(r) is ours} for ours in (True, False)]
        ran = [r for r in ran if all(r["config"]["circuit"] in side for side in sides)]
        self.before = {r["config"]["circuit"]: r["two_qubit_gates"] for r in ran}
        self.weights = {r["config"]["circuit"]: r["weights"] for r in ran}
        self.points: dict[str, dict[str, list[Point]]] = {}
        for row in ran:
            for entry in row["points"]:
                point = Point(**entry)
                self.points.setdefault(point.line, {}).setdefault(row["config"]["circuit"], []).append(point)
        names = [line for chain in CHAINS for line in (chain.name, chain.name + RESYNTHESIS)]
        self.lines = [name for name in names if name in self.points]
        measuring = {line for line, found in self.points.items() for ps in found.values() for p in ps if p.settings}
        self.measuring = [name for name in self.lines if name in measuring]
        self.peers = [name for name in self.lines if not name.startswith(OURS) and name not in measuring]
        mine = [name for name in self.lines if name.startswith(OURS) and name not in measuring]
        self.ours = [name for name in mine if not name.endswith(RESYNTHESIS)]
        self.chained = [name for name in mine if name.endswith(RESYNTHESIS)]

    def removed(self, circuit: str, lines: Sequence[str], budget: float) -> int:
        """Two-qubit gates that the best of some lines removes from a circuit; none where it has no point."""
        found = best([p for line in lines for p in self.points[line].get(circuit, ())], budget)
        return max(0, self.before[circuit] - found.two_qubit_gates) if found else 0

    def total(self, lines: Sequence[str], budget: float) -> int:
        return sum(self.removed(circuit, lines, budget) for circuit in self.before)

    def best_single(self, lines: Sequence[str], budget: float) -> int:
        """What the line with the largest total removes."""
        return max((self.total([line], budget) for line in lines), default=0)

    def wins_of_peers(self, budget: float) -> list[str]:
        """Circuits from which some peer removes more than qprune in any mode."""
        return [c for c in self.before if self.removed(c, self.peers, budget) > self.removed(c, self.ours, budget)]


def over_the_domain(rows: Sequence[Row]) -> list[Row]:
    """Rows whose points are judged at every input of the box of the samples, in place of the samples.

    Circuits without inputs have one state, and stay as they are; points of the others count where T9 was worked out.
    """
    found = []
    for row in rows:
        points = row.get("points") or []
        if has_inputs(row["config"]["circuit"]):
            points = [{**p, "deviation": p["everywhere"]} for p in points if p.get("everywhere") is not None]
        found.append({**row, "points": points})
    return found


def with_inputs(rows: Sequence[Row]) -> list[Row]:
    """The rows of circuits that have inputs."""
    return [row for row in rows if has_inputs(row["config"]["circuit"])]


def where_ran(rows: Sequence[Row], tool: str) -> list[Row]:
    """The rows of circuits of which a tool with this in its name made something."""
    ran = {r["config"]["circuit"] for r in rows if tool in r["config"]["tool"] and r.get("points")}
    return [row for row in rows if row["config"]["circuit"] in ran]


def searched(rows: Sequence[Row]) -> str:
    """How long GUOQ searched, at each ε that there are rows of, what its chains took, and what more time found."""
    mine = [row for row in rows if SLOW in row["config"]["tool"] and row.get("points")]
    lines = []
    for epsilon, limit in {**GUOQ_EXACT, **GUOQ_CLOSE}.items():
        there = [row for row in without_long(mine) if any(point["setting"] == epsilon for point in row["points"])]
        names = {row["config"]["circuit"] for row in there}
        known = [row["processor_seconds"] for row in there if "processor_seconds" in row]
        if known:
            spent = f"median {median(known):.0f} s, at most {max(known):.0f} s in the {len(known)} rows that say so"
            lines.append(f"- ε = {epsilon:g}: {limit} s on each of {len(names)} circuits; the chains in all {spent}")
        elif there:
            lines.append(f"- ε = {epsilon:g}: {limit} s on each of {len(names)} circuits")
    for row in (row for row in mine if row["config"]["tool"] in LONG):
        circuit, point = row["config"]["circuit"], row["points"][0]
        shorter = [
            each["two_qubit_gates"]
            for other in without_long(mine)
            for each in other["points"]
            if other["config"]["circuit"] == circuit and each["setting"] == point["setting"]
        ]
        found = f"{point['two_qubit_gates']} of {row['two_qubit_gates']} two-qubit gates left"
        before = f", {min(shorter)} in {GUOQ_CLOSE[point['setting']]} s" if shorter else ""
        lines.append(f"- ε = {point['setting']:g}: {GUOQ_LONG[point['setting']]} s on {circuit}: {found}{before}")
    return "\n".join(
        [
            "GUOQ takes all the time it is given; an hour by the clock is what it has by default. Seconds are of a",
            f"processor, of all its processes together, and at least {GUOQ_LEAST} for each part of a circuit. A chain",
            "in all starts GUOQ besides, runs the other passes and judges what came of it; no search is done twice. At",
            "larger ε GUOQ begins to resynthesise after some 20 s, as it starts processes for each try. The table is",
            "of the circuits that it was run on at a larger ε too; for every input see the first table.",
            "",
            *lines,
        ]
    )


def without_long(rows: Sequence[Row]) -> list[Row]:
    """The rows that tables count."""
    return [row for row in rows if row["config"]["tool"] not in LONG]


def at_equal_deviation(rows: Sequence[Row]) -> Table:
    """A line per chain: the share of two-qubit gates removed at each budget; then how qprune compares."""
    fair = Fair(rows)
    header = ("chain", "circuits", *(f"{budget:g}" for budget in BUDGETS), "weights kept at 0.01")
    whole = sum(fair.before.values())
    lines = []
    for line in (name for name in fair.lines if name not in fair.measuring):
        cells = (f"{100 * fair.total([line], b) / max(whole, 1):.0f} %" for b in BUDGETS)
        lines.append((line, f"{len(fair.points[line])} of {len(fair.before)}", *cells, _weights_kept(fair, line)))
    lines.append(_line("best single chain of peers", lambda b: f"{fair.best_single(fair.peers, b)} of {whole}"))
    lines.append(_line("best peer, circuit by circuit", lambda b: f"{fair.total(fair.peers, b)} of {whole}"))
    lines.append(_line("best mode of qprune", lambda b: f"{fair.best_single(fair.ours, b)} of {whole}"))
    lines.append(_line("qprune / best single chain", lambda b: _ratio(fair, fair.ours, b)))
    lines.append(_line("qprune → O3 / best single chain", lambda b: _ratio(fair, fair.chained, b)))
    lines.append(_line("circuits where a peer wins", lambda b: str(len(fair.wins_of_peers(b)))))
    return header, lines


def at_the_price_of_measuring(rows: Sequence[Row]) -> Table:
    """A line per chain that changes what is measured, beside qprune's modes on the circuits that a peer did that to."""
    header = ("chain", "circuits", *(f"{budget:g}" for budget in BUDGETS), "measuring settings at 0.01")
    changed = [r for r in rows if not is_ours(r) and any(p.get("settings") for p in r.get("points") or [])]
    ran = {r["config"]["circuit"] for r in changed}
    fair = Fair([row for row in rows if row["config"]["circuit"] in ran])
    lines = []
    for line in [*fair.measuring, *fair.ours]:
        there = fair.points[line]
        whole = sum(fair.before[circuit] for circuit in there)
        cells = (f"{100 * fair.total([line], b) / max(whole, 1):.0f} %" for b in BUDGETS)
        found = [best(points, 1e-2) for points in there.values()]
        times = [p.settings[1] / p.settings[0] for p in found if p and p.settings]
        price = f"× {median(times):.2g} (median), × {max(times):.2g} (most)" if times else "as before"
        lines.append((line, f"{len(there)} of {len(fair.before)}", *cells, price))
    return header, lines


def circuits(rows: Sequence[Row]) -> Table:
    """A line per circuit: CX left at each budget, the best peer's before qprune's best."""
    fair = Fair(rows)
    header = ("circuit", "two-qubit gates", *(f"{budget:g}: peer, qprune" for budget in BUDGETS))
    lines = []
    for circuit, before in fair.before.items():
        cells = []
        for budget in BUDGETS:
            theirs, mine = (before - fair.removed(circuit, lines, budget) for lines in (fair.peers, fair.ours))
            cells.append(f"{theirs}, {mine}{' **peer wins**' if theirs < mine else ''}")
        lines.append((circuit, str(before), *cells))
    return header, lines


def not_run(rows: Sequence[Row]) -> list[str]:
    """What is missing, a line each: "chain: on how many circuits: why"."""
    reasons: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["status"] != "done":
            key = (row["config"]["tool"], row["status"])
            reasons[key] = reasons.get(key, 0) + 1
    lines = [f"- {tool}, {count} circuit{'s' if count > 1 else ''}: {why}" for (tool, why), count in reasons.items()]
    for who, theirs in (("qprune", True), ("any other tool", False)):
        mine = [row for row in rows if is_ours(row) == theirs and row["status"] == "done" and measures_as_asked(row)]
        ran = {row["config"]["circuit"] for row in mine}
        if absent := [case.name for case in cases() if case.name not in ran]:
            lines.append(f"- {who} on {', '.join(absent)}: not run to its end")
    return lines


def _line(name: str, cell: Callable[[float], str]) -> tuple[str, ...]:
    return (f"*{name}*", "", *(cell(budget) for budget in BUDGETS), "")


def _ratio(fair: Fair, lines: Sequence[str], budget: float) -> str:
    theirs, mine = fair.best_single(fair.peers, budget), fair.best_single(lines, budget)
    if not theirs:
        return "∞" if mine else "–"
    return f"**{mine / theirs:.2f}**" if mine >= AIM * theirs else f"{mine / theirs:.2f}"


def _weights_kept(fair: Fair, line: str) -> str:
    found = {c: best(points, 1e-2) for c, points in fair.points[line].items()}
    kept = sum(p.weights for p in found.values() if p)
    return f"{100 * kept / max(1, sum(fair.weights[c] for c in found)):.0f} %" if kept else "none"
