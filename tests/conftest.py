"""What every test file shares."""

from __future__ import annotations

import os
from secrets import randbelow

import pytest

pytest_plugins = ["pytester"]
SOAK_SEED = "QPRUNE_SOAK_SEED"  # first seed of the soak's fresh slice; set, the slice is that one


def pytest_configure(config: pytest.Config) -> None:
    """Draw the slice before worker processes start, so that all of them know the same."""
    os.environ.setdefault(SOAK_SEED, str(randbelow(10**9)))


def pytest_report_header(config: pytest.Config) -> str:
    return f"soak: {SOAK_SEED}={os.environ[SOAK_SEED]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long property runs are deselected unless `make soak` says how many cases (QPRUNE_SOAK)."""
    if os.environ.get("QPRUNE_SOAK"):
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
