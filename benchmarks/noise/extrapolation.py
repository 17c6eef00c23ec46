"""Zero-noise extrapolation, as mitiq does it: the baseline that spends shots instead of gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from qiskit import QuantumCircuit, transpile

import qprune
from benchmarks.noise.outputs import Moments, NoisyOutputs, noisy_outputs
from benchmarks.noise.regimes import Regime
from qprune._arrays import FloatArray
from qprune._optional import require

SCALES = (1, 3, 5)  # of the noise: those that folding the whole circuit gives without parts of it


def shares(scales: Sequence[int] = SCALES) -> FloatArray:
    """What each scale's output counts with in mitiq's linear extrapolation, which spreads least of all.

    Raises:
        MissingExtraError: mitiq is not installed.
    """
    inference = require("mitiq.zne.inference", "mitigation", "zero-noise extrapolation")
    return np.array([inference.LinearFactory.extrapolate(list(scales), unit) for unit in np.eye(len(scales)).tolist()])


def folded(circuit: QuantumCircuit, scale: int) -> QuantumCircuit:
    """U (U† U)^k with scale 2k + 1, in the gates of U, waiting as well; inputs stay free, nothing is cancelled.

    Args:
        circuit: Compiled and scheduled.
        scale: Odd.
    """
    basis = sorted({item.operation.name for item in circuit.data} | {"rz"})
    back = transpile(circuit.inverse(), basis_gates=basis, optimization_level=0)
    whole = circuit.copy()
    for _ in range(scale // 2):
        whole.compose(back, inplace=True)
        whole.compose(circuit, inplace=True)
    return whole


def extrapolated_outputs(
    circuit: QuantumCircuit, places: Sequence[int], task: qprune.Task, regime: Regime
) -> NoisyOutputs:
    """Outputs extrapolated to no noise, at their true cost: the shots of all scales count.

    With N/S shots at each of S scales the variance is S Σ c_s² σ_s² / N, c_s what the scale counts with.

    Args:
        circuit: Compiled, inputs free.
        places: Where each qubit of the task is at its end.
        task: Observables and inputs.
        regime: The noise.
    """
    share, found = shares(), [noisy_outputs(folded(circuit, scale), places, task, regime) for scale in SCALES]

    def together(of: Callable[[NoisyOutputs], Moments]) -> Moments:
        means = np.tensordot(share, [of(outputs).means for outputs in found], axes=1)
        covariance = np.tensordot(share**2, [of(outputs).covariance for outputs in found], axes=1)
        return Moments(means, len(SCALES) * covariance)

    half_width = float(np.abs(share) @ [outputs.half_width for outputs in found])
    return NoisyOutputs(together(lambda o: o.gates), together(lambda o: o.read), found[0].method, half_width)
