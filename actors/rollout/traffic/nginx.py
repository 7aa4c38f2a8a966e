"""ingress-nginx: a second Ingress beside the stable one takes a share of its requests.

It is created once, named `<rollout>-<stable ingress>-canary`, and has only those rules of the stable one that point
at the stable Service. Without an update its weight is 0; it is never deleted but with the Rollout.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from actors.kube_events import Said
from actors.rollout.model import Ro
from actors.rollout.owner import owner
from actors.rollout.traffic.protocol import MAX_WEIGHT, WEIGHT, Change, Fault, Moves, Objects, Refusal, Router, Shift
from runtime.messages import Create, Patch
from runtime.objects import Object, Reference, Resource, owner_uid, reference

INGRESSES: Final = Resource("networking.k8s.io/v1", "Ingress", "ingresses")
PREFIX: Final = "nginx.ingress.kubernetes.io"
CLASS: Final = "kubernetes.io/ingress.class"
NAME_MAX: Final = 253
PATH: Final = "spec.strategy.canary.trafficRouting.nginx"


class Nginx(Router):
    """The router."""

    key = "nginx"
    title = "Nginx"
    abilities = frozenset({WEIGHT, MAX_WEIGHT})
    resources: tuple[Resource, ...] = (INGRESSES,)

    def needs(self, ro: Ro) -> tuple[Reference, ...]:
        """The stable Ingresses, and those beside them."""
        names = [name for stable in stable_names(ro) for name in (stable, canary_name(ro, stable))]
        return tuple(Reference(INGRESSES, ro.namespace, name) for name in names)

    def check(self, ro: Ro, objects: Objects) -> list[Fault]:
        """Exactly one way to name the Ingresses; each is there and has a rule for the stable Service."""
        nginx = _settings(ro)
        one, several = nginx.get("stableIngress"), nginx.get("stableIngresses")
        if bool(one) == bool(several):
            which = "Both are configured." if one else "Neither are configured."
            return [Fault(PATH, None, f"Either StableIngress or StableIngresses must be configured. {which}")]
        faults = []
        service = (ro.canary or {}).get("stableService", "")
        for name in stable_names(ro):
            path = f"{PATH}.{'stableIngress' if one else 'stableIngresses'}"
            ingress = objects.get(Reference(INGRESSES, ro.namespace, name))
            if ingress is None:
                named = one or several
                faults.append(Fault(path, named, f'ingress.networking.k8s.io "{name}" not found'))
            elif not has_rule_for(ingress, service):
                faults.append(Fault(path, name, f"ingress `{name}` has no rules using service {service} backend"))
        return faults

    def plan(self, ro: Ro, objects: Objects, shift: Shift) -> Moves | Refusal:
        """Create the canary's Ingress, or bring it to the weight."""
        changes: list[Change] = []
        said: list[Said] = []
        for name in stable_names(ro):
            stable = objects.get(Reference(INGRESSES, ro.namespace, name))
            if stable is None:
                return Refusal(f'ingress "{name}" not found: create it, or name another one in {PATH}')
            wanted = manifest(ro, stable, shift)
            known = objects.get(Reference(INGRESSES, ro.namespace, canary_name(ro, name)))
            if known is None:
                changes.append(Create(INGRESSES, wanted))
                text = f"Creating canary ingress `{wanted['metadata']['name']}` with weight `{shift.canary}`"
                said.append(Said("CreatingCanaryIngress", text))
                continue
            if owner_uid(known) != ro.uid:
                return Refusal(
                    f"ingress `{known['metadata']['name']}` is not owned by this Rollout: delete it, or rename one"
                )
            body = difference(known, wanted)
            if body:
                changes.append(Patch(reference(INGRESSES, known), body))
                said.append(
                    Said("PatchingCanaryIngress", f"Updating Ingress `{known['metadata']['name']}` to "
                         f"desiredWeight '{shift.canary}'")
                )  # fmt: skip
        return Moves(tuple(changes), tuple(said))


def _settings(ro: Ro) -> Object:
    return (ro.routing or {}).get("nginx") or {}


def stable_names(ro: Ro) -> list[str]:
    """The Ingresses that are weighted."""
    nginx = _settings(ro)
    several: list[str] = nginx.get("stableIngresses") or []
    return several or ([nginx["stableIngress"]] if nginx.get("stableIngress") else [])


def canary_name(ro: Ro, stable: str) -> str:
    """The Ingress beside a stable one."""
    suffix = "-canary"
    return f"{ro.name}-{stable}"[: NAME_MAX - len(suffix)] + suffix


def has_rule_for(ingress: Object, service: str) -> bool:
    """Whether an Ingress sends anything to a Service."""
    spec = ingress.get("spec") or {}
    if _service(spec.get("defaultBackend")) == service:
        return True
    return any(_service(path.get("backend")) == service for rule in spec.get("rules") or () for path in _paths(rule))


def _paths(rule: Object) -> list[Object]:
    return (rule.get("http") or {}).get("paths") or []


def _service(backend: Any) -> str:
    return str(((backend or {}).get("service") or {}).get("name", ""))


def manifest(ro: Ro, stable: Object, shift: Shift) -> Object:
    """The canary's Ingress at these weights."""
    canary, nginx = ro.canary or {}, _settings(ro)
    names = canary.get("stableService", ""), canary.get("canaryService", "")
    meta = stable["metadata"]
    spec: Object = {"rules": _rules(stable, *names)}
    if stable["spec"].get("ingressClassName"):
        spec["ingressClassName"] = stable["spec"]["ingressClassName"]
    prefix = nginx.get("annotationPrefix") or PREFIX
    annotations: dict[str, str] = {}
    if CLASS in (meta.get("annotations") or {}):
        annotations[CLASS] = meta["annotations"][CLASS]
    annotations |= {str(key): str(value) for key, value in (nginx.get("canaryIngressAnnotations") or {}).items()}
    for key, value in (nginx.get("additionalIngressAnnotations") or {}).items():
        annotations[key if key.startswith(prefix) else f"{prefix}/{key}"] = str(value)
    annotations[f"{prefix}/canary"] = "true"
    annotations[f"{prefix}/canary-weight"] = str(shift.canary)
    if (ro.routing or {}).get("maxTrafficWeight") is not None:
        annotations[f"{prefix}/canary-weight-total"] = str(shift.most)
    return {
        "apiVersion": INGRESSES.api_version,
        "kind": INGRESSES.kind,
        "metadata": {
            "name": canary_name(ro, meta["name"]),
            "namespace": ro.namespace,
            "annotations": annotations,
            "ownerReferences": [owner(ro)],
        },
        "spec": spec,
    }


def _rules(stable: Object, stable_service: str, canary_service: str) -> list[Object]:
    found = []
    for rule in stable["spec"].get("rules") or ():
        paths = [copy.deepcopy(path) for path in _paths(rule) if _service(path.get("backend")) == stable_service]
        for path in paths:
            path["backend"]["service"]["name"] = canary_service
        if paths:
            found.append({**{key: value for key, value in rule.items() if key == "host"}, "http": {"paths": paths}})
    return found


def difference(known: Object, wanted: Object) -> Object:
    """The merge patch that brings an Ingress to what is wanted; annotations of others are left alone."""
    body: Object = {}
    have = known["metadata"].get("annotations") or {}
    notes = {key: value for key, value in wanted["metadata"]["annotations"].items() if have.get(key) != value}
    if notes:
        body["metadata"] = {"annotations": notes}
    spec = {key: value for key, value in wanted["spec"].items() if known["spec"].get(key) != value}
    if spec:
        body["spec"] = spec
    return body
