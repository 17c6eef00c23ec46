"""The tables of README.md, made from the demo and the result files; nothing is typed."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.records import RESULTS, ROOT
from examples import classification


def run(path: Path = ROOT / "README.md") -> None:
    """Rewrite what stands between the markers."""
    out = ROOT / "out" / "demo"
    classification.main(out=out)
    text = path.read_text(encoding="utf-8")
    text = _between(text, "demo", (out / "table.md").read_text(encoding="utf-8"))
    text = _between(text, "accuracy", _table_of(RESULTS / "accuracy.md", keep="| 0.05 |"))
    text = _between(text, "scaling", _table_of(RESULTS / "scaling.md"))
    text = _between(text, "wide", _table_of(RESULTS / "wide.md"))
    path.write_text(text, encoding="utf-8")


def _table_of(path: Path, keep: str = "|") -> str:
    """The header of the table in a file, and those of its lines that hold `keep`."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    table = [line for line in lines if line.startswith("|")]
    return "\n".join([*table[:2], *(line for line in table[2:] if keep in line)]) + "\n"


def _between(text: str, name: str, block: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{block.strip()}\n\n{end}", text)
