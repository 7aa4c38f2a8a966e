"""A tag resolves where its name is known: globals everywhere, inputs in their template, nodes after they ended.

Only tags of the families below are judged. Other double braces belong to somebody else (Jinja, Helm) and pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.language.tags import in_json, tags_in
from actors.workflow.validation.findings import Findings, Json, Place, entries, mapping, text

FAMILIES = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
GLOBALS = (
    "workflow.name",
    "workflow.namespace",
    "workflow.uid",
    "workflow.mainEntrypoint",
    "workflow.serviceAccountName",
    "workflow.status",
    "workflow.parameters",
    "workflow.parameters.json",
    "workflow.annotations",
    "workflow.annotations.json",
    "workflow.labels",
    "workflow.labels.json",
)
# Known only to a run, in several spellings; outputs are a metric's own, or paths that the template itself declares.
RUN_TIME = ("workflow.creationTimestamp", "workflow.scheduledTime", "workflow.duration", "outputs.")
OF_EVERY_NODE = frozenset({"id", "status", "startedAt", "finishedAt", "hostNodeName"})
POD_TYPES = ("container", "script", "containerSet", "resource", "data")
LEAF_TYPES = (*POD_TYPES, "http", "plugin")  # those that upstream means by it: suspend is none
COMPOSITE_TYPES = ("steps", "dag")
TYPES = ("container", "containerSet", "steps", "script", "dag", "resource", "data", "suspend", "http", "plugin")


class Node(NamedTuple):
    """A step or task that others may refer to; its template is None when only the run knows it."""

    template: Json | None
    looped: bool


def type_of(template: Json) -> str:
    """The kind of work that a template does; empty when it says none."""
    return next((kind for kind in TYPES if template.get(kind) is not None), "")


def spoken(kind: str) -> str:
    """A kind of work as upstream's sentences call it."""
    return {"containerSet": "ContainerSet", "dag": "DAG", "http": "HTTP"}.get(kind, kind.capitalize())


def has_result(template: Json) -> bool:
    """Whether nodes of a template have a result and an exit code."""
    if type_of(template) == "containerSet":
        return any(each.get("name") == "main" for each in entries(template["containerSet"], "containers"))
    return type_of(template) in ("container", "script", "data", "http", "plugin")


def node_has(node: Node, what: str) -> bool:
    """Whether a node has such a value: `status`, `outputs.parameters.x`, …"""
    template = node.template
    if template is None or what in OF_EVERY_NODE:
        return True
    if what == "ip":
        return bool(template.get("daemon"))
    if what in ("exitCode", "outputs.result"):
        return has_result(template)
    if what == "outputs.parameters":
        return node.looped
    outputs = mapping(template.get("outputs"))
    return any(
        what.removeprefix(prefix) == text(entry.get("name"))
        for prefix, kind in (("outputs.parameters.", "parameters"), ("outputs.artifacts.", "artifacts"))
        if what.startswith(prefix)
        for entry in entries(outputs, kind)
    )


@dataclass(frozen=True)
class Scope:
    """What tags may name in one place; what the enclosing place knows, an inline template knows too."""

    names: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = RUN_TIME
    family: str = ""  # steps or tasks
    visible: Callable[[str], Node | None] = field(default=lambda _: None)
    outer: Scope | None = None

    def resolves(self, name: str) -> bool:
        """Whether a tag of this name resolves here."""
        if name in self.names or name.startswith(self.prefixes) or name in ("steps.name", "tasks.name"):
            return True
        family, _, rest = name.partition(".")
        if family == self.family:
            node_name, _, what = rest.partition(".")
            if (node := self.visible(node_name)) is not None and node_has(node, what):
                return True
        return self.outer is not None and self.outer.resolves(name)


def unresolved(tree: Any, scope: Scope) -> Iterator[tuple[str, str]]:
    """Every tag that does not resolve, as written, with the path of its string; a tag around another one is left to
    the run."""
    for tag in tags_in(tree):
        written = tag.written.rpartition("{{")[2]
        name = written.strip()
        if not tag.is_expression and name.startswith(FAMILIES) and not scope.resolves(name):
            yield written, tag.path


def judge_tags(findings: Findings, place: Place, tree: Any, scope: Scope) -> None:
    """Report every tag of a tree that does not resolve."""
    for written, path in unresolved(tree, scope):
        where = Place(place.names, f"{place.path}.{path}" if path else place.path)
        findings.error(where, f"failed to resolve {{{{{in_json(written)}}}}}")


def of_inputs(template: Json) -> frozenset[str]:
    """The names that a template's own inputs, and its pod, give."""
    inputs = mapping(template.get("inputs"))
    names = {f"inputs.parameters.{text(entry.get('name'))}" for entry in entries(inputs, "parameters")}
    names |= {f"inputs.artifacts.{text(entry.get('name'))}" for entry in entries(inputs, "artifacts")}
    if inputs.get("parameters"):
        names.add("inputs.parameters")
    if type_of(template) in LEAF_TYPES:
        names |= {f"inputs.artifacts.{text(entry.get('name'))}.path" for entry in entries(inputs, "artifacts")}
    if type_of(template) in POD_TYPES:
        names.add("pod.name")
    return frozenset(names)


def of_items(call: Json) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names, and the beginnings of names, that the loop of a call gives."""
    if call.get("withParam"):
        return frozenset({"item"}), ("item.",)
    items = call.get("withItems") or ()
    if any(isinstance(item, list) for item in items):
        return frozenset({"item"}), ("item.",)
    keys = frozenset(f"item.{key}" for item in items if isinstance(item, Mapping) for key in item)
    return keys | {"item"}, ()
