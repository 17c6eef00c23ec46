"""The arguments of a `Task`, converted and checked, one function each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qprune._arrays import FloatArray
from qprune.errors import TaskError


def checked_parameters(
    given: Any, known: dict[str, Parameter], argument: str, default: Sequence[Parameter]
) -> tuple[Parameter, ...]:
    if given is None:
        return tuple(default)
    try:
        listed = [given] if isinstance(given, (str, Parameter)) else list(given)
    except TypeError as error:
        raise TaskError(f"{argument} must be parameters or their names, got {given!r}") from error
    items = [item for each in listed for item in (each if isinstance(each, ParameterVector) else [each])]
    for item in items:
        name = item if isinstance(item, str) else getattr(item, "name", None)
        if name not in known or (isinstance(item, Parameter) and item != known[name]):
            has = ", ".join(list(known)[:12]) + (", …" if len(known) > 12 else "")
            raise TaskError(f"{argument} names {item}, which the circuit does not have; it has: {has or 'none'}")
    found = tuple(known[item if isinstance(item, str) else item.name] for item in items)
    if len(set(found)) < len(found):
        raise TaskError(f"{argument} names a parameter twice: {', '.join(p.name for p in found)}")
    return found


def checked_roles(
    parameters: Sequence[Parameter], inputs: Any, weights: Any
) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """The parameters that carry inputs and those that are weights: each of the circuit's is one or the other."""
    known = {p.name: p for p in parameters}
    columns = checked_parameters(inputs, known, "input_params", ())
    trained = checked_parameters(weights, known, "weight_params", [p for p in parameters if p not in set(columns)])
    if both := set(columns) & set(trained):
        names = ", ".join(sorted(p.name for p in both))
        raise TaskError(
            f"parameter {names} is named as input and as weight; a parameter is one or the other: "
            "take it out of input_params or weight_params"
        )
    if left := set(parameters) - set(columns) - set(trained):
        names = ", ".join(sorted(p.name for p in left))
        raise TaskError(
            f"circuit parameter {names} is neither in input_params nor in weight_params; "
            "name it in one of them or bind it with circuit.assign_parameters"
        )
    return columns, trained


def kept_weights(
    left: Mapping[str, Parameter],
    inputs: Sequence[Parameter],
    weights: Sequence[Parameter],
    values: Mapping[str, float],
) -> tuple[Parameter, ...]:
    """The weights that a circuit derived from a task's still has; no parameter of it may be without role or value."""
    kept = tuple(left[p.name] for p in weights if p.name in left and p.name in values)
    if new := set(left) - {p.name for p in (*inputs, *kept)}:
        raise TaskError(
            f"circuit parameter {', '.join(sorted(new))} is no input of the task and no weight with a value; "
            "bind it with circuit.assign_parameters, or make a new Task"
        )
    return kept


def checked_holds(given: Mapping[str, Iterable[str]] | None) -> dict[str, frozenset[str]]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or any(isinstance(names, str) for names in given.values()):
        raise TaskError(f"holds must map a parameter's name to a collection of weights' names, got {given!r}")
    return {str(name): frozenset(names) for name, names in given.items()}


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


def checked_inputs(inputs: Any, params: tuple[Parameter, ...]) -> FloatArray:
    width = len(params)
    if inputs is None:
        if width:
            raise TaskError(f"inputs is missing: the circuit has {width} input parameters; give shape (M, {width})")
        return np.zeros((1, 0))
    if (columns := _columns(inputs)) is not None:
        inputs = _by_name(inputs, columns, [p.name for p in params])
    array = _finite(inputs, "inputs", f"an array (M, {width})")
    if array.ndim == 1 and width == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != width:
        hint = "name the input parameters with input_params" if not width else "one row per sample"
        raise TaskError(f"inputs must have shape (M, {width}), got {array.shape}; {hint}")
    if not len(array):
        raise TaskError("inputs has no samples; give at least one row")
    return array.copy()


def _columns(given: Any) -> list[str] | None:
    """Names of the columns of a DataFrame, of whatever library; None of anything else."""
    return [str(name) for name in given.columns] if hasattr(given, "columns") and hasattr(given, "to_numpy") else None


def _by_name(table: Any, columns: list[str], wanted: list[str]) -> FloatArray:
    """A DataFrame's columns in the order of the parameters: by their names, or as they stand where none has one."""
    named = [name for name in wanted if name in columns]
    missing = [name for name in wanted if name not in columns]
    twice = [name for name in columns if columns.count(name) > 1]
    if twice or (named and missing) or (missing and len(columns) != len(wanted)):
        what = f"two columns {twice[0]!r}" if twice else f"no column {missing[0]!r}"
        raise TaskError(
            f"inputs must have a column for each of the input parameters {', '.join(wanted)}, named like them, or as "
            f"many columns with other names, which are taken in their order; it has {what} among "
            f"{', '.join(columns)}: choose and rename them"
        )
    labels = dict(zip(columns, table.columns, strict=True))
    taken = wanted if named else columns
    each = [_finite(np.asarray(table[labels[name]]), f"inputs column {name!r}", "an array (M,)") for name in taken]
    return np.column_stack(each) if each else np.zeros((len(table), 0))


def checked_weights(weights: Any, params: tuple[Parameter, ...]) -> FloatArray:
    if hasattr(weights, "to_dict") and getattr(weights, "ndim", 0) == 1:  # a Series; its index may name them
        labelled = {str(name): value for name, value in weights.to_dict().items()}
        weights = labelled if any(p.name in labelled for p in params) else weights
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


def checked_probabilities(given: Any, samples: int) -> FloatArray:
    if given is None:
        return np.full(samples, 1 / samples)
    array = _finite(given, "probabilities", f"an array ({samples},)")
    if array.shape != (samples,):
        raise TaskError(f"probabilities must have shape ({samples},), one per sample, got {array.shape}")
    if np.any(array < 0) or abs(array.sum() - 1) > 1e-9:  # their sum is the scale; each may be as small as it likes
        raise TaskError(
            f"probabilities must be non-negative and sum to one, got minimum {array.min():.6g} and sum "
            f"{array.sum():.12g}; divide by the sum"
        )
    # What is normalised to rounding stays as it is, so that writing and reading change no bit.
    return array.copy() if abs(array.sum() - 1) < 1e-12 else array / array.sum()


def checked_labels(given: Any, samples: int, observables: tuple[SparsePauliOp, ...] | None) -> NDArray[np.int64]:
    array = _finite(given, "labels", f"an array ({samples},)")
    if array.shape != (samples,):
        raise TaskError(f"labels must have shape ({samples},), one per sample, got {array.shape}")
    if observables is None:
        raise TaskError("labels need observables to predict from, and probabilities are measured; leave the labels out")
    classes = max(2, len(observables))
    if not (np.all(np.isin(array, (-1, 1))) or np.all(np.isin(array, np.arange(classes)))):
        raise TaskError(
            f"labels must be -1 or 1 (sign of the first observable), or 0 … {classes - 1}, "
            f"got {sorted(set(array.tolist()))[:6]}"
        )
    return array.astype(np.int64)


def checked_split(holdout: Any, samples: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Selected and held-out samples, in ascending order."""
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise TaskError(f"seed must be an integer ≥ 0, got {seed!r}")
    if isinstance(holdout, Real) and not isinstance(holdout, bool) and 0 <= float(holdout) < 1:
        size = round(float(holdout) * samples)
        if holdout and size in (0, samples):
            raise TaskError(f"holdout={holdout} of {samples} samples leaves one side empty; give more samples or 0")
        held = np.random.default_rng(int(seed)).permutation(samples)[:size].tolist()
    else:
        held = np.asarray(holdout, dtype=object).tolist()
        if not isinstance(held, list) or not all(isinstance(i, Integral) and not isinstance(i, bool) for i in held):
            raise TaskError(f"holdout must be a fraction in [0, 1) or an array of sample indices, got {holdout!r}")
        if not set(held) < set(range(samples)) or len(set(held)) < len(held):
            raise TaskError(
                f"holdout must name each sample once, by an index from 0 to {samples - 1}, and leave some to selection;"
                f" got {len(held)} indices, {len(set(held))} different ones, from {min(held)} to {max(held)}"
            )
    apart = np.isin(np.arange(samples), held)
    return np.flatnonzero(~apart), np.flatnonzero(apart)


@dataclass(frozen=True)
class Ensemble:
    """The samples that a network is judged on, as `Task` has them."""

    inputs: FloatArray
    probabilities: FloatArray
    labels: NDArray[np.int64] | None
    selected: NDArray[np.intp]
    heldout: NDArray[np.intp]
    holdout: float | tuple[int, ...]
    seed: int


def checked_ensemble(
    rows: FloatArray,
    observables: tuple[SparsePauliOp, ...] | None,
    probabilities: Any,
    labels: Any,
    holdout: Any,
    seed: Any,
) -> Ensemble:
    """Checked inputs with what belongs to them; arguments as in `Task`."""
    likely = checked_probabilities(probabilities, len(rows))
    classes = None if labels is None else checked_labels(labels, len(rows), observables)
    selected, heldout = checked_split(holdout, len(rows), seed)
    if not likely[selected].sum() > 0:
        raise TaskError("the hold-out leaves selection only samples of probability zero; use another seed or indices")
    share = float(holdout) if isinstance(holdout, Real) else tuple(heldout.tolist())
    return Ensemble(rows, likely, classes, selected, heldout, share, int(seed))
