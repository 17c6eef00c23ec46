"""A library of an extra that is absent is named with the extra, before any work is done."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qprune import MissingExtraError, QpruneError
from qprune._optional import require

PRUNED = "import qprune; result = qprune.prune(qprune.load_network('reupload-2q'), qprune.Threshold(0.05)); "
CASES = {  # library: what is tried without it, the extra that is named
    "pennylane": ("import qprune.pennylane", "pennylane"),
    "qiskit_ibm_runtime": ("import qprune; qprune.noise_model('FakeTorino')", "devices"),
    "matplotlib": (PRUNED + "qprune.save(result, OUT)", "report"),
    "pylatexenc": (PRUNED + "qprune.draw(result)", "report"),
}


@pytest.mark.parametrize("library", CASES)
def test_what_is_absent_is_named_with_its_extra(library, tmp_path):
    """In a fresh process, in which importing the library fails as if it were not installed."""
    code, extra = CASES[library]
    code = f"import sys; sys.modules[{library!r}] = None; OUT = {str(tmp_path / 'out')!r}; {code}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingExtraError" in last
    assert last.endswith(f"needs {library}, which is not installed: pip install 'qprune[{extra}]'")
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
