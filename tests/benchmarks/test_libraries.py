"""The benchmark beside libraries, where one of them is not installed."""

import pytest

from benchmarks import libraries
from benchmarks.__main__ import main


@pytest.fixture
def absent(monkeypatch):
    """Neither library is installed."""
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)


@pytest.mark.parametrize(("part", "library"), libraries.NEEDED.items())
def test_a_library_that_is_missing_is_named_and_nothing_measured_is_a_failure(absent, part, library, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    with pytest.raises(SystemExit) as ended:
        main(["libraries", "--parts", part, "--out", str(out)])
    assert ended.value.code not in (0, None)
    told = capsys.readouterr()
    assert f"{part}: not measured" in told.err
    assert f"pip install {library}" in told.err
    assert "rows added" not in told.out
    assert not out.exists()


def test_the_other_parts_are_measured_all_the_same(absent, monkeypatch, tmp_path, capsys):
    row = {"config": {"part": "start", "case": "planted"}, "seconds": {}, "library": "none"}
    monkeypatch.setitem(libraries.PARTS, "start", lambda quick: iter([row]))
    out = tmp_path / "rows.jsonl"
    assert main(["libraries", "--parts", "Shapley values", "start", "--out", str(out)]) == 0
    assert "planted" in out.read_text(encoding="utf-8")
    assert "pip install shapiq" in capsys.readouterr().err
