"""`tiphys run` shows a Rollout's update move with real pods, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES
from tiphys.cli import main

QUICK = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: quick, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: quick}}
  template:
    metadata: {labels: {app: quick}}
    spec: {containers: [{name: app, image: "busybox:1", command: [sleep, infinity]}]}
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}]}}
"""


@pytest.fixture
def quick(tmp_path: Path) -> str:
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK)
    return str(path)


def test_a_canary_moves_and_a_person_promotes_it(capfd: pytest.CaptureFixture[str], quick: str) -> None:
    code = main(["run", quick, "--set", "image=busybox:2", "--promote-after", "1s", "--timeout", "60"])
    lines = capfd.readouterr().out.splitlines()
    assert (code, lines[-1]) == (0, "quick: the update ends Healthy")
    assert any("Paused" in line and "50 %" in line and "1/1" in line for line in lines)
    assert any("a person promotes" in line for line in lines)


def test_a_canary_that_waits_for_a_person_says_so_and_is_printed(capfd: pytest.CaptureFixture[str], quick: str) -> None:
    code = main(["run", quick, "--set", "app=busybox:2", "--timeout", "60", "--output", "json"])
    printed = capfd.readouterr()
    rollout = json.loads(printed.out)
    assert code == 1
    assert "quick: here it waits for a person: a pause without duration" in printed.err
    assert rollout["metadata"]["namespace"] == "shop"
    assert rollout["spec"]["template"]["spec"]["containers"][0]["image"] == "busybox:2"
    assert rollout["status"]["phase"] == "Paused"


def test_an_image_without_a_command_here_is_named_with_the_remedy(
    capfd: pytest.CaptureFixture[str], quick: str
) -> None:
    Path(quick).write_text(QUICK.replace(", command: [sleep, infinity]", "").replace("busybox:1", "example.org/app:1"))
    code = main(["run", quick, "--timeout", "3"])
    printed = capfd.readouterr()
    assert code == 2
    assert "image 'example.org/app:1' is not pulled here, so its own command is not known; set command" in printed.out
    assert "--runtime simulated plays pods without running anything" in printed.out


def test_simulated_pods_need_no_command(capfd: pytest.CaptureFixture[str], quick: str) -> None:
    Path(quick).write_text(QUICK.replace(", command: [sleep, infinity]", ""))
    code = main(["run", quick, "--promote-after", "0s", "--runtime", "simulated", "--timeout", "60"])
    assert code == 0, capfd.readouterr()


def test_the_blue_green_example_ends_healthy(capfd: pytest.CaptureFixture[str]) -> None:
    example = str(EXAMPLES / "rollouts" / "blue-green.yaml")
    code = main(["run", example, "--set", "image=busybox:2", "--promote-after", "1s", "--timeout", "60"])
    assert code == 0, capfd.readouterr()
