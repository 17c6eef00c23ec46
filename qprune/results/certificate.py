"""The certificate: a frozen record of what was replaced, what is proven and what was measured. JSON round trip."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from qprune._arrays import FloatArray
from qprune._files import parse_json
from qprune._text import html_table
from qprune._version import __version__
from qprune.errors import BundleError, CertificateError
from qprune.geometry.bounds import HoldoutClaim
from qprune.results.every_input import EveryInput
from qprune.results.hashes import record_hash

FORMAT = "qprune-certificate/2"
VERSIONED = ("qiskit", "qiskit-aer", "numpy", "scipy")
BOUND, EVERY_INPUT = "bound", "every_input"  # what a limit is on that is proven: by T2 of the samples, by T9 of all

Index = Annotated[int, Meta(ge=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class Replaced:
    """One replaced gate.

    Attributes:
        site: Index of the gate in the simplified circuit.
        gate: Its name.
        qubits: Its qubits.
        origins: Gates of the original (after decomposition) it stands for.
        subgroup: The class it was compared in.
        by: The representative; "identity" means the gate is gone.
        distance: d_q aggregated over the selected samples.
        tolerance: ε_k, or None in budget mode.
        kappa: κ of its qubits.
        largest_angle: max_i θ_{k,i}, radians.
        distance_low: Lower limit of d_q where it was measured; `distance` is then the upper limit.
        matrix: The representative at the trained weights on the gate's qubits in ascending order (first qubit least
            significant), entries as (real, imaginary); None for the identity.
    """

    site: Index
    gate: str
    qubits: tuple[Index, ...]
    origins: tuple[Index, ...]
    subgroup: str
    by: str
    distance: NonNegative
    tolerance: NonNegative | None
    kappa: NonNegative
    largest_angle: NonNegative
    distance_low: NonNegative | None = None
    matrix: tuple[tuple[tuple[float, float], ...], ...] | None = None


@dataclass(frozen=True)
class ShotsRecord:
    """What is predicted of outputs estimated from shots and corrected by slope and shift, before and after pruning.

    Attributes:
        shots: N for each output and input; 1,000 where nobody said how many.
        error: √MSE of such an output from the original's noiseless one, in the observables' unit.
        residue: The same with shots without end.
        contrast: a ≥ 0, by which the device scales outputs.
        needed: Shots for a standard error of a hundredth of half the width of the output's spectrum.
    """

    shots: Index
    error: tuple[NonNegative, NonNegative]
    residue: tuple[NonNegative, NonNegative]
    contrast: tuple[NonNegative, NonNegative]
    needed: tuple[NonNegative, NonNegative]


@dataclass(frozen=True)
class NoiseRecord:
    """The noise that shaped the selection, by gate of the simplified circuit; no bound depends on it.

    Attributes:
        source: The noise model's name, or the single λ.
        layout: Physical qubits of circuit qubits 0, 1, …; None where the noise knows no qubits.
        noiseless: Native gates that the model has no channel for.
        coherence: λ_k in [0, 1].
        infidelity: r_k in [0, 1].
        accumulated: Λ_k in [0, 1], over the gate's past light cone.
        totals: Σ r_k of the original, the simplified and the pruned circuit.
        predicted: Mean deviation under the noise from the original's noiseless outputs, predicted: of the simplified
            and of the pruned circuit; None for a single λ, or too many qubits.
        tried: Under `UnderNoise`: each budget tried, with what was predicted of its circuit: the error with shots, else
            the mean deviation.
        at_shots: What is predicted at a number of shots, or None for a single λ, distributions, or too many qubits.
    """

    source: str
    layout: tuple[Index, ...] | None
    noiseless: tuple[str, ...]
    coherence: tuple[Share, ...]
    infidelity: tuple[Share, ...]
    accumulated: tuple[Share, ...]
    totals: tuple[NonNegative, NonNegative, NonNegative]
    predicted: tuple[NonNegative, NonNegative] | None = None
    tried: tuple[tuple[NonNegative, NonNegative], ...] = ()
    at_shots: ShotsRecord | None = None


@dataclass(frozen=True)
class Expectations:
    """How well the expectation values are known that angles and bounds rest on; the bounds allow for it.

    Attributes:
        error: Limit of the error of every Pauli word's mean: rounding, truncation (T7), or shots (T8).
        truncation: State error by truncation in it, the largest over the samples.
        estimates: Number of measured values; 0 where all were computed.
        failure: Probability that any measured value is further off than `error`.
    """

    error: NonNegative
    truncation: NonNegative
    estimates: Index
    failure: Share


@dataclass(frozen=True)
class Certificate:
    """What is claimed about a pruned circuit, and for which circuits it is claimed.

    For every output and every sample that selection saw: how far the states can be apart (Θ, an angle), how far the
    output can be off (proven from Θ and the observable's spectrum, before the pruned circuit is run), and how far it is
    (measured by running both). `qprune.verify` recomputes all of it by other means.

    Rows r are outputs (observables, or the one distribution), columns i the samples in `samples`. Units are those of
    the observable; total variation, in [0, 1], for distributions.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> import qprune
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.8, 0), circuit.cx(0, 1), circuit.rx(0.01, 1)
        >>> certificate = qprune.prune(qprune.Task(circuit, "ZZ")).certificate
        >>> [(gate.gate, gate.by) for gate in certificate.replaced]
        [('rx', 'identity')]
        >>> certificate.largest_measured <= certificate.largest_bound < 0.01
        True
        >>> Certificate.from_json(certificate.to_json()) == certificate
        True

    Attributes:
        original_hash: `circuit_hash` of the task's circuit.
        simplified_hash: Of the circuit after exact simplification, whose gates `replaced` counts.
        pruned_hash: Of the result.
        task_hash: Of inputs, weights, observables and probabilities.
        options: What `prune` was asked for, β and γ included.
        expectations: How well the expectation values are known.
        noise: λ_k, r_k and Λ_k of every gate, or None without noise.
        outputs: Names of the rows.
        samples: Indices of the samples that selection saw.
        replaced: Every approximate replacement.
        angle: Θ_{r,i}, radians in [0, π/2] (T2). sin Θ limits the trace distance of the states, on an output's qubits,
            of the simplified circuit and the same with its gates replaced. Not of the pruned circuit's: exact changes
            after the replacement change states further, though no output.
        bound: Proven limit of |Δ| per output and sample (T2).
        measured: |Δ| measured by full simulation, same shape; where expectation values are not exact (`expectations`),
            the most that it may be.
        certified_predictions: Where sign⟨O⟩ cannot flip (T4); None for outputs without a ±1 prediction.
        mean_state_error: Limit of (E‖Δψ‖²)^½ between the simplified circuit and the same with its gates replaced (T2).
            Not of the pruned circuit's state: exact simplification after that changes no output, but may change it.
        angle_from_tolerances: Closed form Σ 2 arcsin(κ_k ε_k/2) where it applies (aggregate "max", no budget).
        holdout: T5 on samples that selection never saw, or None.
        every_input: T9 on every input of a domain, between the samples too, or None.
        versions: Package versions.
        records: SHA-256 of what a result holds besides: plan, accuracy, the circuit that the plan counts, pruned task.
        files: SHA-256 of every file of a saved result but the certificate's own, by path; empty in memory.
    """

    original_hash: str
    simplified_hash: str
    pruned_hash: str
    task_hash: str
    options: dict[str, Any]
    expectations: Expectations
    noise: NoiseRecord | None
    outputs: tuple[str, ...]
    samples: tuple[Index, ...]
    replaced: tuple[Replaced, ...]
    angle: tuple[tuple[NonNegative, ...], ...]
    bound: tuple[tuple[NonNegative, ...], ...]
    measured: tuple[tuple[NonNegative, ...], ...]
    certified_predictions: tuple[tuple[bool, ...] | None, ...]
    mean_state_error: NonNegative
    angle_from_tolerances: NonNegative | None
    holdout: HoldoutClaim | None
    every_input: EveryInput | None
    versions: dict[str, str]
    records: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def largest_bound(self) -> float:
        """The largest proven deviation over outputs and samples."""
        return _largest(self.bound)

    @property
    def largest_measured(self) -> float:
        """The largest measured deviation over outputs and samples."""
        return _largest(self.measured)

    @property
    def budget(self) -> float | None:
        """The largest change that the limit allowed, in units of the outputs; None where it named none."""
        found = self.options["limit"].get("budget")
        return None if found is None else float(found)

    @property
    def limited_by_proof(self) -> bool:
        """Whether the limit was on what is proven (T2; T9 under Everywhere), not on what was measured."""
        return self.judged_by in (BOUND, EVERY_INPUT)

    @property
    def judged_by(self) -> str:
        """What the limit was on: "bound" (T2), "every_input" (T9), "measured" or "accuracy"."""
        return str(self.options["limit"]["judged_by"])

    @property
    def tightness(self) -> float | None:
        """Largest measured over largest proven deviation, in [0, 1]; None where nothing was replaced."""
        return self.largest_measured / self.largest_bound if self.largest_bound > 0 else None

    def __repr__(self) -> str:
        numbers = f"bound {self.largest_bound:.4g}, measured {self.largest_measured:.4g}"
        return f"Certificate({len(self.replaced)} gates replaced, {len(self.samples)} samples, {numbers})"

    def _repr_html_(self) -> str:
        """How notebooks show it: what is claimed, and of which circuit."""
        limit = dict(self.options["limit"])
        asked = f"{limit.pop('name')}: " + ", ".join(f"{name} {value}" for name, value in limit.items())
        rows = [
            ("certificate", ""),
            ("of the circuit", f"{self.pruned_hash[:16]}…, for {self.original_hash[:16]}…"),
            ("limit", asked.replace("_", " ")),
            ("gates replaced", str(len(self.replaced))),
            (f"measured on {len(self.samples)} samples, at most", f"{self.largest_measured:.6g}"),
            ("proven there (T2), at most", f"{self.largest_bound:.6g}"),
        ]
        if (claim := self.every_input) is not None:
            rows.append((f"proven for every input {claim.domain.words} (T9), at most", f"{claim.upper:.6g}"))
        if (held := self.holdout) is not None:
            words = f"expected on new inputs (T5, {1 - held.delta:.0%} sure), at most"
            rows.append((words, f"{held.expected_upper:.6g}"))
        rows.append(("made with", ", ".join(f"{name} {version}" for name, version in self.versions.items())))
        return html_table(rows)

    def to_json(self) -> str:
        """The certificate as JSON, with the SHA-256 of all it says; the same certificate gives the same bytes.

        Raises:
            CertificateError: A number is infinite, no number or out of its range, or an entry is of another kind.
        """
        try:
            data = json.loads(json.dumps(asdict(self), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise CertificateError(f"certificate is damaged, it holds a number that is none: {error}") from error
        data = asdict(_checked(data))
        sealed = {"format": FORMAT, "sha256": record_hash(data), **data}
        return json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read what `to_json` wrote.

        Raises:
            CertificateError: The text is not a whole certificate of this format, a number in it is out of its range, or
                it was changed after it was written.
        """
        try:
            data = parse_json(text, "certificate")
        except BundleError as error:
            raise CertificateError(str(error)) from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise CertificateError(
                f'certificate must be a JSON object with "format": "{FORMAT}"; prune again if an older version wrote it'
            )
        certificate = _checked(data)
        if certificate.to_json() != text:
            raise CertificateError(
                "certificate was changed after it was written: what it says is not what its SHA-256 was made of"
            )
        return certificate


def _checked(data: object) -> Certificate:
    """Kinds, ranges and shapes of all entries; whole numbers become floats where those belong."""
    try:
        certificate = msgspec.convert(data, Certificate)
    except ValueError as error:
        raise CertificateError(f"certificate is damaged: {error}") from error
    for part in ("limit", "simulator"):
        told = certificate.options.get(part)
        if not isinstance(told, dict) or not isinstance(told.get("name"), str):
            raise CertificateError(f"certificate is damaged: its options must name the {part}, got {told!r}")
    shape = [len(certificate.samples)] * len(certificate.outputs)
    for name in ("angle", "bound", "measured"):
        if [len(row) for row in getattr(certificate, name)] != shape:
            raise CertificateError(
                f"certificate is damaged: its claims are not for {len(certificate.outputs)} outputs and "
                f"{len(certificate.samples)} samples, entry {name} has another shape"
            )
    return certificate


def _largest(matrix: tuple[tuple[float, ...], ...]) -> float:
    return max((max(row) for row in matrix if row), default=0.0)


def rows_of(array: FloatArray) -> tuple[tuple[float, ...], ...]:
    """A float array (R, M) as the tuples a certificate holds."""
    return tuple(tuple(row) for row in array.tolist())


@lru_cache
def package_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    from importlib.metadata import version  # its import takes as long as a fifth of Qiskit's

    return {"qprune": __version__} | {name: version(name) for name in VERSIONED}
