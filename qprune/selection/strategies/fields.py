"""Hyper-parameters of strategies, converted and checked while the frozen class is made."""

from __future__ import annotations

from typing import Any

from qprune._checks import checked_flag, checked_integer, is_number, plain
from qprune.errors import OptionError


def set_fields(strategy: Any, **ranges: tuple[float, float]) -> None:
    """Check fields that hold a number, and put them back as the type of their default.

    Args:
        strategy: A frozen instance, in its `__post_init__`.
        ranges: Smallest and largest value allowed by field; integers where the default is one, tuples of numbers where
            it is a tuple, None where that is the default and the user left it out.

    Raises:
        OptionError: A value is of another kind, or out of its range.
    """
    for name, (low, high) in ranges.items():
        given, default = plain(getattr(strategy, name)), type(strategy).__dataclass_fields__[name].default
        if given is None and default is None:
            continue
        if isinstance(default, tuple):
            value: Any = tuple(_number(item, name, low, high) for item in _items(given, name))
        elif isinstance(default, int) or (default is None and isinstance(given, int)):
            value = checked_integer(given, name, int(low))
            if value > high:
                raise OptionError(f"{name} must be an integer from {low:g} to {high:g}, got {given!r}")
        else:
            value = _number(given, name, low, high)
        object.__setattr__(strategy, name, value)


def set_flags(strategy: Any, *names: str) -> None:
    """Check fields that hold True or False.

    Raises:
        OptionError: One holds something else.
    """
    for name in names:
        object.__setattr__(strategy, name, checked_flag(getattr(strategy, name), name))


def _number(given: Any, name: str, low: float, high: float) -> float:
    if not is_number(given) or not low <= given <= high:
        raise OptionError(f"{name} must be a number from {low:g} to {high:g}, got {given!r}")
    return float(given)


def _items(given: Any, name: str) -> list[Any]:
    if not isinstance(given, list | tuple) or not given:
        raise OptionError(f"{name} must be a list of at least one number, got {given!r}")
    return list(given)
