"""Pauli networks: Clifford gates between which every rotation about a Pauli word becomes one about a letter.

A greedy search in the spirit of Rustiq (arXiv:2404.03280) and of TKET's (arXiv:2103.08602): of all two-qubit Clifford
gates that shorten a word whose turn it is, the one after which fewest words still need gates, words further back
counting less. Deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Gate
from qiskit.circuit.library import CXGate, CYGate, CZGate, HGate, SGate, SXGate
from qiskit.quantum_info import PauliList

WINDOW = 48  # words that a choice looks at: those further back count next to nothing
LETTERS = "IXZY"  # a letter's number is its X bit and twice its Z bit
TYPES = tuple(product((1, 2, 3), repeat=2))  # exp(iπ/4 (1 − P)(1 − Q)) by letters of the first and second qubit
LOCAL = 1e-3  # what a one-qubit gate counts in the choice, in units of a word that still needs gates

PATIENCE = (
    12  # gates without a turn after which one word is led to its letter: on few couplings words may block each other
)
TABLED = 12  # qubits up to which distances on couplings are in a table; beyond, letters are counted
FAR = 1000  # qubits that no gates join

Bits = NDArray[np.int8]
Pair = tuple[int, int]


class Weighing(NamedTuple):
    """How words count in the choice of a gate.

    Attributes:
        fade: Factor per layer of words that have to wait for others.
        unfinished: For a word on more than one qubit.
        letter: For each gate that it needs at least.
    """

    fade: float
    unfinished: float
    letter: float


WEIGHINGS = (Weighing(0.5, 1, 0.25), Weighing(0.8, 1, 0.25), Weighing(0.5, 0, 1), Weighing(0.8, 0, 1))


class Turn(NamedTuple):
    """A rotation whose word is a letter now: its place, the qubit, the letter and the sign of the angle."""

    place: int
    qubit: int
    letter: str
    sign: int


class Move(NamedTuple):
    """A Clifford gate on its qubits."""

    gate: Gate
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """Gates and turns in order, and what further words have become behind them."""

    steps: tuple[Move | Turn, ...]
    carried: PauliList

    @property
    def two_qubit_gates(self) -> int:
        return sum(isinstance(step, Move) and len(step.qubits) == 2 for step in self.steps)


def _anticommute(p: int, q: int) -> bool:
    return bool(((p & 1) * (q >> 1) + (p >> 1) * (q & 1)) & 1)


def letters_after(p: int, q: int, a: int, b: int) -> tuple[int, int]:
    """Two letters behind the gate of letters p and q."""
    return a ^ (p if _anticommute(b, q) else 0), b ^ (q if _anticommute(a, p) else 0)


# By 4 · first letter + second letter and type of gate: whether there are letters behind it.
BEHIND = np.array(
    [[[bool(x) for x in letters_after(p, q, a, b)] for p, q in TYPES] for a, b in product(range(4), repeat=2)]
)


def _distance(pairs: Sequence[Pair], n: int) -> NDArray[np.int16] | None:
    """The gates that a word needs at least to become a letter, by the mask of its qubits; None for many qubits.

    On the vertices of the smallest tree that joins its qubits, one for every vertex but one, and one more for every
    vertex where it has no letter yet.
    """
    if n > TABLED:
        return None
    masks = np.arange(2**n)
    neighbours = [sum(1 << b for a, b in (*pairs, *(p[::-1] for p in pairs)) if a == q) for q in range(n)]
    reached = masks & -masks
    for _ in range(n):
        for q in range(n):
            reached |= np.where(reached >> q & 1, neighbours[q] & masks, 0)
    size = np.array([int(mask).bit_count() for mask in masks], dtype=np.int16)
    tree = np.where(reached == masks, size, FAR).astype(np.int16)
    for q in range(n):  # the least over all larger sets of qubits
        without = masks[(masks >> q & 1) == 0]
        tree[without] = np.minimum(tree[without], tree[without | 1 << q])
    return np.where(size > 0, np.where(tree < FAR, 2 * tree - 1 - size, FAR), 0).astype(np.int16)


class Gates:
    """The two-qubit Clifford gates at hand, each with the one-qubit gates that turn letters into its own.

    Args:
        native: Names by ordered pair of qubits: "cx", "cy" and "cz".
        num_qubits: Of the circuit.
    """

    def __init__(self, native: Mapping[Pair, frozenset[str]], num_qubits: int) -> None:
        self.native = native
        self.pairs = tuple(sorted({(min(pair), max(pair)) for pair in native}))
        self.first = np.array([a for a, _ in self.pairs], dtype=np.intp)
        self.second = np.array([b for _, b in self.pairs], dtype=np.intp)
        self.moves = [[self._moves(pair, *letters) for letters in TYPES] for pair in self.pairs]
        self.distance = _distance(self.pairs, num_qubits)
        self.locals = np.array([[len(moves) - 1 for moves in row] for row in self.moves]).reshape(-1, len(TYPES))

    def has(self, move: Move) -> bool:
        """Whether a gate is one of them, or acts on one qubit."""
        return len(move.qubits) == 1 or move.gate.name in self.native.get((move.qubits[0], move.qubits[1]), ())

    def neighbours(self, qubit: int) -> list[int]:
        """The qubits that gates join with one."""
        return sorted({a + b - qubit for a, b in self.pairs if qubit in (a, b)})

    def _moves(self, pair: Pair, p: int, q: int) -> list[Move]:
        """One-qubit gates and a two-qubit gate that together are that of letters p and q, but for one-qubit gates."""
        a, b = pair
        ways = [
            [*_turned(c, letter_c, "Z"), *_turned(t, letter_t, at), Move(gate, (c, t))]
            for c, t, letter_c, letter_t in ((a, b, p, q), (b, a, q, p))
            for name, (gate, at) in NATIVE.items()
            if name in self.native.get((c, t), ())
        ]
        return min(ways, key=len)


NATIVE: dict[str, tuple[Gate, str]] = {"cx": (CXGate(), "X"), "cz": (CZGate(), "Z"), "cy": (CYGate(), "Y")}
_TURNED: dict[tuple[str, str], Gate] = {
    ("X", "Z"): HGate(),
    ("Z", "X"): HGate(),
    ("Y", "Z"): SXGate(),
    ("Z", "Y"): SXGate(),
    ("Y", "X"): SGate(),
    ("X", "Y"): SGate(),
}


def _turned(q: int, letter: int, to: str) -> list[Move]:
    return [] if LETTERS[letter] == to else [Move(_TURNED[LETTERS[letter], to], (q,))]


def network(
    words: PauliList,
    before: NDArray[np.bool_],
    carried: PauliList,
    gates: Gates,
    free: NDArray[np.bool_],
    weighing: Weighing,
    most: int,
) -> Network | None:
    """A network for words, or None where the search ends or needs more than `most` two-qubit gates.

    Args:
        words: One a rotation.
        before: Which rotation has to come before which.
        carried: Further words, taken along.
        gates: That may be used.
        free: By pair and type: gates that may come before everything else at no cost, and are not among the steps.
        weighing: What decides.
        most: Two-qubit gates.
    """
    search = Search(words, before, carried, gates, weighing)
    search.prepare(free)
    used = 0
    while search.emit():
        if used == most or not search.advance():
            return None
        used += 1
    return Network(tuple(search.steps), search.rows[len(words) :])


class Search:
    """Words on their way to letters."""

    def __init__(
        self, words: PauliList, before: NDArray[np.bool_], carried: PauliList, gates: Gates, weighing: Weighing
    ) -> None:
        self.rows, self.before, self.gates, self.weighing = words + carried, before, gates, weighing
        self.left = list(range(len(words)))
        self.steps: list[Move | Turn] = []
        self.since = 0  # gates since the last turn
        self._look()

    def _look(self) -> None:
        """The first words that are left, by their letters and the layer in which their turn comes."""
        self.window = np.array(self.left[:WINDOW], dtype=np.intp)
        order = self.before[np.ix_(self.window, self.window)]
        layers = np.zeros(len(self.window), dtype=np.int64)
        for k in range(len(layers)):
            earlier = layers[:k][order[:k, k]]
            layers[k] = earlier.max() + 1 if len(earlier) else 0
        self.layers = layers
        self.shares = self.weighing.fade**layers
        self._read()

    def _read(self) -> None:
        rows = self.rows[self.window] if len(self.window) else self.rows[:0]
        self.codes: Bits = rows.x.astype(np.int8) + 2 * rows.z.astype(np.int8)
        self.weights = np.count_nonzero(self.codes, axis=1)
        self.masks = (
            (self.codes > 0) @ (1 << np.arange(self.codes.shape[1])) if self.gates.distance is not None else None
        )
        self.todo = self._todo(self.weights, self.masks)

    def _todo(self, weights: NDArray[np.int64], masks: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """How many gates words need at least."""
        distance = self.gates.distance
        return weights - 1 if distance is None or masks is None else distance[masks].astype(np.int64)

    def emit(self) -> bool:
        """Turn about every letter whose turn it is; whether words are left."""
        while len(self.window):
            ready = np.flatnonzero((self.layers == 0) & (self.weights == 1))
            if not len(ready):
                return True
            for k in ready:
                q = int(np.flatnonzero(self.codes[k])[0])
                place = int(self.window[k])
                sign = 1 if int(self.rows.phase[place]) == 0 else -1
                self.steps.append(Turn(place, q, LETTERS[self.codes[k, q]], sign))
                self.since = 0
                self.left.remove(place)
            self._look()
        return False

    def _after(self) -> NDArray[np.int64]:
        """How many gates each word of the window needs after each gate, shape (words, pairs, types)."""
        first, second = self.codes[:, self.gates.first], self.codes[:, self.gates.second]
        behind = BEHIND[4 * first + second]
        letters = behind.sum(axis=-1) - (first > 0)[:, :, None] - (second > 0)[:, :, None]
        if self.masks is None:
            return self._todo(self.weights[:, None, None] + letters, None)
        one, two = 1 << self.gates.first[:, None], 1 << self.gates.second[:, None]
        kept = self.masks[:, None, None] & ~(one | two)
        return self._todo(self.weights[:, None, None], kept | behind[..., 0] * one | behind[..., 1] * two)

    def _value(self, todo: NDArray[np.int64]) -> NDArray[np.float64]:
        """What is left to do, later words fading."""
        left = self.weighing.unfinished * (todo > 0) + self.weighing.letter * todo
        return np.asarray(np.tensordot(self.shares, left, axes=1))

    def advance(self) -> bool:
        """The best gate that shortens a word whose turn it is; False where there is none."""
        after, now = self._after(), self.layers == 0
        if self.since >= PATIENCE:  # every gate shortens one word, the nearest, so that its turn comes
            now = np.arange(len(now)) == np.argmin(np.where(now, self.todo, FAR))
        useful = (after[now] < self.todo[now][:, None, None]).any(axis=0)
        if not useful.any():
            return False
        values = np.where(useful, self._value(after) + LOCAL * self.gates.locals, np.inf)
        pair, kind = np.unravel_index(int(np.argmin(values)), values.shape)
        self.act(int(pair), int(kind))
        return True

    def act(self, pair: int, kind: int) -> list[Move]:
        """A gate, with the one-qubit gates that turn letters into its own; they stay."""
        moves = self.gates.moves[pair][kind]
        for move in moves:
            self.rows = self.rows.evolve(move.gate, qargs=list(move.qubits), frame="s")
        self.steps += moves
        self.since += 1
        self._read()
        return moves

    def prepare(self, free: NDArray[np.bool_]) -> None:
        """Gates that cost nothing, as long as they leave less to do."""
        while len(self.window) and free.any():
            values = np.where(free, self._value(self._after()), np.inf)
            pair, kind = np.unravel_index(int(np.argmin(values)), values.shape)
            if values[pair, kind] >= float(self._value(self.todo)) - LOCAL:
                return
            self.free(int(pair), int(kind))

    def free(self, pair: int, kind: int) -> None:
        """A gate that costs nothing."""
        *turns, joining = self.gates.moves[pair][kind]
        back = [Move(move.gate.inverse(), move.qubits) for move in turns]
        for move in (*turns, joining, *back):
            self.rows = self.rows.evolve(move.gate, qargs=list(move.qubits), frame="s")
        self._read()


def fixing_zeros(gates: Gates) -> NDArray[np.bool_]:
    """By pair and type: gates that leave |0…0⟩ as it is."""
    return np.array([[2 in letters for letters in TYPES]] * len(gates.pairs), dtype=bool).reshape(-1, len(TYPES))


def fixing(words: PauliList, gates: Gates) -> NDArray[np.bool_]:
    """By pair and type: gates that leave words as they are."""
    codes = words.x.astype(int) + 2 * words.z.astype(int)
    return np.array(
        [
            [not any(_anticommute(row[a], p) or _anticommute(row[b], q) for row in codes) for p, q in TYPES]
            for a, b in gates.pairs
        ],
        dtype=bool,
    ).reshape(-1, len(TYPES))


def inverted(steps: Sequence[Move | Turn]) -> list[Move | Turn]:
    """The steps from the last to the first, gates inverted; turns keep their sign."""
    return [Move(s.gate.inverse(), s.qubits) if isinstance(s, Move) else s for s in reversed(steps)]


def without_pairs(steps: Sequence[Move | Turn]) -> list[Move | Turn]:
    """The steps without gates that are followed by their inverse."""
    done: list[Move | Turn | None] = []
    last: dict[int, list[int]] = {}  # places in `done` by qubit
    for step in steps:
        qubits = step.qubits if isinstance(step, Move) else (step.qubit,)
        places = {last[q][-1] if last.get(q) else -1 for q in qubits}
        at = places.pop()
        before = done[at] if at >= 0 and not places else None
        if isinstance(step, Move) and isinstance(before, Move) and _are_inverse(before, step):
            done[at] = None
            for q in qubits:
                last[q].pop()
            continue
        for q in qubits:
            last.setdefault(q, []).append(len(done))
        done.append(step)
    return [step for step in done if step is not None]


def _are_inverse(first: Move, second: Move) -> bool:
    return first.qubits == second.qubits and first.gate.inverse().name == second.gate.name
