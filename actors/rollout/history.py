"""What is kept of the past: so many old ReplicaSets, so many runs and experiments of each outcome."""

from __future__ import annotations

from collections.abc import Iterable

from actors.rollout import sets, wire
from actors.rollout.model import Ro
from actors.rollout.scene import Scene
from runtime.messages import Delete
from runtime.objects import Object, reference


def surplus(ro: Ro, things: Iterable[Object], every: Iterable[Object]) -> list[Object]:
    """Runs, or experiments, that are not kept: of versions that are gone, and beyond the limits of their outcome."""
    versions = {sets.hash_of(one): "deletionTimestamp" not in one["metadata"] for one in every}
    left = {True: ro.run_limit("successful"), False: ro.run_limit("unsuccessful")}
    found = []
    for thing in sorted(things, key=sets.created, reverse=True):
        if "deletionTimestamp" in thing["metadata"]:
            continue
        if not versions.get(sets.hash_of(thing), False):
            found.append(thing)
            continue
        phase = (thing.get("status") or {}).get("phase")
        if phase not in wire.COMPLETED_PHASES:
            continue
        left[phase == "Successful"] -= 1
        if left[phase == "Successful"] < 0:
            found.append(thing)
    return found


def prune(scene: Scene) -> None:
    """Delete old ReplicaSets beyond the limit, the oldest first, with the runs and experiments of their version."""
    alive = [one for one in scene.others if "deletionTimestamp" not in one["metadata"]]
    too_many = len(alive) - scene.ro.history_limit
    for one in sets.oldest_first(alive)[: max(0, too_many)]:
        observed = sets.count(one, "observedGeneration") >= int(one["metadata"].get("generation", 1))
        if sets.count(one, "replicas") or sets.wished(one) or not observed:
            continue
        scene.changes.append(Delete(reference(wire.REPLICA_SETS, one), propagation="Background", tag="set"))
        for resource, things in (
            (wire.ANALYSIS_RUNS, scene.other_runs), (wire.EXPERIMENTS, scene.other_experiments)
        ):  # fmt: skip
            for thing in things:
                if sets.hash_of(thing) == sets.hash_of(one) and "deletionTimestamp" not in thing["metadata"]:
                    scene.changes.append(Delete(reference(resource, thing), propagation="Background", tag="old"))
