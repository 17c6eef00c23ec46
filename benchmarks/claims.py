"""What a limit for every input takes: the claim by itself, and pruning under it beside pruning on samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import qprune
from benchmarks.records import ROOT, Row, append, provenance, read
from qprune import Everywhere, Measured
from qprune.gates.sites import sites_of
from qprune.limits.claim_everywhere import every_input

NAME = "claims"
# By network the relative gap that is asked for, and the seconds that the claim may take on one core.
CLAIMS = {
    **{"cancer-4q": (0.02, 0.5), "iris-4q": (0.02, 0.5), "digits-6q": (0.02, 2.0), "wine-6q": (0.02, 2.0)},
    **{"digits4-8q": (0.02, 10.0), "digits-10q": (0.2, 180.0)},
}
PRUNED = ("cancer-4q", "iris-4q")
BUDGET, SEED = 0.1, 0
TIMES = 3.0  # what `Everywhere` may take, in times of `Measured` with as many samples as it makes runs
PATIENCE = 400.0  # seconds for one claim
SECONDS = "processor_seconds"


def run(out: Path, *, again: bool, only: Sequence[str] = ()) -> None:
    """Measure processor seconds, in this process, once numba's functions are compiled.

    Args:
        out: File to which rows are added.
        again: Measure anew what the file holds already.
        only: Only these networks; default all.
    """
    done = [] if again else [row["config"] for row in read(out.parent, NAME)]
    jobs = [{"what": "claim", "network": name} for name in CLAIMS]
    jobs += [{"what": "pruning", "network": name} for name in PRUNED]
    left = [job for job in jobs if job not in done and (not only or job["network"] in only)]
    warm = _circuits("cancer-4q")
    _claim(*warm, gap=0.02)
    for config in tqdm(left, desc=NAME, unit="run", disable=None):
        origin = provenance(SEED)
        measured = _measured_claim(config["network"]) if config["what"] == "claim" else _pruning(config["network"])
        append(out, {"benchmark": NAME, "config": config, **measured, **origin})


def _measured_claim(name: str) -> Row:
    gap, aim = CLAIMS[name]
    task, smaller = _circuits(name)
    claim, seconds = _timed(lambda: _claim(task, smaller, gap))
    return {
        "inputs": task.inputs.shape[1],
        "outputs": len(claim.outputs),
        "runs": max(output.runs for output in claim.outputs),
        "cells": sum(output.cells for output in claim.outputs),
        "lower": claim.lower,
        "upper": claim.upper,
        "gap": max(output.gap for output in claim.outputs),
        "asked": gap,
        SECONDS: seconds,
        "aim": aim,
    }


def _claim(task: qprune.Task, smaller: qprune.Task, gap: float) -> qprune.EveryInput:
    return every_input(task, sites_of(task), smaller, sites_of(smaller), gap=gap, time_limit=PATIENCE)


def _circuits(name: str) -> tuple[qprune.Task, qprune.Task]:
    """A reference network, and what `Measured` leaves of it."""
    task = qprune.Task.load(ROOT / "circuits" / name)
    return task, qprune.prune(task, Measured(BUDGET), seed=SEED).task


def _pruning(name: str) -> Row:
    """`Everywhere` without refit beside `Measured` with as many samples as it makes runs."""
    task = qprune.Task.load(ROOT / "circuits" / name)
    result, seconds = _timed(lambda: qprune.prune(task, Everywhere(BUDGET), seed=SEED))
    claim = result.certificate.every_input
    runs = max(output.runs for output in claim.outputs) if claim is not None else 0
    drawn = np.random.default_rng(SEED).uniform(
        task.inputs.min(axis=0), task.inputs.max(axis=0), (runs, len(task.inputs.T))
    )
    as_many = task.with_inputs(drawn)
    other, beside = _timed(lambda: qprune.prune(as_many, Measured(BUDGET), seed=SEED))
    gates = [r.circuit.size() for r in (result, other)]
    return {"runs": runs, SECONDS: seconds, "beside": beside, "aim": TIMES, "gates": gates}


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and its processor seconds."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def text(rows: Sequence[Row]) -> list[str]:
    """The Markdown tables."""
    latest = {(row["config"]["what"], row["config"]["network"]): row for row in rows}
    claims = ["| network | inputs | outputs | runs | cells | lower | upper | gap, asked | processor time | aim |"]
    claims.append("|" + " ---: |" * 10)
    pruning = ["| network | runs | `Everywhere` | `Measured`, as many samples | times | aim | gates left |"]
    pruning.append("|" + " ---: |" * 7)
    for (what, name), row in latest.items():
        seconds = row[SECONDS]
        if what == "claim":
            cells = [name, *(str(row[key]) for key in ("inputs", "outputs", "runs", "cells"))]
            cells += [f"{row[key]:.3g}" for key in ("lower", "upper")]
            cells += [f"{row['gap']:.1%}, {row['asked']:.0%}", _held(f"{seconds:.2f} s", seconds <= row["aim"])]
            claims.append(f"| {' | '.join(cells)} | {row['aim']:g} s |")
        else:
            times = seconds / row["beside"]
            cells = [name, str(row["runs"]), f"{seconds:.2f} s", f"{row['beside']:.2f} s"]
            cells += [_held(f"{times:.2g}", times <= row["aim"]), f"{row['aim']:g}", " : ".join(map(str, row["gates"]))]
            pruning.append(f"| {' | '.join(cells)} |")
    head = [
        "# What a limit for every input takes",
        "",
        "Made by `python -m benchmarks tables` from the rows beside it.",
    ]
    head += ["Processor time on one core, for what `Measured` leaves of each network. Bold: the aim is missed.", ""]
    return [*head, *claims, "", *pruning]


def _held(words: str, is_held: bool) -> str:
    return words if is_held else f"**{words}**"
