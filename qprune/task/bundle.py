"""Task bundles: a task as a folder of plain files (docs/bundles.md)."""

from __future__ import annotations

import csv
import io
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import ClassicalRegister, Parameter
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune._files import read_json, read_text
from qprune.errors import BundleError
from qprune.task.circuit_file import circuit_from, circuit_text
from qprune.task.domain import Domain
from qprune.task.qasm_file import read_qasm

BUNDLE_FORMAT = "qprune-task/1"
CIRCUIT = "circuit.json"
COLUMNS = ("probability", "label", "split")  # of inputs.csv besides the inputs
BUNDLE_FILES = {CIRCUIT, "circuit.qpy", "circuit.qasm", "task.json", "inputs.csv"}


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
    domain: Domain


def read_task(folder: Path, split: str | None, *, lost: bool = False) -> dict[str, Any]:
    """The arguments of `Task` that a bundle holds.

    Args:
        folder: The bundle's folder.
        split: Which rows of `inputs.csv` to take where it has a column `split`; None takes all.
        lost: Whether inputs count that the circuit no longer uses; `Task` takes none of these.

    Raises:
        BundleError: A file is missing or cannot be understood.
    """
    if not os.path.isdir(folder):
        raise BundleError(f"no task bundle at {folder}: give a folder with circuit.qasm, task.json, inputs.csv")
    if os.path.exists(folder / "certificate.json"):
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
            observables = [_observable(terms) for terms in observables]
        # A pruned circuit may no longer use an input that its data still have.
        names = [name for name in description["input_params"] if lost or circuit.has_parameter(name)]
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
            "domain": Domain.from_json(description.get("domain", {"kind": "data"})),
        }
    except (KeyError, TypeError, ValueError, OverflowError, QiskitError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{folder}: task.json or inputs.csv is not as docs/bundles.md says: {error!r}") from error


def _observable(terms: Any) -> Any:
    """One of `observables` as `Task` takes it: a label, a label with its coefficient, or a list of those."""
    if isinstance(terms, str):
        return terms
    if len(terms) == 2 and isinstance(terms[0], str):
        return (terms[0], float(terms[1]))
    return SparsePauliOp.from_list([(p, c) for p, c in terms])


def write_task(task: Bundled, folder: Path) -> None:
    """Write a task as a bundle into an empty folder, all its samples included.

    Raises:
        BundleError: A gate of the circuit cannot be stored, or an input has the name of another column.
        OSError: The folder cannot be written.
    """
    terms = None
    if task.observables is not None:
        terms = [[[p, c.real] for p, c in observable.to_list()] for observable in task.observables]
    names = [p.name for p in task.input_params]
    taken = [name for name in names if name in COLUMNS]
    if taken:
        raise BundleError(f"inputs.csv has a column {taken[0]!r} of its own; give that input parameter another name")
    description = {
        "format": BUNDLE_FORMAT,
        "observables": terms,
        "input_params": names,
        "weight_params": [p.name for p in task.weight_params],
        "weights": task.weights.tolist(),
        "domain": task.domain.to_json(),
    }
    circuit = task.circuit
    if task.observables is None and task.measured_qubits != tuple(range(task.circuit.num_qubits)):
        circuit = task.circuit.copy()
        circuit.add_register(ClassicalRegister(len(task.measured_qubits), "meas"))
        circuit.measure(task.measured_qubits, range(len(task.measured_qubits)))
    (folder / CIRCUIT).write_text(circuit_text(circuit), encoding="utf-8")
    (folder / "task.json").write_text(json.dumps(description, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    rows = np.column_stack([task.inputs, task.probabilities]).tolist()
    with open(folder / "inputs.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*names, "probability", *([] if task.labels is None else ["label"])])
        for i, row in enumerate(rows):
            writer.writerow([*map(repr, row), *([] if task.labels is None else [int(task.labels[i])])])


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a task bundle and nothing else."""
    return (folder / "task.json").is_file() and {path.name for path in folder.iterdir()} <= BUNDLE_FILES


def read_circuit(folder: Path, known: Sequence[Parameter] = ()) -> QuantumCircuit:
    """The circuit of a bundle: the first of `circuit.json`, `circuit.qpy` and `circuit.qasm` that is there.

    Args:
        folder: The bundle's folder.
        known: As in `read_circuit_file`.
    """
    if (folder / CIRCUIT).exists():
        return read_circuit_file(folder / CIRCUIT, known)
    if (folder / "circuit.qpy").exists():
        return _read_qpy(folder / "circuit.qpy")
    path = folder / "circuit.qasm"
    if not path.exists():
        raise BundleError(f"{folder} has no {CIRCUIT}, circuit.qpy or circuit.qasm")
    circuit = read_qasm(path)
    circuit.name = folder.resolve().name  # OpenQASM knows no names
    return circuit


def read_circuit_file(path: Path, known: Sequence[Parameter] = ()) -> QuantumCircuit:
    """The circuit of a file that `circuit_text` filled.

    Args:
        path: The file.
        known: Parameters to take instead of new ones of the same names, so that several circuits share them.
    """
    return circuit_from(read_text(path), str(path), {p.name: p for p in known})


def _read_qpy(path: Path) -> QuantumCircuit:
    """The one circuit of a QPY file; BundleError says which file cannot be read."""
    try:
        with open(path, "rb") as stream, warnings.catch_warnings():
            # Elements of a ParameterVector that the circuit does not use are none of ours.
            warnings.filterwarnings("ignore", message="The ParameterVector")
            return qpy.load(stream)[0]
    except Exception as error:  # the reader raises many unrelated types
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BundleError:
    if isinstance(error, BundleError):
        return error
    return BundleError(f"cannot read {path}: {' '.join(str(error).split()) or type(error).__name__}")


def _read_inputs(path: Path, names: list[str], split: str | None) -> tuple[Any, Any, Any]:
    """Inputs, probabilities and labels of the wanted rows; the latter two None where there is no such column."""
    if not path.exists():
        if names:
            raise BundleError(f"{path} is missing, but task.json names {len(names)} input parameters")
        return None, None, None
    columns, rows = _table(path)
    if split is not None and "split" in columns:
        rows = [row for row in rows if row[columns["split"]] == split]
    if not rows:
        raise BundleError(f"{path} has no samples" + (f" in split {split!r}" if split else ""))
    missing = [name for name in names if name not in columns]
    if missing:
        raise BundleError(f"{path} has no column {missing[0]!r}, which task.json names as an input parameter")
    inputs = np.array([[float(row[columns[name]]) for name in names] for row in rows]).reshape(len(rows), len(names))
    probabilities = [float(row[columns["probability"]]) for row in rows] if "probability" in columns else None
    labels = [float(row[columns["label"]]) for row in rows] if "label" in columns else None
    return inputs, probabilities, labels


def _table(path: Path) -> tuple[dict[str, int], list[list[str]]]:
    """The place of every column of a CSV file, and its rows, each with a cell for every column."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise BundleError(f"{path} is no table of comma-separated values: line {reader.line_num}: {error}") from error
    if not lines:
        raise BundleError(f"{path} has no samples")
    header = lines[0][1]
    twice = [name for k, name in enumerate(header) if name in header[:k]]
    if twice:
        raise BundleError(f"{path} has two columns {twice[0]!r}; leave one of them")
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise BundleError(f"{path} has {len(row)} cells in line {line}, but {len(header)} columns")
    return {name: k for k, name in enumerate(header)}, [row for _, row in lines[1:]]
