"""What replacing a gate saves: comparisons made into candidates, with their gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from qprune.exact.cancellation import InversePair, freed_alone, inverse_pairs
from qprune.gates.costs import Costs, cost_of
from qprune.gates.matrices import is_product, unitary_of
from qprune.gates.sites import Replacement, Site, make_site
from qprune.selection.candidate import Candidate
from qprune.selection.gate_distances import Compared, GateDistances

REPLACEMENT_GAIN = 0.1  # share of its cost that a gate saves when it stays but loses its free parameter


@dataclass(frozen=True, eq=False)
class Offers:
    """Makes candidates for the gates of a circuit.

    Attributes:
        distances: Compares the gates with what could stand in their place.
        costs: As in `prune`.
    """

    distances: GateDistances
    costs: Costs = None

    @property
    def sites(self) -> Sequence[Site]:
        """The gates."""
        return self.distances.sites

    @cached_property
    def pairs(self) -> tuple[InversePair, ...]:
        """Gates that cancel once others are gone."""
        return inverse_pairs(self.sites)

    @cached_property
    def _frees(self) -> dict[int, frozenset[int]]:
        return freed_alone(self.pairs)

    def cost(self, k: int) -> float:
        """Of gate k."""
        return cost_of(self.sites[k], self.costs)

    def cost_instead(self, k: int, by: Replacement) -> float:
        """Of what may stand in the place of gate k."""
        task, origins = self.distances.task, self.sites[k].origins
        return sum(cost_of(make_site(task, operation, qubits, origins), self.costs) for operation, qubits in by)

    def removal(self, k: int, compared: Compared) -> Candidate:
        """Gate k disappears, and what cancels then goes with it."""
        frees = self._frees.get(k, frozenset())
        gain = sum(self.cost(j) for j in (k, *sorted(frees)))
        return _candidate(k, (), "identity", compared, gain, frees=frees)

    def replacement(self, k: int, by: Replacement, label: str, compared: Compared) -> Candidate:
        """Something else stands in the place of gate k; nothing at all is a removal.

        Args:
            k: The gate.
            by: What stands in its place.
            label: The same in words.
            compared: The two beside each other.
        """
        if not by:
            return self.removal(k, compared)
        before, after = self.cost(k), self.cost_instead(k, by)
        gain = before - after if after < before else REPLACEMENT_GAIN * before
        return _candidate(k, by, label, compared, gain, product=self._is_product(by))

    def _is_product(self, by: Replacement) -> bool:
        """A pair of gates joins no qubits, nor does rzz(π), which is Z on either."""
        bound = ((self.distances.task.bound_operation(operation), qubits) for operation, qubits in by)
        return all(len(qubits) == 1 or is_product(unitary_of([(gate, qubits)], qubits)) for gate, qubits in bound)


def _candidate(
    k: int,
    by: Replacement,
    label: str,
    compared: Compared,
    gain: float,
    *,
    frees: frozenset[int] = frozenset(),
    product: bool = False,
) -> Candidate:
    return Candidate(
        place=k,
        by=by,
        label=label,
        distance=compared.distance,
        angles=compared.angles,
        gain=gain,
        turn=compared.turn,
        frees=frees,
        product=product,
        distance_low=compared.low,
    )
