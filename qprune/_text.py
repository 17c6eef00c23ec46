"""Text for people: tables in aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from html import escape


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


def html_table(rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> str:
    """The same as a table of HTML, for notebooks; cells are escaped.

    Args:
        rows: As in `aligned`.
        numbers: As in `aligned`.
    """
    right = set(numbers)

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ("right" if j in right else "left" for j in range(len(cells)))
        told = zip(sides, cells, strict=True)
        return "".join(f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>' for side, cell in told)

    head, *body = rows
    lines = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in body)
    return f"<table><thead><tr>{row(head, 'th')}</tr></thead><tbody>{lines}</tbody></table>"


def at_most(value: float, digits: int = 3) -> str:
    """An upper limit in few digits, rounded up: what is printed is still a limit.

    Example:
        >>> at_most(0.01993342)
        '0.02'
        >>> at_most(0.0500001), at_most(0.05), at_most(0.0)
        ('0.0501', '0.05', '0')
    """
    return f"{_rounded(value, digits, ROUND_CEILING):.{digits}g}"


def rounded_down(value: float, digits: int) -> float:
    """A number in few digits, none larger than it.

    Example:
        >>> rounded_down(0.08799, 2)
        0.087
    """
    return _rounded(value, digits, ROUND_FLOOR)


def _rounded(value: float, digits: int, rounding: str) -> float:
    return float(Context(prec=digits, rounding=rounding).create_decimal(Decimal(repr(float(value)))))
