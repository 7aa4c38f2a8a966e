"""Versions compare by semantic versioning; a constraint is `>=1.2 <2`, `^1.2`, `~1.2`, `1.x`, `1.2 - 2`, with `||`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from actors.language.faults import Fault

_VERSION = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-.]+)?", re.ASCII
)
_CONSTRAINT = re.compile(
    r"\s*(=|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-.]+)?\s*,?\s*",
    re.ASCII,
)
_RANGE = re.compile(r"(\S+)\s+-\s+(\S+)")
_Numbers = tuple[int, int, int]


class Version(NamedTuple):
    """A version; missing parts are 0, build metadata is left out."""

    numbers: _Numbers
    pre: tuple[str, ...]

    @property
    def key(self) -> tuple[_Numbers, bool, list[tuple[bool, int, str]]]:
        """A key that sorts versions: a pre-release before its release, numbers before words."""
        parts = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.pre]
        return self.numbers, not self.pre, parts


def parse_version(text: str) -> Version:
    """Read a version. Raises Fault."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise Fault("Invalid Semantic Version")
    major, minor, patch, pre = found.groups()
    return Version((int(major), int(minor or 0), int(patch or 0)), tuple(pre.split(".")) if pre else ())


def satisfies(constraint: str, version: str) -> bool:
    """Tell whether a version meets a constraint. Raises Fault when either cannot be read."""
    alternatives = _constraint(constraint)
    parsed = parse_version(version)
    return any(all(test(parsed) for test in tests) for tests in alternatives)


_Test = Callable[[Version], bool]


@lru_cache(maxsize=256)
def _constraint(text: str) -> tuple[tuple[_Test, ...], ...]:
    return tuple(tuple(_tests(part, text)) for part in text.split("||"))


def _tests(part: str, whole: str) -> list[_Test]:
    part = _RANGE.sub(r">=\1 <=\2", part)
    tests: list[_Test] = []
    at = 0
    while at < len(part):
        found = _CONSTRAINT.match(part, at)
        if found is None or found.end() == at:
            if not part[at:].strip():
                break
            raise Fault(f"improper constraint: {whole}")
        tests.append(_test(*found.groups()))
        at = found.end()
    if not tests:
        raise Fault(f"improper constraint: {whole}")
    return tests


def _test(operator: str | None, major: str, minor: str | None, patch: str | None, pre: str | None) -> _Test:
    """Make one test; `free` is the first of the three numbers that the constraint leaves open."""
    numbers: list[int] = []
    for part in (major, minor, patch):
        if part is None or part in "xX*":
            break
        numbers.append(int(part))
    free = len(numbers)
    low = Version((*numbers, 0, 0, 0)[:3], tuple(pre.split(".")) if pre else ())  # type: ignore[arg-type]
    compare = _OPERATORS[operator or ""]

    def test(version: Version) -> bool:
        if version.pre and not low.pre and operator != "!=":
            return False  # a pre-release is only meant where the constraint names one
        return compare(version, low, free)

    return test


def _below(version: Version, low: Version, digits: int) -> bool:
    """Tell whether a version shares the first `digits` numbers with the constraint."""
    return version.numbers[:digits] == low.numbers[:digits]


def _caret(version: Version, low: Version, free: int) -> bool:
    fixed = next((index for index, number in enumerate(low.numbers[:free]) if number), max(0, free - 1))
    return version.key >= low.key and _below(version, low, fixed + 1 if free else 0)


def _tilde(version: Version, low: Version, free: int) -> bool:
    return version.key >= low.key and _below(version, low, min(2, free))


def _equal(version: Version, low: Version, free: int) -> bool:
    return _tilde(version, low, free) if free < 3 else version.key == low.key


_OPERATORS: dict[str, Callable[[Version, Version, int], bool]] = {
    "": _equal,
    "=": _equal,
    "!=": lambda v, low, free: not _below(v, low, free) if free < 3 else v.key != low.key,
    ">": lambda v, low, free: v.key > low.key and not (free < 3 and _below(v, low, free)),
    "<": lambda v, low, _free: v.key < low.key,
    ">=": lambda v, low, _free: v.key >= low.key,
    "=>": lambda v, low, _free: v.key >= low.key,
    "<=": lambda v, low, free: v.key <= low.key or (free < 3 and _below(v, low, free)),
    "=<": lambda v, low, free: v.key <= low.key or (free < 3 and _below(v, low, free)),
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
