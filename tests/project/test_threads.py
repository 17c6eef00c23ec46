"""Fits run their linear algebra in one thread, and give back what was set before."""

from __future__ import annotations

from small_task import make
from threadpoolctl import threadpool_info, threadpool_limits

import qprune
from qprune._threads import one_thread
from qprune.limits import compressor


def threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_one_thread_while_it_lasts():
    with threadpool_limits(2, "blas"):
        before = threads()
        with one_thread():
            assert set(threads()) == {1}
        assert threads() == before


def test_searches_with_refit_run_in_it(monkeypatch):
    seen, real = [], compressor.saliencies

    def saliencies(*arguments):
        seen.extend(threads())
        return real(*arguments)

    monkeypatch.setattr(compressor, "saliencies", saliencies)
    with threadpool_limits(2, "blas"):
        qprune.prune(make(), qprune.Measured(0.5, refit=True))
    assert set(seen) == {1}
