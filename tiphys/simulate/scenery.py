"""What stands around a Rollout in a cluster and not in its files: namespaces, Services, the workload it refers to.

A stand-in is only put where there is one right thing to put. What an AnalysisTemplate or a router's object would say
cannot be guessed; the files have to have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from actors.rollout.model import Ro
from runtime.objects import NAMESPACES, SERVICES, Object, Resource

Thing = tuple[Resource, Object]

GIVEN_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
ROUTERS_SERVICES = (("alb", "rootService"), ("smi", "rootService"))
"""Services that a router's settings name, beside those of the strategy."""


class Scenery(NamedTuple):
    """Objects to create before the Rollout's own, and a sentence for each that somebody should know of."""

    things: list[Thing]
    said: list[str]


def scenery(rollout: Object, others: Sequence[Thing]) -> Scenery:
    """The namespace that the Rollout wants and the Services that the files leave out."""
    namespace = rollout["metadata"]["namespace"]
    found: list[Thing] = []
    there = {(resource, thing["metadata"].get("name")) for resource, thing in others}
    if namespace not in GIVEN_NAMESPACES and (NAMESPACES, namespace) not in there:
        found.append((NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    said = []
    labels = _pod_labels(rollout, others)
    for name in dict.fromkeys(_services(rollout)):
        if (SERVICES, name) not in there:
            found.append((SERVICES, _service(namespace, name, labels)))
            said.append(f"Service {name} is not in the files: one that selects the Rollout's pods plays it")
    return Scenery(found, said)


def workload_of(rollout: Object, others: Sequence[Thing]) -> Thing | None:
    """The object that `spec.workloadRef` names, if the files have it."""
    wanted = rollout["spec"].get("workloadRef") or {}
    for resource, thing in others:
        if (resource.kind, thing["metadata"].get("name")) == (wanted.get("kind"), wanted.get("name")):
            return resource, thing
    return None


def _services(rollout: Object) -> Iterator[str]:
    ro = Ro(rollout)
    canary, blue_green = ro.canary or {}, ro.blue_green or {}
    ping_pong = canary.get("pingPong") or {}
    named = [
        canary.get("stableService"), canary.get("canaryService"),
        ping_pong.get("pingService"), ping_pong.get("pongService"),
        blue_green.get("activeService"), blue_green.get("previewService"),
        *((ro.routing or {}).get(router, {}).get(field) for router, field in ROUTERS_SERVICES),
    ]  # fmt: skip
    yield from (str(name) for name in named if name)


def _pod_labels(rollout: Object, others: Sequence[Thing]) -> dict[str, Any]:
    workload = workload_of(rollout, others)
    spec = rollout["spec"] if workload is None else workload[1].get("spec") or {}
    selector = spec.get("selector") or {}
    template = (spec.get("template") or {}).get("metadata") or {}
    return dict(selector.get("matchLabels") or template.get("labels") or {})


def _service(namespace: str, name: str, labels: dict[str, Any]) -> Object:
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": labels, "ports": [{"port": 80}]},
    }
