"""The small JSONPath that printer columns use: dotted names, quoted names, indices, `[*]`, one kind of filter."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"\.?([A-Za-z_][\w\-/]*|\*)"  # .name
    r"|\.([A-Za-z_](?:[\w\-]|\\\.)*)"  # .na\.me
    r"|\[(-?\d+)\]"
    r"|\[\*\]"
    r"|\[['\"]([^'\"]+)['\"]\]"
    r"|\[\?\(@\.([\w.\-]+)\s*==\s*['\"]([^'\"]*)['\"]\)\]"
)


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[tuple[str, Any], ...]:
    steps: list[tuple[str, Any]] = []
    at = 0
    path = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    while at < len(path):
        escaped = re.compile(r"\.((?:[\w\-/]|\\\.)+)").match(path, at)
        found = escaped or _STEP.match(path, at)
        if found is None:
            return ()
        steps.append(_step(found) if found is not escaped else ("name", found[1].replace("\\.", ".")))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> tuple[str, Any]:
    name, escaped, index, quoted, filter_path, filter_value = found.groups()
    if index is not None:
        return "index", int(index)
    if filter_path is not None:
        return "filter", (filter_path, filter_value)
    if quoted is not None:
        return "name", quoted
    if name is None and escaped is None:
        return "all", None
    return "name", name if name is not None else escaped


def _apply(values: list[Any], step: tuple[str, Any]) -> list[Any]:
    kind, argument = step
    found: list[Any] = []
    for value in values:
        if (kind == "name" and isinstance(value, dict) and argument in value) or (
            kind == "index" and isinstance(value, list) and -len(value) <= argument < len(value)
        ):
            found.append(value[argument])
        elif kind == "all" and isinstance(value, list | dict):
            found.extend(value if isinstance(value, list) else value.values())
        elif kind == "filter" and isinstance(value, list):
            path, wanted = argument
            found.extend(item for item in value if [str(v) for v in find(item, f".{path}")] == [wanted])
    return found


def find(thing: Any, path: str) -> list[Any]:
    """All values at a path; empty when there is none or the path cannot be read."""
    steps = _steps(path)
    values = [thing] if steps else []
    for step in steps:
        values = _apply(values, step)
    return values
