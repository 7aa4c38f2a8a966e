"""Columns line up by what a terminal shows, not by how many characters a text has.

Pure: no terminal is asked. Wide letters and emoji take two cells, combining marks none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GAP = "  "


def width(text: str) -> int:
    """How many cells a terminal uses for the text."""
    if text.isascii():
        return len(text)
    return sum(_cells(c) for c in text)


def _cells(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1


def fit(text: str, cells: int) -> str:
    """The text cut to so many cells, with an ellipsis where it was cut."""
    if width(text) <= cells:
        return text
    kept, used = [], 0
    for c in text:
        used += _cells(c)
        if used > cells - 1:
            break
        kept.append(c)
    return "".join(kept) + "…" if cells > 0 else ""


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their columns side by side; columns that are empty everywhere vanish, trailing blanks too."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    lines = []
    for row in rows:
        cells = [cell + " " * (widths[at] - width(cell)) for at, cell in enumerate(row) if widths[at]]
        lines.append(GAP.join(cells).rstrip())
    return lines
