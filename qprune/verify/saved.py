"""Files of a saved result held against the result that was read from them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from qprune.errors import CertificateError, CertificateViolation
from qprune.report.store import write_result
from qprune.results.certificate import package_versions
from qprune.results.manifest import FOR_PEOPLE, digests
from qprune.verify.checks import Check

if TYPE_CHECKING:
    from qprune.verify.check import Result

BESIDE = ("pennylane.json", "pennylane.npz")  # read by `qprune.pennylane.load`, which checks them
CIRCUITS = ".qpy"  # compared by what the circuits do: their bytes depend on the version of Qiskit
REPORT = "report.txt"


def check_written(result: Result) -> Check:
    """Write the result again: every file must say what it would say now, and no other may be there.

    What stands in several files, such as the inputs in both bundles, is read from one of them. So a forger who also
    writes all hashes anew still has to make every file say the same, which is what `verify` recomputes. The report's
    words are the present version's, so those of another version are not compared.

    Raises:
        CertificateViolation: A file says something else.
        CertificateError: A file is missing, or one is there that no result has.
    """
    there = dict(result.files or {})
    with tempfile.TemporaryDirectory() as scratch:
        write_result(result, Path(scratch), drawings=False)  # type: ignore[arg-type]
        here = digests(Path(scratch))
    for name in sorted({*here, *there} - {*FOR_PEOPLE, *BESIDE} | {REPORT}):
        if name not in here or name not in there:
            raise CertificateError(f"file {name} is {'missing' if name in here else 'none that a result has'}")
        same_version = result.certificate.versions.get("qprune") == package_versions()["qprune"]
        compared = not name.endswith(CIRCUITS) and (name != REPORT or same_version)
        if compared and here[name] != there[name]:
            raise CertificateViolation(f"file {name} says something else than the result that it belongs to")
    return Check("files say what the result says", "written again")
