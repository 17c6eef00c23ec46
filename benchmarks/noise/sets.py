"""Which rows the noise benchmark has: a default set that hours complete, and everything there is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import qprune
from benchmarks.noise.pruners import PARTS, PRUNERS
from benchmarks.records import ROOT, Row
from qprune.noise.models import names

BUNDLES = ("iris-4q", "cancer-4q", "reupload-2q", "h2-vqe-4q", "wine-6q", "digits-6q")
MODELS = (
    *("FakeManilaV2", "FakeSherbrooke", "FakeTorino", "FakeMarrakesh"),
    *("depolarizing-1e-2", "depolarizing-3e-2", "depolarizing-3e-3"),
)
SMALL = ("iris-4q", "cancer-4q")  # of which more is asked: draws, parts, extrapolation
DEVICES = ("FakeManilaV2", "FakeTorino")
SEEDS = 5  # of draws of training inputs, where parts of λ are compared
MOST_SEEDS = 10  # that any pruner has
SAMPLES = 64  # test inputs, evenly spaced, in each row

OURS, BASELINE = "UnderNoise", "Qiskit O3"
RIVALS = (
    *("none", "exact", "RemoveIdentityEquivalent", "magnitude", "random", "random, refit"),
    *("one-shot", "one-shot, λ", "q-iPrune", "q-iPrune, λ", "q-iPrune, refit", "q-iPrune, λ, refit"),
)
# parts of λ: each the first without, the last with all of it
REFIT = ("UnderNoise, no λ", OURS)
PLAIN = tuple(f"UnderNoise without refit, {part}" for part in PARTS)
ONE_SHOT = (
    *("one-shot", "one-shot, λ in geometry", "one-shot, λ in tolerance", "one-shot, λ in tolerance at shots"),
    "one-shot, λ",
)
EXTRAPOLATED = (f"{BASELINE}, ZNE", f"{OURS}, ZNE")

Config = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Some pruners on some networks under some noise models.

    Attributes:
        pruners: Names in `PRUNERS`.
        bundles: Networks.
        models: Noise models and device snapshots.
        seeds: At most so many of each pruner's.
        every: Whether at every setting, or at the middle one alone.
    """

    pruners: Sequence[str]
    bundles: Sequence[str] = BUNDLES
    models: Sequence[str] = MODELS
    seeds: int = 1
    every: bool = False

    def configs(self, samples: int) -> Iterator[list[Config]]:
        """Configurations that share a pruned circuit."""
        for bundle in self.bundles:
            for name in self.pruners:
                pruner = PRUNERS[name]
                for setting in pruner.settings if self.every else (pruner.middle,):
                    for seed in range(min(pruner.seeds, self.seeds) if setting == pruner.middle else 1):
                        shared = {"bundle": bundle, "pruner": name, "setting": dict(setting), "seed": seed}
                        found = [{**shared, "model": model, "samples": samples} for model in self.models]
                        yield from ([config] for config in found) if pruner.calibrated else [found]

    def narrowed(self, bundles: Sequence[str], models: Sequence[str], pruners: Sequence[str], seeds: int) -> Part:
        """What of it is also in these, each empty for all."""

        def both(mine: Sequence[str], only: Sequence[str]) -> tuple[str, ...]:
            return tuple(name for name in mine if not only or name in only)

        kept = both(self.pruners, pruners), both(self.bundles, bundles), both(self.models, models)
        return Part(*kept, seeds=min(self.seeds, seeds), every=self.every)


# In the order in which they are run: first what the aims are judged by, then what says most for its time.
DEFAULT = (
    Part((BASELINE, OURS)),
    Part(REFIT, SMALL, seeds=SEEDS),
    Part(RIVALS, seeds=MOST_SEEDS),
    Part(EXTRAPOLATED, SMALL, DEVICES),
    Part(PLAIN, SMALL, seeds=SEEDS),
    Part(ONE_SHOT, SMALL, seeds=SEEDS),
)
QUICK = (
    Part(("none", BASELINE, "random", "q-iPrune, λ"), ("reupload-2q",), ("depolarizing-1e-2", "FakeManilaV2"), seeds=2),
)


def everything() -> tuple[Part, ...]:
    """Every pruner at every setting, on all networks with observables, noise models and device snapshots."""
    folders = sorted(path.parent for path in (ROOT / "circuits").glob("*/task.json"))
    bundles = [folder.name for folder in folders if qprune.Task.load(folder).observables is not None]
    return (Part((BASELINE, OURS), bundles, names()), Part(tuple(PRUNERS), bundles, names(), MOST_SEEDS, every=True))


def jobs_of(parts: Iterable[Part], samples: int, left_out: Callable[[Config], bool]) -> list[list[Config]]:
    """Configurations that share a pruned circuit, in the order of the parts, none twice.

    Args:
        parts: Where they come from.
        samples: Test inputs in each row.
        left_out: Which are not run.
    """
    found, seen = [], set[str]()
    for part in parts:
        for configs in part.configs(samples):
            new = [config for config in configs if key_of(config) not in seen and not left_out(config)]
            seen.update(map(key_of, new))
            found += [new] if new else []
    return found


def key_of(config: Config) -> str:
    return json.dumps(config, sort_keys=True)


def hours(jobs: Sequence[Sequence[Config]], rows: Sequence[Row]) -> float | None:
    """Processor time that these will take, by the mean of rows of the same pruner on the same network.

    Where there are none: by rows of the pruner, or of the network, or by all. None where no row says how long it took.

    Args:
        jobs: Configurations that share a pruned circuit.
        rows: Of any run.
    """
    known: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if "processor" in row:
            name, bundle = row["config"]["pruner"], row["config"]["bundle"]
            for kind in ((name, bundle), (name, ""), ("", bundle), ("", "")):
                known[kind].append((row["processor"]["pruning"], row["processor"]["running"]))
    if not known:
        return None
    seconds = 0.0
    for configs in jobs:
        name, bundle = configs[0]["pruner"], configs[0]["bundle"]
        kind = next(kind for kind in ((name, bundle), (name, ""), ("", bundle), ("", "")) if kind in known)
        pruning, running = np.mean(known[kind], axis=0)
        seconds += pruning + len(configs) * running
    return float(seconds / 3600)
