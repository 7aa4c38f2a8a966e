"""What `kubectl get` shows of kinds that lead to pods: services, what stands behind them, and ways in from outside."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.columns import AGE, at, pairs
from tiphys.devcluster.kinds import Column
from tiphys.devcluster.selectors import selector_text

SHOWN_MAX = 3  # addresses and hosts in one cell


def _spec(thing: Object) -> Object:
    return thing.get("spec") or {}


def _some(items: list[str]) -> str:
    """The first few of many, as kubectl shows them."""
    more = f" + {len(items) - SHOWN_MAX} more..." if len(items) > SHOWN_MAX else ""
    return ",".join(items[:SHOWN_MAX]) + more


def _cluster_address(thing: Object, _now: float) -> str:
    spec = _spec(thing)
    return str(next(iter(spec.get("clusterIPs") or ()), None) or spec.get("clusterIP") or "<none>")


def _given(thing: Object) -> list[str]:
    """The addresses that a load balancer gave."""
    ways = ((thing.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [str(way.get("ip") or way.get("hostname")) for way in ways if way.get("ip") or way.get("hostname")]


def _external_address(thing: Object, _now: float) -> str:
    spec = _spec(thing)
    own = [str(address) for address in spec.get("externalIPs") or ()]
    match spec.get("type"):
        case "ExternalName":
            return str(spec.get("externalName") or "")
        case "LoadBalancer":
            return ",".join([*_given(thing), *own]) or "<pending>"
    return ",".join(own) or "<none>"


def _ports(thing: Object, _now: float) -> str:
    return ",".join(_port(port) for port in _spec(thing).get("ports") or ()) or "<none>"


def _port(port: Object) -> str:
    outside = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{outside}/{port.get('protocol', 'TCP')}"


def _joined(address: str, port: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else address


def _endpoints(thing: Object, _now: float) -> str:
    found: list[str] = []
    for subset in thing.get("subsets") or ():
        ports = [str(port.get("port")) for port in subset.get("ports") or ()] or [""]
        found += [_joined(a.get("ip", ""), p) for p in ports for a in subset.get("addresses") or ()]
    return _some(found) if thing.get("subsets") else "<none>"


def _slice_ports(thing: Object, _now: float) -> str:
    ports = [str(port.get("port") or port.get("name") or "*") for port in thing.get("ports") or ()]
    return _some(ports) or "<unset>"


def _slice_endpoints(thing: Object, _now: float) -> str:
    return _some([a for e in thing.get("endpoints") or () for a in e.get("addresses") or ()]) or "<unset>"


def _hosts(thing: Object, _now: float) -> str:
    return _some([rule["host"] for rule in _spec(thing).get("rules") or () if rule.get("host")]) or "*"


def _selector(thing: Object, _now: float) -> str:
    return selector_text(_spec(thing).get("podSelector") or {}) or "<none>"


def _parameters(thing: Object, _now: float) -> Any:
    about = _spec(thing).get("parameters")
    if not about:
        return "<none>"
    group = f".{about['apiGroup']}" if about.get("apiGroup") else ""
    return f"{about.get('kind', '')}{group}/{about.get('name', '')}"


SERVICE = (
    Column("Type", ".spec.type"),
    Column("Cluster-IP", cell=_cluster_address),
    Column("External-IP", cell=_external_address),
    Column("Port(s)", cell=_ports),
    AGE,
    Column("Selector", priority=1, cell=lambda thing, _: pairs(_spec(thing).get("selector"))),
)
ENDPOINTS = (Column("Endpoints", cell=_endpoints), AGE)
ENDPOINT_SLICE = (
    Column("AddressType", ".addressType"),
    Column("Ports", cell=_slice_ports),
    Column("Endpoints", cell=_slice_endpoints),
    AGE,
)
INGRESS = (
    Column("Class", cell=at("spec.ingressClassName")),
    Column("Hosts", cell=_hosts),
    Column("Address", cell=lambda thing, _: ",".join(_given(thing))),
    Column("Ports", cell=lambda thing, _: "80, 443" if _spec(thing).get("tls") else "80"),
    AGE,
)
NETWORK_POLICY = (Column("Pod-Selector", cell=_selector), AGE)
INGRESS_CLASS = (Column("Controller", ".spec.controller"), Column("Parameters", cell=_parameters), AGE)
