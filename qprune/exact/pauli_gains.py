"""What a circuit's rotations cost with the two-qubit gates that stand there for them: what may go if they go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from qprune.exact.pauli_form import clifford_gates
from qprune.gates.costs import Costs, cost_of
from qprune.gates.sites import Site


def with_shares(sites: Sequence[Site], costs: Costs) -> Callable[[Site], float]:
    """Costs under which every rotation bears its share of the entangling Clifford gates before it.

    A rotation about a word stands in a circuit as one about a letter, and Clifford gates before it make the word of the
    letter. The cost of each of those is shared alike by the rotations that come next on its qubits: an estimate of what
    resynthesis saves where they go, in one walk through the circuit; how much it does is only known afterwards. Gates
    that nothing follows serve what is measured, and no rotation bears them.

    Args:
        sites: The circuit. What becomes of its gates later is known by their origins.
        costs: As in `prune`.

    Returns:
        The cost of a gate, ≥ 0, in the unit of `costs`: its own, and for rotations their shares.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qprune.gates.sites import sites_of
        >>> from qprune.task.task import Task
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.h(0), circuit.cx(0, 1), circuit.ry(0.3, 0), circuit.ry(0.4, 1), circuit.cx(0, 1)
        >>> sites = sites_of(Task(circuit, "IZ"))
        >>> costs = with_shares(sites, None)
        >>> [costs(site) for site in sites]
        [1.0, 10.0, 6.0, 6.0, 10.0]
    """
    shares: dict[int, float] = {}
    served: dict[int, set[int]] = {}  # by qubit: places of the rotations that come next
    entangled: set[int] = set()  # qubits on which an entangling gate came after those, as seen from the end
    turns = [bool(site.family) and not clifford_gates(site) for site in sites]
    for k in range(len(sites) - 1, -1, -1):
        qubits = set(sites[k].qubits)
        if turns[k]:
            for q in qubits:
                served[q] = {k} if q in entangled else served.get(q, set()) | {k}
            entangled -= qubits
        elif sites[k].family is None:  # it stays, and whatever stands before it serves it too
            served |= {q: set() for q in qubits}
        elif len(qubits) > 1:
            together = set[int]().union(*(served.get(q, ()) for q in qubits))
            for j in together:
                shares[j] = shares.get(j, 0.0) + cost_of(sites[k], costs) / len(together)
            served |= dict.fromkeys(qubits, together)
            entangled |= qubits
    stands_for = Counter(o for k, site in enumerate(sites) if turns[k] for o in site.origins)
    by_origin: dict[int, float] = {}
    for k, share in shares.items():
        for o in sites[k].origins:
            by_origin[o] = by_origin.get(o, 0.0) + share / (len(sites[k].origins) * stands_for[o])

    def cost(site: Site) -> float:
        own = cost_of(site, costs)
        return own if clifford_gates(site) else own + sum(by_origin.get(o, 0.0) for o in site.origins)

    return cost
