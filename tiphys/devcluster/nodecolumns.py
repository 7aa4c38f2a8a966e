"""What `kubectl get nodes` and `kubectl get events` show."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.columns import AGE, age_of, at
from tiphys.devcluster.kinds import Column

_ROLE, _ROLE_LABEL = "node-role.kubernetes.io/", "kubernetes.io/role"


def _status(thing: Object, _now: float) -> str:
    conditions = (thing.get("status") or {}).get("conditions") or ()
    ready = next((c.get("status") for c in conditions if c.get("type") == "Ready"), None)
    word = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if (thing.get("spec") or {}).get("unschedulable") else word


def _roles(thing: Object, _now: float) -> str:
    labels = thing["metadata"].get("labels") or {}
    named = {label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE)} | {labels.get(_ROLE_LABEL, "")}
    return ",".join(sorted(named - {""})) or "<none>"


def _address(kind: str) -> Any:
    def cell(thing: Object, _now: float) -> str:
        addresses = (thing.get("status") or {}).get("addresses") or ()
        return next((str(a.get("address")) for a in addresses if a.get("type") == kind), "<none>")

    return cell


def _kernel(thing: Object, _now: float) -> str:
    told = (thing.get("status") or {}).get("nodeInfo") or {}
    architecture = f" ({told['architecture']})" if told.get("architecture") else ""
    return (told.get("kernelVersion") or "<unknown>") + architecture


NODE = (
    Column("Status", cell=_status),
    Column("Roles", cell=_roles),
    AGE,
    Column("Version", cell=at("status.nodeInfo.kubeletVersion", "")),
    Column("Internal-IP", priority=1, cell=_address("InternalIP")),
    Column("External-IP", priority=1, cell=_address("ExternalIP")),
    Column("OS-Image", priority=1, cell=at("status.nodeInfo.osImage", "<unknown>")),
    Column("Kernel-Version", priority=1, cell=_kernel),
    Column("Container-Runtime", priority=1, cell=at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
)


def _first_seen(thing: Object, now: float) -> str:
    return age_of(thing.get("firstTimestamp") or thing.get("eventTime"), now)


def _last_seen(thing: Object, now: float) -> str:
    series = thing.get("series")
    if series:
        return age_of(series.get("lastObservedTime"), now)
    return age_of(thing["lastTimestamp"], now) if thing.get("lastTimestamp") else _first_seen(thing, now)


def _about(thing: Object, _now: float) -> str:
    about = thing.get("involvedObject") or {}
    kind = str(about.get("kind") or "").lower()
    return f"{kind}/{about['name']}" if about.get("name") else kind


def _source(thing: Object, _now: float) -> str:
    source = thing.get("source") or {}
    parts = (
        source.get("component") or thing.get("reportingComponent") or "",
        source.get("host") or thing.get("reportingInstance") or "",
    )
    return ", ".join(parts) if parts[1] else parts[0]


def _times(thing: Object, _now: float) -> int:
    return int((thing.get("series") or {}).get("count") or thing.get("count") or 1)


EVENT = (
    Column("Last Seen", cell=_last_seen),
    Column("Type", cell=at("type", "")),
    Column("Reason", cell=at("reason", "")),
    Column("Object", cell=_about),
    Column("Subobject", priority=1, cell=at("involvedObject.fieldPath", "")),
    Column("Source", priority=1, cell=_source),
    Column("Message", cell=lambda thing, _: str(thing.get("message") or "").strip()),
    Column("First Seen", priority=1, cell=_first_seen),
    Column("Count", priority=1, cell=_times),
    Column("Name", priority=1, format="name", cell=at("metadata.name", "")),
)
