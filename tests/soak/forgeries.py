"""Forged results: one thing in a saved folder, or one claim in memory, is changed; `verify` must notice."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy

from . import adapter, requests
from .adapter import Outcome
from .cases import Tally
from .checks import Truth, Violation
from .situation import draw_situation

Path_ = tuple[Any, ...]


def forged_file(rng: np.random.Generator, tally: Tally) -> None:
    """One field of one file of a saved result is another, or a byte is."""
    outcome = _honest(rng, tally)[0]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "result"
        adapter.save(outcome, folder)
        what = forge(folder, rng)
        tally.tags = (*tally.tags, what)
        if adapter.is_informative(what):
            return
        _must_notice(lambda: adapter.load_and_verify(folder), f"forged {what}")


def forged_claim(rng: np.random.Generator, tally: Tally) -> None:
    """A claim that the oracle knows to be false, in a result that was never written."""
    outcome, truth = _honest(rng, tally)
    false = list(_false_claims(truth, outcome, rng))
    if not false:
        return
    what, changes = false[rng.integers(len(false))]
    tally.tags = (*tally.tags, what)
    _must_notice(lambda: adapter.verify(adapter.forged(outcome, changes)), f"false {what}")


def _honest(rng: np.random.Generator, tally: Tally) -> tuple[Outcome, Truth]:
    situation = draw_situation(rng, most_qubits=2, most_gates=5)
    request = requests.draw_request(rng, situation.scale)
    tally.of(situation, request)
    outcome = adapter.prune(adapter.make_task(situation.task_arguments()), request)
    adapter.verify(outcome)
    return outcome, Truth(situation, outcome)


def _must_notice(act: Any, what: str) -> None:
    try:
        act()
    except adapter.QpruneError:
        return
    raise Violation(f"unnoticed: {re.sub(r'[0-9]+', '*', what)}", what)


# -- false claims --------------------------------------------------------------------------------------------------


def _false_claims(truth: Truth, outcome: Outcome, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Any]]]:
    real = truth.deviations[:, list(outcome.samples)]
    units = truth.units[:, None]
    if np.any(real > 1e-5 * units):
        yield "bound", {"bound": real / 2}
        yield "bound and error", {"bound": real / 2, "error": 2.0, "simulator": "anything"}
    if truth.units.min() > 0:
        yield "measured", {"measured": outcome.measured + 1e-4 * units}
        yield "measured and error", {"measured": 0 * real + units, "error": 2.0, "simulator": "anything"}
    if outcome.angle.max() > 1e-4 and np.any(real > 1e-5 * units):
        yield "angle", {"angle": 0 * outcome.angle}
    if outcome.holdout is not None and truth.units.max() > 0:
        yield "holdout mean", {"holdout": {"mean": outcome.holdout.mean + 1e-3 * truth.units.max()}}
        yield "holdout limit", {"holdout": {"expected_upper": outcome.holdout.expected_upper / 4}}
    yield "samples", {"samples": tuple(i + 1 for i in outcome.samples)}
    for name in ("bound", "measured", "angle"):
        for bad in (np.inf, np.nan, -np.inf):
            yield f"{name} {bad}", {name: np.full_like(outcome.bound, bad)}


# -- files ---------------------------------------------------------------------------------------------------------


def forge(folder: Path, rng: np.random.Generator) -> str:
    """Change one thing in a folder; says what, as file and field."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    path = files[rng.integers(len(files))]
    name, before = str(path.relative_to(folder)), path.read_bytes()
    for _ in range(20):
        field = _forge_file(path, rng)
        if not path.exists() or path.read_bytes() != before:
            return f"{name} {field}"
        path.write_bytes(before)
    path.unlink()
    return f"{name} missing"


def _forge_file(path: Path, rng: np.random.Generator) -> str:
    share = rng.random()
    if share < 0.03:
        path.unlink()
        return "missing"
    if share < 0.08:
        data = bytearray(path.read_bytes())
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        return "a bit"
    if path.suffix == ".json":
        return _forge_json(path, rng)
    if path.suffix == ".csv":
        return _forge_table(path, rng)
    if path.suffix == ".qpy":
        return _forge_qpy(path, rng)
    return _forge_text(path, rng)


def leaves(value: Any, at: Path_ = ()) -> Iterator[Path_]:
    """Places of everything in a JSON value, containers included."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from leaves(inner, (*at, key))


def _forge_json(path: Path, rng: np.random.Generator) -> str:
    data = json.loads(path.read_text(encoding="utf-8"))
    places = [place for place in leaves(data) if place]
    # Long lists of numbers would hide all other fields.
    kinds = sorted({_general(place) for place in places})
    kind = kinds[rng.integers(len(kinds))]
    some = [place for place in places if _general(place) == kind]
    place = some[rng.integers(len(some))]
    parent = data
    for key in place[:-1]:
        parent = parent[key]
    if rng.random() < 0.1:
        del parent[place[-1]]
    else:
        parent[place[-1]] = _another(parent[place[-1]], rng)
    path.write_text(json.dumps(data), encoding="utf-8")
    return kind


def _general(place: Path_) -> str:
    return ".".join("*" if isinstance(key, int) else str(key) for key in place)


def _another(value: Any, rng: np.random.Generator) -> Any:
    """Some other JSON value, mostly of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + int(rng.choice([-1, 1]))
    if isinstance(value, float):
        return [value * (1 + 1e-3) + 1e-9, -value - 1.0, 0.0 if value else 1.0, value + 1, 2 * value + 1][
            rng.integers(5)
        ]
    if isinstance(value, str):
        return f"{value}x" if rng.random() < 0.5 or not value else value[:-1]
    if isinstance(value, list):
        return value[::-1] if len(value) > 1 and rng.random() < 0.3 else [*value, *(value[-1:] or [1])]
    if isinstance(value, dict):
        return {**value, "more": 1}
    return [1.0, "x", True, []][rng.integers(4)]


def _forge_table(path: Path, rng: np.random.Generator) -> str:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    i, j = int(rng.integers(len(rows))), int(rng.integers(len(rows[0])))
    column = rows[0][j] if rows[0][j] in ("probability", "label") else "input"
    kind = rng.integers(3)
    if kind == 0 and i:
        rows.append(rows[i])
    elif i and rows[i][j]:
        rows[i][j] = repr(float(rows[i][j]) * (1 + 1e-6) + 1e-6)
    else:
        rows[0][j] += "x"
    stream = io.StringIO()
    csv.writer(stream).writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")
    return f"{column}, {'a row more' if kind == 0 and i else 'a cell' if i else 'a heading'}"


def _forge_qpy(path: Path, rng: np.random.Generator) -> str:
    with open(path, "rb") as stream:
        circuit = qpy.load(stream)[0]
    kind = rng.integers(3)
    if kind == 0 or not circuit.data:
        changed = circuit.copy()
        changed.x(int(rng.integers(circuit.num_qubits)))
    elif kind == 1:
        changed = circuit.copy_empty_like()
        gone = rng.integers(len(circuit.data))
        for k, item in enumerate(circuit.data):
            if k != gone:
                changed.append(item)
    else:
        changed = circuit.copy()
        changed.global_phase = 0.123
    _write_qpy(changed, path)
    return "a gate" if kind < 2 else "the phase"


def _write_qpy(circuit: QuantumCircuit, path: Path) -> None:
    with open(path, "wb") as stream:
        qpy.dump(circuit, stream)


def _forge_text(path: Path, rng: np.random.Generator) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    digits = [m.start() for m in re.finditer("[0-9]", text)]
    if not digits:
        path.write_text(f"{text} ", encoding="utf-8")
        return "a blank"
    at = digits[rng.integers(len(digits))]
    path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :], encoding="utf-8")
    return "a digit"
