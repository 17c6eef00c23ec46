"""What a strategy is: an opinion on which gates should go, nothing more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from qprune.errors import OptionError
from qprune.gates.sites import Site
from qprune.selection.candidate import Candidate
from qprune.selection.evidence import Evidence, Surroundings
from qprune.task.task import Task


@dataclass(frozen=True)
class Proposal:
    """What a strategy would remove.

    Attributes:
        order: Indices of candidates, first to go first. Those it leaves out come after, by distance per gain.
        sets: Sets of indices that should go together, the best first; the first that a limit admits goes before the
            order is followed.

    Example:
        >>> Proposal(order=[2, 0], sets=[[0, 1]])
        Proposal(order=[2, 0], sets=[[0, 1]])
    """

    order: Sequence[int] = ()
    sets: Sequence[Sequence[int]] = ()


@dataclass(frozen=True)
class Strategy(ABC):
    """Proposes which gates should go; it cannot exceed a limit, as the limit decides what fits.

    A strategy is a small frozen record of its own hyper-parameters and holds no state: what it draws comes from the
    generator in the evidence.

    Attributes:
        name: What certificates and the command line call it.
        searches: Whether it leaves the order to the limit's own search.
        replaces: Whether it also ranks representatives other than the identity; else those come last.

    Example:
        A strategy of your own that removes the last gates first:

        >>> from dataclasses import dataclass
        >>> from typing import ClassVar
        >>> import qprune
        >>> from qprune import strategies
        >>> @dataclass(frozen=True)
        ... class LastFirst(strategies.Strategy):
        ...     name: ClassVar[str] = "last-first"
        ...
        ...     def propose(self, evidence: strategies.Evidence) -> strategies.Proposal:
        ...         return strategies.Proposal(order=evidence.ascending([-place for place in evidence.places]))
        >>> network = qprune.load_network("reupload-2q")
        >>> qprune.prune(network, qprune.Proven(0.05), strategy=LastFirst()).certificate.largest_bound <= 0.05
        True
    """

    name: ClassVar[str]
    searches: ClassVar[bool] = False
    replaces: ClassVar[bool] = False

    @abstractmethod
    def propose(self, evidence: Evidence) -> Proposal | None:
        """Which of the evidence's candidates should go; None leaves it to the limit's own search.

        Args:
            evidence: The candidates, at least one, and what is known of them.
        """

    def check(self, task: Task) -> None:  # noqa: B027 most strategies go with every task
        """Refuse a task that this strategy cannot look at, before anything is simulated.

        Raises:
            OptionError: It cannot.
        """

    def record(self) -> dict[str, Any]:
        """What a certificate keeps of it: its name and hyper-parameters."""
        return {"name": self.name, **{field: _as_read(value) for field, value in asdict(self).items()}}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Strategy:
        """The strategy that `record` tells of."""
        return cls(**{key: _as_given(value) for key, value in record.items() if key != "name"})

    def seeded(self, seed: int, around: Surroundings | None = None) -> Proposer:
        """The strategy with a generator of its own, for one run."""
        return Proposer(self, np.random.default_rng(seed), around)


class Proposer:
    """A strategy at work: the same seed gives the same proposals, one call after the other.

    Args:
        strategy: Whose opinion is asked.
        rng: What it draws from.
        around: What the limit knows beside the candidates.

    Attributes:
        calls: How often strategies asked the oracle for a deviation so far.
    """

    def __init__(self, strategy: Strategy, rng: np.random.Generator, around: Surroundings | None = None) -> None:
        self.strategy, self.rng, self.around, self.calls = strategy, rng, around, 0
        self._last: tuple[Sequence[Candidate], Sequence[Site], Proposal] | None = None

    @property
    def searches(self) -> bool:
        """Whether the order is left to the limit's own search."""
        return self.strategy.searches

    def propose(
        self,
        candidates: Sequence[Candidate],
        sites: Sequence[Site],
        task: Task | None = None,
        budget: float | None = None,
    ) -> Proposal | None:
        """A whole order, and sets, of what the strategy would remove; None leaves it to the search.

        Asked again for the very same candidates it says the same.

        Args:
            candidates: What may go.
            sites: The gates of the circuit at hand.
            task: That circuit with its weights; default: the original.
            budget: Largest deviation allowed, in place of that of the surroundings.

        Raises:
            OptionError: The strategy proposes what there is not.
        """
        if self.searches:
            return None
        if self._last is not None and self._last[0] is candidates and self._last[1] is sites:
            return self._last[2]
        kept = [j for j, c in enumerate(candidates) if self.strategy.replaces or c.removes]
        around = self.around
        if around is not None and budget is not None:
            around = replace(around, budget=budget)
        if around is not None:  # on the original's samples, whatever weights are fitted on
            task = around.task if task is None else around.task.with_circuit(task.circuit, task.named_weights)
        given: Proposal | None = Proposal()
        if kept:
            evidence = Evidence([candidates[j] for j in kept], sites, self.rng, task, around)
            given = self.strategy.propose(evidence)
            self.calls += evidence.calls
        if given is None:
            return None
        order, sets = _checked(self.strategy, given, len(kept))
        rest = set(range(len(candidates))) - {kept[k] for k in order}
        last = sorted(rest, key=lambda j: (_distance_per_gain(candidates[j]), j))
        whole = Proposal([*(kept[k] for k in order), *last], [[kept[k] for k in some] for some in sets])
        self._last = candidates, sites, whole
        return whole


def _distance_per_gain(candidate: Candidate) -> float:
    return candidate.distance**2 / candidate.gain if candidate.gain else np.inf


def _as_read(value: Any) -> Any:
    """A value as JSON gives it back, in which there are no tuples."""
    return [_as_read(item) for item in value] if isinstance(value, tuple | list) else value


def _as_given(value: Any) -> Any:
    """What `_as_read` made a list of, as a frozen class holds it."""
    return tuple(map(_as_given, value)) if isinstance(value, list) else value


def _checked(strategy: Strategy, given: Proposal, size: int) -> tuple[list[int], list[list[int]]]:
    order, sets = [int(k) for k in given.order], [[int(k) for k in some] for some in given.sets]
    for some in (order, *sets):
        if len(set(some)) != len(some) or not set(some) <= set(range(size)):
            raise OptionError(
                f"strategy {strategy.name!r} must propose indices of the {size} candidates, each at most once, "
                f"got {some}"
            )
    return order, [some for some in sets if some]


def taken_in_turn(proposal: Proposal, places: Sequence[int], fits: Callable[[Sequence[int]], bool]) -> list[int]:
    """Places of the gates that go: the first set that fits, then as many of the order as fit, then each that fits.

    Args:
        proposal: What a strategy says.
        places: Of the candidates that its indices mean.
        fits: Whether the circuit without the gates at some places keeps the limit.
    """
    sets = ([places[j] for j in some] for some in proposal.sets)
    gone = next((some for some in sets if fits(some)), [])
    order = [k for j in proposal.order if (k := places[j]) not in gone]
    low, high = 0, len(order)
    while low < high:  # bisection, taking it that what fits still fits when shortened
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits([*gone, *order[:middle]]) else (low, middle - 1)
    gone += order[:low]
    for k in order[low + 1 :]:  # the next one is known not to fit
        if fits([*gone, k]):
            gone.append(k)
    return gone
