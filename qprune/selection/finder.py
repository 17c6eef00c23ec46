"""Candidates for every gate: the identity, Clifford points, medoids, pairs of one-qubit gates (THEORY section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np
from qiskit.quantum_info import Operator

from qprune._arrays import ComplexArray, FloatArray
from qprune.exact.cancellation import freed_alone, inverse_pairs
from qprune.gates.costs import Costs, cost_of
from qprune.gates.matrices import is_product, local_cliffords, matrix_of, unitary_instructions
from qprune.gates.sites import Replacement, Site, Word, bound_operation, make_site
from qprune.gates.subgroups import Subgroup, subgroup_of
from qprune.geometry.distance import Distances, Expectation, compare_matrices, compare_members, reduced_states
from qprune.noise.calibration import CircuitNoise
from qprune.selection.candidate import Candidate
from qprune.selection.product_pairs import best_pairs, mean_overlap, product_of, written
from qprune.simulators.values import Prefix
from qprune.task.task import Task

KINDS = ("identity", "clifford", "class", "local")
WORTH, EQUAL = 0.9, 1e-12  # a dearer pair of gates must cut d² to this share; overlaps that differ less are the same
COMPARED_TOGETHER = 2**18  # gates times samples whose distances are worked out at once: a few megabytes
REPLACEMENT_GAIN = 0.1  # share of its cost that a gate saves when it stays but loses its free parameter


def is_prunable(site: Site, prune_encoding: bool) -> bool:
    """Whether a gate may be replaced: it is in the catalogue, and no input enters unless the user allows it."""
    return site.family is not None and (site.role != "encoding" or prune_encoding)


def has_pair(site: Site) -> bool:
    """Whether a pair of one-qubit gates may stand in for a gate: it joins two qubits, and no input enters."""
    return site.family is not None and len(site.qubits) == len(site.word) == 2 and site.role != "encoding"


def words_for(site: Site, representatives: str) -> tuple[Word, ...]:
    """The Pauli words whose prefix expectations the candidates of a gate are compared by."""
    group = subgroup_of(site)
    if group is None:
        return ()
    return group.whole.words if representatives == "local" and has_pair(site) else group.words


class CandidateFinder:
    """Compares gates with their candidates on the prefix states of the selected samples.

    Args:
        task: Binds the parameters.
        sites: The gates.
        prefix: Expectations of the words of every prunable class.
        noise: The geometry, η by gate.
        aggregate: "rms" (√Σ p_i d²) or "max".
        costs: As in `prune`.
    """

    def __init__(
        self,
        task: Task,
        sites: Sequence[Site],
        prefix: Prefix,
        noise: CircuitNoise,
        aggregate: str,
        costs: Costs,
    ) -> None:
        self.task, self.sites, self.prefix, self.noise, self.costs = task, sites, prefix, noise, costs
        self.aggregate = aggregate
        self.weights = task.selection_weights()
        self.pairs = inverse_pairs(sites)
        self.frees = freed_alone(self.pairs)
        self.comparisons = 0

    def identity(self, k: int) -> Candidate:
        """The gate disappears."""
        return self._candidate(k, (), "identity", *self._to_member(k, 0.0))

    def identities(self, places: Sequence[int]) -> list[Candidate]:
        """`identity` of many gates; those that differ in qubits and angles alone are compared together."""
        alike: dict[tuple[str, str, float], list[int]] = {}
        for k in places:
            group = self._group(k)
            alike.setdefault((group.family, group.letters, self._geometry(k)[0]), []).append(k)
        step = max(1, COMPARED_TOGETHER // len(self.weights))
        found: dict[int, Candidate] = {}
        for (family, *_), members in alike.items():
            if family == "special":
                found |= {k: self.identity(k) for k in members}
                continue
            for start in range(0, len(members), step):
                found |= self._identities_alike(members[start : start + step])
        return [found[k] for k in places]

    def _identities_alike(self, members: Sequence[int]) -> dict[int, Candidate]:
        group = self._group(members[0])
        # Qubits ascend in every class, so words of the same place in its list have the same letters.
        rows = [[self.prefix.index[k, word] for word in self._group(k).words] for k in members]
        means = dict(zip(group.words, self.prefix.values[np.array(rows).T], strict=True))
        shifts = -np.array(np.broadcast_arrays(*(self._coordinate(k) for k in members)))
        shifts = shifts.reshape(len(members), -1)
        self.comparisons += len(members)
        distances = compare_members(group, means.__getitem__, shifts, *self._geometry(members[0]))
        turns = _folded(shifts, group.period).max(axis=1)
        angles = np.broadcast_to(distances.angle, (len(members), len(self.weights)))
        lows = [None] * len(members) if distances.low is None else self._aggregated(distances.low).tolist()
        numbers = zip(members, self._aggregated(distances.deformed).tolist(), angles, turns.tolist(), lows, strict=True)
        return {k: self._removal(k, *found) for k, *found in numbers}

    def clifford(self, k: int) -> list[Candidate]:
        """The Clifford members of the class; for SU(4) the products of one-qubit Cliffords."""
        site, group = self.sites[k], self._group(k)
        if group.family == "special":
            return [] if site.role == "encoding" else [self._nearest_local_clifford(k)]
        found = []
        for t in group.clifford_points():
            member = group.member(t)
            if member is not None:
                label = f"{member[0].name}({t / pi:g}π)" if member[0].params else member[0].name
                found.append(self._candidate(k, (member,), label, *self._to_member(k, t)))
        return [c for c in found if len(c.by[0][1]) <= len(site.qubits)]

    def local(self, k: int) -> list[Candidate]:
        """Pairs of one-qubit gates in the place of a two-qubit gate, at most one on each qubit.

        Of all that the search finds, for each cost the nearest, if nearer by a tenth in d² than all that is cheaper,
        the identity among them.

        Source: THEORY section 4.
        """
        group, gate = self._group(k).whole, self._matrix(k)
        states = reduced_states(group, self._expectation(k), float(self.noise.eta[k]))
        pairs, reached = best_pairs(states, gate, self.weights)
        offers: dict[float, list[tuple[float, Replacement]]] = {}
        for pair, value in zip(pairs, reached.tolist(), strict=True):
            by = written(pair, group.qubits)
            offers.setdefault(self._cost_of(k, by), []).append((value, by))
        best, found = mean_overlap(states, gate, self.weights), []
        for cost, alike in sorted(offers.items()):
            top = max(value for value, _ in alike)
            if 1 - top < WORTH * (1 - best) - EQUAL and cost < self._cost_of(k):
                found.append(self._pair(k, group, gate, next(by for value, by in alike if value > top - EQUAL)))
                best = top
        return found

    def _pair(self, k: int, group: Subgroup, gate: ComplexArray, by: Replacement) -> Candidate:
        relative = gate.conj().T @ product_of(by, group.qubits)
        self.comparisons += 1
        distances = compare_matrices(group, self._expectation(k), relative, *self._geometry(k))
        label = " and ".join(f"{operation.name} on {q}" for operation, (q,) in by)
        return self._candidate(k, by, label, distances, _turn(relative))

    def moved(self, k: int, moved: Task) -> Candidate | None:
        """The gate with its weights where a re-fit left them; None if it stayed what it was."""
        site = self.sites[k]
        if site.coordinate is None:
            return None
        target = float(moved.values(site.coordinate))
        if self._group(k).is_identity(target - float(self._coordinate(k))):
            return None
        by = ((bound_operation(moved, site.operation), site.qubits),)
        return self._candidate(k, by, "refit", *self._to_member(k, target))

    def medoids(self, members: Sequence[int], tolerances: FloatArray) -> list[Candidate]:
        """Fewest members of one class such that each other trainable member is within its ε_k of one of them.

        Greedy set cover: the member that most others could follow comes first. Those others get its parameter.
        """
        table = {k: self._to_members(k, members) for k in members if self.sites[k].role == "trainable"}
        uncovered, found = set(table), []
        reach = {
            j: {k for k in table if k != j and self._aggregated(table[k][0].deformed)[c] <= tolerances[k]}
            for c, j in enumerate(members)
        }
        while uncovered:
            best = max(members, key=lambda j: (len(reach[j] & uncovered), self.sites[j].role == "trainable", -j))
            followers = reach[best] & uncovered
            if not followers:
                break
            c = members.index(best)
            source = self.sites[best]
            for k in sorted(followers):
                distances, turns = table[k]
                label = f"{source.name} of gate {source.origins[0]}"
                by = ((source.operation, source.qubits),)
                found.append(self._candidate(k, by, label, distances.at(c), turns[c]))
            uncovered -= followers | {best}
        return found

    def _group(self, k: int) -> Subgroup:
        group = subgroup_of(self.sites[k])
        if group is None:
            raise ValueError(f"gate {k} is outside the catalogue")
        return group

    def _expectation(self, k: int) -> Expectation:
        return lambda word: self.prefix.expectation(k, word)

    def _geometry(self, k: int) -> tuple[float, float, bool]:
        """η_k, how far expectation values may be off, and whether they were measured."""
        outputs = self.prefix.outputs
        return float(self.noise.eta[k]), outputs.rounding, outputs.failure > 0

    def _coordinate(self, k: int) -> FloatArray:
        coordinate = self.sites[k].coordinate
        if coordinate is None:
            raise ValueError(f"gate {k} has no group coordinate")
        return self.task.values(coordinate, self.task.selected)

    def _matrix(self, k: int) -> ComplexArray:
        site = self.sites[k]
        return matrix_of(bound_operation(self.task, site.operation), site.qubits)

    def _to_member(self, k: int, target: float) -> tuple[Distances, float]:
        """Distances from gate k to the member at a coordinate (0 is the identity), and the turn between them."""
        group = self._group(k)
        self.comparisons += 1
        if group.family == "special":
            return self._special_to_identity(k, group)
        shift = target - self._coordinate(k)
        turn = float(np.max(_folded(shift, group.period)))
        return compare_members(group, self._expectation(k), shift, *self._geometry(k)), turn

    def _special_to_identity(self, k: int, group: Subgroup) -> tuple[Distances, float]:
        """A member of SU(2) or SU(4) against the identity; with inputs in it, a matrix of its own for every sample."""
        site, expectation = self.sites[k], self._expectation(k)
        if site.role != "encoding":
            relative = self._matrix(k).conj().T
            return compare_matrices(group, expectation, relative, *self._geometry(k)), _turn(relative)
        each, turns = [], []
        for row, sample in enumerate(self.task.selected):
            relative = matrix_of(bound_operation(self.task, site.operation, int(sample)), site.qubits).conj().T
            each.append(compare_matrices(group, _of_sample(expectation, row), relative, *self._geometry(k)))
            turns.append(_turn(relative))
        return Distances.joined(each, np.concatenate), max(turns)

    def _to_members(self, k: int, members: Sequence[int]) -> tuple[Distances, FloatArray]:
        """Distances from gate k to other gates of its class, arrays (C, M), and turns (C,)."""
        group = self._group(k)
        self.comparisons += len(members) - 1  # itself needs none
        if group.family == "special":
            relatives = [self._matrix(k).conj().T @ self._matrix(j) for j in members]
            each = [compare_matrices(group, self._expectation(k), v, *self._geometry(k)) for v in relatives]
            return Distances.joined(each, np.stack), np.array([_turn(v) for v in relatives])
        shifts = np.array([float(self._coordinate(j)) for j in members]) - float(self._coordinate(k))
        distances = compare_members(group, self._expectation(k), shifts[:, None], *self._geometry(k))
        return distances, _folded(shifts, group.period)

    def _nearest_local_clifford(self, k: int) -> Candidate:
        group, gate = self._group(k), self._matrix(k)
        size = len(group.qubits)
        cliffords = local_cliffords(size)[1:]
        # The nearest by average overlap is compared in full; overlaps with all 576 on every sample would cost more.
        best = cliffords[int(np.argmax(np.abs(np.einsum("ij,cij->c", gate.conj(), cliffords))))]
        by = tuple(unitary_instructions(best, group.qubits, size))
        self.comparisons += 1
        relative = gate.conj().T @ best
        distances = compare_matrices(group, self._expectation(k), relative, *self._geometry(k))
        return self._candidate(k, by, "local Clifford", distances, _turn(relative))

    def _aggregated(self, distances: FloatArray) -> FloatArray:
        return distances.max(axis=-1) if self.aggregate == "max" else np.sqrt(distances**2 @ self.weights)

    def _cost_of(self, k: int, by: Replacement | None = None) -> float:
        """The cost of a gate, or of what stands in its place."""
        site = self.sites[k]
        if by is None:
            return cost_of(site, self.costs)
        return sum(cost_of(make_site(self.task, op, qubits, site.origins), self.costs) for op, qubits in by)

    def _candidate(self, k: int, by: Replacement, label: str, distances: Distances, turn: float) -> Candidate:
        distance = float(self._aggregated(distances.deformed))
        angles = np.broadcast_to(distances.angle, (len(self.weights),))
        low = None if distances.low is None else float(self._aggregated(distances.low))
        if not by:
            return self._removal(k, distance, angles, float(turn), low)
        cost, after = self._cost_of(k), self._cost_of(k, by)
        gain = cost - after if after < cost else REPLACEMENT_GAIN * cost
        # A pair of gates joins no qubits, nor does rzz(π), which is Z on either.
        product = all(
            len(qubits) == 1 or is_product(Operator(bound_operation(self.task, operation)).data)
            for operation, qubits in by
        )
        return Candidate(k, by, label, distance, angles, gain, float(turn), product=product, distance_low=low)

    def _removal(self, k: int, distance: float, angles: FloatArray, turn: float, low: float | None) -> Candidate:
        frees = self.frees.get(k, frozenset())
        gain = sum(self._cost_of(j) for j in (k, *sorted(frees)))
        return Candidate(k, (), "identity", distance, angles, gain, turn, frees, distance_low=low)


def _of_sample(expectation: Expectation, row: int) -> Expectation:
    return lambda word: expectation(word)[row : row + 1]


def _folded(shift: FloatArray, period: float) -> FloatArray:
    """|shift| modulo the period, in [0, period/2]."""
    left = np.mod(shift, period)
    return np.minimum(left, period - left)


def _turn(relative: ComplexArray) -> float:
    """Rotation angle of an equivalent single-qubit rotation: 2 arccos(|Tr V|/d)."""
    return float(2 * np.arccos(min(1.0, abs(np.trace(relative)) / len(relative))))
