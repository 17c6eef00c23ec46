"""A trained circuit with what it measures and its inputs; the only place where parameters are bound to values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import FrozenInstanceError
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction, Parameter, ParameterExpression
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune._files import whole_folder
from qprune.errors import TaskError
from qprune.task.arguments import (
    Ensemble,
    checked_ensemble,
    checked_holds,
    checked_inputs,
    checked_roles,
    checked_weights,
    kept_weights,
)
from qprune.task.bundle import is_bundle, read_task, write_task
from qprune.task.domain import Domain, checked_domain
from qprune.task.expressions import operation_with_numbers, values_of, with_numbers
from qprune.task.labels import predicted
from qprune.task.observables import Spectrum, measured_as, name_of
from qprune.task.portable import reduced
from qprune.task.summary import summary
from qprune.task.unitary_part import unitary_part


class Task:
    """A trained circuit, what is measured of it, and the ensemble of inputs it is judged on (THEORY section 1).

    On sample i, which has probability p_i, the circuit U(x_i, w) acts on |0…0⟩; what counts is ⟨O_r⟩ of each observable
    r, or the distribution of the measured qubits. `qprune.prune` returns a smaller circuit whose outputs stay near.

    A task cannot be changed: `with_weights`, `with_inputs`, `with_circuit`, … return new ones, and its
    arrays are read-only. (Qiskit's circuits and observables cannot be protected; leave them as they are, too.)

    Args:
        circuit: Any `QuantumCircuit` of unitary gates; final measurements are taken off, barriers ignored. A
            `PauliEvolutionGate` of several terms means its product formula, as on a device, not the exact exponential.
        observables: One or a list of Hermitian `SparsePauliOp`, Pauli label (Qiskit's little-endian order: the last
            letter is qubit 0) or matrix on all qubits, in any unit; None means the probabilities of the measured qubits
            (all, if none is measured).
        inputs: Shape (M, number of input parameters), radians or whatever the circuit expects; a single input
            parameter also takes shape (M,). A DataFrame's columns go by the parameters' names, in their order if they
            bear others. None for circuits without input, which have M = 1.
        input_params: Parameters (or their names) that carry inputs, in the order of the columns.
        weights: Trained values, shape (P,) in the order of `weight_params`, or a mapping or Series by parameter.
        weight_params: Parameters (or names) of the weights; default: all that are not inputs, as in
            `circuit.parameters`.
        probabilities: p_i ≥ 0 of every sample, shape (M,), summing to one; default 1/M.
        holdout: Samples that selection never sees (THEORY T5): a fraction in [0, 1), drawn at random, or an array of
            indices in [0, M), such as those of test data appended to the inputs. They speak for unseen inputs only if
            training did not see them either.
        seed: Seed ≥ 0 of the hold-out that is drawn.
        labels: Optional class of every sample, shape (M,), by which accuracy is judged: ±1 (prediction: sign of the
            first observable), or 0 … R−1 with R > 1 observables (prediction: the largest). With one observable 0 is
            ⟨O⟩ > 0 and 1 is ⟨O⟩ < 0; pruning refuses that where the original is right more often the other way round.
        domain: The inputs that claims for every input speak of (THEORY T9): "data", the smallest box that holds the
            inputs, or `Domain.box(low, high)`, `Domain.ellipsoid(quantile)`, `Domain.around(radius)`.
        holds: What the circuit does not show of where its angles come from: by a parameter's name the names of the
            weights that refit must leave as they are while the circuit has that parameter. `qprune.pennylane` fills it.

    Attributes:
        circuit: The unitary part of the circuit given, with its free parameters.
        measured_qubits: The qubits whose probabilities count without observables; outcome bit j is that of the j-th.
        observables: As Pauli sums with real coefficients, or None for probabilities.
        spectra: The spectrum of each observable; empty for probabilities.
        output_supports: The qubits that each output is read from.
        input_params, weight_params: Parameters in the order of the columns of `inputs` and of `weights`.
        inputs, weights, probabilities, labels: As given, as read-only arrays.
        selected, heldout: Indices of the samples that selection sees, and of those it does not; both ascending.
        holdout, seed, domain, holds: As given, indices as a tuple.

    Raises:
        TaskError: Anything above does not hold; nothing is guessed.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> x, w = Parameter("x"), Parameter("w")
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(x, 0), circuit.cx(0, 1), circuit.rx(w, 1)
        >>> task = Task(circuit, ["IZ", "ZI"], inputs=[[0.1], [0.7]], input_params=[x], weights={w: 0.2})
        >>> task
        Task(2 qubits, 2 samples, 1 weights, measures IZ, ZI)
        >>> task.with_weights([0.3]).weights
        array([0.3])
        >>> task.weights = [0.3]
        Traceback (most recent call last):
        dataclasses.FrozenInstanceError: weights of a Task cannot be set: task.with_weights(…) returns a new one
    """

    circuit: QuantumCircuit
    measured_qubits: tuple[int, ...]
    observables: tuple[SparsePauliOp, ...] | None
    spectra: tuple[Spectrum, ...]
    output_supports: tuple[tuple[int, ...], ...]
    input_params: tuple[Parameter, ...]
    weight_params: tuple[Parameter, ...]
    weights: FloatArray
    inputs: FloatArray
    probabilities: FloatArray
    labels: NDArray[np.int64] | None
    selected: NDArray[np.intp]
    heldout: NDArray[np.intp]
    holdout: float | tuple[int, ...]
    seed: int
    domain: Domain
    holds: Mapping[str, frozenset[str]]

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
        domain: Domain | str = "data",
        holds: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        if not isinstance(circuit, QuantumCircuit):
            raise TaskError(f"circuit must be a qiskit QuantumCircuit, got {type(circuit).__name__}")
        bare, measured = unitary_part(circuit)
        if weight_params is None and isinstance(weights, Mapping):
            weight_params = list(weights)
        columns, trained = checked_roles(tuple(bare.parameters), input_params, weight_params)
        rows, values = checked_inputs(inputs, columns), checked_weights(weights, trained)
        outputs = measured_as(observables, measured, bare.num_qubits)
        self._set(
            circuit=bare,
            measured_qubits=measured,
            input_params=columns,
            weight_params=trained,
            weights=values,
            domain=checked_domain(domain),
            holds=checked_holds(holds),
            **outputs,
            **vars(checked_ensemble(rows, outputs["observables"], probabilities, labels, holdout, seed)),
        )

    # -- frozen ----------------------------------------------------------------------------------------

    def _set(self, **fields: Any) -> None:
        for value in fields.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        vars(self).update(fields)

    def _but(self, **changes: Any) -> Task:
        """The same task but for some fields; what was worked out from the others is left behind."""
        new = object.__new__(Task)
        new._set(**{**self.__getstate__(), **changes})
        return new

    def __getstate__(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in Task.__annotations__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def __setattr__(self, name: str, value: object) -> None:
        change = "with_inputs" if name in Ensemble.__annotations__ else f"with_{name}"
        way_out = f"task.{change}(…) returns a new one" if hasattr(Task, change) else "make a new Task with it"
        raise FrozenInstanceError(f"{name} of a Task cannot be set: {way_out}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"{name} of a Task cannot be deleted")

    # -- other tasks made from it ----------------------------------------------------------------------

    def with_weights(self, weights: ArrayLike | Mapping[Parameter | str, float]) -> Task:
        """The same task with other weights.

        Args:
            weights: Shape (P,) in the order of `weight_params`, or a mapping from every parameter (or name) to a value.

        Raises:
            TaskError: They have another shape, or a value is missing or not finite.
        """
        return self._but(weights=checked_weights(weights, self.weight_params))

    def with_inputs(
        self,
        inputs: ArrayLike,
        *,
        probabilities: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        holdout: float | ArrayLike = 0.0,
        seed: int = 0,
    ) -> Task:
        """The same network on another ensemble, of which nothing is taken from this one.

        Args:
            inputs: Shape (M, number of input parameters).
            probabilities, labels, holdout, seed: As in `Task`, of these samples.

        Raises:
            TaskError: As in `Task`.
        """
        rows = checked_inputs(inputs, self.input_params)
        ensemble = checked_ensemble(rows, self.observables, probabilities, labels, holdout, seed)
        return self._but(**vars(ensemble))

    def with_circuit(self, circuit: QuantumCircuit, weights: Mapping[str, float] | None = None) -> Task:
        """The same task for a circuit derived from this one: same ensemble, observables and split.

        Parameters are matched by name. Weights that no longer occur are left out; inputs keep their columns, so that
        the same data fit.

        Args:
            circuit: The derived circuit, on the same qubits, without measurements.
            weights: New values by name; default: the old ones.

        Raises:
            TaskError: The circuit has other qubits or parameters than this one, or a weight has no value.
        """
        left = {p.name: p for p in circuit.parameters}
        values = self.named_weights if weights is None else weights
        if circuit.num_qubits != self.num_qubits:
            raise TaskError(f"circuit must have the task's {self.num_qubits} qubits, got {circuit.num_qubits}")
        kept = kept_weights(left, self.input_params, self.weight_params, values)
        return self._but(
            circuit=circuit,
            input_params=tuple(left.get(p.name, p) for p in self.input_params),
            weight_params=kept,
            weights=np.array([values[p.name] for p in kept], dtype=np.float64),
        )

    def with_observables(self, observables: Any) -> Task:
        """The same circuit and ensemble, measured otherwise: as many `observables` as there are, as in `Task`."""
        return self._but(**measured_as(observables, self.measured_qubits, self.num_qubits, self.observables))

    def with_domain(self, domain: Domain | str) -> Task:
        """The same task with claims for every input about another domain; `domain` as in `Task`."""
        return self._but(domain=checked_domain(domain))

    def with_holds(self, holds: Mapping[str, Iterable[str]]) -> Task:
        """The same task with other weights held when refitting; `holds` as in `Task`."""
        return self._but(holds=checked_holds(holds))

    def only(self, samples: NDArray[np.intp]) -> Task:
        """The task with these samples alone, all of them selected and equally likely; without labels."""
        return self.with_inputs(self.inputs[samples])

    # -- what follows from the arguments ---------------------------------------------------------------

    @property
    def num_qubits(self) -> int:
        return int(self.circuit.num_qubits)

    @property
    def num_samples(self) -> int:
        """M, hold-out included."""
        return len(self.inputs)

    @property
    def named_weights(self) -> dict[str, float]:
        """The weights by their parameters' names."""
        return {p.name: value for p, value in self._weight_values.items()}

    @property
    def output_names(self) -> tuple[str, ...]:
        """One name per measured number or distribution: the rows of every bound."""
        return ("probabilities",) if self.observables is None else tuple(map(name_of, self.observables))

    @property
    def largest_change(self) -> float:
        """Limit of every output's change, in the observables' unit: the widest λ_max − λ_min; 1 for probabilities."""
        return 1.0 if self.observables is None else max(spectrum.width for spectrum in self.spectra)

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
        return float(np.mean(predicted(self.labels, means) == labels))

    # -- binding ---------------------------------------------------------------------------------------

    def values(self, angle: float | ParameterExpression, samples: NDArray[np.intp] | None = None) -> FloatArray:
        """The value of a gate parameter, shape () where no input enters, else (number of samples,).

        Args:
            angle: A number or an expression in the circuit's parameters.
            samples: Indices of samples; default all.

        Raises:
            TaskError: It has no finite real value at some sample.
        """
        return self.values_at(angle, self.inputs if samples is None else self.inputs[samples])

    def values_at(self, angle: float | ParameterExpression, rows: FloatArray) -> FloatArray:
        """The same on any inputs, one sample a row: shape () where none enters, else (number of rows,)."""
        return values_of(angle, self._weight_values, self._input_index, rows)

    def has_inputs(self, angle: object) -> bool:
        """Whether an input parameter enters this gate parameter."""
        return isinstance(angle, ParameterExpression) and any(p in self._input_index for p in angle.parameters)

    def has_weights(self, angle: object) -> bool:
        """Whether a weight enters this gate parameter."""
        return isinstance(angle, ParameterExpression) and any(p in self._weight_values for p in angle.parameters)

    def bound_operation(self, operation: Instruction, inputs: FloatArray | None = None) -> Instruction:
        """An instruction with numbers for its parameters.

        Args:
            operation: One of the circuit's, or made of its parameters.
            inputs: A row of `inputs`, for an instruction that inputs enter.
        """
        return operation_with_numbers(operation, self._numbers(inputs))

    def bound_circuit(self, sample: int) -> QuantumCircuit:
        """The circuit of one sample with every parameter bound."""
        return with_numbers(self.circuit, self._numbers(self.inputs[sample]))

    def _numbers(self, inputs: FloatArray | None) -> Mapping[Parameter, float]:
        given = {} if inputs is None else dict(zip(self.input_params, inputs.tolist(), strict=True))
        return self._weight_values | given

    @cached_property
    def _weight_values(self) -> dict[Parameter, float]:
        return dict(zip(self.weight_params, self.weights.tolist(), strict=True))

    @cached_property
    def _input_index(self) -> dict[Parameter, int]:
        return {p: j for j, p in enumerate(self.input_params)}

    # -- bundles ---------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls, folder: str | Path, *, split: str | None = "train", holdout: float | ArrayLike = 0.0, seed: int = 0
    ) -> Task:
        """Read a task bundle (docs/bundles.md): `task.json`, `inputs.csv` and the circuit as JSON, QPY or OpenQASM.

        Args:
            folder: The bundle's folder.
            split: Which rows of `inputs.csv` to take where it has a column `split`; None takes all.
            holdout, seed: As in `Task`; indices count the rows that were taken.

        Raises:
            BundleError: A file is missing or cannot be understood.
            TaskError: The files are readable but do not fit together.
        """
        return cls(**read_task(Path(folder), split), holdout=holdout, seed=seed)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the task as a bundle, whole or not at all; the circuit as `circuit.json`, exactly as it is.

        Args:
            folder: Where to; made anew.
            overwrite: Whether an earlier bundle in that folder may be replaced.

        Raises:
            BundleError: The folder is taken or cannot be written, or a gate of the circuit cannot be stored.
        """
        with whole_folder(folder, is_bundle, overwrite) as new:
            write_task(self, new)

    def _repr_html_(self) -> str:
        return summary(self)  # in notebooks

    def __repr__(self) -> str:
        more = ", …" * (len(self.output_names) > 4)
        sizes = f"{self.num_qubits} qubits, {self.num_samples} samples, {len(self.weights)} weights"
        return f"Task({sizes}, measures {', '.join(self.output_names[:4])}{more})"
