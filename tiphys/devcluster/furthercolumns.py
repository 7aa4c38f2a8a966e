"""What `kubectl get` shows of kinds that people look at less often."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.columns import AGE, at, count
from tiphys.devcluster.kinds import Column
from tiphys.devcluster.selectors import selector_text

SHOWN_MAX = 3  # addresses of endpoints in one cell


def _some(items: list[str]) -> str:
    """The first few of many, as kubectl shows them."""
    if not items:
        return "<unset>"
    return ",".join(items[:SHOWN_MAX]) + (f" + {len(items) - SHOWN_MAX} more..." if len(items) > SHOWN_MAX else "")


def _addresses(thing: Object) -> str:
    found: list[str] = []
    for subset in thing.get("subsets") or ():
        ports = [str(port.get("port")) for port in subset.get("ports") or ()] or [""]
        found += [f"{a.get('ip', '')}:{p}".rstrip(":") for p in ports for a in subset.get("addresses") or ()]
    return _some(found) if found else "<none>"


def _pairs(labels: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


def _selector(thing: Object) -> str:
    return selector_text((thing.get("spec") or {}).get("podSelector") or {}) or "<none>"


def _of_containers(thing: Object, field: str) -> str:
    spec = thing["template"].get("spec") or {}
    return ",".join(str(container.get(field, "")) for container in spec.get("containers") or ())


def _controller(thing: Object) -> str:
    owners = thing["metadata"].get("ownerReferences") or ()
    return next((f"{o['kind'].lower()}/{o['name']}" for o in owners if o.get("controller")), "<none>")


def _role(thing: Object) -> str:
    role = thing.get("roleRef") or {}
    return f"{role.get('kind', '')}/{role.get('name', '')}"


def _claim(thing: Object) -> str:
    claim = (thing.get("spec") or {}).get("claimRef") or {}
    return f"{claim.get('namespace', '')}/{claim['name']}" if claim.get("name") else ""


def _used(thing: Object, *, limits: bool) -> str:
    status = thing.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    names = sorted(name for name in hard if name.startswith("limits.") == limits)
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)


DAEMON_SET = (
    Column("Desired", type="integer", cell=count("desiredNumberScheduled")),
    Column("Current", type="integer", cell=count("currentNumberScheduled")),
    Column("Ready", type="integer", cell=count("numberReady")),
    Column("Up-to-date", type="integer", cell=count("updatedNumberScheduled")),
    Column("Available", type="integer", cell=count("numberAvailable")),
    Column("Node Selector", cell=lambda thing, _: _pairs(thing["spec"]["template"]["spec"].get("nodeSelector"))),
    AGE,
)
POD_TEMPLATE = (
    Column("Containers", cell=lambda thing, _: _of_containers(thing, "name")),
    Column("Images", cell=lambda thing, _: _of_containers(thing, "image")),
    Column("Pod Labels", cell=lambda thing, _: _pairs((thing["template"].get("metadata") or {}).get("labels"))),
)
CONTROLLER_REVISION = (
    Column("Controller", cell=lambda thing, _: _controller(thing)),
    Column("Revision", ".revision", "integer"),
    AGE,
)
QUOTA = (
    Column("Request", cell=lambda thing, _: _used(thing, limits=False)),
    Column("Limit", cell=lambda thing, _: _used(thing, limits=True)),
    AGE,
)
PRIORITY_CLASS = (
    Column("Value", ".value", "integer"),
    Column("Global-Default", type="boolean", cell=lambda thing, _: bool(thing.get("globalDefault"))),
    AGE,
    Column("PreemptionPolicy", ".preemptionPolicy", priority=1),
)
ENDPOINTS = (Column("Endpoints", cell=lambda thing, _: _addresses(thing)), AGE)
ENDPOINT_SLICE = (
    Column("AddressType", ".addressType"),
    Column("Ports", cell=lambda thing, _: _some([str(port.get("port", "*")) for port in thing.get("ports") or ()])),
    Column(
        "Endpoints",
        cell=lambda thing, _: _some([a for e in thing.get("endpoints") or () for a in e.get("addresses") or ()]),
    ),
    AGE,
)
NETWORK_POLICY = (
    Column("Pod-Selector", cell=lambda thing, _: _selector(thing)),
    AGE,
)
INGRESS_CLASS = (
    Column("Controller", ".spec.controller"),
    Column("Parameters", cell=at("spec.parameters.name")),
    AGE,
)
STORAGE_CLASS = (
    Column("Provisioner", ".provisioner"),
    Column("ReclaimPolicy", ".reclaimPolicy"),
    Column("VolumeBindingMode", ".volumeBindingMode"),
    Column("AllowVolumeExpansion", type="boolean", cell=lambda thing, _: bool(thing.get("allowVolumeExpansion"))),
    AGE,
)
VOLUME = (
    Column("Capacity", ".spec.capacity.storage"),
    Column("Access Modes", cell=lambda thing, _: ",".join((thing.get("spec") or {}).get("accessModes") or ())),
    Column("Reclaim Policy", ".spec.persistentVolumeReclaimPolicy"),
    Column("Status", ".status.phase"),
    Column("Claim", cell=lambda thing, _: _claim(thing)),
    Column("StorageClass", ".spec.storageClassName"),
    AGE,
)
BINDING = (
    Column("Role", cell=lambda thing, _: _role(thing)),
    AGE,
)
