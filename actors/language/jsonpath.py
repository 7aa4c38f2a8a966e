"""A JSONPath finds values in JSON: `$.a[0].b`, `$.list[*].name`, `$..id`, `$.list[?(@.age > 3)]`.

A path that can only mean one value gives it, and is an error when it is not there; a path with a wildcard, a slice,
a filter or `..` gives a list, perhaps an empty one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from actors.language.jsontext import loads
from actors.language.path_filter import Filter, parse_filter

DEPTH_MAX = 200


class PathError(ValueError):
    """A path that cannot be read, or that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Keys:
    """One or more names or indexes: `.a`, `['a','b']`, `[0]`, `[-1]`, `[0,2]`."""

    names: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """`[start:end:step]`."""

    start: int | None
    end: int | None
    step: int | None


@dataclass(frozen=True, slots=True)
class Every:
    """`*`."""


@dataclass(frozen=True, slots=True)
class Descend:
    """`..`: the value itself and all below it."""


@dataclass(frozen=True, slots=True)
class Where:
    """`[?(…)]`."""

    test: Filter


Step: TypeAlias = Keys | Cut | Every | Descend | Where


def query_text(text: str, path: str) -> Any:
    """Query JSON text. Raises ValueError when it is not JSON, PathError for the path."""
    return query(loads(text), path)


def query(value: Any, path: str) -> Any:
    """Query a value. Raises PathError."""
    steps = parse_path(path)
    if all(isinstance(step, Keys) and len(step.names) == 1 for step in steps):
        for step in steps:
            assert isinstance(step, Keys)
            found = list(_keyed(value, step.names))
            if not found:
                raise PathError(f"key: invalid token key '{step.names[0]}' not found in '{path}'")
            value = found[0]
        return value
    return select([value], steps, value)


def select(values: list[Any], steps: tuple[Step, ...], root: Any) -> list[Any]:
    """Follow steps from each value, and list where they lead; what is not there is left out."""
    for step in steps:
        values = [found for value in values for found in follow(value, step, root)]
    return values


def follow(value: Any, step: Step, root: Any) -> Iterator[Any]:
    """Follow one step from one value."""
    match step:
        case Keys(names=names):
            yield from _keyed(value, names)
        case Cut(start=start, end=end, step=by):
            if isinstance(value, list):
                yield from value[start:end:by]
        case Every():
            yield from children_of(value)
        case Descend():
            yield from _below(value, 0)
        case Where(test=test):
            yield from (child for child in children_of(value) if test.holds(child, root))


def children_of(value: Any) -> list[Any]:
    """List what is directly in a list, or in a map by the order of its keys."""
    if isinstance(value, list):
        return value
    return [value[key] for key in sorted(value)] if isinstance(value, Mapping) else []


def _below(value: Any, depth: int) -> Iterator[Any]:
    if depth > DEPTH_MAX:
        raise PathError(f"the value is nested deeper than {DEPTH_MAX} levels")
    yield value
    for child in children_of(value):
        if isinstance(child, (list, Mapping)):
            yield from _below(child, depth + 1)


def _keyed(value: Any, names: tuple[str | int, ...]) -> Iterator[Any]:
    for name in names:
        if isinstance(value, Mapping) and str(name) in value:
            yield value[str(name)]
        elif isinstance(value, list) and isinstance(name, int) and -len(value) <= name < len(value):
            yield value[name]
        elif isinstance(value, (list, str)) and name == "length":
            yield len(value)


@lru_cache(maxsize=1024)
def parse_path(path: str) -> tuple[Step, ...]:
    """Read a path that begins with `$` or `@`, or with nothing in its place. Raises PathError."""
    text = path.strip()
    reader = _Reader(path, text, 1 if text[:1] in {"$", "@"} else 0)
    return tuple(reader.steps())


class _Reader:
    """Reads one path from left to right."""

    def __init__(self, path: str, text: str, at: int) -> None:
        self._path = path
        self._text = text
        self._at = at

    def _fail(self, what: str) -> PathError:
        return PathError(f"invalid JSONPath selector '{self._path}': {what}")

    def steps(self) -> Iterator[Step]:
        while self._at < len(self._text):
            if self._text.startswith("..", self._at):
                self._at += 2
                yield Descend()
                if self._at < len(self._text) and self._text[self._at] != "[":
                    yield self._name()
            elif self._text[self._at] == ".":
                self._at += 1
                if self._text[self._at : self._at + 1] != "[":
                    yield self._name()
            elif self._text[self._at] == "[":
                yield self._bracket()
            elif self._at == 0:
                yield self._name()
            else:
                raise self._fail(f"unexpected '{self._text[self._at]}'")

    def _name(self) -> Step:
        out: list[str] = []
        while self._at < len(self._text) and self._text[self._at] not in ".[":
            if self._text[self._at] == "\\":  # kubectl's way to write a dot in a name
                self._at += 1
            out.append(self._text[self._at : self._at + 1])
            self._at += 1
        name = "".join(out).strip()
        if not name:
            raise self._fail("a name is missing")
        return Every() if name == "*" else Keys((name,))

    def _bracket(self) -> Step:
        end = closing(self._text, self._at)
        if end < 0:
            raise self._fail("a bracket is not closed")
        inner = self._text[self._at + 1 : end].strip()
        self._at = end + 1
        if inner == "*":
            return Every()
        if inner.startswith("?"):
            try:
                return Where(parse_filter(inner[1:].strip(), parse_path))
            except ValueError as error:
                raise self._fail(str(error)) from None
        if inner[:1] not in {"'", '"'} and ":" in inner:
            return self._cut(inner)
        return Keys(tuple(self._key(part.strip()) for part in split_outside_quotes(inner)))

    def _cut(self, inner: str) -> Cut:
        parts = [part.strip() for part in inner.split(":")]
        try:
            numbers = [int(part) if part else None for part in parts]
        except ValueError:
            raise self._fail(f"'{inner}' is not a slice") from None
        if len(numbers) > 3 or (len(numbers) == 3 and numbers[2] == 0):
            raise self._fail(f"'{inner}' is not a slice")
        return Cut(*numbers, *[None] * (3 - len(numbers)))

    def _key(self, text: str) -> str | int:
        if len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0]:
            return text[1:-1].replace(f"\\{text[0]}", text[0])
        try:
            return int(text)
        except ValueError:
            if text.isidentifier():
                return text
            raise self._fail(f"'{text}' is neither an index nor a quoted name") from None


def closing(text: str, start: int) -> int:
    """Find the bracket that closes the one at `start`, skipping quotes; -1 when there is none."""
    depth, quote = 0, ""
    at = start
    while at < len(text):
        character = text[at]
        if quote:
            at += character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return -1


def split_outside_quotes(text: str) -> list[str]:
    """Split at commas that are not inside quotes."""
    parts, quote = [""], ""
    for character in text:
        if character == "," and not quote:
            parts.append("")
            continue
        if character in "'\"" and quote in {"", character}:
            quote = "" if quote else character
        parts[-1] += character
    return parts
