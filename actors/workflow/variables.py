"""`workflow.*`: what every template of a workflow may refer to. (Variable table: global.)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.language.gotext import quoted
from actors.language.jsontext import dumps, dumps_records, parameter_text, parameters_text
from actors.messages import NodeStatus
from actors.names import ids, labels
from actors.names.config_maps import lacking
from actors.names.timestamps import creation_variables, seconds
from runtime.objects import Object

FAILURE = ("displayName", "message", "templateName", "phase", "podName", "finishedAt")
"""The fields of a failed node, in the order in which upstream writes them."""


class MissingValue(ValueError):
    """A workflow argument has no value; the text is the workflow's message."""


def workflow_variables(
    workflow: Object, spec: Mapping[str, Any], config: Mapping[str, Mapping[str, str] | None]
) -> dict[str, Any]:
    """The global variables when a workflow starts. `config` has the ConfigMaps its arguments come from.

    Raises MissingValue."""
    meta = workflow["metadata"]
    values: dict[str, Any] = {
        "workflow.name": meta["name"],
        "workflow.namespace": meta.get("namespace", ""),
        "workflow.uid": meta.get("uid", ""),
        "workflow.mainEntrypoint": spec.get("entrypoint") or "",
        "workflow.serviceAccountName": spec.get("serviceAccountName") or "",
        "workflow.status": "Running",
        "workflow.duration": "0.000000",
    }
    if spec.get("priority") is not None:
        values["workflow.priority"] = str(spec["priority"])
    scheduled = (meta.get("annotations") or {}).get(labels.SCHEDULED_TIME)
    if scheduled:
        values["workflow.scheduledTime"] = scheduled
    if meta.get("creationTimestamp"):
        values |= creation_variables("workflow.creationTimestamp", seconds(meta["creationTimestamp"]))
    for kind in ("labels", "annotations"):
        entries = meta.get(kind) or {}
        values |= {f"workflow.{kind}.{key}": value for key, value in entries.items()}
        values[f"workflow.{kind}"] = values[f"workflow.{kind}.json"] = dumps(entries or None)
    parameters = [argument(entry, config) for entry in (spec.get("arguments") or {}).get("parameters") or ()]
    values |= {f"workflow.parameters.{entry['name']}": entry["value"] for entry in parameters}
    values["workflow.parameters"] = values["workflow.parameters.json"] = parameters_text(parameters)
    return values


def before_labelling(values: Mapping[str, Any], added: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables as long as what `workflowMetadata` computes is not known: what it writes plainly is known, and
    goes before what the workflow is labelled with."""
    computed = {f"workflow.labels.{key}" for key in added.get("labelsFrom") or ()}
    plain = {
        f"workflow.{kind}.{key}": str(value)
        for kind in ("labels", "annotations")
        for key, value in (added.get(kind) or {}).items()
        if "{{" not in str(value)
    }
    return {key: value for key, value in {**values, **plain}.items() if key not in computed}


def argument(entry: Mapping[str, Any], config: Mapping[str, Mapping[str, str] | None]) -> dict[str, Any]:
    """One workflow argument with its value: its own, a ConfigMap's or what stands in for that, its default (PARAM-3).

    Raises MissingValue."""
    name = entry["name"]
    if entry.get("value") is not None:
        return {**entry, "value": parameter_text(entry["value"])}
    source = entry.get("valueFrom") or {}
    key = source.get("configMapKeyRef")
    if key:
        found = (config.get(key.get("name", "")) or {}).get(key.get("key", ""))
        if found is not None:
            return {"name": name, "value": found}
    for default in (source.get("default"), None if key else entry.get("default")):
        if default is not None:
            return {**entry, "value": parameter_text(default)}
    if key:
        where = f"configmap with name {key.get('name')} and key {key.get('key')}"
        why = lacking(key.get("name"), key.get("key"), config.get(key.get("name", "")))
        raise MissingValue(
            f"failed to set global parameters: failed to set global parameter {name} from {where}: {why}"
        )
    if source:  # whoever was to supply it has not
        why = f"either value or valueFrom must be specified in order to set global parameter {name}"
        raise MissingValue(f"failed to set global parameters: {why}")
    raise MissingValue(f"invalid spec: spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required")


def failures(nodes: Sequence[NodeStatus], workflow: str) -> str:
    """`workflow.failures`: what failed, as quoted JSON text (consumers decode twice); `"null"` for none."""
    found = [
        {
            "displayName": node.display_name,
            "message": node.message,
            "templateName": template,
            "phase": node.phase,
            "podName": ids.pod_name(workflow, node.name, template),
            "finishedAt": node.finished_at,
        }
        for node in nodes
        if node.failed
        for template in [node.template_name or (node.template_ref or {}).get("template", "")]
    ]
    return quoted(dumps_records(found, FAILURE) if found else "null")
