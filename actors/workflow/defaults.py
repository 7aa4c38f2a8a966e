"""What an installation gives to every new workflow that does not say otherwise. (WDEF-1.)

A workflow's own fields win, then those of the template it is made of, then these. They become part of the object with
its first write, so a later change of the installation does not reach a workflow that runs; of one made of a template
they are part of the spec that its status keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.merging import merged_specs
from runtime.objects import Object


def with_defaults(spec: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A spec over the installation's; `templates` of the same name are not mixed."""
    under = defaults.get("spec") or {}
    if not under:
        return dict(spec)
    result = merged_specs(dict(spec), {key: value for key, value in under.items() if key != "templates"})
    known = {template.get("name") for template in spec.get("templates") or ()}
    more = [template for template in under.get("templates") or () if template.get("name") not in known]
    if more:
        result["templates"] = [*(spec.get("templates") or ()), *more]
    return result


def completed(workflow: Object, spec: dict[str, Any] | None, defaults: Mapping[str, Any]) -> Object:
    """A workflow as it is once the installation's metadata is added to it, and with the `spec` it runs by, if it has
    one of its own."""
    meta, under = workflow["metadata"], defaults.get("metadata") or {}
    added = {
        field: {**{key: str(value) for key, value in under[field].items()}, **(meta.get(field) or {})}
        for field in ("labels", "annotations")
        if under.get(field)
    }
    own = {} if (workflow.get("spec") or {}).get("workflowTemplateRef") or spec is None else {"spec": spec}
    return {**workflow, "metadata": {**meta, **added}, **own}
