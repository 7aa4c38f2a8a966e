"""The ReplicaSet of the present template: its name, its manifest, its revision, and what keeps it up to date."""

from __future__ import annotations

import copy

from actors.names.podhash import typed_template
from actors.rollout import affinity, metadata, sets, wire
from actors.rollout.owner import owner
from actors.rollout.scene import Scene
from runtime.messages import Create, Patch
from runtime.objects import Object, reference

CREATE = "new set"


def name_of(scene: Scene) -> str:
    """The name of the ReplicaSet to create."""
    return f"{scene.ro.name}-{scene.ro.template_hash}"


def annotations_for(scene: Scene, one: Object | None, revision: int) -> dict[str, str]:
    """What it is annotated with: the Rollout's own annotations, and its revision when that rises."""
    told = {
        name: value
        for name, value in (scene.ro.meta.get("annotations") or {}).items()
        if name not in wire.NOT_COPIED and (one is None or sets.annotation(one, name) != value)
    }
    before = sets.annotation(one, wire.REVISION) if one is not None else ""
    if before and not before.isdecimal():
        return told
    if int(before or 0) < revision:
        told[wire.REVISION] = str(revision)
        if before:
            past = sets.annotation(one, wire.REVISION_HISTORY) if one is not None else ""
            told[wire.REVISION_HISTORY] = f"{past},{before}" if past else before
    return told


def create(scene: Scene) -> None:
    """Create the ReplicaSet, with no pods yet."""
    revision = sets.newest_revision(scene.every) + 1
    thing = manifest(scene, revision)
    scene.changes.append(Create(wire.REPLICA_SETS, thing, CREATE))
    tell_revision(scene, str(revision))
    name = thing["metadata"]["name"]
    scene.say("NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {revision})")


def manifest(scene: Scene, revision: int) -> Object:
    """The ReplicaSet as it is created."""
    ro = scene.ro
    template = typed_template(ro.template)
    meta = template["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), wire.HASH: ro.template_hash}
    apart = affinity.for_new(ro)
    if apart is not None:
        template["spec"]["affinity"] = apart
    labels = dict(meta["labels"])
    notes = {**annotations_for(scene, None, revision), wire.DESIRED_REPLICAS: str(ro.replicas)}
    extra = metadata.of_new(scene)
    if extra:
        for kind in ("labels", "annotations"):
            if extra.get(kind):
                meta[kind] = {**(meta.get(kind) or {}), **extra[kind]}
        notes[wire.EPHEMERAL_METADATA] = metadata.note(extra)
    selector = copy.deepcopy(ro.selector)
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), wire.HASH: ro.template_hash}
    spec: Object = {"replicas": 0, "selector": selector, "template": template}
    if ro.min_ready_s:
        spec["minReadySeconds"] = ro.min_ready_s
    return {
        "apiVersion": wire.REPLICA_SETS.api_version,
        "kind": wire.REPLICA_SETS.kind,
        "metadata": {
            "name": name_of(scene),
            "namespace": ro.namespace,
            "labels": labels,
            "annotations": notes,
            "ownerReferences": [owner(ro)],
        },
        "spec": spec,
    }


def keep(scene: Scene) -> None:
    """Bring revision, annotations, minReadySeconds and affinity of the new ReplicaSet up to date."""
    new, ro = scene.new, scene.ro
    if new is None:
        return
    notes = annotations_for(scene, new, sets.newest_revision(scene.older) + 1)
    body: Object = {"metadata": {"annotations": notes}} if notes else {}
    if int(new["spec"].get("minReadySeconds") or 0) != ro.min_ready_s:
        body["spec"] = {"minReadySeconds": ro.min_ready_s}
    if affinity.is_outdated(ro, new["spec"]["template"]["spec"].get("affinity")):
        body.setdefault("spec", {})["template"] = {"spec": {"affinity": affinity.for_new(ro)}}
    if body:
        scene.patch_set(new, body)
    tell_revision(scene, sets.annotation(new, wire.REVISION))


def tell_revision(scene: Scene, revision: str) -> None:
    """The Rollout's annotation follows its new ReplicaSet's."""
    ro = scene.ro
    notes = ro.meta.get("annotations") or {}
    if not revision or notes.get(wire.REVISION) == revision:
        return
    body = {"metadata": {"annotations": {wire.REVISION: revision}}}
    scene.changes.append(Patch(reference(wire.ROLLOUTS, scene.world.rollout), body, tag="own"))
    ro.meta["annotations"] = {**notes, wire.REVISION: revision}
    scene.say("RolloutUpdated", f"Rollout updated to revision {revision}")
