"""Notebooks run from beginning to end, and were kept with what they showed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [("".join(cell["source"]), cell["outputs"]) for cell in cells if cell["cell_type"] == "code"]


def shows(source):
    """Whether a cell prints, or ends with an expression whose value a notebook shows."""
    return "print(" in source or isinstance(ast.parse(source).body[-1], ast.Expr)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_with_what_they_showed(path):
    assert len(NOTEBOOKS) == 4
    for source, outputs in code(path):
        assert bool(outputs) == shows(source), source
        assert not [output for output in outputs if output["output_type"] == "error"]
        assert str(ROOT.parent) + os.sep not in json.dumps(outputs) or str(ROOT.parent) == "/"
    assert any("text/html" in output.get("data", {}) for _, outputs in code(path) for output in outputs)


@pytest.mark.soak
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path):
    if "import torch" in path.read_text(encoding="utf-8") and find_spec("torch") is None:
        pytest.skip("torch is not installed")
    script = "\n".join(source for source, _ in code(path))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
