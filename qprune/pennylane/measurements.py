"""What a tape measures, as outputs of a task. Part of `qprune.pennylane`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune.errors import TaskError
from qprune.exact.absorption import Absorbed
from qprune.gates.sites import sites_of
from qprune.geometry import bounds
from qprune.pennylane.tape import number
from qprune.results.certificate import Certificate
from qprune.simulators.choices import final_outputs
from qprune.simulators.values import Outputs
from qprune.task.observables import from_matrix, without_identity
from qprune.task.task import Task

PROJECTED_WIRES = 4  # probabilities beside other measurements become 2^m projectors, up to this m
DENSE_WIRES = 8  # wires up to which an observable is read from its matrix


def wire_order(tape: Any, device_wires: Any) -> list[Any]:
    """The wires in the order of the qubits, which is PennyLane's own order for `probs()` of all wires."""
    if any(mp.obs is None and not mp.wires for mp in tape.measurements) and device_wires is not None:
        return list(device_wires)
    gates = list(qml.wires.Wires.all_wires([op.wires for op in tape.operations]))
    rest = [w for w in tape.wires if w not in gates]
    standard = set(gates) == set(range(len(gates))) and set(rest) == set(range(len(gates), len(gates + rest)))
    return sorted(gates + rest) if standard else gates + rest


class Reading(NamedTuple):
    """One measurement of the QNode in terms of the task's outputs.

    Attributes:
        kind: "expval", "var" or "probs" (rows are projectors) or "distribution" (the task's own probabilities).
        rows: Observables of the task: O; O and, unless it is a multiple of 1, (O − c)², c being the coefficient of the
            identity, on which no variance depends; the projectors. Of a distribution whose outcomes are permuted: by
            outcome of the QNode the one of the task.
        square: The number (O − c)² for var with a single row.
        name: The measurement in PennyLane's words.
    """

    kind: str
    rows: tuple[int, ...]
    square: float
    name: str

    def values(self, outputs: Outputs) -> FloatArray:
        """What the QNode returns, samples last: shape (M,) or (2^m, M)."""
        if outputs.distribution is not None:
            return outputs.distribution.T[list(self.rows) or slice(None)]
        if self.kind == "probs":
            return outputs.means[list(self.rows)]
        if self.kind == "expval":
            return outputs.means[self.rows[0]]
        square = outputs.means[self.rows[1]] if len(self.rows) > 1 else self.square
        return square - outputs.centred[self.rows[0]] ** 2

    def deviation(self, before: Outputs, after: Outputs) -> FloatArray:
        """|Δ|, or total variation, by sample, shape (M,)."""
        if self.kind == "expval":
            return np.abs(after.centred[self.rows[0]] - before.centred[self.rows[0]])
        change = np.abs(self.values(after) - self.values(before))
        return change if change.ndim == 1 else change.sum(axis=0) / 2

    def bound(self, certificate: Certificate, before: Outputs, task: Task) -> FloatArray:
        """Proven limit of `deviation` on the selected samples, shape (M,)."""
        proven, rows = np.array(certificate.bound), list(self.rows)
        if self.kind in ("expval", "distribution"):
            return proven[rows[0] if self.kind == "expval" else 0]
        if self.kind == "probs":
            return bounds.outcomes_bound(np.array(certificate.angle)[rows].max(axis=0), proven[rows])
        of_mean, of_square = proven[rows[0]], proven[rows[1:]].sum(axis=0)  # no second row where O² is a number
        return bounds.variance_bound(of_mean, of_square, before.centred[rows[0]], task.spectra[rows[0]])

    def ceiling(self, task: Task) -> float:
        """The largest deviation there can be."""
        if self.kind in ("probs", "distribution"):
            return 1.0
        spectrum = task.spectra[self.rows[0]]
        return spectrum.width if self.kind == "expval" else bounds.largest_variance(spectrum)


def readings_of(
    measurements: Sequence[Any], order: Sequence[Any]
) -> tuple[list[SparsePauliOp] | None, list[int], list[Reading]]:
    """Observables of the task (None: probabilities), its measured qubits, and how to read each measurement."""
    qubit = {wire: q for q, wire in enumerate(order)}
    observables: list[SparsePauliOp] = []
    readings = []
    for mp in measurements:
        kind = {"ExpectationMP": "expval", "VarianceMP": "var", "ProbabilityMP": "probs"}.get(type(mp).__name__)
        if kind is None or getattr(mp, "mv", None) is not None or (mp.obs is None) != (kind == "probs"):
            raise TaskError(
                f"the QNode returns {mp!r}; qprune certifies qml.expval and qml.var of observables and qml.probs of "
                "wires: prune with one of those, or change the basis with gates before qml.probs(wires=…)"
            )
        first, square = len(observables), 0.0
        if kind == "probs":
            wires = [qubit[w] for w in (mp.wires or order)]
            if len(measurements) == 1:
                return None, wires[::-1], [Reading("distribution", (), 0.0, repr(mp))]
            observables += _projectors(wires, len(order), mp)
        else:
            observable = _observable(mp.obs, qubit)
            observables.append(observable)
            if kind == "var":
                _, rest = without_identity(observable)
                squared = (rest @ rest).simplify(atol=0)
                if np.any(squared.paulis.x | squared.paulis.z):
                    observables.append(squared)
                else:
                    square = float(squared.coeffs.sum().real)
        readings.append(Reading(kind, tuple(range(first, len(observables))), square, repr(mp)))
    return observables, [], readings


def check_absorbable(readings: Sequence[Reading]) -> None:
    """Raise TaskError if probabilities stand beside other measurements: for each other gates could be absorbed."""
    for reading in readings:
        if reading.kind == "probs":
            raise TaskError(
                f"absorb=True changes what is measured for all measurements together, and the QNode returns "
                f"{reading.name} beside others: let it return that alone, or expval and var, or leave absorb out"
            )


class Elsewhere(NamedTuple):
    """What a shorter circuit measures in place of what a QNode does; None where that is the same.

    Attributes:
        operators: Its measurements.
        order: Of probabilities: by outcome of the QNode the one of the shorter circuit that stands for it.
    """

    operators: tuple[Any, ...] | None = None
    order: tuple[int, ...] | None = None


def measured_by(readings: Sequence[Reading], absorbed: Absorbed, order: Sequence[Any]) -> Elsewhere:
    """The same measurements behind fewer gates: of the words that are read there, or of permuted outcomes."""
    if absorbed.outcomes is not None:
        return Elsewhere(order=tuple(np.argsort(absorbed.outcomes).tolist()))
    made, observables = {"expval": qml.expval, "var": qml.var}, absorbed.task.observables or ()
    return Elsewhere(
        tuple(made[reading.kind](_as_operator(observables[reading.rows[0]], order)) for reading in readings)
    )


def measuring(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """The circuit with its outcomes read from qubits, as a task of probabilities has it."""
    circuit.add_register(ClassicalRegister(len(qubits)))
    circuit.measure(qubits, range(len(qubits)))
    return circuit


def _as_operator(observable: SparsePauliOp, order: Sequence[Any]) -> Any:
    words = {}
    for word, qubits, coefficient in observable.to_sparse_list():
        places = {order[q]: letter for letter, q in zip(word, qubits, strict=True) if letter != "I"}
        words[qml.pauli.PauliWord(places)] = float(coefficient.real)
    return qml.pauli.PauliSentence(words).operation(wire_order=list(order))


def _observable(obs: Any, qubit: Mapping[Any, int]) -> SparsePauliOp:
    terms: list[tuple[str, list[int], complex]]
    if obs.pauli_rep is not None:
        terms = [
            ("".join(word.values()), [qubit[w] for w in word], complex(number(c))) for word, c in obs.pauli_rep.items()
        ]
    else:
        if len(obs.wires) > DENSE_WIRES:
            raise TaskError(
                f"observable {obs!r} acts on {len(obs.wires)} wires and has no Pauli form; give it as a sum of Pauli "
                f"words (more than {DENSE_WIRES} wires are not read from a matrix)"
            )
        matrix = np.asarray(number(qml.matrix(obs, wire_order=obs.wires)), dtype=complex)
        dense = from_matrix(matrix)  # the first letter is the first wire, the most significant
        terms = [(label, [qubit[w] for w in obs.wires], c) for label, c in dense.to_list()]
    return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=len(qubit))


def _projectors(wires: list[int], num_qubits: int, mp: Any) -> list[SparsePauliOp]:
    """|b⟩⟨b| for every outcome b, the first wire most significant."""
    if len(wires) > PROJECTED_WIRES:
        raise TaskError(
            f"{mp!r} beside other measurements would need {2 ** len(wires)} projectors; at most {PROJECTED_WIRES} "
            "wires work there: let the QNode return the probabilities alone, or of fewer wires"
        )
    found = []
    for outcome in range(2 ** len(wires)):
        signs = [1 - 2 * (outcome >> j & 1) for j in reversed(range(len(wires)))]
        terms: list[tuple[list[int], float]] = [([], 1.0)]
        for q, sign in zip(wires, signs, strict=True):
            terms = [(chosen, c / 2) for chosen, c in terms] + [([*chosen, q], sign * c / 2) for chosen, c in terms]
        found.append(SparsePauliOp.from_sparse_list([("Z" * len(ws), ws, c) for ws, c in terms], num_qubits=num_qubits))
    return found


def outputs_of(task: Task) -> tuple[Outputs, Outputs | None]:
    """Exact outputs on the selected and on the held-out samples."""
    sites = sites_of(task)
    return final_outputs(task, sites, task.selected), (
        final_outputs(task, sites, task.heldout) if len(task.heldout) else None
    )
