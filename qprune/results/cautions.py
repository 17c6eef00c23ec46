"""What a number may hide: results that keep their limit and have lost what the circuit was for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune.exact.simplify import light_cones
from qprune.gates.sites import sites_of
from qprune.results.certificate import EVERY_INPUT, Certificate
from qprune.simulators.choices import final_outputs
from qprune.task.task import Task

BROKEN = 2.0  # times a budget that some input of the domain moves an output
STILL = 0.1  # share of its spread over the samples below which an output hardly depends on them any more
SMALL_QUBITS, SMALL_AMPLITUDES = 14, 2**20  # circuits and ensembles that are run for a word of caution


def cautions_of(original: Task, pruned: Task, certificate: Certificate) -> tuple[str, ...]:
    """What a reader of the numbers should know besides, in sentences; empty where there is nothing to say.

    Args:
        original: The task that was pruned.
        pruned: The smaller network.
        certificate: What is claimed of it.
    """
    return (
        *_between_the_samples(certificate),
        *_lost(original, pruned),
        *_moved(original, pruned, certificate),
        *_spread(original, pruned, certificate),
    )


def _between_the_samples(certificate: Certificate) -> Iterator[str]:
    claim, budget = certificate.every_input, certificate.budget
    if claim is None or budget is None or certificate.judged_by == EVERY_INPUT:
        return
    if claim.lower > BROKEN * budget:
        yield (
            f"between the samples some input moves an output by {claim.lower:.3g}, {claim.lower / budget:.3g} times "
            "the budget; use Everywhere"
        )


def _lost(original: Task, pruned: Task) -> Iterator[str]:
    """Outputs that nothing of a kind reaches any more."""
    for role, what, then in (
        ("encoding", "any input", "is the same for all of them"),
        ("trainable", "any weight", "cannot be trained any more"),
    ):
        before, after = (_reached(task, role) for task in (original, pruned))
        for name in (n for n, was, still in zip(original.output_names, before, after, strict=True) if was > still):
            yield f"output {name} no longer depends on {what}: it {then}"


def _reached(task: Task, role: str) -> list[bool]:
    sites = sites_of(task)
    own = np.array([site.role == role for site in sites], dtype=bool)
    return [bool(np.any(cone & own)) for cone in light_cones(task, sites, set())]


def _moved(original: Task, pruned: Task, certificate: Certificate) -> Iterator[str]:
    """Refit with more freedom than numbers to fit."""
    if not certificate.options["limit"].get("refit"):
        return
    before = original.named_weights
    moved = sum(value != before[name] for name, value in pruned.named_weights.items())
    each = len(certificate.outputs) if original.observables is not None else 2 ** len(original.measured_qubits) - 1
    numbers = len(certificate.samples) * each
    if moved > numbers:
        yield (
            f"refit moved {moved} weights to fit {numbers} number{'s' * (numbers > 1)} ({len(certificate.samples)} "
            f"sample{'s' * (len(certificate.samples) > 1)}): they can be met by chance; list more inputs"
        )


def _spread(original: Task, pruned: Task, certificate: Certificate) -> Iterator[str]:
    """Budgets that a constant keeps, and outputs that have become one."""
    samples, budget = np.array(certificate.samples, dtype=np.intp), certificate.budget
    small = original.num_qubits <= SMALL_QUBITS and len(samples) << original.num_qubits <= SMALL_AMPLITUDES
    if original.observables is None or not small or not len(samples):
        return
    before, after = (final_outputs(task, sites_of(task), samples).means for task in (original, pruned))
    if not original.inputs.shape[1]:
        if budget and _is_kept_by_a_basis_state(original.observables, before[:, 0], budget):
            yield (
                f"a computational basis state, without entanglement and weights, keeps the budget {budget:g} too: for "
                "an energy in hartree, ask for chemical accuracy, 0.0016, or less"
            )
        return
    for name, was, still in zip(original.output_names, np.ptp(before, axis=1), np.ptp(after, axis=1), strict=True):
        if budget is not None and 0 < was <= 2 * budget:
            yield (
                f"output {name} varies by {was:.3g} over the samples: one that is always the same would keep the "
                f"budget {budget:g} as well"
            )
        elif still < STILL * was:
            yield f"output {name} varies by {still:.3g} over the samples, the original's by {was:.3g}"


def _is_kept_by_a_basis_state(observables: Sequence[SparsePauliOp], values: FloatArray, budget: float) -> bool:
    """Whether some basis state has every output within a budget of these values."""
    index = np.arange(2 ** observables[0].num_qubits)
    fits = np.ones(len(index), dtype=bool)
    for observable, value in zip(observables, values.tolist(), strict=True):
        diagonal = np.zeros(len(index))
        for pauli, coefficient in zip(observable.paulis, observable.coeffs.real, strict=True):
            if not pauli.x.any():
                mask = int(np.sum(1 << np.flatnonzero(pauli.z)))
                diagonal += coefficient * (1.0 - 2.0 * (np.bitwise_count(index & mask) % 2))
        fits &= np.abs(diagonal - value) <= budget
    return bool(fits.any())
