"""What kinds that lead to pods leave open: ports are TCP's, a policy is about what comes in."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object


def _ports(ports: Any) -> None:
    for port in ports or ():
        port.setdefault("protocol", "TCP")


def endpoints(thing: Object) -> None:
    """The protocol of each port."""
    for subset in thing.get("subsets") or ():
        _ports(subset.get("ports"))


def endpoint_slice(thing: Object) -> None:
    """The protocol of each port, and a name that is empty."""
    _ports(thing.get("ports"))
    for port in thing.get("ports") or ():
        port.setdefault("name", "")


def network_policy(thing: Object) -> None:
    """The protocol of each port; without a word on it, a policy is about what comes in, and out where rules say so."""
    spec = thing.setdefault("spec", {})
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        _ports(rule.get("ports"))
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def ingress_class(thing: Object) -> None:
    """Parameters are the cluster's."""
    parameters = (thing.get("spec") or {}).get("parameters")
    if parameters:
        parameters.setdefault("scope", "Cluster")
