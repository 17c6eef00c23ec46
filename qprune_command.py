"""The command `qprune`, from the first moment on.

A module of its own beside the package: importing anything of the package loads Qiskit, which takes
most of a second, and Ctrl-C must end that in one line too.
"""

from __future__ import annotations

import os
import signal
import sys

STOPPED = 130


def main() -> int:
    """Run the command line; returns the exit status."""
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version

        print("qprune", version("qprune"))
        return 0
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # a shell starts what runs in the background with interrupts ignored
        signal.signal(signal.SIGINT, _leave)
    from qprune.cli import main as command

    signal.signal(signal.SIGINT, before)
    return command()


def _leave(number: int, frame: object) -> None:
    """End at once: an exception in the midst of an import may be taken for a library that is missing."""
    sys.stderr.write("qprune: interrupted; nothing was finished\n")
    sys.stderr.flush()
    os._exit(STOPPED)
