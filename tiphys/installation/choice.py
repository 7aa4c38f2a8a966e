"""What somebody who installs Tiphys decides; everything else follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tiphys.installation.rights import PARTS, Part

Scope: TypeAlias = Literal["cluster", "namespaced", "managed"]
"""Whose objects are looked after: everybody's, those of its own namespace, or those of one other namespace."""

NAME: Final = "tiphys"
CONTROLLER: Final = "tiphys-controller"
EVENT_SERVER: Final = "tiphys-server"
WEBHOOKS: Final = "tiphys-webhooks"
IMAGE: Final = "tiphys:0.1.0"
PORT: Final = 9090
PART_OF: Final = {"app.kubernetes.io/part-of": NAME}
"""What tells our objects from everybody else's: `uninstall` takes nothing without it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An installation. Texts may be Helm's expressions: they are copied into the manifests as they are."""

    namespace: str = NAME
    scope: Scope = "cluster"
    managed: str = ""  # with scope "managed": that namespace
    image: str = IMAGE
    replicas: int = 1  # more: the others stand by, with their caches filled; with shards they share the work
    shards: int = 0  # all namespaces are divided into so many; 0: they are not
    instance_id: str = ""
    parts: tuple[Part, ...] = PARTS  # fewer: the others are somebody else's
    executor_plugins: bool = False
    cache_period: str = ""  # how often remembered results are looked through, "1h"; empty: never
    database: bool = False  # its configuration names one, whose password is in a Secret of its own namespace
    event_server: bool = False  # which takes events from outside
    network_policy: bool = False
    monitoring: bool = False  # ServiceMonitor and rules: kinds that only Prometheus' operator serves
    definitions: bool = True  # the CustomResourceDefinitions too

    @property
    def highly_available(self) -> bool:
        """Whether somebody stands by."""
        return self.replicas > 1

    @property
    def watched(self) -> str:
        """The namespace that is looked after; empty for all."""
        return {"cluster": "", "namespaced": self.namespace, "managed": self.managed}[self.scope]
