"""What `kubectl get pods` shows: how many containers are ready, one word for all, how often they started anew."""

from __future__ import annotations

from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.devcluster.columns import AGE, age_of, at
from tiphys.devcluster.kinds import Column

_TERMINAL = ("Succeeded", "Failed")


class _Summary(NamedTuple):
    ready: int
    word: str
    restarts: int
    restarted: str  # when a container last ended before its restart; empty: never


def _parts(thing: Object, name: str) -> Object:
    return thing.get(name) or {}


def _has_condition(status: Object, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or ())


def _end_word(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode') or 0}"


def _restarts(statuses: list[Object]) -> tuple[int, str]:
    """How often these containers were restarted, and when one last ended before that."""
    ends = [str(_parts(_parts(s, "lastState"), "terminated").get("finishedAt") or "") for s in statuses]
    return sum(int(s.get("restartCount") or 0) for s in statuses), max(ends, default="")


def _sidecars(spec: Object) -> set[str]:
    return {str(c.get("name")) for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _initial(spec: Object, statuses: list[Object]) -> tuple[str, int, int]:
    """The word of the init container that is under way (empty: none), how many sidecars serve, how many were seen."""
    sidecars, ready = _sidecars(spec), 0
    for index, container in enumerate(statuses):
        state = _parts(container, "state")
        ended = state.get("terminated")
        if ended is not None and not ended.get("exitCode"):
            continue
        if container.get("name") in sidecars and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        reason = str(_parts(state, "waiting").get("reason") or "")
        if ended is not None:
            return f"Init:{_end_word(ended)}", ready, index + 1
        if reason and reason != "PodInitializing":
            return f"Init:{reason}", ready, index + 1
        return f"Init:{index}/{len(spec.get('initContainers') or ())}", ready, index + 1
    return "", ready, len(statuses)


def _first_word(status: Object) -> str:
    gated = [c for c in status.get("conditions") or () if c.get("type") == "PodScheduled"]
    if any(c.get("reason") == "SchedulingGated" for c in gated):
        return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _main(status: Object, word: str) -> tuple[str, int]:
    """The word of the containers together, and how many of them are ready."""
    ready, failure = 0, ""
    for container in reversed(status.get("containerStatuses") or ()):
        state = _parts(container, "state")
        if _parts(state, "waiting").get("reason"):
            word = str(state["waiting"]["reason"])
        elif state.get("terminated") is not None:
            word = _end_word(state["terminated"])
            failure = word if state["terminated"].get("exitCode") else failure
        elif container.get("ready") and state.get("running") is not None:
            ready += 1
    if word == "Completed":
        if ready and _has_condition(status, "Ready"):
            return "Running", ready
        return failure or ("NotReady" if ready else word), ready
    return word, ready


def _summary(thing: Object) -> _Summary:
    spec, status = _parts(thing, "spec"), _parts(thing, "status")
    inits: list[Object] = list(status.get("initContainerStatuses") or ())
    word, ready, seen = _initial(spec, inits)
    restarts, restarted = _restarts(inits[:seen])
    if not word or _has_condition(status, "Initialized"):
        sidecars = _sidecars(spec)
        counted = [s for s in inits[:seen] if s.get("name") in sidecars]
        restarts, restarted = _restarts([*counted, *(status.get("containerStatuses") or ())])
        word, serving = _main(status, word or _first_word(status))
        ready += serving
    if "deletionTimestamp" in _parts(thing, "metadata"):
        if status.get("reason") == "NodeLost":
            word = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            word = "Terminating"
    return _Summary(ready, word, restarts, restarted)


def pod_status(thing: Object, _now: float = 0.0) -> str:
    """The one word kubectl shows for a pod."""
    return _summary(thing).word


def _ready(thing: Object, _now: float) -> str:
    spec = _parts(thing, "spec")
    return f"{_summary(thing).ready}/{len(spec.get('containers') or ()) + len(_sidecars(spec))}"


def _restarts_cell(thing: Object, now: float) -> str:
    found = _summary(thing)
    since = f" ({age_of(found.restarted, now)} ago)" if found.restarts and found.restarted else ""
    return f"{found.restarts}{since}"


def _address(thing: Object, _now: float) -> Any:
    status = _parts(thing, "status")
    first = next((a.get("ip") for a in status.get("podIPs") or ()), None)
    return first or status.get("podIP") or "<none>"


def _gates(thing: Object, _now: float) -> str:
    gates = _parts(thing, "spec").get("readinessGates") or ()
    met = sum(1 for gate in gates if _has_condition(_parts(thing, "status"), gate.get("conditionType")))
    return f"{met}/{len(gates)}" if gates else "<none>"


POD = (
    Column("Ready", cell=_ready),
    Column("Status", cell=pod_status),
    Column("Restarts", cell=_restarts_cell),
    AGE,
    Column("IP", priority=1, cell=_address),
    Column("Node", priority=1, cell=at("spec.nodeName")),
    Column("Nominated Node", priority=1, cell=at("status.nominatedNodeName")),
    Column("Readiness Gates", priority=1, cell=_gates),
)
