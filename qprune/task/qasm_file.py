"""Circuits in OpenQASM 3 and 2; errors name line and column."""

from __future__ import annotations

import re
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from qiskit import QuantumCircuit, qasm2, qasm3

from qprune._files import read_text
from qprune.errors import BundleError

VERSION_2 = re.compile(r"\A(\s|//[^\n]*\n)*OPENQASM\s+2")
PLACE = re.compile(r"(?:line |<input>:|^\"?)(\d+)[:,](\d+):? (.*)", re.MULTILINE)  # as the readers write it


def read_qasm(path: Path) -> QuantumCircuit:
    """The circuit of an OpenQASM file, version 3 unless it says 2; that has no free parameters.

    Raises:
        BundleError: It cannot be read; names line and column where the reader tells them.
    """
    text, noted = read_text(path), StringIO()
    if not text.strip():
        raise BundleError(f"cannot read {path}: it is empty")
    try:
        with redirect_stderr(noted):  # where the parser of version 3 tells what it stumbled over
            if VERSION_2.match(text):
                return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
            return qasm3.loads(text)
    except Exception as error:  # the readers raise many unrelated types
        words = f"{noted.getvalue()}\n{error}"
        place = PLACE.search(words)
        if place is None:
            what = " ".join(words.split()) or type(error).__name__
            raise BundleError(f"cannot read {path}: {what}") from error
        line, column, what = int(place[1]), int(place[2]) + 1, place[3].rstrip('"')
        raise BundleError(f"cannot read {path}, line {line}, column {column}: {what}") from error
