"""How processes divide all namespaces: names of leases, what of the objects is whose, and what cannot be divided.

A namespace is in one group of buckets (actors/names/buckets.py), and a group is one process's, so all that is about a
namespace (its locks, its `parallelism`, its schedules, its Rollouts) is decided in one place. Workflows and their pods
carry their bucket, so a group's are selected by the server; of all other kinds there are few, and of those without the
label none for long: they come whole and only the group's own are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.names import buckets, labels
from actors.workflow.state import WORKFLOWS
from runtime.objects import CONFIGMAPS, LEASES, PODS, Object, Reference, Resource
from runtime.shares import Division
from tiphys.controller import lease_names
from tiphys.controller.leading import PARTS, Candidacy, Part, identity, lease_name
from tiphys.controllers import ControllerSettings


@dataclass(frozen=True, slots=True)
class Sharding:
    """A division of all namespaces among those who say the same."""

    groups: int
    namespace: str  # of the leases
    instance_id: str = ""
    parts: tuple[Part, ...] = PARTS
    identity: str = field(default_factory=identity)

    @property
    def standing(self) -> tuple[Reference, ...]:
        """Upstream's leases of all that is looked after: all members hold them together."""
        return tuple(self._lease(lease_name(part, self.instance_id)) for part in self.parts)

    @property
    def together(self) -> str:
        """As whom: another number of shards is somebody else, with whom nothing may be done at the same time."""
        return lease_names.together(self.groups)

    @property
    def base(self) -> str:
        """What the names of all its leases begin with."""
        return lease_name(self.parts[0], self.instance_id)

    @property
    def member(self) -> Reference:
        """The lease that says that we are there."""
        return self._lease(lease_names.of_member(self.base, self.identity))

    @property
    def members(self) -> str:
        """What the names of such leases begin with."""
        return lease_names.members(self.base)

    def group(self, number: int) -> Reference:
        """The lease of a group."""
        return self._lease(lease_names.of_shard(self.base, number, self.groups))

    def _lease(self, name: str) -> Reference:
        return Reference(LEASES, self.namespace, name)


def sharding(groups: int, candidacy: Candidacy, namespace: str, parts: tuple[Part, ...]) -> Sharding:
    """The division that the command line means; `namespace` is that of the credentials."""
    who = candidacy.identity or identity()
    return Sharding(groups, candidacy.namespace or namespace, candidacy.instance_id, parts, who)


def division(
    number: int, groups: int, plugin_namespace: str, misplaced: Callable[[Resource, Object], None]
) -> Division:
    """What of all objects belongs to a group. ConfigMaps of executor plugins for everybody are everybody's."""

    def is_ours(resource: Resource, thing: Object) -> bool:
        namespace = thing["metadata"].get("namespace", "")
        return buckets.group(namespace, groups) == number or (resource == CONFIGMAPS and namespace == plugin_namespace)

    def selections(resource: Resource, selector: str) -> tuple[str, ...]:
        if resource != WORKFLOWS and not (resource == PODS and labels.WORKFLOW in selector.split(",")):
            return (selector,)
        above = f"{selector}," if selector else ""
        return above + buckets.placed(number, groups), above + buckets.unplaced()

    return Division(is_ours, selections, misplaced)


def problems(settings: ControllerSettings) -> list[str]:
    """What of these settings would not be kept by processes that each see a part; the remedy is in each."""
    alone = "leave it out, or run one controller without --shards"
    found = []
    if settings.queue.parallelism:
        found.append(
            f"parallelism: no process of --shards knows how many workflows run in all; {alone};"
            " namespaceParallelism is kept"
        )
    kept = settings.retention
    if any(number is not None for number in (kept.completed, kept.failed, kept.errored)):
        found.append(
            f"retentionPolicy: it counts workflows of all namespaces, and each process of --shards sees some; {alone}"
            "; ttlStrategy is kept"
        )
    if settings.pods.pace is not None:
        found.append(f"resourceRateLimit: it is for all pods, and each process of --shards makes some; {alone}")
    return found
