"""Two controllers against one cluster: one leads, the other takes over in seconds, and no workflow notices."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_controller import ask, controller, process, read, url_of

STEADY = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {{image: alpine, command: ["true"]}}
"""


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("leading") / "kubeconfig")
    with process("dev", "--no-controllers", "--runtime", "simulated", "--kubeconfig", path):
        yield path


def elections(url: str) -> list[dict]:
    return list(json.loads(read(f"{url}/debug/actors?room=none"))["statistics"]["elections"])


def election(url: str) -> dict:
    """The one for workflows."""
    return dict(elections(url)[0])


def until_it_leads(url: str, limit_s: float) -> float:
    """Seconds until that controller leads and its actors are born."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit_s:
        if json.loads(read(f"{url}/debug/actors?room=none"))["statistics"]["ready"]:
            return time.monotonic() - begun
    raise AssertionError(f"no hand-over within {limit_s} s: {election(url)}")


@pytest.mark.parametrize(("how", "limit_s"), [(signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)])
@pytest.mark.spec("OPS-3")
def test_a_standby_takes_over_in_time(
    kubeconfig: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], how: signal.Signals, limit_s: float
) -> None:
    with controller(kubeconfig) as first, controller(kubeconfig) as second:
        leader, standby = url_of(first), url_of(second)
        assert election(leader)["held"]
        assert not election(standby)["held"]
        assert election(standby)["holder"] == election(leader)["identity"]
        assert read(f"{standby}/readyz") == "ok\n", "a standby is ready to take over"
        assert 'tiphys_leader{lease="default/workflow-controller"} 0.0' in read(f"{standby}/metrics")

        first.send_signal(how)
        took = until_it_leads(standby, limit_s)
        with capfd.disabled():
            print(f"\nhand-over by {how.name}: {took:.2f} s")  # noqa: T201  # the number is what one wants to see

        file = tmp_path / "w.yaml"
        file.write_text(STEADY.format(name=f"after-{how.name.lower()}"))
        name = ask(capfd, "submit", str(file), "-o", "name", "--kubeconfig", kubeconfig)
        ask(capfd, "wait", name, "--kubeconfig", kubeconfig)


def test_who_does_not_stand_works_at_once(kubeconfig: str, capfd: pytest.CaptureFixture[str]) -> None:
    with controller(kubeconfig, "--no-leader-elect") as alone:
        state = json.loads(read(f"{url_of(alone)}/debug/actors"))["statistics"]
        assert state["elections"] == []
        assert state["ready"]


@pytest.mark.spec("RO-1.13-leases")
def test_the_lease_is_named_as_upstream_names_it(kubeconfig: str) -> None:
    """So that a controller of upstream's and ours never work side by side."""
    with controller(kubeconfig, "--lease-namespace", "kube-system", "--instance-id", "blue") as first:
        leases = [each["lease"] for each in elections(url_of(first))]
        assert leases == ["kube-system/workflow-controller-blue", "kube-system/argo-rollouts-controller-lock"]


@pytest.mark.spec("OPS-3")
def test_two_controllers_may_share_the_work_each_with_the_lease_of_its_part(kubeconfig: str) -> None:
    with (
        controller(kubeconfig, "--only", "workflows") as one,
        controller(kubeconfig, "--only", "rollouts") as other,
    ):
        held = [(each["lease"], each["held"]) for process in (one, other) for each in elections(url_of(process))]
        assert held == [("default/workflow-controller", True), ("default/argo-rollouts-controller-lock", True)]
