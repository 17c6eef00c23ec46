"""The noise that circuits are simulated under: a uniform model as written, or a device on n of its qubits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import ControlFlowOp
from qiskit.providers import BackendV2, Options, QubitProperties
from qiskit.quantum_info import SparsePauliOp, SuperOp, average_gate_fidelity
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer.noise import NoiseModel, QuantumError

import qprune
from qprune.noise.models import read_model, resolve

SEEDS = 8  # of the transpiler: the compiled circuit of least infidelity counts, so that its luck evens out


@dataclass(frozen=True)
class Regime:
    """A noise model on n qubits.

    Attributes:
        name: File in noise_models/, or device snapshot.
        qubits: Physical qubits that 0 … n−1 stand for.
        model: The noise, on qubits 0 … n−1.
        target: Native gates and coupling of those qubits; None for a uniform model, where all pairs are coupled.
    """

    name: str
    qubits: tuple[int, ...]
    model: NoiseModel
    target: Target | None

    def drifted(self, seed: int, spread: float) -> Regime:
        """The device when every error rate, T₁ and T₂ has changed by a factor of its own.

        Args:
            seed: Of the factors.
            spread: Standard deviation of their logarithms.
        """
        if self.target is None:
            raise ValueError(f"{self.name} is uniform, which no device is that drifts")
        rng = np.random.default_rng(seed)
        target = _part(self.target, range(len(self.qubits)), lambda: float(rng.lognormal(0, spread)))
        return Regime(self.name, self.qubits, NoiseModel.from_backend(_Part(self.name, target)), target)

    @property
    def form(self) -> str:
        """Whether circuits are routed and scheduled for a device, or run as written, in native gates."""
        return "as written" if self.target is None else "compiled"

    def calibration(self, beta: float = 1.0, gamma: float = 1.0, shots: int | None = None) -> qprune.NoiseCalibration:
        """What `prune(noise=…)` takes, on the same physical qubits."""
        return _calibration(self.name, beta, gamma, None if self.target is None else self.qubits, shots)

    def compiled(
        self, circuit: QuantumCircuit, observables: Sequence[SparsePauliOp], level: int = 1, seeds: int = SEEDS
    ) -> tuple[QuantumCircuit, tuple[int, ...]]:
        """The circuit in native gates, and where each of its qubits is at the end.

        Fixed seeds. For a device also placed and routed, with the measurements that the
        transpiler would else not care for, and scheduled as late as possible, so that qubits relax while they wait.
        From level 2 on it drops diagonal gates before a measurement, which only those may lose that are read in Z: a
        barrier stands for the turn before the measurement of others.

        Args:
            circuit: Its angles may be free.
            observables: What is read of it.
            level: Of the transpiler's optimisation.
            seeds: How many of its seeds are tried.
        """
        options: dict[str, Any] = {"optimization_level": level}
        if self.target is None:
            basis = sorted(set(self.model.basis_gates) - {"delay"})
            native = transpile(circuit, basis_gates=basis, seed_transpiler=0, **options)
            layout = native.layout  # level 3 may leave qubits elsewhere, where that saves a swap
            return native, tuple(range(circuit.num_qubits) if layout is None else layout.final_index_layout())
        options |= {"target": self.target, "scheduling_method": "alap"}
        letters: dict[int, set[str]] = defaultdict(set)
        for word, qubits, _ in (entry for observable in observables for entry in observable.to_sparse_list()):
            for letter, q in zip(word, qubits, strict=True):
                letters[q].add(letter)
        measured = circuit.copy()
        measured.add_register(bits := ClassicalRegister(len(letters)))
        for q in (q for q in sorted(letters) if letters[q] != {"Z"}):
            measured.barrier(q)
        measured.measure(sorted(letters), bits)
        found = [transpile(measured, seed_transpiler=seed, **options) for seed in range(seeds)]
        best = min(found, key=self.infidelity)
        return _without(best, "measure", "barrier"), tuple(best.layout.final_index_layout())

    def infidelity(self, circuit: QuantumCircuit) -> float:
        """Σ r, r = 1 − F̄, over native gates, and the mean probability of a wrong reading over measurements."""
        places = ((item.operation.name, tuple(circuit.find_bit(q).index for q in item.qubits)) for item in circuit.data)
        return sum(self._errors.get(place, self._errors.get((place[0], ()), 0.0)) for place in places)

    def duration(self, circuit: QuantumCircuit) -> float | None:
        """Seconds that a compiled circuit takes, without reading; None for a uniform model, which knows no times."""
        return None if self.target is None else circuit.estimate_duration(self.target, unit="s")

    @property
    def two_qubit_error(self) -> float:
        """Mean r of the native two-qubit gates that have noise."""
        found = [r for (gate, _), r in self._errors.items() if gate in self._two_qubit_gates]
        return float(np.mean(found)) if found else 0.0

    @cached_property
    def readout(self) -> tuple[tuple[float, float], ...]:
        """(a, b) of each qubit: a Pauli letter read from it has the mean a⟨P⟩ + b."""
        assigned: dict[int | None, Any] = {None: np.eye(2)}
        for entry in self._entries("roerror"):
            assigned |= dict.fromkeys([q[0] for q in entry.get("gate_qubits", [])] or [None], entry["probabilities"])
        means = [(np.array(assigned.get(q, assigned[None])) @ [1, -1]).tolist() for q in range(len(self.qubits))]
        return tuple(((zero - one) / 2, (zero + one) / 2) for zero, one in means)

    @cached_property
    def _errors(self) -> dict[tuple[str, tuple[int, ...]], float]:
        """r by gate and qubits, of measurements as well; () stands for any qubits."""
        gates = {
            (gate, tuple(where)): 1 - average_gate_fidelity(SuperOp(QuantumError.from_dict(entry)))
            for entry in self._entries("qerror")
            for gate in entry["operations"]
            for where in entry.get("gate_qubits", [()])
        }
        return gates | {("measure", (q,)): (1 - contrast) / 2 for q, (contrast, _) in enumerate(self.readout)}

    @cached_property
    def _two_qubit_gates(self) -> frozenset[str]:
        return frozenset(
            gate
            for entry in self._entries("qerror")
            for gate in entry["operations"]
            if QuantumError.from_dict(entry).num_qubits == 2
        )

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.model.to_dict()["errors"] if entry["type"] == kind]


def _without(circuit: QuantumCircuit, *names: str) -> QuantumCircuit:
    left = QuantumCircuit(circuit.qubits, global_phase=circuit.global_phase)
    for item in circuit.data:
        if item.operation.name not in names:
            left.append(item.operation, item.qubits)
    return left


@lru_cache(maxsize=256)  # it keeps the channels it has compiled
def _calibration(
    name: str, beta: float, gamma: float, layout: tuple[int, ...] | None, shots: int | None
) -> qprune.NoiseCalibration:
    return qprune.calibrate(name, beta=beta, gamma=gamma, layout=layout, shots=shots)


def regime_of(name: str, circuit: QuantumCircuit) -> Regime | None:
    """The noise of that name for circuits of that size; None if the device is too small.

    On a device every pruner gets the same qubits: the best connected set for the original (`layout_for`).
    """
    found = resolve(name)
    if isinstance(found, Path):
        return Regime(name, tuple(range(circuit.num_qubits)), read_model(found), None)
    try:
        qubits = qprune.calibrate(name).layout_for(circuit)
    except qprune.OptionError:
        return None
    target = _part(found.target, qubits)
    return Regime(name, qubits, NoiseModel.from_backend(_Part(name, target)), target)


def _part(whole: Target, qubits: Sequence[int], factor: Callable[[], float] = lambda: 1.0) -> Target:
    """A few qubits of a target, numbered from 0; rates and times each by a factor of its own, durations as they are."""
    place = {q: j for j, q in enumerate(qubits)}
    found = Target(num_qubits=len(qubits), dt=whole.dt, qubit_properties=_times(whole, qubits, factor))
    for gate in whole.operation_names:
        operation, known = whole.operation_from_name(gate), whole[gate]
        here = {
            tuple(map(place.get, q)): None if p is None else InstructionProperties(p.duration, _rate(p.error, factor))
            for q, p in known.items()
            if q is not None and place.keys() >= set(q)
        }
        if here and not (isinstance(operation, type) and issubclass(operation, ControlFlowOp)):
            found.add_instruction(operation, here)
    return found


def _times(whole: Target, qubits: Sequence[int], factor: Callable[[], float]) -> list[QubitProperties]:
    known = [whole.qubit_properties[q] for q in qubits]
    return [QubitProperties(*(t and t * factor() for t in (q.t1, q.t2)), frequency=q.frequency) for q in known]


def _rate(error: float | None, factor: Callable[[], float]) -> float | None:
    """No rate is beyond a half: there nothing is left of a bit that is read."""
    return error and min(error * factor(), max(error, 0.5))


class _Part(BackendV2):
    """A few qubits of a backend, numbered from 0.

    Aer's own reduction of a circuit to the qubits it uses (0.17.2) saves expectation values of the wrong qubits.
    """

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name=name)
        self._target = target

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> None:
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("a part of a snapshot, only to be compiled for")
