"""Rows to tables of ranks with critical differences, the distance to the optimum, and a figure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import scipy
from matplotlib.figure import Figure

from benchmarks.records import Row
from benchmarks.strategies.run import LIMITS, STRATEGIES
from benchmarks.strategies.sets import DEFAULT, OPTIMUM, configs_of

LEVEL = 0.05  # of the tests


@dataclass(frozen=True)
class Ranking:
    """Strategies under one limit, ranked circuit by circuit.

    Attributes:
        limit: Its name in the rows.
        names: Strategies measured on every circuit, best mean rank first.
        ranks: Their mean ranks, 1 the best.
        circuits: Over how many circuits.
        critical: Difference of mean ranks beyond which two strategies differ, by Nemenyi's test.
        friedman: p-value of Friedman's test that all are alike.
        cost: Mean share of the cost that is left, by strategy, and the half width of its 95 % interval over circuits.
    """

    limit: str
    names: tuple[str, ...]
    ranks: tuple[float, ...]
    circuits: int
    critical: float
    friedman: float
    cost: dict[str, tuple[float, float]]


def ranking(rows: Sequence[Row], limit: str) -> Ranking | None:
    """Ranks by the cost left, the mean over seeds and budgets of each circuit; None below two circuits.

    A circuit counts once, whatever the number of budgets and seeds: ranks of the same circuit are not independent.

    Source: Demšar 2006, Statistical comparisons of classifiers over multiple data sets.
    """
    mine = [row for row in rows if row["config"]["limit"] == limit and row["config"]["strategy"] != OPTIMUM]
    circuits = sorted({row["config"]["circuit"] for row in mine if "cost" in row})  # the limit may refuse one to all
    left: dict[str, dict[str, list[float]]] = {}
    for row in mine:
        if "cost" in row:
            by = left.setdefault(row["config"]["strategy"], {})
            by.setdefault(row["config"]["circuit"], []).append(row["cost"] / row["cost_before"])
    names = sorted(name for name in left if set(left[name]) == set(circuits))
    if len(circuits) < 2 or len(names) < 3:
        return None
    table = np.array([[mean(left[name][circuit]) for name in names] for circuit in circuits])
    ranks = scipy.stats.rankdata(np.round(table, 9), axis=1).mean(axis=0)
    size, count = len(names), len(circuits)
    critical = scipy.stats.studentized_range.ppf(1 - LEVEL, size, np.inf) / np.sqrt(2)
    critical *= np.sqrt(size * (size + 1) / (6 * count))
    order = np.argsort(ranks, kind="stable")
    reach = scipy.stats.t.ppf(1 - LEVEL / 2, count - 1) * table.std(axis=0, ddof=1) / np.sqrt(count)
    return Ranking(
        limit,
        tuple(names[j] for j in order),
        tuple(float(ranks[j]) for j in order),
        count,
        float(critical),
        float(scipy.stats.friedmanchisquare(*table.T).pvalue) if np.ptp(table, axis=1).any() else 1.0,
        {names[j]: (float(table[:, j].mean()), float(reach[j])) for j in order},
    )


def tables(rows: Sequence[Row]) -> str:
    """Markdown: one table of ranks for each limit, then the distance to the optimum."""
    parts = ["# Strategies\n", "Cost left: 10 for a gate on two qubits, 1 for a rotation, 0.1 for one about Z.\n"]
    parts.append(f"{_takes(rows)}\n")
    for limit in LIMITS:
        found = ranking(rows, limit)
        if found is None:
            continue
        parts.append(f"## {limit}\n")
        asked = [row for row in rows if row["config"]["limit"] == limit]
        of_limit = [row for row in asked if "cost" in row]
        names = sorted({row["config"]["circuit"] for row in of_limit})
        refused = sorted({row["config"]["circuit"] for row in asked} - set(names))
        parts.append(
            f"{found.circuits} circuits: {measured_on(of_limit)}. Budgets are in units of half the widest spectrum; "
            f"seeds are those of what draws. Friedman's test: p = {found.friedman:.2g}. Mean ranks that differ by less "
            f"than {found.critical:.2f} are not told apart (Nemenyi, 5 %).\n"
        )
        proven = everywhere(of_limit, found.names)
        if proven:
            by_budget = dict[float, list[str]]()
            for circuit, budget in proven:
                by_budget.setdefault(budget, []).append(circuit)
            each = "; ".join(f"{', '.join(names)} at {budget}" for budget, names in by_budget.items())
            parts.append(
                "*Every input*: the largest change that an input of the samples' box may cause, as proven afterwards: "
                f"mean over {each}.\n"
            )
        lines = ["| strategy | mean rank | cost left | two-qubit gates | every input | processor time | oracle calls |"]
        lines.append("|---|---:|---:|---:|---:|---:|---:|")
        for name, rank in zip(found.names, found.ranks, strict=True):
            changes = [mean(by[name]) for by in proven.values()]
            lines.append(_line(name, rank, found, changes, [r for r in of_limit if r["config"]["strategy"] == name]))
        parts.append("\n".join(lines) + "\n")
        others = {row["config"]["strategy"] for row in rows if row["config"]["limit"] == limit}
        if missing := sorted(others - {*found.names, OPTIMUM}):
            parts.append(f"Not on every circuit, and left out: {', '.join(missing)}.\n")
        if refused:
            parts.append(f"Refused by the limit, without inputs or with too many runs: {', '.join(refused)}.\n")
    if distances := above_optimum(rows):
        parts.append("## Above the true optimum\n")
        count = len({c for c, *_ in _optima(rows)})
        parts.append(
            f"`Measured` without refit on {count} circuits of up to 20 candidates: cost left over the cost that the "
            "best of all sets leaves (`elimination`, `exact=20`), less one.\n"
        )
        lines = ["| strategy | mean | largest |", "|---|---:|---:|"]
        lines += [f"| `{name}` | {100 * np.mean(d):.1f} % | {100 * max(d):.1f} % |" for name, d in distances.items()]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _takes(rows: Sequence[Row]) -> str:
    """What of the default set was run, and how long that took."""
    found = {json.dumps(row["config"], sort_keys=True): row.get("processor_seconds", 0.0) for row in rows}
    asked = [json.dumps(config, sort_keys=True) for config in configs_of(DEFAULT, tuple(STRATEGIES))]
    took = [found[config] for config in asked if config in found]
    ran = f"{len(asked) - len(took)} were not run; the others" if len(took) < len(asked) else "all were run, and"
    return f"Of the {len(asked)} prunings of the default set {ran} took {sum(took) / 3600:.1f} hours of a processor."


def measured_on(rows: Sequence[Row]) -> str:
    """Circuits with the same budgets and seeds together: "a and b at 0.05, 0.1, 5 seeds; c at 0.05, 1 seed"."""
    alike: dict[str, list[str]] = {}
    for circuit in sorted({row["config"]["circuit"] for row in rows}):
        mine = [row["config"] for row in rows if row["config"]["circuit"] == circuit]
        drawn = Counter((config["strategy"], config["budget"]) for config in mine)
        budgets, seeds = sorted({config["budget"] for config in mine}), max(drawn.values())
        words = f"at {', '.join(map(str, budgets))}, {seeds} seed{'s' if seeds > 1 else ''}"
        alike.setdefault(words, []).append(circuit)
    return "; ".join(f"{', '.join(names)} {words}" for words, names in alike.items())


def everywhere(rows: Sequence[Row], names: Sequence[str]) -> dict[tuple[str, float], dict[str, list[float]]]:
    """By circuit and budget, then strategy, what is proven of each result for every input, where it is of all."""
    found: dict[tuple[str, float], dict[str, list[float]]] = {}
    for row in rows:
        if row.get("every_input") is not None:
            by = found.setdefault((row["config"]["circuit"], row["config"]["budget"]), {})
            by.setdefault(row["config"]["strategy"], []).append(row["every_input"])
    return {place: by for place, by in sorted(found.items()) if set(names) <= set(by)}


def _line(name: str, rank: float, found: Ranking, changes: Sequence[float], rows: Sequence[Row]) -> str:
    cost, reach = found.cost[name]
    calls = [row["calls"] for row in rows if row["calls"] is not None]
    cells = (
        f"`{name}`",
        f"{rank:.2f}",
        f"{100 * cost:.1f} % ± {100 * reach:.1f}",
        f"{mean(row['two_qubit_gates'] for row in rows):.2f}",
        f"{mean(changes):.3f}" if changes else "",
        f"{mean(row['processor_seconds'] for row in rows):.2f} s",
        f"{mean(calls):.0f}" if calls else "",
    )
    return f"| {' | '.join(cells)} |"


def _optima(rows: Sequence[Row]) -> dict[tuple[str, float], float]:
    """Cost of the optimum by circuit and budget, where the search was not cut."""
    return {
        (row["config"]["circuit"], row["config"]["budget"]): row["cost"]
        for row in rows
        if row["config"]["strategy"] == OPTIMUM and not row.get("cut")
    }


def above_optimum(rows: Sequence[Row]) -> dict[str, list[float]]:
    """By strategy how far it stays above the optimum, one share for each circuit, budget and seed; best first."""
    optima = _optima(rows)
    found: dict[str, list[float]] = {}
    for row in rows:
        config = row["config"]
        key = (config["circuit"], config["budget"])
        if config["limit"] == "measured" and config["strategy"] != OPTIMUM and key in optima and "cost" in row:
            found.setdefault(config["strategy"], []).append(row["cost"] / max(optima[key], 1e-9) - 1)
    return dict(sorted(found.items(), key=lambda item: float(np.mean(item[1]))))


def draw(rows: Sequence[Row], limit: str) -> Figure | None:
    """Mean ranks with a bar of the critical difference from the best on; what it reaches is not told from the best."""
    found = ranking(rows, limit)
    if found is None:
        return None
    figure = Figure(figsize=(6.4, 0.28 * len(found.names) + 1.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(found.names))
    near = np.array(found.ranks) <= found.ranks[0] + found.critical
    axes.barh(places, found.ranks, color=np.where(near, "#2b6cb0", "#a0aec0"))
    axes.axvline(found.ranks[0] + found.critical, color="0.35", linestyle="--", linewidth=1)
    axes.set_yticks(places, found.names)
    axes.invert_yaxis()
    axes.set_title(f"{limit}, {found.circuits} circuits")
    axes.set_xlabel("mean rank; dashed: critical difference from the best")
    return figure
