"""Which routers there are, and which of them a Rollout names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from actors.rollout.model import Ro
from actors.rollout.traffic.alb import Alb
from actors.rollout.traffic.ambassador import Ambassador
from actors.rollout.traffic.apisix import Apisix
from actors.rollout.traffic.appmesh import AppMesh
from actors.rollout.traffic.gateway import Gateway
from actors.rollout.traffic.istio import Istio
from actors.rollout.traffic.nginx import Nginx
from actors.rollout.traffic.protocol import Router
from actors.rollout.traffic.smi import Smi
from actors.rollout.traffic.traefik import Traefik

ORDER: Final = ("istio", "nginx", "alb", "smi", "ambassador", "appMesh", "traefik", "apisix", "plugins")
"""The order in which several routers of one Rollout are told."""

ALL: Final[tuple[Router, ...]] = (
    Istio(),
    Nginx(),
    Alb(),
    Smi(),
    Ambassador(),
    AppMesh(),
    Traefik(),
    Apisix(),
    Gateway(),
)

ROUTERS: Final[Mapping[str, Router]] = MappingProxyType({router.key: router for router in ALL})
"""By their field of `trafficRouting`."""


def routers_of(ro: Ro, known: Mapping[str, Router] = ROUTERS) -> list[Router]:
    """The routers that a Rollout names, in the order in which they are told."""
    return [known[key] for key in (*ORDER, *sorted(set(known) - set(ORDER))) if _is_named(ro, key) and key in known]


def unknown_routers(ro: Ro, known: Mapping[str, Router] = ROUTERS) -> list[str]:
    """The routers that a Rollout names and nobody here can work."""
    return [key for key in ORDER if _is_named(ro, key) and key not in known]


def _is_named(ro: Ro, key: str) -> bool:
    """Whether a Rollout names a router: `smi: {}` does; of plugins there has to be one."""
    given = (ro.routing or {}).get(key)
    return given is not None and (key != "plugins" or bool(given))


def table(known: Mapping[str, Router] = ROUTERS) -> str:
    """What each router can do, in one line: for the message of a refusal."""
    return "; ".join(f"{router.title}: {', '.join(sorted(router.abilities))}" for router in known.values())
