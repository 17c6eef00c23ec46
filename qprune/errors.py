"""The exceptions of qprune; `except QpruneError` catches every one of them."""

from __future__ import annotations

from typing import Any


class QpruneError(Exception):
    """Base of everything qprune raises on purpose; its message is one line, whatever it shows of an argument."""

    def __init__(self, message: str, **named: Any) -> None:
        """Values such as matrices print in several lines, which logs and the command line would tear apart."""
        super().__init__(" ".join(line.strip() for line in str(message).splitlines()), **named)


class QpruneWarning(UserWarning):
    """Something is allowed, and probably not what was wanted; the message says what would be."""


class TaskError(QpruneError, ValueError):
    """The circuit, observables, inputs or weights cannot be used; the message says what would do."""


class OptionError(QpruneError, ValueError):
    """An option of a public function is out of its range."""


class MissingExtraError(QpruneError, ModuleNotFoundError):
    """A library that this work needs is not installed; the message names the extra that brings it."""


class BundleError(QpruneError, ValueError):
    """A task bundle, a certificate or another file cannot be read or written."""


class CertificateError(QpruneError, ValueError):
    """A certificate is damaged, or belongs to another circuit or task."""


class CertificateViolation(QpruneError, AssertionError):
    """A claim of a certificate does not hold; the message carries the numbers."""
