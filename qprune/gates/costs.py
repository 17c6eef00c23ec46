"""What a gate costs: the weights by which a budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

from qprune.errors import OptionError
from qprune.gates.sites import Site

Costs = Mapping[str, float] | Callable[[Site], float] | None

TWO_QUBIT = 10.0  # error and duration of a two-qubit gate are about ten times those of a rotation
THREE_QUBIT = 60.0  # six CX
ROTATION = 1.0
VIRTUAL_Z = 0.1  # a frame change: no pulse, no noise, but a parameter


def default_cost(site: Site) -> float:
    """What a gate costs unless the user says otherwise, in units of a rotation.

    10 for two-qubit gates, whose error and duration are about ten times those of a rotation; 1 for one-qubit gates; 0.1
    for rotations about Z, which devices do without a pulse; 60 for gates on three qubits and more.

    Args:
        site: The gate.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qprune.gates.sites import sites_of
        >>> from qprune.task.task import Task
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.1, 0), circuit.rz(0.2, 0), circuit.cx(0, 1)
        >>> [default_cost(site) for site in sites_of(Task(circuit, "ZZ"))]
        [1.0, 0.1, 10.0]
    """
    if len(site.qubits) >= 3:
        return THREE_QUBIT
    if len(site.qubits) == 2:
        return TWO_QUBIT
    return VIRTUAL_Z if site.family == "pauli" and site.word[0][1] == "Z" else ROTATION


def cost_of(site: Site, costs: Costs) -> float:
    """The cost of one gate, ≥ 0.

    Args:
        site: The gate.
        costs: By gate name (gates not named keep their default), or a callable on a site; None for the defaults.

    Raises:
        OptionError: The user's cost is not a finite number ≥ 0.
    """
    if costs is None:
        return default_cost(site)
    if not callable(costs) and not isinstance(costs, Mapping):
        raise OptionError(f"costs must be a mapping from gate name to cost, or a callable on a Site, got {costs!r}")
    cost = costs(site) if callable(costs) else costs.get(site.name, default_cost(site))
    try:
        value = float(cost)
    except (TypeError, ValueError):
        value = -1.0
    if not (isfinite(value) and value >= 0):
        raise OptionError(f"costs must give a finite number ≥ 0 for every gate, got {cost!r} for {site.name}")
    return value
