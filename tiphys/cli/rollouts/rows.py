"""A Rollout's family as rows of a tree, with icons, as upstream's plugin draws it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from actors.names import timestamps
from runtime.objects import Object
from tiphys.cli.rollouts import facts
from tiphys.cli.rollouts.objects import DEADLINE, Member, Revision, age_s, annotation, number, part
from tiphys.cli.tree import duration

OK, BAD, PROGRESSING, WARNING, UNKNOWN, PAUSED, NEUTRAL = "✔", "✖", "◌", "⚠", "?", "॥", "•"

PHASES: Final = {
    "Healthy": OK, "Degraded": BAD, "Progressing": PROGRESSING, "Paused": PAUSED,
    "Successful": OK, "Failed": BAD, "Error": WARNING, "Inconclusive": UNKNOWN, "Running": PROGRESSING,
    "Pending": PROGRESSING, "ScaledDown": NEUTRAL, "ReplicaFailure": BAD,
}  # fmt: skip
POD_PHASES: Final = {
    "Running": OK, "Completed": OK, "Pending": PROGRESSING, "Terminating": PROGRESSING,
    "ContainerCreating": PROGRESSING, "PodInitializing": PROGRESSING, "ErrImagePull": WARNING,
    "ImagePullBackOff": WARNING, "Unknown": UNKNOWN,
}  # fmt: skip
COUNTS: Final = (("successful", OK), ("failed", BAD), ("inconclusive", UNKNOWN), ("error", WARNING))


class Row(NamedTuple):
    """One line: the tree's own letters, an icon for the kind, and the cells."""

    prefix: str
    mark: str
    name: str
    kind: str = ""
    icon: str = ""
    status: str = ""
    age: str = ""
    info: str = ""


class _Entry(NamedTuple):
    """A row before its place in the tree is known."""

    row: Row
    below: Sequence[_Entry] = ()


def rollout(thing: Object, found: Sequence[Revision], now: float) -> list[Row]:
    """The rows of a Rollout and all that is below it."""
    name = facts.phase(thing).name
    root = _row(thing, "⟳", "Rollout", name, now)
    entries = [_Entry(Row("", "#", f"revision:{one.number}"), list(_of_revision(thing, one, now))) for one in found]
    return [root, *_placed(entries, "")]


def experiment(member: Member, now: float) -> list[Row]:
    """The rows of an Experiment that stands alone."""
    entry = _experiment(member, now)
    return [entry.row, *_placed(entry.below, "")]


def _of_revision(thing: Object, revision: Revision, now: float) -> Iterator[_Entry]:
    for member in revision.sets:
        yield _replica_set(member, now, facts.roles(thing, member.object))
    for one in revision.experiments:
        yield _experiment(one, now)
    for run in revision.runs:
        yield _run(run, now)


def _placed(entries: Sequence[_Entry], above: str) -> list[Row]:
    rows: list[Row] = []
    for at, (row, below) in enumerate(entries):
        last = at == len(entries) - 1
        rows.append(row._replace(prefix=above + ("└──" if last else "├──")))
        rows += _placed(below, above + ("   " if last else "│  "))
    return rows


def _row(thing: Object, mark: str, kind: str, status: str, now: float) -> Row:
    age = age_s(thing, now)
    shown = "" if age is None else duration(age)
    return Row("", mark, thing["metadata"]["name"], kind, PHASES.get(status, UNKNOWN), status, shown)


# ------------------------------------------------------------------------------------------------ members


def _replica_set(member: Member, now: float, told: Sequence[str]) -> _Entry:
    thing = member.object
    row = _row(thing, "⧉", "ReplicaSet", replica_set_status(thing), now)
    info = [*told, *_delay(thing, now)]
    return _Entry(row._replace(info=",".join(info)), [_pod(pod, now) for pod in member.pods])


def replica_set_status(thing: Object) -> str:
    """ReplicaFailure, ScaledDown, Progressing or Healthy."""
    status = thing.get("status") or {}
    if any(
        one.get("type") == "ReplicaFailure" and one.get("status") == "True" for one in status.get("conditions") or ()
    ):
        return "ReplicaFailure"
    wanted = number(thing, "spec", "replicas") if "replicas" in (thing.get("spec") or {}) else 1
    if (status.get("observedGeneration") or 0) < (thing["metadata"].get("generation") or 0):
        return "Progressing"
    if wanted == 0:
        return "ScaledDown"
    return "Progressing" if number(status, "availableReplicas") < wanted else "Healthy"


def _delay(thing: Object, now: float) -> list[str]:
    text = annotation(thing, DEADLINE)
    if not text:
        return []
    try:
        left = timestamps.seconds(text) - now
    except ValueError:
        return []
    return [f"delay:{duration(left)}" if left > 0 else "delay:passed"]


def _pod(pod: Object, now: float) -> _Entry:
    status = pod_status(pod)
    row = _row(pod, "□", "Pod", status, now)
    states = part(pod, "status").get("containerStatuses") or []
    ready = sum(1 for one in states if one.get("ready"))
    restarts = sum(int(one.get("restartCount") or 0) for one in states)
    total = len(part(pod, "spec").get("containers") or ())
    info = f"ready:{ready}/{total}" + (f",restarts:{restarts}" if restarts else "")
    return _Entry(row._replace(icon=POD_PHASES.get(status, BAD), info=info))


def pod_status(pod: Object) -> str:
    """The word that kubectl shows for a pod."""
    status = part(pod, "status")
    word = str(status.get("reason") or status.get("phase") or "Unknown")
    for one in status.get("initContainerStatuses") or ():
        ended, waiting = part(one, "state", "terminated"), part(one, "state", "waiting")
        if ended and ended.get("exitCode"):
            return f"Init:{ended.get('reason') or 'Error'}"
        if waiting and waiting.get("reason") not in (None, "PodInitializing"):
            return f"Init:{waiting['reason']}"
    for one in reversed(status.get("containerStatuses") or ()):
        waiting, ended = part(one, "state", "waiting"), part(one, "state", "terminated")
        if waiting.get("reason"):
            word = str(waiting["reason"])
        elif ended:
            word = str(ended.get("reason") or f"ExitCode:{ended.get('exitCode')}")
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else word


def _experiment(member: Member, now: float) -> _Entry:
    row = _row(member.object, "Σ", "Experiment", _phase(member.object), now)
    below = [_replica_set(one, now, ()) for one in member.sets] + [_run(one, now) for one in member.runs]
    return _Entry(row, below)


def _run(run: Object, now: float) -> _Entry:
    row = _row(run, "α", "AnalysisRun", _phase(run), now)
    results = part(run, "status").get("metricResults") or []
    counts = {name: sum(int(one.get(name) or 0) for one in results) for name, _ in COUNTS}
    info = ",".join(f"{icon} {counts[name]}" for name, icon in COUNTS if counts[name])
    return _Entry(row._replace(info=info), list(_jobs(results, now)))


def _jobs(results: Sequence[dict[str, Any]], now: float) -> Iterator[_Entry]:
    for result in results:
        for one in result.get("measurements") or ():
            name = part(one, "metadata").get("job-name")
            if name:
                phase = str(one.get("phase") or "")
                row = Row("", "⊞", str(name), "Job", PHASES.get(phase, UNKNOWN), phase, _since(one, now))
                yield _Entry(row)


def _since(measurement: dict[str, Any], now: float) -> str:
    try:
        return duration(now - timestamps.seconds(str(measurement.get("startedAt") or "")))
    except ValueError:
        return ""


def _phase(thing: Object) -> str:
    return str(part(thing, "status").get("phase") or "Pending")
