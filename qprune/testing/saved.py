"""Saved results as tests of pytest, one each. Loaded by `pytest_qprune` where pytest is told of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qprune.results.manifest import CERTIFICATE
from qprune.testing.assertions import assert_holds


class SavedResult(pytest.Item):
    """Verifies what one folder holds."""

    folder: Path

    def runtest(self) -> None:
        assert_holds(self.folder)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The claim that does not hold; how qprune came to it is of no interest."""
        if excinfo.errisinstance(AssertionError):
            return f"{self.folder}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.folder, None, f"qprune result {self.name}"


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test per saved result under the folders that were named."""
    for root in folders(config):
        if not root.is_dir():
            raise pytest.UsageError(f"--qprune-results: there is no folder {root}")
        for certificate in sorted(root.rglob(CERTIFICATE)):
            item = SavedResult.from_parent(session, name=f"qprune::{certificate.parent.relative_to(root.parent)}")
            item.folder = certificate.parent
            items.append(item)


def folders(config: pytest.Config) -> list[Path]:
    """Those of the command line from where pytest was started, those of the configuration from where that lies."""
    asked = [config.invocation_params.dir / name for name in config.getoption("qprune_results")]
    return asked + [config.rootpath / name for name in config.getini("qprune_results")]
