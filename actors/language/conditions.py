"""A resource condition is a label selector whose labels are paths into an object: `status.succeeded > 2, kind == Job`.

Commas mean AND. Values compare as text, with `>` and `<` as integers; a path that leads nowhere does not match, except
that it is different from everything (`!=`, `notin`, `!`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from actors.language.gjson import ABSENT, lookup, text_of

_TOKEN = re.compile(r"\s*(?:(==|!=|=|>|<|,|\(|\)|!)|([^\s,()=!<>]+))")
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_LISTS = frozenset({"in", "notin"})


class ConditionError(ValueError):
    """A condition that is no selector."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One comparison of a condition."""

    path: str
    operator: str  # exists, !, =, ==, !=, in, notin, >, <
    values: tuple[str, ...]

    def matches(self, thing: Any) -> bool:
        """Tell whether an object meets the requirement."""
        value = lookup(thing, self.path)
        absent = value is ABSENT
        if self.operator == "exists":
            return not absent
        if self.operator == "!":
            return absent
        text = text_of(value)
        if self.operator in {"=", "==", "in"}:
            return not absent and text in self.values
        if self.operator in {"!=", "notin"}:
            return absent or text not in self.values
        return not absent and self._ordered(text)

    def _ordered(self, text: str) -> bool:
        if not _INTEGER.fullmatch(text):
            return False
        return int(text) > int(self.values[0]) if self.operator == ">" else int(text) < int(self.values[0])

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.path
        if self.operator == "!":
            return f"!{self.path}"
        if self.operator in _LISTS:
            return f"{self.path} {self.operator} ({','.join(sorted(self.values))})"
        return f"{self.path}{self.operator}{self.values[0]}"


def matches(condition: str, thing: Any) -> bool:
    """Tell whether an object meets every requirement of a condition. Raises ConditionError."""
    return all(requirement.matches(thing) for requirement in parse_condition(condition))


def failing(condition: str, thing: Any) -> Requirement | None:
    """Give the first requirement of a failure condition that an object meets: each one alone means failure.

    Raises ConditionError.
    """
    return next((each for each in parse_condition(condition) if each.matches(thing)), None)


@lru_cache(maxsize=1024)
def parse_condition(condition: str) -> tuple[Requirement, ...]:
    """Read a condition; an empty one has no requirements. Raises ConditionError naming the place."""
    reader = _Reader(condition)
    found: list[Requirement] = []
    while not reader.at_end():
        if found:
            reader.expect(",")
        found.append(reader.requirement())
    return tuple(found)


class _Reader:
    """Reads one condition from left to right."""

    def __init__(self, condition: str) -> None:
        self._condition = condition
        self._tokens = _tokens(condition)
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def _fail(self, what: str) -> ConditionError:
        return ConditionError(f"unable to parse condition '{self._condition}': {what}")

    def _next(self, wanted: str) -> tuple[str, bool]:
        if self.at_end():
            raise self._fail(f"{wanted} is missing at the end")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _peek(self) -> str:
        return "" if self.at_end() else self._tokens[self._at][0]

    def expect(self, symbol: str) -> None:
        found, is_symbol = self._next(f"'{symbol}'")
        if not is_symbol or found != symbol:
            raise self._fail(f"found '{found}', expected: '{symbol}'")

    def _word(self, wanted: str) -> str:
        found, is_symbol = self._next(wanted)
        if is_symbol:
            raise self._fail(f"found '{found}', expected: {wanted}")
        return found

    def requirement(self) -> Requirement:
        if self._peek() == "!":
            self._at += 1
            return Requirement(self._word("a path"), "!", ())
        path = self._word("a path")
        if self._peek() in {"", ","}:
            return Requirement(path, "exists", ())
        operator, _ = self._next("an operator")
        if operator in _LISTS:
            return Requirement(path, operator, self._values())
        if operator not in {"=", "==", "!=", ">", "<"}:
            raise self._fail(f"found '{operator}', expected: in, notin, =, ==, !=, >, <")
        value = "" if self._peek() in {"", ","} else self._word("a value")
        if operator in {">", "<"} and not _INTEGER.fullmatch(value):
            raise self._fail(f"for '{operator}' the value must be an integer, not '{value}'")
        return Requirement(path, operator, (value,))

    def _values(self) -> tuple[str, ...]:
        self.expect("(")
        values: list[str] = []
        while self._peek() != ")":
            if values:
                self.expect(",")
            values.append("" if self._peek() in {",", ")"} else self._word("a value"))
        self.expect(")")
        return tuple(values)


def _tokens(condition: str) -> list[tuple[str, bool]]:
    tokens: list[tuple[str, bool]] = []
    at = 0
    while at < len(condition):
        found = _TOKEN.match(condition, at)
        if found is None:
            break
        tokens.append((found.group(1) or found.group(2), found.group(1) is not None))
        at = found.end()
    return tokens
