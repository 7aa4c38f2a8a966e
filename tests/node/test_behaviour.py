"""How simulated pods become ready, fail and restart, under virtual time: what tests of rollouts stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.objects import PODS, Object, Reference
from tests.node.cluster import Cluster, cluster, current, hindered, over, pod, restarts, running, state
from tests.node.test_simulated import PREFIX, clock, simulation
from tiphys.devcluster.node.behaviour import behaviour
from tiphys.devcluster.node.podspec import parse_pod
from tiphys.devcluster.node.simulated import SimulatedRuntime

pytestmark = pytest.mark.virtual_time

FOR_EVER = {"restartPolicy": "Always"}
IMAGES = {"shop:2*": {"ready-after": "never"}, "shop:*": {"ready-after": "4"}, "crash": {"fail-after": "3"}}


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path / "node", "simulated", clock=clock, simulated_images=IMAGES) as made:
        yield made


def ready(thing: Object) -> Object:
    found: Object = next((c for c in thing["status"].get("conditions", ()) if c["type"] == "Ready"), {})
    return found


async def now(made: Cluster, name: str) -> Object:
    return await made.api.get(Reference(PODS, "default", name))


async def test_a_pod_is_ready_after_the_time_it_is_given(simulated: Cluster) -> None:
    began = anyio.current_time()
    await simulated.create(simulation("a", FOR_EVER, start_after="3", ready_after="30"))
    pulling = await simulated.until("a", lambda p: bool(current(p)))
    assert current(pulling) == {"waiting": {"reason": "ContainerCreating"}}
    unready = await simulated.until("a", lambda p: "running" in current(p))
    assert 3 <= anyio.current_time() - began < 4
    assert ready(unready)["reason"] == "ContainersNotReady"
    await simulated.until("a", running)
    assert 33 <= anyio.current_time() - began < 34


async def test_a_pod_that_never_gets_ready_runs_on_without(simulated: Cluster) -> None:
    await simulated.create(simulation("a", FOR_EVER, ready_after="never"))
    await anyio.sleep(86400)
    there = await now(simulated, "a")
    assert (there["status"]["phase"], running(there), restarts(there)) == ("Running", False, 0)


async def test_a_ready_pod_may_cease_to_be(simulated: Cluster) -> None:
    await simulated.create(simulation("a", FOR_EVER, ready_after="5", unready_after="20"))
    was = await simulated.until("a", running)
    ceased = await simulated.until("a", lambda p: not running(p))
    times = [ready(p)["lastTransitionTime"][-3:-1] for p in (was, ceased)]
    assert int(times[1]) - int(times[0]) in (15, -45)


async def test_a_probe_decides_unless_readiness_was_annotated(simulated: Cluster) -> None:
    probe = {"exec": {"command": ["x"]}, "initialDelaySeconds": 7}
    began = anyio.current_time()
    await simulated.create(pod("a", spec=FOR_EVER, readinessProbe=probe))
    await simulated.until("a", running)
    assert 7 <= anyio.current_time() - began < 8
    other = simulation("b", FOR_EVER, ready_after="never")
    other["spec"]["containers"][0]["readinessProbe"] = probe
    await simulated.create(other)
    await anyio.sleep(1000)
    assert not running(await now(simulated, "b"))


async def test_a_pod_that_fails_is_restarted_and_ready_anew_each_time(simulated: Cluster) -> None:
    await simulated.create(simulation("a", FOR_EVER, fail_after="5,6,never", ready_after="2"))
    await simulated.until("a", running)
    await anyio.sleep(600)
    settled = await now(simulated, "a")
    assert (restarts(settled), running(settled)) == (2, True)
    assert state(settled, field="lastState")["terminated"]["exitCode"] == 1
    gone = await simulated.run(simulation("b", fail_after="5", exit_code="9"))
    assert (gone["status"]["phase"], state(gone)["terminated"]["exitCode"]) == ("Failed", 9)


async def test_the_image_decides_what_no_annotation_says(simulated: Cluster) -> None:
    began = anyio.current_time()
    for name, image in (("good", "shop:1"), ("bad", "shop:2.1"), ("crash", "crash"), ("other", "other")):
        await simulated.create(pod(name, image=image, spec=FOR_EVER))
    told = simulation("told", FOR_EVER, ready_after="1")
    told["spec"]["containers"][0]["image"] = "shop:2"
    await simulated.create(told)
    await simulated.until("other", running)
    await simulated.until("told", running)
    await simulated.until("good", running)
    assert 4 <= anyio.current_time() - began < 5
    await simulated.until("crash", lambda p: restarts(p) >= 2)
    assert not running(await now(simulated, "bad"))


async def test_a_pod_that_is_deleted_while_its_image_is_pulled_goes_at_once(simulated: Cluster) -> None:
    began = anyio.current_time()
    await simulated.create(simulation("a", FOR_EVER, start_after="3600"))
    await simulated.until("a", lambda p: bool(current(p)))
    await simulated.delete("a")
    await simulated.gone("a")
    assert anyio.current_time() - began < 1


async def test_readiness_gates_are_waited_for_and_what_others_write_stays(simulated: Cluster) -> None:
    gate = "example.com/serving"
    await simulated.create(simulation("a", {**FOR_EVER, "readinessGates": [{"conditionType": gate}]}, ready_after="2"))
    closed = await simulated.until("a", lambda p: ready(p).get("reason") == "ReadinessGatesNotReady")
    assert ready(closed)["message"] == f'corresponding condition of pod readiness gate "{gate}" does not exist.'
    assert any(c["type"] == "ContainersReady" and c["status"] == "True" for c in closed["status"]["conditions"])
    ref = Reference(PODS, "default", "a")

    async def say(status: str) -> None:
        condition = {"type": gate, "status": status}
        await simulated.api.patch(ref, {"status": {"conditions": [condition]}}, kind="strategic", subresource="status")

    await say("False")
    closed = await simulated.until("a", lambda p: "but False" in ready(p).get("message", ""))
    assert ready(closed)["message"] == f'the status of pod readiness gate "{gate}" is not "True", but False'
    await say("True")
    opened = await simulated.until("a", running)
    assert any(c["type"] == gate for c in opened["status"]["conditions"])


async def test_a_hundred_pods_get_ready_at_their_time(simulated: Cluster) -> None:
    for n in range(100):
        await simulated.create(simulation(f"p{n}", FOR_EVER, ready_after=str(n)))
    await anyio.sleep(50.5)
    listed = await simulated.api.list(PODS)
    assert {int(p["metadata"]["name"][1:]) for p in listed.items if running(p)} == set(range(51))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ready-after", "soon", 'must be seconds, such as "1.5", or "never"'),
        ("delay", "-1", 'must be seconds, such as "1.5", or "forever"'),
        ("exit-code", "bad", "must be a number"),
    ],
)
async def test_a_value_that_makes_no_sense_is_told(simulated: Cluster, name: str, value: str, said: str) -> None:
    await simulated.create(pod("a", meta={"annotations": {PREFIX + name: value}}))
    stuck = await simulated.until("a", hindered)
    assert said in state(stuck)["waiting"]["message"]
    assert not over(stuck)


def test_a_table_of_images_that_nobody_would_read_is_refused() -> None:
    with pytest.raises(ValueError, match="simulated image 'a': redy-after is not known; known are delay"):
        SimulatedRuntime(images={"a": {"redy-after": "1"}})


def test_without_a_word_main_containers_take_the_default_time() -> None:
    thing: dict[str, Any] = pod("a")
    main = parse_pod(thing).containers[0]
    assert behaviour(thing, main, 1, {}, 2.5).runs_s == 2.5
