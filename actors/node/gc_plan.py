"""Which artifacts of a finished workflow are to be deleted now, under whose account, and what became of them.

Pure: everything follows from the workflow as it is on record, so a collector that starts again goes on where the one
before it was. An artifact that is marked `deleted` is done. (AGC-1, AGC-3..6)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import msgspec

from actors.contract import repository
from actors.contract.collecting import ON_COMPLETION, ON_DELETION, strategy_of
from actors.contract.documents import Discard
from actors.merging import merged_specs
from actors.names import ids
from actors.packing import NodePack, nodes_of
from runtime.objects import Object

DELETABLE = frozenset({"azure", "gcs", "hdfs", "oss", "plugin", "s3"})
"""Drivers whose stores can delete; what others keep is left where it is, and said to be."""
BATCH_MAX = 1000  # artifacts of one pod
BATCH_BYTES_MAX = 512 << 10


class Doomed(NamedTuple):
    """An artifact that is to be deleted."""

    node_id: str
    artifact: Mapping[str, Any]

    @property
    def name(self) -> str:
        """As its node calls it."""
        return str(self.artifact.get("name", ""))

    @property
    def location(self) -> dict[str, Any]:
        """Its driver's section, as it was saved."""
        driver = repository.driver_of(self.artifact)
        return {driver: dict(self.artifact[driver])} if driver else {}

    @property
    def where(self) -> str:
        """For people: driver, bucket and key."""
        driver = repository.driver_of(self.artifact)
        section = self.artifact.get(driver) or {}
        parts = [section.get("bucket") or section.get("container"), section.get(repository.KEYED.get(driver, "url"))]
        return f"{driver}:{'/'.join(str(part) for part in parts if part)}"

    def discard(self) -> Discard:
        """As the pod is told."""
        return {"location": self.location, "tree": repository.archive_form(self.artifact) == "none"}


class Batch(NamedTuple):
    """What one pod deletes, with its account and metadata."""

    pod_name: str
    account: str
    metadata: Mapping[str, Any]
    doomed: tuple[Doomed, ...]
    strategy: str  # at what time it is made; what an earlier time has left is among it


def executed(workflow: Object) -> Mapping[str, Any]:
    """The spec that the workflow ran with: its own over the template's that it is made of."""
    own: Mapping[str, Any] = workflow.get("spec") or {}
    stored: Mapping[str, Any] = (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    return merged_specs(dict(own), stored)


def deletable(one: Doomed) -> bool:
    """Whether its store can delete at all."""
    return repository.driver_of(one.artifact) in DELETABLE


def doomed(workflow: Object, spec: Mapping[str, Any], due: AbstractSet[str]) -> list[Doomed]:
    """What is there of artifacts with one of these strategies."""
    default = strategy_of(spec.get("artifactGC"), "")
    return [one for one in _written(workflow) if strategy_of(one.artifact.get("artifactGC"), default) in due]


def _written(workflow: Object) -> Iterator[Doomed]:
    """Every artifact that a pod has saved and nobody has deleted; composites only point at them."""
    for node_id, node in nodes_of(workflow.get("status") or {}).items():
        if node.get("type") != "Pod":
            continue
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            if repository.driver_of(artifact) and not artifact.get("deleted"):
                yield Doomed(node_id, _whole(workflow, node, artifact))


def _whole(workflow: Object, node: Mapping[str, Any], artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    """An artifact with its whole place, of which upstream's controller has put only the key on record (REPO-5)."""
    if repository.says_place(artifact):
        return artifact
    kept = ((workflow.get("status") or {}).get("artifactRepositoryRef") or {}).get("artifactRepository")
    base = repository.base_location(_template(workflow, node).get("archiveLocation"), kept)
    try:
        location = repository.located(artifact, base)
    except repository.BadLocation:
        return artifact  # its driver says what is lacking
    return {**{key: value for key, value in artifact.items() if key not in repository.DRIVERS}, **location}


def _template(workflow: Object, node: Mapping[str, Any]) -> Mapping[str, Any]:
    name = node.get("templateName") or (node.get("templateRef") or {}).get("template")
    stored = ((workflow.get("status") or {}).get("storedTemplates") or {}).values()
    known = [*(executed(workflow).get("templates") or ()), *stored]
    return next((template for template in known if template.get("name") == name), {})


def batches(workflow_name: str, spec: Mapping[str, Any], found: list[Doomed], *, deleting: bool) -> list[Batch]:
    """One pod for every account and metadata, more where a pod could not be told all (AGC-3, AGC-4)."""
    groups: dict[str, list[Doomed]] = {}
    for one in found:
        groups.setdefault(msgspec.json.encode(_identity(one, spec), order="sorted").decode(), []).append(one)
    strategy = ON_DELETION if deleting else ON_COMPLETION
    prefix = f"{workflow_name}-artgc-{'wfdel' if deleting else 'wfcomp'}"
    made = []
    for key, members in sorted(groups.items()):
        account, metadata = msgspec.json.decode(key)
        name = f"{prefix}-{ids.fnv1a(key)}"
        for number, part in enumerate(_parts(members)):
            pod_name = f"{name}-{number}" if number else name
            made.append(Batch(pod_name, account, metadata, tuple(part), strategy))
    return made


def _identity(one: Doomed, spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The artifact's own service account before the workflow's, its metadata over the workflow's."""
    own, whole = one.artifact.get("artifactGC") or {}, spec.get("artifactGC") or {}
    account = own.get("serviceAccountName") or whole.get("serviceAccountName") or ""
    upper, under = own.get("podMetadata") or {}, whole.get("podMetadata") or {}
    metadata = {key: {**(under.get(key) or {}), **(upper.get(key) or {})} for key in ("annotations", "labels")}
    return str(account), {key: entries for key, entries in metadata.items() if entries}


def _parts(members: list[Doomed]) -> Iterator[list[Doomed]]:
    part: list[Doomed] = []
    size = 0
    for one in members:
        own = len(msgspec.json.encode(one.discard()))
        if part and (len(part) == BATCH_MAX or size + own > BATCH_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(one)
        size += own
    if part:
        yield part


def marked(workflow: Object, gone: set[tuple[str, str]]) -> dict[str, Any]:
    """The merge patch of `status` that marks artifacts (node id, name) as deleted (AGC-5)."""
    status = workflow.get("status") or {}
    changed = _changed(nodes_of(status), gone)
    if changed and status.get("compressedNodes"):
        return {"nodes": None, "compressedNodes": all_marked(workflow, gone).text()}
    return {"nodes": changed} if changed else {}


def all_marked(workflow: Object, gone: set[tuple[str, str]]) -> NodePack:
    """All nodes with those artifacts marked as deleted."""
    nodes = nodes_of(workflow.get("status") or {})
    changed = _changed(nodes, gone)
    pack = NodePack()
    for node_id, node in nodes.items():
        outputs = {**(node.get("outputs") or {}), **changed.get(node_id, {}).get("outputs", {})}
        pack.put(node_id, {**node, "outputs": outputs} if node_id in changed else node)
    return pack


def _changed(nodes: Mapping[str, Mapping[str, Any]], gone: set[tuple[str, str]]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for node_id in {node_id for node_id, _ in gone} & nodes.keys():
        known = (nodes[node_id].get("outputs") or {}).get("artifacts") or ()
        listed = [{**entry, "deleted": True} if (node_id, entry.get("name")) in gone else entry for entry in known]
        if listed != list(known):
            changed[node_id] = {"outputs": {"artifacts": listed}}
    return changed
