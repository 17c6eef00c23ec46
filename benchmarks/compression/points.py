"""Circuits of a run: what each counts and scores, and how one is made of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import qprune
from benchmarks.tasks.catalogue import Known
from qprune import Accuracy, Limit, Measured, Proven
from qprune.gates.costs import default_cost
from qprune.gates.sites import Site, circuit_of, sites_of
from qprune.simulators.engine import Network

ROUND_STEPS, ROUND_RATE = 200, 0.02  # of training after each round of removal
SAMPLES = 300  # of the training split that removal looks at, at least
AMPLITUDES = 2**14  # of all samples together, beyond which pruning asks no integer program, which may take minutes
FALLS = (0.03, 0.01, 0.0)  # of the accuracy on them, up to which the original is pruned by labels and refitted
FURTHER = (0.03, 0.01)  # likewise each round after, before training goes on
SHARE = 0.3  # of the gates left that a round of the baselines takes
SURE = 1000  # samples that choose, of which trying more fits few by chance; where there are none it fits none
ANEW = 1000  # between the seeds of searches that begin anew
SEARCHES = 12  # for smaller circuits yet, unless more are asked for, shared out to the levels
ORIGINAL, REWRITTEN = "original", "exact, couplings='any'"  # circuits whose outputs are the original's


@dataclass(frozen=True, eq=False)
class Point:
    """A circuit with weights.

    Attributes:
        task: The circuit.
        how: The last step that made it.
        labels: Whether labels were seen since the original.
        steps: Of training, the original's included.
        scores: On "selection" and "test".
        every_input: Pruned from the original without labels: no input of the box of the samples changes an output by
            more (T9), where that is known.
        cut: Whether the search was stopped by its time.
    """

    task: qprune.Task
    how: str
    labels: bool
    steps: int
    scores: dict[str, float]
    every_input: float | None = None
    cut: bool = False

    @property
    def cost(self) -> float:
        """What a search makes small: ten for a two-qubit gate, one for a rotation, a tenth about Z."""
        return sum(default_cost(site) for site in sites_of(self.task))

    def record(self) -> dict[str, Any]:
        """As it stands in a row."""
        return {
            "how": self.how,
            "labels": self.labels,
            "steps": self.steps,
            **sizes(self.task),
            "cost": round(self.cost, 6),
            **{name: round(score, 9) for name, score in self.scores.items()},
            "every_input": self.every_input,
            "cut": self.cut,
        }


def sizes(task: qprune.Task) -> dict[str, int]:
    """Gates, rotations that inputs turn and that weights turn, two-qubit gates, free parameters, depth."""
    roles = [site.role for site in sites_of(task)]
    return {
        "gates": task.circuit.size(),
        "encoding": roles.count("encoding"),
        "trainable": roles.count("trainable"),
        "two_qubit_gates": task.circuit.num_nonlocal_gates(),
        "parameters": len(task.weights),
        "depth": task.circuit.depth(),
    }


def begun(known: Known, task: qprune.Task) -> Point:
    """The original as a point."""
    return Point(task, ORIGINAL, False, known.steps, _scores(known, task))


def rewritten(known: Known, point: Point) -> Point:
    """Exactly the same outputs at any weights, rotations about Pauli words written back with the fewest CX."""
    task = qprune.prune(point.task, Proven(0.0), couplings="any").task
    return Point(task, REWRITTEN, point.labels, point.steps, _scores(known, task))


def pruned(known: Known, point: Point, limit: Limit, seed: int, patience: float) -> Point:
    """One pruning by qprune, on the first samples of the training split; weights are refitted, not trained."""
    samples = max(SAMPLES, AMPLITUDES // 2**point.task.num_qubits + 1)
    result = qprune.prune(known.on(point.task, "train", samples), limit, seed=seed, time_limit=patience)
    claim = result.certificate.every_input
    return Point(
        result.task,
        repr(limit),
        point.labels or isinstance(limit, Accuracy),
        point.steps,
        _scores(known, result.task),
        None if claim is None or point.how not in (ORIGINAL, REWRITTEN) else float(claim.upper),
        "cut_short" in result.certificate.options,
    )


def trained_on(known: Known, point: Point, seed: int) -> Point:
    """The same circuit after more training on labels."""
    task = known.descended(point.task, ROUND_STEPS, ROUND_RATE, seed)
    how = f"{point.how}, trained on"
    return Point(task, how, True, point.steps + ROUND_STEPS, _scores(known, task), None, point.cut)


def steps_of(known: Known) -> list[Limit]:
    """What a round of removal may be, the boldest first; the first that helps is taken."""
    found: list[Limit] = [Measured(budget, refit=True, window=0) for budget in reversed(known.budgets)]
    return [Accuracy(fall, refit=True, window=0) for fall in (FURTHER if known.data else ())] + found


def compressed(known: Known, original: Point, seed: int, patience: float, searches: int) -> list[Point]:
    """All circuits on the way: rewritten, pruned without labels at each budget and by labels, then in turn trained on.

    At each level, the strictest first, the cheapest circuit that keeps its score on the selection split is pruned and
    trained on, until that is no cheaper or no longer good enough, or the level's searches are used up. Where many
    samples choose, or none do, and searches end before their time, those that are left begin anew by other seeds. The
    test split decides nothing.

    Args:
        known: The task.
        original: The trained network.
        seed: Of pruning and of training.
        patience: Seconds for each search.
        searches: For smaller circuits yet.
    """
    points, start = [original], original
    if known.data is None:  # ansätze of Pauli rotations, which Pauli form is for; elsewhere it is slow and gains little
        start = rewritten(known, original)
        points.append(start)
    first: list[Limit] = [Measured(known.budgets[0], window=0)]
    first += [Measured(budget, refit=True, window=0) for budget in known.budgets]
    if known.data is not None:
        first += [Accuracy(loss, refit=True, window=0) for loss in FALLS]
    for limit in first:
        points.append(pruned(known, start, limit, seed, patience))
        points.append(trained_on(known, points[-1], seed))
    mildly = first[1]
    was_cut = any(point.cut for point in points if point.how == repr(mildly))  # what is cut would be cut again
    choosing = known.split("selection")
    begins_anew = not was_cut and (choosing is None or len(choosing.labels) >= SURE)
    anew = 0
    tried, levels = set[tuple[int, str]](), known.limits(original.scores["selection"])
    for level, least in enumerate(levels.values()):
        for _ in range(searches // len(levels) + (level < searches % len(levels))):
            best = cheapest(points, least)
            left = [limit for limit in steps_of(known) if (id(best), repr(limit)) not in tried]
            if best is original or not left:
                if not begins_anew:
                    break
                anew += 1
                points.append(pruned(known, start, mildly, seed + ANEW * anew, patience))
                points.append(trained_on(known, points[-1], seed))
                continue
            tried.add((id(best), repr(left[0])))
            smaller = pruned(known, best, left[0], seed, patience)
            if smaller.cost < best.cost:
                points += [smaller, trained_on(known, smaller, seed)]
    return points


def once(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the records of a run, what was pruned from the original without labels, once each way and by the first seed.

    The first of its kind: those that follow came of smaller circuits, or of other seeds.
    """
    found: dict[str, dict[str, Any]] = {}
    for point in points:
        if not point["labels"]:
            found.setdefault(point["how"], point)
    return list(found.values())


def cheapest(points: Sequence[Point], least: float) -> Point:
    """Of those that score enough on the selection split; the first, the original, where none does."""
    good = [point for point in points if point.scores["selection"] >= least] or [points[0]]
    return min(good, key=lambda point: (point.cost, -point.scores["selection"]))


def baseline(known: Known, original: Point, seed: int, order: Callable[[Network, list[int]], list[int]]) -> list[Point]:
    """Rounds that take a share of the gates in an order and train on, until the score is far too low.

    Args:
        known, original, seed: As in `compressed`.
        order: Puts the trainable gates that may go, by their index, in order.
    """
    points, least = [original], min(known.limits(original.scores["selection"]).values())
    current = original
    while True:
        sites = sites_of(current.task)
        network = Network(known.on(current.task, "train", SAMPLES), sites)
        ordered = order(network, [k for k, site in enumerate(sites) if site.role != "encoding"])
        if not ordered:
            return points
        gone = set(ordered[: max(1, int(SHARE * len(ordered)))])
        task = without(current.task, sites, gone)
        current = trained_on(known, Point(task, "removed", True, current.steps, {}), seed)
        points.append(current)
        if current.scores["selection"] < least and points[-2].scores["selection"] < least:
            return points


def without(task: qprune.Task, sites: Sequence[Site], gone: set[int]) -> qprune.Task:
    """A task without some of its gates, exactly simplified."""
    left = [site for k, site in enumerate(sites) if k not in gone]
    return qprune.prune(task.with_circuit(circuit_of(task, left)), Proven(0.0)).task


def by_magnitude(network: Network, places: list[int]) -> list[int]:
    """Rotations by the size of their angle; gates without a weight never."""
    angles = network.coordinates(network.task.weights)
    sizes = np.abs(np.remainder(angles + np.pi, 2 * np.pi) - np.pi)
    return sorted((k for k in places if network.slopes[k].any()), key=lambda k: float(sizes[k]))


def at_random(seed: int) -> Callable[[Network, list[int]], list[int]]:
    """All gates that do not encode, two-qubit gates too, in a drawn order."""
    rng = np.random.default_rng(seed)
    return lambda _, places: rng.permutation(places).tolist()


def _scores(known: Known, task: qprune.Task) -> dict[str, float]:
    return {name: known.score(task, name) for name in ("selection", "test")}
