"""Random situations: a circuit over all kinds of gates, an ensemble, and what is measured, all from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from . import oracle
from .angles import Angle, draw_angle, draw_number
from .gate_kinds import BY_NAME, KINDS, build
from .observables import Terms, as_given, draw_observables

COMMON = ("rx", "ry", "rz", "cx", "cz", "rzz", "rxx", "crx", "crz", "u", "h", "p", "cp", "x", "s", "swap")
NAMES = (
    (("w0", "w1", "w2", "w3"), ("x0", "x1")),
    (("w[0]", "w[1]", "w[2]", "w[3]"), ("x[0]", "x[1]")),
    (("θ", "φ", "λ", "α"), ("input", "feature 2")),
    (("a,b", 'c"d', "e;f", "probability"), ("x,0", "label")),
)


@dataclass(frozen=True)
class Step:
    """One gate: its kind, what decides its matrix, and where it acts."""

    kind: str
    seed: int
    inverted: bool
    angles: tuple[Angle, ...]
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class Situation:
    """A network with its data, known both as Qiskit's objects and as numbers.

    Attributes:
        num_qubits: Qubits.
        steps: Gates in order.
        phase: Global phase.
        inputs: Samples, shape (M, number of inputs that the circuit has).
        input_names: Names of its columns.
        weights: Values by name, of those that the circuit has.
        observables: Terms of each; None for probabilities.
        form: In which form observables are given.
        measured: Qubits in the order of their classical bits; None where nothing is measured.
        extras: Probabilities, hold-out, labels and seed, as `Task` takes them.
        scale: Unit of the observables.
        huge: Whether angles may be far larger than a turn.
        vector: Whether weights and inputs are elements of vectors.
    """

    num_qubits: int
    steps: tuple[Step, ...]
    phase: float
    inputs: NDArray[np.float64]
    input_names: tuple[str, ...]
    weights: dict[str, float]
    observables: tuple[Terms, ...] | None
    form: str
    measured: tuple[int, ...] | None
    extras: dict[str, Any]
    scale: float
    huge: bool

    @property
    def outputs_from(self) -> tuple[int, ...]:
        """The qubits that probabilities are read from."""
        return self.measured or tuple(range(self.num_qubits))

    @property
    def names(self) -> tuple[str, ...]:
        """Kinds of gates."""
        return tuple(sorted({step.kind for step in self.steps}))

    def values(self, sample: int) -> dict[str, float]:
        """All parameters of one sample by name."""
        return self.weights | dict(zip(self.input_names, self.inputs[sample].tolist(), strict=True))

    def state(self, values: dict[str, float]) -> oracle.Vector:
        """The state at these values, from the gates as they were drawn: no symbol is bound anywhere."""
        state = oracle.zero(self.num_qubits)
        for step in self.steps:
            angles = tuple(angle.at(values) for angle in step.angles)
            matrix = _matrix(step.kind, step.seed, step.inverted, angles)
            state = oracle.apply(matrix, step.qubits, state) if step.qubits else matrix[0, 0] * state
        return np.exp(1j * self.phase) * state

    def task_arguments(self) -> dict[str, Any]:
        """What `Task` takes."""
        circuit = self.circuit()
        symbols = {p.name: p for p in circuit.parameters}
        return {
            "circuit": circuit,
            "observables": as_given(self.observables, self.form),
            "inputs": self.inputs if self.input_names else None,
            "input_params": [symbols[name] for name in self.input_names],
            "weights": {symbols[name]: value for name, value in self.weights.items()},
            **self.extras,
        }

    def circuit(self) -> QuantumCircuit:
        """The circuit with free parameters, and its final measurements."""
        symbols = _symbols()
        circuit = QuantumCircuit(self.num_qubits, name="net", global_phase=self.phase)
        for step in self.steps:
            angles = tuple(angle.expression(symbols) for angle in step.angles)
            circuit.append(build(BY_NAME[step.kind], step.seed, step.inverted, angles), list(step.qubits))
            if step.seed % 16 == 0:
                circuit.barrier()
        if self.measured is not None:
            circuit.add_register(ClassicalRegister(len(self.measured), "c"))
            circuit.measure(self.measured, range(len(self.measured)))
        return circuit


@lru_cache(maxsize=20000)
def _matrix(kind: str, seed: int, inverted: bool, angles: tuple[float, ...]) -> oracle.Matrix:
    return oracle.matrix_of(build(BY_NAME[kind], seed, inverted, angles), {})


@lru_cache
def _symbols() -> dict[str, Parameter]:
    elements = [p for name, size in (("w", 4), ("x", 2)) for p in ParameterVector(name, size)]
    symbols = {p.name: p for p in elements}
    return symbols | {n: Parameter(n) for pair in NAMES for side in pair for n in side if n not in symbols}


# -- drawing -------------------------------------------------------------------------------------------------------


def draw_situation(
    rng: np.random.Generator,
    *,
    most_qubits: int = 4,
    most_gates: int = 10,
    kinds: Sequence[str] | None = None,
    huge: bool = True,
) -> Situation:
    """A random situation.

    Args:
        rng: Where everything comes from.
        most_qubits: Largest circuit.
        most_gates: Gates after the first layer.
        kinds: Kinds of gates to draw from; default all.
        huge: Whether angles may be far larger than a turn; those of every tenth are.
    """
    num_qubits = min(most_qubits, int(rng.choice([1, 2, 3, 4], p=[0.2, 0.42, 0.32, 0.06])))
    huge = bool(rng.random() < 0.1) and huge
    weights, inputs = NAMES[rng.choice(len(NAMES), p=[0.55, 0.25, 0.1, 0.1])]
    probes = [{name: float(rng.uniform(0.1, 3)) for name in (*weights, *inputs)} for _ in range(2)]
    steps = _first_layer(rng, num_qubits, inputs)
    for _ in range(rng.integers(1, most_gates + 1)):
        steps.append(_echo(rng, steps) or _draw_step(rng, num_qubits, weights, inputs, huge, kinds))
    steps = [_sound(step, probes) for step in steps]
    used = names_in(steps)
    observables, form, scale = draw_observables(rng, num_qubits)
    measured = None
    if rng.random() < (0.5 if observables is None else 0.1):
        measured = tuple(rng.permutation(num_qubits)[: rng.integers(1, num_qubits + 1)].tolist())
    columns = tuple(name for name in inputs if name in used)
    samples = int(rng.choice([1, 2, 3, 4, 8], p=[0.25, 0.25, 0.2, 0.2, 0.1])) if columns else 1
    return Situation(
        num_qubits=num_qubits,
        steps=tuple(steps),
        phase=float(rng.choice([0.0, 1.1])),
        inputs=np.array([[draw_number(rng, huge) for _ in columns] for _ in range(samples)]).reshape(samples, -1),
        input_names=columns,
        weights={name: draw_number(rng, huge) for name in weights if name in used},
        observables=observables,
        form=form,
        measured=measured,
        extras=_extras(rng, samples, 0 if observables is None else len(observables)),
        scale=scale,
        huge=huge,
    )


def _first_layer(rng: np.random.Generator, num_qubits: int, inputs: tuple[str, ...]) -> list[Step]:
    """|0⟩, |+⟩, a generic product, or inputs on every qubit."""
    start = rng.integers(4)
    if start == 0:
        return []
    names = ("w0", "w1", *inputs)
    steps = []
    for q in range(num_qubits):
        plain = tuple(Angle("number", value, names) for value in (0.4 + 0.5 * q, 0.3 - q, 0.2))
        kind, angles = {
            1: ("h", ()),
            2: ("u", plain),
            3: ("ry", (Angle("input", 0.0, ("w0", "w1", inputs[q % 2], inputs[0])),)),
        }[int(start)]
        steps.append(Step(kind, 1, False, angles, (q,)))
    return steps


def _draw_step(
    rng: np.random.Generator,
    num_qubits: int,
    weights: tuple[str, ...],
    inputs: tuple[str, ...],
    huge: bool,
    kinds: Sequence[str] | None,
) -> Step:
    pool = list(kinds or (COMMON if rng.random() < 0.45 else BY_NAME))
    pool = [name for name in pool if BY_NAME[name].width <= num_qubits]
    kind = BY_NAME[str(rng.choice(pool))]
    huge, symbolic = huge and kind.any_size, kind.symbolic and (not huge or kind.any_size)
    angles = tuple(draw_angle(rng, weights, inputs, huge, symbolic) for _ in range(kind.angles))
    qubits = tuple(rng.permutation(num_qubits)[: kind.width].tolist())
    return Step(kind.name, int(rng.integers(64)), bool(rng.random() < 0.1), angles, qubits)


def _echo(rng: np.random.Generator, steps: list[Step]) -> Step | None:
    """Now and then an earlier gate once more, or its inverse, for what cancels and merges."""
    if not steps or rng.random() > 0.15:
        return None
    step = steps[rng.integers(max(0, len(steps) - 3), len(steps))]
    if rng.random() < 0.5:
        return Step(step.kind, step.seed, not step.inverted, step.angles, step.qubits)
    return step


def _sound(step: Step, probes: list[dict[str, float]]) -> Step:
    """The step, with plain angles for those that Qiskit's symbols get wrong."""
    symbols = _symbols()
    angles = tuple(a if a.is_kept_by_qiskit(symbols, probes) else Angle("weight", 0.0, a.names) for a in step.angles)
    return Step(step.kind, step.seed, step.inverted, angles, step.qubits)


def names_in(steps: Sequence[Step]) -> set[str]:
    """Names of the parameters that the gates have."""
    symbols = _symbols()
    made = [angle.expression(symbols) for step in steps for angle in step.angles]
    return {p.name for angle in made for p in getattr(angle, "parameters", ())}


def _extras(rng: np.random.Generator, samples: int, outputs: int) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if rng.random() < 0.4:
        raw = rng.uniform(0.01, 1, samples) * 10.0 ** rng.choice([0, -9], samples, p=[0.9, 0.1])
        extras["probabilities"] = raw / raw.sum()
    if samples > 3 and rng.random() < 0.6:
        extras["holdout"] = rng.permutation(samples)[: samples // 2].tolist() if rng.random() < 0.5 else 0.4
        extras["seed"] = int(rng.integers(100))
    if outputs and rng.random() < 0.2:
        several = outputs > 1 and rng.random() < 0.5
        extras["labels"] = (rng.integers(0, outputs, samples) if several else rng.choice([-1, 1], samples)).tolist()
    return extras


ALL_KINDS = tuple(kind.name for kind in KINDS)
