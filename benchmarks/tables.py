"""Result files to Markdown tables. No number is typed anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import accuracy, claims, control, exact, libraries, refit, refit_page, scaling, size, training, wide
from benchmarks.compression import report as compression
from benchmarks.compression.beforehand import NAME as BEFOREHAND
from benchmarks.compression.run import NAME as COMPRESSION
from benchmarks.noise import page as noise
from benchmarks.noise.drift import NAME as DRIFT
from benchmarks.noise.run import NAME as NOISE
from benchmarks.pauli_pruning import NAME as PAULI_PRUNING
from benchmarks.pauli_pruning import page as pauli_pruning_page
from benchmarks.peers import report as peers
from benchmarks.peers.run import FAIR, SIDES
from benchmarks.records import Row, markdown, origins, read_all
from benchmarks.strategies import report as strategies
from benchmarks.strategies.run import NAME as STRATEGIES

ALL_CIRCUITS = "### all circuits"  # the heading of the table that README.md shows
EVERY_INPUT = "### For every input"
FOR_EVERY_INPUT, ALL_MODES = "## For every input", "## All modes and budgets"


def run(folder: Path) -> list[Path]:
    """Write one table per benchmark that has rows; returns the files written."""
    written = []
    found = read_all(folder)
    for name, table in {
        scaling.NAME: scaling_table,
        accuracy.NAME: accuracy_table,
        training.NAME: training_table,
        NOISE: lambda rows: noise.tables(rows, found.get(DRIFT, [])),
        wide.NAME: wide_table,
        refit.NAME: lambda rows: refit_page.page(rows, found.get(SIDES, [])),
        libraries.NAME: libraries.table,
        STRATEGIES: strategies.tables,
        exact.NAME: exact_table,
        PAULI_PRUNING: lambda rows: pauli_pruning_page(rows),
        claims.NAME: claims_table,
        size.NAME: lambda rows: size.table(rows),
        COMPRESSION: lambda rows: compression.tables(rows, found.get(BEFOREHAND, [])),
    }.items():
        if rows := found.get(name):
            path = folder / f"{name}.md"
            path.write_text(table(rows), encoding="utf-8")
            written.append(path)
    if rows := found.get(control.NAME):
        path = folder / f"{control.NAME}.md"
        path.write_text(
            control_table(rows, found.get(accuracy.NAME, []), found.get(control.DIRECTIONS, [])), encoding="utf-8"
        )
        written.append(path)
    rows = [row for name in (SIDES, FAIR) for row in found.get(name, [])]
    if rows:
        path = folder / "peers.md"
        path.write_text(peers_tables(rows), encoding="utf-8")
        written.append(path)
    return written


def scaling_table(rows: Sequence[Row]) -> str:
    """Pruning time over one plain pass, its parts, and peak memory."""
    header = (
        *("qubits", "samples", "threads", "gates", "left", "values"),
        *("prune / plain", "prefix pass", "windows", "final pass", "rest", "plain pass"),
        *("peak plain", "peak prune"),
    )
    lines = []
    for row in sorted(rows, key=lambda row: tuple(row["config"].values())):
        config, over, peak = row["config"], row["over_plain"], row["peak_mib"]
        lines.append(
            (
                *(str(config[key]) for key in ("qubits", "samples", "threads")),
                *(str(row[key]) for key in ("gates", "gates_left", "expectations")),
                f"**{over['prune']['median']:.3g}** ({over['prune']['low']:.3g} to {over['prune']['high']:.3g})",
                *(f"{over[part]['median']:.3g}" for part in (*scaling.PARTS, "rest")),
                f"{1000 * row['seconds']['plain']['median']:.3g} ms",
                *(f"{peak[kind]:.0f} MiB" if kind in peak else "" for kind in ("plain", "prune")),
            )
        )
    return "\n".join(
        [
            "# Pruning time over one plain pass",
            "",
            f"Made by `python -m benchmarks tables` from the rows beside it. Aim for prune / plain: {scaling.AIM}.",
            "",
            *markdown(header, lines),
            "",
            "Ratios are to a plain Aer pass of the same ensemble, medians of alternated repetitions (in brackets the",
            "smallest and largest); prefix pass, windows, final pass and rest add up to the whole, up to medians.",
            "*Left* are the gates after pruning, *values* the expectation values saved per sample. Peaks are resident",
            "memory above what the process held before, each in a fresh process.",
            "",
            *origins(rows),
            "",
        ]
    )


def claims_table(rows: Sequence[Row]) -> str:
    """What limits for every input take."""
    return "\n".join([*claims.text(rows), "", *origins(rows), ""])


def control_table(rows: Sequence[Row], pruned: Sequence[Row], spare: Sequence[Row]) -> str:
    """An ansatz grown gate by gate beside what pruning leaves."""
    return "\n".join([*control.text(rows, pruned, spare), "", *origins(rows), ""])


def exact_table(rows: Sequence[Row]) -> str:
    """Two-qubit gates left by exact rewriting."""
    largest, sums, each, times, refitted = exact.tables(rows)
    return "\n".join(
        [
            "# What exact rewriting takes away",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it. CX left, and weights left where some went",
            f"and the others are free; the largest deviation of any output is {largest:.1e}. Time is processor time",
            "over that of one plain Aer pass of the circuit's samples.",
            "",
            *markdown(*sums),
            "",
            *markdown(*times),
            "",
            "## What refit finds besides",
            "",
            "`Measured(…, refit=True)` at 1e-12 of an output's largest change, on circuits with inputs: weights may",
            "become other ones, so that what it leaves holds for the weights at hand alone, rewriting for all.",
            "",
            *markdown(*refitted),
            "",
            "<details><summary>Circuit by circuit</summary>",
            "",
            *markdown(*each),
            "",
            "</details>",
            "",
        ]
    )


def wide_table(rows: Sequence[Row]) -> str:
    """Where no statevector fits."""
    return "\n".join(
        [
            "# Too wide for a statevector",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it: chains of neighbours that entangle little,",
            f"pruned at a budget of {wide.BUDGET} by matrix product states, one thread; times are medians. Beside them",
            "the time that Aer's matrix product states take for the outputs alone. Peaks are resident memory above",
            "what the process held before.",
            "",
            *markdown(*wide.table(list(rows))),
            "",
            *origins(rows),
            "",
        ]
    )


def training_table(rows: Sequence[Row]) -> str:
    """A training step on the pruned tape over the original's."""
    return "\n".join(
        [
            "# A training step on the pruned tape",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it: gradient of a mean square over a batch,",
            "time on the pruned QNode over the original's, medians of alternated repetitions (smallest and largest in",
            "brackets).",
            "",
            *markdown(*training.table(rows)),
            "",
            *origins(rows),
            "",
        ]
    )


def accuracy_table(rows: Sequence[Row]) -> str:
    """What went at which deviation, network by network."""
    return "\n".join(
        [
            "# What goes at which deviation",
            "",
            FOR_EVERY_INPUT,
            "",
            "Networks are pruned under `Everywhere` or `Measured`. Bold: the budget is broken, on test data or by some",
            "input of the box of the training data (T9).",
            "",
            *markdown(*accuracy.every_input_table(rows)),
            "",
            ALL_MODES,
            "",
            "Made by `python -m benchmarks tables` from the rows beside it. Networks are pruned on their training",
            "inputs; the test inputs took part in nothing. Counts: original → after exact simplification → pruned;",
            "shares are of what exact simplification leaves. *Measured on samples*: largest change of an observable",
            "over the training inputs, in its unit (hartree for the VQE); *on test data* likewise. *Proven for every",
            "input*: no input of the box of the training data (of their ellipsoid, where the mode says so) changes an",
            "output by more (T9); *attained* is what some",
            "input does, where that is less than nine tenths of it; empty: not worked out. Bold: the budget is broken.",
            "*Test accuracy*: trained → pruned, without labels → after 50 steps of fine-tuning.",
            "*One-shot* is the paper's rule, all gates with d_q ≤ ε at once, with the largest ε that fits the budget;",
            "*RemoveIdentityEquivalent* is Qiskit's pass after our exact simplification, its threshold sought alike.",
            "",
            *markdown(*accuracy.table(rows)),
            "",
            "## At a deviation on test data",
            "",
            "Of the budgets above, the one that leaves the fewest two-qubit gates, then gates, while the largest",
            "deviation on the test split is within the limit; empty where none of them is.",
            "",
            *markdown(*accuracy.unseen_table(rows)),
            "",
            *origins(rows),
            "",
        ]
    )


def peers_tables(rows: Sequence[Row]) -> str:
    """qprune beside other tools: at their own settings, and at equal measured deviation."""
    sides = [row for row in rows if row["benchmark"] == SIDES]
    chains = [row for row in rows if row["benchmark"] == FAIR]
    counted = peers.without_long(chains)
    everywhere = peers.with_inputs(peers.over_the_domain(counted))
    fair = [row for row in counted if row["config"]["tool"] not in peers.EVERY_INPUT]
    lines = [
        "# Beside what people use today",
        "",
        "Made by `python -m benchmarks tables` from the rows beside it. Deviations are the largest change of an output",
        "over all samples, measured by our own simulation, whatever a tool claims. [How](../README.md#peers).",
        "",
        "## Each tool at its own setting",
        "",
        "Shares are over all circuits on which the tool ended in time. Time is in units of one plain Aer pass of the",
        "same ensemble, median over circuits. A bound *held* if no output of any sample exceeded it (BQSKit: if the",
        "distance of the unitaries did not).",
        "",
        *markdown(*peers.summary(sides)),
        "",
        "<details><summary>Circuit by circuit</summary>",
        "",
        *markdown(*peers.each(sides)),
        "",
        "</details>",
        "",
        "## Two-qubit gates removed at equal deviation",
        "",
        "Every threshold tuned to its own best; budgets on the measured deviation in the columns. A chain that was",
        "stopped is credited with what it had found by then; nothing, where it had nothing or was not run.",
        f"Aim: {peers.AIM} times what the best single chain of peers removes (then in bold).",
        "",
        EVERY_INPUT,
        "",
        "Circuits with inputs, at a deviation that no input of the box of the samples exceeds: proven (T9), for peers",
        "too. A budget that holds on the samples alone counts for nothing here. These are the circuits on which the",
        "limit was worked out for qprune and for Qiskit's chain; of the slow tools GUOQ and BQSKit were run for it.",
        "",
        *markdown(*peers.at_equal_deviation(peers.where_ran(everywhere, peers.USUAL))),
        "",
        ALL_CIRCUITS,
        "",
        *markdown(*peers.at_equal_deviation(fair)),
        "",
    ]
    header, found = peers.at_the_price_of_measuring(fair)
    if found:
        lines += ["### At the price of more measurements", "", peers.MEASURING, "", *markdown(header, found), ""]
        lines += ["For every input, where that was worked out:", ""]
        lines += [*markdown(*peers.at_the_price_of_measuring(everywhere)), ""]
    if theirs := peers.where_ran(fair, peers.LARGER):
        lines += [f"### {peers.SLOW}", "", peers.searched(chains), "", *markdown(*peers.at_equal_deviation(theirs)), ""]
    for group in dict.fromkeys(row["config"]["group"] for row in fair):
        mine = [row for row in fair if row["config"]["group"] == group]
        lines += [f"### {group}", "", *markdown(*peers.at_equal_deviation(mine)), ""]
        lines += ["<details><summary>Circuit by circuit: CX left</summary>", "", *markdown(*peers.circuits(mine))]
        lines += ["", "</details>", ""]
    lines += ["## Not run to the end", "", *(peers.not_run(rows) or ["Nothing."]), "", *origins(rows), ""]
    return "\n".join(lines)
