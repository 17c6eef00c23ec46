"""Lines on the screen for whoever watches long work."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm.auto import tqdm

SILENT = 3.0  # seconds before a line is shown


def is_shown(progress: bool | None) -> bool:
    """Whether to show progress: as was asked, or else where a person watches, on a terminal or in a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules if progress is None else progress


def bar(what: str, unit: str, shown: bool, *, of: Iterable[Any] | None = None, total: int | None = None) -> tqdm:
    """A bar on stderr that appears once work has taken seconds, and vanishes at its end.

    Args:
        what: Is being done.
        unit: Of the work.
        shown: Whether to show it at all.
        of: What to go through; without it call `update`.
        total: How much there is, where `of` does not say.
    """
    from tqdm.auto import tqdm

    return tqdm(of, total=total, desc=what, unit=unit, delay=SILENT, leave=False, disable=not shown)
