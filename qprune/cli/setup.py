"""`qprune doctor` and `qprune new`: is everything there, and where to begin."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from qprune._files import whole_folder
from qprune._version import __version__
from qprune.errors import QpruneError
from qprune.limits.measured import Measured
from qprune.limits.pruning import prune
from qprune.task.bundle import is_bundle
from qprune.task.reference import load_network
from qprune.task.task import Task
from qprune.verify.check import verify

NETWORK, BUDGET = "iris-4q", 0.1  # of the self-test
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
REQUIREMENT = re.compile(r"^([\w.-]+)[^;]*(?:;.*extra == ['\"](\w+)['\"])?")

CIRCUIT = """OPENQASM 3.0;
include "stdgates.inc";
// One `input float[64]` per input and per weight; task.json says which is which.
input float[64] x_0;
input float[64] x_1;
input float[64] w_0;
input float[64] w_1;
input float[64] w_2;
input float[64] w_3;
input float[64] w_4;
qubit[2] q;
ry(x_0) q[0];
ry(x_1) q[1];
ry(w_0) q[0];
ry(w_1) q[1];
cx q[0], q[1];
rx(w_2) q[1];
rz(w_3) q[0];
cx q[1], q[0];
ry(w_4) q[0];
"""

DESCRIPTION = """{
  "format": "qprune-task/1",
  "observables": [[["ZI", 1.0]]],
  "input_params": ["x_0", "x_1"],
  "weight_params": ["w_0", "w_1", "w_2", "w_3", "w_4"],
  "weights": [0.3, 0.02, -0.05, 0.7, 1.1],
  "domain": {"kind": "data", "margin": 0.0}
}
"""


def new_bundle(folder: Path, *, force: bool) -> str:
    """Write a small bundle that can be pruned as it is; returns what to do with it.

    Raises:
        BundleError: The folder exists or cannot be written.
    """
    rows = np.random.default_rng(0).uniform(-3, 3, (12, 2)).round(4)
    with whole_folder(folder, is_bundle, force) as new:
        (new / "circuit.qasm").write_text(CIRCUIT, encoding="utf-8")
        (new / "task.json").write_text(DESCRIPTION, encoding="utf-8")
        lines = ["x_0,x_1,label", *(f"{a},{b},{int(np.sign(np.cos(a) * np.cos(b)))}" for a, b in rows)]
        (new / "inputs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        Task.load(new)
    return (
        f"written to {folder}:\n"
        "  circuit.qasm  your circuit; OpenQASM 3 with `input float[64]`, or OpenQASM 2\n"
        "  task.json     observables (the rightmost letter is qubit 0; null: probabilities), inputs, trained weights\n"
        "  inputs.csv    one sample a row; label, probability and split are optional columns\n"
        f"It can be pruned as it is: qprune prune {folder} --measured 0.05"
    )


def examined() -> tuple[dict[str, Any], bool]:
    """What is installed and whether it works, for people and programs; and whether the self-test passed."""
    (required, extras), memory = _libraries(), psutil.virtual_memory()
    record: dict[str, Any] = {
        "qprune": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ} or "not limited",
        "libraries": required,
        "extras": extras,
    }
    start = perf_counter()
    try:
        result = prune(load_network(NETWORK), Measured(BUDGET))
        checks = len(verify(result).checks)
    except QpruneError as error:
        record["self-test"] = f"FAILED: {error}"
        return record, False
    seconds = perf_counter() - start
    record["self-test"] = f"{NETWORK} pruned ({result!r}) and verified, {checks} claims, in {seconds:.1f} s"
    return record, True


def shown(record: dict[str, Any]) -> list[str]:
    """The record as lines."""
    lines = []
    for name, value in record.items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        lines += [f"{name if k == 0 else '':12}{key}{': ' * bool(key)}{told}" for k, (key, told) in enumerate(pairs)]
    return lines


def _libraries() -> tuple[dict[str, str], dict[str, str]]:
    """Versions of what is required, and of each extra what is there and what is missing."""
    required: dict[str, str] = {}
    extras: dict[str, dict[str, str]] = {}
    for name, extra in _requirements():
        version = _version(name)
        if extra is None:
            required[name] = version or "MISSING"
        elif extra not in ("test", "peers", "all") and not name.startswith("qprune"):
            extras.setdefault(extra, {})[name] = version
    told = {}
    for extra, libraries in extras.items():
        missing = [name for name, version in libraries.items() if not version]
        there = ", ".join(f"{name} {version}" for name, version in libraries.items() if version)
        told[extra] = f"missing {', '.join(missing)}: pip install 'qprune[{extra}]'" if missing else there
    return required, told


def _requirements() -> Iterator[tuple[str, str | None]]:
    """Names of the distributions that qprune's own metadata list, with the extra that each belongs to."""
    try:
        listed = metadata.requires("qprune") or []
    except metadata.PackageNotFoundError:  # run from its sources
        listed = []
    for line in listed:
        if found := REQUIREMENT.match(line):
            yield found[1], found[2]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
