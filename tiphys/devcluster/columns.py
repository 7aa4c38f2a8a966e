"""What `kubectl get` shows of each built-in kind: computed by the server, as kubectl only prints rows."""

from __future__ import annotations

import calendar
import time
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.kinds import Column

NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)


def seconds_of(text: Any) -> float | None:
    """A Kubernetes time in seconds since the epoch."""
    try:
        return float(calendar.timegm(time.strptime(str(text)[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def duration(seconds: float) -> str:
    """An age as kubectl writes it: at most two units, coarser as it grows."""
    s = int(seconds)
    if s < 0:
        return "0s" if s >= -2 else "<invalid>"
    if s < 120:
        return f"{s}s"
    minutes = s // 60
    if minutes < 10:
        return f"{minutes}m{s % 60}s" if s % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{hours // 24}d{hours % 24}h" if hours % 24 else f"{hours // 24}d"
    return f"{hours // 24}d" if hours < 24 * 730 else f"{hours // 24 // 365}y"


def _age_of(text: Any, now: float) -> str:
    since = seconds_of(text)
    return "<unknown>" if since is None else duration(now - since)


def age(thing: Object, now: float) -> str:
    """How long ago the object was created."""
    return _age_of(thing["metadata"].get("creationTimestamp"), now)


AGE = Column("Age", cell=age)


def _containers(thing: Object) -> list[Object]:
    return list((thing.get("status") or {}).get("containerStatuses") or ())


def _pod_ready(thing: Object, _now: float) -> str:
    ready = sum(1 for status in _containers(thing) if status.get("ready"))
    return f"{ready}/{len((thing.get('spec') or {}).get('containers') or ())}"


def _waiting_or_dead(state: Object) -> str:
    if state.get("waiting"):
        return str(state["waiting"].get("reason") or "")
    ended = state.get("terminated")
    if not ended:
        return ""
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _init_status(status: Object) -> str:
    inits = status.get("initContainerStatuses") or []
    for index, init in enumerate(inits):
        state = init.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode", 1) == 0 or init.get("started"):
            continue
        reason = _waiting_or_dead(state)
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{len(inits)}"
    return ""


def pod_status(thing: Object, _now: float = 0.0) -> str:
    """The one word kubectl shows for a pod."""
    status = thing.get("status") or {}
    word = str(status.get("reason") or status.get("phase") or "Unknown")
    init = _init_status(status)
    if init:
        word = init
    else:
        for container in reversed(_containers(thing)):
            word = _waiting_or_dead(container.get("state") or {}) or word
        if word == "Completed" and any((c.get("state") or {}).get("running") for c in _containers(thing)):
            word = "Running"
    if "deletionTimestamp" in thing["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return word


def _restarts(thing: Object, _now: float) -> str:
    return str(sum(int(status.get("restartCount") or 0) for status in _containers(thing)))


def _none(value: Any) -> str:
    return str(value) if value not in (None, "", []) else "<none>"


def at(path: str, otherwise: str = "<none>") -> Any:
    """A cell: the value at a dotted path."""

    def cell(thing: Object, _now: float) -> str:
        value: Any = thing
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return otherwise if value in (None, "") else str(value)

    return cell


def _hosts(thing: Object, _now: float) -> str:
    hosts = [rule["host"] for rule in (thing.get("spec") or {}).get("rules") or () if rule.get("host")]
    return ",".join(hosts) or "*"


def _last_schedule(thing: Object, now: float) -> str:
    last = (thing.get("status") or {}).get("lastScheduleTime")
    return _age_of(last, now) if last else "<none>"


def _keys(thing: Object, _now: float) -> int:
    return len(thing.get("data") or {}) + len(thing.get("binaryData") or {})


def _ports(thing: Object, _now: float) -> str:
    ports = (thing.get("spec") or {}).get("ports") or ()
    return ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


def _ready_of(spec_field: str = "replicas", status_field: str = "readyReplicas") -> Any:
    def cell(thing: Object, _now: float) -> str:
        have = (thing.get("status") or {}).get(status_field) or 0
        return f"{have}/{(thing.get('spec') or {}).get(spec_field, 1)}"

    return cell


def count(field: str) -> Any:
    def cell(thing: Object, _now: float) -> int:
        return int((thing.get("status") or {}).get(field) or 0)

    return cell


def _job_status(thing: Object, _now: float) -> str:
    for condition in (thing.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed", "Suspended"):
            return str(condition["type"])
    return "Suspended" if thing["spec"].get("suspend") else "Running"


def _job_duration(thing: Object, now: float) -> str:
    status = thing.get("status") or {}
    start, end = seconds_of(status.get("startTime")), seconds_of(status.get("completionTime"))
    return "" if start is None else duration((end if end is not None else now) - start)


def _node_ready(thing: Object, _now: float) -> str:
    conditions = (thing.get("status") or {}).get("conditions") or ()
    ready = next((c.get("status") for c in conditions if c.get("type") == "Ready"), None)
    word = {"True": "Ready", "False": "NotReady"}.get(ready or "", "Unknown")
    return f"{word},SchedulingDisabled" if (thing.get("spec") or {}).get("unschedulable") else word


def _event_seen(thing: Object, now: float) -> str:
    for field in ("lastTimestamp", "firstTimestamp", "eventTime"):
        if thing.get(field):
            return _age_of(thing[field], now)
    return age(thing, now)


def _event_object(thing: Object, _now: float) -> str:
    about = thing.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


POD = (
    Column("Ready", cell=_pod_ready),
    Column("Status", cell=pod_status),
    Column("Restarts", cell=_restarts),
    AGE,
    Column("IP", priority=1, cell=lambda thing, _: _none((thing.get("status") or {}).get("podIP"))),
    Column("Node", priority=1, cell=lambda thing, _: _none((thing.get("spec") or {}).get("nodeName"))),
    Column("Nominated Node", priority=1, cell=at("status.nominatedNodeName")),
    Column("Readiness Gates", priority=1, cell=lambda thing, _: "<none>"),
)
CONFIGMAP = (Column("Data", type="integer", cell=_keys), AGE)
SECRET = (Column("Type", ".type"), Column("Data", type="integer", cell=_keys), AGE)
SERVICE = (
    Column("Type", ".spec.type"),
    Column("Cluster-IP", ".spec.clusterIP"),
    Column("External-IP", cell=lambda thing, _: _none((thing.get("spec") or {}).get("externalName"))),
    Column("Port(s)", cell=_ports),
    AGE,
)
SERVICE_ACCOUNT = (AGE,)
NAMESPACE = (Column("Status", ".status.phase"), AGE)
NODE = (
    Column("Status", cell=_node_ready),
    Column("Roles", cell=lambda _thing, _now: "<none>"),
    AGE,
    Column("Version", ".status.nodeInfo.kubeletVersion"),
)
EVENT = (
    Column("Last Seen", cell=_event_seen),
    Column("Type", ".type"),
    Column("Reason", ".reason"),
    Column("Object", cell=_event_object),
    Column("Message", ".message"),
)
CLAIM = (
    Column("Status", ".status.phase"),
    Column("Volume", ".spec.volumeName"),
    Column("Capacity", ".status.capacity.storage"),
    Column("Access Modes", cell=lambda thing, _: ",".join((thing.get("status") or {}).get("accessModes") or ())),
    Column("StorageClass", ".spec.storageClassName"),
    AGE,
)
JOB = (
    Column("Status", cell=_job_status),
    Column("Completions", cell=_ready_of("completions", "succeeded")),
    Column("Duration", cell=_job_duration),
    AGE,
)
CRONJOB = (
    Column("Schedule", ".spec.schedule"),
    Column("Timezone", cell=at("spec.timeZone")),
    Column("Suspend", ".spec.suspend", "boolean"),
    Column("Active", type="integer", cell=lambda thing, _: len((thing.get("status") or {}).get("active") or ())),
    Column("Last Schedule", cell=_last_schedule),
    AGE,
)
BUDGET = (
    Column("Min Available", cell=at("spec.minAvailable", "N/A")),
    Column("Max Unavailable", cell=at("spec.maxUnavailable", "N/A")),
    Column("Allowed Disruptions", type="integer", cell=count("disruptionsAllowed")),
    AGE,
)
AUTOSCALER = (
    Column("Reference", cell=lambda thing, _: "{kind}/{name}".format_map(thing["spec"]["scaleTargetRef"])),
    Column("Targets", cell=lambda thing, _: "<unknown>"),
    Column("MinPods", cell=at("spec.minReplicas", "1")),
    Column("MaxPods", ".spec.maxReplicas", "integer"),
    Column("Replicas", type="integer", cell=count("currentReplicas")),
    AGE,
)
INGRESS = (
    Column("Class", cell=at("spec.ingressClassName")),
    Column("Hosts", cell=_hosts),
    Column("Address", cell=lambda thing, _: ""),
    Column("Ports", cell=lambda thing, _: "80, 443" if (thing.get("spec") or {}).get("tls") else "80"),
    AGE,
)
REPLICA_SET = (
    Column("Desired", ".spec.replicas", "integer"),
    Column("Current", type="integer", cell=count("replicas")),
    Column("Ready", type="integer", cell=count("readyReplicas")),
    AGE,
)
DEPLOYMENT = (
    Column("Ready", cell=_ready_of()),
    Column("Up-to-date", type="integer", cell=count("updatedReplicas")),
    Column("Available", type="integer", cell=count("availableReplicas")),
    AGE,
)
STATEFUL_SET = (Column("Ready", cell=_ready_of()), AGE)
LEASE = (Column("Holder", ".spec.holderIdentity"), AGE)
CRD = (Column("Created At", ".metadata.creationTimestamp"),)
