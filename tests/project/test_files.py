"""Files and folders are written whole or not at all, whoever else writes and whoever dies; JSON of finite numbers."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from qprune import BundleError
from qprune._files import check_place, parse_json, read_json, tidy, whole_folder, write_whole


def ours(folder):
    return {path.name for path in folder.iterdir()} == {"mine"}


def written(folder, text, overwrite=False, meanwhile=lambda: None):
    with whole_folder(folder, ours, overwrite) as new:
        (new / "mine").write_text(text)
        meanwhile()


def with_thesis(folder):
    """Somebody else's work in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "thesis.tex").write_text("years of work")


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_that_appears_while_it_is_written_stays(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(BundleError, match="written by somebody else in the meantime and stays"):
        written(out, "second", meanwhile=lambda: with_thesis(out))
    assert (out / "thesis.tex").read_text() == "years of work"
    assert left(tmp_path) == ["out"]


def test_what_is_added_to_the_earlier_one_while_it_is_written_stays(tmp_path):
    out = tmp_path / "out"
    written(out, "first")
    with pytest.raises(BundleError, match="in the meantime"):
        written(out, "second", overwrite=True, meanwhile=lambda: with_thesis(out))
    assert (out / "thesis.tex").read_text() == "years of work"
    assert (out / "mine").read_text() == "first"
    assert left(tmp_path) == ["out"]


def test_a_file_that_appears_stays(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(BundleError, match="cannot write to"):
        written(out, "second", meanwhile=lambda: out.write_text("a file"))
    assert out.read_text() == "a file"
    assert left(tmp_path) == ["out"]


def test_what_fails_while_it_is_written_leaves_the_earlier_one(tmp_path):
    written(tmp_path / "out", "first")
    for error in (RuntimeError("bug"), KeyboardInterrupt(), OSError(28, "No space left on device")):

        def fail(error=error):
            raise error

        with pytest.raises((RuntimeError, KeyboardInterrupt, BundleError)):
            written(tmp_path / "out", "second", overwrite=True, meanwhile=fail)
        assert (tmp_path / "out" / "mine").read_text() == "first"
        assert left(tmp_path) == ["out"]


def test_what_fails_as_it_takes_its_place_leaves_the_earlier_one(tmp_path, monkeypatch):
    """Between setting the old one aside and putting the new one in its place."""
    written(tmp_path / "out", "first")
    rename = os.rename

    def failing(source, target):
        if Path(source).name == "new":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("os.rename", failing)
    with pytest.raises(BundleError, match="Input/output error"):
        written(tmp_path / "out", "second", overwrite=True)
    assert (tmp_path / "out" / "mine").read_text() == "first"
    assert left(tmp_path) == ["out"]


def forked(script, *arguments):
    """The id of a copy of this process, which has imported everything already, that runs a script."""
    if process := os.fork():
        return process
    status = 1
    try:
        sys.argv = ["script", *arguments]
        exec(script, {})
        status = 0
    finally:
        os._exit(status)


def ended(process):
    """How a process ended: its exit status, or the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


KILLED = """
import os, signal, sys
from pathlib import Path
from qprune import _files

def ours(folder):
    return True

def killed(source, target, rename=os.rename):
    if Path(source).name == "new":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)

if sys.argv[2] == "before":
    killed = os.rename
os.rename = killed
with _files.whole_folder(sys.argv[1], ours, overwrite=True) as new:
    (new / "mine").write_text("second")
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("moment", ["before", "between"])
def test_a_process_killed_while_it_writes_loses_nothing(moment, tmp_path):
    written(tmp_path / "out", "first")
    assert ended(forked(KILLED, str(tmp_path / "out"), moment)) == -signal.SIGKILL
    assert (tmp_path / "out").exists() == (moment == "before")
    assert len(left(tmp_path)) == (2 if moment == "before" else 1)
    tidy(tmp_path)  # as everyone does who writes there next
    assert (tmp_path / "out" / "mine").read_text() == "first"
    assert left(tmp_path) == ["out"]


RACING = """
import sys, time
from pathlib import Path
from qprune import BundleError
from qprune._files import whole_folder

place = Path(sys.argv[1])
try:
    with whole_folder(place, lambda folder: True, overwrite=False) as new:
        (new / "mine").write_text(sys.argv[2])
        (place.parent / f"ready {sys.argv[2]}").touch()
        while len(list(place.parent.glob("ready *"))) < 2:
            time.sleep(0.01)
except BundleError:
    (place.parent / "refused").touch()
    raise
"""


def test_of_two_processes_with_one_place_exactly_one_succeeds(tmp_path):
    place = tmp_path / "out"
    codes = [ended(process) for process in [forked(RACING, str(place), name) for name in ("a", "b")]]
    assert sorted(codes) == [0, 1]
    assert (place / "mine").read_text() == "ab"[codes.index(0)]
    assert left(tmp_path) == ["out", "ready a", "ready b", "refused"]


def test_a_scratch_folder_of_a_living_process_is_left_alone(tmp_path):
    with whole_folder(tmp_path / "out", ours, False) as new:
        (new / "mine").write_text("slow")
        tidy(tmp_path)
        written(tmp_path / "other", "quick")
        assert (new / "mine").read_text() == "slow"
    assert left(tmp_path) == ["other", "out"]


def test_places_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("")
    for place, words in (
        (tmp_path / ("n" * 300), "cannot write to .*nnn: File name too long"),
        (tmp_path / "file", "is a file; give a folder"),
        (tmp_path / "file" / "inside", "cannot write to"),
        (tmp_path / "taken", "something else than qprune writes there"),
    ):
        for overwrite in (False, True):
            with pytest.raises(BundleError, match=words):
                check_place(place, ours, overwrite)
            with pytest.raises(BundleError, match=words):
                written(place, "", overwrite=overwrite)
    assert left(tmp_path) == ["file", "taken"]


def test_places_that_can_be(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for place in ("empty", "link", "new/and/deep", "n" * 250):
        written(tmp_path / place, "text")
        assert (tmp_path / place / "mine").read_text() == "text"
    assert (tmp_path / "link").is_symlink()


def test_a_file_is_written_whole(tmp_path, monkeypatch):
    write_whole(tmp_path / "page", "first")
    write_whole(tmp_path / "page", b"second")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(BundleError, match="No space left"):
        write_whole(tmp_path / "page", "third")
    assert (tmp_path / "page").read_bytes() == b"second"
    assert left(tmp_path) == ["page"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ("[NaN]", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("[1e999]", "1e999 is not a number"),
        (f"[1{'0' * 400}]", "is not a number"),
        (f"[{'9' * 5000}]", "not"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("{", "not valid JSON"),
        (None, "not valid JSON"),
    ],
)
def test_json_that_is_none(text, words):
    with pytest.raises(BundleError, match=words):
        parse_json(text, "it")


def test_json_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, 0.1, 1e308, -0.0]}', encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json") == {"a": [1, 0.1, 1e308, -0.0]}


def test_scratch_folders_are_locked_while_they_live(tmp_path):
    """An unlocked one, as a dead process leaves it, goes at once, however young."""
    stale = tmp_path / ".qprune-stale"
    (stale / "new").mkdir(parents=True)
    (stale / "old" / "out").mkdir(parents=True)
    (stale / "old" / "out" / "mine").write_text("set aside")
    started = time.monotonic()
    written(tmp_path / "other", "text")
    assert time.monotonic() - started < 5
    assert (tmp_path / "out" / "mine").read_text() == "set aside"
    assert left(tmp_path) == ["other", "out"]
