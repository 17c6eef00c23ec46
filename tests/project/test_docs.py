"""What the documentation shows is run."""

import ast
import doctest
import importlib
import os
import re
import tomllib

import pytest
from helpers import ROOT

import qprune


@pytest.mark.usefixtures("without_drawings")  # the guide draws the same circuits beside saving them
@pytest.mark.parametrize("document", ["README.md", "docs/guide.md"])
def test_examples_run_in_order(document, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, document, "exec"), namespace)
    certificate = namespace["result"].certificate
    assert certificate.largest_measured <= certificate.largest_bound
    assert "proven (T2)" in capsys.readouterr().out


def test_the_examples_of_strategies_run(capsys):
    """By a portfolio, by name, and by a strategy written in the page."""
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    namespace: dict = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "docs/strategies.md", "exec"), namespace)
    assert namespace["result"].certificate.largest_measured <= 0.05
    assert int(capsys.readouterr().out) < namespace["task"].circuit.size()


def test_the_page_of_strategies_names_every_one():
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)`", text, re.MULTILINE)) == set(qprune.strategies.STRATEGIES)


DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/theory.md",
    "docs/bundles.md",
    "docs/design.md",
    "docs/guide.md",
    "docs/numbers.md",
    "docs/what-limits-pruning.md",
    "docs/strategies.md",
    "docs/testing.md",
    "docs/faq.md",
    "docs/glossary.md",
]


@pytest.mark.parametrize("document", [*DOCUMENTS, "benchmarks/README.md", "circuits/README.md"])
def test_files_that_are_named_are_there(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:qprune|tests|benchmarks|examples|tools)/[\w/.*-]*)(?:::\w+)?`", text)
    assert not [name for name in named if not list(ROOT.glob(name.rstrip("/")))]


def defined(body, before=""):
    """Names of functions, classes, their members and constants."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield before + node.name
            if isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{before}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (before + part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name))


def test_code_that_theory_names_is_there():
    """`module.name`, by the end of the module's path; or `folder.module`."""
    names = {}
    for path in (ROOT / "qprune").rglob("*.py"):
        parts = path.relative_to(ROOT / "qprune").with_suffix("").parts
        names[parts] = set(defined(ast.parse(path.read_text(encoding="utf-8")).body))
        here = parts[:-1] if parts[-1] == "__init__" else parts
        names[here[:-1]] = names.get(here[:-1], set()) | set(here[-1:])

    def there(name):
        parts = tuple(name.split("."))
        ends = ((parts[:k], ".".join(parts[k:])) for k in range(1, len(parts)))
        return any(path[-len(end) :] == end and rest in known for end, rest in ends for path, known in names.items())

    told = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    parts = re.findall(r"`([a-z_]+(?:\.\w+)+)`", told)
    records = ("certificate", "expectations")  # fields of a saved certificate
    wrong = [n for n in parts if not n.endswith((".py", ".md")) and n.split(".")[0] not in records and not there(n)]
    assert len(parts) > 30
    assert not wrong


def test_every_test_file_says_what_it_checks_against():
    """In tests/README.md, which names no other."""
    named = set(re.findall(r"`([a-z]+/test_\w+\.py)`", (ROOT / "tests" / "README.md").read_text(encoding="utf-8")))
    assert named == {str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)\)", text):
        if not target.startswith("http"):
            assert ((ROOT / document).parent / target).exists(), target


def with_examples():
    """Modules whose source has a prompt; of the others there is nothing to run."""
    files = sorted((ROOT / "qprune").rglob("*.py"))
    shown = [path.relative_to(ROOT).with_suffix("") for path in files if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.parts).removesuffix(".__init__") for path in shown]


@pytest.mark.parametrize("name", with_examples())
def test_docstring_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("page", ["qprune", "qprune.pennylane", "qprune.qiskit", "qprune.testing", "qprune.strategies"])
def test_every_public_name_has_an_example(page):
    """Which runs, as all of docstrings do; errors and constants need none."""
    room = qprune.strategies if page == "qprune.strategies" else importlib.import_module(page)
    public = {name: getattr(room, name) for name in room.__all__}
    shown = {name: each for name, each in public.items() if callable(each) and not name.endswith(("Error", "Warning"))}
    without = [name for name, each in shown.items() if ">>> " not in (each.__doc__ or "")]
    assert [name for name in without if name != "CertificateViolation"] == []


def test_no_machine_path_in_tracked_text():
    """A path of whoever's machine has no place in the project."""
    here = str(ROOT.parent) + os.sep
    if here in ("/", "/tmp/"):
        pytest.skip("the checkout lies at a path too short to search for")
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "qprune").rglob("*.py")]:
        assert here not in path.read_text(encoding="utf-8"), path


def test_the_rooms_of_the_design_are_those_that_are_checked():
    """In the order of the layers, lowest first, and each a folder or a file."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "design.md").read_text(encoding="utf-8"), re.MULTILINE)
    shown = [{name.rstrip("/") for name in re.findall(r"`([^`]+)`", row)} for row in rows]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [set(re.split(r"\s*[|:]\s*", layer)) for layer in contracts[0]["layers"]]
    assert shown == layers[::-1]
    for name in set().union(*shown):
        assert (ROOT / "qprune" / name).is_dir() or (ROOT / "qprune" / f"{name}.py").is_file(), name


def test_what_the_site_lists_is_there():
    """In mkdocs.yml; pages that it does not list come behind the guide (tools/site.py)."""
    listed = set(re.findall(r"- ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    own = {name for name in listed if not name.startswith(("beside/", "reference/", "notebooks/", "index.md"))}
    assert own <= {path.name for path in (ROOT / "docs").glob("*.md")}
    assert len(own) > 5
    for name in listed - own:
        if name.startswith("beside/"):
            assert (ROOT / name.removeprefix("beside/")).is_file(), name


def test_the_readme_stays_an_invitation():
    """Tables, which are made from results, are looked at rather than read."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert sum(len(line.split()) for line in lines if not line.startswith("|")) < 900
