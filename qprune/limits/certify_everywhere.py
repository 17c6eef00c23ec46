"""`everywhere`: what holds of a finished result for every input, whatever limit made it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qprune._checks import checked_integer, is_number, plain
from qprune.errors import OptionError
from qprune.gates.sites import sites_of
from qprune.geometry.supremum import GAP
from qprune.limits.claim_everywhere import every_input
from qprune.limits.everywhere import Everywhere
from qprune.results.result import PruneResult, checked_result
from qprune.task.domain import Domain, checked_domain

MOST_RUNS_ASKED = 2**20  # where a proof is asked for: minutes on few qubits


def everywhere(
    result: PruneResult,
    *,
    domain: Domain | str | None = None,
    gap: float = GAP,
    time_limit: float | None = None,
    most_runs: int = MOST_RUNS_ASKED,
) -> PruneResult:
    """Prove of a result how far any input of a domain can change an output, and put that into its certificate.

    Args:
        result: What `prune` returned, or `load`.
        domain: A `Domain`, or "data" for the box of the task's inputs; default: the task's own.
        gap: Relative distance of the proven upper limit from a deviation that is attained, in (0, 1).
        time_limit: Seconds for runs and search, > 0; the limits hold whenever the search stops, only wider. Default:
            none.
        most_runs: Runs of each circuit, ≥ 1, above which it is refused. Beyond 262,144 there is no search: the sum of
            all amplitudes is the limit then.

    Returns:
        The result with `certificate.every_input`; save it anew to keep it.

    Raises:
        OptionError: An option is out of its range, the task has no inputs, the proof takes too many runs, or the
            result was made by `Everywhere`, which speaks of the task's domain already.
        TaskError: An angle cannot be read as a function of the inputs, or the domain does not fit.

    Source: THEORY T9.

    Example:
        >>> import numpy as np
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> from qprune import Measured, Task, prune
        >>> circuit, x = QuantumCircuit(1), Parameter("x")
        >>> _ = circuit.ry(x, 0), circuit.rx(0.1, 0)
        >>> task = Task(circuit, "Z", inputs=[[1.2], [1.8]], input_params=[x])
        >>> claim = everywhere(prune(task, Measured(0.01))).certificate.every_input
        >>> claim.lower <= (1 - np.cos(0.1)) * np.cos(1.2) <= claim.upper <= claim.lower / (1 - 0.02)
        True
    """
    checked_result(result)
    if time_limit is not None and (not is_number(plain(time_limit)) or not plain(time_limit) > 0):
        raise OptionError(f"time_limit must be a number of seconds > 0, got {time_limit!r}; leave it out for no limit")
    most_runs = checked_integer(most_runs, "most_runs", 1)
    task, certificate = result.original, result.certificate
    if not task.inputs.shape[1]:
        raise OptionError("everywhere speaks of inputs, and the task has none; what was measured is all there is")
    about = task.domain if domain is None else checked_domain(domain)
    budget = certificate.budget if certificate.options["limit"]["name"] == Everywhere.name else None
    if budget is not None and about != task.domain:
        raise OptionError(
            f"the result's limit, Everywhere, speaks of {task.domain!r}; prune task.with_domain(…) instead"
        )
    claim = every_input(
        task,
        sites_of(task),
        result.task,
        sites_of(result.task),
        about,
        gap=gap,
        time_limit=np.inf if time_limit is None else float(time_limit),
        most_runs=most_runs,
        limit=budget,
        seed=certificate.options["seed"],
    )
    return replace(result, files=None, certificate=replace(certificate, every_input=claim, files={}))
