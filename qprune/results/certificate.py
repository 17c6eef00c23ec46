"""The certificate: a frozen record of what was replaced, what is proven and what was measured. JSON round trip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression

from qprune._arrays import FloatArray
from qprune.errors import CertificateError
from qprune.geometry.bounds import HoldoutClaim
from qprune.task.task import Task

FORMAT = "qprune-certificate/1"
VERSIONED = ("qprune", "qiskit", "qiskit-aer", "numpy", "scipy")
BY_PROOF = ("threshold", "proven")  # limits on what is proven
HASH_DIGITS = 10  # angles in a hash are rounded to so many significant digits


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

    site: int
    gate: str
    qubits: tuple[int, ...]
    origins: tuple[int, ...]
    subgroup: str
    by: str
    distance: float
    tolerance: float | None
    kappa: float
    largest_angle: float
    distance_low: float | None = None
    matrix: tuple[tuple[tuple[float, float], ...], ...] | None = None


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
        tried: With budget="noise": each budget tried, with the predicted deviation of its circuit.
    """

    source: str
    layout: tuple[int, ...] | None
    noiseless: tuple[str, ...]
    coherence: tuple[float, ...]
    infidelity: tuple[float, ...]
    accumulated: tuple[float, ...]
    totals: tuple[float, float, float]
    predicted: tuple[float, float] | None = None
    tried: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Expectations:
    """How well the expectation values are known that angles and bounds rest on; the bounds allow for it.

    Attributes:
        error: Limit of the error of every Pauli word's mean: rounding, truncation (T7), or shots (T8).
        truncation: State error by truncation in it, the largest over the samples.
        estimates: Number of measured values; 0 where all were computed.
        failure: Probability that any measured value is further off than `error`.
    """

    error: float
    truncation: float
    estimates: int
    failure: float


@dataclass(frozen=True)
class Certificate:
    """What is claimed about a pruned circuit, and for which circuits it is claimed.

    Rows r are outputs (observables, or the one distribution), columns i the samples in `samples`. Units are those of
    the observable; total variation for distributions.

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
        angle: Θ_{r,i}, radians in [0, π/2] (T2).
        bound: Proven limit of |Δ| per output and sample (T2).
        measured: |Δ| measured by full simulation, same shape.
        certified_predictions: Where sign⟨O⟩ cannot flip (T4); None for outputs without a ±1 prediction.
        mean_state_error: Limit of (E‖Δψ‖²)^½ between the simplified circuit and the same with its gates replaced (T2).
            Not of the pruned circuit's state: exact simplification after that changes no output, but may change it.
        angle_from_tolerances: Closed form Σ 2 arcsin(κ_k ε_k/2) where it applies (aggregate "max", no budget).
        holdout: T5 on samples that selection never saw, or None.
        versions: Package versions.
    """

    original_hash: str
    simplified_hash: str
    pruned_hash: str
    task_hash: str
    options: dict[str, Any]
    expectations: Expectations
    noise: NoiseRecord | None
    outputs: tuple[str, ...]
    samples: tuple[int, ...]
    replaced: tuple[Replaced, ...]
    angle: tuple[tuple[float, ...], ...]
    bound: tuple[tuple[float, ...], ...]
    measured: tuple[tuple[float, ...], ...]
    certified_predictions: tuple[tuple[bool, ...] | None, ...]
    mean_state_error: float
    angle_from_tolerances: float | None
    holdout: HoldoutClaim | None
    versions: dict[str, str]

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
        """Whether the limit was on what is proven, not on what was measured."""
        return self.options["limit"]["name"] in BY_PROOF

    @property
    def tightness(self) -> float | None:
        """Largest measured over largest proven deviation, in [0, 1]; None where nothing was replaced."""
        return self.largest_measured / self.largest_bound if self.largest_bound > 0 else None

    def to_json(self) -> str:
        """The certificate as JSON; the same certificate gives the same bytes."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read what `to_json` wrote.

        Raises:
            CertificateError: The text is not a whole certificate of this format.
        """
        try:
            data = json.loads(text)
        except (TypeError, ValueError) as error:
            raise CertificateError(f"certificate is not valid JSON: {error}") from error
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise CertificateError(f'certificate must be a JSON object with "format": "{FORMAT}"')
        expected = {field.name for field in fields(cls)}
        if set(data) != expected:
            odd = sorted(set(data) ^ expected)
            raise CertificateError(f"certificate has missing or unknown entries: {', '.join(odd)}")
        try:
            rows = {name: _matrix(data[name]) for name in ("angle", "bound", "measured")}
            shape = (len(data["outputs"]), len(data["samples"]))
            for name, matrix in rows.items():
                if np.shape(matrix) != shape or not np.all(np.isfinite(np.array(matrix, dtype=float))):
                    raise CertificateError(f"certificate entry {name} must be finite numbers of shape {shape}")
            return cls(
                **{
                    **data,
                    **rows,
                    "expectations": Expectations(**data["expectations"]),
                    "noise": None if data["noise"] is None else _noise(data["noise"]),
                    "outputs": tuple(data["outputs"]),
                    "samples": tuple(int(i) for i in data["samples"]),
                    "replaced": tuple(_replaced(entry) for entry in data["replaced"]),
                    "certified_predictions": tuple(
                        None if row is None else tuple(bool(x) for x in row) for row in data["certified_predictions"]
                    ),
                    "holdout": None if data["holdout"] is None else HoldoutClaim(**data["holdout"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CertificateError):
                raise
            raise CertificateError(f"certificate is damaged: {error!r}") from error


def _largest(matrix: tuple[tuple[float, ...], ...]) -> float:
    return max((max(row) for row in matrix if row), default=0.0)


def _matrix(rows: Iterable[Iterable[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in row) for row in rows)


def _replaced(entry: dict[str, Any]) -> Replaced:
    matrix = entry["matrix"]
    if matrix is not None:
        matrix = tuple(tuple((float(re), float(im)) for re, im in row) for row in matrix)
    return Replaced(**{**entry, "qubits": tuple(entry["qubits"]), "origins": tuple(entry["origins"]), "matrix": matrix})


def _noise(entry: dict[str, Any]) -> NoiseRecord:
    numbers = ("coherence", "infidelity", "accumulated", "totals")
    layout = None if entry["layout"] is None else tuple(int(q) for q in entry["layout"])
    rows = {name: tuple(float(x) for x in entry[name]) for name in numbers}
    predicted = None if entry["predicted"] is None else tuple(float(x) for x in entry["predicted"])
    others = {"layout": layout, "noiseless": tuple(entry["noiseless"]), "predicted": predicted}
    return NoiseRecord(**{**entry, **rows, **others, "tried": _matrix(entry["tried"])})


def rows_of(array: FloatArray) -> tuple[tuple[float, ...], ...]:
    """A float array (R, M) as the tuples a certificate holds."""
    return _matrix(array.tolist())


@lru_cache
def package_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {name: version(name) for name in VERSIONED}


def circuit_hash(circuit: QuantumCircuit) -> str:
    """SHA-256 of a circuit's gates, qubits and angles; registers, names and barriers do not enter.

    Symbolic angles enter as their parameters' names and their value at a fixed point, so that the hash survives
    writing and reading.
    """
    digest = hashlib.sha256(f"{circuit.num_qubits} {_angle(circuit.global_phase)}".encode())
    for item in circuit.data:
        operation = item.operation
        if operation.name == "barrier":
            continue
        qubits = ",".join(str(circuit.find_bit(q).index) for q in item.qubits)
        digest.update(f"|{operation.name} {qubits} {_parameters(operation)}".encode())
    return digest.hexdigest()


def task_hash(task: Task) -> str:
    """SHA-256 of what a task holds besides its circuit."""
    digest = hashlib.sha256()
    for array in (task.inputs, task.probabilities, task.selected, task.heldout):
        digest.update(repr((array.shape, array.tolist())).encode())
    for observable in task.observables or ():
        digest.update(repr([(p, c.real) for p, c in observable.to_list()]).encode())
    names = [p.name for p in task.input_params], [p.name for p in task.weight_params]
    digest.update(repr((names, task.weights.tolist(), task.measured_qubits)).encode())
    return digest.hexdigest()


def _parameters(operation: Any) -> str:
    extra = ""
    if hasattr(operation, "operator") and hasattr(operation, "time"):  # Pauli evolution
        operators = operation.operator if isinstance(operation.operator, list) else [operation.operator]
        extra = repr([getattr(op, "to_list", op.to_sparse_list)() for op in operators])
    if getattr(operation, "ctrl_state", None) is not None:
        extra += f" ctrl={operation.ctrl_state}"
    return " ".join(_angle(p) for p in operation.params) + extra


def _angle(value: Any) -> str:
    if isinstance(value, Parameter):
        return _parameter(value.name)
    if isinstance(value, ParameterExpression):
        names = sorted(p.name for p in value.parameters)
        point = {p: _probe(p.name) for p in value.parameters}
        return f"{','.join(names)}:{_rounded(complex(value.bind(point).numeric()))}"
    if isinstance(value, np.ndarray):
        return "[" + " ".join(_rounded(complex(entry)) for entry in value.ravel()) + "]"
    if isinstance(value, str):
        return value
    return _rounded(complex(value))


@lru_cache(maxsize=4096)
def _parameter(name: str) -> str:
    return f"{name}:{_rounded(complex(_probe(name)))}"


def _probe(name: str) -> float:
    """A fixed number in (0.5, 1.5) for a parameter's name."""
    return 0.5 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def _rounded(value: complex) -> str:
    real, imaginary = (f"{part:.{HASH_DIGITS - 1}e}" if part else "0" for part in (value.real, value.imag))
    return real if imaginary == "0" else f"{real},{imaginary}"
