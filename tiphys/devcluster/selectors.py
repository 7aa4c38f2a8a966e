"""A selector in Kubernetes' syntax becomes a predicate, or an error that quotes the word it stumbled over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from runtime.objects import Object
from tiphys.devcluster import errors

Matches: TypeAlias = Callable[[Object], bool]

_TOKEN = re.compile(r"\s*(==|!=|=|!|\(|\)|,|>|<|[^\s=!(),<>]+)")
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")


class Requirement(NamedTuple):
    """One comma-separated part of a label selector."""

    key: str
    operator: str  # "exists", "!", "in", "notin", "=", "!=", ">", "<"
    values: frozenset[str] = frozenset()

    def met_by(self, labels: Mapping[str, str]) -> bool:
        """True when these labels satisfy the requirement."""
        have = labels.get(self.key)
        if self.operator in ("in", "="):
            return have is not None and have in self.values
        if self.operator in ("notin", "!="):
            return have is None or have not in self.values
        if self.operator == "exists":
            return have is not None
        if self.operator == "!":
            return have is None
        return self._compares(have)

    def _compares(self, have: str | None) -> bool:
        try:
            left, right = int(have or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return left > right if self.operator == ">" else left < right


class _Tokens:
    """The words of a selector, read one at a time."""

    __slots__ = ("_at", "_words")

    def __init__(self, text: str) -> None:
        self._words = _TOKEN.findall(text)
        self._at = 0

    @property
    def next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self) -> str:
        word = self.next
        self._at += 1
        return word


def _unparsable(found: str, expected: str) -> Exception:
    return errors.bad_request(f"unable to parse requirement: found '{found}', expected: {expected}")


def _values(tokens: _Tokens) -> Iterator[str]:
    if tokens.take() != "(":
        raise _unparsable(tokens.next, "'('")
    expect_value = True
    while True:
        word = tokens.take()
        if word == ")":
            if expect_value:
                yield ""
            return
        if word == ",":
            if expect_value:
                yield ""
            expect_value = True
        elif not word:
            raise _unparsable("", "',' or ')'")
        else:
            yield word
            expect_value = False


def _requirement(tokens: _Tokens) -> Requirement:
    if tokens.next == "!":
        tokens.take()
        return Requirement(tokens.take(), "!")
    key = tokens.take()
    if tokens.next in ("", ","):
        return Requirement(key, "exists")
    operator = tokens.take()
    if operator in ("in", "notin"):
        return Requirement(key, operator, frozenset(_values(tokens)))
    if operator in ("=", "==", "!=", ">", "<"):
        value = "" if tokens.next in ("", ",") else tokens.take()
        return Requirement(key, "=" if operator == "==" else operator, frozenset((value,)))
    raise _unparsable(operator, ", ".join(_OPERATORS))


@lru_cache(maxsize=1024)
def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The requirements of a label selector. Raises Refused (400) as Kubernetes words it."""
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    while tokens.next:
        requirements.append(_requirement(tokens))
        if tokens.next and tokens.take() != ",":
            raise _unparsable(tokens.next, "',' or 'end of string'")
    return tuple(requirements)


class FieldRequirement(NamedTuple):
    """One part of a field selector: the path must (not) have the value."""

    path: str
    equal: bool
    value: str


@lru_cache(maxsize=4096)
def parse_fields(text: str) -> tuple[FieldRequirement, ...]:
    """The parts of a field selector. Raises Refused (400)."""
    parts: list[FieldRequirement] = []
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        found = re.match(r"([^=!]+)(==|!=|=)(.*)", term)
        if found is None:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        value = re.sub(r"\\([\\,=])", r"\1", found[3])
        parts.append(FieldRequirement(found[1], found[2] != "!=", value))
    return tuple(parts)


def field_text(thing: Object, path: str) -> str:
    """The value at a dotted path as selectors compare it; empty when absent."""
    value: Any = thing
    for part in path.split("."):
        if not isinstance(value, dict):
            return ""
        value = value.get(part)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def matcher(
    labels: str, fields: str, selectable: frozenset[str], found_at: Mapping[str, tuple[str, str]] = MappingProxyType({})
) -> Matches | None:
    """The predicate of both selectors; None when everything matches. Raises Refused for what cannot be selected by.

    `found_at` says where a selectable path is really found, and what it is when it is absent."""
    wanted = parse_labels(labels)
    conditions = parse_fields(fields)
    for condition in conditions:
        if condition.path not in selectable:
            raise errors.bad_request(f"field label not supported: {condition.path}")
    if not wanted and not conditions:
        return None

    places = [(*found_at.get(path, (path, "")), equal, value) for path, equal, value in conditions]

    def matches(thing: Object) -> bool:
        have = thing["metadata"].get("labels") or {}
        if not all(requirement.met_by(have) for requirement in wanted):
            return False
        return all(((field_text(thing, path) or absent) == value) is equal for path, absent, equal, value in places)

    return matches


def selector_matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """True when a LabelSelector object (matchLabels, matchExpressions) selects these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    for expression in selector.get("matchExpressions") or ():
        operator = operators[expression["operator"]]
        if not Requirement(expression["key"], operator, frozenset(expression.get("values") or ())).met_by(labels):
            return False
    return True


def selector_text(selector: Object) -> str:
    """A LabelSelector object in the text form that `kubectl -l` takes."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        terms.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[expression["operator"]]
        )
    return ",".join(terms)
