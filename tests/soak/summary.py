"""Counts of a run by kind, limit and gate, and its failures by claim: for people, and for a README."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .runner import read_rows

BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"


def counts_of(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of cases: in all, failed, seconds, by kind, mode, tag and gate; claims with their first cases."""
    kinds: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    gates: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        kinds[row["kind"]] += 1
        seconds[row["kind"]] += row.get("seconds", 0.0)
        modes[row.get("mode") or "–"] += 1
        gates.update(row.get("gates", ()))
        tags.update(tag for tag in row.get("tags", ()) if row["kind"] not in ("forged file", "bad command"))
        if "claim" in row:
            claims[row["claim"]].append(f"{row['kind']} {row['seed']}")
    return {
        "cases": sum(kinds.values()),
        "failed": sum(map(len, claims.values())),
        "seconds": sum(seconds.values()),
        "kinds": kinds,
        "seconds by kind": seconds,
        "modes": modes,
        "tags": tags,
        "gates": gates,
        "claims": claims,
    }


def text(folder: Path) -> str:
    """All counts and every failing claim with a few cases to replay."""
    counts = counts_of(read_rows(folder))
    lines = [f"{counts['cases']} cases, {counts['failed']} failed, {counts['seconds'] / 3600:.2f} h of CPU"]
    for name in ("kinds", "modes", "tags", "gates"):
        lines += ["", name]
        for what, number in counts[name].most_common():
            mean = f", {1000 * counts['seconds by kind'][what] / number:.0f} ms each" if name == "kinds" else ""
            lines.append(f"  {number:>7}  {what}{mean}")
    lines += ["", "failures by claim"]
    for claim, cases in sorted(counts["claims"].items(), key=lambda pair: -len(pair[1])):
        lines.append(f"  {len(cases):>7}  {claim}   ({', '.join(cases[:3])})")
    return "\n".join(lines)


def table(folder: Path) -> str:
    """For tests/README.md."""
    counts = counts_of(read_rows(folder))
    shown = {
        "cases": counts["kinds"],
        "limits": counts["modes"],
        "kinds of gates": {f"{len(counts['gates'])} kinds, each in at least": min(counts["gates"].values(), default=0)},
    }
    lines = [f"| {counts['cases']:,} cases, {counts['failed']} failed | |", "|---|---|"]
    for what, numbers in shown.items():
        listed = ", ".join(f"{name} {number:,}" for name, number in sorted(numbers.items(), key=lambda pair: -pair[1]))
        lines.append(f"| {what} | {listed} |")
    return "\n".join(lines)


def write_readme(folder: Path, readme: Path) -> None:
    """Put the table between the marks in a README."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{table(folder)}\n{END}{after}", encoding="utf-8")
