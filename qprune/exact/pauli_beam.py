"""A wider search for Pauli networks: many unfinished networks side by side, and many frames to start from.

The greedy search takes one gate after the other; here the best few dozen networks of as many gates each are kept, and
before the first gate the best few dozen frames that free gates lead to. Where all words commute, a network has no
beginning: it grows at both of its ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import PauliList

from qprune.exact.pauli_network import (
    BEHIND,
    FAR,
    LETTERS,
    TYPES,
    WEIGHINGS,
    WINDOW,
    Bits,
    Gates,
    Network,
    Search,
    letters_after,
    network,
)

WIDTH = 64  # networks side by side
CHILDREN = 4  # of each on average, before those that are the same are told
FINALISTS = 4  # networks that end with as few gates, as what is left at an end differs between them
FADE, UNFINISHED, LETTER = 0.9, 1.0, 0.5  # as of a `Weighing`
STALLED = 8  # gates after which not one word more has become a letter

# By first letter, second letter and type of gate: the letters behind it.
AFTER = np.array([[[letters_after(p, q, a, b) for p, q in TYPES] for b in range(4)] for a in range(4)], dtype=np.int8)
_SWAPPED = {"h": "XZ", "sx": "YZ", "s": "XY"}  # letters that a one-qubit gate exchanges


Step = tuple[int, int, int]  # the end of the network at which a gate is put, its pair and its type


class _Beam(NamedTuple):
    """Unfinished networks: letters (B, ends, words, qubits), words left (B, words), and their gates.

    The last end is that behind all gates; if there are two, the first is that before them.
    """

    codes: Bits
    left: NDArray[np.bool_]
    gates: list[tuple[Step, ...]]


def networks(
    words: PauliList,
    before: NDArray[np.bool_],
    carried: PauliList,
    gates: Gates,
    free: NDArray[np.bool_],
    most: int,
    wide: bool,
) -> Iterator[Network]:
    """Networks for words: the greedy ones by every weighing, or those of the wider search where it is affordable.

    Args:
        words, before, carried, gates, free, most: As in `network`.
        wide: Which of the two.
    """
    if not wide:
        greedy = (network(words, before, carried, gates, free, weighing, most) for weighing in WEIGHINGS)
        yield from (found for found in greedy if found is not None)
        return
    if gates.distance is None or len(words) > WINDOW or not gates.pairs:
        return
    search = _Wide(words, before, gates, gates.distance, free)
    for frame, steps in search.finished(search.frames(), most):
        replay = _Replay(words, before, carried, gates)
        replay.prepare_by(frame)
        replay.follow(steps)
        yield Network(tuple(replay.search.steps), replay.search.rows[len(words) :])


class _Wide:
    """What all networks share.

    Where no word but the last has to wait for another, gates may also be put before all others, if they are free there:
    the state in front of them stays what it is.
    """

    def __init__(
        self,
        words: PauliList,
        before: NDArray[np.bool_],
        gates: Gates,
        distance: NDArray[np.int16],
        free: NDArray[np.bool_],
    ) -> None:
        self.gates, self.free = gates, free.ravel()
        self.price = UNFINISHED * (distance > 0) + LETTER * distance  # of a word, by the mask of its qubits
        self.start: Bits = words.x.astype(np.int8) + 2 * words.z.astype(np.int8)
        self.earlier = np.triu(before, 1)
        layers = np.zeros(len(words), dtype=np.int64)
        for k in range(len(layers)):
            layers[k] = max(layers[:k][self.earlier[:k, k]] + 1, default=0)
        self.shares = FADE**layers
        self.waiting = layers > 0
        self.ends = 2 if free.any() and not self.waiting[:-1].any() else 1
        self.bits = 1 << np.arange(words.num_qubits)

    def frames(self) -> _Beam:
        """The best frames that free gates lead to, that without any among them."""
        beam = _Beam(self.start[None, None], np.ones((1, len(self.start)), dtype=bool), [()])
        moves = np.flatnonzero(self.free)
        for _ in range(4 * self.start.shape[1] if len(moves) else 0):
            values = self._values(beam)[:, moves]
            parents, chosen = np.unravel_index(_least(values, CHILDREN * WIDTH), values.shape)
            more = self._moved(beam, parents, moves[chosen])
            wider = _Beam(
                np.concatenate([beam.codes, more.codes]),
                np.concatenate([beam.left, more.left]),
                [*beam.gates, *more.gates],
            )
            best = self._best(wider)
            if best.gates == beam.gates:
                break
            beam = best
        return beam

    def finished(
        self, start: _Beam, most: int
    ) -> Iterator[tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]]:
        """Networks of the fewest gates found, at most so many: the gates of the frame, and those that count."""
        frames = start.gates
        numbered: list[tuple[Step, ...]] = [((-1, k, -1),) for k in range(len(frames))]
        beam = self._settled(_Beam(start.codes.repeat(self.ends, axis=1), start.left, numbered))
        fewest, since = int(beam.left.sum(axis=1).min()), 0
        for _ in range(most + 1):
            done = np.flatnonzero(~beam.left.any(axis=1))[:FINALISTS]
            if len(done):
                for k in done.tolist():
                    (_, frame, _), *steps = beam.gates[k]
                    in_front = [(pair, kind) for end, pair, kind in steps if end < self.ends - 1]
                    behind = [(pair, kind) for end, pair, kind in steps if end == self.ends - 1]
                    free = [(pair, kind) for _, pair, kind in frames[frame]]
                    yield (*free, *in_front), (*reversed(in_front), *behind)
                return
            if since > STALLED:
                return
            values = self._values(beam, useful=True)
            chosen = _least(values, CHILDREN * WIDTH)
            chosen = chosen[np.isfinite(values.ravel()[chosen])]
            if not len(chosen):
                return
            parents, moves = np.unravel_index(chosen, values.shape)
            beam = self._best(self._settled(self._moved(beam, parents, moves)))
            now = int(beam.left.sum(axis=1).min())
            fewest, since = min(now, fewest), 0 if now < fewest else since + 1

    def _prices(self, masks: NDArray[np.int64]) -> NDArray[np.float64]:
        """What is left to do for each word at each end, shape of the masks, (B, ends, words, …)."""
        prices = np.asarray(self.price[masks])
        if masks.shape[1] == 2:
            prices[:, 0, self.waiting] = FAR
        return prices

    def _value(self, prices: NDArray[np.float64], left: NDArray[np.bool_]) -> NDArray[np.float64]:
        """What is left to do, later words fading; shape of `prices` without its third axis, the words."""
        return np.asarray(np.einsum("bew...,bw->be...", prices, self.shares * left))

    def _values(self, beam: _Beam, useful: bool = False) -> NDArray[np.float64]:
        """What each gate leaves to do, (B, ends · gates); infinite, if asked for, where it helps no word in turn."""
        first, second = self.gates.first, self.gates.second
        behind = BEHIND[4 * beam.codes[..., first] + beam.codes[..., second]]
        one, two = (1 << first)[:, None], (1 << second)[:, None]
        masks = (beam.codes > 0) @ self.bits
        kept = masks[..., None, None] & ~(one | two)
        after = self._prices(kept | behind[..., 0] * one | behind[..., 1] * two)
        here = self._prices(masks)
        least = after if after.shape[1] == 1 else np.minimum(after, here[:, ::-1, :, None, None])
        values = self._value(least, beam.left)
        if useful:
            now = beam.left & ~(beam.left @ self.earlier)
            helps = (after < here[..., None, None]) & now[:, None, :, None, None]
            values = np.where(helps.any(axis=2), values, np.inf)
        values = values.reshape(*values.shape[:2], -1)
        if values.shape[1] == 2:
            values[:, 0, ~self.free] = np.inf
        return values.reshape(len(values), -1)

    def _moved(self, beam: _Beam, parents: NDArray[np.intp], moves: NDArray[np.intp]) -> _Beam:
        ends, pairs, kinds = np.unravel_index(moves, (beam.codes.shape[1], len(self.gates.pairs), len(TYPES)))
        codes, rows = beam.codes[parents], np.arange(len(parents))
        a, b = self.gates.first[pairs], self.gates.second[pairs]
        letters = AFTER[codes[rows, ends, :, a], codes[rows, ends, :, b], kinds[:, None]]
        codes[rows, ends, :, a], codes[rows, ends, :, b] = letters[..., 0], letters[..., 1]
        each = zip(parents.tolist(), ends.tolist(), pairs.tolist(), kinds.tolist(), strict=True)
        return _Beam(codes, beam.left[parents], [(*beam.gates[i], (e, p, k)) for i, e, p, k in each])

    def _settled(self, beam: _Beam) -> _Beam:
        """Without the words that are letters when it is their turn."""
        left, letters = beam.left, (self._prices((beam.codes > 0) @ self.bits) == 0).any(axis=1)
        while (ready := left & letters & ~(left @ self.earlier)).any():
            left = left & ~ready
        return beam._replace(left=left)

    def _best(self, beam: _Beam) -> _Beam:
        """The best few dozen, each once."""
        prices = self._prices((beam.codes > 0) @ self.bits).min(axis=1, keepdims=True)
        kept: dict[bytes, int] = {}
        for k in np.argsort(self._value(prices, beam.left)[:, 0], kind="stable").tolist():
            kept.setdefault(beam.left[k].tobytes() + beam.codes[k][:, beam.left[k]].tobytes(), k)
            if len(kept) == WIDTH:
                break
        some = list(kept.values())
        return _Beam(beam.codes[some], beam.left[some], [beam.gates[k] for k in some])


def _least(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Flat places of the least values, in order, the first of equal ones first."""
    return np.argsort(values, axis=None, kind="stable")[:count]


class _Replay:
    """Gates of a wide search done again on words with signs, by the gates at hand.

    A gate at hand needs one-qubit gates before it that turn letters into its own. The search knows none of them: they
    stay, so that its letters have other names from then on.
    """

    def __init__(self, words: PauliList, before: NDArray[np.bool_], carried: PauliList, gates: Gates) -> None:
        self.search = Search(words, before, carried, gates, WEIGHINGS[0])
        self.names = np.tile(np.arange(4), (words.num_qubits, 1))  # of each qubit's letters

    def prepare_by(self, frame: tuple[tuple[int, int], ...]) -> None:
        for pair, kind in frame:
            self.search.free(pair, kind)

    def follow(self, steps: tuple[tuple[int, int], ...]) -> None:
        for pair, kind in steps:
            if not self.search.emit():
                return
            qubits = self.search.gates.pairs[pair]
            letters = tuple(int(self.names[q, letter]) for q, letter in zip(qubits, TYPES[kind], strict=True))
            for move in self.search.act(pair, TYPES.index((letters[0], letters[1]))):
                if len(move.qubits) == 1:
                    one, other = map(LETTERS.index, _SWAPPED[move.gate.name])
                    names = self.names[move.qubits[0]]
                    self.names[move.qubits[0]] = np.where(names == one, other, np.where(names == other, one, names))
        self.search.emit()
