"""What the kubelet promises of a pod's life, where every machine can run it: order, hooks, probes, last words."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from runtime.api import Selection
from runtime.objects import EVENTS, Object
from tests.node.cluster import Cluster, cluster, current, pod, restarts, running, shell, state
from tiphys.devcluster.node.launch import termination_limit

SHARED: Object = {"volumes": [{"name": "tiphys-s", "emptyDir": {}}]}
MOUNTS = [{"name": "tiphys-s", "mountPath": "/tiphys"}]
FOR_EVER = {"restartPolicy": "Always"}


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path_factory.mktemp("kubelet") / "node", "plain") as built:
        yield built


def beside(name: str, script: str, **more: object) -> Object:
    """A container that sees the shared volume as $S."""
    command = ["sh", "-c", f"S=$TIPHYS_MOUNT_TIPHYS_S; {script}"]
    return {"name": name, "image": "busybox", "command": command, "volumeMounts": MOUNTS, **more}


async def told(made: Cluster, name: str) -> set[tuple[str, str]]:
    listed = await made.api.list(EVENTS, Selection("default"))
    return {(e["reason"], e["message"]) for e in listed.items if e["involvedObject"]["name"] == name}


async def test_an_init_container_is_tried_again_where_the_pods_policy_says_so(made: Cluster) -> None:
    first = beside("first", "echo try; test -e $S/x || { touch $S/x; exit 4; }")
    spec = {**SHARED, "restartPolicy": "OnFailure", "initContainers": [first], "containers": [beside("main", "ls $S")]}
    ended = await made.run(pod("init-again", spec=spec))
    assert ended["status"]["phase"] == "Succeeded"
    status = ended["status"]["initContainerStatuses"][0]
    assert (status["restartCount"], status["lastState"]["terminated"]["exitCode"]) == (1, 4)
    assert await made.log("init-again") == "x\n"
    assert await made.log("init-again", container="first", previous=True) == "try\n"


async def test_sidecars_start_in_order_and_stop_in_reverse_after_the_main_container(made: Cluster) -> None:
    script = (
        "trap 'echo NAME ends >> $S/order; exit 0' TERM; echo NAME >> $S/order; touch $S/NAME;"
        "while :; do sleep 0.01; done"
    )
    up = {"exec": {"command": ["sh", "-c", "test -e $TIPHYS_MOUNT_TIPHYS_S/NAME"]}, "periodSeconds": 0.02}

    def sidecar(name: str) -> Object:
        command = [*up["exec"]["command"][:2], up["exec"]["command"][2].replace("NAME", name)]  # type: ignore[index]
        probe = {**up, "exec": {"command": command}, "failureThreshold": 100}
        return beside(name, script.replace("NAME", name), restartPolicy="Always", startupProbe=probe)

    reader = beside("reader", "trap 'cat $S/order; exit 0' TERM; while :; do sleep 0.01; done", restartPolicy="Always")
    main = beside("main", "echo main >> $S/order")
    spec = {**SHARED, "initContainers": [reader, sidecar("one"), sidecar("two")], "containers": [main]}
    ended = await made.run(pod("order", spec=spec))
    assert ended["status"]["phase"] == "Succeeded"
    assert (await made.log("order", container="reader")).split("\n") == [
        "one",
        "two",
        "main",
        "two ends",
        "one ends",
        "",
    ]


async def test_a_startup_probe_that_never_goes_well_restarts_the_container_and_no_other_probe_is_asked(
    made: Cluster,
) -> None:
    never = {"exec": {"command": ["false"]}, "periodSeconds": 0.05, "failureThreshold": 2}
    other = {"exec": {"command": ["sh", "-c", "echo asked; exit 1"]}, "periodSeconds": 0.01}
    await made.create(shell("slow", "sleep 60", spec=FOR_EVER, startupProbe=never, readinessProbe=other))
    again = await made.until("slow", lambda p: restarts(p) >= 1)
    assert again["status"]["containerStatuses"][0]["started"] in (False, None)
    events = await told(made, "slow")
    assert ("Killing", "Container main failed startup probe, will be restarted") in events
    assert not any("asked" in message for _, message in events)
    await made.delete("slow", grace_s=0)


async def test_a_failed_post_start_hook_ends_the_container(made: Cluster) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo no luck; exit 9"]}}}
    await made.create(shell("hooked", "sleep 60", spec=FOR_EVER, lifecycle=hook))
    await made.until("hooked", lambda p: restarts(p) >= 1)
    assert ("FailedPostStartHook", "PostStartHook failed: no luck") in await told(made, "hooked")
    await made.delete("hooked", grace_s=0)


async def test_a_pre_stop_hook_has_no_longer_than_the_grace(made: Cluster) -> None:
    hook = {"preStop": {"exec": {"command": ["sleep", "60"]}}}
    await made.create(shell("lingers", "sleep 60", lifecycle=hook))
    await made.until("lingers", running)
    with anyio.fail_after(10):
        await made.delete("lingers", grace_s=1)
        await made.gone("lingers")


@pytest.mark.parametrize(("containers", "limit"), [(1, 4096), (3, 4096), (4, 3072), (12, 1024)])
def test_last_words_share_twelve_kilobytes_of_a_pod(containers: int, limit: int) -> None:
    assert termination_limit({"spec": {"containers": [{}] * containers}}) == limit


async def test_the_end_of_a_log_is_no_more_than_eighty_lines_or_two_kilobytes(made: Cluster) -> None:
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    many = state(await made.run(shell("many", "seq 1 500; exit 1", **policy)))["terminated"]["message"]
    assert many.splitlines() == [str(n) for n in range(421, 501)]
    wide = state(
        await made.run(
            shell("wide", "yes 0123456789abcdef0123456789abcdef0123456789abcdef | head -c 9000; exit 1", **policy)
        )
    )
    assert len(wide["terminated"]["message"]) == 2048
    well = state(await made.run(shell("well", "echo fine", **policy)))
    assert "message" not in well["terminated"]


async def test_a_container_of_a_pod_is_restarted_alone(made: Cluster) -> None:
    once = beside("once", "test -e $S/x && sleep 60; touch $S/x; exit 1")
    spec = {**SHARED, **FOR_EVER, "containers": [once, beside("calm", "sleep 60")]}
    await made.create(pod("pair", spec=spec))
    settled = await made.until("pair", lambda p: restarts(p) == 1 and "running" in current(p))
    assert [s["restartCount"] for s in settled["status"]["containerStatuses"]] == [1, 0]
    await made.delete("pair", grace_s=0)
