"""Task bundles: a task as a folder of plain files (docs/bundles.md)."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import ClassicalRegister, Parameter
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune.errors import BundleError

BUNDLE_FORMAT = "qprune-task/1"


class Bundled(Protocol):
    """What is written of a task; its attributes say what they are."""

    circuit: QuantumCircuit
    measured_qubits: tuple[int, ...]
    observables: tuple[SparsePauliOp, ...] | None
    input_params: tuple[Parameter, ...]
    weight_params: tuple[Parameter, ...]
    weights: FloatArray
    inputs: FloatArray
    probabilities: FloatArray
    labels: NDArray[np.int64] | None


def read_task(folder: Path, split: str | None) -> dict[str, Any]:
    """The arguments of `Task` that a bundle holds.

    Args:
        folder: The bundle's folder.
        split: Which rows of `inputs.csv` to take where it has a column `split`; None takes all.

    Raises:
        BundleError: A file is missing or cannot be understood.
    """
    if not folder.is_dir():
        raise BundleError(f"no task bundle at {folder}: give a folder with circuit.qasm, task.json, inputs.csv")
    if (folder / "certificate.json").exists():
        raise BundleError(
            f"{folder} holds a result; give one of the task bundles in it: {folder / 'original'} or {folder / 'pruned'}"
        )
    description = read_json(folder / "task.json")
    if not isinstance(description, dict) or description.get("format") != BUNDLE_FORMAT:
        raise BundleError(f'{folder / "task.json"} must be a JSON object with "format": "{BUNDLE_FORMAT}"')
    circuit = read_circuit(folder)
    try:
        observables = description["observables"]
        if observables is not None:
            observables = [SparsePauliOp.from_list([(p, c) for p, c in terms]) for terms in observables]
        # A pruned circuit may no longer use an input that its data still have.
        names = [name for name in description["input_params"] if circuit.has_parameter(name)]
        inputs, probabilities, labels = _read_inputs(folder / "inputs.csv", names, split)
        return {
            "circuit": circuit,
            "observables": observables,
            "inputs": inputs,
            "input_params": names,
            "weights": description["weights"],
            "weight_params": list(description["weight_params"]),
            "probabilities": probabilities,
            "labels": labels,
        }
    except (KeyError, TypeError, ValueError, QiskitError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{folder}: task.json or inputs.csv is not as docs/bundles.md says: {error!r}") from error


def write_task(task: Bundled, folder: Path) -> None:
    """Write a task as a bundle, all its samples included.

    Raises:
        BundleError: The folder cannot be written.
    """
    terms = None
    if task.observables is not None:
        terms = [[[p, c.real] for p, c in observable.to_list()] for observable in task.observables]
    description = {
        "format": BUNDLE_FORMAT,
        "observables": terms,
        "input_params": [p.name for p in task.input_params],
        "weight_params": [p.name for p in task.weight_params],
        "weights": task.weights.tolist(),
    }
    circuit = task.circuit
    if task.observables is None and task.measured_qubits != tuple(range(task.circuit.num_qubits)):
        circuit = task.circuit.copy()
        circuit.add_register(ClassicalRegister(len(task.measured_qubits), "meas"))
        circuit.measure(task.measured_qubits, range(len(task.measured_qubits)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_qpy(circuit, folder / "circuit.qpy")
        (folder / "task.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        with open(folder / "inputs.csv", "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            extra = ["probability"] + ([] if task.labels is None else ["label"])
            writer.writerow([p.name for p in task.input_params] + extra)
            for i, row in enumerate(task.inputs.tolist()):
                label = [] if task.labels is None else [int(task.labels[i])]
                writer.writerow([*map(repr, row), repr(float(task.probabilities[i])), *label])
    except OSError as error:
        raise BundleError(f"cannot write the bundle to {folder}: {error.strerror or error}") from error


def read_json(path: Path) -> Any:
    """Parse a JSON file; BundleError says which file and where it breaks."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON: {error}") from error


def read_circuit(folder: Path) -> QuantumCircuit:
    """The circuit of a bundle: `circuit.qpy` if there, else `circuit.qasm`."""
    if (folder / "circuit.qpy").exists():
        return read_qpy(folder / "circuit.qpy")
    path = folder / "circuit.qasm"
    if not path.exists():
        raise BundleError(f"{folder} has neither circuit.qpy nor circuit.qasm")
    try:
        return qasm3.loads(path.read_text(encoding="utf-8"))
    except Exception as error:  # the reader raises many unrelated types
        raise _unreadable(path, error) from error


def write_qpy(circuit: QuantumCircuit, path: Path) -> None:
    """Write one circuit as a QPY file.

    Raises:
        BundleError: It cannot be read back as it was: Qiskit loses a parameter that an angle does not depend on.
    """
    with open(path, "wb") as stream:
        qpy.dump(circuit, stream)
    try:
        same = {p.name for p in read_qpy(path).parameters} == {p.name for p in circuit.parameters}
    except BundleError:
        same = False
    if not same:
        raise BundleError(
            f"{path.name} could not be read back: an angle has parameters that it does not depend on, such as 0 · w, "
            "which Qiskit loses; build the circuit with numbers there"
        )


def read_qpy(path: Path) -> QuantumCircuit:
    """The one circuit of a QPY file; BundleError says which file cannot be read."""
    try:
        with open(path, "rb") as stream, warnings.catch_warnings():
            # Elements of a ParameterVector that the circuit does not use are none of ours.
            warnings.filterwarnings("ignore", message="The ParameterVector")
            return qpy.load(stream)[0]
    except Exception as error:  # the reader raises many unrelated types
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BundleError:
    return BundleError(f"cannot read {path}: {' '.join(str(error).split()) or type(error).__name__}")


def _read_inputs(path: Path, names: list[str], split: str | None) -> tuple[Any, Any, Any]:
    """Inputs, probabilities and labels of the wanted rows; the latter two None where there is no such column."""
    if not path.exists():
        if names:
            raise BundleError(f"{path} is missing, but task.json names {len(names)} input parameters")
        return None, None, None
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    if rows and split is not None and "split" in rows[0]:
        rows = [row for row in rows if row["split"] == split]
    if not rows:
        raise BundleError(f"{path} has no samples" + (f" in split {split!r}" if split else ""))
    missing = [name for name in names if name not in rows[0]]
    if missing:
        raise BundleError(f"{path} has no column {missing[0]!r}, which task.json names as an input parameter")
    inputs = np.array([[float(row[name]) for name in names] for row in rows]).reshape(len(rows), len(names))
    probabilities = [float(row["probability"]) for row in rows] if "probability" in rows[0] else None
    labels = [int(row["label"]) for row in rows] if "label" in rows[0] else None
    return inputs, probabilities, labels
