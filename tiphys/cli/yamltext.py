"""YAML is read as Kubernetes reads it, and every value remembers its line.

Kubernetes turns YAML into JSON: keys are strings, times stay text, `1e3` is a number, `1:30` is text. A key given twice
is an error here, where most readers silently keep one of the two. Aliases may not blow a small file up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

from tiphys.cli.problems import InputError, Problem

VALUES_MAX: Final = 2_000_000
"""Values in one document after its aliases are expanded; more is an attack or a mistake, and is refused."""

DEPTH_MAX: Final = 200
"""Nesting of one document; deeper is refused before Python's own stack is in danger."""

Path: TypeAlias = tuple[str | int, ...]

_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary", "tag:yaml.org,2002:value")
_TRUE = ("y", "yes", "true", "on")
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_ALSO_NUMBERS = re.compile(r"[-+]?[0-9][0-9.]*[eE][-+]?[0-9]+|0o[0-7]+")  # text to PyYAML, numbers to Kubernetes
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?")


class Parsed(NamedTuple):
    """One document: its value, the line it begins on (from 1), and where its values stand."""

    value: Any
    line: int
    node: yaml.Node


def parse(text: str, source: str) -> Iterator[Parsed]:
    """Read all documents of a text; empty ones are left out. Raises InputError with file and line."""
    as_json = _as_json(text)
    if as_json is not None:
        yield as_json
        return
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for node in yaml.compose_all(text, Loader=loader):
            if node is None or (node.tag == _NULL and isinstance(node, yaml.ScalarNode)):
                continue
            reader = _Reader(source)
            reader.measure(node)
            yield Parsed(reader.value(node, 0), node.start_mark.line + 1, node)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = min(mark.line, text.rstrip().count("\n")) + 1 if mark else 0  # not beyond the last line that is there
        words = ", ".join(part for part in (e.problem, e.context) if part)
        raise InputError(Problem(f"this is not YAML: {words}", source, line)) from e
    except yaml.YAMLError as e:
        raise InputError(Problem(f"this is not YAML: {e}", source)) from e


def _as_json(text: str) -> Parsed | None:
    """A text in JSON that YAML would refuse for its escapes; None for any other. Its lines are not known."""
    if not text.lstrip().startswith("{") or "\\u" not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    begin = yaml.Mark("", 0, 0, 0, None, 0)
    return Parsed(value, 1, yaml.ScalarNode(_NULL, "", begin, begin))


def line_of(node: yaml.Node, path: Path) -> int:
    """The line of the value at `path`, or of its nearest ancestor that is written down."""
    return place_of(node, path)[0]


def place_of(node: yaml.Node, path: Path) -> tuple[int, int]:
    """Line and column (from 1) of the value at `path`, or of its nearest ancestor that is written down."""
    mark = node.start_mark
    for step in path:
        entry = _entry(node, step)
        if entry is None:
            break
        key, node = entry
        mark = key.start_mark
    return mark.line + 1, mark.column + 1


def path_of(text: str) -> Path:
    """Read a field path as validators write it: `spec.templates[0].container.args[1]`, `a['b.c']`."""
    steps: list[str | int] = []
    for found in re.finditer(r"\[(\d+)\]|\[['\"](.*?)['\"]\]|([^.\[\]]+)", text):
        number, quoted, plain = found.groups()
        steps.append(int(number) if number else quoted if quoted is not None else plain)
    return tuple(steps)


def _entry(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode):
        index = int(step) if str(step).isdecimal() else -1
        return (node.value[index], node.value[index]) if 0 <= index < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key, value
    return None


class _Reader:
    """Turns the nodes of one document into JSON values."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sizes: dict[int, int] = {}
        self.open: set[int] = set()

    def problem(self, node: yaml.Node, message: str) -> InputError:
        return InputError(Problem(message, self.source, node.start_mark.line + 1))

    def measure(self, node: yaml.Node, depth: int = 0) -> int:
        """Count the values below a node with aliases expanded. Raises InputError beyond the limits."""
        known = self.sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self.open:
            raise self.problem(node, "an alias refers to the value that it is part of")
        if depth > DEPTH_MAX:
            raise self.problem(node, f"nested deeper than {DEPTH_MAX} levels")
        self.open.add(id(node))
        size = 1
        if isinstance(node, yaml.MappingNode):
            size += sum(self.measure(key, depth + 1) + self.measure(value, depth + 1) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(self.measure(value, depth + 1) for value in node.value)
        if size > VALUES_MAX:
            raise self.problem(node, f"more than {VALUES_MAX} values when its aliases are expanded")
        self.open.discard(id(node))
        self.sizes[id(node)] = size
        return size

    def value(self, node: yaml.Node, depth: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(entry, depth + 1) for entry in node.value]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            name = self.key(key)
            if name in found:
                raise self.problem(key, f"the key {name!r} is given twice (first on line {lines[name]})")
            found[name] = self.value(value, depth + 1)
            lines[name] = key.start_mark.line + 1
        for other in merged:
            if not isinstance(other, yaml.MappingNode):
                raise self.problem(other, "`<<` merges mappings only")
            for name, value in self.mapping(other, depth + 1).items():
                found.setdefault(name, value)
        return found

    def key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.problem(node, "a key must be text (a value that begins with { needs quotes)")
        value = self.scalar(node)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        return "null" if value is None else str(value)

    def scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        plain = getattr(node, "style", None) in (None, "")
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() in _TRUE
        if node.tag in (_INT, _FLOAT):
            return _number(text)
        if node.tag in _TEXT:
            return _number(text) if plain and _ALSO_NUMBERS.fullmatch(text) else text
        raise self.problem(node, f"the tag {node.tag} means nothing to Kubernetes")


def _number(text: str) -> Any:
    """A plain scalar as the number it looks like; as the text it is when it looks like none."""
    if _INTEGER.fullmatch(text):
        digits = text.replace("_", "")
        sign = -1 if digits.startswith("-") else 1
        digits = digits.lstrip("+-")
        octal = re.fullmatch(r"0[0-7]+", digits)
        return sign * (int(digits, 8) if octal else int(digits, 0))
    if _NUMBER.fullmatch(text):
        value = float(text.replace("_", ""))
        return value if value not in (float("inf"), float("-inf")) else text
    return text
