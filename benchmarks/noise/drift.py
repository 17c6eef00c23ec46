"""Whether a circuit that was pruned for a device still pays when its calibration has moved on.

The circuits are pruned and compiled for the snapshot; then every error rate, T₁ and T₂ is multiplied by a number of its
own, log-normal and drawn by seed, and both circuits are run there, corrected by slopes and shifts fitted there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.noise.estimates import SHOTS, estimates
from benchmarks.noise.outputs import noisy_outputs, observables_of
from benchmarks.noise.pruners import PRUNERS
from benchmarks.noise.regimes import regime_of
from benchmarks.noise.report import Table
from benchmarks.noise.run import SEED, both, ideal_outputs, network
from benchmarks.noise.sets import BASELINE, DEVICES, OURS, SAMPLES, SMALL
from benchmarks.records import Row, append, provenance, read

NAME = "noise-drift"
SPREAD = float(np.log(1.5))  # standard deviation of the logarithm: two thirds of the rates are within a factor of 1.5
DAYS = 10


def run(out: Path, *, days: int = DAYS, bundles: Sequence[str] = (), models: Sequence[str] = ()) -> None:
    """One row for each network, device and seed of the drift; what the file holds is not run again.

    Args:
        out: File to which rows are added.
        days: Seeds of the drift; 0 is the snapshot itself.
        bundles: Networks; default two small ones.
        models: Device snapshots; default one with many errors and one with few.
    """
    done = {tuple(row["config"].values()) for row in read(out.parent, NAME)}
    cells = [(bundle, model) for bundle in bundles or SMALL for model in models or DEVICES]
    for bundle, model in tqdm(cells, desc=NAME, unit="cell", disable=None):
        days_left = [day for day in range(days + 1) if (bundle, model, day) not in done]
        regime = regime_of(model, network(bundle).circuit)
        if not days_left or regime is None:
            continue
        task, (train, test) = network(bundle), both(bundle, SAMPLES)
        compiled = {}
        for name in (BASELINE, OURS):
            pruned = PRUNERS[name].prune(task, PRUNERS[name].middle, SEED, regime)
            compiled[name] = regime.compiled(pruned.circuit, observables_of(task), pruned.level)
        together = test.with_inputs(np.concatenate([train.inputs, test.inputs]))
        ideal, size = (ideal_outputs(train), ideal_outputs(test)), train.num_samples
        for day in days_left:
            drifted = regime.drifted(day, SPREAD) if day else regime
            found = {}
            for name, (circuit, places) in compiled.items():
                given = noisy_outputs(circuit, places, together, drifted).read
                made = estimates(given.part(slice(size)), given.part(slice(size, None)), ideal, test, SEED)
                found[name] = {key: made[key] for key in ("corrected", "shots", "rms_at_shots", "slope")}
            config = {"bundle": bundle, "model": model, "day": day}
            error = drifted.two_qubit_error
            append(out, {"benchmark": NAME, "config": config, "two_qubit_error": error, **found, **provenance(day)})


def table(rows: Sequence[Row]) -> Table:
    """How often the pruned circuit is better on the devices that drifted, and by how much."""
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["config"]["day"]:
            grouped[row["config"]["bundle"], row["config"]["model"]].append(row)
    lines = []
    for (bundle, model), found in sorted(grouped.items()):
        before, after = (
            {key: np.array([row[name][key] for row in found]) for key in ("shots", "rms_at_shots")}
            for name in (BASELINE, OURS)
        )
        rates = [row["two_qubit_error"] for row in found]
        cells = [f"{min(rates):.2%} to {max(rates):.2%}"]
        for key in ("shots", "rms_at_shots"):
            ratio = before[key] / after[key]
            low, middle, high = ratio.min(), np.median(ratio), ratio.max()
            cells += [f"{np.sum(ratio > 1)} of {len(ratio)}", f"{middle:.2f} ({low:.2f} to {high:.2f})"]
        lines.append((bundle, model, *cells))
    return (
        *("network", "snapshot", "two-qubit error", "fewer shots", "times fewer"),
        *(f"less error at {SHOTS} shots", "times less"),
    ), lines
