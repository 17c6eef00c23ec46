"""The page of results of `refit`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

from benchmarks import refit
from benchmarks.peers.sides import REFITTED
from benchmarks.records import Row, markdown, origins


def page(rows: Sequence[Row], sides: Sequence[Row] = ()) -> str:
    """Searches with refit beside another checkout's, seed by seed, and Jacobians beside other tools'.

    Args:
        rows: Of the benchmark `refit`.
        sides: Of `peers`, each tool at its own setting: what refit takes over a plain pass.
    """
    ok = [row for row in rows if "failed" not in row]
    searches = {(r["config"]["network"], r["config"]["seed"], r["config"]["side"]): r for r in ok if "gates" in r}
    lines, fair = [], dict[str, list[list[Row]]]()
    for network, seed, side in sorted(searches):
        if side == refit.OURS:
            ours, other = (searches.get((network, seed, each)) for each in (refit.OURS, refit.OTHER))
            both = [row for row in (other, ours) if row is not None]
            is_fair = len(both) > 1 and len({row["machine"]["cpu"] for row in both}) == 1
            lines.append(_search(network, str(seed), [[row] for row in both], is_fair))
            if is_fair:
                fair.setdefault(network, []).append(both)
    lines += [
        _search(network, f"mean of {len(pairs)}", [list(side) for side in zip(*pairs, strict=True)], True)
        for network, pairs in fair.items()
        if len(pairs) > 1
    ]
    jacobians = {(r["config"]["network"], r["config"]["side"]): r for r in ok if r["config"]["what"] == "jacobian"}
    gains = {r["config"]["network"]: _gains(r["seconds"]) for r in ok if r["config"]["what"] == "threads"}
    last = ("two threads", "two processes") if gains else ()
    slopes = [
        (
            *(name, *(_median_ms(jacobians.get((name, side))) for side in refit.SIDES)),
            *(gains.get(name, ("", ""))[k] for k, _ in enumerate(last)),
        )
        for name in dict.fromkeys(name for name, _ in jacobians)
    ]
    told = (
        "*Two threads*: how many times faster than one by the clock, qprune alone, median of pairs in turn. *Two "
        "processes*: the same\nof two that share nothing but the machine, which is what its second processor adds."
    )
    failed = [f"{', '.join(map(str, row['config'].values()))}: {row['failed']}" for row in rows if "failed" in row]
    return "\n".join(
        [
            "# What refit costs",
            "",
            "Made by `python -m benchmarks tables` from the rows beside it; [how](../README.md#refit).",
            "",
            f"## `Measured({refit.BUDGET}, refit=True)`: the other checkout → this one",
            "",
            "A ratio stands where both ran on the same kind of processor.",
            "",
            *markdown(("network", "seed", "processor time", "ratio", "gates", "two-qubit gates"), lines),
            "",
            *_over_plain(sides),
            "## Derivatives of all outputs on all samples, ms of processor time, median of the repetitions",
            "",
            *((told, "") if gains else ()),
            *markdown(("network", *refit.SIDES, *last), slopes),
            "",
            *([f"Not run: {'; '.join(failed)}.", ""] if failed else []),
            *origins(rows),
            "",
        ]
    )


def _search(network: str, seed: str, sides: Sequence[Sequence[Row]], is_fair: bool) -> tuple[str, ...]:
    """A line of means over the rows of each side, and of their times' ratio."""
    times, gates, pairs = (
        [mean(row[key] for row in rows) for rows in sides] for key in ("processor_seconds", "gates", "two_qubit_gates")
    )
    ratio = f"{times[0] / times[1]:.2g}" if is_fair else ""
    seconds = " → ".join(f"{each:.3g} s" for each in times)
    return network, seed, seconds, ratio, *(" → ".join(f"{each:.3g}" for each in kind) for kind in (gates, pairs))


def _over_plain(sides: Sequence[Row]) -> list[str]:
    over = sorted(r["over_plain"]["median"] for r in sides if r["config"]["tool"] == REFITTED and "over_plain" in r)
    if not over:
        return []
    few = sum(times < refit.OVER_PLAIN for times in over)
    return [
        f"Over one plain pass of the same ensemble (`python -m benchmarks peers`, {len(over)} circuits of up to six "
        f"qubits): {over[0]:.3g} to {over[-1]:.3g} times,",
        f"median {median(over):.3g}; below the aim of {refit.OVER_PLAIN} on {few}.",
        "",
    ]


def _gains(seconds: Sequence[Sequence[float]]) -> tuple[str, str]:
    """Of two threads, and of two processes where they were measured: twice the work in the time of both."""
    one, two, *rest = seconds
    gains = [median(a / b for a, b in zip(one, other, strict=True)) for other in (two, *rest)]
    return f"{gains[0]:.2f}", "".join(f"{2 * gain:.2f}" for gain in gains[1:])


def _median_ms(row: Row | None) -> str:
    return "" if row is None else f"{1000 * median(row['processor_seconds']):.3g}"
