"""Which pods stand behind a service, by which ports: the content of Endpoints and EndpointSlices. Pure.

Pods whose named ports come out differently are different groups, as one list of ports speaks for all of its addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from runtime.objects import Object
from tiphys.devcluster.controllers.podstate import TERMINAL, is_ready, phase


class Port(NamedTuple):
    """A port as pods serve it."""

    name: str
    number: int
    protocol: str
    app_protocol: str = ""


class Backend(NamedTuple):
    """A pod behind a service."""

    ip: str
    name: str
    namespace: str
    uid: str
    node: str
    hostname: str  # empty unless the pod has one below this very service
    is_ready: bool
    is_terminating: bool


Group: TypeAlias = tuple[tuple[Port, ...], tuple[Backend, ...]]


def selects(service: Object, labels: dict[str, str]) -> bool:
    """Whether the service selects pods of these labels; one without a selector selects nothing."""
    spec = service.get("spec") or {}
    selector = spec.get("selector") or {}
    if not selector or spec.get("type") == "ExternalName":
        return False
    return all(labels.get(name) == value for name, value in selector.items())


def groups(service: Object, pods: Iterable[Object]) -> list[Group]:
    """The pods that serve it, by their ports; every pod once, in the order of their addresses."""
    found: dict[tuple[Port, ...], list[Backend]] = {}
    for pod in pods:
        backend = _backend(service, pod)
        if backend is not None and selects(service, pod["metadata"].get("labels") or {}):
            found.setdefault(_ports(service, pod), []).append(backend)
    return [(ports, tuple(sorted(found[ports]))) for ports in sorted(found)]


def _backend(service: Object, pod: Object) -> Backend | None:
    status, spec, meta = pod.get("status") or {}, pod.get("spec") or {}, pod["metadata"]
    if phase(pod) in TERMINAL or not status.get("podIP"):
        return None
    is_named = bool(spec.get("hostname")) and spec.get("subdomain") == service["metadata"]["name"]
    return Backend(
        status["podIP"],
        meta["name"],
        meta["namespace"],
        meta["uid"],
        spec.get("nodeName") or "",
        spec["hostname"] if is_named else "",
        is_ready(pod),
        "deletionTimestamp" in meta,
    )


def _ports(service: Object, pod: Object) -> tuple[Port, ...]:
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        number = _number(port.get("targetPort", port.get("port")), protocol, pod)
        if number is not None:
            found.append(Port(port.get("name") or "", number, protocol, port.get("appProtocol") or ""))
    return tuple(found)


def _number(target: int | str | None, protocol: str, pod: Object) -> int | None:
    """The number of a target port; a name is looked up among the ports of the pod's containers."""
    if isinstance(target, int):
        return target
    spec = pod.get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for port in container.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                number: int = port["containerPort"]
                return number
    return int(target) if target and target.isdecimal() else None


def target(backend: Backend) -> Object:
    """What an address points at."""
    return {"kind": "Pod", "namespace": backend.namespace, "name": backend.name, "uid": backend.uid}


def publishes_all(service: Object) -> bool:
    """Whether pods count although they are not ready."""
    return bool(service["spec"].get("publishNotReadyAddresses"))


def is_headless(service: Object) -> bool:
    """Whether the service has no address of its own."""
    return bool(service["spec"].get("clusterIP") == "None")
