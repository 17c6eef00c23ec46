"""A long search under watch: its time, its line on the screen, and the best that it has found."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from tqdm.auto import tqdm

from qprune.gates.sites import Site

SILENT = 3.0  # seconds before a line is shown
REFRESH = 0.5  # seconds between two looks of the line
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

    Attributes:
        best: The best circuit so far, None before the first.
        cut: "time limit", "interrupted" or None.
    """

    def __init__(
        self, rank: Callable[[Circuit], Any], time_limit: float | None = None, progress: bool | None = None
    ) -> None:
        self.rank = rank
        self.best: Circuit | None = None
        self.cut: str | None = None
        self._end = None if time_limit is None else time.monotonic() + time_limit
        self._shown, self._next = is_watched() if progress is None else progress, 0.0
        self._line: tqdm | None = None

    def __enter__(self) -> Watch[Circuit]:
        if self._shown:
            self._line = tqdm(desc="pruning", bar_format="{desc} {elapsed}{postfix}", delay=SILENT, leave=False)
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
        return self.cut is not None

    @property
    def left(self) -> float | None:
        """Seconds that are left, None without a limit."""
        return None if self._end is None else self._end - time.monotonic()

    def look(self, circuit: Circuit) -> None:
        """A circuit that keeps the limit: keep it if it is the best.

        Raises:
            OutOfTime: The time is up; the circuit is kept before.
        """
        if self.best is None or self.rank(circuit) < self.rank(self.best):
            self.best = circuit
        if self._line is not None:
            self._line.set_postfix_str(f"{_size(circuit)}, best so far {_size(self.best)}", refresh=False)
        self.check()

    def check(self) -> None:
        """To be called often: shows the time, and ends the search when it is up.

        Raises:
            OutOfTime: The time is up.
        """
        now = time.monotonic()
        if self._line is not None and now >= self._next:
            self._next = now + REFRESH
            self._line.update(0)
            self._line.refresh()
        if self._end is not None and now >= self._end:
            raise OutOfTime


def is_watched() -> bool:
    """Whether a person sees what is written: on a terminal, or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _size(circuit: Found) -> str:
    return f"{len(circuit.sites)} gates, {sum(len(site.qubits) > 1 for site in circuit.sites)} on several qubits"
