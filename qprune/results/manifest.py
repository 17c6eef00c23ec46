"""The manifest of a saved result: the SHA-256 of each of its files, held in the certificate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from qprune._files import parse_json, read_text
from qprune.errors import BundleError, CertificateError
from qprune.results.certificate import Certificate
from qprune.results.hashes import bytes_hash

CERTIFICATE = "certificate.json"  # holds the others' hashes, and its own


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder and below by its path from there, but for the certificate's own.

    Raises:
        BundleError: A file cannot be read.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    try:
        return {name: bytes_hash(path.read_bytes()) for name, path in names.items() if name != CERTIFICATE}
    except OSError as error:
        raise BundleError(f"cannot read {error.filename or folder}: {error.strerror or error}") from error


def read_certificate(folder: Path) -> Certificate:
    """The certificate of a saved result.

    Raises:
        BundleError: There is none, or it is no JSON with finite numbers.
        CertificateError: It is damaged otherwise.
    """
    path = folder / CERTIFICATE
    if not os.path.isfile(path):
        inside = sorted(found.parent for found in folder.glob(f"*/{CERTIFICATE}")) if os.path.isdir(folder) else []
        way_out = (
            f"one of the results in it, such as {inside[0]}" if inside else "a folder that `qprune prune --out` wrote"
        )
        raise BundleError(f"{folder} holds no {CERTIFICATE}; give {way_out}")
    text = read_text(path)
    parse_json(text, str(path))
    try:
        return Certificate.from_json(text)
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from error


def seal(folder: Path, certificate: Certificate) -> None:
    """Write the certificate, with the manifest of the files that are there now: call it when all of them are written.

    Raises:
        OSError: The file cannot be written.
    """
    sealed = replace(certificate, files=digests(folder))
    (folder / CERTIFICATE).write_text(sealed.to_json(), encoding="utf-8")


def check_manifest(claimed: Mapping[str, str], found: Mapping[str, str], passed_over: tuple[str, ...] = ()) -> None:
    """Raise CertificateError unless the files of a folder are those that were saved, no more and no fewer.

    Args:
        claimed: The certificate's `files`.
        found: What `digests` finds.
        passed_over: Files that may be as they like.
    """
    for name in sorted({*claimed, *found} - {*passed_over}):
        if name not in found:
            raise CertificateError(f"file {name} of the result is missing, which its certificate lists")
        if name not in claimed:
            raise CertificateError(f"file {name} is none of the result's own; take it out of the folder")
        if claimed[name] != found[name]:
            raise CertificateError(f"file {name} was changed after the result was saved: its SHA-256 differs")
