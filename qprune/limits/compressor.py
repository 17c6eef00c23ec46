"""Verified removal with refit: gates go to the identity while the weights of the others make up for it.

Entangling gates go first, in blocks, as all rotations can still compensate; then rotations. A circuit is kept if the
largest deviation of any output on any selected sample is within the budget, and for that the weights are fitted to
the largest deviation, not to the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from qprune._arrays import FloatArray
from qprune.gates.costs import Costs, cost_of
from qprune.gates.sites import Site, circuit_of
from qprune.gates.subgroups import subgroup_of
from qprune.limits.refit import fit, predicted_square, saliencies
from qprune.limits.removal import LEAST_COST, Reduced, by_distance
from qprune.selection.candidate import Candidate
from qprune.selection.strategies.base import Order
from qprune.simulators.adjoint import AdjointNetwork
from qprune.simulators.values import check_memory
from qprune.task.task import Task

PROPOSALS = 6  # blocks of entangling gates tried at each size
LOOK_AHEAD = 8  # single entangling gates tried in full, the best by first-order prediction
FINALISTS = 2  # of these, how many are fitted to the end
HOMOTOPY = 6  # steps from a gate to the identity, the weights following
FIT_STEPS, SCREEN_STEPS, FOLLOW_STEPS, POWER_STEPS = 60, 6, 2, 20
POWERS = (4, 8, 16, 32)  # of the norms on the way from the mean square to the largest deviation
HOPELESS = (4.0, 2.5, 1.6, 1.2)  # times the budget: what the norm of each power, and those after it, hardly ever mend
ROUNDING = 1e-9  # share of the budget left to the difference between two simulators
STATES_PER_SAMPLE = 4  # that an adjoint pass holds at a time
SAMPLES_PER_WEIGHT = 2  # size of the ensemble that weights are fitted on; mixtures of inputs fill it up


class Compressor:
    """Drives gates to the identity while the others compensate.

    Args:
        task: The simplified circuit's task.
        sites: Its gates.
        prunable: Which gates may go.
        costs: As in `prune`.
        seed: Of the mixtures of inputs and of the blocks that are tried.
        strategy: Gives the order of removal, or leaves it to look-ahead and saliency.
        candidates: Compares the gates of a circuit with the identity; asked only for a strategy's order.

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
        strategy: Order,
        candidates: Callable[[Reduced], list[Candidate]],
    ) -> None:
        self.prunable, self.costs, self.strategy, self.candidates = prunable, costs, strategy, candidates
        self.rng = np.random.default_rng(seed)
        self.num_selected = len(task.selected)
        missing = SAMPLES_PER_WEIGHT * len(task.weights) - self.num_selected
        count = max(missing, 0) if self.num_selected > 1 and task.inputs.shape[1] else 0
        ensemble = task.with_mixtures(count, seed)
        check_memory(len({q for site in sites for q in site.qubits}), STATES_PER_SAMPLE * len(ensemble.selected))
        self.samples: NDArray[np.intp] = ensemble.selected
        self.original = Reduced(ensemble.with_circuit(circuit_of(task, tuple(sites))), tuple(sites), 0.0)
        self.target = self._network(self.original).values(self.original.task.weights)
        self.block = self.chunk = len(sites)

    def compress(self, budget: float, start: Reduced | None = None, progress: bool = False) -> Reduced:
        """Entangling gates, then rotations, until nothing fits.

        Args:
            budget: Largest deviation of any output on any selected sample.
            start: Where to go on from; default: the simplified original.
            progress: Show a progress bar.
        """
        budget *= 1 - ROUNDING  # the last word is Aer's, which may round otherwise
        stages = [self._fewer_entangling_gates, self._fewer_rotations, self._fewer_by_distance]
        if self.strategy.order([], []) is not None:
            stages = [self._fewer_in_order]
        current = self.original if start is None else start
        self.block = self.chunk = len(current.sites)
        with tqdm(
            total=round(self.total_cost(current), 1), desc="pruning", unit="cost", disable=None if progress else True
        ) as bar:
            while True:
                before = current
                for stage in stages:
                    self.chunk = len(current.sites)
                    while (smaller := stage(current, budget)) is not None:
                        bar.update(round(self.total_cost(current) - self.total_cost(smaller), 1))
                        current = smaller
                if current is before:
                    return current

    def adopt(self, reduced: Reduced) -> Reduced:
        """A circuit that was reduced elsewhere, as a place to start from."""
        return replace(reduced, task=self.original.task.with_circuit(reduced.task.circuit, reduced.weights))

    def total_cost(self, reduced: Reduced) -> float:
        return sum(map(self.cost, reduced.sites))

    def cost(self, site: Site) -> float:
        return cost_of(site, self.costs)

    # -- entangling gates ------------------------------------------------------------------------------------

    def _fewer_entangling_gates(self, current: Reduced, budget: float) -> Reduced | None:
        """A block of entangling gates, and of others that no weight moves, half the size each time none fits."""
        gates, predicted = self._predicted(current)
        order = np.argsort(predicted, kind="stable")
        self.block = min(self.block, max(1, len(gates) // 2))
        while self.block > 1:
            # Blocks drawn in proportion to 1/predicted: taken together, gates do other things than one by one.
            drawn = [np.argsort(predicted - self.rng.gumbel(size=len(gates))) for _ in range(PROPOSALS - 1)]
            blocks = [order[: self.block], *(p[: self.block] for p in drawn)]
            turns = [[0] * self.block, *self.rng.integers(0, 2, (len(drawn), self.block)).tolist()]
            tried = [self._without(current, sorted(gates[p].tolist()), t) for p, t in zip(blocks, turns, strict=True)]
            if (smaller := self._best(tried, budget)) is not None:
                return smaller
            self.block //= 2
        alone = [self._without(current, [k], [turn]) for k in gates[order[:LOOK_AHEAD]].tolist() for turn in (0, 1)]
        return self._best(alone, budget)

    def _predicted(self, current: Reduced) -> tuple[NDArray[np.intp], FloatArray]:
        """Gates that no weight moves, or on several qubits, and the log of what their loss costs, per cost saved."""
        network, found = self._network(current), {}
        for k, site in enumerate(current.sites):
            if self.prunable(site) and (len(site.qubits) > 1 or not network.gates[k].slopes):
                left = replace(current, sites=current.sites[:k] + current.sites[k + 1 :])
                square = predicted_square(self._network(left), current.task.weights, self.target)
                found[k] = np.log(max(square, LEAST_COST) / max(self.cost(site), LEAST_COST))
        return np.array(list(found), dtype=int), np.array(list(found.values()))

    def _without(self, current: Reduced, gone: Sequence[int], turns: Sequence[int]) -> Reduced:
        """Turn gates into the identity in small steps, down or on through a full period, the weights following."""
        network, weights = self._network(current), current.task.weights
        moving = [
            (k, turn * group.period)
            for k, turn in zip(gone, turns, strict=True)
            if not network.gates[k].is_fixed and (group := subgroup_of(current.sites[k])) is not None
        ]
        for step in range(1, HOMOTOPY if moving else 0):
            for k, whole in moving:
                network.turn_down(k, 1 - step / HOMOTOPY, whole * step / HOMOTOPY)
            weights, _ = fit(network, weights, self.target, steps=FOLLOW_STEPS)
        return self._fitted(self._moved(current, weights).without(gone), SCREEN_STEPS)

    def _best(self, tried: Sequence[Reduced], budget: float) -> Reduced | None:
        """The cheapest of the best few that fit once their weights are fitted to the end."""
        finalists = sorted(tried, key=lambda r: r.deviation)[:FINALISTS]
        fitting = [r for r in (self._fitted_within(f, budget) for f in finalists) if r.deviation <= budget]
        return min(fitting, key=lambda r: (self.total_cost(r), r.deviation), default=None)

    # -- rotations -------------------------------------------------------------------------------------------

    def _fewer_rotations(self, current: Reduced, budget: float) -> Reduced | None:
        """The first in the order of saliency per cost, as many as fit, found by halving."""
        loss = saliencies(self._network(current), current.task.weights, current.sites)
        order = sorted(
            (k for k in loss if self.prunable(current.sites[k])),
            key=lambda k: loss[k] / max(self.cost(current.sites[k]), LEAST_COST),
        )
        return self._first_that_fit(current, order, budget)

    def _fewer_by_distance(self, current: Reduced, budget: float) -> Reduced | None:
        """By prefix distance: it still tells gates apart where outputs are stationary, as at the minimum of a VQE."""
        return self._first_that_fit(current, by_distance(self.candidates(current)), budget)

    def _fewer_in_order(self, current: Reduced, budget: float) -> Reduced | None:
        """What the strategy would take next, entangling gates and rotations alike."""
        found = self.candidates(current)
        order = [found[j].site for j in self.strategy.order(found, current.sites) or ()]
        return self._first_that_fit(current, order, budget)

    def _first_that_fit(self, current: Reduced, order: list[int], budget: float) -> Reduced | None:
        """The first quarter of an order, or half of that and so on; else the first of the next few by itself."""
        self.chunk = min(self.chunk, max(1, len(order) // 4))
        while order:
            smaller = self._fitted_within(current.without(order[: self.chunk]), budget)
            if smaller.deviation <= budget:
                return smaller
            if self.chunk == 1:
                break
            self.chunk //= 2
        for k in order[1 : 1 + LOOK_AHEAD]:
            smaller = self._fitted_within(current.without([k]), budget)
            if smaller.deviation <= budget:
                return smaller
        return None

    # -- common ----------------------------------------------------------------------------------------------

    def _fitted_within(self, reduced: Reduced, budget: float) -> Reduced:
        """Weights fitted to the mean square, then to ever higher powers until the largest deviation is within."""
        best = current = self._fitted(reduced, FIT_STEPS)
        for power, hopeless in zip(POWERS, HOPELESS, strict=True):
            if best.deviation <= budget or best.deviation > hopeless * budget:
                break
            current = self._fitted(current, POWER_STEPS, power, budget)
            best = min(best, current, key=lambda r: r.deviation)
        return best

    def _fitted(self, reduced: Reduced, steps: int, power: int = 2, enough: float = 0.0) -> Reduced:
        network = self._network(reduced)
        if reduced.task.observables is None:
            enough = 0.0  # a total variation is no largest entry
        weights, _ = fit(network, reduced.task.weights, self.target, steps=steps, power=power, enough=enough)
        return replace(self._moved(reduced, weights), deviation=self._deviation(network, weights))

    def _moved(self, reduced: Reduced, weights: FloatArray) -> Reduced:
        task = reduced.task.with_circuit(reduced.task.circuit)
        task.weights = weights
        return replace(reduced, task=task)

    def _network(self, reduced: Reduced) -> AdjointNetwork:
        return AdjointNetwork(reduced.task, reduced.sites, self.samples)

    def _deviation(self, network: AdjointNetwork, weights: FloatArray) -> float:
        change = np.abs(network.values(weights) - self.target)[:, : self.num_selected]
        return float(change.max() if network.task.observables is not None else change.sum(axis=0).max() / 2)
