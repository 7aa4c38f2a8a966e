"""ReplicaSets of a Rollout: which is the new one, which is stable, and what they say of themselves."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Final

import orjson

from actors.names.podhash import dated_pod_hash, typed_template
from actors.names.timestamps import rfc3339, seconds
from actors.rollout import affinity, wire
from actors.rollout.counts import Size
from actors.rollout.model import Ro
from runtime.objects import Object

_API_DEFAULTS: Final[dict[str, tuple[Any, ...]]] = {
    "apiVersion": ("v1",),
    "creationTimestamp": (None,),
    "defaultMode": (420,),
    "dnsPolicy": ("ClusterFirst",),
    "failureThreshold": (3,),
    "hostNetwork": (False,),
    "imagePullPolicy": ("Always", "IfNotPresent"),
    "path": ("/",),
    "periodSeconds": (10,),
    "procMount": ("Default",),
    "protocol": ("TCP",),
    "requests": (),
    "restartPolicy": ("Always",),
    "schedulerName": ("default-scheduler",),
    "scheme": ("HTTP",),
    "securityContext": ({},),
    "serviceAccount": (),
    "successThreshold": (1,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "type": ("",),
    "resources": ({},),
}
"""What an API server adds to a pod template; an empty tuple stands for any value."""


def hash_of(one: Object | None) -> str:
    """The hash that a ReplicaSet carries; empty for none."""
    if one is None:
        return ""
    return str((one["metadata"].get("labels") or {}).get(wire.HASH, ""))


def annotation(one: Object, name: str) -> str:
    """An annotation; empty when absent."""
    return str((one["metadata"].get("annotations") or {}).get(name, ""))


def wished(one: Object | None) -> int:
    """How many pods it is told to have."""
    if one is None:
        return 0
    value = one["spec"].get("replicas")
    return 1 if value is None else int(value)


def count(one: Object | None, field: str) -> int:
    """A number of its status."""
    return int(((one or {}).get("status") or {}).get(field) or 0)


def available(one: Object | None) -> int:
    """How many of its pods are available."""
    return count(one, "availableReplicas")


def serving(one: Object | None) -> int:
    """How many available pods it will keep: those that it was told to give up may still be counted by its status."""
    return min(wished(one), available(one))


def size(one: Object | None) -> Size | None:
    """What the arithmetic needs of it."""
    return None if one is None else Size(wished(one), available(one))


def total(every: Iterable[Object | None], field: str) -> int:
    """A number of their status, added up."""
    return sum(count(one, field) for one in every)


def revision(one: Object | None) -> int:
    """Its revision; 0 when it has none."""
    text = annotation(one, wire.REVISION) if one is not None else ""
    return int(text) if text.isdecimal() else 0


def newest_revision(every: Iterable[Object]) -> int:
    """The greatest revision among them."""
    return max((revision(one) for one in every), default=0)


def deadline(one: Object | None) -> str:
    """When it may be scaled to nothing, as annotated; empty when no deadline is set."""
    return annotation(one, wire.SCALE_DOWN_DEADLINE) if one is not None else ""


def deadline_at(one: Object | None) -> float | None:
    """The deadline in seconds since the epoch; None when there is none, or it cannot be read."""
    try:
        return seconds(deadline(one))
    except ValueError:
        return None


def is_within_delay(one: Object | None, now: float) -> bool:
    """Whether its deadline is still to come."""
    at = deadline_at(one)
    return at is not None and at > now


def created(one: Object) -> str:
    """Its creation time: text that sorts by time."""
    return str(one["metadata"].get("creationTimestamp", ""))


def oldest_first(every: Iterable[Object]) -> list[Object]:
    """By creation time, then name."""
    return sorted(every, key=lambda one: (created(one), one["metadata"]["name"]))


def latest_revision_first(every: Iterable[Object]) -> list[Object]:
    """By revision, then creation time, the latest first."""
    return sorted(every, key=lambda one: (revision(one), created(one)), reverse=True)


def is_available(one: Object | None) -> bool:
    """Whether it has pods, and all that it should have are available."""
    return one is not None and wished(one) != 0 and available(one) != 0 and wished(one) <= available(one)


def is_saturated(ro: Ro, one: Object | None) -> bool:
    """Whether it has all pods of the Rollout, by its own size and by the size it was told the Rollout has."""
    if one is None:
        return False
    desired = annotation(one, wire.DESIRED_REPLICAS)
    return wished(one) == available(one) == ro.replicas and desired == str(ro.replicas)


def needs_annotation(ro: Ro, one: Object) -> bool:
    """Whether it has not been told the Rollout's present size."""
    if annotation(one, wire.DESIRED_REPLICAS) != str(ro.replicas):
        return True
    return ro.replicas == 0 and bool(deadline(one))


def private(one: Object) -> Object:
    """A copy whose metadata, spec and template may be changed; the rest is shared."""
    meta = one["metadata"]
    template = one["spec"].get("template") or {}
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    notes = dict((template.get("metadata") or {}).get("annotations") or {})
    pods = {**(template.get("metadata") or {}), "labels": labels, "annotations": notes}
    return {
        **one,
        "metadata": {**meta, "annotations": dict(meta.get("annotations") or {})},
        "spec": {**one["spec"], "template": {**template, "metadata": pods}},
    }


# ---------------------------------------------------------------------------------------------- which is which


def find_new(ro: Ro, every: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Rollout's present template, the oldest when there are several.

    Found by its hash; by the hash of older controllers; or because its template says the same, so that a change of
    the algorithm does not look like a change of the template."""
    ordered = oldest_first(every)
    collisions = ro.status.get("collisionCount")
    for value in (ro.template_hash, dated_pod_hash(ro.template, collisions)):
        for one in ordered:
            if hash_of(one) == value:
                return one
    return next((one for one in ordered if has_template(ro, one)), None)


def has_template(ro: Ro, one: Object) -> bool:
    """Whether its template is the Rollout's, apart from what controllers and API servers add."""
    live = copy.deepcopy(one["spec"]["template"])
    meta = live.setdefault("metadata", {})
    (meta.get("labels") or {}).pop(wire.HASH, None)
    injected = annotation(one, wire.EPHEMERAL_METADATA)
    if injected:
        strip(meta, orjson.loads(injected))
    live["spec"]["affinity"] = affinity.without_injected(ro, live["spec"].get("affinity"))
    wanted = copy.deepcopy(ro.template)
    (wanted.setdefault("metadata", {}).get("labels") or {}).pop(wire.HASH, None)
    return _says_no_more(typed_template(live), typed_template(wanted))


def strip(meta: Object, injected: Object | None) -> None:
    """Take injected labels and annotations away, in place."""
    for kind in ("labels", "annotations"):
        for name in (injected or {}).get(kind) or ():
            (meta.get(kind) or {}).pop(name, None)


def _says_no_more(live: Any, wanted: Any) -> bool:
    """Whether the live value is the wanted one with nothing but an API server's defaults added."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        if any(name not in live and value not in ({}, [], None) for name, value in wanted.items()):
            return False
        return all(
            _says_no_more(value, wanted[name]) if name in wanted and wanted[name] not in ({}, None) else
            _is_default(name, value) or value == wanted.get(name, "")
            for name, value in live.items()
        )  # fmt: skip
    if isinstance(live, list) and isinstance(wanted, list):
        return len(live) == len(wanted) and all(map(_says_no_more, live, wanted))
    return bool(live == wanted)


def _is_default(name: str, value: Any) -> bool:
    if value in ({}, [], None):
        return True
    if name not in _API_DEFAULTS:
        return False
    return not _API_DEFAULTS[name] or value in _API_DEFAULTS[name]


def stable_of(ro: Ro, new: Object | None, others: Iterable[Object]) -> Object | None:
    """The ReplicaSet that the status calls stable."""
    if not ro.stable_hash:
        return None
    if hash_of(new) == ro.stable_hash:
        return new
    return next((one for one in others if hash_of(one) == ro.stable_hash), None)


def deadline_text(now: float, delay_s: int) -> str:
    """A deadline as it is annotated."""
    return rfc3339(now + delay_s)
