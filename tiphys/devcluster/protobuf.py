"""`kubectl create configmap` and its like send protobuf: the few small kinds that they make are read here.

Field numbers are part of Kubernetes' public wire format. What is not in the table, a kind or a field of one that is not
empty, is refused with a remedy: nothing is dropped unseen.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, NamedTuple

from runtime.api import ApiError
from runtime.objects import Object
from tiphys.devcluster import errors
from tiphys.devcluster.metadata import stamp

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field: its JSON name, and how to read it."""

    name: str
    type: Any = "string"  # string, bytes, int, bool, time, a message's table; "any": not looked at
    shape: str = ""  # "list" or "map" (string keys)


Message = dict[int, Field]

_OWNER: Message = {
    1: Field("kind"),
    3: Field("name"),
    4: Field("uid"),
    5: Field("apiVersion"),
    6: Field("controller", "bool"),
    7: Field("blockOwnerDeletion", "bool"),
}
_META: Message = {
    1: Field("name"),
    2: Field("generateName"),
    3: Field("namespace"),
    4: Field("selfLink", "any"),
    5: Field("uid"),
    6: Field("resourceVersion"),
    7: Field("generation", "int"),
    8: Field("creationTimestamp", "time"),
    11: Field("labels", "string", "map"),
    12: Field("annotations", "string", "map"),
    13: Field("ownerReferences", _OWNER, "list"),
    14: Field("finalizers", "string", "list"),
    17: Field("managedFields", "any"),
}
_RULE: Message = {
    1: Field("verbs", "string", "list"),
    2: Field("apiGroups", "string", "list"),
    3: Field("resources", "string", "list"),
    4: Field("resourceNames", "string", "list"),
    5: Field("nonResourceURLs", "string", "list"),
}
_SUBJECT: Message = {1: Field("kind"), 2: Field("apiGroup"), 3: Field("name"), 4: Field("namespace")}
_ROLE_REF: Message = {1: Field("apiGroup"), 2: Field("kind"), 3: Field("name")}
_BINDING: Message = {
    1: Field("metadata", _META),
    2: Field("subjects", _SUBJECT, "list"),
    3: Field("roleRef", _ROLE_REF),
}
_TOKEN_SPEC: Message = {1: Field("audiences", "string", "list"), 4: Field("expirationSeconds", "int")}
_PRECONDITIONS: Message = {1: Field("uid"), 2: Field("resourceVersion")}
_DELETE_OPTIONS: Message = {
    1: Field("gracePeriodSeconds", "int"),
    2: Field("preconditions", _PRECONDITIONS),
    3: Field("orphanDependents", "bool"),
    4: Field("propagationPolicy"),
    5: Field("dryRun", "string", "list"),
    6: Field("ignoreStoreReadErrorWithClusterBreakingPotential", "bool"),
}
_NAMESPACE: Message = {1: Field("metadata", _META), 2: Field("spec", {1: Field("finalizers", "string", "list")})}
_NAMED: Message = {1: Field("name")}
_SELECTOR: Message = {1: Field("matchLabels", "string", "map")}
_PORT: Message = {1: Field("name"), 2: Field("hostPort", "int"), 3: Field("containerPort", "int"), 4: Field("protocol")}
_CONTAINER: Message = {
    1: Field("name"),
    2: Field("image"),
    3: Field("command", "string", "list"),
    4: Field("args", "string", "list"),
    5: Field("workingDir"),
    6: Field("ports", _PORT, "list"),
    7: Field("env", {1: Field("name"), 2: Field("value")}, "list"),
    13: Field("terminationMessagePath"),
    14: Field("imagePullPolicy"),
    20: Field("terminationMessagePolicy"),
}
_POD_SPEC: Message = {
    2: Field("containers", _CONTAINER, "list"),
    3: Field("restartPolicy"),
    4: Field("terminationGracePeriodSeconds", "int"),
    5: Field("activeDeadlineSeconds", "int"),
    6: Field("dnsPolicy"),
    7: Field("nodeSelector", "string", "map"),
    8: Field("serviceAccountName"),
    9: Field("serviceAccount"),
    10: Field("nodeName"),
    11: Field("hostNetwork", "bool"),
    12: Field("hostPID", "bool"),
    13: Field("hostIPC", "bool"),
    19: Field("schedulerName"),
    20: Field("initContainers", _CONTAINER, "list"),
}
_TEMPLATE: Message = {1: Field("metadata", _META), 2: Field("spec", _POD_SPEC)}
_JOB_SPEC: Message = {
    1: Field("parallelism", "int"),
    2: Field("completions", "int"),
    3: Field("activeDeadlineSeconds", "int"),
    4: Field("selector", _SELECTOR),
    5: Field("manualSelector", "bool"),
    6: Field("template", _TEMPLATE),
    7: Field("backoffLimit", "int"),
    8: Field("ttlSecondsAfterFinished", "int"),
    10: Field("suspend", "bool"),
}
_CRON_SPEC: Message = {
    1: Field("schedule"),
    2: Field("startingDeadlineSeconds", "int"),
    3: Field("concurrencyPolicy"),
    4: Field("suspend", "bool"),
    5: Field("jobTemplate", {1: Field("metadata", _META), 2: Field("spec", _JOB_SPEC)}),
    6: Field("successfulJobsHistoryLimit", "int"),
    7: Field("failedJobsHistoryLimit", "int"),
}
_DEPLOYMENT_SPEC: Message = {
    1: Field("replicas", "int"),
    2: Field("selector", _SELECTOR),
    3: Field("template", _TEMPLATE),
    5: Field("minReadySeconds", "int"),
    6: Field("revisionHistoryLimit", "int"),
    7: Field("paused", "bool"),
    9: Field("progressDeadlineSeconds", "int"),
}
MESSAGES: dict[str, Message] = {
    "Pod": _TEMPLATE,
    "Deployment": {1: Field("metadata", _META), 2: Field("spec", _DEPLOYMENT_SPEC)},
    "Job": {1: Field("metadata", _META), 2: Field("spec", _JOB_SPEC)},
    "CronJob": {1: Field("metadata", _META), 2: Field("spec", _CRON_SPEC)},
    "ConfigMap": {
        1: Field("metadata", _META),
        2: Field("data", "string", "map"),
        3: Field("binaryData", "bytes", "map"),
        4: Field("immutable", "bool"),
    },
    "Secret": {
        1: Field("metadata", _META),
        2: Field("data", "bytes", "map"),
        3: Field("type"),
        4: Field("stringData", "string", "map"),
        5: Field("immutable", "bool"),
    },
    "Namespace": _NAMESPACE,
    "ServiceAccount": {
        1: Field("metadata", _META),
        2: Field("secrets", {3: Field("name")}, "list"),
        3: Field("imagePullSecrets", _NAMED, "list"),
        4: Field("automountServiceAccountToken", "bool"),
    },
    "Role": {1: Field("metadata", _META), 2: Field("rules", _RULE, "list")},
    "ClusterRole": {1: Field("metadata", _META), 2: Field("rules", _RULE, "list")},
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "TokenRequest": {1: Field("metadata", _META), 2: Field("spec", _TOKEN_SPEC)},
    "Eviction": {1: Field("metadata", _META), 2: Field("deleteOptions", _DELETE_OPTIONS)},
    "DeleteOptions": _DELETE_OPTIONS,
    "SelfSubjectAccessReview": {1: Field("metadata", _META), 2: Field("spec", "any")},
    "SelfSubjectRulesReview": {1: Field("metadata", _META), 2: Field("spec", "any")},
}


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a message: an int for numbers, bytes for the rest."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(raw, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise errors.bad_request(f"the protobuf body has a field of the unknown wire type {wire}")
        yield number, raw[at : at + size]
        at += size


def _value(kind: Any, raw: Any) -> Any:
    if isinstance(kind, dict):
        return _message(raw, kind)
    if kind == "int":
        return raw - (1 << 64) if raw >= 1 << 63 else raw
    if kind == "bool":
        return bool(raw)
    if kind == "bytes":
        return base64.b64encode(raw).decode()
    if kind == "time":
        seconds = dict(_fields(raw)).get(1, 0)
        return stamp(seconds) if seconds and seconds < 1 << 63 else None
    return raw.decode()


def _is_empty(value: Any) -> bool:
    """True for what Go writes for a field that nobody has set: zero, or messages of nothing else."""
    if not value:
        return True
    try:
        return isinstance(value, bytes) and all(_is_empty(part) for _, part in _fields(value))
    except (IndexError, ApiError):
        return False


def _unread(what: str) -> ApiError:
    return errors.unsupported_media(
        f"{what} is not read as protobuf: send JSON; with kubectl, add --dry-run=client -o yaml and pipe it into "
        "kubectl apply -f -",
        {},
    )


def _message(raw: bytes, message: Message) -> Object:
    thing: Object = {}
    for number, value in _fields(raw):
        field = message.get(number)
        if field is None and not _is_empty(value):
            raise _unread(f"field {number} of a part of it")
        if field is None or field.type == "any":
            continue
        if field.shape == "map":
            pair = dict(_fields(value))
            thing.setdefault(field.name, {})[pair.get(1, b"").decode()] = _value(field.type, pair.get(2, b""))
        elif field.shape == "list":
            thing.setdefault(field.name, []).append(_value(field.type, value))
        else:
            read = _value(field.type, value)
            if read not in ("", None, {}):
                thing[field.name] = read
    return thing


def decode(body: bytes) -> Object:
    """The object in a protobuf body. Raises Refused (400, 415) with a remedy."""
    if not body.startswith(MAGIC):
        raise errors.bad_request("the protobuf body does not begin with the Kubernetes envelope")
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        names = dict(_fields(envelope.get(1, b"")))
        api_version, kind = names.get(1, b"").decode(), names.get(2, b"").decode()
        if kind not in MESSAGES:
            raise _unread(kind)
        return {"apiVersion": api_version, "kind": kind, **_message(envelope.get(2, b""), MESSAGES[kind])}
    except (IndexError, UnicodeDecodeError, AttributeError, TypeError) as e:
        raise errors.bad_request("the protobuf body is cut off or not of the kind that it names") from e
