"""Objects that hold circuits, sent to another process or copied: their angles travel as text.

Qiskit's own pickle changes angles (up to 2.3: a − 2b becomes −a + 2b); gates and circuits it keeps.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import ChainMap
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

from qprune.angle_text import Angle, angle_of, text_of


def _reduced_angle(angle: ParameterExpression) -> tuple[Any, ...]:
    if not angle.parameters:
        return complex if angle.is_complex() else float, (angle.numeric(),)
    return _read_angle, (text_of(angle), tuple(sorted(angle.parameters, key=lambda p: p.name)))


def _read_angle(text: str, parameters: tuple[Parameter, ...]) -> Angle:
    return angle_of(text, {p.name: p for p in parameters})


class _Pickler(pickle.Pickler):
    dispatch_table = ChainMap({ParameterExpression: _reduced_angle}, copyreg.dispatch_table)  # type: ignore[assignment]


def reduced(value: Any) -> tuple[Any, ...]:
    """What `__reduce__` returns for an object whose attributes are all there is to it.

    Raises:
        TaskError: An angle cannot be written as text.
    """
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(vars(value))
    return _restored, (type(value), stream.getvalue())


def _restored(kind: type, attributes: bytes) -> Any:
    value = object.__new__(kind)
    value.__dict__.update(pickle.loads(attributes))
    return value


@dataclass(frozen=True)
class Portable:
    """Anything that holds circuits or angles, in a form that can be sent to another process."""

    content: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)
