"""The noise of one gate: compiled by itself to native gates, whose channels are composed on its qubits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, ParameterExpression
from qiskit.circuit.library import SwapGate
from qiskit.quantum_info import Operator, SuperOp
from qiskit.transpiler import CouplingMap, StagedPassManager, TranspilerError, generate_preset_pass_manager

from qprune.errors import OptionError
from qprune.noise.channels import NO_NOISE, GateNoise, in_sequence, noise_of
from qprune.noise.devices import Device, Qubits
from qprune.noise.layout import Router

# A free angle is compiled at such a value, j-th parameter at GENERIC + j·STEP: the native gates of a rotation depend on
# its angle at special values (multiples of π/2) only, and its weight may be trained away from those.
GENERIC, STEP = 0.7390851332, 0.4142135624
LEVEL = 1  # of the transpiler, for single gates
WHOLE_LEVEL, SEEDS = 3, range(4)  # for circuits, as users compile them: the best of these seeds


class NativeGate(NamedTuple):
    """A native gate within a compiled circuit, with its qubits there."""

    operation: Instruction
    places: tuple[int, ...]


class GateNoises:
    """λ and r of any gate on given physical qubits of a device; each is worked out once.

    One- and two-qubit gates: compiled alone (`transpile`, level 1, fixed seed), the noise 𝓔 that follows is the noisy
    channel after the inverse of the ideal one. Where two qubits are not connected, swaps along the cheapest path bring
    them together, where they stay; a gate on more qubits is compiled to native ones. Those are counted one by one: λ is
    their product, r their sum.

    Args:
        device: Native gates and their channels.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.router = Router(device)
        self._known: dict[Any, GateNoise] = {}
        self._compiled: dict[Any, list[NativeGate]] = {}
        self._managers: dict[Any, StagedPassManager] = {}

    def of(self, operation: Instruction, qubits: Qubits) -> GateNoise:
        """λ and r of a gate on physical qubits, in the gate's own order.

        Raises:
            OptionError: The native gates cannot make this gate.
        """
        key = _key(operation), qubits
        if key not in self._known:
            self._known[key] = self._worked_out(operation, qubits)
        return self._known[key]

    def _worked_out(self, operation: Instruction, qubits: Qubits) -> GateNoise:
        device = self.device
        if len(qubits) == 2 and not (device.connects(qubits) or device.connects(qubits[::-1])):
            return self._routed(operation, qubits)
        if len(qubits) > 2 and operation.name not in device.basis:
            parts = self._compile(operation, device.basis, None)
            return in_sequence([self.of(part, tuple(qubits[p] for p in places)) for part, places in parts])
        if operation.name in device.gates_on(qubits) and (len(qubits) != 2 or device.connects(qubits)):
            channel = device.channel(operation.name, qubits)
            return NO_NOISE if channel is None else noise_of(channel)
        return self._composed(operation, qubits)

    def _routed(self, operation: Instruction, qubits: Qubits) -> GateNoise:
        route = self.router.route(*qubits)
        if route is None:
            return NO_NOISE  # the model says nothing of a way between them
        swaps, meeting = route
        return in_sequence([*(self.of(SwapGate(), pair) for pair in swaps), self.of(operation, meeting)])

    def _composed(self, operation: Instruction, qubits: Qubits) -> GateNoise:
        """𝓔 = noisy ∘ ideal⁻¹ of the compiled gate, idle noise between a qubit's own gates included."""
        device, size = self.device, len(qubits)
        directed = None
        if size == 2 and device.pairs is not None:
            directed = tuple(pair for pair in ((0, 1), (1, 0)) if device.connects(tuple(qubits[p] for p in pair)))
        gates = self._compile(operation, device.gates_on(qubits), directed)
        ideal, noisy = Operator(np.eye(2**size)), SuperOp(np.eye(4**size))
        clock = [0.0] * size
        for gate, places in gates:
            here = tuple(qubits[p] for p in places)
            start = max(clock[p] for p in places)
            for p in places:
                # before its first gate a qubit does not wait for this one
                waiting = device.waiting(qubits[p], start - clock[p]) if 0 < clock[p] < start else None
                noisy = noisy if waiting is None else noisy.compose(waiting, [p])
                clock[p] = start + device.duration(gate.name, here)
            matrix, channel = Operator(gate), device.channel(gate.name, here)
            ideal, noisy = ideal.compose(matrix, list(places)), noisy.compose(matrix, list(places))
            noisy = noisy if channel is None else noisy.compose(channel, list(places))
        return noise_of(SuperOp(ideal.adjoint()).compose(noisy))

    def _compile(
        self, operation: Instruction, basis: Sequence[str], directed: tuple[tuple[int, int], ...] | None
    ) -> list[NativeGate]:
        key = _key(operation), tuple(basis), directed
        if key not in self._compiled:
            circuit = QuantumCircuit(operation.num_qubits)
            circuit.append(_at_generic_angles(operation), range(operation.num_qubits))
            layout = None if directed is None else tuple(range(operation.num_qubits))
            self._compiled[key] = _gates(
                self._transpiled(circuit, basis, directed, layout), range(operation.num_qubits)
            )
        return self._compiled[key]

    def whole(self, circuit: QuantumCircuit, layout: tuple[int, ...]) -> tuple[list[NativeGate], tuple[int, ...]]:
        """A circuit compiled as one at level 3, as users do: native gates, and the physical qubits where its own end.

        Which of the layout's qubits each starts on is the transpiler's choice, as it is when a pruned circuit is
        compiled by itself: with fewer gates others are near. Where the layout's qubits do not hang together, each
        starts where the layout says, and is routed over the device. Of a few fixed seeds the result of least Σ r.

        Args:
            circuit: Its angles may be free.
            layout: Physical qubits to run on.

        Raises:
            OptionError: The native gates cannot make the circuit.
        """
        pairs = self.device.pairs
        if pairs is None or len(layout) == 1:
            native = self._transpiled(circuit, self.device.basis, None, None, level=WHOLE_LEVEL)
            ends = range(len(layout)) if native.layout is None else native.layout.final_index_layout()
            return _gates(native, layout), tuple(layout[p] for p in ends)  # without its swaps
        start, places = None, layout
        edges: tuple[Qubits, ...] = tuple(
            (a, b) for a, p in enumerate(layout) for b, q in enumerate(layout) if (p, q) in pairs
        )
        if not self.router.is_connected(layout):
            edges, start, places = tuple(sorted(pairs)), layout, tuple(range(self.device.num_qubits or 0))
        found = [self._transpiled(circuit, self.device.basis, edges, start, s, WHOLE_LEVEL) for s in SEEDS]
        totals = [sum(self.of(*placed).infidelity for placed in _gates(native, places)) for native in found]
        best = found[totals.index(min(totals))]
        return _gates(best, places), tuple(places[p] for p in best.layout.final_index_layout(filter_ancillas=True))

    def _transpiled(
        self,
        circuit: QuantumCircuit,
        basis: Sequence[str],
        pairs: tuple[Qubits, ...] | None,
        layout: tuple[int, ...] | None,
        seed: int = SEEDS[0],
        level: int = LEVEL,
    ) -> QuantumCircuit:
        key = tuple(basis), pairs, layout, seed, level
        if key not in self._managers:  # to make one takes longer than to compile a small circuit with it
            near = None if pairs is None else CouplingMap(pairs)
            if near is not None and layout is not None:
                for q in range(near.size(), 1 + max(layout)):
                    near.add_physical_qubit(q)  # no pair names it
            self._managers[key] = generate_preset_pass_manager(
                basis_gates=list(basis),
                coupling_map=near,
                initial_layout=None if layout is None else list(layout),
                optimization_level=level,
                seed_transpiler=seed,
            )
        try:
            return self._managers[key].run(circuit)
        except TranspilerError as error:
            if level == WHOLE_LEVEL and layout is not None:
                raise OptionError(
                    f"layout: {self.device.name} cannot run the circuit from physical qubits {layout}: {error}; give "
                    "qubits that hang together, or leave the choice to the search"
                ) from error
            names = ", ".join(circuit.count_ops())
            raise OptionError(
                f"noise: the native gates of {self.device.name} ({', '.join(basis)}) cannot make {names}: {error}; use "
                "a noise model with a universal set"
            ) from error


def _gates(native: QuantumCircuit, places: Sequence[int]) -> list[NativeGate]:
    """The gates of a compiled circuit, its qubits being at these places."""
    return [
        NativeGate(item.operation, tuple(places[native.find_bit(q).index] for q in item.qubits)) for item in native.data
    ]


def _at_generic_angles(operation: Instruction) -> Instruction:
    if not any(isinstance(p, ParameterExpression) for p in operation.params):
        return operation
    bound = operation.to_mutable()
    bound.params = [
        GENERIC + j * STEP if isinstance(p, ParameterExpression) else p for j, p in enumerate(operation.params)
    ]
    return bound


def _key(operation: Instruction) -> tuple[Any, ...]:
    """What decides how a gate is compiled: name, numbers, and that an angle is free."""
    parts: list[Any] = [operation.name, getattr(operation, "ctrl_state", None)]
    for p in operation.params:
        if isinstance(p, ParameterExpression):
            parts.append("free")
        else:
            parts.append(p.tobytes() if isinstance(p, np.ndarray) else p)
    operators = getattr(operation, "operator", None)  # of a Pauli evolution
    for operator in operators if isinstance(operators, list) else [operators]:
        if operator is not None:
            parts.append(repr(getattr(operator, "to_list", operator.to_sparse_list)()))
    return tuple(parts)
