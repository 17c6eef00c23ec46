"""The house: rooms import downwards, verify shares nothing with what it checks, the import is light, files short."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache

import pytest
from helpers import ROOT

PACKAGE = ROOT / "qprune"
FILES = sorted(path for path in PACKAGE.rglob("*.py"))
HEAVY = (
    "sympy",
    "scipy.stats",
    "scipy.optimize",
    "matplotlib",
    "pennylane",
    "numba",
    "jinja2",
    "tqdm",
    "psutil",
    "qiskit_aer",
    "IPython",
    "sklearn",
    "jax",
    "qiskit_ibm_runtime",
    "dimod",
    "networkx",
    "dask",
)
OWN = {"qprune", "msgspec", "typing_extensions"}  # what the import may add to what qiskit loads; the last by msgspec


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_imports_keep_the_contracts_of_pyproject():
    """Layers, circles (those for type checkers too), verify's independence, and where libraries may appear."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@cache
def trees():
    """Every file of the package by its name as a module, parsed once."""
    return {module(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def test_no_qprune_import_inside_a_function():
    """They would hide a circle until the function runs."""
    for name, tree in trees().items():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                    inside = any(n.split(".")[0] == "qprune" for n in names)
                    assert not inside, f"{name}, line {node.lineno}"


def test_nothing_private_is_imported():
    """A name or module with a leading underscore stays in its room; those of the package itself serve all rooms."""
    for path, tree in zip(FILES, trees().values(), strict=True):
        room = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qprune"):
                parts = node.module.split(".")
                foreign = len(parts) > 1 and parts[1] != room
                private = any(a.name.startswith("_") and a.name != "__version__" for a in node.names)
                assert not (foreign and private), f"{path}: {ast.unparse(node)}"
                assert not (foreign and any(part.startswith("_") for part in parts[2:])), f"{path}: {ast.unparse(node)}"


def test_no_assert_in_the_package():
    """`python -O` drops them."""
    for name, tree in trees().items():
        assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)], name


@pytest.mark.parametrize(("folder", "most"), [("qprune", 400), ("tests", 500)])
def test_no_file_is_too_long_to_read(folder, most):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert not {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > most}


@pytest.fixture(scope="module")
def loaded():
    """Modules that `import qiskit` loads in a fresh process, those that `import qprune` adds, and then the command."""
    code = "import sys, qiskit; print(*sys.modules); before = set(sys.modules); import qprune"
    code += "; print(*set(sys.modules) - before); import qprune.cli.command; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_importing_qprune_loads_nothing_heavy(loaded):
    """Beyond what qiskit loads by itself."""
    assert not set(HEAVY) & loaded[1]


def test_help_adds_little_to_what_qiskit_loads(loaded):
    """How long it takes is measured by hand: a clock in a test fails on somebody's machine."""
    assert "qprune.cli.command" in loaded[2]
    assert not {"numba", "matplotlib", "pennylane", "jinja2"} & (loaded[0] | loaded[2])


def test_importing_qprune_adds_few_libraries_to_those_of_qiskit(loaded):
    """How long it takes is measured by hand: a clock in a test fails on somebody's machine."""
    before, added, _ = loaded
    roots = {name.split(".")[0] for name in added} - sys.stdlib_module_names
    assert {"qprune"} <= roots <= OWN | before
