"""`pods/exec`: a command without a terminal runs in the container, by kubectl and by the bare protocol."""

from __future__ import annotations

import json
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from runtime.objects import PODS
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.node import Node, NodeSettings

SLEEPER = {"containers": [{"name": "main", "image": "busybox", "command": ["sleep", "1000"]}]}
EXEC = "/api/v1/namespaces/default/pods/p/exec"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[DevCluster]:
    """A dev cluster with a node and a running pod."""
    settings = Settings(
        node_factory=lambda api: Node(api, NodeSettings(root=tmp_path / "node")),
        serving=Serving(kubeconfig=tmp_path / "config"),
    )
    async with DevCluster(settings) as running:
        made = await running.api.create(PODS, {"metadata": {"name": "p"}, "spec": SLEEPER})
        version = made["metadata"]["resourceVersion"]
        with anyio.fail_after(20):
            async with running.api.watch(PODS, resource_version=version) as events:
                async for event in events:
                    if event.object["status"].get("phase") == "Running":
                        break
        yield running


@pytest.fixture
async def session(cluster: DevCluster) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    headers = {"Authorization": f"Bearer {cluster.token}"}
    async with aiohttp.ClientSession(cluster.url, connector=aiohttp.TCPConnector(ssl=tls), headers=headers) as client:
        yield client


async def conversation(
    session: aiohttp.ClientSession, protocol: str, argv: list[str], sent: list[bytes]
) -> dict[int, bytes]:
    """What came on each channel."""
    query = [("command", word) for word in argv] + [("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    told: dict[int, bytes] = {}
    with anyio.fail_after(10):
        async with session.ws_connect(EXEC, params=query, protocols=[protocol]) as socket:
            assert socket.protocol == protocol
            for chunk in sent:
                await socket.send_bytes(chunk)
            async for message in socket:
                told[message.data[0]] = told.get(message.data[0], b"") + message.data[1:]
    return told


async def test_output_errors_and_the_exit_code_come_on_channels_of_their_own(session: aiohttp.ClientSession) -> None:
    script = "read line; echo got $line; echo oops >&2; exit 3"
    told = await conversation(session, "v4.channel.k8s.io", ["sh", "-c", script], [b"\0word\n"])
    assert told[1] == b"got word\n"
    assert told[2] == b"oops\n"
    end = json.loads(told[3])
    assert (end["reason"], end["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "3"}],
    )


async def test_with_v5_a_command_hears_the_end_of_its_input(session: aiohttp.ClientSession) -> None:
    sent = [b"\0" + b"x" * 100_000, b"\0" + b"y" * 100_000, bytes([255, 0])]
    told = await conversation(session, "v5.channel.k8s.io", ["wc", "-c"], sent)
    assert told[1].strip() == b"200000"
    assert json.loads(told[3])["status"] == "Success"


async def test_a_command_that_cannot_be_started_says_why(session: aiohttp.ClientSession) -> None:
    told = await conversation(session, "v5.channel.k8s.io", ["no-such-command"], [])
    assert b'exec: "no-such-command": executable file not found in $PATH' in told[2]
    assert json.loads(told[3])["details"]["causes"][0]["message"] == "126"


async def test_who_hangs_up_ends_the_command(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    query = [("command", word) for word in ("sh", "-c", f"echo up; sleep 0.3; touch {mark}")] + [("stdout", "true")]
    async with session.ws_connect(EXEC, params=query, protocols=["v5.channel.k8s.io"]) as socket:
        assert (await socket.receive()).data == b"\1up\n"
    await conversation(session, "v5.channel.k8s.io", ["sleep", "0.5"], [])
    assert not mark.exists()


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("attach", 501, "attach is not served"),
        ("portforward", 501, "ports are open on 127.0.0.1"),
        ("exec?command=ls&tty=true", 501, "a terminal is not served"),
        ("exec?command=ls", 501, "SPDY is not served"),
        ("exec?command=ls&container=none", 400, "container none is not valid for pod p"),
        ("exec", 400, "at least 1 command"),
    ],
)
async def test_what_is_not_served_says_so(session: aiohttp.ClientSession, path: str, code: int, sentence: str) -> None:
    async with session.post(EXEC.replace("exec", path)) as response:
        assert response.status == code
        assert sentence in (await response.json())["message"]


STREAM = """
from kubernetes import client, config
from kubernetes.stream import stream

api = client.CoreV1Api(config.new_client_from_config())
print(stream(api.connect_get_namespaced_pod_exec, "p", "default", command=["echo", "hi"], stdout=True))
"""


async def test_the_python_clients_stream_executes(cluster: DevCluster, tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path)}
    with anyio.fail_after(60):
        done = await anyio.run_process([sys.executable, "-c", STREAM], env=environment, check=False)
    assert done.stdout.strip() == b"hi", done.stderr.decode()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_kubectl_executes_and_copies(cluster: DevCluster, tmp_path: Path) -> None:
    environment = {"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin"}

    async def kubectl(*arguments: str, stdin: bytes = b"") -> Any:
        with anyio.fail_after(30):
            return await anyio.run_process(["kubectl", *arguments], input=stdin, env=environment, check=False)

    done = await kubectl("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.returncode) == (b"out\n", 7)
    assert b"err\n" in done.stderr
    assert (await kubectl("exec", "-i", "p", "--", "cat", stdin=b"through")).stdout == b"through"
    there, back = tmp_path / "there.txt", tmp_path / "back.txt"
    there.write_text("carried\n" * 10_000)
    copied = await kubectl("cp", "--no-preserve", str(there), "p:/tmp/kept.txt")  # only root can give files away
    assert copied.returncode == 0, copied.stderr
    copied = await kubectl("cp", "p:/tmp/kept.txt", str(back))
    assert back.read_text() == there.read_text(), copied.stderr
    assert b"attach is not served" in (await kubectl("attach", "p")).stderr
    assert b"127.0.0.1" in (await kubectl("port-forward", "pod/p", "18080:80")).stderr
