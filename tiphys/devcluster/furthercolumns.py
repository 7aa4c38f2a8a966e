"""What `kubectl get` shows of kinds that people look at less often: storage, quotas, priorities, rights."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.columns import AGE, at
from tiphys.devcluster.kinds import Column

_MODES = {  # in the order in which they are shown
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_CLASS = "volume.beta.kubernetes.io/storage-class"  # an annotation that was there before the field
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _spec(thing: Object) -> Object:
    return thing.get("spec") or {}


def _role(thing: Object, _now: float) -> str:
    role = thing.get("roleRef") or {}
    return f"{role.get('kind', '')}/{role.get('name', '')}"


def _subjects(kind: str) -> Any:
    def cell(thing: Object, _now: float) -> str:
        named = (subject for subject in thing.get("subjects") or () if subject.get("kind") == kind)
        names = (f"{s['namespace']}/{s['name']}" if s.get("namespace") else str(s.get("name", "")) for s in named)
        return ", ".join(names)

    return cell


def _modes(modes: Any) -> str:
    return ",".join(short for name, short in _MODES.items() if name in (modes or ()))


def _phase(thing: Object, _now: float) -> str:
    ends = "deletionTimestamp" in thing["metadata"]
    return "Terminating" if ends else str((thing.get("status") or {}).get("phase") or "")


def _storage_class(thing: Object, _now: float) -> str:
    noted = (thing["metadata"].get("annotations") or {}).get(_CLASS)
    return str(noted or _spec(thing).get("storageClassName") or "")


def _claim(thing: Object, _now: float) -> str:
    claim = _spec(thing).get("claimRef") or {}
    return f"{claim.get('namespace', '')}/{claim['name']}" if claim.get("name") else ""


def _of_bound(field: str) -> Any:
    """A cell of a claim: what its volume has, once there is one."""

    def cell(thing: Object, _now: float) -> str:
        status = (thing.get("status") or {}) if _spec(thing).get("volumeName") else {}
        if field == "capacity":
            return str((status.get("capacity") or {}).get("storage") or "")
        return _modes(status.get("accessModes"))

    return cell


def _used(thing: Object, *, limits: bool) -> str:
    status = thing.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    names = sorted(name for name in hard if name.startswith("limits.") == limits)
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)


def _class_name(thing: Object, _now: float) -> str:
    noted = thing["metadata"].get("annotations") or {}
    default = " (default)" if any(noted.get(name) == "true" for name in _DEFAULT_CLASS) else ""
    return f"{thing['metadata']['name']}{default}"


CLAIM = (
    Column("Status", cell=_phase),
    Column("Volume", cell=at("spec.volumeName", "")),
    Column("Capacity", cell=_of_bound("capacity")),
    Column("Access Modes", cell=_of_bound("accessModes")),
    Column("StorageClass", cell=_storage_class),
    Column("VolumeAttributesClass", cell=at("spec.volumeAttributesClassName", "<unset>")),
    AGE,
    Column("VolumeMode", priority=1, cell=at("spec.volumeMode", "<unset>")),
)
VOLUME = (
    Column("Capacity", cell=at("spec.capacity.storage", "")),
    Column("Access Modes", cell=lambda thing, _: _modes(_spec(thing).get("accessModes"))),
    Column("Reclaim Policy", cell=at("spec.persistentVolumeReclaimPolicy", "")),
    Column("Status", cell=_phase),
    Column("Claim", cell=_claim),
    Column("StorageClass", cell=_storage_class),
    Column("VolumeAttributesClass", cell=at("spec.volumeAttributesClassName", "<unset>")),
    Column("Reason", cell=at("status.reason", "")),
    AGE,
    Column("VolumeMode", priority=1, cell=at("spec.volumeMode", "<unset>")),
)
STORAGE_CLASS = (
    Column("Name", format="name", cell=_class_name),
    Column("Provisioner", ".provisioner"),
    Column("ReclaimPolicy", ".reclaimPolicy"),
    Column("VolumeBindingMode", ".volumeBindingMode"),
    Column("AllowVolumeExpansion", cell=lambda thing, _: bool(thing.get("allowVolumeExpansion"))),
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
    Column("PreemptionPolicy", ".preemptionPolicy"),
)
BINDING = (
    Column("Role", cell=_role),
    AGE,
    Column("Users", priority=1, cell=_subjects("User")),
    Column("Groups", priority=1, cell=_subjects("Group")),
    Column("ServiceAccounts", priority=1, cell=_subjects("ServiceAccount")),
)
