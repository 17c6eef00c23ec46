"""SciPy's mixed-integer solver, HiGHS, without the lines that it prints."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import scipy

CHATTER = b"HighsMipSolverData::"  # how HiGHS begins a line of its own debugging, which no option of SciPy turns off


def solved(objective: Any, **options: Any) -> Any:
    """What `scipy.optimize.milp` returns for the same arguments."""
    with _without_chatter():
        return scipy.optimize.milp(objective, **options)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Standard output of the process, other threads' included: all that is written meanwhile, without those lines.

    HiGHS writes below Python, where `contextlib.redirect_stdout` does not reach.
    """
    if os.name != "posix":
        yield
        return
    _flush()
    stdout = os.dup(1)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 1)
        try:
            yield
        finally:
            _flush()
            os.dup2(stdout, 1)
            os.close(stdout)
            written.seek(0)
            rest = b"".join(line for line in written if not line.startswith(CHATTER))
            while rest:
                rest = rest[os.write(1, rest) :]


def _flush() -> None:
    """Of Python and of the C library below it."""
    if sys.stdout is not None:
        sys.stdout.flush()
    ctypes.CDLL(None).fflush(None)
