"""Hypothesis strategies for circuits, tasks and options of `prune`, over the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import pi

import numpy as np
from hypothesis import strategies as st
from oracles import random_density
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import (
    C3SXGate,
    CSwapGate,
    CXGate,
    DiagonalGate,
    HGate,
    MCXGate,
    PauliEvolutionGate,
    PauliGate,
    PermutationGate,
    RCCXGate,
    RVGate,
    RYGate,
    RZGate,
    StatePreparation,
    UnitaryGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info import SparsePauliOp, random_unitary

from qprune import Task
from qprune.gates.sites import CATALOGUE

STANDARD = {name: gate.base_class for name, gate in get_standard_gate_name_mapping().items()}
ARITY = {name: (gate.num_qubits, len(gate.params)) for name, gate in get_standard_gate_name_mapping().items()}
INPUTS = (Parameter("x0"), Parameter("x1"))
WEIGHTS = (Parameter("w0"), Parameter("w1"), Parameter("w2"), Parameter("w3"))
KEPT = frozenset({"unitary3", "diagonal", "permutation", "state_preparation"})
"""Kinds of gates that are outside the catalogue and stay whole."""

turns = st.integers(-8, 8).map(lambda k: k * pi / 2)  # includes ±2π and ±4π
small = st.floats(-0.08, 0.08, allow_subnormal=False)
angles = st.one_of(small, small, turns, st.builds(lambda a, b: a + b, turns, small), st.floats(-7, 7))
"""Near zero, exact multiples of π/2 (2π, 4π among them), near such, and generic."""

_EXPRESSIONS = {
    "number": lambda value, w, v, x, y: value,
    "weight": lambda value, w, v, x, y: w,
    "halved": lambda value, w, v, x, y: w / 2,
    "two weights": lambda value, w, v, x, y: w - v,
    "shifted": lambda value, w, v, x, y: 2 * w + value,
    "input": lambda value, w, v, x, y: x,
    "twice": lambda value, w, v, x, y: 2 * x,
    "scaled input": lambda value, w, v, x, y: x * w,
    "input and weight": lambda value, w, v, x, y: x + v,
    "product": lambda value, w, v, x, y: (pi - x) * (pi - y),
}
_KINDS = ("number",) * 6 + ("weight",) * 5 + tuple(_EXPRESSIONS)


@st.composite
def parameters(draw):
    """A number, a weight, an input or an expression of them."""
    kind = draw(st.sampled_from(_KINDS))
    if kind == "number":
        return draw(angles)
    value = draw(small) if kind == "shifted" else 0.0
    (w, v), (x, y) = draw(st.sampled_from(_WEIGHT_PAIRS)), draw(st.sampled_from(_INPUT_PAIRS))
    return _EXPRESSIONS[kind](value, w, v, x, y)


_WEIGHT_PAIRS = tuple(permutations(WEIGHTS, 2))
_INPUT_PAIRS = tuple(permutations(INPUTS, 2))
seeds = st.integers(0, 2**32 - 1)


def near_identity(num_qubits, seed, strength):
    """A random unitary exp(−i·strength·A), ‖A‖ = 1."""
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(random_density(num_qubits, rng))
    return (vectors * np.exp(-1j * strength * values / values.max())) @ vectors.conj().T


@cache
def _unitary(num_qubits, seed):
    return random_unitary(2**num_qubits, seed=seed)


@cache
def _nested():
    inner = QuantumCircuit(2, name="inner")
    inner.ry(0.03, 1)
    inner.cx(1, 0)
    inner.rz(-0.4, 0)
    outer = QuantumCircuit(3, name="outer", global_phase=0.3)
    outer.append(inner.to_gate(), [2, 0])
    outer.h(1)
    outer.append(inner.to_instruction(), [0, 1])
    return outer


@st.composite
def _word(draw, num_qubits):
    letters = draw(st.text("XYZI", min_size=num_qubits, max_size=num_qubits))
    return letters if set(letters) != {"I"} else "Z" * num_qubits


@st.composite
def _pauli(draw, k):
    return PauliGate(draw(_word(k)))


@st.composite
def _evolution(draw, k):
    operator = SparsePauliOp(draw(_word(k)), draw(st.sampled_from((0.5, 1.0, -0.3))))
    return PauliEvolutionGate(operator, time=draw(parameters()))


@st.composite
def _commuting_evolution(draw, k):
    """Two commuting words: the synthesis is exact, and it is taken apart."""
    operator = SparsePauliOp(["Z" * k, "Z" + "I" * (k - 1)] if k > 1 else ["Z"], [0.3, -0.02] if k > 1 else [0.3])
    return PauliEvolutionGate(operator, time=draw(angles))


@st.composite
def _small_unitary(draw, k):
    seed = draw(seeds)
    if draw(st.booleans()):
        return UnitaryGate(near_identity(k, seed, draw(small)))
    return UnitaryGate(_unitary(k, seed % 64))


_OTHER = {
    # kind: number of qubits, strategy for the instruction
    "pauli1": (1, _pauli(1)),
    "pauli3": (3, _pauli(3)),
    "evolution1": (1, _evolution(1)),
    "evolution2": (2, _evolution(2)),
    "evolution3": (3, _evolution(3)),
    "evolution of a sum": (2, _commuting_evolution(2)),
    "unitary1": (1, _small_unitary(1)),
    "unitary2": (2, _small_unitary(2)),
    "unitary3": (3, st.builds(lambda s: UnitaryGate(_unitary(3, s % 16)), seeds)),
    "id": (1, st.just(STANDARD["id"]())),
    "cx_o0": (2, st.just(CXGate(ctrl_state=0))),
    "ch_o0": (2, st.just(HGate().control(ctrl_state=0))),
    "cry_o0": (2, st.builds(lambda a: RYGate(a).control(ctrl_state=0), angles)),
    "cswap": (3, st.just(CSwapGate())),
    "rccx": (3, st.just(RCCXGate())),
    "ccrz": (3, st.builds(lambda a: RZGate(a).control(2), angles)),
    "mcx": (4, st.just(MCXGate(3))),
    "c3sx": (4, st.just(C3SXGate())),
    "rv": (1, st.builds(RVGate, angles, angles, angles)),
    "diagonal": (2, st.builds(lambda a, b: DiagonalGate([1, np.exp(1j * a), np.exp(1j * b), 1]), angles, angles)),
    "permutation": (3, st.just(PermutationGate([2, 0, 1]))),
    "state_preparation": (1, st.builds(lambda a: StatePreparation([np.cos(a), np.sin(a)]), angles)),
    "nested": (3, st.builds(lambda: _nested().to_instruction())),
}
_ALL = tuple(CATALOGUE) + tuple(_OTHER)


@cache
def _fitting(num_qubits):
    return tuple(kind for kind in _ALL if (_OTHER[kind][0] if kind in _OTHER else ARITY[kind][0]) <= num_qubits)


@cache
def _places(num_qubits, width):
    return tuple(permutations(range(num_qubits), width))


@st.composite
def gates(draw, num_qubits):
    """Any gate of the catalogue or outside it that fits, with its qubits in any order."""
    kind = draw(st.sampled_from(_fitting(num_qubits)))
    if kind in _OTHER:
        width, strategy = _OTHER[kind]
        operation = draw(strategy)
    else:
        width, count = ARITY[kind]
        operation = STANDARD[kind](*(draw(parameters()) for _ in range(count)))
    return operation, draw(st.sampled_from(_places(num_qubits, width)))


@st.composite
def circuits(draw, min_qubits=1, max_qubits=6, max_gates=10):
    """A random circuit over the whole catalogue; inputs and weights are INPUTS and WEIGHTS."""
    n = draw(st.integers(min_qubits, max_qubits))
    circuit = QuantumCircuit(n, global_phase=draw(st.sampled_from((0.0, 1.1))))
    start = draw(st.sampled_from(("zero", "plus", "generic", "inputs")))
    for q in range(n):
        if start == "plus":
            circuit.h(q)
        elif start == "generic":
            circuit.u(0.4 + 0.5 * q, 0.3 - q, 0.2, q)
        elif start == "inputs":
            circuit.ry(INPUTS[q % 2] * (q + 1), q)
    for operation, qubits in draw(st.lists(gates(n), min_size=1, max_size=max_gates)):
        circuit.append(operation, qubits)
        if draw(st.integers(0, 15)) == 0:
            circuit.barrier()
    return circuit


@st.composite
def observables(draw, n):
    """Pauli words, sums, ±1 and other spectra, multiples of one; None is the probabilities."""
    if draw(st.integers(0, 3)) == 0:
        return None
    return draw(st.lists(_observable(n), min_size=1, max_size=3))


@st.composite
def _observable(draw, n):
    kind = draw(st.sampled_from(("word", "word", "sum", "involution", "projector", "constant")))
    word = draw(st.text("IXYZ", min_size=n, max_size=n))
    if kind == "word":
        return word
    if kind == "sum":
        terms = draw(st.lists(st.text("IXYZ", min_size=n, max_size=n), min_size=1, max_size=3))
        coefficients = [draw(st.sampled_from((-1.3, 0.25, 0.7, 2.0))) for _ in terms]
        return SparsePauliOp.from_list(list(zip(terms, coefficients, strict=True)))
    rest = "I" * (n - 1)
    if kind == "involution":  # (X + Z)/√2 on one qubit, squares to one
        q = draw(st.integers(0, n - 1))
        return SparsePauliOp([rest[:q] + "X" + rest[q:], rest[:q] + "Z" + rest[q:]], [0.5**0.5, 0.5**0.5])
    if kind == "projector":
        return SparsePauliOp(["I" * n, "Z" + rest], [0.5, 0.5])
    return SparsePauliOp("I" * n, -0.7)


@st.composite
def tasks(draw, max_gates=10, min_qubits=1, max_qubits=6, measures=observables):
    """A circuit with its ensemble: random inputs, weights, probabilities and outputs."""
    circuit = draw(circuits(min_qubits, max_qubits, max_gates))
    n = circuit.num_qubits
    wanted = draw(measures(n))
    if wanted is None and draw(st.booleans()):
        some = draw(st.sampled_from(_places(n, draw(st.integers(1, n)))))
        circuit.add_register(ClassicalRegister(n, "c"))
        bits = draw(st.sampled_from(_places(n, len(some))))
        for q, c in zip(some, bits, strict=True):
            circuit.measure(q, c)
    used = [p for p in INPUTS if p in circuit.parameters]
    samples = draw(st.integers(1, 3)) if used else draw(st.sampled_from((None, 2)))
    inputs = None if samples is None else [[draw(angles) for _ in used] for _ in range(samples)]
    probabilities = None
    if samples is not None and draw(st.booleans()):
        raw = np.array([draw(st.floats(0.01, 1)) for _ in range(samples)])
        probabilities = raw / raw.sum()
    return Task(
        circuit,
        wanted,
        inputs=None if inputs is None else np.array(inputs).reshape(samples, len(used)),
        input_params=used,
        weights={p: draw(angles) for p in WEIGHTS if p in circuit.parameters},
        probabilities=probabilities,
    )


_TOLERANCES = st.one_of(st.floats(1e-3, 0.3), st.floats(0.3, 1.4), st.just(0.0))
_BUDGETS = st.one_of(st.floats(1e-3, 0.5), st.floats(0.5, 3), st.just(0.0))
_NOISE = st.one_of(st.none(), st.floats(0.5, 1), st.floats(0, 1))


@dataclass(frozen=True)
class Case:
    """A task and what `prune` is asked to do with it; noise is λ, β, γ or None."""

    task: Task
    options: dict
    noise: tuple[float, float, float] | None

    def __repr__(self):
        task = self.task
        circuit = task.circuit.draw("text", fold=-1, cregbundle=True)
        return (
            f"{self.options}, noise={self.noise}\n{circuit}\n{task!r}, measured {task.measured_qubits}\n"
            f"inputs {task.inputs.tolist()}, probabilities {task.probabilities.tolist()}\n"
            f"weights {dict(zip([p.name for p in task.weight_params], task.weights.tolist(), strict=True))}"
        )

    def _repr_pretty_(self, printer, cycle):  # Hypothesis would print the fields alone
        printer.text(repr(self))


@st.composite
def cases(draw, mode="any"):
    """A task with options as in `asked`; `mode` is "tolerance", "budget", "representatives" or "any"."""
    options = {"aggregate": draw(st.sampled_from(("rms", "max"))), "prune_encoding": draw(st.integers(0, 3)) == 0}
    if mode == "representatives":
        options["representatives"] = draw(st.sampled_from(("clifford", "class", "local")))
    elif mode == "any":
        options["representatives"] = draw(st.sampled_from(("identity", "clifford", "class", "local")))
    bounded = (
        mode if mode in ("tolerance", "budget") else draw(st.sampled_from(("tolerance", "tolerance", "budget", "both")))
    )
    if bounded != "budget":
        options["tolerance"] = draw(_TOLERANCES)
    if bounded != "tolerance":
        options["budget"] = draw(_BUDGETS)
        options["strategy"] = draw(st.sampled_from(("q-iprune", "q-iprune", "magnitude", "random")))
    coherence = draw(_NOISE)
    noise = None if coherence is None else (coherence, draw(st.floats(0, 4)), draw(st.sampled_from((0.0, 1.0, 0.1))))
    return Case(draw(tasks()), options, noise)


def task_of(circuit, measured=None):
    """A circuit as a task: its parameters among `INPUTS` are inputs, on two samples, all others are weights."""
    used = [p for p in INPUTS if p in circuit.parameters]
    weights = {p: 0.3 + 0.4 * j for j, p in enumerate(q for q in circuit.parameters if q not in INPUTS)}
    rows = np.array([[0.4, 1.3], [-0.9, 2.2]])[:, : len(used)] if used else None
    return Task(circuit, measured, inputs=rows, input_params=used, weights=weights)
