"""What a pod may not be: names that clash, volumes that are not there, changes of what has begun to run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.containerrules import container_faults, handler_faults, host_port_faults, port_name_faults
from tiphys.devcluster.errors import Cause, duplicate, forbidden_value, invalid_value, not_supported, required
from tiphys.devcluster.rules import LABEL, LABEL_RULE, shown

POD_UPDATES = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_IS_LABEL = re.compile(LABEL)
_PORT = "must be between 1 and 65535, inclusive"
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_FOR_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def pod_spec_faults(spec: Object, field: str = "spec") -> list[Cause]:
    """What is wrong with a pod's spec."""
    if not spec.get("containers"):
        return [required(f"{field}.containers")]
    faults = _container_faults(spec["containers"], f"{field}.containers", set())
    names = {c.get("name") for c in spec["containers"] if isinstance(c, dict)}
    inits = f"{field}.initContainers"
    faults += _container_faults(spec.get("initContainers"), inits, names)
    if faults:
        return faults
    faults = _init_faults(spec.get("initContainers") or (), inits)
    for container, at in _lasting(spec, field):
        faults += handler_faults(container, at)
    faults += host_port_faults(spec["containers"], f"{field}.containers") + _policy_faults(spec, field)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and (not isinstance(deadline, int) or deadline < 1):
        why = "must be between 1 and 2147483647, inclusive"
        faults.append(invalid_value(f"{field}.activeDeadlineSeconds", shown(deadline), why))
    return faults + _volume_faults(spec, field) + _mount_faults(spec, field)


def _lasting(spec: Object, field: str) -> Iterator[tuple[Object, str]]:
    """The containers that may have probes and hooks, and where they stand."""
    for index, container in enumerate(spec["containers"]):
        yield container, f"{field}.containers[{index}]"
    for index, container in enumerate(spec.get("initContainers") or ()):
        if container.get("restartPolicy") == "Always":
            yield container, f"{field}.initContainers[{index}]"


def _policy_faults(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        known = ("Always", "Never", "OnFailure")
        faults.append(not_supported(f"{field}.restartPolicy", spec.get("restartPolicy"), known))
    if spec.get("dnsPolicy") and spec["dnsPolicy"] not in _DNS_POLICIES:
        faults.append(not_supported(f"{field}.dnsPolicy", spec["dnsPolicy"], _DNS_POLICIES))
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        operator = toleration.get("operator")
        if operator and operator not in ("Equal", "Exists"):
            faults.append(not_supported(f"{field}.tolerations[{index}].operator", operator, ("Equal", "Exists")))
    return faults


def _container_faults(containers: Any, field: str, taken: set[Any]) -> list[Cause]:
    if containers is not None and not isinstance(containers, list):
        return [invalid_value(field, shown(containers), "must be a list")]
    faults: list[Cause] = []
    seen = set(taken)
    for index, container in enumerate(containers or ()):
        at = f"{field}[{index}]"
        if not isinstance(container, dict):
            faults.append(invalid_value(at, shown(container), "must be an object"))
            continue
        name = container.get("name") or ""
        faults += _name_faults(name, f"{at}.name", seen)
        seen.add(name)
        if not container.get("image"):
            faults.append(required(f"{at}.image"))
        if container.get("ports"):
            faults += _port_faults(container["ports"], f"{at}.ports")
        faults += container_faults(container, at)
    return faults


def _name_faults(name: str, field: str, seen: set[Any]) -> list[Cause]:
    if not name:
        return [required(field)]
    if len(name) > 63:
        return [invalid_value(field, shown(name), "must be no more than 63 characters")]
    if _IS_LABEL.fullmatch(name) is None:
        return [invalid_value(field, shown(name), LABEL_RULE)]
    return [duplicate(field, name)] if name in seen else []


def _port_faults(ports: list[Object], field: str) -> list[Cause]:
    faults: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"{field}[{index}]", port.get("name")
        misnamed = port_name_faults(name, f"{at}.name") if name else []
        faults += misnamed
        if name and not misnamed and name in names:
            faults.append(duplicate(f"{at}.name", name))
        names.add(name or "")
        number = port.get("containerPort") or 0
        if not number:
            faults.append(required(f"{at}.containerPort"))
        elif not 0 < number < 65536:
            faults.append(invalid_value(f"{at}.containerPort", shown(number), _PORT))
        if port.get("protocol", "TCP") not in ("TCP", "UDP", "SCTP"):
            faults.append(not_supported(f"{at}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
    return faults


def _init_faults(containers: list[Object] | tuple[()], field: str) -> list[Cause]:
    """What only a sidecar may have."""
    why = "may not be set for init containers without restartPolicy=Always"
    return [
        forbidden_value(f"{field}[{index}].{name}", why)
        for index, container in enumerate(containers)
        if container.get("restartPolicy") != "Always"
        for name in _FOR_SIDECARS
        if container.get(name)
    ]


def _volume_faults(spec: Object, field: str) -> list[Cause]:
    faults: list[Cause] = []
    seen: set[Any] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        faults += _name_faults(volume.get("name") or "", f"{field}.volumes[{index}].name", seen)
        seen.add(volume.get("name"))
    return faults


def _mount_faults(spec: Object, field: str) -> list[Cause]:
    known = {volume.get("name") for volume in spec.get("volumes") or ()}
    faults: list[Cause] = []
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            places: set[str] = set()
            for number, mount in enumerate(container.get("volumeMounts") or ()):
                path = f"{field}.{group}[{index}].volumeMounts[{number}]"
                if mount.get("name") not in known:
                    faults.append(Cause(f"{path}.name", f"Not found: {shown(mount.get('name'))}", "FieldValueNotFound"))
                place = mount.get("mountPath")
                if not place:
                    faults.append(required(f"{path}.mountPath"))
                elif place in places:
                    faults.append(invalid_value(f"{path}.mountPath", shown(place), "must be unique"))
                places.add(place or "")
    return faults


# ------------------------------------------------------------------------------------------------ changes


def _without_mutable(spec: Object, old: Object) -> Object:
    """The spec with the fields that may change replaced by the old ones."""
    frozen = {**spec}
    for name in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"):
        if name in old:
            frozen[name] = old[name]
        else:
            frozen.pop(name, None)
    for name in ("containers", "initContainers"):
        before = old.get(name) or []
        now = spec.get(name) or []
        if len(before) == len(now):
            frozen[name] = [
                {**new, "image": was.get("image"), "imagePullPolicy": was.get("imagePullPolicy")}
                for new, was in zip(now, before, strict=True)
            ]
            if not now:
                frozen.pop(name, None)
    return frozen


def _deadline_faults(new: Object, old: Object) -> list[Cause]:
    field = "spec.activeDeadlineSeconds"
    was, now = old.get("activeDeadlineSeconds"), new.get("activeDeadlineSeconds")
    if was is None or now == was:
        return []
    if now is None:
        return [invalid_value(field, "null", "must not update from a positive integer to nil value")]
    if now > was:
        return [invalid_value(field, shown(now), f"must be less than or equal to previous value ({was})")]
    return []


def pod(new: Object, old: Object | None) -> list[Cause]:
    """A pod's spec, which hardly anything of may change once it exists."""
    before, now = (old or {}).get("spec") or {}, new.get("spec") or {}
    if old is not None and before == now:
        return []
    faults = pod_spec_faults(now)
    if old is None or faults:
        return faults
    faults = _deadline_faults(now, before)
    kept = [
        toleration for toleration in before.get("tolerations") or () if toleration in (now.get("tolerations") or ())
    ]
    if len(kept) < len(before.get("tolerations") or ()):
        faults.append(
            forbidden_value("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
        )
    if before.get("nodeName") != now.get("nodeName") or _without_mutable(now, before) != before:
        faults.append(forbidden_value("spec", POD_UPDATES))
    return faults
