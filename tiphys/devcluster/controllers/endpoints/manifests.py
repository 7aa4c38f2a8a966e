"""What is written for a service: one Endpoints object, and EndpointSlices of a hundred addresses each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.objects import SERVICES, Object, Resource
from tiphys.devcluster.controllers.endpoints.backends import (
    Backend,
    Group,
    Port,
    is_headless,
    publishes_all,
    target,
)
from tiphys.devcluster.controllers.owners import controller_reference
from tiphys.devcluster.controllers.suffixes import GENERATED_NAME_MAX, suffix

ENDPOINTS = Resource("v1", "Endpoints", "endpoints")
SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICE_CONTROLLER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
SLICE_MAX = 100
"""Addresses in one slice: then a change of one pod is a small write."""


def _labels(service: Object, own: dict[str, str]) -> dict[str, str]:
    headless = {HEADLESS: ""} if is_headless(service) else {}
    return {**(service["metadata"].get("labels") or {}), **own, **headless}


def endpoints(service: Object, groups: Sequence[Group]) -> Object:
    """The Endpoints of a service: ready addresses and those that are not, by their ports."""
    meta = service["metadata"]
    thing: Object = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": _labels(service, {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}),
        },
    }
    subsets = [found for group in groups if (found := _subset(service, group))]
    return {**thing, "subsets": subsets} if subsets else thing


def _subset(service: Object, group: Group) -> Object:
    ports, backends = group
    everybody = publishes_all(service)
    shown = [backend for backend in backends if everybody or not backend.is_terminating]
    if not shown or (service["spec"].get("ports") and not ports):
        return {}
    subset: Object = {}
    for field, is_ready in (("addresses", True), ("notReadyAddresses", False)):
        addresses = [_address(backend) for backend in shown if (everybody or backend.is_ready) is is_ready]
        if addresses:
            subset[field] = addresses
    if ports:
        subset["ports"] = [_port(port, with_empty_name=False) for port in ports]
    return subset


def _address(backend: Backend) -> Object:
    address: Object = {"ip": backend.ip, "targetRef": target(backend)}
    if backend.node:
        address["nodeName"] = backend.node
    if backend.hostname:
        address["hostname"] = backend.hostname
    return address


def _port(port: Port, *, with_empty_name: bool) -> Object:
    entry: Object = {"port": port.number, "protocol": port.protocol}
    if port.name or with_empty_name:
        entry["name"] = port.name
    if port.app_protocol:
        entry["appProtocol"] = port.app_protocol
    return entry


def slices(service: Object, groups: Sequence[Group]) -> dict[str, Object]:
    """The EndpointSlices of a service by name; one without addresses when there are none."""
    everybody = publishes_all(service)
    made = [
        (ports, backends[start : start + SLICE_MAX])
        for ports, backends in groups or [((), ())]
        for start in range(0, max(len(backends), 1), SLICE_MAX)
    ]
    meta = service["metadata"]
    result: dict[str, Object] = {}
    for number, (ports, backends) in enumerate(made):
        prefix = f"{meta['name']}-"[:GENERATED_NAME_MAX]
        name = prefix + suffix(meta["uid"], "slice", str(number))
        result[name] = {
            "apiVersion": SLICES.api_version,
            "kind": SLICES.kind,
            "metadata": {
                "name": name,
                "generateName": prefix,
                "namespace": meta["namespace"],
                "labels": _labels(service, {SERVICE_NAME: meta["name"], MANAGED_BY: SLICE_CONTROLLER}),
                "ownerReferences": [controller_reference(SERVICES, service)],
            },
            "addressType": "IPv6" if backends and ":" in backends[0].ip else "IPv4",
            "endpoints": [_endpoint(backend, everybody) for backend in backends],
            "ports": [_port(port, with_empty_name=True) for port in ports],
        }
    return result


def _endpoint(backend: Backend, everybody: bool) -> Object:
    conditions = {
        "ready": everybody or (backend.is_ready and not backend.is_terminating),
        "serving": backend.is_ready,
        "terminating": backend.is_terminating,
    }
    entry: Object = {"addresses": [backend.ip], "conditions": conditions, "targetRef": target(backend)}
    if backend.node:
        entry["nodeName"] = backend.node
    if backend.hostname:
        entry["hostname"] = backend.hostname
    return entry
