"""Windows: the angle of several gates at once, in place of the sum of theirs (THEORY T6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import ComplexArray, FloatArray
from qprune.exact.simplify import apply
from qprune.gates.sites import Replacement, Site
from qprune.selection.candidate import Candidate
from qprune.simulators.engine import Network
from qprune.task.task import Task

# Amplitudes of the whole ensemble, 2^n · M, up to which "auto" takes the circuit as one window, whose angle is exact:
# so far it costs no more than the prefix pass. Beyond, windows are for who asks.
AMPLITUDES = 2**14
# What rounding may hide of a window's angle, radians: states have norm one, and a few thousand gates leave no more.
WINDOW_ROUNDING = 1e-12


def window_size(task: Task, sites: Sequence[Site], asked: int | str) -> int:
    """Qubits per window: what the user asked for, or the automatic choice; 0 means no windows."""
    if isinstance(asked, int):
        return asked
    size = len({q for site in sites for q in site.qubits})
    return max(size, 1) if 2**size * len(task.selected) <= AMPLITUDES else 0


def window_ends(sites: Sequence[Site], size: int) -> list[int]:
    """Cut the gate list where the next gate would bring a window above `size` qubits.

    A gate on more qubits than that is a window of its own.
    """
    ends, inside = [], set[int]()
    for k, site in enumerate(sites):
        wider = inside | set(site.qubits)
        if inside and len(wider) > size:
            ends.append(k)
            wider = set(site.qubits)
        inside = wider
    return [*ends, len(sites)]


class Windows:
    """Measures Θ_{r,i} with windows on the original prefix states of the selected samples.

    Args:
        task: Binds the parameters.
        sites: The original circuit.
        ends: Index after the last gate of each window, ascending, the last one the number of gates (`window_ends`).
    """

    def __init__(self, task: Task, sites: Sequence[Site], ends: Sequence[int]) -> None:
        self.task, self.sites, self.ends = task, sites, ends
        self.register = sorted({q for site in sites for q in site.qubits})
        self.network = Network(task, sites, register=self.register)

    def angles(self, chosen: Sequence[Candidate], cone: NDArray[np.bool_]) -> FloatArray:
        """Θ_{r,i} ≤ Σ over windows, with the replaced gates inside each output's light cone only; shape (R, M).

        Source: THEORY T6 and T2's light cone.
        """
        known: dict[frozenset[int], FloatArray] = {}
        rows = []
        for mask in cone:
            inside = {c.place: c.by for c in chosen if mask[c.place]}
            key = frozenset(inside)
            if key not in known:
                known[key] = np.minimum(self.window_angles(inside), np.pi / 2)
            rows.append(known[key])
        return np.array(rows)

    def window_angles(self, replaced: Mapping[int, Replacement]) -> FloatArray:
        """Σ over windows of the Fubini-Study angle between the original and the replaced window, shape (M,).

        Each window starts from the ORIGINAL prefix state; windows without a replaced gate add nothing.

        Args:
            replaced: What stands in the place of a gate, by its index.

        Source: THEORY T6.
        """
        total = np.zeros(self.network.num_samples)
        for w, (first, end) in enumerate(pairwise((0, *self.ends))):
            inside = {k: by for k, by in replaced.items() if first <= k < end}
            if inside:
                state, other = self._states[w], self._after(w, range(first, end), inside)
                overlap = np.einsum("sm,sm->m", state.conj(), other)
                # The sine from what is left of the overlap keeps its digits where states nearly agree.
                sine = np.linalg.norm(other - state * overlap, axis=0)
                total += np.arctan2(sine, np.abs(overlap)) + WINDOW_ROUNDING
        return total

    @cached_property
    def _states(self) -> list[ComplexArray]:
        """States after each window of the original."""
        states: list[ComplexArray] = []
        for first, end in pairwise((0, *self.ends)):
            window = self._only(range(first, end))
            states.append(window.states(self.task.weights, states[-1] if states else None))
        return states

    def _after(self, window: int, gates: range, replaced: Mapping[int, Replacement]) -> ComplexArray:
        """States after a window with some of its gates replaced."""
        start = self._states[window - 1] if window else None
        if not any(replaced.values()):
            return self._only(set(gates) - set(replaced)).states(self.task.weights, start)
        sites = apply(self.task, [self.sites[k] for k in gates], {k - gates.start: by for k, by in replaced.items()})
        return Network(self.task, sites, register=self.register).states(self.task.weights, start)

    def _only(self, gates: Collection[int]) -> Network:
        return self.network.without([k for k in range(len(self.sites)) if k not in gates])
