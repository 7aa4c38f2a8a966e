"""What Rollouts have written into objects of others is taken out again when no Rollout refers to them any more."""

from __future__ import annotations

from actors.rollout import wire
from actors.rollout.traffic.istio import DESTINATION_RULES
from actors.rollout.traffic.istio_subsets import without_hashes
from runtime.messages import Patch
from runtime.objects import SERVICES, Object, Reference, reference


def is_marked(thing: Object) -> bool:
    """Whether it says that a Rollout manages it."""
    return wire.MANAGED_BY in (thing["metadata"].get("annotations") or {})


def release(ref: Reference, thing: Object) -> Patch | None:
    """The patch after which a Service or a DestinationRule selects by its user's labels alone, as it once did.

    None for what bears no mark of a Rollout, and for other kinds. Refused by the server when somebody wrote in between
    where a whole list is replaced."""
    if not is_marked(thing):
        return None
    body: Object = {"metadata": {"annotations": {wire.MANAGED_BY: None}}}
    if ref.resource == SERVICES:
        if wire.HASH in ((thing.get("spec") or {}).get("selector") or {}):
            body["spec"] = {"selector": {wire.HASH: None}}
        return Patch(reference(SERVICES, thing), body)
    if ref.resource == DESTINATION_RULES:
        body["metadata"]["resourceVersion"] = thing["metadata"]["resourceVersion"]
        body["spec"] = {"subsets": without_hashes(thing)}
        return Patch(reference(DESTINATION_RULES, thing), body)
    return None
