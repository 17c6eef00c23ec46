"""Data flows one way: the imports are read and held against the order of docs/design.md."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "qprune"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def flow():
    """File stems in the order of the table in docs/design.md; a row may name several, `name*` several alike."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    return [name.removesuffix(".py").rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)]


def place(name):
    """Where in the flow a module stands; a module of a folder stands where the folder does."""
    stem = name.removeprefix("qprune.").split(".")[0]
    for position, entry in enumerate(flow()):
        if stem == entry or (entry.endswith("*") and stem.startswith(entry[:-1])):
            return position
    raise AssertionError(f"docs/design.md does not list {stem}")


def imports(path, *, everywhere=False):
    """Modules imported at the top of a file, or anywhere; not those for type checkers alone."""
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree)) if everywhere else list(tree.body)
    typed = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(child) for block in typed for child in ast.walk(block)}
    names = []
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            if node.module == "qprune":
                names += [f"qprune.{a.name}" for a in node.names if (PACKAGE / f"{a.name}.py").exists()]
    return names


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_file_imports_only_what_stands_before_it(path):
    here = place(module(path))
    for name in imports(path):
        if name.startswith("qprune."):
            assert place(name) <= here, f"{module(path)} imports {name}, which stands after it"


def test_there_are_no_cycles():
    graph = {module(path): {n for n in imports(path) if n.startswith("qprune.")} for path in FILES}
    seen, stack = set(), []

    def visit(name):
        assert name not in stack, f"cycle: {' -> '.join([*stack, name])}"
        if name in seen:
            return
        stack.append(name)
        for other in graph.get(name, ()):
            visit(other)
        stack.pop()
        seen.add(name)

    for name in graph:
        visit(name)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_no_qprune_import_inside_a_function(path):
    inside = [n for n in imports(path, everywhere=True) if n.startswith("qprune")]
    assert sorted(inside) == sorted(n for n in imports(path) if n.startswith("qprune"))


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("qiskit_aer", {"ensemble", "prefix", "noise", "noise_models", "devices", "verify_wide"}),
        ("sympy", {"subgroups", "qgeometry", "bounds"}),
        ("matplotlib", {"report", "diagram", "html"}),
        ("pennylane", {"pennylane"}),
    ],
)
def test_a_library_appears_only_where_it_belongs(library, allowed):
    users = {
        path.stem for path in FILES if any(name.split(".")[0] == library for name in imports(path, everywhere=True))
    }
    assert {name.split("_")[0] if library == "pennylane" else name for name in users} <= allowed


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("simulation", set()),
        ("verify_wide", {"simulation"}),
        ("verify_formulas", set()),
        ("verify", {"simulation", "verify_formulas", "verify_wide", "certificate"}),
    ],
)
def test_verify_shares_nothing_with_the_path_it_checks(name, allowed):
    shared = {n for n in imports(PACKAGE / f"{name}.py", everywhere=True) if n.startswith("qprune")}
    assert shared <= {f"qprune.{n}" for n in allowed | {"task", "observables", "errors"}}
    users = {path.stem for path in FILES if "qprune.verify.states" in imports(path, everywhere=True)}
    assert users == {"verify", "verify_wide"}


def test_importing_qprune_is_light():
    heavy = ("pennylane", "matplotlib", "sklearn", "jax", "qiskit_ibm_runtime")
    code = f"import sys, qprune; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_no_assert_in_the_package(path):
    assert not [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)]
