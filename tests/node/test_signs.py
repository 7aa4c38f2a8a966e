"""How much is told: of simulated pods little, the same words once, and the node's own signs of life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.api import Selection
from runtime.objects import EVENTS, NODES, Object, Reference
from tests.node.cluster import Cluster, cluster, over, restarts
from tests.node.test_simulated import clock, simulation
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.node.events import NORMAL_KEPT_MAX, EventRecorder
from tiphys.devcluster.node.heartbeat import LEASES, NAMESPACE
from tiphys.devcluster.server import ApiServer

pytestmark = pytest.mark.virtual_time


async def told(made: Cluster, name: str) -> list[tuple[str, str, str]]:
    """Type, reason and message of the pod's events, in their order."""
    listed = await made.api.list(EVENTS, Selection("default"))
    found = [e for e in listed.items if e["involvedObject"]["name"] == name]
    found.sort(key=lambda e: int(e["metadata"]["resourceVersion"]))
    return [(e["type"], e["reason"], e["message"]) for e in found]


async def test_of_simulated_pods_only_what_goes_wrong_is_told(tmp_path: Path) -> None:
    async with cluster(tmp_path / "node", "simulated", clock=clock) as made:
        await made.run(simulation("good"))
        await made.create(simulation("bad", {"restartPolicy": "Always"}, fail_after="1"))
        await made.until("bad", lambda p: restarts(p) == 2)
        assert await told(made, "good") == []
        assert {(kind, reason) for kind, reason, _ in await told(made, "bad")} == {("Warning", "BackOff")}
    async with cluster(tmp_path / "node", "simulated", clock=clock, only_warnings=False) as made:
        await made.run(simulation("good"))
        assert [reason for _, reason, _ in await told(made, "good")] == ["Scheduled", "Pulled", "Created", "Started"]


async def test_what_is_said_again_is_counted_now_and_then() -> None:
    server = ApiServer(now=clock)
    server.start()
    api = InProcessApi(server)
    thing: Object = {"metadata": {"name": "a", "namespace": "default", "uid": "u"}}
    async with anyio.create_task_group() as tasks:
        recorder = EventRecorder(api, tasks, clock, "kubelet")
        for _ in range(5):
            recorder.warn(thing, "Unhealthy", "Readiness probe failed: no")
            await anyio.sleep(1)
        (event,) = (await api.list(EVENTS)).items
        assert event["count"] == 1
        await anyio.sleep(10)
        (event,) = (await api.list(EVENTS)).items
        assert event["count"] == 5
        assert event["lastTimestamp"] > event["firstTimestamp"]


async def test_only_so_many_events_about_what_goes_well_are_kept() -> None:
    server = ApiServer(now=clock)
    server.start()
    api = InProcessApi(server)
    async with anyio.create_task_group() as tasks:
        recorder = EventRecorder(api, tasks, clock, "kubelet")
        for number in range(NORMAL_KEPT_MAX + 10):
            thing: Object = {"metadata": {"name": f"p{number}", "namespace": "default", "uid": f"u{number}"}}
            recorder.say(thing, "Started", "Started container main")
            recorder.forget(f"u{number}")
    assert len((await api.list(EVENTS)).items) == NORMAL_KEPT_MAX


async def test_the_node_renews_its_lease_and_reports_its_conditions(tmp_path: Path) -> None:
    lease, node = Reference(LEASES, NAMESPACE, "tiphys"), Reference(NODES, "", "tiphys")
    async with cluster(tmp_path / "node", "simulated", clock=clock, heartbeat_s=10.0) as made:
        await anyio.sleep(1)
        first: Any = await made.api.get(lease)
        assert first["spec"] | {"renewTime": ""} == {
            "holderIdentity": "tiphys",
            "leaseDurationSeconds": 40,
            "renewTime": "",
        }
        assert first["metadata"]["ownerReferences"][0]["kind"] == "Node"
        began = (await made.api.get(node))["status"]["conditions"][-1]["lastHeartbeatTime"]
        await anyio.sleep(10)
        assert (await made.api.get(lease))["spec"]["renewTime"] > first["spec"]["renewTime"]
        await anyio.sleep(300)
        ready = (await made.api.get(node))["status"]["conditions"][-1]
        assert ready["lastHeartbeatTime"] > began
        assert ready["lastTransitionTime"] == began


async def test_a_simulated_node_gives_no_sign_of_life_unless_asked(tmp_path: Path) -> None:
    async with cluster(tmp_path / "node", "simulated", clock=clock) as made:
        await made.run(simulation("a", delay="200"))
        assert over(await made.until("a", over))
        assert (await made.api.list(LEASES, Selection(NAMESPACE))).items == []
