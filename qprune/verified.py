"""Verified mode: remove, simplify, re-fit, measure, and keep what the budget admits on every sample.

The deviation is measured by exact simulation, so the claim on the ensemble is exact; beyond it only T5 speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from qprune.adjoint import AdjointNetwork
from qprune.costs import Costs, cost_of
from qprune.gates import Site, circuit_of
from qprune.prefix import check_memory
from qprune.refit import fit, predicted_square, saliencies
from qprune.rewrite import ExactChange, apply, simplify
from qprune.selection import Candidate, longest_prefix
from qprune.strategies.base import Strategy
from qprune.subgroups import subgroup_of
from qprune.task import FloatArray, Task

LOOK_AHEAD = 5  # entangling gates that are tried in full, the best by first-order prediction
HOMOTOPY = 8  # steps from a gate to the identity, the weights following
FIT_STEPS, SCREEN_STEPS, FOLLOW_STEPS = 60, 6, 2
FINALISTS = 2
LEAST_COST = 1e-9
ROUNDING = 1e-9  # share of the budget left to the difference between two simulators
STATES_PER_SAMPLE = 4  # that an adjoint pass holds at a time
SAMPLES_PER_WEIGHT = 2  # size of the ensemble that weights are fitted on; mixtures of inputs fill it up


@dataclass(frozen=True)
class Reduced:
    """A smaller circuit on the way.

    Attributes:
        task: The circuit with its weights, on the fitting ensemble.
        sites: Its gates.
        deviation: Largest |Δ| of any output on any selected sample.
        gone: Original gates that were removed approximately.
        changes: Exact simplifications on the way.
    """

    task: Task
    sites: tuple[Site, ...]
    deviation: float
    gone: frozenset[int] = frozenset()
    changes: tuple[ExactChange, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        return dict(zip((p.name for p in self.task.weight_params), self.task.weights.tolist(), strict=True))

    def without(self, gone: Sequence[int]) -> Reduced:
        """The circuit with some of its gates removed, simplified; its deviation is not known yet."""
        sites, changes = simplify(self.task, apply(self.task, self.sites, dict.fromkeys(gone, ())))
        origins = self.gone.union(*(self.sites[k].origins for k in gone))
        task = self.task.with_circuit(circuit_of(self.task, sites))
        return Reduced(task, sites, np.inf, origins, self.changes + changes)


def remove_verified(
    start: Reduced,
    budget: float,
    candidates: Callable[[Reduced], list[Candidate]],
    deviation: Callable[[Reduced], float],
    strategy: Strategy,
    progress: bool,
) -> Reduced:
    """Remove gates while the measured deviation stays within the budget.

    Each round orders the gates by their distance on the present circuit, finds by bisection how many of the first can
    go, and measures again; the last rounds try gates one by one.

    Args:
        start: The simplified original.
        budget: Largest deviation to allow.
        candidates: Compares the gates of a circuit with the identity.
        deviation: Measures a circuit against the original.
        strategy: Gives the order, or leaves it to the distance per gain.
        progress: Show a progress bar.
    """
    current = start
    with tqdm(desc="pruning", unit="gate", disable=None if progress else True) as bar:
        while True:
            found = candidates(current)
            order = strategy.order(found, current.sites)
            ranked = by_distance(found) if order is None else [found[j].site for j in order]
            smaller = _most_that_fit(current, ranked, budget, deviation) or _first_that_fits(
                current, ranked, budget, deviation
            )
            if smaller is None:
                return current
            bar.update(len(current.sites) - len(smaller.sites))
            current = smaller


def by_distance(candidates: Sequence[Candidate]) -> list[int]:
    """Sites by squared distance per gain, least first."""
    return [c.site for c in sorted(candidates, key=lambda c: (c.distance**2 / max(c.gain, LEAST_COST), c.site))]


def _most_that_fit(
    current: Reduced, ranked: list[int], budget: float, deviation: Callable[[Reduced], float]
) -> Reduced | None:
    tried: dict[int, Reduced] = {}

    def fits(count: int) -> bool:
        smaller = current.without(ranked[:count])
        tried[count] = replace(smaller, deviation=deviation(smaller))
        return tried[count].deviation <= budget

    return tried.get(longest_prefix(len(ranked), fits))


def _first_that_fits(
    current: Reduced, ranked: list[int], budget: float, deviation: Callable[[Reduced], float]
) -> Reduced | None:
    for k in ranked:
        smaller = current.without([k])
        if (measured := deviation(smaller)) <= budget:
            return replace(smaller, deviation=measured)
    return None


class Compressor:
    """Drives gates to the identity while the others compensate.

    Args:
        task: The simplified circuit's task.
        sites: Its gates.
        prunable: Which gates may go.
        costs: As in `prune`.
        seed: Of the mixtures of inputs.
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
        strategy: Strategy,
        candidates: Callable[[Reduced], list[Candidate]],
    ) -> None:
        self.prunable, self.costs, self.strategy, self.candidates = prunable, costs, strategy, candidates
        self.num_selected = len(task.selected)
        missing = SAMPLES_PER_WEIGHT * len(task.weights) - self.num_selected
        count = max(missing, 0) if self.num_selected > 1 and task.inputs.shape[1] else 0
        ensemble = task.with_mixtures(count, seed)
        check_memory(len({q for site in sites for q in site.qubits}), STATES_PER_SAMPLE * len(ensemble.selected))
        self.samples: NDArray[np.intp] = ensemble.selected
        self.original = Reduced(ensemble.with_circuit(circuit_of(task, tuple(sites))), tuple(sites), 0.0)
        self.target = self._network(self.original).values(self.original.task.weights)

    def compress(self, budget: float, start: Reduced | None = None, progress: bool = False) -> Reduced:
        """Entangling gates first, as all rotations can still compensate; then rotations; until nothing fits.

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
        with tqdm(
            total=round(self.total_cost(current), 1), desc="pruning", unit="cost", disable=None if progress else True
        ) as bar:
            while True:
                before = current
                for stage in stages:
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
        """The best of a few entangling gates, and of others that no weight moves, with the rest re-fitted."""
        ranked = []
        network = self._network(current)
        for k, site in enumerate(current.sites):
            if self.prunable(site) and (len(site.qubits) > 1 or not network.gates[k].slopes):
                left = replace(current, sites=current.sites[:k] + current.sites[k + 1 :])
                predicted = predicted_square(self._network(left), current.task.weights, self.target)
                ranked.append((predicted / max(self.cost(site), LEAST_COST), k))
        tried = [self._without(current, k, turn) for _, k in sorted(ranked)[:LOOK_AHEAD] for turn in (0.0, 1.0)]
        finalists = [self._fitted(r, FIT_STEPS) for r in sorted(tried, key=lambda r: r.deviation)[:FINALISTS]]
        fitting = [reduced for reduced in finalists if reduced.deviation <= budget]
        return min(fitting, key=lambda r: (self.total_cost(r), r.deviation), default=None)

    def _without(self, current: Reduced, k: int, turn: float) -> Reduced:
        """Turn gate k into the identity in small steps, down or on through a full period, the weights following."""
        network, weights = self._network(current), current.task.weights
        gate, group = network.gates[k], subgroup_of(current.sites[k])
        if not gate.is_fixed and group is not None:
            for step in range(1, HOMOTOPY):
                network.turn_down(k, 1 - step / HOMOTOPY, turn * group.period * step / HOMOTOPY)
                weights, _ = fit(network, weights, self.target, steps=FOLLOW_STEPS)
        return self._refitted(current, [k], weights, SCREEN_STEPS)

    # -- rotations -------------------------------------------------------------------------------------------

    def _fewer_rotations(self, current: Reduced, budget: float) -> Reduced | None:
        """The largest set along the order of saliency per cost that fits, found by halving."""
        cost_at = saliencies(self._network(current), current.task.weights, current.sites)
        order = sorted(
            (k for k in cost_at if self.prunable(current.sites[k])),
            key=lambda k: cost_at[k] / max(self.cost(current.sites[k]), LEAST_COST),
        )
        return self._first_quarter_or_less(current, order, budget)

    def _fewer_by_distance(self, current: Reduced, budget: float) -> Reduced | None:
        """By prefix distance: it still tells gates apart where outputs are stationary, as at the minimum of a VQE."""
        return self._first_quarter_or_less(current, by_distance(self.candidates(current)), budget)

    def _fewer_in_order(self, current: Reduced, budget: float) -> Reduced | None:
        """What the strategy would take next, entangling gates and rotations alike."""
        found = self.candidates(current)
        order = [found[j].site for j in self.strategy.order(found, current.sites) or ()]
        smaller = self._first_quarter_or_less(current, order, budget)
        for k in order[1 : 1 + LOOK_AHEAD] if smaller is None else ():
            smaller = self._refitted(current, [k], current.task.weights, FIT_STEPS)
            if smaller.deviation <= budget:
                return smaller
        return smaller if smaller is not None and smaller.deviation <= budget else None

    def _first_quarter_or_less(self, current: Reduced, order: list[int], budget: float) -> Reduced | None:
        size = max(1, len(order) // 4)
        while order and size:
            smaller = self._refitted(current, order[:size], current.task.weights, FIT_STEPS)
            if smaller.deviation <= budget:
                return smaller
            size //= 2
        return None

    # -- common ----------------------------------------------------------------------------------------------

    def _refitted(self, current: Reduced, gone: Sequence[int], weights: FloatArray, steps: int) -> Reduced:
        task = current.task.with_circuit(current.task.circuit)
        task.weights = weights
        return self._fitted(replace(current, task=task).without(gone), steps)

    def _fitted(self, reduced: Reduced, steps: int) -> Reduced:
        network = self._network(reduced)
        task = reduced.task.with_circuit(reduced.task.circuit)
        task.weights, _ = fit(network, reduced.task.weights, self.target, steps=steps)
        return replace(reduced, task=task, deviation=self._deviation(network, task.weights))

    def _network(self, reduced: Reduced) -> AdjointNetwork:
        return AdjointNetwork(reduced.task, reduced.sites, self.samples)

    def _deviation(self, network: AdjointNetwork, weights: FloatArray) -> float:
        change = np.abs(network.values(weights) - self.target)[:, : self.num_selected]
        return float(change.max() if network.task.observables is not None else change.sum(axis=0).max() / 2)
