"""CX networks: a run of CX gates (a SWAP is three) is a linear map of bits, and one with fewer CX may do the same.

Often a shorter one does so up to a permutation of qubits. As every circuit starts in |0…0⟩, which no permutation
changes, the gates before the run then act on the permuted qubits instead, and nothing has to be undone.

Exact for every value of every parameter, and no parameter is given up. Multi-qubit gates occur only where the circuit
already has such, so that a routed circuit stays routed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

from qiskit.circuit.library import CXGate

from qprune.exact.simplify import ExactChange, simplify
from qprune.gates.sites import Site, make_site
from qprune.gates.subgroups import Subgroup, commute, subgroup_of
from qprune.task.task import Task

WIDTH = 32  # partial networks kept at a time
EFFORT = 50_000  # moves tried per run, about; the width shrinks for long runs

Pair = tuple[int, int]  # control and target
Rows = tuple[int, ...]  # a matrix over GF(2), a bit mask per row


class Network(NamedTuple):
    """A permutation of qubits (content of `q` goes to `to.get(q, q)`), then CX gates."""

    to: Mapping[int, int]
    pairs: tuple[Pair, ...]


def shorten_networks(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """Shorter runs of CX gates and what `simplify` makes of them, until nothing more goes; all outputs stay.

    Args:
        task: Gives new gates their role, and says what is measured.
        sites: The circuit, simplified.
    """
    current = tuple(sites)
    changes: tuple[ExactChange, ...] = ()
    while True:
        shorter, networks = with_shorter_runs(task, current)
        if not networks:
            return current, changes
        current, simplified = simplify(task, shorter)
        changes += networks + simplified


def with_shorter_runs(task: Task, sites: Sequence[Site]) -> tuple[tuple[Site, ...], tuple[ExactChange, ...]]:
    """Replace runs of CX gates by shorter ones that lead to the same state.

    A run takes in every later CX or SWAP that can be moved to it past gates it commutes with. Every new gate stands for
    an old one of the run, where possible on the same qubits; old gates left over are the exact changes.

    Args:
        task: Gives new gates their role.
        sites: The circuit.

    Returns:
        The circuit, gates perhaps in another order or on other qubits, and what went.
    """
    places = {_place(site) for site in sites if len(site.qubits) > 1}
    couplings = tuple(sorted({_pair(site) for site in sites if _is_cx(site)}))
    qubits = frozenset(q for site in sites for q in site.qubits)
    done: list[Site] = []
    changes: list[ExactChange] = []
    left = list(sites)
    while left:
        before, run, left = _run(left, qubits)
        done += before
        for permuted in (True, False):
            network = _shorter(tuple(pair for site in run for pair in _pairs(site)), couplings, permuted)
            if network is None or len(network.pairs) > len(run):  # a SWAP counts as three CX, but is one gate
                continue
            moved = [_moved(task, site, network.to) for site in done]
            if all(len(site.qubits) == 1 or _place(site) in places for site in moved):
                new, gone = _renewed(task, run, network.pairs)
                done, run = moved, new
                changes += [ExactChange("CX network", site.origins) for site in gone]
                break
        done += run
    return tuple(done), tuple(changes)


def _is_cx(site: Site) -> bool:
    return site.name == "cx" and site.family is not None  # a gate of the user's may have that name


def _is_swap(site: Site) -> bool:
    return site.name == "swap" and site.family is not None


def _pair(site: Site) -> Pair:
    return site.qubits[0], site.qubits[1]


def _pairs(site: Site) -> list[Pair]:
    """The CX that a gate of a run stands for."""
    a, b = _pair(site)
    return [(a, b)] if _is_cx(site) else [(a, b), (b, a), (a, b)]


def _place(site: Site) -> tuple[object, ...]:
    """What a gate is and where it stands; the order of qubits counts only where the gate tells them apart."""
    return site.name, site.family, site.word or site.qubits


def _moved(task: Task, site: Site, to: Mapping[int, int]) -> Site:
    qubits = tuple(to.get(q, q) for q in site.qubits)
    return site if qubits == site.qubits else make_site(task, site.operation, qubits, site.origins)


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


def _run(sites: list[Site], qubits: AbstractSet[int]) -> tuple[list[Site], list[Site], list[Site]]:
    """What comes before the first run of CX gates, the run, and what comes after it, on all these qubits."""
    before: list[Site] = []
    run, after = _Crossed(), _Crossed()
    for k, site in enumerate(sites):
        if after.closed >= qubits:  # no gate can come before what is there: in a long circuit that is most of them
            return before, run.sites, after.sites + sites[k:]
        if not after.lets_through(site):
            after.add(site)
        elif _is_cx(site) or _is_swap(site):
            run.add(site)
        elif run.lets_through(site):
            before.append(site)
        else:
            after.add(site)
    return before, run.sites, after.sites


class _Crossed:
    """Gates that another would have to be moved across.

    Attributes:
        sites: The gates.
        closed: Qubits that no further gate acts on without being stopped: something there commutes with nothing, or
            two rotations about different axes do, with which only what leaves the qubit alone commutes.
    """

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.closed: set[int] = set()
        self._on: dict[int, set[Subgroup | None]] = {}

    def add(self, site: Site) -> None:
        self.sites.append(site)
        group = subgroup_of(site)
        for q in site.qubits:
            there = self._on.setdefault(q, set())
            if q not in self.closed and group not in there and _closes(group, there):
                self.closed.add(q)
            there.add(group)

    def lets_through(self, site: Site) -> bool:
        """Whether a gate commutes with all of them."""
        if not self.closed.isdisjoint(site.qubits):
            return False
        group = subgroup_of(site)
        return all(commute(group, other) for q in site.qubits for other in self._on.get(q, ()))


def _closes(group: Subgroup | None, there: AbstractSet[Subgroup | None]) -> bool:
    if group is None or group.family == "special":
        return True
    alone = [other for other in there if other is not None and len(other.qubits) == 1]
    return len(group.qubits) == 1 and not all(commute(group, other) for other in alone)


# -- shorter networks ----------------------------------------------------------------------------------------------


def _shorter(run: tuple[Pair, ...], couplings: tuple[Pair, ...], permuted: bool) -> Network | None:
    """A shorter network for the same map, or None where there is none or the search finds none."""
    qubits = sorted({q for pair in run for q in pair})
    place = {q: k for k, q in enumerate(qubits)}
    moves = tuple((place[c], place[t]) for c, t in couplings if c in place and t in place)
    rows = [1 << k for k in range(len(qubits))]
    for control, target in run:
        rows[place[target]] ^= rows[place[control]]
    found = _search(tuple(rows), moves, len(run) - 1, permuted)
    if found is None:
        return None
    to = {qubits[row.bit_length() - 1]: qubits[k] for k, row in enumerate(found[0])}
    return Network(to, tuple((qubits[c], qubits[t]) for c, t in found[1]))


@lru_cache(maxsize=1024)
def _search(goal: Rows, moves: tuple[Pair, ...], most: int, permuted: bool) -> tuple[Rows, tuple[Pair, ...]] | None:
    """The shortest way to a linear map that a beam search finds: a permutation, then at most `most` moves.

    A move adds row `control` to row `target`. The matrix is brought back to the identity, or to a permutation; partial
    networks are ranked by the ones left in the matrix and in its inverse, of which a CX changes one row or column.
    """
    width = max(1, min(WIDTH, EFFORT // (max(most, 1) * max(len(moves), 1))))
    beam: list[tuple[Rows, Rows, tuple[Pair, ...]]] = [(goal, _inverse(goal), ())]
    seen = {goal}
    for left in range(most, -1, -1):
        for matrix, _, path in beam:
            if not _least_moves(matrix, permuted):
                return matrix, path[::-1]
        steps = {}
        for state in beam:
            if _least_moves(state[0], permuted) <= left:
                steps.update({step[0]: step for step in _steps(*state, moves) if step[0] not in seen})
        seen.update(steps)
        beam = sorted(steps.values(), key=lambda step: _ones(step[0]) + _ones(step[1]))[:width]
    return None


def _least_moves(matrix: Rows, permuted: bool) -> int:
    """How many rows a move must still change."""
    return sum(row.bit_count() > 1 if permuted else row != 1 << k for k, row in enumerate(matrix))


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
