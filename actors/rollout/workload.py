"""A Rollout may take its pod template from another workload, and may take over its pods.

The template is used and never copied into the Rollout. The workload's generation is noted in an annotation, so that
clients can tell whether its newest state has been seen.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.rollout import sets, wire
from actors.rollout.model import Ro
from actors.rollout.scene import Scene, World
from runtime.messages import Patch
from runtime.objects import Object, Reference, Resource, reference

NEVER, ON_SUCCESS, PROGRESSIVELY = "never", "onsuccess", "progressively"


class _Kind(NamedTuple):
    """A kind of workload that may be referred to."""

    resource: Resource
    template: tuple[str, ...]
    selector: tuple[str, ...]


_KINDS: Final = {
    ("apps", "Deployment"): _Kind(wire.DEPLOYMENTS, ("spec", "template"), ("spec", "selector")),
    ("apps", "ReplicaSet"): _Kind(wire.REPLICA_SETS, ("spec", "template"), ("spec", "selector")),
    ("", "PodTemplate"): _Kind(wire.POD_TEMPLATES, ("template",), ()),
}

RESOURCES: Final = tuple(kind.resource for kind in _KINDS.values())


class Unresolved(Exception):
    """The workload cannot be used; the text says why."""


def reference_of(rollout: Object) -> Reference | None:
    """The workload that a Rollout refers to; None when to none, or to one of a kind that nobody knows."""
    asked = (rollout.get("spec") or {}).get("workloadRef")
    if not asked:
        return None
    kind = _KINDS.get((_group(asked), str(asked.get("kind") or "")))
    namespace = rollout["metadata"].get("namespace", "")
    return Reference(kind.resource, namespace, str(asked.get("name") or "")) if kind is not None else None


def _group(asked: Object) -> str:
    return str(asked.get("apiVersion") or "").rpartition("/")[0]


def resolve(world: World) -> Ro:
    """The Rollout with the template and selector of its workload. Raises Unresolved."""
    rollout = world.rollout
    spec = rollout.get("spec") or {}
    asked = spec.get("workloadRef")
    if not asked:
        return Ro(rollout)
    if _says_something(spec.get("template")):
        raise Unresolved("template must be empty for workload reference rollout")
    kind = _KINDS.get((_group(asked), str(asked.get("kind") or "")))
    if kind is None:
        raise Unresolved(f"workload of type {_group(asked)}/{asked.get('kind') or ''} is not supported")
    ref = reference_of(rollout)
    assert ref is not None
    found = world.known.get(ref)
    if found is None:
        group = f"{kind.resource.plural}.{kind.resource.group}".rstrip(".")
        raise Unresolved(f'{group} "{ref.namespace}/{ref.name}" not found')
    resolved = {**spec, "template": _at(found, kind.template)}
    if spec.get("selector") is None and kind.selector:
        resolved["selector"] = _at(found, kind.selector)
    return Ro({**rollout, "spec": resolved}, is_resolved=True)


def _says_something(template: Object | None) -> bool:
    meta = (template or {}).get("metadata") or {}
    return bool(meta.get("labels") or meta.get("annotations") or ((template or {}).get("spec") or {}).get("containers"))


def _at(thing: Object, path: tuple[str, ...]) -> Object:
    for part in path:
        thing = thing.get(part) or {}
    return thing


def generation(world: World) -> str:
    """The generation of the workload, as annotated; empty when there is none."""
    ref = reference_of(world.rollout)
    found = world.known.get(ref) if ref is not None else None
    return "" if found is None else str(found["metadata"].get("generation", 0))


def follow_with_workload(scene: Scene, *, grows: bool) -> None:
    """`scaleDown: progressively`: the Deployment gives up as many pods as the first version has ready.

    Only the first revision does so, and a Rollout that is Healthy leaves the Deployment none."""
    ro = scene.ro
    if sets.revision(scene.new) != 1 or (ro.spec.get("workloadRef") or {}).get("scaleDown") != PROGRESSIVELY:
        return
    if ro.status.get("phase") == "Healthy":
        _scale(scene, 0)
        return
    ready = int(ro.status.get("readyReplicas") or 0)
    if ready > 0 or grows:
        _scale(scene, ro.replicas - ready)


def leave_with_promotion(scene: Scene) -> None:
    """`scaleDown: onsuccess`: the Deployment is emptied when the first version is Healthy."""
    ro = scene.ro
    is_asked = (ro.spec.get("workloadRef") or {}).get("scaleDown") == ON_SUCCESS
    if is_asked and ro.revision == 1 and ro.status.get("phase") == "Healthy":
        _scale(scene, 0)


def _scale(scene: Scene, replicas: int) -> None:
    ref = reference_of(scene.world.rollout)
    found = scene.world.known.get(ref) if ref is not None else None
    wished = max(0, replicas)
    if found is None or ref is None or ref.resource != wire.DEPLOYMENTS or sets.wished(found) == wished:
        return
    scene.changes.append(Patch(reference(wire.DEPLOYMENTS, found), {"spec": {"replicas": wished}}, tag="workload"))
