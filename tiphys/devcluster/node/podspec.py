"""A pod as the node reads it: its containers in the order they start, and the numbers that bound its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from runtime.objects import Object

ContainerKind: TypeAlias = Literal["init", "sidecar", "main"]
RestartPolicy: TypeAlias = Literal["Always", "OnFailure", "Never"]

DEFAULT_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container; a "sidecar" is an init container with restartPolicy Always."""

    name: str
    kind: ContainerKind
    body: Object

    @property
    def image(self) -> str:
        """The image reference; empty when the pod names none."""
        return str(self.body.get("image") or "")

    def probe(self, which: str) -> Object | None:
        """The body of "readinessProbe", "livenessProbe" or "startupProbe"."""
        return self.body.get(which) or None


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What of a pod decides its life. `containers` are init containers and sidecars in order, then the main ones."""

    namespace: str
    name: str
    uid: str
    restart_policy: RestartPolicy
    containers: tuple[ContainerSpec, ...]
    grace_s: float
    deadline_s: float | None
    gates: tuple[str, ...] = ()  # conditions that others write, without which the pod is not ready

    @property
    def mains(self) -> tuple[ContainerSpec, ...]:
        """The containers whose end is the pod's end."""
        return tuple(c for c in self.containers if c.kind == "main")

    @property
    def setups(self) -> tuple[ContainerSpec, ...]:
        """Init containers and native sidecars, in the order they start."""
        return tuple(c for c in self.containers if c.kind != "main")

    def container(self, name: str) -> ContainerSpec | None:
        """The container of that name."""
        return next((c for c in self.containers if c.name == name), None)


def parse_pod(pod: Object) -> PodSpec:
    """Read a Pod object; absent fields take Kubernetes' defaults."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    setups = [
        ContainerSpec(c["name"], "sidecar" if c.get("restartPolicy") == "Always" else "init", c)
        for c in spec.get("initContainers") or ()
    ]
    mains = [ContainerSpec(c["name"], "main", c) for c in spec.get("containers") or ()]
    grace = spec.get("terminationGracePeriodSeconds")
    deadline = spec.get("activeDeadlineSeconds")
    return PodSpec(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        restart_policy=spec.get("restartPolicy") or "Always",
        containers=(*setups, *mains),
        grace_s=DEFAULT_GRACE_S if grace is None else float(grace),
        deadline_s=None if deadline is None else float(deadline),
        gates=tuple(gate["conditionType"] for gate in spec.get("readinessGates") or ()),
    )
