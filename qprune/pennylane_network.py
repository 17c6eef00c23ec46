"""A QNode as a function of samples and weights: its arguments by name, and what every number of its tape depends on.

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
from qiskit.circuit import Parameter
from tqdm import tqdm

from qprune.errors import TaskError
from qprune.pennylane_tape import expand, number, slots_of, word_of
from qprune.task import FloatArray

INPUT_NAMES = ("inputs", "input", "x", "X", "features", "data")
WEIGHT_NAMES = ("weights", "weight", "w", "params", "parameters", "theta", "thetas")

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
        wrong = [value.shape for value in values if value.ndim]
        if wrong:
            raise TaskError(
                f"a gate got an angle of shape {wrong[0]} from a single sample; inputs must have shape (M, …) and "
                "inputs[i] must be what one call of the QNode takes"
            )
        return np.array(values, dtype=float)

    def table(self, weights: Mapping[str, Any], signature: Signature, progress: bool = False) -> FloatArray:
        """`read` for every sample, shape (M, S)."""
        samples = tqdm(range(self.num_samples), "reading", unit="sample", disable=None if progress else True)
        return np.array([self.read(self.sample(i), weights, signature) for i in samples])

    @property
    def rounding(self) -> float:
        """How far two evaluations of one network may differ in the precision of its arguments."""
        arrays = [number(a) for a in (*self.inputs.values(), *self.weights.values())]
        single = any(np.issubdtype(a.dtype, np.floating) and a.dtype.itemsize < 8 for a in arrays)
        return 1e-4 if single else 1e-9


def refilled(arrays: Mapping[str, Any], vector: FloatArray) -> dict[str, Any]:
    """Arrays of the same shapes, types and interfaces filled from a flat vector."""
    moved, start = {}, 0
    for name, array in arrays.items():
        old = number(array)
        new = vector[start : start + old.size].reshape(old.shape).astype(old.dtype)
        moved[name] = qml.math.asarray(new, like=qml.math.get_interface(array))
        start += old.size
    return moved


def flat(arrays: Mapping[str, Any]) -> FloatArray:
    return np.concatenate([np.zeros(0), *(number(a).ravel() for a in arrays.values())]).astype(float)


@dataclass(frozen=True)
class Roles:
    """What moves each number of the circuit.

    Attributes:
        values: Numbers at the trained weights by sample, shape (M, S).
        encoding: Whether inputs move it, shape (S,).
        depends: Which weight entries move it, shape (S, P).
        ties: Number s is sign·(number of the representative): arrays (2, S) of representative and sign.
    """

    values: FloatArray
    encoding: NDArray[np.bool_]
    depends: NDArray[np.bool_]
    ties: NDArray[np.int64]

    def parameters(self) -> list[Any]:
        """Every number as ± its Parameter (x… where inputs enter, w… where only weights do), or as a constant."""
        made: dict[int, Parameter] = {}
        found: list[Any] = []
        for s, (known, sign) in enumerate(self.ties.T.tolist()):
            if not (self.encoding[s] or self.depends[s].any()):
                found.append(float(self.values[0, s]))
                continue
            parameter = made.setdefault(known, Parameter(f"{'x' if self.encoding[known] else 'w'}{known}"))
            found.append(parameter if sign == 1 else -parameter)
        return found


def find_roles(network: Network, signature: Signature, scalar: NDArray[np.bool_], progress: bool) -> Roles:
    """Find by probing at generic points what every number depends on.

    Entries are told apart by group testing: entry p is moved in the tests that the bits of p name, so a number that
    depends on one entry spells it in 2 log₂ P calls; numbers that depend on several are probed entry by entry.
    """
    values = network.table(network.weights, signature, progress)
    rng, start = np.random.default_rng(0), flat(network.weights)
    points = list(values)

    def at(sample: Mapping[str, Any], weights: FloatArray) -> FloatArray:
        points.append(network.read(sample, refilled(network.weights, weights), signature))
        return points[-1]

    encoding, generic = np.ptp(values, axis=0) > 0, True
    depends = np.zeros((values.shape[1], len(start)), dtype=bool)
    entries, bits = np.arange(len(start)), max(len(start) - 1, min(len(start), 1)).bit_length()
    for _ in range(2):
        weights = start + rng.normal(size=len(start))
        sample = network.sample(0)
        real = {name: x for name, x in sample.items() if np.issubdtype(number(x).dtype, np.floating)}
        generic &= len(real) == len(sample)
        try:
            moves = [rng.normal(size=len(flat(real))) for _ in "12"]
            one, two = (sample | refilled(real, flat(real) + move) for move in moves)
            encoding |= at(one, weights) != at(two, weights)
            sample = one
        except Exception:  # inputs with a constraint, such as bits or unit vectors: only the samples themselves tell
            generic = False
        base = at(sample, weights)
        step = rng.uniform(0.5, 1.5, size=len(start)) * rng.choice([-1, 1], size=len(start))
        tests = [at(sample, weights + step * (entries >> b & 1 == side)) for b in range(bits) for side in (0, 1)]
        answers = (np.array(tests).reshape(bits, 2, -1) if tests else np.zeros((0, 2, len(base)))) != base
        moved = answers.any(axis=(0, 1)) & bool(bits)
        single = moved & (answers[:, 0] ^ answers[:, 1]).all(axis=0)
        entry = np.tensordot(2 ** np.arange(bits), answers[:, 1], axes=1)
        depends[single, entry[single]] = True
        for p in entries if np.any(moved & ~single) else ():
            depends[:, p] |= (at(sample, weights + step * (entries == p)) != base) & moved & ~single
    may_tie = scalar & (encoding | depends.any(axis=1)) & (~encoding | generic)
    return Roles(values, encoding, depends, _ties(np.array(points), may_tie))


def _ties(points: FloatArray, may_tie: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Numbers that are ± an earlier one at every probed point (those of an adjoint, say)."""
    ties = np.array([np.arange(points.shape[1]), np.ones(points.shape[1], dtype=int)])
    first: dict[bytes, tuple[int, int]] = {}
    for s in np.flatnonzero(may_tie):
        column = points[:, s]
        sign = 1 if column[np.argmax(np.abs(column) > 1e-6)] >= 0 else -1
        known, known_sign = first.setdefault((np.round(sign * column, 9) + 0.0).tobytes(), (int(s), sign))
        if np.allclose(column, sign * known_sign * points[:, known], rtol=1e-12, atol=1e-12):
            ties[:, s] = known, sign * known_sign
    return ties


# -- arguments ---------------------------------------------------------------------------------------------------------


def network_of(
    qnode: Any, inputs: Any, weights: Any, input_name: str | None, constants: dict[str, Any]
) -> tuple[Network, bool]:
    """The QNode with its values by argument name, and whether weights came as a single array."""
    parameters = inspect.signature(qnode.func).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise TaskError("the QNode takes *args; give its arguments names, so that inputs and weights can be told apart")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    named: dict[str, str] = {}  # argument name to what claims it

    def claim(argument: str, name: str) -> None:
        if name not in names and not takes_any:
            raise TaskError(f"{argument} names {name!r}, which the QNode does not take; it takes {', '.join(names)}")
        if name in named:
            raise TaskError(f"{argument} and {named[name]} both name {name!r}; an argument is one of them")
        named[name] = argument

    def pick(argument: str, usual: Sequence[str], excluded: Sequence[str], way_out: str) -> str:
        left = [name for name in needed if name not in named]
        found = [n for n in left if n in usual] or [n for n in names if n in usual and n not in named]
        if len(found) != 1:
            found = [name for name in left if name not in excluded]
        if len(found) != 1:
            raise TaskError(
                f"cannot tell which argument of the QNode carries the {argument}; it takes "
                f"{', '.join(names) or 'none'}: name it with {way_out}"
            )
        return found[0]

    for name in constants:
        claim("kwargs", name)
    for argument, given in (("inputs", inputs), ("weights", weights)):
        for name in given if isinstance(given, Mapping) else ():
            claim(argument, name)
    if inputs is not None and not isinstance(inputs, Mapping):
        excluded = WEIGHT_NAMES if weights is not None and not isinstance(weights, Mapping) else ()
        name = input_name or pick("inputs", INPUT_NAMES, excluded, "input_name='…' or inputs={'…': array}")
        claim("inputs", name)
        inputs = {name: inputs}
    bare = weights is not None and not isinstance(weights, Mapping)
    if bare:
        name = pick("weights", WEIGHT_NAMES, (), "weights={'…': array}")
        claim("weights", name)
        weights = {name: weights}
    missing = [name for name in needed if name not in named]
    if missing:
        raise TaskError(f"argument {missing[0]} of the QNode has no value; put it into inputs, weights or kwargs")
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
    """The caller's tensor; lists and integer weights become NumPy arrays."""
    array = np.asarray(given) if isinstance(given, (list, tuple, float, int)) else given
    try:
        values = np.asarray(number(array), dtype=complex)
    except (TypeError, ValueError) as error:
        raise TaskError(f"{argument} {name} must be an array of numbers: {error}") from error
    if not np.all(np.isfinite(values)):
        raise TaskError(f"{argument} {name} has {np.sum(~np.isfinite(values))} entries that are not finite; clean them")
    if argument == "weights" and not np.issubdtype(number(array).dtype, np.floating):
        return number(array).astype(float)
    return array


def as_interface(array: NDArray[Any], interface: str) -> Any:
    """A NumPy array as a tensor of the interface; those of autograd are trainable."""
    if interface == "autograd":
        return qml.numpy.array(array, requires_grad=True)
    return qml.math.asarray(array, like=interface)
