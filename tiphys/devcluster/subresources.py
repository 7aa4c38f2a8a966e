"""Scale, binding and finalize: small documents that change one thing of an object."""

from __future__ import annotations

from typing import Any

import orjson

from runtime.api import PatchType
from runtime.objects import Object
from tiphys.devcluster import errors, patches, rules
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.metadata import check_replacement, stamp
from tiphys.devcluster.rest import Rest
from tiphys.devcluster.selectors import selector_text
from tiphys.devcluster.storage import Key, Record


def _at(thing: Any, path: str) -> Any:
    for part in path.strip(".").split("."):
        thing = thing.get(part) if isinstance(thing, dict) else None
    return thing


def _scale_of(kind: Kind, record: Record) -> Object:
    paths = kind.scale
    if paths is None:
        raise errors.no_such_path()
    thing = record.object
    replicas = _at(thing, paths.spec_path)
    if replicas is None:
        if kind.custom:
            raise errors.internal(f'the spec replicas field ".{paths.spec_path}" does not exist')
        replicas = 0
    meta = thing["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": _at(thing, paths.status_path) or 0}
    if paths.selector_path:
        selector = _at(thing, paths.selector_path) or ""
    else:
        selector = "" if kind.custom else _selector((thing.get("spec") or {}).get("selector") or {})
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta[field] for field in kept if field in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _selector(selector: Object) -> str:
    """The text of a selector: an object of its own, or (of a replication controller) plain labels."""
    is_plain = not {"matchLabels", "matchExpressions"} & set(selector)
    return selector_text({"matchLabels": selector} if is_plain else selector)


def read_scale(rest: Rest, kind: Kind, key: Key) -> Object:
    """The Scale of an object. Raises Gone when the kind has none, Unavailable (500) when it has no replicas field."""
    return _scale_of(kind, rest.read(kind, *key))


def write_scale(rest: Rest, kind: Kind, key: Key, scale: Object) -> Object:
    """Set the replicas of an object from a Scale."""
    current = rest.read(kind, *key)
    paths = kind.scale
    if paths is None:
        raise errors.no_such_path()
    wanted = errors.part(scale, "metadata").get("resourceVersion")
    if wanted and wanted != current.object["metadata"]["resourceVersion"]:
        raise errors.conflict(kind.resource, key[1])
    replicas = errors.part(scale, "spec").get("replicas") or 0
    if not isinstance(replicas, int) or replicas < 0:
        why = "must be greater than or equal to 0"
        cause = errors.invalid_value("spec.replicas", rules.shown(replicas), why)
        raise errors.invalid("Scale", "autoscaling", key[1], [cause])
    body: Any = replicas
    for part in reversed(paths.spec_path.strip(".").split(".")):
        body = {part: body}
    return _scale_of(kind, rest.patch(kind, key, body, "merge").record)


def patch_scale(rest: Rest, kind: Kind, key: Key, body: Any, patch: PatchType) -> Object:
    """Patch the Scale of an object."""
    scale = patches.apply_patch(patch, read_scale(rest, kind, key), body, custom=True)
    return write_scale(rest, kind, key, scale)


def bound(namespace: str, binding: Object) -> Key:
    """The pod that a posted Binding is about. Raises Refused when it names none."""
    name = errors.part(binding, "metadata").get("name")
    if not name:
        raise errors.bad_request("the binding names no pod: set metadata.name")
    return namespace, str(name)


def bind(rest: Rest, kind: Kind, key: Key, binding: Object) -> Object:
    """Put a pod on a node. Raises Conflict when it is on one already, being deleted, or another pod than was meant."""
    current = rest.read(kind, *key)
    check_replacement(kind, {"metadata": errors.part(binding, "metadata")}, current.object)
    thing: Object = orjson.loads(current.json)
    node = errors.part(binding, "target").get("name") or ""
    if not node:
        raise errors.bad_request("the binding names no node: set target.name")
    if thing["spec"].get("nodeName"):
        raise errors.conflict(
            kind.resource, key[1], f'pod {key[1]} is already assigned to node "{thing["spec"]["nodeName"]}"'
        )
    if "deletionTimestamp" in thing["metadata"]:
        raise errors.conflict(kind.resource, key[1], f"pod {key[1]} is being deleted, cannot be assigned to a host")
    thing["spec"]["nodeName"] = node
    conditions = thing["status"].setdefault("conditions", [])
    conditions.append(
        {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": stamp(rest.source.now()),
        }
    )
    rest.store(kind, current, thing)
    return errors.success({}, 201)


def finalize(rest: Rest, kind: Kind, key: Key, namespace: Object) -> Record:
    """Set spec.finalizers of a namespace; a marked one without any is taken out."""
    current = rest.read(kind, *key)
    thing: Object = orjson.loads(current.json)
    thing["spec"] = {"finalizers": errors.part(namespace, "spec").get("finalizers") or []}
    return rest.store(kind, current, thing).record
