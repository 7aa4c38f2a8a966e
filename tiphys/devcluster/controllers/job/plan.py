"""A job's next step: record what ended, decide the end if it is due, else have the right pods run."""

from __future__ import annotations

from typing import NamedTuple

from runtime.api import Propagation
from runtime.messages import Command, Create, Delete, Patch
from runtime.objects import PODS, Object, reference
from tiphys.devcluster.controllers.claims import claims
from tiphys.devcluster.controllers.conditions import Condition, condition, with_condition
from tiphys.devcluster.controllers.events import Said, event
from tiphys.devcluster.controllers.family import Family
from tiphys.devcluster.controllers.job import indexes, perindex, verdict
from tiphys.devcluster.controllers.job.staffing import Staffing, staffing
from tiphys.devcluster.controllers.job.tally import Tally, tally
from tiphys.devcluster.controllers.job.workers import TRACKING, is_indexed, is_tracked, worker
from tiphys.devcluster.controllers.owners import JOBS
from tiphys.devcluster.controllers.podstate import is_active, is_ready, is_terminating
from tiphys.devcluster.controllers.reconciler import Plan
from tiphys.devcluster.controllers.statuses import counted, status_write
from tiphys.devcluster.controllers.suffixes import free_names
from tiphys.devcluster.controllers.times import seconds
from tiphys.devcluster.metadata import stamp

COMPONENT = "job-controller"
OURSELVES = "kubernetes.io/job-controller"
FOREGROUND: Propagation = "Foreground"


class Look(NamedTuple):
    """A job looked at once."""

    own: Object
    pods: list[Object]
    counts: Tally
    decided: Condition | None  # how it ends; None while it goes on


def plan(family: Family, now: float) -> Plan:
    """What a job does next."""
    own = family.own
    assert own is not None
    if own["spec"].get("managedBy", OURSELVES) != OURSELVES:
        return Plan([], None, f"for {own['spec']['managedBy']}, who manages it")
    if verdict.is_finished(own):
        return _finished(family, own, now)
    look = _look(family, own, now)
    status = _status(look, now)
    commands = [*_warnings(family, own, now), *(released(pod) for pod in look.counts.releasable)]
    times: list[float | None] = []
    waiting = "for its pods to end"
    if look.decided is not None:
        commands += _ending(family, look, status, now)
    elif "deletionTimestamp" not in own["metadata"]:
        _say_suspended(own, status, now)
        work = staffing(own, look.pods, look.counts, family.deleting, now)
        commands += claims(family) or _staff(family, look, work, now)
        times = [work.again_at, verdict.deadline_at({**own, "status": status})]
        waiting = _waiting(own, work)
    commands += status_write(JOBS, own, status)
    return Plan(commands, min((at for at in times if at is not None), default=None), waiting)


def _look(family: Family, own: Object, now: float) -> Look:
    pods = list(family.children.values())
    decided = verdict.target(own.get("status") or {})
    is_failing = decided is not None and decided.type == verdict.FAILURE
    counts = tally(own, pods, is_failing=is_failing, is_ending=decided is not None)
    return Look(own, pods, counts, decided or verdict.verdict(own, pods, counts, now))


def _waiting(own: Object, work: Staffing) -> str:
    if own["spec"].get("suspend"):
        return "to be resumed"
    if work.again_at is not None:
        return "for the back-off after a failed pod"
    return "for its pods to end"


# ------------------------------------------------------------------------------------------------ status


def _status(look: Look, now: float) -> Object:
    own, counts = look.own, look.counts
    old = own.get("status") or {}
    active = [pod for pod in look.pods if is_active(pod)]
    status: Object = {
        **counted(active=len(active), succeeded=counts.succeeded, failed=counts.failed),
        "ready": sum(1 for pod in active if is_ready(pod)),
        "terminating": sum(1 for pod in look.pods if is_terminating(pod)),
        "uncountedTerminatedPods": counts.uncounted,
    }
    start = old.get("startTime") or (None if own["spec"].get("suspend") else stamp(now))
    if start:
        status["startTime"] = start
    if is_indexed(own) and (counts.completed or "completedIndexes" in old):
        status["completedIndexes"] = indexes.written(counts.completed)
    if perindex.limit_of(own) is not None:
        status["failedIndexes"] = indexes.written(counts.failed_indexes)
    conditions = list(old.get("conditions") or ())
    if look.decided is not None:
        conditions = with_condition({"conditions": conditions}, look.decided, now, "lastProbeTime")
    return {**status, "conditions": conditions} if conditions else status


def _say_suspended(own: Object, status: Object, now: float) -> None:
    """Suspended, or resumed: then its time starts anew."""
    known = condition(status, "Suspended")
    is_told = known is not None and known["status"] == "True"
    if own["spec"].get("suspend") and not is_told:
        said = Condition("Suspended", "True", "JobSuspended", "Job suspended")
    elif is_told and not own["spec"].get("suspend"):
        said = Condition("Suspended", "False", "JobResumed", "Job resumed")
        status["startTime"] = stamp(now)
    else:
        return
    status["conditions"] = with_condition(status, said, now, "lastProbeTime")


# ------------------------------------------------------------------------------------------------ pods


def _staff(family: Family, look: Look, work: Staffing, now: float) -> list[Command]:
    own = look.own
    commands: list[Command] = []
    for pod in work.surplus:
        commands += _withdrawn(own, pod, now)
    used = family.names()
    base, uid = own["metadata"]["name"], own["metadata"]["uid"]
    hires = work.hires[:1] if family.refusal else work.hires  # one tries whether it would go well now
    last = perindex.last_failures(own, look.pods) if perindex.limit_of(own) is not None else None
    for index in hires:
        prefix = f"{base}-" if index is None else f"{base}-{index}-"
        name = free_names(prefix, uid, used, 1)[0]
        used.add(name)
        annotations = None if last is None or index is None else _history(own, last.get(index))
        commands.append(Create(PODS, worker(own, name, index, annotations)))
        commands.append(event(JOBS, own, Said("SuccessfulCreate", f"Created pod: {name}"), COMPONENT, now))
    return commands


def _history(own: Object, last: Object | None) -> dict[str, str]:
    """What a pod carries of the failures of its index."""
    return (perindex.Before() if last is None else perindex.after(own, last)).annotations


def _withdrawn(own: Object, pod: Object, now: float) -> list[Command]:
    """Delete a pod that is not needed: without its finalizer, so that it counts as nothing."""
    commands: list[Command] = [released(pod)] if is_tracked(pod) else []
    name = pod["metadata"]["name"]
    said = Said("SuccessfulDelete", f"Deleted pod: {name}")
    return [*commands, Delete(reference(PODS, pod)), event(JOBS, own, said, COMPONENT, now)]


def released(pod: Object) -> Patch:
    """The command that takes the tracking finalizer off a pod."""
    meta = pod["metadata"]
    left = [entry for entry in meta.get("finalizers") or () if entry != TRACKING]
    body = {"metadata": {"finalizers": left or None, "resourceVersion": meta["resourceVersion"]}}
    return Patch(reference(PODS, pod), body, tag="released")


def _warnings(family: Family, own: Object, now: float) -> list[Command]:
    """Why no pod can be created, said once."""
    if not family.refusal or family.refusal in family.told:
        return []
    family.told.add(family.refusal)
    return [event(JOBS, own, Said("FailedCreate", f"Error creating: {family.refusal}", True), COMPONENT, now)]


# ------------------------------------------------------------------------------------------------ the end


def _ending(family: Family, look: Look, status: Object, now: float) -> list[Command]:
    """Stop what still runs; when nothing does and all is counted, the job is finished."""
    own, decided = look.own, look.decided
    assert decided is not None
    if verdict.target(own.get("status") or {}) is None:
        return []  # that the end is decided is recorded first
    commands: list[Command] = []
    running = [pod for pod in look.pods if is_active(pod) and pod["metadata"]["uid"] not in family.deleting]
    for pod in running:
        if decided.type == verdict.SUCCESS:
            commands += _withdrawn(own, pod, now)
        else:
            said = Said("SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
            commands += [Delete(reference(PODS, pod)), event(JOBS, own, said, COMPONENT, now)]
    is_over = not any(is_active(pod) or is_terminating(pod) for pod in look.pods)
    if not is_over or look.counts.uncounted or look.counts.releasable:
        return commands
    end = verdict.final(decided)
    status["conditions"] = with_condition(status, end, now, "lastProbeTime")
    if end.type == "Complete":
        status["completionTime"] = stamp(now)
        said = Said("Completed", "Job completed")
    else:
        said = Said(end.reason, end.message, warning=True)
    return [*commands, event(JOBS, own, said, COMPONENT, now)]


def _finished(family: Family, own: Object, now: float) -> Plan:
    """A finished job holds no pod back, and goes when its time to live is over."""
    commands: list[Command] = [released(pod) for pod in family.children.values() if is_tracked(pod)]
    ttl = own["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or "deletionTimestamp" in own["metadata"] or family.uid in family.deleting:
        return Plan(commands, None, "for its deletion")
    status = own["status"]
    end = condition(status, "Complete") or condition(status, "Failed") or {}
    at = seconds(end.get("lastTransitionTime")) + float(ttl)
    if now < at:
        return Plan(commands, at, "for the end of its time to live")
    return Plan([*commands, Delete(reference(JOBS, own), propagation=FOREGROUND)], None, "for its deletion")


def farewell(family: Family, now: float) -> list[Command]:
    """The job is gone: nobody will count its pods."""
    return [released(pod) for pod in family.children.values() if is_tracked(pod)]


def parted(last: Object) -> list[Command]:
    """A pod that is no longer the job's is not counted by it."""
    return [released(last)] if is_tracked(last) else []
