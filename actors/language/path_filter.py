"""The test in a JSONPath filter: `@.age > 3 && @.name == "x"`, or just `@.name` for what has one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from actors.language.regex import RegexError, compile_regex

_TOKEN = re.compile(
    r"""\s*(?:(?P<operator>&&|\|\||==|!=|<=|>=|=~|<|>|!|\(|\))|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<word>true|false|null|nil)\b|(?P<path>[@$])"""
    r"""|/(?P<pattern>(?:[^/\\]|\\.)+)/)\s*"""
)
_PATH_END = re.compile(r"""(?:\.\.?[\w*-]+|\[(?:"[^"]*"|'[^']*'|[^\]"'])*\])*""")
_WORDS = {"true": True, "false": False, "null": None, "nil": None}
NESTING_MAX = 50

_Test: TypeAlias = Callable[[Any, Any], Any]
_Paths: TypeAlias = Callable[[str], tuple[Any, ...]]
_ABSENT = object()


class Filter:
    """A compiled test."""

    __slots__ = ("_test",)

    def __init__(self, test: _Test) -> None:
        self._test = test

    def holds(self, element: Any, root: Any) -> bool:
        """Tell whether an element passes; what is not there passes only when negated."""
        return _truth(self._test(element, root))


def _truth(value: Any) -> bool:
    return value is not _ABSENT and value is not None and value is not False


def parse_filter(text: str, paths: _Paths) -> Filter:
    """Read the test behind `?`; `paths` reads the paths in it. Raises ValueError."""
    reader = _Reader(text, paths)
    test = reader.either()
    reader.end()
    return Filter(test)


class _Reader:
    """Reads one test from left to right."""

    def __init__(self, text: str, paths: _Paths) -> None:
        self._text = text
        self._paths = paths
        self._at = 0
        self._depth = 0

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _take(self, *operators: str) -> str:
        found = self._peek()
        if found is None or found.group("operator") not in operators:
            return ""
        self._at = found.end()
        return found.group("operator")

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise ValueError(f"unexpected '{self._text[self._at :].strip()}' in a filter")

    def either(self) -> _Test:
        left = self._both()
        while self._take("||"):
            left = _or(left, self._both())
        return left

    def _both(self) -> _Test:
        left = self._comparison()
        while self._take("&&"):
            left = _and(left, self._comparison())
        return left

    def _comparison(self) -> _Test:
        left = self._operand()
        operator = self._take("==", "!=", "<=", ">=", "<", ">", "=~")
        return _compare(operator, left, self._operand()) if operator else left

    def _operand(self) -> _Test:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise ValueError(f"a filter is nested deeper than {NESTING_MAX} levels")
        try:
            if self._take("!"):
                inner = self._operand()
                return lambda element, root: not _truth(inner(element, root))
            if self._take("("):
                inner = self.either()
                if not self._take(")"):
                    raise ValueError("a parenthesis in a filter is not closed")
                return inner
            return self._value()
        finally:
            self._depth -= 1

    def _value(self) -> _Test:
        found = self._peek()
        if found is None or found.group("operator"):
            raise ValueError(f"a value is missing in the filter '{self._text}'")
        if found.group("path"):
            return self._path(found)
        self._at = found.end()
        value: Any
        if found.group("text"):
            value = re.sub(r"\\(.)", r"\1", found.group("text")[1:-1])
        elif found.group("pattern"):
            value = found.group("pattern")
        elif found.group("number"):
            value = float(found.group("number"))
        else:
            value = _WORDS[found.group("word")]
        return lambda _element, _root: value

    def _path(self, found: re.Match[str]) -> _Test:
        start = found.start("path")
        end = _PATH_END.match(self._text, start + 1)
        self._at = end.end() if end else start + 1
        steps = self._paths(self._text[start : self._at])
        from_root = found.group("path") == "$"
        return lambda element, root: _first(root if from_root else element, steps, root)


def _first(value: Any, steps: tuple[Any, ...], root: Any) -> Any:
    from actors.language.jsonpath import select  # noqa: PLC0415  paths hold filters and filters hold paths

    found = select([value], steps, root)
    return found[0] if found else _ABSENT


def _or(left: _Test, right: _Test) -> _Test:
    return lambda element, root: _truth(left(element, root)) or _truth(right(element, root))


def _and(left: _Test, right: _Test) -> _Test:
    return lambda element, root: _truth(left(element, root)) and _truth(right(element, root))


def _compare(operator: str, left: _Test, right: _Test) -> _Test:
    return lambda element, root: _verdict(operator, left(element, root), right(element, root))


def _verdict(operator: str, a: Any, b: Any) -> bool:
    if a is _ABSENT or b is _ABSENT:
        return operator == "!=" and a is not b
    if operator in {"==", "!="}:
        return _same(a, b) is (operator == "==")
    if operator == "=~":
        return isinstance(a, str) and isinstance(b, str) and _found(a, b)
    if not _comparable(a, b):
        return False
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator])


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (Mapping, list)) != isinstance(b, (Mapping, list)):
        return False
    return bool(a == b)


def _comparable(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    return numbers or (isinstance(a, str) and isinstance(b, str))


def _found(text: str, pattern: str) -> bool:
    try:
        return compile_regex(pattern).search(text) is not None
    except RegexError as error:
        raise ValueError(str(error)) from None
