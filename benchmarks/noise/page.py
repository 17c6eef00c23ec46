"""The page of the noise benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.noise import ablation, drift, report
from benchmarks.noise.estimates import SHOTS
from benchmarks.noise.pruners import TOLERANCES
from benchmarks.noise.run import fits
from benchmarks.noise.sets import BASELINE, DEFAULT, ONE_SHOT, OURS, PLAIN, REFIT, RIVALS, SAMPLES, hours, jobs_of
from benchmarks.records import Row, markdown, origins

# before the lists that docs/numbers.md shows
MISSED, LAMBDA = "What is missed", "What λ does over all"
PARTS = (
    ("With refit, where no distance is looked at and costs are all there is of λ.", REFIT),
    ("Without refit.", PLAIN),
    (f"Removing every gate within the tolerance {TOLERANCES[1]['tolerance']:g} at once, no refit.", ONE_SHOT),
)


def tables(rows: Sequence[Row], drifted: Sequence[Row]) -> str:
    """Pruned against unpruned, against other pruners and extrapolation, λ part by part, drift, and everything.

    Args:
        rows: Of `noise`.
        drifted: Of `noise-drift`.
    """

    def counted(pruners: Sequence[str]) -> str:
        (part,) = (part for part in DEFAULT if set(part.pruners) == set(pruners))
        missing = report.not_run(rows, part, fits)
        return "Counted is what was run; " + (f"not run: {'; '.join(missing)}." if missing else "nothing is missing.")

    lines = [
        "# On noisy machines",
        "",
        "Made by `python -m benchmarks tables` from the rows beside it; [how](../README.md#noise). *Raw*: mean over",
        "test inputs and outputs of the change from the original without noise. *Corrected*: the same after a slope",
        "and a shift per output, fitted on training inputs, for every row alike. *Shots*: for a standard error of 0.01",
        f"of what is corrected. *Error*: root mean square after correction at {SHOTS} shots. *Accuracy*: at {SHOTS}",
        "shots, corrected, mean over repetitions with 2.5 and 97.5 % quantiles. Without readout errors where the",
        "column does not say *read*. Two-qubit gates, depth and duration are those of the compiled circuit.",
        *_takes(rows),
        "",
        "## Pruned for the device, against unpruned",
        "",
        f"*{OURS}*, refit, at {SHOTS} shots, mean over seeds, against the original compiled by Qiskit at level",
        f"3. Aims, after correction: {report.FEWER:g} times fewer shots where the two-qubit error is above",
        f"{report.NOISY:.1%}, elsewhere no more; no larger deviation, no larger error, no less accuracy.",
        counted((BASELINE, OURS)),
        "",
        *markdown(*report.against_unpruned(rows)),
        "",
        f"{MISSED}:",
        "",
        *report.misses(rows),
        "",
        "## Against other pruners",
        "",
        f"The other's error at {SHOTS} shots over that of *{OURS}*, each at its middle setting, mean over its seeds.",
        f"*Beaten*: *{OURS}* needs no more shots and deviates no more after correction, one of them less; **beats**:",
        "the other way round; else each is better in one. Last line: geometric mean, and counts. Other settings that",
        "were run are under [everything](#everything) and in the pictures.",
        counted(RIVALS),
        "",
        *markdown(*report.against_others(rows)),
        "",
        "## Against zero-noise extrapolation",
        "",
        "Both circuits as they are, and extrapolated linearly by mitiq from one, three and five times the noise, whose",
        "shots all count; readout included; the same correction after it.",
        "",
        *markdown(*report.extrapolation(rows)),
        "",
        "## λ part by part",
        "",
        f"Error at {SHOTS} shots over that without λ, seed by seed: geometric mean and 95 % interval over seeds, each",
        "of which draws training inputs to prune on; the last line over networks and noise models.",
        "",
        f"{LAMBDA}:",
        "",
        *(line for _, variants in PARTS for line in ablation.findings(rows, variants)),
        "",
    ]
    for words, variants in PARTS:
        lines += [f"{words} {counted(variants)}", "", *markdown(*ablation.table(rows, variants)), ""]
    lines += [
        "## When calibrations drift",
        "",
        "Both circuits compiled for the snapshot, run where every error rate, T₁ and T₂ is multiplied by a log-normal",
        "factor of its own (standard deviation of the logarithm: that of a factor 1.5), readout included, corrected",
        "there: on how many of the drifted devices the pruned one is better; medians, with smallest and largest.",
        "",
        *markdown(*drift.table(drifted)),
        "",
        "## What was predicted",
        "",
        "Predicted on training inputs over measured on test inputs, readout included: median, and where nine in ten",
        "lie.",
        "",
        *markdown(*report.predictions(rows)),
        "",
        "## Everything",
        "",
    ]
    for case in report.cases(rows):
        lines += [f"<details><summary>{case.bundle}, {case.model}</summary>", "", *markdown(*report.everybody(case))]
        lines += ["", "</details>", ""]
    return "\n".join([*lines, *origins(rows), ""])


def _takes(rows: Sequence[Row]) -> list[str]:
    """How long the default set takes, where rows say what they took."""
    jobs = jobs_of(DEFAULT, SAMPLES, lambda config: not fits(config["model"], config["bundle"]))
    expected = hours(jobs, rows)
    if expected is None:
        return []
    return [f"By these rows all {sum(map(len, jobs))} of the default set take {expected:.1f} hours of a processor."]
