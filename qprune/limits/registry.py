"""All limits by name: what the command line offers, and what a certificate is read back into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qprune.errors import CertificateError
from qprune.limits.accuracy import Accuracy
from qprune.limits.base import Limit, options_of
from qprune.limits.everywhere import Everywhere
from qprune.limits.measured import Measured
from qprune.limits.proven import Proven
from qprune.limits.threshold import Threshold
from qprune.limits.under_noise import UnderNoise

LIMITS: dict[str, type[Limit]] = {
    limit.name: limit for limit in (Threshold, Proven, Measured, Everywhere, Accuracy, UnderNoise)
}


def limit_of(record: Mapping[str, Any], main: Any) -> Limit:
    """The limit that a certificate records, as far as another value of its main field lets it.

    Args:
        record: `Certificate.options["limit"]`.
        main: The value to give to the field that says how far.

    Raises:
        CertificateError: The certificate names no limit.
    """
    kind = LIMITS.get(str(record.get("name")))
    if kind is None:
        raise CertificateError(f"the certificate names the limit {record.get('name')!r}, which there is not")
    return kind(**{kind.main: main}, **{name: record[name] for name in options_of(kind) if name in record})
