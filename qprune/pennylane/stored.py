"""What a pruned QNode is stored as: its arrays, tied to the certificate by their hash, and the QNode they belong to.

Part of `qprune.pennylane`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune.errors import CertificateError
from qprune.exact.absorption import Absorbed, absorb
from qprune.pennylane.measurements import measuring, readings_of, wire_order
from qprune.pennylane.network import Network, flat
from qprune.pennylane.roles import Roles
from qprune.pennylane.tape import circuit_of, expand, number, slot_count
from qprune.results.hashes import bytes_hash, circuit_hash, record_hash
from qprune.results.result import PruneResult
from qprune.task.observables import are_equal
from qprune.task.task import Task

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


def match(
    tape: Any, network: Network, roles: Roles, result: PruneResult, absorbs: bool
) -> tuple[bool, Absorbed | None]:
    """Whether a tape has the gates and measures the observables of the task that was pruned; what was absorbed before.

    Args:
        tape: Of the QNode that is said to be the original.
        network: Has its device.
        roles: As stored.
        result: As stored.
        absorbs: Whether gates at the end were absorbed before it was pruned.
    """
    order = wire_order(tape, network.qnode.device.wires)
    operations, (observables, measured, _) = expand(tape.operations), readings_of(tape.measurements, order)
    theirs, absorbed = result.original.observables, None
    if sum(map(slot_count, operations)) != len(roles.encoding) or (observables is None) != (theirs is None):
        return False, None
    circuit = circuit_of(operations, roles.parameters(), order)
    if absorbs:
        columns = [p for p in circuit.parameters if p.name[0] == "x"]
        inputs = np.zeros((1, len(columns))) if columns else None
        weights = np.zeros(len(circuit.parameters) - len(columns))
        circuit = circuit if observables is not None else measuring(circuit, measured)
        absorbed = absorb(Task(circuit, observables, inputs=inputs, input_params=columns, weights=weights))
        circuit, observables = absorbed.task.circuit, list(absorbed.task.observables or ())
    ours, theirs = observables or (), theirs or ()
    same = len(ours) == len(theirs) and all(map(are_equal, ours, theirs))
    return same and circuit_hash(circuit) == result.certificate.original_hash, absorbed


def _hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    return record_hash(
        {
            name: [array.dtype.str, list(array.shape), bytes_hash(np.ascontiguousarray(array).tobytes())]
            for name, array in arrays.items()
        }
    )
