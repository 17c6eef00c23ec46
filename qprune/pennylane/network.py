"""A QNode as a function of samples and weights: its arguments by name, and the numbers of its tape.

Part of `qprune.pennylane`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
from numpy.typing import NDArray

from qprune._arrays import FloatArray
from qprune._progress import bar
from qprune.errors import TaskError
from qprune.pennylane.tape import expand, number, slots_of, word_of

INPUT_NAMES = ("inputs", "input", "x", "X", "features", "data")
WEIGHT_NAMES = ("weights", "weight", "w", "params", "parameters", "theta", "thetas")
NUMBER_ROUNDINGS = 64  # by which two evaluations of a number may differ, each of the last place it has

# -- the QNode as a function of sample and weights -----------------------------------------------------------------


class Signature(NamedTuple):
    """What must not change between calls."""

    gates: tuple[tuple[str, tuple[Any, ...], str], ...]
    measurements: tuple[Any, ...]

    @classmethod
    def of(cls, operations: Sequence[Any], measurements: Sequence[Any]) -> Signature:
        gates = ((op.name, tuple(op.wires), (word_of(op) or "") if op.name == "PauliRot" else "") for op in operations)
        return cls(tuple(gates), tuple(measurements))

    def check(self, other: Signature) -> None:
        """Raise TaskError unless gates, wires and measurements are the same."""
        what = None
        for k, (now, then) in enumerate(zip(other.gates, self.gates, strict=False)):
            if now != then:
                what = f"gate {k} is {_in_words(*now)} and was {_in_words(*then)}"
                break
        if what is None and len(other.gates) != len(self.gates):
            what = f"it has {len(other.gates)} gates and had {len(self.gates)}"
        if what is None and not (
            len(other.measurements) == len(self.measurements)
            and all(map(_same_measurement, other.measurements, self.measurements))
        ):
            what = f"it measures {list(other.measurements)} and measured {list(self.measurements)}"
        if what:
            raise TaskError(
                f"the QNode builds another circuit than the one that was pruned: {what}; gates, wires and measurements "
                "must not depend on the values of inputs, weights or other arguments: prune each variant by itself"
            )


def _in_words(name: str, wires: tuple[Any, ...], word: str) -> str:
    return f"{name}{' ' * bool(word)}{word} on wires {list(wires)}"


def _same_measurement(now: Any, then: Any) -> bool:
    if type(now) is type(then) and now.obs is not None and now.obs is then.obs:
        return True
    try:
        return bool(qml.equal(now, then, check_interface=False, check_trainability=False))
    except Exception:  # traced coefficients cannot be compared
        return False


@dataclass(frozen=True)
class Network:
    """A QNode and the values of its arguments; inputs have a leading axis of samples."""

    qnode: Any
    inputs: dict[str, NDArray[Any]]
    weights: dict[str, Any]
    constants: dict[str, Any]

    @property
    def num_samples(self) -> int:
        return len(next(iter(self.inputs.values()))) if self.inputs else 1

    def sample(self, i: int) -> dict[str, Any]:
        return {name: rows[i] for name, rows in self.inputs.items()}

    def tape(self, sample: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
        batch, _ = qml.workflow.construct_batch(self.qnode, level="user")(**sample, **weights, **self.constants)
        if len(batch) != 1:
            raise TaskError(
                f"the QNode's own transforms split one call into {len(batch)} tapes; apply them after pruning"
            )
        return batch[0]

    def read(self, sample: Mapping[str, Any], weights: Mapping[str, Any], signature: Signature) -> FloatArray:
        """Every number of every gate, shape (S,)."""
        tape = self.tape(sample, weights)
        operations = expand(tape.operations)
        signature.check(Signature.of(operations, tape.measurements))
        values = [number(slot) for op in operations for slot in slots_of(op)]
        if any(np.any(value.imag) for value in values if np.iscomplexobj(value)):
            raise TaskError(
                "a gate got a complex angle; angles are real: take real or imaginary parts in the QNode, or give them "
                "as arguments of their own"
            )
        values = [value.real for value in values]
        wrong = [value.shape for value in values if value.ndim]
        if wrong:
            raise TaskError(
                f"a gate got an angle of shape {wrong[0]} from a single sample; inputs must have shape (M, …) and "
                "inputs[i] must be what one call of the QNode takes"
            )
        return np.array(values, dtype=float)

    def table(self, weights: Mapping[str, Any], signature: Signature, progress: bool = False) -> FloatArray:
        """`read` for every sample, shape (M, S)."""
        samples = bar("reading", "sample", progress, of=range(self.num_samples))
        return np.array([self.read(self.sample(i), weights, signature) for i in samples])

    @property
    def is_single(self) -> bool:
        """Whether any argument is in single precision."""
        arrays = [number(a) for a in (*self.inputs.values(), *self.weights.values())]
        return any(np.issubdtype(a.dtype, np.floating) and a.dtype.itemsize < 8 for a in arrays)

    @property
    def rounding(self) -> float:
        """How far two evaluations of one network may differ: angles in radians, outputs as a share of their range."""
        return 1e-4 if self.is_single else 1e-9


def number_tolerance(number: Any, single: bool, least: float | None = None) -> Any:
    """How far two evaluations of a number on a tape may differ and still be one.

    Such numbers are angles or entries of unitaries: a difference counts as it is, however large or small they are. To
    it comes what the floating point of a large angle cannot tell apart.

    Args:
        number: The number, or an array of any interface.
        single: Whether it came in single precision.
        least: The difference that counts as none; default 10⁻⁶ in single and 10⁻⁹ in double precision.
    """
    least = (1e-6 if single else 1e-9) if least is None else least
    return least + NUMBER_ROUNDINGS * float(np.finfo(np.float32 if single else np.float64).eps) * abs(number)


def check_repeats(network: Network, signature: Signature) -> None:
    """Raise TaskError unless the QNode builds the same circuit twice from the same arguments, on two samples."""
    for i in (0, network.num_samples - 1):
        first, second = (network.read(network.sample(i), network.weights, signature) for _ in "12")
        if not np.array_equal(first, second, equal_nan=True):
            raise TaskError(
                f"the QNode builds another circuit each time it is called: {np.sum(first != second)} angles differ "
                f"between two calls on sample {i} with the same weights; draw random angles outside and give them to "
                "it as an argument (kwargs=…), or seed the generator within the QNode"
            )


def refilled(arrays: Mapping[str, Any], vector: FloatArray) -> dict[str, Any]:
    """Arrays of the same shapes, types and interfaces filled from a flat vector."""
    moved, start = {}, 0
    for name, array in arrays.items():
        old = number(array)
        new = vector[start : start + old.size].reshape(old.shape).astype(old.dtype)
        moved[name] = qml.math.convert_like(new, array)
        if hasattr(array, "requires_grad"):
            moved[name].requires_grad = array.requires_grad
        start += old.size
    return moved


def flat(arrays: Mapping[str, Any]) -> FloatArray:
    return np.concatenate([np.zeros(0), *(number(a).ravel() for a in arrays.values())]).astype(float)


# -- arguments ---------------------------------------------------------------------------------------------------------


class _Arguments:
    """The arguments of a QNode, each claimed by one of kwargs, inputs and weights."""

    def __init__(self, function: Any) -> None:
        parameters = inspect.signature(function).parameters.values()
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            raise TaskError(
                "the QNode takes *args; give its arguments names, so that inputs and weights can be told apart"
            )
        self._takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        self._needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        self._claimed: dict[str, str] = {}  # argument of the QNode to what claims it

    def claim(self, by: str, name: str) -> None:
        """Raise TaskError if there is no such argument, or another claims it."""
        if name not in self._names and not self._takes_any:
            raise TaskError(f"{by} names {name!r}, which the QNode does not take; it takes {', '.join(self._names)}")
        if name in self._claimed:
            raise TaskError(f"{by} and {self._claimed[name]} both name {name!r}; an argument is one of them")
        self._claimed[name] = by

    def pick(self, by: str, usual: Sequence[str], excluded: Sequence[str], way_out: str) -> str:
        """The only argument that can be meant: of a usual name, or the last that is needed and not another's."""
        left = [name for name in self._needed if name not in self._claimed]
        found = [n for n in left if n in usual] or [n for n in self._names if n in usual and n not in self._claimed]
        if len(found) != 1:
            found = [name for name in left if name not in excluded]
        if len(found) != 1:
            raise TaskError(
                f"cannot tell which argument of the QNode carries the {by}; it takes "
                f"{', '.join(self._names) or 'none'}: name it with {way_out}"
            )
        return found[0]

    def check_complete(self) -> None:
        """Raise TaskError if an argument has neither a value nor a default."""
        if missing := [name for name in self._needed if name not in self._claimed]:
            raise TaskError(f"argument {missing[0]} of the QNode has no value; put it into inputs, weights or kwargs")


def network_of(
    qnode: Any, inputs: Any, weights: Any, input_name: str | None, constants: dict[str, Any]
) -> tuple[Network, bool]:
    """The QNode with its values by argument name, and whether weights came as a single array."""
    arguments = _Arguments(qnode.func)
    for by, given in (("kwargs", constants), ("inputs", inputs), ("weights", weights)):
        for name in given if isinstance(given, Mapping) else ():
            arguments.claim(by, name)
    bare = weights is not None and not isinstance(weights, Mapping)
    if inputs is not None and not isinstance(inputs, Mapping):
        way_out = "input_name='…' or inputs={'…': array}"
        name = input_name or arguments.pick("inputs", INPUT_NAMES, WEIGHT_NAMES if bare else (), way_out)
        arguments.claim("inputs", name)
        inputs = {name: inputs}
    if bare:
        name = arguments.pick("weights", WEIGHT_NAMES, (), "weights={'…': array}")
        arguments.claim("weights", name)
        weights = {name: weights}
    arguments.check_complete()
    network = Network(
        qnode,
        {name: _array("inputs", name, x) for name, x in (inputs or {}).items()},
        {name: _array("weights", name, w) for name, w in (weights or {}).items()},
        constants,
    )
    sizes = {name: np.shape(number(x))[:1] for name, x in network.inputs.items()}
    if len(set(sizes.values())) > 1 or any(size in ((), (0,)) for size in sizes.values()):
        raise TaskError(f"inputs must have one leading axis of samples, of the same length ≥ 1 everywhere, got {sizes}")
    return network, bare


def _array(argument: str, name: str, given: Any) -> Any:
    """The caller's tensor; lists, DataFrames and integer weights become NumPy arrays."""
    try:
        given = given.to_numpy() if hasattr(given, "to_numpy") else given
        array = np.asarray(given) if isinstance(given, (list, tuple, float, int)) else given
        values = np.asarray(number(array), dtype=complex)
    except (TypeError, ValueError) as error:
        raise TaskError(f"{argument} {name} must be one array of numbers: {error}") from error
    if not np.all(np.isfinite(values)):
        raise TaskError(f"{argument} {name} has {np.sum(~np.isfinite(values))} entries that are not finite; clean them")
    if argument == "weights":
        check_real(name, array)
    if argument == "weights" and not np.issubdtype(number(array).dtype, np.floating):
        return number(array).astype(float)
    return array


def check_real(name: str, weights: Any) -> None:
    """Raise TaskError if weights are complex: whatever takes them as real would drop the imaginary parts."""
    if np.iscomplexobj(number(weights)):
        raise TaskError(
            f"argument {name} must be real numbers, got {number(weights).dtype}: only real weights are trained and "
            "certified; give real and imaginary parts as two arrays"
        )


def as_interface(array: NDArray[Any], interface: str) -> Any:
    """A NumPy array as a tensor of the interface; those of autograd are trainable."""
    if interface == "autograd":
        return qml.numpy.array(array, requires_grad=True)
    return qml.math.asarray(array, like=interface)
