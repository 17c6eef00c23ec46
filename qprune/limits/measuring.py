"""Smaller circuits, judged by measuring them: what limits that remove and measure have in common."""

from __future__ import annotations

from qprune.errors import OptionError
from qprune.gates.sites import circuit_of
from qprune.limits.base import Rewritten
from qprune.limits.claims import deviations, doubt
from qprune.limits.compressor import Compressor
from qprune.limits.prepared import Prepared
from qprune.limits.removal import Measure, Reduced, remove_verified
from qprune.limits.settings import Settings
from qprune.selection.candidate import Candidate


def check_removal(name: str, settings: Settings, refit: bool) -> None:
    """Refuse settings under which gates cannot be removed and measured.

    Args:
        name: Of the limit, as users write it.
        settings: What was asked for besides.
        refit: Whether weights are moved.

    Raises:
        OptionError: Deviations would be measured with shots, representatives are asked for, or refit without states.
    """
    simulator = settings.simulated
    if simulator.measures:
        raise OptionError(f"{name} needs a simulator: deviations that were measured with shots are limited by nothing")
    if settings.representatives != "identity":
        raise OptionError(
            f"{name} removes gates by measured deviation; leave out representatives={settings.representatives!r}, or "
            "use Proven or Threshold"
        )
    if refit and not simulator.holds_states:
        raise OptionError(f"refit works on statevectors, got {simulator!r}; leave refit out, or use Statevector()")


def start_of(prepared: Prepared) -> Reduced:
    """The simplified original, from which nothing is gone yet."""
    task = prepared.task
    circuit = task.with_circuit(circuit_of(task, prepared.sites))
    return Reduced(task=circuit, sites=prepared.sites, deviation=0.0)


def identities(prepared: Prepared, reduced: Reduced) -> list[Candidate]:
    """Every prunable gate of a smaller circuit against the identity, on that circuit's own prefix states."""
    finder = prepared.compared(reduced.task, reduced.sites)
    return finder.identities([k for k, site in enumerate(reduced.sites) if prepared.is_prunable(site)])


def deviation_of(prepared: Prepared, reduced: Reduced) -> float:
    """Largest measured change of any output on any selected sample, and what an approximate simulator may hide."""
    task, before = prepared.task, prepared.prefix.outputs
    after = prepared.runner.outputs(reduced.task, reduced.sites, task.selected)
    found = deviations(before, after)
    if prepared.settings.simulated.approximates:
        found = found + doubt(task, before, after)
    return float(found.max())


def compressor_of(prepared: Prepared) -> Compressor:
    """Removal with refit, from a prepared circuit."""
    settings = prepared.settings
    return Compressor(
        prepared.task,
        prepared.sites,
        prepared.is_prunable,
        prepared.costs,
        settings.seed,
        settings.ordering.seeded(settings.seed),
        lambda reduced: identities(prepared, reduced),
    )


def removed(prepared: Prepared, budget: float, measure: Measure, start: Reduced | None = None) -> Reduced:
    """As many gates removed as a measure keeps within the budget, weights where they are."""
    settings = prepared.settings
    return remove_verified(
        start_of(prepared) if start is None else start,
        budget,
        lambda reduced: identities(prepared, reduced),
        measure,
        settings.ordering.seeded(settings.seed),
        settings.progress,
    )


def compressed(prepared: Prepared, budget: float) -> Reduced:
    """Gates removed and weights moved, such that no output of any selected sample changes by more than the budget."""
    plain = removed(prepared, budget, lambda reduced: deviation_of(prepared, reduced))
    # Several starts, as each may get stuck: the whole circuit, twice as proposals are drawn, and what goes without refit.
    compressor = compressor_of(prepared)
    searching = compressor.strategy.order([], []) is None
    starts = (None, None, compressor.adopt(plain)) if searching else (None, compressor.adopt(plain))
    ends = [compressor.compress(budget, start, progress=prepared.settings.progress) for start in starts]
    return min(ends, key=lambda reduced: (compressor.total_cost(reduced), reduced.deviation))


def replacements(prepared: Prepared, reduced: Reduced) -> list[Candidate]:
    """What a smaller circuit replaced, in terms of the simplified original: gates gone, and weights moved."""
    task = prepared.task
    weights = {p.name: v for p, v in zip(task.weight_params, task.weights.tolist(), strict=True)}
    moved = task.with_circuit(task.circuit, weights | reduced.weights)
    found = []
    for k, site in enumerate(prepared.sites):
        if set(site.origins) <= reduced.gone:
            found.append(prepared.finder.identity(k))
        elif site.role == "trainable" and (candidate := prepared.finder.moved(k, moved)) is not None:
            found.append(candidate)
    return found


def judged(
    prepared: Prepared,
    reduced: Reduced,
    budget: float | None = None,
    tried: tuple[tuple[float, float], ...] = (),
) -> Rewritten:
    """A smaller circuit as what a limit allowed; every gate was compared with the identity."""
    compared = prepared.finder.identities(prepared.prunable)
    return Rewritten(reduced, replacements(prepared, reduced), compared, budget, tried)
