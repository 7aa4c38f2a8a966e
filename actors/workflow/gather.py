"""What has to be read before a workflow can start, and the spec that results: pure, asked again after every answer.

References are snapshots: what was used first is in the status and is never read again. (WFT-1, WFT-2, REPO-1..3,
PARAM-3.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actors.merging import merged, merged_specs
from actors.names.resources import CLUSTER_WORKFLOW_TEMPLATE, WORKFLOW_TEMPLATE
from actors.templates import Source, TemplateLibrary, calls_in, hooks_of, is_named_later, shared_templates, sources_of
from actors.workflow import repositories
from actors.workflow.defaults import with_defaults
from runtime.objects import CONFIGMAPS, Object, Reference, Resource

TEMPLATES = Resource(*WORKFLOW_TEMPLATE)
CLUSTER_TEMPLATES = Resource(*CLUSTER_WORKFLOW_TEMPLATE)

Found = Mapping[Reference, Object | None]
NOTHING: Mapping[str, Any] = {}


def executed_spec(
    workflow: Object, found: Found, defaults: Mapping[str, Any] = NOTHING, *, anew: bool = False
) -> dict[str, Any] | None:
    """The workflow's spec over the one it refers to, over the installation's `defaults`.

    None while what it refers to is not read, {} when that does not exist. `anew`: whatever the status has kept."""
    spec: dict[str, Any] = workflow.get("spec") or {}
    reference = spec.get("workflowTemplateRef")
    if not reference:
        return with_defaults(spec, defaults)
    stored = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec")
    if stored is None or anew:
        ref = template_of(workflow)
        if ref not in found:
            return None
        template = found[ref]
        if template is None:
            return {}
        stored = with_defaults(template.get("spec") or {}, defaults)
    own = {key: value for key, value in spec.items() if key not in {"templates"}}
    result = merged_specs(own, {key: value for key, value in stored.items() if key != "workflowMetadata"})
    if stored.get("workflowMetadata"):
        result["workflowMetadata"] = merged(own.get("workflowMetadata"), stored["workflowMetadata"])
    return result


def template_of(workflow: Object) -> Reference:
    """The (cluster) workflow template that a workflow is made of."""
    reference = workflow["spec"]["workflowTemplateRef"]
    return template_reference(Source(reference.get("name", ""), bool(reference.get("clusterScope"))), workflow)


def template_reference(source: Source, workflow: Object) -> Reference:
    """Where a (cluster) workflow template is."""
    if source.cluster:
        return Reference(CLUSTER_TEMPLATES, "", source.name)
    return Reference(TEMPLATES, workflow["metadata"].get("namespace", ""), source.name)


def missing(
    workflow: Object, found: Found, defaults: Mapping[str, Any] = NOTHING, shared_namespace: str = ""
) -> list[Reference]:
    """What is still to be read."""
    spec = executed_spec(workflow, found, defaults)
    if spec is None:
        return [template_of(workflow)]
    wanted = [template_reference(source, workflow) for source in _sources(workflow, spec, found)]
    namespace = workflow["metadata"].get("namespace", "")
    wanted += [Reference(CONFIGMAPS, namespace, name) for name in argument_config_maps(spec)]
    if needs_repository(spec, workflow, found):
        wanted += repositories.config_maps(spec, workflow, found, shared_namespace)
    return [ref for ref in dict.fromkeys(wanted) if ref not in found]


def _sources(workflow: Object, spec: Mapping[str, Any], found: Found) -> Iterator[Source]:
    """Objects whose templates are called, and those that these call, as far as they are read."""
    open_sources = sorted(sources_of(spec))
    if not open_sources:
        return
    stored = stored_scopes(workflow)
    seen: set[Source] = set()
    while open_sources:
        source = open_sources.pop()
        if source in seen or source.scope in stored:
            continue
        seen.add(source)
        yield source
        template = found.get(template_reference(source, workflow))
        if template is not None:
            open_sources += sorted(sources_of(template.get("spec") or {}))


def stored_scopes(workflow: Object) -> dict[str, list[dict[str, Any]]]:
    """Templates of other objects as the status has kept them, by scope."""
    scopes: dict[str, list[dict[str, Any]]] = {}
    for key, template in ((workflow.get("status") or {}).get("storedTemplates") or {}).items():
        kind, _, rest = key.partition("/")
        owner = rest.rpartition("/")[0]
        if kind in {"namespaced", "cluster"} and "/" not in owner:  # an inline template is called by nobody else
            scopes.setdefault(f"{kind}/{owner}", []).append(template)
    return scopes


def library(workflow: Object, spec: Mapping[str, Any], found: Found) -> TemplateLibrary:
    """All templates that the workflow may call; those of a spec that it was given by reference have no owner's name."""
    local = "local/" if _merged_from(workflow) else f"local/{workflow['metadata']['name']}"
    result = TemplateLibrary(local, spec.get("templateDefaults"))
    result.add(local, spec.get("templates") or [])
    for scope, templates in stored_scopes(workflow).items():
        result.add(scope, templates)
    for source in _sources(workflow, spec, found):
        template = found.get(template_reference(source, workflow))
        if template is not None:
            result.add(source.scope, shared_templates(template.get("spec") or {}))
            result.whole.add(source.scope)
    return result


def _merged_from(workflow: Object) -> str:
    """The scope of the template that gives the workflow its spec; empty when it has its own."""
    reference = (workflow.get("spec") or {}).get("workflowTemplateRef")
    return Source(reference.get("name", ""), bool(reference.get("clusterScope"))).scope if reference else ""


def stored_templates(workflow: Object, templates: TemplateLibrary, spec: Mapping[str, Any]) -> dict[str, Any]:
    """`status.storedTemplates`: every template of another object that one of the spec's own reaches, by its owner;
    the spec's own as well, where another object gives them. What is there stays: the running workflow has named it."""
    stored: dict[str, Any] = dict((workflow.get("status") or {}).get("storedTemplates") or {})
    if not _merged_from(workflow) and len(templates.scopes) == 1:  # nothing but its own is known: that it has itself
        return stored
    own = [{"template": template.get("name")} for template in spec.get("templates") or ()]
    return stored | reached(workflow, templates, [(call, templates.local_scope) for call in [*own, *hooks_of(spec)]])


def reached(workflow: Object, templates: TemplateLibrary, calls: list[tuple[Mapping[str, Any], str]]) -> dict[str, Any]:
    """The templates that these calls, each made in its scope, lead to, as the status stores them."""
    stored: dict[str, Any] = {}
    merged_from = _merged_from(workflow)
    open_calls = list(calls)
    seen: set[tuple[str, str]] = set()
    while open_calls:
        call, scope = open_calls.pop()
        template, scope = _callee(templates, call, scope)
        if template is None or (scope, template.get("name", "")) in seen:
            continue
        seen.add((scope, template.get("name", "")))
        owner = merged_from if scope == templates.local_scope else scope
        if owner and template.get("name"):
            stored[f"{owner}/{template['name']}"] = template
            for inner in calls_in(template):
                if inner.get("inline"):
                    stored.setdefault(f"{owner}/inline/{inner.get('name', '')}", inner["inline"])
        open_calls += [(further, scope) for further in calls_in(template)]
    return stored


def _callee(templates: TemplateLibrary, call: Mapping[str, Any], scope: str) -> tuple[dict[str, Any] | None, str]:
    reference = call.get("templateRef")
    if reference:
        scope = Source(reference.get("name", ""), bool(reference.get("clusterScope"))).scope
        return templates.scopes.get(scope, {}).get(reference.get("template", "")), scope
    return templates.scopes.get(scope, {}).get(call.get("template") or ""), scope


def argument_config_maps(spec: Mapping[str, Any]) -> list[str]:
    """ConfigMaps that workflow arguments take their value from."""
    entries = (spec.get("arguments") or {}).get("parameters") or ()
    keys = [(entry.get("valueFrom") or {}).get("configMapKeyRef") for entry in entries if entry.get("value") is None]
    return [key["name"] for key in keys if key and key.get("name")]


# ---------------------------------------------------------------------------------------------- artifacts


def needs_repository(spec: Mapping[str, Any], workflow: Object, found: Found) -> bool:
    """Whether an artifact may need it, also of a template that is named later, or the workflow names it; a workflow
    that has begun has it in its status."""
    if (workflow.get("status") or {}).get("artifactRepositoryRef"):
        return False
    templates = [*(spec.get("templates") or ())]
    templates += [t for thing in found.values() if thing for t in (thing.get("spec") or {}).get("templates") or ()]
    named = spec.get("artifactRepositoryRef") is not None or spec.get("archiveLogs")
    calls = [*hooks_of(spec), *(call for template in templates for call in calls_in(template))]
    return bool(named) or any(map(is_named_later, calls)) or any(map(_uses_artifacts, templates))


def glanced_at(workflow: Object, found: Found, defaults: Mapping[str, Any] = NOTHING) -> Reference | None:
    """The ConfigMap of a workflow that has no need of a repository: the namespace's may archive all logs (REPO-4)."""
    spec = executed_spec(workflow, found, defaults)
    begun = (workflow.get("status") or {}).get("startedAt")
    ref = repositories.config_map(spec, workflow) if spec and not begun else None
    return None if ref is None or ref in found else ref


def _uses_artifacts(template: Mapping[str, Any]) -> bool:
    sides = (template.get("inputs") or {}, template.get("outputs") or {}, template.get("archiveLocation") or {})
    return any(side.get("artifacts") or side.get("archiveLogs") for side in sides)


def repository(
    spec: Mapping[str, Any],
    workflow: Object,
    found: Found,
    default: Mapping[str, Any] | None,
    shared_namespace: str = "",
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The repository for artifacts without a place of their own, and `status.artifactRepositoryRef` (REPO-1..3).

    Raises NoRepository."""
    recorded = (workflow.get("status") or {}).get("artifactRepositoryRef")
    if not recorded:
        recorded = repositories.resolved(spec, workflow, found, shared_namespace)
    if recorded:
        return recorded.get("artifactRepository"), recorded
    if default is None or not needs_repository(spec, workflow, found):
        return (dict(default) if default else None), None
    return dict(default), {"default": True, "artifactRepository": dict(default)}
