"""Which set is the new one, how is it called, and which revision is it? Kept in labels and annotations, as upstream.

`kubectl rollout history` and `undo` read them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import orjson

from runtime.objects import Object
from tiphys.devcluster.controllers.family import oldest_first
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, controller_reference
from tiphys.devcluster.controllers.suffixes import fnv32a, safe_encoded

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED,
        MOST,
    }
)


def annotation(thing: Object, name: str) -> str:
    """An annotation; empty when absent."""
    return str((thing["metadata"].get("annotations") or {}).get(name, ""))


def number(thing: Object, name: str) -> int:
    """An annotation that is a number; 0 when it is absent or none."""
    text = annotation(thing, name)
    return int(text) if text.isdecimal() else 0


def template_hash(template: Object, collisions: int) -> str:
    """The value of the label: it follows from the template, and from how often the name was somebody else's."""
    content = orjson.dumps(_bare(template), option=orjson.OPT_SORT_KEYS)
    if collisions:
        content += str(collisions).encode()
    return safe_encoded(str(fnv32a(content)))


def same_template(one: Object, other: Object) -> bool:
    """Whether two templates make the same pods, the hash label aside."""
    return bool(_bare(one) == _bare(other))


def _bare(template: Object) -> Any:
    bare = _without_nulls(template)
    (bare.get("metadata") or {}).get("labels", {}).pop(HASH_LABEL, None)
    return bare


def _without_nulls(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {name: _without_nulls(value) for name, value in thing.items() if value is not None}
    return [_without_nulls(value) for value in thing] if isinstance(thing, list) else thing


def new_and_old(deployment: Object, sets: Iterable[Object]) -> tuple[Object | None, list[Object]]:
    """The oldest set that has the Deployment's template, and all others, oldest first."""
    template = deployment["spec"]["template"]
    ordered = oldest_first(sets)
    new = next((each for each in ordered if same_template(each["spec"]["template"], template)), None)
    return new, [each for each in ordered if each is not new]


def name_of(deployment: Object) -> tuple[str, str]:
    """The name of the set to create, and the value of its hash label."""
    collisions = int((deployment.get("status") or {}).get("collisionCount") or 0)
    value = template_hash(deployment["spec"]["template"], collisions)
    return f"{deployment['metadata']['name']}-{value}", value


def next_revision(old: Iterable[Object]) -> int:
    """One more than the greatest among the old sets."""
    return max((number(each, REVISION) for each in old), default=0) + 1


def annotations_for(deployment: Object, new: Object | None, revision: int) -> dict[str, str]:
    """What the new set is annotated with besides its sizes: the Deployment's own annotations and the revision."""
    told = {
        name: value
        for name, value in (deployment["metadata"].get("annotations") or {}).items()
        if name not in NOT_COPIED
    }
    before = number(new, REVISION) if new is not None else 0
    if before >= revision:
        return told
    told[REVISION] = str(revision)
    if new is not None and before:
        history = annotation(new, REVISION_HISTORY)
        told[REVISION_HISTORY] = f"{history},{before}" if history else str(before)
    return told


def sizes(deployment: Object, surge: int) -> dict[str, str]:
    """The annotations by which a later scaling is noticed and shared out."""
    wished = int(deployment["spec"]["replicas"])
    return {DESIRED: str(wished), MOST: str(wished + surge)}


def manifest(deployment: Object, replicas: int, annotations: dict[str, str]) -> Object:
    """The set for the Deployment's present template."""
    name, value = name_of(deployment)
    spec = deployment["spec"]
    template = copy.deepcopy(spec["template"])
    labels = {**(template.setdefault("metadata", {}).get("labels") or {}), HASH_LABEL: value}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: value}
    thing: Object = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": dict(labels),
            "annotations": annotations,
            "ownerReferences": [controller_reference(DEPLOYMENTS, deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        thing["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return thing
