"""Noise calibration of the geometry, the tolerance and the costs (THEORY section 6)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite, sqrt
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from qprune._arrays import FloatArray
from qprune._checks import checked_integer
from qprune.errors import OptionError, QpruneWarning
from qprune.gates.costs import TWO_QUBIT, VIRTUAL_Z, default_cost
from qprune.gates.sites import Site
from qprune.geometry.q_numbers import eta, kappa
from qprune.noise.channels import GateNoise
from qprune.noise.devices import Device, ModelDevice, TargetDevice
from qprune.noise.layout import two_qubit_weights
from qprune.noise.models import read_model, resolve
from qprune.noise.native import GateNoises

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel

LARGEST_DISTANCE = sqrt(2)  # of d_q

Noise: TypeAlias = "float | str | Path | NoiseModel | BackendV2 | Target | NoiseCalibration | None"


@dataclass(frozen=True)
class CircuitNoise:
    """What noise does to each gate of one circuit, arrays by site.

    Attributes:
        coherence: λ_k in [0, 1].
        infidelity: r_k = 1 − F̄ in [0, 1].
        accumulated: Λ_k, the coherence that the prefix still has: q_k = exp[β(1 − Λ_k)].
        eta: η_k = sech(β(1 − Λ_k)).
    """

    coherence: FloatArray
    infidelity: FloatArray
    accumulated: FloatArray
    eta: FloatArray

    @property
    def total(self) -> float:
        """Σ r_k."""
        return float(self.infidelity.sum())

    def kappa(self, k: int, num_qubits: int) -> float:
        """κ on the qubits of gate k: d_1 ≤ κ d_q."""
        return kappa(float(self.eta[k]), num_qubits)


@dataclass(frozen=True)
class NoiseCalibration:
    """What noise does to the geometry: q_k = exp[β(1 − Λ_k)], and to the tolerance: ε_k² = ε₀² + γ r_k.

    With a number of shots N the tolerance is ε_k² = ε₀² + γ(1 − λ_k²)/(4 a² N), a the contrast that the original's
    outputs are predicted to have on the device: what removing gate k can at most save of the error from shot noise.

    Attributes:
        coherence: A single λ in [0, 1] for all gates alike, read as depolarising noise of strength 1 − λ after each;
            1 is noiseless. None where a noise model says what follows each gate.
        beta: β ≥ 0, strength of the deformation.
        gamma: γ ≥ 0, share of what a removed gate saves that its tolerance may spend.
        shots: N ≥ 1 for each output and input, or None: what is saved is counted as infidelity.
        layout: Physical qubits of circuit qubits 0, 1, …; None: chosen for the circuit.
        noises: λ and r of any gate by the noise model, or None.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> import qprune
        >>> calibration = qprune.calibrate("depolarizing-1e-2")
        >>> result = qprune.prune(qprune.Task(circuit, "ZI"), qprune.Proven(0.1), noise=calibration)
        >>> before, _, after = result.certificate.noise.totals
        >>> after < before
        True
    """

    coherence: float | None = 1.0
    beta: float = 1.0
    gamma: float = 1.0
    shots: int | None = None
    layout: tuple[int, ...] | None = None
    noises: GateNoises | None = None

    def __repr__(self) -> str:
        layout = "" if self.layout is None else f", layout={self.layout}"
        return f"<NoiseCalibration {self.source}, β={self.beta:g}, γ={self.gamma:g}{layout}>"

    @property
    def source(self) -> str:
        """Where λ is from."""
        return f"λ = {self.coherence:g}" if self.noises is None else self.noises.device.name

    @property
    def noiseless(self) -> tuple[str, ...]:
        """Native gates that the model has no channel for: they count as noiseless, as virtual rz is."""
        return () if self.noises is None else self.noises.device.noiseless

    # -- where the circuit runs ------------------------------------------------------------------------------

    def layout_for(self, circuit: QuantumCircuit | int) -> tuple[int, ...] | None:
        """The physical qubits of circuit qubits 0, 1, …; None for a single λ.

        As given; else the device's best connected set: least total two-qubit infidelity (swaps included) and readout
        error, as far as a deterministic search finds (`layout.Router.best_layout`).

        Args:
            circuit: Its two-qubit gates count; a number of qubits n stands for a chain of n.

        Raises:
            OptionError: The layout given, or the device, has too few qubits.
        """
        if self.noises is None:
            return None
        size = circuit if isinstance(circuit, int) else circuit.num_qubits
        device = self.noises.device
        if self.layout is not None:
            if len(self.layout) < size:
                raise OptionError(f"layout must name a physical qubit for each of {size} qubits, got {self.layout}")
            return self.layout[:size]
        if device.pairs is None:
            if device.num_qubits is not None and device.num_qubits < size:
                raise OptionError(f"noise: {device.name} has {device.num_qubits} qubits, the circuit needs {size}")
            return tuple(range(size))
        return self.noises.router.best_layout(two_qubit_weights(circuit))

    def placed(self, circuit: QuantumCircuit | int) -> NoiseCalibration:
        """The same calibration with its layout fixed to `layout_for(circuit)`."""
        return replace(self, layout=self.layout_for(circuit))

    # -- gate by gate ----------------------------------------------------------------------------------------

    def gate(self, site: Site) -> GateNoise:
        """λ_k and r_k of the noise that follows a gate, compiled by itself on its physical qubits.

        For a single λ: r = (1 − λ)(1 − 2^−|S|), as for depolarising noise.

        Raises:
            OptionError: No layout is fixed yet, or the native gates cannot make the gate.
        """
        if self.coherence is not None:
            return GateNoise(self.coherence, (1 - self.coherence) * (1 - 2.0 ** -len(site.qubits)))
        if self.noises is None or self.layout is None:
            raise OptionError("the gates' physical qubits are not chosen yet; ask calibration.placed(circuit)")
        return self.noises.of(site.operation, tuple(self.layout[q] for q in site.qubits))

    def of(self, sites: Sequence[Site]) -> CircuitNoise:
        """λ_k, r_k, Λ_k and η_k of every gate of a circuit.

        Λ_k = Π λ_j over the gates j in the past light cone of gate k; a single λ serves all gates alike, Λ_k = λ.
        """
        each = [self.gate(site) for site in sites]
        coherence, infidelity = np.array(each).reshape(len(each), 2).T
        accumulated = coherence
        if self.coherence is None:
            accumulated = np.array([np.prod(coherence[past]) for past in _past_light_cones(sites)])
        return CircuitNoise(
            coherence, infidelity, accumulated, np.array([eta(value, self.beta) for value in accumulated.tolist()])
        )

    def tolerance(self, base: float, noise: GateNoise, contrast: float = 1.0) -> float:
        """ε_k = √(ε₀² + γ r_k), or with N shots √(ε₀² + γ(1 − λ_k²)/(4 a² N)).

        Args:
            base: ε₀ in [0, √2].
            noise: λ_k and r_k.
            contrast: a in (0, 1]; counts with shots only.
        """
        if self.shots is None:
            return sqrt(base**2 + self.gamma * noise.infidelity)
        spread = 4 * contrast**2 * self.shots  # of an estimate, inverse, over the width of the spectrum
        saved = (1 - noise.coherence**2) / spread if spread else LARGEST_DISTANCE**2
        return min(sqrt(base**2 + self.gamma * saved), LARGEST_DISTANCE)

    def costs(self, sites: Sequence[Site]) -> Callable[[Site], float] | None:
        """The infidelity that removing a gate saves, as its cost; None for a single λ, which tells no gates apart.

        Costs are 10 r_k/r̄ with r̄ the mean of the circuit's two-qubit gates (of all gates if it has none), so that
        they are comparable to the default ones, plus 0.1: a virtual Z is still a parameter.
        """
        if self.noises is None:
            return None
        noisy = [self.gate(site).infidelity for site in sites if len(site.qubits) > 1]
        mean = float(np.mean(noisy or [self.gate(site).infidelity for site in sites] or [0.0]))
        if mean == 0:
            return default_cost
        return lambda site: VIRTUAL_Z + TWO_QUBIT * self.gate(site).infidelity / mean


def _past_light_cones(sites: Sequence[Site]) -> list[NDArray[np.bool_]]:
    """For each gate the mask of the gates before it that its prefix state on its qubits depends on."""
    reached: dict[int, NDArray[np.bool_]] = {}
    cones = []
    for k, site in enumerate(sites):
        past = np.zeros(len(sites), dtype=bool)
        for q in site.qubits:
            past |= reached.get(q, past)
        cones.append(past)
        after = past.copy()
        after[k] = True
        reached.update(dict.fromkeys(site.qubits, after))
    return cones


NOISELESS = NoiseCalibration()


def calibrate(
    noise: Noise,
    *,
    beta: float = 1.0,
    gamma: float = 1.0,
    layout: Sequence[int] | None = None,
    shots: int | None = None,
    max_age: float | None = None,
) -> NoiseCalibration:
    """Read off a noise model what shapes the geometry, the tolerances and the costs under which gates are removed.

    Two numbers are kept of the noise 𝓔_k that follows gate k when it is compiled alone to the model's native gates, on
    the physical qubits it runs on: its coherence λ_k = √(Tr[R_uᵀR_u]/(d² − 1)), with R_u the unital block of the Pauli
    transfer matrix of 𝓔_k and d the dimension, and its infidelity r_k = 1 − F̄(𝓔_k), both in [0, 1]. A single λ serves
    all gates alike. They choose what is removed; no bound rests on them.

    Args:
        noise: λ in [0, 1], 1 being noiseless; None (noiseless); an Aer `NoiseModel`; a Qiskit backend; a `Target`; the
            path or name of a file in noise_models/, or the name of a device snapshot, such as "FakeTorino"; a finished
            calibration is returned as it is.
        beta: β ≥ 0 in q_k = exp[β(1 − Λ_k)].
        gamma: γ ≥ 0 in ε_k² = ε₀² + γ r_k.
        layout: Physical qubits for circuit qubits 0 … n−1; None takes the device's best connected set
            (`NoiseCalibration.layout_for` says which).
        shots: N ≥ 1 for each output and input: then ε_k² = ε₀² + γ(1 − λ_k²)/(4 a² N), a the predicted contrast of the
            original's outputs on the device (1 for a single λ). None: ε_k² = ε₀² + γ r_k.
        max_age: Days, > 0, that the device's numbers may be old before a `QpruneWarning` says so; None: any.

    Raises:
        OptionError: A value is out of its range, or there is no noise model of that name.
        BundleError: A file cannot be read, or a number in it is out of range.

    Source: THEORY section 6.

    Example:
        >>> calibrate(0.9, beta=2)
        <NoiseCalibration λ = 0.9, β=2, γ=1>
        >>> from qiskit_aer.noise import NoiseModel, depolarizing_error
        >>> model = NoiseModel(basis_gates=["rz", "sx", "cx"])
        >>> model.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
        >>> calibrate(model).noiseless
        ('rz', 'sx')
    """
    for name, value in (("beta", beta), ("gamma", gamma)):
        if isinstance(value, bool) or not isinstance(value, Real) or not (isfinite(value) and value >= 0):
            raise OptionError(f"{name} must be a finite number ≥ 0, got {value!r}")
    shots = None if shots is None else checked_integer(shots, "shots", 1)
    if isinstance(noise, NoiseCalibration):
        if (beta, gamma, layout, shots) != (1.0, 1.0, None, None):
            raise OptionError(
                "beta, gamma, layout and shots are already in the calibration given; calibrate its source anew"
            )
        return noise
    if noise is None or isinstance(noise, Real):
        coherence = 1.0 if noise is None else float(noise)
        if isinstance(noise, bool) or not 0 <= coherence <= 1:
            raise OptionError(f"noise must be λ, a number in [0, 1] (1 is noiseless), got {noise!r}")
        if layout is not None:
            raise OptionError(f"layout needs a noise model: a single λ knows no qubits, got layout={layout!r}")
        return NoiseCalibration(coherence, float(beta), float(gamma), shots)
    device = _device(noise)
    if max_age is not None:
        _check_age(noise, device.name, max_age)
    return NoiseCalibration(None, float(beta), float(gamma), shots, _layout(layout, device), GateNoises(device))


@lru_cache(maxsize=4)
def _snapshot(name: str) -> Device:
    """The device of a snapshot: its numbers stay what they are, so channels once worked out serve every calibration."""
    return _device(resolve(name))


def _device(noise: object) -> Device:
    from qiskit_aer.noise import NoiseModel

    if isinstance(noise, str | Path):
        found = resolve(noise)
        if isinstance(found, BackendV2):
            return _snapshot(str(noise))
        return ModelDevice(read_model(found), found.stem)
    if isinstance(noise, NoiseModel):
        return ModelDevice(noise, "Aer noise model")
    if isinstance(noise, Target):
        return TargetDevice(noise, noise.description or "Target")
    if isinstance(noise, BackendV2):
        model = getattr(noise.options, "noise_model", None)  # an AerSimulator bears one
        name = type(noise).__name__ if type(noise).__name__.startswith("Fake") else str(noise.name)
        return TargetDevice(noise.target, name) if model is None else ModelDevice(model, name)
    raise OptionError(
        "noise must be λ, a number in [0, 1] (1 is noiseless), an Aer NoiseModel, a Qiskit backend or Target, or a "
        f"file or name of noise_models/, got {noise!r}"
    )


def _check_age(noise: object, name: str, max_age: float) -> None:
    """Warn where a backend was last calibrated too long ago, or does not say when."""
    if isinstance(max_age, bool) or not isinstance(max_age, Real) or not max_age > 0:
        raise OptionError(f"max_age must be a number of days > 0, got {max_age!r}")
    found = resolve(noise) if isinstance(noise, str | Path) else noise
    properties = getattr(found, "properties", None)
    known = properties() if callable(properties) else None
    date = getattr(known, "last_update_date", None)
    if date is None:
        warnings.warn(f"{name} does not say when it was calibrated (max_age={max_age:g})", QpruneWarning, stacklevel=3)
        return
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    days = (datetime.now(UTC) - date).total_seconds() / 86400
    if days > max_age:
        warnings.warn(
            f"{name} was last calibrated on {date:%Y-%m-%d}, {days:.1f} days ago (max_age={max_age:g}); its errors may "
            "be others by now: fetch the backend anew",
            QpruneWarning,
            stacklevel=3,
        )


def _layout(layout: Sequence[int] | None, device: Device) -> tuple[int, ...] | None:
    if layout is None:
        return None
    qubits = tuple(layout)
    limit = np.inf if device.num_qubits is None else device.num_qubits
    if any(isinstance(q, bool) or not isinstance(q, int | np.integer) or not 0 <= q < limit for q in qubits):
        raise OptionError(f"layout must be physical qubits of {device.name} in [0, {limit}), got {layout!r}")
    if len(set(qubits)) < len(qubits):
        raise OptionError(f"layout must name each physical qubit once, got {layout!r}")
    return tuple(int(q) for q in qubits)
