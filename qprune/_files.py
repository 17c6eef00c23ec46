"""Read JSON, write whole or not at all.

What is written goes to a scratch folder beside its place first and takes the place in one step. The scratch folder is
locked by the process that made it, so that the next one to write there can tell what a dead process left.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from qprune.errors import BundleError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, so nothing is tidied either
    fcntl = None  # type: ignore[assignment]

SCRATCH, UNLOCKED = ".qprune-", ".qprune~"  # a scratch folder's name once it is locked, and before

# -- reading ------------------------------------------------------------------------------------------------------


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without the byte-order mark that some editors write.

    Raises:
        BundleError: The file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BundleError(f"cannot read {path}: it is not UTF-8 text ({error.reason} at byte {error.start})") from error


def read_json(path: Path) -> Any:
    """Parse a JSON file as `parse_json` does."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, name: str) -> Any:
    """Parse JSON in which every number is finite and every key of an object stands once.

    Args:
        text: The JSON.
        name: What the message calls it, such as the file's path.

    Raises:
        BundleError: The text is not such JSON; the message says where it breaks.
    """
    try:
        return json.loads(
            text, parse_constant=_no_number, parse_float=_finite, parse_int=_integer, object_pairs_hook=_object
        )
    except RecursionError as error:
        raise BundleError(f"{name} is not usable JSON: it is nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{name} is not valid JSON: {error}") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number; every number must be finite")


def _finite(text: str) -> float:
    return value if isfinite(value := float(text)) else _no_number(text)


def _integer(text: str) -> int:
    if not isfinite(float(text)):  # more than a double takes, or a number of millions of digits
        _no_number(text[:20] + "…")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return read


# -- writing ------------------------------------------------------------------------------------------------------


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Write a file whole or not at all; an earlier one is replaced.

    Raises:
        BundleError: The file cannot be written.
    """
    path = Path(path)
    try:
        with _scratch(path.parent) as scratch:
            (scratch / "new").write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
            os.replace(scratch / "new", path)
    except OSError as error:
        raise BundleError(
            f"path must be a file that can be written, got {path}: {error.strerror or error}; give another"
        ) from error


@contextmanager
def whole_folder(path: str | Path, is_ours: Callable[[Path], bool], overwrite: bool) -> Iterator[Path]:
    """A new folder to write into, which takes its place when the block ends well and else vanishes.

    Args:
        path: The place; parents are made. Nothing may be there, or an empty folder, or what `overwrite` allows.
        is_ours: Whether a folder holds what is written here and nothing else.
        overwrite: Whether such a folder is replaced. Until the new one is in place the old one is kept aside, and it
            is put back by whoever writes there next should this process die in between.

    Raises:
        BundleError: The place is taken, also by somebody else in the meantime, or cannot be written.
    """
    check_place(Path(path), is_ours, overwrite)
    try:
        place = Path(os.path.realpath(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        with _scratch(place.parent) as scratch:
            (scratch / "new").mkdir()
            yield scratch / "new"
            if overwrite and place.is_dir():
                _set_aside(place, scratch / "old", is_ours)
            os.rename(scratch / "new", place)  # fails where a file is, or a folder with anything in it
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _taken(Path(path)) from error
        raise _unwritable(Path(path), error) from error


def check_place(path: Path, is_ours: Callable[[Path], bool], overwrite: bool) -> None:
    """Refuse a place that `whole_folder` would refuse, before any long work.

    Raises:
        BundleError: Something is there that must not be replaced, or nothing can be written there.
    """
    try:
        tidy(path.parent)
        if not path.exists():
            above = next(parent for parent in path.absolute().parents if parent.exists())
            if not above.is_dir() or not os.access(above, os.W_OK):
                raise BundleError(f"cannot write to {path}: {above} is no folder with leave to write; give another")
        elif not path.is_dir():
            raise BundleError(f"{path} is a file; give a folder")
        elif any(path.iterdir()):
            if not is_ours(path):
                raise BundleError(f"{path} holds something else than qprune writes there; give a new folder")
            if not overwrite:
                raise BundleError(f"{path} is there already; give a new folder, or overwrite=True to replace it")
    except OSError as error:
        raise _unwritable(path, error) from error


def tidy(parent: Path) -> None:
    """Delete the scratch folders of dead processes; what one had set aside and not replaced goes back to its place."""
    for left in parent.glob(f"{SCRATCH}*") if fcntl and os.path.isdir(parent) else ():
        try:
            lock = os.open(left, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its owner lives
            _clear(left)
        except OSError:
            continue
        finally:
            os.close(lock)


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A locked scratch folder on the file system of its parent."""
    tidy(parent)
    path = Path(tempfile.mkdtemp(prefix=UNLOCKED, dir=parent))
    with ExitStack() as stack:
        if fcntl:
            lock = os.open(path, os.O_RDONLY)
            stack.callback(os.close, lock)
            with suppress(OSError):  # a file system without locks: never tidied
                fcntl.flock(lock, fcntl.LOCK_EX)
                path = path.rename(parent / path.name.replace(UNLOCKED, SCRATCH, 1))
        stack.callback(_clear, path)
        yield path


def _set_aside(place: Path, aside: Path, is_ours: Callable[[Path], bool]) -> None:
    aside.mkdir()
    os.rename(place, aside / place.name)
    if not is_ours(aside / place.name):  # it has changed since it was looked at
        raise _taken(place)


def _clear(scratch: Path) -> None:
    """Delete a scratch folder, once what was set aside is back in its place unless it was replaced."""
    if (scratch / "new").exists():
        for old in (scratch / "old").glob("*"):
            os.rename(old, scratch.parent / old.name)
    shutil.rmtree(scratch, ignore_errors=True)


def _taken(path: Path) -> BundleError:
    return BundleError(f"{path} was written by somebody else in the meantime and stays as it is; give a new folder")


def _unwritable(path: Path, error: OSError) -> BundleError:
    return BundleError(f"cannot write to {path}: {error.strerror or error}")
