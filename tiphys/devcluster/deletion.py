"""What a delete does to an object: takes it out, marks it, or waits for those who hold it. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from runtime.api import Propagation
from runtime.objects import Object
from tiphys.devcluster import errors
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.metadata import stamp

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"  # holds a definition until its objects are gone
DEFAULT_GRACE_S = 30


class DeleteOptions(NamedTuple):
    """What a delete request says."""

    grace_s: int | None = None
    propagation: Propagation | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False
    orphan_dependents: bool | None = None


def check_preconditions(kind: Kind, thing: Object, options: DeleteOptions) -> None:
    """Raise Conflict when the object is not the one meant."""
    meta = thing["metadata"]
    resource, name = kind.resource, meta["name"]
    if options.uid and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource, name, why, kind=resource.kind)
    if options.resource_version and options.resource_version != meta["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({meta['resourceVersion']}). The object might have been modified"
        )
        raise errors.conflict(resource, name, why, kind=resource.kind)


def cleaning(definition: Object, now: float) -> Object:
    """A marked CustomResourceDefinition that has objects: it stays until they are gone, and says so."""
    meta, status = definition["metadata"], definition.get("status") or {}
    others = [c for c in status.get("conditions") or () if c.get("type") != "Terminating"]
    condition = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": stamp(now),
        "reason": "InstanceDeletionInProgress",
        "message": "CustomResource deletion is in progress",
    }
    held = list(dict.fromkeys((*(meta.get("finalizers") or ()), CLEANUP)))
    return {
        **definition,
        "metadata": {**meta, "finalizers": held},
        "status": {**status, "conditions": [*others, condition]},
    }


def pod_grace(pod: Object, wished: int | None) -> int:
    """How long a pod may take to end, in seconds: none when no node runs it."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    grace = wished
    if grace is None:
        own = spec.get("terminationGracePeriodSeconds")
        grace = DEFAULT_GRACE_S if own is None else int(own)
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    return max(grace, 0)


def finalizers_after(meta: Object, options: DeleteOptions) -> list[str]:
    """The finalizers once the wished propagation is written into them."""
    finalizers = [f for f in meta.get("finalizers") or () if f not in (FOREGROUND, ORPHAN)]
    before = meta.get("finalizers") or ()
    wish = options.propagation
    if wish is None and options.orphan_dependents:
        wish = "Orphan"
    if wish == "Orphan" or (wish is None and ORPHAN in before):
        finalizers.append(ORPHAN)
    elif wish == "Foreground" or (wish is None and FOREGROUND in before):
        finalizers.append(FOREGROUND)
    return finalizers


def is_held(kind: Kind, thing: Object) -> bool:
    """True while somebody has still to do something before the object may go."""
    if thing["metadata"].get("finalizers"):
        return True
    return kind.resource.kind == "Namespace" and bool((thing.get("spec") or {}).get("finalizers"))


def may_go(kind: Kind, thing: Object) -> bool:
    """True when a marked object has nothing left to wait for: it is taken out with the write that made it so."""
    meta = thing["metadata"]
    if "deletionTimestamp" not in meta:
        return False
    return not is_held(kind, thing) and int(meta.get("deletionGracePeriodSeconds") or 0) == 0


def marked(kind: Kind, thing: Object, options: DeleteOptions, now: float) -> Object:
    """The object as a delete leaves it: a copy as deep as it is changed. `may_go` says whether it may be taken out."""
    meta: Object = {**thing["metadata"]}
    is_pod = kind.resource.kind == "Pod"
    grace = pod_grace(thing, options.grace_s) if is_pod else 0
    known: Any = meta.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in meta:
        meta["deletionTimestamp"] = stamp(now + grace)
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] = int(meta["generation"]) + 1
    elif options.grace_s is not None and known and grace < int(known):
        meta["deletionTimestamp"] = stamp(now + grace)
        meta["deletionGracePeriodSeconds"] = grace
    finalizers = finalizers_after(meta, options)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    result = {**thing, "metadata": meta}
    if kind.resource.kind == "Namespace":
        result["status"] = {**(thing.get("status") or {}), "phase": "Terminating"}
    return result
