"""An example of every gate class of Qiskit's library, with angles that are expressions where it takes angles."""

from __future__ import annotations

import inspect
import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ControlledGate, Gate, Parameter, ParameterVector, library
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Clifford, Operator, Pauli, SparsePauliOp, random_unitary

X, W, V = Parameter("x"), Parameter("w"), ParameterVector("v", 12)
ANGLE = X - 2 * W

CLASSES = {name: kind for name, kind in vars(library).items() if inspect.isclass(kind) and issubclass(kind, Gate)} | {
    "Isometry": library.Isometry,
    "UCPauliRotGate": library.UCPauliRotGate,
}


def _unitary(size, seed=3):
    return random_unitary(2**size, seed=seed).data


def _hermitian():
    matrix = np.array([[0.3, 1 - 2j], [1 + 2j, -0.7]])
    return matrix + matrix.conj().T


def _multiplexed(axis):
    return [0.3, -0.8, 1.1, 0.4] if axis else [_unitary(1, seed) for seed in range(4)]


# Arguments of every class that is none of the standard gates.
ARGUMENTS = {
    "AndGate": lambda: (3, [1, -1, 0]),
    "BitFlipOracleGate": lambda: ("a & ~b | c",),
    "BitwiseXorGate": lambda: (3, 5),
    "C3XGate": lambda: (),
    "C4XGate": lambda: (),
    "DiagonalGate": lambda: ([1, 1j, -1, np.exp(0.3j)],),
    "ExactReciprocalGate": lambda: (3, 0.4),
    "FullAdderGate": lambda: (1,),
    "GraphStateGate": lambda: ([[0, 1, 1], [1, 0, 0], [1, 0, 0]],),
    "HalfAdderGate": lambda: (1,),
    "HamiltonianGate": lambda: (_hermitian(), 0.7),
    "InnerProductGate": lambda: (2,),
    "IntegerComparatorGate": lambda: (2, 3),
    "Isometry": lambda: (_unitary(2)[:, :2], 0, 0),
    "LinearAmplitudeFunctionGate": lambda: (2, 0.5, 0.1, (0, 1), (0, 1)),
    "LinearFunction": lambda: ([[1, 1, 0], [0, 1, 0], [1, 0, 1]],),
    "LinearPauliRotationsGate": lambda: (2, 0.3, 0.1),
    "MCGupDiag": lambda: (_unitary(1), 2, 0, 0),
    "MCMTGate": lambda: (library.RYGate(ANGLE), 2, 2),
    "MCPhaseGate": lambda: (ANGLE, 3),
    "MCU1Gate": lambda: (ANGLE, 3),
    "MCXGate": lambda: (5,),
    "MCXGrayCode": lambda: (5,),
    "MCXRecursive": lambda: (5,),
    "MCXVChain": lambda: (3, True),
    "MSGate": lambda: (3, ANGLE),
    "ModularAdderGate": lambda: (1,),
    "MultiplierGate": lambda: (2,),
    "OrGate": lambda: (3, [1, -1, 0]),
    "PauliEvolutionGate": lambda: (SparsePauliOp("XZY", 0.5), ANGLE),
    "PauliGate": lambda: ("XZY",),
    "PauliProductRotationGate": lambda: (Pauli("XZY"), ANGLE),
    "PermutationGate": lambda: ([2, 0, 1],),
    "PhaseOracleGate": lambda: ("a & ~b | c",),
    "PiecewiseChebyshevGate": lambda: (lambda t: np.arcsin(1 / (t + 2)), 2, 2, [0, 2, 3]),
    "PiecewiseLinearPauliRotationsGate": lambda: (2, [0, 2], [0.3, -0.2], [0.1, 0.4]),
    "PiecewisePolynomialPauliRotationsGate": lambda: (2, [0, 2], [[0.3, 0.1], [0.2, -0.4]]),
    "PolynomialPauliRotationsGate": lambda: (2, [0.1, 0.2, 0.3]),
    "QFTGate": lambda: (3,),
    "QuadraticFormGate": lambda: (2, [[1, 2], [-1, 0]], [1, -1], 1),
    "RVGate": lambda: (0.1, -0.2, 0.3),
    "StatePreparation": lambda: ([0.5, 0.5j, -0.5, 0.5],),
    "UCGate": lambda: (_multiplexed(None),),
    "UCPauliRotGate": lambda: (_multiplexed("X"), "X"),
    "UCRXGate": lambda: (_multiplexed("X"),),
    "UCRYGate": lambda: (_multiplexed("Y"),),
    "UCRZGate": lambda: (_multiplexed("Z"),),
    "UniformSuperpositionGate": lambda: (3, 2),
    "UnitaryGate": lambda: (_unitary(2),),
    "WeightedSumGate": lambda: (2, [1, 2]),
}


def _standard(name):
    gate = next(g for g in get_standard_gate_name_mapping().values() if g.base_class is CLASSES[name])
    angles = [ANGLE, X * V[1], V[10] / (W + 3), (X - V[2]).sin() - 2 * W]
    return CLASSES[name](*angles[: len(gate.params)])


def example(name):
    """A gate of the class of that name."""
    return CLASSES[name](*ARGUMENTS[name]()) if name in ARGUMENTS else _standard(name)


def _open(gate):
    """The same with each other control acting on 0, or None without controls."""
    if not isinstance(gate, ControlledGate):
        return None
    changed = gate.to_mutable()
    changed.ctrl_state = 2**gate.num_ctrl_qubits // 3
    return changed


def _wrapped(gate):
    inner = QuantumCircuit(gate.num_qubits, name="mine", global_phase=0.3 - 2 * X)
    inner.append(gate, range(gate.num_qubits))
    if gate.num_qubits:
        inner.rx(W - 3 * X, 0)
    return inner.to_gate()


VARIANTS = {
    "plain": lambda gate: gate,
    "inverse": lambda gate: gate.inverse(),
    "open": _open,
    "controlled on 0": lambda gate: gate.control(1, ctrl_state=0, annotated=False),
    "wrapped twice": lambda gate: _wrapped(_wrapped(gate)),
    "a control on the wrapped": lambda gate: _wrapped(gate).control(1, ctrl_state=0, annotated=False),
}

STATES = {
    "label": library.StatePreparation("01r"),
    "label, inverse": library.StatePreparation("01rl").inverse(),
    "basis state": library.StatePreparation(5, 4),
    "basis state, inverse": library.StatePreparation(5, 4).inverse(),
    "amplitudes, inverse": library.StatePreparation([0.6, 0.8j]).inverse(),
    "a chain's relative phase": library.MCXVChain(3, relative_phase=True),
    "a Clifford": Clifford(library.ECRGate()).to_instruction(),
    "a labelled unitary": library.UnitaryGate(_unitary(1), label="one"),
    "evolution of a sum": library.PauliEvolutionGate(SparsePauliOp(["XZ", "YY"], [0.5, 2]), X - 3 * W),
    "Hamiltonian, symbolic time": library.HamiltonianGate(_hermitian(), ANGLE),
    "MSGate of a matrix": library.MSGate(3, [[0.1, 0.2, 0.3]] * 3),
    "up to a diagonal": library.UCGate(_multiplexed(None), up_to_diagonal=True),
}

VALUES = {"x": 0.37, "w": -1.13} | {f"v[{k}]": math.sin(k + 1) for k in range(12)}


def dense(circuit, values=VALUES):
    """The unitary, global phase included, with Qiskit's own binding and matrices."""
    return Operator(circuit.assign_parameters({p: values[p.name] for p in circuit.parameters})).data
