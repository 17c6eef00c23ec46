"""The peers, one function each: a compiled circuit in, a compiled circuit out.

A tool that cannot take free inputs is given the longest parts of the circuit that no input enters, one after the other.
Where a tool moves qubits, `Compiled.where` follows; three of them do (Qiskit's O3, pytket, BQSKit), and none tells the
next pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import CircuitInstruction, ParameterExpression
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import LightCone, RemoveIdentityEquivalent

import qprune
from benchmarks.peers.measure import NATIVE, Compiled, states

SEED = 0
PARTITION = 3  # qubits of a block, BQSKit's own default
WHOLE = 4  # qubits up to which ScanningGateRemovalPass sees the whole circuit
BQSKIT_LEVEL = 3  # level 1 does not optimise, 2 hardly; 4 takes hours

STEP = 1e-5  # of central differences

Where = tuple[int, ...]
Fixed = Callable[[QuantumCircuit], tuple[QuantumCircuit, Where]]


def bound(task: qprune.Task) -> Compiled:
    """The task's circuit with the weights' values in place, inputs free: what a compiler is given."""
    weights = dict(zip(task.weight_params, task.weights.tolist(), strict=True))
    circuit = task.circuit.copy_empty_like()
    circuit.data = [i for i in task.circuit.data if i.operation.name != "barrier"]
    return Compiled.unmoved(circuit.assign_parameters({p: v for p, v in weights.items() if p in circuit.parameters}))


def installed(package: str) -> bool:
    """Whether a peer can be imported here."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a dotted name
        return False


# -- Qiskit -----------------------------------------------------------------------------------------------------------


def o3(task: qprune.Task, compiled: Compiled, degree: float = 1.0) -> Compiled:
    """Qiskit at optimisation level 3, told what is measured where that can be told."""
    circuit = _measured(task, compiled) if _is_diagonal(task) else compiled.circuit
    new = transpile(
        circuit, basis_gates=list(NATIVE), optimization_level=3, approximation_degree=degree, seed_transpiler=SEED
    )
    if _is_diagonal(task):
        return Compiled(_unmeasured(new), _where_measured(new), compiled.weights)
    ends = list(range(task.num_qubits)) if new.layout is None else new.layout.final_index_layout()
    return Compiled(new, tuple(ends[w] for w in compiled.where), compiled.weights)


def identity_equivalents(task: qprune.Task, compiled: Compiled, degree: float) -> Compiled:
    """Qiskit's RemoveIdentityEquivalent: gates whose average fidelity with the identity is at least `degree`."""
    new = PassManager([RemoveIdentityEquivalent(approximation_degree=degree)]).run(compiled.circuit)
    return Compiled(new, compiled.where, compiled.weights)


def light_cone(task: qprune.Task, compiled: Compiled) -> Compiled:
    """Qiskit's LightCone, from where the qubits are now; for sums of unlike Pauli words it has no setting: left out."""
    if _is_diagonal(task):
        new = _unmeasured(PassManager([LightCone()]).run(_measured(task, compiled)))
        return Compiled(new, compiled.where, compiled.weights)
    observables = task.observables or ()
    if len(observables) > 1 or len(observables[0]) > 1:
        return compiled
    word = observables[0].paulis[0].to_label()[::-1]
    letters = [(letter, compiled.where[q]) for q, letter in enumerate(word) if letter != "I"]
    cone = LightCone("".join(letter for letter, _ in letters), [q for _, q in letters])
    return Compiled(PassManager([cone]).run(compiled.circuit), compiled.where, compiled.weights)


def _is_diagonal(task: qprune.Task) -> bool:
    return all(not np.any(observable.paulis.x) for observable in task.observables or ())


def _support(task: qprune.Task) -> list[int]:
    return sorted({q for support in task.output_supports for q in support})


def _measured(task: qprune.Task, compiled: Compiled) -> QuantumCircuit:
    """With every qubit measured that a diagonal observable reads, bit q for the task's qubit q."""
    circuit, bits = compiled.circuit.copy(), ClassicalRegister(task.num_qubits, "read")
    circuit.add_register(bits)
    for q in _support(task):
        circuit.measure(compiled.where[q], bits[q])
    return circuit


def _unmeasured(circuit: QuantumCircuit) -> QuantumCircuit:
    new = QuantumCircuit(circuit.num_qubits)
    for instruction in circuit.data:
        if instruction.operation.name not in ("measure", "barrier"):
            new.append(instruction.operation, _indices(circuit, instruction))
    return new


def _where_measured(circuit: QuantumCircuit) -> Where:
    """Where each bit is read; qubits that nobody reads take the places left."""
    found = {
        circuit.find_bit(i.clbits[0]).index: circuit.find_bit(i.qubits[0]).index
        for i in circuit.data
        if i.operation.name == "measure"
    }
    free = iter(sorted(set(range(circuit.num_qubits)) - set(found.values())))
    return tuple(found[q] if q in found else next(free) for q in range(circuit.num_qubits))


# -- tools that take numbers only -------------------------------------------------------------------------------------


def by_parts(compiled: Compiled, fixed: Fixed) -> Compiled:
    """Apply a tool to the parts that no input enters, each as long as the order of gates allows."""
    new, ends = QuantumCircuit(compiled.circuit.num_qubits), list(range(compiled.circuit.num_qubits))
    left, takes_inputs = list(compiled.circuit.data), False
    while left:
        part, left = _split(left, takes_inputs)
        piece, where = QuantumCircuit(new.num_qubits), tuple(range(new.num_qubits))
        for instruction in part:
            piece.append(instruction.operation, _indices(compiled.circuit, instruction))
        if part and not takes_inputs:
            piece, where = fixed(piece)
        new.compose(piece, qubits=ends, inplace=True)
        ends, takes_inputs = [ends[w] for w in where], not takes_inputs
    return Compiled(new, tuple(ends[w] for w in compiled.where), compiled.weights)


def _split(
    left: Sequence[CircuitInstruction], takes_inputs: bool
) -> tuple[list[CircuitInstruction], list[CircuitInstruction]]:
    """All gates of one kind that can come first, and the rest."""
    part, rest, blocked = [], [], set()
    for instruction in left:
        if _has_input(instruction) is takes_inputs and blocked.isdisjoint(instruction.qubits):
            part.append(instruction)
        else:
            rest.append(instruction)
            blocked.update(instruction.qubits)
    return part, rest


def _has_input(instruction: CircuitInstruction) -> bool:
    return any(isinstance(a, ParameterExpression) and a.parameters for a in instruction.operation.params)


def _indices(circuit: QuantumCircuit, instruction: CircuitInstruction) -> list[int]:
    return [circuit.find_bit(q).index for q in instruction.qubits]


def pytket(task: qprune.Task, compiled: Compiled) -> Compiled:
    """pytket's FullPeepholeOptimise with implicit swaps, which the export to Qiskit forgets and we follow."""
    from pytket.circuit import OpType
    from pytket.extensions.qiskit import qiskit_to_tk, tk_to_qiskit
    from pytket.passes import AutoRebase, FullPeepholeOptimise, RemoveRedundancies, SequencePass

    passes = SequencePass(
        [FullPeepholeOptimise(), AutoRebase({OpType.CX, OpType.Rz, OpType.Ry, OpType.Rx}), RemoveRedundancies()]
    )

    def fixed(circuit: QuantumCircuit) -> tuple[QuantumCircuit, Where]:
        tket = qiskit_to_tk(_native(circuit))
        passes.apply(tket)
        ends = {q.index[0]: r.index[0] for q, r in tket.implicit_qubit_permutation().items()}
        new = QuantumCircuit(circuit.num_qubits)
        new.compose(tk_to_qiskit(tket, perm_warning=False), qubits=range(circuit.num_qubits), inplace=True)
        return new, tuple(ends[q] for q in range(circuit.num_qubits))

    return by_parts(compiled, fixed)


def pennylane(task: qprune.Task, compiled: Compiled) -> Compiled:
    """PennyLane's `compile` with its own pipeline, until nothing more changes."""
    import pennylane as qml  # takes seconds, also in every worker that asks for another tool

    to_tape = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ, "cx": qml.CNOT}
    back = {gate.__name__: name for name, gate in to_tape.items()}

    def fixed(circuit: QuantumCircuit) -> tuple[QuantumCircuit, Where]:
        circuit = _native(circuit)
        ops = [to_tape[i.operation.name](*i.operation.params, wires=_indices(circuit, i)) for i in circuit.data]
        tape = qml.tape.QuantumScript(ops, [qml.expval(qml.Z(0))])
        while True:
            (smaller,), _ = qml.compile(tape)
            if len(smaller.operations) == len(tape.operations):
                break
            tape = smaller
        new = QuantumCircuit(circuit.num_qubits)
        for op in tape.operations:
            getattr(new, back[op.name])(*map(float, op.parameters), *op.wires)
        return new, tuple(range(circuit.num_qubits))

    return by_parts(compiled, fixed)


def _native(circuit: QuantumCircuit) -> QuantumCircuit:
    return transpile(circuit, basis_gates=list(NATIVE), optimization_level=0)


# -- BQSKit -----------------------------------------------------------------------------------------------------------


def bqskit_compile(
    task: qprune.Task, compiled: Compiled, epsilon: float, stated: list[float] | None = None
) -> Compiled:
    """BQSKit's `compile`.

    Args:
        task: Not used: BQSKit is not told what is measured.
        compiled: The circuit.
        epsilon: `synthesis_epsilon`.
        stated: BQSKit's own upper bounds on the distance of the unitaries are added to this list, one per part.
    """
    from bqskit.compiler.compile import build_workflow

    def workflow(circuit: Any) -> Any:
        threshold = None if stated is None else 1.0
        return build_workflow(circuit, None, BQSKIT_LEVEL, epsilon, PARTITION, threshold, seed=SEED)

    return by_parts(compiled, lambda circuit: _bqskit(circuit, workflow, stated))


def bqskit_scanning(
    task: qprune.Task, compiled: Compiled, epsilon: float, stated: list[float] | None = None
) -> Compiled:
    """BQSKit's ScanningGateRemovalPass, in partitions where the whole circuit is too wide; arguments as above."""
    from bqskit.compiler.workflow import Workflow
    from bqskit.passes import ForEachBlockPass, QuickPartitioner, ScanningGateRemovalPass, SetRandomSeedPass, UnfoldPass

    def workflow(circuit: Any) -> Any:
        scan = ScanningGateRemovalPass(success_threshold=epsilon)
        if circuit.num_qudits <= WHOLE:
            return Workflow([SetRandomSeedPass(SEED), scan])
        return Workflow(
            [
                SetRandomSeedPass(SEED),
                QuickPartitioner(PARTITION),
                ForEachBlockPass([scan], calculate_error_bound=stated is not None),
                UnfoldPass(),
            ]
        )

    return by_parts(compiled, lambda circuit: _bqskit(circuit, workflow, stated))


def _bqskit(
    circuit: QuantumCircuit, workflow: Callable[[Any], Any], stated: list[float] | None
) -> tuple[QuantumCircuit, Where]:
    from bqskit.ext import bqskit_to_qiskit, qiskit_to_bqskit

    used = [q for q in range(circuit.num_qubits) if any(q in _indices(circuit, i) for i in circuit.data)]
    narrow = QuantumCircuit(len(used))  # BQSKit drops idle qubits on import
    for instruction in circuit.data:
        narrow.append(instruction.operation, [used.index(q) for q in _indices(circuit, instruction)])
    source = qiskit_to_bqskit(transpile(narrow, basis_gates=["u3", "cx"], optimization_level=0))
    out, data = _bqskit_compiler().compile(source, workflow(source), request_data=True)
    if stated is not None:
        stated.append(float(data.error))
    new, ends = QuantumCircuit(circuit.num_qubits), list(range(circuit.num_qubits))
    new.compose(bqskit_to_qiskit(out), qubits=[used[q] for q in range(len(used))], inplace=True)
    for q, place in enumerate(data.final_mapping):
        ends[used[q]] = used[place]
    return new, tuple(ends)


@cache
def _bqskit_compiler() -> Any:
    """One runtime with one worker for the life of the process, so that its start is not measured."""
    from bqskit.compiler import Compiler

    warnings.filterwarnings("ignore", module="bqskit")
    return Compiler(num_workers=1)


# -- pruning by other scores ------------------------------------------------------------------------------------------


def without_gates(task: qprune.Task, gone: set[int]) -> Compiled:
    """The task's circuit without the gates at these places, weights free."""
    circuit = task.circuit.copy_empty_like()
    circuit.data = [i for k, i in enumerate(task.circuit.data) if k not in gone]
    return Compiled.unmoved(circuit)


def trainable(task: qprune.Task) -> list[int]:
    """Places of the gates with weights and no input, of one angle each."""
    return [
        k
        for k, i in enumerate(task.circuit.data)
        if len(i.operation.params) == 1
        and task.has_weights(i.operation.params[0])
        and not task.has_inputs(i.operation.params[0])
    ]


def by_magnitude(task: qprune.Task) -> list[int]:
    """Trainable gates, smallest angle first."""
    size = {
        k: abs(np.angle(np.exp(1j * float(task.values(task.circuit.data[k].operation.params[0])))))
        for k in trainable(task)
    }
    return sorted(size, key=lambda k: (size[k], k))


def at_random(task: qprune.Task) -> list[int]:
    """Trainable gates in random order."""
    return [int(k) for k in np.random.default_rng(SEED).permutation(trainable(task))]


def gates_of_weights(task: qprune.Task, gone: Sequence[int]) -> set[int]:
    """Places of all gates in which one of these weights occurs: what sQUlearn deletes, features and all."""
    names = {task.weight_params[k].name for k in gone}
    return {
        k
        for k, i in enumerate(task.circuit.data)
        if any(
            isinstance(a, ParameterExpression) and not names.isdisjoint(p.name for p in a.parameters)
            for a in i.operation.params
        )
    }


def by_fisher_rank(task: qprune.Task, *, samples: int, threshold: float) -> list[int]:
    """Weights that the quantum Fisher information at the trained weights, averaged over samples, calls redundant.

    While the smallest eigenvalue is at most `threshold`, the weight with the largest share in such eigenvectors goes
    (Haug, Bharti, Kim, PRX Quantum 2, 040309; sQUlearn does the same at random weights).
    """
    rows, whole = task.inputs[task.selected][:samples], Compiled.unmoved(task.circuit)
    state = states(task, whole, rows)
    slopes = []
    for parameter, value in zip(task.weight_params, task.weights.tolist(), strict=True):
        sides = [
            states(task, Compiled(whole.circuit, whole.where, {parameter.name: value + h}), rows) for h in (-STEP, STEP)
        ]
        slopes.append(((sides[1] - sides[0]) / (2 * STEP)).reshape(-1, len(rows)))
    flat, fisher = state.reshape(-1, len(rows)), np.zeros((len(slopes), len(slopes)))
    for m in range(len(rows)):
        jacobian = np.array([slope[:, m] for slope in slopes])
        along = jacobian @ flat[:, m].conj()
        fisher += 4 * np.real(jacobian.conj() @ jacobian.T - np.outer(along.conj(), along)) / len(rows)
    left, gone = list(range(len(slopes))), []
    while left:
        values, vectors = np.linalg.eigh(fisher[np.ix_(left, left)])
        if values[0] > threshold:
            break
        gone.append(left.pop(int(np.argmax((vectors[:, values <= threshold] ** 2).sum(axis=1)))))
    return gone
