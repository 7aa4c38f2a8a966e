"""Ambassador: a second Mapping beside each of the Rollout's takes a share of its requests.

It is named `<mapping>-canary`, says what the first one says, of the canary's Service, and is there while the canary has
a weight. Without one it gets weight 0, some seconds for Ambassador to take that over, and goes; until then nothing
else is decided, so that no pod goes before its traffic. When it goes is written on it: it may outlive its controller.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from actors.kube_events import Said
from actors.names.timestamps import rfc3339, seconds
from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.traffic.edit import edited, settings
from actors.rollout.traffic.protocol import WEIGHT, Change, Fault, Moves, Objects, Refusal, Router, Shift
from runtime.messages import Create, Delete
from runtime.objects import Object, Reference, Resource, owner_uid, reference

GROUP: Final = "getambassador.io"
API_VERSION: Final = f"{GROUP}/v2"
EARLY_GROUP: Final = "x.getambassador.io"  # of the developer previews, with names of its own
PATH: Final = "spec.strategy.canary.trafficRouting.ambassador.mappings"
DELETE_AFTER: Final = "rollouts.tiphys.dev/delete-after"
SETTLE_S: Final = 5
NAME_MAX: Final = 246  # with its suffix as long as a name may be


def mapping_resource(api_version: str = API_VERSION) -> Resource:
    """The kind of Mappings in a version of their API: `group/version`, or a version of Ambassador's own group."""
    group, _, version = api_version.rpartition("/")
    kind = "AmbassadorMapping" if group == EARLY_GROUP else "Mapping"
    return Resource(f"{group or GROUP}/{version}", kind, f"{kind.lower()}s")


MAPPINGS: Final = mapping_resource()


class _Step(NamedTuple):
    """What is to be done about one Mapping; a problem: it cannot be."""

    change: Change | None = None
    settles_s: float = 0.0
    problem: str = ""
    warning: Said | None = None


class Ambassador(Router):
    """The router."""

    key = "ambassador"
    title = "Ambassador"
    abilities = frozenset({WEIGHT})

    def __init__(self, api_version: str = API_VERSION) -> None:
        self.mappings = mapping_resource(api_version)
        self.resources: tuple[Resource, ...] = (self.mappings,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The Mappings, and those beside them."""
        return tuple(self._reference(ro, each) for name in names(ro) for each in (name, canary_name(name)))

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """There is at least one Mapping; each is there and has no weight, for that would be the canary's share."""
        if not names(ro):
            return [Fault(PATH, None, "must provide at least one mapping", is_internal=False)]
        found = {name: objects.get(self._reference(ro, name)) for name in names(ro)}
        absent = [Fault(PATH, name, self._not_found(name)) for name, thing in found.items() if thing is None]
        weighted = [name for name, thing in found.items() if thing is not None and weight_of(thing)]
        return absent + [Fault("spec.weight", name, _has_weight(name)) for name in weighted]

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Create the canary's Mappings, bring them to the weight, or let them go."""
        steps = [self._step(ro, objects, name, shift) for name in names(ro)]
        problems = [step.problem for step in steps if step.problem]
        if problems:
            one_of_many = f"{len(problems)} errors found: " + "".join(f"[{text}]" for text in problems)
            warnings = tuple(step.warning for step in steps if step.warning is not None)
            return Refusal(problems[0] if len(problems) == 1 else one_of_many, warnings)
        changes = tuple(step.change for step in steps if step.change is not None)
        said = [Said("CanaryMappingWeightUpdate", f"Set canary mapping weight to {shift.canary}")]
        is_weighted = any(not isinstance(change, Delete) for change in changes)
        return Moves(changes, tuple(said) if is_weighted else (), max((step.settles_s for step in steps), default=0.0))

    def _step(self, ro: Ro, objects: Objects, name: str, shift: Shift) -> _Step:
        known = objects.get(self._reference(ro, canary_name(name)))
        if known is None:
            return self._created(ro, objects, name, shift) if shift.canary else _Step()
        if owner_uid(known) not in ("", ro.uid):
            return _Step(problem=f"{self.mappings.kind} `{canary_name(name)}` is not owned by this Rollout")
        if "deletionTimestamp" in known["metadata"]:
            return _Step(settles_s=SETTLE_S if shift.canary else 0.0)  # its name is free when it is gone
        if shift.canary:
            return _Step(edited(self.mappings, known, _weighted(known, shift.canary, None)))
        goes_at = _goes_at(known)
        if weight_of(known) or goes_at is None:
            goes_at = math.ceil(shift.now) + SETTLE_S
            return _Step(edited(self.mappings, known, _weighted(known, 0, rfc3339(goes_at))), goes_at - shift.now)
        if shift.now < goes_at:
            return _Step(settles_s=goes_at - shift.now)
        return _Step(Delete(reference(self.mappings, known)))

    def _created(self, ro: Ro, objects: Objects, name: str, shift: Shift) -> _Step:
        base = objects.get(self._reference(ro, name))
        if base is None:
            said = Said("AmbassadorMappingNotFound", f'Ambassador mapping "{name}" not found', warning=True)
            return _Step(problem=self._not_found(name), warning=said)
        if weight_of(base):
            said = Said("AmbassadorMappingConfigError", _has_weight(name), warning=True)
            return _Step(problem=_has_weight(name), warning=said)
        return _Step(Create(self.mappings, manifest(ro, base, shift)))

    def _reference(self, ro: Ro, name: str) -> Reference:
        return Reference(self.mappings, ro.namespace, name)

    def _not_found(self, name: str) -> str:
        return f'{self.mappings.plural}.{self.mappings.group} "{name}" not found'


def names(ro: Ro) -> list[str]:
    """The Mappings that are shared, each once."""
    return list(dict.fromkeys(map(str, settings(ro, "ambassador").get("mappings") or ())))


def canary_name(name: str) -> str:
    """The Mapping beside another."""
    return f"{name[:NAME_MAX]}-canary"


def manifest(ro: Ro, base: Object, shift: Shift) -> Object:
    """The canary's Mapping: another's words, where the stable Service is named the canary's instead."""
    name = canary_name(base["metadata"]["name"])
    meta = {"name": name, "namespace": ro.namespace, "ownerReferences": [owner(ro)]}
    made: Object = {**{key: copy.deepcopy(base[key]) for key in _beside_metadata(base)}, "metadata": meta}
    service = (base.get("spec") or {}).get("service")
    text = service if isinstance(service, str) else ""
    more = {"service": text.replace(shift.stable_service, shift.canary_service, 1), "weight": shift.canary}
    made["spec"] = {**(made.get("spec") or {}), **more}
    return made


def weight_of(mapping: Object) -> int:
    """Its weight; 0 for what is no number."""
    weight = (mapping.get("spec") or {}).get("weight")
    return weight if isinstance(weight, int) and not isinstance(weight, bool) else 0


def _beside_metadata(base: Object) -> Iterator[str]:
    return (key for key in base if key not in ("metadata", "status"))


def _has_weight(name: str) -> str:
    return f'Ambassador mapping "{name}" can not define weight'


def _weighted(known: Object, weight: int, delete_after: str | None) -> Object:
    meta = known["metadata"]
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if key != DELETE_AFTER}
    if delete_after is not None:
        notes[DELETE_AFTER] = delete_after
    wanted = {**known, "spec": {**(known.get("spec") or {}), "weight": weight}}
    if notes != (meta.get("annotations") or {}):
        wanted["metadata"] = {**meta, "annotations": notes}
    return wanted


def _goes_at(known: Object) -> float | None:
    try:
        return seconds((known["metadata"].get("annotations") or {}).get(DELETE_AFTER, ""))
    except ValueError:
        return None
