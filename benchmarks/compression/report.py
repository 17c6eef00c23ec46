"""Rows to tables: how small, how accurate, and whether starting small would have done as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean, mode, stdev
from typing import Any

from benchmarks.compression.controls import KINDS, STARTS
from benchmarks.compression.points import ROUND_STEPS, SAMPLES, SEARCHES, once
from benchmarks.compression.run import CONTROLLED, OURS, WAYS
from benchmarks.records import Row, markdown, origins
from benchmarks.tasks.catalogue import PATIENCE, TASKS

AIMS = "## Aims"
LABELS, SILENT, CONTROL, BASELINES = "## With labels", "## Without labels", "## From scratch", "## Other orders"
KNOWN = "## Known beforehand"
AIM, FALL = 10, 0.01 + 1e-9  # times fewer gates, and the accuracy on test data that may go for it
HALF = 2  # times fewer two-qubit gates of a molecule
TIE = 0.005  # of accuracy: less than a sample or two of the test split
ROUNDED = 2e-9  # by how much two scores of a row, of nine digits, may be off together

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def with_labels(rows: Sequence[Row]) -> Table:
    """Pruned and trained on in turn, at each level."""
    header = ("task", "level", "seeds", "gates", "times fewer", "two-qubit gates", "trained rotations", "parameters")
    lines = []
    for task, level, some in _groups(rows, OURS):
        found = [_at(row, level) for row in some]
        times, fall = _times(some, found, "gates"), _fall(some, found)
        reached = times >= AIM and fall <= FALL and not TASKS[task].chemical
        counts = [_change(some, found, key) for key in ("gates", "two_qubit_gates", "trainable", "parameters")]
        shown = f"**{times:.3g}**" if reached else f"{times:.3g}"
        lines.append((task, level, str(len(some)), counts[0], shown, *counts[1:], _before_after(some, found)))
    return (*header, "on test data"), lines


def without_labels(rows: Sequence[Row]) -> Table:
    """`Measured` alone, once at each budget, from the original."""
    header = ("task", "level", "seeds", "gates", "times fewer", "two-qubit gates", "parameters", "on test data")
    lines = []
    for task, level, some in _groups(rows, OURS):
        found = [_cheapest_once(row, level) for row in some]
        times = _times(some, found, "gates")
        counts = [_change(some, found, key) for key in ("gates", "two_qubit_gates", "parameters")]
        claims = [point["every_input"] for point in found if point["every_input"] is not None]
        every = f"{max(claims):.3g}" + f", {len(claims)} of {len(found)}" * (len(claims) < len(found)) if claims else ""
        lines.append((task, level, str(len(some)), counts[0], f"{times:.3g}", *counts[1:]))
        lines[-1] += (_before_after(some, found), every)
    return (*header, "proven for every input"), lines


def from_scratch(rows: Sequence[Row]) -> Table:
    """The pruned network beside networks as large, trained from scratch with as many steps."""
    header = ("task", "seeds", "gates", "parameters", "pruned, test", *(f"{kind}, test" for kind in KINDS))
    lines = []
    for task, level, some in _groups(rows, OURS):
        some = [row for row in some if str(row["levels"][level]) in row["controls"]]
        if not some or level not in CONTROLLED:
            continue
        found = [_at(row, level) for row in some]
        cells = []
        for kind in KINDS:
            starts = [c for row in some for c in row["controls"][str(row["levels"][level])][kind]]
            size = f"; {_mean(c['gates'] for c in starts):.3g} gates, {_mean(c['parameters'] for c in starts):.3g} p."
            cells.append(f"{_spread(task, [c['test'] for c in starts])}{size}")
        ours = _spread(task, [point["test"] for point in found])
        sizes = [f"{_mean(point[key] for point in found):.3g}" for key in ("gates", "parameters")]
        lines.append((task, str(len(some)), *sizes, ours, *cells))
    return header, lines


def verdicts(rows: Sequence[Row]) -> Table:
    """How often a pruned network did better on test data than the mean of each control, and than its best start.

    A circuit counts once, also where it is the cheapest at several levels.
    """
    header = ("control", "pruned better", "alike", "control better", "best start of the control better")
    lines = []
    for kind in KINDS:
        counts, best = [0, 0, 0], 0
        for row in rows:
            tie = TIE if not TASKS[row["config"]["task"]].chemical else 1e-6
            for place, kinds in row.get("controls", {}).items():
                ours, tests = row["points"][int(place)]["test"], [c["test"] for c in kinds[kind]]
                gain = ours - mean(tests)
                counts[0 if gain > tie else 2 if gain < -tie else 1] += 1
                best += max(tests) > ours + tie
        lines.append((kind, *map(str, counts), str(best)))
    return header, lines


def aims(rows: Sequence[Row]) -> Table:
    """Where each aim is met and where it is missed, by how much."""
    at = {(task, level): (some, [_at(row, level) for row in some]) for task, level, some in _groups(rows, OURS)}
    header, lines = ("aim", "met", "missed"), []
    cells: tuple[list[str], list[str]]
    for start, name in (("mnist", "MNIST"), ("bars", "bars and stripes")):
        cells = ([], [])
        for (task, level), pair in at.items():
            if task.startswith(start) and level == "1 point":
                times, fall = _times(*pair, "gates"), _fall(*pair)
                cells[times < AIM or fall > FALL].append(f"{task}: {times:.3g} times, {_points(fall)}")
        lines.append((f"{AIM} times fewer gates for at most 1 point, {name}", *map("; ".join, cells)))
    cells = ([], [])
    for (task, _), pair in at.items():
        if task.startswith("lih"):
            times = _times(*pair, "two_qubit_gates")
            cells[times < HALF].append(f"{task}: {times:.3g} times")
    lines.append((f"{HALF} times fewer two-qubit gates, LiH within chemical accuracy", *map("; ".join, cells)))
    cells = ([], [])
    for kind, better, alike, worse, _ in verdicts(rows)[1]:
        most = int(better) > (int(better) + int(alike) + int(worse)) / 2
        cells[not most].append(f"{kind}: {better} better, {alike} alike, {worse} worse")
    lines.append(("better than the same size from scratch on most", *map("; ".join, cells)))
    return header, lines


def other_orders(rows: Sequence[Row]) -> Table:
    """Rounds of removal by magnitude and at random with as much training after each, beside qprune."""
    header = ("task", "level", *(f"{way}: gates, two-qubit, test" for way in WAYS))
    by = {way: {(t, level): some for t, level, some in _groups(rows, way)} for way in WAYS}
    lines = []
    for task, level in by[OURS]:
        cells = []
        for way in WAYS:
            some = by[way].get((task, level), [])
            found = [_at(row, level) for row in some]
            sizes = [f"{_mean(p[key] for p in found):.3g}" for key in ("gates", "two_qubit_gates")] if found else []
            cells.append(", ".join([*sizes, _spread(task, [p["test"] for p in found])]) if found else "")
        lines.append((task, level, *cells))
    return header, lines


def beforehand(rows: Sequence[Row], known: Sequence[Row]) -> Table:
    """What classical rules and the Jacobian of the original say, beside how small the network became at 1 point."""
    header = ("task", "weights", "directions", "one input, test", "linear, test", "network, test", "gates", "two-qubit")
    lines = []
    for task, level, some in _groups(rows, OURS):
        mine = [row for row in known if row["config"]["task"] == task]
        if level != "1 point" or not mine:
            continue
        found = [_at(row, level) for row in some]
        shown = [f"{_mean(row[key] for row in mine):.3g}" for key in ("weights", "directions", "one_input", "linear")]
        counts = [_change(some, found, key) for key in ("gates", "two_qubit_gates")]
        lines.append((task, *shown, _before_after(some, found), *counts))
    return header, lines


def originals(rows: Sequence[Row]) -> Table:
    """What each task is, and the trained network that pruning starts from."""
    header = ("task", "what", "layers", "training steps", "seeds", "gates", "two-qubit gates", "parameters", "test")
    lines = []
    for task in dict.fromkeys(task for task, _, _ in _groups(rows, OURS)):
        mine = [row for row in rows if (row["config"]["task"], row["config"]["way"]) == (task, OURS)]
        first = [row["points"][0] for row in mine]
        counts = [f"{_mean(point[key] for point in first):.3g}" for key in ("gates", "two_qubit_gates", "parameters")]
        known = TASKS[task]
        lines.append((task, known.about, str(known.layers), str(known.steps), str(len(mine)), *counts))
        lines[-1] += (_spread(task, [point["test"] for point in first]),)
    return header, lines


def tables(rows: Sequence[Row], known: Sequence[Row]) -> str:
    """The page of results.

    Args:
        rows: The latest of each configuration.
        known: Likewise, of what is known beforehand.
    """
    cut = sum(any(point["cut"] for point in row["points"]) for row in rows if row["config"]["way"] == OURS)
    ours = sum(row["config"]["way"] == OURS for row in rows)
    measured = {row["config"]["task"] for row in rows if row["config"]["way"] == OURS}
    missing = [name for name in TASKS if name not in measured]
    seconds, searches = effort(rows, "patience", " s", PATIENCE), effort(rows, "searches", "", SEARCHES)
    return "\n".join(
        [
            "# How small networks of the field's tasks become",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it; [how](../README.md#compression). A level",
            "is how far the score may fall on the *selection* split, by which circuits were chosen; reported is",
            "*test* data, which decided nothing: accuracy; for MaxCut the share of the best cut; for molecules mHa",
            "above the exact energy, chemical accuracy being 1.6. Mean over seeds, and standard deviation where there",
            "are several. Gates count encoding too.",
            f"Of {ours} runs of qprune {cut} had a search stopped by its time, {seconds}.",
            f"Searches beyond the first from the original: {searches}. {duration(rows)}",
            "",
            AIMS,
            "",
            "Of each task the network at the level of 1 point, with labels; accuracy on test data.",
            "",
            *markdown(*aims(rows)),
            "",
            "## The tasks",
            "",
            *markdown(*originals(rows)),
            "",
            LABELS,
            "",
            f"Pruned by `Measured` with refit, or by `Accuracy`, on {SAMPLES} training samples or more, then trained",
            f"on for {ROUND_STEPS} steps, again and again. Bold: {AIM} times fewer gates, and accuracy on test data",
            "falls by no more than 1 point.",
            "",
            *markdown(*with_labels(rows)),
            "",
            SILENT,
            "",
            "`Measured` alone, once at each budget with refit and once without; of these the cheapest that keeps the",
            "level, so that labels say which budget. *Proven for every input*: no input of the box of the samples",
            "changes the output by more (T9), the largest over the seeds for which that was worked out.",
            "",
            *markdown(*without_labels(rows)),
            "",
            CONTROL,
            "",
            "As many training steps as the pruned network had in all, its original's included;",
            f"{STARTS} starts of each for each seed. Pruned circuits are those at 1 point or at chemical accuracy,",
            "except where that is the original itself; each counts once.",
            " ".join(f"*{kind}*: {what}." for kind, what in KINDS.items()),
            "",
            *markdown(*verdicts(rows)),
            "",
            *markdown(*from_scratch(rows)),
            "",
            BASELINES,
            "",
            "Rounds that take 30 % of the gates that may go, by the size of their angle (rotations only) or at random",
            "(CX too), exact simplification and as much training after each.",
            "",
            *markdown(*other_orders(rows)),
            "",
            KNOWN,
            "",
            "Of the trained original, before pruning. *Directions*: as many singular vectors of the outputs'",
            "Jacobian on training samples carry 99.9 % of the square. *One input*: the best threshold on one input;",
            "*linear*: logistic regression. Gates are those at 1 point, with labels.",
            "",
            *markdown(*beforehand(rows, known)),
            "",
            *([f"Not measured yet: {', '.join(missing)}.", ""] if missing else []),
            *origins(rows),
            "",
        ]
    )


def effort(rows: Sequence[Row], key: str, unit: str, default: float) -> str:
    """What most tasks were given, and which were given something else."""
    ours = [(row["config"]["task"], row.get(key, default)) for row in rows if row["config"]["way"] == OURS]
    ours = ours or [("", default)]
    usual = mode(given for _, given in ours)
    others = [f"{given:g}{unit} on {task}" for task, given in dict.fromkeys(ours) if given != usual]
    return ", ".join([f"{usual:g}{unit}", *others])


def duration(rows: Sequence[Row]) -> str:
    """How long one seed of everything takes: the first of every task."""
    first = [row for row in rows if row["config"]["seed"] == 0]
    hours, busy = (sum(row[key] for row in first) / 3600 for key in ("seconds", "processor_seconds"))
    tasks = len({row["config"]["task"] for row in first})
    return f"One seed of {tasks} tasks took {hours:.1f} hours by the clock, {busy:.1f} of a processor."


def _groups(rows: Sequence[Row], way: str) -> list[tuple[str, str, list[Row]]]:
    """Rows of one way by task and level, in the catalogue's order."""
    found = []
    for task in TASKS:
        mine = [row for row in rows if (row["config"]["task"], row["config"]["way"]) == (task, way)]
        found += [(task, level, mine) for level in (mine[0]["levels"] if mine else ())]
    return found


def _at(row: Row, level: str) -> dict[str, Any]:
    return row["points"][row["levels"][level]]


def _cheapest_once(row: Row, level: str) -> dict[str, Any]:
    """Of what was pruned once, without labels."""
    points, known = row["points"], TASKS[row["config"]["task"]]
    least = known.limits(points[0]["selection"])[level] - ROUNDED
    good = [point for point in once(points) if point["selection"] >= least] or points[:1]
    return min(good, key=lambda point: (point["cost"], -point["selection"]))


def _mean(values: Iterable[float]) -> float:
    return mean(list(values))


def _times(rows: Sequence[Row], found: Sequence[dict[str, Any]], key: str) -> float:
    """What there was over what is left, means over seeds both, a gate counting where nothing is."""
    return _mean(row["points"][0][key] for row in rows) / _mean(max(point[key], 1) for point in found)


def _fall(rows: Sequence[Row], found: Sequence[dict[str, Any]]) -> float:
    """Of the score on test data."""
    return mean(row["points"][0]["test"] - point["test"] for row, point in zip(rows, found, strict=True))


def _points(fall: float) -> str:
    return f"{abs(100 * fall):.3g} points {'lost' if fall > 0 else 'won'}" if abs(fall) > 1e-9 else "nothing lost"


def _change(rows: Sequence[Row], found: Sequence[dict[str, Any]], key: str) -> str:
    after = [point[key] for point in found]
    spread = f" ± {stdev(after):.2g}" if len(after) > 1 else ""
    return f"{_mean(row['points'][0][key] for row in rows):.3g} → {mean(after):.3g}{spread}"


def _before_after(rows: Sequence[Row], found: Sequence[dict[str, Any]]) -> str:
    task = rows[0]["config"]["task"]
    before, after = [row["points"][0]["test"] for row in rows], [point["test"] for point in found]
    return f"{_spread(task, before)} → {_spread(task, after)}"


def _spread(task: str, values: Sequence[float]) -> str:
    """Mean and standard deviation, in the task's unit; energies in mHa above the exact one."""
    shown = [-1000 * value + 0.0 for value in values] if TASKS[task].chemical else list(values)
    text = f"{mean(shown):.3g}" if TASKS[task].chemical else f"{mean(shown):.3f}"
    if TASKS[task].chemical and abs(mean(shown)) < 5e-4:
        text = "0.000"
    return text + (f" ± {stdev(shown):.2g}" if len(shown) > 1 else "")
