"""What is left of a certificate on a circuit that was made from the pruned one: compiled, or passed on by a manager."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit import QuantumCircuit

from qprune._arrays import FloatArray
from qprune.errors import OptionError, TaskError
from qprune.gates.sites import sites_of
from qprune.limits.certify_everywhere import MOST_RUNS_ASKED
from qprune.limits.claim_everywhere import every_input
from qprune.limits.claims import deviations
from qprune.qiskit.received import ROUNDING, moved, widths
from qprune.results.certificate import EVERY_INPUT
from qprune.results.every_input import EveryInput
from qprune.results.result import PruneResult
from qprune.simulators.choices import final_outputs
from qprune.task.task import Task
from qprune.task.unitary_part import unitary_part


def changes(result: PruneResult, now: Task) -> tuple[FloatArray, FloatArray, FloatArray]:
    """|Δ| of every output and selected sample from the original, what is certified, and the excess, each (R, M).

    The excess is above 0 where |Δ| is larger by more than rounding. Certified is the bound where the limit was on it,
    else what was measured or the budget that it was held to.

    Args:
        result: From `prune`.
        now: The task on the circuit that was made from the pruned one.
    """
    original, certificate = result.original, result.certificate
    before = final_outputs(original, sites_of(original), original.selected)
    change = deviations(before, final_outputs(now, sites_of(now), original.selected))
    allowed = np.array(certificate.bound if certificate.limited_by_proof else certificate.measured)
    if certificate.budget is not None:
        allowed = np.maximum(allowed, certificate.budget)
    return change, allowed, change - allowed - ROUNDING * widths(original)


def allowed_everywhere(result: PruneResult) -> float | None:
    """The largest change of any output on any input of the domain that is proven; None where nothing is."""
    claim, certificate = result.certificate.every_input, result.certificate
    if claim is None:
        return None
    budget = certificate.budget if certificate.judged_by == EVERY_INPUT else None
    return max(claim.upper, budget or 0.0) + ROUNDING * float(widths(result.original).max())


def everywhere_now(result: PruneResult, now: Task, places: Sequence[int]) -> EveryInput | None:
    """The same proof (T9) for the circuit that was made from the pruned one.

    Args:
        result: One that has such a proof.
        now: As in `changes`.
        places: On which of its qubits each qubit of the original ended up.

    Returns:
        The limits, searched until it is known whether they keep what was proven; None where there is no proof, as
        angles of the circuit cannot be read as functions of the inputs.
    """
    original, claim = result.original, result.certificate.every_input
    if claim is None:
        return None
    there = QuantumCircuit(now.num_qubits)
    there.compose(unitary_part(original.circuit)[0], list(places), inplace=True)
    placed = moved(original, there, list(places))
    weights = {p: now.named_weights[p.name] for p in now.weight_params}
    also = placed.with_circuit(now.circuit.assign_parameters(weights))  # with inputs that its gates have lost, too
    try:
        return every_input(
            placed,
            sites_of(placed),
            also,
            sites_of(also),
            claim.domain,
            most_runs=MOST_RUNS_ASKED,
            starts=np.array([claim.worst]) if claim.worst else None,
            limit=allowed_everywhere(result),
        )
    except (OptionError, TaskError):
        return None
