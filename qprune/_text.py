"""Text for people: tables in aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def aligned(rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = (), rule: bool = False) -> list[str]:
    """Rows of equally many cells as lines in columns, two spaces apart.

    Args:
        rows: Cells as text, the header first.
        numbers: Columns that are flushed right; the others are flushed left.
        rule: Whether a line of dashes follows the header.
    """
    widths, right = [max(map(len, column)) for column in zip(*rows, strict=True)], set(numbers)
    lines = [
        "  ".join(
            cell.rjust(width) if j in right else cell.ljust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [*lines[:1], "  ".join("-" * width for width in widths), *lines[1:]] if rule else lines
