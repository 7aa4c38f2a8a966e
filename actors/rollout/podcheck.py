"""Would a ReplicaSet be made of this template? The questions that an API server would answer with a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from actors.rollout.invalid import Unfit, duplicate, invalid, required, unsupported
from actors.rollout.model import Ro
from runtime.objects import Object

_LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LABEL_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_LABEL_VALUE.pattern}')"
)
OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


def matches(wanted: Object, labels: dict[str, str]) -> bool:
    """Whether labels meet a label selector."""
    if any(labels.get(key) != value for key, value in (wanted.get("matchLabels") or {}).items()):
        return False
    for each in wanted.get("matchExpressions") or ():
        have, values = labels.get(each["key"]), each.get("values") or ()
        good = {
            "In": have is not None and have in values,
            "NotIn": have is None or have not in values,
            "Exists": have is not None,
            "DoesNotExist": have is None,
        }.get(each.get("operator", ""), False)
        if not good:
            return False
    return True


def selector(path: str, wanted: Object) -> Iterator[Unfit]:
    """What is wrong with a label selector."""
    for index, each in enumerate(wanted.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{index}]"
        operator = each.get("operator", "")
        if operator not in OPERATORS:
            yield invalid(f"{at}.operator", operator, "not a valid selector operator")
        elif operator in ("In", "NotIn") and not each.get("values"):
            yield required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and each.get("values"):
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield Unfit(f"{at}.values: Forbidden: {text}")


def template(path: str, ro: Ro) -> Iterator[Unfit]:
    """What is wrong with the pod template."""
    found = ro.template
    labels = (found.get("metadata") or {}).get("labels") or {}
    if ro.selector and not matches(ro.selector, labels):
        yield invalid(f"{path}.metadata.labels", labels or None, "`selector` does not match template `labels`")
    for value in map(str, labels.values()):
        if len(value) > 63:
            yield invalid(f"{path}.labels", value, "must be no more than 63 characters")
        elif _LABEL_VALUE.fullmatch(value) is None:
            yield invalid(f"{path}.labels", value, LABEL_RULE)
    spec = found.get("spec") or {}
    at = f"{path}.spec"
    if not spec.get("containers"):
        yield required(f"{at}.containers", "")
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        yield from _containers(spec.get(kind) or [], f"{at}.{kind}", names)
    policy = spec.get("restartPolicy") or "Always"
    if policy != "Always":
        yield unsupported(f"{at}.restartPolicy", policy, ["Always"])
    if spec.get("activeDeadlineSeconds") is not None:
        yield Unfit(f"{at}.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported")
    yield from _mounts(spec, at)


def _containers(containers: list[Any], path: str, names: set[str]) -> Iterator[Unfit]:
    for index, container in enumerate(containers):
        at, name = f"{path}[{index}]", container.get("name") or ""
        if not name:
            yield required(f"{at}.name", "")
        elif name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        if not container.get("image"):
            yield required(f"{at}.image", "")


def _mounts(spec: Object, path: str) -> Iterator[Unfit]:
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or ()):
            for number, mount in enumerate(container.get("volumeMounts") or ()):
                if mount.get("name") not in volumes:
                    at = f"{path}.{kind}[{index}].volumeMounts[{number}].name"
                    yield Unfit(f'{at}: Not found: "{mount.get("name") or ""}"')
