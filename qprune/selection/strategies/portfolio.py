"""Portfolio: several strategies in turn, of whose results the cheapest that the limit admits is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from qprune.errors import OptionError
from qprune.selection.evidence import Evidence
from qprune.selection.strategies.base import Strategy
from qprune.selection.strategies.registry import strategy_from_record, strategy_of
from qprune.task.task import Task


@dataclass(frozen=True)
class Portfolio(Strategy):
    """A whole pruning by each member; the circuit of least total cost is the result.

    Within `time_limit` each member has an even share of the time that is left.

    Args:
        members: Strategies or their names, at least one, none of them a portfolio.

    Example:
        >>> Portfolio(["q-iprune", "mip"]).members[0]
        QIPrune()
    """

    members: Sequence[str | Strategy] = ("q-iprune", "mip", "equilibrium")
    name: ClassVar[str] = "portfolio"
    replaces: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.members, str) or not isinstance(self.members, Sequence) or not self.members:
            raise OptionError(f"members must be a list of at least one strategy or name, got {self.members!r}")
        members = tuple(strategy_of(member) for member in self.members)
        if any(isinstance(member, Portfolio) for member in members):
            raise OptionError(f"members must be strategies other than portfolios, got {self.members!r}")
        object.__setattr__(self, "members", members)

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """The members, as objects."""
        return tuple(strategy_of(member) for member in self.members)

    def propose(self, evidence: Evidence) -> None:
        raise OptionError("a portfolio prunes with each member in turn, which prune does; give one strategy here")

    def check(self, task: Task) -> None:
        for member in self.strategies:
            member.check(task)

    def record(self) -> dict[str, Any]:
        return {"name": self.name, "members": [member.record() for member in self.strategies]}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Strategy:
        found = [strategy_from_record(member) for member in record["members"]]
        if any(member is None for member in found):
            names = [member["name"] for member in record["members"]]
            raise OptionError(f"strategy must be given again, as not all of {names} are installed here")
        return cls([member for member in found if member is not None])
