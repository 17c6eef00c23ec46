"""What a pruned QNode is stored as: its arrays, tied to the certificate by their hash.

Part of `qprune.pennylane`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune.errors import CertificateError
from qprune.pennylane.network import flat
from qprune.pennylane.roles import Roles
from qprune.pennylane.tape import number
from qprune.results.hashes import bytes_hash, record_hash
from qprune.results.result import PruneResult

RECORD = "pennylane"  # the hash's name in `Certificate.records`
FREE = "weights "  # the present weights may move, the certificate then says that it is void


def arrays_of(
    original: Mapping[str, Any], certified: Mapping[str, Any], inputs: Mapping[str, Any], roles: Roles
) -> dict[str, NDArray[Any]]:
    """The certified arrays by the names that they are stored under."""
    kinds = {"original": original, "certified": certified, "inputs": inputs}
    named = {f"{kind} {name}": number(array) for kind, arrays in kinds.items() for name, array in arrays.items()}
    return named | vars(roles)


def tied(result: PruneResult, arrays: Mapping[str, NDArray[Any]]) -> PruneResult:
    """The result with the arrays' hash in its certificate."""
    records = {**result.certificate.records, RECORD: _hash(arrays)}
    return replace(result, certificate=replace(result.certificate, records=records))


def check_tied(result: PruneResult, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise CertificateError unless the stored arrays are those that were certified; the present weights are free."""
    certified = {name: array for name, array in arrays.items() if not name.startswith(FREE)}
    if _hash(certified) != result.certificate.records.get(RECORD):
        raise CertificateError(
            "the stored inputs, weights or roles are not those that were certified: their hash differs; save the "
            "pruned QNode again from where it was made"
        )


def check_refitted(stored: Mapping[str, Any], found: Mapping[str, Any], rounding: float) -> None:
    """Raise CertificateError unless the stored weights are those that the certified circuit makes of the original's."""
    ours, theirs = flat(found), flat(stored)
    if not np.all(np.abs(theirs - ours) <= rounding * np.maximum(1, np.abs(ours))):
        raise CertificateError(
            "the stored weights are not those of the certified circuit, they differ by "
            f"{np.max(np.abs(theirs - ours)):.3g}"
        )


def _hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    return record_hash(
        {
            name: [array.dtype.str, list(array.shape), bytes_hash(np.ascontiguousarray(array).tobytes())]
            for name, array in arrays.items()
        }
    )
