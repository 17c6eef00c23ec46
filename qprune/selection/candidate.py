"""A gate that may be replaced, and by what."""

from __future__ import annotations

from dataclasses import dataclass

from qprune._arrays import FloatArray
from qprune.gates.sites import Replacement


@dataclass(frozen=True)
class Candidate:
    """One way to replace one gate.

    Attributes:
        place: Index of the gate in the circuit.
        by: What stands in its place; () is the identity: the gate disappears.
        label: The representative in words.
        distance: d_q aggregated over the ensemble; from measured expectations its upper limit.
        angles: Undeformed angle θ per sample, radians, shape (M,).
        gain: Cost saved, that of `frees` included.
        turn: How far the gate itself is from the representative, whatever the state: difference of group coordinates
            folded to [0, half a period], radians.
        frees: Gates that cancel exactly once this one is gone.
        product: Whether what stands in its place is a product of one-qubit gates, so that it joins no qubits.
        distance_low: Lower limit of d_q, from measured expectations.
    """

    place: int
    by: Replacement
    label: str
    distance: float
    angles: FloatArray
    gain: float
    turn: float
    frees: frozenset[int] = frozenset()
    product: bool = False
    distance_low: float | None = None

    @property
    def removes(self) -> bool:
        return not self.by

    @property
    def separates(self) -> bool:
        """Whether light cones end at it: nothing in its place joins qubits."""
        return self.removes or self.product

    @property
    def takes(self) -> frozenset[int]:
        """The gates it speaks for: its own, and those it frees."""
        return self.frees | {self.place}
