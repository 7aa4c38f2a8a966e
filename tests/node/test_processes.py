"""Pods as real processes in namespaces: ends, signals, probes, hooks, deadlines, output."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator

import anyio
import pytest

from runtime.api import Refused, Selection
from runtime.objects import CONFIGMAPS, EVENTS, PODS, Reference
from tests.node.cluster import (
    Cluster,
    current,
    hindered,
    isolated_cluster,
    no_process,
    over,
    pod,
    restarts,
    running,
    shell,
    state,
)
from tiphys.devcluster.node.containers import Execution

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux'")


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    root = tmp_path_factory.mktemp("processes") / "node"
    async with isolated_cluster(root) as built:
        yield built


async def test_hello_world_succeeds_and_its_log_is_kept(made: Cluster) -> None:
    ended = await made.run(pod("hello", "echo", "hello world"))
    assert ended["status"]["phase"] == "Succeeded"
    assert state(ended)["terminated"]["reason"] == "Completed"
    assert await made.log("hello") == "hello world\n"


SCRIPTS = [("exit 3", 3), ("exit 127", 127), ("sh -c 'kill -9 $PPID'; true", 137), ("sh -c 'kill $PPID'; true", 143)]


@pytest.mark.parametrize(("script", "code"), SCRIPTS)
async def test_exit_codes_are_the_commands_own(made: Cluster, script: str, code: int) -> None:
    ended = await made.run(shell(f"exit{code}", script))
    assert (ended["status"]["phase"], state(ended)["terminated"]["exitCode"]) == ("Failed", code)
    assert state(ended)["terminated"]["reason"] == "Error"


async def test_a_missing_command_fails_the_container_and_names_the_remedy(made: Cluster) -> None:
    ended = await made.run(pod("missing", "no-such-command", image="example.com/tool:1"))
    terminated = state(ended)["terminated"]
    assert (ended["status"]["phase"], terminated["exitCode"], terminated["reason"]) == ("Failed", 128, "StartError")
    assert '"no-such-command": executable file not found in $PATH' in terminated["message"]
    assert "install 'no-such-command' on this machine" in terminated["message"]
    long = await made.run(pod("long", "true", "x" * (128 << 10), image="example.com/tool:1"))
    assert "Argument list too long; one variable or argument may have 128 KiB" in state(long)["terminated"]["message"]
    absolute = await made.run(pod("missing-path", "/no/such"))
    assert "stat /no/such: no such file or directory" in state(absolute)["terminated"]["message"]


async def test_an_unknown_image_without_a_command_fails_and_says_what_to_set(made: Cluster) -> None:
    ended = await made.run(pod("unknown", image="example.com/unknown"))
    assert (ended["status"]["phase"], state(ended)["terminated"]["reason"]) == ("Failed", "StartError")
    assert "set command" in state(ended)["terminated"]["message"]


async def test_what_is_not_honoured_is_said_on_the_pod_and_limits_once_for_all(made: Cluster) -> None:
    limits = {"limits": {"memory": "1Gi", "cpu": "1"}}
    await made.run(pod("asks", "true", resources=limits, securityContext={"privileged": True}))
    await made.run(pod("asks-again", "true", resources=limits))
    events = await made.api.list(EVENTS, Selection("default"))
    told = [e["message"] for e in events.items if e["reason"] == "NotHonoured"]
    assert told == [
        "On this node of processes main is not privileged. "
        "This node of processes enforces limits of memory only, not of cpu, for any pod."
    ]


HUNGRY = "held = bytearray(60 << 20); import time; time.sleep(60)"


async def test_who_takes_more_memory_than_he_may_is_killed_and_said_to_be(made: Cluster) -> None:
    ended = await made.run(pod("hungry", "python3", "-c", HUNGRY, resources={"limits": {"memory": "32Mi"}}))
    terminated = state(ended)["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (137, "OOMKilled")
    many = "for i in 1 2 3; do python3 -c 'held = bytearray(20 << 20); import time; time.sleep(60)' & done; wait"
    ended = await made.run(shell("family", many, resources={"limits": {"memory": "48Mi"}}))
    assert state(ended)["terminated"]["reason"] == "OOMKilled"
    modest = "held = bytearray(10 << 20); import time; time.sleep(0.3)"
    ended = await made.run(pod("modest", "python3", "-c", modest, resources={"limits": {"memory": "64Mi"}}))
    assert ended["status"]["phase"] == "Succeeded"


async def test_commands_can_be_run_in_a_running_container(made: Cluster) -> None:
    await made.create(shell("exec", "echo x > /tmp/f; echo up; sleep 60"))
    await made.until_log("exec", "up")
    assert await made.node.execute("default", "exec", ["cat", "/tmp/f"]) == Execution(0, "x\n")
    assert (await made.node.execute("default", "exec", ["sh", "-c", "exit 9"])).code == 9
    assert (await made.node.execute("default", "exec", ["no-such"])).code == 126
    with pytest.raises(TimeoutError):
        await made.node.execute("default", "exec", ["sleep", "8181"], timeout_s=0.1)
    await no_process("sleep\x008181\x00")
    await made.delete("exec", grace_s=0)


async def test_output_of_ten_megabytes_neither_blocks_nor_is_lost(made: Cluster) -> None:
    ended = await made.run(shell("much", "yes 0123456789abcde | head -c 10485760"))
    assert ended["status"]["phase"] == "Succeeded"
    text = await made.log("much")
    assert len(text) == 10485760
    assert set(text.split("\n")) <= {"0123456789abcde", ""}
    assert await made.log("much", tail_lines=2) == "0123456789abcde\n" * 2


async def test_a_log_is_followed_to_its_end(made: Cluster) -> None:
    await made.create(shell("follow", "for i in 1 2 3; do echo $i; sleep 0.05; done"))
    await made.until("follow", lambda p: running(p) or over(p))
    assert await made.log("follow", follow=True) == "1\n2\n3\n"


async def test_termination_messages_are_read_and_cut(made: Cluster) -> None:
    ended = await made.run(shell("message", "printf bye > /dev/termination-log; exit 1"))
    assert state(ended)["terminated"]["message"] == "bye"
    own = await made.run(shell("own", "printf own > /tmp/last", terminationMessagePath="/tmp/last"))
    assert state(own)["terminated"]["message"] == "own"
    many = await made.run(shell("many", "yes | head -c 9000 > /dev/termination-log"))
    assert len(state(many)["terminated"]["message"]) == 4096
    fallback = shell("fallback", "echo it broke; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    assert state(await made.run(fallback))["terminated"]["message"] == "it broke\n"


async def test_deleting_sends_sigterm_and_the_handlers_exit_code_is_told(made: Cluster) -> None:
    await made.create(shell("polite", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.02; done"))
    await made.until("polite", running)
    await made.until_log("polite", "up")
    held = Reference(PODS, "default", "polite")
    await made.api.patch(held, {"metadata": {"finalizers": ["example.com/hold"]}})
    await made.delete("polite")
    ended = await made.until("polite", over)
    assert state(ended)["terminated"]["exitCode"] == 7
    await made.api.patch(held, {"metadata": {"finalizers": None}})
    await made.gone("polite")


@pytest.mark.spec("TMO-7")
async def test_who_does_not_listen_is_killed_after_the_grace(made: Cluster) -> None:
    await made.create(shell("deaf", "trap '' TERM; echo up; while :; do sleep 0.02; done"))
    await made.until_log("deaf", "up")
    with anyio.fail_after(5):
        await made.delete("deaf", grace_s=1)
        await made.gone("deaf")


async def test_deleting_without_grace_leaves_no_process(made: Cluster) -> None:
    await made.create(shell("forced", "sleep 4242 & sleep 4242"))
    await made.until("forced", running)
    await made.delete("forced", grace_s=0)
    await no_process("sleep\x004242\x00")


async def test_a_deadline_patched_while_running_stops_the_pod_and_its_log_stays(made: Cluster) -> None:
    await made.create(shell("late", "echo started; sleep 60"))
    await made.until_log("late", "started")
    await made.api.patch(Reference(PODS, "default", "late"), {"spec": {"activeDeadlineSeconds": 1}})
    ended = await made.until("late", over)
    assert (ended["status"]["phase"], ended["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert state(ended)["terminated"]["exitCode"] == 143
    assert await made.log("late") == "started\n"


async def test_a_missing_config_map_keeps_the_pod_waiting_until_it_is_there(made: Cluster) -> None:
    ref = {"name": "V", "valueFrom": {"configMapKeyRef": {"name": "late-map", "key": "k"}}}
    await made.create(shell("config", "echo $V", env=[ref]))
    stuck = await made.until("config", hindered)
    assert stuck["status"]["phase"] == "Pending"
    assert state(stuck)["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "late-map" not found',
    }
    await made.create({"metadata": {"name": "late-map"}, "data": {"k": "there"}}, CONFIGMAPS)
    await made.until("config", over)
    assert await made.log("config") == "there\n"


async def test_init_containers_share_volumes_with_main_and_sidecars_end_after_it(made: Cluster) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}], "image": "busybox"}
    script = "trap 'cat /v/b > /v/c; exit 0' TERM; while :; do sleep 0.01; done"
    spec = {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "initContainers": [
            {"name": "side", "restartPolicy": "Always", "command": ["sh", "-c", script], **mount},
            {"name": "first", "command": ["sh", "-c", "echo one > /v/a"], **mount},
        ],
    }
    ended = await made.run(shell("shared", "cat /v/a; echo two > /v/b", spec=spec, **mount))
    assert ended["status"]["phase"] == "Succeeded"
    assert await made.log("shared") == "one\n"
    assert state(ended, "first")["terminated"]["reason"] == "Completed"
    assert state(ended, "side")["terminated"]["exitCode"] == 0


async def test_a_failing_container_is_restarted_and_its_last_log_can_be_read(made: Cluster) -> None:
    script = "echo attempt; test -e /v/again || { touch /v/again; exit 1; }"
    spec = {"restartPolicy": "OnFailure", "volumes": [{"name": "v", "emptyDir": {}}]}
    ended = await made.run(shell("retry", script, spec=spec, volumeMounts=[{"name": "v", "mountPath": "/v"}]))
    assert (ended["status"]["phase"], restarts(ended)) == ("Succeeded", 1)
    assert await made.log("retry", previous=True) == "attempt\n"


async def test_readiness_follows_the_exec_probe(made: Cluster) -> None:
    probe = {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 0.05}
    await made.create(shell("ready", "sleep 0.3; touch /tmp/ready; sleep 60", readinessProbe=probe))
    unready = await made.until("ready", lambda p: "running" in current(p))
    assert not running(unready)
    await made.until("ready", running)
    await made.delete("ready", grace_s=0)


async def test_a_failed_liveness_probe_restarts_the_container(made: Cluster) -> None:
    probe = {"exec": {"command": ["sh", "-c", "echo sick; exit 1"]}, "periodSeconds": 0.05, "failureThreshold": 2}
    await made.create(shell("alive", "sleep 60", spec={"restartPolicy": "Always"}, livenessProbe=probe))
    again = await made.until("alive", lambda p: restarts(p) >= 1)
    assert restarts(again) >= 1
    events = await made.api.list(EVENTS, Selection("default"))
    assert any(e["message"] == "Liveness probe failed: sick" for e in events.items)
    await made.delete("alive", grace_s=0)


async def test_http_and_tcp_probes_ask_the_containers_port(made: Cluster) -> None:
    port = free_port()
    ports = [{"name": "web", "containerPort": port}]
    http = {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 0.05}
    tcp = {"tcpSocket": {"port": port}, "periodSeconds": 0.05, "failureThreshold": 100}
    await made.create(pod("web", image="nginx:1", ports=ports, readinessProbe=http, startupProbe=tcp))
    await made.until("web", running)
    await made.delete("web")
    await made.gone("web")


async def test_hooks_run_in_the_container(made: Cluster) -> None:
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo began > /v/post"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo ending > /v/pre"]}},
    }
    script = "trap 'cat /v/post /v/pre; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    spec = {"volumes": [{"name": "v", "emptyDir": {}}], "activeDeadlineSeconds": 600}
    mounts = [{"name": "v", "mountPath": "/v"}]
    await made.create(shell("hooks", script, spec=spec, lifecycle=hooks, volumeMounts=mounts))
    await made.until_log("hooks", "up")
    await made.until("hooks", running)
    await made.api.patch(Reference(PODS, "default", "hooks"), {"spec": {"activeDeadlineSeconds": 1}})
    await made.until("hooks", over)
    assert await made.log("hooks") == "up\nbegan\nending\n"


async def test_who_may_runs_as_the_user_that_is_asked_for(made: Cluster) -> None:
    user = {"runAsUser": 4321, "runAsGroup": 8765, "fsGroup": 77}
    script = "id -u; id -g; touch /v/x /tmp/y && printf done > /dev/termination-log"
    spec = {"securityContext": user, "volumes": [{"name": "v", "emptyDir": {}}]}
    ended = await made.run(shell("user", script, spec=spec, volumeMounts=[{"name": "v", "mountPath": "/v"}]))
    assert state(ended)["terminated"]["message"] == "done"
    assert await made.log("user") == ("4321\n8765\n" if os.geteuid() == 0 else "0\n0\n")


async def test_a_pod_that_asks_not_to_be_root_must_name_a_user(made: Cluster) -> None:
    await made.create(shell("no-root", "true", spec={"securityContext": {"runAsNonRoot": True}}))
    stuck = await made.until("no-root", hindered)
    assert "runAsNonRoot" in state(stuck)["waiting"]["message"]
    await made.delete("no-root")


async def test_many_pods_at_once_all_end_well(made: Cluster) -> None:
    names = [f"many-{n}" for n in range(40)]
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(made.create, pod(name, "echo", name))
    for name in names:
        await made.until(name, over)
        assert await made.log(name) == name + "\n"


async def test_logs_of_unknown_containers_are_refused(made: Cluster) -> None:
    await made.run(pod("plainlog", "true"))
    with pytest.raises(Refused, match="container other is not valid for pod plainlog"):
        await made.log("plainlog", container="other")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
