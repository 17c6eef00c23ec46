"""The tables of README.md and of two pages in docs/, made from the demo and the result files; nothing is typed."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

from benchmarks.compression.report import AIMS, BASELINES, CONTROL, KNOWN, LABELS
from benchmarks.control import WEIGHTS_TO_SPARE
from benchmarks.noise.page import LAMBDA, MISSED
from benchmarks.records import RESULTS, ROOT
from benchmarks.tables import ALL_CIRCUITS, ALL_MODES, EVERY_INPUT, FOR_EVERY_INPUT
from examples import classification

MODES = r"(every input|every input, refit|proven bound|verified|verified, refit)"
LARGER = r"\| 0\.1 \|"  # of the two budgets for every input, README shows one
HEADLINE = rf"\| {MODES} \| (0\.05|0\.0016) \|"


def run(
    readme: Path = ROOT / "README.md",
    numbers: Path = ROOT / "docs" / "numbers.md",
    limits: Path = ROOT / "docs" / "what-limits-pruning.md",
) -> None:
    """Rewrite what stands between the markers."""
    what_limits(limits)
    out = ROOT / "out" / "demo"
    classification.main(out=out)
    demo = out.with_suffix(".md").read_text(encoding="utf-8")
    first = _between(readme.read_text(encoding="utf-8"), "demo", demo)
    accuracy = RESULTS / "accuracy.md"
    readme.write_text(
        _between(first, "every-input", _table_of(accuracy, keep=LARGER, after=FOR_EVERY_INPUT)), encoding="utf-8"
    )
    text = numbers.read_text(encoding="utf-8")
    text = _between(text, "accuracy", _table_of(accuracy, keep=HEADLINE, after=ALL_MODES))
    text = _between(text, "peers", _table_of(RESULTS / "peers.md", after=ALL_CIRCUITS))
    text = _between(text, "peers-every-input", _table_of(RESULTS / "peers.md", after=EVERY_INPUT))
    text = _between(text, "scaling", _table_of(RESULTS / "scaling.md"))
    text = _between(text, "noise", _table_of(RESULTS / "noise.md", after="## Pruned for the device"))
    text = _between(text, "noise-missed", _list_of(RESULTS / "noise.md", after=MISSED))
    text = _between(text, "noise-lambda", _list_of(RESULTS / "noise.md", after=LAMBDA))
    text = _between(text, "wide", _table_of(RESULTS / "wide.md"))
    numbers.write_text(text, encoding="utf-8")


def what_limits(page: Path) -> None:
    """The tables of the page about what limits pruning."""
    text, rows = page.read_text(encoding="utf-8"), RESULTS / "compression.md"
    compressed = {"aims": AIMS, "with-labels": LABELS, "verdicts": CONTROL, "orders": BASELINES, "known": KNOWN}
    for name, after in compressed.items():
        text = _between(text, name, _table_of(rows, after=after))
    control = RESULTS / "control.md"
    text = _between(text, "control", _table_of(control))
    text = _between(text, "spare", _table_of(control, after=WEIGHTS_TO_SPARE))
    page.write_text(text, encoding="utf-8")


def _table_of(path: Path, keep: str = "", after: str = "") -> str:
    """The header of the first table after a line of a file, and those of its lines in which `keep` is found."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = text[text.find(after) :].splitlines()
    start = next((k for k, line in enumerate(lines) if line.startswith("|")), len(lines))
    table = list(takewhile(lambda line: line.startswith("|"), lines[start:]))
    return "\n".join([*table[:2], *(line for line in table[2:] if re.search(keep, line))]) + "\n"


def _list_of(path: Path, after: str) -> str:
    """The first list after a line of a file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = text[text.find(after) :].splitlines()
    start = next((k for k, line in enumerate(lines) if line.startswith("- ")), len(lines))
    return "\n".join(takewhile(lambda line: line.startswith("- "), lines[start:]))


def _between(text: str, name: str, block: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{block.strip()}\n\n{end}", text)
