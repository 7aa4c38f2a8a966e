"""A node-field-selector picks nodes: `displayName=approve,phase!=Succeeded`.

Pure; the keys are those that upstream's command line knows, and an unknown one is an error that lists them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from tiphys.cli.nodes import Node, text
from tiphys.cli.problems import InputError

KEYS: Final = (
    "displayName",
    "templateName",
    "templateRef.name",
    "templateRef.template",
    "phase",
    "name",
    "id",
    "inputs.parameters.<name>.value",
)
_TERM = re.compile(r"\s*([^=!\s]+?)\s*(==|=|!=)\s*(.*?)\s*")
_PARAMETER = re.compile(r"inputs\.parameters\.(.+)\.value")


class Term(NamedTuple):
    """One comparison of a selector."""

    key: str
    equal: bool
    value: str


def parse(selector: str) -> list[Term]:
    """The comparisons of a selector, all of which must hold. Raises InputError for what is none."""
    terms = []
    for part in filter(None, selector.split(",")):
        found = _TERM.fullmatch(part)
        if found is None:
            raise InputError(f"node field selector {part!r}: expected key=value or key!=value")
        key, operator, value = found.groups()
        if key not in KEYS and not _PARAMETER.fullmatch(key):
            raise InputError(f"node field selector: unknown key {key!r}; known are {', '.join(KEYS)}")
        terms.append(Term(key, operator != "!=", value))
    return terms


def matches(node: Node, terms: list[Term]) -> bool:
    """Whether a node passes every comparison."""
    return all((_field(node, term.key) == term.value) == term.equal for term in terms)


def _field(node: Node, key: str) -> str:
    parameter = _PARAMETER.fullmatch(key)
    if parameter:
        inputs = node.get("inputs")
        entries = inputs.get("parameters") if isinstance(inputs, Mapping) else None
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and entry.get("name") == parameter[1]:
                return str(entry.get("value", ""))
        return ""
    first, _, second = key.partition(".")
    if second:
        inner = node.get(first)
        return text(inner, second) if isinstance(inner, Mapping) else ""
    return text(node, first)
