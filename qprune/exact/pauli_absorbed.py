"""Pauli networks up to their last Clifford gate, which is measured instead of run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, product

from qiskit.quantum_info import PauliList, SparsePauliOp

from qprune.exact.pauli import Region, form_of, most_gates, regions, sites_of_steps, state_matters
from qprune.exact.pauli_beam import networks
from qprune.exact.pauli_form import PauliForm, anticommuting, label_of, words_and_signs, words_of_rotations
from qprune.exact.pauli_network import fixing_zeros
from qprune.gates.costs import Costs
from qprune.gates.sites import Site
from qprune.task.task import Task

Measured = tuple[tuple[Site, ...], list[SparsePauliOp]]  # gates, and what is measured behind them


def measured_elsewhere(task: Task, sites: Sequence[Site], costs: Costs, couplings: str) -> Iterator[Measured]:
    """Ways to write the circuit's last region of gates, and the observables that are to be measured behind each.

    From the first rotation to the last, and there the network ends: no gate brings the words back that were measured.

    Args:
        task: With observables.
        sites: The circuit, simplified.
        costs: Of gates; they limit how many are looked for.
        couplings: As in `in_pauli_form`.

    Source: QuCLEAR, arXiv:2408.13316.
    """
    states = (False, True) if state_matters(task, sites, costs) else (False,)
    for state, wide in product(states, (False, True)):
        parts = regions(task, sites, costs, couplings, wide, state)
        last = parts.pop() if parts else ()
        if not isinstance(last, Region) or not last.last or task.observables is None:
            return
        kept = tuple(site for part in parts for site in (part.sites if isinstance(part, Region) else part))
        for new, observables in _up_to_the_end(last, form_of(last)):
            yield (*kept, *new), observables


def _up_to_the_end(region: Region, form: PauliForm) -> Iterator[Measured]:
    """Networks for a form's rotations, and the outputs behind each."""
    n = region.task.num_qubits
    if not form.rotations:
        return
    words = words_of_rotations(form.rotations, n)
    # the identity first: a list may not be empty
    measured = PauliList(["I" * n, *(label_of(word, n) for output in form.outputs for word in output)])
    ends = list(accumulate((len(output) for output in form.outputs), initial=1))
    free = fixing_zeros(region.gates) & region.first
    for found in networks(words, anticommuting(words), measured, region.gates, free, most_gates(region), region.wide):
        images = words_and_signs(found.carried)
        yield (
            sites_of_steps(region, form, found.steps),
            [
                SparsePauliOp(
                    [label_of(word, n) for word, _ in images[start:end]],
                    [sign * c for (_, sign), c in zip(images[start:end], output.values(), strict=True)],
                )
                for start, end, output in zip(ends, ends[1:], form.outputs, strict=False)
            ],
        )
