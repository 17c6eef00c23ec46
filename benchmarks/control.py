"""What limits pruning with refit: the search, or the network. A small ansatz is grown to reproduce the outputs.

The inputs enter as in the original; what follows is free: a turn of every qubit, then CX wherever one helps most, each
with turns of both of its qubits. If nothing so grown reproduces a network with as few CX at as small a deviation for
every input as pruning reaches, the network is the limit, not the search.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import TypeAlias

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from tqdm import tqdm

import qprune
from benchmarks import accuracy
from benchmarks.compression.beforehand import directions
from benchmarks.records import ROOT, Row, append, provenance, read
from qprune.gates.sites import sites_of
from qprune.limits.claim_everywhere import EveryInputComparison
from qprune.limits.counterexamples import spread
from qprune.limits.refit import fit
from qprune.limits.trial import FIT_STEPS, POWER_STEPS, POWERS
from qprune.simulators.engine import Network

NAME = "control"
DIRECTIONS = "control, directions"
Reached: TypeAlias = dict[tuple[str, int], tuple[float, int]]
"""By network and number of CX the limit for every input, and gates."""

NETWORKS = ("iris-4q", "cancer-4q", "digits-6q", "digits4-8q", "digits-10q")
BUDGETS = (0.05, 0.1)
WEIGHTS_TO_SPARE = "## Weights to spare"
SEED, MOST_CX = 0, 12
SCREEN, LOOK_AHEAD = 12, 4  # steps of the fits by which places for a CX are compared, and how many are fitted on
STARTS = 3  # fits of every grown circuit, from where it is and from turns drawn anew nearby
NEARBY = 0.3  # radians
ROUNDS, MOST_WORST = 3, 25  # fits with more and more counterexamples, and how many join each time
# Modes that promise something else: of an ellipsoid, or with CX that are measured instead of run.
ELSEWHERE = (*accuracy.ABSORBED, *accuracy.IN_ELLIPSOID)
GAP, PATIENCE = 0.02, 60.0  # of the limit for every input
MOST_SECONDS = 600  # after which a network's ansatz grows no further


def run(
    out: Path, *, again: bool, networks: Sequence[str] = (), most: int = MOST_CX, patience: float = MOST_SECONDS
) -> None:
    """Count each reference network's directions; then grow an ansatz for each network, a row for each number of CX.

    Args:
        out: File to which rows are added.
        again: Measure anew what the file holds already.
        networks: Only these of `NETWORKS`; default all.
        most: CX up to which it grows.
        patience: Seconds after which a network's ansatz grows no further.
    """
    done = [] if again else [row["config"] for row in read(out.parent, NAME)]
    counted = [] if again else [row["config"]["network"] for row in read(out.parent, DIRECTIONS)]
    for name in accuracy.names():
        if name not in counted:
            task = qprune.load_network(name)
            found = {"weights": len(task.weights), "directions": directions(task)}
            append(out, {"benchmark": DIRECTIONS, "config": {"network": name}, **found, **provenance(SEED)})
    for name in networks or NETWORKS:
        if any(config["network"] == name for config in done):
            continue
        rows = Growth(qprune.Task.load(ROOT / "circuits" / name)).rows(most, patience)
        for row in tqdm(rows, desc=f"{NAME} {name}", total=most + 1, unit="CX", disable=None):
            append(out, {"benchmark": NAME, "config": {"network": name, "cx": row["two_qubit_gates"]}, **row})


class Growth:
    """An ansatz that grows until it reproduces a network.

    Args:
        task: The network; its inputs must enter before anything else.
    """

    def __init__(self, task: qprune.Task) -> None:
        self.task, self.rng = task, np.random.default_rng(SEED)
        self.comparison = EveryInputComparison(task, sites_of(task), task.domain, seed=SEED)
        self.ensemble = np.concatenate([task.inputs, spread(self.comparison.region, self.rng)])
        touched = set[int]()
        for site in sites_of(task):
            if site.role == "encoding" and not touched.isdisjoint(site.qubits):
                raise ValueError("inputs enter after other gates; the control speaks of those that enter first")
            if site.role != "encoding":
                touched.update(site.qubits)

    def rows(self, most: int, patience: float) -> Iterator[Row]:
        """One per number of CX, as it is measured."""
        began, pairs, weights = time.monotonic(), list[tuple[int, int]](), np.zeros(0)
        for count in range(most + 1):
            if time.monotonic() - began > patience:
                return
            origin, start = provenance(SEED), time.monotonic()
            if count:
                pairs, weights = self._with_one_more(pairs, weights)
            smaller, weights = self._fitted(pairs, weights)
            claim = self.comparison.claim(smaller, sites_of(smaller), gap=GAP, time_limit=PATIENCE)
            yield {
                "gates": smaller.circuit.size(),
                "two_qubit_gates": len(pairs),
                "upper": claim.upper,
                "lower": claim.lower,
                "measured": float(np.abs(self._change(smaller)).max()),
                "ensemble": len(self.ensemble),
                "seconds": time.monotonic() - start,
                **origin,
            }

    def _ansatz(self, pairs: Sequence[tuple[int, int]], weights: np.ndarray) -> qprune.Task:
        """The circuit: angles that are not given yet are drawn small."""
        circuit, names = QuantumCircuit(self.task.num_qubits), list[Parameter]()

        def turned(qubit: int, axes: str) -> None:
            for axis in axes:
                names.append(Parameter(f"w_{len(names):03d}"))
                getattr(circuit, f"r{axis}")(names[-1], qubit)

        for site in sites_of(self.task):
            if site.role == "encoding":
                circuit.append(site.operation, site.qubits)
        for q in range(self.task.num_qubits):
            turned(q, "zyz")
        for control, target in pairs:
            circuit.cx(control, target)
            turned(control, "yz")
            turned(target, "yx")
        values = np.concatenate([weights, NEARBY * self.rng.normal(size=len(names))])[: len(names)]
        return qprune.Task(
            circuit,
            list(self.task.observables or ()),
            inputs=self.ensemble,
            input_params=[p.name for p in self.task.input_params],
            weights=values,
            weight_params=names,
            domain=self.task.domain,
        )

    def _target(self) -> np.ndarray:
        return Network(self.task, sites_of(self.task), rows=self.ensemble).values(self.task.weights)

    def _with_one_more(
        self, pairs: list[tuple[int, int]], weights: np.ndarray
    ) -> tuple[list[tuple[int, int]], np.ndarray]:
        """With the CX that helps most."""
        target, found = self._target(), []
        for pair in permutations(range(self.task.num_qubits), 2):
            task = self._ansatz([*pairs, pair], weights)
            network = Network(task, sites_of(task))
            fitted, square = fit(network, task.weights, target, steps=SCREEN)
            found.append((square, pair, fitted, network))
        few = sorted(found, key=lambda each: each[0])[:LOOK_AHEAD]
        ends = [(*fit(network, fitted, target, steps=FIT_STEPS), pair) for _, pair, fitted, network in few]
        fitted, _, pair = min(ends, key=lambda each: each[1])
        return [*pairs, pair], fitted

    def _fitted(self, pairs: list[tuple[int, int]], weights: np.ndarray) -> tuple[qprune.Task, np.ndarray]:
        """The best of several fits to the largest deviation; the worst inputs join the ensemble in between."""
        best = (np.inf, weights)
        for k in range(ROUNDS):
            target, task = self._target(), self._ansatz(pairs, best[1])
            network, starts = Network(task, sites_of(task)), [task.weights]
            starts += [task.weights + NEARBY * self.rng.normal(size=len(task.weights)) for _ in range(STARTS - 1)]
            found = []
            for start in starts:
                at, _ = fit(network, start, target, steps=FIT_STEPS)
                for power in (2, *POWERS):
                    at = fit(network, at, target, steps=POWER_STEPS, power=power)[0] if power > 2 else at
                    found.append((float(np.abs(network.values(at) - target).max()), at))
            best = min(found, key=lambda each: each[0])
            smaller = task.with_weights(best[1])
            if k + 1 < ROUNDS:
                changes = self.comparison.differences(smaller, sites_of(smaller))
                worst = [point for change in changes for point, _ in change.maxima(self.ensemble[:0], MOST_WORST)]
                self.ensemble = np.concatenate([self.ensemble, worst])
        return smaller, best[1]

    def _change(self, smaller: qprune.Task) -> np.ndarray:
        rows = self.task.inputs
        values = [Network(t, sites_of(t), rows=rows).values(t.weights) for t in (self.task, smaller)]
        return np.asarray(values[1] - values[0])


def text(rows: Sequence[Row], pruned: Sequence[Row], spare: Sequence[Row] = ()) -> list[str]:
    """The Markdown table: by network and CX what was grown, beside what pruning reached with as many.

    Args:
        rows: Of this benchmark.
        pruned: Of `accuracy`.
        spare: Directions of the networks.
    """
    ours: Reached = {}
    for row in pruned:
        claim = row.get("every_input") or {}
        if "upper" in claim and row["config"]["mode"] not in ELSEWHERE:
            key = row["config"]["network"], row["two_qubit_gates"][2]
            ours[key] = min(ours.get(key, (np.inf, 0)), (claim["upper"], row["gates"][2]))
    grown = {(row["config"]["network"], row["config"]["cx"]): (row["upper"], row["gates"]) for row in rows}
    networks = [name for name in NETWORKS if any(key[0] == name for key in grown)]
    header = ("network", "two-qubit gates", "grown: gates", "proven", "pruned: gates", "proven")
    lines = [
        "# The search, or the network?",
        "",
        "Made by `python -m benchmarks tables` from the rows beside it and those of `accuracy`;",
        "[how](../README.md#control). *Proven*: no input of the box of the training data changes an output by more.",
        "*Pruned*: the least such limit, over all modes and budgets, of a circuit with so many two-qubit gates. Pruned",
        "circuits have fewer rotations, as all that need not stay are gone there too.",
        "",
        "| network | for every input | two-qubit gates, grown | pruned | what limits |",
        "| ---: | ---: | ---: | ---: | ---: |",
        *(_verdict(name, budget, grown, ours) for name in networks for budget in BUDGETS),
        "",
        f"| {' | '.join(header)} |",
        "|" + " ---: |" * len(header),
    ]
    for name in networks:
        for cx in sorted({cx for each, cx in (*grown, *ours) if each == name}):
            both = [found.get((name, cx)) for found in (grown, ours)]
            cells = [cell for each in both for cell in (("", "") if each is None else (str(each[1]), f"{each[0]:.3g}"))]
            lines.append(f"| {name} | {cx} | {' | '.join(cells)} |")
    return [*lines, *_spare(spare, pruned)]


def _spare(rows: Sequence[Row], pruned: Sequence[Row]) -> list[str]:
    """Weights and directions of each network beside what refit leaves of it on the samples, least reduction first."""
    left = {
        row["config"]["network"]: row
        for row in pruned
        if (row["config"]["mode"], row["config"]["budget"]) == ("verified, refit", BUDGETS[0])
    }
    both = [(row, left[row["config"]["network"]]) for row in rows if row["config"]["network"] in left]
    both.sort(key=lambda pair: -pair[1]["gates"][2] / pair[1]["gates"][1])
    lines = [
        "",
        WEIGHTS_TO_SPARE,
        "",
        "*Directions*: as many singular vectors of the outputs' Jacobian on the samples carry 99.9 % of the square.",
        f"*Left* by `Measured({BUDGETS[0]}, refit=True)`, of what exact simplification leaves.",
        "",
        "| network | weights | directions | gates left | two-qubit gates left |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for row, found in both:
        cells = [f"{found[key][1]} → {found[key][2]}" for key in ("gates", "two_qubit_gates")]
        cells = [row["config"]["network"], str(row["weights"]), str(row["directions"]), *cells]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _verdict(name: str, budget: float, grown: Reached, pruned: Reached) -> str:
    """One line: the fewest CX of either at a limit."""
    least = [
        min((cx for (each, cx), (upper, _) in found.items() if each == name and upper <= budget), default=None)
        for found in (grown, pruned)
    ]
    ours, theirs = least[1], least[0]
    words = "not reached" if theirs is None else "the search" if ours is None or theirs < ours else "not the search"
    cells = ["" if each is None else str(each) for each in least]
    return f"| {name} | {budget:g} | {' | '.join(cells)} | {words} |"
