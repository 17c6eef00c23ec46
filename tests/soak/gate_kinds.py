"""Every kind of unitary gate that Qiskit's library has and a QNN may contain, as functions of angles.

A kind builds the same gate from symbols, for the circuit, and from numbers, for the oracle, which therefore never binds
a parameter.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import library as lib
from qiskit.quantum_info import Clifford, SparseObservable, SparsePauliOp, random_clifford, random_unitary

Angle = Any  # a number or a ParameterExpression
LARGEST = 4  # qubits of a gate


@dataclass(frozen=True)
class GateKind:
    """A kind of gate.

    Attributes:
        name: For the counts.
        width: Qubits.
        angles: How many angles it takes.
        build: The gate from a generator, which decides all but the angles, and from the angles.
        symbolic: Whether angles may be expressions.
        any_size: Whether an angle may be far larger than a turn: where angles are added, rounding makes another gate.
        invertible: Whether Qiskit can invert it.
    """

    name: str
    width: int
    angles: int
    build: Callable[..., Any]
    symbolic: bool = True
    any_size: bool = False
    invertible: bool = True


_STANDARD = {
    name: gate
    for name, gate in lib.get_standard_gate_name_mapping().items()
    if name not in ("measure", "reset", "delay", "global_phase")
}
_OPEN = ("cx", "cy", "cz", "ch", "cs", "csdg", "csx", "cp", "crx", "cry", "crz", "cu", "cu1", "cu3")
_OPEN += ("ccx", "ccz", "cswap", "c3sx")
_CONTROLLED = ("x", "y", "z", "h", "s", "t", "sx", "rx", "ry", "rz", "p", "u", "swap", "rzz", "rxx", "cp", "cry")


def _alone(name: str) -> bool:
    """Whether the gate takes a single angle."""
    return len(_STANDARD[name].params) == 1


def _plain(name: str) -> GateKind:
    gate = _STANDARD[name]
    return GateKind(name, gate.num_qubits, len(gate.params), lambda rng, *a: gate.base_class(*a), any_size=_alone(name))


def _open(name: str) -> GateKind:
    gate = _STANDARD[name]

    def build(rng: np.random.Generator, *a: Angle) -> Any:
        return gate.base_class(*a, ctrl_state=int(rng.integers(2**gate.num_ctrl_qubits - 1)))

    return GateKind(f"{name}, open control", gate.num_qubits, len(gate.params), build, any_size=_alone(name))


def _controlled(name: str, controls: int) -> GateKind:
    gate = _STANDARD[name]

    def build(rng: np.random.Generator, *a: Angle) -> Any:
        return gate.base_class(*a).control(controls, ctrl_state=int(rng.integers(2**controls)))

    # With more controls Qiskit's definition adds angles, and qprune refuses those that it would round.
    any_size = _alone(name) and gate.num_qubits + controls == 2
    return GateKind(
        f"{name}.control({controls})", gate.num_qubits + controls, len(gate.params), build, any_size=any_size
    )


# -- gates that hold matrices, vectors and words ------------------------------------------------------------------


def _unitary(width: int) -> GateKind:
    def build(rng: np.random.Generator) -> Any:
        matrix = random_unitary(2**width, seed=rng).data
        shape = rng.integers(4)
        if shape == 1:  # near the identity
            values, vectors = np.linalg.eig(matrix)
            matrix = random_unitary(2**width, seed=rng).data
            values = np.exp(1j * 10.0 ** rng.uniform(-9, -1) * np.angle(values))
            vectors, _ = np.linalg.qr(vectors)
            matrix = (vectors * values) @ vectors.conj().T
        elif shape == 2:
            matrix = np.diag(np.exp(1j * rng.uniform(-3, 3, 2**width)))
        elif shape == 3:  # a product of one-qubit gates
            matrix = np.eye(1)
            for _ in range(width):
                matrix = np.kron(matrix, random_unitary(2, seed=rng).data)
        return lib.UnitaryGate(matrix)

    return GateKind(f"unitary on {width}", width, 0, build)


def _vector(rng: np.random.Generator, size: int) -> np.ndarray:
    vector = rng.normal(size=size) + 1j * rng.normal(size=size) * rng.integers(2)
    return vector / np.linalg.norm(vector)


def _phases(rng: np.random.Generator, size: int) -> list[complex]:
    return np.exp(1j * rng.choice([0.0, np.pi, 1.0], size) * rng.uniform(-2, 2)).tolist()


def _word(rng: np.random.Generator, width: int) -> str:
    word = "".join(rng.choice(list("IXYZ"), width))
    return word if set(word) != {"I"} else "Z" * width


def _evolution(width: int) -> GateKind:
    def build(rng: np.random.Generator, time: Angle) -> Any:
        return lib.PauliEvolutionGate(SparsePauliOp(_word(rng, width), rng.choice([0.5, 1.0, -0.3])), time=time)

    return GateKind(f"Pauli evolution on {width}", width, 1, build)


def _evolution_of_a_sum(rng: np.random.Generator, time: Angle) -> Any:
    words = [_word(rng, 2) for _ in range(rng.integers(1, 4))]
    return lib.PauliEvolutionGate(SparsePauliOp(words, rng.normal(size=len(words))), time=time)


def _sparse_evolution(rng: np.random.Generator, time: Angle) -> Any:
    return lib.PauliEvolutionGate(SparseObservable.from_list([("Z0", 0.4), ("+r", -0.3)]), time=time)


def _hamiltonian(rng: np.random.Generator, time: Angle) -> Any:
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    return lib.HamiltonianGate(matrix + matrix.conj().T, time)


def _uniformly(kind: Any) -> Callable[..., Any]:
    return lambda rng, *angles: kind(list(angles))


def _multiplexer(rng: np.random.Generator) -> Any:
    return lib.UCGate([random_unitary(2, seed=rng).data for _ in range(4)], up_to_diagonal=False)


def _isometry(rng: np.random.Generator) -> Any:
    return lib.Isometry(random_unitary(4, seed=rng).data[:, : 2 ** rng.integers(2)], 0, 0)


def _preparation(width: int) -> Callable[..., Any]:
    def build(rng: np.random.Generator) -> Any:
        kind = rng.integers(3)
        if kind == 1:
            return lib.StatePreparation("".join(rng.choice(list("01+-rl"), width)))
        return lib.StatePreparation(_vector(rng, 2**width), inverse=bool(kind))

    return build


def _product_rotation(rng: np.random.Generator, angle: Angle) -> Any:
    from qiskit.quantum_info import Pauli

    return lib.PauliProductRotationGate(Pauli(("-" if rng.integers(2) else "") + _word(rng, 2)), angle)


def _linear_function(rng: np.random.Generator) -> Any:
    matrix = np.eye(3, dtype=bool)
    for _ in range(4):
        i, j = rng.permutation(3)[:2]
        matrix[i] ^= matrix[j]
    return lib.LinearFunction(matrix)


def _clifford(rng: np.random.Generator) -> Any:
    return Clifford(random_clifford(2, seed=rng).to_circuit())


def _graph_state(rng: np.random.Generator) -> Any:
    upper = np.triu(rng.integers(0, 2, (3, 3)), 1)
    return lib.GraphStateGate(upper + upper.T)


# -- arithmetic ---------------------------------------------------------------------------------------------------

_ARITHMETIC = {
    "and": (3, lambda rng: lib.AndGate(2, rng.choice([-1, 1], 2).tolist())),
    "or": (3, lambda rng: lib.OrGate(2, rng.choice([-1, 1], 2).tolist())),
    "bitwise xor": (2, lambda rng: lib.BitwiseXorGate(2, int(rng.integers(4)))),
    "inner product": (2, lambda rng: lib.InnerProductGate(1)),
    "half adder": (3, lambda rng: lib.HalfAdderGate(1)),
    "full adder": (4, lambda rng: lib.FullAdderGate(1)),
    "modular adder": (4, lambda rng: lib.ModularAdderGate(2)),
    "multiplier": (4, lambda rng: lib.MultiplierGate(1)),
    "comparator": (3, lambda rng: lib.IntegerComparatorGate(2, int(rng.integers(1, 4)), geq=bool(rng.integers(2)))),
    "quadratic form": (3, lambda rng: lib.QuadraticFormGate(2, [[1.0]], [float(rng.integers(-1, 2))], 1.0)),
    "linear rotations": (3, lambda rng: lib.LinearPauliRotationsGate(2, *rng.normal(size=2), basis="Y")),
    "polynomial rotations": (3, lambda rng: lib.PolynomialPauliRotationsGate(2, rng.normal(size=3).tolist())),
    "piecewise linear": (
        4,
        lambda rng: lib.PiecewiseLinearPauliRotationsGate(2, [0, 2], rng.normal(size=2).tolist(), [0.1, 0.3]),
    ),
    "exact reciprocal": (3, lambda rng: lib.ExactReciprocalGate(2, float(rng.uniform(0.1, 1)))),
    "amplitude function": (
        3,
        lambda rng: lib.LinearAmplitudeFunctionGate(2, 0.7, 0.1, (0, 1), (0, 1), rescaling_factor=0.3),
    ),
    "QFT": (3, lambda rng: lib.QFTGate(3)),
    "graph state": (3, _graph_state),
    "linear function": (3, _linear_function),
    "Clifford": (2, _clifford),
    "permutation": (3, lambda rng: lib.PermutationGate(rng.permutation(3).tolist())),
    "uniform superposition": (2, lambda rng: lib.UniformSuperpositionGate(int(rng.integers(2, 4)), 2)),
    "isometry": (2, _isometry),
    "multiplexer": (3, _multiplexer),
    "diagonal": (2, lambda rng: lib.DiagonalGate(_phases(rng, 4))),
    "state preparation on 1": (1, _preparation(1)),
    "state preparation on 2": (2, _preparation(2)),
    "Pauli": (2, lambda rng: lib.PauliGate(_word(rng, 2))),
    "MCX": (4, lambda rng: lib.MCXGate(3, ctrl_state=int(rng.integers(8)))),
    "MCX, gray code": (4, lambda rng: lib.MCXGrayCode(3)),
    "MCX, recursive": (4, lambda rng: lib.MCXRecursive(3)),
    "MCX, v-chain": (3, lambda rng: lib.MCXVChain(2, dirty_ancillas=bool(rng.integers(2)))),
}


# The lower bound of Qiskit does not know all, and cannot invert a linear function.
_UNKNOWN = () if hasattr(lib, "UniformSuperpositionGate") else ("uniform superposition",)
_NO_INVERSE = ("graph state", *(("linear function",) if _UNKNOWN else ()))


def _msgate(rng: np.random.Generator, theta: Angle) -> Any:
    return lib.MSGate(3, theta)


def _many(name: str) -> GateKind:
    gate = {"h": lib.HGate, "z": lib.ZGate, "rx": lib.RXGate, "p": lib.PhaseGate}[name]
    angles = int(name in ("rx", "p"))

    def build(rng: np.random.Generator, *a: Angle) -> Any:
        return lib.MCMTGate(gate(*a), 1, 2, ctrl_state=int(rng.integers(2)))

    return GateKind(f"MCMT of {name}", 3, angles, build)


# -- composites ---------------------------------------------------------------------------------------------------


def _inner(first: Angle, second: Angle) -> QuantumCircuit:
    inner = QuantumCircuit(2, name="inner", global_phase=0.4)
    inner.ry(first, 1)
    inner.cx(1, 0)
    inner.rz(second, 0)
    inner.append(lib.CXGate(ctrl_state=0), [0, 1])
    return inner


def _composite(rng: np.random.Generator, first: Angle, second: Angle) -> Any:
    return _inner(first, second).to_gate()


def _instruction(rng: np.random.Generator, first: Angle, second: Angle) -> Any:
    return _inner(first, second).to_instruction()


def _nested(rng: np.random.Generator, first: Angle, second: Angle) -> Any:
    outer = QuantumCircuit(3, name="outer")
    outer.append(_inner(first, 0.3).to_gate(), [2, 0])
    outer.h(1)
    outer.append(_inner(-0.2, second).to_gate().inverse(), [0, 1])
    return outer.to_gate()


def _controlled_composite(rng: np.random.Generator, first: Angle, second: Angle) -> Any:
    return _inner(first, second).to_gate().control(1, ctrl_state=int(rng.integers(2)))


def _namesake(rng: np.random.Generator, angle: Angle) -> Any:
    """A user's own gate that goes by the name of the library's and is another."""
    inner = QuantumCircuit(1, name="rx")
    inner.ry(angle, 0)
    return inner.to_gate()


def _new(gate: str, kind: GateKind) -> tuple[GateKind, ...]:
    """A kind of gate that the lower bound of Qiskit does not know."""
    return (kind,) if hasattr(lib, gate) else ()


KINDS: tuple[GateKind, ...] = (
    *map(_plain, _STANDARD),
    *map(_open, _OPEN),
    *(_controlled(name, k) for name in _CONTROLLED for k in (1, 2) if _STANDARD[name].num_qubits + k <= LARGEST),
    *map(_unitary, (1, 2, 3)),
    *map(_evolution, (1, 2, 3)),
    GateKind("Pauli evolution of a sum", 2, 1, _evolution_of_a_sum),
    GateKind("Pauli evolution, sparse", 2, 1, _sparse_evolution),
    *_new("PauliProductRotationGate", GateKind("Pauli product rotation", 2, 1, _product_rotation)),
    GateKind("Hamiltonian", 2, 1, _hamiltonian, symbolic=False),
    GateKind("MS", 3, 1, _msgate),
    GateKind("RV", 1, 3, lambda rng, *a: lib.RVGate(*a), symbolic=False),
    GateKind("MCPhase", 3, 1, lambda rng, a: lib.MCPhaseGate(a, 2, ctrl_state=int(rng.integers(4)))),
    GateKind("MCU1", 3, 1, lambda rng, a: lib.MCU1Gate(a, 2, ctrl_state=int(rng.integers(4)))),
    GateKind("global phase", 0, 1, lambda rng, a: lib.GlobalPhaseGate(a)),
    GateKind("UCRX", 2, 2, _uniformly(lib.UCRXGate), symbolic=False),
    GateKind("UCRY", 3, 4, _uniformly(lib.UCRYGate), symbolic=False),
    GateKind("UCRZ", 2, 2, _uniformly(lib.UCRZGate), symbolic=False),
    *map(_many, ("h", "z", "rx", "p")),
    *(
        GateKind(name, width, 0, build, invertible=name not in _NO_INVERSE)
        for name, (width, build) in _ARITHMETIC.items()
        if name not in _UNKNOWN
    ),
    GateKind("composite", 2, 2, _composite),
    GateKind("composite instruction", 2, 2, _instruction),
    GateKind("nested composite", 3, 2, _nested),
    GateKind("controlled composite", 3, 2, _controlled_composite),
    GateKind("namesake", 1, 1, _namesake),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def build(kind: GateKind, seed: int, inverted: bool, angles: tuple[Angle, ...]) -> Any:
    """The gate of this kind, seed and angles, or its inverse where there is one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # gates on their way out are still in circuits
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        operation = kind.build(np.random.default_rng(seed), *angles)
        if not inverted or not kind.invertible:
            return operation
        return operation.adjoint() if isinstance(operation, Clifford) else operation.inverse()
