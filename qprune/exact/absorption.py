"""Clifford gates at the end of a circuit become part of what is measured: no device need run them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import PauliList, SparsePauliOp

from qprune._checks import checked_choice
from qprune.exact.cx_networks import shorten_networks
from qprune.exact.light_cone import Behind, Gates, pulled, pushed
from qprune.exact.pauli import COUPLINGS, in_pauli_form, total_cost
from qprune.exact.pauli_absorbed import Measured, measured_elsewhere
from qprune.exact.pauli_form import clifford_gates
from qprune.exact.simplify import output_sums, passes_to_the_end, simplify
from qprune.gates.costs import Costs
from qprune.gates.sites import Site, circuit_of, sites_of
from qprune.gates.subgroups import commute, subgroup_of
from qprune.task.checked import checked_task
from qprune.task.task import Task

Bit = NDArray[np.intp]
# Gates that permute basis states, up to phases: the bits behind them.
PERMUTING: dict[str, Callable[..., tuple[Bit, ...]]] = {
    **dict.fromkeys(("x", "y"), lambda a: (1 - a,)),
    **dict.fromkeys(("cx", "cy"), lambda a, b: (a, a ^ b)),
    "swap": lambda a, b: (b, a),
}


@dataclass(frozen=True)
class Absorbed:
    """A task that measures other Pauli words behind fewer gates, and gives the same outputs.

    Attributes:
        task: The shorter circuit with its observables; to be pruned, trained and run like any other.
        gates: How many gates went, those included that no output saw.
        two_qubit_gates: How many of them act on two qubits.
        groups: Settings in which the words can be measured, each qubit in one basis, before and after.
        outcomes: With probabilities: for each outcome of the shorter circuit the one that it stands for; else
            None.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.3, 0), circuit.ry(0.4, 1), circuit.cx(0, 1)
        >>> absorb(Task(circuit, ["ZI", "IZ"])).groups
        (1, 1)
    """

    task: Task
    gates: int
    two_qubit_gates: int
    groups: tuple[int, int]
    outcomes: tuple[int, ...] | None = None


def absorb(task: Task, *, couplings: str | None = None, costs: Costs = None) -> Absorbed:
    """Measure C†OC in place of O, where C are the Clifford gates that a circuit ends with.

    ⟨ψ|C†OC|ψ⟩ is what ⟨O⟩ was behind C, and C†PC of a Pauli word P is a word again, so that outputs, their spectra and
    their gradients stay what they are, for every input and weight. Gates without parameters, and rotations by numbers
    that are multiples of π/2, are taken as far as they can be moved to the end; gates that no output sees any more on
    the way are dropped. Behind a ring of CX, an observable of Z letters becomes another one: it is read from the same
    bits, by a parity. Other words may need more settings than before (`groups`).

    What goes may be part of what exact simplification would have taken whole, as one CX is of a SWAP that amounts to
    other names of qubits. Where more would be left, the circuit is simplified first, as `prune` does; so a circuit with
    its end absorbed never keeps more than one without, by `costs`.

    With `couplings` the circuit is written in Pauli form besides, up to a Clifford gate at its end that is measured: no
    gate brings back the words that were asked for. The cheapest is taken of these ways, and of what resynthesis makes
    of the circuit as it is.

    Of a distribution, gates that permute the outcomes of the measured qubits are taken: X, Y, CX, CY and SWAP.

    Whoever runs the shorter circuit must measure `task.observables` of the result, not the ones they had. That is why
    `prune` does not do this by itself: give it the absorbed task.

    Args:
        task: With observables or probabilities.
        couplings: Where two-qubit gates may act, as in `prune`; None for no Pauli form, and so it is with
            probabilities.
        costs: Of gates, as in `prune`; of several ways the cheapest is taken.

    Raises:
        OptionError: There are no such couplings.

    Source: QuCLEAR, arXiv:2408.13316.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.3, 0), circuit.ry(0.4, 1), circuit.cx(0, 1)
        >>> absorbed = absorb(Task(circuit, "ZI"))
        >>> absorbed.task.circuit.size(), absorbed.task.observables[0].paulis.to_labels()
        (2, ['ZZ'])
    """
    checked_choice(couplings, "couplings", (None, *COUPLINGS))
    before = sites_of(checked_task(task))
    if task.observables is None:
        return _permuted(task, before)
    plain, simpler = _without_end(task, before), _simplified(task, before)
    first = _without_end(task, simpler)
    if couplings is None:
        left = _simplified(_other(task, *plain), plain[0])
        return _told(task, before, *(plain if total_cost(left, costs) <= total_cost(first[0], costs) else first))
    ways = (plain, first, *_ways(task, couplings, costs, plain, simpler))
    return _told(task, before, *min(ways, key=lambda way: total_cost(way[0], costs)))


def _simplified(task: Task, sites: Sequence[Site]) -> tuple[Site, ...]:
    """What `prune` begins with."""
    simpler, _ = simplify(task, sites)
    return shorten_networks(task, simpler)[0]


def _ways(task: Task, couplings: str, costs: Costs, plain: Measured, simpler: tuple[Site, ...]) -> Iterator[Measured]:
    """Ways to write the circuit with another end: resynthesis before or after, or up to the end."""
    yield _without_end(task, in_pauli_form(task, simpler, costs, couplings)[0])
    for sites, observables in (plain, *measured_elsewhere(task, simpler, costs, couplings)):
        other = _other(task, sites, observables)
        yield _without_end(other, in_pauli_form(other, _simplified(other, sites), costs, couplings)[0])


def _other(task: Task, sites: Sequence[Site], observables: list[SparsePauliOp]) -> Task:
    return task.with_circuit(circuit_of(task, tuple(sites))).with_observables(observables)


def _told(task: Task, before: tuple[Site, ...], sites: tuple[Site, ...], observables: list[SparsePauliOp]) -> Absorbed:
    words = [[o.paulis for o in measured] for measured in (task.observables or (), observables)]
    return Absorbed(
        _other(task, sites, observables) if sites != before else task,
        len(before) - len(sites),
        sum(len(s.qubits) == 2 for s in before) - sum(len(s.qubits) == 2 for s in sites),
        (_settings(words[0]), _settings(words[1])),
    )


def _permuted(task: Task, before: tuple[Site, ...]) -> Absorbed:
    """A task with probabilities without the gates at its end that permute outcomes, or that no outcome sees."""
    kept: list[Site] = []
    gone: list[Site] = []
    later: dict[int, list[Site]] = {}
    sums, places = output_sums(task), {q: k for k, q in enumerate(task.measured_qubits)}
    seen = set(places)
    for site in reversed(before):
        if seen.isdisjoint(site.qubits) or passes_to_the_end(site, later, sums):
            continue
        behind = (subgroup_of(other) for q in site.qubits for other in later.get(q, ()))
        if (
            site.family is not None  # a gate of the user's may have such a name
            and site.name in PERMUTING
            and places.keys() >= set(site.qubits)
            and all(commute(subgroup_of(site), other) for other in behind)
        ):
            gone.append(site)
            continue
        kept.append(site)
        seen.update(site.qubits)
        for q in site.qubits:
            later.setdefault(q, []).append(site)
    outcomes = np.arange(2 ** len(places))
    for site in reversed(gone):
        bits = [outcomes >> places[q] & 1 for q in site.qubits]
        new = PERMUTING[site.name](*bits)
        for q, old, bit in zip(site.qubits, bits, new, strict=True):
            outcomes = outcomes ^ (old ^ bit) << places[q]
    left = tuple(reversed(kept))
    return Absorbed(
        task.with_circuit(circuit_of(task, left)) if left != before else task,
        len(before) - len(left),
        sum(len(s.qubits) == 2 for s in before) - sum(len(s.qubits) == 2 for s in left),
        (1, 1),
        tuple(outcomes.tolist()),
    )


def _without_end(task: Task, before: tuple[Site, ...]) -> Measured:
    """The gates without the Clifford gates at their end, and what is measured instead."""
    measured = list(task.observables or ())
    behind = Behind([word for output in output_sums(task) for word in output], task.num_qubits)
    kept: list[Site] = []
    for site in reversed(before):
        if not behind.sees(site):
            continue
        gates = clifford_gates(site)
        measured = [_pulled(observable, gates) for observable in measured]
        if gates and behind.lets_pass(gates):
            behind.measure(gates)
            continue
        kept.append(site)
        behind.add(site)
    gates = [gate for site in reversed(kept) for gate in clifford_gates(site)]
    return tuple(reversed(kept)), [_pushed(observable, gates) for observable in measured]


def _pulled(observable: SparsePauliOp, gates: Gates) -> SparsePauliOp:
    """G†OG."""
    return SparsePauliOp(pulled(observable.paulis, gates), observable.coeffs)


def _pushed(observable: SparsePauliOp, gates: Gates) -> SparsePauliOp:
    """GOG†."""
    return SparsePauliOp(pushed(observable.paulis, gates), observable.coeffs)


def _settings(words: list[PauliList]) -> int:
    """How many sets of words, in each of which no two ask for different bases of a qubit, a greedy colouring finds."""
    labels = sorted({label for paulis in words for label in paulis.to_labels() if label.strip("I")})
    return len(PauliList(labels).group_qubit_wise_commuting()) if labels else 0
