"""What the API server has left out of a pod that it made is told in an Event: nothing else would say so. (POD-4, 5)

A server that does not have a feature drops its fields and makes the pod without them.
"""

from __future__ import annotations

from actors.kube_events import Said, event
from actors.names.resources import WORKFLOW
from runtime.messages import Address, Command
from runtime.objects import Object, Reference, Resource

WORKFLOWS = Resource(*WORKFLOW)
COMPONENT = "workflow-controller"  # what tools that read upstream's Events look for
RESOURCES = (
    "the API server dropped podResources; the PodLevelResources feature gate (beta since Kubernetes v1.34) is not "
    "enabled on this cluster"
)
CLAIMS = (
    "the API server dropped resourceClaims; check that the DynamicResourceAllocation feature gate is enabled on this "
    "cluster and that no admission webhook removed the field"
)
_WATCHED = (("resources", "PodLevelResourcesDropped", RESOURCES), ("resourceClaims", "ResourceClaimsDropped", CLAIMS))


def dropped(workflow: Address, wished: Object, made: Object, now: float) -> list[Command]:
    """The Events about a pod that was wished for and the one that was made."""
    about = Reference(WORKFLOWS, workflow.namespace, workflow.name, workflow.uid)
    name = wished["metadata"]["name"]
    return [
        event(about, Said(reason, f'pod "{name}": {text}', warning=True), now, COMPONENT)
        for field, reason, text in _WATCHED
        if wished["spec"].get(field) and not (made.get("spec") or {}).get(field)
    ]
