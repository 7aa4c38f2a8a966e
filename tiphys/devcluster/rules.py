"""Light rules: what would surprise later is refused now, in Kubernetes' words; everything else is let through."""

from __future__ import annotations

import json
import re
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, forbidden_value, invalid_value, required
from tiphys.devcluster.kinds import NameRule
from tiphys.devcluster.selectors import selector_matches

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
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
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
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
POD_UPDATES = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_NAME_RULES: dict[NameRule, tuple[re.Pattern[str], int, str]] = {
    "subdomain": (re.compile(_SUBDOMAIN), 253, SUBDOMAIN_RULE),
    "label": (re.compile(_LABEL), 63, LABEL_RULE),
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
        elif len(value) > 63:
            faults.append(invalid_value(field, shown(value), "must be no more than 63 characters"))
        elif re.fullmatch(_VALUE, value) is None:
            faults.append(invalid_value(field, shown(value), VALUE_RULE))
    return faults


def _key_faults(key: str, field: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or re.fullmatch(_SUBDOMAIN, prefix) is None):
        return [invalid_value(field, shown(key), f"prefix part {SUBDOMAIN_RULE}")]
    if not name:
        return [invalid_value(field, shown(key), "name part must be non-empty")]
    if len(name) > 63:
        return [invalid_value(field, shown(key), "name part must be no more than 63 characters")]
    if re.fullmatch(_QUALIFIED, name) is None:
        return [invalid_value(field, shown(key), KEY_RULE)]
    return []


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


def _container_faults(containers: Any, field: str) -> list[Cause]:
    if containers is not None and not isinstance(containers, list):
        return [invalid_value(field, shown(containers), "must be a list")]
    faults: list[Cause] = []
    seen: set[str] = set()
    for index, container in enumerate(containers or ()):
        at = f"{field}[{index}]"
        if not isinstance(container, dict):
            faults.append(invalid_value(at, shown(container), "must be an object"))
            continue
        name = container.get("name") or ""
        if not name:
            faults.append(required(f"{at}.name"))
        elif re.fullmatch(_LABEL, name) is None:
            faults.append(invalid_value(f"{at}.name", shown(name), LABEL_RULE))
        elif name in seen:
            faults.append(Cause(f"{at}.name", f"Duplicate value: {shown(name)}", "FieldValueDuplicate"))
        seen.add(name)
        if not container.get("image"):
            faults.append(required(f"{at}.image"))
    return faults


def _mount_faults(spec: Object) -> list[Cause]:
    known = {volume.get("name") for volume in spec.get("volumes") or ()}
    faults: list[Cause] = []
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            for at, mount in enumerate(container.get("volumeMounts") or ()):
                path = f"spec.{field}[{index}].volumeMounts[{at}]"
                if mount.get("name") not in known:
                    faults.append(Cause(f"{path}.name", f"Not found: {shown(mount.get('name'))}", "FieldValueNotFound"))
                if not mount.get("mountPath"):
                    faults.append(required(f"{path}.mountPath"))
    return faults


def pod_spec_faults(spec: Object, field: str = "spec") -> list[Cause]:
    """What is wrong with a pod's spec."""
    if not spec.get("containers"):
        return [required(f"{field}.containers")]
    faults = _container_faults(spec.get("initContainers"), f"{field}.initContainers")
    faults += _container_faults(spec["containers"], f"{field}.containers")
    if faults:
        return faults
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        values = 'supported values: "Always", "Never", "OnFailure"'
        faults.append(
            Cause(
                f"{field}.restartPolicy",
                f"Unsupported value: {shown(spec.get('restartPolicy'))}: {values}",
                "FieldValueNotSupported",
            )
        )
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and (not isinstance(deadline, int) or deadline < 1):
        why = "must be between 1 and 2147483647, inclusive"
        faults.append(invalid_value(f"{field}.activeDeadlineSeconds", shown(deadline), why))
    return faults + _mount_faults(spec)


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
    faults = pod_spec_faults(new.get("spec") or {})
    if old is None or faults:
        return faults
    before, now = old.get("spec") or {}, new.get("spec") or {}
    if before == now:
        return []
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


def job(new: Object, old: Object | None) -> list[Cause]:
    """A template that ends: its pods are not restarted for ever."""
    del old
    spec = (new["spec"].get("template") or {}).get("spec") or {}
    faults = [Cause(f"spec.template.{c.field}", c.message, c.reason) for c in pod_spec_faults(spec)]
    if spec.get("restartPolicy") == "Always":
        field, why = "spec.template.spec.restartPolicy", 'supported values: "OnFailure", "Never"'
        faults.append(Cause(field, f'Unsupported value: "Always": {why}', "FieldValueNotSupported"))
    return faults


def selected_template(new: Object, old: Object | None) -> list[Cause]:
    """A workload selects the pods of its own template, and never changes its mind about which."""
    spec = new.get("spec") or {}
    template = spec.get("template") or {}
    selector = spec.get("selector") or {}
    faults: list[Cause] = []
    if not selector:
        faults.append(required("spec.selector"))
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector or not selector_matches(selector, labels):
        why = "`selector` does not match template `labels`"
        faults.append(invalid_value("spec.template.metadata.labels", shown(labels), why))
    template_faults = pod_spec_faults(template.get("spec") or {})
    faults += [Cause(f"spec.template.{c.field}", c.message, c.reason) for c in template_faults]
    if old is not None and (old.get("spec") or {}).get("selector") != selector:
        faults.append(invalid_value("spec.selector", shown(selector), "field is immutable"))
    return faults


def crd(new: Object, old: Object | None) -> list[Cause]:
    """A definition names its group, its plural and exactly one version that is stored."""
    del old
    spec = new.get("spec") or {}
    names = spec.get("names") or {}
    faults = [required(f"spec.{field}") for field in ("group", "scope") if not spec.get(field)]
    faults += [required(f"spec.names.{field}") for field in ("plural", "kind") if not names.get(field)]
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    name = new["metadata"].get("name", "")
    if name != wanted:
        faults.append(invalid_value("metadata.name", shown(name), 'must be spec.names.plural+"."+spec.group'))
    versions = spec.get("versions") or []
    if sum(1 for version in versions if version.get("storage")) != 1:
        why = "must have exactly one version marked as storage version"
        faults.append(invalid_value("spec.versions", shown([v.get("name") for v in versions]), why))
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            faults.append(required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required"))
    return faults
