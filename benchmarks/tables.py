"""Result files to Markdown tables. No number is typed anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import accuracy, scaling, training, wide
from benchmarks.records import Row, read


def run(folder: Path) -> list[Path]:
    """Write one table per benchmark that has rows; returns the files written."""
    written = []
    for name, table in {
        scaling.NAME: scaling_table,
        accuracy.NAME: accuracy_table,
        training.NAME: training_table,
        wide.NAME: wide_table,
    }.items():
        rows = read(folder, name)
        if rows:
            path = folder / f"{name}.md"
            path.write_text(table(rows), encoding="utf-8")
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
    aims = " and ".join(map(str, scaling.AIMS))
    return "\n".join(
        [
            "# Pruning time over one plain pass",
            "",
            f"Made by `python -m benchmarks tables` from the rows beside it. Aims for prune / plain: {aims}.",
            "",
            *_markdown(header, lines),
            "",
            "Ratios are to a plain Aer pass of the same ensemble, medians of alternated repetitions (in brackets the",
            "smallest and largest); prefix pass, windows, final pass and rest add up to the whole, up to medians.",
            "*Left* are the gates after pruning, *values* the expectation values saved per sample. Peaks are resident",
            "memory above what the process held before, each in a fresh process.",
            "",
            *_origins(rows),
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
            *_markdown(*wide.table(list(rows))),
            "",
            *_origins(rows),
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
            *_markdown(*training.table(rows)),
            "",
            *_origins(rows),
            "",
        ]
    )


def accuracy_table(rows: Sequence[Row]) -> str:
    """What went at which deviation, network by network."""
    return "\n".join(
        [
            "# What goes at which deviation",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it. Networks are pruned on their training",
            "inputs; the test inputs took part in nothing. Counts: original → after exact simplification → pruned;",
            "shares are of what exact simplification leaves. *Proven* (T2, T6) and *measured* are the largest change",
            "of an observable over the training inputs, in units of the observable (hartree for the VQE); *on test",
            "data* is measured.",
            "",
            *_markdown(*accuracy.table(rows)),
            "",
            *_origins(rows),
            "",
        ]
    )


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---:"] * len(header), *lines)]


def _origins(rows: Sequence[Row]) -> list[str]:
    """Machines, versions, commits, dates and load of the rows, each once."""

    def each(values: Sequence[str]) -> str:
        return "; ".join(sorted(set(values)))

    machines = [
        f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['system']}"
        for m in (row["machine"] for row in rows)
    ]
    loads = [row["load_1min"] for row in rows]
    return [
        f"- machine: {each(machines)}",
        f"- load of the minute before each row: {min(loads)} to {max(loads)}",
        f"- versions: {each([', '.join(f'{k} {v}' for k, v in row['versions'].items()) for row in rows])}",
        f"- repetitions: {each([str(row.get('repeat', 1)) for row in rows])}",
        f"- seed: {each([str(row['seed']) for row in rows])}",
        f"- commit: {each([row['commit'] for row in rows])}; dates: {each([row['date'][:10] for row in rows])}",
    ]
