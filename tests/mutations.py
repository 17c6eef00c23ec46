"""Forgeries of a saved result: every field of every file changed in every way that a slip or a liar might.

`mutations(folder)` lists them without touching the folder; `applied(folder, mutation)` makes one and takes it back;
`is_noticed(folder)` says whether reading and verifying refuse the folder as it is. Nothing here knows what the fields
mean: JSON is changed leaf by leaf, tables cell by cell, archives array by array, everything else by its bytes.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qprune import QpruneError, load, verify
from qprune.results.hashes import record_hash
from qprune.results.manifest import CERTIFICATE, digests

STRANGER = "0" * 8  # what a field is overwritten with


@dataclass(frozen=True)
class Mutation:
    """One forgery.

    Attributes:
        file: The file it is about, relative to the result's folder.
        field: The field within it, indices left out: `plan[].action`; "" for the file as a whole.
        change: What was done.
        contents: The new bytes by file, or what makes them, as few of all forgeries are tried; None takes a file away.
    """

    file: str
    field: str
    change: str
    contents: Mapping[str, bytes | Callable[[], bytes] | None]

    def __str__(self) -> str:
        return f"{self.file}: {self.field or 'as a whole'}: {self.change}"


def mutations(folder: Path | str) -> Iterator[Mutation]:
    """Every forgery of a saved result, file after file, in an order that the folder's contents alone decide."""
    folder = Path(folder)
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    for name, data in files.items():
        kind = {".json": _json, ".csv": _table, ".npz": _archive}.get(Path(name).suffix)
        for field, change, new in kind(data) if kind else ():
            if new != data:  # of JSON only values that differ are listed
                yield Mutation(name, field, change, {name: new})
        for change, new in _bytes(data):
            yield Mutation(name, "", change, {name: new})
        yield Mutation(name, "", "deleted", {name: None})
        yield Mutation(name, "", "renamed", {name: None, f"{name}.old": data})
    for first, second in _alike(files):
        yield Mutation(first, "", f"swapped with {second}", {first: files[second], second: files[first]})
        yield Mutation(first, "", f"overwritten by {second}", {first: files[second]})
    for name in ("stranger.txt", "pruned/circuit.qasm", "original/stranger.json"):
        yield Mutation(name, "", "added", {name: b"OPENQASM 3.0;\n"})


@contextmanager
def applied(folder: Path | str, mutation: Mutation, *, reseal: bool = False) -> Iterator[Path]:
    """The folder with the forgery in it, for as long as the context lasts.

    Args:
        folder: A saved result.
        mutation: The forgery.
        reseal: Whether the forger also writes the manifest and the certificate's own hash anew.
    """
    folder = Path(folder)
    before = {name: _read(folder / name) for name in {*mutation.contents, CERTIFICATE}}
    try:
        _write(folder, mutation.contents)
        if reseal and (folder / CERTIFICATE).exists():
            (folder / CERTIFICATE).write_bytes(_resealed((folder / CERTIFICATE).read_bytes(), digests(folder)))
        yield folder
    finally:
        _write(folder, before)


def _resealed(certificate: bytes, files: Mapping[str, str]) -> bytes:
    """A certificate with hashes that fit, if it still is JSON."""
    try:
        data = json.loads(certificate)
        told = {
            **{name: value for name, value in data.items() if name not in ("format", "sha256")},
            "files": dict(files),
        }
        sealed = {"format": data["format"], "sha256": record_hash(told), **told}
    except (ValueError, KeyError, AttributeError):
        return certificate
    return (json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def is_noticed(folder: Path | str) -> bool:
    """Whether reading the folder and verifying it refuses, in words of the package's own."""
    try:
        result = load(folder)
        verify(result.original, result)
    except QpruneError:
        return True
    return False


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write(folder: Path, contents: Mapping[str, bytes | Callable[[], bytes] | None]) -> None:
    for name, new in contents.items():
        data = new() if callable(new) else new
        if data is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


# -- JSON, leaf by leaf -------------------------------------------------------------------------------------------


def _json(data: bytes) -> Iterator[tuple[str, str, bytes | Callable[[], bytes]]]:
    document = json.loads(data)
    for path in _paths(document):
        value = _at(document, path)
        for change, new in _changed(value):
            if new != value:
                yield _field(path), change, partial(_with, data, path, new)
        if path:
            yield _field(path), "taken out", partial(_without, data, path)
    yield "", "written on one line", json.dumps(document, ensure_ascii=False).encode()


def _with(data: bytes, path: tuple[Any, ...], new: Any) -> bytes:
    """The document with another value at a path."""
    forged = json.loads(data)
    if path:
        _at(forged, path[:-1])[path[-1]] = new
    return _dumped(forged if path else new)


def _without(data: bytes, path: tuple[Any, ...]) -> bytes:
    forged = json.loads(data)
    del _at(forged, path[:-1])[path[-1]]
    return _dumped(forged)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _field(path: tuple[Any, ...]) -> str:
    return "".join("[]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def _dumped(document: Any) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _changed(value: Any) -> Iterator[tuple[str, Any]]:
    """Other values for one of a JSON document."""
    if isinstance(value, bool):
        yield "turned round", not value
    elif isinstance(value, int | float):
        yield "made a little larger", value + 1 if isinstance(value, int) else value * 1.01 + 1e-3
        yield "made a little smaller", value - 1 if isinstance(value, int) else value * 0.99 - 1e-3
        if value:
            yield "negated", -value
            yield "set to zero", 0 * value
        yield "made huge", 10**300 if isinstance(value, int) else 1e300
        yield "set to infinity", float("inf")
        yield "set to NaN", float("nan")
        yield "written as text", str(value)
    elif isinstance(value, str):
        yield "overwritten", STRANGER
        yield "emptied", ""
        yield "lengthened", value + "x"
    elif value is None:
        yield "set to a number", 0.5
        yield "set to text", STRANGER
        yield "set to a list", []
    elif isinstance(value, list):
        others = {"emptied": [], "turned round": value[::-1], "first item doubled": value[:1] + value}
        yield from ((change, other) for change, other in others.items() if other != value)  # [w] turned round is [w]
    else:
        yield "a field added", {**value, "stranger": 0}
        yield "emptied", {}
    if value is not None:
        yield "set to null", None


# -- tables, archives, bytes --------------------------------------------------------------------------------------


def _table(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            field = "header" if i == 0 else rows[0][j]
            for change, new in _changed(_number(cell)):
                yield field, change, _written([*rows[:i], [*row[:j], str(new), *row[j + 1 :]], *rows[i + 1 :]])
        yield "row", "taken out", _written(rows[:i] + rows[i + 1 :])
        yield "row", "doubled", _written(rows[: i + 1] + rows[i:])
    yield "row", "order turned round", _written(rows[:1] + rows[:0:-1])
    yield "column", "added", _written([[*row, "split" if i == 0 else "test"] for i, row in enumerate(rows)])


def _number(cell: str) -> Any:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _written(rows: list[list[str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode()


def _archive(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    with np.load(io.BytesIO(data)) as stored:
        arrays = dict(stored)
    for name, array in arrays.items():
        for change, new in _changed_array(array):
            yield name, change, _packed({**arrays, name: new})
        yield name, "taken out", _packed({other: values for other, values in arrays.items() if other != name})
    # What belongs together, moved together
    kinds = re.compile(r"^(weights|certified|original) ")
    for base in sorted({kinds.sub("", name) for name in arrays if kinds.match(name)}):
        for some in (("weights", "certified"), ("weights", "certified", "original")):
            moved = {f"{kind} {base}": arrays[f"{kind} {base}"] + 0.1 for kind in some}
            yield base, f"{', '.join(some)} moved together", _packed(arrays | moved)


def _changed_array(array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if array.size:
        first = array.copy()
        first.flat[0] = not first.flat[0] if array.dtype == bool else first.flat[0] + 1
        yield "first entry changed", first
        yield "turned round", array[..., ::-1]
        yield "emptied", array[:0] if array.ndim else np.zeros(0, array.dtype)
    if array.dtype != bool:
        yield "all a little larger", (array * 1.01 + 1e-3).astype(array.dtype)
        yield "made complex", array.astype(complex)


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _bytes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Single bits all over the file, and its ends."""
    for at in sorted({len(data) * k // 16 for k in range(16)} if data else ()):
        for bit in (0, 5):
            yield f"bit {bit} of byte {at} turned", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
    yield "emptied", b""
    yield "cut in half", data[: len(data) // 2]
    yield "lengthened", data + b"\n"


def _alike(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Pairs of files of one kind with different contents."""
    names = list(files)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            if Path(first).suffix == Path(second).suffix and files[first] != files[second]:
                yield first, second


# -- choosing -----------------------------------------------------------------------------------------------------


def one_of_each(all_of_them: Iterator[Mutation], key: Callable[[Mutation], Any] | None = None) -> list[Mutation]:
    """The first mutation of every field and change: indices within lists count once."""
    key = key or (lambda m: (m.file, m.field, m.change))
    found: dict[Any, Mutation] = {}
    for mutation in all_of_them:
        found.setdefault(key(mutation), mutation)
    return list(found.values())
