"""The deviation between the samples: along a line through the worst input, and over the whole domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.gates.sites import sites_of
from qprune.geometry.trigonometric import norm_of
from qprune.limits.claim_everywhere import region_of
from qprune.limits.on_inputs import outputs_at
from qprune.report.plots import BOUND, LIMIT, MEASURED, axes_of, legend_above
from qprune.results.every_input import EveryInput
from qprune.results.result import PruneResult
from qprune.task.domain import resolved

POINTS = 201  # of a line
DRAWN = 2000  # inputs of the domain


@dataclass(frozen=True, eq=False)
class Slice:
    """The deviation of one output along one input, the others as at the worst input.

    Attributes:
        output: Name of the output.
        input: Name of the input that varies: the one along which the deviation varies most.
        values: Its values, shape (P,).
        deviations: |Δ| there, in the observable's unit (total variation for probabilities).
        samples: The input's values on the task's samples, shape (M,).
        sample_deviations: |Δ| on those samples, at their own other inputs.
        upper: Proven limit for every input.
        at: The worst input's value.
        lower: |Δ| there.
    """

    output: str
    input: str
    values: FloatArray
    deviations: FloatArray
    samples: FloatArray
    sample_deviations: FloatArray
    upper: float
    at: float
    lower: float


def slice_through_worst(result: PruneResult, worst: FloatArray | None = None) -> Slice:
    """Follow each input of the domain through the worst input, and keep the line along which most happens.

    Args:
        result: With a claim for every input (`qprune.everywhere`).
        worst: Another input through which the lines go, such as another result's; default the claim's own.

    Raises:
        OptionError: Nothing is claimed for every input.
    """
    claim, task = _claim(result), result.original
    r = int(np.argmax([output.lower for output in claim.outputs]))
    output = claim.outputs[r]
    through = np.array(output.worst) if worst is None else np.asarray(worst, dtype=float)
    domain = resolved(claim.domain, task.inputs)
    low, high = domain.low.min(axis=0), domain.high.max(axis=0)
    lines = np.tile(through, (len(low), POINTS, 1))
    for i in range(len(low)):
        lines[i, :, i] = np.linspace(low[i], high[i], POINTS)
    found = deviations_at(result, lines.reshape(-1, len(low)))[r].reshape(len(low), POINTS)
    best = int(np.argmax(np.ptp(found, axis=1)))
    return Slice(
        output=output.name,
        input=task.input_params[best].name,
        values=lines[best, :, best],
        deviations=found[best],
        samples=task.inputs[:, best],
        sample_deviations=deviations_at(result, task.inputs)[r],
        upper=output.upper,
        at=float(through[best]),
        lower=output.lower,
    )


def deviations_over_domain(result: PruneResult, count: int = DRAWN, seed: int = 0) -> FloatArray:
    """The largest deviation of any output at inputs drawn evenly from the claim's domain, shape (count,), ascending."""
    claim, rng = _claim(result), np.random.default_rng(seed)
    region = region_of(resolved(claim.domain, result.original.inputs))
    drawn = region.drawn(count, rng)
    return np.sort(deviations_at(result, drawn[region.contains(drawn)]).max(axis=0))


def deviations_at(result: PruneResult, inputs: FloatArray) -> FloatArray:
    """|Δ| of every output at any inputs, shape (R, M); one row of total variations for probabilities."""
    before, after = (outputs_at(task, sites_of(task), inputs)[0] for task in (result.original, result.task))
    if result.original.observables is None:
        return norm_of((after - before).T)[None]
    return np.abs(after - before)


def plot_slice(result: PruneResult, ax: Any = None, worst: FloatArray | None = None, **style: Any) -> Any:
    """Draw a slice: the deviation through the worst input, that on the samples, budget and proven limit.

    Args:
        result: As in `slice_through_worst`.
        ax: Matplotlib axes; default new ones.
        worst: As in `slice_through_worst`.
        style: For the curve, such as its label.

    Returns:
        The axes.
    """
    axes = axes_of(ax)
    line, budget = slice_through_worst(result, worst), result.certificate.budget
    (curve,) = axes.plot(line.values, line.deviations, **{"color": MEASURED, "label": "between the samples"} | style)
    axes.plot(line.samples, line.sample_deviations, ".", color=curve.get_color(), markersize=4, label="on the samples")
    if worst is None:
        axes.plot([line.at], [line.lower], "o", color=BOUND, markersize=5, label="worst input of the domain")
    if budget is not None:
        axes.axhline(budget, color=LIMIT, linestyle="--", linewidth=1, label="budget")
    axes.set_xlabel(f"input {line.input}")
    axes.set_ylabel(f"change of ⟨{line.output}⟩")
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return axes


def plot_over_domain(result: PruneResult, ax: Any = None) -> Any:
    """Draw how the deviation is spread over the domain: which share of its inputs moves an output by more than what.

    Args:
        result: As in `slice_through_worst`.
        ax: Matplotlib axes; default new ones.

    Returns:
        The axes.
    """
    axes = axes_of(ax)
    drawn, claim = deviations_over_domain(result), _claim(result)
    axes.plot(drawn, 100 * (1 - np.arange(len(drawn)) / len(drawn)), color=MEASURED, label="inputs of the domain")
    axes.axvline(result.certificate.largest_measured, color=LIMIT, linestyle="--", label="largest on the samples")
    axes.axvline(claim.upper, color=BOUND, label="proven for every input")
    axes.set_xlabel("change of an output")
    axes.set_ylabel("inputs that change it by more, %")
    axes.set_xlim(left=0)
    legend_above(axes)
    return axes


def _claim(result: PruneResult) -> EveryInput:
    claim = result.certificate.every_input
    if claim is None:
        raise OptionError("nothing is claimed of this result for every input; call qprune.everywhere(result) first")
    return claim
