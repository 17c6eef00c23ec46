"""Windows: the angle of several gates at once, in place of the sum of theirs (THEORY T6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.simulators.dense import BatchedNetwork
from qprune.task.task import Task

# Amplitudes of the whole ensemble, 2^n · M, up to which "auto" takes the circuit as one window, whose angle is exact:
# so far it costs no more than the prefix pass. Beyond, windows are for who asks.
AMPLITUDES = 2**14


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
    """Measures Θ_{r,i} with windows on the original prefix states of the selected samples."""

    def __init__(self, task: Task, sites: Sequence[Site], size: int) -> None:
        self.network = BatchedNetwork(task, sites, task.selected)
        self.ends = window_ends(sites, size)

    def angles(self, chosen: Sequence[Candidate], cone: NDArray[np.bool_]) -> FloatArray:
        """Θ_{r,i} ≤ Σ over windows, with the replaced gates inside each output's light cone only; shape (R, M).

        Source: THEORY T6 and T2's light cone.
        """
        known: dict[frozenset[int], FloatArray] = {}
        rows = []
        for mask in cone:
            inside = {c.site: c.by for c in chosen if mask[c.site]}
            key = frozenset(inside)
            if key not in known:
                known[key] = np.minimum(self.network.window_angles(inside, self.ends), np.pi / 2)
            rows.append(known[key])
        return np.array(rows)
