"""A template that is in the cluster becomes a Workflow: `submit --from workflowtemplate/build`."""

from __future__ import annotations

import time
from typing import Final

from actors.cron.child import submitted_manifest
from actors.names import timestamps
from runtime.api import Api
from runtime.objects import Object, Reference
from tiphys.cli.documents import Document
from tiphys.cli.kinds import CLUSTER_WORKFLOW_TEMPLATES, CRON_WORKFLOWS, WORKFLOW_TEMPLATES, WORKFLOWS
from tiphys.cli.problems import InputError

ORIGINS: Final = {
    "workflowtemplate": WORKFLOW_TEMPLATES,
    "wftmpl": WORKFLOW_TEMPLATES,
    "clusterworkflowtemplate": CLUSTER_WORKFLOW_TEMPLATES,
    "cwft": CLUSTER_WORKFLOW_TEMPLATES,
    "cronworkflow": CRON_WORKFLOWS,
    "cronwf": CRON_WORKFLOWS,
}
LABELS: Final = {
    WORKFLOW_TEMPLATES: "workflows.argoproj.io/workflow-template",
    CLUSTER_WORKFLOW_TEMPLATES: "workflows.argoproj.io/cluster-workflow-template",
}


def origin(text: str, namespace: str) -> Reference:
    """Read KIND/NAME. Raises InputError for a kind that nothing can be submitted from."""
    kind, slash, name = text.partition("/")
    resource = ORIGINS.get(kind.lower())
    if not slash or not name or resource is None:
        raise InputError(f"--from {text!r}: expected KIND/NAME with KIND one of {', '.join(ORIGINS)}")
    return Reference(resource, namespace if resource.namespaced else "", name)


def moment(text: str) -> str:
    """The time that a run stands for, as it was given. Raises InputError for what is no time."""
    try:
        if text:
            timestamps.seconds(text)
    except ValueError as e:
        raise InputError(f"--scheduled-time {text!r}: expected a time such as 2006-01-02T15:04:05-07:00") from e
    return text


def workflow_of(template: Object, ref: Reference) -> Object:
    """The Workflow that runs a template by reference, or is a run of a CronWorkflow."""
    if ref.resource == CRON_WORKFLOWS:
        return submitted_manifest(template, time.time())
    cluster = {} if ref.resource.namespaced else {"clusterScope": True}
    spec = {"workflowTemplateRef": {"name": ref.name, **cluster}}
    meta = {"generateName": f"{ref.name}-", "labels": {LABELS[ref.resource]: ref.name}}
    return {"apiVersion": WORKFLOWS.api_version, "kind": WORKFLOWS.kind, "metadata": meta, "spec": spec}


async def from_template(api: Api, namespace: str, text: str) -> Document:
    """The document of a Workflow that runs KIND/NAME. Raises Gone when there is no such template."""
    ref = origin(text, namespace)
    return Document(workflow_of(await api.get(ref), ref), WORKFLOWS, f"--from {text}", 0)
