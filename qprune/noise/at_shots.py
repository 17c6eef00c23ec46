"""How far outputs are off on a noisy device at a number of shots, after the correction that anyone can make.

Noise mostly scales and shifts an output, which two numbers per output undo, fitted on inputs whose outputs are known.
What is left is what pruning changed, what noise does besides, and shot noise, which the correction amplifies (THEORY
section 6).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune.gates.sites import Site
from qprune.noise.forecast import Forecast
from qprune.noise.pauli_states import mean_of
from qprune.simulators.values import Outputs
from qprune.task.observables import Spectrum
from qprune.task.task import Task

SHOTS = 1000  # that errors are predicted at where nobody says how many
PRECISION = 0.01  # standard error that shots are counted for, over half the width of an output's spectrum
MOST_NUMBERS = 2**17  # of a state, 4^n words times inputs; so many inputs, evenly spaced, are followed exactly
FEWEST_INPUTS = 16  # beyond, the chain speaks for all
FITTED = 2  # numbers of the correction; with no more inputs than these there is nothing to fit them on

Letters: TypeAlias = frozenset[tuple[int, str]]  # of a word, with their qubits


class AtShots(NamedTuple):
    """What is predicted of a circuit on a device, means over outputs.

    Attributes:
        error: √MSE of an output estimated from N shots and corrected, in the observables' unit.
        residue: The same with shots without end.
        contrast: a ≥ 0, by which the device scales outputs: the slope of noisy over noiseless outputs; 0 where they do
            not depend on the input.
        shots: For a standard error of a hundredth of half the width of the output's spectrum.
    """

    error: float
    residue: float
    contrast: float
    shots: float


class ErrorAtShots:
    """Predicts MSE = E[(f − s μ − t)²] + s² E[σ²]/N of circuits, s and t the best for each output.

    f are the original's outputs without noise, μ the circuit's with noise, σ²/N the variance of an output from N shots,
    shared out evenly among the G settings that read its Pauli words: σ² = G Σ_g Var(O_g), O_g the words of setting g.
    Both are simulated exactly (`PauliStates`) up to some seven qubits; beyond, outputs are damped as the chain of
    `Forecast` says, what noise does besides is not seen, and σ² is an upper limit. Without inputs there is nothing to
    fit on, and s = 1, t = 0.

    Args:
        forecast: Compiles, and predicts where the density matrix is too large.
    """

    def __init__(self, forecast: Forecast) -> None:
        self.forecast = forecast

    def of(
        self, task: Task, sites: Sequence[Site], original: Outputs, outputs: Outputs, shots: float
    ) -> AtShots | None:
        """What is predicted of a circuit; None for distributions, and where it compiles to too many qubits.

        Args:
            task: The circuit's, with its weights.
            sites: Its gates.
            original: Noiseless outputs of the original on the selected samples.
            outputs: Noiseless outputs of the circuit there.
            shots: N for each output and input.
        """
        whole = self.forecast.task
        if whole.observables is None:
            return None
        found = self._noisy(task, sites, outputs)
        if found is None:
            return None
        rows, noisy, spread = found
        weights = whole.selection_weights()[rows]
        weights = weights / weights.sum()
        goal, before = original.centred[:, rows], outputs.centred[:, rows]
        low, high = (np.array([getattr(s, end) for s in whole.spectra])[:, None] for end in ("low", "high"))
        variance = np.maximum(spread, 0) @ weights
        fits = len(np.unique(whole.inputs[whole.selected[rows]], axis=0)) > FITTED
        error, slope = _left(goal, noisy, variance / shots, weights, fits)
        residue, steepest = _left(goal, noisy, 0 * variance, weights, fits)
        units = (high - low)[:, 0] / 2
        live = units > 0
        needed = (steepest**2 * variance)[live] / (PRECISION * units[live]) ** 2
        contrast = _slopes(before, noisy, 0 * variance, weights)
        return AtShots(
            error=float(np.sqrt(np.mean(error + slope**2 * variance / shots))),
            residue=float(np.sqrt(residue.mean())),
            contrast=max(0.0, float(contrast.mean())),
            shots=float(needed.mean()) if live.any() else 0.0,
        )

    def _noisy(
        self, task: Task, sites: Sequence[Site], outputs: Outputs
    ) -> tuple[NDArray[np.intp], FloatArray, FloatArray] | None:
        """Which of the selected samples are simulated; under noise their outputs without the identity's part, and σ².

        Both of shape (R, m).
        """
        compiled, samples, whole = self.forecast.compiled(task, sites), task.selected, self.forecast.task
        most = MOST_NUMBERS // 4 ** len(compiled.used)
        if most < min(FEWEST_INPUTS, len(samples)):
            survival = self.forecast.survival(task, sites)
            if survival is None:
                return None
            noisy = self.forecast.damped(outputs.centred, survival)
            limits = [
                _limit(o, s, row) for o, s, row in zip(whole.observables or (), whole.spectra, noisy, strict=True)
            ]
            return np.arange(len(samples)), noisy, np.array(limits)
        rows = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int))
        state = self.forecast.states.run(task, compiled.gates, compiled.waits, compiled.used, samples[rows])
        read = {q: 1 - 2 * self.forecast.noises.device.readout_error(end) for q, end in compiled.ends.items()}
        places = {q: compiled.used.index(end) for q, end in compiled.ends.items()}

        def mean(word: Letters) -> FloatArray:
            return float(np.prod([read[q] for q, _ in word])) * mean_of({places[q]: a for q, a in word}, state)

        noisy, variance = (np.zeros((len(outputs.centred), len(rows))) for _ in range(2))
        for r, observable in enumerate(whole.observables or ()):
            settings = settings_of(observable)
            for words in settings:
                here = sum(c * mean(word) for word, c in words.items())
                # Of two words that are read together equal letters are 1.
                square = sum(c * d * mean(a ^ b) for (a, c), (b, d) in product(words.items(), repeat=2))
                noisy[r] += here
                variance[r] += len(settings) * (square - here**2)
        return rows, noisy, variance


def settings_of(observable: SparsePauliOp) -> list[dict[Letters, float]]:
    """An observable's words but the identity, with coefficients, by setting: there letters on a qubit agree."""
    found = []
    for group in observable.group_commuting(qubit_wise=True):
        words: dict[Letters, float] = defaultdict(float)
        for letters, qubits, coefficient in group.to_sparse_list():
            words[frozenset(zip(qubits, letters, strict=True))] += coefficient.real
        words.pop(frozenset(), None)
        found += [dict(words)] if words else []
    return found


def _limit(observable: SparsePauliOp, spectrum: Spectrum, means: FloatArray) -> FloatArray:
    """What σ² is at most, where of an observable the means alone are known."""
    settings = settings_of(observable)
    if len(settings) < 2:  # Bhatia and Davis
        return (spectrum.high - means) * (means - spectrum.low)
    return np.full(len(means), len(settings) * sum(sum(map(abs, words.values())) ** 2 for words in settings))


def _slopes(goal: FloatArray, given: FloatArray, spare: FloatArray, weights: FloatArray) -> FloatArray:
    """The slope of given over goal, shape (R,): 0 where goal is constant."""
    middle, centre = given @ weights, goal @ weights
    both = ((given - middle[:, None]) * (goal - centre[:, None])) @ weights
    spread = ((goal - centre[:, None]) ** 2) @ weights + spare
    return np.divide(both, spread, out=np.zeros_like(both), where=spread > 0)


def _left(
    goal: FloatArray, noisy: FloatArray, shot: FloatArray, weights: FloatArray, fits: bool
) -> tuple[FloatArray, FloatArray]:
    """E[(f − s μ − t)²] of every output at the best s and t, and that s, both of shape (R,).

    Args:
        goal: f, shape (R, M).
        noisy: μ, likewise.
        shot: E[σ²]/N, shape (R,).
        weights: Probabilities of the samples.
        fits: Whether s and t are fitted; else they are 1 and 0.
    """
    slope, shift = np.ones(len(goal)), np.zeros(len(goal))
    if fits:
        slope = _slopes(noisy, goal, shot, weights)
        shift = goal @ weights - slope * (noisy @ weights)
    return ((goal - slope[:, None] * noisy - shift[:, None]) ** 2) @ weights, slope
