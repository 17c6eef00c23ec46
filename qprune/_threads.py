"""Threads of the linear algebra below NumPy and SciPy."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """While it lasts, BLAS runs in one thread.

    For matrices of a hundred columns many threads take longer than one, several times as long where other work goes
    on besides, and their number changes the last bits.
    """
    return _libraries().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
