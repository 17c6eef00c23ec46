"""Objects that hold circuits, sent to another process or copied: their angles travel as text.

Qiskit's own pickle changes angles (up to 2.3: a − 2b becomes −a + 2b); gates and circuits it keeps.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import ChainMap
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from qiskit.circuit import Instruction, Parameter, ParameterExpression

from qprune.task.angle_text import Angle, angle_of, text_of
from qprune.task.circuit_file import composite, opened


def _reduced_angle(angle: ParameterExpression) -> tuple[Any, ...]:
    if not angle.parameters:
        return complex if angle.is_complex() else float, (angle.numeric(),)
    return _read_angle, (text_of(angle), tuple(sorted(angle.parameters, key=lambda p: p.name)))


def _read_angle(text: str, parameters: tuple[Parameter, ...]) -> Angle:
    return angle_of(text, {p.name: p for p in parameters})


class _Pickler(pickle.Pickler):
    dispatch_table: ClassVar[Any] = ChainMap({ParameterExpression: _reduced_angle}, copyreg.dispatch_table)  # type: ignore[misc]


class _OpeningPickler(_Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Gates of other classes than the library's go as their definitions."""
        gate = opened(value) if isinstance(value, Instruction) else value
        return NotImplemented if gate is value else (composite, (gate.name, gate.params, gate.label, gate.definition))


def reduced(value: Any) -> tuple[Any, ...]:
    """What `__reduce__` returns for an object whose state is all there is to it.

    Raises:
        TaskError: An angle cannot be written as text.
    """
    return _restored, (type(value), _packed(value.__getstate__()))


def _restored(kind: type, packed: bytes) -> Any:
    value: Any = object.__new__(kind)
    state = pickle.loads(packed)
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
    else:
        vars(value).update(state)
    return value


def _packed(content: Any) -> bytes:
    try:
        return _dumped(_Pickler, content)
    except (pickle.PicklingError, AttributeError, TypeError):  # a gate that holds a function, or of a local class
        return _dumped(_OpeningPickler, content)


def _dumped(kind: type[_Pickler], content: Any) -> bytes:
    stream = io.BytesIO()
    kind(stream, protocol=5).dump(content)
    return stream.getvalue()


class Portable:
    """What many calls on the workers of an executor share: packed once, and unpacked once by a worker.

    Attributes:
        content: Anything that holds circuits or angles; it is not changed by anyone.
    """

    def __init__(self, content: Any) -> None:
        self.content = content

    @cached_property
    def _bytes(self) -> bytes:
        return _packed(self.content)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self._bytes,)


@lru_cache(maxsize=1)
def _unpacked(content: bytes) -> Portable:
    return Portable(pickle.loads(content))
