"""AWS's load balancer: annotations of an Ingress say how its listener shares requests among Services.

Which annotations are a Rollout's own is written beside them, so that several Rollouts can share one Ingress. Whether
AWS has taken the weights over is another question: `actors.rollout.balancers`.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from actors.kube_events import Said
from actors.rollout.model import Ro
from actors.rollout.traffic.edit import edited, managed_names, settings
from actors.rollout.traffic.nginx import INGRESSES, has_rule_for
from actors.rollout.traffic.protocol import (
    EXPERIMENT,
    HEADER,
    PING_PONG,
    WEIGHT,
    Change,
    Fault,
    Moves,
    Objects,
    Refusal,
    Router,
    Shift,
)
from runtime.objects import Object, Reference, Resource

PREFIX: Final = "alb.ingress.kubernetes.io"
MANAGED: Final = "rollouts.argoproj.io/managed-alb-annotations"
PATH: Final = "spec.strategy.canary.trafficRouting.alb"
BY_ANNOTATION: Final = "use-annotation"
LONGEST_STICKINESS_S: Final = 604_800


class Alb(Router):
    """The router."""

    key = "alb"
    title = "ALB"
    abilities = frozenset({WEIGHT, HEADER, EXPERIMENT, PING_PONG})
    resources: tuple[Resource, ...] = (INGRESSES,)
    prefers_ping_pong = True

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The Ingresses."""
        return tuple(Reference(INGRESSES, ro.namespace, name) for name in names(ro))

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """Exactly one way to name Ingresses; each has a rule for the root (or stable) Service; stickiness in range."""
        alb = settings(ro, "alb")
        one, several = alb.get("ingress"), alb.get("ingresses")
        if bool(one) == bool(several):
            which = "Both are configured." if one else "Neither are configured."
            return [Fault(PATH, None, f"Either Ingress or Ingresses must be configured. {which}")]
        faults = _stickiness_faults(alb)
        path = f"{PATH}.{'ingress' if one else 'ingresses'}"
        service = root_service(ro, (ro.canary or {}).get("stableService", ""))
        for name in names(ro):
            ingress = objects.get(Reference(INGRESSES, ro.namespace, name))
            if ingress is None:
                faults.append(Fault(path, one or several, f'ingress.networking.k8s.io "{name}" not found'))
            elif not has_rule_for(ingress, service):
                text = f"ingress `{name}` has no rules using service {service} backend"
                faults.append(Fault(path, name, text))
        return faults

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Write the action that shares requests, and what header routes need."""
        changes: list[Change] = []
        said: list[Said] = []
        for name in names(ro):
            known = objects.get(Reference(INGRESSES, ro.namespace, name))
            if known is None:
                return Refusal(f'ingress "{name}" not found: create it, or name another one in {PATH}')
            root = root_service(ro, shift.stable_service)
            if not has_rule_for(known, root):
                return Refusal(f"ingress does not have service `{root}` in rules")
            change = edited(INGRESSES, known, _wanted(ro, known, shift))
            if change:
                changes.append(change)
                text = f"Updating Ingress `{name}` to desiredWeight '{shift.canary}'"
                said.append(Said("PatchingALBIngress", text))
        return Moves(tuple(changes), tuple(said))


def names(ro: Ro) -> list[str]:
    """The Ingresses that are weighted."""
    alb = settings(ro, "alb")
    several: list[str] = alb.get("ingresses") or []
    return several or ([alb["ingress"]] if alb.get("ingress") else [])


def root_service(ro: Ro, stable: str) -> str:
    """The Service that the Ingress's rules name."""
    return str(settings(ro, "alb").get("rootService") or stable)


def _wanted(ro: Ro, known: Object, shift: Shift) -> Object:
    wanted = copy.deepcopy(known)
    notes: dict[str, str] = wanted["metadata"].setdefault("annotations", {})
    prefix = settings(ro, "alb").get("annotationPrefix") or PREFIX
    mine = _own(notes, ro.name)
    key = f"{prefix}/actions.{root_service(ro, shift.stable_service)}"
    notes[key] = _action(ro, [*_shares(shift)])
    mine[key] = None
    if shift.removes_managed:
        for name in managed_names(ro):
            _remove_route(wanted, mine, prefix, name)
    elif shift.header_route is not None:
        step = shift.header_route
        if step.get("match"):
            _add_route(ro, wanted, mine, shift)
        else:
            _remove_route(wanted, mine, prefix, str(step.get("name")))
    notes[MANAGED] = _compact({**_managed(notes), ro.name: list(mine)})
    return wanted


def _shares(shift: Shift) -> list[tuple[str, int]]:
    return [
        (shift.canary_service, shift.canary),
        *((each.service, each.weight) for each in shift.additional),
        (shift.stable_service, shift.stable),
    ]


def _action(ro: Ro, shares: list[tuple[str, int]]) -> str:
    alb = settings(ro, "alb")
    port = str(alb.get("servicePort") or 0)
    groups = [{"ServiceName": name, "ServicePort": port, "Weight": weight} for name, weight in shares]
    forward: dict[str, Any] = {"TargetGroups": groups}
    stickiness = alb.get("stickinessConfig") or {}
    if stickiness.get("enabled"):
        duration = int(stickiness.get("durationSeconds") or 0)
        forward["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": duration}
    return _compact({"Type": "forward", "ForwardConfig": forward})


def _stickiness_faults(alb: Object) -> list[Fault]:
    stickiness = alb.get("stickinessConfig") or {}
    duration = int(stickiness.get("durationSeconds") or 0)
    if not stickiness.get("enabled") or 1 <= duration <= LONGEST_STICKINESS_S:
        return []
    text = "TargetGroupStickinessConfig's duration must be between 1 and 604800 seconds (7 days)!"
    return [Fault(f"{PATH}.stickinessConfig.durationSeconds", duration, text)]


# ------------------------------------------------------------------------------------------------ header routes


def _add_route(ro: Ro, ingress: Object, mine: dict[str, None], shift: Shift) -> None:
    step = shift.header_route or {}
    name = str(step["name"])
    prefix = settings(ro, "alb").get("annotationPrefix") or PREFIX
    notes = ingress["metadata"]["annotations"]
    notes[f"{prefix}/actions.{name}"] = _action(ro, [(shift.canary_service, 100)])
    notes[f"{prefix}/conditions.{name}"] = _compact(_conditions(step["match"]))
    mine[f"{prefix}/actions.{name}"] = mine[f"{prefix}/conditions.{name}"] = None
    if not has_rule_for(ingress, name):
        backend = {"service": {"name": name, "port": {"name": BY_ANNOTATION}}}
        path = {"path": "/*", "pathType": "ImplementationSpecific", "backend": backend}
        for paths in _paths(ingress):
            paths.insert(0, copy.deepcopy(path))
    order = {each: at for at, each in enumerate(managed_names(ro))}
    for paths in _paths(ingress):
        paths.sort(key=lambda each: order.get(_service(each), len(order)))


def _remove_route(ingress: Object, mine: dict[str, None], prefix: str, name: str) -> None:
    for key in (f"{prefix}/actions.{name}", f"{prefix}/conditions.{name}"):
        ingress["metadata"]["annotations"].pop(key, None)
        mine.pop(key, None)
    for paths in _paths(ingress):
        paths[:] = [each for each in paths if _service(each) != name]


def _conditions(matches: list[Object]) -> list[Object]:
    """Values of one header are alternatives of one condition."""
    values: dict[str, list[str]] = {}
    for match in matches:
        values.setdefault(str(match.get("headerName")), []).append((match.get("headerValue") or {}).get("exact", ""))
    return [
        {"field": "http-header", "httpHeaderConfig": {"httpHeaderName": name, "values": found}}
        for name, found in values.items()
    ]


def _paths(ingress: Object) -> list[list[Object]]:
    rules = (ingress.get("spec") or {}).get("rules") or ()
    return [rule["http"]["paths"] for rule in rules if (rule.get("http") or {}).get("paths") is not None]


def _service(path: Object) -> str:
    return str(((path.get("backend") or {}).get("service") or {}).get("name", ""))


# ------------------------------------------------------------------------------------------------ whose is what


def _managed(notes: dict[str, str]) -> dict[str, list[str]]:
    try:
        found = json.loads(notes.get(MANAGED) or "{}")
    except ValueError:
        return {}  # somebody has spoilt it: it is written anew
    return found if isinstance(found, dict) else {}


def _own(notes: dict[str, str], name: str) -> dict[str, None]:
    return dict.fromkeys(_managed(notes).get(name) or ())


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
