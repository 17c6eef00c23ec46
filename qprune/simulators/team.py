"""Threads that help with one compiled call after another."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import Condition, Lock, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune.simulators.signals import BELL, SIGNALS, Share, finished, is_wanted

OTHERS = 8  # times that a bell may be for other helpers before one sleeps


class _Job:
    """What a helper was given, and what became of it."""

    def __init__(self, call: Callable[[], None] | None, signals: NDArray[np.int64]) -> None:
        self.call, self.signals = call, signals
        self.is_done = call is None
        self.error: BaseException | None = None


class _Helper:
    """A thread that does one job at a time for whoever asks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._news = Condition(self._lock)
        self._job = _Job(None, np.zeros(SIGNALS, dtype=np.int64))
        Thread(target=self._work, args=[self._job], name="qprune", daemon=True).start()

    def begin(self, job: _Job) -> bool:
        """Begin with a job, unless busy with another."""
        with self._lock:
            if not self._job.is_done:
                return False
            self._job = job
            self._news.notify_all()
        return True

    def finish(self, job: _Job) -> None:
        """Wait until a job is done; raises what its call raised."""
        with self._lock:
            self._news.wait_for(lambda: job.is_done)
        if job.error is not None:
            raise job.error

    def _work(self, job: _Job) -> None:
        while True:
            job = self._after(job)
            try:
                if job.call is not None:
                    job.call()
            except BaseException as error:  # whoever waits for it is told
                job.error = error
            with self._lock:
                job.is_done, job.call = True, None  # arrays of a call are let go with it
                self._news.notify_all()

    def _after(self, last: _Job) -> _Job:
        """The next job: watched for, then slept for."""
        signals = last.signals
        for _ in range(OTHERS):
            known = int(BELL[0])
            if self._job is not last or not is_wanted(signals, BELL, known) or self._job is not last:
                break
            signals = np.zeros(SIGNALS, dtype=np.int64)  # parked already, and counted
        with self._lock:
            self._news.wait_for(lambda: self._job is not last)
            return self._job


_helpers: list[_Helper] = []
_adding = Lock()


def _helper(k: int) -> _Helper:
    with _adding:
        while len(_helpers) <= k:
            _helpers.append(_Helper())
    return _helpers[k]


def _leave_behind() -> None:
    """In a process that was forked off: threads stay with the one that had them."""
    global _adding
    _helpers.clear()
    _adding = Lock()


if hasattr(os, "register_at_fork"):  # where there are forks
    os.register_at_fork(after_in_child=_leave_behind)


def run(kernel: Callable[..., None], arguments: tuple[Any, ...], blocks: int, threads: int) -> None:
    """Run a kernel on all blocks of samples by so many threads, this one among them, or fewer where some are busy.

    Args:
        kernel: Of `kernels`.
        arguments: All but the last, which is its share.
        blocks: How many there are.
        threads: At least 1.

    Raises:
        BaseException: Of this thread's own share, or of a helper's that left its block undone.
    """
    signals = np.zeros(SIGNALS, dtype=np.int64)
    begun = list[tuple[_Helper, _Job]]()
    for k in range(threads - 1):
        helper, job = _helper(k), _Job(partial(kernel, *arguments, Share(signals, BELL, 0)), signals)
        if helper.begin(job):
            begun.append((helper, job))
    kernel(*arguments, Share(signals, BELL, len(begun)))
    for helper, job in begun:
        if finished(signals) < blocks:  # else whoever comes late finds nothing to do
            helper.finish(job)
