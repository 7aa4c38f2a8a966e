"""Upstream's cases of analyses, with runs and Jobs that are carried out."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout import wire
from runtime.objects import Object
from tests.analysis.world import Script
from tests.rollouts.jobs import NEVER, fate, phases, runs, sleep_job, sleeper, sleeping, stick, template
from tests.rollouts.world import RolloutWorld, rollout, rollout_world, service

pytestmark = pytest.mark.virtual_time

PAUSE: Object = {"pause": {}}
WEIGHT: Object = {"setWeight": 10}


def world() -> Any:
    return rollout_world(fate, script=Script())


async def begin(here: RolloutWorld, wanted: Object, *things: Object) -> None:
    await here.apply(sleep_job(), *map(service, "ap"), *things, wanted)
    await here.until_phase("Healthy")
    await here.settle(3)
    assert runs(here) == {}
    await here.image("v2")


def canary(*steps: Object, **more: Any) -> Object:
    return rollout(canary={"steps": list(steps), **more})


def by(name: str) -> Object:
    return {"templates": [{"templateName": name}]}


async def test_CanaryBackgroundAnalysis() -> None:
    async with world() as here:
        await begin(here, canary(WEIGHT, PAUSE, analysis=by("t")), template("t", sleeper(interval="5s")))
        await here.until_phase("Paused")
        await here.settle(20)
        assert phases(here, "Background") == ["Running"]
        await here.promote()
        await here.until_phase("Healthy")
        await here.until(lambda: phases(here, "Background") == ["Successful"])


async def test_CanaryInlineAnalysis() -> None:
    step = {"analysis": sleeping()}
    async with world() as here:
        await begin(here, canary(WEIGHT, step, PAUSE, step, step))
        await here.until_phase("Paused")
        assert phases(here, "Step") == ["Successful"]
        await here.promote()
        await here.until_phase("Healthy")
        assert phases(here, "Step") == ["Successful"] * 3


async def test_CanaryInlineMultipleAnalysis() -> None:
    metrics = [sleeper("a"), sleeper("b", initialDelay="20s")]
    async with world() as here:
        await begin(here, canary(WEIGHT, PAUSE, {"analysis": by("t")}), template("t", *metrics))
        await here.until_phase("Paused")
        await here.promote()
        await here.settle(5)
        assert phases(here, "Step") == ["Running"]
        await here.until_phase("Healthy")
        assert phases(here, "Step") == ["Successful"]


async def test_CanaryFailInlineMultipleAnalysis() -> None:
    metrics = [
        sleeper("good", interval="5s", count=3), sleeper("bad", code=1, interval="5s", count=3, failureLimit=1),
        sleeper("late", initialDelay="10000s"),
    ]  # fmt: skip
    async with world() as here:
        await begin(here, canary(WEIGHT, PAUSE, {"analysis": by("t")}), template("t", *metrics))
        await here.until_phase("Paused")
        await here.promote()
        await here.settle(2)
        assert here.phase() == "Progressing"
        await here.until_phase("Degraded", limit_s=60)
        assert phases(here, "Step") == ["Failed"]


@pytest.mark.parametrize("background", [False, True])
async def test_LongRunningJobWithDeadline(background: bool) -> None:
    """The Job's own deadline fails it, the run, and the update."""
    wanted = canary(WEIGHT, PAUSE, analysis=by("t")) if background else canary(WEIGHT, {"analysis": by("t")}, PAUSE)
    async with world() as here:
        await begin(here, wanted, template("t", sleeper(lasts=NEVER, spec={"activeDeadlineSeconds": 5})))
        await here.until_phase("Degraded", limit_s=60)
        assert list(runs(here).values()) == ["Failed"]
        [run] = here.stored("argoproj.io", "analysisruns")
        assert run["status"]["metricResults"][0]["measurements"][-1]["phase"] == "Failed"


async def test_CanaryBackgroundAnalysisLongRunningJob() -> None:
    async with world() as here:
        await begin(here, canary(WEIGHT, PAUSE, analysis=by("t")), template("t", sleeper(lasts=NEVER)))
        await here.until_phase("Paused")
        await here.settle(5)
        assert phases(here, "Background") == ["Running"]
        await here.promote()
        await here.until_phase("Healthy")
        await here.until(lambda: phases(here, "Background") == ["Inconclusive"])
        await here.settle(5)
        assert here.phase() == "Healthy"


@pytest.mark.parametrize("background", [False, True])
async def test_InvalidImageJob(background: bool) -> None:
    step = {"analysis": by("t")}
    wanted = canary(WEIGHT, {"analysis": sleeping(600)}, analysis=by("t")) if background else canary(WEIGHT, step)
    async with world() as here:
        await begin(here, wanted, template("t", sleeper(lasts=NEVER)))
        await here.settle(10)
        await stick(here, NEVER)
        await here.until_phase("Paused", limit_s=60)
        assert here.status()["message"] == "InconclusiveAnalysisRun"
        assert phases(here, "Background" if background else "Step") == ["Inconclusive"]
        if background:
            assert phases(here, "Step") == ["Running"]


def blue_green(replicas: int = 1, **more: Any) -> Object:
    return rollout(replicas=replicas, blueGreen={"activeService": "a", "previewService": "p", **more})


def pointing(here: RolloutWorld) -> tuple[str, str]:
    return here.selected("a"), here.selected("p")


async def test_BlueGreenAnalysis() -> None:
    both = {"prePromotionAnalysis": sleeping(5), "postPromotionAnalysis": sleeping(5)}
    async with world() as here:
        await begin(here, blue_green(autoPromotionEnabled=False, **both))
        await here.until_phase("Paused")
        assert len(runs(here)) == 1
        assert pointing(here) == (here.hash(1), here.hash(2))
        await here.promote()
        await here.until(lambda: here.selected("a") == here.hash(2))
        await here.settle(2)
        assert (len(runs(here)), here.phase(), here.counts()) == (2, "Progressing", (1, 2, 1, 1, 1))
        await here.until_phase("Healthy")
        assert pointing(here) == (here.hash(2), here.hash(2))
        await here.image("v1")
        await here.until_phase("Healthy", limit_s=4)
        await here.settle(2)
        assert len(runs(here)) == 2
        assert pointing(here) == (here.hash(3), here.hash(3))
        assert here.status()["stableRS"] == here.hash(3)


async def test_BlueGreenPrePromotionFail() -> None:
    failing = {"prePromotionAnalysis": sleeping(5, 1), "previewReplicaCount": 1, "abortScaleDownDelaySeconds": 0}
    async with world() as here:
        await begin(here, blue_green(2, **failing))
        await here.until_phase("Degraded")
        assert (list(runs(here).values()), here.status()["stableRS"]) == (["Failed"], here.hash(1))
        assert pointing(here) == (here.hash(1), here.hash(2))
        await here.patch({"spec": {"strategy": {"blueGreen": {"prePromotionAnalysis": sleeping(5)}}}})
        await here.retry()
        await here.until_phase("Healthy")
        assert (len(runs(here)), here.status()["stableRS"]) == (2, here.hash(2))
        assert pointing(here) == (here.hash(2), here.hash(2))


async def test_BlueGreenPostPromotionFail() -> None:
    async with world() as here:
        await begin(here, blue_green(autoPromotionEnabled=False, postPromotionAnalysis=sleeping(5, 1)))
        await here.until_phase("Paused")
        assert pointing(here) == (here.hash(1), here.hash(2))
        await here.promote()
        await here.settle(2)
        assert (pointing(here), here.status()["stableRS"]) == ((here.hash(2), here.hash(2)), here.hash(1))
        await here.until_phase("Degraded")
        assert (pointing(here), here.status()["stableRS"]) == ((here.hash(1), here.hash(2)), here.hash(1))
        assert list(runs(here).values()) == ["Failed"]


async def test_BlueGreenAbortAndUpdate() -> None:
    def is_leaving(revision: int) -> bool:
        return wire.SCALE_DOWN_DEADLINE in here.sets()[revision]["metadata"]["annotations"]

    async with world() as here:
        await begin(here, blue_green(postPromotionAnalysis=sleeping(1, 1)))
        await here.until_phase("Degraded")
        assert (len(runs(here)), pointing(here)) == (1, (here.hash(1), here.hash(2)))
        strategy = {"blueGreen": {"autoPromotionEnabled": False, "postPromotionAnalysis": sleeping()}}
        await here.patch({"spec": {"strategy": strategy}})
        await here.image("v3")
        await here.until_phase("Paused")
        await here.settle(2)
        assert (len(here.pods_of(1)), len(here.pods_of(3)), is_leaving(2)) == (1, 1, True)
        assert pointing(here) == (here.hash(1), here.hash(3))
        await here.promote()
        await here.until_phase("Healthy")
        await here.settle(2)
        assert (len(here.pods_of(1)), len(here.pods_of(3)), is_leaving(1), is_leaving(2)) == (1, 1, True, True)
        assert (len(runs(here)), pointing(here)) == (2, (here.hash(3), here.hash(3)))


async def test_BlueGreenKitchenSink() -> None:
    both = {"prePromotionAnalysis": sleeping(10), "postPromotionAnalysis": sleeping(10, 1)}
    times = {"autoPromotionSeconds": 10, "scaleDownDelaySeconds": 5, "previewReplicaCount": 1}
    async with world() as here:
        await begin(here, blue_green(2, **both, **times))
        await here.until_phase("Paused")
        for _ in range(2):
            assert pointing(here) == (here.hash(1), here.hash(2))
            assert (here.sizes(), here.counts(), len(runs(here))) == ({1: 2, 2: 1}, (2, 3, 1, 2, 2), 1)
            await here.settle(5)
        await here.until(lambda: here.selected("a") == here.hash(2), limit_s=20)
        await here.settle(1)
        assert (here.sizes(), here.counts(), len(runs(here))) == ({1: 2, 2: 2}, (2, 4, 2, 2, 2), 2)
        await here.until_phase("Degraded")
        assert (pointing(here), here.status()["stableRS"]) == ((here.hash(1), here.hash(2)), here.hash(1))
        assert (here.sizes(), here.counts()) == ({1: 2, 2: 2}, (2, 4, 2, 2, 2))


async def test_BlueGreenPromoteFull() -> None:
    both = {"prePromotionAnalysis": sleeping(NEVER), "postPromotionAnalysis": sleeping(NEVER)}
    async with world() as here:
        await begin(here, blue_green(autoPromotionEnabled=False, **both))
        await here.until(lambda: list(runs(here).values()) == ["Running"])
        await here.promote_full()
        await here.until_phase("Healthy", limit_s=60)
        await here.settle(5)
        assert len(runs(here)) == 1


async def test_CanaryPromoteFull() -> None:
    """Promote skips one thing each: a pause, an analysis; a full promotion after an abort skips whatever is left."""
    steps = [{"pause": {"duration": "24h"}}, {"analysis": sleeping(86400)}, PAUSE, {"analysis": sleeping()}]
    async with world() as here:
        await begin(here, canary(*steps, analysis={**sleeping(), "startingStep": 4}))
        await here.until_phase("Paused")
        await here.promote()
        await here.settle(3)
        assert (phases(here, "Step"), here.phase()) == (["Running"], "Progressing")
        assert here.status()["currentStepIndex"] == 1
        await here.promote()
        await here.until_phase("Paused")
        await here.abort()
        await here.settle(1)
        await here.promote_full()
        await here.until_phase("Healthy")
        await here.settle(3)
        assert len(runs(here)) == 1


@pytest.mark.parametrize(("versions", "made"), [(4, 3), (5, 5)])
async def test_RollbackAnalysisWindow(versions: int, made: int) -> None:
    """Going back to the second revision: within a window of one no analysis is made, beyond it one is."""
    wanted = canary(WEIGHT, {"analysis": sleeping()})
    wanted["spec"]["rollbackWindow"] = {"revisions": 2}
    async with world() as here:
        await begin(here, wanted)
        for version in range(2, versions + 1):
            await here.image(f"v{version}")
            await here.until(lambda version=version: version in here.sets() and here.phase() == "Healthy")
            await here.settle(2)
            assert len(runs(here)) == version - 1
        await here.image("v2")
        await here.settle(3)
        await here.until_phase("Healthy")
        assert len(runs(here)) == made


@pytest.mark.spec("RO-2.21-timelines", "RO-7-12")
async def test_the_worked_timeline_of_blue_green() -> None:
    """Preview at once, its pods, the analysis, the pause, the growth, the switch, stable, and the old version's end."""
    wanted = blue_green(2, previewReplicaCount=1, autoPromotionEnabled=False, prePromotionAnalysis=sleeping(5))
    async with world() as here:
        await here.apply(sleep_job(), *map(service, "ap"), wanted)
        await here.until_phase("Healthy")
        await here.settle(3)
        revision = lambda value: next(each for each in here.sets() if here.hash(each) == value)  # noqa: E731

        def state() -> tuple[Any, ...]:
            status = here.status()
            reasons = [each["reason"] for each in status.get("pauseConditions") or ()]
            measured = [phase == "Successful" for phase in runs(here).values()]
            return (
                revision(here.selected("p")), here.sizes().get(2), measured, reasons,
                revision(here.selected("a")), revision(status["stableRS"]), here.sizes()[1],
            )  # fmt: skip

        seen = here.watch(state)
        await here.image("v2")
        await here.until_phase("Paused")
        assert here.counts() == (2, 3, 1, 2, 2)
        await here.promote()
        await here.until(lambda: here.sizes() == {1: 0, 2: 2})
        pause = ["BlueGreenPause"]
        assert seen[1:] == [
            (1, 0, [], [], 1, 1, 2), (2, 0, [], [], 1, 1, 2), (2, 1, [], [], 1, 1, 2),
            (2, 1, [False], [], 1, 1, 2), (2, 1, [True], [], 1, 1, 2), (2, 1, [True], pause, 1, 1, 2),
            (2, 1, [True], [], 1, 1, 2), (2, 2, [True], [], 1, 1, 2), (2, 2, [True], [], 2, 1, 2),
            (2, 2, [True], [], 2, 2, 2), (2, 2, [True], [], 2, 2, 0),
        ]  # fmt: skip
