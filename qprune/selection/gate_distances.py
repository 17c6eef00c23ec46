"""A gate beside what could stand in its place: d_q and angles on its prefix states (THEORY section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qprune._arrays import ComplexArray, FloatArray
from qprune._rounding import within_period
from qprune.gates.matrices import unitary_of
from qprune.gates.sites import Site
from qprune.gates.subgroups import Subgroup, subgroup_of
from qprune.geometry.distance import Distances, Expectation, compare_matrices, compare_members, reduced_states
from qprune.noise.calibration import CircuitNoise
from qprune.simulators.values import Prefix
from qprune.task.task import Task

COMPARED_TOGETHER = 2**18  # gates times samples whose distances are worked out at once: a few megabytes


@dataclass(frozen=True, eq=False)
class Compared:
    """One gate beside one representative.

    Attributes:
        distance: d_q aggregated over the selected samples, in [0, √2]; from measured expectations its upper limit.
        angles: Undeformed angle θ per sample, radians in [0, π/2], shape (M,).
        turn: How far the two are apart whatever the state: difference of group coordinates folded to [0, half a
            period], radians; of two matrices the angle of an equivalent one-qubit rotation.
        low: Lower limit of the distance, from measured expectations, else None.
    """

    distance: float
    angles: FloatArray
    turn: float
    low: float | None


@dataclass(frozen=True, eq=False)
class GateDistances:
    """Distances of the gates of a circuit from other members of their classes, on the states they meet.

    Attributes:
        task: Binds the parameters; its selected samples are the ensemble.
        sites: The gates.
        prefix: Expectations, before every gate asked about, of the words of its class.
        noise: The geometry, η by gate.
        aggregate: "rms" (√Σ p_i d²) or "max".
    """

    task: Task
    sites: Sequence[Site]
    prefix: Prefix
    noise: CircuitNoise
    aggregate: str = "rms"

    @cached_property
    def weights(self) -> FloatArray:
        """p_i of the selected samples."""
        return self.task.selection_weights()

    def group(self, k: int) -> Subgroup:
        """The class of gate k."""
        group = subgroup_of(self.sites[k])
        if group is None:
            raise ValueError(f"gate {k} is outside the catalogue")
        return group

    def coordinate(self, k: int) -> FloatArray:
        """The group coordinate of gate k, radians, shape () or one per sample where an input enters."""
        coordinate = self.sites[k].coordinate
        if coordinate is None:
            raise ValueError(f"gate {k} has no group coordinate")
        return self.task.values(coordinate, self.task.selected)

    def matrix(self, k: int, inputs: FloatArray | None = None) -> ComplexArray:
        """The matrix of gate k on its qubits in ascending order, for one row of inputs where one enters."""
        site = self.sites[k]
        return unitary_of([(self.task.bound_operation(site.operation, inputs), site.qubits)], sorted(site.qubits))

    def states(self, k: int, group: Subgroup) -> ComplexArray:
        """D_η(ρ) before gate k on the qubits of a class, shape (M, d, d)."""
        return reduced_states(group, self._expectation(k), float(self.noise.eta[k]))

    # -- comparisons -------------------------------------------------------------------------------------------

    def to_identities(self, places: Sequence[int]) -> list[Compared]:
        """Each of many gates beside the identity; those that differ in qubits and angles alone go together."""
        alike: dict[tuple[str, str, float], list[int]] = {}
        for k in places:
            group = self.group(k)
            alike.setdefault((group.family, group.letters, float(self.noise.eta[k])), []).append(k)
        step = max(1, COMPARED_TOGETHER // len(self.weights))
        found: dict[int, Compared] = {}
        for (family, *_), members in alike.items():
            if family == "special":
                found |= {k: self._matrix_to_identity(k) for k in members}
                continue
            for start in range(0, len(members), step):
                some = members[start : start + step]
                found |= dict(zip(some, self._alike_to_identity(some), strict=True))
        return [found[k] for k in places]

    def to_coordinates(self, k: int, targets: Sequence[float]) -> list[Compared]:
        """Gate k beside the members of its class at these coordinates, radians."""
        group = self.group(k)
        # Each within a period first: a difference of large angles would be rounded.
        ends = (np.array(targets, dtype=float)[:, None], self.coordinate(k))
        shifts = np.subtract(*(within_period(end, group.period) for end in ends))
        distances = compare_members(group, self._expectation(k), shifts, **self._geometry(k))
        return self._compared(distances, np.abs(within_period(shifts, group.period)).max(axis=1))

    def to_gates(self, k: int, others: Sequence[int]) -> list[Compared]:
        """Gate k beside other gates of its class into which no input enters."""
        if self.group(k).family != "special":
            return self.to_coordinates(k, [float(self.coordinate(j)) for j in others])
        gate = self.matrix(k).conj().T
        return self.to_matrices(k, [gate @ self.matrix(j) for j in others], self.group(k))

    def to_matrices(self, k: int, relatives: Sequence[ComplexArray], group: Subgroup) -> list[Compared]:
        """Gate k beside other matrices A, given as V = G†A on the qubits of a class, shape (d, d)."""
        if not relatives:
            return []
        each = [compare_matrices(group, self._expectation(k), v, **self._geometry(k)) for v in relatives]
        return self._compared(Distances.joined(each, np.stack), np.array([_turn(v) for v in relatives]))

    def _alike_to_identity(self, members: Sequence[int]) -> list[Compared]:
        group = self.group(members[0])
        # Qubits ascend in every class, so words of the same place in its list have the same letters.
        rows = [[self.prefix.index[k, word] for word in self.group(k).words] for k in members]
        means = dict(zip(group.words, self.prefix.values[np.array(rows).T], strict=True))
        shifts = -np.array(np.broadcast_arrays(*(self.coordinate(k) for k in members)))
        shifts = shifts.reshape(len(members), -1)
        distances = compare_members(group, means.__getitem__, shifts, **self._geometry(members[0]))
        return self._compared(distances, np.abs(within_period(shifts, group.period)).max(axis=1))

    def _matrix_to_identity(self, k: int) -> Compared:
        """A member of SU(2) or SU(4); with inputs in it, a matrix of its own for every sample."""
        group = self.group(k)
        if self.sites[k].role != "encoding":
            (found,) = self.to_matrices(k, [self.matrix(k).conj().T], group)
            return found
        relatives = [self.matrix(k, inputs).conj().T for inputs in self.task.inputs[self.task.selected]]
        each = [
            compare_matrices(group, self._expectation(k, row), relative, **self._geometry(k))
            for row, relative in enumerate(relatives)
        ]
        (found,) = self._compared(Distances.joined(each, np.concatenate), np.array([max(map(_turn, relatives))]))
        return found

    # -- common ------------------------------------------------------------------------------------------------

    def _expectation(self, k: int, row: int | None = None) -> Expectation:
        """Expectations right before gate k, of all samples or of one."""
        samples = slice(None) if row is None else slice(row, row + 1)
        return lambda word: self.prefix.expectation(k, word)[samples]

    def _geometry(self, k: int) -> dict[str, Any]:
        """The further arguments of `compare_members` and `compare_matrices` for gate k."""
        outputs = self.prefix.outputs
        return {"eta": float(self.noise.eta[k]), "rounding": outputs.rounding, "by_shots": outputs.failure > 0}

    def _compared(self, distances: Distances, turns: FloatArray) -> list[Compared]:
        """One record for each of C turns from distances that broadcast to shape (C, M)."""
        shape = len(turns), len(self.weights)
        totals = self._aggregated(np.broadcast_to(distances.deformed, shape)).tolist()
        lows: list[float | None] = [None] * len(turns)
        if distances.low is not None:
            lows = self._aggregated(np.broadcast_to(distances.low, shape)).tolist()
        angles = np.broadcast_to(distances.angle, shape)
        return [Compared(*one) for one in zip(totals, angles, turns.tolist(), lows, strict=True)]

    def _aggregated(self, distances: FloatArray) -> FloatArray:
        return distances.max(axis=-1) if self.aggregate == "max" else np.sqrt(distances**2 @ self.weights)


def _turn(relative: ComplexArray) -> float:
    """Rotation angle of an equivalent single-qubit rotation: 2 arccos(|Tr V|/d)."""
    return float(2 * np.arccos(min(1.0, abs(np.trace(relative)) / len(relative))))
