"""Unusable input: each is one clear error of qprune's own, or is usable after all; never another exception."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from . import adapter
from .cases import Tally
from .checks import Violation, require
from .situation import Situation, draw_situation

JUNK: tuple[Any, ...] = (
    *(None, "", "x", "ZZZZZZZZZ", "noise", b"Z", True, False, 0, 1, -1, 2, 10**30, -0.0, 0.5, 1e300, -1e-300, 5e-324),
    *(float("nan"), float("inf"), -float("inf"), 1j, 1 + 0j, [], (), {}, set(), [[]], [None], [[None]], ["x"], [1j]),
    *([0.1], [[0.1]], [[0.1, 0.2]], [[[0.1]]], [float("nan")], [[float("inf")]], {"x": 1}, {1: 2}, {"w": "a"}),
    *(np.nan, np.float32(0.5), np.int64(3), np.array([]), np.zeros((2, 2)), np.zeros((0, 1)), np.array("x")),
    *(np.array([None]), np.ones((3, 1), dtype=complex), object(), int, len, range(3), slice(1), Ellipsis, Path("x")),
    *(QuantumCircuit(), QuantumCircuit(1), SparsePauliOp("Z"), SparsePauliOp("ZZ", 1j), np.diag([1, 2, 3])),
    *("1", "nan", "𝒵", "\x00", "a\nb", "Z" * 70, [True], np.bool_(True), (x for x in "ab"), frozenset(), 2**64),
)

_TASK = ("circuit", "observables", "inputs", "input_params", "weights", "weight_params", "probabilities", "holdout")
_TASK += ("seed", "labels")
_OPTIONS = ("strategy", "noise", "representatives", "costs", "prune_encoding", "resynthesis", "simulator", "executor")
_OPTIONS += ("seed", "progress")
_JUNK_TEXT = (
    "",
    "nan",
    "inf",
    "-1",
    "1e400",
    "x",
    "0x10",
    "١",
    "\x00",
    "a\nb",
    "1,2",
    "[1]",
    "{",
    "é",
    "9" * 5000,
    "--out",
)
NEVER_READ = ("inputs.csv twice", "inputs.csv wide", "inputs.csv narrow")
READ_AS_IT_WAS = ("inputs.csv bom",)
_FLAGS = ("--threshold", "--proven", "--measured", "--accuracy", "--under-noise", "--tolerance", "--window", "--noise")
_FLAGS += ("--layout", "--beta", "--gamma", "--costs", "--holdout")
_FLAGS += ("--seed", "--threads", "--tradeoff", "--workers", "--simulator", "--strategy", "--aggregate", "--out")


def bad_argument(rng: np.random.Generator, tally: Tally) -> None:
    """One argument of `Task`, of a limit or of `prune` is something else."""
    situation, arguments = _task(rng, tally)
    share, junk = rng.random(), _junk(rng)
    if share < 0.5:
        name = str(rng.choice(_TASK))
        tally.tags = (f"Task({name})",)
        _usable(lambda: adapter.make_task({**arguments, name: junk}), tally.tags[0], _short(junk))
        return
    task = adapter.make_task(arguments)
    limit = str(rng.choice(["Threshold", "Proven", "Measured"]))
    main = {adapter.LIMITS[limit][0]: 0.1 * (1 if limit == "Threshold" else situation.scale)}
    if share < 0.75:
        limit = str(rng.choice(list(adapter.LIMITS)))
        name = str(rng.choice(adapter.LIMITS[limit]))
        first = {} if limit == "UnderNoise" else {adapter.LIMITS[limit][0]: 0.1}
        tally.tags = (f"{limit}({name})",)
        _usable(lambda: adapter.prune_under(task, limit, {**first, name: junk}, {}), tally.tags[0], _short(junk))
        return
    name = str(rng.choice(_OPTIONS))
    if name == "costs" and callable(junk):  # is called, and what it raises is the user's
        return
    tally.tags = (f"prune({name})",)
    _usable(lambda: adapter.prune_under(task, limit, main, {name: junk}), tally.tags[0], f"{_short(junk)}, {limit}")


def bad_bundle(rng: np.random.Generator, tally: Tally) -> None:
    """A task bundle with one file damaged, as people and programs damage them."""
    _, arguments = _task(rng, tally)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "bundle"
        try:
            adapter.make_task(arguments).save(folder)
        except adapter.QpruneError:  # what cannot be written is another kind's business
            return
        what = _damage(folder, rng)
        tally.tags = (what,)
        read = _usable(lambda: adapter.load_task(folder), what, "")
        if what in NEVER_READ:
            require(read is None, f"read without a word: {what}", repr(read))
        if what in READ_AS_IT_WAS and read is not None:
            require(np.array_equal(read.inputs, adapter.make_task(arguments).inputs), f"misread: {what}", repr(read))


def bad_command(rng: np.random.Generator, tally: Tally) -> None:
    """The command with arguments nobody meant: exit status 2 and one line, or it works."""
    _, arguments = _task(rng, tally)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "bundle"
        try:
            adapter.make_task(arguments).save(folder)
        except adapter.QpruneError:
            return
        action = str(rng.choice(["prune", "verify", "show"], p=[0.8, 0.1, 0.1]))
        line = [action, str(folder if rng.random() < 0.9 else folder / str(rng.choice(_JUNK_TEXT)))]
        for _ in range(rng.integers(1, 4) if action == "prune" else rng.integers(2)):
            line += [str(rng.choice(_FLAGS)), str(rng.choice(_JUNK_TEXT))]
        if "--out" in line and line[-1] != "--out":
            place = line.index("--out") + 1
            line[place] = str(folder / "task.json" / "x") if rng.random() < 0.5 else f"{parent}/{'a' * 300}"
        tally.tags = (f"{action} {' '.join(a for a in line if a.startswith('--'))}",)
        _check_command(line)


# -- how it must end ----------------------------------------------------------------------------------------------


def _usable(act: Callable[[], Any], what: str, given: str) -> Any:
    """What the call gives, None where qprune refused in a line of its own."""
    try:
        return act()
    except adapter.QpruneError as error:
        require(str(error).strip(), f"an error without words: {what}", given)
        require("\n" not in str(error), f"an error of several lines: {what}", f"{given}: {error}")
        return None
    except Exception as error:
        raise Violation(f"{type(error).__name__}: {what}", f"{given}: {error!r}") from error


def _check_command(line: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = adapter.command(line)
        except SystemExit as stopped:
            status = stopped.code
        except Exception as error:
            raise Violation(f"{type(error).__name__} from the command", f"{line}: {error!r}") from error
    require(status in (0, 1, 2), "exit status", f"{status} for {line}")
    if status:
        require(err.getvalue().strip(), "exit without words", str(line))
        require("Traceback" not in err.getvalue(), "a traceback", str(line))


# -- what goes wrong -----------------------------------------------------------------------------------------------


def _task(rng: np.random.Generator, tally: Tally) -> tuple[Situation, dict[str, Any]]:
    situation = draw_situation(rng, most_qubits=2, most_gates=4, kinds=("rx", "ry", "cx", "rz", "crx", "h"))
    tally.mode, tally.gates = "unusable", situation.names
    return situation, situation.task_arguments()


def _junk(rng: np.random.Generator) -> Any:
    return JUNK[rng.integers(len(JUNK))]


def _short(junk: Any) -> str:
    return f"{type(junk).__name__} {str(junk)[:40]!r}"


def _damage(folder: Path, rng: np.random.Generator) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    path = files[rng.integers(len(files))]
    ways = [_cut, _bytes, _gone, _empty]
    tables = [_bom, _twice, _wide, _long, _cell, _narrow]
    ways += 2 * {".json": [_json_junk, _json_deep], ".csv": tables}.get(path.suffix, [])
    way = ways[rng.integers(len(ways))]
    way(path, rng)
    return f"{path.name}{way.__name__.replace('_', ' ')}"


def _cut(path: Path, rng: np.random.Generator) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.integers(len(data))])


def _bytes(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 6)):
        data[rng.integers(len(data))] = int(rng.integers(256))
    path.write_bytes(data)


def _gone(path: Path, rng: np.random.Generator) -> None:
    path.unlink()


def _empty(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"")


def _json_junk(path: Path, rng: np.random.Generator) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    key = list(data)[rng.integers(len(data))]
    junk = [None, [], {}, "x", 1, -1, True, [[]], [None], ["x"], [[["Z", "a"]]], [[["Q", 1]]], {"a": []}, 1e308, [{}]]
    data[key] = junk[rng.integers(len(junk))]
    path.write_text(json.dumps(data), encoding="utf-8")


def _json_deep(path: Path, rng: np.random.Generator) -> None:
    path.write_text("[" * 100_000 if rng.random() < 0.5 else '{"format":' * 50_000, encoding="utf-8")


def _bom(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def _twice(path: Path, rng: np.random.Generator) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(f"{line},{line}" for line in lines) + "\n", encoding="utf-8")


def _wide(path: Path, rng: np.random.Generator) -> None:
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(f"{line},1,2" for line in lines)]) + "\n", encoding="utf-8")


def _narrow(path: Path, rng: np.random.Generator) -> None:
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(line.rpartition(",")[0] for line in lines)]) + "\n", encoding="utf-8")


def _long(path: Path, rng: np.random.Generator) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "1" * 140_000 + "\n", encoding="utf-8")


def _cell(path: Path, rng: np.random.Generator) -> None:
    rows = path.read_text(encoding="utf-8").splitlines()
    cells = rows[-1].split(",")
    cells[rng.integers(len(cells))] = str(rng.choice(_JUNK_TEXT[:11]))
    path.write_text("\n".join([*rows[:-1], ",".join(cells)]) + "\n", encoding="utf-8")
