"""A template that is in the cluster becomes a Workflow: `submit --from workflowtemplate/build`."""

from __future__ import annotations

import time
from typing import Final

from actors.cron.child import submitted_manifest
from actors.eventbinding.submission import TemplateRef, by_reference
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
    return by_reference(TemplateRef(ref.name, not ref.resource.namespaced))


async def from_template(api: Api, namespace: str, text: str) -> Document:
    """The document of a Workflow that runs KIND/NAME. Raises Gone when there is no such template."""
    ref = origin(text, namespace)
    return Document(workflow_of(await api.get(ref), ref), WORKFLOWS, f"--from {text}", 0)
