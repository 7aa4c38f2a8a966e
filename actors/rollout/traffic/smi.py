"""SMI: a TrafficSplit, created and owned by the Rollout, shares a root Service's requests among others."""

from __future__ import annotations

from typing import Final

from actors.kube_events import Said
from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.traffic.edit import edited, settings
from actors.rollout.traffic.protocol import EXPERIMENT, WEIGHT, Fault, Moves, Objects, Refusal, Router, Shift
from runtime.messages import Create
from runtime.objects import Object, Reference, Resource, owner_uid

SPLITS: Final = Resource("split.smi-spec.io/v1alpha1", "TrafficSplit", "trafficsplits")


class Smi(Router):
    """The router."""

    key = "smi"
    title = "SMI"
    abilities = frozenset({WEIGHT, EXPERIMENT})
    resources: tuple[Resource, ...] = (SPLITS,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The split."""
        return (_reference(ro),)

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """Everything has a default."""
        del ro, objects
        return []

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Create the split, or bring it to the weights."""
        ref = _reference(ro)
        known = objects.get(ref)
        spec = _spec(ro, shift)
        if known is None:
            meta = {"name": ref.name, "namespace": ref.namespace, "ownerReferences": [owner(ro)]}
            made: Object = {"apiVersion": SPLITS.api_version, "kind": SPLITS.kind, "metadata": meta, "spec": spec}
            said = Said("TrafficSplitCreated", f"TrafficSplit `{ref.name}` created")
            return Moves((Create(SPLITS, made),), (said,))
        if owner_uid(known) != ro.uid:
            return Refusal(f"Rollout does not own TrafficSplit `{ref.name}`")
        change = edited(SPLITS, known, {**known, "spec": spec})
        return Moves((change,) if change else ())


def _reference(ro: Ro) -> Reference:
    return Reference(SPLITS, ro.namespace, str(settings(ro, "smi").get("trafficSplitName") or ro.name))


def _spec(ro: Ro, shift: Shift) -> Object:
    shares = [
        (shift.canary_service, shift.canary),
        *((each.service, each.weight) for each in shift.additional),
        (shift.stable_service, shift.stable),
    ]
    # weights of v1alpha1 are quantities, which the API writes as text
    backends = [{"service": service, "weight": str(weight)} for service, weight in shares]
    return {"service": settings(ro, "smi").get("rootService") or shift.stable_service, "backends": backends}
