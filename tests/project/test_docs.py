"""What the documentation shows is run."""

import doctest
import importlib
import os
import pkgutil
import re

import pytest
from helpers import ROOT

import qprune


def test_readme_examples_run_in_order(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    certificate = namespace["result"].certificate
    assert certificate.largest_measured <= certificate.largest_bound
    assert "proven (T2)" in capsys.readouterr().out


@pytest.mark.parametrize("document", ["README.md", "docs/theory.md", "docs/bundles.md", "docs/design.md"])
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)\)", text):
        if not target.startswith("http"):
            assert ((ROOT / document).parent / target).exists(), target


@pytest.mark.parametrize("name", [m.name for m in pkgutil.walk_packages(qprune.__path__, "qprune.")])
def test_docstring_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_no_machine_path_in_tracked_text():
    """A path of whoever's machine has no place in the project."""
    here = str(ROOT.parent) + os.sep
    if here in ("/", "/tmp/"):
        pytest.skip("the checkout lies at a path too short to search for")
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "qprune").rglob("*.py")]:
        assert here not in path.read_text(encoding="utf-8"), path
