"""What is left at either end of a Pauli network: a state to start from, or a word to be measured where it was asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit.library import CXGate, CZGate, HGate, SGate, SXdgGate, SXGate, XGate, ZGate
from qiskit.quantum_info import Clifford, PauliList
from qiskit.synthesis import synth_clifford_full

from qprune.exact.pauli_form import words_and_signs
from qprune.exact.pauli_network import LETTERS, TYPES, Gates, Move
from qprune.gates.sites import Word

Graph = NDArray[np.bool_]
CZ, CX, XC = (TYPES.index((LETTERS.index(p), LETTERS.index(q))) for p, q in ("ZZ", "ZX", "XZ"))
LONGEST = 6  # qubits on the way between two that an edge joins; gates double with each


def state_moves(stabilisers: PauliList, gates: Gates) -> list[Move] | None:
    """Gates that take |0…0⟩ to a stabiliser state, by way of a graph state with few edges.

    A state is a graph state up to one-qubit gates, and so is every graph that local complementation leads to; it is
    applied as long as edges go.

    Args:
        stabilisers: Generators with their signs, as many as qubits.
        gates: That may be used.

    Returns:
        The gates, or None where an edge joins qubits that are far from each other.
    """
    undone = _Undone(stabilisers)
    for q in undone.not_turned():
        undone.do(Move(HGate(), (q,)))
    graph = undone.graph()
    while (vertex := _best_complement(graph)) is not None:
        undone.do(Move(SXGate(), (vertex,)))
        for q in np.flatnonzero(graph[vertex]).tolist():
            undone.do(Move(SGate(), (q,)))
        graph = undone.graph()
    for a, b in np.argwhere(np.triu(graph)).tolist():
        way = _way(gates, a, b)
        if way is None:
            return None
        for move in _edge(gates, way):
            undone.do(move)
    undone.finish()
    return [Move(move.gate.inverse(), move.qubits) for move in reversed(undone.moves)]


def _way(gates: Gates, start: int, end: int) -> list[int] | None:
    """The qubits on a shortest way of at most `LONGEST`, both ends included; None where there is none."""
    ways = {start: [start]}  # by their ends; those that are there are as short as any
    for _ in range(LONGEST - 1):
        longer = [[*way, q] for way in ways.values() for q in gates.neighbours(way[-1])]
        for way in longer:
            ways.setdefault(way[-1], way)
        if end in ways:
            return ways[end]
    return None


def _edge(gates: Gates, way: list[int]) -> list[Move]:
    """CZ between the ends of a way: with m next to a, CZ(a, b) is what CZ(m, b) is not, if m is a ⊕ m."""
    if len(way) == 2:
        return _exactly(gates, way[0], way[1], CZ)
    parity, rest = _exactly(gates, way[0], way[1], CX), _edge(gates, way[1:])
    return [*parity, *rest, *parity, *rest]


def _exactly(gates: Gates, a: int, b: int, kind: int) -> list[Move]:
    """CZ, or CX from a to b."""
    if a > b:
        a, b, kind = b, a, XC if kind == CX else kind
    *turns, joining = gates.moves[gates.pairs.index((a, b))][kind]
    return [*turns, joining, *(Move(turn.gate.inverse(), turn.qubits) for turn in turns)]


def _best_complement(graph: Graph) -> int | None:
    """The vertex at which local complementation takes most edges away; None where it takes none."""
    edges = [int(_complement(graph, v).sum()) for v in range(len(graph))]
    best = int(np.argmin(edges)) if edges else 0
    return best if edges and edges[best] < graph.sum() else None


def _complement(graph: Graph, vertex: int) -> Graph:
    among = np.outer(graph[vertex], graph[vertex])
    np.fill_diagonal(among, False)
    return np.asarray(graph ^ among)


class _Undone:
    """A stabiliser state on its way back to |0…0⟩."""

    def __init__(self, stabilisers: PauliList) -> None:
        self.rows = stabilisers
        self.moves: list[Move] = []

    def do(self, move: Move) -> None:
        self.rows = self.rows.evolve(move.gate, qargs=list(move.qubits), frame="s")
        self.moves.append(move)

    def _eliminated(self) -> tuple[NDArray[np.bool_], list[int]]:
        """Generators in reduced echelon form by their X bits, (X bits, Z bits), and the qubits that have a pivot."""
        rows, n, pivots = np.hstack([self.rows.x, self.rows.z]), self.rows.num_qubits, list[int]()
        for q in range(n):
            found = np.flatnonzero(rows[len(pivots) :, q])
            if len(found):
                at, top = int(found[0]) + len(pivots), len(pivots)
                rows[[top, at]] = rows[[at, top]]
                others = np.flatnonzero(rows[:, q])
                rows[others[others != top]] ^= rows[top]
                pivots.append(q)
        return rows, pivots

    def not_turned(self) -> list[int]:
        """Qubits that a Hadamard gate makes part of a graph state."""
        pivots = self._eliminated()[1]
        return [q for q in range(self.rows.num_qubits) if q not in pivots]

    def graph(self) -> Graph:
        """The edges, letters Y turned into X before."""
        n = self.rows.num_qubits
        for q in np.flatnonzero(np.diagonal(self._eliminated()[0][:, n:])).tolist():
            self.do(Move(SGate(), (q,)))
        graph = self._eliminated()[0][:, n:].copy()
        np.fill_diagonal(graph, False)
        return graph

    def finish(self) -> None:
        """From all qubits in |±⟩ to all in |0⟩."""
        n = self.rows.num_qubits
        for q in range(n):
            self.do(Move(HGate(), (q,)))
        signed = np.hstack([self.rows.z, (self.rows.phase == 2)[:, None]])
        for q in range(n):  # Z words multiply without phases
            at = q + int(np.flatnonzero(signed[q:, q])[0])
            signed[[q, at]] = signed[[at, q]]
            others = np.flatnonzero(signed[:, q])
            signed[others[others != q]] ^= signed[q]
        for q in np.flatnonzero(signed[:, n]).tolist():
            self.do(Move(XGate(), (q,)))


def clifford_moves(images: PauliList, gates: Gates) -> list[Move] | None:
    """Gates for a Clifford operator; None where they would join qubits that no gate does.

    Args:
        images: What X and then Z of each qubit become.
        gates: That may be used.
    """
    tableau = np.hstack([images.x, images.z, (images.phase == 2)[:, None]])
    circuit = synth_clifford_full(Clifford(tableau))
    moves: list[Move] = []
    for item in circuit.data:
        qubits = tuple(circuit.find_bit(q).index for q in item.qubits)
        if len(qubits) == 1:
            moves.append(Move(item.operation, qubits))
            continue
        pairs = [qubits] if item.name == "cx" else [qubits, qubits[::-1], qubits] if item.name == "swap" else None
        for pair in pairs or [(-1, -1)]:
            if "cx" not in gates.native.get((pair[0], pair[1]), ()):
                return None
            moves.append(Move(CXGate(), pair))
    return moves


_FROM_Z = {"Z": (), "X": (HGate(),), "Y": (SXdgGate(),)}
_TO_Z = {"Z": (), "X": (HGate(),), "Y": (SXGate(),)}
_FLIPS = {"Z": XGate(), "X": ZGate(), "Y": XGate()}


def measuring_moves(measured: PauliList, wanted: Word, gates: Gates) -> list[Move] | None:
    """Gates behind which a word does what another, a single letter, would do in front of them.

    Args:
        measured: One word, a letter, with its sign.
        wanted: The word on any qubits, the letter's among them.
        gates: That may be used.
    """
    (((root, letter),), _) = words_and_signs(measured)[0]
    if root not in dict(wanted):
        return None
    moves = [Move(gate, (root,)) for gate in _TO_Z[letter]]
    for q, _ in wanted:
        if q != root:
            names = gates.native.get((q, root), frozenset())
            if "cx" in names:
                moves.append(Move(CXGate(), (q, root)))
            elif "cz" in names:
                moves += [Move(HGate(), (root,)), Move(CZGate(), (q, root)), Move(HGate(), (root,))]
            else:
                return None
    moves += [Move(gate, (q,)) for q, p in wanted for gate in _FROM_Z[p]]
    found = measured
    for move in moves:
        found = found.evolve(move.gate, qargs=list(move.qubits), frame="s")
    return moves if found.phase[0] == 0 else [Move(_FLIPS[letter], (root,)), *moves]
