"""Random pairs of circuits with inputs, and their outputs by plain NumPy: the oracle of `test_every_input.py`.

A circuit is a list of steps made here; Qiskit's circuit is built from it for the package, and for the oracle states are
multiplied by matrices written down here. Neither Qiskit nor the package takes part in that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from qprune import Task

PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
MOST_RUNS = 4000  # of the grid; cases with more are drawn again
MERGE = {"rx", "ry", "rz", "p"}


@dataclass(frozen=True)
class Step:
    """A gate: its name, its qubits, and its angle: constant + Σ factors·x + product·x_i·x_j."""

    name: str
    qubits: tuple[int, ...]
    constant: float = 0.0
    factors: tuple[float, ...] = ()
    product: tuple[int, int, float] | None = None

    def angles(self, x):
        total = np.full(len(x), self.constant)
        if self.factors:
            total = total + x @ np.array(self.factors)
        if self.product is not None:
            i, j, factor = self.product
            total = total + factor * x[:, i] * x[:, j]
        return total

    @property
    def has_inputs(self):
        return any(self.factors) or self.product is not None


@dataclass(frozen=True)
class Case:
    """Two circuits on the same inputs, what they measure, and a box."""

    num_qubits: int
    num_inputs: int
    original: tuple[Step, ...]
    pruned: tuple[Step, ...]
    observables: tuple[tuple[tuple[str, float], ...], ...] | None
    low: np.ndarray
    high: np.ndarray
    kinds: frozenset[str]

    def task(self, steps, inputs):
        circuit = QuantumCircuit(self.num_qubits)
        parameters = [Parameter(f"x_{i}") for i in range(self.num_inputs)]
        used = set()
        for step in steps:
            angle = step.constant
            for i, factor in enumerate(step.factors):
                if factor:
                    angle = angle + factor * parameters[i]
                    used.add(i)
            if step.product is not None:
                i, j, factor = step.product
                angle = angle + factor * parameters[i] * parameters[j]
                used |= {i, j}
            getattr(circuit, step.name)(*([] if step.name == "cx" else [angle]), *step.qubits)
        for i in set(range(self.num_inputs)) - used:  # so that all tasks take the same inputs
            circuit.rz(parameters[i], 0)
            circuit.rz(-parameters[i], 0)
        observables = None
        if self.observables is not None:
            observables = [SparsePauliOp.from_list(list(terms)) for terms in self.observables]
        return Task(circuit, observables, inputs=inputs, input_params=[p.name for p in parameters])

    def difference(self, x):
        """Change of each output at P points by dense states, shape (R, P); total variation for probabilities."""
        before, after = (outputs(self, steps, x) for steps in (self.original, self.pruned))
        change = np.abs(after - before)
        return change.sum(axis=0, keepdims=True) / 2 if self.observables is None else change


def outputs(case, steps, x):
    """Outputs at P points, shape (R, P), or all probabilities, shape (2^n, P)."""
    state = np.zeros((len(x), *(2,) * case.num_qubits), dtype=complex)
    state[(slice(None), *(0,) * case.num_qubits)] = 1
    for step in steps:
        state = applied(state, matrices(step, x), step.qubits)
    flat = state.reshape(len(x), -1)
    if case.observables is None:
        return np.abs(flat.T) ** 2
    return np.array([np.vecdot(flat, flat @ matrix_of(terms).T).real for terms in case.observables])


def matrix_of(terms):
    """Dense matrix of a Pauli sum; the rightmost letter is qubit 0, the last axis of states here is qubit 0 too."""
    total = 0
    for label, coefficient in terms:
        matrix = np.eye(1)
        for letter in label:
            matrix = np.kron(matrix, PAULI[letter])
        total = total + coefficient * matrix
    return total


def matrices(step, x):
    """The step's matrix at every point, the first qubit least significant, shape (P, d, d)."""
    t = step.angles(x)[:, None, None]
    if step.name == "cx":
        return np.broadcast_to(np.eye(4)[[0, 3, 2, 1]], (len(x), 4, 4))  # control is the first, least significant
    if step.name == "p":
        return np.concatenate([np.ones_like(t), np.exp(1j * t)], axis=1) * np.eye(2)
    if step.name == "rzz":
        zz = np.kron(PAULI["Z"], PAULI["Z"])
        return np.cos(t / 2) * np.eye(4) - 1j * np.sin(t / 2) * zz
    letter = step.name[-1].upper()
    turn = np.cos(t / 2) * np.eye(2) - 1j * np.sin(t / 2) * PAULI[letter]
    if not step.name.startswith("c"):
        return turn
    whole = np.zeros((len(x), 4, 4), dtype=complex)
    whole[:, 0, 0] = whole[:, 2, 2] = 1  # control 0
    for a in (0, 1):
        for b in (0, 1):
            whole[:, 1 + 2 * a, 1 + 2 * b] = turn[:, a, b]
    return whole


def applied(state, matrix, qubits):
    n = state.ndim - 1
    axes = [n - q for q in reversed(qubits)]  # most significant first
    moved = np.moveaxis(state, axes, range(1, len(axes) + 1))
    shape = moved.shape
    out = matrix @ moved.reshape(shape[0], 2 ** len(axes), -1)
    return np.moveaxis(out.reshape(shape), range(1, len(axes) + 1), axes)


def falling(x, changes, steps=1e-6):
    """Minus the change at a point and its slope by central differences, all points in one batch."""
    moves = np.diag(np.broadcast_to(steps, len(x)))
    found = -changes(np.concatenate([x[None], x + moves, x - moves]))
    return found[0], (found[1 : len(x) + 1] - found[len(x) + 1 :]) / (2 * steps)


def largest_found(case, r, starts, low, high, contains=None, climbs=4):
    """The largest change of an output that a multi-start search finds on the dense states, and where."""
    values = case.difference(starts)[r]
    best, at = float(values.max()), starts[int(values.argmax())]
    steps = 1e-6 * np.maximum(high - low, 1e-3)

    def changes(rows, whole=best):
        return case.difference(rows)[r] / whole

    for k in np.argsort(-values)[:climbs] if best > 0 else ():
        found = minimize(falling, starts[k], (changes, steps), jac=True, bounds=np.stack([low, high], axis=1))
        point = np.clip(found.x, low, high)
        if contains is not None and not contains(point):
            continue
        value = float(case.difference(point[None])[r, 0])
        if value > best:
            best, at = value, point
    return best, at


# -- random cases -----------------------------------------------------------------------------------------------------


def random_case(rng):
    """Circuits of 1 to 4 qubits with 1 to 5 inputs; the second lacks some gates and has other angles.

    Most differ by an amount that varies over the box: where it does not, a wrong limit would pass too. One in seven
    differs by hardly more than rounding, or not at all.
    """
    is_plain = rng.random() < 0.15
    while True:
        case = _drawn(rng, is_plain)
        if case is not None and (is_plain or _varies(case, rng)):
            return case


def _varies(case, rng):
    change = case.difference(rng.uniform(case.low, case.high, (64, case.num_inputs)))[0]
    weight = 1.0 if case.observables is None else sum(abs(c) for _, c in case.observables[0])
    return change.max() > 0.01 * weight and change.std() > 0.15 * change.max()


def _drawn(rng, is_plain):
    num_qubits, num_inputs = int(rng.choice([1, 2, 3, 4], p=[0.1, 0.4, 0.3, 0.2])), int(rng.integers(1, 6))
    kinds = set()
    uses = np.zeros(num_inputs)
    free = 0  # phases of their own
    steps = []
    for _ in range(int(rng.integers(1, 5 if num_inputs < 3 else 3))):
        for i in range(num_inputs):
            if rng.random() < 0.85:
                step, added, lifted = _encoding(rng, num_qubits, num_inputs, i)
                if steps and rng.random() < 0.4 and step.name in MERGE and steps[-1].name in MERGE:
                    step = replace(step, name=steps[-1].name, qubits=steps[-1].qubits)  # these two may become one
                steps.append(step)
                uses[i] += added
                free += lifted
                if lifted:
                    kinds.add("product" if step.product else "lifted")
        steps += _layer(rng, num_qubits)
    if not any(step.has_inputs for step in steps) or np.prod(2 * uses + 1) * 3.0 ** (2 * free) > MOST_RUNS:
        return None
    if np.any(uses > 1):
        kinds.add("degree above one")
    low = rng.uniform(-4, 4, num_inputs)
    width = rng.choice([0.0, 0.01, 0.5, 1.8, np.pi, 7.0], num_inputs, p=[0.02, 0.04, 0.14, 0.3, 0.3, 0.2])
    if free:  # cells of x: a phase that turns often needs many
        width = np.minimum(width, 1.5)
    scale = float(10.0 ** rng.integers(-18, 13)) if rng.random() < 0.3 else 1.0
    observables = None if rng.random() < 0.15 else _observables(rng, num_qubits, scale)
    if observables is None:
        kinds.add("probabilities")
    pruned = _pruned(rng, steps, is_plain)
    if rng.random() < 0.5:
        pruned, count = merged(pruned)
        if count:
            kinds.add("sums of inputs")
    return Case(num_qubits, num_inputs, tuple(steps), pruned, observables, low, low + width, frozenset(kinds))


def _encoding(rng, num_qubits, num_inputs, i):
    """A gate that input i enters; how much it adds to the degree of that input, and to phases of their own."""
    q = int(rng.integers(num_qubits))
    constant, kind = float(rng.uniform(-1, 1)), rng.random()
    factors = np.zeros(num_inputs)
    if kind < 0.12 and num_inputs > 1:
        j = int(rng.integers(num_inputs))
        return Step("p", (q,), constant, product=(i, j, float(rng.uniform(0.5, 1.5)))), 0, 1
    if kind < 0.24:
        factors[i] = float(rng.uniform(0.3, 1.7))
        return Step(str(rng.choice(["rx", "ry"])), (q,), constant, tuple(factors)), 0, 1
    if kind < 0.34 and num_qubits > 1:
        factors[i] = 1
        other = int(rng.choice([k for k in range(num_qubits) if k != q]))
        return Step(str(rng.choice(["crx", "cry", "crz"])), (q, other), constant, tuple(factors)), 2, 0
    if kind < 0.42 and num_qubits > 1:
        factors[i] = -1
        other = int(rng.choice([k for k in range(num_qubits) if k != q]))
        return Step("rzz", (q, other), constant, tuple(factors)), 1, 0
    factors[i] = float(rng.choice([1, 1, 1, 2, -1]))
    return Step(str(rng.choice(["rx", "ry", "ry", "rz", "p"])), (q,), constant, tuple(factors)), abs(factors[i]), 0


def _layer(rng, num_qubits):
    steps = []
    for q in range(num_qubits):
        for name in rng.choice(["rx", "ry", "rz"], 2):
            steps.append(Step(str(name), (q,), float(rng.normal() * rng.choice([0.05, 1.5], p=[0.3, 0.7]))))
    for q in range(num_qubits - 1):
        if rng.random() < 0.9:
            steps.append(Step("cx", (q, q + 1) if rng.random() < 0.5 else (q + 1, q)))
    return steps


def merged(steps):
    """Turns about one axis of one qubit become one where nothing stands between them; how many of them had inputs."""
    found, count = [], 0
    for step in steps:
        last = next((k for k in reversed(range(len(found))) if set(found[k].qubits) & set(step.qubits)), None)
        other = None if last is None or step.name not in MERGE else found[last]
        if other is None or other.name != step.name or step.product or other.product:
            found.append(step)
            continue
        size = max(len(step.factors), len(other.factors))
        factors = sum((np.array(f) for f in (step.factors, other.factors) if f), np.zeros(size))
        found[last] = replace(other, constant=other.constant + step.constant, factors=tuple(factors.tolist()))
        count += step.has_inputs and other.has_inputs
    return tuple(found), count


def _observables(rng, num_qubits, scale):
    found = []
    for _ in range(int(rng.integers(1, 3))):
        labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(int(rng.integers(1, 3)))}
        labels = {label if set(label) != {"I"} else "Z" * num_qubits for label in labels}
        found.append(tuple((label, scale * float(rng.uniform(0.5, 1.5))) for label in sorted(labels)))
    return tuple(found)


def _pruned(rng, steps, is_plain):
    """Some gates gone, angles without inputs moved a little, now and then by less than rounding shows."""
    moved = 10.0 ** (rng.integers(-15, -8) if is_plain else rng.uniform(-1.5, 0.3))
    kept = []
    for step in steps:
        if rng.random() < (0.1 if step.has_inputs else 0.25) and moved > 1e-8:
            continue
        if step.name != "cx" and not step.has_inputs:
            step = replace(step, constant=step.constant + moved * float(rng.normal()))
        kept.append(step)
    return tuple(kept)


def preparation(circuit, qubits, x, is_real=False):
    """Multiplexed rotations on qubits in |0⟩, which reach every state; the parameters used, so many."""
    used = 0
    for k, q in enumerate(qubits):
        for _ in range(2**k):
            circuit.ry(x[used], q)
            used += 1
            for other in qubits[:k]:
                circuit.cx(other, q)
    for q in () if is_real else qubits:
        for other in qubits:
            circuit.rz(x[used], q)
            used += 1
            if other != q:
                circuit.cx(other, q)
    return used
