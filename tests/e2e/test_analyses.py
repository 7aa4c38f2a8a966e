"""An AnalysisRun and an Experiment without any Rollout: `kubectl create` on a `tiphys dev`, pods as processes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
WAIT_S = 60

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl on a dev cluster in a process of its own."""
    path = tmp_path_factory.mktemp("dev") / "kubeconfig"
    command = [sys.executable, "-m", "tiphys.cli", "dev", "--kubeconfig", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready https://127.0.0.1:")

        def run(*arguments: str) -> str:
            full = ["kubectl", "--kubeconfig", str(path), *arguments]
            return subprocess.run(full, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout

        yield run
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def ended(kubectl: Kubectl, kind: str, name: str) -> dict[str, Any]:
    """The object's status when it has been successful; kubectl waits for that."""
    kubectl("wait", kind, name, "--for=jsonpath={.status.phase}=Successful", f"--timeout={WAIT_S}s")
    status: dict[str, Any] = json.loads(kubectl("get", kind, name, "-o", "json"))["status"]
    return status


def test_a_run_outside_of_a_rollout_measures_and_says_so(kubectl: Kubectl) -> None:
    kubectl("create", "-f", str(EXAMPLES / "analysis/run.yaml"))
    status = ended(kubectl, "analysisrun", "by-hand")

    assert status["phase"] == "Successful"
    results = {result["name"]: result for result in status["metricResults"]}
    assert results["smoke-test"]["successful"] == 2
    assert results["nobody-listens"]["measurements"][0]["message"] == (
        "GET http://127.0.0.1:9/health: cannot connect: Connection refused"
    )
    assert status["dryRunSummary"] == {"count": 1, "error": 1}
    assert kubectl("get", "ar", "by-hand", "--no-headers").split()[:2] == ["by-hand", "Successful"]
    assert "AnalysisRunSuccessful" in kubectl("get", "events", "--field-selector", "involvedObject.name=by-hand")


def test_an_experiment_outside_of_a_rollout_runs_to_its_end(kubectl: Kubectl) -> None:
    kubectl("create", "-f", str(EXAMPLES / "analysis/experiment.yaml"))
    status = ended(kubectl, "experiment", "old-and-new")

    assert (status["phase"], status["message"]) == ("Successful", "Required AnalysisRuns completed")
    assert {each["name"]: each["status"] for each in status["templateStatuses"]}.keys() == {"old", "new"}
    run = json.loads(kubectl("get", "ar", "old-and-new-smoke-test", "-o", "json"))
    assert run["spec"]["args"][0]["value"]
