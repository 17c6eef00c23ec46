"""How much goes at which deviation, on every reference network, and what the test split says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler.passes import RemoveIdentityEquivalent
from tqdm import tqdm

import qprune
from benchmarks.finetuning import fine_tuned
from benchmarks.records import ROOT, Row, append, provenance, read, timed
from qprune import Domain, Everywhere, Limit, Measured, Proven, QpruneError, Threshold
from qprune.gates.sites import circuit_of, sites_of
from qprune.limits.claim_everywhere import every_input
from qprune.simulators.choices import final_outputs

NAME = "accuracy"
BUDGETS = (0.01, 0.03, 0.05, 0.1)
ENERGIES = (0.0016, 0.0008)  # budgets of an energy, in hartree: chemical accuracy (1.6 mHa), and half of it
REFIT = partial(Measured, refit=True)
SEED = 0
GAP, PATIENCE = 0.02, 120.0  # of the limit for every input: relative distance of its two ends, and seconds
FAR = 0.9  # share of the limit for every input below which what is attained is shown too
WITHIN = 1e-9  # relative rounding that a budget allows for
ELLIPSOID = "every input of the ellipsoid"
IN_ELLIPSOID = (ELLIPSOID, f"{ELLIPSOID}, refit")
DOMAINS = dict.fromkeys(IN_ELLIPSOID, Domain.ellipsoid())  # by mode; the box of the data for all others
HALVINGS = 12  # of the interval in which the threshold of a tool without a budget is sought


@dataclass(frozen=True)
class Smaller:
    """What one way of removing gates left."""

    task: qprune.Task  # the smaller circuit with its weights
    proven: float | None = None


def _pruned(limit: Callable[[float], Limit], **options: Any) -> Callable[[qprune.Task, float], Smaller]:
    def prune(task: qprune.Task, budget: float) -> Smaller:
        result = qprune.prune(task, limit(budget), seed=SEED, **options)
        return Smaller(result.task, result.certificate.largest_bound)

    return prune


def _in_ellipsoid(limit: Callable[[float], Limit]) -> Callable[[qprune.Task, float], Smaller]:
    return lambda task, budget: _pruned(limit)(task.with_domain(DOMAINS[ELLIPSOID]), budget)


def _one_shot(task: qprune.Task, budget: float) -> Smaller:
    """The paper's rule, every gate with d_q ≤ ε at once, with the largest ε whose measured deviation fits."""
    results = {}

    def deviation(tolerance: float) -> float:
        results[tolerance] = qprune.prune(task, Threshold(tolerance, window=0))
        return results[tolerance].certificate.largest_measured

    best = results[_largest_that_fits(deviation, budget, np.sqrt(2))]
    return Smaller(best.task, best.certificate.largest_bound)


def _identity_equivalents(task: qprune.Task, budget: float) -> Smaller:
    """Exact simplification, then Qiskit's RemoveIdentityEquivalent at the largest threshold that fits."""
    exact = qprune.prune(task, Proven(0.0)).task
    bound = exact.circuit.assign_parameters(dict(zip(exact.weight_params, exact.weights, strict=True)))
    found: dict[float, qprune.Task] = {}

    def deviation(threshold: float) -> float:
        smaller: QuantumCircuit = RemoveIdentityEquivalent(approximation_degree=1 - threshold)(bound)
        found[threshold] = task.with_circuit(smaller)
        return float(np.abs(_means(found[threshold]) - _means(task)).max())

    return Smaller(found[_largest_that_fits(deviation, budget, 1.0)])


def _largest_that_fits(deviation: Callable[[float], float], budget: float, top: float) -> float:
    """By bisection; zero, which changes nothing, always fits."""
    low, high = 0.0, top
    deviation(low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if deviation(middle) <= budget else (low, middle)
    return low


ABSORBED = ("every input, absorbed", "every input, refit, absorbed")  # the task that `absorb` makes is pruned
MODES: dict[str, Callable[[qprune.Task, float], Smaller]] = {
    "every input": _pruned(Everywhere),
    "every input, refit": _pruned(partial(Everywhere, refit=True)),
    ABSORBED[0]: _pruned(Everywhere),
    ABSORBED[1]: _pruned(partial(Everywhere, refit=True)),
    IN_ELLIPSOID[0]: _in_ellipsoid(Everywhere),
    IN_ELLIPSOID[1]: _in_ellipsoid(partial(Everywhere, refit=True)),
    "proven bound": _pruned(Proven),
    "verified": _pruned(Measured),
    "verified, refit": _pruned(REFIT),
    "random, refit": _pruned(REFIT, strategy="random"),
    "magnitude, refit": _pruned(REFIT, strategy="magnitude"),
    "one-shot": _one_shot,
    "RemoveIdentityEquivalent": _identity_equivalents,
}


ASKED = {
    "every input": "for every input",
    "every input, refit": "for every input, with refit",
    ABSORBED[0]: "for every input, last gates absorbed",
    ABSORBED[1]: "for every input, with refit, last gates absorbed",
    IN_ELLIPSOID[0]: "for every input of the data's ellipsoid",
    IN_ELLIPSOID[1]: "for every input of the data's ellipsoid, with refit",
    "verified": "on the samples",
    "verified, refit": "on the samples, with refit",
}


def names() -> list[str]:
    """The reference networks with a test split."""
    found = sorted(path.parent.name for path in (ROOT / "circuits").glob("*/task.json"))
    return [name for name in found if name != "planted-5q"]


def run(
    out: Path,
    *,
    quick: bool,
    again: bool,
    networks: Sequence[str] = (),
    modes: Sequence[str] = (),
    budgets: Sequence[float] = BUDGETS,
) -> None:
    """Prune each network on its training inputs and measure it on its test inputs, which selection never saw.

    Args:
        out: File to which rows are added.
        quick: One small network at one budget.
        again: Measure anew what the file holds already.
        networks: Only these; default all.
        modes: Only these of `MODES`; default all.
        budgets: Largest deviations to allow; those of an energy are `ENERGIES`.
    """
    done = [] if again else [row["config"] for row in read(out.parent, NAME) if "every_input" in row]
    jobs = [
        {"network": name, "mode": mode, "budget": budget}
        for name in (["reupload-2q"] if quick else networks or names())
        for mode in modes or MODES
        for budget in (BUDGETS[2:3] if quick else ENERGIES if "vqe" in name else budgets)
    ]
    for config in tqdm([job for job in jobs if job not in done], desc=NAME, unit="run", disable=None):
        try:
            append(out, _measure(config))
        except QpruneError as error:  # what a limit does not go with
            tqdm.write(f"{config}: {error}")


def _measure(config: dict[str, Any]) -> Row:
    origin = provenance(SEED)
    task = qprune.Task.load(ROOT / "circuits" / config["network"])
    found: list[Smaller] = []
    start = qprune.absorb(task).task if config["mode"] in ABSORBED else task
    seconds = timed(lambda: found.append(MODES[config["mode"]](start, config["budget"])))
    smaller = found[0]
    counts = [circuit_of(task, sites_of(task)), qprune.prune(start, Proven(0.0)).simplified, smaller.task.circuit]
    return {
        "benchmark": NAME,
        "config": config,
        "gates": [c.size() for c in counts],
        "two_qubit_gates": [c.num_nonlocal_gates() for c in counts],
        "weights": [len(task.weights), len(smaller.task.weights)],
        "proven": smaller.proven,
        "measured": float(np.abs(_means(smaller.task) - _means(task)).max()),
        "seconds": seconds,
        "every_input": _everywhere(start, smaller.task, config["budget"], DOMAINS.get(config["mode"], "data")),
        **_unseen(task, smaller.task, config["network"]),
        **origin,
    }


def _everywhere(task: qprune.Task, smaller: qprune.Task, budget: float, domain: Domain | str) -> Row | None:
    """What is proven for every input of a domain, and the deviation that some input attains (T9)."""
    if not task.inputs.shape[1]:
        return None
    found: list[qprune.EveryInput] = []
    circuits = (task, sites_of(task), smaller, sites_of(smaller))
    try:
        seconds = timed(
            lambda: found.append(every_input(*circuits, domain, gap=GAP, time_limit=PATIENCE, limit=budget))
        )
    except QpruneError as error:
        return {"refused": str(error)}
    claim = found[0]
    runs = max(output.runs for output in claim.outputs)
    return {"upper": claim.upper, "lower": claim.lower, "runs": runs, "seconds": seconds}


def _unseen(task: qprune.Task, smaller: qprune.Task, name: str) -> Row:
    """Largest deviation and accuracy on the test split, before and after fine-tuning on the training labels."""
    if not task.inputs.shape[1]:
        return {"test_deviation": None, "test_accuracy": None}
    test = qprune.Task.load(ROOT / "circuits" / name, split="test")
    weights = [p.name for p in smaller.weight_params]
    before = _means(test)

    def means(values: np.ndarray) -> np.ndarray:
        moved = test.with_circuit(smaller.circuit, dict(zip(weights, values.tolist(), strict=True)))
        return _means(moved.with_observables(list(smaller.observables or ())))

    after = means(smaller.weights)
    tuned = means(fine_tuned(task, smaller)) if weights else after
    return {
        "test_deviation": float(np.abs(after - before).max()),
        "test_accuracy": [test.accuracy(m) for m in (before, after, tuned)],
    }


def _means(task: qprune.Task) -> np.ndarray:
    return final_outputs(task, sites_of(task), task.selected).means


def table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and lines of the Markdown table; shares are of what exact simplification leaves."""
    header = ("network", "mode", "budget", "gates", "removed", "two-qubit gates", "removed", "weights")
    header += ("measured on samples", "on test data", "proven for every input", "test accuracy")
    lines = [_line(row) for row in sorted(rows, key=_place)]
    return header, lines


def every_input_table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """What goes if the budget is kept for every input, beside what seems to go if the samples alone are asked."""
    header = ("network", "budget kept", "budget", "gates", "removed", "two-qubit gates", "removed")
    lines = []
    for row in sorted(rows, key=lambda row: (row["config"]["network"], row["config"]["budget"], _place(row)[1])):
        config, claim = row["config"], row.get("every_input")
        if config["mode"] not in ASKED or claim is None or "refused" in claim or config["budget"] not in (0.05, 0.1):
            continue
        cells = _line(row)
        lines.append((config["network"], ASKED[config["mode"]], f"{config['budget']:g}", *cells[3:7], *cells[8:11]))
    return (*header, "measured on samples", "on test data", "proven for every input"), lines


def unseen_table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The most two-qubit gates, then gates, that went while the deviation on the TEST split stayed within a limit."""
    lines = []
    for network in sorted({row["config"]["network"] for row in rows if row["test_deviation"] is not None}):
        for mode in MODES:
            for limit in (0.01, 0.05, 0.1):
                own = [row for row in rows if (row["config"]["network"], row["config"]["mode"]) == (network, mode)]
                fits = [row for row in own if row["test_deviation"] is not None and row["test_deviation"] <= limit]
                if not own:
                    continue
                if not fits:
                    lines.append((network, mode, f"{limit:g}", *[""] * 6))
                    continue
                best = min(fits, key=lambda row: (row["two_qubit_gates"][2], row["gates"][2]))
                lines.append((network, mode, f"{limit:g}", *_line(best)[3:7], *_line(best)[-2:]))
    header = ("network", "mode", "limit on test data", "gates", "removed", "two-qubit gates", "removed")
    return (*header, "on test data", "test accuracy"), lines


def _place(row: Row) -> tuple[str, int, float]:
    config = row["config"]
    return config["network"], list(MODES).index(config["mode"]), config["budget"]


def _line(row: Row) -> tuple[str, ...]:
    config, accuracy = row["config"], row["test_accuracy"]
    return (
        *(str(config[key]) for key in ("network", "mode", "budget")),
        *_share(row["gates"]),
        *_share(row["two_qubit_gates"]),
        f"{row['weights'][0]} → {row['weights'][1]}",
        _judged(row["measured"], config["budget"]),
        _judged(row["test_deviation"], config["budget"]),
        _proven(row),
        "" if accuracy is None else " → ".join(f"{value:.3f}" for value in accuracy),
    )


def _judged(deviation: float | None, budget: float) -> str:
    """A deviation; in bold where it breaks the budget."""
    if deviation is None:
        return ""
    return f"{deviation:.3g}" if deviation <= budget * (1 + WITHIN) else f"**{deviation:.3g}**"


def _proven(row: Row) -> str:
    """The limit for every input of the box of the data, and what some input attains where that is far from it."""
    claim = row.get("every_input")
    if claim is None:
        return "one input" if row["test_deviation"] is None else ""
    if "refused" in claim:
        return "too many runs"
    shown = _judged(claim["upper"], row["config"]["budget"])
    is_open = claim["lower"] < FAR * claim["upper"]
    return f"{shown} (attained: {claim['lower']:.3g})" if is_open else shown


def _share(counts: Sequence[int]) -> tuple[str, str]:
    original, exact, pruned = counts
    return f"{original} → {exact} → {pruned}", f"{100 * (exact - pruned) / max(exact, 1):.0f} %"
