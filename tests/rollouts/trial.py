"""One random Rollout under random actions and faults, with its promises looked at after every commit.

Everything follows from the seed: the strategy, its numbers, what the user does, how quick pods are, which answers are
lost and when the controllers die. The promises:

- basic canary and blue-green: the sizes never exceed what the surge allows, and as many pods as may not be missing
  are ready, from the first time all were, as long as every pod becomes ready in the end;
- routed: whatever the router's object says, the stable Service has ready pods for its share, and the canary's has any
  when it gets traffic;
- an abort, at whatever commit of an update, ends with stable serving everything, and an update that is promoted ends
  with the new version alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio

from actors.rollout.model import Ro
from runtime.api import ApiError
from runtime.objects import Object, owner_uid
from tests.controllers.world import Fate
from tests.rollouts.world import RolloutWorld, ingress, rollout, rollout_world, service

ACTIONS = ("image", "image", "promote", "promote", "abort", "retry", "full", "wait", "wait", "back", "pause", "steps")


@dataclass
class Trial:
    """What a seed decides, and what went wrong."""

    seed: int
    kind: str
    thing: Object
    actions: list[str]
    wrong: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)  # how often the promises were put to the test

    def judge(self, good: bool, text: str) -> None:
        """Note a broken promise."""
        if not good and text not in self.wrong:
            self.wrong.append(text)


def steps(dice: Random) -> list[Object]:
    """Some steps."""
    found: list[Object] = []
    for _ in range(dice.randint(0, 4)):
        found.append({"setWeight": dice.choice([0, 5, 20, 33, 50, 75, 90, 100])})
        if dice.random() < 0.7:
            found.append({"pause": dice.choice([{}, {"duration": 5}, {"duration": "1m"}])})
    return found


def case(seed: int) -> Trial:
    """The trial of a seed."""
    dice = Random(seed)
    kind = dice.choice(["basic", "basic", "blueGreen", "routed", "dynamic"])
    replicas = dice.choice([1, 2, 3, 4, 5, 10])
    if kind == "blueGreen":
        strategy: Object = {"activeService": "a", "previewService": "p", "scaleDownDelaySeconds": dice.choice([1, 30])}
        strategy |= dice.choice([{}, {"autoPromotionEnabled": False}, {"autoPromotionSeconds": 20}])
        if dice.random() < 0.3:
            strategy["previewReplicaCount"] = 1
        thing = rollout(replicas=replicas, blueGreen=strategy)
    else:
        strategy = {"steps": steps(dice)}
        strategy |= dice.choice([{}, {"maxSurge": 1, "maxUnavailable": 0}, {"maxSurge": 0, "maxUnavailable": 1},
                                 {"maxSurge": "50%", "maxUnavailable": "50%"}])  # fmt: skip
        if kind != "basic":
            strategy |= {"canaryService": "c", "stableService": "s",
                         "trafficRouting": {"nginx": {"stableIngress": "i"}}}  # fmt: skip
            strategy["dynamicStableScale"] = kind == "dynamic"
            if dice.random() < 0.3:
                strategy["abortScaleDownDelaySeconds"] = 5
            if Random(seed + 9).random() < 0.3:
                strategy["minPodsPerReplicaSet"] = 2
        thing = rollout(replicas=replicas, canary=strategy)
    return Trial(seed, kind, thing, [dice.choice(ACTIONS) for _ in range(dice.randint(2, 7))])


async def trial(seed: int, *, bad: float = 0.05, deaths_every_s: float | None = 40.0) -> Trial:
    """Live through a seed."""
    found = case(seed)
    dice = Random(seed + 7)
    fates = Random(seed + 8)
    world = rollout_world(
        lambda pod: Fate(ready_s=fates.choice([0.5, 1, 3, 10])), seed=seed, bad=bad, deaths_every_s=deaths_every_s
    )
    async with world as here:
        await here.apply(*(service(name) for name in "apcs"), ingress("i", "s"), found.thing)
        try:
            await here.until_phase("Healthy", limit_s=600)
            _look(here, found)
            for action in found.actions:
                await _act(here, found, action, dice)
                await anyio.sleep(dice.choice([0.2, 2, 10, 40]))
            await _end(here, found, dice)
        except (AssertionError, TimeoutError) as error:
            found.wrong.append(f"{type(error).__name__}: {str(error)[:1500]}")
        if here.system is not None:
            found.judge(here.system.statistics().lives.crashes == 0, "an actor crashed")
        found.tally[found.kind] += 1
        found.tally["deaths"] += here.deaths
    return found


def _look(here: RolloutWorld, found: Trial) -> None:
    """Judge after every commit from now on."""
    ro = Ro(here.rollout())
    uid = ro.uid

    def sets() -> list[Object]:
        return [one for one in here.stored("apps", "replicasets") if owner_uid(one) == uid]

    def look() -> None:
        every = sets()
        if found.kind == "basic":
            total = sum(one["spec"]["replicas"] for one in every)
            most = ro.replicas + ro.fence.surge
            found.judge(total <= most, f"{total} pods are wished, at most {most} may be")
        if found.kind in ("basic", "blueGreen"):
            least = ro.replicas - ro.unavailable if found.kind == "basic" else ro.replicas
            ready = len(here.ready()) if found.kind == "basic" else _serving(here)
            found.judge(ready >= least, f"{ready} pods are ready, at least {least} must be")
            found.tally["looked"] += 1
        if found.kind == "blueGreen":
            largest = max((one["spec"]["replicas"] for one in every), default=0)
            found.judge(largest <= ro.replicas, f"a version is told to have {largest} pods of {ro.replicas}")
        if found.kind in ("routed", "dynamic"):
            _judge_shares(here, found, ro.replicas)

    here.after_commit(look)


def routed_weight(here: RolloutWorld) -> int:
    """What the router's object sends to the canary's Service."""
    key = ("default", "r-i-canary")
    record = here.server.storage.bucket("networking.k8s.io", "ingresses").records.get(key)
    notes = record.object["metadata"]["annotations"] if record is not None else {}
    return int(notes.get("nginx.ingress.kubernetes.io/canary-weight", 0))


def _judge_shares(here: RolloutWorld, found: Trial, replicas: int) -> None:
    weight = routed_weight(here)
    for name, share in (("s", 100 - weight), ("c", weight)):
        least = max(share * replicas // 100, min(share, 1))
        ready = _serving(here, name)
        found.judge(ready >= least, f"{ready} pods of Service {name} are ready, {share} % of {replicas} need {least}")
    found.tally["weighed"] += 0 < weight < 100


def _serving(here: RolloutWorld, name: str = "a") -> int:
    """Ready pods of the version that a Service selects."""
    value = here.selected(name)
    return sum(1 for pod in here.ready() if pod["metadata"]["labels"].get("rollouts-pod-template-hash") == value)


async def _act(here: RolloutWorld, found: Trial, action: str, dice: Random) -> None:
    """Do what a user does; what the API refuses just then is not done."""
    try:
        match action:
            case "image":
                await here.image(f"v{dice.randint(2, 9)}")
            case "back":
                await here.image("v1")
            case "promote":
                await here.promote()
            case "abort":
                await here.abort()
            case "retry":
                await here.retry()
            case "full":
                await here.promote_full()
            case "pause":
                await here.patch({"spec": {"paused": True}})
                await anyio.sleep(dice.choice([1, 20]))
                await here.patch({"spec": {"paused": False}})
            case "steps" if found.kind == "basic":
                await here.patch({"spec": {"strategy": {"canary": {"steps": steps(dice)}}}})
    except ApiError:
        return


async def _end(here: RolloutWorld, found: Trial, dice: Random) -> None:
    """Bring it to one of the two ends, and look whether it is one."""
    if dice.random() < 0.4:
        await here.image("last")
        await commits(here, dice.randint(1, 60), 30)
        status = here.status()
        if status.get("stableRS") != status.get("currentPodHash"):
            await here.abort()
            await anyio.sleep(400)
            status = here.status()
            if status.get("abort"):
                found.tally["aborted"] += 1
                _judge_abort(here, found, status)
                return
    for _ in range(60):
        status = here.status()
        if here.phase() == "Healthy" and status.get("stableRS") == status.get("currentPodHash"):
            break
        if status.get("abort"):
            await here.retry()
        elif here.phase() == "Paused":
            await here.promote()
        await anyio.sleep(20)
    await anyio.sleep(120)
    found.tally["promoted"] += 1
    _judge_end(here, found)


async def commits(here: RolloutWorld, number: int, limit_s: float) -> None:
    """Wait for so many commits, or until so much time has passed without them."""
    reached, seen = anyio.Event(), 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            reached.set()

    here.after_commit(count)
    with anyio.move_on_after(limit_s):
        await reached.wait()


def _by_hash(here: RolloutWorld) -> dict[str, int]:
    return {
        one["metadata"]["labels"]["rollouts-pod-template-hash"]: one["spec"]["replicas"] for one in here.sets().values()
    }


def _judge_abort(here: RolloutWorld, found: Trial, status: Object) -> None:
    sizes, stable = _by_hash(here), status["stableRS"]
    found.judge(sizes.get(stable) == here.rollout()["spec"]["replicas"], f"after an abort stable has {sizes}")
    others = {value: number for value, number in sizes.items() if value != stable and number}
    found.judge(not others, f"after an abort others are left: {others} of {sizes}, stable {stable}")
    _judge_services(here, found, stable, aborted=True)


def _judge_end(here: RolloutWorld, found: Trial) -> None:
    status, sizes = here.status(), _by_hash(here)
    current: Any = status.get("currentPodHash")
    found.judge(here.phase() == "Healthy", f"not healthy in the end: {here.describe()[:1500]}")
    found.judge(status.get("stableRS") == current, "what is current is not stable in the end")
    wished = here.rollout()["spec"]["replicas"]
    found.judge(
        {value: number for value, number in sizes.items() if number} == {current: wished}, f"in the end {sizes}"
    )
    _judge_services(here, found, current, aborted=False)


def _judge_services(here: RolloutWorld, found: Trial, value: str, *, aborted: bool) -> None:
    names = {"blueGreen": ["a"] if aborted else ["a", "p"], "routed": ["c", "s"], "dynamic": ["c", "s"]}
    for name in names.get(found.kind, []):
        found.judge(here.selected(name) == value, f"service {name} selects {here.selected(name)}, not {value}")
    if found.kind in ("routed", "dynamic"):
        found.judge(here.weights() == (0, 100), f"weights {here.weights()} in the end")
