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
    """A template and where it stands. `reference` is the call's templateRef, `name` what pod names use.

    One that is `sought` is not known yet: the workflow's actor has to be asked for it."""

    template: dict[str, Any]
    name: str
    scope: str
    reference: dict[str, Any] | None = None
    sought: bool = False


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
    """All templates of one workflow, by scope and name. Filled before the first node starts; what only the running
    workflow can name is added by the workflow's actor, everybody else only reads."""

    local_scope: str
    defaults: Mapping[str, Any] | None = None
    scopes: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)  # scopes of objects that were read in this life: nothing is missing
    kept: set[str] = field(default_factory=set)  # scope/name of templates that the status keeps

    def add(self, scope: str, templates: list[dict[str, Any]]) -> None:
        """Make the templates of an object known under its scope."""
        self.scopes[scope] = {entry.get("name", ""): entry for entry in templates}

    def resolve(self, call: Mapping[str, Any], scope: str) -> Resolved:
        """What `template`, `templateRef` or `inline` of a step, task or hook means. Raises TemplateNotFound."""
        inline = call.get("inline")
        if inline is not None:
            return Resolved(with_defaults(inline, self.defaults), "", scope)
        name, where, reference = _named(call, scope)
        return Resolved(with_defaults(self._find(where, name), self.defaults), name, where, reference)

    def resolve_or_seek(self, call: Mapping[str, Any], scope: str) -> Resolved:
        """Likewise, of a call that is about to be made: what of another object the status does not keep is sought."""
        name, where, reference = _named(call, scope)
        if call.get("inline") is not None or where == self.local_scope or self.keeps(where, name):
            return self.resolve(call, scope)
        return Resolved({}, name, where, reference, sought=True)

    def keeps(self, scope: str, name: str) -> bool:
        """Whether a template of another object is known, and kept by the status."""
        return f"{scope}/{name}" in self.kept and name in self.scopes.get(scope, {})

    def _find(self, scope: str, name: str) -> dict[str, Any]:
        templates = self.scopes.get(scope)
        if templates is None:
            raise TemplateNotFound(absent(scope))
        if name not in templates:
            if scope == self.local_scope:
                raise TemplateNotFound(f'template "{name}" not found in {scope}')
            raise TemplateNotFound(f"template {name} not found in workflow template {scope.partition('/')[2]}")
        return templates[name]


def _named(call: Mapping[str, Any], scope: str) -> tuple[str, str, dict[str, Any] | None]:
    """Which template a call names, in which scope, and by which reference."""
    reference = call.get("templateRef")
    if not reference:
        return str(call.get("template") or ""), scope, None
    where = Source(reference.get("name", ""), bool(reference.get("clusterScope"))).scope
    return str(reference.get("template") or ""), where, dict(reference)


def absent(scope: str) -> str:
    """What is said of an object that is not there, of either kind."""
    return f"workflow template {scope.partition('/')[2]} not found"


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
    calls += hooks_of(spec)
    references = [call["templateRef"] for call in calls if call.get("templateRef") and not is_named_later(call)]
    return {Source(ref.get("name", ""), bool(ref.get("clusterScope"))) for ref in references}


def hooks_of(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The calls that a workflow's own hooks are."""
    return [hook for hook in (spec.get("hooks") or {}).values() if isinstance(hook, dict)]


def is_named_later(call: Mapping[str, Any]) -> bool:
    """Whether only the running workflow knows whose template a call means."""
    return "{{" in str((call.get("templateRef") or {}).get("name") or "")
