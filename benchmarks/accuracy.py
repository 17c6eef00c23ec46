"""How much goes at which deviation, on every reference network, and what the test split says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import qprune
from benchmarks.records import ROOT, Row, append, provenance, timed
from qprune.gates import sites_of
from qprune.prefix import final_outputs

NAME = "accuracy"
BUDGETS = (0.01, 0.05, 0.1)
MODES: dict[str, dict[str, Any]] = {
    "proven bound": {},
    "verified": {"certify": "verified"},
    "verified, refit": {"certify": "verified", "refit": True},
}
REFIT_WEIGHTS = 80  # networks with more weights take minutes to re-fit; `--full` does them too
SEED = 0


def run(out: Path, *, quick: bool, full: bool) -> None:
    """Prune each network on its training inputs and measure it on its test inputs, which selection never saw."""
    names = sorted(path.parent.name for path in (ROOT / "circuits").glob("*/task.json"))
    names = ["reupload-2q"] if quick else [name for name in names if name != "planted-5q"]
    jobs = [
        (name, mode, budget)
        for name in names
        for mode in MODES
        for budget in (BUDGETS[1:2] if quick else BUDGETS)
        if full or "refit" not in mode or _weights(name) <= REFIT_WEIGHTS
    ]
    for name, mode, budget in tqdm(jobs, desc=NAME, unit="run", disable=None):
        append(out, _measure(name, mode, budget))


def _weights(name: str) -> int:
    return len(qprune.Task.load(ROOT / "circuits" / name).weights)


def _measure(name: str, mode: str, budget: float) -> Row:
    origin = provenance(SEED)
    task = qprune.Task.load(ROOT / "circuits" / name)
    results: list[qprune.PruneResult] = []
    seconds = timed(lambda: results.append(qprune.prune(task, budget=budget, seed=SEED, **MODES[mode])))
    result = results[0]
    row = {
        "benchmark": NAME,
        "config": {"network": name, "mode": mode, "budget": budget},
        "gates": [c.size() for c in (result.flat, result.simplified, result.circuit)],
        "two_qubit_gates": [c.num_nonlocal_gates() for c in (result.flat, result.simplified, result.circuit)],
        "weights": [len(task.weights), len(result.weights)],
        "proven": result.certificate.largest_bound,
        "measured": result.certificate.largest_measured,
        "accuracy": result.accuracy,
        "seconds": seconds,
    }
    return {**row, **_unseen(task, result, name), **origin}


def _unseen(task: qprune.Task, result: qprune.PruneResult, name: str) -> Row:
    """Largest deviation and accuracy on the test split."""
    if not task.inputs.shape[1]:
        return {"test_deviation": None, "test_accuracy": None}
    test = qprune.Task.load(ROOT / "circuits" / name, split="test")
    pruned = test.with_circuit(
        result.circuit, dict(zip((p.name for p in result.task.weight_params), result.weights.tolist(), strict=True))
    )
    means = [final_outputs(t, sites_of(t), t.selected).means for t in (test, pruned)]
    return {
        "test_deviation": float(np.abs(means[1] - means[0]).max()),
        "test_accuracy": [test.accuracy(m) for m in means],
    }


def table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and lines of the Markdown table; shares are of what exact simplification leaves."""
    header = ("network", "mode", "budget", "gates", "removed", "two-qubit gates", "removed", "weights")
    header += ("proven", "measured", "on test data", "test accuracy")
    lines = []
    for row in sorted(rows, key=lambda row: tuple(map(str, row["config"].values()))):
        config, accuracy = row["config"], row["test_accuracy"]
        lines.append(
            (
                *(str(config[key]) for key in ("network", "mode", "budget")),
                *_share(row["gates"]),
                *_share(row["two_qubit_gates"]),
                f"{row['weights'][0]} → {row['weights'][1]}",
                f"{row['proven']:.3g}",
                f"{row['measured']:.3g}",
                "" if row["test_deviation"] is None else f"{row['test_deviation']:.3g}",
                "" if accuracy is None else f"{accuracy[0]:.3f} → {accuracy[1]:.3f}",
            )
        )
    return header, lines


def _share(counts: Sequence[int]) -> tuple[str, str]:
    original, exact, pruned = counts
    return f"{original} → {exact} → {pruned}", f"{100 * (exact - pruned) / max(exact, 1):.0f} %"
