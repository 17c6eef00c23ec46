"""Work in pieces on the workers of an executor: every piece once, whatever becomes of the workers."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from typing import Any, TypeVar

from qprune.errors import OptionError

IN_FLIGHT = 256  # pieces submitted and not yet done: keeps every worker busy and the parent's memory small
ATTEMPTS = 3  # submissions of one piece, beyond what the executor itself repeats
LOST = (BrokenExecutor, CancelledError)  # the worker is gone; what the piece itself raises is another matter

Result = TypeVar("Result")


def in_pieces(
    executor: Executor,
    function: Callable[..., Result],
    pieces: Sequence[tuple[Any, ...]],
    done: Callable[[int], object],
) -> list[Result]:
    """`[function(*piece) for piece in pieces]` on an executor's workers.

    Results stand in the order of the pieces, whichever worker was first, so nothing made of them depends on the
    workers. A piece whose worker died is submitted again; where the executor is broken for good, as a
    ProcessPoolExecutor is by the first death, this process does what is left.

    Args:
        executor: Any executor; `function` and the pieces must travel to its workers.
        function: What to do with a piece; without side effects, as a lost piece is done again.
        pieces: Arguments of one call each.
        done: Called once for each piece, with its index, when its result is there.

    Raises:
        OptionError: The executor takes no work.
    """
    results: dict[int, Result] = {}
    attempts = [0] * len(pieces)
    waiting, running = deque(range(len(pieces))), dict[Future[Result], int]()
    try:
        while waiting or running:
            while waiting and len(running) < IN_FLIGHT:
                k = waiting.popleft()
                attempts[k] += 1
                future = _submit(executor, function, pieces[k]) if attempts[k] <= ATTEMPTS else None
                if future is not None:
                    running[future] = k
                else:
                    _warn()
                    results[k] = function(*pieces[k])
                    done(k)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                k = running.pop(future)
                try:
                    results[k] = future.result()
                except LOST:
                    waiting.append(k)
                else:
                    done(k)
    finally:
        for future in running:
            future.cancel()
    return [results[k] for k in range(len(pieces))]


def _submit(executor: Executor, function: Callable[..., Result], piece: tuple[Any, ...]) -> Future[Result] | None:
    """The future, or None from a broken executor."""
    try:
        return executor.submit(function, *piece)
    except BrokenExecutor:
        return None
    except RuntimeError as error:
        raise OptionError(
            f"executor must take work, {type(executor).__name__} says: {error}; give a new one"
        ) from error


def _warn() -> None:
    warnings.warn("a worker of the executor died for good; this process does what is left", RuntimeWarning, 4)
