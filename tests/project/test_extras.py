"""A library of an extra that is absent is named with the extra, before any work is done."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from qprune import MissingExtraError, QpruneError
from qprune._optional import require

CASES = {  # library: what is tried without it, the extra that is named
    "pennylane": ("import qprune.pennylane", "pennylane"),
    "qiskit_ibm_runtime": ("import qprune; qprune.noise_model('FakeTorino')", "devices"),
    "matplotlib": ("qprune.save(result, OUT)", "report"),
    "pylatexenc": ("qprune.draw(result)", "report"),
}


TRIED = """
import json, sys
import qprune
OUT, said = {out!r}, []
result = qprune.prune(qprune.load_network("reupload-2q"), qprune.Threshold(0.05, window=0))  # nothing is compiled
for library, code in {codes}:
    sys.modules[library] = None
    try:
        exec(code)
    except ImportError as error:
        said.append([type(error).__name__, str(error)])
    del sys.modules[library]
print(json.dumps(said))
"""


def test_what_is_absent_is_named_with_its_extra(tmp_path):
    """In a fresh process, in which importing the library fails as if it were not installed."""
    codes = [(library, code) for library, (code, _) in CASES.items()]
    code = TRIED.format(codes=codes, out=str(tmp_path / "out"))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    for (library, (_, extra)), (kind, said) in zip(CASES.items(), json.loads(done.stdout), strict=True):
        assert kind == "MissingExtraError"
        assert said.endswith(f"needs {library}, which is not installed: pip install 'qprune[{extra}]'")
    assert not (tmp_path / "out").exists()


def test_the_error_is_what_callers_may_expect():
    with pytest.raises(MissingExtraError, match="drawing needs nothing_like_it") as caught:
        require("nothing_like_it.at_all", "report", "drawing")
    assert isinstance(caught.value, QpruneError)
    assert isinstance(caught.value, ImportError)
    assert caught.value.name == "nothing_like_it"


def test_a_library_that_is_there_but_broken_is_not_called_absent(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import something_of_its_own_that_is_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_of_its_own") as caught:
        require("half_installed", "report", "drawing")
    assert not isinstance(caught.value, MissingExtraError)
