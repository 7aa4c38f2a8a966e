"""A gjson path finds one value: `status.conditions.0.type`, `items.#.name`, `items.#(name=="x").value`.

What users write in conditions: names (a dot in one is `\\.`), indexes, `*` and `?` in names, `#` for the length or all
elements, and queries on lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Any, NamedTuple

from actors.language.jsontext import dumps, number_text

ABSENT: Any = object()
_QUERY = re.compile(r"#\((?P<inner>.*)\)(?P<all>#?)", re.DOTALL)
_TEST = re.compile(r"\s*(?P<path>[^=!<>%]*?)\s*(?:(?P<operator>==|!=|<=|>=|!%|=|<|>|%)\s*(?P<value>.*))?", re.DOTALL)
PATH_PARTS_MAX = 100


class Part(NamedTuple):
    """One part of a path, and whether it may hold wildcards."""

    text: str
    is_pattern: bool


def lookup(value: Any, path: str) -> Any:
    """Find the value at a path; ABSENT when there is none."""
    return _follow(value, _parts(path))


def text_of(value: Any) -> str:
    """Write a found value as text: a string as it is, null as nothing, everything else as JSON."""
    if value is ABSENT or value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number_text(value)
    return dumps(value, html=False)


@lru_cache(maxsize=1024)
def _parts(path: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    current: list[str] = []
    pattern, depth, escaped = False, 0, False
    for character in path:
        if escaped:
            current.append(character)
            escaped = False
        elif character == "\\" and not depth:
            escaped = True
        elif character in ".|" and not depth:
            parts.append(Part("".join(current), pattern))
            current, pattern = [], False
        else:
            depth += (character == "(") - (character == ")")
            pattern = pattern or (character in "*?" and not depth)
            current.append(character)
    parts.append(Part("".join(current), pattern))
    return tuple(parts[:PATH_PARTS_MAX])


def _follow(value: Any, parts: tuple[Part, ...]) -> Any:
    for index, part in enumerate(parts):
        if isinstance(value, list):
            if part.text.startswith("#"):
                return _many(value, part.text, parts[index + 1 :])
            value = value[int(part.text)] if part.text.isdecimal() and int(part.text) < len(value) else ABSENT
        elif isinstance(value, Mapping):
            value = _entry(value, part)
        else:
            return ABSENT
        if value is ABSENT:
            return ABSENT
    return value


def _entry(value: Mapping[str, Any], part: Part) -> Any:
    if not part.is_pattern:
        return value.get(part.text, ABSENT)
    wanted = re.compile(translate(part.text))
    return next((entry for key, entry in value.items() if wanted.match(key)), ABSENT)


def _many(value: list[Any], text: str, rest: tuple[Part, ...]) -> Any:
    if text == "#":
        if not rest:
            return len(value)
        found = (_follow(element, rest) for element in value)
        return [each for each in found if each is not ABSENT]
    query = _QUERY.fullmatch(text)
    if query is None:
        return ABSENT
    passing = [element for element in value if _passes(element, query.group("inner"))]
    if query.group("all"):
        return _follow(passing, (Part("#", False), *rest)) if rest else passing
    return _follow(passing[0], rest) if passing else ABSENT


def _passes(element: Any, test: str) -> bool:
    found = _TEST.fullmatch(test)
    if found is None:
        return False
    path, operator, wanted = found.group("path"), found.group("operator"), found.group("value")
    actual = lookup(element, path) if path else element
    if operator is None or actual is ABSENT:
        return actual is not ABSENT and operator is None
    text = wanted.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return isinstance(actual, str) and _compare(actual, operator, text[1:-1])
    if isinstance(actual, (int, float)) and not isinstance(actual, bool):
        try:
            return _compare(float(actual), operator, float(text))
        except ValueError:
            return False
    return _compare(text_of(actual), operator, text)


def _compare(actual: Any, operator: str, wanted: Any) -> bool:
    if operator in {"%", "!%"}:
        matched = re.match(translate(str(wanted)), str(actual)) is not None
        return matched is (operator == "%")
    verdicts = {"<": actual < wanted, "<=": actual <= wanted, ">": actual > wanted, ">=": actual >= wanted}
    if operator in verdicts:
        return bool(verdicts[operator])
    return bool(actual == wanted) is (operator != "!=")
