"""Pods as containers of a real engine: everything here is asked of each one that answers on this machine."""

from __future__ import annotations

import base64
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from runtime.api import Selection
from runtime.objects import CLAIMS, CONFIGMAPS, EVENTS, PODS, SECRETS, Reference
from tests.node.cluster import Cluster, cluster, command_lines, current, eventually, over, pod, running, state
from tests.node.cluster import shell as any_shell
from tests.node.engine.conftest import Engine
from tiphys.devcluster.node.containers import Execution
from tiphys.devcluster.node.engine.session import LOCK, LOCK_FILE, SESSION

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers see this machine on Linux only")


class Shell:
    """Pods that run a script in the test's image."""

    def __init__(self, image: str) -> None:
        self.image = image

    def __call__(self, name: str, script: str, **rest: Any) -> dict[str, Any]:
        return any_shell(name, script, **{"image": self.image, "imagePullPolicy": "Never", **rest})


@pytest.fixture(scope="module")
def shell(engine: Engine) -> Shell:
    return Shell(engine.image)


def mounts(**paths: str) -> list[dict[str, str]]:
    return [{"name": name, "mountPath": path} for name, path in paths.items()]


async def reasons(made: Cluster, name: str) -> dict[str, str]:
    """The Events about a pod: reason -> message."""
    found = (await made.api.list(EVENTS, Selection("default"))).items
    return {e["reason"]: e["message"] for e in found if e["involvedObject"]["name"] == name}


# ------------------------------------------------------------------------------------------------ one container


async def test_a_container_has_its_images_files_the_pods_name_and_one_network_with_the_machine(
    made: Cluster, shell: Shell
) -> None:
    script = "busybox | head -1; hostname; grep own /etc/hosts; grep -c : /proc/net/dev; cat /etc/os-release"
    aliases = {"hostAliases": [{"ip": "10.1.2.3", "hostnames": ["own"]}], "restartPolicy": "Never"}
    ended = await made.run(
        shell("looks", script, spec={**aliases, "containers": shell("x", script)["spec"]["containers"]})
    )
    printed = await made.log("looks")
    assert "BusyBox" in printed
    assert f"looks\n10.1.2.3\town\n{_interfaces()}\n" in printed
    assert state(ended)["terminated"]["exitCode"] == 1  # the machine's /etc/os-release is not in the image


def _interfaces() -> int:
    return sum(":" in line for line in Path("/proc/net/dev").read_text().splitlines())


async def test_exit_code_termination_message_and_log_are_the_containers(made: Cluster, shell: Shell) -> None:
    ended = await made.run(shell("says", "echo out; echo err >&2; echo last words > /dev/termination-log; exit 7"))
    told = state(ended)["terminated"]
    assert (told["exitCode"], told["reason"], told["message"]) == (7, "Error", "last words\n")
    assert sorted((await made.log("says")).splitlines()) == ["err", "out"]


async def test_a_long_output_arrives_whole(made: Cluster, shell: Shell) -> None:
    printed = await made.output(shell("long", "seq 1 200000"))
    assert printed == "".join(f"{n}\n" for n in range(1, 200001))


@pytest.mark.parametrize(
    ("name", "line", "printed"),
    [
        ("neither", {}, "from the image\n"),
        ("args", {"args": ["my", "own"]}, "from my own\n"),
        ("command", {"command": ["echo", "$(HOSTNAME)"]}, "command\n"),
    ],
)
async def test_command_and_args_replace_entrypoint_and_cmd(
    made: Cluster, engine: Engine, name: str, line: dict[str, Any], printed: str
) -> None:
    assert await made.output(pod(name, image=engine.entrypoint_image, imagePullPolicy="Never", **line)) == printed


async def test_users_groups_and_roots_are_as_the_security_context_says(made: Cluster, shell: Shell) -> None:
    strict = {
        "runAsUser": 1000,
        "runAsGroup": 1001,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    script = "id -u; id -g; id -G; touch /f 2>/dev/null || echo read-only; grep -E 'CapB|NoNew' /proc/self/status; pwd"
    thing = shell("secured", script, securityContext=strict, workingDir="/tmp")
    thing["spec"]["securityContext"] = {"fsGroup": 77}
    printed = (await made.output(thing)).split()
    assert printed[:2] == ["1000", "1001"]
    assert "77" in printed
    assert "read-only" in printed
    assert printed[-5:-1] == ["CapBnd:", "0000000000000000", "NoNewPrivs:", "1"]
    assert printed[-1] == "/tmp"


async def test_the_images_own_user_holds_and_root_is_refused_to_who_must_not_be_root(
    made: Cluster, engine: Engine, shell: Shell
) -> None:
    thing = pod("whose", "id", "-u", image=engine.entrypoint_image, imagePullPolicy="Never")
    thing["spec"]["securityContext"] = {"runAsNonRoot": True}
    assert await made.output(thing) == "1234\n"
    refused = shell("root", "id", securityContext={"runAsNonRoot": True})
    await made.create(refused)
    waits = await made.until("root", lambda p: "message" in current(p).get("waiting", {}))
    assert current(waits)["waiting"]["reason"] == "CreateContainerConfigError"
    await made.delete("root", grace_s=0)


async def test_a_command_that_is_not_there_is_a_start_error_in_the_runtimes_words(made: Cluster, shell: Shell) -> None:
    thing = shell("absent", "")
    thing["spec"]["containers"][0]["command"] = ["/no/such"]
    told = state(await made.run(thing))["terminated"]
    assert (told["exitCode"], told["reason"]) == (128, "StartError")
    assert "/no/such" in told["message"]


async def test_who_takes_more_memory_than_it_may_is_killed_and_it_is_said(made: Cluster, shell: Shell) -> None:
    limits = {"resources": {"limits": {"memory": "32Mi"}}}
    told = state(await made.run(shell("hungry", "x=a; while true; do x=$x$x; done", **limits)))["terminated"]
    assert (told["exitCode"], told["reason"]) == (137, "OOMKilled")


async def test_a_terminal_has_one_stream(made: Cluster, shell: Shell) -> None:
    assert await made.output(shell("tty", "test -t 1 && echo yes", tty=True)) == "yes\r\n"


# ------------------------------------------------------------------------------------------------ pods


async def test_volumes_are_shared_by_init_containers_and_main_ones(made: Cluster, shell: Shell) -> None:
    await made.create({"metadata": {"name": "cm"}, "data": {"a": "1"}}, CONFIGMAPS)
    await made.create({"metadata": {"name": "sec"}, "data": {"k": base64.b64encode(b"s3").decode()}}, SECRETS)
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    await made.create({"metadata": {"name": "kept"}, "spec": asked}, CLAIMS)
    thing = shell(
        "volumes", "cat /in/f /cm/a /sec/k /claim/left; touch /cm/b 2>/dev/null || echo refused; cat $TOKEN/namespace"
    )
    main = thing["spec"]["containers"][0]
    main["volumeMounts"] = mounts(empty="/in", cm="/cm", sec="/sec", claim="/claim")
    main["env"] = [{"name": "TOKEN", "value": "/var/run/secrets/kubernetes.io/serviceaccount"}]
    first = shell("x", "echo one > /in/f; echo two > /claim/left")["spec"]["containers"][0] | {"name": "first"}
    thing["spec"]["initContainers"] = [{**first, "volumeMounts": mounts(empty="/in", claim="/claim")}]
    thing["spec"]["volumes"] = [
        {"name": "empty", "emptyDir": {}},
        {"name": "cm", "configMap": {"name": "cm"}},
        {"name": "sec", "secret": {"secretName": "sec"}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "kept"}},
    ]
    printed = await made.output(thing)
    assert printed.startswith("one\n1s3two\n")
    assert printed.endswith("refused\ndefault")


async def test_containers_of_our_own_image_run_this_program_beside_the_users(made: Cluster, shell: Shell) -> None:
    thing = shell("helped", "/v/program --flag")
    main = thing["spec"]["containers"][0] | {"volumeMounts": mounts(v="/v")}
    write = (
        "import sys, tiphys.executor, pathlib\n"
        "p = pathlib.Path('/v/program')\n"
        "p.write_text(f'#!{pathlib.Path(sys._base_executable).resolve()} -SEs\\n'\n"
        "    'import sys, zlib, json; print(sys.argv, sys.flags.no_site, zlib.crc32(b\"a\"))')\n"
        "p.chmod(0o755)\n"
    )
    helper = {"name": "helper", "image": "tiphys", "command": ["python3", "-c", write], "volumeMounts": mounts(v="/v")}
    thing["spec"] |= {
        "containers": [main | {"command": ["/v/program"], "args": ["--flag"]}],
        "initContainers": [helper],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    assert await made.output(thing) == "['/v/program', '--flag'] 1 3904355907\n"


async def test_containers_of_our_own_image_find_what_they_need_whoever_they_run_as(made: Cluster) -> None:
    script = "import aiohttp, ssl, os, sys; print(os.getuid(), len(ssl.create_default_context().get_ca_certs()) >= 0)"
    thing = pod("anybody", "python3", "-c", script, image="tiphys", securityContext={"runAsUser": 8737})
    assert await made.output(thing) == "8737 True\n"


async def test_a_sidecar_runs_beside_main_and_is_stopped_after_it(made: Cluster, shell: Shell) -> None:
    thing = shell("beside", "until test -f /v/up; do sleep 0.05; done; echo done")
    side = shell("x", "trap 'echo stopped; exit 0' TERM; touch /v/up; sleep 1000 & wait")["spec"]["containers"][0]
    share = {"volumeMounts": mounts(v="/v")}
    thing["spec"] |= {
        "containers": [thing["spec"]["containers"][0] | share],
        "initContainers": [{**side, "name": "side", "restartPolicy": "Always", **share}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    assert await made.output(thing) == "done\n"
    assert await made.log("beside", "side") == "stopped\n"


async def test_commands_run_inside_with_their_own_streams_and_end(made: Cluster, shell: Shell) -> None:
    await made.create(shell("inside", "echo up; sleep 1000"))
    await made.until_log("inside", "up")
    execute = partial(made.node.execute, "default", "inside")
    assert await execute(["sh", "-c", "echo a; echo b >&2; exit 9"]) in (Execution(9, "a\nb\n"), Execution(9, "b\na\n"))
    missing = await execute(["no-such"])
    assert missing.code in (126, 127)
    assert "no-such" in missing.output
    async with made.node.command("default", "inside", "main", ["cat"]) as command:
        await command.write(b"to and ")
        await command.write(b"fro")
        command.close_input()
        assert b"".join([chunk async for chunk in command.output()]) == b"to and fro"
        assert b"".join([chunk async for chunk in command.errors()]) == b""
        assert await command.wait() == 0
    await made.delete("inside", grace_s=0)
    await made.gone("inside")


async def test_a_command_that_takes_too_long_is_killed(made: Cluster, shell: Shell) -> None:
    await made.create(shell("slow", "echo up; sleep 1000"))
    await made.until_log("slow", "up")
    with pytest.raises(TimeoutError):
        await made.node.execute("default", "slow", ["sleep", "8282"], timeout_s=0.5)
    await eventually(lambda: not any("8282" in line for line in _commands_of_containers()))
    await made.delete("slow", grace_s=0)
    await made.gone("slow")


def _commands_of_containers() -> list[str]:
    return [line for line in command_lines() if line.startswith("sleep\0")]


async def test_readiness_is_what_its_probe_says(made: Cluster, shell: Shell) -> None:
    probe = {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 0.1}
    thing = shell("probed", "sleep 0.5; touch /tmp/ready; sleep 1000", readinessProbe=probe)
    await made.create(thing)
    first = await made.until("probed", lambda p: "running" in current(p))
    assert not first["status"]["containerStatuses"][0]["ready"]
    await made.until("probed", running)
    await made.delete("probed", grace_s=0)
    await made.gone("probed")


async def test_a_deleted_pod_is_asked_to_stop_and_killed_after_its_grace(made: Cluster, shell: Shell) -> None:
    await made.create(
        shell("polite", "trap 'echo bye > /dev/termination-log; exit 3' TERM; echo up; sleep 1000 & wait")
    )
    await made.until_log("polite", "up")
    await made.delete("polite", grace_s=30)
    ended = await made.until("polite", over)
    assert (state(ended)["terminated"]["exitCode"], state(ended)["terminated"]["message"]) == (3, "bye\n")
    await made.create(shell("deaf", "trap '' TERM; echo up; while true; do sleep 0.1; done"))
    await made.until_log("deaf", "up")
    await made.delete("deaf", grace_s=1)
    ended = await made.until("deaf", over)
    assert state(ended)["terminated"]["exitCode"] == 137


# ------------------------------------------------------------------------------------------------ images


async def test_an_image_that_may_not_be_pulled_and_is_not_here_waits_with_the_kubelets_reason(made: Cluster) -> None:
    await made.create(pod("never", "true", image="tiphys-test/absent:1", imagePullPolicy="Never"))
    waits = await made.until("never", lambda p: "message" in current(p).get("waiting", {}))
    assert current(waits)["waiting"] == {
        "reason": "ErrImageNeverPull",
        "message": 'Container image "tiphys-test/absent:1" is not present with pull policy of Never',
    }
    await made.delete("never", grace_s=0)
    await made.gone("never")


async def test_a_pull_that_fails_is_told_and_tried_again_with_patience(made: Cluster) -> None:
    await made.create(pod("unreachable", "true", image="localhost:1/absent:1", imagePullPolicy="IfNotPresent"))
    failed = await made.until("unreachable", lambda p: current(p).get("waiting", {}).get("reason") == "ErrImagePull")
    assert "localhost:1" in current(failed)["waiting"]["message"]
    await made.until("unreachable", lambda p: current(p).get("waiting", {}).get("reason") == "ImagePullBackOff")
    assert (await reasons(made, "unreachable"))["Pulling"] == 'Pulling image "localhost:1/absent:1"'
    await made.delete("unreachable", grace_s=0)
    await made.gone("unreachable")


async def test_what_an_engine_does_not_give_is_remarked_on_the_pod(made: Cluster, shell: Shell) -> None:
    thing = shell("wishes", "true", securityContext={"privileged": True})
    thing["spec"]["shareProcessNamespace"] = True
    await made.run(thing)
    with anyio.fail_after(10):
        while "NotHonoured" not in (told := await reasons(made, "wishes")):  # noqa: ASYNC110 - Events are written late
            await anyio.sleep(0.05)
    assert "main is not privileged; shareProcessNamespace is not set" in told["NotHonoured"]


# ------------------------------------------------------------------------------------------------ ends


async def test_nothing_is_left_when_the_node_ends_whatever_runs(engine: Engine, shell: Shell, tmp_path: Path) -> None:
    root = tmp_path / "node"
    async with cluster(root, "docker", engines=engine.places) as built:
        thing = shell("stays", "mkdir -m 700 /v/mine; touch /v/mine/f; echo up; sleep 1000")
        thing["spec"]["containers"][0]["volumeMounts"] = mounts(v="/v")
        thing["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
        await built.create(thing)
        await built.until_log("stays", "up")
        uid = (await built.api.get(Reference(PODS, "default", "stays")))["metadata"]["uid"]
        label = f"io.kubernetes.pod.uid={uid}"
        (container,) = await engine.api.labelled(label)
        session = container["Labels"][SESSION]
        assert container["Labels"][LOCK] == str(root.resolve() / LOCK_FILE)
    assert await engine.api.labelled(f"{SESSION}={session}") == []
    assert await engine.api.labelled_images(f"{SESSION}={session}") == []
    assert not root.exists()


async def test_the_next_node_removes_what_a_killed_one_left(engine: Engine, tmp_path: Path) -> None:
    left = tmp_path / LOCK_FILE
    left.touch()  # nobody holds it: its node was killed
    labels = {SESSION: "killed", LOCK: str(left)}
    body = {"Image": engine.image, "Entrypoint": ["sleep", "1000"], "Cmd": [], "Labels": labels}
    number = await engine.api.create(f"left.{engine.image}", {**body, "HostConfig": {"NetworkMode": "none"}})
    await engine.api.start(number)
    async with cluster(tmp_path / "node", "docker", engines=engine.places):
        assert await engine.api.labelled(f"{SESSION}=killed") == []


async def test_logs_of_a_pod_outlive_its_container(made: Cluster, engine: Engine, shell: Shell) -> None:
    ended = await made.run(shell("logged", "echo still here"))
    label = f"io.kubernetes.pod.uid={ended['metadata']['uid']}"
    assert await engine.api.labelled(label) == []
    assert await made.log("logged") == "still here\n"
    assert json.dumps(ended["status"])
