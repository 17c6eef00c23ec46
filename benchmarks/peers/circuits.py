"""The circuits that tools are compared on: our bundles, library ansätze, and circuits nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import efficient_su2, n_local, real_amplitudes

import qprune
from benchmarks.records import ROOT

SEED = 2024
BUNDLES = ("reupload-2q", "iris-4q", "cancer-4q", "h2-vqe-4q", "digits-6q", "wine-6q", "digits4-8q")
ANSATZ_QUBITS = (4, 5, 6, 7, 8, 10)
FAMILIES: dict[str, Callable[[int], QuantumCircuit]] = {
    "su2-full": lambda n: efficient_su2(n, reps=2, entanglement="full"),
    "su2-circular": lambda n: efficient_su2(n, reps=3, entanglement="circular"),
    "real-amplitudes": lambda n: real_amplitudes(n, reps=3),
    "n-local-sca": lambda n: n_local(n, ["rx", "rz"], "cx", entanglement="sca", reps=2),
}
SMALL = 0.02  # radians; spread of the half of an ansatz's angles that training has left near zero
SAMPLES = 16
MQT_NAMES, MQT_QUBITS = ("qnn", "vqe_real_amp", "vqe_su2", "vqe_two_local", "ae"), (5, 8, 10)
KEPT_GATES = ("h", "x", "rx", "ry", "rz", "p", "cp", "cx", "cz")
TURNS = ("rx", "ry", "rz", "p", "cp")  # gates of one angle


@dataclass(frozen=True)
class Case:
    """One circuit with its task, made when asked for.

    Attributes:
        group: "bundles", "ansätze" or "mqt.bench".
        name: Unique.
        qubits: How many.
        make: Makes the task.
        package: What must be installed.
    """

    group: str
    name: str
    qubits: int
    make: Callable[[], qprune.Task]
    package: str = "qprune"


def cases(*, quick: bool = False) -> list[Case]:
    """All circuits in a fixed order, or for a quick check one small ansatz."""
    found = [
        Case("bundles", name, _qubits_of(name), lambda name=name: qprune.Task.load(ROOT / "circuits" / name))
        for name in BUNDLES
    ]
    found += list(_ansaetze())
    found += [
        Case("mqt.bench", f"{name}-{n}", n, lambda name=name, n=n: mqt(name, n), "mqt.bench")
        for n in MQT_QUBITS
        for name in MQT_NAMES
    ]
    quick_one = Case("ansätze", "quick-3", 3, lambda: ansatz("real-amplitudes", 3, data=True, seed=SEED))
    return [quick_one] if quick else found


def has_inputs(name: str) -> bool:
    """Whether a circuit is one of many, by its inputs; the others have a single state, on which all is exact."""
    return name.endswith("-data") or name.startswith("qnn") or (name in BUNDLES and "vqe" not in name)


def _qubits_of(bundle: str) -> int:
    return int(bundle.rpartition("-")[2].removesuffix("q"))


def _ansaetze() -> Iterator[Case]:
    for i, n in enumerate(ANSATZ_QUBITS):
        for j, family in enumerate(FAMILIES):
            data = (i + j) % 2 == 0
            yield Case(
                "ansätze",
                f"{family}-{n}{'-data' if data else ''}",
                n,
                lambda family=family, n=n, data=data, seed=(SEED, i, j): ansatz(family, n, data=data, seed=seed),
            )


def ansatz(family: str, n: int, *, data: bool, seed: int | tuple[int, ...]) -> qprune.Task:
    """A library ansatz with every other angle small, in random places.

    Args:
        family: Of `FAMILIES`.
        n: Qubits.
        data: Like a classifier: RY encoding of samples before it, ⟨Z_0⟩ after. Otherwise like a VQE: |0…0⟩ before, all
            ⟨Z_q⟩ and neighbouring ⟨ZZ⟩ after.
        seed: Of angles and samples.
    """
    rng, body = np.random.default_rng(seed), FAMILIES[family](n)
    count = body.num_parameters
    weights = np.where(rng.permutation(count) % 2 == 0, rng.normal(0, SMALL, count), rng.uniform(-np.pi, np.pi, count))
    if not data:
        return qprune.Task(body, _z_words(n), weights=weights)
    inputs, circuit = ParameterVector("x", n), QuantumCircuit(n)
    for q in range(n):
        circuit.ry(inputs[q], q)
    circuit.compose(body, inplace=True)
    rows = rng.uniform(0, np.pi, (SAMPLES, n))
    return qprune.Task(
        circuit,
        "I" * (n - 1) + "Z",
        inputs=rows,
        input_params=list(inputs),
        weights=dict(zip(body.parameters, weights.tolist(), strict=True)),
    )


def mqt(name: str, n: int) -> qprune.Task:
    """A circuit of MQT Bench, its angles drawn uniformly as MQT Bench does, read by all ⟨Z_q⟩ and neighbouring ⟨ZZ⟩.

    "qnn" has inputs; "ae" has none of either, so that its angles become the weights.
    """
    from mqt.bench import BenchmarkLevel, get_benchmark

    circuit = get_benchmark(name, BenchmarkLevel.ALG, n, random_parameters=False)
    circuit = transpile(circuit.remove_final_measurements(inplace=False), basis_gates=KEPT_GATES, optimization_level=0)
    rng = np.random.default_rng((SEED, n, MQT_NAMES.index(name)))
    inputs = [p for p in circuit.parameters if p.name.startswith("x")]
    weights = {p: float(rng.uniform(0, 2 * np.pi)) for p in circuit.parameters if p not in set(inputs)}
    if not circuit.parameters:
        circuit, weights = _with_weights(circuit)
    rows = rng.uniform(0, 2 * np.pi, (SAMPLES, len(inputs))) if inputs else None
    return qprune.Task(circuit, _z_words(n), inputs=rows, input_params=inputs, weights=weights)


def _with_weights(circuit: QuantumCircuit) -> tuple[QuantumCircuit, dict[Parameter, float]]:
    new, weights = circuit.copy_empty_like(), {}
    for instruction in circuit.data:
        gate = instruction.operation
        if gate.name in TURNS:
            weight = Parameter(f"w_{len(weights):03d}")
            weights[weight] = float(gate.params[0])
            gate = type(gate)(weight)
        new.append(gate, instruction.qubits)
    return new, weights


def _z_words(n: int) -> list[str]:
    single = ["I" * (n - 1 - q) + "Z" + "I" * q for q in range(n)]
    return single + ["I" * (n - 2 - q) + "ZZ" + "I" * q for q in range(n - 1)]
