"""What belongs to a Rollout, found by who owns it: plain lists in, one family out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from actors.names import resources, timestamps
from runtime.objects import Object, Resource, owner_uid

ROLLOUTS: Final = Resource(*resources.ROLLOUT)
ANALYSIS_TEMPLATES: Final = Resource(*resources.ANALYSIS_TEMPLATE)
CLUSTER_ANALYSIS_TEMPLATES: Final = Resource(*resources.CLUSTER_ANALYSIS_TEMPLATE)
ANALYSIS_RUNS: Final = Resource(*resources.ANALYSIS_RUN)
EXPERIMENTS: Final = Resource(*resources.EXPERIMENT)
REPLICA_SETS: Final = Resource("apps/v1", "ReplicaSet", "replicasets")

HASH: Final = "rollouts-pod-template-hash"
REVISION: Final = "rollout.argoproj.io/revision"
DEADLINE: Final = "scale-down-deadline"


@dataclass(slots=True)
class Member:
    """An object and what it owns."""

    object: Object
    pods: list[Object] = field(default_factory=list)
    sets: list[Member] = field(default_factory=list)  # of an Experiment
    runs: list[Object] = field(default_factory=list)  # of an Experiment


@dataclass(slots=True)
class Revision:
    """What was made for one revision."""

    number: int
    sets: list[Member] = field(default_factory=list)
    experiments: list[Member] = field(default_factory=list)
    runs: list[Object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Around:
    """The objects of a namespace that may belong to somebody."""

    sets: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    experiments: Sequence[Object] = ()
    runs: Sequence[Object] = ()


def revisions(rollout: Object, around: Around) -> list[Revision]:
    """A Rollout's revisions, the newest first."""
    found: dict[int, Revision] = {}

    def of(thing: Object) -> Revision:
        number = revision_of(thing)
        return found.setdefault(number, Revision(number))

    for thing in owned(rollout, around.sets):
        of(thing).sets.append(with_pods(thing, around))
    for thing in owned(rollout, around.experiments):
        of(thing).experiments.append(experiment(thing, around))
    for thing in owned(rollout, around.runs):
        of(thing).runs.append(thing)
    return sorted(found.values(), key=lambda one: -one.number)


def experiment(thing: Object, around: Around) -> Member:
    """An Experiment with its ReplicaSets and AnalysisRuns."""
    sets = [with_pods(one, around) for one in owned(thing, around.sets)]
    return Member(thing, sets=sets, runs=owned(thing, around.runs))


def with_pods(thing: Object, around: Around) -> Member:
    """A ReplicaSet with its pods."""
    return Member(thing, pods=owned(thing, around.pods))


def owned(owner: Object, things: Sequence[Object]) -> list[Object]:
    """What an object controls, the oldest first."""
    uid = owner["metadata"].get("uid")
    mine = [thing for thing in things if uid and owner_uid(thing) == uid]
    return sorted(mine, key=lambda thing: (thing["metadata"].get("creationTimestamp") or "", thing["metadata"]["name"]))


def revision_of(thing: Object) -> int:
    """The revision that an object was made for; 0 when it does not say."""
    text = annotation(thing, REVISION)
    return int(text) if text.isdigit() else 0


def hash_of(thing: Object) -> str:
    """The pod template's hash on an object."""
    return str((thing["metadata"].get("labels") or {}).get(HASH) or "")


def annotation(thing: Object, name: str) -> str:
    """An annotation; empty when it is not there."""
    return str((thing["metadata"].get("annotations") or {}).get(name) or "")


def part(thing: Any, *path: str) -> Any:
    """A field deep in an object; an empty dict where the path ends early."""
    for name in path:
        thing = thing.get(name) if isinstance(thing, dict) else None
        if thing is None:
            return {}
    return thing


def number(thing: Any, *path: str) -> int:
    """A number deep in an object; 0 where there is none."""
    found = part(thing, *path)
    return found if isinstance(found, int) else 0


def age_s(thing: Object, now: float) -> float | None:
    """How long an object has been there, in seconds."""
    stamp = thing["metadata"].get("creationTimestamp")
    return None if not isinstance(stamp, str) else max(now - timestamps.seconds(stamp), 0.0)
