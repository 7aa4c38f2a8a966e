"""A node field selector picks nodes: `displayName=approve,phase!=Succeeded`.

The keys are those that upstream's command line knows; an unknown one is refused with the list of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from actors.operations.refusal import Refusal

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
_PART = re.compile(r"(?:[^,\\]|\\.)+")  # a comma or a backslash that belongs to a value stands behind a backslash
_ESCAPED = re.compile(r"\\([,=\\])")


class Term(NamedTuple):
    """One comparison of a selector."""

    key: str
    equal: bool
    value: str


def parse(selector: str) -> list[Term]:
    """The comparisons of a selector, all of which must hold. Raises Refusal for what is none."""
    terms = []
    for part in _PART.findall(selector):
        found = _TERM.fullmatch(part)
        if found is None:
            raise Refusal(f"node field selector {part!r}: expected key=value or key!=value")
        key, operator, value = found.groups()
        if key not in KEYS and not _PARAMETER.fullmatch(key):
            raise Refusal(f"node field selector: unknown key {key!r}; known are {', '.join(KEYS)}")
        terms.append(Term(key, operator != "!=", _ESCAPED.sub(r"\1", value)))
    return terms


def matches(node: Mapping[str, Any], terms: Sequence[Term]) -> bool:
    """Whether a node passes every comparison."""
    return all((_field(node, term.key) == term.value) == term.equal for term in terms)


def _field(node: Mapping[str, Any], key: str) -> str:
    parameter = _PARAMETER.fullmatch(key)
    if parameter:
        inputs = node.get("inputs")
        entries = inputs.get("parameters") if isinstance(inputs, Mapping) else None
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and entry.get("name") == parameter[1]:
                return str(entry.get("value", ""))
        return ""
    if key == "templateName" and node.get("templateRef"):  # as upstream: the name that it has where it stands
        key = "templateRef.template"
    first, _, second = key.partition(".")
    inner = node.get(first)
    found = inner.get(second) if second and isinstance(inner, Mapping) else inner
    return found if isinstance(found, str) else ""
