"""Two controllers share all namespaces of one cluster: one is killed, and the other goes on with the work of both."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import anyio
import pytest

from actors.names import buckets
from runtime.client import HttpApi
from runtime.objects import NAMESPACES
from tests.e2e.test_controller import ask, controller, process, read, url_of
from tiphys.cli import main

SHARDS = 2
PAIR = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  entrypoint: main
  templates:
    - name: main
      steps: [[{{name: a, template: pod}}], [{{name: b, template: pod}}]]
    - name: pod
      metadata: {{annotations: {{simulated.tiphys.dev/delay: "3"}}}}
      container: {{image: alpine, command: ["true"]}}
"""
TEAMS = ("team-0", "team-1", "team-2", "team-3", "team-4", "team-5")


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("shards") / "kubeconfig")
    with process("dev", "--no-controllers", "--runtime", "simulated", "--kubeconfig", path):
        anyio.run(_namespaces, path)
        yield path


async def _namespaces(kubeconfig: str) -> None:
    async with HttpApi.from_kubeconfig(kubeconfig) as api:
        for team in TEAMS:
            await api.create(NAMESPACES, {"metadata": {"name": team}})


def division(url: str) -> dict:
    return dict(json.loads(read(f"{url}/debug/actors?room=none"))["division"])


def until(url: str, ours: int, limit_s: float) -> float:
    """Seconds until so many shards are that controller's."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit_s:
        if len(division(url)["ours"]) == ours:
            return time.monotonic() - begun
    raise AssertionError(f"not within {limit_s} s: {division(url)}")


def until_ready(url: str, limit_s: float) -> None:
    """Wait until the controller says so: the actors of a shard are born after its lease is had."""
    begun, said = time.monotonic(), ""
    while said != "ok\n":
        assert time.monotonic() - begun < limit_s, said
        try:
            said = read(f"{url}/readyz")
        except HTTPError as error:
            with error:
                said = error.read().decode()


def submit(kubeconfig: str, folder: Path, capfd: pytest.CaptureFixture[str], word: str) -> list[tuple[str, str]]:
    """One workflow in each namespace."""
    found = []
    for team in TEAMS:
        file = folder / f"{word}-{team}.yaml"
        file.write_text(PAIR.format(name=word, namespace=team))
        found.append((team, ask(capfd, "submit", str(file), "-n", team, "-o", "name", "--kubeconfig", kubeconfig)))
    return found


@pytest.mark.spec("OPS-3")
def test_one_of_two_is_killed_and_the_other_goes_on(
    kubeconfig: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert {buckets.group(team, SHARDS) for team in TEAMS} == {0, 1}, "the namespaces are in both shards"
    with (
        controller(kubeconfig, "--shards", str(SHARDS)) as first,
        controller(kubeconfig, "--shards", str(SHARDS)) as second,
    ):
        one, other = url_of(first), url_of(second)
        until(one, 1, 20)
        until(other, 1, 20)
        until_ready(one, 20)
        until_ready(other, 20)
        assert sorted(division(one)["ours"] + division(other)["ours"]) == [0, 1]
        assert f'tiphys_leader{{shard="{division(one)["ours"][0]}",lease="default/' in read(f"{one}/metrics")

        before = submit(kubeconfig, tmp_path, capfd, "before")
        first.send_signal(signal.SIGKILL)
        after = submit(kubeconfig, tmp_path, capfd, "after")
        took = until(other, 2, 30)
        with capfd.disabled():
            print(f"\ntaken over after {took:.2f} s")  # noqa: T201  # the number is what one wants to see
        for team, name in (*before, *after):
            assert main(["wait", name, "-n", team, "--kubeconfig", kubeconfig]) == 0
        until_ready(other, 20)


def test_what_cannot_be_divided_is_refused_by_name(
    kubeconfig: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("parallelism: 10\nretentionPolicy: {completed: 3}\n")
    line = ["controller", "--kubeconfig", kubeconfig, "--http-address", "127.0.0.1:0", "--shards", "2"]
    assert main([*line, "--config", str(file)]) == 2
    said = capfd.readouterr().err
    assert "parallelism: no process of --shards knows" in said
    assert "retentionPolicy: " in said
    assert "without --shards" in said
    refused = {"--shards divides namespaces": ["--namespace", "x"], "--shards needs leases": ["--no-leader-elect"]}
    for word, options in refused.items():
        assert main([*line, *options]) == 2
        assert word in capfd.readouterr().err
