"""`tiphys server` beside a cluster: an event is sent as curl sends it, and the workflow runs."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import EXAMPLES, ROOT
from tests.e2e.test_controller import ask, process

GREETING = EXAMPLES / "events" / "greeting.yaml"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("events") / "kubeconfig")
    with process("dev", "--kubeconfig", path):
        yield path


@pytest.mark.spec("EVT-1")
@pytest.mark.spec("CLI-21")
def test_an_event_becomes_a_workflow_that_runs(kubeconfig: str, capfd: pytest.CaptureFixture[str]) -> None:
    ask(capfd, "submit", str(GREETING), "--kubeconfig", kubeconfig)
    token = yaml.safe_load(Path(kubeconfig).read_text())["users"][0]["user"]["token"]
    command = [sys.executable, "-m", "tiphys.cli", "server", "-p", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--kubeconfig", kubeconfig], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().removeprefix("ready ").strip()
        headers = {"Authorization": f"Bearer {token}", "X-Tone": "loud"}
        body = json.dumps({"to": {"name": "world"}}).encode()
        request = urllib.request.Request(f"{url}/api/v1/events/default/greeting", body, headers)
        unverified = ssl._create_unverified_context()
        with urllib.request.urlopen(request, timeout=10, context=unverified) as answer:
            assert json.load(answer) == {}
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    (name,) = ask(capfd, "list", "-o", "name", "--kubeconfig", kubeconfig).split()
    ask(capfd, "wait", name, "--kubeconfig", kubeconfig)
    done = json.loads(ask(capfd, "get", name, "-o", "json", "--kubeconfig", kubeconfig))

    assert done["metadata"]["labels"]["to"] == "world"
    assert done["spec"]["arguments"]["parameters"] == [{"name": "whom", "value": "WORLD"}]
    assert done["status"]["phase"] == "Succeeded"
