"""What became of artifacts that were to be deleted, as pods, workflows and Events say it.

Pure. A workflow that is being deleted goes when its artifacts are gone or its time is up; what is left then is named in
Events, which outlive it. (AGC-2, AGC-5)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from actors.contract import paths
from actors.contract.collecting import DELETING, ON_COMPLETION, ON_DELETION
from actors.kube_events import Said, event
from actors.names import labels
from actors.names.resources import WORKFLOW
from actors.names.timestamps import seconds
from actors.node.assess import blame
from actors.node.assess_outputs import read_reports
from actors.node.gc_plan import doomed
from runtime.api import LogOptions
from runtime.messages import Create
from runtime.objects import Object, Resource, reference

WORKFLOWS = Resource(*WORKFLOW)
ERROR = "ArtifactGCError"
FAILED = "ArtifactGCFailed"
ORPHANED = "ArtifactGCOrphaned"
COMPONENT = "workflow-controller"
MESSAGE_MAX = 1024
EVENTS_MAX = 20  # of orphans: who keeps more has other troubles


def of_pod(pod: Object, logs: Mapping[str, bytes]) -> Mapping[str, str] | LogOptions | str | None:
    """What a collector's pod could not delete, by number; the log to read first; why it did not get to its end; None
    while it is at work."""
    status = pod.get("status") or {}
    if status.get("phase") not in ("Succeeded", "Failed"):
        return None
    reports = read_reports(pod, logs)
    if reports.needs_log is not None:
        return reports.needs_log
    content = reports.contents.get(paths.MAIN)
    if content is not None and "undeleted" in content:
        return content["undeleted"]
    if status.get("message"):
        return str(status["message"])
    for entry in status.get("containerStatuses") or ():
        ended = (entry.get("state") or {}).get("terminated")
        if ended:
            return blame(entry, ended)
    return str(status.get("reason") or "its pod ended without a word")


def deadline(workflow: Object, length_s: float) -> float:
    """Until when artifacts may hold up the deletion."""
    return seconds(workflow["metadata"]["deletionTimestamp"]) + length_s


def has_failed_before(workflow: Object) -> bool:
    """Whether an attempt at the workflow's end is on record as failed: only its deletion brings another one."""
    conditions = (workflow.get("status") or {}).get("conditions") or ()
    return any(entry.get("type") == ERROR for entry in conditions)


def closing(
    workflow: Object,
    spec: Mapping[str, Any],
    left: Mapping[str, str],
    recouped: Mapping[str, bool],
    *,
    deleting: bool,
) -> dict[str, Any] | None:
    """The merge patch that ends the collecting: a condition for what is left, and no finalizer when nothing more is to
    come. None when nothing changes. `recouped` names the pods whose outcome was read."""
    meta, status = workflow["metadata"], workflow.get("status") or {}
    forced = bool((spec.get("artifactGC") or {}).get("forceFinalizerRemoval"))
    later = not deleting and bool(doomed(workflow, spec, {ON_DELETION}))
    patch: dict[str, Any] = {"metadata": {"resourceVersion": meta["resourceVersion"]}}
    if deleting or ((forced or not left) and not later):
        rest = [entry for entry in meta.get("finalizers") or () if entry != labels.FINALIZER_ARTIFACT_GC]
        patch["metadata"]["finalizers"] = rest or None
    changes: dict[str, Any] = {}
    others = [entry for entry in status.get("conditions") or () if entry.get("type") != ERROR]
    said = [{"type": ERROR, "status": "True", "message": _sentence(left)}] if left else []
    if others + said != (status.get("conditions") or []):
        changes["conditions"] = others + said
    processed = dict.fromkeys(sorted(DELETING if deleting else {ON_COMPLETION}), True)
    known = status.get("artifactGCStatus") or {}
    if known.get("strategiesProcessed") != processed or not recouped.keys() <= (known.get("podsRecouped") or {}).keys():
        changes["artifactGCStatus"] = {"strategiesProcessed": processed}
        if recouped:
            changes["artifactGCStatus"]["podsRecouped"] = dict(recouped)
    if changes:
        patch["status"] = changes
    return patch if changes or "finalizers" in patch["metadata"] else None


def _sentence(left: Mapping[str, str]) -> str:
    where, why = next(iter(left.items()))
    more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    return f"artifact {where} was not deleted: {why}{more}"[:MESSAGE_MAX]


def failed_event(workflow: Object, strategy: str, why: str, now: float) -> Create:
    """The Event that tells of a first attempt which has left something, in upstream's words."""
    text = f"Artifact Garbage Collection failed for strategy {strategy}, err:{why}"
    return event(reference(WORKFLOWS, workflow), Said(FAILED, text[:MESSAGE_MAX], warning=True), now, COMPONENT)


def orphan_events(workflow: Object, left: Mapping[str, str], now: float) -> list[Create]:
    """Events that name every artifact that stays behind, several in each."""
    about = reference(WORKFLOWS, workflow)
    said = [Said(ORPHANED, text, warning=True) for text in _texts(left)]
    return [event(about, one, now, COMPONENT) for one in said[:EVENTS_MAX]]


def _texts(left: Mapping[str, str]) -> Iterator[str]:
    head = "artifacts stay behind, nobody could delete them: "
    text = ""
    for where, why in left.items():
        one = f"{where} ({why})"[:400]
        if text and len(head) + len(text) + len(one) + 2 > MESSAGE_MAX:
            yield head + text
            text = ""
        text = f"{text}, {one}" if text else one
    if text:
        yield head + text
