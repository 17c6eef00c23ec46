"""Independent oracles.

The oracles know states as dense vectors and gates as dense matrices, both made by Qiskit; none of them uses a closed
form, an expectation value or any other line of the package. Qubit 0 is the least significant throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator, Statevector

ROUNDING = 1e-12
"""What a few dozen dense matrix products may lose."""

BOUND_SLACK = 1e-10
"""By how much a measured deviation may exceed its bound: rounding of Aer, of the dense oracle and of the exact
simplifications (1e-12 each), summed over a circuit."""

SQUARE_SLACK = 1e-13
"""Rounding of a squared distance 2 − 2|o| computed from dense overlaps."""

# -- dense oracles ------------------------------------------------------------------------------------------------


def state(circuit):
    """The final statevector of a bound circuit."""
    return states_at(circuit, [{}])[0]


def states_on(task, rows):
    """Final statevectors (M, 2ⁿ) of a task's circuit at rows of inputs (M, D), listed or not."""
    names = (*task.weight_params, *task.input_params)
    return states_at(task.circuit, [dict(zip(names, (*task.weights, *row), strict=True)) for row in rows])


def outputs_on(task, rows):
    """Outputs (M, R) at rows of inputs."""
    vectors = states_on(task, rows)
    if task.observables is None:
        return np.array([outputs(task, vector) for vector in vectors])
    return np.array([np.vecdot(vectors, vectors @ dense(o).T).real for o in task.observables]).T


def states_at(circuit, points):
    """One state for each binding of parameters, gate by gate: as `Statevector`, in a fraction of the time."""
    n = circuit.num_qubits
    vectors = np.zeros((len(points), *[2] * n), complex)
    vectors[(slice(None), *[0] * n)] = 1
    for item in circuit.data:
        if item.operation.name == "barrier":
            continue
        axes = [n - circuit.find_bit(q).index for q in reversed(item.qubits)]  # of the whole, the first is the sample
        matrices = _matrices(item.operation, points)
        vectors = np.moveaxis(vectors, axes, range(1, len(axes) + 1))
        turned = matrices @ vectors.reshape(len(points), 2 ** len(axes), -1)
        vectors = np.moveaxis(turned.reshape(vectors.shape), range(1, len(axes) + 1), axes)
    phases = np.exp([1j * _number(circuit.global_phase, point) for point in points])
    return phases[:, None] * vectors.reshape(len(points), -1)


def dense_outputs_at(task, points):
    """(points, R, M) at several weights."""
    names = (*task.weight_params, *task.input_params)
    bound = [dict(zip(names, (*weights, *row), strict=True)) for weights in points for row in task.inputs]
    values = np.array([outputs(task, vector) for vector in states_at(task.circuit, bound)])
    return values.reshape(len(points), task.num_samples, -1).swapaxes(1, 2)


def columns_at(circuit, points, count):
    """The first columns of a circuit's matrix for each binding of parameters, (M, 2ⁿ, count)."""
    columns = []
    for k in range(count):
        whole = QuantumCircuit(circuit.num_qubits)
        for q in range(circuit.num_qubits):
            if k >> q & 1:
                whole.x(q)
        columns.append(states_at(whole.compose(circuit), points))
    return np.stack(columns, axis=-1)


def _matrices(operation, points):
    """Qiskit's matrix of a gate for each binding, (M, 2ᵏ, 2ᵏ), or (1, 2ᵏ, 2ᵏ) where it is the same for all."""
    if not any(isinstance(p, ParameterExpression) and p.parameters for p in operation.params):
        return (operation.to_matrix() if hasattr(operation, "__array__") else Operator(operation).data)[None]
    if not hasattr(operation, "__array__"):  # its matrix does not follow from its parameters alone
        one, made = QuantumCircuit(operation.num_qubits), {}
        one.append(operation, range(operation.num_qubits))
        values = [tuple(point[p] for p in one.parameters) for point in points]
        for each in dict.fromkeys(values):
            made[each] = Operator(one.assign_parameters(dict(zip(one.parameters, each, strict=True)))).data
        return np.array([made[each] for each in values])
    gate, made = operation.to_mutable(), {}
    angles = [tuple(_number(p, point) for p in operation.params) for point in points]
    for each in dict.fromkeys(angles):  # those of weights are the same for all points
        gate.params = list(each)
        made[each] = gate.to_matrix()
    return np.array([made[each] for each in angles])


def _number(angle, point):
    if isinstance(angle, Parameter):
        return float(point[angle])
    return float(angle.bind({p: point[p] for p in angle.parameters})) if hasattr(angle, "bind") else angle


def outputs(task, vector):
    """⟨O_r⟩ of a dense state as an array (R,), or the probabilities of the measured qubits (2^m,)."""
    if task.observables is None:
        return Statevector(vector).probabilities(list(task.measured_qubits))
    return np.array([np.vdot(vector, dense(o) @ vector).real for o in task.observables])


def outputs_at(task, circuit, point):
    """What a task measures after a circuit at the values of its parameters."""
    return outputs(task, state(circuit.assign_parameters({p: point[p] for p in circuit.parameters})))


def deviation(task, before, after):
    """|Δ⟨O_r⟩| per output, or the total variation as an array (1,)."""
    change = np.abs(outputs(task, after) - outputs(task, before))
    return np.array([change.sum() / 2]) if task.observables is None else change


def dense(observable):
    """Matrix of an observable; `to_matrix` is Qiskit's."""
    words = observable.paulis
    key = words.num_qubits, words.x.tobytes(), words.z.tobytes(), observable.coeffs.tobytes()
    if key not in DENSE:
        DENSE[key] = observable.to_matrix()
    return DENSE[key]


DENSE: dict[tuple, np.ndarray] = {}


def state_angle(first, second):
    """Fubini-Study angle arccos|⟨φ|ψ⟩| of normalised states, from the part of one orthogonal to the other.

    The arccos itself would lose half of the digits near zero.
    """
    overlap = np.vdot(first, second)
    return float(np.arctan2(np.linalg.norm(second - overlap * first), abs(overlap)))


def trace_distance(first, second):
    """½ ‖ρ − σ‖₁."""
    return float(np.abs(np.linalg.eigvalsh(first - second)).sum() / 2)


def reduced(vector, qubits):
    """Reduced density matrix on the given qubits, in this order (the first least significant)."""
    n = int(np.log2(len(vector)))
    tensor = np.moveaxis(vector.reshape([2] * n), [n - 1 - q for q in reversed(qubits)], range(len(qubits)))
    matrix = tensor.reshape(2 ** len(qubits), -1)
    return matrix @ matrix.conj().T


def local_matrix(operation, qubits):
    """Matrix of a bound gate on its qubits in ascending order."""
    ascending = sorted(qubits)
    circuit = QuantumCircuit(len(qubits))
    circuit.append(operation, [ascending.index(q) for q in qubits])
    return Operator(circuit).data


def deform(rho, coherence, beta):
    """D_η(ρ) = (K^½ ρ K^½ + K^−½ ρ K^−½)/[2]_q on every qubit, K = q^σz, q = exp[β(1−λ)] (THEORY section 3)."""
    q = np.exp(beta * (1 - coherence))
    n = int(np.log2(len(rho)))
    for j in range(n):
        half = np.kron(np.kron(np.ones(2 ** (n - 1 - j)), [np.sqrt(q), 1 / np.sqrt(q)]), np.ones(2**j))
        other = 1 / half
        rho = (half[:, None] * rho * half + other[:, None] * rho * other) / (q + 1 / q)
    return rho


def overlap(rho, gate, member):
    """o = Tr[ρ G†A]."""
    return complex(np.trace(rho @ gate.conj().T @ member))


def squared_distance(rho, gate, member):
    """d² = 2 − 2|o|."""
    return max(0.0, 2 - 2 * abs(overlap(rho, gate, member)))


def up_to_phase(first, second):
    """Largest entry of A − e^{iφ}B for the best φ read off the largest entry of B."""
    at = np.unravel_index(np.argmax(np.abs(second)), second.shape)
    phase = first[at] / second[at]
    return float(np.max(np.abs(first - phase / abs(phase) * second))) if abs(phase) else float(np.max(np.abs(second)))


def random_state(num_qubits, rng):
    """A Haar-random pure state."""
    vector = rng.normal(size=2**num_qubits) + 1j * rng.normal(size=2**num_qubits)
    return vector / np.linalg.norm(vector)


def random_density(num_qubits, rng, rank=None):
    """A random density matrix; rank 1 is pure."""
    size = 2**num_qubits
    shape = (size, rank or size)
    root = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    rho = root @ root.conj().T
    return rho / np.trace(rho).real


def pauli_matrix(letters):
    """Dense tensor product of letters, the first on the least significant qubit."""
    factors = {
        "I": np.eye(2),
        "X": np.array([[0, 1], [1, 0]]),
        "Y": np.array([[0, -1j], [1j, 0]]),
        "Z": np.diag([1, -1]),
    }
    total = np.eye(1)
    for letter in letters:
        total = np.kron(factors[letter], total)
    return total


def expectations(rho, qubits):
    """The function word ↦ ⟨P⟩ that the package asks for, answered from a dense ρ on `qubits` (in this order)."""

    def expectation(word):
        letters = dict(word)
        value = np.trace(rho @ pauli_matrix([letters.get(q, "I") for q in qubits])).real
        return np.array([value])

    return expectation


@dataclass(frozen=True)
class Step:
    """One gate of a bound circuit with what the theorems speak about."""

    index: int
    name: str
    qubits: tuple[int, ...]
    gate: np.ndarray
    rho: np.ndarray
    before: Statevector


def walk(task, circuit, sample):
    """Every gate of a circuit with the reduced state before it, qubits in ascending order."""
    bound = task.with_circuit(circuit).bound_circuit(sample)
    current = Statevector.from_int(0, 2**bound.num_qubits)
    steps = []
    for k, item in enumerate(bound.data):
        places = [bound.find_bit(q).index for q in item.qubits]
        qubits = tuple(sorted(places))
        gate = local_matrix(item.operation, places)
        steps.append(Step(k, item.operation.name, qubits, gate, reduced(current.data, qubits), current))
        current = current.evolve(Operator(gate), list(qubits))
    return steps


def replaced_circuit(task, result, sample, without=frozenset()):
    """The simplified circuit with every replacement in place and nothing else changed but gates left out, bound."""
    bound = task.with_circuit(result.simplified).bound_circuit(sample)
    by = {entry.site: entry for entry in result.certificate.replaced}
    new = bound.copy_empty_like()
    for k, item in enumerate(bound.data):
        if k not in by:
            if k not in without:
                new.append(item)
        elif by[k].matrix is not None:
            new.append(UnitaryGate(complex_matrix(by[k].matrix)), sorted(bound.find_bit(q).index for q in item.qubits))
    return new


def complex_matrix(entries):
    """A matrix as a certificate writes it, (real, imaginary) by entry."""
    return np.array([[complex(*entry) for entry in row] for row in entries])
