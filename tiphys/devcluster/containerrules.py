"""What a container may not ask for: resources, policies, probes, ports and variables that no API server takes."""

from __future__ import annotations

import re
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.amounts import number, written
from tiphys.devcluster.errors import Cause, duplicate, forbidden_value, invalid_value, not_supported, required
from tiphys.devcluster.rules import shown

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_VARIABLE = re.compile(r"[ -<>-~]+")
_VARIABLE_RULE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_FILE_FIELDS = ("metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase")
"""Fields that a pod has, and no variable can be made of."""


def container_faults(container: Object, field: str) -> list[Cause]:
    """What is wrong with a container of any kind, its name, image and mounts apart."""
    faults: list[Cause] = []
    for name, known in (("terminationMessagePolicy", MESSAGE_POLICIES), ("imagePullPolicy", PULL_POLICIES)):
        if container.get(name) and container[name] not in known:
            faults.append(not_supported(f"{field}.{name}", container[name], known))
    if container.get("env"):
        faults += _variable_faults(container["env"], f"{field}.env")
    if container.get("resources"):
        faults += _resource_faults(container["resources"], f"{field}.resources")
    return faults


def handler_faults(container: Object, field: str) -> list[Cause]:
    """What is wrong with the probes and hooks of a container that may have some."""
    faults: list[Cause] = []
    for name in _PROBES:
        if container.get(name) is not None:
            faults += _handlers(container[name], f"{field}.{name}", _PROBE_HANDLERS)
    hooks = container.get("lifecycle") or {}
    for name in ("postStart", "preStop"):
        if hooks.get(name) is not None:
            faults += _handlers(hooks[name], f"{field}.lifecycle.{name}", _HOOK_HANDLERS)
    return faults


def _handlers(thing: Object, field: str, known: tuple[str, ...]) -> list[Cause]:
    given = [name for name in known if thing.get(name) is not None]
    if not given:
        return [required(field, "must specify a handler type")]
    return [forbidden_value(f"{field}.{name}", "may not specify more than 1 handler type") for name in given[1:]]


# ------------------------------------------------------------------------------------------------ variables


def _variable_faults(variables: list[Object], field: str) -> list[Cause]:
    faults: list[Cause] = []
    for index, variable in enumerate(variables):
        at, name = f"{field}[{index}]", variable.get("name")
        if not name:
            faults.append(required(f"{at}.name"))
        elif _VARIABLE.fullmatch(name) is None:
            faults.append(invalid_value(f"{at}.name", shown(name), _VARIABLE_RULE))
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            faults += _field_faults(reference.get("fieldPath") or "", f"{at}.valueFrom.fieldRef.fieldPath")
    return faults


def _field_faults(path: str, field: str) -> list[Cause]:
    if not path:
        return [required(field)]
    whole, subscript, _ = path.partition("['")
    if subscript and path.endswith("']"):
        if whole in ("metadata.annotations", "metadata.labels"):
            return []
        why = f"error converting fieldPath: field label does not support subscript: {path}"
        return [invalid_value(field, shown(path), why)]
    if path in _FIELDS or path == "spec.host":
        return []
    if path in _FILE_FIELDS:
        return [not_supported(field, path, _FIELDS)]
    return [invalid_value(field, shown(path), f"error converting fieldPath: field label not supported: {path}")]


# ------------------------------------------------------------------------------------------------ resources


def _resource_faults(resources: Object, field: str) -> list[Cause]:
    """Amounts below nothing, and more asked for than may be had. What is no amount at all is judged elsewhere."""
    faults: list[Cause] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if _compare(amount, 0) < 0:
                why = "must be greater than or equal to 0"
                faults.append(invalid_value(f"{field}.{part}[{name}]", shown(_text(amount)), why))
            if part == "limits" or name not in limits:
                continue
            order, limit = _compare(amount, limits[name]), _text(limits[name])
            if order and not _may_differ(name):
                why = f"must be equal to {name} limit of {limit}"
                faults.append(invalid_value(f"{field}.requests", shown(_text(amount)), why))
            elif order > 0:
                why = f"must be less than or equal to {name} limit of {limit}"
                faults.append(invalid_value(f"{field}.requests", shown(_text(amount)), why))
    return faults


def _may_differ(name: str) -> bool:
    """Whether a node may promise more of a resource than it has."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith("hugepages-")


def _compare(one: Any, other: Any) -> int:
    try:
        left, right = number(one), number(other)
    except ValueError:
        return 0
    return (left > right) - (left < right)


def _text(amount: Any) -> str:
    """An amount in its shortest words: 0.5 is 500m, 1000m is 1."""
    text = str(amount)
    try:
        return written("", number(text)) if text[-1:] == "m" or not text[-1:].isalpha() else text
    except ValueError:
        return text


# ------------------------------------------------------------------------------------------------ ports


def port_name_faults(name: str, field: str) -> list[Cause]:
    """What is wrong with the name of a port."""
    reasons = (
        (len(name) > 15, "must be no more than 15 characters"),
        (
            re.fullmatch(r"[-a-z0-9]+", name) is None,
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (re.search(r"[a-z]", name) is None, "must contain at least one letter (a-z)"),
        ("--" in name, "must not contain consecutive hyphens"),
        (name.startswith("-") or name.endswith("-"), "must not begin or end with a hyphen"),
    )
    return [invalid_value(field, shown(name), why) for is_so, why in reasons if is_so]


def host_port_faults(containers: list[Object], field: str) -> list[Cause]:
    """Ports of the node that two containers want."""
    faults: list[Cause] = []
    taken: set[str] = set()
    for index, container in enumerate(containers):
        for number_, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            wanted = f"{port.get('protocol') or 'TCP'}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if wanted in taken:
                faults.append(duplicate(f"{field}[{index}].ports[{number_}].hostPort", wanted))
            taken.add(wanted)
    return faults
