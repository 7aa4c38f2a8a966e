"""The simulated node under virtual time: phases after delays, exit codes and words as annotated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.api import Refused
from runtime.objects import NODES, PODS, Reference
from tests.node.cluster import Cluster, cluster, hindered, over, pod, restarts, running, state
from tiphys.devcluster.node import Node, NodeSettings

pytestmark = pytest.mark.virtual_time

PREFIX = "simulated.tiphys.dev/"


def clock() -> float:
    return 1_700_000_000.0 + anyio.current_time()


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path / "node", "simulated", clock=clock) as made:
        yield made


def simulation(name: str, spec: dict[str, Any] | None = None, **annotations: str) -> dict[str, Any]:
    """A pod with simulation annotations; `_` stands for `-`."""
    told = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    return pod(name, spec=spec, meta={"annotations": told})


async def test_a_pod_succeeds_after_its_delay(simulated: Cluster) -> None:
    began = anyio.current_time()
    ended = await simulated.run(simulation("a", delay="90"))
    assert ended["status"]["phase"] == "Succeeded"
    assert 90 <= anyio.current_time() - began < 91


async def test_exit_code_message_and_log_are_as_annotated(simulated: Cluster) -> None:
    ended = await simulated.run(simulation("a", exit_code="3", message="words", log="hello"))
    terminated = state(ended)["terminated"]
    assert (ended["status"]["phase"], terminated["exitCode"], terminated["message"]) == ("Failed", 3, "words")
    assert await simulated.log("a") == "hello\n"


async def test_each_attempt_may_have_its_own_exit_code(simulated: Cluster) -> None:
    ended = await simulated.run(simulation("a", {"restartPolicy": "OnFailure"}, exit_code="1,1,0", log="x"))
    assert ended["status"]["phase"] == "Succeeded"
    assert restarts(ended) == 2
    assert state(ended, field="lastState")["terminated"]["exitCode"] == 1
    assert await simulated.log("a", previous=True) == "x\n"


async def test_the_back_off_of_a_crashing_container_is_the_kubelets(simulated: Cluster) -> None:
    began = anyio.current_time()
    await simulated.create(simulation("a", {"restartPolicy": "Always"}, delay="1", exit_code="1"))
    looping = await simulated.until("a", lambda p: restarts(p) == 3)
    assert looping["status"]["phase"] == "Running"
    assert 33 <= anyio.current_time() - began <= 35  # 1 + 0 + 1 + 10 + 1 + 20


async def test_a_container_that_never_starts_shows_its_reason_until_it_is_deleted(simulated: Cluster) -> None:
    await simulated.create(simulation("a", never_start="ImagePullBackOff"))
    stuck = await simulated.until("a", hindered)
    assert (stuck["status"]["phase"], state(stuck)["waiting"]["reason"]) == ("Pending", "ImagePullBackOff")
    await simulated.delete("a")
    await simulated.gone("a")


async def test_pods_that_are_always_restarted_run_for_ever_and_are_ready(simulated: Cluster) -> None:
    await simulated.create(simulation("a", {"restartPolicy": "Always"}))
    await simulated.until("a", running)
    await anyio.sleep(86400)
    assert running(await simulated.api.get(Reference(PODS, "default", "a")))


async def test_a_deadline_ends_the_pod_with_the_kubelets_words(simulated: Cluster) -> None:
    began = anyio.current_time()
    ended = await simulated.run(simulation("a", {"activeDeadlineSeconds": 60}, delay="forever"))
    assert ended["status"]["reason"] == "DeadlineExceeded"
    assert state(ended)["terminated"]["exitCode"] == 143
    assert 60 <= anyio.current_time() - began < 62


async def test_a_deadline_patched_into_a_running_pod_stops_it(simulated: Cluster) -> None:
    await simulated.create(simulation("a", delay="forever"))
    await simulated.until("a", running)
    await anyio.sleep(1000)
    await simulated.api.patch(Reference(PODS, "default", "a"), {"spec": {"activeDeadlineSeconds": 1}})
    ended = await simulated.until("a", over)
    assert ended["status"]["phase"] == "Failed"
    assert ended["status"]["message"] == "Pod was active on the node longer than the specified deadline"


async def test_a_finished_pod_is_released_when_it_is_deleted(simulated: Cluster) -> None:
    await simulated.run(simulation("a"))
    await simulated.delete("a")
    await simulated.gone("a")


async def test_a_pod_held_by_a_finalizer_gets_its_end_told_and_stays(simulated: Cluster) -> None:
    held = simulation("a", delay="forever")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await simulated.create(held)
    await simulated.until("a", running)
    await simulated.delete("a")
    ended = await simulated.until("a", over)
    assert (ended["status"]["phase"], state(ended)["terminated"]["exitCode"]) == ("Failed", 143)
    await simulated.api.patch(Reference(PODS, "default", "a"), {"metadata": {"finalizers": None}})
    await simulated.gone("a")


async def test_init_containers_run_before_and_sidecars_beside(simulated: Cluster) -> None:
    inits = [{"name": "side", "image": "i", "restartPolicy": "Always"}, {"name": "first", "image": "i"}]
    told = simulation("a", {"initContainers": inits}, delay="5")
    told["metadata"]["annotations"][PREFIX + "delay.first"] = "3"
    began = anyio.current_time()
    await simulated.create(told)
    ended = await simulated.until("a", over)
    assert 8 <= anyio.current_time() - began < 9
    assert ended["status"]["phase"] == "Succeeded"
    assert state(ended, "side")["terminated"]["exitCode"] == 143


async def test_a_failed_init_container_fails_the_pod_and_main_never_starts(simulated: Cluster) -> None:
    told = simulation("a", {"initContainers": [{"name": "first", "image": "i"}]})
    told["metadata"]["annotations"][PREFIX + "exit-code.first"] = "2"
    ended = await simulated.run(told)
    assert ended["status"]["phase"] == "Failed"
    assert state(ended) == {"waiting": {"reason": "PodInitializing"}}


async def test_a_senseless_annotation_is_told_and_nothing_runs(simulated: Cluster) -> None:
    await simulated.create(simulation("a", delay="soon"))
    stuck = await simulated.until("a", hindered)
    assert "must be seconds" in state(stuck)["waiting"]["message"]


async def test_logs_that_are_not_there_are_refused_as_the_kubelet_does(simulated: Cluster) -> None:
    await simulated.create(simulation("a", never_start="true"))
    await simulated.until("a", lambda p: "containerStatuses" in p["status"])
    with pytest.raises(Refused, match='container "main" in pod "a" is waiting to start: ContainerCreating'):
        await simulated.log("a")
    await simulated.run(simulation("b"))
    with pytest.raises(Refused, match='previous terminated container "main" in pod "b" not found'):
        await simulated.log("b", previous=True)


async def test_the_node_says_what_it_is(simulated: Cluster) -> None:
    node = await simulated.api.get(Reference(NODES, "", "tiphys"))
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "tiphys"
    assert {"type": "Ready", "status": "True"}.items() <= node["status"]["conditions"][-1].items()
    assert set(node["status"]["allocatable"]) >= {"cpu", "memory", "pods"}


async def test_hundreds_of_pods_at_once_end_as_annotated(simulated: Cluster) -> None:
    for n in range(300):
        await simulated.create(simulation(f"p{n}", delay=str(n % 7), exit_code=str(n % 2)))
    await anyio.sleep(60)
    listed = await simulated.api.list(PODS)
    phases = {p["metadata"]["name"]: p["status"]["phase"] for p in listed.items}
    assert phases == {f"p{n}": "Failed" if n % 2 else "Succeeded" for n in range(300)}


async def test_a_pod_that_an_earlier_life_of_the_node_ran_is_lost(tmp_path: Path) -> None:
    async with cluster(tmp_path / "node", "simulated", clock=clock) as first:
        await first.create(simulation("a", delay="forever"))
        await first.until("a", running)
        api = first.api
        async with anyio.create_task_group() as tasks:
            await tasks.start(Node(api, NodeSettings(tmp_path / "again", mode="simulated")).run)
            lost = await first.until("a", over)
            tasks.cancel_scope.cancel()
    assert (lost["status"]["phase"], lost["status"]["reason"]) == ("Failed", "NodeLost")
    assert state(lost)["terminated"]["reason"] == "ContainerStatusUnknown"
