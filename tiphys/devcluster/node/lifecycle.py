"""A pod's status as the kubelet would write it, computed from what is known of its containers.

One pure function from facts to the whole status: nothing is remembered here but transition times, which come in with
the status written before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.objects import Object
from tiphys.devcluster.node.facts import Ended, Ending, Fact, Running, Waiting
from tiphys.devcluster.node.plan import backoff_s, failed_setup, is_set_up, restart_at, will_restart
from tiphys.devcluster.node.podspec import ContainerSpec, PodSpec

ADDRESS = "127.0.0.1"  # pods share the machine's network
OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


@dataclass(frozen=True, slots=True)
class Situation:
    """What else the status tells: since when the node has the pod, whether volumes are there, how it ends."""

    start_time: float
    prepared: bool = True
    hindrance: str = ""  # why the volumes are not there
    ending: Ending | None = None
    over: bool = False  # nothing runs and nothing will


def rfc3339(at: float) -> str:
    """Seconds since the epoch as Kubernetes writes times: whole seconds, UTC."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status(
    pod: PodSpec, facts: Mapping[str, Fact], situation: Situation, now: float, previous: Object | None = None
) -> Object:
    """The status to write. `previous` is the status written last: its transition times and foreign conditions stay."""
    before = previous or {}
    phase = pod_phase(pod, facts, situation)
    ending = situation.ending if situation.over else None
    status: Object = {
        "phase": phase,
        "startTime": rfc3339(situation.start_time),
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "conditions": _merge_conditions(
            _conditions(pod, facts, situation, phase, before.get("conditions")), before.get("conditions"), now
        )
        + _scheduled(before.get("conditions"), situation),
        "containerStatuses": [container_status(pod, c, facts[c.name], situation, now) for c in pod.mains],
    }
    if pod.setups:
        status["initContainerStatuses"] = [container_status(pod, c, facts[c.name], situation, now) for c in pod.setups]
    if ending is not None and ending.reason:
        status["reason"], status["message"] = ending.reason, ending.message
    return status


# ------------------------------------------------------------------------------------------------ phase


def pod_phase(pod: PodSpec, facts: Mapping[str, Fact], situation: Situation) -> str:
    """Pending, Running, Succeeded or Failed. A terminal phase is told only once nothing runs any more."""
    if situation.over:
        if situation.ending is not None and situation.ending.reason:
            return "Failed"
        ends = [facts[c.name].state for c in pod.mains]
        return "Succeeded" if ends and all(isinstance(s, Ended) and s.code == 0 for s in ends) else "Failed"
    if not situation.prepared:
        return "Pending"
    if not _has_begun(pod, facts):
        return "Pending"
    return "Running"


def _has_begun(pod: PodSpec, facts: Mapping[str, Fact]) -> bool:
    """Every init container is done and every main container has started at least once."""
    if failed_setup(pod, facts):
        return False
    for container in pod.setups:
        fact = facts[container.name]
        if not is_set_up(container, fact) and fact.last is None:
            return container.kind == "sidecar" and isinstance(fact.state, Ended)
        if container.kind == "init" and not is_set_up(container, fact):
            return False
    return all(isinstance(facts[c.name].state, Running | Ended) or facts[c.name].last for c in pod.mains)


# ------------------------------------------------------------------------------------------------ containers


def container_status(pod: PodSpec, container: ContainerSpec, fact: Fact, situation: Situation, now: float) -> Object:
    """One entry of containerStatuses or initContainerStatuses."""
    state = fact.state
    running = state if isinstance(state, Running) else None
    status: Object = {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": _is_ready(container, fact),
        "started": running is not None and running.up,
        "restartCount": fact.restarts,
        "state": {},
        "lastState": {},
    }
    if fact.attempt or not isinstance(state, Waiting):
        status["containerID"] = container_id(pod, container.name, fact.attempt)
    last = fact.last
    if running is not None:
        status["state"] = {"running": {"startedAt": rfc3339(running.started_at)}}
    elif isinstance(state, Ended):
        waits = not situation.over and situation.ending is None and will_restart(pod, container, state)
        if waits and restart_at(fact, state) > now:
            status["state"] = {"waiting": _crash_loop(pod, container, fact)}
            last = state
        else:
            status["state"] = {"terminated": _terminated(state, container_id(pod, container.name, fact.attempt))}
    else:
        status["state"] = {"waiting": _waiting(pod, fact, situation)}
    if last is not None:
        earlier = fact.attempt if last is state else fact.attempt - 1
        status["lastState"] = {"terminated": _terminated(last, container_id(pod, container.name, earlier))}
    return status


def container_id(pod: PodSpec, name: str, attempt: int) -> str:
    """A name for one attempt of one container that never recurs."""
    return f"tiphys://{pod.uid}/{name}/{attempt}"


def _is_ready(container: ContainerSpec, fact: Fact) -> bool:
    if container.kind == "init":
        return isinstance(fact.state, Ended) and fact.state.code == 0
    return isinstance(fact.state, Running) and fact.state.up and fact.state.ready


def _waiting(pod: PodSpec, fact: Fact, situation: Situation) -> Object:
    reason = message = ""
    if isinstance(fact.state, Waiting):
        reason, message = fact.state.reason, fact.state.message
    waiting = {"reason": reason or ("PodInitializing" if pod.setups else "ContainerCreating")}
    if not situation.prepared and situation.hindrance:
        message = message or situation.hindrance
    if message:
        waiting["message"] = message
    return waiting


def _crash_loop(pod: PodSpec, container: ContainerSpec, fact: Fact) -> Object:
    delay = int(backoff_s(fact.crashes))
    text = f"{delay // 60}m{delay % 60}s" if delay >= 60 else f"{delay}s"
    return {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {text} restarting failed container={container.name} "
        f"pod={pod.name}_{pod.namespace}({pod.uid})",
    }


def _terminated(ended: Ended, identity: str) -> Object:
    terminated: Object = {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": rfc3339(ended.started_at or 0),
        "finishedAt": rfc3339(ended.finished_at),
        "containerID": identity,
    }
    if ended.message:
        terminated["message"] = ended.message
    if ended.code > 128 and ended.reason == "Error" and ended.code <= 192:
        terminated["signal"] = ended.code - 128
    return terminated


# ------------------------------------------------------------------------------------------------ conditions


def _conditions(
    pod: PodSpec, facts: Mapping[str, Fact], situation: Situation, phase: str, before: list[Object] | None
) -> list[Object]:
    terminal = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    behind = [c.name for c in pod.setups if not is_set_up(c, facts[c.name]) and not facts[c.name].last]
    begun = any(not isinstance(facts[c.name].state, Waiting) for c in pod.mains)
    initialized = (begun or not behind) and not (terminal == "PodFailed" and failed_setup(pod, facts))
    unready = [c.name for c in pod.containers if c.kind != "init" and not _is_ready(c, facts[c.name])]
    sandbox = situation.prepared and not terminal
    conditions: list[Object] = [_condition("PodReadyToStartContainers", sandbox)]
    if terminal == "PodCompleted":
        conditions.append(_condition("Initialized", True, "PodCompleted"))
    else:
        told = f"containers with incomplete status: [{' '.join(behind)}]" if not initialized else ""
        conditions.append(
            _condition("Initialized", initialized, "" if initialized else "ContainersNotInitialized", told)
        )
    for kind in ("Ready", "ContainersReady"):
        if terminal:
            conditions.append(_condition(kind, False, terminal))
        elif unready:
            message = f"containers with unready status: [{' '.join(unready)}]"
            conditions.append(_condition(kind, False, "ContainersNotReady", message))
        elif kind == "Ready" and (closed := _closed_gates(pod, before or ())):
            conditions.append(_condition(kind, False, "ReadinessGatesNotReady", ", ".join(closed)))
        else:
            conditions.append(_condition(kind, True))
    return conditions


def _closed_gates(pod: PodSpec, before: Iterable[Object]) -> list[str]:
    """What of the pod's readiness gates keeps it from being ready."""
    there = {c["type"]: c["status"] for c in before}
    closed = []
    for gate in pod.gates:
        if gate not in there:
            closed.append(f'corresponding condition of pod readiness gate "{gate}" does not exist.')
        elif there[gate] != "True":
            closed.append(f'the status of pod readiness gate "{gate}" is not "True", but {there[gate]}')
    return closed


def _condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    condition = {"type": kind, "status": "True" if holds else "False"}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _merge_conditions(wanted: list[Object], previous: list[Object] | None, now: float) -> list[Object]:
    """The wanted conditions with the time their status last changed, and those that others own as they are."""
    before = {c["type"]: c for c in previous or ()}
    for condition in wanted:
        old = before.pop(condition["type"], None)
        same = old is not None and old.get("status") == condition["status"] and "lastTransitionTime" in old
        condition["lastTransitionTime"] = old["lastTransitionTime"] if same and old is not None else rfc3339(now)
    return wanted + list(before.values())


def _scheduled(previous: list[Object] | None, situation: Situation) -> list[Object]:
    """PodScheduled for a pod whose binder did not write it: it is here, so it was bound."""
    if any(c["type"] == "PodScheduled" for c in previous or ()):
        return []
    return [_condition("PodScheduled", True) | {"lastTransitionTime": rfc3339(situation.start_time)}]
