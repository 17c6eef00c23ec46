"""What a limit is: how far pruning may go, and how that is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any, ClassVar

from qprune._checks import checked_choice, checked_flag, is_number, plain
from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.limits.prepared import Comparison, Prepared
from qprune.limits.removal import Reduced
from qprune.limits.settings import Settings
from qprune.results.every_input import EveryInput
from qprune.selection.candidate import Candidate
from qprune.task.task import Task

AGGREGATES = ("rms", "max")


@dataclass(frozen=True)
class Rewritten:
    """The circuit that a limit allowed, and how it came about.

    Attributes:
        reduced: The circuit.
        chosen: What it replaces, in terms of the simplified original.
        compared: Every candidate that was looked at.
        budget: The deviation that the limit came to allow, where the limit itself does not name it.
        tried: Under noise: each budget tried, with the predicted deviation of its circuit.
    """

    reduced: Reduced
    chosen: Sequence[Candidate]
    compared: Sequence[Candidate]
    budget: float | None = None
    tried: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Limit(ABC):
    """How far pruning may go, and how that is known.

    A limit is a small frozen record of its own parameters; it checks them, and knows how to prune under itself.

    Attributes:
        name: What certificates and the command line call it.
        main: The field that says how far; the others say how.
        judged_by: What of the certificate the limit is on: "bound" (T2), "every_input" (T9), "measured" or "accuracy".
        words: What it promises, in the words of the command line.
        metavar: What the command line calls the value of `main`.
        quick: Whether one pruning takes about one pass, so that a curve of many may be drawn unasked.

    Example:
        >>> import qprune
        >>> issubclass(qprune.Measured, qprune.Limit), qprune.Measured(0.05)
        (True, Measured(budget=0.05, refit=False, window='auto'))
    """

    name: ClassVar[str]
    main: ClassVar[str]
    judged_by: ClassVar[str]
    words: ClassVar[str]
    metavar: ClassVar[str] = "BUDGET"
    quick: ClassVar[bool] = False

    @abstractmethod
    def choose(self, prepared: Prepared) -> Rewritten:
        """The circuit that this limit allows."""

    @property
    def comparison(self) -> Comparison:
        """How gates are compared with what may stand in for them."""
        return Comparison()

    def check(self, task: Task, settings: Settings) -> None:  # noqa: B027 most limits go with everything
        """Refuse a task or settings that do not go with this limit.

        Raises:
            OptionError: They do not.
        """

    def with_noise(self, settings: Settings) -> Settings:
        """The settings, with the noise that a limit brings along."""
        return settings

    def claimed(self, prepared: Prepared, task: Task, sites: Sequence[Site]) -> EveryInput | None:
        """What the certificate says of every input of the task's domain; None: nothing."""
        return None

    def record(self) -> dict[str, Any]:
        """What a certificate keeps: the name, what the limit is on, and every field."""
        return {"name": self.name, "judged_by": self.judged_by, **asdict(self)}


def option(default: Any, help: str, **more: Any) -> Any:
    """A field of a limit, with the words and choices that the command line shows."""
    return field(default=default, metadata={"help": help, **more})


def options_of(limit: type[Limit]) -> dict[str, Field[Any]]:
    """The fields of a limit besides the one that says how far."""
    return {f.name: f for f in fields(limit) if f.name != limit.main}


def default_of(found: Field[Any]) -> Any:
    """What a field is if it is not given; None where it must be."""
    return None if found.default is MISSING else found.default


def set_checked(limit: Limit, **values: Any) -> None:
    """Put converted values into a frozen limit while it is made."""
    for name, value in values.items():
        object.__setattr__(limit, name, value)


def checked_budget(value: Any, name: str = "budget") -> float:
    """A budget in the unit of the observables (total variation for probabilities): finite, ≥ 0.

    Raises:
        OptionError: It is not.
    """
    value = plain(value)
    if not is_number(value) or value < 0:
        raise OptionError(f"{name} must be a finite number ≥ 0 in units of the observable, got {value!r}")
    return float(value)


def checked_tolerance(value: Any) -> float:
    """A threshold on d_q, in [0, √2].

    Raises:
        OptionError: It is not.
    """
    value = plain(value)
    if not is_number(value) or not 0 <= value <= 2**0.5:
        raise OptionError(f"tolerance must be a number in [0, √2], the range of d_q, got {value!r}")
    return float(value)


def checked_window(value: Any) -> int | str:
    """A number of qubits ≥ 0, or "auto".

    Raises:
        OptionError: It is neither.
    """
    value = plain(value)
    if isinstance(value, str) and value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f'window must be a number of qubits ≥ 0, 0 for none, or "auto", got {value!r}')
    return value


def checked_aggregate(value: Any) -> str:
    """One of "rms" and "max".

    Raises:
        OptionError: It is neither.
    """
    checked_choice(value, "aggregate", AGGREGATES)
    return str(value)


def checked_refit(value: Any) -> bool:
    """True or False.

    Raises:
        OptionError: It is neither.
    """
    return checked_flag(value, "refit")
