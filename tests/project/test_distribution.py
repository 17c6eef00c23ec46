"""Wheel and sdist: built, installed in an environment of their own, and tried from another folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT

import qprune

SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff")
SOURCES += (
    "pytest_qprune.py",
    "qprune_command.py",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "qprune",
    "circuits",
    "noise_models",
)

TRIAL = """
import sys
from pathlib import Path
import qprune
assert Path(qprune.__file__).is_relative_to(sys.prefix), qprune.__file__
circuit = qprune.load_network("planted-5q").circuit
model = qprune.calibrate("depolarizing-1e-2")
task = qprune.Task(circuit.assign_parameters({p: 0.3 for p in circuit.parameters}), "ZIIII")
result = qprune.prune(task, qprune.Proven(0.1, window=0))  # so that nothing is compiled, which takes long
qprune.verify(task, result)
print(len(qprune.network_names()), len(qprune.noise_model_names()), model.source, "numba" in sys.modules)
"""


def run(*command, cwd, **options):
    plain = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=plain, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is made from it; in a copy, as builds leave folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=source)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(built, tmp_path_factory):
    """A fresh environment with the wheel alone; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    install = ("install", "--no-deps", "--no-compile", "--quiet", built[1])
    run(sys.executable, "-m", "pip", "--python", folder, *install, cwd=folder)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")  # not the .pth files in there
    return folder


def test_an_installed_qprune_has_its_networks_and_noise_models(environment, tmp_path):
    networks, models, source, compiled = run(environment / "bin" / "python", "-c", TRIAL, cwd=tmp_path).split()
    assert (int(networks), int(models)) == (len(qprune.network_names()), len(qprune.noise_model_names()))
    assert source == "depolarizing-1e-2"
    assert compiled == "False"


def test_the_installed_command_runs(environment, tmp_path):
    assert qprune.__version__ in run(environment / "bin" / "qprune", "--version", cwd=tmp_path)


def test_wheel_and_sdist_hold_what_they_should(built):
    with tarfile.open(built[0]) as archive:
        source = {name.split("/", 1)[-1] for name in archive.getnames()}
    with zipfile.ZipFile(built[1]) as archive:
        wheel = set(archive.namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "qprune").rglob("*") if path.is_file()}
    modules = {name for name in modules if "__pycache__" not in name and "/_data/" not in name}
    data = {str(p.relative_to(ROOT)) for pattern in ("noise_models/*.json", "circuits/*/*") for p in ROOT.glob(pattern)}
    data = {name for name in data if "__pycache__" not in name}
    assert modules | data | set(SOURCES[:-3]) <= source
    assert modules | {f"qprune/_data/{name}" for name in data} <= wheel
    assert {Path(name).parts[0] for name in wheel} == {
        "qprune",
        "pytest_qprune.py",
        "qprune_command.py",
        f"qprune-{qprune.__version__}.dist-info",
    }


def test_links_of_the_description_lead_somewhere_without_the_repository(built):
    with zipfile.ZipFile(built[1]) as archive:
        text = archive.read(f"qprune-{qprune.__version__}.dist-info/METADATA").decode()
    assert "# qprune" in text
    assert not re.findall(r"\]\((?!https?://|#)[^)]*\)", text)


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {qprune.__version__}\n" in citation


def test_everything_is_in_all_but_what_holds_others_back():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    everything = set(re.search(r"\[(.*)\]", extras["all"][0])[1].split(","))
    assert set(extras) - everything == {
        *("all", "docs", "test", "testing", "qml", "plugin", "peers", "protes"),
        *("tasks", "chemistry", "mitigation"),  # of benchmarks
    }
