"""A task: a trained circuit, what it measures, and the ensemble of inputs it is judged on.

The only place where parameters are bound to values.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import (
    Barrier,
    CircuitError,
    ClassicalRegister,
    ControlFlowOp,
    Delay,
    Instruction,
    Measure,
    Parameter,
    ParameterExpression,
    Reset,
)
from qiskit.circuit.library import Initialize, PauliEvolutionGate
from qiskit.quantum_info import Operator, PauliList, SparsePauliOp

from qprune.errors import BundleError, TaskError

FloatArray = NDArray[np.float64]
BUNDLE_FORMAT = "qprune-task/1"
DENSE_QUBITS = 8  # observables on at most this many qubits are diagonalised


@dataclass(frozen=True)
class Spectrum:
    """Where an observable's eigenvalues lie.

    Attributes:
        low: A lower limit of the smallest eigenvalue, in the observable's unit.
        high: An upper limit of the largest.
        is_involution: Whether O² = 1, so that all eigenvalues are ±1.
        exact: Whether low and high are eigenvalues rather than limits from the norm.
    """

    low: float
    high: float
    is_involution: bool
    exact: bool


class Task:
    """A trained circuit with its observables and the ensemble it is judged on (THEORY section 1).

    Args:
        circuit: Any `QuantumCircuit` of unitary gates; final measurements are taken off, barriers ignored.
        observables: One or a list of Hermitian `SparsePauliOp`, Pauli label (Qiskit's little-endian order) or
            matrix on all qubits; None means the probabilities of the measured qubits (all, if none is measured).
        inputs: Array (M, number of input parameters), radians or whatever the circuit expects; a single input
            parameter also takes shape (M,). None for circuits without input.
        input_params: Parameters (or their names) that carry inputs, in the order of the columns.
        weights: Trained values in the order of `weight_params`, or a mapping from parameter to value.
        weight_params: Parameters (or names) of the weights; default: all that are not inputs, as in
            `circuit.parameters`.
        probabilities: p_i of every sample, non-negative, summing to one; default 1/M.
        holdout: Fraction of samples in [0, 1) that selection never sees (THEORY T5).
        seed: Seed of the hold-out split.
        labels: Optional class of every sample, used only to report accuracy: ±1 (prediction: sign of the first
            observable), or 0 … R−1 with R > 1 observables (prediction: the largest).

    Raises:
        TaskError: Anything above does not hold; nothing is guessed.
    """

    def __init__(
        self,
        circuit: QuantumCircuit,
        observables: Any = None,
        *,
        inputs: ArrayLike | None = None,
        input_params: Iterable[Parameter | str] | Parameter | str | None = None,
        weights: ArrayLike | Mapping[Parameter | str, float] | None = None,
        weight_params: Iterable[Parameter | str] | Parameter | str | None = None,
        probabilities: ArrayLike | None = None,
        holdout: float = 0.0,
        seed: int = 0,
        labels: ArrayLike | None = None,
    ) -> None:
        if not isinstance(circuit, QuantumCircuit):
            raise TaskError(f"circuit must be a qiskit QuantumCircuit, got {type(circuit).__name__}")
        self.circuit, self.measured_qubits = _without_final_measurements(circuit)
        known = {p.name: p for p in self.circuit.parameters}
        self.input_params = _parameters(input_params, known, "input_params", ())
        others = [p for p in self.circuit.parameters if p not in set(self.input_params)]
        if weight_params is None and isinstance(weights, Mapping):
            weight_params = list(weights)
        self.weight_params = _parameters(weight_params, known, "weight_params", others)
        self._check_parameter_roles()

        self.inputs = _inputs(inputs, self.input_params)
        self.weights = _weights(weights, self.weight_params)
        self.observables = _observables(observables, self.circuit.num_qubits)
        self.probabilities = _probabilities(probabilities, len(self.inputs))
        self.labels = None if labels is None else _labels(labels, len(self.inputs), self.observables)
        self.holdout, self.seed = holdout, seed
        self.selected, self.heldout = _split(len(self.inputs), holdout, seed)
        if not self.probabilities[self.selected].sum() > 0:
            raise TaskError(f"holdout={holdout} leaves selection only samples of probability zero; use another seed")

    def _check_parameter_roles(self) -> None:
        both = set(self.input_params) & set(self.weight_params)
        if both:
            names = ", ".join(sorted(p.name for p in both))
            raise TaskError(
                f"parameter {names} is named as input and as weight; a parameter is one or the other: "
                "take it out of input_params or weight_params"
            )
        left = set(self.circuit.parameters) - set(self.input_params) - set(self.weight_params)
        if left:
            names = ", ".join(sorted(p.name for p in left))
            raise TaskError(
                f"circuit parameter {names} is neither in input_params nor in weight_params; "
                "name it in one of them or bind it with circuit.assign_parameters"
            )

    # -- what follows from the arguments ---------------------------------------------------------------

    @property
    def num_qubits(self) -> int:
        return int(self.circuit.num_qubits)

    @property
    def num_samples(self) -> int:
        return len(self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """One name per measured number or distribution: the rows of every bound."""
        if self.observables is None:
            return ("probabilities",)
        return tuple(_name(observable) for observable in self.observables)

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """The spectrum of each observable; empty for probabilities."""
        return tuple(_spectrum(observable) for observable in self.observables or ())

    @cached_property
    def output_supports(self) -> tuple[tuple[int, ...], ...]:
        """The qubits each output is read from."""
        if self.observables is None:
            return (self.measured_qubits,)
        return tuple(_support(observable) for observable in self.observables)

    def selection_weights(self) -> FloatArray:
        """p_i of the samples that selection sees, normalised to one."""
        chosen = self.probabilities[self.selected]
        return chosen / chosen.sum()

    def accuracy(self, means: FloatArray) -> float | None:
        """Share of samples predicted right from ⟨O_r⟩, shape (R, M); None without labels."""
        if self.labels is None:
            return None
        by_sign = len(means) == 1 or bool(np.any(self.labels < 0))
        predicted = np.where(means[0] > 0, 1, -1) if by_sign else means.argmax(axis=0)
        return float(np.mean(predicted == self.labels))

    # -- binding ---------------------------------------------------------------------------------------

    def values(self, angle: float | ParameterExpression, samples: NDArray[np.intp] | None = None) -> FloatArray:
        """The value of a gate parameter, shape () where no input enters, else (number of samples,).

        Args:
            angle: A number or an expression in the circuit's parameters.
            samples: Indices of samples; default all.
        """
        if not isinstance(angle, ParameterExpression):
            return np.asarray(float(angle))
        known = {p: self._weight_values[p] for p in angle.parameters if p in self._weight_values}
        if len(known) == len(angle.parameters):
            return np.asarray(_number(angle, known))
        bound = angle.bind(known) if known else angle
        rows = self.inputs if samples is None else self.inputs[samples]
        free = sorted(bound.parameters, key=lambda p: self._input_index[p])
        columns = rows[:, [self._input_index[p] for p in free]]
        slopes = slopes_of(bound)
        if slopes is not None:  # affine: no loop needed
            offset = _number(bound, dict.fromkeys(free, 0.0))
            return offset + columns @ np.array([slopes[p] for p in free])
        return np.array([_number(bound, dict(zip(free, row, strict=True))) for row in columns.tolist()])

    def has_inputs(self, angle: object) -> bool:
        """Whether an input parameter enters this gate parameter."""
        return isinstance(angle, ParameterExpression) and any(p in self._input_index for p in angle.parameters)

    def has_weights(self, angle: object) -> bool:
        """Whether a weight enters this gate parameter."""
        return isinstance(angle, ParameterExpression) and any(p in self._weight_values for p in angle.parameters)

    def bound_circuit(self, sample: int) -> QuantumCircuit:
        """The circuit of one sample with every parameter bound."""
        values = {
            **self._weight_values,
            **dict(zip(self.input_params, self.inputs[sample].tolist(), strict=True)),
        }
        return self.circuit.assign_parameters({p: values[p] for p in self.circuit.parameters})

    @cached_property
    def _weight_values(self) -> dict[Parameter, float]:
        return dict(zip(self.weight_params, self.weights.tolist(), strict=True))

    @cached_property
    def _input_index(self) -> dict[Parameter, int]:
        return {p: j for j, p in enumerate(self.input_params)}

    def with_circuit(self, circuit: QuantumCircuit, weights: Mapping[str, float] | None = None) -> Task:
        """The same task for a circuit derived from this one: same ensemble, observables and split.

        Parameters are matched by name. Weights that no longer occur are left out; inputs keep their columns, so that
        the same data fit.

        Args:
            circuit: The derived circuit, without measurements.
            weights: New values by name; default: the old ones.
        """
        left = {p.name: p for p in circuit.parameters}
        values = {p.name: v for p, v in self._weight_values.items()} if weights is None else weights
        new = object.__new__(Task)
        new.__dict__.update(
            {name: v for name, v in vars(self).items() if name not in ("_weight_values", "_input_index")}
        )
        new.circuit = circuit
        new.input_params = tuple(left.get(p.name, p) for p in self.input_params)
        new.weight_params = tuple(left[p.name] for p in self.weight_params if p.name in left)
        new.weights = np.array([values[p.name] for p in new.weight_params], dtype=np.float64)
        return new

    def with_mixtures(self, count: int, seed: int) -> Task:
        """The selected samples followed by `count` random mixtures of pairs of them, all equally likely.

        Outputs are compared with the original's own, so inputs without labels serve as well as measured ones.
        """
        rng = np.random.default_rng(seed)
        rows = self.inputs[self.selected]
        pairs = rng.integers(len(rows), size=(2, count))
        share = rng.uniform(0.7, 1, size=(count, 1))  # near the data, where the network was trained
        new = self.with_circuit(self.circuit)
        new.inputs = np.concatenate([rows, share * rows[pairs[0]] + (1 - share) * rows[pairs[1]]])
        new.probabilities = np.full(len(new.inputs), 1 / len(new.inputs))
        new.selected, new.heldout = np.arange(len(new.inputs)), np.arange(0)
        new.labels = None
        return new

    # -- bundles ---------------------------------------------------------------------------------------

    @classmethod
    def load(cls, folder: str | Path, *, split: str | None = "train", holdout: float = 0.0, seed: int = 0) -> Task:
        """Read a task bundle: `circuit.qpy` or `circuit.qasm`, `task.json`, `inputs.csv` (docs/bundles.md).

        Args:
            folder: The bundle's folder.
            split: Which rows of `inputs.csv` to take where it has a column `split`; None takes all.
            holdout: As in `Task`.
            seed: As in `Task`.

        Raises:
            BundleError: A file is missing or cannot be understood.
            TaskError: The files are readable but do not fit together.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise BundleError(f"no task bundle at {folder}: give a folder with circuit.qasm, task.json, inputs.csv")
        description = read_json(folder / "task.json")
        if not isinstance(description, dict) or description.get("format") != BUNDLE_FORMAT:
            raise BundleError(f'{folder / "task.json"} must be a JSON object with "format": "{BUNDLE_FORMAT}"')
        try:
            observables = description["observables"]
            if observables is not None:
                observables = [SparsePauliOp.from_list([(p, c) for p, c in terms]) for terms in observables]
            circuit = read_circuit(folder)
            # A pruned circuit may no longer use an input that its data still have.
            names = [name for name in description["input_params"] if circuit.has_parameter(name)]
            rows, probabilities, labels = _read_inputs(folder / "inputs.csv", names, split)
            weight_params, weights = list(description["weight_params"]), description["weights"]
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{folder}: task.json or inputs.csv is not as docs/bundles.md says: {error!r}") from error
        return cls(
            circuit,
            observables,
            inputs=rows,
            input_params=names,
            weights=weights,
            weight_params=weight_params,
            probabilities=probabilities,
            holdout=holdout,
            seed=seed,
            labels=labels,
        )

    def save(self, folder: str | Path) -> None:
        """Write the task as a bundle (with `circuit.qpy`, which keeps parameters and gates as they are).

        Raises:
            BundleError: The folder cannot be written.
        """
        folder = Path(folder)
        terms = None
        if self.observables is not None:
            terms = [[[p, c.real] for p, c in observable.to_list()] for observable in self.observables]
        description = {
            "format": BUNDLE_FORMAT,
            "observables": terms,
            "input_params": [p.name for p in self.input_params],
            "weight_params": [p.name for p in self.weight_params],
            "weights": self.weights.tolist(),
        }
        circuit = self.circuit
        if self.observables is None and self.measured_qubits != tuple(range(self.num_qubits)):
            circuit = self.circuit.copy()
            circuit.add_register(ClassicalRegister(len(self.measured_qubits), "meas"))
            circuit.measure(self.measured_qubits, range(len(self.measured_qubits)))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / "circuit.qpy", "wb") as stream:
                qpy.dump(circuit, stream)
            (folder / "task.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
            with open(folder / "inputs.csv", "w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                extra = ["probability"] + ([] if self.labels is None else ["label"])
                writer.writerow([p.name for p in self.input_params] + extra)
                for i, row in enumerate(self.inputs.tolist()):
                    label = [] if self.labels is None else [int(self.labels[i])]
                    writer.writerow([*map(repr, row), repr(float(self.probabilities[i])), *label])
        except OSError as error:
            raise BundleError(f"cannot write the bundle to {folder}: {error.strerror or error}") from error

    def __repr__(self) -> str:
        outputs = ", ".join(self.output_names[:4]) + (", …" if len(self.output_names) > 4 else "")
        return (
            f"Task({self.num_qubits} qubits, {self.num_samples} samples, {len(self.weights)} weights, "
            f"measures {outputs})"
        )


def slopes_of(angle: ParameterExpression) -> dict[Parameter, float] | None:
    """The derivative in each parameter if the expression is affine, else None."""
    slopes = {}
    for p in angle.parameters:
        try:
            slope = angle.gradient(p)
        except RuntimeError:  # not differentiable, such as sign(x)
            return None
        if isinstance(slope, ParameterExpression):
            if slope.parameters:
                return None
            slope = slope.numeric()
        slopes[p] = complex(slope).real
    return slopes


def _number(angle: ParameterExpression, values: Mapping[Parameter, float]) -> float:
    try:
        number = complex(angle.bind(values).numeric() if values else angle.numeric())
    except (ZeroDivisionError, CircuitError) as error:
        number, cause = complex(np.nan), error
    else:
        cause = None
    if number.imag or not np.isfinite(number.real):
        at = ", ".join(f"{p.name}={v:.6g}" for p, v in values.items())
        raise TaskError(
            f"gate angle {angle} has no finite real value at {at}; mend the input or the expression"
        ) from cause
    return number.real


# -- checks of arguments, one each ----------------------------------------------------------------------


def _without_final_measurements(circuit: QuantumCircuit) -> tuple[QuantumCircuit, tuple[int, ...]]:
    """The unitary part, and the measured qubits in the order of their classical bits (all, if none is)."""
    bare = QuantumCircuit(
        circuit.qubits,
        *circuit.qregs,
        name=circuit.name,
        global_phase=circuit.global_phase,
        metadata=circuit.metadata,
    )
    measured: dict[int, int] = {}
    finished: set[int] = set()
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, PauliEvolutionGate) and operation.num_qubits and _is_sum(operation):
            # What runs is the product formula, not the exact exponential: that is what must be pruned.
            operation = operation.definition.to_gate(label=operation.label)
        elif not isinstance(operation, Instruction) and hasattr(operation, "to_instruction"):  # Clifford, Pauli
            operation = operation.to_instruction()
        qubits = [circuit.find_bit(q).index for q in instruction.qubits]
        if isinstance(operation, ControlFlowOp):
            raise TaskError(
                f"circuit has control flow ({operation.name}); qprune needs a circuit of unitary gates: "
                "unroll it or prune its branches one by one"
            )
        if isinstance(operation, (Barrier, Delay)):
            continue
        again = [q for q in qubits if q in finished]
        if again:
            raise TaskError(
                f"circuit has {operation.name} on qubit {again[0]} after that qubit was measured; only final "
                "measurements can be taken off: defer the measurement or cut the circuit there"
            )
        if isinstance(operation, Measure):
            measured[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
            finished.add(qubits[0])
        elif isinstance(operation, Reset) or instruction.clbits or not _is_unitary(operation):
            raise TaskError(
                f"circuit has {operation.name} on qubits {qubits}, which is not a unitary gate; take it out "
                "(a state preparation can be given as StatePreparation, a reset qubit as a fresh one)"
            )
        else:
            bare.append(operation, instruction.qubits)
    order = tuple(measured[c] for c in sorted(measured)) or tuple(range(circuit.num_qubits))
    return bare, order


def _is_sum(gate: PauliEvolutionGate) -> bool:
    return isinstance(gate.operator, list) or len(gate.operator) > 1


def _is_unitary(operation: Any) -> bool:
    if isinstance(operation, Initialize) or operation.name in ("kraus", "superop", "quantum_channel"):
        return False
    if operation.name.startswith("save_"):
        return False
    return hasattr(operation, "to_matrix") or getattr(operation, "definition", None) is not None


def _parameters(
    given: Any, known: dict[str, Parameter], argument: str, default: Sequence[Parameter]
) -> tuple[Parameter, ...]:
    if given is None:
        return tuple(default)
    try:
        items = [given] if isinstance(given, (str, Parameter)) else list(given)
    except TypeError as error:
        raise TaskError(f"{argument} must be parameters or their names, got {given!r}") from error
    for item in items:
        name = item if isinstance(item, str) else getattr(item, "name", None)
        if name not in known or (isinstance(item, Parameter) and item != known[name]):
            listed = ", ".join(list(known)[:12]) + (", …" if len(known) > 12 else "")
            raise TaskError(f"{argument} names {item}, which the circuit does not have; it has: {listed or 'none'}")
    found = tuple(known[item if isinstance(item, str) else item.name] for item in items)
    if len(set(found)) < len(found):
        raise TaskError(f"{argument} names a parameter twice: {', '.join(p.name for p in found)}")
    return found


def _finite(values: Any, argument: str, form: str) -> FloatArray:
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("got complex ones")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TaskError(f"{argument} must be {form} of real numbers: {error}") from error
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise TaskError(
            f"{argument}{list(where) if where else ''} is {array[where]}; every entry must be finite: "
            f"clean the data ({len(bad)} such entries)"
        )
    return array


def _inputs(inputs: Any, params: tuple[Parameter, ...]) -> FloatArray:
    width = len(params)
    if inputs is None:
        if width:
            raise TaskError(f"inputs is missing: the circuit has {width} input parameters; give shape (M, {width})")
        return np.zeros((1, 0))
    array = _finite(inputs, "inputs", f"an array (M, {width})")
    if array.ndim == 1 and width == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != width:
        hint = "name the input parameters with input_params" if not width else "one row per sample"
        raise TaskError(f"inputs must have shape (M, {width}), got {array.shape}; {hint}")
    if not len(array):
        raise TaskError("inputs has no samples; give at least one row")
    return array.copy()


def _weights(weights: Any, params: tuple[Parameter, ...]) -> FloatArray:
    if isinstance(weights, Mapping):
        named = {getattr(key, "name", str(key)): value for key, value in weights.items()}
        missing = [p.name for p in params if p.name not in named]
        unknown = sorted(set(named) - {p.name for p in params})
        if missing or unknown:
            raise TaskError(
                "weights must map every weight parameter to a value: "
                + (f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}")
            )
        weights = [named[p.name] for p in params]
    if weights is None:
        if params:
            raise TaskError(
                f"weights is missing: {len(params)} parameters have no value ({params[0].name}, …); pruning needs a "
                "trained circuit: give weights in the order of weight_params, or a mapping"
            )
        weights = []
    array = _finite(weights, "weights", f"an array ({len(params)},)")
    if array.shape != (len(params),):
        raise TaskError(f"weights must have shape ({len(params)},), one per weight parameter, got {array.shape}")
    return array.copy()


def _observables(given: Any, num_qubits: int) -> tuple[SparsePauliOp, ...] | None:
    if given is None:
        return None
    items = list(given) if isinstance(given, (list, tuple)) else [given]
    if not items:
        raise TaskError("observables is empty; give at least one, or None for probabilities")
    return tuple(_observable(item, num_qubits) for item in items)


def _observable(item: Any, num_qubits: int) -> SparsePauliOp:
    try:
        if isinstance(item, str):
            operator = SparsePauliOp(item)
        elif isinstance(item, SparsePauliOp):
            operator = item
        elif hasattr(item, "to_sparse_list") and hasattr(item, "bit_terms"):  # SparseObservable
            operator = SparsePauliOp.from_sparse_observable(item)
        elif hasattr(item, "to_label"):  # Pauli
            operator = SparsePauliOp(item)
        else:
            operator = SparsePauliOp.from_operator(Operator(item))
    except Exception as error:
        raise TaskError(
            f"observable {item!r} is not a SparsePauliOp, a Pauli label such as 'ZII' or a Hermitian matrix"
        ) from error
    if operator.num_qubits != num_qubits:
        raise TaskError(
            f"observable {_name(operator)} acts on {operator.num_qubits} qubits, the circuit has {num_qubits}; "
            "give a label with one letter per qubit (after transpiling: observable.apply_layout(circuit.layout))"
        )
    if len(operator.parameters):
        raise TaskError(f"observable {_name(operator)} has unbound parameters; bind them first")
    coefficients = np.asarray(operator.coeffs, dtype=complex)
    if not np.all(np.isfinite(coefficients)):
        raise TaskError(f"observable {_name(operator)} has a coefficient that is not finite")
    simplified = SparsePauliOp(operator.paulis, coefficients).simplify(atol=0)
    scale = np.max(np.abs(simplified.coeffs), initial=1e-300)
    if np.max(np.abs(simplified.coeffs.imag)) > 1e-10 * scale:
        raise TaskError(
            f"observable {_name(simplified)} is not Hermitian (largest imaginary Pauli coefficient "
            f"{np.max(np.abs(simplified.coeffs.imag)):.3g}); measure its Hermitian parts instead"
        )
    return SparsePauliOp(simplified.paulis, simplified.coeffs.real)


def _probabilities(given: Any, samples: int) -> FloatArray:
    if given is None:
        return np.full(samples, 1 / samples)
    array = _finite(given, "probabilities", f"an array ({samples},)")
    if array.shape != (samples,):
        raise TaskError(f"probabilities must have shape ({samples},), one per sample, got {array.shape}")
    if np.any(array < 0) or abs(array.sum() - 1) > 1e-9:
        raise TaskError(
            f"probabilities must be non-negative and sum to one, got minimum {array.min():.6g} and sum "
            f"{array.sum():.12g}; divide by the sum"
        )
    return array / array.sum()


def _labels(given: Any, samples: int, observables: tuple[SparsePauliOp, ...] | None) -> NDArray[np.int64]:
    array = _finite(given, "labels", f"an array ({samples},)")
    if array.shape != (samples,):
        raise TaskError(f"labels must have shape ({samples},), one per sample, got {array.shape}")
    if observables is None:
        raise TaskError("labels need observables to predict from; probabilities have no such rule")
    classes = len(observables)
    if not (np.all(np.isin(array, (-1, 1))) or (classes > 1 and np.all(np.isin(array, np.arange(classes))))):
        raise TaskError(
            f"labels must be -1 or 1 (sign of the first observable){f' or 0 … {classes - 1}' if classes > 1 else ''}, "
            f"got {sorted(set(array.tolist()))[:6]}"
        )
    return array.astype(np.int64)


def _split(samples: int, holdout: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if isinstance(holdout, bool) or not isinstance(holdout, Real) or not 0 <= holdout < 1:
        raise TaskError(f"holdout must be a fraction in [0, 1), got {holdout!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise TaskError(f"seed must be an integer ≥ 0, got {seed!r}")
    held = round(holdout * samples)
    if holdout and (held == 0 or held == samples):
        raise TaskError(f"holdout={holdout} of {samples} samples leaves one side empty; give more samples or 0")
    order = np.random.default_rng(seed).permutation(samples)
    return np.sort(order[held:]), np.sort(order[:held])


# -- observables ------------------------------------------------------------------------------------------


def _name(observable: SparsePauliOp) -> str:
    terms = observable.to_list()
    shown = " ".join(f"{c.real:+.4g}·{p}" for p, c in terms[:3]) if len(terms) > 1 or terms[0][1] != 1 else terms[0][0]
    return shown + (f" … ({len(terms)} terms)" if len(terms) > 3 else "")


def _support(observable: SparsePauliOp) -> tuple[int, ...]:
    letters = np.any(observable.paulis.x | observable.paulis.z, axis=0)
    return tuple(int(q) for q in np.flatnonzero(letters))


def restricted(observable: SparsePauliOp, qubits: Sequence[int]) -> SparsePauliOp:
    """The observable on the given qubits alone; it must be the identity on all others."""
    columns = list(qubits)
    paulis = PauliList.from_symplectic(observable.paulis.z[:, columns], observable.paulis.x[:, columns])
    return SparsePauliOp(paulis, observable.coeffs)


def _spectrum(observable: SparsePauliOp) -> Spectrum:
    square = (observable @ observable).simplify() if len(observable) <= 64 else None
    is_involution = (
        square is not None and len(square) == 1 and not _support(square) and abs(square.coeffs[0] - 1) < 1e-12
    )
    support = _support(observable)
    if is_involution:
        return Spectrum(-1.0, 1.0, True, bool(support))
    if len(support) <= DENSE_QUBITS and support:
        values = np.linalg.eigvalsh(restricted(observable, support).to_matrix())
        return Spectrum(float(values[0]), float(values[-1]), False, True)
    identity = ~np.any(observable.paulis.x | observable.paulis.z, axis=1)
    centre = float(observable.coeffs[identity].real.sum())
    radius = float(np.abs(observable.coeffs[~identity]).sum())
    return Spectrum(centre - radius, centre + radius, False, not support)


# -- files ------------------------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """Parse a JSON file; BundleError says which file and where it breaks."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON: {error}") from error


def read_circuit(folder: Path) -> QuantumCircuit:
    """The circuit of a bundle: `circuit.qpy` if there, else `circuit.qasm`."""
    for name in ("circuit.qpy", "circuit.qasm"):
        path = folder / name
        if path.exists():
            try:
                if path.suffix == ".qasm":
                    return qasm3.loads(path.read_text(encoding="utf-8"))
                with open(path, "rb") as stream:
                    return qpy.load(stream)[0]
            except Exception as error:  # the readers raise many unrelated types
                raise BundleError(
                    f"cannot read {path}: {' '.join(str(error).split()) or type(error).__name__}"
                ) from error
    raise BundleError(f"{folder} has neither circuit.qpy nor circuit.qasm")


def _read_inputs(path: Path, names: list[str], split: str | None) -> tuple[Any, Any, Any]:
    """Inputs, probabilities and labels of the wanted rows; the latter two None where there is no such column."""
    if not path.exists():
        if names:
            raise BundleError(f"{path} is missing, but task.json names {len(names)} input parameters")
        return None, None, None
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if rows and split is not None and "split" in rows[0]:
        rows = [row for row in rows if row["split"] == split]
    if not rows:
        raise BundleError(f"{path} has no samples" + (f" in split {split!r}" if split else ""))
    missing = [name for name in names if name not in rows[0]]
    if missing:
        raise BundleError(f"{path} has no column {missing[0]!r}, which task.json names as an input parameter")
    inputs = np.array([[float(row[name]) for name in names] for row in rows]).reshape(len(rows), len(names))
    probabilities = [float(row["probability"]) for row in rows] if "probability" in rows[0] else None
    labels = [int(row["label"]) for row in rows] if "label" in rows[0] else None
    return inputs, probabilities, labels
