"""A status is written as a whole, when it differs, on the version it was computed from."""

from __future__ import annotations

from runtime.messages import WriteStatus
from runtime.objects import Object, Resource, reference


def counted(**counts: int) -> Object:
    """The counts that are not zero: Kubernetes leaves the others out."""
    return {name: number for name, number in counts.items() if number}


def status_write(resource: Resource, own: Object, status: Object) -> list[WriteStatus]:
    """The command that makes `status` the whole status of `own`; none when it is that already."""
    old = own.get("status") or {}
    patch = difference(old, status)
    if not patch:
        return []
    return [WriteStatus(reference(resource, own), {"status": patch}, own["metadata"]["resourceVersion"], "status")]


def difference(old: Object, new: Object) -> Object:
    """The merge patch that turns `old` into `new`."""
    patch: Object = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            inner = difference(before, value)
            if inner:
                patch[name] = inner
        elif name not in old or before != value:
            patch[name] = value
    return patch
