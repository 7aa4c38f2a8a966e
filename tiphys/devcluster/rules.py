"""Light rules: what would surprise later is refused now, in Kubernetes' words; everything else is let through."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, forbidden_value, invalid_value, not_supported, required
from tiphys.devcluster.kinds import NameRule

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
_SERVICE = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_KEY = re.compile(r"[-._a-zA-Z0-9]+")

SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
SERVICE_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_SERVICE}')"
)
VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_VALUE}')"
)
KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_NAME_RULES: dict[NameRule, tuple[re.Pattern[str], int, str]] = {
    "subdomain": (re.compile(_SUBDOMAIN), 253, SUBDOMAIN_RULE),
    "label": (re.compile(LABEL), 63, LABEL_RULE),
    "service": (re.compile(_SERVICE), 63, SERVICE_RULE),
    "path": (re.compile(r"(?!\.{1,2}$)[^/%]+"), 253, "may not be '.' or '..' and may not contain '/' or '%'"),
}
ANNOTATIONS_MAX = 256 * 1024  # bytes, all keys and values of one object


def shown(value: Any) -> str:
    """A value as error messages quote it: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def name_faults(name: str, rule: NameRule) -> list[Cause]:
    """What is wrong with metadata.name."""
    pattern, longest, why = _NAME_RULES[rule]
    faults: list[Cause] = []
    if len(name) > longest:
        faults.append(invalid_value("metadata.name", shown(name), f"must be no more than {longest} characters"))
    if pattern.fullmatch(name) is None:
        faults.append(invalid_value("metadata.name", shown(name), why))
    return faults


def label_faults(labels: Any, field: str = "metadata.labels") -> list[Cause]:
    """What is wrong with a set of labels."""
    if labels is not None and not isinstance(labels, dict):
        return [invalid_value(field, shown(labels), "must be a map of strings to strings")]
    faults: list[Cause] = []
    for key, value in (labels or {}).items():
        faults += _key_faults(key, field)
        if not isinstance(value, str):
            faults.append(invalid_value(field, shown(value), "must be a string"))
        else:
            faults += _value_faults(value, field)
    return faults


@lru_cache(maxsize=4096)  # objects of one owner have the same labels, and a thousand pods the same keys
def _value_faults(value: str, field: str) -> tuple[Cause, ...]:
    if len(value) > 63:
        return (invalid_value(field, shown(value), "must be no more than 63 characters"),)
    if re.fullmatch(_VALUE, value) is None:
        return (invalid_value(field, shown(value), VALUE_RULE),)
    return ()


@lru_cache(maxsize=4096)
def _key_faults(key: str, field: str) -> tuple[Cause, ...]:
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or re.fullmatch(_SUBDOMAIN, prefix) is None):
        return (invalid_value(field, shown(key), f"prefix part {SUBDOMAIN_RULE}"),)
    if not name:
        return (invalid_value(field, shown(key), "name part must be non-empty"),)
    if len(name) > 63:
        return (invalid_value(field, shown(key), "name part must be no more than 63 characters"),)
    if re.fullmatch(_QUALIFIED, name) is None:
        return (invalid_value(field, shown(key), KEY_RULE),)
    return ()


def annotation_faults(annotations: Any) -> list[Cause]:
    """What is wrong with the annotations: a key, a value that is no string, or their size."""
    field = "metadata.annotations"
    if annotations is not None and not isinstance(annotations, dict):
        return [invalid_value(field, shown(annotations), "must be a map of strings to strings")]
    faults: list[Cause] = []
    size = 0
    for key, value in (annotations or {}).items():
        faults += _key_faults(key.lower(), field)
        if not isinstance(value, str):
            faults.append(invalid_value(field, shown(value), "must be a string"))
            continue
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_MAX:
        faults.append(Cause(field, f"Too long: may not be more than {ANNOTATIONS_MAX} bytes", "FieldValueTooLong"))
    return faults


def _key_map_faults(thing: Object, fields: tuple[str, ...], text_field: str) -> list[Cause]:
    faults: list[Cause] = []
    for field in fields:
        for key, value in (thing.get(field) or {}).items():
            if _KEY.fullmatch(key) is None:
                why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                faults.append(invalid_value(f"{field}[{key}]", shown(key), why))
            if field == text_field and not isinstance(value, str):
                faults.append(invalid_value(f"{field}[{key}]", shown(value), "must be a string"))
    return faults


def configmap(new: Object, old: Object | None) -> list[Cause]:
    """Keys that can be file names, values that are text; nothing changes once immutable."""
    faults = _key_map_faults(new, ("data", "binaryData"), "data")
    if old is not None and old.get("immutable"):
        faults += _immutable_faults(new, old, ("data", "binaryData"))
    return faults


def secret(new: Object, old: Object | None) -> list[Cause]:
    """Keys that can be file names; the type never changes."""
    faults = _key_map_faults(new, ("data",), "data")
    if old is not None:
        if new.get("type") != old.get("type"):
            faults.append(invalid_value("type", shown(new.get("type")), "field is immutable"))
        if old.get("immutable"):
            faults += _immutable_faults(new, old, ("data",))
    return faults


def _immutable_faults(new: Object, old: Object, fields: tuple[str, ...]) -> list[Cause]:
    faults = [
        forbidden_value(field, "field is immutable when `immutable` is set")
        for field in fields
        if (new.get(field) or {}) != (old.get(field) or {})
    ]
    if not new.get("immutable"):
        faults.append(forbidden_value("immutable", "field is immutable when `immutable` is set"))
    return faults


def service(new: Object, old: Object | None) -> list[Cause]:
    """Ports have numbers, and names when there are several."""
    del old
    ports = (new.get("spec") or {}).get("ports") or []
    faults: list[Cause] = []
    for index, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            faults.append(required(f"spec.ports[{index}].name"))
        if not port.get("port"):
            faults.append(invalid_value(f"spec.ports[{index}].port", "0", "must be between 1 and 65535, inclusive"))
    return faults


ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def claim(new: Object, old: Object | None) -> list[Cause]:
    """How a volume is used, and how large it is; both stay, though it may grow."""
    spec = new.get("spec") or {}
    modes = spec.get("accessModes") or ()
    faults = [] if modes else [required("spec.accessModes", "at least 1 access mode is required")]
    faults += [not_supported("spec.accessModes", mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        faults.append(required("spec.resources[storage]"))
    if old is not None:
        before = old.get("spec") or {}
        changed = [f for f in ("accessModes", "storageClassName", "selector") if before.get(f) and f in spec]
        if any(spec[field] != before[field] for field in changed):
            why = (
                "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
                "claims"
            )
            faults.append(forbidden_value("spec", why))
    return faults


SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
USER_PRIORITY_MAX = 1_000_000_000


def priority_class(new: Object, old: Object | None) -> list[Cause]:
    """A number that stays, below those of the system."""
    name, value = str(new["metadata"].get("name") or ""), new.get("value") or 0
    faults: list[Cause] = []
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            why = "priority class names with 'system-' prefix are reserved for system use only"
            faults.append(forbidden_value("metadata.name", why))
    elif value > USER_PRIORITY_MAX:
        why = f"maximum allowed value of a user defined priority is {USER_PRIORITY_MAX}"
        faults.append(forbidden_value("value", why))
    if old is not None and (old.get("value") or 0) != value:
        faults.append(forbidden_value("value", "may not be changed in an update."))
    if old is not None and old.get("preemptionPolicy") != new.get("preemptionPolicy"):
        faults.append(invalid_value("preemptionPolicy", shown(new.get("preemptionPolicy")), "field is immutable"))
    return faults
