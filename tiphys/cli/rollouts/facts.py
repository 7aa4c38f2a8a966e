"""What is true of a Rollout, as upstream's plugin shows it: phase, step, weights, images. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from actors.names.durations import parse_duration
from runtime.objects import Object
from tiphys.cli.rollouts.objects import Member, Revision, annotation, hash_of, number, part

WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"


class Phase(NamedTuple):
    """Where a Rollout is, and why."""

    name: str
    message: str = ""


class Weights(NamedTuple):
    """The canary's share: what was asked for and what there is. The unit is the highest weight, 100 unless set."""

    wanted: int
    actual: int


class Image(NamedTuple):
    """An image that runs, and for whom."""

    name: str
    roles: tuple[str, ...]


def phase(rollout: Object) -> Phase:
    """The phase of what the controller has seen; Progressing while it has not seen the newest."""
    meta, status = rollout["metadata"], rollout.get("status") or {}
    if str(status.get("observedGeneration") or "") != str(meta.get("generation") or ""):
        return Phase("Progressing", "waiting for rollout spec update to be observed")
    workload = annotation(rollout, WORKLOAD_GENERATION)
    if workload and str(status.get("workloadObservedGeneration") or "") != workload:
        return Phase("Progressing", "waiting for rollout spec update to be observed for the reference workload")
    if status.get("controllerPause") and not status.get("pauseConditions"):
        return Phase("Progressing", "waiting for rollout to unpause")
    return Phase(str(status.get("phase") or "Progressing"), str(status.get("message") or ""))


def strategy(rollout: Object) -> str:
    """Canary, BlueGreen, or unknown."""
    chosen = part(rollout, "spec", "strategy")
    return "BlueGreen" if "blueGreen" in chosen else "Canary" if "canary" in chosen else "unknown"


def duration_s(experiment: Object) -> float | None:
    """How long an Experiment runs once its pods are available; None: until somebody or something ends it."""
    try:
        return parse_duration(str((experiment.get("spec") or {}).get("duration") or ""))
    except ValueError:
        return None


def steps(rollout: Object) -> list[dict[str, Any]]:
    """The canary's steps."""
    found = part(rollout, "spec", "strategy", "canary", "steps")
    return found if isinstance(found, list) else []


def step(rollout: Object) -> str:
    """The step that a canary is at, `1/8`; empty without steps."""
    count = len(steps(rollout))
    return f"{number(rollout, 'status', 'currentStepIndex')}/{count}" if count else ""


def highest(rollout: Object) -> int:
    """The weight of all traffic."""
    return number(rollout, "spec", "strategy", "canary", "trafficRouting", "maxTrafficWeight") or 100


def wanted_weight(rollout: Object) -> int:
    """The weight that the steps ask for by now."""
    status = rollout.get("status") or {}
    if status.get("promoteFull") or not status.get("stableRS") or status["stableRS"] == status.get("currentPodHash"):
        return highest(rollout)
    if status.get("abort"):
        return 0
    at = number(rollout, "status", "currentStepIndex")
    given = steps(rollout)
    if at >= len(given):
        return highest(rollout)
    return next((one["setWeight"] for one in reversed(given[: at + 1]) if one.get("setWeight") is not None), 0)


def weights(rollout: Object, canary_available: int) -> Weights:
    """What the canary should get and gets."""
    wanted = wanted_weight(rollout)
    available = number(rollout, "status", "availableReplicas")
    if number(rollout, "status", "currentStepIndex") >= len(steps(rollout)):
        return Weights(wanted, highest(rollout))
    if not available:
        return Weights(wanted, 0)
    if not part(rollout, "spec", "strategy", "canary", "trafficRouting"):
        return Weights(wanted, canary_available * highest(rollout) // available)
    routed = part(rollout, "status", "canary", "weights", "canary")
    return Weights(wanted, int(routed.get("weight", wanted)))


def roles(rollout: Object, replica_set: Object) -> tuple[str, ...]:
    """What a ReplicaSet is for its Rollout: canary, stable, active, preview, ping, pong."""
    status, mine = rollout.get("status") or {}, hash_of(replica_set)
    if not mine:
        return ()
    stable = status.get("stableRS") == mine
    found = ["stable"] if stable else []
    if strategy(rollout) == "BlueGreen":
        active = part(status, "blueGreen").get("activeSelector") == mine
        found += ["active"] if active else []
        found += ["preview"] if not active and part(status, "blueGreen").get("previewSelector") == mine else []
        return tuple(found)
    if not stable and status.get("currentPodHash") == mine:
        found.append("canary")
    side = part(status, "canary").get("stablePingPong")
    if side and found:
        found.append(side if stable else {"ping": "pong", "pong": "ping"}.get(side, ""))
    return tuple(found)


def images(rollout: Object, found: Sequence[Revision]) -> list[Image]:
    """The images that run, with the roles of the ReplicaSets that run them."""
    told: dict[str, dict[str, None]] = {}

    def add(member: Member, names: Sequence[str]) -> None:
        if number(member.object, "status", "replicas") == 0:
            return
        for image in images_of(member.object):
            told.setdefault(image, {}).update(dict.fromkeys(names))

    for revision in reversed(found):  # the oldest first
        for member in revision.sets:
            add(member, roles(rollout, member.object))
        for experiment in revision.experiments:
            for member in experiment.sets:
                add(member, [f"Σ:{experiment.object['metadata']['name']}"])
    return [Image(name, tuple(roles_of)) for name, roles_of in told.items()]


def images_of(thing: Object) -> list[str]:
    """The images of a pod template's containers, each once."""
    spec = part(thing, "spec", "template", "spec")
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return list(dict.fromkeys(str(one.get("image") or "") for one in containers))
