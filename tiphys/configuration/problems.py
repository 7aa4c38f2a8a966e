"""What is wrong with a configuration, and the one type of value that it has beside YAML's own."""

from __future__ import annotations

from actors.names.durations import parse_duration


class BadConfiguration(ValueError):
    """A configuration that cannot be used; each of `problems` names a key and the remedy."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("; ".join(found))
        self.problems = found


def problems_of(error: BaseException) -> list[str]:
    """The problems in a tree of exceptions."""
    if isinstance(error, BaseExceptionGroup):
        return [problem for inner in error.exceptions for problem in problems_of(inner)]
    return error.problems if isinstance(error, BadConfiguration) else [str(error)]


def duration_s(text: str) -> float:
    """Seconds of a duration: `90s`, `1h30m`, also `2d`. Raises ValueError."""
    if text.endswith("d") and text[:-1].isdecimal():
        return int(text[:-1]) * 86400.0
    return parse_duration(text)
