"""Whether a certificate belongs to what it comes with, told by SHA-256."""

from __future__ import annotations

from collections.abc import Iterator

from qprune.errors import CertificateError, CertificateViolation
from qprune.results.certificate import package_versions
from qprune.results.hashes import bytes_hash, circuit_hash, task_hash
from qprune.results.manifest import check_manifest
from qprune.results.result import records_of
from qprune.task.task import Task
from qprune.verify.checks import Check, Result

RECORDS = {"flat": "circuit that the plan counts", "pruned": "task of the pruned circuit", "given": "task given"}


def check_hashes(task: Task, result: Result) -> Iterator[Check]:
    """Hashes of circuits, task, plan, accuracy, and of every file that was read.

    Raises:
        CertificateError: The certificate is damaged, or belongs to something else.
        CertificateViolation: report.txt says something else than the result.
    """
    result.certificate.to_json()  # refuses numbers that are none, or out of their range
    for what, circuit, claimed in (
        ("the task's circuit", task.circuit, result.certificate.original_hash),
        ("the simplified circuit", result.simplified, result.certificate.simplified_hash),
        ("the pruned circuit", result.task.circuit, result.certificate.pruned_hash),
    ):
        if circuit_hash(circuit) != claimed:
            raise CertificateError(f"the certificate belongs to another circuit: the hash of {what} differs")
    if task_hash(task) != result.certificate.task_hash:
        raise CertificateError(
            "the certificate belongs to another task: inputs, labels, weights, observables, probabilities or the "
            "hold-out split are not those it was made for"
        )
    yield Check("circuits and task are those certified", "SHA-256")
    found = records_of(result)  # type: ignore[arg-type]
    for name in sorted(found):
        if found[name] != result.certificate.records.get(name):
            raise CertificateError(
                f"the result's {RECORDS.get(name, name)} is not what was certified: its hash differs"
            )
    yield Check("plan and accuracy are those certified", "SHA-256")
    if result.files is not None:
        check_manifest(result.certificate.files, result.files)
        own = result.certificate.versions.get("qprune") == package_versions()["qprune"]  # whose words it is in
        if own and result.files.get("report.txt") != bytes_hash(f"{result}\n".encode()):
            raise CertificateViolation("report.txt says something else than the result that it belongs to")
        yield Check("files are those that were saved", "SHA-256")
