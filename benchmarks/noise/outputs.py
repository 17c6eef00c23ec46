"""Outputs of a compiled circuit and their spread, exact or under noise, through Aer; readout errors in closed form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from scipy.stats import t as student

import qprune
from benchmarks.noise.regimes import Regime
from qprune._arrays import FloatArray

LARGEST_EXACT = 8  # qubits of a density matrix; trajectories beyond
BATCHES, SHOTS = 10, 100  # of trajectories: the spread of the batches gives the confidence
ROUNDING = 1e-10

Word = tuple[tuple[int, str], ...]
Words = Mapping[Word, float]


@dataclass(frozen=True)
class Moments:
    """What a device gives, sample by sample.

    Attributes:
        means: ⟨O_r⟩, shape (R, M).
        covariance: Of the estimates from one shot, shape (R, R, M): N shots give estimates of this over N. Words that
            one setting of the measurement reads share it; where several are needed, each gets as many shots.
    """

    means: FloatArray
    covariance: FloatArray

    def part(self, columns: slice) -> Moments:
        """Of some samples."""
        return Moments(self.means[:, columns], self.covariance[..., columns])


@dataclass(frozen=True)
class NoisyOutputs:
    """Outputs under noise.

    Attributes:
        gates: Noise of gates and of waiting only.
        read: With readout errors as well.
        method: "density matrix" (exact) or "trajectories".
        half_width: Largest half-width of a 95 % confidence interval of an output; 0 if exact.
    """

    gates: Moments
    read: Moments
    method: str
    half_width: float


def exact_outputs(circuit: QuantumCircuit, places: Sequence[int], task: qprune.Task) -> FloatArray:
    """⟨O_r⟩ of every sample without noise, shape (R, M).

    Args:
        circuit: Compiled, inputs free.
        places: Where each qubit of the task is at its end.
        task: Observables and inputs.
    """
    sums = [_words(observable, places) for observable in observables_of(task)]
    return _means(sums, _run(circuit, _all_words(sums), task, AerSimulator(method="statevector", **_OPTIONS)))


def noisy_outputs(
    circuit: QuantumCircuit, places: Sequence[int], task: qprune.Task, regime: Regime, *, exact: bool | None = None
) -> NoisyOutputs:
    """Outputs of every sample under noise, all samples in one run.

    Args:
        circuit: Compiled, inputs free.
        places: Where each qubit of the task is at its end.
        task: Observables and inputs.
        regime: The noise.
        exact: Whether by density matrices; default: up to 8 qubits.
    """
    means = [_words(observable, places) for observable in observables_of(task)]
    settings = _settings(means)
    squares = [[_product(a, b) for a in setting for b in setting] for setting in settings]
    sums = [*means, *(words for setting in settings for words in setting), *(w for square in squares for w in square)]
    read = {id(words): _as_read(words, regime.readout) for words in sums}
    words = _all_words([*sums, *read.values()])

    def moments(found: Mapping[Word, FloatArray], as_read: bool) -> Moments:
        def of(group: Sequence[Words]) -> FloatArray:
            return _means([read[id(words)] if as_read else words for words in group], found)

        size = len(means)
        covariance = np.zeros((size, size, len(task.inputs)))
        for setting, square in zip(settings, squares, strict=True):
            here = of(setting)
            covariance += of(square).reshape(covariance.shape) - here[:, None] * here[None]
        return Moments(of(means), len(settings) * covariance)

    if exact or (exact is None and circuit.num_qubits <= LARGEST_EXACT):
        found = _run(circuit, words, task, _noisy_simulator("density_matrix", regime.model))
        return NoisyOutputs(moments(found, False), moments(found, True), "density matrix", 0.0)
    batches = [
        _run(circuit, words, task, _noisy_simulator("statevector", regime.model, shots=SHOTS, seed_simulator=seed))
        for seed in range(BATCHES)
    ]
    mean = {word: np.mean([batch[word] for batch in batches], axis=0) for word in words}
    spread = np.std([moments(batch, True).means for batch in batches], axis=0, ddof=1) / np.sqrt(BATCHES)
    half_width = float(student.ppf(0.975, BATCHES - 1) * spread.max())
    return NoisyOutputs(moments(mean, False), moments(mean, True), "trajectories", half_width)


# Aer's truncation saves expectation values of the wrong qubits where some are idle (0.17.2).
_OPTIONS: dict[str, Any] = {"enable_truncation": False, "max_parallel_threads": 1}


def _noisy_simulator(method: str, model: NoiseModel, **options: Any) -> AerSimulator:
    return AerSimulator(method=method, noise_model=model, **_OPTIONS, **options)


def observables_of(task: qprune.Task) -> tuple[SparsePauliOp, ...]:
    """A network's observables.

    Raises:
        ValueError: It has distributions.
    """
    if task.observables is None:
        raise ValueError("the noise benchmark takes networks with observables, not distributions")
    return task.observables


def _words(observable: SparsePauliOp, places: Sequence[int]) -> Words:
    """A Hermitian sum by Pauli word on the qubits where the circuit leaves them."""
    found: dict[Word, float] = defaultdict(float)
    for letters, qubits, coefficient in observable.to_sparse_list():
        found[tuple(sorted((places[q], letter) for q, letter in zip(qubits, letters, strict=True)))] += coefficient.real
    return found


def _as_read(words: Words, readout: Sequence[tuple[float, float]]) -> Words:
    """The sum whose exact mean is what readout errors make of it: each letter P becomes aP + b."""
    found: dict[Word, float] = defaultdict(float)
    for word, coefficient in words.items():
        for kept in product((True, False), repeat=len(word)):
            factor = prod(readout[q][0 if keep else 1] for (q, _), keep in zip(word, kept, strict=True))
            if factor:
                found[tuple(letter for letter, keep in zip(word, kept, strict=True) if keep)] += coefficient * factor
    return found


def _settings(sums: Sequence[Words]) -> list[list[Words]]:
    """The sums' parts by setting of the measurement: words that agree letter by letter are read together."""
    bases: list[dict[int, str]] = []
    parts: list[list[dict[Word, float]]] = []
    for word in _all_words(sums):
        place = next((j for j, basis in enumerate(bases) if all(basis.get(q, p) == p for q, p in word)), len(bases))
        if place == len(bases):
            bases.append({})
            parts.append([{} for _ in sums])
        bases[place].update(word)
        for part, words in zip(parts[place], sums, strict=True):
            part.update({word: words[word]} if word in words else {})
    return [list(part) for part in parts]


def _product(first: Words, second: Words) -> Words:
    """The product of two sums that one setting reads: equal letters are 1 together."""
    found: dict[Word, float] = defaultdict(float)
    for (a, x), (b, y) in product(first.items(), second.items()):
        found[tuple(sorted(set(a) ^ set(b)))] += x * y
    return found


def _all_words(sums: Sequence[Words]) -> list[Word]:
    return sorted({word for words in sums for word in words})


def _means(sums: Sequence[Words], found: Mapping[Word, FloatArray]) -> FloatArray:
    zero = np.zeros_like(next(iter(found.values())))
    return np.array([sum((c * found[word] for word, c in words.items()), zero) for words in sums])


def _run(
    circuit: QuantumCircuit, words: Sequence[Word], task: qprune.Task, simulator: AerSimulator
) -> dict[Word, FloatArray]:
    """Means of Pauli words of every sample, all samples in one batch of bindings."""
    whole = circuit.copy()
    for j, word in enumerate(words):
        letters, qubits = "".join(letter for _, letter in word), [q for q, _ in word]
        operator = SparsePauliOp.from_sparse_list([(letters, qubits, 1.0)], circuit.num_qubits)
        whole.save_expectation_value(operator, range(circuit.num_qubits), label=str(j))
    live = {p.name: p for p in whole.parameters}
    columns = {live[p.name]: x for p, x in zip(task.input_params, task.inputs.T, strict=True) if p.name in live}
    rows = _rows(simulator, whole, [{p: x.tolist() for p, x in columns.items()}] if columns else None)
    values = np.array([[row[str(j)] for j in range(len(words))] for row in rows])
    if columns and simulator.options.shots is None:
        # Aer 0.17.2 ignores batch bindings of some gates without a word: one sample is bound by itself.
        (alone,) = _rows(simulator, whole.assign_parameters({p: x[-1] for p, x in columns.items()}), None)
        if not np.allclose([alone[str(j)] for j in range(len(words))], values[-1], rtol=0, atol=ROUNDING):
            raise RuntimeError("Aer's batch of bindings disagrees with a circuit that is bound by itself")
    return dict(zip(words, np.broadcast_to(values, (len(task.inputs), len(words))).T, strict=True))


def _rows(simulator: AerSimulator, circuit: QuantumCircuit, binds: list | None) -> list[dict[str, float]]:
    result = simulator.run(circuit, parameter_binds=binds).result()
    if not result.success:
        raise RuntimeError(f"Aer: {result.status}")
    return [result.data(i) for i in range(len(result.results))]
