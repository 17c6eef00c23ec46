"""Verified removal with refit: gates go to the identity while the weights of the others make up for it.

Entangling gates go first, in blocks, as all rotations can still compensate; then rotations. A circuit is kept if the
largest deviation of any output on any selected sample is within the budget, and for that the weights are fitted to
the largest deviation, not to the mean; or if what judges it instead says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._threads import one_thread
from qprune.gates.costs import Costs, cost_of
from qprune.gates.sites import Site, circuit_of
from qprune.limits.progress import Watch
from qprune.limits.refit import saliencies, with_mixtures
from qprune.limits.removal import LEAST_COST, Reduced, by_distance
from qprune.limits.trial import FIT_GAIN, FIT_STEPS, SCREEN_STEPS, Fitter, Judge, Trial
from qprune.selection.candidate import Candidate
from qprune.selection.select import longest_prefix
from qprune.selection.strategies.base import Proposal, Proposer
from qprune.simulators.engine import check_engine_memory
from qprune.task.task import Task

PROPOSALS = 6  # blocks of entangling gates tried at each size
LOOK_AHEAD = 8  # single entangling gates tried in full, the best by first-order prediction
STEPWISE = 4  # likewise, where gates go one after another and no budget says how many
# Samples to look ahead on, where there are twice as many: this many at least, or with so many amplitudes together.
LEAST_AHEAD, AMPLITUDES_AHEAD = 32, 2**13
TOGETHER = 0.08  # share of the rotations left that leave at once on the way
BEYOND = 8.0  # times the budget: how far the removal of rotations is followed
FINALISTS = 2  # of these, how many are fitted to the end
LEAST_SQUARE = 1e-9  # squared change of all outputs below which gates are alike, in units of half the widest spectrum
FITS_PER_GATE = 50  # Jacobians in whose time a whole search ends, for every gate: 20 to 60 on the reference networks
OVERHEAD = 5e-4  # seconds of everything else for each of them
SAMPLES_PER_WEIGHT = 2  # size of the ensemble that weights are fitted on; mixtures of inputs fill it up


class Compressor:
    """Drives gates to the identity while the others compensate.

    Args:
        task: The simplified circuit's task.
        sites: Its gates.
        prunable: Which gates may go.
        costs: As in `prune`.
        seed: Of the mixtures of inputs and of the blocks that are tried.
        strategy: Gives sets and an order, or leaves it to look-ahead and saliency.
        candidates: Compares the gates of a circuit with the identity; asked only for a strategy's order.
        doubt: How far measured deviations may be off, in the observables' unit; so much of a budget is not spent.
        watch: Told of every circuit that keeps the budget, and asked whether to go on.
        more: Inputs to fit on besides the samples, shape (…, D); default: mixtures of these, as many as weights need.
        threads, judge: As in `Fitter`; by `judge` count budgets and deviations everywhere here.

    Raises:
        TaskError: The states of the whole ensemble do not fit into memory.
    """

    def __init__(
        self,
        task: Task,
        sites: Sequence[Site],
        prunable: Callable[[Site], bool],
        costs: Costs,
        seed: int,
        strategy: Proposer,
        candidates: Callable[[Reduced], list[Candidate]],
        doubt: float = 0.0,
        watch: Watch[Reduced] | None = None,
        more: FloatArray | None = None,
        threads: int = 1,
        judge: Judge | None = None,
    ) -> None:
        self.prunable, self.costs, self.strategy, self.candidates = prunable, costs, strategy, candidates
        self.rng, self.doubt = np.random.default_rng(seed), doubt
        selected = len(task.selected)
        missing = SAMPLES_PER_WEIGHT * len(task.weights) - selected
        count = max(missing, 0) if selected > 1 and task.inputs.shape[1] else 0
        if more is None:
            ensemble = with_mixtures(task, count, seed)
        else:
            ensemble = task.with_inputs(np.concatenate([task.inputs[task.selected], more]))
        touched = {q for site in sites for q in site.qubits}
        qubits = max(1, len(touched.union(*task.output_supports)))
        few = max(LEAST_AHEAD, AMPLITUDES_AHEAD >> qubits)
        self._seed, self._few = seed, few if 2 * few <= selected else None
        ensembles = [len(ensemble.selected), *([self._few] if self._few else [])]
        check_engine_memory(task, sites, qubits, ensembles, threads)
        self.original = Reduced(ensemble.with_circuit(circuit_of(task, tuple(sites))), tuple(sites), 0.0)
        self.unit = task.largest_change / 2 or 1.0
        self.least_cost = LEAST_COST * max(map(self.cost, sites), default=0) or 1.0
        self.watch = Watch(self.rank) if watch is None else watch
        self.fitter = Fitter(self.original, ensemble.selected, selected, self.watch.check, threads, judge)
        self.block = self.chunk = len(sites)
        self.failed = set[tuple[int, ...]]()  # gates whose loss, each by itself, broke the budget

    def expected(self) -> float:
        """Seconds that all searches take together, to within a factor of a few, from the time of one Jacobian here."""
        start = self.fitter.start(self.original)
        start.network.jacobian(start.weights)  # compiles, if need be
        began = perf_counter()
        start.network.jacobian(start.weights)
        return FITS_PER_GATE * len(self.original.sites) * (perf_counter() - began + OVERHEAD)

    @property
    def looks_at_all(self) -> bool:
        """Whether candidates are compared on all samples; else looking ahead is so dear that a part must do."""
        return self._few is None

    @cached_property
    def scout(self) -> Fitter:
        """Looks ahead: the fitter, or one on a part of the selected samples, drawn by the seed."""
        if self._few is None:
            return self.fitter
        some = np.sort(np.random.default_rng((self._seed, 2)).permutation(self.fitter.judged)[: self._few])
        return Fitter(self.original, self.fitter.samples[some], self._few, self.watch.check, self.fitter.threads)

    def ahead(self, start: Trial) -> Trial:
        """A circuit as it is, on the samples that are looked ahead on."""
        return start if self.looks_at_all else self.scout.start(start.base)

    @property
    def searches(self) -> bool:
        """Whether the order of removal is this search's own, not a strategy's."""
        return self.strategy.searches

    def compress(self, budget: float, start: Reduced | None = None, *, block: int | None = None) -> Reduced:
        """Entangling gates, then rotations, until nothing fits.

        Args:
            budget: Largest deviation of any output on any selected sample, or what else is judged by.
            start: Where to go on from; default: the simplified original.
            block: Entangling gates to try at once at first; default: half of them.

        Raises:
            OutOfTime: The watch's time is up; it has the best circuit so far.
        """
        budget -= self.doubt  # the last word is Aer's, which may round otherwise
        stages = [self._fewer_entangling_gates, self._fewer_rotations, self._fewer_by_distance]
        if not self.searches:
            stages = [self._fewer_in_order]
        current = self.original if start is None else start
        self.watch.look(current)
        self.block = len(current.sites) if block is None else block
        self.failed = set[tuple[int, ...]]()
        with one_thread():
            while True:
                before = current
                for stage in stages:
                    self.chunk = len(current.sites)
                    while (smaller := stage(current, budget)) is not None:
                        self.watch.look(smaller)
                        current = smaller
                if current is before:
                    return current

    def dismantled(self, score: Callable[[Reduced], float]) -> Iterator[Reduced]:
        """From the whole circuit, one entangling gate after another, until none is left, the weights following.

        Each time it is that of the few that cost the least mean square per cost saved, by first order, which
        scores best. Weights are fitted to the mean square, which is what outputs of a device are judged by.

        Args:
            score: The less, the better the circuit.
        """
        current = self.original
        while True:
            start = self.fitter.start(current)
            gates, predicted = self._predicted(self.fitter, start)
            if not len(gates):
                return
            few = gates[np.argsort(predicted, kind="stable")[:STEPWISE]].tolist()
            tried = [self.fitter.turned_down(start, [k], [0]) for k in few]
            best = min(tried, key=lambda trial: score(trial.reduced))
            current = self.fitter.fitted(best, FIT_STEPS, gain=FIT_GAIN).reduced
            yield current

    def without_rotations(self, start: Trial, share: float = 0.0) -> Iterator[Trial]:
        """From a circuit, its rotations, a few at a time, least salient per cost first, weights fitted a little.

        Args:
            start: The circuit.
            share: Of those left, how many leave at once; at least one.
        """
        current = start
        while order := self._by_saliency(current):
            few = order[: max(1, int(share * len(order)))]
            current = self.fitter.fitted(start.without([*current.gone, *few], current.weights), SCREEN_STEPS)
            yield current

    def adopt(self, reduced: Reduced) -> Reduced:
        """A circuit that was reduced elsewhere, as a place to start from."""
        return replace(reduced, task=self.original.task.with_circuit(reduced.task.circuit, reduced.task.named_weights))

    def fitted_again(self, reduced: Reduced, budget: float) -> Reduced:
        """A circuit that was reduced elsewhere, its weights fitted to this ensemble; its gates stay."""
        with one_thread():
            return self.fitter.fitted_within(self.fitter.start(self.adopt(reduced)), budget).reduced

    def promising(self, reduced: Reduced) -> list[int]:
        """Places of all gates that may go, those first whose loss costs the least mean square per cost saved."""
        with one_thread():
            gates, predicted = self._predicted(self.fitter, self.fitter.start(self.adopt(reduced)), rotations=True)
        return gates[np.argsort(predicted, kind="stable")].tolist()

    def lowered(self, reduced: Reduced, gone: Sequence[int], budget: float) -> Reduced:
        """A circuit without some of its gates, turned down in small steps, its weights fitted to this ensemble."""
        with one_thread():
            start = self.fitter.start(self.adopt(reduced))
            down = self.fitter.turned_down(start, sorted(gone), [0] * len(gone))
            return self.fitter.fitted_within(down, budget).reduced

    def rank(self, reduced: Reduced) -> tuple[float, float]:
        """What a search makes as small as it can."""
        return sum(map(self.cost, reduced.sites)), reduced.deviation

    def cost(self, site: Site) -> float:
        return cost_of(site, self.costs)

    # -- entangling gates ------------------------------------------------------------------------------------

    def _fewer_entangling_gates(self, current: Reduced, budget: float) -> Reduced | None:
        """A block of entangling gates, and of others that no weight moves, half the size each time none fits."""
        start = self.fitter.start(current)
        ahead = self.ahead(start)
        gates, predicted = self._predicted(self.scout, ahead)
        order = np.argsort(predicted, kind="stable")
        self.block = min(self.block, max(1, len(gates) // 2))
        while self.block > 1:
            # Blocks drawn in proportion to 1/predicted: taken together, gates do other things than one by one.
            drawn = [np.argsort(predicted - self.rng.gumbel(size=len(gates))) for _ in range(PROPOSALS - 1)]
            blocks = [order[: self.block], *(p[: self.block] for p in drawn)]
            turns = [[0] * self.block, *self.rng.integers(0, 2, (len(drawn), self.block)).tolist()]
            sets = [sorted(gates[p].tolist()) for p in blocks]
            tried = [self.scout.turned_down(ahead, gone, t) for gone, t in zip(sets, turns, strict=True)]
            if (smaller := self._best(start, tried, budget)) is not None:
                return smaller
            self.block //= 2
        few = gates[order[:LOOK_AHEAD]].tolist()
        return self._best(start, [self.scout.turned_down(ahead, [k], [turn]) for k in few for turn in (0, 1)], budget)

    def _predicted(self, fitter: Fitter, start: Trial, rotations: bool = False) -> tuple[NDArray[np.intp], FloatArray]:
        """Gates that no weight moves, or on several qubits, or all, and the log of their loss per cost saved."""
        found, moved = {}, np.asarray(start.network.slopes.any(axis=1))
        for k, site in enumerate(start.base.sites):
            if self.prunable(site) and (rotations or len(site.qubits) > 1 or not moved[k]):
                square = fitter.predicted_square(start.without([k]))
                found[k] = np.log(max(square / self.unit**2, LEAST_SQUARE) / max(self.cost(site), self.least_cost))
        return np.array(list(found), dtype=int), np.array(list(found.values()))

    def _best(self, start: Trial, tried: Sequence[Trial], budget: float) -> Reduced | None:
        """The cheapest of the best few that fit once their weights are fitted to the end."""
        finalists = sorted(tried, key=self.fitter.promise)[:FINALISTS]
        fitted = [self.fitter.fitted_within(start.without(t.gone, t.weights), budget) for t in finalists]
        fitting = [trial.reduced for trial in fitted if trial.deviation <= budget]
        return min(fitting, key=self.rank, default=None)

    # -- rotations -------------------------------------------------------------------------------------------

    def _fewer_rotations(self, current: Reduced, budget: float) -> Reduced | None:
        """Along a path, always the least salient per cost, as far as the budget is kept; else the first that fits."""
        start = self.fitter.start(current)
        path, fitted = self._path(start, budget), dict[int, Trial]()

        def fits(count: int) -> bool:
            fitted[count] = self.fitter.fitted_within(path[count - 1], budget)
            return fitted[count].deviation <= budget

        if count := longest_prefix(len(path), fits):
            return fitted[count].reduced
        return self._first_that_fits(start, self._by_saliency(start), budget)

    def _path(self, start: Trial, budget: float) -> list[Trial]:
        """Without a few rotations more each time, weights fitted a little, until that is far beyond the budget."""
        path, further = [start], self.without_rotations(start, TOGETHER)
        least = 0.0 if self.fitter.by_deviation else 1 / self.fitter.judged  # a sample, where each is right or wrong
        while path[-1].deviation <= BEYOND * max(budget, least) and (trial := next(further, None)) is not None:
            path.append(trial)
        return path[1:]

    def _by_saliency(self, trial: Trial) -> list[int]:
        """Rotations that are left, by what their loss costs per cost saved."""
        sites = trial.base.sites
        loss = saliencies(trial.network, trial.weights, sites)
        return sorted(
            (k for k in loss if self.prunable(sites[k])),
            key=lambda k: loss[k] / max(self.cost(sites[k]), self.least_cost),
        )

    def _fewer_by_distance(self, current: Reduced, budget: float) -> Reduced | None:
        """By prefix distance: it still tells gates apart where outputs are stationary, as at the minimum of a VQE."""
        return self._first_that_fit(self.fitter.start(current), by_distance(self.candidates(current)), budget)

    def _fewer_in_order(self, current: Reduced, budget: float) -> Reduced | None:
        """What the strategy would take, entangling gates and rotations alike: a set, then blocks of its order."""
        found = self.candidates(current)
        told = budget if self.fitter.by_deviation else None  # strategies take it for one of outputs
        proposal = self.strategy.propose(found, current.sites, current.task, told) or Proposal()
        whole = self.fitter.start(current)
        best = whole
        for some in proposal.sets:
            smaller = self.fitter.fitted_within(whole.without([found[j].place for j in some]), budget)
            if smaller.deviation <= budget:
                best = smaller
                break
        order = [k for j in proposal.order if (k := found[j].place) not in best.gone]
        size, failed = max(1, len(order) // 4), 0
        while order and failed < LOOK_AHEAD:
            block = order[:size]
            smaller = self.fitter.fitted_within(whole.without([*best.gone, *block], best.weights), budget)
            if smaller.deviation <= budget:
                best, order, failed = smaller, order[size:], 0
            elif size > 1:
                size //= 2
            else:
                order, failed = order[1:], failed + 1
        return best.reduced if best.gone else None

    def _first_that_fit(self, start: Trial, order: list[int], budget: float) -> Reduced | None:
        """The first quarter of an order, or half of that and so on; else the first of the next few by itself."""
        self.chunk = min(self.chunk, max(1, len(order) // 4))
        while self.chunk > 1:
            smaller = self.fitter.fitted_within(start.without(order[: self.chunk]), budget)
            if smaller.deviation <= budget:
                return smaller.reduced
            self.chunk //= 2
        return self._first_that_fits(start, order, budget)

    def _first_that_fits(self, start: Trial, order: Sequence[int], budget: float) -> Reduced | None:
        """The first of the next few by itself; what did not fit in this search is not tried again."""
        sites = start.base.sites
        for k in [k for k in order if sites[k].origins not in self.failed][: 1 + LOOK_AHEAD]:
            smaller = self.fitter.fitted_within(start.without([k]), budget)
            if smaller.deviation > budget and self.fitter.target.size == 1:  # cheap, and an energy has many valleys
                smaller = self.fitter.fitted_within(self.fitter.restarted(smaller, self.rng), budget)
            if smaller.deviation <= budget:
                return smaller.reduced
            self.failed.add(sites[k].origins)
        return None
