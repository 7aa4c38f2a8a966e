"""`tiphys controller` against a cluster in another process: it works, is observed, is killed, and goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES, ROOT
from tiphys.cli import main

END_S = 20


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A tiphys process that has said it is ready; told to stop at the end if it still runs."""
    command = [sys.executable, "-m", "tiphys.cli", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline().startswith("ready")
            yield started
        finally:
            if started.poll() is None:
                started.send_signal(signal.SIGTERM)
            started.communicate(timeout=END_S)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("bare") / "kubeconfig")
    with process("dev", "--no-controllers", "--kubeconfig", path):
        yield path


def controller(kubeconfig: str, *options: str) -> Any:
    where = ["--kubeconfig", kubeconfig, "--http-address", "127.0.0.1:0"]
    return process("controller", *where, *options)


def url_of(started: subprocess.Popen[str]) -> str:
    assert started.stderr is not None
    for line in started.stderr:
        if line.startswith("metrics and health on "):
            return line.removeprefix("metrics and health on ").strip()
    raise AssertionError("the controller did not say where its metrics are")


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def ask(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capfd.readouterr().out.strip()


def test_a_controller_runs_what_is_submitted_and_says_how_it_is(
    kubeconfig: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with controller(kubeconfig) as started:
        url = url_of(started)
        name = ask(capfd, "submit", str(EXAMPLES / "output-parameter.yaml"), "-o", "name", "--kubeconfig", kubeconfig)
        ask(capfd, "wait", name, "--kubeconfig", kubeconfig)

        assert read(f"{url}/readyz") == read(f"{url}/livez") == "ok\n"
        assert "tiphys_actor_births_total" in read(f"{url}/metrics")
        assert json.loads(read(f"{url}/debug/actors"))["statistics"]["ready"] is True
        started.send_signal(signal.SIGTERM)
        started.wait(END_S)
        assert started.returncode == 0


def test_a_killed_controller_is_followed_by_one_that_finishes_its_work(
    kubeconfig: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with controller(kubeconfig) as first:
        name = ask(capfd, "submit", str(EXAMPLES / "five-tasks.yaml"), "-o", "name", "--kubeconfig", kubeconfig)
        began = time.monotonic()
        while "Running" not in ask(capfd, "get", name, "-o", "json", "--kubeconfig", kubeconfig):
            assert time.monotonic() < began + END_S
        first.kill()
    with controller(kubeconfig):
        ask(capfd, "wait", name, "--kubeconfig", kubeconfig)
    done = json.loads(ask(capfd, "get", name, "-o", "json", "--kubeconfig", kubeconfig))
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["progress"] == "5/5"


def refused(*arguments: str) -> str:
    """What a controller that cannot start says; it ends with 2."""
    command = [sys.executable, "-m", "tiphys.cli", "controller", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=END_S)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    return ended.stderr


@pytest.mark.parametrize("wrong", ["nonsense", "192.0.2.1:1"])
def test_an_address_that_cannot_be_had_is_a_sentence(kubeconfig: str, wrong: str) -> None:
    assert "--http-address" in refused("--kubeconfig", kubeconfig, "--http-address", wrong)


@pytest.mark.parametrize("content", [None, "- a list", "s3: ["])
def test_a_repository_that_cannot_be_read_is_a_sentence(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "repository.yaml"
    if content is not None:
        path.write_text(content)

    assert str(path) in refused("--artifact-repository", str(path))
