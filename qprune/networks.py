"""CX networks: runs of CX gates are linear maps of bits, and one with fewer CX may do the same.

Exact for every value of every parameter, and no parameter is given up. Only couplings that the circuit already uses
occur in the result, so that a routed circuit stays routed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from qiskit.circuit.library import CXGate

from qprune.gates import Site, make_site
from qprune.rewrite import ExactChange
from qprune.subgroups import Subgroup, commute, subgroup_of
from qprune.task import Task

WIDTH = 32  # partial networks kept at a time
EFFORT = 50_000  # moves tried per run, about; the width shrinks for long runs

Pair = tuple[int, int]  # control and target
Rows = tuple[int, ...]  # a matrix over GF(2), a bit mask per row


def shorten_networks(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """Replace runs of CX gates by shorter ones with the same unitary.

    A run takes in every later CX that can be moved to it past gates it commutes with. Every new gate stands for an old
    one of the run, where possible on the same qubits; old gates left over are the exact changes.

    Args:
        task: Gives new gates their role.
        sites: The circuit.

    Returns:
        The circuit, gates perhaps in another order, and what went.
    """
    couplings = tuple(sorted({_pair(site) for site in sites if _is_cx(site)}))
    done: list[Site] = []
    changes: list[ExactChange] = []
    left = list(sites)
    while left:
        before, run, left = _run(left)
        done += before
        shorter = _shorter(tuple(map(_pair, run)), couplings)
        if shorter is None:
            done += run
        else:
            new, gone = _renewed(task, run, shorter)
            done += new
            changes += [ExactChange("CX network", site.origins) for site in gone]
    return (tuple(done), tuple(changes)) if changes else (tuple(sites), ())


def _is_cx(site: Site) -> bool:
    return site.name == "cx"


def _pair(site: Site) -> Pair:
    return site.qubits[0], site.qubits[1]


def _renewed(task: Task, run: Sequence[Site], shorter: Sequence[Pair]) -> tuple[list[Site], list[Site]]:
    """The new gates, each with the origins of an old one, and the old ones left over."""
    unused = list(run)
    partner: dict[int, Site] = {}
    for same in (True, False):
        for j, pair in enumerate(shorter):
            old = next((site for site in unused if not same or _pair(site) == pair), None)
            if j not in partner and old is not None:
                partner[j] = old
                unused.remove(old)
    return [make_site(task, CXGate(), pair, partner[j].origins) for j, pair in enumerate(shorter)], unused


# -- runs ----------------------------------------------------------------------------------------------------------


def _run(sites: Sequence[Site]) -> tuple[list[Site], list[Site], list[Site]]:
    """What comes before the first run of CX gates, the run, and what comes after it."""
    before: list[Site] = []
    run, after = _Crossed(), _Crossed()
    for site in sites:
        if not after.lets_through(site):
            after.add(site)
        elif _is_cx(site):
            run.add(site)
        elif run.lets_through(site):
            before.append(site)
        else:
            after.add(site)
    return before, run.sites, after.sites


class _Crossed:
    """Gates that another would have to be moved across."""

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.on: dict[int, set[Subgroup | None]] = {}

    def add(self, site: Site) -> None:
        self.sites.append(site)
        for q in site.qubits:
            self.on.setdefault(q, set()).add(subgroup_of(site))

    def lets_through(self, site: Site) -> bool:
        """Whether a gate commutes with all of them."""
        groups = [self.on[q] for q in site.qubits if q in self.on]
        return not groups or all(commute(subgroup_of(site), other) for other in set().union(*groups))


# -- shorter networks ----------------------------------------------------------------------------------------------


def _shorter(run: tuple[Pair, ...], couplings: tuple[Pair, ...]) -> tuple[Pair, ...] | None:
    """A shorter network for the same map, or None where there is none or the search finds none."""
    qubits = sorted({q for pair in run for q in pair})
    place = {q: k for k, q in enumerate(qubits)}
    moves = tuple((place[c], place[t]) for c, t in couplings if c in place and t in place)
    rows = [1 << k for k in range(len(qubits))]
    for control, target in run:
        rows[place[target]] ^= rows[place[control]]
    changed = sum(row != 1 << k for k, row in enumerate(rows))
    if changed == len(run):  # a CX changes one row, so that many are needed
        return None
    found = _search(tuple(rows), moves, len(run) - 1)
    return None if found is None else tuple((qubits[c], qubits[t]) for c, t in found)


@lru_cache(maxsize=1024)
def _search(goal: Rows, moves: tuple[Pair, ...], most: int) -> tuple[Pair, ...] | None:
    """The shortest sequence of moves to a linear map that a beam search finds, of at most `most` of them.

    A move adds row `control` to row `target`. The matrix is brought back to the identity; partial networks are ranked
    by the ones left in the matrix and in its inverse, both of which a CX changes in one row or column.
    """
    n = len(goal)
    unit = tuple(1 << k for k in range(n))
    width = max(1, min(WIDTH, EFFORT // (most * len(moves) or 1)))
    beam: list[tuple[Rows, Rows, tuple[Pair, ...]]] = [(goal, _inverse(goal), ())]
    seen = {goal}
    for _ in range(most + 1):
        for matrix, _, path in beam:
            if matrix == unit:
                return path[::-1]
        steps = [step for state in beam for step in _steps(*state, moves) if step[0] not in seen]
        seen.update(step[0] for step in steps)
        steps.sort(key=lambda step: _ones(step[0]) + _ones(step[1]))
        beam = list({step[0]: step for step in reversed(steps[: 2 * width])}.values())[::-1][:width]
    return None


def _steps(
    matrix: Rows, inverse: Rows, path: tuple[Pair, ...], moves: tuple[Pair, ...]
) -> Iterator[tuple[Rows, Rows, tuple[Pair, ...]]]:
    for control, target in moves:
        new = list(matrix)
        new[target] ^= new[control]
        flip = 1 << control
        old = tuple(row ^ flip if row >> target & 1 else row for row in inverse)
        yield tuple(new), old, (*path, (control, target))


def _ones(matrix: Rows) -> int:
    return sum(row.bit_count() for row in matrix)


def _inverse(matrix: Rows) -> Rows:
    """By Gauss-Jordan elimination over GF(2)."""
    n = len(matrix)
    rows = [row | 1 << (n + k) for k, row in enumerate(matrix)]
    for column in range(n):
        pivot = next(r for r in range(column, n) if rows[r] >> column & 1)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for r in range(n):
            if r != column and rows[r] >> column & 1:
                rows[r] ^= rows[column]
    return tuple(row >> n for row in rows)
