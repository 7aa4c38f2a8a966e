"""Plain mode: processes without namespaces; what needs a root of its own fails with a sentence."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from tests.node.cluster import Cluster, cluster, no_process, pod, running, shell, state


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path_factory.mktemp("plain") / "node", "plain") as built:
        yield built


async def test_a_pod_without_mounts_runs_in_a_scratch_directory(made: Cluster) -> None:
    text = await made.output(shell("cwd", "pwd; touch x; echo $HOME"))
    cwd, home = text.split()
    assert Path(cwd).is_relative_to(made.node.settings.root.resolve())
    assert home == f"{cwd}/home"
    assert made.node.mode_reason == "asked for"


async def test_exit_codes_messages_and_missing_commands_are_told(made: Cluster) -> None:
    ended = await made.run(shell("code", "printf bye > $TIPHYS_TERMINATION_MESSAGE_PATH; exit 5"))
    assert (state(ended)["terminated"]["exitCode"], state(ended)["terminated"]["message"]) == (5, "bye")
    ended = await made.run(pod("none", "no-such-command"))
    assert state(ended)["terminated"]["reason"] == "StartError"


async def test_a_mount_at_a_fixed_path_fails_with_the_remedy(made: Cluster) -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    ended = await made.run(shell("mount", "true", spec=spec, volumeMounts=[{"name": "v", "mountPath": "/v"}]))
    terminated = state(ended)["terminated"]
    assert (ended["status"]["phase"], terminated["reason"]) == ("Failed", "ContainerCannotRun")
    assert "mounts v at /v" in terminated["message"]
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in terminated["message"]


async def test_volumes_of_our_own_are_found_through_the_environment(made: Cluster) -> None:
    spec = {"volumes": [{"name": "tiphys-frame", "emptyDir": {}}]}
    where = [{"name": "tiphys-frame", "mountPath": "/tiphys"}]
    inits = [
        {
            "name": "i",
            "image": "b",
            "volumeMounts": where,
            "command": ["sh", "-c", "echo 1 > $TIPHYS_MOUNT_TIPHYS_FRAME/f"],
        }
    ]
    thing = shell("own", "cat $TIPHYS_MOUNT_TIPHYS_FRAME/f", spec={**spec, "initContainers": inits}, volumeMounts=where)
    assert await made.output(thing) == "1\n"


async def test_stand_ins_and_python_are_found(made: Cluster) -> None:
    assert await made.output(pod("say", image="argoproj/argosay:v2")) == "hello argo\n"
    assert await made.output(pod("say2", "/argosay", image="argoproj/argosay:v2", args=["echo", "x"])) == "x\n"
    which = await made.output(pod("py", "python", "-c", "import sys; print(sys.version)"))
    assert which == f"{sys.version}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="descendants are followed through /proc")
async def test_what_a_container_leaves_behind_is_killed_with_it(made: Cluster) -> None:
    await made.output(shell("leaver", "(setsid sleep 7171 >/dev/null 2>&1 &); sleep 0.05"))
    await no_process("sleep\x007171\x00")


async def test_deleting_a_running_pod_ends_it(made: Cluster) -> None:
    await made.create(shell("gone", "sleep 60"))
    await made.until("gone", running)
    with anyio.fail_after(5):
        await made.delete("gone")
        await made.gone("gone")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_limits_of_memory_hold_for_all_processes_of_a_container(made: Cluster) -> None:
    many = "for i in 1 2 3; do python3 -c 'held = bytearray(20 << 20); import time; time.sleep(60)' & done; wait"
    ended = await made.run(shell("family", many, resources={"limits": {"memory": "48Mi"}}))
    terminated = state(ended)["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (137, "OOMKilled")
    await no_process("held = bytearray(20 << 20)")
