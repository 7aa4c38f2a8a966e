"""Which template a call means: by name in its scope, by reference to another object, or written in place.

A scope is where names are looked up: `local/<workflow>`, `namespaced/<WorkflowTemplate>`,
`cluster/<ClusterWorkflowTemplate>`.
A template found by reference is looked up, and looks up, in that object's scope. (WFT-1, WFT-2, TDEF-1, TMPL-11.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.merging import merged

TEMPLATE_TYPES = (
    "container", "containerSet", "steps", "dag", "script", "resource", "data", "suspend", "http", "plugin",
)  # fmt: skip
"""In the order that decides when a template has several by mistake."""

POD_TYPES = frozenset({"container", "containerSet", "script", "resource", "data"})

NODE_TYPES = {
    "container": "Pod", "containerSet": "Pod", "script": "Pod", "resource": "Pod", "data": "Pod",
    "steps": "Steps", "dag": "DAG", "suspend": "Suspend", "http": "HTTP", "plugin": "Plugin",
}  # fmt: skip


class TemplateNotFound(Exception):
    """A call names a template that is not there; the text says which and where it was looked for."""


class Source(NamedTuple):
    """Another object that holds templates."""

    name: str
    cluster: bool = False

    @property
    def scope(self) -> str:
        """As `status.nodes[].templateScope` writes it."""
        return f"{'cluster' if self.cluster else 'namespaced'}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A template and where it stands. `reference` is the call's templateRef, `name` what pod names use."""

    template: dict[str, Any]
    name: str
    scope: str
    reference: dict[str, Any] | None = None


def template_type(template: Mapping[str, Any]) -> str:
    """The type section that decides; empty when there is none: a list of no steps counts as none."""
    return next((kind for kind in TEMPLATE_TYPES if template.get(kind) not in (None, [])), "")


def with_defaults(template: dict[str, Any], defaults: Mapping[str, Any] | None) -> dict[str, Any]:
    """`spec.templateDefaults` under a template; sections of another type do not apply (TDEF-1)."""
    if not defaults:
        return template
    foreign = set(TEMPLATE_TYPES) - {template_type(template)}
    applicable = {key: value for key, value in defaults.items() if key not in foreign and key != "name"}
    if template_type(template) not in POD_TYPES:
        applicable.pop("timeout", None)  # only leaves may have one
        applicable.pop("activeDeadlineSeconds", None)
    result: dict[str, Any] = merged(template, applicable)
    return result


def shared_templates(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The templates of an object that others refer to: of its spec they bring along `podMetadata`, below what a
    template says itself of its pods (WFT-1)."""
    metadata = spec.get("podMetadata") or {}
    under = {field: metadata[field] for field in ("labels", "annotations") if metadata.get(field)}
    own: list[dict[str, Any]] = spec.get("templates") or []
    return [{**entry, "metadata": merged(entry.get("metadata"), under)} for entry in own] if under else own


@dataclass
class TemplateLibrary:
    """All templates of one workflow, by scope and name. Filled before the first node starts, then only read."""

    local_scope: str
    defaults: Mapping[str, Any] | None = None
    scopes: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, scope: str, templates: list[dict[str, Any]]) -> None:
        """Make the templates of an object known under its scope."""
        self.scopes[scope] = {entry.get("name", ""): entry for entry in templates}

    def resolve(self, call: Mapping[str, Any], scope: str) -> Resolved:
        """What `template`, `templateRef` or `inline` of a step, task or hook means. Raises TemplateNotFound."""
        inline = call.get("inline")
        if inline is not None:
            return Resolved(with_defaults(inline, self.defaults), "", scope)
        reference = call.get("templateRef")
        if reference:
            where = Source(reference.get("name", ""), bool(reference.get("clusterScope"))).scope
            name = reference.get("template", "")
            return Resolved(with_defaults(self._find(where, name), self.defaults), name, where, dict(reference))
        name = call.get("template") or ""
        return Resolved(with_defaults(self._find(scope, name), self.defaults), name, scope)

    def _find(self, scope: str, name: str) -> dict[str, Any]:
        templates = self.scopes.get(scope)
        if templates is None:
            kind, _, owner = scope.partition("/")
            what = "ClusterWorkflowTemplate" if kind == "cluster" else "WorkflowTemplate"
            raise TemplateNotFound(f'{what} "{owner}" not found')
        if name not in templates:
            raise TemplateNotFound(f'template "{name}" not found in {scope}')
        return templates[name]


def calls_in(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every call that a template makes: steps, tasks, their hooks, and those of inline templates."""
    steps = [step for group in template.get("steps") or () for step in group if isinstance(step, dict)]
    tasks = (template.get("dag") or {}).get("tasks") or ()
    for call in [*steps, *tasks]:
        yield call
        yield from (call.get("hooks") or {}).values()
        if call.get("onExit"):
            yield {"template": call["onExit"]}
        if isinstance(call.get("inline"), dict):
            yield from calls_in(call["inline"])


def sources_of(spec: Mapping[str, Any]) -> set[Source]:
    """The other objects whose templates a spec calls directly (theirs may call further ones)."""
    calls = [call for template in spec.get("templates") or () for call in calls_in(template)]
    calls += [hook for hook in (spec.get("hooks") or {}).values() if isinstance(hook, dict)]
    references = [call["templateRef"] for call in calls if call.get("templateRef")]
    return {Source(ref.get("name", ""), bool(ref.get("clusterScope"))) for ref in references}
