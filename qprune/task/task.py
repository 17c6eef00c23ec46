"""A task: a trained circuit, what it measures, and the ensemble of inputs it is judged on.

The only place where parameters are bound to values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression

from qprune._arrays import FloatArray
from qprune.errors import TaskError
from qprune.task.arguments import (
    checked_inputs,
    checked_labels,
    checked_parameters,
    checked_probabilities,
    checked_split,
    checked_weights,
)
from qprune.task.bundle import read_task, write_task
from qprune.task.expressions import bound_in_part, number_at, slopes_of, with_numbers
from qprune.task.observables import Spectrum, as_observables, name_of, spectrum_of, support_of
from qprune.task.unitary_part import unitary_part

__all__ = ["FloatArray", "Task", "checked_task"]


class Task:
    """A trained circuit with its observables and the ensemble it is judged on (THEORY section 1).

    Args:
        circuit: Any `QuantumCircuit` of unitary gates; final measurements are taken off, barriers ignored. A
            `PauliEvolutionGate` of several terms means its product formula, as on a device, not the exact exponential.
        observables: One or a list of Hermitian `SparsePauliOp`, Pauli label (Qiskit's little-endian order) or
            matrix on all qubits; None means the probabilities of the measured qubits (all, if none is measured).
        inputs: Array (M, number of input parameters), radians or whatever the circuit expects; a single input
            parameter also takes shape (M,). None for circuits without input.
        input_params: Parameters (or their names) that carry inputs, in the order of the columns.
        weights: Trained values in the order of `weight_params`, or a mapping from parameter to value.
        weight_params: Parameters (or names) of the weights; default: all that are not inputs, as in
            `circuit.parameters`.
        probabilities: p_i of every sample, non-negative, summing to one; default 1/M.
        holdout: Samples that selection never sees (THEORY T5): a fraction in [0, 1), drawn at random, or an array of
            indices, such as those of test data appended to the inputs. They speak for unseen inputs only if training
            did not see them either.
        seed: Seed of the hold-out that is drawn.
        labels: Optional class of every sample, used only to report accuracy: ±1 (prediction: sign of the first
            observable), or 0 … R−1 with R > 1 observables (prediction: the largest).

    Attributes:
        holds: What the circuit does not show of where its angles come from: by a parameter's name the names of the
            weights that refit must leave as they are while the circuit has that parameter. `qprune.pennylane` fills it.

    Raises:
        TaskError: Anything above does not hold; nothing is guessed.
    """

    holds: Mapping[str, frozenset[str]] = MappingProxyType({})

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
        holdout: float | ArrayLike = 0.0,
        seed: int = 0,
        labels: ArrayLike | None = None,
    ) -> None:
        if not isinstance(circuit, QuantumCircuit):
            raise TaskError(f"circuit must be a qiskit QuantumCircuit, got {type(circuit).__name__}")
        self.circuit, self.measured_qubits = unitary_part(circuit)
        known = {p.name: p for p in self.circuit.parameters}
        self.input_params = checked_parameters(input_params, known, "input_params", ())
        others = [p for p in self.circuit.parameters if p not in set(self.input_params)]
        if weight_params is None and isinstance(weights, Mapping):
            weight_params = list(weights)
        self.weight_params = checked_parameters(weight_params, known, "weight_params", others)
        self._check_parameter_roles()

        self.inputs = checked_inputs(inputs, self.input_params)
        self.weights = checked_weights(weights, self.weight_params)
        self.observables = as_observables(observables, self.circuit.num_qubits)
        self.probabilities = checked_probabilities(probabilities, len(self.inputs))
        self.labels = None if labels is None else checked_labels(labels, len(self.inputs), self.observables)
        self.selected, self.heldout = checked_split(holdout, len(self.inputs), seed)
        self.holdout = float(holdout) if isinstance(holdout, Real) else tuple(self.heldout.tolist())
        self.seed = int(seed)
        if not self.probabilities[self.selected].sum() > 0:
            raise TaskError(
                "the hold-out leaves selection only samples of probability zero; use another seed or indices"
            )

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
        return tuple(name_of(observable) for observable in self.observables)

    @cached_property
    def spectra(self) -> tuple[Spectrum, ...]:
        """The spectrum of each observable; empty for probabilities."""
        return tuple(spectrum_of(observable) for observable in self.observables or ())

    @cached_property
    def output_supports(self) -> tuple[tuple[int, ...], ...]:
        """The qubits each output is read from."""
        if self.observables is None:
            return (self.measured_qubits,)
        return tuple(support_of(observable) for observable in self.observables)

    def selection_weights(self) -> FloatArray:
        """p_i of the samples that selection sees, normalised to one."""
        chosen = self.probabilities[self.selected]
        return chosen / chosen.sum()

    def accuracy(self, means: FloatArray, samples: NDArray[np.intp] | None = None) -> float | None:
        """Share of samples predicted right.

        Args:
            means: ⟨O_r⟩ by output and sample, shape (R, M).
            samples: Indices of these M samples; default all.

        Returns:
            A share in [0, 1]; None without labels.
        """
        if self.labels is None:
            return None
        labels = self.labels if samples is None else self.labels[samples]
        by_sign = len(means) == 1 or bool(np.any(self.labels < 0))
        predicted = np.where(means[0] > 0, 1, -1) if by_sign else means.argmax(axis=0)
        return float(np.mean(predicted == labels))

    # -- binding ---------------------------------------------------------------------------------------

    def values(self, angle: float | ParameterExpression, samples: NDArray[np.intp] | None = None) -> FloatArray:
        """The value of a gate parameter, shape () where no input enters, else (number of samples,).

        Args:
            angle: A number or an expression in the circuit's parameters.
            samples: Indices of samples; default all.
        """
        if not isinstance(angle, ParameterExpression):
            return np.asarray(float(angle))
        if isinstance(angle, Parameter) and angle in self._weight_values:  # not every expression has a hash
            return np.asarray(self._weight_values[angle])
        known = {p: self._weight_values[p] for p in angle.parameters if p in self._weight_values}
        if len(known) == len(angle.parameters):
            return np.asarray(number_at(angle, known))
        rows = self.inputs if samples is None else self.inputs[samples]
        bound = bound_in_part(angle, known) if known else angle
        slopes = None if bound is None else slopes_of(bound)
        if bound is not None and slopes is not None:  # affine: no loop needed
            values = np.full(len(rows), number_at(bound, dict.fromkeys(slopes, 0.0)))
            # One input after the other: a product of matrices may round by a row's place.
            for p in sorted(slopes, key=lambda p: self._input_index[p]):
                values += slopes[p] * rows[:, self._input_index[p]]
            return values
        free = [p for p in angle.parameters if p not in known]
        columns = rows[:, [self._input_index[p] for p in free]]
        return np.array([number_at(angle, known | dict(zip(free, row, strict=True))) for row in columns.tolist()])

    def has_inputs(self, angle: object) -> bool:
        """Whether an input parameter enters this gate parameter."""
        return isinstance(angle, ParameterExpression) and any(p in self._input_index for p in angle.parameters)

    def has_weights(self, angle: object) -> bool:
        """Whether a weight enters this gate parameter."""
        return isinstance(angle, ParameterExpression) and any(p in self._weight_values for p in angle.parameters)

    def bound_circuit(self, sample: int) -> QuantumCircuit:
        """The circuit of one sample with every parameter bound."""
        inputs = dict(zip(self.input_params, self.inputs[sample].tolist(), strict=True))
        return with_numbers(self.circuit, self._weight_values | inputs)

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

    def only(self, samples: NDArray[np.intp]) -> Task:
        """The task with these samples alone, all of them selected and equally likely; without labels."""
        new = self.with_circuit(self.circuit)
        new.inputs = self.inputs[samples]
        new.probabilities = np.full(len(samples), 1 / len(samples))
        new.selected, new.heldout = np.arange(len(samples)), np.arange(0)
        new.labels = None
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
    def load(
        cls, folder: str | Path, *, split: str | None = "train", holdout: float | ArrayLike = 0.0, seed: int = 0
    ) -> Task:
        """Read a task bundle: `circuit.qpy` or `circuit.qasm`, `task.json`, `inputs.csv` (docs/bundles.md).

        Args:
            folder: The bundle's folder.
            split: Which rows of `inputs.csv` to take where it has a column `split`; None takes all.
            holdout: As in `Task`; indices count the rows that were taken.
            seed: As in `Task`.

        Raises:
            BundleError: A file is missing or cannot be understood.
            TaskError: The files are readable but do not fit together.
        """
        return cls(**read_task(Path(folder), split), holdout=holdout, seed=seed)

    def save(self, folder: str | Path) -> None:
        """Write the task as a bundle (with `circuit.qpy`, which keeps parameters and gates as they are).

        Raises:
            BundleError: The folder cannot be written.
        """
        write_task(self, Path(folder))

    def __repr__(self) -> str:
        outputs = ", ".join(self.output_names[:4]) + (", …" if len(self.output_names) > 4 else "")
        return (
            f"Task({self.num_qubits} qubits, {self.num_samples} samples, {len(self.weights)} weights, "
            f"measures {outputs})"
        )


def checked_task(given: object) -> Task:
    """What was given, if it is a task."""
    if not isinstance(given, Task):
        raise TaskError(
            f"task must be a qprune.Task, got {type(given).__name__}; wrap a circuit as Task(circuit, …), of a result "
            "take .task (the pruned network) or .original, and give a QNode to qprune.pennylane.prune"
        )
    return given
