"""Threads that help with one compiled call after another."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from threading import Condition, Lock, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qprune.simulators.signals import BELL, SIGNALS, Share, finished, is_wanted


class _Job:
    """What a helper was given, and what became of it."""

    def __init__(self, call: Callable[[], None], signals: NDArray[np.int64]) -> None:
        self.call, self.signals = call, signals
        self.is_done = False
        self.error: BaseException | None = None


class _Helper:
    """A thread that does one job at a time for whoever asks."""

    def __init__(self) -> None:
        self._free, self._news = Lock(), Condition()
        self._job = _Job(lambda: None, np.zeros(SIGNALS, dtype=np.int64))
        Thread(target=self._work, args=[self._job], name="qprune", daemon=True).start()

    def begin(self, job: _Job) -> bool:
        """Begin with a job, unless busy with another."""
        if not self._free.acquire(blocking=False):
            return False
        with self._news:
            self._job = job
            self._news.notify_all()
        return True

    def finish(self, job: _Job) -> None:
        """Wait until a job is done; raises what its call raised."""
        if not job.is_done:
            with self._news:
                self._news.wait_for(lambda: job.is_done)
        if job.error is not None:
            raise job.error

    def _work(self, last: _Job) -> None:
        while True:
            known = int(BELL[0])
            if self._job is last and not is_wanted(last.signals, BELL, known):
                self._sleep(last)
            if self._job is not last:  # else the bell was for others
                last = self._job
                self._do(last)

    def _sleep(self, last: _Job) -> None:
        with self._news:
            self._news.wait_for(lambda: self._job is not last)

    def _do(self, job: _Job) -> None:
        try:
            job.call()
        except BaseException as error:  # whoever waits for it is told
            job.error = error
        self._free.release()
        with self._news:
            job.is_done = True
            self._news.notify_all()


@lru_cache
def _helper(k: int) -> _Helper:
    return _Helper()


os.register_at_fork(after_in_child=_helper.cache_clear)  # threads stay behind


def run(kernel: Callable[..., None], arguments: tuple[Any, ...], blocks: int, threads: int) -> None:
    """Run a kernel on all blocks of samples by so many threads, this one among them, or fewer where some are busy.

    Args:
        kernel: Of `kernels`.
        arguments: All but the last, which is its share.
        blocks: How many there are.
        threads: At least 1.
    """
    signals = np.zeros(SIGNALS, dtype=np.int64)
    begun = list[tuple[_Helper, _Job]]()
    for k in range(threads - 1):
        job = _Job(partial(kernel, *arguments, Share(signals, BELL, 0)), signals)
        if _helper(k).begin(job):
            begun.append((_helper(k), job))
    kernel(*arguments, Share(signals, BELL, len(begun)))
    for helper, job in begun:
        if finished(signals) < blocks:  # else whoever comes late finds nothing to do
            helper.finish(job)
