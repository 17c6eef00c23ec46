"""The tables that are committed are those of the rows beside them."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.__main__ import main
from benchmarks.records import RESULTS


def test_tables_are_those_of_their_rows(tmp_path):
    pytest.importorskip("qiskit_ibm_runtime")  # the table of the noise benchmark asks devices for their sizes
    for path in RESULTS.glob("*.jsonl"):
        shutil.copy(path, tmp_path)
    assert main(["tables", "--results", str(tmp_path)]) == 0
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md")}
    committed = {path.name: path.read_text(encoding="utf-8") for path in RESULTS.glob("*.md")}
    assert made.keys() == committed.keys()
    assert [name for name, text in made.items() if text != committed[name]] == [], "python -m benchmarks tables"
