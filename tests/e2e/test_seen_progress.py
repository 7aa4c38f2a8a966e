"""What a program says of its progress is seen while it runs, on a real node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_controller import ask, process

FLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: slow}
spec:
  entrypoint: main
  templates:
    - name: main
      steps: [[{name: says, template: says}]]
    - name: says
      container: {image: busybox, command: [sh, -c, "echo 1/4 > $ARGO_PROGRESS_FILE; sleep 600"]}
"""


@pytest.mark.spec("PROG-2")
def test_progress_is_seen_while_the_pod_runs_and_stays_when_it_is_stopped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_PROGRESS_PATCH_TICK_DURATION", "100ms")
    monkeypatch.setenv("ARGO_PROGRESS_FILE_TICK_DURATION", "50ms")
    (tmp_path / "flow.yaml").write_text(FLOW)
    kubeconfig = str(tmp_path / "kubeconfig")

    def seen() -> tuple[str, str]:
        status = json.loads(ask(capfd, "get", "slow", "-o", "json", "--kubeconfig", kubeconfig)).get("status") or {}
        return status.get("phase", ""), status.get("progress", "")

    with process("dev", "--kubeconfig", kubeconfig):
        ask(capfd, "submit", str(tmp_path / "flow.yaml"), "--kubeconfig", kubeconfig)
        while seen() != ("Running", "1/4"):
            assert seen()[0] in ("", "Pending", "Running")
        ask(capfd, "terminate", "slow", "--kubeconfig", kubeconfig)
        while seen()[0] == "Running":
            continue
        assert seen() == ("Failed", "1/4")
