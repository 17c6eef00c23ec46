"""A pruned circuit as a program on live tapes. Part of `qprune.pennylane`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression

from qprune._arrays import FloatArray
from qprune.errors import TaskError
from qprune.pennylane.measurements import Elsewhere
from qprune.pennylane.network import Signature, number_tolerance
from qprune.pennylane.roles import Roles
from qprune.pennylane.tape import BACK, WHOLE, expand, number, slot_count, slots_of
from qprune.results.result import PruneResult


class Angle(NamedTuple):
    """offset + Σ factor·(number of the live tape)."""

    offset: float
    terms: tuple[tuple[int, float], ...]

    def of(self, live: Sequence[Any]) -> Any:
        parts = [live[s] if factor == 1 else factor * live[s] for s, factor in self.terms]
        if self.offset or not parts:
            parts.append(self.offset)
        return reduce(lambda a, b: a + b, parts)


class Step(NamedTuple):
    """One gate of the pruned tape: a PennyLane name, or "op" for gate `extra` of the live tape, on these wires."""

    name: str
    wires: tuple[Any, ...]
    angles: tuple[Angle, ...]
    extra: Any

    def build(self, live: Sequence[Any], operations: Sequence[Any]) -> Any:
        if self.name == "op":
            own = operations[self.extra]  # a network of CX may have moved the qubits that it begins with
            return (
                own if tuple(own.wires) == self.wires else own.map_wires(dict(zip(own.wires, self.wires, strict=True)))
            )
        if self.name.startswith("Adjoint("):
            return qml.adjoint(getattr(qml, self.name[8:-1])(wires=self.wires))
        values = [angle.of(live) for angle in self.angles]
        if self.extra is not None:
            values.append(self.extra)
        return getattr(qml, self.name)(*values, wires=self.wires)


@dataclass(frozen=True, eq=False)
class Plan:
    """The pruned circuit as a program on live tapes.

    Attributes:
        signature: Gates and measurements that a live tape must have.
        order: Wires in the order of the qubits.
        starts: First number of each gate of the live tape, and the total.
        moving: Whether a number depends on inputs or weights; others must be what they were.
        values: The numbers of the first sample.
        ties: As in `Roles`.
        steps: The pruned tape.
        measured: What it measures in place of the live tape's measurements.
    """

    signature: Signature
    order: tuple[Any, ...]
    starts: tuple[int, ...]
    moving: NDArray[np.bool_]
    values: FloatArray
    ties: FloatArray
    steps: tuple[Step, ...]
    measured: Elsewhere

    @classmethod
    def of(
        cls,
        tape: Any,
        roles: Roles,
        result: PruneResult,
        order: Sequence[Any],
        measured: Elsewhere,
    ) -> Plan:
        names: set[str] = set()
        operations = expand(tape.operations, names)
        counts = [slot_count(op) for op in operations]
        steps = _steps(result, order)
        return cls(
            signature=Signature.of(operations, tape.measurements),
            order=tuple(order),
            starts=(0, *np.cumsum(counts).tolist()),
            moving=roles.moving,
            values=roles.values[0],
            ties=roles.ties,
            steps=tuple(_with_rot(steps) if "Rot" in names else steps),
            measured=measured,
        )

    def surviving(self) -> set[int]:
        """The numbers of the live tape that the pruned tape still has."""
        found: set[int] = set()
        for step in self.steps:
            if step.name == "op":
                found.update(range(*self.starts[step.extra : step.extra + 2]))
            found.update(s for angle in step.angles for s, _ in angle.terms)
        return found

    def rewrite(self, tape: Any) -> Any:
        """The pruned tape of a live one.

        Raises:
            TaskError: The live tape is not of the kind that was pruned.
        """
        operations = expand(tape.operations)
        self.signature.check(Signature.of(operations, tape.measurements))
        live = self._live(operations)
        with qml.QueuingManager.stop_recording():
            new = [step.build(live, operations) for step in self.steps]
            measured = self.measured.operators or [
                qml.probs(wires=self.order) if mp.obs is None and not mp.wires else mp for mp in tape.measurements
            ]
        pruned = tape.copy(operations=new, measurements=measured)
        pruned.trainable_params = qml.math.get_trainable_indices(pruned.get_parameters(trainable_only=False))
        return pruned

    def read(self, results: Any) -> Any:
        """What the live tape would return, from what the pruned one does; of several numbers of shots, each."""
        if self.measured.order is None:
            return results
        if isinstance(results, tuple):
            return tuple(map(self.read, results))
        return qml.math.take(results, np.array(self.measured.order), axis=-1)

    def _live(self, operations: Sequence[Any]) -> list[Any]:
        live: list[Any] = []
        for op, (start, stop) in zip(operations, pairwise(self.starts), strict=True):
            whole = op.name in WHOLE
            if whole and (self.moving[start:stop].any() or start == stop):
                live += [None] * (stop - start)  # stays whole on the tape
                continue
            if whole and qml.math.is_abstract(op.data[0]):
                raise self._traced(op)
            live += slots_of(op)
            for s in range(start, stop):
                value = live[s]
                if not self.moving[s]:
                    self._check(op, value, self.values[s], "was constant at pruning")
                elif (known := int(self.ties[0, s])) != s and value is not live[known]:
                    _, factor, offset = self.ties[:, s].tolist()
                    then, why = factor * live[known] + offset, "always followed another angle at pruning"
                    if qml.math.is_abstract(value) or qml.math.is_abstract(then):
                        # A traced call cannot raise: it returns NaN instead of a wrong number.
                        holds = qml.math.abs(value - then) <= number_tolerance(qml.math.abs(then), single=True)
                        live[known] = live[known] + qml.math.where(holds, 0.0, np.nan)
                    else:
                        self._check(op, value, number(then), why)
        return live

    def _check(self, op: Any, value: Any, then: Any, why: str) -> None:
        if type(value) is not float and qml.math.is_abstract(value):
            raise self._traced(op)
        now = np.asarray(value) if type(value) is float else number(value)
        if not np.all(np.abs(now - then) <= number_tolerance(then, now.dtype.itemsize < 8)):
            raise TaskError(
                f"{op.name} on wires {op.wires.tolist()} has {now} where it had {then}; that number {why}: call with "
                "the same keyword arguments as at pruning, or prune again for these"
            )

    @staticmethod
    def _traced(op: Any) -> TaskError:
        return TaskError(
            f"{op.name} on wires {op.wires.tolist()} was constant at pruning and cannot be checked "
            "while it is traced; compute it with NumPy, outside of the traced function's arguments"
        )


@qml.transform
def apply_plan(tape: Any, plan: Plan) -> tuple[Sequence[Any], Any]:
    """Put a pruned tape in the place of a live one, see `Plan.rewrite`."""
    return [plan.rewrite(tape)], lambda results: plan.read(results[0])


def _steps(result: PruneResult, order: Sequence[Any]) -> list[Step]:
    steps = []
    for item in result.circuit.data:
        operation = item.operation
        wires = tuple(order[result.circuit.find_bit(q).index] for q in item.qubits)
        name, extra, expressions = operation.name, None, list(operation.params)
        if name == "measure":
            continue
        if name == "state_preparation":
            steps.append(Step("op", wires, (), int(operation.label.split()[1])))
            continue
        if name == "PauliEvolution":
            label, coefficient = operation.operator.to_list()[0]
            expressions, extra, here = [2 * coefficient.real * operation.params[0]], label[::-1], "PauliRot"
            if set(label) == {"Z"}:
                extra, here = None, "MultiRZ"
        elif name == "rzx":
            extra, here = "ZX", "PauliRot"
        elif name == "xx_plus_yy":
            theta, beta = expressions
            expressions, here = ([theta], "SingleExcitation") if beta else ([-theta], "IsingXY")
        elif name == "unitary":
            # Qiskit's first qubit is the least significant, PennyLane's first wire the most
            expressions, extra, wires, here = [], np.asarray(operation.params[0]), wires[::-1], "QubitUnitary"
        elif name in BACK:
            here = BACK[name]
        else:
            raise TaskError(f"the pruned circuit has {name}, which qprune.pennylane cannot put on a tape; report it")
        steps.append(Step(here, wires, tuple(map(_angle, expressions)), extra))
    return steps


def _angle(expression: Any) -> Angle:
    if not isinstance(expression, ParameterExpression):
        return Angle(float(expression), ())
    free = sorted(expression.parameters, key=lambda p: p.name)
    slopes = {p: complex(expression.gradient(p)).real for p in free}
    offset = float(expression.bind(dict.fromkeys(free, 0.0)).numeric())
    return Angle(offset, tuple((int(p.name[1:]), slope) for p, slope in slopes.items()))


def _with_rot(steps: list[Step]) -> list[Step]:
    """RZ RY RZ in a row on a wire as one Rot again, for QNodes that use Rot."""

    def last(wire: Any) -> Iterator[int]:
        return (k for k in reversed(range(len(new))) if wire in new[k].wires)

    new: list[Step] = []
    for step in steps:
        if step.name == "RZ":
            middle = next(seen := last(step.wires[0]), None)
            first = next(seen, None)
            if middle is not None and first is not None and (new[first].name, new[middle].name) == ("RZ", "RY"):
                angles = (*new[first].angles, *new[middle].angles, *step.angles)
                new[middle] = Step("Rot", step.wires, angles, None)
                del new[first]
                continue
        new.append(step)
    return new
