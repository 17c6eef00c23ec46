"""What every public argument is checked by: numbers, whole numbers, one of a list."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from numbers import Real
from typing import Any

from qprune.errors import OptionError


def plain(value: Any) -> Any:
    """A number of NumPy, or an array that holds a single one without axes, as Python's own: JSON takes no other."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def is_number(value: object) -> bool:
    """Whether a value is a finite real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def checked_number(value: Any, requirement: str, holds: bool | None = None) -> float:
    """A finite number as a float.

    Args:
        value: What was given.
        requirement: What it must be, beginning with the argument's name.
        holds: Whether its range is kept, where there is one.

    Raises:
        OptionError: It is no finite number, or out of its range.
    """
    if not is_number(value) or holds is False:
        raise OptionError(f"{requirement}, got {value!r}")
    return float(value)


def checked_integer(value: Any, name: str, least: int) -> int:
    """A whole number that is at least `least`.

    Raises:
        OptionError: It is not.
    """
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be an integer ≥ {least}, got {value!r}")
    return value


def checked_choice(value: Any, name: str, allowed: Iterable[Any]) -> None:
    """Refuse what is not one of the values allowed.

    Raises:
        OptionError: It is not.
    """
    allowed = tuple(allowed)
    if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in allowed):
        raise OptionError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def checked_flag(value: Any, name: str) -> bool:
    """True or False.

    Raises:
        OptionError: It is neither.
    """
    value = plain(value)
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, got {value!r}")
    return value
