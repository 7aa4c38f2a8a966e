"""What upstream's tools read in a finished workflow, checked against upstream's formulas and its list of fields.

The formulas are written once more here, so that a mistake in the engine's own is a difference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Final, TypeAlias

from runtime.objects import Object


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


Node: TypeAlias = Mapping[str, Any]
STATUS: Final = _words("""
    phase startedAt finishedAt estimatedDuration progress message nodes compressedNodes offloadNodeStatusVersion
    storedTemplates storedWorkflowTemplateSpec persistentVolumeClaims outputs conditions resourcesDuration
    synchronization artifactRepositoryRef artifactGCStatus taskResultsCompletionStatus
""")
NODE: Final = _words("""
    id name displayName type templateName templateRef templateScope phase boundaryID message startedAt finishedAt
    estimatedDuration progress resourcesDuration podIP daemoned nodeFlag inputs outputs children outboundNodes
    hostNodeName memoizationStatus synchronizationStatus taskResultSynced failedPodRestarts restartingPodUID
""")
INSIDE: Final = {
    "nodeFlag": ("hooked", "retried"),
    "inputs": ("parameters", "artifacts"),
    "outputs": ("parameters", "artifacts", "result", "exitCode"),
    "memoizationStatus": ("hit", "key", "cacheName"),
    "synchronizationStatus": ("waiting",),
    "templateRef": ("name", "template", "clusterScope"),
}
TYPES: Final = _words("Pod Container Steps StepGroup DAG TaskGroup Retry Skipped Suspend HTTP Plugin")
CONDITIONS: Final = _words("Completed PodRunning SpecWarning SpecError MetricsError ArtifactGCError")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PROGRESS: Final = re.compile(r"\d+/\d+")
ELSEWHERE: Final = re.compile(r"(namespaced|cluster)/[^/]+")  # scopes that are not the workflow's own
NODE_NAME: Final = "workflows.argoproj.io/node-name"  # annotation of a pod
OWN_NAME: Final = "workflows.argoproj.io/display-name"  # annotation of a template
POD_PREFIX_MAX: Final = 242


def node_id(workflow: str, name: str) -> str:
    """The id of a node, by its name."""
    return workflow if name == workflow else f"{workflow}-{_hash(name)}"


def pod_name(workflow: str, name: str, template: str) -> str:
    """The name of a node's pod; `template` is empty for one that is written in place."""
    if name == workflow:
        return workflow
    prefix = f"{workflow}-{template}" if template else workflow
    return f"{prefix[:POD_PREFIX_MAX]}-{_hash(name)}"


def _hash(name: str) -> int:
    """FNV-1a of 32 bits."""
    found = 2166136261
    for byte in name.encode():
        found = (found ^ byte) * 16777619 % 2**32
    return found


def shown(name: str, boundary: str) -> str:
    """The display name of a node, by the name of its boundary, which is empty where it has none."""
    return re.sub(r"^(\[\d+\])?\.", "", name.removeprefix(boundary), count=1)


def deviations(workflow: Object, nodes: Mapping[str, Node]) -> Iterator[str]:
    """In what a finished workflow, whose nodes are these, is not what upstream's tools expect."""
    name, status = workflow["metadata"]["name"], workflow["status"]
    yield from _unknown("status", status, STATUS)
    yield from _times("status", status)
    conditions = {entry["type"]: entry.get("status") for entry in status.get("conditions") or ()}
    yield from _unknown("a condition", conditions, CONDITIONS)
    if conditions.get("Completed") != "True":
        yield f"its conditions are {conditions}"
    places = nodes if OWN_NAME not in str(workflow) else {}
    own = "local/" if "workflowTemplateRef" in workflow["spec"] else f"local/{name}"  # whose templates have no owner
    for key, node in nodes.items():
        found = chain(
            _node(name, key, node), _scope(node, own), _times("node", node), _place(node, nodes), _shown(node, places)
        )
        yield from (f"{node.get('name', key)}: {text}" for text in found)


def misnamed(pod: Object, workflow: str, template: str) -> Iterator[str]:
    """In what a pod is not named after its node, which `template` runs."""
    name = pod["metadata"]["annotations"][NODE_NAME]
    if pod["metadata"]["name"] != (wanted := pod_name(workflow, name, template)):
        yield f"the pod of {name} is called {pod['metadata']['name']}, not {wanted}"


def _node(workflow: str, key: str, node: Node) -> Iterator[str]:
    yield from _unknown("node", node, NODE)
    for part, fields in INSIDE.items():
        yield from _unknown(part, node.get(part) or {}, fields)
    id_ = node_id(workflow, node["name"])
    if (key, node.get("id")) != (id_, id_):
        yield f"it is kept as {key} with the id {node.get('id')}, not {id_}"
    if node["type"] not in TYPES:
        yield f"there is no type {node['type']}"


def _scope(node: Node, own: str) -> Iterator[str]:
    scope = node.get("templateScope", "")
    if scope != own and not ELSEWHERE.fullmatch(scope):
        yield f"its scope is {scope!r}"


def _place(node: Node, nodes: Mapping[str, Node]) -> Iterator[str]:
    boundary = nodes.get(node.get("boundaryID", ""), {})
    around = ("Pod",) if node["type"] == "Container" else ("Steps", "DAG", "Skipped")  # whose actor crashed at once
    if boundary and boundary["type"] not in around:
        yield f"its boundary {boundary['name']} is a {boundary['type']}"
    if not boundary and node["type"] in {"StepGroup", "TaskGroup", "Container"}:
        yield "it has no boundary"


def _shown(node: Node, nodes: Mapping[str, Node]) -> Iterator[str]:
    wanted = shown(node["name"], nodes.get(node.get("boundaryID", ""), {}).get("name", ""))
    if nodes and node.get("displayName") != wanted:
        yield f"it is shown as {node.get('displayName')!r}, not {wanted!r}"


def _unknown(what: str, found: Mapping[str, Any], fields: Collection[str]) -> Iterator[str]:
    yield from (f"{what}.{field} is not one of upstream's" for field in found if field not in fields)


def _times(what: str, status: Mapping[str, Any]) -> Iterator[str]:
    for field in ("startedAt", "finishedAt"):
        if not TIME.fullmatch(status.get(field) or ""):
            yield f"{what}.{field} is {status.get(field)!r}"
    if not PROGRESS.fullmatch(status.get("progress", "0/1")):
        yield f"{what}.progress is {status['progress']!r}"
    if any(type(value) is not int or value < 0 for value in (status.get("resourcesDuration") or {}).values()):
        yield f"{what}.resourcesDuration is {status['resourcesDuration']}"
