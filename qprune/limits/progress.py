"""A long search under watch: its time, its line on the screen, and the best that it has found."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from qprune._progress import SILENT, is_shown
from qprune.gates.sites import Site

if TYPE_CHECKING:
    from tqdm.auto import tqdm

LONG = 60.0  # seconds of work from which on an estimate is said before
REFRESH = 1.0  # seconds between two looks of the line
OUT_OF_TIME, INTERRUPTED = "time limit", "interrupted"


class Found(Protocol):
    """A circuit that a search found."""

    @property
    def sites(self) -> Sequence[Site]: ...


Circuit = TypeVar("Circuit", bound=Found)


class OutOfTime(Exception):
    """The time limit has passed; ends the `with` block of a `Watch`."""


class Watch(Generic[Circuit]):
    """Keeps the best circuit of a search, however the search ends.

    As a context it ends quietly when the time is up or the user interrupts; `best` is then what was found, and `cut`
    says why it is not what a longer search would give.

    Args:
        rank: What makes a circuit better than another: the smaller the better.
        time_limit: Seconds of wall-clock time, > 0; None for as long as it takes.
        progress: Whether to show a line; None: where a person watches and the search lasts.
        what: Is being done, for the line.
        within: A longer search that this one is part of: its line is shown, and its time counts too.

    Attributes:
        best: The best circuit so far, None before the first.
        cut: "time limit", "interrupted" or None.
    """

    def __init__(
        self,
        rank: Callable[[Circuit], Any],
        time_limit: float | None = None,
        progress: bool | None = None,
        what: str = "pruning",
        within: Watch[Any] | None = None,
    ) -> None:
        self.rank, self.what, self.within = rank, what, within
        self.best: Circuit | None = None
        self.cut: str | None = None
        self._end = None if time_limit is None else time.monotonic() + time_limit
        self._shown, self._next = within is None and is_shown(progress), time.monotonic() + SILENT
        self._line: tqdm | None = None
        self._said = False

    def __enter__(self) -> Watch[Circuit]:
        if self._shown:
            from tqdm.auto import tqdm

            self._line = tqdm(desc=self.what, bar_format="{desc} {elapsed}{postfix}", delay=SILENT, leave=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._line is not None:
            self._line.close()
        if kind is not None and issubclass(kind, OutOfTime):
            self.cut = OUT_OF_TIME
        elif kind is not None and issubclass(kind, KeyboardInterrupt) and self.best is not None:
            self.cut = INTERRUPTED
        else:
            return False
        return True

    @contextmanager
    def part(self, left: int) -> Iterator[None]:
        """The first of so many parts of the search that are left: it ends quietly after an even share of the time left.

        `cut` then says so, as more time might have found more. Without a time limit a part takes as long as it takes.

        Raises:
            OutOfTime: The time of all parts was up before.
        """
        self.check()
        end, share = self._end, self.left() / left
        self._end = time.monotonic() + share
        try:
            yield
        except OutOfTime:
            self.cut = OUT_OF_TIME
        finally:
            self._end = end

    def look(self, circuit: Circuit) -> None:
        """A circuit that keeps the limit: keep it if it is the best.

        Raises:
            OutOfTime: The time is up; the circuit is kept before.
        """
        if self.best is None or self.rank(circuit) < self.rank(self.best):
            self.best = circuit
        left, best = (_size(found) for found in (circuit, self.best))
        self._show(f"{left[0]} gates ({left[1]} on several qubits), best so far {best[0]} ({best[1]})")
        self.check()

    def begin(self, what: str) -> None:
        """Another part of the work begins; the line says which."""
        self.what = what
        if self._line is not None:
            self._line.set_description_str(what, refresh=False)

    @property
    def says_how_long(self) -> bool:
        """Whether `expect` is of use to anybody: a person watches, and has set no limit."""
        if self.within is not None:
            return self._end is None and self.within.says_how_long
        return self._line is not None and self._end is None and not self._said

    def expect(self, seconds: float) -> None:
        """How long the search will take, roughly: said once, where that is long and a person watches."""
        if self.within is not None:
            self.within.expect(seconds)
        elif self._line is not None and seconds > LONG and not self._said:
            self._said, minutes = True, ceil(seconds / 60)
            how_long = f"about {minutes} minute{'s' * (minutes > 1)}"
            self._line.write(
                f"qprune: {self.what} may take {how_long} here; Ctrl-C ends it with the best so far", file=sys.stderr
            )

    def _show(self, words: str) -> None:
        if self.within is not None:
            self.within._show(words)
        elif self._line is not None:
            self._line.set_postfix_str(words, refresh=False)

    def left(self) -> float:
        """Seconds until the time is up; infinite without a limit."""
        own = np.inf if self._end is None else max(0.0, self._end - time.monotonic())
        return own if self.within is None else min(own, self.within.left())

    def check(self) -> None:
        """To be called often: shows the time, and ends the search when it is up.

        Raises:
            OutOfTime: The time is up.
        """
        if self.within is not None:
            self.within.check()
        now = time.monotonic()
        if self._line is not None and now >= self._next:
            self._next = now + REFRESH
            self._line.update(0)
            self._line.refresh()
        if self._end is not None and now >= self._end:
            raise OutOfTime


def _size(circuit: Found) -> tuple[int, int]:
    return len(circuit.sites), sum(len(site.qubits) > 1 for site in circuit.sites)
