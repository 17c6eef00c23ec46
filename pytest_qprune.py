"""pytest's option --qprune-results.

A module of its own, as pytest imports it wherever qprune is installed: the package is loaded only where it is used.
"""

from __future__ import annotations

import pytest

HELP = "verify every saved qprune result under this folder, one test each; may be given several times"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("qprune").addoption(
        "--qprune-results", dest="qprune_results", action="append", default=[], metavar="FOLDER", help=HELP
    )
    parser.addini("qprune_results", HELP.partition(",")[0], type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("qprune_results") or config.getini("qprune_results"):
        config.pluginmanager.import_plugin("qprune.testing.saved")
