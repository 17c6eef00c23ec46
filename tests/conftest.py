"""What every test file shares."""

from __future__ import annotations

import gc
import os
from importlib import import_module
from secrets import randbelow
from zlib import crc32

import pytest

pytest_plugins = ["pytester"]
SEEN: dict[str, list[str]] = {}  # variants of thinned tests met so far
STORE = "qprune.report.store"  # `qprune.report` is a function
SOAK_SEED = "QPRUNE_SOAK_SEED"  # first seed of the soak's fresh slice; set, the slice is that one


def pytest_configure(config: pytest.Config) -> None:
    """Draw the slice before worker processes start, so that all of them know the same."""
    os.environ.setdefault(SOAK_SEED, str(randbelow(10**9)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What libraries hold stays; looking through it again and again took a tenth of all time."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    return f"soak: {SOAK_SEED}={os.environ[SOAK_SEED]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only `make soak` runs (QPRUNE_SOAK): long property runs, and the variants that a thinned test leaves out.

    Which variants those are follows from their names, so that they are the same everywhere.
    """
    if os.environ.get("QPRUNE_SOAK"):
        return
    long = {item for item in items if item.get_closest_marker("soak") or _is_left_out(item)}
    if long:
        config.hook.pytest_deselected(items=[item for item in items if item in long])
        items[:] = [item for item in items if item not in long]


def _is_left_out(item: pytest.Item) -> bool:
    """One in n variants of a test marked `thinned(n)` stays, beside the first."""
    mark = item.get_closest_marker("thinned")
    if mark is None:
        return False
    (share,), variants = mark.args, SEEN.setdefault(item.nodeid.partition("[")[0], [])
    variants.append(item.nodeid)
    return len(variants) > 1 and bool(crc32(item.nodeid.encode()) % share)


@pytest.fixture
def without_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of circuits take most of the time of writing a result; fixtures of modules still have them."""
    monkeypatch.setattr(import_module(STORE), "save_drawings", lambda *_: None)


@pytest.fixture
def without_pages(without_drawings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor pages, where only what is read back matters."""
    monkeypatch.setattr(import_module(STORE), "report", lambda *_, **__: None)
