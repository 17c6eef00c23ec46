"""The result of pruning: the smaller circuit, the plan that made it and the certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qprune._arrays import FloatArray
from qprune._text import aligned, at_most, html_table
from qprune.errors import OptionError
from qprune.results.absorbed import absorbed_lines, given_hash
from qprune.results.cautions import cautions_of
from qprune.results.certificate import BOUND, EVERY_INPUT, Certificate
from qprune.results.hashes import circuit_hash, record_hash, task_hash
from qprune.simulators.choices import MatrixProductState
from qprune.task.portable import reduced
from qprune.task.task import Task

ACTIONS = ("keep", "remove", "replace", "simplify")
IN_PART = "identity, in part"  # what replaces a gate some of whose rotations went, the others staying


@dataclass(frozen=True)
class PlanEntry:
    """What happened to one gate of the original circuit (after decomposition of composite gates).

    Attributes:
        index: Place in the original.
        gate: Name.
        qubits: Qubits in the gate's own order.
        role: "encoding", "trainable" or "fixed".
        action: "keep", "remove" or "replace" (approximate, under the bound), or "simplify" (exact).
        detail: The representative, or the exact simplification. A gate that is several rotations in Pauli form, some of
            which went, is replaced by `IN_PART`.
        subgroup: The class it was compared in, "" outside the catalogue.
        distance: d_q to the identity, or to the representative that replaced it; None where it was not compared.
        angle: Largest undeformed angle θ over the samples, radians; likewise.
        tolerance: ε_k, or None in budget mode.
        distance_low: Lower limit of d_q where it was measured; `distance` is then the upper limit.
        fixes: Weights that moved the gate and are numbers in what resynthesis put in its place.
    """

    index: int
    gate: str
    qubits: tuple[int, ...]
    role: str
    action: str
    detail: str
    subgroup: str
    distance: float | None
    angle: float | None
    tolerance: float | None
    distance_low: float | None = None
    fixes: tuple[str, ...] = ()

    @property
    def distance_text(self) -> str:
        """d_q for people; an interval where it was measured."""
        if self.distance is None:
            return ""
        return f"{self.distance:.3g}" if self.distance_low is None else f"{self.distance_low:.3g} … {self.distance:.3g}"


@dataclass(frozen=True, eq=False)
class PruneResult:
    """What `prune` returns.

    Attributes:
        original: The task that was pruned.
        flat: Its circuit with composite gates decomposed: what `plan` counts.
        simplified: The circuit after exact simplification only.
        task: The pruned network as a task: same ensemble, observables and split.
        plan: One entry per gate of `flat`.
        certificate: What is proven and measured.
        accuracy: Accuracy before and after on the task's labels, None without labels.
        given: The task before its last gates became part of what is measured; None where that was not asked for.
        files: Of a result that was read: SHA-256 of every file of its folder by path, but for the certificate's own.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Measured(0.01))
        >>> result.flat.size(), result.circuit.size(), [entry.action for entry in result.plan]
        (3, 2, ['keep', 'keep', 'remove'])
    """

    original: Task
    flat: QuantumCircuit
    simplified: QuantumCircuit
    task: Task
    plan: tuple[PlanEntry, ...]
    certificate: Certificate
    accuracy: tuple[float, float] | None
    given: Task | None = None
    files: Mapping[str, str] | None = None

    @property
    def circuit(self) -> QuantumCircuit:
        """The pruned circuit; surviving weights and inputs are free Parameters."""
        return self.task.circuit

    @property
    def weights(self) -> FloatArray:
        """Values of the surviving weights, in the order of `task.weight_params`."""
        return self.task.weights

    @property
    def weight_map(self) -> tuple[int | None, ...]:
        """For each weight of the original its index among the surviving ones, or None."""
        place = {p: j for j, p in enumerate(self.task.weight_params)}
        return tuple(place.get(p) for p in self.original.weight_params)

    @property
    def fixed_weights(self) -> tuple[str, ...]:
        """Names of the weights that became numbers by resynthesis and move no gate any more."""
        fixed = {name for entry in self.plan for name in entry.fixes} - {p.name for p in self.task.weight_params}
        return tuple(p.name for p in self.original.weight_params if p.name in fixed)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers should know besides: budgets broken between the samples, or so large that a
        constant keeps them; outputs that depend on nothing any more; refit with too few samples. Empty if nothing."""
        return cautions_of(self.original, self.task, self.certificate)

    def __str__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        """How notebooks show it."""
        told = [*_every_input(self), *_holdout(self), *(f"WARNING: {caution}" for caution in self.warnings)]
        lines = "".join(f"<li>{escape(' '.join(line.split()))}</li>" for line in told)
        more = f"<ul>{lines}</ul>" if lines else ""
        return f"<p><b>{escape(verdict(self))}</b></p>{html_table(table_rows(self), numbers=(1, 2, 3))}{more}"

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def __repr__(self) -> str:
        return (
            f"PruneResult({self.flat.size()} → {self.circuit.size()} gates, "
            f"bound {self.certificate.largest_bound:.4g}, measured {self.certificate.largest_measured:.4g})"
        )


def checked_result(given: object) -> PruneResult:
    """What was given, if it is a result."""
    if not isinstance(given, PruneResult):
        raise OptionError(
            f"result must be what qprune.prune returned, got {type(given).__name__}; a pruned QNode has it as .result, "
            "and its own save(…)"
        )
    return given


def recorded(result: PruneResult) -> PruneResult:
    """The result with the hashes of its records in the certificate."""
    return replace(result, certificate=replace(result.certificate, records=records_of(result)))


def records_of(result: PruneResult) -> dict[str, str]:
    """SHA-256 of what a result holds besides what the certificate says, by name (`Certificate.records`)."""
    told = {name: record_hash(record) for name, record in told_of(result).items()}
    return {**told, "flat": circuit_hash(result.flat), "pruned": task_hash(result.task), **given_hash(result.given)}


def told_of(result: PruneResult) -> dict[str, Any]:
    """Accuracy and plan as JSON holds them."""
    return {"accuracy": result.accuracy, "plan": [asdict(entry) for entry in result.plan]}


def plan_actions(plan: Sequence[PlanEntry]) -> dict[str, int]:
    """How many gates each action took."""
    counts = dict.fromkeys(ACTIONS, 0)
    for entry in plan:
        counts[entry.action] += 1
    return counts


def table_rows(result: PruneResult) -> list[tuple[str, ...]]:
    """The before/after table as rows of four cells, header first."""
    circuits = (result.flat, result.simplified, result.circuit)
    rows: list[tuple[str, ...]] = [("", "original", "exact", "pruned")]
    rows += [
        ("gates", *(str(c.size()) for c in circuits)),
        ("two-qubit gates", *(str(two_qubit_gates(c)) for c in circuits)),
        ("depth", *(str(c.depth()) for c in circuits)),
        ("trainable weights", *(str(_weights_left(result.original, c)) for c in circuits)),
    ]
    if (noise := result.certificate.noise) is not None:
        rows.append(("noise infidelity Σ r", *(f"{total:.4g}" for total in noise.totals)))
    if result.accuracy is not None:
        before, after = result.accuracy
        rows.append(("accuracy", f"{before:.4f}", f"{before:.4f}", f"{after:.4f}"))
    return rows


def table(result: PruneResult) -> str:
    """Before/after table with the proven bound beside the measured deviation."""
    return "\n".join([*aligned(table_rows(result), numbers=(1, 2, 3), rule=True), "", *claims(result)])


def verdict(result: PruneResult) -> str:
    """The result in a sentence: how much smaller, how far off at most and how that is known, what became of accuracy.

    Nothing in it was verified: `qprune.verify` does that.
    """
    parts = [", ".join(_smaller(result)), _within(result)]
    if result.accuracy is not None:
        before, after = result.accuracy
        parts.append(f"accuracy {before:.4g} → {after:.4g} on {_samples(result.original.num_samples)} with labels")
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def _smaller(result: PruneResult) -> list[str]:
    before, after = result.flat.size(), result.circuit.size()
    if before == after:
        return ["nothing could be removed"]
    sizes = [f"{100 * (before - after) / before:.0f} % fewer gates ({before} → {after})"]
    many = two_qubit_gates(result.flat)
    gone = many - two_qubit_gates(result.circuit)
    return [*sizes, f"{gone} of {many} two-qubit gates gone"] if many else sizes


def _within(result: PruneResult) -> str:
    """How far off at most, by the strongest claim that there is."""
    certificate = result.certificate
    what = "the probabilities change" if certificate.outputs == ("probabilities",) else "no output changes"
    by = "in total variation by at most" if what.startswith("the") else "by more than"
    if (claim := certificate.every_input) is not None:
        return f"for every input {claim.domain.words}, {what} {by} {at_most(claim.upper)}: proven"
    on = f"on {_samples(len(certificate.samples))}, " if result.original.inputs.shape[1] else ""
    if certificate.judged_by == BOUND:
        return f"{on}{what} {by} {at_most(certificate.largest_bound)}: proven"
    between = "; between them nothing is known" if on else ""
    return f"{on}{what} {by} {at_most(certificate.largest_measured)}: measured{between}"


def _samples(number: int) -> str:
    return "the one sample" if number == 1 else f"{number} samples"


def claims(result: PruneResult) -> list[str]:
    """What is proven and measured, in lines; a line that details the one before is indented."""
    warned = [f"WARNING: {caution}" for caution in result.warnings]
    return [*_claims(result), *_every_input(result), *_gain(result), *_holdout(result), *warned]


def _claims(result: PruneResult) -> list[str]:
    certificate = result.certificate
    lines = [
        f"{len(certificate.replaced)} gates replaced approximately, "
        f"{sum(r.by == 'identity' for r in certificate.replaced)} of them removed; all other changes are exact",
        *_cut_short(certificate),
        *absorbed_lines(result.given, result.original),
        *_fixed(result.fixed_weights),
        f"largest {deviation_name(result)} over {len(certificate.samples)} samples",
        *_largest(certificate, has_inputs=bool(result.original.inputs.shape[1])),
    ]
    lines += _expectations(certificate)
    predictions = [row for row in certificate.certified_predictions if row is not None]
    if predictions and certificate.samples:
        kept = int(np.all(predictions, axis=0).sum())
        lines.append(f"  predictions that provably cannot flip (T4): {kept} of {len(certificate.samples)}")
    return lines


def _cut_short(certificate: Certificate) -> list[str]:
    cut = certificate.options.get("cut_short")
    return [f"the search was cut short ({cut}): this is the best that it had found by then"] if cut else []


def _largest(certificate: Certificate, has_inputs: bool) -> list[str]:
    """What is proven and what was measured; what the limit was on comes first."""
    measured = f"  measured     {certificate.largest_measured:.6g}"
    if certificate.judged_by == BOUND:
        share = "" if certificate.tightness is None else f"   ({100 * certificate.tightness:.1f} % of the bound)"
        return [f"  proven (T2)  {certificate.largest_bound:.6g}", measured + share]
    budget = certificate.options["limit"].get("budget")
    within = "" if budget is None else f"   (budget {budget:g})"
    if certificate.judged_by == EVERY_INPUT:
        return [measured, f"  proven (T2)  {certificate.largest_bound:.6g}"]
    if is_proven(certificate):
        return [measured + within, f"  proven (T2)  {certificate.largest_bound:.6g}"]
    if certificate.every_input is not None or not has_inputs:
        return [measured + within]
    return [measured + within, "  not limited by proof: of other inputs than these samples this says nothing"]


def _every_input(result: PruneResult) -> list[str]:
    """What is proven between the samples, too (T9)."""
    certificate = result.certificate
    claim, budget = certificate.every_input, certificate.budget
    if claim is None:
        return []
    within = f"   (budget {budget:g})" if budget is not None else ""
    lines = [
        f"every input of the domain, {claim.domain!r}",
        f"  proven (T9)  {claim.upper:.6g}{within}",
        f"  attained     {claim.lower:.6g}, at the input {', '.join(f'{x:.4g}' for x in claim.worst)}",
    ]
    for output in claim.outputs:
        if output.certain_share is not None:
            data = "" if output.certain_data is None else f" and {output.certain_data:.1%} of the data in it"
            lines.append(
                f"  no prediction with |⟨{output.name}⟩| > {output.upper:.4g} can change: about "
                f"{output.certain_share:.1%} of the domain{data}"
            )
    return lines


def is_proven(certificate: Certificate) -> bool:
    """Whether the bound says what was asked for: it was what the limit was on, or keeps within the budget besides."""
    budget = certificate.budget
    return certificate.judged_by == BOUND or (budget is not None and certificate.largest_bound <= budget)


def _fixed(names: Sequence[str]) -> list[str]:
    return [f"  resynthesis fixed {len(names)} weight{'s' * (len(names) > 1)}: {', '.join(names)}"] if names else []


def _gain(result: PruneResult) -> list[str]:
    """What pruning saves under the noise it was calibrated to, against what it costs without noise."""
    noise = result.certificate.noise
    if noise is None:
        return []
    _, before, after = noise.totals
    angle = max((max(row) for row in result.certificate.angle if row), default=0.0)
    where = "" if noise.layout is None else f", qubits {', '.join(map(str, noise.layout))}"
    lines = [
        f"predicted gain under {noise.source}{where}",
        f"  noise infidelity saved  {before - after:.6g}   (Σ r of what went)",
        f"  coherent infidelity     at most {np.sin(angle) ** 2:.6g}   (sin²Θ, T2; with gates replaced, before exact",
        "                          changes that follow: those change states further, but no output)",
    ]
    if noise.predicted is not None:
        noisy, pruned = noise.predicted
        which = f"mean {deviation_name(result)} on the device, predicted without coherent errors"
        lines.append(f"  {which}  {noisy:.4g} → {pruned:.4g}")
    if (at := noise.at_shots) is not None:
        (error, then), (needed, fewer) = at.error, at.needed
        lines.append(
            f"  at {at.shots} shots, corrected by slope and shift: error of an output  {error:.3g} → {then:.3g}"
        )
        lines.append(f"  shots for a standard error of 1 % of half the spectrum: {needed:.0f} → {fewer:.0f}")
    if noise.noiseless:
        lines.append(f"  noiseless in this model: {', '.join(noise.noiseless)}")
    return lines


def _expectations(certificate: Certificate) -> list[str]:
    """Where the numbers come from, unless from statevectors."""
    known = certificate.expectations
    if known.failure:
        return [
            f"  from {known.estimates} measured expectation values, all within {known.error:.3g} of the exact with",
            f"  probability {1 - known.failure:.6g} (T8); the bound and what is called measured allow for it",
        ]
    if certificate.options["simulator"]["name"] == MatrixProductState.name:
        return [
            f"  from matrix product states: expectation values within {known.error:.3g}, of which truncation "
            f"{2 * known.truncation:.3g} (T7); the bound and what is called measured allow for it"
        ]
    return []


def _holdout(result: PruneResult) -> list[str]:
    claim = result.certificate.holdout
    if claim is None:
        return []
    lines = [
        f"hold-out: {claim.samples} samples that selection never saw; each claim at confidence {1 - claim.delta:.0%}",
        f"  measured     mean {claim.mean:.6g}, largest {claim.largest:.6g}",
        f"  unseen inputs (T5): expected deviation ≤ {claim.expected_upper:.6g}",
    ]
    if claim.flip_rate_upper is not None:
        lines.append(f"  {claim.flips} predictions flipped; flip rate on unseen inputs ≤ {claim.flip_rate_upper:.4g}")
    return lines


def _weights_left(task: Task, circuit: QuantumCircuit) -> int:
    return sum(circuit.has_parameter(p) for p in task.weight_params)


def two_qubit_gates(circuit: QuantumCircuit) -> int:
    """Number of gates on two or more qubits."""
    return int(circuit.num_nonlocal_gates())


def deviation_name(result: PruneResult) -> str:
    """What the deviations of a result are deviations of."""
    return "total variation" if result.certificate.outputs == ("probabilities",) else "deviation of an observable"
