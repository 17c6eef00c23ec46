"""Points of a Pareto front that is not finished: each kept as it is found, read when the search goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

from qprune._files import check_place, tidy
from qprune.errors import QpruneError
from qprune.report.store import is_result, load, save
from qprune.results.result import PruneResult


class Unfinished:
    """The folder beside a front to come, of the same name with `.part` at its end.

    Args:
        front: Where the front is to be, once it is whole.

    Raises:
        BundleError: The folder holds something else, or nothing can be written there.
    """

    def __init__(self, front: Path) -> None:
        self.folder = front.with_name(f"{front.name}.part")
        if self.folder.is_dir():
            tidy(self.folder)
        check_place(self.folder, _holds_points, overwrite=True)

    @property
    def _points(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.is_dir() else []

    def read(self) -> list[PruneResult]:
        """The points that are there; a damaged one counts as not found."""
        found = []
        for path in self._points:
            try:
                found.append(load(path))
            except QpruneError:
                continue
        return found

    def keep(self, result: PruneResult) -> None:
        """Write a point, whole or not at all."""
        number = 1 + max((int(path.name) for path in self._points), default=-1)
        save(result, self.folder / f"{number:02d}", drawings=False)

    def discard(self) -> None:
        """To be called once the front is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _holds_points(folder: Path) -> bool:
    return all(path.name.isdecimal() and is_result(path) for path in folder.iterdir())
