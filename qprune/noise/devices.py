"""What a noise model says about native gates: their channels, where they exist, how long they take.

One form for an Aer `NoiseModel` and for a `Target` (of a backend or by itself). A channel is made when it is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.circuit import Gate
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import SuperOp
from qiskit.transpiler import InstructionProperties, Target

from qprune.noise.channels import noise_of

Qubits = tuple[int, ...]

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel, QuantumError

_STANDARD = {name: gate.num_qubits for name, gate in get_standard_gate_name_mapping().items() if isinstance(gate, Gate)}


class Device(ABC):
    """Native gates with their noise.

    Attributes:
        name: What it is called in tables and certificates.
        basis: Names of the native gates.
        num_qubits: Number of qubits, None where the model knows none.
        pairs: Ordered pairs of qubits that have a native gate; None where every pair has.
    """

    name: str
    basis: tuple[str, ...]
    num_qubits: int | None
    pairs: frozenset[Qubits] | None

    def __init__(self) -> None:
        self._channels: dict[tuple[str, Qubits], SuperOp | None] = {}
        self._waits: dict[tuple[int, float], SuperOp | None] = {}

    def channel(self, gate: str, qubits: Qubits) -> SuperOp | None:
        """The noise that follows a native gate, on its qubits in the gate's own order; None if there is none."""
        if (gate, qubits) not in self._channels:
            error = self._error(gate, qubits)
            self._channels[gate, qubits] = None if error is None else SuperOp(error)
        return self._channels[gate, qubits]

    def connects(self, pair: Qubits) -> bool:
        """Whether a native gate acts on this ordered pair."""
        return self.pairs is None or pair in self.pairs

    def gates_on(self, qubits: Qubits) -> tuple[str, ...]:
        """Native gates that exist on these qubits or on some of them."""
        return self.basis

    @property
    @abstractmethod
    def noiseless(self) -> tuple[str, ...]:
        """Native gates without a channel on any qubit."""

    @abstractmethod
    def _error(self, gate: str, qubits: Qubits) -> QuantumError | None: ...

    @abstractmethod
    def pair_infidelity(self, pair: Qubits) -> float:
        """r of the best native gate on a pair, for choosing qubits."""

    @abstractmethod
    def readout_error(self, qubit: int) -> float:
        """Mean probability of reading a qubit wrong."""

    def duration(self, gate: str, qubits: Qubits) -> float:
        """Seconds that a native gate takes; 0 where the model does not say."""
        return 0.0

    def waiting(self, qubit: int, time: float) -> SuperOp | None:
        """Idle noise of a qubit that waits for some seconds, None where the model has none."""
        if (qubit, time) not in self._waits:
            self._waits[qubit, time] = self._waiting(qubit, time)
        return self._waits[qubit, time]

    def _waiting(self, qubit: int, time: float) -> SuperOp | None:
        return None


class ModelDevice(Device):
    """An Aer `NoiseModel`. It knows no durations, so it has no idle noise.

    Its coupling map is the set of pairs that it gives an error of their own; none where an error serves all pairs.
    """

    def __init__(self, model: NoiseModel, name: str) -> None:
        super().__init__()
        self.name = name
        self.basis = tuple(g for g in model.basis_gates if g in _STANDARD)
        self._local: dict[tuple[str, Qubits], dict[str, Any]] = {}
        self._default: dict[str, dict[str, Any]] = {}
        self._readout: dict[int | None, float] = {}
        for entry in model.to_dict()["errors"]:
            where = [tuple(int(q) for q in qubits) for qubits in entry.get("gate_qubits", [])]
            if entry["type"] == "roerror":
                if np.shape(entry["probabilities"]) == (2, 2):
                    wrong = (entry["probabilities"][0][1] + entry["probabilities"][1][0]) / 2
                    places: list[int | None] = [q[0] for q in where] or [None]
                    self._readout.update(dict.fromkeys(places, float(wrong)))
                continue
            for gate in entry["operations"]:
                self._local.update({(gate, qubits): entry for qubits in where})
                if not where:
                    self._default[gate] = entry
        pairs = frozenset(q for gate, q in self._local if len(q) == 2 and gate in self.basis)
        everywhere = any(_STANDARD[gate] == 2 for gate in self._default if gate in self.basis)
        self.pairs = pairs if pairs and not everywhere else None
        self.num_qubits = None if self.pairs is None else 1 + max(model.noise_qubits)

    @property
    def noiseless(self) -> tuple[str, ...]:
        noisy = {gate for gate, _ in self._local} | set(self._default)
        return tuple(gate for gate in self.basis if gate not in noisy)

    def _error(self, gate: str, qubits: Qubits) -> QuantumError | None:
        from qiskit_aer.noise import QuantumError

        entry = self._local.get((gate, qubits), self._default.get(gate))
        return None if entry is None else QuantumError.from_dict(entry)

    def pair_infidelity(self, pair: Qubits) -> float:
        channels = (self.channel(gate, pair) for gate, qubits in list(self._local) if qubits == pair)
        return min(noise_of(c).infidelity for c in channels if c is not None)

    def readout_error(self, qubit: int) -> float:
        return self._readout.get(qubit, self._readout.get(None, 0.0))


class TargetDevice(Device):
    """A `Target`: reported errors as depolarising, T1 and T2 over each gate's duration and while a qubit waits.

    The channels are Aer's own, made for one gate at a time.
    """

    def __init__(self, target: Target, name: str) -> None:
        super().__init__()
        self.name, self.target = name, target
        self.basis = tuple(g for g in target.operation_names if g in _STANDARD and self._is_standard(g))
        self.num_qubits = target.num_qubits
        found = {q for gate in self.basis for q in self._places(gate) if len(q) == 2}
        self.pairs = frozenset(found) or None

    def _is_standard(self, gate: str) -> bool:
        return isinstance(self.target.operation_from_name(gate), Gate)

    def _places(self, gate: str) -> dict[Qubits, InstructionProperties | None]:
        return {q: p for q, p in (self.target[gate] or {}).items() if q is not None}

    def gates_on(self, qubits: Qubits) -> tuple[str, ...]:
        both = (qubits, qubits[::-1], *((q,) for q in qubits))
        return tuple(g for g in self.basis if any(self.target.instruction_supported(g, q) for q in both))

    @property
    def noiseless(self) -> tuple[str, ...]:
        return tuple(gate for gate in self.basis if not any(map(self._is_noisy, self._places(gate).values())))

    @staticmethod
    def _is_noisy(properties: InstructionProperties | None) -> bool:
        return properties is not None and bool(properties.error or properties.duration)

    def _error(self, gate: str, qubits: Qubits) -> QuantumError | None:
        from qiskit_aer.noise.device import basic_device_gate_errors

        properties = self._places(gate).get(qubits)
        if properties is None or not self._is_noisy(properties):
            return None
        target = self.target
        alone = Target(num_qubits=target.num_qubits, qubit_properties=target.qubit_properties)
        alone.add_instruction(target.operation_from_name(gate), {qubits: properties})
        if target.qubit_properties is None:
            errors = basic_device_gate_errors(target=alone, thermal_relaxation=False)
        else:
            errors = basic_device_gate_errors(target=alone)
        return errors[0][2] if errors else None

    def pair_infidelity(self, pair: Qubits) -> float:
        """The reported error, or what relaxation alone makes of it where that is more, as in Aer's channel."""
        found = []
        for gate in self.gates_on(pair):
            properties = self._places(gate).get(pair)
            if properties is not None:
                found.append(max(properties.error or 0.0, self._relaxation_infidelity(pair, properties.duration or 0)))
        return min(found)

    def _relaxation_infidelity(self, pair: Qubits, time: float) -> float:
        fidelity = 1.0
        for t1, t2 in map(self._times, pair):
            fidelity *= (1 + np.exp(-time / t1) + 2 * np.exp(-time / t2)) / 4
        return float(1 - (4 * fidelity + 1) / 5)

    def _times(self, qubit: int) -> tuple[float, float]:
        """T1 and T2 ≤ 2 T1 in seconds; infinite where not given."""
        known = None if self.target.qubit_properties is None else self.target.qubit_properties[qubit]
        t1, t2 = getattr(known, "t1", None) or np.inf, getattr(known, "t2", None)
        return t1, min(t2 or np.inf, 2 * t1)

    def readout_error(self, qubit: int) -> float:
        places = self._places("measure") if "measure" in self.target.operation_names else {}
        properties = places.get((qubit,))
        return 0.0 if properties is None else float(properties.error or 0.0)

    def duration(self, gate: str, qubits: Qubits) -> float:
        properties = self._places(gate).get(qubits)
        return 0.0 if properties is None else float(properties.duration or 0.0)

    def _waiting(self, qubit: int, time: float) -> SuperOp | None:
        from qiskit_aer.noise import thermal_relaxation_error

        t1, t2 = self._times(qubit)
        return None if t1 == t2 == np.inf else SuperOp(thermal_relaxation_error(t1, t2, time))
