"""Sets of completion indexes as the status writes them: "1,3-5,7". Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice


def parsed(text: str) -> set[int]:
    """The indexes of a text such as "1,3-5"."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def written(indexes: Collection[int]) -> str:
    """The text, with runs of three or more in short and pairs spelled out."""
    parts: list[str] = []
    for first, last in _runs(sorted(indexes)):
        if last == first:
            parts.append(str(first))
        elif last == first + 1:
            parts += [str(first), str(last)]
        else:
            parts.append(f"{first}-{last}")
    return ",".join(parts)


def _runs(ordered: list[int]) -> Iterator[tuple[int, int]]:
    start = previous = None
    for index in ordered:
        if previous is None or index != previous + 1:
            if start is not None and previous is not None:
                yield start, previous
            start = index
        previous = index
    if start is not None and previous is not None:
        yield start, previous


def first_pending(completions: int, unavailable: Collection[int | None], wanted: int) -> list[int]:
    """The lowest `wanted` indexes that are neither done nor being worked on."""
    return list(islice((index for index in range(completions) if index not in unavailable), wanted))
