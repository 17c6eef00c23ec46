"""Task bundles: the record, its checks, its three files, and the README table.

A bundle is written only after its OpenQASM text has been read back and compared with the outputs of the network
it came from, so circuit, weights and reported numbers always belong together.
"""

import csv
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector

HERE = Path(__file__).resolve().parent
FORMAT = "qprune-task/1"
AGREEMENT = 1e-10
TABLE_MARKERS = ("<!-- table: begin -->", "<!-- table: end -->")

PauliSum = list[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """One reference network with its data.

    Attributes:
        name: Folder name.
        description: What the network does.
        circuit: Circuit with free parameters `x_0, x_1, …` (inputs) and `w_000, w_001, …` (weights).
        observables: Each a list of (little-endian Pauli label, coefficient).
        weights: Shape (n_weights,), radians unless a weight scales an input.
        inputs: Shape (n_samples, n_inputs); None for a circuit without inputs.
        targets: Shape (n_samples,), +1 or -1, or 0, 1, … with one observable per class; None without inputs.
        n_train: The first `n_train` samples are the train split, the rest the test split.
        labels: What the numbers in `targets` stand for, or None.
        provenance: How the weights and the data came about.
        extra: Further keys for task.json.
    """

    name: str
    description: str
    circuit: QuantumCircuit
    observables: list[PauliSum]
    weights: NDArray[np.float64]
    inputs: NDArray[np.float64] | None = None
    targets: NDArray[np.int64] | None = None
    n_train: int = 0
    labels: dict[str, str] | None = None
    provenance: dict[str, object]
    extra: dict[str, object] = field(default_factory=dict)


def input_parameters(count: int) -> list[Parameter]:
    """Return the input parameters `x_0, x_1, …`."""
    return [Parameter(f"x_{i}") for i in range(count)]


def weight_parameters(count: int) -> list[Parameter]:
    """Return the weight parameters `w_000, w_001, …`; the padding makes sorting by name keep their order."""
    return [Parameter(f"w_{i:03d}") for i in range(count)]


def bind(circuit: QuantumCircuit, weights: ArrayLike, sample: ArrayLike = ()) -> QuantumCircuit:
    """Return the circuit with numbers for its parameters; a weight it no longer contains is ignored.

    Args:
        circuit: Circuit with free parameters named as in `Bundle`.
        weights: Shape (n_weights,).
        sample: Shape (n_inputs,).
    """
    values = {f"w_{i:03d}": float(w) for i, w in enumerate(weights)}
    values |= {f"x_{i}": float(x) for i, x in enumerate(sample)}
    return circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})


def outputs(
    circuit: QuantumCircuit,
    observables: list[PauliSum],
    weights: ArrayLike,
    inputs: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Return every observable on every sample, by exact state vectors.

    Args:
        circuit: As in `bind`.
        observables: As in `Bundle`.
        weights: Shape (n_weights,).
        inputs: Shape (n_samples, n_inputs), or None for one sample without inputs.

    Returns:
        Shape (n_samples, n_observables).
    """
    operators = [SparsePauliOp.from_list(terms) for terms in observables]
    samples = np.empty((1, 0)) if inputs is None else inputs
    states = (Statevector(bind(circuit, weights, sample)) for sample in samples)
    return np.array([[state.expectation_value(op).real for op in operators] for state in states])


def accuracies(values: NDArray[np.float64], targets: NDArray[np.int64], n_train: int) -> dict[str, float]:
    """Return train and test accuracy.

    The prediction is the sign of the first observable where targets are +1 or -1, else the number of the largest.

    Args:
        values: Shape (n_samples, n_observables).
        targets: As in `Bundle`.
        n_train: As in `Bundle`.
    """
    signs = np.isin(targets, (-1, 1)).all()
    correct = (np.sign(values[:, 0]) if signs else values.argmax(axis=1)) == targets
    train, test = correct[:n_train], correct[n_train:]
    return {"train_accuracy": float(train.mean()), "test_accuracy": float(test.mean())}


def provenance(
    name: str, *, seed: int, data: str, packages: Iterable[str] = (), **details: object
) -> dict[str, object]:
    """Return the provenance record that every bundle carries."""
    versions = {"python": platform.python_version()}
    versions |= {package: version(package) for package in ("numpy", "qiskit", *packages)}
    script = f"python circuits/train.py {name}"
    return {"script": script, "seed": seed, "data": data, "versions": versions, **details}


def write(bundle: Bundle, expected: ArrayLike, folder: Path) -> None:
    """Check a bundle and write its files.

    Args:
        bundle: What to write.
        expected: Shape (n_samples, n_observables), outputs of the network the circuit was translated from.
        folder: Parent folder; the files go to `folder / bundle.name`.

    Raises:
        ValueError: If the circuit read back from OpenQASM does not have exactly the bundle's parameters, is
            another unitary than the one written, or its outputs differ from `expected` by more than 1e-10.
    """
    text = qasm3.dumps(bundle.circuit).rstrip("\n") + "\n"
    loaded = qasm3.loads(text)
    n_inputs = 0 if bundle.inputs is None else bundle.inputs.shape[1]
    input_names = [p.name for p in input_parameters(n_inputs)]
    weight_names = [p.name for p in weight_parameters(len(bundle.weights))]
    found = {p.name for p in loaded.parameters}
    if found != {*input_names, *weight_names}:
        differing = sorted(found ^ {*input_names, *weight_names})
        raise ValueError(f"{bundle.name}: parameters of the bundle and of its circuit differ in {differing}")
    first = () if bundle.inputs is None else bundle.inputs[0]
    before, after = (Operator(bind(c, bundle.weights, first)).data for c in (bundle.circuit, loaded))
    if np.abs(after - before).max() > AGREEMENT:
        raise ValueError(f"{bundle.name}: read back from OpenQASM, the circuit is another unitary")
    error = np.abs(outputs(loaded, bundle.observables, bundle.weights, bundle.inputs) - expected).max()
    if error > AGREEMENT:
        raise ValueError(f"{bundle.name}: the circuit's outputs differ from the network's by {error:.3g}")

    task = {
        "format": FORMAT,
        "name": bundle.name,
        "description": bundle.description,
        "observables": bundle.observables,
        "input_params": input_names,
        "weight_params": weight_names,
        "weights": [float(w) for w in bundle.weights],
        "labels": bundle.labels,
        "provenance": bundle.provenance,
        **bundle.extra,
    }
    target = folder / bundle.name
    target.mkdir(parents=True, exist_ok=True)
    (target / "circuit.qasm").write_text(text, encoding="utf-8")
    (target / "task.json").write_text(json.dumps(task, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if bundle.inputs is not None:
        splits = ["train" if i < bundle.n_train else "test" for i in range(len(bundle.inputs))]
        with (target / "inputs.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow([*input_names, "label", "split"])
            columns = zip(bundle.inputs.tolist(), bundle.targets.tolist(), splits, strict=True)
            rows.writerows([*sample, label, split] for sample, label, split in columns)


def table(folder: Path = HERE) -> str:
    """Return the Markdown table of all bundles in a folder, from their files alone."""
    lines = [
        "| bundle | qubits | gates | two-qubit gates | weights | samples (train + test) | result |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for path in sorted(folder.glob("*/task.json")):
        task = json.loads(path.read_text(encoding="utf-8"))
        circuit = qasm3.load(path.with_name("circuit.qasm"))
        two_qubit = sum(len(site.qubits) == 2 for site in circuit.data)
        samples, record = "1", task["provenance"]
        if task["input_params"]:
            with path.with_name("inputs.csv").open(encoding="utf-8", newline="") as file:
                splits = [row["split"] for row in csv.DictReader(file)]
            samples = f"{splits.count('train')} + {splits.count('test')}"
        if "planted" in task:
            result = f"{len(task['planted'])} of the gates are redundant by construction"
        elif "energy_hartree" in record:
            result = f"energy {record['energy_hartree']:.6f} Ha, {record['error_mha']:.3f} mHa above exact"
        else:
            result = f"accuracy {record['train_accuracy']:.1%} train, {record['test_accuracy']:.1%} test"
        counts = circuit.num_qubits, circuit.size(), two_qubit, len(task["weights"])
        lines.append(f"| {' | '.join(map(str, (f'`{path.parent.name}`', *counts, samples, result)))} |")
    return "\n".join(lines)


def rewrite_table(readme: Path = HERE / "README.md") -> None:
    """Replace the part of the README between the two markers by the current table."""
    begin, end = TABLE_MARKERS
    head, _, rest = readme.read_text(encoding="utf-8").partition(begin)
    _, _, tail = rest.partition(end)
    readme.write_text(f"{head}{begin}\n{table(readme.parent)}\n{end}{tail}", encoding="utf-8")
