"""A Deployment's next step: its set, its revision, a scaling, one move of the update, the history, or the status.

One of these a time, in this order; the next is planned when the last has been answered.
"""

from __future__ import annotations

from typing import NamedTuple

from runtime.messages import Command, Create, Delete, Patch
from runtime.objects import Object, reference
from tiphys.devcluster.controllers.claims import claims
from tiphys.devcluster.controllers.conditions import Condition, condition
from tiphys.devcluster.controllers.deployment import progress, revisions
from tiphys.devcluster.controllers.deployment.bounds import Bounds, deployment_bounds
from tiphys.devcluster.controllers.deployment.proportional import Share, shares
from tiphys.devcluster.controllers.deployment.rolling import counts_of, new_replicas, old_replicas
from tiphys.devcluster.controllers.events import Said, event
from tiphys.devcluster.controllers.family import Family
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, REPLICA_SETS
from tiphys.devcluster.controllers.reconciler import Plan
from tiphys.devcluster.controllers.statuses import status_write

COMPONENT = "deployment-controller"


class Rollout(NamedTuple):
    """A Deployment and its sets, looked at once."""

    own: Object
    new: Object | None
    old: list[Object]  # oldest first
    limits: Bounds

    @property
    def wished(self) -> int:
        """How many pods it wants."""
        return int(self.own["spec"]["replicas"])

    @property
    def every(self) -> list[Object]:
        """All sets, the new one last."""
        return [*self.old, *([self.new] if self.new is not None else [])]

    @property
    def is_paused(self) -> bool:
        """Whether templates are not to be rolled out."""
        return bool(self.own["spec"].get("paused"))


def plan(family: Family, now: float) -> Plan:
    """What a Deployment does next."""
    own = family.own
    assert own is not None
    here = [each for uid, each in family.children.items() if uid not in family.deleting]
    try:
        limits = deployment_bounds(own)
    except ValueError as error:
        return _senseless(family, own, error, now)
    rollout = Rollout(own, *revisions.new_and_old(own, here), limits)
    status = progress.status(own, rollout.new, rollout.old, now)
    commands: list[Command] = []
    if "deletionTimestamp" not in own["metadata"]:
        commands = _steps(family, rollout, status, now)
        if not commands and not rollout.is_paused:
            progress.progress(own, rollout.new, status, now)
    if not commands:
        commands = list(status_write(DEPLOYMENTS, own, status))
    late = progress.deadline_at(own, condition(own.get("status") or {}, "Progressing"))
    wake_at = late + 1 if late is not None and late >= now else None
    return Plan(commands, wake_at, f"for {rollout.wished} pods of its template to be available")


def _senseless(family: Family, own: Object, error: ValueError, now: float) -> Plan:
    """A strategy that cannot be reckoned with: told once, and nothing is done until it is changed."""
    why = f"spec.strategy.rollingUpdate: {error}"
    is_told, waiting = why in family.told, f"for another strategy ({why})"
    family.told.add(why)
    said = Said("InvalidStrategy", why, warning=True)
    return Plan([] if is_told else [event(DEPLOYMENTS, own, said, COMPONENT, now)], None, waiting)


def _steps(family: Family, rollout: Rollout, status: Object, now: float) -> list[Command]:
    said = progress.pausing(rollout.own)
    if said is not None:
        progress.say(status, said, now)
        return list(status_write(DEPLOYMENTS, rollout.own, status))
    commands = claims(family) or _revision(rollout)
    if not commands and rollout.new is None and not rollout.is_paused:
        commands = _birth(family, rollout, status, now)
        if not commands:
            return []
    return (
        commands
        or _scaling(rollout, now)
        or ([] if rollout.is_paused else _update(rollout, now))
        or _history(rollout, status)
    )


# ------------------------------------------------------------------------------------------------ the new set


def _revision(rollout: Rollout) -> list[Command]:
    """Bring the new set's annotations up to date, and the Deployment's revision to that of the set."""
    own, new = rollout.own, rollout.new
    if new is None:
        return []
    wished = revisions.annotations_for(own, new, revisions.next_revision(rollout.old))
    changed = {name: value for name, value in wished.items() if revisions.annotation(new, name) != value}
    min_ready = int(own["spec"].get("minReadySeconds") or 0)
    body: Object = {"metadata": {"annotations": changed}} if changed else {}
    if int(new["spec"].get("minReadySeconds") or 0) != min_ready:
        body["spec"] = {"minReadySeconds": min_ready}
    if body:
        return [Patch(reference(REPLICA_SETS, new), body)]
    revision = revisions.annotation(new, revisions.REVISION)
    if revision and revisions.annotation(own, revisions.REVISION) != revision:
        body = {"metadata": {"annotations": {revisions.REVISION: revision}}}
        return [Patch(reference(DEPLOYMENTS, own), body)]
    return []


def _birth(family: Family, rollout: Rollout, status: Object, now: float) -> list[Command]:
    """Create the new set, and say so; nothing while old pods are there that go first (Recreate)."""
    own = rollout.own
    name, _ = revisions.name_of(own)
    if name in family.taken:
        status["collisionCount"] = int(status.get("collisionCount") or 0) + 1
        return list(status_write(DEPLOYMENTS, own, status))
    if family.refusal and progress.has_deadline(own):
        message = f'Failed to create new replica set "{name}": {family.refusal}'
        progress.say(status, Condition("Progressing", "False", "ReplicaSetCreateError", message), now)
        written = status_write(DEPLOYMENTS, own, status)
        if written:
            return list(written)
    if own["spec"].get("strategy", {}).get("type") == "Recreate":
        leaving = _recreate_old(rollout, now)
        if leaving or not _are_old_gone(rollout):
            return leaving
    replicas = _replicas_of_new(rollout)
    told = revisions.annotations_for(own, None, revisions.next_revision(rollout.old))
    told |= revisions.sizes(own, rollout.limits.surge)
    commands: list[Command] = [Create(REPLICA_SETS, revisions.manifest(own, replicas, told))]
    if progress.has_deadline(own) and not family.refusal:
        message = f'Created new replica set "{name}"'
        progress.say(status, Condition("Progressing", "True", "NewReplicaSetCreated", message), now)
        commands += status_write(DEPLOYMENTS, own, status)
    if replicas:
        commands.append(_scaled(own, name, 0, replicas, now))
    return commands


def _is_observed(replica_set: Object) -> bool:
    observed = int((replica_set.get("status") or {}).get("observedGeneration") or 0)
    return observed >= int(replica_set["metadata"].get("generation", 1))


def _replicas_of_new(rollout: Rollout) -> int:
    if rollout.own["spec"].get("strategy", {}).get("type") == "Recreate":
        return rollout.wished
    new = counts_of(rollout.new).wished if rollout.new is not None else 0
    if not all(_is_observed(each) for each in rollout.every):
        return new  # what a set has been told and has not acted upon could be any number of pods
    pods = sum(counts_of(each).pods for each in rollout.every)
    return new_replicas(rollout.wished, rollout.limits, new, pods)


# ------------------------------------------------------------------------------------------------ sizes


def _scale(rollout: Rollout, replica_set: Object, replicas: int, now: float) -> list[Command]:
    """Give a set that size and the annotations that go with it."""
    wished = revisions.sizes(rollout.own, rollout.limits.surge)
    changed = {name: value for name, value in wished.items() if revisions.annotation(replica_set, name) != value}
    before = int(replica_set["spec"]["replicas"])
    if before == replicas and not changed:
        return []
    meta: Object = {"resourceVersion": replica_set["metadata"]["resourceVersion"]}
    if changed:
        meta["annotations"] = changed
    commands: list[Command] = [
        Patch(reference(REPLICA_SETS, replica_set), {"metadata": meta, "spec": {"replicas": replicas}})
    ]
    if before != replicas:
        commands.append(_scaled(rollout.own, replica_set["metadata"]["name"], before, replicas, now))
    return commands


def _scaled(own: Object, name: str, before: int, replicas: int, now: float) -> Command:
    direction = "up" if replicas > before else "down"
    message = f"Scaled {direction} replica set {name} from {before} to {replicas}"
    return event(DEPLOYMENTS, own, Said("ScalingReplicaSet", message), COMPONENT, now)


def _scaling(rollout: Rollout, now: float) -> list[Command]:
    """The Deployment's wish has changed, or it is paused: its sets get their sizes without rolling on."""
    active = [each for each in rollout.every if int(each["spec"]["replicas"]) > 0]
    desired = [revisions.annotation(each, revisions.DESIRED) for each in active]
    is_event = any(text and text != str(rollout.wished) for text in desired)
    if not is_event and not rollout.is_paused:
        return []
    only = _active_or_latest(rollout, active)
    if only is not None:
        return _scale(rollout, only, rollout.wished, now)
    if rollout.new is not None and _is_saturated(rollout, rollout.new):
        return [command for each in rollout.old for command in _scale_if(rollout, each, 0, now)]
    if rollout.own["spec"].get("strategy", {}).get("type") != "RollingUpdate":
        return []
    newest_first = [
        Share(each["metadata"]["name"], int(each["spec"]["replicas"]), revisions.number(each, revisions.MOST))
        for each in reversed(active)
    ]
    sizes = shares(newest_first, rollout.wished, rollout.limits.surge)
    return [command for each in active for command in _scale(rollout, each, sizes[each["metadata"]["name"]], now)]


def _scale_if(rollout: Rollout, replica_set: Object, replicas: int, now: float) -> list[Command]:
    return _scale(rollout, replica_set, replicas, now) if int(replica_set["spec"]["replicas"]) != replicas else []


def _active_or_latest(rollout: Rollout, active: list[Object]) -> Object | None:
    """The one set that has pods; without any, the new one or the latest; None when several have pods."""
    if len(active) > 1:
        return None
    if active:
        return active[0]
    return rollout.every[-1] if rollout.every else None


def _is_saturated(rollout: Rollout, replica_set: Object) -> bool:
    counts = counts_of(replica_set)
    annotated = revisions.number(replica_set, revisions.DESIRED)
    return counts.wished == annotated == counts.available == rollout.wished


# ------------------------------------------------------------------------------------------------ the update


def _update(rollout: Rollout, now: float) -> list[Command]:
    if rollout.own["spec"].get("strategy", {}).get("type") == "Recreate":
        leaving = _recreate_old(rollout, now)
        if leaving or not _are_old_gone(rollout) or rollout.new is None:
            return leaving
        return _scale(rollout, rollout.new, rollout.wished, now)
    if rollout.new is None:
        return []
    grown = _scale(rollout, rollout.new, _replicas_of_new(rollout), now)
    if grown or not all(_is_observed(each) for each in rollout.every):
        return grown
    sizes = old_replicas(
        rollout.wished, rollout.limits, counts_of(rollout.new), [counts_of(each) for each in rollout.old]
    )
    return [
        command
        for each in rollout.old
        if each["metadata"]["name"] in sizes
        for command in _scale(rollout, each, sizes[each["metadata"]["name"]], now)
    ]


def _recreate_old(rollout: Rollout, now: float) -> list[Command]:
    return [command for each in rollout.old for command in _scale_if(rollout, each, 0, now)]


def _are_old_gone(rollout: Rollout) -> bool:
    """Whether no pod of an old template is left, not even one that is ending."""
    for each in rollout.old:
        status = each.get("status") or {}
        if not _is_observed(each) or status.get("replicas") or status.get("terminatingReplicas"):
            return False
    return True


def _history(rollout: Rollout, status: Object) -> list[Command]:
    """Delete old sets without pods beyond the history limit, the oldest revisions first, when all is rolled out."""
    limit = rollout.own["spec"].get("revisionHistoryLimit")
    if limit is None or not (rollout.is_paused or progress.is_complete(rollout.own, status)):
        return []
    empty = [each for each in rollout.old if _is_empty(each)]
    surplus = max(len(rollout.old) - int(limit), 0)
    oldest = sorted(empty, key=lambda each: revisions.number(each, revisions.REVISION))[:surplus]
    return [Delete(reference(REPLICA_SETS, each)) for each in oldest]


def _is_empty(replica_set: Object) -> bool:
    return (
        _is_observed(replica_set)
        and counts_of(replica_set).pods == 0
        and "deletionTimestamp" not in replica_set["metadata"]
    )
