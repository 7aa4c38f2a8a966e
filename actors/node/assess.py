"""What a pod's status says about its node: a pure reading, the same whenever and however often it is asked.

The container statuses decide the phase, in a fixed order of blame; the frames in the termination messages bring the
outputs. A frame that is not there never turns a failure into something else. (DMN-1..3, SIDE-1, SIDE-3, CSET-5)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.contract import paths
from actors.names import labels
from actors.node.assess_outputs import Reports, outputs_of, read_reports
from actors.node.assess_usage import resources_duration
from actors.node.assessment import Assessment, ContainerVerdict, Expectation
from actors.node.pod_progress import told_progress

CONTAINER_DELETED = "container deleted"
_STOPPED = (137, 143)  # how a sidecar ends when it is told to
NO_REPORTS = Reports()
_NEVER_RAN = ("StartError", "ContainerCannotRun")


def assess(pod: Mapping[str, Any], expect: Expectation, logs: Mapping[str, bytes] | None = None) -> Assessment:
    """The node's side of `pod`. When the answer has `needs_log`, read that log and ask again with `logs`
    ({container: the bytes, or b"" when it cannot be read}); until then the node is Running. Progress is what the
    program's own report says, else what was told while it ran, else the pod's annotation (PROG-2)."""
    pod = _without_strangers(pod, expect)
    status = pod.get("status") or {}
    phase = status.get("phase") or "Pending"
    if phase == "Pending":
        verdict = Assessment("Pending", waiting_reason(status))
    elif phase == "Running":
        verdict = _running(pod, expect)
    elif phase in ("Succeeded", "Failed"):
        verdict = _finished(pod, expect, logs or {})
    else:
        name = (pod.get("metadata") or {}).get("name", "")
        verdict = Assessment("Error", f"Unexpected pod phase for {name}: {phase}")
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return msgspec.structs.replace(
        verdict,
        pod_ip=str(status.get("podIP") or ""),
        host=str((pod.get("spec") or {}).get("nodeName") or ""),
        containers=_set_verdicts(pod, expect),
        progress=verdict.progress or told_progress(pod, logs or {}) or str(annotations.get(labels.PROGRESS) or ""),
    )


def _without_strangers(pod: Mapping[str, Any], expect: Expectation) -> Mapping[str, Any]:
    """The pod as it would be without containers that others have put into it, once all of the node's own have ended.

    A mesh's proxy serves for ever, and how it ends says nothing of the node's work; a pod that we have ended for its
    sake is Failed and the node is not (SIDE-4)."""
    status = pod.get("status") or {}
    statuses = status.get("containerStatuses") or ()
    mine = {*_mains(expect), paths.WAIT}
    own = [entry for entry in statuses if entry.get("name") in mine]
    if len(own) == len(statuses) or not own:  # as nearly always
        return pod
    wanted = [entry for entry in (pod.get("spec") or {}).get("containers") or () if entry.get("name") in mine]
    codes = [((entry.get("state") or {}).get("terminated") or {}).get("exitCode") for entry in own]
    if len(own) < len(wanted) or None in codes:
        return pod
    if status.get("phase") != "Running" and (any(codes) or status.get("reason") != "DeadlineExceeded"):
        return pod
    rest = {key: value for key, value in status.items() if key not in ("message", "reason")}
    ended = {**rest, "phase": "Failed" if any(codes) else "Succeeded", "containerStatuses": own}
    return {**pod, "status": ended}


# ------------------------------------------------------------------------------------------------ by pod phase


def waiting_reason(status: Mapping[str, Any]) -> str:
    """`ImagePullBackOff: …`: what a container waits for; what init waits for hides behind main's PodInitializing."""
    waiting = [
        state["waiting"]
        for key in ("initContainerStatuses", "containerStatuses")
        for container in status.get(key) or ()
        if (state := container.get("state") or {}).get("waiting")
    ]
    waiting.sort(key=lambda entry: entry.get("reason") == "PodInitializing")
    unschedulable = [entry for entry in status.get("conditions") or () if entry.get("reason") == "Unschedulable"]
    for entry in [*waiting, *unschedulable]:
        reason, message = str(entry.get("reason") or ""), str(entry.get("message") or "")
        return f"{reason}: {message}" if message else reason
    return ""


def _running(pod: Mapping[str, Any], expect: Expectation) -> Assessment:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    for entry in statuses:  # wait would wait for ever for a main that never was
        ended = (entry.get("state") or {}).get("terminated") or {}
        if entry.get("name") in _mains(expect) and ended.get("reason") in _NEVER_RAN and len(statuses) > 1:
            return Assessment("Failed", blame(entry, ended, Reports()))
    wanted = len((pod.get("spec") or {}).get("containers") or ())
    ready = len(statuses) >= max(wanted, 1) and all(entry.get("ready") for entry in statuses)
    return Assessment("Running", daemoned=expect.daemon and ready)


def ends_early(pod: Mapping[str, Any], expect: Expectation) -> bool:
    """Whether a container of a set has failed beside others that go on: the whole pod ends with it (CSET-2). Those that
    wait for one that failed end by themselves, and say why."""
    status = pod.get("status") or {}
    if not expect.containers or status.get("phase") != "Running":
        return False
    codes = {entry.get("name"): code for entry, code in _codes(status, expect.containers)}
    over = {name for name, code in codes.items() if code}
    for _ in expect.after if over else ():
        over |= {name for name, others in expect.after.items() if not over.isdisjoint(others)}
    return bool(over) and any(code is None and name not in over for name, code in codes.items())


def _finished(pod: Mapping[str, Any], expect: Expectation, logs: Mapping[str, bytes]) -> Assessment:
    reports = read_reports(pod, logs)
    if reports.needs_log is not None:
        return Assessment("Running", needs_log=reports.needs_log)
    phase, message = _verdict(pod, expect, reports)
    if phase == "Succeeded":
        problem = reports.problem(expect)
        phase, message = ("Error", problem) if problem else (phase, message)
    return Assessment(
        phase,
        message,
        outputs=outputs_of(pod, expect, reports),
        finished_at=_finished_at(pod),
        resources_duration=resources_duration(pod),
        progress=reports.progress,
    )


def _verdict(pod: Mapping[str, Any], expect: Expectation, reports: Reports) -> tuple[str, str]:
    status = pod.get("status") or {}
    if status["phase"] == "Succeeded":
        if expect.daemon:
            return "Failed", "daemon container ended by itself"
        return "Succeeded", ""
    failed = _first_to_fail(pod, expect)
    if failed is not None:
        return "Failed", blame(failed, failed["state"]["terminated"], reports)
    if status.get("message"):
        return "Failed", str(status["message"])
    return _scan(pod, expect, reports)


def _first_to_fail(pod: Mapping[str, Any], expect: Expectation) -> Mapping[str, Any] | None:
    """The container of a set on whose account we have ended its pod; of the others we know why they were killed."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    if status.get("reason") != "DeadlineExceeded" or spec.get("activeDeadlineSeconds") != 1:
        return None
    failed = [(entry, code) for entry, code in _codes(status, expect.containers) if code]
    failed.sort(key=lambda one: (one[0]["state"]["terminated"].get("finishedAt") or "", one[1] in _STOPPED))
    return failed[0][0] if failed else None


def _scan(pod: Mapping[str, Any], expect: Expectation, reports: Reports) -> tuple[str, str]:
    """Who is to blame: init, then main, then wait, then the others; the first failure in that order decides."""
    ended_well: set[str] = set()
    for entry, user_init in _in_order(pod, expect):
        name = str(entry.get("name", ""))
        state = entry.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting:
            why = f"{waiting.get('reason') or ''}: {waiting.get('message') or ''}"
            return "Error", f"Pod failed before {name} container starts due to {why}"
        if not ended:
            continue
        code = int(ended.get("exitCode") or 0)
        if code == 0:
            ended_well.add(name)
            continue
        if name in (paths.INIT, paths.WAIT):
            return "Error", blame(entry, ended, reports)
        if user_init or name in _mains(expect) or code not in _STOPPED:
            return "Failed", blame(entry, ended, reports)
    return _nothing_bad(pod, expect, ended_well)


def _nothing_bad(pod: Mapping[str, Any], expect: Expectation, ended_well: set[str]) -> tuple[str, str]:
    meta, status = pod.get("metadata") or {}, pod.get("status") or {}
    if not status.get("initContainerStatuses") and not status.get("containerStatuses"):
        name, namespace = meta.get("name", ""), meta.get("namespace", "")
        return "Failed", f"can't find failed message for pod {name} namespace {namespace}"
    main_ok = all(name in ended_well for name in _mains(expect))
    has_wait = any(entry.get("name") == paths.WAIT for entry in (pod.get("spec") or {}).get("containers") or ())
    wait_ok = not has_wait or paths.WAIT in ended_well
    if main_ok and wait_ok:
        return "Succeeded", ""
    if main_ok:
        return "Failed", "pod failed: wait container did not complete successfully"
    if wait_ok and has_wait:
        return "Failed", "pod failed: main container did not complete successfully"
    return "Failed", "pod failed: neither main nor wait container completed successfully"


# ------------------------------------------------------------------------------------------------ containers


def _codes(status: Mapping[str, Any], names: Sequence[str]) -> list[tuple[Mapping[str, Any], int | None]]:
    """The statuses of these containers, each with its exit code; None while it has not ended."""
    found = [entry for entry in status.get("containerStatuses") or () if entry.get("name") in names]
    return [(entry, ((entry.get("state") or {}).get("terminated") or {}).get("exitCode")) for entry in found]


def _mains(expect: Expectation) -> tuple[str, ...]:
    return tuple(expect.containers) or (paths.MAIN,)


def _in_order(pod: Mapping[str, Any], expect: Expectation) -> list[tuple[Mapping[str, Any], bool]]:
    """Container statuses in the order of blame, each with whether it is one of the user's init containers."""
    status = pod.get("status") or {}
    native = {
        entry.get("name")
        for entry in (pod.get("spec") or {}).get("initContainers") or ()
        if entry.get("restartPolicy") == "Always"
    }
    inits = [entry for entry in status.get("initContainerStatuses") or () if entry.get("name") not in native]
    sidecars = [entry for entry in status.get("initContainerStatuses") or () if entry.get("name") in native]
    mains = _mains(expect)
    rank = {paths.WAIT: len(mains), **{name: number for number, name in enumerate(mains)}}
    rest = sorted(status.get("containerStatuses") or (), key=lambda entry: rank.get(entry.get("name"), len(rank)))
    return [(entry, entry.get("name") != paths.INIT) for entry in inits] + [(entry, False) for entry in rest + sidecars]


def blame(entry: Mapping[str, Any], ended: Mapping[str, Any], reports: Reports = NO_REPORTS) -> str:
    """`main: Error (exit code 1)`, with what the container itself had to say."""
    name = str(entry.get("name", ""))
    text = f"{name}: {ended.get('reason') or 'Error'} (exit code {ended.get('exitCode')})"
    said = reports.message(name, str(ended.get("message") or ""))
    return f"{text}: {said}" if said else text


def _set_verdicts(pod: Mapping[str, Any], expect: Expectation) -> dict[str, ContainerVerdict]:
    if not expect.containers:
        return {}
    status = pod.get("status") or {}
    states = {entry.get("name"): entry for entry in status.get("containerStatuses") or ()}
    over = status.get("phase") in ("Succeeded", "Failed")
    return {name: _set_verdict(states.get(name) or {}, over=over, pod=pod) for name in expect.containers}


def _set_verdict(entry: Mapping[str, Any], *, over: bool, pod: Mapping[str, Any]) -> ContainerVerdict:
    state = entry.get("state") or {}
    running, ended = state.get("running"), state.get("terminated")
    if ended:
        code = int(ended.get("exitCode") or 0)
        phase = "Succeeded" if code == 0 else "Error" if code == 64 else "Failed"
        message = blame(entry, ended, read_reports(pod, {})) if code else ""
        message += ": " if message.endswith(f"(exit code {code})") else ""  # upstream's, before nothing
        started, finished = str(ended.get("startedAt") or ""), str(ended.get("finishedAt") or "")
        return ContainerVerdict(phase, message, started, finished, str(code))
    if over:
        return ContainerVerdict("Failed", "Pod Failed whilst container running")
    if running:
        return ContainerVerdict("Running", started_at=str(running.get("startedAt") or ""))
    return ContainerVerdict("Pending")


def _finished_at(pod: Mapping[str, Any]) -> str:
    status = pod.get("status") or {}
    ends = [
        str(((entry.get("state") or {}).get("terminated") or {}).get("finishedAt") or "")
        for key in ("initContainerStatuses", "containerStatuses")
        for entry in status.get(key) or ()
    ]
    return max(ends, default="")
