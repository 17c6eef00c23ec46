"""What a noisy device will make of a circuit's outputs: a prediction, no bound (THEORY section 6).

Followed back from the output to the first gate, a Pauli word becomes a sum of words, and the noise of a gate shrinks
those that act on its qubits. How much of a word is left, on average over its paths, a Markov chain says; no density
matrix is simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from qiskit.circuit import Instruction
from qiskit.quantum_info import PTM, Operator, SparsePauliOp

from qprune._arrays import FloatArray
from qprune.errors import OptionError
from qprune.gates.sites import Site, circuit_of
from qprune.noise.calibration import NoiseCalibration
from qprune.noise.channels import noise_of
from qprune.noise.devices import Qubits
from qprune.noise.native import NativeGate
from qprune.noise.pauli_states import PauliStates
from qprune.simulators.values import Outputs
from qprune.task.task import Task

LETTER_QUBITS = 8  # up to which words are told apart by letter, 4^n of them; beyond, by the qubits they act on, 2^n
MOST_QUBITS = 22
NOTHING = 1e-12  # share of a word's paths, of one, that is taken for none
SAMPLES = 8  # inputs, evenly spaced, that the chain is averaged over


class Survival(NamedTuple):
    """What noise leaves of each Pauli word at the end of a compiled circuit.

    Attributes:
        left: Factor in [0, 1] by word, shape (4, …, 4) or (2, …, 2): letter I, X, Y, Z or whether the word acts there;
            the last place first.
        places: Where each measured qubit of the circuit is at the end.
    """

    left: FloatArray
    places: dict[int, int]

    def of(self, letters: str) -> float:
        """The factor of a Pauli label on the circuit's qubits (Qiskit's order: the last letter is qubit 0)."""
        word = [0] * self.left.ndim
        for q, letter in enumerate(reversed(letters)):
            if letter != "I":
                word[self.places[q]] = "IXYZ".index(letter) if self.left.shape[0] == 4 else 1
        return float(self.left[tuple(reversed(word))])


class Compiled(NamedTuple):
    """A circuit as it will run.

    Attributes:
        gates: Native gates on physical qubits.
        waits: After each gate the qubits that wait then, scheduled as late as possible, with the seconds.
        ends: Where each measured qubit of the circuit is at the end.
        used: The physical qubits that gates or outputs are on, ascending.
    """

    gates: list[NativeGate]
    waits: list[list[tuple[int, float]]]
    ends: dict[int, int]
    used: list[int]


class Forecast:
    """Predicts the outputs of circuits on a device: ⟨O⟩ → c + a(⟨O⟩ − c), c = Tr O/2^n, with a by the chain.

    The circuit is compiled as a whole on the qubits of the calibration's layout (level 3, which chooses where each
    starts; of a few fixed seeds the one of least Σ r) and scheduled as late as possible. Each native gate of unitary U
    turns word P into Q with probability R_PQ², R the transfer matrix of U; its noise shrinks words that act on its
    qubits by λ, so does relaxation while a qubit waits, where the model knows durations, and readout error shrinks each
    letter measured by 1 − 2e. For an observable of several words a is the mean over words, weighted by |coefficient|.

    Args:
        calibration: With a noise model and a fixed layout.
        task: The original: observables, samples.

    Raises:
        OptionError: The calibration is a single λ.
    """

    def __init__(self, calibration: NoiseCalibration, task: Task) -> None:
        if calibration.noises is None or calibration.layout is None:
            raise OptionError("noise must be a noise model or a device to predict outputs; a single λ is neither")
        self.noises, self.layout, self.task = calibration.noises, calibration.layout, task
        self.states = PauliStates(self.noises.device)  # it keeps the matrices that many circuits share
        self._transfers: dict[tuple[str, tuple[float, ...], int], FloatArray] = {}
        self._last: tuple[Task, Sequence[Site], Compiled] | None = None

    def deviation(self, task: Task, sites: Sequence[Site], original: Outputs, outputs: Outputs) -> float | None:
        """Mean |Δ| of the predicted noisy outputs from the original's noiseless ones, over samples and outputs.

        None where the compiled circuit has too many qubits.

        Args:
            task: The circuit's, with its weights.
            sites: Its gates.
            original: Noiseless outputs of the original on the selected samples.
            outputs: Noiseless outputs of the circuit there.
        """
        survival, weights = self.survival(task, sites), self.task.selection_weights()
        if survival is None:
            return None
        if outputs.distribution is not None and original.distribution is not None:
            change = self.damped(outputs.distribution.T, survival) - original.distribution.T
            return float(0.5 * np.abs(change).sum(axis=0) @ weights)
        return float((np.abs(self.damped(outputs.centred, survival) - original.centred) @ weights).mean())

    def needed(self, task: Task, sites: Sequence[Site], wanted: FloatArray) -> FloatArray:
        """Noiseless outputs of which noise would leave the wanted ones, as near as outputs can be.

        Args:
            task: The circuit's, with its weights.
            sites: Its gates.
            wanted: Outputs without the identity's part (R, M), or distributions (2^m, M).
        """
        survival = self.survival(task, sites)
        if survival is None:
            return wanted
        found = self.damped(wanted, survival, -1)
        if self.task.observables is None:
            found = np.maximum(found, 0)
            return found / found.sum(axis=0)
        low, high = (np.array([getattr(s, end) for s in self.task.spectra])[:, None] for end in ("low", "high"))
        return np.clip(found, low, high)

    def damped(self, outputs: FloatArray, survival: Survival, power: int = 1) -> FloatArray:
        """Outputs with what noise leaves of them, or with the inverse of that (power −1)."""
        if self.task.observables is None:
            # ⟨Z…Z⟩ of each subset of the measured qubits is damped by itself
            signs = _walsh(len(self.task.measured_qubits))
            left = np.array([survival.of(word) for word in self._measured_words()])
            return signs @ (left[:, None] ** power * (signs @ outputs)) / len(signs)
        left = np.array([_mean_left(observable, survival) for observable in self.task.observables])
        return left[:, None] ** power * outputs

    def _measured_words(self) -> list[str]:
        words = []
        for subset in range(2 ** len(self.task.measured_qubits)):
            letters = ["I"] * self.task.num_qubits
            for j, q in enumerate(self.task.measured_qubits):
                letters[-1 - q] = "Z" if subset >> j & 1 else "I"
            words.append("".join(letters))
        return words

    def survival(self, task: Task, sites: Sequence[Site]) -> Survival | None:
        """The chain of a circuit: v ← λ R² v from the first gate to the last, over what it would be without λ.

        None where the compiled circuit has more than 22 qubits.
        """
        gates, waits, ends, used = self.compiled(task, sites)
        if len(used) > MOST_QUBITS:
            return None
        places = {q: j for j, q in enumerate(used)}
        base = 4 if len(used) <= LETTER_QUBITS else 2
        kept = [self._coherence(gate.name, qubits) for gate, qubits in gates]
        relaxed = [[(q, self._relaxation(q, seconds)) for q, seconds in waiting] for waiting in waits]
        some = task.selected[np.unique(np.linspace(0, len(task.selected) - 1, SAMPLES).astype(int))]
        # only words of I and Z have a mean in |0…0⟩, one letter in three
        start = np.array([1.0, 0, 0, 1] if base == 4 else [1.0, 1 / 3])
        first = reduce(np.multiply.outer, [start] * len(used), np.ones(()))
        noisy, quiet = np.zeros_like(first), np.zeros_like(first)
        for sample in some.tolist():
            both = np.stack([first, first], axis=-1)
            for (gate, qubits), coherence, waiting in zip(gates, kept, relaxed, strict=True):
                both = _applied(self._transfer(task, gate, sample, base), both, [places[q] for q in qubits], coherence)
                for q, share in waiting:
                    both = _applied(np.eye(base), both, [places[q]], share)
            noisy, quiet = noisy + both[..., 0], quiet + both[..., 1]
        for q in ends.values():
            read = np.stack([noisy, quiet], axis=-1)
            noisy = _applied(np.eye(base), read, [places[q]], 1 - 2 * self.noises.device.readout_error(q))[..., 0]
        # a word without a path to I and Z has no mean to damp
        left = np.divide(noisy, quiet, out=np.ones_like(noisy), where=quiet > NOTHING)
        return Survival(left, {q: places[end] for q, end in ends.items()})

    def compiled(self, task: Task, sites: Sequence[Site]) -> Compiled:
        """The circuit compiled as a whole on the layout's qubits, and scheduled; the last one is kept."""
        if self._last is None or self._last[0] is not task or self._last[1] is not sites:
            gates, last = self.noises.whole(circuit_of(task, tuple(sites)), self.layout)
            ends = {q: last[q] for support in self.task.output_supports for q in support}
            # Where no gate is left and no output depends on a qubit, any will do.
            used = sorted({q for _, qubits in gates for q in qubits} | set(ends.values())) or [self.layout[0]]
            self._last = task, sites, Compiled(gates, self._waits(gates), ends, used)
        return self._last[2]

    def _relaxation(self, qubit: int, seconds: float) -> float:
        channel = self.noises.device.waiting(qubit, seconds)
        return 1.0 if channel is None else noise_of(channel).coherence

    def _coherence(self, gate: str, qubits: Qubits) -> float:
        channel = self.noises.device.channel(gate, qubits)
        return 1.0 if channel is None else noise_of(channel).coherence

    def _waits(self, gates: Sequence[NativeGate]) -> list[list[tuple[int, float]]]:
        waits = []
        free: dict[int, float] = {}  # time from a qubit's next gate to the end
        for gate, qubits in reversed(gates):
            end = max(free.get(q, 0.0) for q in qubits)
            waits.append([(q, end - free.get(q, 0.0)) for q in qubits if free.get(q, 0.0) < end])
            free |= dict.fromkeys(qubits, end + self.noises.device.duration(gate.name, qubits))
        return waits[::-1]

    def _transfer(self, task: Task, gate: Instruction, sample: int, base: int) -> FloatArray:
        """R_PQ² of a native gate on one input; of base 2, summed over Q and averaged over P of the same qubits."""
        bound = task.bound_operation(gate, task.inputs[sample])
        key = bound.name, tuple(float(p) for p in bound.params), base
        if key not in self._transfers:
            square = PTM(Operator(bound)).data.real ** 2
            if base == 2:
                letters = np.array(list(np.ndindex((4,) * bound.num_qubits))) > 0
                acts = letters @ 2 ** np.arange(bound.num_qubits)[::-1]
                groups = np.equal.outer(np.arange(2**bound.num_qubits), acts).astype(float)
                square = groups @ square @ groups.T / groups.sum(axis=1, keepdims=True)
            self._transfers[key] = square
        return self._transfers[key]


def _mean_left(observable: SparsePauliOp, survival: Survival) -> float:
    """The mean over an observable's words, by the size of their coefficients."""
    sizes = {word: abs(c) for word, c in observable.to_list() if set(word) != {"I"}}
    total = sum(sizes.values())
    return sum(size * survival.of(word) for word, size in sizes.items()) / total if total else 1.0


def _walsh(num_bits: int) -> FloatArray:
    """(−1)^{w·x}: from probabilities to ⟨Z…Z⟩ and, divided by its size, back."""
    signs = np.ones((1, 1))
    for _ in range(num_bits):
        signs = np.kron(np.array([[1, 1], [1, -1]]), signs)
    return signs


def _applied(matrix: FloatArray, both: FloatArray, places: Sequence[int], coherence: float) -> FloatArray:
    """A gate's matrix on its places (the first least significant), words that act there shrunk in the first of both."""
    axes = [both.ndim - 2 - p for p in reversed(places)]
    front = np.moveaxis(both, axes, range(len(axes)))
    moved = matrix @ front.reshape(len(matrix), -1)
    moved[1:, ::2] *= coherence
    return np.moveaxis(moved.reshape(front.shape), range(len(axes)), axes)
