"""Smaller circuits, judged by measuring them: what limits that remove and measure have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.gates.costs import cost_of
from qprune.gates.sites import circuit_of
from qprune.limits.base import Rewritten
from qprune.limits.claims import deviations, doubt
from qprune.limits.compressor import Compressor
from qprune.limits.growth import Growth
from qprune.limits.prepared import Prepared
from qprune.limits.progress import Watch
from qprune.limits.removal import Measure, Reduced, Screen, remove_verified
from qprune.limits.second_opinions import is_small, second_opinions
from qprune.limits.settings import Settings
from qprune.limits.trial import Judge, largest
from qprune.selection.candidate import Candidate
from qprune.selection.evidence import Surroundings
from qprune.selection.representatives import identities, identity, refitted
from qprune.selection.strategies.base import Strategy
from qprune.simulators.engine import Network
from qprune.simulators.readout import LARGEST_DISTRIBUTION

ENGINE_QUBITS = 14  # beyond, Aer is as fast


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


def removals(prepared: Prepared, reduced: Reduced) -> list[Candidate]:
    """Every prunable gate of a smaller circuit against the identity, on that circuit's own prefix states."""
    places = [k for k, site in enumerate(reduced.sites) if prepared.is_prunable(site)]
    return identities(prepared.offers_for(reduced.task, reduced.sites), places)


def deviation_of(prepared: Prepared, reduced: Reduced) -> float:
    """Largest measured change of any output on any selected sample, and how far that may be off."""
    task, before = prepared.task, prepared.prefix.outputs
    after = prepared.runner.outputs(reduced.task, reduced.sites, task.selected)
    return float((deviations(before, after) + doubt(task, before, after)).max())


def judgement(judge: Judge, prepared: Prepared, reduced: Reduced) -> float:
    """What a judge says of a smaller circuit's measured outputs."""
    task = prepared.task
    after = prepared.runner.outputs(reduced.task, reduced.sites, task.selected)
    return judge(after.means - prepared.prefix.outputs.means)


def watch_of(prepared: Prepared, within: Watch[Reduced] | None = None) -> Watch[Reduced]:
    """Watches a search: the least total cost is best, then the least deviation.

    Args:
        prepared: Its settings say for how long, and whether there is a line.
        within: A longer search that this one is part of; then that one's time and line count.
    """
    settings, costs = prepared.settings, prepared.costs
    return Watch(
        lambda reduced: (sum(cost_of(site, costs) for site in reduced.sites), reduced.deviation),
        settings.time_limit if within is None else None,
        settings.progress,
        within=within,
    )


def compressor_of(
    prepared: Prepared,
    watch: Watch[Reduced] | None = None,
    more: FloatArray | None = None,
    judge: Judge | None = None,
) -> Compressor:
    """Removal with refit, from a prepared circuit, under its own watch unless given; the rest as in `Compressor`."""
    settings, before = prepared.settings, prepared.prefix.outputs
    watch = watch_of(prepared) if watch is None else watch
    return Compressor(
        prepared.task,
        prepared.sites,
        prepared.is_prunable,
        prepared.costs,
        settings.seed,
        settings.ordering.seeded(settings.seed, surroundings(prepared, watch=watch)),
        lambda reduced: removals(prepared, reduced),
        float(doubt(prepared.task, before, before).max()) if judge is None else 0.0,
        watch,
        more,
        settings.simulated.threads,
        judge,
    )


def removed(
    prepared: Prepared,
    budget: float,
    measure: Measure,
    start: Reduced | None = None,
    watch: Watch[Reduced] | None = None,
    screen: Screen | None = None,
    in_outputs: bool = True,
    strategies: Sequence[Strategy] | None = None,
) -> Reduced:
    """As many gates removed as a measure keeps within the budget, weights where they are.

    The cheapest circuit of several strategies is taken: by default of the one that was asked for and, where nobody else
    proposes and looking is cheap, of second opinions. Under its own watch unless given one, whose end is then the
    caller's to see to. `in_outputs` says whether the budget is one of outputs, as strategies take it.
    """
    start = start_of(prepared) if start is None else start
    if watch is None:
        with watch_of(prepared) as watch:
            return removed(prepared, budget, measure, start, watch, screen, in_outputs, strategies)
        return replace(watch.best or start, cut=watch.cut)
    settings = prepared.settings
    around = surroundings(prepared, budget if in_outputs else None, watch)
    if strategies is None:
        strategies = [settings.ordering, *(second_opinions(prepared) if screen is not None else [])]
    offers = partial(removals, prepared)
    found = []
    for strategy in strategies:
        proposer = strategy.seeded(settings.seed, around)
        found.append(remove_verified(start, budget, offers, measure, proposer, watch, screen))
    return min(found, key=watch.rank)


def surroundings(prepared: Prepared, budget: float | None = None, watch: Watch[Reduced] | None = None) -> Surroundings:
    """What strategies are told beside the circuit at hand; without a budget where it is none of the outputs."""
    holds_states = prepared.settings.simulated.holds_states
    clock = () if watch is None else (watch.check, watch.left)
    return Surroundings(prepared.task, prepared.sites, prepared.costs, budget, holds_states, *clock)


def screen_of(prepared: Prepared, rows: FloatArray | None = None, judge: Judge | None = None) -> Screen | None:
    """Deviations by the compiled engine; None where states do not fit it, or outputs are too many for it.

    Args:
        prepared: The original.
        rows: Inputs to compare at, shape (M, number of inputs); what they let pass is still to be measured. Default:
            the selected samples, which decide.
        judge: As in `Fitter`; default: the largest deviation.
    """
    task, simulator = prepared.task, prepared.settings.simulated
    measured = len(task.measured_qubits) if task.observables is None else 0
    if not simulator.holds_states or task.num_qubits > ENGINE_QUBITS or measured > LARGEST_DISTRIBUTION:
        return None
    threads = simulator.threads
    target = Network(task, prepared.sites, rows=rows, threads=threads).values(task.weights)
    far = largest(task) if judge is None else judge

    def screen(reduced: Reduced) -> Callable[[Sequence[int]], float]:
        network = Network(reduced.task, reduced.sites, task.selected, rows=rows, threads=threads)

        def deviation(gone: Sequence[int]) -> float:
            return far(network.without(gone).values(reduced.task.weights) - target)

        return deviation

    return Screen(screen, decides=rows is None)


def measured(prepared: Prepared, budget: float, refit: bool, within: Watch[Reduced] | None = None) -> Reduced:
    """What `Measured` comes to.

    Args:
        prepared: The original.
        budget: As in `Measured`.
        refit: As in `Measured`.
        within: As in `watch_of`.
    """
    if refit:
        return compressed(prepared, budget, within)
    start = start_of(prepared)
    with watch_of(prepared, within) as watch:
        removed(prepared, budget, partial(deviation_of, prepared), start, watch, screen_of(prepared))
    return replace(watch.best or start, cut=watch.cut)


def compressed(
    prepared: Prepared, budget: float, within: Watch[Reduced] | None = None, judge: Judge | None = None
) -> Reduced:
    """Gates removed and weights moved, such that no output of any selected sample changes by more than the budget, or
    whatever else judges circuits lets them pass.

    The best of several searches, the cheapest first, as each may get stuck: what goes without refit, a circuit grown
    from nothing, and the whole circuit. A time limit is shared out to them, as on a large circuit the first alone, of
    which least goes, would use it up.

    Args:
        prepared: The original.
        budget: Largest deviation of any output on any selected sample, or what a judge may say at most.
        within: As in `watch_of`.
        judge: What circuits are judged by instead of the largest deviation.
    """
    start = start_of(prepared)
    measure = partial(deviation_of if judge is None else partial(judgement, judge), prepared)
    with watch_of(prepared, within) as watch:
        compressor = compressor_of(prepared, watch, judge=judge)
        with watch.part(3 + compressor.searches):
            screen = screen_of(prepared, judge=judge)
            remove = partial(removed, prepared, budget, measure, start, watch, screen, judge is None)
            remove([prepared.settings.ordering])  # second opinions take time, and hardly ever lead the search elsewhere
        plain = watch.best or start
        if watch.says_how_long:  # else a Jacobian or two for nothing
            watch.expect(compressor.expected())
        if compressor.searches:
            grown = list[Reduced]()
            with watch.part(2):  # of all ways together: where the first, the cheapest, is cut, the others would be too
                for found in Growth(compressor, prepared.settings.seed).ways(budget):
                    grown.append(found)  # one by one: the time may end before the last
            for begin in sorted(grown, key=watch.rank)[:1]:
                few = 2 * _entangling(begin) <= _entangling(start)
                with watch.part(2):
                    compressor.compress(budget, begin, block=1 if few else None)
        else:
            with watch.part(2):
                compressor.compress(budget, compressor.adopt(watch.best or start))
        # Where time is short the whole would not be got through either: it goes on from the best so far.
        compressor.compress(budget, compressor.adopt(watch.best) if watch.cut and watch.best else None)
        best = watch.best or start
        others = second_opinions(prepared) if screen is not None else []
        gained_little = 2 * compressor.rank(best)[0] > compressor.rank(plain)[0]
        if others and (gained_little or is_small(prepared)):  # so that no refit hardly ever leaves less
            remove(others)
            if watch.best is not best:
                compressor.compress(budget, compressor.adopt(watch.best or start))
    return replace(watch.best or start, cut=watch.cut)


def _entangling(reduced: Reduced) -> int:
    return sum(len(site.qubits) > 1 for site in reduced.sites)


def replacements(prepared: Prepared, reduced: Reduced) -> list[Candidate]:
    """What a smaller circuit replaced, in terms of the simplified original: gates gone, and weights moved."""
    moved = prepared.task.with_weights(prepared.task.named_weights | reduced.task.named_weights)
    found = []
    for k, site in enumerate(prepared.sites):
        if set(site.origins) <= reduced.gone:
            found.append(identity(prepared.offers, k))
        elif site.role == "trainable" and (candidate := refitted(prepared.offers, k, moved)) is not None:
            found.append(candidate)
    return found


def judged(
    prepared: Prepared,
    reduced: Reduced,
    budget: float | None = None,
    tried: tuple[tuple[float, float], ...] = (),
) -> Rewritten:
    """A smaller circuit as what a limit allowed; every gate was compared with the identity."""
    compared = identities(prepared.offers, prepared.prunable)
    return Rewritten(reduced, replacements(prepared, reduced), compared, budget, tried)
