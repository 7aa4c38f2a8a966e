"""The fields of built-in kinds, as deep as slips are likely: what is not here is dropped, or refused if strict."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.kinds import Prune

SPEC_AND_STATUS = frozenset({"spec", "status"})
TOP: dict[str, frozenset[str]] = {
    "ConfigMap": frozenset({"data", "binaryData", "immutable"}),
    "Secret": frozenset({"data", "stringData", "type", "immutable"}),
    "Endpoints": frozenset({"subsets"}),
    "EndpointSlice": frozenset({"addressType", "endpoints", "ports"}),
    "ServiceAccount": frozenset({"secrets", "imagePullSecrets", "automountServiceAccountToken"}),
    "Event": frozenset(
        [
            "action",
            "count",
            "eventTime",
            "firstTimestamp",
            "involvedObject",
            "lastTimestamp",
            "message",
            "reason",
            "related",
            "reportingComponent",
            "reportingInstance",
            "series",
            "source",
            "type",
        ]
    ),
    "Lease": frozenset({"spec"}),
    "Role": frozenset({"rules"}),
    "ClusterRole": frozenset({"rules", "aggregationRule"}),
    "RoleBinding": frozenset({"subjects", "roleRef"}),
    "ClusterRoleBinding": frozenset({"subjects", "roleRef"}),
}
_ALWAYS = frozenset({"apiVersion", "kind", "metadata"})
POD_SPEC = frozenset(
    [
        "activeDeadlineSeconds",
        "affinity",
        "automountServiceAccountToken",
        "containers",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "ephemeralContainers",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostUsers",
        "hostname",
        "hostnameOverride",
        "imagePullSecrets",
        "initContainers",
        "nodeName",
        "nodeSelector",
        "os",
        "overhead",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "readinessGates",
        "resourceClaims",
        "resources",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "schedulingGates",
        "securityContext",
        "schedulingGroup",
        "workloadRef",
        "serviceAccount",
        "serviceAccountName",
        "setHostnameAsFQDN",
        "shareProcessNamespace",
        "subdomain",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    ]
)
CONTAINER = frozenset(
    [
        "args",
        "command",
        "env",
        "envFrom",
        "image",
        "imagePullPolicy",
        "lifecycle",
        "livenessProbe",
        "name",
        "ports",
        "readinessProbe",
        "resizePolicy",
        "resources",
        "restartPolicy",
        "restartPolicyRules",
        "securityContext",
        "startupProbe",
        "stdin",
        "stdinOnce",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "tty",
        "volumeDevices",
        "volumeMounts",
        "workingDir",
    ]
)


def _drop(thing: Any, fields: frozenset[str], path: str, dropped: list[str]) -> None:
    if not isinstance(thing, dict):
        return
    for name in [name for name in thing if name not in fields]:
        del thing[name]
        dropped.append(f"{path}.{name}" if path else name)


def _pod_spec(spec: Any, path: str, dropped: list[str]) -> None:
    _drop(spec, POD_SPEC, path, dropped)
    if not isinstance(spec, dict):
        return
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            _drop(container, CONTAINER, f"{path}.{field}[{index}]", dropped)


def pruner(kind: str, template: str = "") -> Prune:
    """What drops unknown fields of a built-in kind; `template` says where its pod spec is ("spec.template.spec")."""
    fields = TOP.get(kind, SPEC_AND_STATUS) | _ALWAYS

    def prune(thing: Object) -> list[str]:
        dropped: list[str] = []
        _drop(thing, fields, "", dropped)
        spec: Any = thing
        for part in template.split(".") if template else ():
            spec = spec.get(part) if isinstance(spec, dict) else None
        if template and spec is not None:
            _pod_spec(spec, template, dropped)
        return dropped

    return prune
